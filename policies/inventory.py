"""The inventory: which assets, credentials and protected networks a site has, and who may reach
what. One YAML for simulator and live side.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import yaml

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
_MAX_NAME = 200


class InventoryError(ValueError):
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
    _by_name: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for index, asset in enumerate(self.assets):
            for name in {asset.id, *asset.names, *asset.addresses}:
                if self._by_name.setdefault(name.lower(), index) != index:
                    other = self.assets[self._by_name[name.lower()]].id
                    raise InventoryError(f"{name!r} belongs to both {other!r} and {asset.id!r}")
        self._check_references()

    def _check_references(self) -> None:
        _unique("credential", (c.id for c in self.credentials))
        _unique("resource", (r.id for r in self.resources))
        _unique("grant", (f"{g.principal} -> {g.resource}" for g in self.grants))
        assets, resources = {a.id for a in self.assets}, {r.id for r in self.resources}
        for resource in self.resources:
            if resource.asset not in assets:
                raise InventoryError(f"resource {resource.id!r}: no asset {resource.asset!r}")
        for grant in self.grants:
            if grant.resource not in resources:
                raise InventoryError(
                    f"grant of {grant.principal!r}: no resource {grant.resource!r}"
                )

    def asset_index(self, name_or_address: str) -> int | None:
        """Position of the asset with this id, other name or address; None if no asset has it."""
        return self._by_name.get(name_or_address.lower())

    @staticmethod
    def load(path: Path | str) -> Inventory:
        """Reads the YAML file. Raises InventoryError with the file and the entry at fault."""
        try:
            data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InventoryError(f"cannot read inventory {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InventoryError(f"{path} is not valid YAML: {error}") from error
        try:
            return Inventory.from_mapping(data)
        except InventoryError as error:
            raise InventoryError(f"{path}: {error}") from error

    @staticmethod
    def from_mapping(data: Any) -> Inventory:
        """Validates a parsed YAML document."""
        keys = {"assets", "credentials", "protected_networks", "resources", "grants"}
        top = _mapping(data, "inventory", keys)
        return Inventory(
            assets=tuple(_asset(e, i) for i, e in enumerate(_sequence(top, "assets"))),
            credentials=tuple(
                _credential(e, i) for i, e in enumerate(_sequence(top, "credentials"))
            ),
            protected_networks=tuple(
                _network(e, f"protected_networks[{i}]")
                for i, e in enumerate(_sequence(top, "protected_networks"))
            ),
            resources=tuple(_resource(e, i) for i, e in enumerate(_sequence(top, "resources"))),
            grants=tuple(_grant(e, i) for i, e in enumerate(_sequence(top, "grants"))),
        )

    def to_mapping(self) -> dict[str, Any]:
        """The document that `from_mapping` reads."""
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
            f"{where}: expected a time like 2027-01-31T18:00:00Z, got {value!r}"
        ) from error


# ---------------------------------------------------------------- validation


def _mapping(value: Any, where: str, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InventoryError(f"{where}: expected a mapping, got {type(value).__name__}")
    unknown = {str(k) for k in value} - keys
    if unknown:
        raise InventoryError(f"{where}: unknown keys {sorted(unknown)}; known are {sorted(keys)}")
    return value


def _sequence(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key) or []
    if not isinstance(value, list):
        raise InventoryError(f"{key}: expected a list, got {type(value).__name__}")
    return value


def _unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InventoryError(f"{what} {name!r} is listed twice")
        seen.add(name)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value or len(value) > _MAX_NAME or not value.isprintable():
        raise InventoryError(f"{where}: expected a printable name of 1 to {_MAX_NAME} characters")
    return value


def _criticality(value: Any, where: str) -> int:
    if value not in CRITICALITIES:
        raise InventoryError(f"{where}: criticality {value!r} is not one of {list(CRITICALITIES)}")
    return CRITICALITIES.index(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InventoryError(f"{where}: expected true or false, got {value!r}")
    return value


def _address(value: Any, where: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise InventoryError(f"{where}: {error}") from error


def _network(value: Any, where: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except (ValueError, TypeError) as error:
        raise InventoryError(f"{where}: {error}") from error


def _asset(entry: Any, index: int) -> Asset:
    where = f"assets[{index}]"
    keys = {"id", "zone", "criticality", "protected", "addresses", "names", "pool"}
    data = _mapping(entry, where, keys)
    return Asset(
        id=_text(data.get("id"), f"{where}.id"),
        zone=_text(data.get("zone", "default"), f"{where}.zone"),
        criticality=_criticality(data.get("criticality", "medium"), where),
        protected=_flag(data.get("protected", False), f"{where}.protected"),
        addresses=tuple(_address(a, f"{where}.addresses") for a in _sequence(data, "addresses")),
        names=tuple(_text(n, f"{where}.names") for n in _sequence(data, "names")),
        pool=_optional(data, "pool", where),
    )


def _credential(entry: Any, index: int) -> Credential:
    where = f"credentials[{index}]"
    data = _mapping(entry, where, {"id", "criticality", "protected", "principal"})
    return Credential(
        id=_text(data.get("id"), f"{where}.id"),
        criticality=_criticality(data.get("criticality", "medium"), where),
        protected=_flag(data.get("protected", False), f"{where}.protected"),
        principal=_optional(data, "principal", where),
    )


def _resource(entry: Any, index: int) -> Resource:
    where = f"resources[{index}]"
    data = _mapping(entry, where, {"id", "asset"})
    return Resource(
        _text(data.get("id"), f"{where}.id"), _text(data.get("asset"), f"{where}.asset")
    )


def _grant(entry: Any, index: int) -> Grant:
    where = f"grants[{index}]"
    data = _mapping(entry, where, {"principal", "resource", "until"})
    return Grant(
        principal=_text(data.get("principal"), f"{where}.principal"),
        resource=_text(data.get("resource"), f"{where}.resource"),
        until=moment(data.get("until"), f"{where}.until"),
    )


def _optional(data: Mapping[str, Any], key: str, where: str) -> str:
    """A name that may be left out, or be empty."""
    value = data.get(key) or ""
    return _text(value, f"{where}.{key}") if value != "" else ""
