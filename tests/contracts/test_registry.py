"""What governance may register, and how it reads back."""

from __future__ import annotations

from typing import Any

import pytest
from scene import AGENT, CARD, LIMITS, OPERATOR, Gate, People, refused

from policies.actions import network_key
from responder.chain.proposal import name_key


def test_roles_read_back(bare_gate: Gate, people: People) -> None:
    address = people.stranger.address
    bare_gate.govern("setRoles", address, OPERATOR | 4 | 8)
    assert bare_gate.view("rolesOf", address) == 14
    assert bare_gate.last.name == "RolesSet"
    assert bare_gate.last.args == {"account": address.lower(), "roles": 14}


@pytest.mark.parametrize("roles", [3, 5, 9, 15])
def test_an_agent_holds_no_other_role(bare_gate: Gate, people: People, roles: int) -> None:
    address = people.stranger.address
    with refused("RegistryAgentMustBeAlone", address, roles):
        bare_gate.govern("setRoles", address, roles)
    bare_gate.govern("setRoles", address, AGENT)


def test_unknown_roles_are_refused(bare_gate: Gate, people: People) -> None:
    with refused("RegistryBadRoles", 16):
        bare_gate.govern("setRoles", people.stranger.address, 16)


def test_every_operator_there_ever_was_keeps_its_seat(bare_gate: Gate, people: People) -> None:
    for number in range(1, 105):
        address = "0x" + number.to_bytes(20).hex()
        bare_gate.govern("setRoles", address, OPERATOR)
        bare_gate.govern("setRoles", address, 0)
    bare_gate.govern("setRoles", "0x" + (104).to_bytes(20).hex(), OPERATOR)
    with refused("RegistryTooManyOperators", 104):
        bare_gate.govern("setRoles", people.stranger.address, OPERATOR)


def test_an_asset_reads_back(bare_gate: Gate) -> None:
    bare_gate.govern("setAsset", "web", "dmz", 2, True)
    key = name_key("web")
    assert bare_gate.view("assetOf", key) == (name_key("dmz"), 2, True, True)
    assert bare_gate.last.name == "AssetSet"
    assert tuple(bare_gate.last.args.values()) == (key, "web", "dmz", 2, True)
    assert bare_gate.view("assetOf", name_key("other")) == (bytes(32), 0, False, False)


def test_a_credential_reads_back(bare_gate: Gate) -> None:
    bare_gate.govern("setCredential", "ssh:x", 3, False)
    key = name_key("ssh:x")
    assert bare_gate.view("credentialOf", key) == (3, True, False)
    assert bare_gate.last.name == "CredentialSet"
    assert tuple(bare_gate.last.args.values()) == (key, "ssh:x", 3, False)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("setAsset", ("", "dmz", 0, False)),
        ("setAsset", ("web", "", 0, False)),
        ("setAsset", ("x" * 257, "dmz", 0, False)),
        ("setCredential", ("", 0, False)),
    ],
)
def test_a_name_has_one_to_256_bytes(bare_gate: Gate, function: str, args: tuple) -> None:
    with refused("RegistryBadName"):
        bare_gate.govern(function, *args)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("setAsset", ("web", "dmz", 4, False)),
        ("setCredential", ("ssh:x", 4, False)),
        ("setRule", (0, 4, (False, False, 0, 0, 0))),
    ],
)
def test_there_are_four_criticalities(bare_gate: Gate, function: str, args: tuple) -> None:
    with refused("RegistryBadCriticality", 4):
        bare_gate.govern(function, *args)


def test_protected_networks_come_and_go(bare_gate: Gate) -> None:
    keys = [network_key(f"10.{i}.0.0/16").to_bytes(32) for i in range(4)]
    for key in [*keys, keys[0]]:  # the last changes nothing
        bare_gate.govern("setProtectedNetwork", key, True)
    bare_gate.govern("setProtectedNetwork", keys[1], False)
    assert bare_gate.last.name == "NetworkProtected"
    assert bare_gate.last.args == {"network": keys[1], "isProtected": False}
    bare_gate.govern("setProtectedNetwork", keys[3], False)
    bare_gate.govern("setProtectedNetwork", keys[3], False)  # nor does this
    assert set(bare_gate.view("protectedNetworks")) == {keys[0], keys[2]}


def test_a_protected_network_is_canonical(bare_gate: Gate) -> None:
    bad = (4 << 136 | 8 << 128 | 1).to_bytes(32)
    with refused("RegistryBadNetwork", bad):
        bare_gate.govern("setProtectedNetwork", bad, True)


def test_protected_networks_are_bounded(bare_gate: Gate) -> None:
    for i in range(64):
        bare_gate.govern("setProtectedNetwork", network_key(f"10.{i}.0.0/16").to_bytes(32), True)
    with refused("RegistryTooManyNetworks", 65, 64):
        bare_gate.govern("setProtectedNetwork", network_key("10.64.0.0/16").to_bytes(32), True)


def test_protected_networks_of_both_families_are_listed(bare_gate: Gate) -> None:
    texts = ("0.0.0.0/0", "255.255.255.255/32", "10.0.0.0/8", "::/0", "2001:db8::1/128")
    keys = [network_key(text).to_bytes(32) for text in texts]
    for key in keys:
        bare_gate.govern("setProtectedNetwork", key, True)
    assert list(bare_gate.view("protectedNetworks")) == keys
    for key in keys:
        bare_gate.govern("setProtectedNetwork", key, False)
    assert list(bare_gate.view("protectedNetworks")) == []


def test_sixty_four_networks_of_each_family(bare_gate: Gate) -> None:
    for i in range(64):
        for text in (f"10.{i}.0.0/16", f"2001:db8:{i:x}::/48"):
            bare_gate.govern("setProtectedNetwork", network_key(text).to_bytes(32), True)
    assert len(bare_gate.view("protectedNetworks")) == 128
    for text in ("10.64.0.0/16", "2001:db8:40::/48"):
        with refused("RegistryTooManyNetworks", 65, 64):
            bare_gate.govern("setProtectedNetwork", network_key(text).to_bytes(32), True)


def test_the_limits_hold_in_every_cell(bare_gate: Gate) -> None:
    """A cell has a copy of them: whichever comes first, rule or change of limits."""
    rule = (True, False, 2, 600, 7)
    for limits in (LIMITS, (60, 30, 1, 1, 90)):
        bare_gate.govern("setLimits", limits)
        bare_gate.govern("setRule", 1, 2, rule)
    bare_gate.govern("setLimits", LIMITS)
    assert bare_gate.view("ruleOf", 1, 2) == rule
    assert bare_gate.view("limits") == LIMITS


def test_a_model_is_told_with_its_card(bare_gate: Gate) -> None:
    bare_gate.govern("setModel", b"\x01" * 32, CARD, True)
    assert bare_gate.last.name == "ModelSet"
    assert bare_gate.last.args == {"model": b"\x01" * 32, "card": CARD, "active": True}


def test_a_rule_reads_back(bare_gate: Gate) -> None:
    bare_gate.govern("setLimits", LIMITS)
    rule = (True, True, 3, 600, 7)
    bare_gate.govern("setRule", 2, 1, rule)
    assert bare_gate.view("ruleOf", 2, 1) == rule
    assert bare_gate.last.name == "RuleSet"
    assert bare_gate.last.args == {"kind": 2, "criticality": 1, "rule": rule}


@pytest.mark.parametrize(
    "rule",
    [
        (True, False, 0, 600, 7),
        (True, False, 105, 600, 7),
        (True, False, 2, 0, 7),
        (True, False, 2, 600, 0),
        (True, False, 2, 600, 4096),
        (False, True, 2, 600, 7),
    ],
)
def test_an_incomplete_rule_is_refused(gate: Gate, rule: tuple[Any, ...]) -> None:
    with refused("RegistryBadRule", 2, 1):
        gate.govern("setRule", 2, 1, rule)


def test_limits_come_before_rules(bare_gate: Gate) -> None:
    with refused("RegistryBadLimits"):
        bare_gate.govern("setRule", 0, 0, (True, False, 2, 600, 7))


@pytest.mark.parametrize("position", range(5))
def test_no_limit_is_zero(bare_gate: Gate, position: int) -> None:
    limits = list(LIMITS)
    limits[position] = 0
    with refused("RegistryBadLimits"):
        bare_gate.govern("setLimits", tuple(limits))


def test_limits_read_back(bare_gate: Gate) -> None:
    bare_gate.govern("setLimits", LIMITS)
    assert bare_gate.view("limits") == LIMITS
    assert bare_gate.last.name == "LimitsSet"
    assert bare_gate.last.args == {"limits": LIMITS}
