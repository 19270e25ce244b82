"""No figure of gas grows unseen: beyond 1% the snapshot must change with it."""

from __future__ import annotations

import json

import pytest
from bench_gas import SNAPSHOT, measure

TOLERANCE = 1.01


@pytest.fixture(scope="module")
def figures() -> dict[str, int]:
    return measure()


def test_no_figure_outgrows_the_snapshot(figures: dict[str, int]) -> None:
    snapshot = json.loads(SNAPSHOT.read_text())
    assert figures.keys() == snapshot.keys(), "run python scripts/bench_gas.py --update"
    grown = {
        name: f"{snapshot[name]} -> {value}"
        for name, value in figures.items()
        if value > snapshot[name] * TOLERANCE
    }
    assert not grown, "cheaper again, or: python scripts/bench_gas.py --update"


def test_what_is_measured_is_what_others_measured(figures: dict[str, int]) -> None:
    """The peers' own figures: a wrong target, proxy or sum would lie outside."""
    assert 58_000 < figures["safe_2of3"] < 60_000
    assert 75_000 < figures["safe_2of3_first"] < 77_000
    assert 91_000 < figures["timelock"] < 96_000
