"""The simulated network: what exists, who can reach whom, and what it is worth to its users."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from policies.inventory import Asset, Credential, Inventory

__all__ = ["Network", "external_addresses", "from_inventory", "random_network"]

_ZONES = ("dmz", "servers", "office", "lab", "plant")


@dataclass(frozen=True)
class Network:
    """`exposed`, `users`: one value per asset. `reach[a, b]`: a can open a connection to b."""

    inventory: Inventory
    addresses: tuple[str, ...]  # the first address of each asset
    exposed: NDArray[np.bool_]  # reachable from the internet
    users: NDArray[np.float64]  # how much service the asset gives, 0.3 to 1
    reach: NDArray[np.bool_]
    opens: tuple[tuple[int, ...], ...]  # for each credential, the assets that accept it
    partners: tuple[str, ...]  # external addresses that users need

    @property
    def size(self) -> int:
        """Number of assets."""
        return len(self.addresses)


def random_network(rng: Generator, assets: tuple[int, int] = (6, 24)) -> Network:
    """A small random site: two to five zones, internet-facing services in the first."""
    n = int(rng.integers(assets[0], assets[1] + 1))
    zones = _ZONES[: int(rng.integers(2, len(_ZONES) + 1))]
    chosen = rng.integers(0, len(zones), n)
    chosen[0], chosen[1] = 0, 1
    rows = tuple(
        Asset(
            id=f"{zones[zone]}-{i}",
            zone=zones[zone],
            criticality=int(rng.choice(4, p=(0.25, 0.4, 0.25, 0.1))),
            protected=bool(rng.random() < 0.08),
            addresses=(f"10.{10 + int(zone)}.0.{i + 10}",),
        )
        for i, zone in enumerate(chosen)
    )
    keys = tuple(
        Credential(
            id=f"ssh:SHA256:{b64encode(rng.bytes(32)).decode().rstrip('=')}",
            criticality=int(rng.integers(0, 3)),
            protected=bool(rng.random() < 0.1),
        )
        for _ in range(int(rng.integers(0, 5)))
    )
    return from_inventory(Inventory(rows, keys, ("10.250.0.0/24",)), rng)


def from_inventory(inventory: Inventory, rng: Generator) -> Network:
    """A site over a given inventory; what an inventory does not say is drawn.

    Raises ValueError if an asset has no address.
    """
    assets = inventory.assets
    zones = [a.zone for a in assets]
    first = zones[0]
    exposed = np.array([z == first and rng.random() < 0.85 for z in zones])
    exposed[0] = True
    same = np.array([[a == b for b in zones] for a in zones])
    reach = same | (rng.random((len(assets), len(assets))) < 0.35)
    np.fill_diagonal(reach, False)
    return Network(
        inventory=inventory,
        addresses=tuple(_address(a) for a in assets),
        exposed=exposed,
        users=rng.uniform(0.3, 1.0, len(assets)),
        reach=reach,
        opens=tuple(_opens(rng, len(assets)) for _ in inventory.credentials),
        partners=external_addresses(rng, int(rng.integers(1, 4)), ()),
    )


def external_addresses(rng: Generator, count: int, taken: Sequence[str]) -> tuple[str, ...]:
    """Different addresses from the networks set aside for documentation."""
    found: list[str] = []
    while len(found) < count:
        prefix = ("192.0.2", "198.51.100", "203.0.113")[int(rng.integers(3))]
        address = f"{prefix}.{int(rng.integers(1, 255))}"
        if address not in found and address not in taken:
            found.append(address)
    return tuple(found)


def _opens(rng: Generator, size: int) -> tuple[int, ...]:
    count = min(size, int(rng.integers(2, 5)))
    return tuple(int(i) for i in rng.choice(size, count, replace=False))


def _address(asset: Asset) -> str:
    if not asset.addresses:
        raise ValueError(f"asset {asset.id!r} needs an address to be simulated")
    return asset.addresses[0]
