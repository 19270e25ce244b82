"""The whole picture: addresses on top, zones, credentials below, what is going on at the right."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rl_env.pictures.canvas import (
    GREEN,
    INK,
    LINE,
    ORANGE,
    PURPLE,
    SOFT,
    VERMILION,
    WHITE,
    Canvas,
    length,
)
from rl_env.pictures.cells import draw_belief, draw_cell, draw_truth
from rl_env.pictures.icons import mark_exposed, mark_jewel, mark_protected
from rl_env.pictures.layout import HEAD, Box, arrange
from rl_env.pictures.panel import draw_panel
from rl_env.pictures.scene import Group, Scene

__all__ = ["HEIGHT", "WIDTH", "draw"]

WIDTH, HEIGHT = 1280, 800  # multiples of 16, as codecs of videos like them
_LEFT, _TOP, _ACROSS = 16, 64, 948  # of the network
_DOWN: Final = 690  # to the legend
_PANEL: Final = 980
_GAP: Final = 10


def draw(scene: Scene, addresses: int) -> NDArray[np.uint8]:
    """uint8 [HEIGHT, WIDTH, 3]. `addresses`: how many there is room for, now or later."""
    canvas = Canvas(WIDTH, HEIGHT)
    _header(canvas, scene)
    places: dict[int, tuple[float, float]] = {}
    rows_of_keys = 1 if len(scene.credentials.marks) <= 16 else 2
    above = HEAD + 6 + 42 * (1 if addresses <= 16 else 2)
    below = HEAD + 6 + 42 * rows_of_keys
    (top,) = arrange((addresses,), (_LEFT, _TOP, _ACROSS, above), 0.7, 58)
    (low,) = arrange(
        (max(1, len(scene.credentials.marks)),),
        (_LEFT, _TOP + _DOWN - below, _ACROSS, below),
        0.7,
        58,
    )
    middle = (_LEFT, _TOP + above + _GAP, _ACROSS, _DOWN - above - below - 2 * _GAP)
    boxes = arrange(tuple(len(zone.marks) for zone in scene.zones), middle, 0.75)
    for box, group in zip(
        (top, *boxes, low), (scene.addresses, *scene.zones, scene.credentials), strict=True
    ):
        _group(canvas, box, group, places)
    _moves(canvas, scene, places, (top.x + top.width - 30, top.y + top.height))
    draw_panel(canvas, scene, _PANEL, _TOP, WIDTH - _PANEL - 16, _DOWN)
    _legend(canvas)
    return canvas.pixels()


def _header(canvas: Canvas, scene: Scene) -> None:
    canvas.rectangle(0, 0, WIDTH, 52, INK)
    canvas.text(16, 25, "Countersign", 20, WHITE)
    canvas.text(150, 27, "truth beside belief", 13, LINE)
    clock = f"{scene.clock}   minute {scene.minute} of {scene.minutes}"
    canvas.text(WIDTH - 16 - length(clock, 16), 25, clock, 16, WHITE)
    done = min(1.0, max(0.0, scene.minute / scene.minutes))
    canvas.rectangle(0, 49, WIDTH, 3, SOFT)
    canvas.rectangle(0, 49, done * WIDTH, 3, ORANGE)


def _group(
    canvas: Canvas, box: Box, group: Group, places: dict[int, tuple[float, float]]
) -> None:
    canvas.rectangle(box.x, box.y, box.width, box.height, WHITE, LINE, 1, 6)
    canvas.text(box.x + 8, box.y + HEAD / 2 + 1, group.title, 12, INK, box.width - 44)
    count = str(len(group.marks))
    canvas.text(box.x + box.width - 8 - length(count, 11), box.y + HEAD / 2 + 1, count, 11, SOFT)
    for number, mark in enumerate(group.marks):
        x, y = box.place(number)
        draw_cell(canvas, mark, x, y, box.cell)
        places[mark.row] = (x + box.cell[0] / 2, y + box.cell[1] / 2)


def _moves(
    canvas: Canvas,
    scene: Scene,
    places: dict[int, tuple[float, float]],
    outside: tuple[float, float],
) -> None:
    """The intruder's hand, from where it is to what it works on."""
    if scene.moves is None:
        return
    start, end = places.get(scene.moves[0], outside), places[scene.moves[1]]
    canvas.circle(*end, 8, None, WHITE, 4)
    canvas.circle(*end, 7, None, VERMILION, 2.5)
    if start == end:
        return
    away = np.subtract(end, start)
    unit = away / max(1.0, float(np.hypot(*away)))
    tip, side = np.array(end) - 9 * unit, np.array([-unit[1], unit[0]])
    shaft = [start, tuple(tip - 8 * unit)]
    canvas.line(shaft, WHITE, 4.5)
    canvas.line(shaft, VERMILION, 2.5)
    canvas.circle(*start, 4, VERMILION)
    foot = tip - 11 * unit
    canvas.polygon([tuple(tip), tuple(foot + 5 * side), tuple(foot - 5 * side)], VERMILION)


def _legend(canvas: Canvas) -> None:
    x, y = 16.0, 777.0

    def word(text: str, gap: float = 16) -> None:
        nonlocal x
        canvas.text(x, y, text, 11, SOFT)
        x += length(text, 11) + gap

    word("left half: truth", 8)
    for level, name in enumerate(("clean", "foothold", "root, stolen, hostile", "lost")):
        draw_truth(canvas, level, x, y - 7, 14, 14)
        canvas.rectangle(x, y - 7, 14, 14, None, LINE, 0.75)
        x += 18
        word(name, 10)
    x += 8
    word("right half: evidence", 8)
    for evidence, recency, name in ((12.0, 0.0, "old"), (40.0, 1.0, "fresh")):
        draw_belief(canvas, evidence, recency, x, y - 7, 14, 14)
        canvas.rectangle(x, y - 7, 14, 14, None, LINE, 0.75)
        x += 18
        word(name, 10)
    x += 8
    canvas.rectangle(x, y - 7, 18, 14, WHITE, GREEN, 2.5)
    x += 22
    word("ordered, minutes left'")
    canvas.corners(x, y - 7, 18, 14, PURPLE, 2.5)
    x += 22
    word("people asked, ? minutes")
    canvas.circle(x + 6, y, 5, None, VERMILION, 2)
    x += 16
    word("intruder at work")
    for sign, name in ((mark_jewel, "goal"), (mark_protected, "protected"),
                       (mark_exposed, "exposed")):  # fmt: skip
        sign(canvas, x, y - 5, 10, INK)
        x += 14
        word(name, 12)
    for k in range(4):
        canvas.circle(x + 2 + 6 * k, y, 2.1, INK)
    x += 28
    word("criticality")


