"""Who knows the truth: what deserves its action, and the player that acts on it at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.columns import VERBS
from policies.compiled import compiled
from policies.policy import NOTHING, Verb
from rl_env.simulation import Simulation
from rl_env.truth import deserves
from rl_env.world import (
    ADDRESS,
    CELL,
    CLEAN,
    GONE,
    INTRUDER,
    LEVEL,
    PHASE,
    State,
    first_credential,
    first_indicator,
)

__all__ = ["Oracle", "deserved"]

Flags = NDArray[np.bool_]
Worths = NDArray[np.float64]


def deserved(simulation: Simulation) -> Flags:
    """bool [batch, rows]: whether the entity deserves its action."""
    found = np.zeros((simulation.batch, simulation.rows), dtype=np.bool_)
    _judge(simulation.state, found)
    return found


class Oracle:
    """Orders what hurts as soon as it may, the worst first, and asks for the release of what does
    not deserve its order: the upper bound, of one who is told everything and sees nothing coming.

    It leaves alone what deserves an action that would save nothing: scanners, machines that are
    only being tried, and all that an intruder leaves behind.
    """

    name = "oracle"

    def choose(self, simulation: Simulation) -> NDArray[np.int64]:
        scores = np.full((simulation.batch, simulation.choices), -1.0)
        scores[:, NOTHING] = 0.0
        by_verb = scores[:, 1:].reshape(simulation.batch, VERBS, simulation.rows)
        _weigh(simulation.state, by_verb)
        return np.where(simulation.mask, scores, -np.inf).argmax(axis=1)


@compiled
def _judge(world: Any, found: Flags) -> None:
    for e in range(found.shape[0]):
        for r in range(found.shape[1]):
            found[e, r] = deserves(world[e], r)


@compiled
def _weigh(world: Any, by_verb: Worths) -> None:
    for e in range(by_verb.shape[0]):
        for r in range(by_verb.shape[2]):
            by_verb[e, Verb.ORDER, r] = _worth(world[e], r)
            by_verb[e, Verb.RELEASE, r] = -1.0 if deserves(world[e], r) else 0.5


@compiled
def _worth(s: State, r: int) -> float:
    """Of its action now; -1 where it has none."""
    if s.actor[INTRUDER, PHASE] == GONE:
        return -1.0
    if r >= first_indicator(s):
        hers = s.indicator[r - first_indicator(s), ADDRESS] == s.address[INTRUDER]
        return 3.0 if hers else -1.0
    if r >= first_credential(s):
        return 1.0 if s.stolen[r - first_credential(s)] > 0 else -1.0
    level = s.host[r, LEVEL]
    return 1.0 + level * (1.0 + s.row[r, CELL] % 4) if level > CLEAN else -1.0
