"""A page to draw on, twice as large as it is shown, so that edges come out smooth.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; nothing is told
by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:
    raise DependencyNotInstalled(
        "pictures need Pillow: `pip install pillow`, or use render_mode='ansi'"
    ) from error

__all__ = ["Canvas", "Colour", "blend", "clipped", "length"]

Colour = tuple[int, int, int]

ORANGE: Final[Colour] = (230, 159, 0)
SKY: Final[Colour] = (86, 180, 233)
GREEN: Final[Colour] = (0, 128, 92)
BLUE: Final[Colour] = (0, 114, 178)
VERMILION: Final[Colour] = (213, 94, 0)
PURPLE: Final[Colour] = (170, 68, 140)
BLACK: Final[Colour] = (24, 28, 36)
INK: Final[Colour] = (36, 46, 60)
SOFT: Final[Colour] = (104, 118, 136)
LINE: Final[Colour] = (196, 205, 216)
CALM: Final[Colour] = (228, 233, 239)
WHITE: Final[Colour] = (255, 255, 255)
PAPER: Final[Colour] = (244, 246, 249)

_FINE: Final = 2  # pixels drawn for each that is shown


@lru_cache(maxsize=32)
def _font(size: int) -> Any:
    return ImageFont.load_default(_FINE * size)


@lru_cache(maxsize=4096)
def length(text: str, size: int) -> float:
    """Pixels that the text is wide."""
    return float(_font(size).getlength(text)) / _FINE


@lru_cache(maxsize=4096)
def clipped(text: str, size: int, width: float) -> str:
    """The text, or as much of it as fits."""
    if length(text, size) <= width:
        return text
    while text and length(text + "...", size) > width:
        text = text[:-1]
    return text + "..." if text else ""


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """From `one` (0) to `other` (1)."""
    mixed = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return tuple(mixed)  # type: ignore[return-value]


class Canvas:
    """`width` x `height` pixels; places are pixels from the upper left."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (_FINE * width, _FINE * height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def pixels(self) -> NDArray[np.uint8]:
        """uint8 [height, width, 3]."""
        return np.asarray(self._image.reduce(_FINE))

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Colour | None = None,
        edge: Colour | None = None,
        thick: float = 1.0,
        round_: float = 0.0,
    ) -> None:
        """Its edge lies within; what is thinner than a fine pixel is left out."""
        left, top = round(x * _FINE), round(y * _FINE)
        right, bottom = round((x + width) * _FINE) - 1, round((y + height) * _FINE) - 1
        if right < left or bottom < top:
            return
        box = [left, top, right, bottom]
        pen = round(thick * _FINE) if edge else 0
        if round_ > 0:
            self._draw.rounded_rectangle(box, round_ * _FINE, fill, edge, pen)
        else:
            self._draw.rectangle(box, fill, edge, pen)

    def corners(
        self, x: float, y: float, width: float, height: float, edge: Colour, thick: float
    ) -> None:
        """The four corners of a frame alone."""
        arm_x, arm_y = 0.34 * width, 0.34 * height
        for left, wide in ((x, arm_x), (x + width - arm_x, arm_x)):
            self.rectangle(left, y, wide, thick, edge)
            self.rectangle(left, y + height - thick, wide, thick, edge)
        for top, tall in ((y, arm_y), (y + height - arm_y, arm_y)):
            self.rectangle(x, top, thick, tall, edge)
            self.rectangle(x + width - thick, top, thick, tall, edge)

    def circle(
        self,
        x: float,
        y: float,
        radius: float,
        fill: Colour | None = None,
        edge: Colour | None = None,
        thick: float = 1.0,
    ) -> None:
        box = [v * _FINE for v in (x - radius, y - radius, x + radius, y + radius)]
        self._draw.ellipse(box, fill, edge, round(thick * _FINE) if edge else 0)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, thick: float) -> None:
        scaled = [(x * _FINE, y * _FINE) for x, y in points]
        self._draw.line(scaled, colour, max(1, round(thick * _FINE)), "curve")

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        self._draw.polygon([(x * _FINE, y * _FINE) for x, y in points], colour)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: Colour = INK,
        width: float | None = None,
        anchor: str = "lm",
    ) -> None:
        """`anchor` as Pillow has it; `lm`: `x` is its left, `y` its middle. Cut to `width`."""
        shown = text if width is None else clipped(text, size, width)
        # The middle of a line, whatever letters are in it.
        if anchor[1] == "m":
            anchor, y = anchor[0] + "s", y + 0.36 * size
        self._draw.text((x * _FINE, y * _FINE), shown, colour, _font(size), anchor)
