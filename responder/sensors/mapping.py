"""Any other JSON: a mapping file says which field of a line holds what.

The file's path stands in place of a format's name. `responder/sensors/README.md` shows one and
lists its keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from policies import documents
from policies.alerts import Alert
from policies.documents import EntryError, joined, mapping, name, one_of, shown
from responder.errors import Permanent
from responder.sensors.line import (
    LATEST,
    MalformedLine,
    address,
    instant,
    number,
    record,
    seconds,
    text,
    tidy,
)
from responder.sensors.tactics import Tactics, named

__all__ = ["MappedParser", "zone_named"]

_TEXTS = ("sensor", "type", "title", "host", "address", "src", "dst", "agent", "credential")
_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
_MAX_TACTICS = 64  # that one line names


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a value is looked for, what it is when absent, and what its words mean."""

    paths: tuple[str, ...] = ()
    default: Any = None
    values: Mapping[str, Any] | None = None

    def of(self, event: dict[str, Any]) -> Any:
        """The first that is there, translated; a value that is not listed stays as it is."""
        for path in self.paths:
            found = _find(event, path)
            if found is None or found == "":
                continue
            if self.values is not None and isinstance(found, str | int):
                return self.values.get(_word(found), found)
            return found
        return self.default


@dataclass(frozen=True, slots=True)
class _Time:
    field: _Field
    unit: float  # parts of a second; 0: a text
    pattern: str  # of strptime; empty: ISO 8601
    zone: tzinfo | None  # of times without an offset; None: they must have one

    def of(self, event: dict[str, Any]) -> float:
        said = {"time": self.field.of(event)}
        if said["time"] is None:
            raise MalformedLine("no time")
        if self.unit:
            return seconds(str(number(said, "time", 0.0) / self.unit))
        if not self.pattern and self.zone is None:
            return instant(said, "time")
        given = text(said, "time")
        try:
            if self.pattern:
                read = datetime.strptime(given, self.pattern)
            else:
                read = datetime.fromisoformat(given)
        except (ValueError, OverflowError):
            raise MalformedLine("time is not as the mapping says") from None
        if read.tzinfo is None:
            if self.zone is None:
                raise MalformedLine("time has no offset from UTC")
            read = read.replace(tzinfo=self.zone)
        try:
            result = read.timestamp()
        except OverflowError:
            result = -1.0
        if not 0 <= result < LATEST:
            raise MalformedLine("time is out of range")
        return result


@dataclass(frozen=True, slots=True)
class _Severity:
    field: _Field
    words: Mapping[str, float]  # what they mean, from 0 to 1
    low: float  # what becomes 0
    high: float  # what becomes 1; less than `low` where a sensor counts down
    default: float

    def of(self, event: dict[str, Any]) -> float:
        given = self.field.of(event)
        if isinstance(given, str | int) and _word(given) in self.words:
            return self.words[_word(given)]
        if given is None:
            return self.default
        try:
            value = number({"severity": given}, "severity", 0.0)
        except MalformedLine:
            return self.default  # a word that the mapping does not know
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


class MappedParser:
    """One JSON object a line, read as a mapping file says."""

    def __init__(
        self,
        only: Mapping[str, frozenset[str]],
        time: _Time,
        texts: Mapping[str, _Field],
        severity: _Severity,
        tactic: _Field,
        tactics: Tactics,
    ) -> None:
        self._only = only
        self._time = time
        self._texts = texts
        self._severity = severity
        self._tactic = tactic
        self._tactics = tactics

    @staticmethod
    def load(path: Path | str, tactics: Tactics) -> MappedParser:
        """Raises Permanent as "FILE:LINE: time.format: reason"."""
        try:
            document = documents.load(path)
        except EntryError as error:
            raise Permanent(str(error)) from error
        try:
            return _parser(document.data, tactics)
        except EntryError as error:
            raise Permanent(f"{document.at(error.place)}: {error.reason}") from error

    def parse(self, line: bytes) -> Alert | None:
        event = record(line)
        if event is None or not self._meant(event):
            return None
        said = {key: field.of(event) for key, field in self._texts.items()}
        sensor, kind, title = text(said, "sensor"), text(said, "type"), text(said, "title")
        if not sensor or not kind:
            raise MalformedLine("no type" if sensor else "no sensor")
        return Alert(
            time=self._time.of(event),
            sensor=sensor,
            type=kind,
            title=title,
            severity=self._severity.of(event),
            tactic=self._tactics.of(sensor, kind, title, named=_tactics(self._tactic.of(event))),
            host=text(said, "host"),
            address=address(text(said, "address")),
            src=address(text(said, "src")),
            dst=address(text(said, "dst")),
            agent=text(said, "agent"),
            credential=text(said, "credential"),
        )

    def _meant(self, event: dict[str, Any]) -> bool:
        """Whether the line is an alert at all."""
        for path, wanted in self._only.items():
            found = _find(event, path)
            given = found[:_MAX_TACTICS] if isinstance(found, list) else [found]
            if not any(_word(value) in wanted for value in given if isinstance(value, str | int)):
                return False
        return True


def zone_named(value: str) -> tzinfo:
    """A time zone by name, as "Europe/Berlin" or "UTC". Raises ValueError."""
    if value == "UTC":
        return UTC  # without the data base of zones, which few containers have
    try:
        return ZoneInfo(value)
    except (OSError, ValueError, LookupError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(
            f"no time zone {shown(value)}; expected one like Europe/Berlin, and the system's tzdata"
        ) from error


def _find(value: Any, path: str) -> Any:
    """Dots part names, numbers count in lists; a name may hold dots itself, as "id.orig_h"."""
    head, dot, rest = path.partition(".")
    if isinstance(value, dict):
        if path in value:
            return value[path]
        return _find(value[head], rest) if dot and head in value else None
    if isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        return _find(value[int(head)], rest) if dot else value[int(head)]
    return None


def _word(value: str | int) -> str:
    """As it stands in JSON."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tactics(given: Any) -> list[str]:
    words = given[:_MAX_TACTICS] if isinstance(given, list) else [given]
    return [tidy(word) for word in words if isinstance(word, str)]


# ---------------------------------------------------------------- the file


def _parser(data: Any, tactics: Tactics) -> MappedParser:
    top = mapping(data, "", ("only", "time", *_TEXTS, "severity", "tactic"))
    for key in ("time", "sensor", "type"):
        if key not in top:
            raise EntryError("", f"`{key}` is missing")
    return MappedParser(
        only=_only(top.get("only")),
        time=_time(top["time"]),
        texts={key: _text_field(top[key], key) for key in _TEXTS if key in top},
        severity=_severity(top.get("severity", {})),
        tactic=_tactic(top.get("tactic", {})),
        tactics=tactics,
    )


def _field(entry: Any, place: str, *more: str) -> tuple[_Field, Mapping[str, Any]]:
    """A path, a list of paths, or a mapping of `path`, `default`, `values` and `more` keys."""
    if not isinstance(entry, Mapping):
        entry = {"path": entry}
    data = mapping(entry, place, ("path", "default", "values", *more))
    paths = data.get("path", [])
    where = joined(place, "path")
    listed = paths if isinstance(paths, list) else [paths]
    values = data.get("values")
    if values is not None:
        values = {
            _word(key) if isinstance(key, str | int) else str(key): value
            for key, value in mapping(values, joined(place, "values")).items()
        }
    return _Field(tuple(name(p, where) for p in listed), data.get("default"), values), data


def _text_field(entry: Any, place: str) -> _Field:
    field, _ = _field(entry, place)
    for key, value in (field.values or {}).items():
        name(value, f"{place}.values.{key}")
    if field.default is not None:
        name(field.default, joined(place, "default"))
    elif not field.paths:
        raise EntryError(place, "neither `path` nor `default`")
    return field


def _time(entry: Any) -> _Time:
    field, data = _field(entry, "time", "format", "zone")
    if field.values is not None or field.default is not None or not field.paths:
        raise EntryError("time", "needs a `path`, and takes neither `default` nor `values`")
    zone = None
    if "zone" in data:
        try:
            zone = zone_named(name(data["zone"], "time.zone"))
        except ValueError as error:
            raise EntryError("time.zone", str(error)) from error
    given = name(data.get("format", "iso"), "time.format")
    if "%" not in given:
        one_of(given, ["iso", *_UNITS], "time.format", "format")
        return _Time(field, _UNITS.get(given, 0.0), "", zone)
    if "%Y" not in given and "%y" not in given:
        raise EntryError("time.format", f"{shown(given)} has no year (%Y)")
    try:
        datetime.strptime("", given)
    except ValueError as error:
        if "does not match" not in str(error):
            raise EntryError("time.format", str(error)) from error
    return _Time(field, 0.0, given, zone)


def _severity(entry: Any) -> _Severity:
    field, data = _field(entry, "severity", "range")
    words = {
        key: _share(value, f"severity.values.{key}") for key, value in (field.values or {}).items()
    }
    default = 0.5 if field.default is None else _share(field.default, "severity.default")
    low, high = _range(data.get("range", [0, 1]))
    return _Severity(_Field(field.paths), words, low, high, default)


def _range(value: Any) -> tuple[float, float]:
    place = "severity.range"
    if not isinstance(value, list) or len(value) != 2:
        raise EntryError(place, "expected [what is harmless, what is worst], as [0, 15]")
    low, high = (_number(one, place) for one in value)
    if low == high:
        raise EntryError(place, "its two numbers are the same")
    return low, high


def _share(value: Any, place: str) -> float:
    found = _number(value, place)
    if not 0 <= found <= 1:
        raise EntryError(place, f"expected a number from 0 to 1, got {shown(value)}")
    return found


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise EntryError(place, f"expected a number, got {shown(value)}")
    return float(value)


def _tactic(entry: Any) -> _Field:
    field, _ = _field(entry, "tactic")
    for key, value in [*(field.values or {}).items(), ("default", field.default)]:
        if value is not None and (not isinstance(value, str) or named(value) is None):
            place = "tactic.default" if key == "default" else f"tactic.values.{key}"
            raise EntryError(place, f"{shown(value)} is no ATT&CK tactic, as TA0008 or discovery")
    return field


def _only(entry: Any) -> dict[str, frozenset[str]]:
    if entry is None:
        return {}
    result = {}
    for path, value in mapping(entry, "only").items():
        listed = value if isinstance(value, list) else [value]
        where = joined("only", path)
        if not listed or not all(isinstance(one, str | int) for one in listed):
            raise EntryError(where, "expected a text, a whole number, true, false, or a list")
        result[name(path, where)] = frozenset(_word(one) for one in listed)
    return result
