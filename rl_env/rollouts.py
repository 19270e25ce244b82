"""What a choice gains: each is tried in a copy of the moment, and the rest is played out.

The state of an environment is a record, so a moment can be copied. In one copy the agent waits, in
the others it makes a choice; from then on all are played by the same policy, with the same dice
minute by minute, so that what differs between them comes of the choice (common random numbers:
Glasserman and Yao, Management Science 1992). The difference of their returns is a sample of what
the choice gains over waiting; to choose by its mean improves the policy (Lagoudakis and Parr, ICML
2003: policy iteration by rollouts and classification).

To wait means to wait for news: for some minutes the policy acts only on what it thinks better of
than of the best choice it had. Were it to act in the next minute whatever comes, a wrong choice
would gain as much as to wait, since the policy would make it anyhow, and be unlearned minute by
minute only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.network import SILENT, LearnedPolicy
from policies.policy import NOTHING
from rl_env import engine
from rl_env.dice import mixed_all
from rl_env.moments import Moments, glance
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.world import plain

__all__ = ["explore"]

_ENVS = 256  # episodes that moments are taken from, at once
_TAKEN = 0.02  # share of the minutes in which something might be done, of close calls more
_NEAR = 1.0  # gains, in units of reward, that are close calls
_TOGETHER = 384  # moments that are played out at once
_HESITANT = 0.3  # share of episodes in which the agent hesitates
_HESITATION = 2.0  # units of reward that it then wants at least, on average
_STRAY = 0.01  # chance of some choice or other, per minute
_CHUNK = 128  # copies that the policy looks at together: what fits into the cache
_WAIT = 20  # minutes in which only news count
_NEWS = 0.5  # units of reward by which a choice must look better than the best before
_TIDY = 8  # minutes after which copies that are over are dropped

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]


def explore(scenario: Scenario, policy: LearnedPolicy, count: int, seed: int) -> Moments:
    """About so many moments of episodes that the policy plays, not without straying; close calls
    rather than others.
    """
    rng = np.random.default_rng(seed)
    simulation = Simulation(scenario, _ENVS)
    simulation.seed(int(rng.integers(1 << 62)))
    simulation.reset()
    demand = _demand(rng, simulation.batch)
    parts: list[Moments] = []
    states, actions, bars = [], [], []
    left = count
    while left > 0:
        scores = _scores(policy, simulation)
        taken = _pick(rng, scores)
        choices = _choices(rng, scores[taken])
        left -= len(taken)
        states.append(simulation.state[taken])
        actions.append(choices)
        bars.append(_NEWS + scores[taken].max(axis=1))
        parts.append(glance(simulation, taken, choices))
        simulation.step(_wander(rng, scores, demand))
        over = simulation.over
        if over.any():
            demand = np.where(over, _demand(rng, simulation.batch), demand)
            simulation.reset(over)
    gains = _play_out(
        rng, policy, np.concatenate(states), np.concatenate(actions), np.concatenate(bars)
    )
    return replace(Moments.joined(parts), gains=gains)


def _demand(rng: np.random.Generator, count: int) -> Floats:
    """What an agent wants to gain at least, for each of its episodes."""
    return (rng.exponential(_HESITATION, count) * (rng.random(count) < _HESITANT)).astype("f4")


def _scores(policy: LearnedPolicy, simulation: Simulation) -> Floats:
    """[batch, choices] of "do nothing" and of what is permitted and speaks; all else at -inf."""
    scores = policy.scores_of_many(simulation.entities, simulation.context)
    return np.where(simulation.mask & (scores != SILENT), scores, -np.inf).astype(np.float32)


def _pick(rng: np.random.Generator, scores: Floats) -> Longs:
    """Environments that are played out."""
    best = scores[:, 1:].max(axis=1)
    close = _TAKEN * (0.25 + 4.0 * np.exp(-np.abs(best) / _NEAR))
    return np.flatnonzero(np.isfinite(best) & (rng.random(len(best)) < close))


def _choices(rng: np.random.Generator, scores: Floats) -> Longs:
    """The best, and some other, likelier the more it is thought to gain; NOTHING where there is
    none. [moments, 2]
    """
    best = scores[:, 1:].argmax(axis=1)
    others = scores[:, 1:] + 2.0 * rng.gumbel(size=scores[:, 1:].shape)
    others[np.arange(len(best)), best] = -np.inf
    second = np.where(np.isfinite(others.max(axis=1)), 1 + others.argmax(axis=1), NOTHING)
    return np.stack([1 + best, second], axis=1)


def _wander(rng: np.random.Generator, scores: Floats, demand: Floats) -> Longs:
    """What the policy would do, if it gains enough, or anything else now and then."""
    chosen = np.where(scores[:, 1:].max(axis=1) > demand, scores.argmax(axis=1), NOTHING)
    offered = np.isfinite(scores[:, 1:])
    lots = rng.random(offered.shape) * offered
    stray = (rng.random(len(scores)) < _STRAY) & offered.any(axis=1)
    return np.where(stray, 1 + lots.argmax(axis=1), chosen)


# ---------------------------------------------------------------- playing out


def _play_out(
    rng: np.random.Generator, policy: LearnedPolicy, states: Any, choices: Longs, bars: Floats
) -> Floats:
    """[moments, choices]: return of the rest of the episode less that of waiting first. `bars`
    [moments]: scores above which a choice is news.
    """
    gains = np.zeros(choices.shape, dtype=np.float32)
    for first in range(0, len(states), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        actions = np.pad(choices[part], ((0, 0), (1, 0)))  # NOTHING first
        branches = actions.shape[1]
        dice = rng.integers(1 << 62, size=len(actions), dtype=np.uint64)
        world = np.repeat(states[part], branches)
        news = np.repeat(bars[part], branches)
        returns = _returns(policy, world, actions.ravel(), np.repeat(dice, branches), news)
        returns = returns.reshape(actions.shape)
        gains[part] = returns[:, 1:] - returns[:, :1]
    return gains


def _returns(
    policy: LearnedPolicy, world: Any, actions: Longs, dice: NDArray[np.uint64], bars: Floats
) -> NDArray[np.float64]:
    """float64 [copies], undiscounted. Copies with the same `dice` have the same luck."""
    total, which = np.zeros(len(world)), np.arange(len(world))
    on = np.ones(len(world), dtype=np.bool_)
    minute = 0
    while on.any():
        if minute % _TIDY == 0:
            world, actions, dice, which = world[on], actions[on], dice[on], which[on]
            bars, on = bars[on], on[on]
            rewards, ends = np.zeros(len(world)), np.zeros(len(world), dtype=np.uint8)
        world["count"] = mixed_all(dice + np.uint64(minute))
        engine.step(plain(world), actions, rewards, ends)
        total[which[on]] += rewards[on]
        on &= ends == engine.ON
        minute += 1
        actions = _greedy(policy, world, bars if minute < _WAIT else np.zeros_like(bars))
    return total


def _greedy(policy: LearnedPolicy, world: Any, bars: Floats) -> Longs:
    """The best choices, where they score above the bar."""
    chosen = np.zeros(len(world), dtype=np.int64)
    for first in range(0, len(world), _CHUNK):
        part = slice(first, first + _CHUNK)
        entities, context = world["entities"][part].transpose(0, 2, 1), world["context"][part]
        scores = policy.scores_of_many(entities, context)
        offered = np.where(world["mask"][part].view(np.bool_), scores, -np.inf)
        best = offered.argmax(axis=1)
        high = np.take_along_axis(offered, best[:, None], axis=1)[:, 0] > bars[part]
        chosen[part] = np.where(high, best, NOTHING)
    return chosen
