"""The picture as text: every host by name at small sites, by three signs at large ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rl_env.pictures.marks import CLEAN, DONE, VERBS, Mark
from rl_env.pictures.scene import Budget, Group, Scene

__all__ = ["write"]

ESCAPE: Final = "\x1b"
_NAMED: Final = 64  # hosts that are named, one by one
_NAMES: Final = (9, 24)  # columns of a name, at least and at most
_CELL: Final = 15  # columns of a named one, beside the name
_LISTED: Final = 8  # lines of a list
_TRUTHS: Final = ".frX"  # by level
_LEVELS: Final = " 123456789"  # belief: tens of percent of what counts as a lot
_MUCH: Final = 50.0  # nats
_LETTERS: Final = {
    "workstation": "w", "server": "s", "database": "d",
    "directory": "D", "gateway": "g", "controller": "c",
}  # fmt: skip
_TONES: Final = {  # 256 colours, those of Okabe and Ito
    "foothold": "38;5;214", "root": "1;38;5;166", "lost": "7;1",
    "fresh": "1;38;5;32", "old": "38;5;74", "ordered": "38;5;36", "asked": "38;5;169",
    "head": "1", "soft": "2",
}  # fmt: skip
_LEGEND: Final = (
    "truth: . clean, f foothold, r root, stolen or hostile, X lost",
    "belief: 1 little, 9 much evidence",
    "# ordered, minutes left' (not enforced yet')",
    "? people are asked, minutes ago",
    "x refused lately",
    "role, criticality 0 to 3",
    "* goal, ! protected, ^ exposed",
)
_BY_LEVEL: Final = ("soft", "foothold", "root", "lost")


def write(scene: Scene, columns: int, colours: bool) -> str:
    """Lines of at most `columns` columns; escape codes only with `colours`."""
    page = _Page(columns, colours)
    return "\n".join(page.lines(scene))


class _Page:
    def __init__(self, columns: int, colours: bool) -> None:
        self._columns, self._colours, self._name = columns, colours, _NAMES[0]

    def lines(self, scene: Scene) -> Iterator[str]:
        yield self._head(scene)
        for line in scene.truth:
            yield self._cut(f"truth   {line}")
        yield self._cut(f"lease   {_lease(scene)}")
        yield self._cut(f"budgets {_budgets(scene.budgets)}")
        marks = scene.marks
        longest = max(len(mark.short) for mark in marks)
        self._name = min(max(longest, _NAMES[0]), _NAMES[1])
        named = sum(len(zone.marks) for zone in scene.zones) <= _NAMED
        for group in (scene.addresses, *scene.zones, scene.credentials):
            if group.marks:
                yield from self._group(group, named or len(group.marks) <= 32)
        yield from self._legend()
        if not named:
            worst = sorted(filter(_is_odd, marks), key=lambda m: (-m.truth, -m.evidence, m.row))
            yield from self._list("look at", (self._named(m).rstrip() for m in worst))
        asked = sorted((m for m in marks if m.waits >= 0), key=lambda m: (-m.waits, m.row))
        yield from self._list("people are asked", map(_asked, asked))
        orders = sorted((m for m in marks if m.left), key=lambda m: (m.left, m.row))
        yield from self._list("orders", map(_ordered, orders))
        yield from self._list("this minute", scene.events)
        terms = ", ".join(f"{name} {value + 0.0:.3f}" for name, value in scene.terms)
        yield self._cut(f"reward {sum(value for _, value in scene.terms) + 0.0:.3f}: {terms}")
        yield from self._wrapped([f"{name} {value}" for name, value in scene.score], ", ")

    def _head(self, scene: Scene) -> str:
        left = f"Countersign  {scene.clock}  minute {scene.minute} of {scene.minutes}  "
        room = self._columns - len(left) - 2
        done = round(room * min(1.0, max(0.0, scene.minute / scene.minutes)))
        return self._tone("head", f"{left}[{'#' * done}{'-' * (room - done)}]")

    def _group(self, group: Group, named: bool) -> Iterator[str]:
        title = f"-- {group.title} ({len(group.marks)}) "
        yield self._tone("head", title.ljust(self._columns, "-"))
        width = _CELL + self._name if named else 4
        across = max(1, self._columns // width)
        for start in range(0, len(group.marks), across):
            row = group.marks[start : start + across]
            cells = (self._named(m) if named else self._signs(m) + " " for m in row)
            yield "".join(cells).rstrip()

    def _named(self, mark: Mark) -> str:
        """Name, role, criticality, sign, then truth, belief and order, and the order's minutes."""
        role = _LETTERS.get(mark.role, " ")
        sign = "*" if mark.jewel else "!" if mark.protected else "^" if mark.exposed else " "
        under_way = _under_way(mark)
        tone = "asked" if mark.waits >= 0 else "ordered"
        name = f"{mark.short[: self._name]:<{self._name}} {role}{mark.criticality}{sign}"
        return f"{name}{self._signs(mark)} {self._tone(tone, f'{under_way:<6}'[:6])} "

    def _signs(self, mark: Mark) -> str:
        """Three columns: truth, belief, order."""
        level = min(9, int(10 * mark.evidence / _MUCH))
        order = "?" if mark.waits >= 0 else "#" if mark.left else "x" if mark.refused else " "
        return (
            self._tone(_BY_LEVEL[mark.truth], _TRUTHS[mark.truth])
            + self._tone("fresh" if mark.recency > 0.5 else "old", _LEVELS[level])
            + self._tone("asked" if mark.waits >= 0 else "ordered", order)
        )

    def _legend(self) -> Iterator[str]:
        yield from (self._tone("soft", line) for line in self._wrapped(_LEGEND, " | "))

    def _list(self, title: str, items: Iterable[str]) -> Iterator[str]:
        lines = list(items)
        if not lines:
            return
        yield self._tone("head", f"{title} ({len(lines)})")
        shown = lines if len(lines) <= _LISTED else lines[: _LISTED - 1]
        yield from (f"  {line if ESCAPE in line else self._cut(line, 2)}" for line in shown)
        if len(shown) < len(lines):
            yield f"  and {len(lines) - len(shown)} more"

    def _wrapped(self, words: Sequence[str], between: str) -> Iterator[str]:
        line = ""
        for word in words:
            if line and len(line) + len(between) + len(word) > self._columns:
                yield line
                line = ""
            line += between + word if line else word
        yield line

    def _cut(self, text: str, indent: int = 0) -> str:
        room = self._columns - indent
        return text if len(text) <= room else text[: room - 3] + "..."

    def _tone(self, tone: str, text: str) -> str:
        if not self._colours or not text.strip():
            return text
        return f"{ESCAPE}[{_TONES[tone]}m{text}{ESCAPE}[0m"


def _is_odd(mark: Mark) -> bool:
    return mark.truth != CLEAN or mark.evidence >= 0.3 * _MUCH


def _under_way(mark: Mark) -> str:
    if mark.waits >= 0:
        return f"?{mark.waits}'"
    if mark.left:
        return f"({mark.left}')" if mark.starts else f"{mark.left}'"
    return ""


def _asked(mark: Mark) -> str:
    verb = "release" if mark.release else VERBS[mark.kind]
    return f"{verb} {mark.name}, {mark.waits} min{' (agreed)' if mark.agreed else ''}"


def _ordered(mark: Mark) -> str:
    soon = f", enforced in {mark.starts}" if mark.starts else ""
    return f"{mark.name} {DONE[mark.kind]}, {mark.left} min left{soon}"


def _lease(scene: Scene) -> str:
    return f"{scene.lease} min left: {_budgets(scene.leases)}" if scene.lease else "none"


def _budgets(budgets: Sequence[Budget]) -> str:
    return ", ".join(f"{b.name} {b.left}/{b.whole}" for b in budgets)
