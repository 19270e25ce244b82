"""What the agent may do: the mask is exactly what the contracts would accept.

Asking the guardrails about every entity at every step would cost more than all the rest. But what
they say depends on a few things that seldom change: twelve cells, the zones, the pools. These are
asked (`survey`), and the entities are gone through only where one of them changed.
"""

from __future__ import annotations

import numpy as np

from policies import rules
from policies.columns import (
    APPROVALS,
    DELAYED,
    ORDERED,
    ORDERED_LEFT,
    PENDING,
    QUARTERS,
    REFUSED,
)
from policies.columns import (
    LEASED as LEASED_COLUMN,
)
from policies.compiled import compiled
from rl_env.parameters import PLACES as AT
from rl_env.site import (
    ASSETS,
    EXTRA,
    FROZEN_FROM,
    FROZEN_UNTIL,
    KEEP,
    MAX_SHARE,
    MEMBERS,
    OPEN_FOR,
    OPENS_AT,
    POOL,
)
from rl_env.world import (
    ALL_STALE,
    ALLOWED,
    BEGAN,
    BUDGET,
    CELL,
    CELLS,
    DELAY,
    ENDS,
    GUARDED,
    LEASABLE,
    LEASED,
    LIVE,
    MAX_TTL,
    MOST,
    NONE,
    OPEN,
    QUESTION,
    QUORUM,
    REFUSED_UNTIL,
    TTL,
    UNLIMITED,
    USED,
    ZONES_STALE,
    State,
    first_credential,
    first_indicator,
)

__all__ = ["approvals_of", "delay_of", "left", "show", "survey", "takes"]

EDGE_STALE = 2 * ZONES_STALE - 1  # all cells, zones and pools


@compiled
def survey(s: State) -> None:
    """Asks the guardrails anew, and goes through the entities where they changed their mind."""
    now = int(s.minute)
    if now >= s.next_edge:
        _cross_edge(s, now)
        s.stale |= EDGE_STALE
    stale = int(s.stale)
    if stale == 0:
        return
    s.stale = 0
    changed = stale & ALL_STALE != 0
    if changed:
        stale = EDGE_STALE
    for c in range(CELLS):
        if stale >> c & 1 != 0:
            changed |= _survey_cell(s, c, now)
    if stale & ZONES_STALE != 0:
        changed |= _survey_zones(s, now)
        changed |= _survey_pools(s)
    if changed:
        _show_all(s, 0, int(s.hosts))
        credential, indicator = first_credential(s), first_indicator(s)
        _show_all(s, credential, credential + int(s.credentials))
        _show_all(s, indicator, indicator + int(s.slots))


@compiled
def _show_all(s: State, first: int, last: int) -> None:
    for r in range(first, last):
        show(s, r)


@compiled
def _cross_edge(s: State, now: int) -> None:
    """A window of budgets begins, or something ends or begins by itself; when will the next?"""
    window = int(s.dials[AT.guardrails_window])
    absolute = int(s.epoch) // 60 + now
    if absolute % window == 0:
        for c in range(CELLS):
            s.cell[c, USED] = 0
    edge = now + window - absolute % window
    if s.lease_until > now:
        edge = min(edge, int(s.lease_until))
    for z in range(s.zones):
        zone = s.site_zone[z]
        if zone[FROZEN_FROM] > now:
            edge = min(edge, int(zone[FROZEN_FROM]))
        if zone[FROZEN_UNTIL] > now:
            edge = min(edge, int(zone[FROZEN_UNTIL]))
        if zone[OPEN_FOR] > 0:
            within = (int(s.epoch) + 60 * now - int(zone[OPENS_AT])) % rules.WEEK
            length = int(zone[OPEN_FOR]) if within < zone[OPEN_FOR] else rules.WEEK
            edge = min(edge, now + (length - within + 59) // 60)
    s.next_edge = edge
    s.blurred = 1


@compiled
def _survey_cell(s: State, c: int, now: int) -> bool:
    cell = s.cell[c]
    allowed = rules.rule_refusal(
        False, False, cell[ALLOWED] > 0, int(cell[TTL]), int(cell[MAX_TTL])
    )
    is_open = allowed == rules.NONE and cell[USED] < cell[BUDGET]
    unlimited = cell[LIVE] < cell[MOST]
    leased = cell[LEASABLE] > 0 and rules.lease_covers(
        now,
        int(s.lease_until),
        c % 4,
        int(s.lease_worst),
        int(cell[TTL]),
        int(s.lease_ttl),
        int(s.lease_left[c // 4]),
    )
    changed = (
        is_open != (cell[OPEN] > 0)
        or unlimited != (cell[UNLIMITED] > 0)
        or leased != (cell[LEASED] > 0)
    )
    cell[OPEN] = is_open
    cell[UNLIMITED] = unlimited
    cell[LEASED] = leased
    return changed


@compiled
def _survey_zones(s: State, now: int) -> bool:
    seconds = int(s.epoch) + 60 * now
    is_open, frozen, window = 0, 0, 0
    for z in range(s.zones):
        zone = s.site_zone[z]
        if _zone_takes(s, z):
            is_open |= 1 << z
        if rules.is_within(now, int(zone[FROZEN_FROM]), int(zone[FROZEN_UNTIL])):
            frozen |= 1 << z
        if rules.is_open(seconds, int(zone[OPENS_AT]), int(zone[OPEN_FOR])):
            window |= 1 << z
    changed = s.zones_open != is_open or s.zones_frozen != frozen or s.zones_at_work != window
    s.zones_open = is_open
    s.zones_frozen = frozen
    s.zones_at_work = window
    return changed


@compiled
def _survey_pools(s: State) -> bool:
    is_open = 0
    for q in range(s.pools):
        if _pool_takes(s, q):
            is_open |= 1 << q
    changed = s.pools_open != is_open
    s.pools_open = is_open
    return changed


# ---------------------------------------------------------------- one entity


@compiled
def takes(s: State, r: int) -> bool:
    """Whether the guardrails let an order on it through, budgets aside."""
    row = s.row[r]
    if row[GUARDED] > 0 or s.cell[row[CELL], ALLOWED] == 0:
        return False
    if row[ENDS] > s.minute:
        return True  # it follows one that counts
    if s.cell[row[CELL], LIVE] >= s.cell[row[CELL], MOST]:
        return False
    if r >= first_credential(s):
        return True
    # Counted anew, not as surveyed: others may have been ordered since, in the same minute.
    pool = int(s.site_host[r, POOL])
    return _zone_takes(s, int(s.zone_of[r])) and (pool < 0 or _pool_takes(s, pool))


@compiled
def _is_let_through(s: State, r: int) -> bool:
    """The same as surveyed. What an order's end makes room for, another may have taken before the
    survey, which then finds nothing changed and shows nothing anew.
    """
    row = s.row[r]
    if row[GUARDED] > 0:
        return False
    if row[ENDS] > s.minute:
        return True
    if s.cell[row[CELL], UNLIMITED] == 0:
        return False
    if r >= first_credential(s):
        return True
    pool = int(s.site_host[r, POOL])
    in_zone = s.zones_open >> int(s.zone_of[r]) & 1 != 0
    return in_zone and (pool < 0 or s.pools_open >> pool & 1 != 0)


@compiled
def _zone_takes(s: State, z: int) -> bool:
    """Whether one asset more of the zone may be isolated."""
    zone = s.site_zone[z]
    isolated = int(s.isolated[z]) + 1
    return not rules.is_over_share(int(zone[ASSETS]), isolated, int(zone[MAX_SHARE]))


@compiled
def _pool_takes(s: State, q: int) -> bool:
    """Whether one member more of the pool may be isolated."""
    pool = s.site_pool[q]
    isolated = int(s.pooled[q]) + 1
    return not rules.is_below_minimum(int(pool[MEMBERS]), isolated, int(pool[KEEP]))


@compiled
def approvals_of(s: State, r: int) -> int:
    """That an order on it needs where no lease covers it."""
    approvals = int(s.cell[s.row[r, CELL], QUORUM])
    if _is_frozen(s, r):
        approvals += int(s.site_zone[s.zone_of[r], EXTRA])
    return approvals


@compiled
def delay_of(s: State, r: int) -> int:
    """Minutes from the last approval to the order."""
    if r < first_credential(s) and s.zones_at_work >> int(s.zone_of[r]) & 1 != 0:
        return 0
    return int(s.cell[s.row[r, CELL], DELAY])


@compiled
def is_leased(s: State, r: int) -> bool:
    """Whether an order on it would hold at once."""
    return s.cell[s.row[r, CELL], LEASED] > 0 and not _is_frozen(s, r)


@compiled
def _is_frozen(s: State, r: int) -> bool:
    return r < first_credential(s) and s.zones_frozen >> int(s.zone_of[r]) & 1 != 0


@compiled
def left(s: State, r: int) -> int:
    """Quarters, rounded up, of its time to live that the order has left; zero without one."""
    row = s.row[r]
    remaining = int(row[ENDS]) - int(s.minute)
    if remaining <= 0:
        return 0
    return -(-QUARTERS * remaining // max(1, int(row[ENDS]) - int(row[BEGAN])))


@compiled
def show(s: State, r: int) -> None:
    """Writes what may be done with it, and what is under way, where the agent sees it."""
    row, rows = s.row[r], s.row.shape[0]
    quarters = left(s, r)
    pending = row[QUESTION] != NONE
    refused = row[REFUSED_UNTIL] > s.minute
    accepted = s.cell[row[CELL], OPEN] > 0 and _is_let_through(s, r)
    free = not pending and not refused and quarters <= 1
    s.mask[1 + r] = accepted and free
    s.mask[1 + rows + r] = quarters > 0 and not pending and not refused
    leased = accepted and is_leased(s, r)
    delay = delay_of(s, r) if accepted and not leased else 0
    approvals = approvals_of(s, r) if accepted and not leased else 0
    s.entities[ORDERED, r] = quarters > 0
    s.entities[ORDERED_LEFT, r] = np.float32(quarters / QUARTERS)
    s.entities[PENDING, r] = pending
    s.entities[REFUSED, r] = refused
    s.entities[LEASED_COLUMN, r] = leased
    s.entities[APPROVALS, r] = np.float32(approvals / 4.0)
    s.entities[DELAYED, r] = delay > 0
