"""The plan of a deployment is what differs between the file and the gate."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from deploying import DEPLOYER, EXAMPLE, GOVERNOR, OPERATOR, A, B, an_operator

from policies.actions import Kind, network_key
from policies.guardrails import Limits, Rule, ZoneRule
from responder.chain.deploy_config import DeployConfig
from responder.chain.deploy_plan import ADMIN_ROLE, GOVERNED, GOVERNOR_ROLE, State, plan
from responder.chain.deployment import (
    load_config,
)
from responder.chain.proposal import name_key
from responder.chain.registry import AssetEntry, CredentialEntry, Registry, Scope
from responder.errors import Permanent


@pytest.fixture
def config() -> DeployConfig:
    return load_config(EXAMPLE)


def settled(config: DeployConfig) -> State:
    """The state in which nothing is to do."""
    there, inventory = Registry(), config.inventory
    there.limits, there.rules, there.scopes = config.limits, dict(config.rules), config.scopes
    for account, (bits, group) in config.roles.items():
        there.roles[account] = bits
        if bits & OPERATOR:
            there.seats[account] = 16 * group + len(there.seats)
    there.zones = {name_key(name): (name, rule) for name, rule in config.zones.items()}
    there.pools = {name_key(name): (name, keep) for name, keep in config.pools.items()}
    for place, a in enumerate(inventory.assets):
        entry = AssetEntry(a.id, a.zone, a.criticality, a.protected, a.pool, place)
        there.assets[name_key(a.id)] = entry
    for c in inventory.credentials:
        there.credentials[name_key(c.id)] = CredentialEntry(
            c.id, c.owner, c.criticality, c.protected
        )
    there.networks = {network_key(n).to_bytes(32): None for n in inventory.protected_networks}
    return State(
        registry=there,
        resources={r.id: r.asset for r in inventory.resources},
        grants={(g.principal, g.resource): g.until for g in inventory.grants},
        function_roles=dict.fromkeys(GOVERNED, GOVERNOR_ROLE),
        members=dict.fromkeys([(r, config.governor) for r in (0, 1)], config.delay),
    )


def planned(config: DeployConfig, state: State) -> list[tuple[str, tuple[Any, ...]]]:
    return [(step.function, step.args) for step in plan(config, state, DEPLOYER)]


def test_nothing_to_do_is_an_answer(config: DeployConfig) -> None:
    assert plan(config, settled(config), DEPLOYER) == []


NETWORK = network_key("10.0.0.0/8").to_bytes(32)
OLD_ASSET = AssetEntry("old", "dmz", 1, False)
REGISTERED: list[tuple[str, Any, Any, tuple[str, tuple[Any, ...]]]] = [
    ("roles", A, OPERATOR, ("setRoles", (A, 0, 0))),
    ("scopes", A, Scope(7, ""), ("setEnforcerScope", (A, 0, ""))),
    ("networks", NETWORK, None, ("setProtectedNetworks", ((NETWORK,), False))),
    ("assets", name_key("old"), OLD_ASSET, ("removeTarget", (1, name_key("old")))),
    (
        "credentials",
        name_key("old"),
        CredentialEntry("old", "old", 1, False),
        ("removeTarget", (2, name_key("old"))),
    ),
    (
        "rules",
        (Kind.REVOKE, 1),
        Rule(allowed=False),
        ("setRule", (2, 1, (True, True, 2, 0, 0, 86400, 20, 40))),
    ),
    (
        "zones",
        name_key("dmz"),
        ("dmz", ZoneRule()),
        ("setZone", ("dmz", (30, 0, 0, 0, 0, 0))),
    ),
    ("pools", name_key("dns"), ("dns", 2), ("setPool", ("dns", 1))),
    (
        "assets",
        name_key("erp"),
        AssetEntry("erp", "core", 2, False),
        ("setAssets", ((("erp", "core", "", 3, False),),)),
    ),
    (
        "credentials",
        name_key("ssh:SHA256:deploy"),
        CredentialEntry("ssh:SHA256:deploy", "someone", 1, False),
        ("setCredentials", ((("ssh:SHA256:deploy", "build", 1, False),),)),
    ),
]


@pytest.mark.parametrize(("field", "key", "value", "step"), REGISTERED)
def test_what_differs_is_one_step(
    config: DeployConfig, field: str, key: Any, value: Any, step: tuple[str, tuple[Any, ...]]
) -> None:
    state = settled(config)
    setattr(state.registry, field, {**getattr(state.registry, field), key: value})
    assert planned(config, state) == [step]


def test_changed_limits_are_one_step(config: DeployConfig) -> None:
    state = settled(config)
    state.registry.limits = Limits(1, 1, 1, 1, 1, 1, 1)
    assert planned(config, state) == [("setLimits", ((3600, 900, 86400, 120, 2, 2, 2),))]


def test_another_approver_group_is_a_step(config: DeployConfig) -> None:
    state, operator = settled(config), an_operator(config)
    state.registry.seats[operator] = 40
    assert planned(config, state) == [("setRoles", (operator, OPERATOR, 0))]


def test_what_was_removed_stays_removed(config: DeployConfig) -> None:
    state = settled(config)
    state.registry.assets[name_key("old")] = replace(OLD_ASSET, known=False)
    assert planned(config, state) == []


def test_a_grant_ends_where_the_file_lacks_it(config: DeployConfig) -> None:
    there = {("build", "https://erp.example"): 5, ("a", "x"): 7, ("b", "x"): 0}
    state = replace(settled(config), grants=there)
    [grant] = config.inventory.grants
    entries = (("a", "x", 0), (grant.principal, grant.resource, grant.until))
    assert planned(config, state) == [("setGrants", (entries,))]


ADMIN = (ADMIN_ROLE, GOVERNOR)
MEMBERS: list[tuple[dict[tuple[int, str], int | None], list[tuple[str, tuple[Any, ...]]]]] = [
    ({(ADMIN_ROLE, DEPLOYER): 0}, [("renounceRole", (0, DEPLOYER))]),
    ({ADMIN: None}, [("grantRole", (0, GOVERNOR, 172800))]),
    ({ADMIN: 5}, [("grantRole", (0, GOVERNOR, 172800))]),
    ({(GOVERNOR_ROLE, A): 9}, [("revokeRole", (1, A))]),
    (
        {(ADMIN_ROLE, DEPLOYER): 9, (GOVERNOR_ROLE, DEPLOYER): 9, (ADMIN_ROLE, B): 0},
        [("revokeRole", (0, B)), ("revokeRole", (1, DEPLOYER)), ("revokeRole", (0, DEPLOYER))],
    ),
]


@pytest.mark.parametrize(("members", "steps"), MEMBERS)
def test_only_the_governor_governs(
    config: DeployConfig,
    members: dict[tuple[int, str], int | None],
    steps: list[tuple[str, tuple[Any, ...]]],
) -> None:
    state = settled(config)
    there = {member: d for member, d in {**state.members, **members}.items() if d is not None}
    assert planned(config, replace(state, members=there)) == steps


def test_no_other_role_makes_governors_or_cancels_what_they_schedule(config: DeployConfig) -> None:
    state = replace(settled(config), keepers={"setRoleAdmin": 7, "setRoleGuardian": 8})
    steps = [("setRoleAdmin", (1, 0)), ("setRoleGuardian", (1, 0))]
    assert planned(config, state) == steps


def test_a_function_that_is_not_governed_is_a_step(config: DeployConfig) -> None:
    roles = {**dict.fromkeys(GOVERNED, 1), "setRule": 0}
    steps = planned(config, replace(settled(config), function_roles=roles))
    assert steps == [("setTargetFunctionRole", (("setRule",), 1))]


def test_every_restricted_function_is_governed() -> None:
    source = (EXAMPLE.parent / "Registry.sol").read_text()
    restricted = set(re.findall(r"function (\w+)\([^)]*\)[^{;]*\brestricted\b", source))
    assert restricted == set(GOVERNED)


def test_roles_are_taken_before_they_are_given(config: DeployConfig) -> None:
    state, operator = settled(config), an_operator(config)
    del state.registry.roles[operator], state.registry.seats[operator]
    state.registry.roles[A] = OPERATOR
    steps = planned(config, state)
    assert [args for _, args in steps] == [(A, 0, 0), (operator, OPERATOR, 0)]


def test_the_deployer_cannot_hand_over_to_itself(config: DeployConfig) -> None:
    with pytest.raises(Permanent, match="deploy from another account"):
        plan(replace(config, governor=DEPLOYER), State.new(DEPLOYER), DEPLOYER)
