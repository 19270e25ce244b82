"""A site with names, and sites in numbers.

Hosts, credentials and users are numbered in the inventory's order, zones and pools in the order in
which the assets name them; so numbers become names again by the blueprint's tuples.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.inventory import Inventory
from policies.simulation import ROLES, SERVICES, Simulation
from rl_env.completing import opened
from rl_env.site import NEEDS, OPENS, Sites

__all__ = ["Blueprint", "ZoneRow", "pack"]


class ZoneRow(NamedTuple):
    """The rule of a zone. Frozen times are minutes of the episode, the window is in seconds."""

    share: int
    extra: int
    frozen_from: int
    frozen_until: int
    opens_at: int
    open_for: int


@dataclass(frozen=True)
class Blueprint:
    """A site. Hosts are the rows of `inventory.assets`, keys those of `inventory.credentials`."""

    inventory: Inventory
    rules: tuple[ZoneRow, ...]  # by zone
    keeps: tuple[int, ...]  # by pool: members that stay reachable

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """In the order in which the assets name them."""
        return tuple(dict.fromkeys(asset.zone for asset in self.inventory.assets))

    @cached_property
    def pools(self) -> tuple[str, ...]:
        """In the order in which the assets name them."""
        return tuple(dict.fromkeys(asset.pool for asset in self.inventory.assets if asset.pool))

    @cached_property
    def opens(self) -> tuple[tuple[int, ...], ...]:
        """The hosts that each credential opens."""
        return tuple(opened(self.inventory))

    @cached_property
    def shields(self) -> tuple[tuple[int, int], ...]:
        """First and last address of the protected IPv4 networks."""
        networks = [ipaddress.ip_network(n) for n in self.inventory.protected_networks]
        merged = ipaddress.collapse_addresses(
            n for n in networks if isinstance(n, ipaddress.IPv4Network)
        )
        return tuple((int(n.network_address), int(n.broadcast_address)) for n in merged)

    def __len__(self) -> int:
        return len(self.inventory.assets)


def pack(sites: list[Blueprint]) -> Sites:
    """The sites in numbers, padded to one of few sizes: code is compiled once for each of them."""
    each = [_numbers(site) for site in sites]
    sizes = _capacity(np.max([numbers.size for numbers in each], axis=0))
    return Sites(
        *(_stacked([n[i] for n in each], sizes[i], fill) for i, fill in enumerate(_NOTHING))
    )


def _capacity(most: NDArray) -> tuple[int, ...]:
    """Rows of each table of Sites, for the largest numbers of hosts, credentials and users."""
    for hosts in _HOSTS:
        credentials, users = max(8, hosts // 8), max(8, hosts // 2)
        if most[0] <= hosts and most[1] <= credentials and most[2] <= users:
            break
    return 6, hosts, hosts, credentials, users, 16, 16, 8, 8


# ---------------------------------------------------------------- numbers

_HOSTS: Final = (16, 32, 64, 100, 200, 500, 1000, 2000)

# Rows where there is nothing, in the order of Sites.
_NOTHING: Final = (
    (0,),
    (0,),
    (0, 0, 0, 0, -1, 0, 0),
    (0, 0, -1, *(-1,) * OPENS),
    (-1, -1, *(-1,) * NEEDS),
    (0,) * 8,
    (0, 0),
    (0,),
    (0, 0),
)


def _numbers(site: Blueprint) -> Sites:
    """One site, not yet padded and without the leading axis."""
    inventory, said = site.inventory, site.inventory.simulation
    zone_of = {zone: number for number, zone in enumerate(site.zones)}
    users, partners = said.users or (), said.partners or ()
    owner_of = {user.id: row for row, user in enumerate(users)}
    sizes = (
        len(inventory.assets),
        len(inventory.credentials),
        len(users),
        len(site.zones),
        len(partners),
        len(site.shields),
    )
    credentials = [
        (key.criticality, key.protected, owner_of.get(key.owner, -1), *_filled(rows, OPENS))
        for key, rows in zip(inventory.credentials, site.opens, strict=True)
    ]
    return Sites(
        size=_array(sizes),
        zones=_array([zone_of[asset.zone] for asset in inventory.assets]),
        host=_array(_hosts(site, said)),
        credential=_array(credentials, 3 + OPENS),
        user=_array(_users(site, said), 2 + NEEDS),
        zone=_array(_zones(site, zone_of), 8),
        pool=_array(
            [
                (sum(asset.pool == pool for asset in inventory.assets), keep)
                for pool, keep in zip(site.pools, site.keeps, strict=True)
            ],
            2,
        ),
        partner=_array([int(ipaddress.IPv4Address(p)) for p in partners], dtype=np.int64),
        shield=_array(list(site.shields), 2, np.int64),
    )


def _hosts(site: Blueprint, said: Simulation) -> list[tuple[int, ...]]:
    pool_of = {pool: number for number, pool in enumerate(site.pools)}
    rows: list[tuple[int, ...]] = []
    for asset in site.inventory.assets:
        host = said.assets[asset.id]
        rows.append(
            (
                asset.criticality,
                int(asset.protected),
                ROLES.index(host.role or ROLES[0]),
                int(bool(host.exposed)),
                pool_of.get(asset.pool, -1),
                int(bool(host.jewel)),
                sum(1 << SERVICES.index(service) for service in host.services or ()),
            )
        )
    return rows


def _users(site: Blueprint, said: Simulation) -> list[tuple[int, ...]]:
    row_of = {asset.id: row for row, asset in enumerate(site.inventory.assets)}
    partners = said.partners or ()
    return [
        (
            row_of[user.asset],
            partners.index(user.partner) if user.partner else -1,
            *_filled(tuple(row_of[need] for need in user.needs), NEEDS),
        )
        for user in said.users or ()
    ]


def _zones(site: Blueprint, zone_of: dict[str, int]) -> list[tuple[int, ...]]:
    reach = site.inventory.simulation.reach or {}
    zones = [asset.zone for asset in site.inventory.assets]
    return [
        (
            sum(1 << zone_of[other] for other in {zone, *reach.get(zone, ())}),
            zones.count(zone),
            *rule,
        )
        for zone, rule in zip(site.zones, site.rules, strict=True)
    ]


def _filled(rows: tuple[int, ...], width: int) -> tuple[int, ...]:
    return (*rows, *(-1,) * (width - len(rows)))


def _array(rows: object, width: int = 0, dtype: type = np.int32) -> NDArray:
    """[n] or, with a width, [n, width], n = 0 included."""
    array: NDArray = np.array(rows, dtype=dtype)
    return array.reshape(-1, width) if width else array


def _stacked(arrays: list[NDArray], rows: int, nothing: tuple[int, ...]) -> NDArray:
    """[sites, rows, ...]; rows that a site does not have are `nothing`."""
    stacked = np.empty((len(arrays), rows, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    stacked[...] = nothing if stacked.ndim > 2 else nothing[0]
    for site, array in zip(stacked, arrays, strict=True):
        site[: len(array)] = array
    return stacked
