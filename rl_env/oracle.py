"""Who knows the truth: what is worth doing, and the player that does it at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.columns import VERBS
from policies.compiled import compiled
from policies.policy import Verb
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

__all__ = ["Oracle", "worths"]

Worths = NDArray[np.float64]


def worths(simulation: Simulation) -> Worths:
    """[batch, VERBS * rows] of each choice but to do nothing: positive where it is worth it, more
    where it is urgent.

    Not all that deserves its action is worth it: nothing is saved by acting on scanners, on
    machines that are only being tried, or on what an intruder left behind. Released is what does
    not deserve its order.
    """
    found = np.zeros((simulation.batch, VERBS, simulation.rows))
    _weigh(simulation.state, found)
    return found.reshape(simulation.batch, -1)


class Oracle:
    """Does what is most worth it as soon as it may: the upper bound, of one who is told everything
    and sees nothing coming.
    """

    name = "oracle"

    def choose(self, simulation: Simulation) -> NDArray[np.int64]:
        offered = np.where(simulation.mask[:, 1:], worths(simulation), 0.0)
        return np.where(offered.max(axis=1) > 0.0, 1 + offered.argmax(axis=1), 0)


@compiled
def _weigh(world: Any, found: Worths) -> None:
    for e in range(found.shape[0]):
        for r in range(found.shape[2]):
            found[e, Verb.ORDER, r] = _worth(world[e], r)
            found[e, Verb.RELEASE, r] = -1.0 if deserves(world[e], r) else 0.5


@compiled
def _worth(s: State, r: int) -> float:
    """Of its action now; -1 where it has none. A machine's is about the harm per minute."""
    if s.actor[INTRUDER, PHASE] == GONE:
        return -1.0
    if r >= first_indicator(s):
        address = s.indicator[r - first_indicator(s), ADDRESS]
        return 3.0 if address != 0 and address == s.address[INTRUDER] else -1.0
    if r >= first_credential(s):
        return 1.0 if s.stolen[r - first_credential(s)] > 0 else -1.0
    level = s.host[r, LEVEL]
    return 1.0 + level * (1.0 + s.row[r, CELL] % 4) if level > CLEAN else -1.0
