"""Frames as a GIF or an MP4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["VideoError", "write_video"]

Frame = NDArray[np.uint8]


class VideoError(ValueError):
    """The video cannot be written; the message says what to do."""


def write_video(frames: Iterable[Frame], path: Path | str, per_second: float = 6.0) -> int:
    """Writes the frames, uint8 [H, W, 3] of one size, and returns how many; GIF or MP4 by the
    file's suffix.

    Frames are taken one by one, as they are needed. Raises VideoError for another suffix, for no
    frames, where a library is missing, and where the file cannot be written.
    """
    path = Path(path)
    writers = {".gif": _write_gif, ".mp4": _write_mp4}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise VideoError(f"{path}: expected a name that ends in .gif or .mp4")
    if not path.parent.is_dir():
        raise VideoError(f"{path}: {path.parent} is no folder; create it first")
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise VideoError(f"{path}: there are no frames")
    counted = _Counted(chain([first], rest), first.shape, path)
    try:
        write(counted, path, per_second)
    except OSError as error:
        raise VideoError(f"{path}: cannot be written: {error}") from error
    return counted.count


class _Counted:
    """Frames of one size, counted as they pass."""

    def __init__(self, frames: Iterator[Frame], shape: tuple[int, ...], path: Path) -> None:
        self._frames, self.shape, self._path, self.count = frames, shape, path, 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if frame.shape != self.shape:
                raise VideoError(
                    f"{self._path}: frame {self.count} is {frame.shape}, the first is {self.shape}"
                )
            self.count += 1
            yield frame


def _write_gif(frames: _Counted, path: Path, per_second: float) -> None:
    """In the colours of the first frame, whose legend has them all. Players know hundredths of a
    second; frames that do not differ become one that lasts longer.
    """
    image = _imaging()
    duration = 10 * max(2, round(100.0 / per_second))
    each = (image.fromarray(frame) for frame in frames)
    first = next(each)
    method = image.Quantize.MAXCOVERAGE  # by how far colours are apart, not by how frequent
    palette = first.quantize(colors=256, method=method, dither=image.Dither.NONE)
    small = (picture.quantize(palette=palette, dither=image.Dither.NONE) for picture in each)
    palette.save(path, save_all=True, append_images=small, duration=duration, loop=0)


def _write_mp4(frames: _Counted, path: Path, per_second: float) -> None:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise VideoError(
            f"{path}: MP4 needs imageio-ffmpeg: `pip install imageio-ffmpeg`; GIF does not"
        ) from error
    height, width = frames.shape[:2]
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=per_second)
    writer.send(None)
    try:
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()


def _imaging() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise VideoError("GIF needs Pillow: `pip install pillow`") from error
    return Image
