"""Where boxes of cells go on a page: as large as they fit, in rows that end flush."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["HEAD", "Box", "arrange"]

HEAD: Final = 20  # pixels of a box's title
MARGIN: Final = 6  # within a box
GAP: Final = 10  # between boxes
WIDEST, NARROWEST = 180, 8  # cells
_STRETCH: Final = 1.3  # of cells, so that they fill their box
_LEAST: Final = 112  # of a box, so that its title can be read


class Box(NamedTuple):
    """Pixels; its cells follow row by row, from (`x` + MARGIN, `y` + HEAD) on."""

    x: int
    y: int
    width: int
    height: int
    columns: int
    cell: tuple[int, int]

    def place(self, number: int) -> tuple[int, int]:
        """Upper left of a cell."""
        row, column = divmod(number, self.columns)
        return self.x + MARGIN + column * self.cell[0], self.y + HEAD + row * self.cell[1]


@lru_cache(maxsize=64)
def arrange(
    counts: tuple[int, ...], area: tuple[int, int, int, int], aspect: float, widest: int = WIDEST
) -> tuple[Box, ...]:
    """A box for each of `counts` cells, in their order, within `area`: x, y, width, height.

    `aspect`: height of a cell over its width. Raises ValueError where they do not fit.
    """
    x, y, width, height = area
    for cell_width in range(widest, NARROWEST - 1, -1):
        cell = cell_width, max(NARROWEST, round(aspect * cell_width))
        if sum(counts) * cell[0] * cell[1] > width * height:
            continue
        shelves = _shelves(counts, cell, width)
        needed = sum(_height(rows, cell) + GAP for _, _, rows in shelves) - GAP
        if shelves and needed <= height:
            return _place(counts, shelves, cell, (x, y, width, height))
    raise ValueError(f"{sum(counts)} cells do not fit into {width} x {height} pixels")


Shelf = tuple[int, int, int]  # first box, the one after the last, rows of cells


def _shelves(counts: tuple[int, ...], cell: tuple[int, int], width: int) -> list[Shelf]:
    """The lowest division into rows of boxes; empty where some box is too wide."""
    lowest: list[tuple[int, list[Shelf]] | None] = [(0, [])]
    for end in range(1, len(counts) + 1):
        best: tuple[int, list[Shelf]] | None = None
        for start in range(end):
            before = lowest[start]
            rows = _rows(counts[start:end], cell[0], width)
            if before is None or not rows:
                continue
            height = before[0] + _height(rows, cell) + GAP
            if best is None or height < best[0]:
                best = height, [*before[1], (start, end, rows)]
        lowest.append(best)
    return lowest[-1][1] if lowest[-1] else []


def _height(rows: int, cell: tuple[int, int]) -> int:
    return HEAD + rows * cell[1] + MARGIN


def _rows(counts: tuple[int, ...], cell: int, width: int) -> int:
    """Fewest rows of cells with which these boxes stand side by side; 0: they never do."""
    least = max(1, sum(counts) * cell // width)
    for rows in range(least, max(*counts, least) + 1):
        if _width(counts, cell, rows) <= width:
            return rows
    return 0


def _width(counts: tuple[int, ...], cell: int, rows: int) -> int:
    boxes = (max(_LEAST, -(-count // rows) * cell + 2 * MARGIN) for count in counts)
    return sum(boxes) + GAP * (len(counts) - 1)


def _place(
    counts: tuple[int, ...], shelves: list[Shelf], cell: tuple[int, int], area: tuple[int, ...]
) -> tuple[Box, ...]:
    """What is left of the width goes to the boxes; of the height, to all shelves alike."""
    x, y, width, height = area
    free = height - sum(_height(rows, cell) + GAP for _, _, rows in shelves) + GAP
    boxes: list[Box] = []
    for number, (start, end, rows) in enumerate(shelves):
        tall = _height(rows, cell) + free * (number + 1) // len(shelves)
        tall -= free * number // len(shelves)
        spare, left = width - _width(counts[start:end], cell[0], rows), x
        for k, count in enumerate(counts[start:end]):
            wide = max(_LEAST, -(-count // rows) * cell[0] + 2 * MARGIN)
            wide += spare * (k + 1) // (end - start) - spare * k // (end - start)
            boxes.append(_filled(count, (left, y, wide, tall), cell))
            left += wide + GAP
        y += tall + GAP
    return tuple(boxes)


def _filled(count: int, area: tuple[int, int, int, int], cell: tuple[int, int]) -> Box:
    """The box with its cells stretched to fill it, within reason."""
    x, y, width, height = area
    inner = width - 2 * MARGIN
    rows = -(-count // (inner // cell[0]))
    columns = -(-count // rows)
    stretched = (
        min(inner // columns, int(_STRETCH * cell[0])),
        min((height - HEAD - MARGIN) // rows, int(_STRETCH * cell[1])),
    )
    return Box(x, y, width, height, columns, stretched)
