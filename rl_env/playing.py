"""Whole episodes of a batch, played by whoever chooses: evaluation, lessons and data sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from policies.actions import Kind
from policies.columns import KIND, VERBS
from policies.observation import Observation
from policies.picture import Entity
from policies.policy import NOTHING, Policy, choose
from rl_env.dice import mixed_all
from rl_env.simulation import Simulation

__all__ = ["Chance", "Minute", "Nobody", "Player", "play", "player_of"]

Actions = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Player(Protocol):
    """Chooses for every environment of a batch, each by itself."""

    @property
    def name(self) -> str: ...

    def choose(self, simulation: Simulation) -> Actions:
        """int64 [batch], each of them permitted."""


class Minute(NamedTuple):
    """What a step brought, [batch] each; counts only where `alive`."""

    alive: Flags  # the episode was not over before
    actions: Actions
    rewards: NDArray[np.float64]
    terminated: Flags
    truncated: Flags


def play(simulation: Simulation, player: Player, seed: int | None = None) -> Iterator[Minute]:
    """The first episode of each seed from `seed` on, or without it the next ones; yields after
    every minute until all are over.

    The simulation then shows what the next choice is made of. Where an episode is over, its
    environment goes on without meaning.
    """
    if seed is not None:
        simulation.seed(seed)
    simulation.reset()
    alive = np.ones(simulation.batch, dtype=np.bool_)
    while alive.any():
        actions = player.choose(simulation)
        simulation.step(actions)
        terminated, truncated = simulation.terminated, simulation.truncated
        yield Minute(alive, actions, simulation.terms.sum(axis=1), terminated, truncated)
        alive = alive & ~simulation.over


# ---------------------------------------------------------------- players


class Nobody:
    """The baseline that never proposes."""

    name = "nothing"

    def choose(self, simulation: Simulation) -> Actions:
        return np.zeros(simulation.batch, dtype=np.int64)


class Chance:
    """Any permitted choice, each as likely, a fifth of the time: the baseline for acting at all.

    What it chooses hangs on the episode and its minute alone, not on the batch.
    """

    name = "random"

    def choose(self, simulation: Simulation) -> Actions:
        key, minute = simulation.state["key"], simulation.state["minute"].astype(np.uint64)
        with np.errstate(over="ignore"):  # as words of 64 bits do
            words = mixed_all(mixed_all(~key) + minute)
            which = mixed_all(~words) >> np.uint64(32)
        mask = simulation.mask
        chosen = (which * mask.sum(axis=1).astype(np.uint64)) >> np.uint64(32)
        action = (mask.cumsum(axis=1) > chosen[:, None]).argmax(axis=1)
        return np.where(words % np.uint64(5) == 0, action, NOTHING)


class _Batched(Policy, Protocol):
    """A policy that scores many observations at once, padded with rows of zeros."""

    def scores_of_many(
        self, entities: NDArray[np.float32], context: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """[batch, rows, F] and [batch, G] -> [batch, 1 + VERBS * rows]."""
        ...


class _Many:
    """Such a policy on all environments at once."""

    def __init__(self, policy: _Batched) -> None:
        self.name, self._policy = policy.name, policy

    def choose(self, simulation: Simulation) -> Actions:
        entities = np.ascontiguousarray(simulation.entities)
        scores = self._policy.scores_of_many(entities, simulation.context)
        return np.where(simulation.mask, scores, -np.inf).argmax(axis=1)


class _One:
    """Any policy, environment by environment, on the entities there are."""

    def __init__(self, policy: Policy) -> None:
        self.name, self._policy = policy.name, policy

    def choose(self, simulation: Simulation) -> Actions:
        return np.array([self._choice(simulation, e) for e in range(simulation.batch)])

    def _choice(self, simulation: Simulation, e: int) -> int:
        table = simulation.entities[e]
        rows = np.flatnonzero(table[:, KIND : KIND + len(Kind)].any(axis=1))
        # Where each of the policy's choices is among those of the environment.
        places = 1 + np.arange(VERBS)[:, None] * simulation.rows + rows
        choices = np.concatenate([[NOTHING], places.ravel()])
        entities = np.ascontiguousarray(table[rows])
        ids = tuple(_entity(int(row), of_it) for row, of_it in zip(rows, entities, strict=True))
        seen = Observation(entities, simulation.context[e].copy(), ids)
        return int(choices[choose(self._policy.scores(seen), simulation.mask[e][choices])])


def player_of(policy: Policy) -> Player:
    """Who plays as the policy does: all environments at once where it offers `scores_of_many`."""
    if hasattr(policy, "scores_of_many"):
        return _Many(cast(_Batched, policy))
    return _One(policy)


def _entity(row: int, columns: NDArray[np.float32]) -> Entity:
    """Named by its row: no policy looks at names."""
    return Entity(Kind(int(columns[KIND : KIND + len(Kind)].argmax())), str(row))
