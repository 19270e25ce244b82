"""Every file of a folder whose name matches: sensors that write one file a day, or one a host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from responder.errors import CountersignError, Temporary
from responder.sensors.tail import Position, Tail, is_rotation_of

__all__ = ["MAX_FILES", "Directory"]

MAX_FILES = 256


class Directory:
    """A `Tail` for each file. What rotation made of one (`eve.json.1`) is read as that one's past,
    not as a file of its own.
    """

    lost = 0

    def __init__(
        self, folder: Path, pattern: str, positions: Mapping[str, Position | None] | None = None
    ) -> None:
        """`pattern` is the shell's, on names; `positions` by name, as `state` gave them."""
        self.name = f"{folder}/{pattern}"
        self.trouble = ""
        self._folder, self._pattern = folder, pattern
        self._tails = {name: Tail(folder / name, at) for name, at in (positions or {}).items()}
        self._oversized = 0  # of files that are gone
        self._turn = 0
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
            if not read and not any(n == name or is_rotation_of(n, name) for n in there):
                self._forget(name)
        return lines

    def waiting(self) -> bool:
        """As `Tail.waiting`, of the files that are known."""
        return any([tail.waiting() for tail in self._tails.values()])

    def state(self) -> dict[str, Any]:
        """Positions by name, as JSON."""
        return {name: tail.state() for name, tail in sorted(self._tails.items())}

    def saved(self) -> None:
        """A file needs not to know how far it was read."""

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()

    def _look(self) -> set[str]:
        """Names of the files that are there now; those that are new get a tail."""
        try:
            with os.scandir(self._folder) as entries:
                listed = {entry.name for entry in entries if entry.is_file()}
        except OSError as error:
            raise Temporary(f"cannot list {self._folder}: {error.strerror}") from error
        self.trouble = ""
        matching = {name for name in listed if fnmatchcase(name, self._pattern)}
        known = matching | set(self._tails)
        for name in sorted(matching - set(self._tails)):
            if any(is_rotation_of(name, other) for other in known if other != name):
                continue
            if len(self._tails) >= MAX_FILES:
                self.trouble = (
                    f"more than {MAX_FILES} files match {self.name}; move away those that are "
                    "finished"
                )
                break
            self._tails[name] = Tail(self._folder / name)
        return listed

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

    def _forget(self, name: str) -> None:
        tail = self._tails.pop(name)
        self._oversized += tail.oversized
        tail.close()
