"""The guardrails of an episode: rules as sites differ in them, and mostly a live lease."""

from __future__ import annotations

from policies.compiled import compiled
from rl_env.parameters import CHOICES
from rl_env.parameters import PLACES as AT
from rl_env.world import (
    ALLOWED,
    BUDGET,
    CELLS,
    DELAY,
    LEASABLE,
    MAX_TTL,
    MOST,
    QUORUM,
    TTL,
    State,
    between,
    happens,
    spread,
    throw,
    whole,
)

__all__ = ["draw_guardrails"]


@compiled
def draw_guardrails(s: State) -> None:
    """The table, the lease, what the agent asks for, and how long enforcement takes."""
    wanted = _choice(s, AT.guardrails_time_to_live)
    for c in range(CELLS):
        _draw_cell(s, c, wanted)
    s.lease_until = 0
    s.lease_budget[:] = 0
    s.lease_left[:] = 0
    if happens(s, s.dials[AT.guardrails_lease_chance]):
        _draw_lease(s)
    s.lag = whole(s, AT.guardrails_enforcement_lag_low)


@compiled
def _draw_cell(s: State, c: int, wanted: int) -> None:
    cell, criticality = s.cell[c], c % 4
    cell[:] = 0
    cell[MAX_TTL] = _choice(s, AT.guardrails_max_ttl)
    cell[TTL] = min(wanted, int(cell[MAX_TTL]))
    cell[ALLOWED] = happens(s, s.dials[AT.guardrails_allowed + criticality])
    cell[LEASABLE] = happens(s, s.dials[AT.guardrails_leasable + criticality])
    cell[QUORUM] = int(s.dials[AT.guardrails_quorum + criticality])
    if happens(s, s.dials[AT.guardrails_quorum_extra]):
        cell[QUORUM] += 1
    if happens(s, s.dials[AT.guardrails_delayed + criticality]):
        cell[DELAY] = whole(s, AT.guardrails_delay_low)
    cell[BUDGET] = whole(s, AT.guardrails_budget_low)
    cell[MOST] = int(spread(s, AT.guardrails_live_low))


@compiled
def _draw_lease(s: State) -> None:
    s.lease_until = 1 + int(between(s, AT.guardrails_lease_minutes_low))
    s.lease_worst = whole(s, AT.guardrails_lease_worst_low)
    s.lease_ttl = _choice(s, AT.guardrails_lease_max_ttl)
    s.lease_budget[0] = whole(s, AT.guardrails_lease_blocks_low)
    s.lease_budget[1] = whole(s, AT.guardrails_lease_isolations_low)
    s.lease_budget[2] = whole(s, AT.guardrails_lease_revocations_low)
    for kind in range(3):
        s.lease_left[kind] = s.lease_budget[kind]


@compiled
def _choice(s: State, place: int) -> int:
    return int(s.dials[place + throw(s, CHOICES)])
