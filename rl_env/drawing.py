"""Sites drawn by chance: zones, hosts and what they are for, keys.

The proportions follow what is published of enterprises and test beds: mostly workstations (the test
beds of the AIT Alert Data Set have 7 to 12 employees' hosts to 8 servers; larger sites have more),
directory servers in pairs (Microsoft's advice for domain controllers), a screened subnet for what
faces the internet (NIST SP 800-41), sometimes a plant apart (NIST SP 800-82), office networks of at
most a /24. What is not published is judgement.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from dataclasses import replace
from itertools import count, pairwise
from math import ceil

import numpy as np
from numpy.random import Generator

from policies.inventory import Asset, Credential, Inventory
from policies.simulation import Host, Simulation
from rl_env.roles import CRITICALITY, PREFIX, PROTECTED

__all__ = ["draw_hosts", "with_credentials"]

_OPERATORS = "10.250.0.0/24"  # where those sit who countersign
_MAX_POOLS_OF_A_SORT = 6

Place = tuple[str, str]  # zone and role


def draw_hosts(rng: Generator, size: int) -> Inventory:
    """A site of `size` hosts with their roles; keys, users and the rest are still to come."""
    places = _places(rng, size)
    zones = {zone: number for number, zone in enumerate(dict.fromkeys(z for z, _ in places))}
    in_zone, of_role = Counter[str](), Counter[str]()
    assets, roles = [], {}
    for zone, role in places:
        of_role[role] += 1
        name = f"{PREFIX[role]}-{of_role[role]}"
        number, in_zone[zone] = in_zone[zone], in_zone[zone] + 1
        assets.append(
            Asset(
                name,
                zone,
                criticality=int(rng.choice(4, p=CRITICALITY[role])),
                protected=bool(rng.random() < _guarded(zone, role)),
                addresses=(f"10.{16 + zones[zone]}.{number // 250}.{number % 250 + 1}",),
            )
        )
        roles[name] = Host(role=role)
    return Inventory(
        _pooled(rng, assets, places),
        protected_networks=(_OPERATORS,),
        simulation=Simulation(assets=roles),
    )


def with_credentials(rng: Generator, inventory: Inventory) -> Inventory:
    """Adds keys, one for about eight hosts, of users and of services, and sometimes protects a
    partner's address.
    """
    size, users = len(inventory.assets), inventory.simulation.users or ()
    most = max(4, size // 8)
    keys = [
        Credential(
            f"{('ssh', 'api')[int(rng.random() < 0.3)]}:SHA256:{_digest(rng)}",
            criticality=int(rng.choice(4, p=(0.3, 0.4, 0.2, 0.1))),
            protected=bool(rng.random() < 0.08),
        )
        for _ in range(int(rng.integers(max(1, most // 2), most + 1)))
    ]
    owned = rng.random(len(keys)) < 0.6
    people = iter(rng.permutation(len(users)))
    services = (f"service-{number}" for number in count(1))
    principals = [
        users[person].id if mine and (person := next(people, None)) is not None else next(services)
        for mine in owned
    ]
    partners = (inventory.simulation.partners or ())[: int(rng.random() < 0.4)]
    return replace(
        inventory,
        credentials=tuple(
            replace(key, principal=who) for key, who in zip(keys, principals, strict=True)
        ),
        protected_networks=(
            *inventory.protected_networks,
            *(f"{partner}/32" for partner in partners),
        ),
    )


# ---------------------------------------------------------------- zones and roles


def _places(rng: Generator, size: int) -> list[Place]:
    """Zone and role of every host, zone by zone."""
    large = size >= 30
    offices = rng.uniform(0.65, 0.8) if large else rng.uniform(0.4, 0.6)
    dmz = _some(size, rng.uniform(0.02, 0.05) if large else rng.uniform(0.08, 0.2), 1)
    directories = _directories(rng, size)
    management = _some(size, rng.uniform(0.01, 0.03), 1) if size >= 20 else 0
    plant = _some(size, rng.uniform(0.03, 0.08), 2) if size >= 12 and rng.random() < 0.25 else 0
    lab = _some(size, 0.04, 1) if large and rng.random() < 0.2 else 0
    others = dmz + directories + management + plant + lab
    servers = max(_some(size, 1.0 - offices, 0) - others, _some(size, 0.06, 2 if size > 5 else 1))
    databases = max(1, round(servers * rng.uniform(0.15, 0.3)))
    desks = size - others - servers
    apart = size >= 40 and rng.random() < 0.6
    data = "data" if apart or servers > 60 else "servers"
    return [
        *_dmz(rng, dmz),
        *_spread("servers", ["server"] * (servers - databases), min(3, ceil(servers / 60))),
        *((data, role) for role in ["database"] * databases),
        *((data, role) for role in ["directory"] * directories),
        *(("management", "gateway" if rng.random() < 0.3 else "server") for _ in range(management)),
        *(("plant", "controller" if i else "server") for i in range(plant)),
        *(("lab", "server" if rng.random() < 0.5 else "workstation") for _ in range(lab)),
        *_spread("office", ["workstation"] * desks, _offices(rng, desks)),
    ]


def _some(size: int, share: float, least: int) -> int:
    return max(least, round(size * share))


def _directories(rng: Generator, size: int) -> int:
    if size < 8:
        return 0
    pair = size >= 16 and rng.random() < 0.8
    return _some(size, rng.uniform(0.01, 0.03), 2 if pair else 1)


def _offices(rng: Generator, desks: int) -> int:
    """How many office zones, none of them larger than a /24."""
    return int(np.clip(round(desks / rng.uniform(40.0, 150.0)), max(1, ceil(desks / 250)), 8))


def _dmz(rng: Generator, hosts: int) -> list[Place]:
    return [("dmz", "gateway" if i and rng.random() < 0.3 else "server") for i in range(hosts)]


def _spread(zone: str, roles: list[str], zones: int) -> list[Place]:
    """Over so many zones of a kind, in equal parts."""
    zones = max(1, zones)
    ends = [round(len(roles) * i / zones) for i in range(zones + 1)]
    names = [zone] if zones == 1 else [f"{zone}-{i + 1}" for i in range(zones)]
    return [
        (name, role)
        for name, (start, end) in zip(names, pairwise(ends), strict=True)
        for role in roles[start:end]
    ]


def _guarded(zone: str, role: str) -> float:
    return 0.5 if zone == "management" else PROTECTED[role]


# ---------------------------------------------------------------- pools and keys


def _pooled(rng: Generator, assets: list[Asset], places: list[Place]) -> tuple[Asset, ...]:
    """Directory servers always in redundancy groups; some of the DMZ's and other servers, too."""
    chosen = {
        "directories": ([i for i, (_, r) in enumerate(places) if r == "directory"], 1.0),
        "front": ([i for i, p in enumerate(places) if p == ("dmz", "server")], 0.6),
        "farm": ([i for i, (z, r) in enumerate(places) if r == "server" and z[:4] == "serv"], 0.3),
    }
    pooled = list(assets)
    for sort, (rows, share) in chosen.items():
        kept = [row for row in rows if share == 1.0 or rng.random() < share]
        wide = max(int(rng.integers(2, 5)), ceil(len(kept) / _MAX_POOLS_OF_A_SORT))
        groups = [kept[i : i + wide] for i in range(0, len(kept), wide)]
        for number, group in enumerate(groups[: 4 if sort != "directories" else None], 1):
            if len(group) > 1:
                for row in group:
                    pooled[row] = replace(pooled[row], pool=f"{sort}-{number}")
    return tuple(pooled)


def _digest(rng: Generator) -> str:
    return b64encode(rng.bytes(32)).decode().rstrip("=")
