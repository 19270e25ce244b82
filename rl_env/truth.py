"""What is really so; never part of an observation."""

from __future__ import annotations

from policies.compiled import compiled
from rl_env.world import (
    CLEAN,
    HOSTILE,
    INTRUDER,
    LEVEL,
    TARGET,
    State,
    first_credential,
    first_indicator,
)

__all__ = ["deserves"]


@compiled
def deserves(s: State, r: int) -> bool:
    """Whether an entity deserves its action: a machine that is taken over or under an intruder's
    hands, a stolen key, the address of an intruder or a scanner.
    """
    if r >= first_indicator(s):
        return bool(s.indicator[r - first_indicator(s), HOSTILE] > 0)
    if r >= first_credential(s):
        return bool(s.stolen[r - first_credential(s)] > 0)
    return bool(s.host[r, LEVEL] > CLEAN or s.actor[INTRUDER, TARGET] == r)
