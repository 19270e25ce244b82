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
_BAND: Final = 70  # height of what is no zone
_MANY_KEYS: Final = 400  # for a band


def draw(scene: Scene, addresses: int) -> NDArray[np.uint8]:
    """uint8 [HEIGHT, WIDTH, 3]. `addresses`: how many there is room for, now or later."""
    canvas = Canvas(WIDTH, HEIGHT)
    _header(canvas, scene)
    places: dict[int, tuple[float, float]] = {}
    keys = max(1, len(scene.credentials.marks))
    (top,) = arrange((addresses,), (_LEFT, _TOP, _ACROSS, _BAND), 0.7, 58)
    below = _BAND if keys <= _MANY_KEYS else _BAND + 100
    (low,) = arrange((keys,), (_LEFT, _TOP + _DOWN - below, _ACROSS, below), 0.7, 58)
    middle = (_LEFT, _TOP + _BAND + _GAP, _ACROSS, _DOWN - _BAND - below - 2 * _GAP)
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
    hosts = sum(len(zone.marks) for zone in scene.zones)
    about = f"{hosts} hosts in {len(scene.zones)} zone{'s' * (len(scene.zones) != 1)}"
    canvas.text(150, 27, about, 13, LINE)
    clock = f"{scene.clock}   minute {scene.minute} of {scene.minutes}"
    canvas.text(WIDTH - 16 - length(clock, 16), 25, clock, 16, WHITE)
    done = min(1.0, max(0.0, scene.minute / scene.minutes))
    canvas.rectangle(0, 49, WIDTH, 3, SOFT)
    canvas.rectangle(0, 49, done * WIDTH, 3, ORANGE)


def _group(canvas: Canvas, box: Box, group: Group, places: dict[int, tuple[float, float]]) -> None:
    canvas.rectangle(box.x, box.y, box.width, box.height, WHITE, LINE, 1, 6)
    canvas.text(box.x + 8, box.y + HEAD / 2 + 1, group.title, 12, INK, box.width - 38)
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
    row = _Row(canvas, 768)
    row.say("left half: truth", 8)
    for level, name in enumerate(("clean", "foothold", "root, stolen or hostile", "lost")):
        x, y = row.room(14)
        draw_truth(canvas, level, x, y, 14, 14)
        canvas.rectangle(x, y, 14, 14, None, LINE, 0.75)
        row.say(name)
    row.say("     right half: evidence that the agent sees", 8)
    for evidence, recency, name in ((12.0, 0.0, "little and old"), (40.0, 1.0, "much and fresh")):
        x, y = row.room(14)
        draw_belief(canvas, evidence, recency, x, y, 14, 14)
        canvas.rectangle(x, y, 14, 14, None, LINE, 0.75)
        row.say(name)
    row = _Row(canvas, 787)
    canvas.rectangle(*row.room(18), 18, 14, WHITE, GREEN, 2.5)
    row.say("ordered, minutes left (thin: not enforced yet)")
    canvas.corners(*row.room(18), 18, 14, PURPLE, 2.5)
    row.say("people are asked, ? minutes ago")
    row.say("x refused lately")
    x, y = row.room(12)
    canvas.circle(x + 6, y + 7, 5, None, VERMILION, 2)
    row.say("the intruder works on it")
    for sign, name in (
        (mark_jewel, "goal of intruders"),
        (mark_protected, "protected"),
        (mark_exposed, "exposed"),
    ):
        x, y = row.room(10)
        sign(canvas, x, y + 2, 10, INK)
        row.say(name)
    x, y = row.room(22)
    for k in range(4):
        canvas.circle(x + 2 + 6 * k, y + 7, 2.1, INK)
    row.say("criticality; the darker a small cell's frame")


class _Row:
    """A line of the legend, from the left."""

    def __init__(self, canvas: Canvas, middle: float) -> None:
        self._canvas, self._x, self._middle = canvas, float(_LEFT), middle

    def room(self, width: float) -> tuple[float, float]:
        """Upper left of a sign of 14 pixels' height."""
        x, self._x = self._x, self._x + width + 5
        return x, self._middle - 7

    def say(self, text: str, gap: float = 14) -> None:
        self._canvas.text(self._x, self._middle, text, 11, SOFT)
        self._x += length(text, 11) + gap
