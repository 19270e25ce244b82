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
    REFUSED,
)
from policies.columns import (
    LEASED as LEASED_COLUMN,
)
from policies.compiled import compiled
from rl_env.parameters import PLACES as AT
from rl_env.site import (
    ASSETS,
    CREDENTIALS,
    EXTRA,
    FROZEN_FROM,
    FROZEN_UNTIL,
    HOSTS,
    KEEP,
    MAX_SHARE,
    MEMBERS,
    OPEN_FOR,
    OPENS_AT,
    POOL,
    ZONES,
)
from rl_env.world import (
    ALLOWED,
    BEGAN,
    BUDGET,
    CELL,
    CELLS,
    DELAY,
    ENDS,
    EPOCH,
    GUARDED,
    LEASABLE,
    LEASE_LEFT,
    LEASE_TTL,
    LEASE_UNTIL,
    LEASE_WORST,
    LEASED,
    LIVE,
    MAX_TTL,
    MINUTE,
    MOST,
    NEXT_EDGE,
    NONE,
    OPEN,
    QUESTION,
    QUORUM,
    REFUSED_UNTIL,
    SITE,
    SLOTS,
    STALE,
    TTL,
    UNLIMITED,
    USED,
    World,
    first_credential,
    first_indicator,
)

__all__ = ["QUARTERS", "approvals_of", "delay_of", "left", "show", "survey", "takes"]

QUARTERS = 4  # in which the time that an order has left is shown
ZONE_OPEN, ZONE_FROZEN, ZONE_WINDOW, POOL_OPEN = range(4)  # of World.opened


@compiled
def survey(w: World, e: int) -> None:
    """Asks the guardrails anew, and goes through the entities where they changed their mind."""
    now = int(w.state[e, MINUTE])
    if now >= w.state[e, NEXT_EDGE]:
        _cross_edge(w, e, now)
    elif w.state[e, STALE] == 0:
        return
    changed = w.state[e, STALE] > 1
    w.state[e, STALE] = 0
    for c in range(CELLS):
        changed |= _survey_cell(w, e, c, now)
    changed |= _survey_zones(w, e, now)
    changed |= _survey_pools(w, e)
    if changed:
        site = w.state[e, SITE]
        _show_all(w, e, 0, int(w.sites.size[site, HOSTS]))
        credential, indicator = first_credential(w), first_indicator(w)
        _show_all(w, e, credential, credential + int(w.sites.size[site, CREDENTIALS]))
        _show_all(w, e, indicator, indicator + int(w.state[e, SLOTS]))


@compiled
def _show_all(w: World, e: int, first: int, last: int) -> None:
    for r in range(first, last):
        show(w, e, r)


@compiled
def _cross_edge(w: World, e: int, now: int) -> None:
    """A window of budgets begins, or something ends or begins by itself; when will the next?"""
    window = int(w.dials[AT.guardrails_window])
    absolute = int(w.state[e, EPOCH]) // 60 + now
    if absolute % window == 0:
        for c in range(CELLS):
            w.cell[e, c, USED] = 0
    edge = now + window - absolute % window
    if w.lease[e, LEASE_UNTIL] > now:
        edge = min(edge, int(w.lease[e, LEASE_UNTIL]))
    site = w.state[e, SITE]
    for z in range(w.sites.size[site, ZONES]):
        zone = w.sites.zone[site, z]
        if zone[FROZEN_FROM] > now:
            edge = min(edge, int(zone[FROZEN_FROM]))
        if zone[FROZEN_UNTIL] > now:
            edge = min(edge, int(zone[FROZEN_UNTIL]))
        if zone[OPEN_FOR] > 0:
            within = (int(w.state[e, EPOCH]) + 60 * now - int(zone[OPENS_AT])) % rules.WEEK
            length = int(zone[OPEN_FOR]) if within < zone[OPEN_FOR] else rules.WEEK
            edge = min(edge, now + (length - within + 59) // 60)
    w.state[e, NEXT_EDGE] = edge


@compiled
def _survey_cell(w: World, e: int, c: int, now: int) -> bool:
    cell, lease = w.cell[e, c], w.lease[e]
    allowed = rules.rule_refusal(
        False, False, cell[ALLOWED] > 0, int(cell[TTL]), int(cell[MAX_TTL])
    )
    is_open = allowed == rules.NONE and cell[USED] < cell[BUDGET]
    unlimited = cell[LIVE] < cell[MOST]
    leased = cell[LEASABLE] > 0 and rules.lease_covers(
        now,
        int(lease[LEASE_UNTIL]),
        c % 4,
        int(lease[LEASE_WORST]),
        int(cell[TTL]),
        int(lease[LEASE_TTL]),
        int(lease[LEASE_LEFT + c // 4]),
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
def _survey_zones(w: World, e: int, now: int) -> bool:
    site, seconds = w.state[e, SITE], int(w.state[e, EPOCH]) + 60 * now
    is_open, frozen, window = 0, 0, 0
    for z in range(w.sites.size[site, ZONES]):
        zone = w.sites.zone[site, z]
        isolated = int(w.isolated[e, z]) + 1
        if not rules.is_over_share(int(zone[ASSETS]), isolated, int(zone[MAX_SHARE])):
            is_open |= 1 << z
        if rules.is_within(now, int(zone[FROZEN_FROM]), int(zone[FROZEN_UNTIL])):
            frozen |= 1 << z
        if rules.is_open(seconds, int(zone[OPENS_AT]), int(zone[OPEN_FOR])):
            window |= 1 << z
    opened = w.opened[e]
    changed = (
        opened[ZONE_OPEN] != is_open
        or opened[ZONE_FROZEN] != frozen
        or opened[ZONE_WINDOW] != window
    )
    opened[ZONE_OPEN] = is_open
    opened[ZONE_FROZEN] = frozen
    opened[ZONE_WINDOW] = window
    return changed


@compiled
def _survey_pools(w: World, e: int) -> bool:
    site, is_open = w.state[e, SITE], 0
    for q in range(w.pooled.shape[1]):
        pool = w.sites.pool[site, q]
        isolated = int(w.pooled[e, q]) + 1
        if not rules.is_below_minimum(int(pool[MEMBERS]), isolated, int(pool[KEEP])):
            is_open |= 1 << q
    changed = w.opened[e, POOL_OPEN] != is_open
    w.opened[e, POOL_OPEN] = is_open
    return changed


# ---------------------------------------------------------------- one entity


@compiled
def takes(w: World, e: int, r: int) -> bool:
    """Whether the guardrails let an order on it through, budgets aside."""
    row = w.row[e, r]
    if row[GUARDED] > 0 or w.cell[e, row[CELL], ALLOWED] == 0:
        return False
    if row[ENDS] > w.state[e, MINUTE]:
        return True  # it follows one that counts
    if w.cell[e, row[CELL], LIVE] >= w.cell[e, row[CELL], MOST]:
        return False
    if r >= first_credential(w):
        return True
    site = w.state[e, SITE]
    if w.opened[e, ZONE_OPEN] >> int(w.zone_of[e, r]) & 1 == 0:
        return False
    pool = int(w.sites.host[site, r, POOL])
    return pool < 0 or w.opened[e, POOL_OPEN] >> pool & 1 != 0


@compiled
def approvals_of(w: World, e: int, r: int) -> int:
    """That an order on it needs where no lease covers it."""
    approvals = int(w.cell[e, w.row[e, r, CELL], QUORUM])
    if _is_frozen(w, e, r):
        approvals += int(w.sites.zone[w.state[e, SITE], w.zone_of[e, r], EXTRA])
    return approvals


@compiled
def delay_of(w: World, e: int, r: int) -> int:
    """Minutes from the last approval to the order."""
    if r < first_credential(w) and w.opened[e, ZONE_WINDOW] >> int(w.zone_of[e, r]) & 1 != 0:
        return 0
    return int(w.cell[e, w.row[e, r, CELL], DELAY])


@compiled
def is_leased(w: World, e: int, r: int) -> bool:
    """Whether an order on it would hold at once."""
    return w.cell[e, w.row[e, r, CELL], LEASED] > 0 and not _is_frozen(w, e, r)


@compiled
def _is_frozen(w: World, e: int, r: int) -> bool:
    return r < first_credential(w) and w.opened[e, ZONE_FROZEN] >> int(w.zone_of[e, r]) & 1 != 0


@compiled
def left(w: World, e: int, r: int) -> int:
    """Quarters, rounded up, of its time to live that the order has left; zero without one."""
    row = w.row[e, r]
    remaining = int(row[ENDS]) - int(w.state[e, MINUTE])
    if remaining <= 0:
        return 0
    return -(-QUARTERS * remaining // max(1, int(row[ENDS]) - int(row[BEGAN])))


@compiled
def show(w: World, e: int, r: int) -> None:
    """Writes what may be done with it, and what is under way, where the agent sees it."""
    row, rows = w.row[e, r], w.row.shape[1]
    quarters = left(w, e, r)
    pending = row[QUESTION] != NONE
    refused = row[REFUSED_UNTIL] > w.state[e, MINUTE]
    accepted = w.cell[e, row[CELL], OPEN] > 0 and takes(w, e, r)
    free = not pending and not refused and quarters <= 1
    w.mask[e, 1 + r] = accepted and free
    w.mask[e, 1 + rows + r] = quarters > 0 and not pending
    leased = accepted and is_leased(w, e, r)
    delay = delay_of(w, e, r) if accepted and not leased else 0
    approvals = approvals_of(w, e, r) if accepted and not leased else 0
    shown = w.entities[e, r]
    shown[ORDERED] = quarters > 0
    shown[ORDERED_LEFT] = np.float32(quarters / QUARTERS)
    shown[PENDING] = pending
    shown[REFUSED] = refused
    shown[LEASED_COLUMN] = leased
    shown[APPROVALS] = np.float32(approvals / 4.0)
    shown[DELAYED] = delay > 0
