"""The kinds of parameters that a scenario has, and their checks.

A group of parameters is a frozen dataclass below `Group` whose fields are made by the functions
here: each says what it means, in which unit, from where its default is, and within which bounds it
lies. A group checks itself, so one that exists is sound, wherever it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

from policies.documents import EntryError, joined, mapping, shown

__all__ = [
    "Choices",
    "Group",
    "Levels",
    "Row",
    "Shares",
    "Span",
    "WholeSpan",
    "choices",
    "levels",
    "number",
    "shares",
    "span",
    "text",
]

Span = tuple[float, float]  # an episode draws a number between the two, ends included
WholeSpan = tuple[int, int]
Shares = tuple[float, ...]  # weights by name; an episode draws one of the names
Levels = tuple[float, ...]
Choices = tuple[float, ...]  # an episode draws one, each as likely

LOG = "log-uniform"
_MOST_CHOICES = 4  # of which an episode draws each as often: see rl_env.parameters.CHOICES


class Row(NamedTuple):
    """A parameter's documentation."""

    path: str
    default: str
    unit: str
    bounds: str
    drawn: str  # "uniform", "log-uniform", "one of them", or empty: the same in every episode
    doc: str
    source: str


def number(default: float, doc: str, *, unit: str, source: str, least: float, most: float) -> Any:
    """One number, whole if its default is."""
    return _field("number", default, doc=doc, unit=unit, source=source, least=least, most=most)


def span(
    low: float,
    high: float,
    doc: str,
    *,
    unit: str,
    source: str,
    least: float,
    most: float,
    drawn: str = "uniform",
) -> Any:
    """Two numbers, whole if the default ones are, between which an episode draws."""
    default, bounds = (low, high), {"least": least, "most": most}
    return _field("span", default, doc=doc, unit=unit, source=source, drawn=drawn, **bounds)


def shares(names: tuple[str, ...], default: Shares, doc: str, *, source: str) -> Any:
    """A weight by name; those left out are zero."""
    return _field("shares", default, doc=doc, unit="share", source=source, names=names)


def levels(default: Levels, doc: str, *, unit: str, source: str, least: float, most: float) -> Any:
    """A number for each of a fixed row of things."""
    return _field("levels", default, doc=doc, unit=unit, source=source, least=least, most=most)


def choices(
    default: Choices, doc: str, *, unit: str, source: str, least: float, most: float
) -> Any:
    """Numbers of which an episode draws one; naming one twice makes it twice as likely."""
    bounds = {"least": least, "most": most, "drawn": "one of them"}
    return _field("choices", default, doc=doc, unit=unit, source=source, **bounds)


def text(default: str, doc: str, *, unit: str, source: str) -> Any:
    """A text that may be empty."""
    return _field("text", default, doc=doc, unit=unit, source=source)


def _field(kind: str, default: Any, **about: Any) -> Any:
    first = default[0] if isinstance(default, tuple) else default
    about |= {"kind": kind, "default": default, "whole": type(first) is int}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Group:
    """Parameters that belong together. Raises EntryError, with the parameter's place."""

    def __post_init__(self) -> None:
        for each in fields(self):
            place = joined(self.title(), each.name)
            value = _CHECKS[each.metadata["kind"]](getattr(self, each.name), place, each.metadata)
            object.__setattr__(self, each.name, value)

    @classmethod
    def title(cls) -> str:
        """What a scenario calls it."""
        return cls.__name__.lower()

    @classmethod
    def from_mapping(cls, data: Any) -> Self:
        """Validates what a scenario file says of it; the rest keeps its default."""
        known = [each.name for each in fields(cls)]
        return cls(**mapping({} if data is None else data, cls.title(), known))

    def to_mapping(self) -> dict[str, Any]:
        """The document that `from_mapping` reads."""
        return {each.name: _plain(getattr(self, each.name), each.metadata) for each in fields(self)}

    @classmethod
    def rows(cls) -> list[Row]:
        """Documentation, one row per parameter."""
        return [
            _row(joined(cls.title(), each.name), each.default, each.metadata)
            for each in fields(cls)
        ]


# ---------------------------------------------------------------- checks


def _number(value: Any, place: str, about: Mapping[str, Any]) -> float:
    wanted = "a whole number" if about["whole"] else "a number"
    sound = isinstance(value, int) if about["whole"] else isinstance(value, (int, float))
    if not sound or isinstance(value, bool) or value != value:
        raise EntryError(place, f"expected {wanted}, got {shown(value)}")
    if not about["least"] <= value <= about["most"]:
        raise EntryError(
            place, f"{_figure(value)} is not within {_bounds(about)} ({about['unit']})"
        )
    return int(value) if about["whole"] else float(value)


def _span(value: Any, place: str, about: Mapping[str, Any]) -> tuple[float, ...]:
    if isinstance(value, (list, tuple)) and len(value) == 2:
        low, high = (_number(v, f"{place}[{i}]", about) for i, v in enumerate(value))
    elif isinstance(value, (list, tuple, Mapping, str)) or value is None:
        raise EntryError(place, f"expected [low, high] or one number, got {shown(value)}")
    else:
        low = high = _number(value, place, about)
    if low > high:
        raise EntryError(place, f"its low end {_figure(low)} is above its high end {_figure(high)}")
    return low, high


def _shares(value: Any, place: str, about: Mapping[str, Any]) -> Shares:
    names = about["names"]
    if isinstance(value, tuple) and len(value) == len(names):
        value = dict(zip(names, value, strict=True))
    bounds = {"least": 0.0, "most": 1000.0, "whole": False, "unit": "weight"}
    weights = {
        key: _number(v, joined(place, key), bounds)
        for key, v in mapping(value, place, names).items()
    }
    if not any(weights.values()):
        raise EntryError(place, "one weight at least must be above zero")
    return tuple(weights.get(known, 0.0) for known in names)


def _levels(value: Any, place: str, about: Mapping[str, Any]) -> Levels:
    wanted = len(about["default"])
    if not isinstance(value, (list, tuple)) or len(value) != wanted:
        raise EntryError(place, f"expected a list of {wanted} numbers, got {shown(value)}")
    return tuple(_number(v, f"{place}[{i}]", about) for i, v in enumerate(value))


def _choices(value: Any, place: str, about: Mapping[str, Any]) -> Choices:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= _MOST_CHOICES:
        raise EntryError(
            place, f"expected a list of 1 to {_MOST_CHOICES} numbers, got {shown(value)}"
        )
    return tuple(_number(v, f"{place}[{i}]", about) for i, v in enumerate(value))


def _text(value: Any, place: str, about: Mapping[str, Any]) -> str:
    if not isinstance(value, str) or not (value == "" or value.isprintable()):
        raise EntryError(place, f"expected a line of text, got {shown(value)}")
    return value


_CHECKS = {
    "number": _number,
    "span": _span,
    "shares": _shares,
    "levels": _levels,
    "choices": _choices,
    "text": _text,
}


# ---------------------------------------------------------------- showing


def _plain(value: Any, about: Mapping[str, Any]) -> Any:
    if about["kind"] == "shares":
        return dict(zip(about["names"], value, strict=True))
    return list(value) if isinstance(value, tuple) else value


def _row(path: str, default: Any, about: Mapping[str, Any]) -> Row:
    kind = about["kind"]
    if kind == "shares":
        pairs = zip(about["names"], default, strict=True)
        said = ", ".join(f"{known} {_figure(value)}" for known, value in pairs)
    elif isinstance(default, tuple):
        said = (" to " if kind == "span" else ", ").join(_figure(value) for value in default)
    else:
        said = _figure(default)
    return Row(
        path,
        said,
        about["unit"],
        _bounds(about),
        about.get("drawn", ""),
        about["doc"],
        about["source"],
    )


def _bounds(about: Mapping[str, Any]) -> str:
    return f"{_figure(about['least'])} to {_figure(about['most'])}" if "least" in about else ""


def _figure(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:80]
