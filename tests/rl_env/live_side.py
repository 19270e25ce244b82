"""A simulated environment as the live side would know it: the picture that it begins with, and what
its ledger would say of guardrails and of what is under way.
"""

from __future__ import annotations

import ipaddress

import numpy as np

from policies.actions import Kind
from policies.guardrails import Guardrails, Lease, Limits, Rule, Target, ZoneRule
from policies.observation import Standing
from policies.picture import Entity, Picture
from rl_env.blueprint import Blueprint
from rl_env.history import learned_before
from rl_env.parameters import PLACES as AT
from rl_env.rules import IN_ALL
from rl_env.world import (
    ADDRESS,
    ALLOWED,
    BEGAN,
    BUDGET,
    DELAY,
    ENDS,
    LEASABLE,
    MAX_TTL,
    MOST,
    NONE,
    QUESTION,
    QUORUM,
    REFUSED_UNTIL,
    TTL,
    USED,
    State,
    first_credential,
    first_indicator,
)

MODEL = b"\7" * 32


def beginning(s: State, site: Blueprint, first_type: int = 100_000) -> Picture:
    """What was learned before the episode of `s`, just reset; its rules are Wazuh's."""
    names = [f"wazuh:{first_type + rule}" for rule in range(IN_ALL)]
    picture = Picture(site.inventory)
    picture.windows = int(s.history)
    picture.start = picture.time = float(s.epoch)
    picture.site_rates = {n: int(s.anywhere[k]) for k, n in enumerate(names)}
    with np.errstate(over="ignore"):
        for host, asset in enumerate(site.inventory.assets):
            rates = {n: int(learned_before(s, host, k)) for k, n in enumerate(names)}
            picture.rates[asset.id] = {n: seen for n, seen in rates.items() if seen}
    return picture


def rows_of(s: State, site: Blueprint) -> dict[Entity, int]:
    """Where the simulator has each entity, in the picture's order."""
    inventory = site.inventory
    hosts = {Entity(Kind.ISOLATE, a.id): row for row, a in enumerate(inventory.assets)}
    keys = {
        Entity(Kind.REVOKE, key.id): int(first_credential(s)) + c
        for c, key in enumerate(inventory.credentials)
    }
    indicators = {
        Entity(Kind.BLOCK, f"{ipaddress.IPv4Address(int(s.indicator[slot, ADDRESS]))}/32"): int(
            first_indicator(s)
        )
        + slot
        for slot in range(int(s.slots))
    }
    return hosts | keys | indicators


def guardrails_of(s: State, site: Blueprint) -> Guardrails:
    """As the ledger makes them of the chain's state, at the state's minute."""
    now, epoch = int(s.minute), int(s.epoch)
    inventory = site.inventory
    made = Guardrails(
        {(Kind(c // 4), c % 4): _rule(s.cell[c]) for c in range(12)},
        Limits(60 * int(s.dials[AT.guardrails_window]), 600, 86400, 300, 2, 2, 2),
        {a.id: Target(a.criticality, a.protected, a.zone, a.pool) for a in inventory.assets},
        {c.id: Target(c.criticality, c.protected) for c in inventory.credentials},
        inventory.protected_networks,
        {
            name: ZoneRule(
                rule.share,
                rule.extra,
                max(0, epoch + 60 * rule.frozen_from),
                max(0, epoch + 60 * rule.frozen_until),
                rule.opens_at,
                rule.open_for,
            )
            for name, rule in zip(site.zones, site.rules, strict=True)
        },
        dict(zip(site.pools, site.keeps, strict=True)),
    )
    made.counted = {
        (entity.kind, entity.id) for entity, r in rows_of(s, site).items() if s.row[r, ENDS] > now
    }
    for c in range(12):
        made.set_used(Kind(c // 4), c % 4, int(s.cell[c, USED]), epoch + 60 * now)
    if s.lease_until > now:
        budgets = [int(budget) for budget in s.lease_budget]
        made.lease = Lease(
            MODEL,
            (budgets[0], budgets[1], budgets[2]),
            int(s.lease_worst),
            60 * int(s.lease_ttl),
            epoch + 60 * int(s.lease_until),
            [budget - int(left) for budget, left in zip(budgets, s.lease_left, strict=True)],
        )
    return made


def _rule(cell: np.ndarray) -> Rule:
    return Rule(
        allowed=bool(cell[ALLOWED]),
        leasable=bool(cell[LEASABLE]),
        quorum=int(cell[QUORUM]),
        delay=60 * int(cell[DELAY]),
        max_ttl=60 * int(cell[MAX_TTL]),
        budget=int(cell[BUDGET]),
        live=int(cell[MOST]),
    )


def standings_of(s: State, site: Blueprint) -> dict[Entity, Standing]:
    """As the ledger tells them."""
    now = int(s.minute)
    found = {}
    for entity, r in rows_of(s, site).items():
        row = s.row[r]
        left = max(0, int(row[ENDS]) - now) / max(1, int(row[ENDS]) - int(row[BEGAN]))
        standing = Standing(
            ordered=bool(row[ENDS] > now),
            ordered_left=left,
            pending=bool(row[QUESTION] != NONE),
            refused=bool(row[REFUSED_UNTIL] > now),
        )
        if standing != Standing():
            found[entity] = standing
    return found


def ttl_of(s: State) -> tuple[int, int, int]:
    """Seconds that the agent asks for, by Kind: the longest of any cell, which the others cut."""
    return tuple(60 * int(s.cell[4 * k : 4 * k + 4, TTL].max()) for k in range(3))  # type: ignore
