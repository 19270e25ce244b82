"""What is really so; never part of an observation."""

from __future__ import annotations

from policies.compiled import compiled
from rl_env.world import (
    CLEAN,
    HOSTILE,
    INTRUDER,
    LEVEL,
    TARGET,
    World,
    first_credential,
    first_indicator,
)

__all__ = ["deserves"]

@compiled
def deserves(w: World, e: int, r: int) -> bool:
    """Whether an entity deserves its action: a machine that is taken over or under an intruder's
    hands, a stolen key, the address of an intruder or a scanner.
    """
    if r >= first_indicator(w):
        return bool(w.indicator[e, r - first_indicator(w), HOSTILE] > 0)
    if r >= first_credential(w):
        return bool(w.stolen[e, r - first_credential(w)] > 0)
    return bool(w.host[e, r, LEVEL] > CLEAN or w.actor[e, INTRUDER, TARGET] == r)
