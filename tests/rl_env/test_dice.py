"""Dice: the published generator, the same by any way to run it, and fair."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from rl_env.dice import below, draw, fraction, gap, hashed, mixed, mixed_all, part
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

# The first numbers of SplitMix64 from the seed 1234567.
PUBLISHED = (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431)

TOLD = """
import numpy as np
from rl_env.dice import below, draw, fraction, gap, hashed, part
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
dice = Simulation(Scenario(), 1).state[0]
dice.key = 5
with np.errstate(over="ignore"):
    told = [int(draw(dice)) for _ in range(100)]
    told += [int(below(dice, n)) for n in range(1, 100)]
    told += [int(gap(dice, n)) for n in range(1, 100)]
    told += [float(fraction(dice)) for _ in range(100)]
    told += [int(hashed(dice.key, a, b)) for a in range(10) for b in range(10)]
    told += [float(part(dice.key << np.uint64(k), k % 4)) for k in range(60)]
print(told)
"""


@pytest.fixture(autouse=True)
def words() -> Any:
    """Words of 64 bits overflow, about which numpy warns where dice are not compiled."""
    with np.errstate(over="ignore"):
        yield


def dice(key: int) -> Any:
    state = Simulation(Scenario(), 1).state[0]
    state.key = key
    return state


def test_it_is_splitmix64() -> None:
    thrown = dice(1234567)
    assert [int(draw(thrown)) for _ in PUBLISHED] == [n >> 32 for n in PUBLISHED]


def test_many_words_are_mixed_as_one_is() -> None:
    words = np.arange(100, dtype=np.uint64)
    assert mixed_all(words).tolist() == [int(mixed(word)) for word in words]


def test_compiled_or_not_it_throws_the_same() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", TOLD],
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for disabled in ("0", "1")
    ]
    assert told[0] == told[1] != ""


@pytest.mark.parametrize("n", [1, 2, 6, 1000])
def test_every_number_comes_as_often(n: int) -> None:
    rolled = dice(n)
    thrown = np.array([below(rolled, n) for _ in range(20_000)])
    seen = np.bincount(thrown, minlength=n)
    assert len(seen) == n
    expected = len(thrown) / n
    assert ((seen - expected) ** 2 / expected).sum() < n + 6 * (2 * n) ** 0.5  # chi-square, 4 sigma


@pytest.mark.parametrize("p", [0.0, 0.001, 0.5, 1.0])
def test_a_chance_is_met_so_often(p: float) -> None:
    thrown = dice(9)
    met = np.mean([fraction(thrown) < p for _ in range(20_000)])
    assert abs(met - p) <= 4 * (p * (1 - p) / 20_000) ** 0.5


@pytest.mark.parametrize("mean", [3, 60, 10_000])
def test_gaps_are_as_long_as_asked(mean: int) -> None:
    thrown = dice(7)
    gaps = np.array([gap(thrown, mean) for _ in range(20_000)])
    assert gaps.min() >= 1
    rounding = 0.5 if mean > 3 else 0.7  # a gap is a whole number, and at least 1
    assert abs(gaps.mean() - mean) <= rounding + 5 * mean / 20_000**0.5


def test_what_is_hashed_belongs_to_its_numbers() -> None:
    key = np.uint64(3)
    assert hashed(key, 1, 2) == hashed(key, 1, 2)
    others = {int(hashed(np.uint64(k), a, b)) for k in (3, 4) for a in range(40) for b in range(40)}
    assert len(others) == 2 * 40 * 40


def test_a_word_has_four_parts() -> None:
    word = np.uint64(0x0004_0003_0002_0001)
    assert [part(word, k) * 65_536 for k in range(4)] == [1, 2, 3, 4]
