"""Clocks."""

from __future__ import annotations

from responder.clock import Clock, ManualClock, SystemClock


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(100.0)
    assert clock.now() == clock.now() == 100.0
    clock.advance(5.0)
    assert clock.now() == 105.0
    clock.set(3.0)
    assert clock.now() == 3.0


def test_system_clock_is_a_clock_in_this_century() -> None:
    clock: Clock = SystemClock()
    assert clock.now() > 1_600_000_000
