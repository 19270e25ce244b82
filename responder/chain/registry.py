"""The registry's side of the ledger: people, targets and rules, folded from IRegistry's events.

Seats and places are kept as the contract keeps them, for on them depends which vote counts and
which bit of a page is which asset.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from policies.actions import Kind, network_criticality
from policies.guardrails import Limits, Rule, ZoneRule
from responder.chain.events import Event
from responder.chain.proposal import PAGE, Words, name_key, network_text
from responder.chain.records import Role, Vote
from responder.errors import Permanent

__all__ = ["AssetEntry", "CredentialEntry", "Page", "Registry", "Scope"]

_GROUP = 16  # seats of an approver group
_REST = 30 * 86400  # seconds for which a seat that someone left stays empty

Page = tuple[bytes, int, int]  # key of the zone, criticality, number


@dataclass(frozen=True, slots=True)
class AssetEntry:
    """An asset as registered last."""

    id: str
    zone: str
    criticality: int
    protected: bool
    pool: str = ""
    place: int = 0  # among the assets of its zone and criticality
    known: bool = True  # False: removed

    @property
    def is_member(self) -> bool:
        """Whether a batch may isolate it."""
        return self.known and not self.protected and not self.pool


@dataclass(frozen=True, slots=True)
class CredentialEntry:
    """A credential as registered last."""

    id: str
    principal: str
    criticality: int
    protected: bool
    known: bool = True  # False: removed


@dataclass(frozen=True, slots=True)
class Scope:
    """What an enforcer may file receipts about."""

    kinds: int = 0  # bits
    zone: str = ""  # empty: of all

    def covers(self, kind: Kind, zone: str) -> bool:
        return bool(self.kinds >> kind & 1) and self.zone in ("", zone)


class Registry:
    """Who and what exists, and which rules hold for it."""

    def __init__(self) -> None:
        self.roles: dict[str, int] = {}
        self.seats: dict[str, int] = {}  # of current operators
        self._left: dict[int, tuple[str, int]] = {}  # seat -> who had it, until when it rests
        self.scopes: dict[str, Scope] = {}
        self.zones: dict[bytes, tuple[str, ZoneRule]] = {}
        self.pools: dict[bytes, tuple[str, int]] = {}  # name, and how many are never isolated
        self.assets: dict[bytes, AssetEntry] = {}
        self.credentials: dict[bytes, CredentialEntry] = {}
        self.places: dict[tuple[bytes, int], list[bytes]] = {}  # keys, by zone and criticality
        self.sealed: set[Page] = set()
        self.resources: dict[bytes, bytes] = {}  # -> asset
        self.grants: dict[tuple[bytes, bytes], int] = {}  # principal, resource -> Unix seconds
        self.networks: dict[bytes, None] = {}
        self.rules: dict[tuple[Kind, int], Rule] = {}
        self.limits = Limits(0, 0, 0, 0, 0, 0, 0)

    # ------------------------------------------------------------ questions

    def has_role(self, account: str, role: Role) -> bool:
        return bool(self.roles.get(account, 0) & role)

    def operators(self) -> list[str]:
        """Current operators."""
        return list(self.seats)

    def current(self, votes: Iterable[Vote]) -> set[int]:
        """Seats of these votes that belong to current operators."""
        return {vote.seat for vote in votes} & set(self.seats.values())

    def group_of(self, operator: str) -> int:
        """A current operator's approver group."""
        return self.seats[operator] // _GROUP

    @staticmethod
    def missing_groups(groups: int, seats: Iterable[int]) -> tuple[int, ...]:
        """Of these groups (bits) those that no seat is of."""
        there = {seat // _GROUP for seat in seats}
        return tuple(g for g in range(groups.bit_length()) if groups >> g & 1 and g not in there)

    def scope_of(self, enforcer: str) -> Scope:
        return self.scopes.get(enforcer, Scope())

    def zone_rule(self, zone: str) -> ZoneRule:
        return self.zones.get(name_key(zone), ("", ZoneRule()))[1]

    def words_of(self, kind: Kind, target: bytes) -> Words:
        """The readable side of a target, as signatures have it now."""
        if kind is Kind.BLOCK:
            criticality = network_criticality(int.from_bytes(target))
            return Words(network_text(target), "", criticality)
        if kind is Kind.ISOLATE and target in self.assets:
            asset = self.assets[target]
            return Words(asset.id, asset.zone, asset.criticality)
        if kind is Kind.REVOKE and target in self.credentials:
            credential = self.credentials[target]
            return Words(credential.id, "", credential.criticality)
        raise Permanent(f"{kind.name} names a target that the gate's events never registered")

    def page_of(self, asset: AssetEntry) -> Page:
        return name_key(asset.zone), asset.criticality, asset.place // PAGE

    def keys_on(self, page: Page) -> list[bytes]:
        """Of all assets that ever had a place on this page, by place."""
        zone, criticality, number = page
        return self.places.get((zone, criticality), [])[number * PAGE :][:PAGE]

    def members_of(self, page: Page) -> int:
        """Bits of the places that a batch may isolate."""
        bits = 0
        for place, key in enumerate(self.keys_on(page)):
            asset = self.assets[key]
            if asset.is_member and (self.page_of(asset), asset.place % PAGE) == (page, place):
                bits |= 1 << place
        return bits

    # ------------------------------------------------------------ folding, one method an event

    def _on_RolesSet(self, event: Event, args: Any) -> None:
        account, roles, group = args
        self._take_seat(account, bool(roles & Role.OPERATOR), group, event.time)
        self.roles[account] = roles

    def _take_seat(self, account: str, operator: bool, group: int, now: int) -> None:
        seat = self.seats.get(account)
        if seat is not None:
            if operator and seat // _GROUP == group:
                return
            del self.seats[account]
            self._left[seat] = (account, now + _REST)
        if operator:
            self.seats[account] = self._free_seat(account, group, now)

    def _free_seat(self, account: str, group: int, now: int) -> int:
        """Who comes back while his seat rests has that one again."""
        taken = set(self.seats.values())
        for seat, (holder, rests) in self._left.items():
            if holder == account and seat not in taken and now < rests:
                return seat
        places = range(group * _GROUP, (group + 1) * _GROUP)
        return next(s for s in places if s not in taken and now >= self._left.get(s, ("", 0))[1])

    def _on_EnforcerScopeSet(self, event: Event, args: Any) -> None:
        enforcer, kinds, zone = args
        self.scopes[enforcer] = Scope(kinds, zone)

    def _on_ZoneSet(self, event: Event, args: Any) -> None:
        key, name, rule = args
        self.zones[key] = (name, ZoneRule(*rule))

    def _on_PoolSet(self, event: Event, args: Any) -> None:
        key, name, _number, keep = args
        self.pools[key] = (name, keep)

    def _on_AssetSet(self, event: Event, args: Any) -> None:
        key, (name, zone, pool, criticality, protected), place = args
        self.assets[key] = AssetEntry(name, zone, criticality, protected, pool, place)
        taken = self.places.setdefault((name_key(zone), criticality), [])
        if place == len(taken):
            taken.append(key)
            self.sealed.discard((name_key(zone), criticality, place // PAGE))

    def _on_CredentialSet(self, event: Event, args: Any) -> None:
        key, (name, principal, criticality, protected) = args
        self.credentials[key] = CredentialEntry(name, principal, criticality, protected)

    def _on_TargetRemoved(self, event: Event, args: Any) -> None:
        key, kind = args
        if Kind(kind) is Kind.ISOLATE:
            self.assets[key] = AssetEntry(self.assets[key].id, "", 0, False, known=False)
        else:
            entry = self.credentials[key]
            self.credentials[key] = CredentialEntry(entry.id, entry.principal, 0, False, False)

    def _on_PageSealed(self, event: Event, args: Any) -> None:
        zone, criticality, number = args
        self.sealed.add((zone, criticality, number))

    def _on_ResourceSet(self, event: Event, args: Any) -> None:
        key, _name, asset = args
        self.resources[key] = name_key(asset)

    def _on_GrantSet(self, event: Event, args: Any) -> None:
        principal, (_name, resource, until) = args
        self.grants[principal, name_key(resource)] = until

    def _on_NetworkProtected(self, event: Event, args: Any) -> None:
        network, protected = args
        if protected:
            self.networks[network] = None
        else:
            self.networks.pop(network, None)

    def _on_RuleSet(self, event: Event, args: Any) -> None:
        kind, criticality, rule = args
        self.rules[Kind(kind), criticality] = Rule(*rule)

    def _on_LimitsSet(self, event: Event, args: Any) -> None:
        self.limits = Limits(*args[1])
