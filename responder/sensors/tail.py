"""Reading a file that something else is writing.

Level-triggered: every `read` looks at the file as it is now, so a missed notification, a restart or
a rotation loses nothing that is still there. After a rotation the old file is finished first, then
those in between, in the order in which they were last written to. Compressing or deleting a file
that was not read to its end costs its lines, as does copying and truncating it.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import zlib
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from responder.errors import Permanent, Temporary
from responder.sensors.line import MAX_LINE

__all__ = ["Position", "Tail", "is_rotation_of"]

_log = logging.getLogger(__name__)

_LONGEST_HEADER = 1 << 16  # bytes
_HEAD = 256  # bytes by which a file is known, beside its inode, which its next owner may have
_COMPRESSED = (".gz", ".xz", ".bz2", ".zst")  # not read, and may have the inode of a file we read
_LEADS_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # of links
_ROTATED = re.compile(r"[.-]\d[\d.-]*")  # what logrotate and its like put after a name


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on: the byte offset, always the start of a line, in the file with this
    inode.

    Plain integers: store it with `dataclasses.asdict`, restore it with `Position(**stored)`.
    """

    inode: int
    offset: int
    head: int | None = field(default=None, compare=False)  # CRC-32 of what is before, to 256 bytes
    mtime: int | None = field(default=None, compare=False)  # ns; files written later are unread


class Tail:
    """Complete lines of a growing file, from `position` on (None: from its beginning).

    Keeping `position` across restarts is the caller's.
    """

    lost = 0  # what a file's writer could not write is not for us to know

    def __init__(self, path: Path | str, position: Position | None = None) -> None:
        self.path = Path(path)
        self.name = str(path)
        self.position = position
        self.trouble = ""  # a file that never was; for the rest a `read` raises
        self.oversized = 0  # lines over 1 MiB, skipped
        self._file: int | None = None
        self._skipped_to: int | None = None  # inside an oversized line: scanned up to here
        self._seen: tuple[int, int] | None = None  # inode and size when `waiting` looked last
        self._headed = False  # whoever reads knows what the file's header says
        self._header: list[tuple[bytes, Position]] = []  # to come before the next line

    def waiting(self) -> bool:
        """Whether a read may find more than when this was asked last; asks the file system once."""
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        before, self._seen = self._seen, (found.st_ino, found.st_size)
        return self._seen != before

    def read(self, max_lines: int = 1000, max_bytes: int = 8 << 20) -> list[tuple[bytes, Position]]:
        """The next lines, without their newline, each with the position after it.

        Returns what is there and never waits; nothing when the file does not exist (yet). Where
        reading goes on inside a file, the lines that begin with "#" at its start come again first,
        since they may say what the columns are. Reads about `max_bytes`, more by at most one line
        of 1 MiB. Raises Temporary when the file cannot be read, Permanent when it is no regular
        file.
        """
        lines: list[tuple[bytes, Position]] = []
        try:
            while len(lines) < max_lines and max_bytes > 0:
                read = self._step(lines, max_lines)
                if read is None:
                    break
                max_bytes -= read
        except Permanent:
            if not lines:  # else what was read comes first; the next read meets this again
                raise
        except OSError as error:
            if not lines:
                raise Temporary(f"cannot read {self.path}: {error.strerror}") from error
        if lines:
            lines[:0], self._header = self._header, []
        return lines

    def forget_header(self) -> None:
        """Another file's lines come between: the header comes again before the next."""
        self._headed = False

    def state(self) -> dict[str, Any] | None:
        """The position as JSON; None before the file was first found."""
        return None if self.position is None else asdict(self.position)

    def saved(self) -> None:
        """A file needs not to know how far it was read."""

    def close(self) -> None:
        """Lets go of the file; a later `read` opens it again."""
        if self._file is not None:
            os.close(self._file)
        self._file = self._skipped_to = None

    # ------------------------------------------------------------ one step

    def _step(self, lines: list[tuple[bytes, Position]], max_lines: int) -> int | None:
        """Appends the lines of one chunk; returns the bytes used, None when there is no more."""
        position = self._open()
        if self._file is None or position is None:
            return None
        # Asked before reading: what the old file holds after its successor has content is all it
        # will ever hold.
        successor = self._successor(self._file, position.inode)
        going_on = self._restart_if_replaced(self._file, position)
        if going_on is None:
            return None
        if self._file is None:
            return 0  # the next step opens the file to go on with
        position = going_on
        if not self._headed:
            self._headed, self._header = True, _header(self._file, position)
        start = position.offset if self._skipped_to is None else self._skipped_to
        chunk = os.pread(self._file, MAX_LINE + 1, start)
        used = self._split(chunk, start, self._file, lines, max_lines)
        if used:
            return used
        if len(chunk) > MAX_LINE:
            self._skipped_to = start + len(chunk)
            return len(chunk)
        if successor is None:
            return None  # the rest of the last line is still to come
        self._finish(self._file, chunk, successor, lines)
        return len(chunk)

    def _split(
        self,
        chunk: bytes,
        start: int,
        file: int,
        lines: list[tuple[bytes, Position]],
        max_lines: int,
    ) -> int:
        begin = 0
        found, head = os.fstat(file), _head(file, _HEAD)
        while len(lines) < max_lines and (end := chunk.find(b"\n", begin)) >= 0:
            offset = start + end + 1
            self.position = Position(
                found.st_ino,
                offset,
                head if offset >= _HEAD else _head(file, offset),
                found.st_mtime_ns,
            )
            if self._skipped_to is None and end - begin <= MAX_LINE:
                lines.append((chunk[begin:end], self.position))
            else:
                self.oversized += 1
                self._skipped_to = None
            begin = end + 1
        return begin

    def _finish(
        self, file: int, rest: bytes, successor: int, lines: list[tuple[bytes, Position]]
    ) -> None:
        """Leaves a rotated file, whose last line may lack its newline, for its successor."""
        oversized = self._skipped_to is not None
        self.position = Position(successor, 0, mtime=os.fstat(file).st_mtime_ns)
        self.close()
        if oversized:
            self.oversized += 1
        elif rest:
            lines.append((rest, self.position))

    # ------------------------------------------------------------ which file

    def _open(self) -> Position | None:
        if self._file is not None:
            return self.position
        path = self.path
        if self.position is not None and self.position.inode != _inode(path):
            listed = self._listed()
            if listed is None:
                return None
            names = {found.st_ino: name for name, found in listed.items()}
            if self.position.inode not in names and not self._replace(listed, self.position):
                return None
            path = path.with_name(names[self.position.inode])
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            if self.position is None:
                self.trouble = f"{path} does not exist yet; check `path` in settings.yaml"
            return None
        found = os.fstat(file)
        if self.position is not None and found.st_ino != self.position.inode:
            os.close(file)  # renamed just now; the next read knows
            return None
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise Permanent(f"{path} is not a regular file; name the sensor's log file")
        self._file, self.trouble = file, ""
        if self.position is None:
            self.position = Position(found.st_ino, 0, mtime=found.st_mtime_ns)
        return self.position

    def _replace(self, listed: dict[str, os.stat_result], gone: Position) -> bool:
        """Goes on after a file that is gone, if there is one to go on with."""
        current = listed.get(self.path.name)
        later = self._later(listed, gone.mtime, gone)
        if later is None and current is not None:
            later = current.st_ino
        if later is None:
            return False
        self._leave(later, gone)
        return True

    def _listed(self) -> dict[str, os.stat_result] | None:
        """The file and what rotation left beside it, by name; None while names are changing: a
        listing may then lack a file.
        """
        try:
            found, again = self._list(), self._list()
        except FileNotFoundError:  # the folder
            return None
        same = {n: f.st_ino for n, f in found.items()} == {n: f.st_ino for n, f in again.items()}
        return found if same else None

    def _list(self) -> dict[str, os.stat_result]:
        with os.scandir(self.path.parent) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(self.path.name)]
        listed = {}
        for name in sorted(names):
            if not name.endswith(_COMPRESSED):
                try:
                    listed[name] = os.stat(self.path.with_name(name))
                except OSError as error:
                    if error.errno not in _LEADS_NOWHERE:
                        raise
        return listed

    def _successor(self, file: int, inode: int) -> int | None:
        """Inode of the file to read after this one, of those written later the first; none while
        the one that has our name now is empty and the only one: the writer is in the old.
        """
        if _inode(self.path) in (None, inode):
            return None
        listed = self._listed()
        current = None if listed is None else listed.get(self.path.name)
        if listed is None or current is None or current.st_ino == inode:
            return None
        return self._later(listed, os.fstat(file).st_mtime_ns)

    def _later(
        self, listed: dict[str, os.stat_result], since: int | None, gone: Position | None = None
    ) -> int | None:
        """Inode of the first file with content after those last written at `since`; the one that
        has our name comes last. What `copytruncate` made of a file that is gone is that file.
        """
        current = listed.get(self.path.name)
        if current is not None and not current.st_size:
            current = None
        later = [] if current is None else [(current.st_mtime_ns, True, current.st_ino)]
        for name, found in listed.items():
            written = found.st_mtime_ns
            if (
                since is not None
                and since < written <= (written if current is None else current.st_mtime_ns)
                and is_rotation_of(name, self.path.name)
                and found.st_size
                and stat.S_ISREG(found.st_mode)
                and not (gone and _begins_alike(self.path.with_name(name), gone))
            ):
                later.append((written, False, found.st_ino))
        return min(later)[-1] if later else None

    def _restart_if_replaced(self, file: int, position: Position) -> Position | None:
        """A position past the end, not after a newline or after another beginning belongs to
        content that is gone. None while names are changing.
        """
        size = os.fstat(file).st_size
        offset, head = position.offset, position.head
        if offset == 0 or (
            offset <= size
            and os.pread(file, 1, offset - 1) == b"\n"
            and (head is None or head == _head(file, offset))
        ):
            if self._skipped_to is not None and self._skipped_to > size:
                self._skipped_to = None
            return position
        listed = self._listed()
        if listed is None:
            return None
        self._skipped_to = None
        # It may be another file with the inode of one that is gone, and not the first one unread.
        since = position.mtime
        first = None if since is None else self._later(listed, since, position)
        if first is None or first == position.inode:
            _log.warning("%s: truncated or replaced; reading it from its beginning", self.path)
            self.position = Position(position.inode, 0, mtime=os.fstat(file).st_mtime_ns)
        else:
            self._leave(first, position)
        return self.position

    def _leave(self, successor: int, gone: Position) -> None:
        _log.warning("%s: rotated away before it was read to its end", self.path)
        self.close()
        self.position = Position(successor, 0, mtime=gone.mtime)


def _header(file: int, position: Position) -> list[tuple[bytes, Position]]:
    """The lines of this kind before the position."""
    start = os.pread(file, min(position.offset, _LONGEST_HEADER), 0)
    complete = start.split(b"\n")[:-1]
    return [(line, position) for line in takewhile(lambda line: line.startswith(b"#"), complete)]


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


def is_rotation_of(name: str, original: str) -> bool:
    """Whether a file's name is what rotation makes of another's: `eve.json.1`, `eve.json-20261123`.

    Compressed files are none: they are not read.
    """
    return name.startswith(original) and bool(_ROTATED.fullmatch(name, len(original)))


def _begins_alike(path: Path, position: Position) -> bool:
    """Whether the file has the content that was before the position, as far as that is known."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        return position.head is not None and position.head == _head(file, position.offset)
    finally:
        os.close(file)


def _head(file: int, offset: int) -> int:
    return zlib.crc32(os.pread(file, min(offset, _HEAD), 0))
