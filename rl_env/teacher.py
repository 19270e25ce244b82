"""Lessons from who knows the truth: which entities deserve what, to be told from what is seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.policy import NOTHING
from rl_env.moments import TRIED, Moments, glance
from rl_env.oracle import worths
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

__all__ = ["lessons"]

_ENVS = 256  # episodes at once
_SEEN = 0.25  # share of all minutes that are looked at
_STRAY = 0.01  # chance of a random action per minute, so that its outcome is seen, too
_AT_ONCE = 0.3  # share of episodes in which the teacher does not wait
_LATEST = 90  # minutes that it waits in the others, at most

Flags = NDArray[np.bool_]
Longs = NDArray[np.int64]


def lessons(scenario: Scenario, count: int, seed: int) -> Moments:
    """About so many moments of episodes that a tardy teacher plays, so that what comes of waiting
    is seen, too. Nothing is tried in them.
    """
    rng = np.random.default_rng(seed)
    simulation = Simulation(scenario, _ENVS)
    simulation.seed(int(rng.integers(1 << 62)))
    simulation.reset()
    delay = _delays(rng, simulation.batch)
    wanted = np.zeros((simulation.batch, simulation.choices - 1), dtype=np.int64)
    parts: list[Moments] = []
    left = count
    while left > 0:
        seen = np.flatnonzero(rng.random(simulation.batch) < _SEEN)
        parts.append(glance(simulation, seen, np.zeros((len(seen), TRIED), dtype=np.int64)))
        left -= len(seen)
        permitted = simulation.mask[:, 1:]
        wanted = np.where((worths(simulation) > 0.0) & permitted, wanted + 1, 0)
        stray = rng.random(simulation.batch) < _STRAY
        offered = np.where(stray[:, None], permitted, wanted > delay[:, None])
        simulation.step(_one_of(rng, offered))
        over = simulation.over
        if over.any():
            delay = np.where(over, _delays(rng, simulation.batch), delay)
            wanted[over] = 0
            simulation.reset(over)
    return Moments.joined(parts)


def _delays(rng: np.random.Generator, count: int) -> Longs:
    """How long the teacher waits, for each of its episodes."""
    return np.where(rng.random(count) < _AT_ONCE, 0, rng.integers(1, _LATEST, count))


def _one_of(rng: np.random.Generator, offered: Flags) -> Longs:
    lots = rng.random(offered.shape) * offered
    return np.where(offered.any(axis=1), 1 + lots.argmax(axis=1), NOTHING)
