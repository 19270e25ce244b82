"""An entity as a cell: on its left half what is true, on its right what the agent believes.

A frame says what was ordered, corners that people are asked. The larger a cell, the more it says in
words; the smallest are the two halves and the frame.
"""

from __future__ import annotations

from typing import Final

from policies.actions import Kind
from policies.columns import NATS
from rl_env.pictures.canvas import (
    BLACK,
    BLUE,
    CALM,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PURPLE,
    SOFT,
    VERMILION,
    WHITE,
    Canvas,
    Colour,
    blend,
    length,
)
from rl_env.pictures.icons import icon, mark_exposed, mark_jewel, mark_protected
from rl_env.pictures.marks import CLEAN, DONE, LEVELS, LOST, Mark

__all__ = ["draw_belief", "draw_cell", "draw_truth"]

TRUTHS: Final = (CALM, ORANGE, VERMILION, BLACK)  # by level
_OLD: Final[Colour] = (170, 205, 232)  # evidence of long ago
_CARD: Final = (124, 80)  # width and height from which a cell has words
_TILE: Final = (40, 28)  # and an icon


def draw_cell(canvas: Canvas, mark: Mark, x: int, y: int, cell: tuple[int, int]) -> None:
    """Within `cell`, its width and height, from (`x`, `y`) on."""
    gap = 4 if cell[0] >= _CARD[0] else 2 if cell[0] >= _TILE[0] else 1
    width, height = cell[0] - gap, cell[1] - gap
    if cell[0] >= _CARD[0] and cell[1] >= _CARD[1]:
        _card(canvas, mark, x, y, width, height)
    elif cell[0] >= _TILE[0] and cell[1] >= _TILE[1]:
        _tile(canvas, mark, x, y, width, height)
    else:
        _dot(canvas, mark, x, y, width, height)


def draw_truth(canvas: Canvas, level: int, x: float, y: float, width: float, height: float) -> None:
    """A half that says how far it is taken over."""
    canvas.rectangle(x, y, width, height, TRUTHS[level])
    if level == LOST:
        arm = 0.2 * min(width, height)
        left, right = x + width / 2 - arm, x + width / 2 + arm
        top, bottom = y + height / 2 - arm, y + height / 2 + arm
        pen = max(1.0, 0.3 * arm)
        canvas.line([(left, top), (right, bottom)], WHITE, pen)
        canvas.line([(left, bottom), (right, top)], WHITE, pen)


def draw_belief(
    canvas: Canvas,
    evidence: float,
    recency: float,
    x: float,
    y: float,
    width: float,
    height: float,
) -> None:
    """A half that fills with evidence, the darker the more recent."""
    canvas.rectangle(x, y, width, height, WHITE)
    share = min(1.0, evidence / NATS)
    tall = share * height
    canvas.rectangle(x, y + height - tall, width, tall, blend(_OLD, BLUE, min(1.0, recency)))


def _frame(
    canvas: Canvas, mark: Mark, x: float, y: float, width: float, height: float, thick: float
) -> None:
    """Orders and questions; an order that is not enforced yet has a thin frame."""
    if mark.left:
        canvas.rectangle(x, y, width, height, None, GREEN, thick / 2 if mark.starts else thick)
    if mark.waits >= 0:
        canvas.corners(x, y, width, height, PURPLE, thick)


def _dot(canvas: Canvas, mark: Mark, x: int, y: int, width: int, height: int) -> None:
    half = width // 2
    draw_truth(canvas, mark.truth, x, y, half, height)
    draw_belief(canvas, mark.evidence, mark.recency, x + half, y, width - half, height)
    worth = blend(LINE, INK, (0.0, 0.15, 0.4, 0.75)[mark.criticality])
    canvas.rectangle(x, y, width, height, None, worth, 1)
    if width >= 14 and mark.jewel:
        mark_jewel(canvas, x + 2, y + 2, 5, BLACK if mark.truth < LOST else WHITE)
    _frame(canvas, mark, x, y, width, height, 2 if width < 20 else 2.5)


def _tile(canvas: Canvas, mark: Mark, x: int, y: int, width: int, height: int) -> None:
    canvas.rectangle(x, y, width, height, WHITE, LINE, 1, 3)
    head = min(18, max(13, height // 3))
    icon(canvas, mark.role or _plain(mark), x + 3, y + 3, head - 4)
    room = width - head - 6
    if mark.kind != Kind.BLOCK:
        _pips(canvas, mark, x + width - 4, y + head / 2, 1.6)
        room -= 20
    size = next((s for s in (10, 9) if length(mark.short, s) <= room), 8)
    canvas.text(x + head + 3, y + head / 2, mark.short, size, INK, room)
    half = (width - 6) // 2
    draw_truth(canvas, mark.truth, x + 3, y + head, half, height - head - 3)
    belief = (x + 3 + half, y + head, width - 6 - half, height - head - 3)
    draw_belief(canvas, mark.evidence, mark.recency, *belief)
    canvas.rectangle(x + 3, y + head, width - 6, height - head - 3, None, LINE, 0.5)
    _signs(canvas, mark, x + 5, y + head + 2, 7)
    _frame(canvas, mark, x, y, width, height, 2.5)
    word = _short(mark)
    if word and height - head >= 14:
        wide = 5 * len(word) + 6
        canvas.rectangle(x + (width - wide) / 2, y + height - 14, wide, 11, WHITE, round_=3)
        canvas.text(x + width / 2, y + height - 8.5, word, 9, _tone(mark), anchor="mm")


def _card(canvas: Canvas, mark: Mark, x: int, y: int, width: int, height: int) -> None:
    canvas.rectangle(x, y, width, height, WHITE, LINE, 1, 5)
    icon(canvas, mark.role or _plain(mark), x + 7, y + 6, 14)
    canvas.text(x + 26, y + 13, mark.short, 12, INK, width - 78)
    _pips(canvas, mark, x + width - 8, y + 13, 2.1)
    _signs(canvas, mark, x + width - 47, y + 8, 10)
    top, foot = y + 25, 20
    tall, half = height - 25 - foot, (width - 14) // 2
    draw_truth(canvas, mark.truth, x + 7, top, half, tall)
    belief = (x + 7 + half, top, width - 14 - half, tall)
    draw_belief(canvas, mark.evidence, mark.recency, *belief)
    canvas.rectangle(x + 7, top, width - 14, tall, None, LINE, 0.75)
    if mark.truth not in (CLEAN, LOST) and tall > 14:
        canvas.text(x + 7 + half / 2, top + tall / 2, LEVELS[mark.truth], 10, BLACK, anchor="mm")
    if mark.evidence >= 0.5 and tall > 14:
        covered = mark.evidence / NATS > 0.62 and mark.recency > 0.3
        tone = WHITE if covered else INK
        where = x + 7 + half + (width - 14 - half) / 2, top + tall / 2
        canvas.text(*where, f"{mark.evidence:.0f}", 10, tone, anchor="mm")
    _frame(canvas, mark, x, y, width, height, 3)
    word, tone = _words(mark), _tone(mark)
    canvas.text(x + 8, y + height - 11, word, 10, tone, width - 14)


def _pips(canvas: Canvas, mark: Mark, right: float, middle: float, radius: float) -> None:
    """Criticality: one to four, to the left of `right`."""
    for k in range(4):
        place = right - radius - (3 - k) * 2.8 * radius
        canvas.circle(place, middle, radius, INK if k <= mark.criticality else CALM)


def _signs(canvas: Canvas, mark: Mark, x: float, y: float, size: float) -> None:
    """The one that matters most."""
    if mark.jewel:
        mark_jewel(canvas, x, y, size, INK)
    elif mark.protected:
        mark_protected(canvas, x, y, size, INK)
    elif mark.exposed:
        mark_exposed(canvas, x, y, size, SOFT)


def _plain(mark: Mark) -> str:
    return "address" if mark.kind == Kind.BLOCK else "credential"


def _tone(mark: Mark) -> Colour:
    return PURPLE if mark.waits >= 0 else GREEN if mark.left else SOFT


def _short(mark: Mark) -> str:
    if mark.waits >= 0:
        return f"? {mark.waits}"
    if mark.left:
        return f"{mark.left}'"
    return "x" if mark.refused else ""


def _words(mark: Mark) -> str:
    """What is under way, in at most twenty letters."""
    if mark.waits >= 0:
        what = "release? " if mark.release else "agreed, " if mark.agreed else "asked "
        return f"{what}{mark.waits} min"
    if mark.left:
        return f"soon {DONE[mark.kind]}" if mark.starts else f"{DONE[mark.kind]} {mark.left} min"
    if mark.refused:
        return "refused"
    return "protected" if mark.protected else ""
