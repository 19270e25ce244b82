"""Every file of a folder whose name matches: sensors that write one file a day, or one a host."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from responder.errors import CountersignError, Temporary
from responder.sensors.tail import Position, Tail, is_rotation_of

__all__ = ["MAX_FILES", "MAX_KNOWN", "Directory"]

MAX_FILES = 256  # that are read in turn
MAX_KNOWN = 512  # with those that are gone or made room for others: their positions are kept


class Directory:
    """A `Tail` for each file. What rotation made of one (`eve.json.1`) is read as that one's past,
    not as a file of its own.

    Beyond `MAX_FILES`, those written last come first, in place of those that gave nothing for the
    longest. Beyond `MAX_KNOWN`, those written first are not read; one that is written again comes
    from its beginning.
    """

    lost = 0

    def __init__(
        self, folder: Path, pattern: str, positions: Mapping[str, Position | None] | None = None
    ) -> None:
        """`pattern` is the shell's, on names; `positions` by name, as `state` gave them."""
        self.name = f"{folder}/{pattern}"
        self.trouble = ""
        self._folder, self._pattern = folder, pattern
        self._tails: dict[str, Tail] = {}
        self._kept = {name: at for name, at in (positions or {}).items() if at is not None}
        self._oversized = 0  # of files without a tail
        self._turn = 0
        self._ended: dict[str, int] = {}  # the turn since which a tail gives nothing
        self._last = ""  # whose lines came last

    @property
    def oversized(self) -> int:
        return self._oversized + sum(tail.oversized for tail in self._tails.values())

    def read(self, max_lines: int, max_bytes: int) -> list[tuple[bytes, Position]]:
        """The next lines, file by file; a file that cannot be read holds no other up."""
        there = self._look()
        lines: list[tuple[bytes, Position]] = []
        names = sorted(self._tails)
        self._turn += 1  # another file is first each time, so that none can keep the rest waiting
        for at in range(len(names)):
            if len(lines) >= max_lines or max_bytes <= 0:
                break
            name = names[(at + self._turn) % len(names)]
            read = self._read_one(name, max_lines - len(lines), max_bytes)
            lines += read
            max_bytes -= sum(len(line) for line, _ in read)
            if read:
                self._ended.pop(name, None)
            elif name in there:
                self._ended.setdefault(name, self._turn)
            else:
                self._let_go(name)
        while len(self._kept) + len(self._tails) > MAX_KNOWN:  # those gone first, then the oldest
            del self._kept[min(self._kept, key=lambda n: (n in there, self._kept[n].mtime or 0))]
        return lines

    def waiting(self) -> bool:
        """As `Tail.waiting`, of the files that are read in turn."""
        return any([tail.waiting() for tail in self._tails.values()])

    def state(self) -> dict[str, Any]:
        """Positions by name, as JSON; also of files that are gone, for they may come back: a log
        volume that is mounted late.
        """
        positions = {**self._kept, **{name: tail.position for name, tail in self._tails.items()}}
        return {name: asdict(at) for name, at in sorted(positions.items()) if at is not None}

    def saved(self) -> None:
        """A file needs not to know how far it was read."""

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()

    # ------------------------------------------------------------ which files

    def _look(self) -> set[str]:
        """Names of the files that are there now, be it only rotated; those to read get a tail."""
        try:
            with os.scandir(self._folder) as entries:
                listed = {entry.name for entry in entries if _is_file(entry)}
        except OSError as error:
            raise Temporary(f"cannot list {self._folder}: {error.strerror}") from error
        self.trouble = ""
        originals = {name: _originals(name) for name in listed}
        there = listed.union(*originals.values())
        matching = {name for name in listed if fnmatchcase(name, self._pattern)}
        known = matching | self._tails.keys() | self._kept.keys()
        new = {name for name in matching if not originals[name] & known} | self._kept.keys() & there
        new -= self._tails.keys()
        if len(self._tails) + len(new) > MAX_KNOWN:
            self._too_many(MAX_KNOWN)
        if len(self._tails) + len(new) > MAX_FILES:
            self._choose(new, there)
        else:
            for name in new:
                self._take(name)
        return there

    def _choose(self, new: Collection[str], there: Collection[str]) -> None:
        """Gives tails to those with something to read, as far as there is room."""
        kept = [at.mtime or 0 for name, at in self._kept.items() if name in there]
        # What was written before all that are known may have been known, and made room for them.
        since = min(kept, default=-1) if len(self._tails) + len(kept) >= MAX_KNOWN else -1
        unread = {name: self._unread_since(name, since) for name in new}
        for name in sorted(new, key=lambda name: (unread[name] or 0, name), reverse=True):
            if unread[name] is None:
                continue
            if len(self._tails) >= MAX_FILES:
                if not self._ended:
                    self._too_many(MAX_FILES)
                    break
                self._let_go(min(self._ended, key=lambda name: (self._ended[name], name)))
            self._take(name)

    def _unread_since(self, name: str, since: int) -> int | None:
        """When a file without a tail was last written to; None if nothing in it is to be read."""
        at = self._kept.get(name)
        try:
            found = os.stat(self._folder / name)
        except OSError:
            return None if at is None else at.mtime or 0  # what rotation made of it may be there
        if at is None:
            unread = found.st_size > 0 and found.st_mtime_ns > since
        else:
            unread = found.st_ino != at.inode or found.st_size != at.offset
        return found.st_mtime_ns if unread else None

    def _too_many(self, most: int) -> None:
        self.trouble = (
            f"more than {most} files match {self.name}; move away those that are finished"
        )

    def _take(self, name: str) -> None:
        self._tails[name] = Tail(self._folder / name, self._kept.pop(name, None))

    def _let_go(self, name: str) -> None:
        tail = self._tails.pop(name)
        self._ended.pop(name, None)
        self._oversized += tail.oversized
        tail.close()
        if tail.position is not None:
            self._kept[name] = tail.position

    def _read_one(self, name: str, max_lines: int, max_bytes: int) -> list[tuple[bytes, Position]]:
        tail = self._tails[name]
        if name != self._last:
            tail.forget_header()
        try:
            lines = tail.read(max_lines, max_bytes)
        except CountersignError as error:
            self.trouble = str(error)
            return []
        if lines:
            self._last = name
        return lines


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself, say: no reason to read none of the others
        return False


def _originals(name: str) -> set[str]:
    """The names that a file would have had if rotation gave it this one."""
    ends = (at for at, char in enumerate(name) if char in ".-")
    return {name[:at] for at in ends if at and is_rotation_of(name, name[:at])}
