"""What the guardrails say, as functions of plain numbers: the mirror of contracts/Guardrails.sol.

The live side asks them through `policies.guardrails`; the simulator, compiled, for whole batches.
"""

from __future__ import annotations

from enum import IntEnum

from policies.compiled import compiled

__all__ = ["WEEK", "Reason", "Tier"]

WEEK = 7 * 86400


class Tier(IntEnum):
    """What the guardrails make of an action; the numbers are the contract's."""

    REFUSED = 0
    LEASE = 1  # a live lease covers it: executes at once
    QUORUM = 2  # needs M of N operators
    DELAYED = 3  # needs M of N operators, and then a delay


class Reason(IntEnum):
    """Why the guardrails refuse: the first that holds, in this order."""

    NONE = 0
    MALFORMED_TARGET = 1
    UNKNOWN_TARGET = 2
    PROTECTED_TARGET = 3
    PAUSED = 4
    RULE_REFUSES = 5
    TTL_OUT_OF_RANGE = 6
    LIVE_LIMIT = 7
    ZONE_SHARE = 8
    POOL_MINIMUM = 9
    BUDGET_SPENT = 10  # holds at proposal alone, the others at execution too


NONE, PROTECTED, PAUSED, RULE, TTL = 0, 3, 4, 5, 6
LIVE, SHARE, POOL, BUDGET = 7, 8, 9, 10


@compiled
def rule_refusal(protected: bool, paused: bool, allowed: bool, ttl: int, max_ttl: int) -> int:
    """A Reason, of what a cell of the table and the target by itself say. Seconds."""
    if protected:
        return PROTECTED
    if paused:
        return PAUSED
    if not allowed:
        return RULE
    return NONE if 0 < ttl <= max_ttl else TTL


@compiled
def is_over_share(assets: int, isolated: int, share: int) -> bool:
    """Whether so many of a zone's assets may not be isolated at once; `share` is in percent."""
    return isolated > 1 and isolated * 100 > assets * share


@compiled
def is_below_minimum(members: int, isolated: int, keep: int) -> bool:
    """Whether so many of a pool's members may not be isolated at once."""
    return members - isolated < keep


@compiled
def is_within(now: int, start: int, end: int) -> bool:
    """Seconds; the end is not within."""
    return start <= now < end


@compiled
def is_open(now: int, opens: int, length: int) -> bool:
    """Whether a weekly change window is open that opens at this second of the week, which begins
    on Thursday 00:00 UTC.
    """
    return (now - opens) % WEEK < length


@compiled
def lease_covers(
    now: int, expires: int, criticality: int, worst: int, ttl: int, max_ttl: int, left: int
) -> bool:
    """Whether a lease lets this execute at once; `left` of its budget for the kind."""
    return now < expires and criticality <= worst and ttl <= max_ttl and left > 0
