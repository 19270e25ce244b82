"""Lines on their way from whoever pushes them to the loop: on disk before they are acknowledged.

A file that is read back like any sensor's, so that the position in it is the one thing to keep. Two
files bound it: the one that is written and, under `.1`, the one before, which makes room only once
a checkpoint says that it was read to its end. Until then a full spool refuses, and whoever pushes
is told to wait.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from responder.errors import Temporary
from responder.sensors.line import MAX_LINE
from responder.sensors.tail import Position, Tail

__all__ = ["SEGMENT_BYTES", "Full", "Spool"]

SEGMENT_BYTES = 32 << 20  # of each of the two files; the last lines written may go beyond


class Full(Temporary):
    """The reader is too far behind: nothing was taken, and the same will be once it caught up."""


class Spool:
    """One writer's side for many threads, and the reader's side for the loop."""

    def __init__(
        self, path: Path, position: Position | None = None, segment: int = SEGMENT_BYTES
    ) -> None:
        """`position` is the last that a checkpoint kept; without one all that is there is read."""
        self.path = path
        self.oversized = 0  # lines over 1 MiB, not taken
        self.lost = 0  # lines that nobody will send again
        self.trouble = ""  # why lines cannot be taken just now, for a person
        self._before = path.with_name(path.name + ".1")
        self._segment = segment
        self._lock = threading.Lock()
        self._file: int | None = None
        here = [found for each in (self._before, path) if (found := _inode(each)) is not None]
        self._read_in = position and position.inode  # the file in which the kept position is
        if here and (position is None or position.inode not in here):
            position = Position(here[0], 0)
        self._tail = Tail(path, position)

    # ------------------------------------------------------------ writing

    def append(self, lines: Sequence[bytes]) -> None:
        """All of these lines, none with a newline, or none: when it returns they are on disk.

        Raises Full, or Temporary where the disk is.
        """
        if not lines:
            return
        with self._lock:
            try:
                file = self._writable()
                size = os.fstat(file).st_size
                _write(file, b"\n".join(lines) + b"\n", size)
            except Full:
                raise
            except OSError as error:
                self.trouble = (
                    f"cannot write {self.path}: {error.strerror}; nothing is taken in until there "
                    "is room and leave to write"
                )
                self._let_go()
                raise Temporary(self.trouble) from error
            self.trouble = ""

    def count(self, *, oversized: int = 0, lost: int = 0) -> None:
        """Lines that were not taken, for good."""
        with self._lock:
            self.oversized += oversized
            self.lost += lost

    def last_line(self) -> bytes | None:
        """The newest line; None before the first."""
        with self._lock:
            for path in (self.path, self._before):
                if line := _last_line(path):
                    return line
        return None

    # ------------------------------------------------------------ reading

    @property
    def position(self) -> Position | None:
        """After everything read so far."""
        return self._tail.position

    def read(self, max_lines: int, max_bytes: int) -> list[tuple[bytes, Position]]:
        """The next lines that are on disk for good, as `Tail.read`."""
        with self._lock:
            return self._tail.read(max_lines, max_bytes)

    def waiting(self) -> bool:
        """As `Tail.waiting`."""
        return self._tail.waiting()

    def release(self) -> None:
        """What was read so far is in a checkpoint."""
        with self._lock:
            self._read_in = self._tail.position and self._tail.position.inode

    def close(self) -> None:
        """Lets go of the files; what comes later opens them again."""
        with self._lock:
            self._let_go()
            self._tail.close()

    # ------------------------------------------------------------ files

    def _writable(self) -> int:
        if self._file is None or os.fstat(self._file).st_ino != _inode(self.path):
            self._let_go()
            self._file = self._open()
        found = os.fstat(self._file)
        if found.st_size < self._segment:
            return self._file
        if self._before.exists() and self._read_in != found.st_ino:
            self.trouble = (
                f"{self.path} is full: lines come faster than they are read; senders are told to "
                "wait"
            )
            raise Full(self.trouble)
        self._let_go()
        os.replace(self.path, self._before)
        self._file = self._open()
        return self._file

    def _open(self) -> int:
        """The file to append to, less a last line that a crash cut off: nobody was told that it is
        here.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(file, _end_of_lines(file))
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except BaseException:
            os.close(file)
            raise
        if self._tail.position is None:  # else a rotation could come before the first read
            self._tail.position = Position(os.fstat(file).st_ino, 0)
        return file

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _write(file: int, data: bytes, size: int) -> None:
    """All of it after `size` bytes, on disk for good, or the file as it was."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fdatasync(file)
    except OSError:
        os.ftruncate(file, size)
        raise


def _end_of_lines(file: int) -> int:
    """The offset after the last newline."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - MAX_LINE)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _last_line(path: Path) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        end = _end_of_lines(file)
        start = max(0, end - MAX_LINE - 2)
        return os.pread(file, end - start, start).rpartition(b"\n")[0].rpartition(b"\n")[2]
    finally:
        os.close(file)
