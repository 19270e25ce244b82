"""No figure of gas grows unseen: beyond 1% the snapshot must change with it."""

from __future__ import annotations

import json

import pytest
from bench_gas import SNAPSHOT, measure

TOLERANCE = 1.01
SCATTERED = "isolate_scattered_each"


@pytest.fixture(scope="module")
def figures() -> dict[str, int]:
    return measure(scattered=False)


def test_no_figure_outgrows_the_snapshot(figures: dict[str, int]) -> None:
    assert_none_grew(figures, json.loads(SNAPSHOT.read_text()))


@pytest.mark.slow  # it registers 65,536 assets
def test_nor_does_that_of_a_scattered_batch() -> None:
    assert_none_grew(measure(), json.loads(SNAPSHOT.read_text()))


def test_what_is_measured_is_what_others_measured(figures: dict[str, int]) -> None:
    """The peers' own figures: a wrong target, proxy or sum would lie outside."""
    assert 58_000 < figures["safe_2of3"] < 60_000
    assert 75_000 < figures["safe_2of3_first"] < 77_000
    assert 91_000 < figures["timelock"] < 96_000


def assert_none_grew(figures: dict[str, int], snapshot: dict[str, int]) -> None:
    names = figures.keys() | {SCATTERED}
    assert names == snapshot.keys(), "run python scripts/bench_gas.py --update"
    grown = {
        name: f"{snapshot[name]} -> {value}"
        for name, value in figures.items()
        if value > snapshot[name] * TOLERANCE
    }
    assert not grown, "cheaper again, or: python scripts/bench_gas.py --update"
