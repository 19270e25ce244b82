"""Who knows the truth: what deserves its action, and the player that acts on it at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.columns import CRITICALITY, VERBS
from policies.compiled import compiled
from policies.policy import NOTHING, Verb
from rl_env.simulation import Simulation
from rl_env.truth import deserves

__all__ = ["Oracle", "deserved"]

Flags = NDArray[np.bool_]


@compiled
def _judge(world: Any, found: Flags) -> None:
    for e in range(found.shape[0]):
        for r in range(found.shape[1]):
            found[e, r] = deserves(world[e], r)


def deserved(simulation: Simulation) -> Flags:
    """bool [batch, rows]: whether the entity deserves its action."""
    found = np.zeros((simulation.batch, simulation.rows), dtype=np.bool_)
    _judge(simulation.state, found)
    return found


class Oracle:
    """Orders whatever deserves it as soon as it may, the most critical first, and asks for the
    release of what does not: the upper bound of what one can reach who is told everything.
    """

    name = "oracle"

    def choose(self, simulation: Simulation) -> NDArray[np.int64]:
        right = deserved(simulation)
        worth = 1.0 + simulation.entities[:, :, CRITICALITY]
        scores = np.full((simulation.batch, simulation.choices), -1.0)
        scores[:, NOTHING] = 0.0
        by_verb = scores[:, 1:].reshape(simulation.batch, VERBS, simulation.rows)
        by_verb[:, Verb.ORDER] = np.where(right, worth, -1.0)
        by_verb[:, Verb.RELEASE] = np.where(right, -1.0, 0.5)
        return np.where(simulation.mask, scores, -np.inf).argmax(axis=1)
