"""What a deployment file says less what the chain says: the steps between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Literal

from policies.actions import Kind, network_key
from policies.guardrails import Rule
from responder.chain.deploy_config import DeployConfig
from responder.chain.deploy_words import MANAGER_ROLES, call_words
from responder.chain.proposal import PAGE, name_key
from responder.chain.registry import AssetEntry, CredentialEntry, Registry, Scope
from responder.errors import Permanent

__all__ = ["ADMIN_ROLE", "GOVERNED", "GOVERNOR_ROLE", "KEEPERS", "State", "Step", "plan", "seals"]

ADMIN_ROLE, GOVERNOR_ROLE = 0, 1
# Who says who is a governor, and who may cancel what one has scheduled.
KEEPERS = {"setRoleAdmin": ADMIN_ROLE, "setRoleGuardian": ADMIN_ROLE}
GOVERNED = (
    "setRoles",
    "setEnforcerScope",
    "setZone",
    "setPool",
    "setAssets",
    "setCredentials",
    "removeTarget",
    "setResource",
    "setGrants",
    "setProtectedNetworks",
    "setRule",
    "setLimits",
)
_CHUNK = 32  # entries of a bulk call
_FORBIDDEN = Rule(allowed=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One call that brings the chain closer to the file."""

    contract: Literal["gate", "manager"]
    function: str
    args: tuple[Any, ...]

    def __str__(self) -> str:
        """What it does, in words."""
        if self.function == "setTargetFunctionRole":
            functions, role = self.args
            return f"{self.function} roleId={MANAGER_ROLES[role]}: {', '.join(functions)}"
        return call_words(self.function, self.args)


@dataclass(frozen=True)
class State:
    """What the chain says now, as far as a deployment file speaks of it."""

    registry: Registry
    resources: Mapping[str, str]  # -> asset
    grants: Mapping[tuple[str, str], int]  # principal, resource -> Unix seconds
    function_roles: Mapping[str, int]  # by name of the gate's governed functions
    members: Mapping[tuple[int, str], int]  # of the manager's two roles: role, account -> delay
    keepers: Mapping[str, int] = field(default_factory=lambda: dict(KEEPERS))

    @staticmethod
    def new(sender: str) -> State:
        """Of a gate that was just created."""
        roles = dict.fromkeys(GOVERNED, ADMIN_ROLE)
        return State(Registry(), {}, {}, roles, {(ADMIN_ROLE, sender): 0})

    def hands_over(self, sender: str) -> bool:
        """Whether the deploying account still governs without delay."""
        return self.members.get((ADMIN_ROLE, sender)) == 0


def plan(config: DeployConfig, state: State, sender: str) -> list[Step]:
    """What is desired less what is there; empty where nothing is to do. Pure.

    Raises Permanent where the deploying account would hand over to itself.
    """
    if state.hands_over(sender) and sender == config.governor:
        raise Permanent("governor.address: deploy from another account than the governor's")
    there = state.registry
    return [
        *_rule_steps(config, there),
        *_people_steps(config, there),
        *_place_steps(config, there),
        *_scope_steps(config, there),
        *_target_steps(config, there),
        *_access_steps(config, state),
        *_removal_steps(config, there),
        *_governance_steps(config, state, sender),
    ]


def seals(there: Registry) -> list[Step]:
    """Makes the names of new assets known to batches, which anyone may."""
    pages = {
        (*place, number): keys[number * PAGE :][:PAGE]
        for place, keys in there.places.items()
        for number in range(-(-len(keys) // PAGE))
    }
    return [
        Step("gate", "sealPage", (*page, tuple(keys)))
        for page, keys in pages.items()
        if page not in there.sealed
    ]


def _rule_steps(config: DeployConfig, there: Registry) -> Iterator[Step]:
    if config.limits != there.limits:  # first: rules need a window
        yield Step("gate", "setLimits", (astuple(config.limits),))
    for (kind, criticality), rule in config.rules.items():
        if rule != there.rules.get((kind, criticality), _FORBIDDEN):
            yield Step("gate", "setRule", (int(kind), criticality, astuple(rule)))


def _people_steps(config: DeployConfig, there: Registry) -> Iterator[Step]:
    # Whom the file no longer names loses its roles first.
    accounts = sorted(there.roles.keys() | config.roles.keys())
    for account in sorted(accounts, key=config.roles.__contains__):
        roles = config.roles.get(account, (0, 0))
        group = there.group_of(account) if account in there.seats else 0
        if roles != (there.roles.get(account, 0), group):
            yield Step("gate", "setRoles", (account, *roles))


def _place_steps(config: DeployConfig, there: Registry) -> Iterator[Step]:
    for name, rule in config.zones.items():
        if there.zones.get(name_key(name)) != (name, rule):
            yield Step("gate", "setZone", (name, astuple(rule)))
    for name, keep in config.pools.items():
        if there.pools.get(name_key(name)) != (name, keep):
            yield Step("gate", "setPool", (name, keep))


def _scope_steps(config: DeployConfig, there: Registry) -> Iterator[Step]:
    for enforcer in sorted(there.scopes.keys() | config.scopes.keys()):
        scope = config.scopes.get(enforcer, Scope())
        if scope != there.scope_of(enforcer):
            yield Step("gate", "setEnforcerScope", (enforcer, *astuple(scope)))


def _target_steps(config: DeployConfig, there: Registry) -> Iterator[Step]:
    assets = []
    for a in config.inventory.assets:
        entry = AssetEntry(a.id, a.zone, a.criticality, a.protected, a.pool)
        known = there.assets.get(name_key(a.id))
        if known is None or replace(known, place=0) != entry:
            assets.append((a.id, a.zone, a.pool, a.criticality, a.protected))
    yield from _bulk("setAssets", assets)
    entries = [
        CredentialEntry(c.id, c.owner, c.criticality, c.protected)
        for c in config.inventory.credentials
    ]
    changed = [e for e in entries if there.credentials.get(name_key(e.id)) != e]
    yield from _bulk(
        "setCredentials", [(e.id, e.principal, e.criticality, e.protected) for e in changed]
    )


def _access_steps(config: DeployConfig, state: State) -> Iterator[Step]:
    for resource in config.inventory.resources:
        if state.resources.get(resource.id) != resource.asset:
            yield Step("gate", "setResource", (resource.id, resource.asset))
    wanted = {(g.principal, g.resource): g.until for g in config.inventory.grants}
    ended = {key: 0 for key, until in state.grants.items() if until and key not in wanted}
    changed = {key: until for key, until in wanted.items() if state.grants.get(key) != until}
    yield from _bulk("setGrants", [(*key, until) for key, until in (ended | changed).items()])
    there = set(state.registry.networks)
    networks = {network_key(n).to_bytes(32) for n in config.inventory.protected_networks}
    yield from _bulk("setProtectedNetworks", sorted(there - networks), False)
    yield from _bulk("setProtectedNetworks", sorted(networks - there), True)


def _removal_steps(config: DeployConfig, there: Registry) -> Iterator[Step]:
    """Last of the gate's, for an order on one of them refuses it."""
    assets = {name_key(asset.id) for asset in config.inventory.assets}
    credentials = {name_key(credential.id) for credential in config.inventory.credentials}
    gone = [(Kind.ISOLATE, k) for k, a in there.assets.items() if a.known and k not in assets]
    gone += [
        (Kind.REVOKE, k) for k, c in there.credentials.items() if c.known and k not in credentials
    ]
    for kind, key in gone:
        yield Step("gate", "removeTarget", (int(kind), key))


def _governance_steps(config: DeployConfig, state: State, sender: str) -> Iterator[Step]:
    functions = [name for name in GOVERNED if state.function_roles[name] != GOVERNOR_ROLE]
    if functions:
        yield Step("manager", "setTargetFunctionRole", (tuple(functions), GOVERNOR_ROLE))
    for role in (GOVERNOR_ROLE, ADMIN_ROLE):
        if state.members.get((role, config.governor)) != config.delay:
            yield Step("manager", "grantRole", (role, config.governor, config.delay))
    for function, role in KEEPERS.items():
        if state.keepers[function] != role:
            yield Step("manager", function, (GOVERNOR_ROLE, role))
    others = [member for member in state.members if member[1] != config.governor]
    # The sender's own role of admin goes last: it is what the rest is done with.
    for role, account in sorted(
        others, key=lambda member: (member == (ADMIN_ROLE, sender), member)
    ):
        if state.hands_over(sender) and (role, account) == (ADMIN_ROLE, sender):
            yield Step("manager", "renounceRole", (role, account))
        else:
            yield Step("manager", "revokeRole", (role, account))


def _bulk(function: str, entries: Sequence[Any], *args: Any) -> Iterator[Step]:
    for start in range(0, len(entries), _CHUNK):
        yield Step("gate", function, (tuple(entries[start : start + _CHUNK]), *args))
