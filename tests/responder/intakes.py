"""Sources on real sockets, as a test sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from responder.sensors.receiver import Intake, Receiver
from responder.sensors.spool import SEGMENT_BYTES, Spool

PATIENCE = 20.0
TOKEN = "0123456789abcdef-a-token"
T = TypeVar("T")
R = TypeVar("R", bound=Receiver)


def until(what: Callable[[], T]) -> T:
    """The first true answer; fails when none comes for long."""
    end = time.monotonic() + PATIENCE
    while not (answer := what()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return answer


class Running:
    """An intake that was read once, so that it listens."""

    def __init__(self, home: Path, receiver: Receiver, segment: int = SEGMENT_BYTES) -> None:
        self.spool = Spool(home / "spool" / "feed.ndjson", segment=segment)
        self.intake = Intake(self.spool, receiver)
        self._first = self.intake.read(1000, 8 << 20)

    def read(self) -> list[bytes]:
        first, self._first = self._first, []
        return [line for line, _ in first + self.intake.read(1000, 8 << 20)]

    def wait_for(self, count: int) -> list[bytes]:
        """So many lines, as they come."""
        got: list[bytes] = []

        def enough() -> bool:
            got.extend(self.read())
            return len(got) >= count

        until(enough)
        return got


@contextmanager
def running(home: Path, receiver: Receiver, segment: int = SEGMENT_BYTES) -> Iterator[Running]:
    found = Running(home, receiver, segment)
    assert found.intake._started, found.intake.trouble
    yield found
    found.intake.close()
