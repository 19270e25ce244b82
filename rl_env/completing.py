"""What an inventory leaves out of what a simulation needs, drawn from a seed.

Each matter has dice of its own, so stating one of them changes none of the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from policies.inventory import Asset, Grant, Inventory, Resource
from policies.simulation import MAX_NEEDS, SERVICES, Host, User
from rl_env.roles import OFFERS, REACHES, guess_role, kind_of_zone
from rl_env.site import OPENS

__all__ = ["complete", "dice", "opened"]

_MAX_PARTNERS = 8
_JEWELS = ("database", "directory", "controller")
_FOREVER = 4102444800  # 2100-01-01
_DOCUMENTATION = ("192.0.2", "198.51.100", "203.0.113")  # networks of RFC 5737

Reach = Mapping[str, tuple[str, ...]]


def dice(seed: int, matter: str) -> Generator:
    """For one matter of one site."""
    return np.random.default_rng([seed, zlib.crc32(matter.encode())])


def complete(inventory: Inventory, seed: int) -> Inventory:
    """The same inventory with a simulation section and grants that leave nothing open."""
    said = inventory.simulation
    roles = _roles(inventory)
    kinds = _kinds(inventory.assets, roles)
    hosts = _hosts(inventory, roles, kinds, seed)
    partners = said.partners
    if partners is None:
        partners = _partners(dice(seed, "partners"), len(hosts))
    if said.reach is None:
        reach = _with_a_way_in(inventory.assets, hosts, _reach(dice(seed, "reach"), kinds))
    else:
        reach = {zone: said.reach.get(zone, ()) for zone in kinds}
    users = said.users
    if users is None:
        users = _users(dice(seed, "users"), inventory.assets, roles, reach, partners)
    simulation = replace(
        said,
        assets={asset.id: host for asset, host in zip(inventory.assets, hosts, strict=True)},
        users=users,
        reach=reach,
        partners=partners,
    )
    return _granted(dice(seed, "grants"), replace(inventory, simulation=simulation), roles)


def opened(inventory: Inventory) -> list[tuple[int, ...]]:
    """For each credential the rows of the assets that it opens, by the grants of its principal."""
    asset_of = {resource.id: resource.asset for resource in inventory.resources}
    row_of = {asset.id: row for row, asset in enumerate(inventory.assets)}
    rows: dict[str, dict[int, None]] = {}
    for grant in inventory.grants:
        rows.setdefault(grant.principal, {})[row_of[asset_of[grant.resource]]] = None
    return [tuple(sorted(rows.get(key.owner, ()))) for key in inventory.credentials]


def _roles(inventory: Inventory) -> list[str]:
    """The role of every asset: as stated, else guessed."""
    said = inventory.simulation.assets
    return [
        (said[asset.id].role if asset.id in said else None)
        or guess_role(" ".join((asset.id, *asset.names)), asset.zone, asset.criticality)
        for asset in inventory.assets
    ]


def _kinds(assets: Sequence[Asset], roles: list[str]) -> dict[str, str]:
    """By zone, in the order of the assets."""
    of_zone: dict[str, list[str]] = {}
    for asset, role in zip(assets, roles, strict=True):
        of_zone.setdefault(asset.zone, []).append(role)
    return {zone: kind_of_zone(zone, found) for zone, found in of_zone.items()}


# ---------------------------------------------------------------- hosts


def _hosts(
    inventory: Inventory, roles: list[str], kinds: Mapping[str, str], seed: int
) -> list[Host]:
    said = [inventory.simulation.assets.get(asset.id, Host()) for asset in inventory.assets]
    exposed = _exposed(dice(seed, "exposed"), inventory.assets, roles, kinds, said)
    jewels = _jewels(dice(seed, "jewels"), inventory.assets, roles, said)
    luck = dice(seed, "services").random((len(said), len(SERVICES)))
    return [
        Host(
            role=role,
            exposed=row in exposed,
            services=_offered(role, luck[row], row in exposed)
            if host.services is None
            else host.services,
            jewel=row in jewels,
        )
        for row, (host, role) in enumerate(zip(said, roles, strict=True))
    ]


def _exposed(
    rng: Generator,
    assets: Sequence[Asset],
    roles: list[str],
    kinds: Mapping[str, str],
    said: list[Host],
) -> set[int]:
    """Most of what is in a DMZ; one host at least, where none is said to be."""
    luck = rng.random(len(assets)) < 0.85
    chosen = {
        row
        for row, asset in enumerate(assets)
        if said[row].exposed
        or (said[row].exposed is None and kinds[asset.zone] == "dmz" and luck[row])
    }
    if chosen or any(host.exposed is False for host in said):
        return chosen
    fronts = [row for row, asset in enumerate(assets) if kinds[asset.zone] == "dmz"]
    doors = [row for row, role in enumerate(roles) if role in ("gateway", "server")]
    return {(fronts or doors or [0])[0]}


def _jewels(
    rng: Generator, assets: Sequence[Asset], roles: list[str], said: list[Host]
) -> set[int]:
    """One to three, where none is stated: of databases, directories and controllers, the worthier
    the likelier.
    """
    luck, wanted = rng.random(len(assets)), int(rng.integers(1, 4))
    stated = {row for row, host in enumerate(said) if host.jewel}
    if stated:
        return stated
    open_rows = [row for row, host in enumerate(said) if host.jewel is None]
    worthy = [row for row in open_rows if roles[row] in _JEWELS] or [
        row for row in open_rows if assets[row].criticality == max(a.criticality for a in assets)
    ]
    ranked = sorted(worthy, key=lambda row: -luck[row] * (1 + assets[row].criticality))
    return set(ranked[: min(wanted, max(1, len(assets) // 8))])


def _offered(role: str, luck: NDArray[np.float64], exposed: bool) -> tuple[str, ...]:
    offers = OFFERS[role]
    found = [s for number, s in enumerate(SERVICES) if luck[number] < offers.get(s, 0.0)]
    if not found and (exposed or role != "workstation"):
        found = [next(iter(offers))]
    return tuple(found)


# ---------------------------------------------------------------- zones


def _reach(rng: Generator, kinds: Mapping[str, str]) -> Reach:
    """By the kinds of both zones; one site in ten is flat."""
    flat = rng.random() < 0.1
    luck = rng.random((len(kinds), len(kinds)))
    zones = list(kinds)
    return {
        zone: tuple(
            other
            for j, other in enumerate(zones)
            if i != j and (flat or luck[i, j] < REACHES[kinds[zone]].get(kinds[other], 0.0))
        )
        for i, zone in enumerate(zones)
    }


def _with_a_way_in(assets: Sequence[Asset], hosts: list[Host], reach: Reach) -> Reach:
    """Opens the way from a door's zone to a jewel's, unless services on the way make one."""
    doors = [a.zone for a, host in zip(assets, hosts, strict=True) if host.exposed]
    goals = {a.zone for a, host in zip(assets, hosts, strict=True) if host.jewel and host.services}
    stations = {a.zone for a, host in zip(assets, hosts, strict=True) if host.services}
    seen = dict.fromkeys(doors)
    for zone in (frontier := list(seen)):
        for other in reach[zone]:
            if other not in seen and other in stations:
                seen[other] = None
                frontier.append(other)
    if not doors or not goals or goals & seen.keys():
        return reach
    return {**reach, doors[0]: (*reach[doors[0]], min(goals))}


def _partners(rng: Generator, size: int) -> tuple[str, ...]:
    """Different addresses of the networks set aside for documentation."""
    most = int(np.clip(size // 20, 2, _MAX_PARTNERS))
    wanted = int(rng.integers(1, most + 1))
    numbers = rng.choice(3 * 254, wanted, replace=False)
    return tuple(f"{_DOCUMENTATION[n // 254]}.{n % 254 + 1}" for n in numbers)


# ---------------------------------------------------------------- people and keys


def _users(
    rng: Generator,
    assets: Sequence[Asset],
    roles: list[str],
    reach: Reach,
    partners: Sequence[str],
) -> tuple[User, ...]:
    """At most one for two hosts, each at a workstation of their own while there are any, with one
    to four servers that can be reached from there.
    """
    size = len(assets)
    desks = [row for row, role in enumerate(roles) if role == "workstation"] or list(range(size))
    servers = [row for row, role in enumerate(roles) if role in ("server", "database", "directory")]
    liked = dict(zip(servers, np.exp(rng.normal(0.0, 0.5, len(servers))), strict=True))
    wanted = int(np.clip(round(len(desks) * rng.uniform(0.7, 1.0)), 2, max(4, size // 2)))
    places = [desks[i] for i in rng.permutation(len(desks))]
    users = []
    for number in range(wanted):
        own = places[number % len(places)]
        zones = {assets[own].zone, *reach[assets[own].zone]}
        near = [row for row in servers if row != own and assets[row].zone in zones] or [
            row for row in servers if row != own
        ]
        weights = np.array([liked[row] for row in near])
        needs = min(len(near), int(rng.integers(1, MAX_NEEDS + 1)))
        chosen = rng.choice(near, needs, replace=False, p=weights / weights.sum()) if near else ()
        partner = partners[int(rng.integers(len(partners)))] if partners else ""
        users.append(
            User(
                f"user-{number + 1}",
                assets[own].id,
                tuple(assets[row].id for row in sorted(chosen)),
                partner if rng.random() < 0.4 else "",
            )
        )
    return tuple(users)


def _granted(rng: Generator, inventory: Inventory, roles: list[str]) -> Inventory:
    """Gives every principal without grants the hosts that their credentials open, 2 to 16."""
    known = {grant.principal for grant in inventory.grants}
    desks = {user.id: user for user in inventory.simulation.users or ()}
    rows = {asset.id: row for row, asset in enumerate(inventory.assets)}
    weights = np.array([1.0 if role == "workstation" else 3.0 for role in roles])
    resources = {resource.id: resource for resource in inventory.resources}
    grants = list(inventory.grants)
    for who in dict.fromkeys(key.owner for key in inventory.credentials):
        most = min(OPENS, len(rows))
        wanted = min(most, round(np.exp(rng.uniform(np.log(2.0), np.log(OPENS)))))
        drawn = rng.choice(len(rows), wanted, replace=False, p=weights / weights.sum())
        if who in known:
            continue
        own = [rows[desks[who].asset]] if who in desks else []
        for row in sorted(list(dict.fromkeys([*own, *drawn]))[:wanted]):
            asset = inventory.assets[row].id
            resources.setdefault(f"login:{asset}", Resource(f"login:{asset}", asset))
            grants.append(Grant(who, f"login:{asset}", _FOREVER))
    return replace(inventory, resources=tuple(resources.values()), grants=tuple(grants))
