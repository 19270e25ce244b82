"""Rules about what governance changes, and who else may not."""

from __future__ import annotations

from typing import Any

import machine_tables as tables
from hypothesis import strategies as st
from hypothesis.stateful import rule
from machine_base import Base, callers
from machine_tables import (
    ASSETS,
    CREDENTIALS,
    ENFORCERS,
    GRANTS,
    MANY_NETWORKS,
    NAMES,
    OPERATORS,
    POOLS,
    RESOURCES,
    RULES,
    SOME,
    TARGETS,
    ZONES,
)
from machine_world import asset_entry, first_role
from model_state import Credential, ZoneRule

from policies.actions import Kind
from responder.chain.proposal import name_key

some_assets = st.sampled_from(SOME)
zone_names = st.sampled_from((*ZONES, *ZONES, "unknown", ""))
few = st.integers(0, 4)
now_and_then = st.sampled_from((0, 1, 1, 1, 1, 1))


def _change(method: str, **arguments: Any) -> Any:
    return st.tuples(st.just(method), st.fixed_dictionaries(arguments))


BOOLEANS = ("allowed", "leasable")
people_changes = st.one_of(
    _change(
        "_set_roles",
        name=st.sampled_from((*NAMES, *OPERATORS)),
        roles=st.sampled_from((0, 0, 1, 2, 2, 4, 6, 8, 3, 16)),
        group=st.sampled_from((0, 0, 0, 1, 1, 2, 4)),
    ),
    _change("_many_take_seats", group=st.integers(0, 3), count=st.integers(1, 17)),
    _change(
        "_set_scope",
        name=st.sampled_from(ENFORCERS),
        kinds=st.sampled_from((0, 2, 5, 7, 8)),
        zone=zone_names,
    ),
)
place_changes = st.one_of(
    _change(
        "_set_zone",
        name=zone_names,
        share=st.sampled_from((0, 10, 50, 100, 100, 101)),
        extra=st.sampled_from((0, 1, 2, 65)),
        frozen=st.sampled_from((0, 0, 300, 3600)),
        opens=st.integers(0, 1),
        length=st.sampled_from((0, 600, 7 * 86400, 7 * 86400 + 1)),
    ),
    _change("_set_pool", name=st.sampled_from((*POOLS, *POOLS, "")), keep=few),
    _change(
        "_change_an_asset",
        name=some_assets,
        to=zone_names,
        criticality=st.sampled_from((0, 0, 1, 2, 4)),
        protected=st.sampled_from((False, False, True)),
        pool=st.sampled_from(("", "", "dns", "probes", "unknown")),
        what=st.sampled_from(("zone", "criticality", "protected", "pool", "all", "twice")),
    ),
    _change(
        "_change_a_credential",
        name=st.sampled_from((*CREDENTIALS, "")),
        principal=st.sampled_from(("ops", "admins", "")),
        criticality=st.sampled_from((1, 1, 2, 4)),
        protected=st.booleans(),
    ),
    _change("_remove_a_target", number=st.integers(0, len(TARGETS) - 1), sure=now_and_then),
    _change(
        "_set_resource",
        name=st.sampled_from((*RESOURCES, *RESOURCES, "")),
        asset=st.sampled_from(("web-0", "web-0", "mail", "mail", "pc-1", "unknown")),
    ),
    _change(
        "_set_grants",
        who=st.sampled_from(list(GRANTS)),
        until=st.sampled_from((0, 1, 600, 1 << 38)),
        bad=few,
    ),
    _change(
        "_protect_networks",
        texts=st.lists(st.sampled_from(tables.NETWORKS), min_size=1, max_size=2),
        protected=st.sampled_from((False, False, True)),
        bad=st.integers(0, 7),
    ),
)
rule_changes = st.one_of(
    _change(
        "_set_rule",
        cell=st.sampled_from(list(RULES)),
        field=st.sampled_from(("allowed", "leasable", "quorum", "groups", "delay", "max_ttl")),
        other=st.sampled_from(("budget", "live", "quorum", "delay")),
        value=st.sampled_from((0, 1, 2, 3, 60, 255)),
        criticality=st.sampled_from((0, 0, 0, 0, 0, 4)),
    ),
    _change(
        "_set_limits",
        window=st.sampled_from((600, 3600, 3600, 0)),
        pending=st.sampled_from((900, 900, 300, 30 * 86400, 30 * 86400 + 1)),
        due=st.sampled_from((60, 120)),
        quorums=st.tuples(*[st.sampled_from((1, 2, 2, 3, 0))] * 3),
    ),
)


class Governance(Base):
    @rule(change=st.one_of(people_changes, rule_changes))
    def people_and_rules_change(self, change: tuple[str, dict[str, Any]]) -> None:
        method, arguments = change
        getattr(self, method)(**arguments)

    @rule(change=place_changes)
    def targets_change(self, change: tuple[str, dict[str, Any]]) -> None:
        method, arguments = change
        getattr(self, method)(**arguments)

    @rule(what=st.sampled_from(("people", "rules", "targets", "all", "all")))
    def all_is_as_at_first(self, what: str) -> None:
        if what in ("people", "all"):
            self._people_are_as_at_first()
        if what in ("rules", "all"):
            self._rules_are_as_at_first()
        if what in ("targets", "all"):
            self._targets_are_as_at_first()

    def _govern(self, function: str, *args: Any) -> bool:
        return self.send(function, "governor", *args)

    # ---------------------------------------------------------------- people

    def _set_roles(self, name: str, roles: int, group: int) -> None:
        self._govern("setRoles", self.address(name), roles, group if roles & 2 or group > 2 else 0)

    def _many_take_seats(self, group: int, count: int) -> None:
        """Until there is none, and leave again: the seats rest."""
        crowd = [f"0x{1000 * (group + 1) + i:040x}" for i in range(count)]
        taken = [who for who in crowd if self._govern("setRoles", who, 2, group)]
        for who in taken:
            self._govern("setRoles", who, 0, 0)

    def _set_scope(self, name: str, kinds: int, zone: str) -> None:
        self._govern("setEnforcerScope", self.address(name), kinds, zone)

    def _people_are_as_at_first(self) -> None:
        for name in NAMES:
            if self.model.roles_of(self.address(name)) != first_role(name):
                self.world.restore_role(name)
        for name, scope in tables.SCOPES.items():
            if self.model.scopes[self.address(name)] != (
                scope[0],
                name_key(scope[1]) if scope[1] else None,
            ):
                self._govern("setEnforcerScope", self.address(name), *scope)
        for model in tables.MODELS[:2]:
            if not self.model.model_of(model)[0]:
                self.world.activate(model)

    # ---------------------------------------------------------------- places

    def _set_zone(
        self, name: str, share: int, extra: int, frozen: int, opens: int, length: int
    ) -> None:
        made = ZoneRule(
            share,
            extra,
            self.now if frozen else 0,
            self.now + frozen if frozen else 0,
            self.now % (7 * 86400) if opens else 7 * 86400 * (share > 100),
            length,
        )
        self._govern("setZone", "" if name == "unknown" else name, tuple(made))

    def _set_pool(self, name: str, keep: int) -> None:
        self._govern("setPool", name, keep)

    def _change_an_asset(
        self, name: str, to: str, criticality: int, protected: bool, pool: str, what: str
    ) -> None:
        own = asset_entry(name)
        new = (
            name,
            to if what in ("zone", "all") else own[1],
            pool if what in ("pool", "all") else own[2],
            criticality if what in ("criticality", "all") else own[3],
            protected if what in ("protected", "all") else own[4],
        )
        self._govern("setAssets", [new, own] if what == "twice" else [new])

    def _change_a_credential(
        self, name: str, principal: str, criticality: int, protected: bool
    ) -> None:
        first = next(iter(CREDENTIALS.items()))
        own = (first[0], *first[1])
        self._govern("setCredentials", [own, (name, principal, criticality, protected)])

    def _remove_a_target(self, number: int, sure: int) -> None:
        kind, key = TARGETS[number]
        free = [
            (what, other)
            for what, other in TARGETS
            if what is not Kind.BLOCK and self.model.known(what, other)
        ]
        if sure and free:  # one that is there
            kind, key = free[number % len(free)]
        self._govern("removeTarget", int(kind), key)

    def _set_resource(self, name: str, asset: str) -> None:
        self._govern("setResource", name, asset)

    def _set_grants(self, who: tuple[str, str], until: int, bad: int) -> None:
        grants = [(*who, self.now + until if until else 0)]
        if bad == 0:
            grants.append(("", "web-0:ssh", 0))
        if bad == 1:
            grants.append(("ops", "unknown", 0))
        self._govern("setGrants", grants)

    def _protect_networks(self, texts: list[str], protected: bool, bad: int) -> None:
        keys = [tables.network(text) for text in texts]
        if bad == 0:
            keys.append(tables.MALFORMED[0].to_bytes(32))
        if bad == 1:
            keys = [tables.network(text) for text in MANY_NETWORKS]
        self._govern("setProtectedNetworks", keys, protected or bad == 1)

    # ---------------------------------------------------------------- rules

    def _set_rule(self, cell: Any, field: str, other: str, value: int, criticality: int) -> None:
        kind, own = cell
        made = RULES[cell]._replace(**{field: value % 2 == 1 if field in BOOLEANS else value})
        if value < 4:
            made = made._replace(**{other: value})
        self._govern("setRule", int(kind), criticality or own, tuple(made))

    def _set_limits(self, window: int, pending: int, due: int, quorums: tuple[int, ...]) -> None:
        self._govern("setLimits", (window, pending, 86400, due, *quorums))

    def _rules_are_as_at_first(self) -> None:
        if self.model.bounds != tables.LIMITS:
            self._govern("setLimits", tuple(tables.LIMITS))
        for (kind, criticality), made in RULES.items():
            if self.model.rule(kind, criticality) != made:
                self._govern("setRule", int(kind), criticality, tuple(made))
        for name, zone in ZONES.items():
            if self.model.zones[name_key(name)] != zone:
                self._govern("setZone", name, tuple(zone))
        own = {tables.network(text) for text in tables.PROTECTED}
        if others := sorted(self.model.protected - own):
            self._govern("setProtectedNetworks", others, False)

    def _targets_are_as_at_first(self) -> None:
        for name in ASSETS:
            zone, pool, criticality, protected = ASSETS[name]
            asset = self.model.assets.get(name_key(name))
            at = asset and (asset.zone, asset.pool, asset.criticality, asset.protected)
            if at != (name_key(zone), name_key(pool) if pool else None, criticality, protected):
                self._govern("setAssets", [asset_entry(name)])
        for name, (principal, criticality, protected) in CREDENTIALS.items():
            if self.model.credentials.get(name_key(name)) != Credential(
                name_key(principal), criticality, protected
            ):
                self._govern("setCredentials", [(name, principal, criticality, protected)])

    # ---------------------------------------------------------------- others

    @rule(name=callers, number=st.integers(0, 11))
    def no_one_else_governs(self, name: str, number: int) -> None:
        if name == "governor":
            return
        own = self.address(name)
        calls: list[tuple[Any, ...]] = [
            ("setRoles", own, 2, 0),
            ("setEnforcerScope", own, 7, ""),
            ("setZone", "dmz", tuple(ZoneRule(100))),
            ("setPool", "dns", 0),
            ("setAssets", [asset_entry("web-0")]),
            ("setCredentials", [("ssh:deploy", "ops", 1, False)]),
            ("removeTarget", 1, name_key("gateway")),
            ("setResource", "web-0:ssh", "web-1"),
            ("setGrants", [("ops", "web-0:ssh", 1 << 39)]),
            ("setProtectedNetworks", [tables.network(tables.PROTECTED[0])], False),
            ("setRule", 0, 0, tuple(RULES[Kind.BLOCK, 0])),
            ("setLimits", (1,) * 7),
        ]
        function, *args = calls[number]
        self.send(function, name, *args)
