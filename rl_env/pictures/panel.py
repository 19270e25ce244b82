"""What is going on, beside the network: the truth, what is left to the agent, what waits, what
holds, what the last minute brought, and what it cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rl_env.pictures.canvas import (
    BLUE,
    CALM,
    GREEN,
    INK,
    LINE,
    PURPLE,
    SOFT,
    VERMILION,
    WHITE,
    Canvas,
    Colour,
    length,
)
from rl_env.pictures.marks import VERBS, Mark
from rl_env.pictures.scene import Budget, Scene

__all__ = ["draw_panel"]

_LINE: Final = 16


class _Column:
    """Lines of text, from the top."""

    def __init__(self, canvas: Canvas, x: int, y: int, width: int) -> None:
        self.canvas, self.x, self.y, self.width = canvas, x, y, width

    def head(self, text: str, note: str = "", tone: Colour = SOFT) -> None:
        self.canvas.text(self.x, self.y + 8, text.upper(), 10, tone)
        if note:
            self.canvas.text(self.x + self.width - length(note, 10), self.y + 8, note, 10, SOFT)
        self.canvas.rectangle(self.x, self.y + 17, self.width, 1, LINE)
        self.y += 22

    def pair(self, left: str, right: str, tone: Colour = INK) -> None:
        wide = length(right, 12)
        self.canvas.text(self.x, self.y + 8, left, 12, tone, self.width - wide - 8)
        self.canvas.text(self.x + self.width - wide, self.y + 8, right, 12, tone)
        self.y += _LINE

    def some(self, lines: Sequence[tuple[str, str, Colour]], most: int) -> None:
        """The first of them, and how many more there are; always as high as `most`."""
        shown = lines if len(lines) <= most else lines[: most - 1]
        end = self.y + most * _LINE
        for line in shown:
            self.pair(*line)
        if len(shown) < len(lines):
            self.pair(f"and {len(lines) - len(shown)} more", "", SOFT)
        if not lines:
            self.pair("none", "", SOFT)
        self.y = end + 8


def draw_panel(canvas: Canvas, scene: Scene, x: int, y: int, width: int, height: int) -> None:
    canvas.rectangle(x, y, width, height, WHITE, LINE, 1, 6)
    column = _Column(canvas, x + 12, y + 8, width - 24)
    marks = scene.marks
    column.head("truth", "hidden from the agent", VERMILION)
    column.some([(line, "", INK) for line in scene.truth], 3)
    column.head("lease", f"{scene.lease} min left" if scene.lease else "none")
    _gauges(column, scene.leases if scene.lease else [Budget(b.name, 0, 0) for b in scene.leases])
    column.head("budgets of this window")
    _gauges(column, scene.budgets)
    asked = sorted((m for m in marks if m.waits >= 0), key=lambda m: (-m.waits, m.row))
    column.head("people are asked", str(len(asked)), PURPLE)
    column.some([(_asked(m), f"{m.waits} min", INK) for m in asked], 4)
    orders = sorted((m for m in marks if m.left), key=lambda m: (m.left, m.row))
    column.head("orders", str(len(orders)), GREEN)
    column.some([(f"{VERBS[m.kind]} {m.name}", f"{m.left} min left", INK) for m in orders], 4)
    column.head("this minute")
    column.some([(event, "", INK) for event in scene.events], 5)
    column.head("reward", f"{sum(value for _, value in scene.terms) + 0.0:.3f}")
    _terms(column, scene.terms)
    column.head("episode so far")
    for name, value in scene.score:
        column.pair(name, value)


def _asked(mark: Mark) -> str:
    verb = "release" if mark.release else VERBS[mark.kind]
    return f"{verb} {mark.name}{' (agreed)' if mark.agreed else ''}"


def _gauges(column: _Column, budgets: Sequence[Budget]) -> None:
    """Side by side."""
    canvas, wide = column.canvas, column.width / len(budgets)
    for k, budget in enumerate(budgets):
        x = column.x + k * wide
        canvas.text(x, column.y + 7, budget.name, 10, SOFT)
        share = budget.left / budget.whole if budget.whole else 0.0
        canvas.rectangle(x, column.y + 16, wide - 10, 6, CALM, round_=2)
        canvas.rectangle(x, column.y + 16, share * (wide - 10), 6, BLUE, round_=2)
        said = f"{budget.left}/{budget.whole}" if budget.whole else "-"
        canvas.text(x + wide - 10 - length(said, 10), column.y + 7, said, 10, INK)
    column.y += 32


def _terms(column: _Column, terms: Sequence[tuple[str, float]]) -> None:
    """Losses as bars; the scale is that of the largest, 0.1 at least."""
    canvas, wide = column.canvas, column.width / 2
    most = max(0.1, *(-value for _, value in terms))
    for k, (name, value) in enumerate(terms):
        x, y = column.x + k % 2 * wide, column.y + k // 2 * _LINE
        canvas.text(x, y + 8, name, 11, SOFT)
        canvas.rectangle(x + 44, y + 5, max(0.0, -value / most) * (wide - 100), 7, VERMILION)
        said = f"{value:.3f}" if value else "0"
        canvas.text(x + wide - 12 - length(said, 11), y + 8, said, 11, INK)
    column.y += 2 * _LINE + 8
