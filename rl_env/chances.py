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
    LAG,
    LEASABLE,
    LEASE_BUDGET,
    LEASE_LEFT,
    LEASE_TTL,
    LEASE_UNTIL,
    LEASE_WORST,
    MAX_TTL,
    MOST,
    QUORUM,
    TTL,
    World,
    between,
    happens,
    spread,
    throw,
    whole,
)

__all__ = ["draw_guardrails"]


@compiled
def draw_guardrails(w: World, e: int) -> None:
    """The table, the lease, what the agent asks for, and how long enforcement takes."""
    wanted = _choice(w, e, AT.guardrails_time_to_live)
    for c in range(CELLS):
        _draw_cell(w, e, c, wanted)
    w.lease[e] = 0
    if happens(w, e, w.dials[AT.guardrails_lease_chance]):
        _draw_lease(w, e)
    w.state[e, LAG] = whole(w, e, AT.guardrails_enforcement_lag_low)


@compiled
def _draw_cell(w: World, e: int, c: int, wanted: int) -> None:
    cell, criticality = w.cell[e, c], c % 4
    cell[:] = 0
    cell[MAX_TTL] = _choice(w, e, AT.guardrails_max_ttl)
    cell[TTL] = min(wanted, int(cell[MAX_TTL]))
    cell[ALLOWED] = happens(w, e, w.dials[AT.guardrails_allowed + criticality])
    cell[LEASABLE] = happens(w, e, w.dials[AT.guardrails_leasable + criticality])
    cell[QUORUM] = int(w.dials[AT.guardrails_quorum + criticality])
    if happens(w, e, w.dials[AT.guardrails_quorum_extra]):
        cell[QUORUM] += 1
    if happens(w, e, w.dials[AT.guardrails_delayed + criticality]):
        cell[DELAY] = whole(w, e, AT.guardrails_delay_low)
    cell[BUDGET] = whole(w, e, AT.guardrails_budget_low)
    cell[MOST] = int(spread(w, e, AT.guardrails_live_low))


@compiled
def _draw_lease(w: World, e: int) -> None:
    lease = w.lease[e]
    lease[LEASE_UNTIL] = 1 + int(between(w, e, AT.guardrails_lease_minutes_low))
    lease[LEASE_WORST] = whole(w, e, AT.guardrails_lease_worst_low)
    lease[LEASE_TTL] = _choice(w, e, AT.guardrails_lease_max_ttl)
    lease[LEASE_BUDGET] = whole(w, e, AT.guardrails_lease_blocks_low)
    lease[LEASE_BUDGET + 1] = whole(w, e, AT.guardrails_lease_isolations_low)
    lease[LEASE_BUDGET + 2] = whole(w, e, AT.guardrails_lease_revocations_low)
    for kind in range(3):
        lease[LEASE_LEFT + kind] = lease[LEASE_BUDGET + kind]


@compiled
def _choice(w: World, e: int, place: int) -> int:
    return int(w.dials[place + throw(w, e, CHOICES)])
