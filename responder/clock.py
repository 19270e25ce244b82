"""Time, injected: nothing on the live side asks the machine for it directly."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Where the time comes from: the machine, a chain's latest block, a replay."""

    def now(self) -> float:
        """Unix seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()


class ManualClock:
    """A clock that moves only when told."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def set(self, now: float) -> None:
        """Jumps to `now` (Unix seconds), backwards too."""
        self._now = now

    def advance(self, seconds: float) -> None:
        """Moves on by `seconds`."""
        self._now += seconds
