"""Recorded alert files, plain or compressed, as lines in constant memory."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from responder.errors import Permanent
from responder.sensors.line import MAX_LINE

__all__ = ["recorded_lines"]


def recorded_lines(path: Path | str) -> Iterator[bytes]:
    """Lines of a file, `.gz` and `.xz` unpacked, without their newline.

    Of a line over 1 MiB only its beginning comes, one byte too long for any parser to take it.
    Raises Permanent when the file cannot be read or unpacked.
    """
    path = Path(path)
    try:
        with _open(path) as file:
            while line := file.readline(MAX_LINE + 1):
                if not line.endswith(b"\n") and len(line) > MAX_LINE:
                    _skip_line(file)
                yield line.removesuffix(b"\n")
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise Permanent(f"{path} is damaged and cannot be unpacked: {error}") from error
    except OSError as error:
        raise Permanent(f"cannot read {path}: {error.strerror or error}") from error


def _open(path: Path) -> BufferedIOBase:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    return path.open("rb")


def _skip_line(file: BufferedIOBase) -> None:
    while rest := file.readline(MAX_LINE):
        if rest.endswith(b"\n"):
            return
