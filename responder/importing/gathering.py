"""Hosts that readers find, made into an inventory in which each name and address means one asset.

Whose a name is that two hosts claim cannot be known here: the first keeps it, and the other's claim
is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from policies.documents import EntryError, shown
from policies.inventory import Asset, Inventory, InventoryError
from responder.errors import Permanent

__all__ = ["MAX_BYTES", "MAX_HOSTS", "Gathered", "Imported", "LeftOut"]

MAX_BYTES = 16 << 20
MAX_HOSTS = 20_000


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something the file says and the inventory does not."""

    where: str  # in the file: a line or an entry
    what: str  # a name, an address or a host
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """An inventory, and what is missing from it."""

    inventory: Inventory
    left_out: tuple[LeftOut, ...]


class Gathered:
    """The hosts found so far in a file, in its order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hosts: list[tuple[str, Asset]] = []  # with where they are in the file
        self._left_out: list[LeftOut] = []

    def content(self) -> bytes:
        """All of the file. Raises Permanent where it cannot be read or is too large."""
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise Permanent(f"cannot read {self.path}: {error.strerror}") from error
        if len(data) > MAX_BYTES:
            raise Permanent(f"{self.path}: larger than {MAX_BYTES >> 20} MiB; import it in parts")
        return data

    def add(self, where: str, entry: Mapping[str, Any]) -> None:
        """Takes a host in, as an asset of an inventory's YAML.

        Raises EntryError with the place in the entry, if it is none or if there are too many.
        """
        if len(self._hosts) >= MAX_HOSTS:
            raise EntryError("", f"more than {MAX_HOSTS:,} hosts; import the file in parts")
        try:
            (asset,) = Inventory.from_mapping({"assets": [entry]}).assets
        except InventoryError as error:
            place = error.place.removeprefix("assets[0]").removeprefix(".")
            raise EntryError(place, error.reason) from error
        self._hosts.append((where, asset))

    def leave_out(self, where: str, what: str, why: str) -> None:
        """Notes what is not taken in."""
        self._left_out.append(LeftOut(_readable(where), _readable(what), why))

    def imported(self) -> Imported:
        """The inventory. Raises Permanent if there is no host in it."""
        owners: dict[str, str] = {}  # by name or address; first the ids, then all others
        assets = []
        for where, asset in self._hosts:
            if asset.id.lower() in owners:
                self.leave_out(where, asset.id, "another host has this id already")
            else:
                owners[asset.id.lower()] = asset.id
                assets.append((where, asset))
        if not assets:
            raise Permanent(f"{self.path}: no host to import")
        own = tuple(self._without_others(where, asset, owners) for where, asset in assets)
        return Imported(Inventory(own), tuple(self._left_out))

    def _without_others(self, where: str, asset: Asset, owners: dict[str, str]) -> Asset:
        def keeps(known: str) -> bool:
            owner = owners.setdefault(known.lower(), asset.id)
            if owner != asset.id:
                self.leave_out(where, known, f"{owner} has it already, so {asset.id} does without")
            return owner == asset.id

        return replace(
            asset,
            addresses=tuple(a for a in dict.fromkeys(asset.addresses) if keeps(a)),
            names=tuple(n for n in dict.fromkeys(asset.names) if keeps(n)),
        )


def _readable(text: str) -> str:
    return text if text.isprintable() and len(text) <= 80 else shown(text)
