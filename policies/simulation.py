"""What an inventory may say beside what the live side needs, so that its site can be simulated.

The section `simulation:` of the inventory. All of it is optional; what it leaves out the simulator
draws. The live side reads it only to refuse what is wrong with it.

    simulation:
      assets:                   # by id
        erp: {role: database, services: [sql, web], jewel: true}
        web-1: {exposed: true}
      users:                    # a credential is theirs if its principal has their id
        - {id: anna, asset: pc-1, needs: [erp], partner: 203.0.113.9}
      reach: {office: [dmz, core], dmz: [core]}   # a zone left out reaches itself alone
      partners: [203.0.113.9]
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from policies.documents import EntryError, flag, joined, mapping, name, one_of, sequence, shown

__all__ = ["MAX_NEEDS", "ROLES", "SERVICES", "Host", "Simulation", "User"]

ROLES = ("workstation", "server", "database", "directory", "gateway", "controller")
SERVICES = (
    "web", "mail", "dns", "vpn", "ssh", "rdp", "files", "ldap",
    "kerberos", "sql", "backup", "print", "rpc", "modbus", "admin", "api",
)  # fmt: skip
MAX_NEEDS = 4  # servers of a user


@dataclass(frozen=True, slots=True)
class Host:
    """What is said of an asset; None is left out."""

    role: str | None = None  # one of ROLES
    exposed: bool | None = None  # reachable from the internet
    services: tuple[str, ...] | None = None  # of SERVICES, listening for others
    jewel: bool | None = None  # what an attacker is after


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who works at an asset, with servers and perhaps a partner's address."""

    id: str  # owns the credentials of the principal of this name
    asset: str
    needs: tuple[str, ...] = ()  # assets
    partner: str = ""  # an address among the partners


@dataclass(frozen=True)
class Simulation:
    """None is left out."""

    assets: Mapping[str, Host] = field(default_factory=dict)  # by id
    users: tuple[User, ...] | None = None
    reach: Mapping[str, tuple[str, ...]] | None = None  # zones that a zone reaches beside itself
    partners: tuple[str, ...] | None = None  # IPv4 addresses on the internet that users need

    @staticmethod
    def from_mapping(data: Any) -> Simulation:
        """Validates the section. Raises EntryError with the place of the entry."""
        if data is None:
            return Simulation()
        top = mapping(data, _HERE, ("assets", "users", "reach", "partners"))
        assets = mapping(top.get("assets", {}), f"{_HERE}.assets")
        reach = top.get("reach")
        return Simulation(
            assets={
                name(key, f"{_HERE}.assets"): _host(value, joined(f"{_HERE}.assets", key))
                for key, value in assets.items()
            },
            users=_each(top, "users", _user),
            reach=None if reach is None else _reach(reach),
            partners=_each(top, "partners", _partner),
        )

    def to_mapping(self) -> dict[str, Any]:
        """The section that `from_mapping` reads; empty where nothing is said."""
        said: dict[str, Any] = {}
        if self.assets:
            said["assets"] = {key: _said(host) for key, host in self.assets.items()}
        if self.users is not None:
            said["users"] = [_said(user) for user in self.users]
        if self.reach is not None:
            said["reach"] = {zone: list(others) for zone, others in self.reach.items()}
        if self.partners is not None:
            said["partners"] = list(self.partners)
        return said

    def check(self, assets: Set[str], zones: Set[str]) -> None:
        """Raises EntryError unless every id and zone named here is one of these."""
        ids, known = sorted(assets), sorted(zones)
        for key in self.assets:
            if key not in assets:
                one_of(key, ids, f"{_HERE}.assets.{key}", "asset")
        for i, user in enumerate(self.users or ()):
            for asset, place in ((user.asset, "asset"), *((n, "needs") for n in user.needs)):
                if asset not in assets:
                    one_of(asset, ids, f"{_HERE}.users[{i}].{place}", "asset")
            if user.partner and user.partner not in (self.partners or ()):
                raise EntryError(
                    f"{_HERE}.users[{i}].partner", f"{user.partner} is not among the partners"
                )
        for zone, others in (self.reach or {}).items():
            for other in (zone, *others):
                if other not in zones:
                    one_of(other, known, f"{_HERE}.reach.{zone}", "zone")


# ---------------------------------------------------------------- validation

_HERE = "simulation"


def _each(top: Mapping[str, Any], key: str, parse: Any) -> tuple[Any, ...] | None:
    """Parsed entries of a list, no two of them with the same name."""
    if top.get(key) is None:
        return None
    found: dict[str, Any] = {}
    for i, entry in enumerate(sequence(top, key, _HERE)):
        place = f"{_HERE}.{key}[{i}]"
        parsed = parse(entry, place)
        known = parsed.id if isinstance(parsed, User) else parsed
        if known in found:
            raise EntryError(place, f"{known!r} is listed twice")
        found[known] = parsed
    return tuple(found.values())


def _host(value: Any, place: str) -> Host:
    data = mapping(value, place, ("role", "exposed", "services", "jewel"))
    services = data.get("services")
    return Host(
        role=one_of(data["role"], list(ROLES), f"{place}.role", "role") if "role" in data else None,
        exposed=flag(data["exposed"], f"{place}.exposed") if "exposed" in data else None,
        services=None if services is None else _services(data, place),
        jewel=flag(data["jewel"], f"{place}.jewel") if "jewel" in data else None,
    )


def _services(data: Mapping[str, Any], place: str) -> tuple[str, ...]:
    listed = [
        one_of(service, list(SERVICES), f"{place}.services[{i}]", "service")
        for i, service in enumerate(sequence(data, "services", place))
    ]
    return tuple(service for service in SERVICES if service in listed)


def _user(value: Any, place: str) -> User:
    data = mapping(value, place, ("id", "asset", "needs", "partner"))
    needs = sequence(data, "needs", place)
    if len(needs) > MAX_NEEDS:
        raise EntryError(
            f"{place}.needs", f"{len(needs)} servers, a user needs {MAX_NEEDS} at most"
        )
    return User(
        id=name(data.get("id"), f"{place}.id"),
        asset=name(data.get("asset"), f"{place}.asset"),
        needs=tuple(dict.fromkeys(name(n, f"{place}.needs[{i}]") for i, n in enumerate(needs))),
        partner=_partner(data["partner"], f"{place}.partner") if data.get("partner") else "",
    )


def _partner(value: Any, place: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise EntryError(place, f"expected an IPv4 address, got {shown(value)}") from error


def _reach(value: Any) -> dict[str, tuple[str, ...]]:
    place = f"{_HERE}.reach"
    data = mapping(value, place)
    return {
        name(zone, place): tuple(
            dict.fromkeys(
                name(other, f"{place}.{zone}[{i}]")
                for i, other in enumerate(sequence(data, zone, place))
            )
        )
        for zone in data
    }


def _said(entry: Host | User) -> dict[str, Any]:
    """Without what is left out."""
    said = {slot: getattr(entry, slot) for slot in entry.__slots__}
    return {
        slot: list(value) if isinstance(value, tuple) else value
        for slot, value in said.items()
        if value is not None and value != ""
    }
