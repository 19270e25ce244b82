"""One source of lines as a stream of alerts: what the decision loop reads on each tick."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from policies.alerts import Alert
from responder.errors import CountersignError
from responder.sensors.line import MalformedLine, Parser
from responder.sensors.tail import Position

__all__ = ["Counters", "Feed", "Source"]

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Lines from somewhere, each once, and where to go on after a restart: a `Tail` is one."""

    @property
    def name(self) -> str:
        """What it reads, for people."""
        ...

    @property
    def oversized(self) -> int:
        """Lines over 1 MiB, skipped."""
        ...

    @property
    def lost(self) -> int:
        """Lines that came and could not be kept, and that nobody will send again."""
        ...

    @property
    def trouble(self) -> str:
        """What a person should look at although reading goes on; empty when all is well."""
        ...

    def read(self, max_lines: int, max_bytes: int) -> list[tuple[bytes, Position]]:
        """The next lines, each with the position after it in its file; never waits.

        Raises Temporary or Permanent when nothing can be read.
        """
        ...

    def waiting(self) -> bool:
        """Whether a read may find more than when this was asked last; cheap."""
        ...

    def state(self) -> Any:
        """JSON from which a source like this goes on after everything read so far."""
        ...

    def saved(self) -> None:
        """The state is in a checkpoint: what was read will not be asked for again."""
        ...

    def close(self) -> None:
        """Lets go of files and sockets; a later `read` opens them again."""
        ...


@dataclass(slots=True)
class Counters:
    """What came in since start: `lines` = `alerts` + `ignored` + `malformed`; the rest on top."""

    lines: int = 0
    alerts: int = 0
    ignored: int = 0  # fine, but no alert
    malformed: int = 0
    oversized: int = 0  # over 1 MiB, skipped unread
    lost: int = 0  # came when there was no room and cannot be asked for again
    last_reason: str = ""  # why the latest malformed line was refused
    last_line: float | None = None  # Unix seconds at which the latest line was read


class Feed:
    """A source and a parser. A malformed line is counted and passed over, as is one on which the
    parser fails: the source is past all that were read with it, so that they would be lost, too.
    """

    def __init__(self, source: Source, parser: Parser, last_line: float | None = None) -> None:
        """`last_line`: when the latest line was read before a restart, in Unix seconds."""
        self.name = source.name
        self.counters = Counters(last_line=last_line)
        self._source = source
        self._parser = parser
        self._reported: set[str] = set()

    def waiting(self) -> bool:
        """Whether a read may find more than when this was asked last; cheap."""
        return self._source.waiting()

    @property
    def state(self) -> Any:
        """After everything read so far, as JSON."""
        return self._source.state()

    def to_save(self) -> dict[str, Any]:
        """What a feed like this needs after a restart. Store it with what came of the alerts."""
        return {"state": self.state, "last_line": self.counters.last_line}

    def read(
        self, max_lines: int = 1000, max_bytes: int = 8 << 20, now: float | None = None
    ) -> list[Alert]:
        """Alerts of the next lines, read at `now`; empty when nothing is new. Raises what the
        source raises.
        """
        alerts = []
        lines = self._source.read(max_lines, max_bytes)
        if lines and now is not None:
            self.counters.last_line = now
        for line, after in lines:
            self.counters.lines += 1
            try:
                alert = self._parser.parse(line)
            except MalformedLine as error:
                self._refuse(error.reason, after)
                continue
            except Exception as error:
                self._fail(error, after)
                continue
            if alert is None:
                self.counters.ignored += 1
            else:
                self.counters.alerts += 1
                alerts.append(alert)
        if self._source.oversized > self.counters.oversized:
            self._report("line over 1 MiB", "skipped")
        self.counters.oversized = self._source.oversized
        self.counters.lost = self._source.lost
        return alerts

    def check(self) -> None:
        """Raises CountersignError with what a person should look at although reading goes on."""
        if self._source.trouble:
            raise CountersignError(self._source.trouble)

    def saved(self) -> None:
        """A checkpoint holds `to_save` and what came of everything before it."""
        self._source.saved()

    def to_json(self, now: float) -> dict[str, Any]:
        """Name, counters and `silent_for`, the seconds since the last line; None before any."""
        last = self.counters.last_line
        silent = None if last is None else max(0.0, now - last)
        return {"name": self.name, **asdict(self.counters), "silent_for": silent}

    def close(self) -> None:
        """Lets go of the source."""
        self._source.close()

    def _refuse(self, reason: str, after: Position) -> None:
        self.counters.malformed += 1
        self.counters.last_reason = reason
        self._report(reason, f"line {self.counters.lines} since start, before byte {after.offset}")

    def _fail(self, error: Exception, after: Position) -> None:
        """A defect of ours: its first traceback is worth a place in the log."""
        reason = f"the parser failed with {type(error).__name__}"
        if reason not in self._reported:
            self._reported.add(reason)
            _log.error("%s: %s; such lines are counted", self.name, reason, exc_info=error)
        self._refuse(reason, after)

    def _report(self, reason: str, where: str) -> None:
        """Each reason once: whoever can write bad lines must not be able to fill our log."""
        if reason not in self._reported:
            self._reported.add(reason)
            _log.warning(
                "%s: %s (%s); further such lines are only counted", self.name, reason, where
            )
