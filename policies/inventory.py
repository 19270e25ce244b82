"""The inventory: which assets, credentials and protected networks a site has, and who may reach
what. One YAML for simulator and live side.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from policies import documents
from policies.documents import EntryError, flag, mapping, name, optional_name, sequence, shown
from policies.simulation import Simulation

__all__ = [
    "CRITICALITIES",
    "Asset",
    "Credential",
    "Grant",
    "Inventory",
    "InventoryError",
    "Resource",
    "moment",
]

CRITICALITIES = ("low", "medium", "high", "critical")


class InventoryError(EntryError):
    """The inventory cannot be used; the message names the entry and what to change."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A host or service that can be isolated."""

    id: str
    zone: str
    criticality: int = 1  # index into CRITICALITIES
    protected: bool = False
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # other names under which sensors know it
    pool: str = ""  # redundancy group, of which some must stay reachable; empty: in none


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that can be revoked, e.g. "ssh:SHA256:..." (fingerprint), "api:..." or "cert:..."."""

    id: str
    criticality: int = 1
    protected: bool = False
    principal: str = ""  # whose it is; empty: it stands for itself

    @property
    def owner(self) -> str:
        return self.principal or self.id


@dataclass(frozen=True, slots=True)
class Resource:
    """What can be reached on an asset."""

    id: str
    asset: str  # an asset's id


@dataclass(frozen=True, slots=True)
class Grant:
    """A principal may reach a resource, by whatever credential is theirs."""

    principal: str
    resource: str  # a resource's id
    until: int  # Unix seconds


@dataclass(frozen=True)
class Inventory:
    """Everything that can be acted on, and everything that must not be."""

    assets: tuple[Asset, ...] = ()
    credentials: tuple[Credential, ...] = ()
    protected_networks: tuple[str, ...] = ()  # canonical CIDR
    resources: tuple[Resource, ...] = ()
    grants: tuple[Grant, ...] = ()
    simulation: Simulation = field(
        default_factory=Simulation
    )  # nothing of it matters to the live side
    _by_name: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for index, asset in enumerate(self.assets):
            for known in {asset.id, *asset.names, *asset.addresses}:
                if self._by_name.setdefault(known.lower(), index) != index:
                    other = self.assets[self._by_name[known.lower()]].id
                    raise InventoryError(
                        f"assets[{index}]", f"{known!r} belongs to both {other!r} and {asset.id!r}"
                    )
        self._check_references()

    def _check_references(self) -> None:
        _unique("credentials", (c.id for c in self.credentials))
        _unique("resources", (r.id for r in self.resources))
        _unique("grants", (f"{g.principal} -> {g.resource}" for g in self.grants))
        assets, resources = {a.id for a in self.assets}, {r.id for r in self.resources}
        for i, resource in enumerate(self.resources):
            if resource.asset not in assets:
                raise InventoryError(f"resources[{i}].asset", f"no asset {resource.asset!r}")
        for i, grant in enumerate(self.grants):
            if grant.resource not in resources:
                raise InventoryError(f"grants[{i}].resource", f"no resource {grant.resource!r}")
        try:
            self.simulation.check(assets, {a.zone for a in self.assets})
        except EntryError as error:
            raise InventoryError(error.place, error.reason) from error

    def asset_index(self, name_or_address: str) -> int | None:
        """Position of the asset with this id, other name or address; None if no asset has it."""
        return self._by_name.get(name_or_address.lower())

    @staticmethod
    def load(path: Path | str) -> Inventory:
        """Reads the YAML file. Raises InventoryError as "FILE:LINE: assets[3].zone: reason"."""
        try:
            document = documents.load(path)
        except EntryError as error:
            raise InventoryError(error.place, error.reason) from error
        try:
            return Inventory.from_mapping(document.data)
        except InventoryError as error:
            raise InventoryError(document.at(error.place), error.reason) from error

    @staticmethod
    def from_mapping(data: Any) -> Inventory:
        """Validates a parsed YAML document. Raises InventoryError with the place of the entry."""
        try:
            return _inventory(data)
        except InventoryError:
            raise
        except EntryError as error:
            raise InventoryError(error.place, error.reason) from error

    def to_mapping(self) -> dict[str, Any]:
        """The document that `from_mapping` reads."""
        simulation = self.simulation.to_mapping()
        return {
            "assets": [
                {
                    "id": a.id,
                    "zone": a.zone,
                    "criticality": CRITICALITIES[a.criticality],
                    "protected": a.protected,
                    "addresses": list(a.addresses),
                    "names": list(a.names),
                    "pool": a.pool,
                }
                for a in self.assets
            ],
            "credentials": [
                {
                    "id": c.id,
                    "criticality": CRITICALITIES[c.criticality],
                    "protected": c.protected,
                    "principal": c.principal,
                }
                for c in self.credentials
            ],
            "protected_networks": list(self.protected_networks),
            "resources": [{"id": r.id, "asset": r.asset} for r in self.resources],
            "grants": [
                {
                    "principal": g.principal,
                    "resource": g.resource,
                    "until": datetime.fromtimestamp(g.until, UTC),
                }
                for g in self.grants
            ],
            **({"simulation": simulation} if simulation else {}),
        }


def moment(value: Any, where: str) -> int:
    """Unix seconds of a date or time, of YAML or as text; without an offset it is UTC.

    Raises InventoryError for anything else.
    """
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(parsed, date) and not isinstance(parsed, datetime):
            parsed = datetime.combine(parsed, time())
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    except (ValueError, AttributeError, OverflowError) as error:
        raise InventoryError(
            where, f"expected a time like 2027-01-31T18:00:00Z, got {shown(value)}"
        ) from error


# ---------------------------------------------------------------- validation

_KEYS = ("assets", "credentials", "protected_networks", "resources", "grants", "simulation")


def _inventory(data: Any) -> Inventory:
    top = mapping(data, "", _KEYS)
    return Inventory(
        assets=tuple(_asset(e, f"assets[{i}]") for i, e in enumerate(sequence(top, "assets"))),
        credentials=tuple(
            _credential(e, f"credentials[{i}]") for i, e in enumerate(sequence(top, "credentials"))
        ),
        protected_networks=tuple(
            _network(e, f"protected_networks[{i}]")
            for i, e in enumerate(sequence(top, "protected_networks"))
        ),
        resources=tuple(
            _resource(e, f"resources[{i}]") for i, e in enumerate(sequence(top, "resources"))
        ),
        grants=tuple(_grant(e, f"grants[{i}]") for i, e in enumerate(sequence(top, "grants"))),
        simulation=Simulation.from_mapping(top.get("simulation")),
    )


def _unique(where: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for i, known in enumerate(ids):
        if known in seen:
            raise InventoryError(f"{where}[{i}]", f"{known!r} is listed twice")
        seen.add(known)


def _criticality(value: Any, where: str) -> int:
    if value not in CRITICALITIES:
        raise InventoryError(where, f"{shown(value)} is not one of {', '.join(CRITICALITIES)}")
    return CRITICALITIES.index(value)


def _address(value: Any, where: str) -> str:
    text = name(value, where)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise InventoryError(where, str(error)) from error


def _network(value: Any, where: str) -> str:
    text = name(value, where)
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise InventoryError(where, str(error)) from error


def _asset(entry: Any, where: str) -> Asset:
    keys = ("id", "zone", "criticality", "protected", "addresses", "names", "pool")
    data = mapping(entry, where, keys)
    return Asset(
        id=name(data.get("id"), f"{where}.id"),
        zone=name(data.get("zone", "default"), f"{where}.zone"),
        criticality=_criticality(data.get("criticality", "medium"), f"{where}.criticality"),
        protected=flag(data.get("protected", False), f"{where}.protected"),
        addresses=tuple(
            _address(a, f"{where}.addresses[{i}]")
            for i, a in enumerate(sequence(data, "addresses", where))
        ),
        names=tuple(
            name(n, f"{where}.names[{i}]") for i, n in enumerate(sequence(data, "names", where))
        ),
        pool=optional_name(data, "pool", where),
    )


def _credential(entry: Any, where: str) -> Credential:
    data = mapping(entry, where, ("id", "criticality", "protected", "principal"))
    return Credential(
        id=name(data.get("id"), f"{where}.id"),
        criticality=_criticality(data.get("criticality", "medium"), f"{where}.criticality"),
        protected=flag(data.get("protected", False), f"{where}.protected"),
        principal=optional_name(data, "principal", where),
    )


def _resource(entry: Any, where: str) -> Resource:
    data = mapping(entry, where, ("id", "asset"))
    return Resource(name(data.get("id"), f"{where}.id"), name(data.get("asset"), f"{where}.asset"))


def _grant(entry: Any, where: str) -> Grant:
    data = mapping(entry, where, ("principal", "resource", "until"))
    return Grant(
        principal=name(data.get("principal"), f"{where}.principal"),
        resource=name(data.get("resource"), f"{where}.resource"),
        until=moment(data.get("until"), f"{where}.until"),
    )
