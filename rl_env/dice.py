"""Chance that can be computed anew: every environment has a key and counts its draws.

The generator is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). What belongs to a site, as how often
a rule fires on a host by itself, is not stored but hashed from the site's key and its numbers, the
same whenever it is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.compiled import compiled

__all__ = ["GOLDEN", "below", "draw", "gap", "hashed", "mixed", "mixed_all"]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_22, _27, _30, _31, _32 = (np.uint64(bits) for bits in (22, 27, 30, 31, 32))


@compiled
def mixed(word: np.uint64) -> np.uint64:
    """A permutation of the 64-bit words, each bit of which hangs on all bits of `word`."""
    word = (word ^ (word >> _30)) * _FIRST
    word = (word ^ (word >> _27)) * _SECOND
    return word ^ (word >> _31)


@compiled
def part(word: np.uint64, k: int) -> float:
    """One of the four numbers from 0 to 1 that a word holds, in 65,536 steps."""
    return float(np.int64(word >> np.uint64(16 * k)) & 65_535) / 65_536.0


def mixed_all(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`mixed` of each."""
    words = (words ^ (words >> _30)) * _FIRST
    words = (words ^ (words >> _27)) * _SECOND
    return words ^ (words >> _31)


@compiled
def draw(s: Any) -> np.uint64:
    """The next 32 random bits of whatever has a `key` and a `count`."""
    s.count += np.uint64(1)
    return mixed(s.key + s.count * GOLDEN) >> _32


@compiled
def below(s: Any, n: int) -> int:
    """A number from 0 to n - 1, n below 2**32; off from even by less than n in 2**32."""
    found: Any = np.int64((draw(s) * np.uint64(n)) >> _32)  # signed: else numba makes floats of it
    return found


@compiled
def hashed(key: np.uint64, one: int, other: int) -> np.uint64:
    """32 bits that belong to two numbers below 2**32 of this key."""
    return mixed(key ^ mixed((np.uint64(one) << _32) | np.uint64(other))) >> _32


# 1,024 quantiles of the exponential distribution of mean 1, in 1 / 65,536.
_EXPONENTIAL = np.round(-np.log((np.arange(1024) + 0.5) / 1024) * 65_536).astype(np.int64)


@compiled
def gap(s: Any, mean: int) -> int:
    """Whole units until the next of events that come by chance, `mean` units apart; at least 1."""
    return max(1, int(_EXPONENTIAL[np.int64(draw(s) >> _22)] * mean) >> 16)


@compiled
def fraction(s: Any) -> float:
    """From 0 to 1, 1 not included."""
    return float(draw(s)) / 4294967296.0
