"""Dice: the published generator, the same by any way to run it, and fair."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from rl_env.dice import below, draw, hashed, threshold

# The first numbers of SplitMix64 from the seed 1234567.
PUBLISHED = (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431)

TOLD = """
import numpy as np
from rl_env.dice import below, draw, hashed
keys, counts = np.array([5, 6], np.uint64), np.zeros(2, np.uint64)
with np.errstate(over="ignore"):
    told = [int(draw(keys, counts, i % 2)) for i in range(100)]
    told += [below(keys, counts, 1, n) for n in range(1, 100)]
    told += [int(hashed(keys[0], a, b)) for a in range(10) for b in range(10)]
print(told)
"""


def dice(key: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([key], np.uint64), np.zeros(1, np.uint64)


def test_it_is_splitmix64() -> None:
    keys, counts = dice(1234567)
    assert [int(draw(keys, counts, 0)) for _ in PUBLISHED] == [n >> 32 for n in PUBLISHED]


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
    keys, counts = dice(n)
    thrown = np.array([below(keys, counts, 0, n) for _ in range(20_000)])
    seen = np.bincount(thrown, minlength=n)
    assert len(seen) == n
    expected = len(thrown) / n
    assert ((seen - expected) ** 2 / expected).sum() < n + 6 * (2 * n) ** 0.5  # chi-square, 4 sigma


@pytest.mark.parametrize("p", [0.0, 0.001, 0.5, 1.0])
def test_a_chance_is_met_so_often(p: float) -> None:
    keys, counts = dice(9)
    met = np.mean([draw(keys, counts, 0) < threshold(p) for _ in range(20_000)])
    assert abs(met - p) <= 4 * (p * (1 - p) / 20_000) ** 0.5


def test_what_is_hashed_belongs_to_its_numbers() -> None:
    key = np.uint64(3)
    assert hashed(key, 1, 2) == hashed(key, 1, 2)
    others = {int(hashed(np.uint64(k), a, b)) for k in (3, 4) for a in range(40) for b in range(40)}
    assert len(others) == 2 * 40 * 40
