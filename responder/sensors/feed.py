"""One sensor's file as a stream of alerts: what the decision loop reads on each tick."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from policies.alerts import Alert
from responder.sensors.line import MalformedLine, Parser
from responder.sensors.tail import Position, Tail

__all__ = ["Counters", "Feed"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """What came in so far: `lines` = `alerts` + `ignored` + `malformed`; oversized come on top."""

    lines: int = 0
    alerts: int = 0
    ignored: int = 0  # fine, but no alert
    malformed: int = 0
    oversized: int = 0  # over 1 MiB, skipped unread
    last_reason: str = ""  # why the latest malformed line was refused


class Feed:
    """A tail and a parser. A malformed line is counted and passed over; it never stops the feed."""

    def __init__(self, tail: Tail, parser: Parser) -> None:
        self.counters = Counters()
        self._tail = tail
        self._parser = parser
        self._reported: set[str] = set()

    @property
    def position(self) -> Position | None:
        """After everything read so far. Store it once the alerts before it are safe."""
        return self._tail.position

    def read(self, max_lines: int = 1000, max_bytes: int = 8 << 20) -> list[Alert]:
        """Alerts of the next lines; empty when nothing is new. Raises what `Tail.read` raises."""
        alerts = []
        for line, after in self._tail.read(max_lines, max_bytes):
            self.counters.lines += 1
            try:
                alert = self._parser.parse(line)
            except MalformedLine as error:
                self._refuse(error.reason, after)
                continue
            if alert is None:
                self.counters.ignored += 1
            else:
                self.counters.alerts += 1
                alerts.append(alert)
        if self._tail.oversized > self.counters.oversized:
            self._report("line over 1 MiB", "skipped")
        self.counters.oversized = self._tail.oversized
        return alerts

    def close(self) -> None:
        """Lets go of the file."""
        self._tail.close()

    def _refuse(self, reason: str, after: Position) -> None:
        self.counters.malformed += 1
        self.counters.last_reason = reason
        self._report(reason, f"line {self.counters.lines} since start, before byte {after.offset}")

    def _report(self, reason: str, where: str) -> None:
        """Each reason once: whoever can write bad lines must not be able to fill our log."""
        if reason not in self._reported:
            self._reported.add(reason)
            _log.warning(
                "%s: %s (%s); further such lines are only counted", self._tail.path, reason, where
            )
