"""Random sites, rules and actions for the guardrails and their mirror, near every limit."""

from __future__ import annotations

import random
from dataclasses import dataclass

from policies.actions import Action, Kind, network_key
from policies.guardrails import Limits, Rule, Target, ZoneRule
from responder.chain.proposal import name_key

ZONES, POOLS = ("dmz", "office", "core"), ("dns", "directory")
HOSTS = tuple(f"host-{i}" for i in range(10))
KEYS = tuple(f"ssh:{i}" for i in range(6))
ADDRESSES = ("203.0.113.1", "203.0.113.1/32", "::ffff:203.0.113.1", "203.0.113.2", "2001:db8:9::1")
MALFORMED = {  # text that is no canonical network: the key that a careless client would send
    "203.0.113.9/24": 4 << 136 | 24 << 128 | 0xCB007109,
    "2001:db8::1/64": 6 << 136 | 64 << 128 | 0x20010DB8 << 96 | 1,
    "not a network": 7 << 136,
}
TTLS = (0, 1, 59, 60, 61, 600, 601, 3600, 3601, 2**32 - 1)
WEEK = 7 * 86400


@dataclass
class Site:
    """What governance has set."""

    rules: dict[tuple[Kind, int], Rule]
    limits: Limits
    zones: dict[str, ZoneRule]
    pools: dict[str, int]
    assets: dict[str, Target]
    credentials: dict[str, Target]
    networks: list[str]

    def copy(self) -> Site:
        tables = (self.zones, self.pools, self.assets, self.credentials)
        return Site(dict(self.rules), self.limits, *(dict(t) for t in tables), list(self.networks))


def a_site(rng: random.Random, now: int) -> Site:
    cells = ((kind, criticality) for kind in Kind for criticality in range(4))
    return Site(
        rules={cell: a_rule(rng) for cell in cells if rng.random() < 0.95},
        limits=Limits(3600, 900, 86400, 120, 2, 1, 2),
        zones={name: a_zone(rng, now) for name in ZONES},
        pools={name: rng.randrange(3) for name in POOLS},
        assets={name: an_asset(rng) for name in HOSTS if rng.random() < 0.95},
        credentials={name: a_credential(rng) for name in KEYS if rng.random() < 0.95},
        networks=["198.51.100.0/24", "2001:db8:1::/48"],
    )


def a_rule(rng: random.Random) -> Rule:
    if rng.random() < 0.05:
        return Rule(allowed=False)
    delay = rng.choice((0, 0, 0, 0, 0, 1, 60, 600))
    quorum = rng.choice((1, 1, 2, 3))
    groups = rng.choice((0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 8))
    return Rule(
        allowed=True,
        leasable=not delay and rng.random() < 0.8,
        quorum=max(quorum, groups.bit_count()),
        groups=groups,
        delay=delay,
        max_ttl=rng.choice((60, 600, 3600)),
        budget=rng.choice((1, 2, 4, 9, 9)),
        live=rng.choice((1, 2, 3, 9, 9)),
    )


def a_zone(rng: random.Random, now: int) -> ZoneRule:
    """Often frozen or in its change window, or about to be."""
    frozen = now + rng.choice((-600, -600, 0, 1, 60)) if rng.random() < 0.4 else 0
    return ZoneRule(
        share=rng.choice((1, 34, 50, 67, 100, 100)),
        extra=rng.randrange(3),
        frozen_from=frozen,
        frozen_until=frozen + rng.choice((0, 1, 60, 660, 7200)) if frozen else 0,
        opens=(now + rng.choice((-3600, -59, 0, 1, 60))) % WEEK,
        length=rng.choice((0, 0, 1, 60, 7200, WEEK)),
    )


def an_asset(rng: random.Random) -> Target:
    pool = rng.choice((*POOLS, "", "", ""))
    return Target(rng.choice((0, 0, 1, 1, 2, 3)), rng.random() < 0.1, rng.choice(ZONES), pool)


def a_credential(rng: random.Random) -> Target:
    return Target(rng.randrange(4), rng.random() < 0.1)


def a_network(rng: random.Random) -> str:
    """Some near the protected ones, some anywhere."""
    if rng.random() < 0.5:
        address = rng.choice((0xC6336400, 0xC6330000, 0x0A000000, rng.getrandbits(32)))
        bits = 32
    else:
        address = rng.choice((0x20010DB8_0001 << 80, 0x20010DB8 << 96, rng.getrandbits(128)))
        bits = 128
    address ^= rng.choice((0, 1, 1 << rng.randrange(bits)))
    bounds = (0, 8, 15, 16, 23, 24, 31, 32) if bits == 32 else (0, 32, 47, 48, 63, 64, 127, 128)
    prefix = rng.choice((*bounds, bits, rng.randrange(bits + 1)))
    address = address >> (bits - prefix) << (bits - prefix)
    if bits == 32:
        return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0)) + f"/{prefix}"
    groups = (f"{address >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
    return ":".join(groups) + f"/{prefix}"


def an_action(rng: random.Random) -> Action:
    """Mostly one that little stands in the way of, so that there is something to count."""
    kind = rng.choice((Kind.BLOCK, Kind.ISOLATE, Kind.ISOLATE, Kind.REVOKE))
    ttl = 60 if rng.random() < 0.85 else rng.choice(TTLS)
    return Action(kind, _a_target(rng, kind), ttl)


def key_of(action: Action) -> bytes:
    if action.kind is not Kind.BLOCK:
        return name_key(action.target)
    return (MALFORMED.get(action.target) or network_key(action.target)).to_bytes(32)


def _a_target(rng: random.Random, kind: Kind) -> str:
    if rng.random() < 0.03:
        return rng.choice(tuple(MALFORMED)) if kind is Kind.BLOCK else "unknown"
    if kind is Kind.BLOCK:
        return rng.choice(ADDRESSES) if rng.random() < 0.7 else a_network(rng)
    return rng.choice(HOSTS if kind is Kind.ISOLATE else KEYS)
