"""Bytes of a stream cut into lines, or into syslog's frames, wherever the pieces end."""

from __future__ import annotations

import re

from responder.sensors.line import MAX_LINE

__all__ = ["Frames", "Lines"]

_LONGEST_SKIP = 64 << 20  # a frame said to be longer than this is none
_DIGITS = len(str(_LONGEST_SKIP))
_COUNTED = re.compile(rb"\n(?=\d)")  # where lines end and a counted frame begins


class Lines:
    """Lines of a stream, without their newline; what is over 1 MiB is skipped and counted."""

    def __init__(self) -> None:
        self.oversized = 0
        self._rest = bytearray()
        self._skipping = False

    @property
    def pending(self) -> bool:
        """Inside a line."""
        return bool(self._rest) or self._skipping

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete."""
        first, *others = data.split(b"\n")
        self._take(first)
        if not others:
            return []
        *whole, rest = others
        lines = [] if self._skipping else [bytes(self._rest)]
        lines += [line for line in whole if len(line) <= MAX_LINE]
        self.oversized += 1 + len(whole) - len(lines)
        self._rest, self._skipping = bytearray(), False
        self._take(rest)
        return lines

    def end(self) -> list[bytes]:
        """The last line, which may lack its newline."""
        return self.feed(b"\n") if self.pending else []

    def _take(self, piece: bytes) -> None:
        if self._skipping or len(self._rest) + len(piece) > MAX_LINE:
            self._rest, self._skipping = bytearray(), True
        else:
            self._rest += piece


class Frames:
    """Syslog over TCP (RFC 6587): each frame says its length, or ends with a newline.

    Which of the two, its first byte tells, as receivers have it.
    """

    def __init__(self) -> None:
        self.broken = ""  # why no frame can begin where one should; the rest is of no use
        self._lines = Lines()
        self._counted = bytearray()  # the length being read, or the frame
        self._left: int | None = None  # bytes of a counted frame still to come
        self._skipping = False
        self._skipped = 0

    @property
    def oversized(self) -> int:
        """Frames over 1 MiB, skipped."""
        return self._skipped + self._lines.oversized

    @property
    def pending(self) -> bool:
        """Inside a frame."""
        return self._left is not None or bool(self._counted) or self._lines.pending

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, those without a byte among them."""
        frames: list[bytes] = []
        at = 0
        while (at < len(data) or self._left == 0) and not self.broken:
            if self._left is not None:
                at = self._body(data, at, frames)
            elif self._counted or (not self._lines.pending and data[at : at + 1].isdigit()):
                at = self._length(data, at)
            else:
                counted = _COUNTED.search(data, at)
                end = counted.end() if counted else len(data)
                frames += self._lines.feed(data[at:end])
                at = end
        return frames

    def end(self) -> list[bytes]:
        """The last line, which may lack its newline; half a counted frame is none."""
        return self._lines.end()

    def _length(self, data: bytes, at: int) -> int:
        while at < len(data):
            byte = data[at]
            at += 1
            if byte == 0x20 and self._counted:
                self._left = int(self._counted)
                self._counted.clear()
                if self._left > _LONGEST_SKIP:
                    self.broken = "frame over 64 MiB"
                self._skipping = self._left > MAX_LINE
                break
            if not 0x30 <= byte <= 0x39 or len(self._counted) >= _DIGITS:
                self.broken = "no frame length"
                break
            self._counted.append(byte)
        return at

    def _body(self, data: bytes, at: int, frames: list[bytes]) -> int:
        assert self._left is not None
        end = min(at + self._left, len(data))
        self._left -= end - at
        if not self._skipping:
            self._counted += data[at:end]
        if not self._left:
            self._left = None
            if self._skipping:
                self._skipped += 1
            else:
                frames.append(bytes(self._counted))
            self._counted.clear()
        return end
