"""The registry of the plain model: who and what exists, and which rules hold for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model_state import (
    GROUP_SEATS,
    REST,
    WEEK,
    Asset,
    Credential,
    Limits,
    Network,
    Refused,
    Rule,
    Seat,
    State,
    ZoneRule,
)
from scene import AGENT, OPERATOR

from policies.actions import Kind
from responder.chain.proposal import name_key

MAX_NETWORKS = 64
MAX_WAIT = 30 * 86400


class Registry(State):
    # ---------------------------------------------------------------- accounts

    def set_roles(self, sender: str, account: str, roles: int, group: int) -> None:
        self._govern(sender)
        if roles > 15:
            raise Refused("RegistryBadRoles", roles)
        if roles & AGENT and roles != AGENT:
            raise Refused("RegistryAgentMustBeAlone", account, roles)
        if group > 3 or (group and not roles & OPERATOR):
            raise Refused("RegistryBadGroup", group)
        seat = next((s for s in self.current(self.seats) if s.holder == account), None)
        if seat and not roles & OPERATOR:
            seat.left = self.now
        if roles & OPERATOR and not (seat and seat.group == group):
            self._seat(account, group)
        self.roles[account] = roles

    def _seat(self, account: str, group: int) -> None:
        resting = [s for s in self.seats if s.left is None or self.now < s.left + REST]
        own = next((seat for seat in resting if seat.holder == account), None)
        taken = [seat for seat in resting if seat.group == group]
        if (own and own.group != group) or (not own and len(taken) == GROUP_SEATS):
            raise Refused("RegistryNoSeat", group)
        if own:
            own.left = None
        else:
            self.seats.append(Seat(account, group))

    def set_enforcer_scope(self, sender: str, enforcer: str, kinds: int, zone: str) -> None:
        self._govern(sender)
        if kinds > 7:
            raise Refused("RegistryBadScope", kinds)
        self.scopes[enforcer] = kinds, self._zone(zone) if zone else None

    # ---------------------------------------------------------------- places and targets

    def set_zone(self, sender: str, name: str, rule: tuple[int, ...]) -> None:
        self._govern(sender)
        _check_name(name)
        made = ZoneRule(*rule)
        valid = 1 <= made.share <= 100 and made.extra <= 64
        if not valid or made.opens >= WEEK or made.length > WEEK:
            raise Refused("RegistryBadZone", name_key(name))
        self.zones[name_key(name)] = made

    def set_pool(self, sender: str, name: str, keep: int) -> None:
        self._govern(sender)
        _check_name(name)
        self.pools[name_key(name)] = keep

    def set_assets(self, sender: str, entries: list[tuple[str, str, str, int, bool]]) -> None:
        self._govern(sender)
        for entry in entries:
            self._set_asset(*entry)

    def _set_asset(
        self, id_: str, zone_name: str, pool_name: str, criticality: int, protected: bool
    ) -> None:
        _check_name(id_)
        _check_criticality(criticality)
        zone, pool, key = self._zone(zone_name), None, name_key(id_)
        if pool_name:
            pool = name_key(pool_name)
            if pool not in self.pools:
                raise Refused("RegistryUnknown", pool)
        old = self.assets.get(key)
        if old and (old.zone, old.criticality, old.pool) == (zone, criticality, pool):
            self.assets[key] = replace(old, protected=protected)
            return
        if old:
            self._need_unordered(Kind.ISOLATE, key)
        places = self.places.setdefault((zone, criticality), [])
        made = Asset(zone, criticality, protected, pool, len(places))
        places.append(key)
        self.sealed.discard(self.page_id(made))
        self.assets[key] = made

    def set_credentials(self, sender: str, entries: list[tuple[str, str, int, bool]]) -> None:
        self._govern(sender)
        for id_, principal, criticality, protected in entries:
            _check_name(id_)
            _check_name(principal)
            _check_criticality(criticality)
            key = name_key(id_)
            if self.criticality(Kind.REVOKE, key) != criticality:
                self._need_unordered(Kind.REVOKE, key)
            self.credentials[key] = Credential(name_key(principal), criticality, protected)

    def remove_target(self, sender: str, kind: int, key: bytes) -> None:
        self._govern(sender)
        known = None if kind == Kind.BLOCK else self.known(Kind(kind), key)
        if known is None:
            raise Refused("RegistryUnknown", key)
        self._need_unordered(Kind(kind), key)
        self.assets.pop(key) if kind == Kind.ISOLATE else self.credentials.pop(key)

    def set_resource(self, sender: str, name: str, asset: str) -> None:
        self._govern(sender)
        _check_name(name)
        if not self.known(Kind.ISOLATE, name_key(asset)):
            raise Refused("RegistryUnknown", name_key(asset))
        self.resources[name_key(name)] = name_key(asset)

    def set_grants(self, sender: str, grants: list[tuple[str, str, int]]) -> None:
        self._govern(sender)
        for principal, resource, until in grants:
            _check_name(principal)
            if name_key(resource) not in self.resources:
                raise Refused("RegistryUnknown", name_key(resource))
            self.grants_of[name_key(principal), name_key(resource)] = until

    def set_protected_networks(self, sender: str, networks: list[bytes], protected: bool) -> None:
        self._govern(sender)
        for key in networks:
            network = self.networks[key]
            if network is None:
                raise Refused("RegistryBadNetwork", key)
            if not protected:
                self.protected.discard(key)
                continue
            if key not in self.protected and self._count_protected(network) == MAX_NETWORKS:
                raise Refused("RegistryFull", MAX_NETWORKS)
            self.protected.add(key)

    # ---------------------------------------------------------------- rules

    def set_rule(self, sender: str, kind: int, criticality: int, rule: tuple[Any, ...]) -> None:
        self._govern(sender)
        _check_criticality(criticality)
        made = Rule(*rule)
        complete = made.quorum and made.max_ttl and made.budget and made.live
        contradicts = made.leasable and (made.delay or not made.allowed)
        complete = complete and made.groups.bit_count() <= made.quorum
        fits = made.quorum <= 64 and made.groups <= 15 and made.budget <= 2047
        if not fits or contradicts or (made.allowed and not complete):
            raise Refused("RegistryBadRule", kind, criticality)
        self.rules[kind, criticality] = made

    def set_limits(self, sender: str, limits: tuple[int, ...]) -> None:
        self._govern(sender)
        made = Limits(*limits)
        if not all(made) or made.max_pending > MAX_WAIT or made.max_lease > MAX_WAIT:
            raise Refused("RegistryBadLimits")
        self.bounds = made

    # ---------------------------------------------------------------- by anyone

    def seal_page(
        self, sender: str, zone: bytes, criticality: int, page: int, keys: list[bytes]
    ) -> None:
        id_ = zone, criticality, page
        if not keys or keys != self.page_keys(id_):
            raise Refused("RegistryBadPage", page)
        self.sealed.add(id_)

    # ---------------------------------------------------------------- views

    def roles_of(self, account: str) -> tuple[int, int]:
        seat = next((s for s in self.current(self.seats) if s.holder == account), None)
        return self.role(account), seat.group if seat else 0

    def operators(self) -> list[str]:
        return [seat.holder for seat in self.current(self.seats)]

    def asset_of(self, key: bytes) -> tuple[Any, ...]:
        asset = self.assets.get(key)
        if asset is None:
            return bytes(32), 0, False, False, 0, 0
        pool = list(self.pools).index(asset.pool) + 1 if asset.pool else 0
        return asset.zone, asset.criticality, True, asset.protected, pool, asset.place

    def credential_of(self, key: bytes) -> tuple[Any, ...]:
        found = self.credentials.get(key)
        if found is None:
            return bytes(32), 0, False, False
        return found.principal, found.criticality, True, found.protected

    def enforcer_scope_of(self, enforcer: str) -> tuple[int, bytes]:
        kinds, zone = self.scopes.get(enforcer, (0, None))
        return kinds, zone or bytes(32)

    def limits(self) -> Limits:
        return self.bounds

    def protected_networks(self) -> list[bytes]:
        return list(self.protected)

    def resource_of(self, key: bytes) -> bytes:
        return self.resources.get(key, bytes(32))

    def grant_of(self, principal: bytes, resource: bytes) -> int:
        return self.grants_of.get((principal, resource), 0)

    # ---------------------------------------------------------------- asked by gateways

    def is_blocked(self, key: bytes) -> bool:
        network = self.networks[key]
        if network is None:
            raise Refused("RegistryBadNetwork", key)
        return any(
            kind is Kind.BLOCK and self.is_live(order) and _contains(self.networks[other], network)
            for (kind, other), order in self.orders.items()
        )

    def is_isolated(self, key: bytes) -> bool:
        return bool(self.live_until(Kind.ISOLATE, key))

    def is_revoked(self, key: bytes) -> bool:
        return bool(self.live_until(Kind.REVOKE, key))

    def is_authorized(self, credential: bytes, resource: bytes) -> bool:
        holder = self.credentials.get(credential)
        if holder is None or self.is_revoked(credential):
            return False
        asset = self.resources.get(resource, b"")
        granted = self.now < self.grants_of.get((holder.principal, resource), 0)
        return granted and asset in self.assets and not self.is_isolated(asset)

    def is_authorized_from(self, network: bytes, credential: bytes, resource: bytes) -> bool:
        return not self.is_blocked(network) and self.is_authorized(credential, resource)

    # ---------------------------------------------------------------- inside

    def _govern(self, sender: str) -> None:
        if sender != self.governor:
            raise Refused("AccessManagedUnauthorized", sender)

    def _zone(self, name: str) -> bytes:
        if name_key(name) not in self.zones:
            raise Refused("RegistryUnknown", name_key(name))
        return name_key(name)

    def _need_unordered(self, kind: Kind, key: bytes) -> None:
        if self.counts(kind, key):
            raise Refused("RegistryOrdered", key)

    def _count_protected(self, like: Network) -> int:
        networks = [self.networks[key] for key in self.protected]
        return sum(network is not None and network.version == like.version for network in networks)


def _check_name(name: str) -> None:
    if not 1 <= len(name.encode()) <= 256:
        raise Refused("RegistryBadName")


def _check_criticality(criticality: int) -> None:
    if criticality > 3:
        raise Refused("RegistryBadCriticality", criticality)


def _contains(outer: Network | None, inner: Network) -> bool:
    return outer is not None and outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]
