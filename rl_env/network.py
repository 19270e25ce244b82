"""Sites to simulate: drawn by chance, or those of an inventory.

A site is an inventory, the one format that the live side reads too, whose `simulation:` section
leaves nothing open; `rl_env.completing` draws what an inventory does not say. Governance's rules of
zones and pools are drawn here. `rl_env.blueprint.pack` turns sites into numbers.
"""

from __future__ import annotations

from collections import Counter
from math import exp, log
from typing import Final

from numpy.random import Generator

from policies import documents
from policies.inventory import Inventory, InventoryError
from rl_env.blueprint import Blueprint, ZoneRow, pack
from rl_env.completing import complete, dice
from rl_env.drawing import draw_hosts, with_credentials
from rl_env.site import OPENS
from rl_env.threats import Network

__all__ = ["Blueprint", "ZoneRow", "blueprints", "draw_sites", "from_inventory", "pack"]

HOSTS: Final = (5, 2000)  # fewest and most
_USUAL_SITES: Final = 64
_WEEK: Final = 7 * 86400  # seconds


def blueprints(network: Network) -> list[Blueprint]:
    """The sites of a scenario. Raises InventoryError where its inventory cannot be simulated."""
    if network.inventory:
        inventory = Inventory.load(network.inventory)
        try:
            return [from_inventory(inventory, network.seed, network)]
        except InventoryError as error:
            place = documents.load(network.inventory).at(error.place)
            raise InventoryError(place, error.reason) from error
    usual = min(_USUAL_SITES, max(4, 100 * _USUAL_SITES // network.hosts[1]))
    return draw_sites(network.sites or usual, network.hosts, network.seed, network)


def draw_sites(
    count: int, hosts: tuple[int, int], seed: int, network: Network | None = None
) -> list[Blueprint]:
    """`count` sites of `hosts` hosts, fewest and most; the same for the same seed.

    `network` says how the rules of their zones are drawn.
    """
    return [_draw(hosts, seed * 4096 + number, network or Network()) for number in range(count)]


def _draw(hosts: tuple[int, int], seed: int, network: Network) -> Blueprint:
    rng = dice(seed, "hosts")
    bare = complete(draw_hosts(rng, int(rng.integers(hosts[0], hosts[1] + 1))), seed)
    return from_inventory(with_credentials(dice(seed, "credentials"), bare), seed, network)


def from_inventory(inventory: Inventory, seed: int, network: Network | None = None) -> Blueprint:
    """The site of an inventory; what it leaves out is drawn from the seed.

    Raises InventoryError if an asset has no address, or there is more of anything than fits.
    """
    _check(inventory)
    full = complete(inventory, seed)
    sizes = Counter(asset.pool for asset in full.assets if asset.pool)
    zones = len({asset.zone for asset in full.assets})
    rng = dice(seed, "keeps")
    site = Blueprint(
        full,
        rules=_rules(dice(seed, "rules"), zones, network or Network()),
        keeps=tuple(int(rng.integers(1, max(2, members))) for members in sizes.values()),
    )
    _check_capacities(site)
    return site


# ---------------------------------------------------------------- rules


def _rules(rng: Generator, zones: int, network: Network) -> tuple[ZoneRow, ...]:
    """Each zone's own."""
    rules = []
    for _ in range(zones):
        frozen, windowed = rng.random(2) < (network.zone_frozen_chance, network.zone_window_chance)
        low, high = network.zone_frozen_minutes
        length = round(exp(rng.uniform(log(low), log(high))))
        start = int(rng.integers(-length, 150))
        share, extra = (_whole(rng, s) for s in (network.zone_share, network.zone_frozen_extra))
        opens_at, minutes = int(rng.integers(_WEEK)), _whole(rng, network.zone_window_minutes)
        rules.append(
            ZoneRow(
                share,
                extra if frozen else 0,
                start if frozen else 0,
                start + length if frozen else 0,
                opens_at if windowed else 0,
                60 * minutes if windowed else 0,
            )
        )
    return tuple(rules)


def _whole(rng: Generator, ends: tuple[int, int]) -> int:
    return int(rng.integers(ends[0], ends[1] + 1))


# ---------------------------------------------------------------- checks


def _check(inventory: Inventory) -> None:
    assets = inventory.assets
    if not HOSTS[0] <= len(assets) <= HOSTS[1]:
        raise InventoryError(
            "assets", f"{len(assets)} of them; {HOSTS[0]} to {HOSTS[1]} can be simulated"
        )
    for row, asset in enumerate(assets):
        if not asset.addresses:
            raise InventoryError(
                f"assets[{row}].addresses", f"{asset.id!r} needs an address to be simulated"
            )


def _check_capacities(site: Blueprint) -> None:
    said, most_users = site.inventory.simulation, max(4, len(site) // 2)
    for place, what, number, most in (
        ("assets", "zones", len(site.zones), 16),
        ("assets", "pools", len(site.pools), 16),
        ("credentials", "credentials", len(site.inventory.credentials), 2000),
        ("protected_networks", "protected IPv4 networks", len(site.shields), 8),
        ("simulation.partners", "partners", len(said.partners or ()), 8),
        ("simulation.users", "users", len(said.users or ()), most_users),
        *(
            (f"credentials[{row}]", "assets that it opens", len(rows), OPENS)
            for row, rows in enumerate(site.opens)
        ),
    ):
        if number > most:
            raise InventoryError(place, f"{number} {what}; the simulator has room for {most}")
