"""From a sensor's own words to an ATT&CK tactic, only where the words say it.

The rules are data: `tactics.yaml` beside this module, which says of each where it comes from, and
files of the user's own, which go before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from policies import documents
from policies.alerts import TACTIC_IDS, Tactic
from policies.documents import EntryError, joined, mapping, name, sequence, shown
from responder.errors import Permanent

__all__ = ["Tactics", "from_names", "named"]

_SHIPPED = Path(__file__).with_name("tactics.yaml")
_KINDS = ("id", "title", "category", "group")  # in the order in which they are asked
_MAX_PATTERN = 2000  # characters
_MAX_REMEMBERED = 4096  # titles

_NAMED: dict[str, Tactic] = {
    **{identifier: tactic for tactic, identifier in TACTIC_IDS.items()},
    **{tactic.name: tactic for tactic in Tactic},
}


class _Rules:
    """What one file says."""

    def __init__(self) -> None:
        self.exact: dict[str, dict[str, Tactic]] = {kind: {} for kind in _KINDS if kind != "title"}
        self._titles: list[tuple[re.Pattern[str], Tactic]] = []
        self._remembered: dict[str, Tactic | None] = {}

    def add_title(self, pattern: re.Pattern[str], tactic: Tactic) -> None:
        self._titles.append((pattern, tactic))

    def of(self, key: str, title: str, category: str, groups: Iterable[str]) -> Tactic | None:
        """Exact before pattern: who names one rule means that one."""
        tactic = self.exact["id"].get(key)
        if tactic is None:
            tactic = self._by_title(title)
        if tactic is None and category:
            tactic = self.exact["category"].get(category.lower())
        if tactic is None and groups:
            tactic = _only(self.exact["group"].get(group.lower()) for group in groups)
        return tactic

    def _by_title(self, title: str) -> Tactic | None:
        try:
            return self._remembered[title]
        except KeyError:
            pass
        found = next((tactic for pattern, tactic in self._titles if pattern.search(title)), None)
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[title] = found
        return found


class Tactics:
    """Tables of rules, the first that says something wins."""

    def __init__(self, own: _Rules | None, shipped: _Rules) -> None:
        self._own = own
        self._shipped = shipped

    def of(
        self,
        sensor: str,
        type: str,
        title: str = "",
        *,
        category: str = "",
        groups: Iterable[str] = (),
        named: Iterable[str] = (),
        hinted: Iterable[str] = (),
    ) -> Tactic | None:
        """The tactic that an alert's words state; None where they state none or several.

        `named`: ids or names of tactics by which the rule's author classified it: they go before
        the shipped table. `hinted`: such as are known to be loose: they go after it. Texts are
        bounded (as `line.tidy` leaves them).
        """
        key = f"{sensor}:{type}"
        if self._own is not None:
            own = self._own.of(key, title, category, groups)
            if own is not None:
                return own
        tactic = from_names(named)
        if tactic is None:
            tactic = self._shipped.of(key, title, category, groups)
        return from_names(hinted) if tactic is None else tactic

    @staticmethod
    @cache
    def shipped() -> Tactics:
        """The table of this package alone."""
        return Tactics(None, _load(_SHIPPED))

    @staticmethod
    def load(path: Path | str) -> Tactics:
        """A file of the user's own before the shipped table.

        Raises Permanent as "FILE:LINE: rules[3].title: reason".
        """
        return Tactics(_load(path), Tactics.shipped()._shipped)


def from_names(names: Iterable[str]) -> Tactic | None:
    """The tactic named by id ("TA0008") or name; None where several are named.

    Wazuh tags a plain successful login with the four tactics of "Valid Accounts": that says
    nothing.
    """
    return _only(named(name) for name in names)


def named(word: str) -> Tactic | None:
    """The tactic with this id or name, in any case, words parted by spaces, "-" or "_"."""
    return _NAMED.get(re.sub(r"[ -]", "_", word.strip()).upper())


def _only(tactics: Iterable[Tactic | None]) -> Tactic | None:
    found = {tactic for tactic in tactics if tactic is not None}
    return found.pop() if len(found) == 1 else None


# ---------------------------------------------------------------- the file


def _load(path: Path | str) -> _Rules:
    try:
        document = documents.load(path)
    except EntryError as error:
        raise Permanent(str(error)) from error
    rules = _Rules()
    try:
        for index, entry in enumerate(sequence(mapping(document.data, "", ("rules",)), "rules")):
            _add(rules, entry, f"rules[{index}]")
    except EntryError as error:
        raise Permanent(f"{document.at(error.place)}: {error.reason}") from error
    return rules


def _add(rules: _Rules, entry: Any, place: str) -> None:
    data = mapping(entry, place, (*_KINDS, "tactic", "source"))
    kinds = [kind for kind in _KINDS if kind in data]
    if len(kinds) != 1:
        raise EntryError(place, f"expected one of {', '.join(_KINDS)}, got {len(kinds)}")
    kind = kinds[0]
    tactic = _tactic(data.get("tactic"), f"{place}.tactic")
    if not isinstance(data.get("source"), str) or not data["source"].strip():
        raise EntryError(place, "`source` is missing: say where this mapping comes from")
    where = joined(place, kind)
    values = data[kind] if isinstance(data[kind], list) else [data[kind]]
    if not values:
        raise EntryError(where, "an empty list")
    for value in values:
        if kind == "title":
            rules.add_title(_pattern(value, where), tactic)
        else:
            _add_exact(rules.exact[kind], kind, name(value, where), tactic, where)


def _add_exact(table: dict[str, Tactic], kind: str, value: str, tactic: Tactic, where: str) -> None:
    if kind == "id" and ":" not in value:
        raise EntryError(where, f'expected "sensor:type", as "wazuh:5710", got {shown(value)}')
    key = value if kind == "id" else value.lower()
    if table.setdefault(key, tactic) is not tactic:
        raise EntryError(where, f"{shown(value)} has another tactic further up")


def _tactic(value: Any, where: str) -> Tactic:
    found = named(value) if isinstance(value, str) else None
    if found is None:
        known = ", ".join(tactic.name.lower().replace("_", " ") for tactic in Tactic)
        raise EntryError(
            where, f"{shown(value)} is no ATT&CK tactic; known are {known}, and ids like TA0008"
        )
    return found


def _pattern(value: Any, where: str) -> re.Pattern[str]:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_PATTERN:
        raise EntryError(where, f"expected a regular expression of 1 to {_MAX_PATTERN} characters")
    try:
        return re.compile(value, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise EntryError(where, f"no regular expression: {error}") from error
