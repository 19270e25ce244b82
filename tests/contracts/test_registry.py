"""What governance may register, and how it reads back."""

from __future__ import annotations

from typing import Any

import pytest
from layout import poke
from scene import (
    ALL_KINDS,
    LIMITS,
    OPEN,
    REASON,
    Gate,
    People,
    asset_entry,
    refused,
)

from policies.actions import Kind, network_key
from responder.chain.proposal import name_key

LONG = "x" * 256
WEEK, MONTH = 604_800, 2_592_000


def net(text: str) -> bytes:
    return network_key(text).to_bytes(32)


@pytest.fixture
def limited(bare_gate: Gate) -> Gate:
    """With limits and a zone, and nothing else."""
    bare_gate.govern("setLimits", LIMITS)
    bare_gate.govern("setZone", "dmz", OPEN)
    return bare_gate


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["", LONG + "x"])
@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("setZone", ("{}", OPEN)),
        ("setPool", ("{}", 1)),
        ("setAssets", ([("{}", "dmz", "", 0, False)],)),
        ("setCredentials", ([("{}", "ops", 0, False)],)),
        ("setCredentials", ([("ssh:x", "{}", 0, False)],)),
        ("setResource", ("{}", "web")),
        ("setGrants", ([("{}", "wiki", 1)],)),
    ],
)
def test_a_name_has_one_to_256_bytes(gate: Gate, function: str, args: Any, name: str) -> None:
    gate.govern("setResource", "wiki", "web")
    with refused("RegistryBadName"):
        gate.govern(function, *filled(args, name))
    if name:
        gate.govern(function, *filled(args, LONG))


def filled(value: Any, name: str) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(filled(v, name) for v in value)
    return name if value == "{}" else value


# ---------------------------------------------------------------- zones and pools


def test_a_zone_reads_back(bare_gate: Gate) -> None:
    rule = (40, 2, 1, 2**40 - 1, WEEK - 1, WEEK)
    bare_gate.govern("setZone", "dmz", rule)
    bare_gate.told("ZoneSet", key=name_key("dmz"), name="dmz", rule=rule)
    assert bare_gate.view("zoneOf", name_key("dmz")) == (rule, 0, 0)
    assert bare_gate.view("zoneOf", name_key("other")) == ((0,) * 6, 0, 0)


def test_a_zone_changes_and_keeps_its_assets(gate: Gate) -> None:
    gate.order(Kind.ISOLATE, "web")
    for share in (7, 8):
        gate.govern("setZone", "dmz", (share, 0, 0, 0, 0, 0))
        assert gate.view("zoneOf", name_key("dmz")) == ((share, 0, 0, 0, 0, 0), 1, 1)


@pytest.mark.parametrize(
    "rule",
    [
        (0, 0, 0, 0, 0, 0),
        (101, 0, 0, 0, 0, 0),
        (1, 65, 0, 0, 0, 0),
        (1, 0, 0, 0, WEEK, 0),
        (1, 0, 0, 0, 0, WEEK + 1),
    ],
)
def test_a_zones_rule_has_its_bounds(bare_gate: Gate, rule: tuple[int, ...]) -> None:
    with refused("RegistryBadZone", name_key("dmz")):
        bare_gate.govern("setZone", "dmz", rule)
    bare_gate.govern("setZone", "dmz", (100, 64, 0, 0, WEEK - 1, WEEK))


def test_a_pool_reads_back(bare_gate: Gate) -> None:
    for number, name in enumerate(("controllers", "sensors"), start=1):
        bare_gate.govern("setPool", name, 65_535)
        bare_gate.told("PoolSet", key=name_key(name), name=name, number=number, keep=65_535)
        assert bare_gate.view("poolOf", name_key(name)) == (0, 0, 65_535)
    bare_gate.govern("setPool", "controllers", 1)
    bare_gate.told("PoolSet", key=name_key("controllers"), name="controllers", number=1, keep=1)
    assert bare_gate.view("poolOf", name_key("nothing")) == (0, 0, 0)


def test_there_are_255_pools(bare_gate: Gate) -> None:
    for number in range(255):
        bare_gate.govern("setPool", f"pool {number}", 1)
    with refused("RegistryFull", 255):
        bare_gate.govern("setPool", "one more", 1)
    bare_gate.govern("setPool", "pool 0", 2)


# ---------------------------------------------------------------- assets and credentials


def test_an_asset_reads_back(limited: Gate) -> None:
    limited.govern("setPool", "controllers", 1)
    key, zone = name_key("dc"), name_key("dmz")
    entry = asset_entry("dc", "dmz", 2, True, "controllers")
    limited.govern("setAssets", [entry])
    limited.told("AssetSet", key=key, entry=entry, place=0)
    assert limited.view("assetOf", key) == (zone, 2, True, True, 1, 0)
    assert limited.view("zoneOf", zone)[1] == 1
    assert limited.view("poolOf", name_key("controllers"))[0] == 1
    assert limited.view("assetOf", name_key("other")) == (bytes(32), 0, False, False, 0, 0)


def test_places_are_numbered_in_each_zone_and_criticality(gate: Gate) -> None:
    entries = [("a", "dmz", 0), ("b", "dmz", 1), ("c", "dmz", 0), ("d", "core", 0), ("e", "dmz", 0)]
    gate.govern("setAssets", [asset_entry(*entry, False) for entry in entries])
    places = {name: gate.view("assetOf", name_key(name))[5] for name, *_ in entries}
    assert places == {"a": 1, "b": 0, "c": 2, "d": 1, "e": 3}  # web and gateway were there


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (asset_entry("web", "dmz", 0, True), 0),  # stays
        (asset_entry("web", "core", 0, False), 1),
        (asset_entry("web", "dmz", 1, False), 0),
        (asset_entry("web", "dmz", 0, False, "controllers"), 1),
    ],
)
def test_a_place_is_taken_once(gate: Gate, entry: tuple[Any, ...], place: int) -> None:
    gate.govern("setPool", "controllers", 1)
    gate.govern("setAssets", [entry])
    assert gate.view("assetOf", name_key("web"))[5] == place
    gate.govern("setAssets", [asset_entry("next", "dmz", 0, False)])
    moved_within = entry[2] == "controllers"
    assert gate.view("assetOf", name_key("next"))[5] == (2 if moved_within else 1)


def test_what_was_removed_and_comes_back_takes_a_new_place(gate: Gate) -> None:
    key = name_key("web")
    gate.govern("removeTarget", int(Kind.ISOLATE), key)
    gate.told("TargetRemoved", key=key, kind=int(Kind.ISOLATE))
    assert gate.view("assetOf", key) == (bytes(32), 0, False, False, 0, 0)
    assert gate.view("zoneOf", name_key("dmz"))[1] == 0
    with refused("GateRefused", 2):
        gate.propose(Kind.ISOLATE, "web")
    gate.govern("setAssets", [asset_entry("web", "dmz", 0, False)])
    assert gate.view("assetOf", key) == (name_key("dmz"), 0, True, False, 0, 1)
    gate.order(Kind.ISOLATE, "web")


def test_what_is_removed_is_known(gate: Gate) -> None:
    for kind, key in ((1, name_key("nobody")), (2, name_key("nobody")), (0, net("203.0.113.9"))):
        with refused("RegistryUnknown", key):
            gate.govern("removeTarget", kind, key)
    gate.govern("removeTarget", int(Kind.REVOKE), name_key("ssh:deploy"))
    gate.told("TargetRemoved", key=name_key("ssh:deploy"), kind=int(Kind.REVOKE))
    assert gate.view("credentialOf", name_key("ssh:deploy")) == (bytes(32), 0, False, False)


def test_the_last_order_of_what_was_removed_stays_told(gate: Gate, people: People) -> None:
    order = gate.order(Kind.ISOLATE, "web", ttl=60)
    gate.evm.advance(60)
    gate.send("settle", 1, [order.target], sender=people.stranger)
    gate.govern("removeTarget", 1, order.target)
    assert gate.status(order) == "EXPIRED"


def test_what_was_removed_is_of_no_zone_and_criticality(gate: Gate, people: People) -> None:
    gate.rule(Kind.ISOLATE, 0, quorum=1)
    enforcer = people.enforcer
    gate.govern("setEnforcerScope", enforcer.address, ALL_KINDS, "dmz")
    order = gate.order(Kind.ISOLATE, "files", ttl=60)
    gate.evm.advance(60)
    gate.send("settle", 1, [order.target], sender=people.stranger)
    gate.govern("removeTarget", 1, order.target)
    assert gate.view("stateOf", order.abi())[2] == 1
    with refused("GateOutOfScope", enforcer.address):
        args = (1, order.target, gate.id(order)[:20], 0, bytes(32))
        gate.send("fileReceipt", *args, sender=enforcer)


@pytest.mark.parametrize(
    ("entry", "missing"),
    [
        (("x", "nowhere", "", 0, False), "nowhere"),
        (("x", "", "", 0, False), ""),
        (("x", "dmz", "nothing", 0, False), "nothing"),
    ],
)
def test_zone_and_pool_come_before_their_assets(
    gate: Gate, entry: tuple[Any, ...], missing: str
) -> None:
    with refused("RegistryUnknown", name_key(missing)):
        gate.govern("setAssets", [entry])


def test_a_zone_has_65536_places_of_a_criticality(limited: Gate) -> None:
    poke(limited, "_places", [("uint16", 1), ("uint8", 0)], "", 65_535)
    limited.govern("setAssets", [asset_entry("last", "dmz", 0, False)])
    assert limited.view("assetOf", name_key("last"))[5] == 65_535
    assert limited.view("pageOf", name_key("dmz"), 0, 511)[0] == 1 << 127
    with refused("RegistryFull", 65_536):
        limited.govern("setAssets", [asset_entry("one more", "dmz", 0, False)])
    limited.govern("setAssets", [asset_entry("one more", "dmz", 1, False)])


def test_there_are_65535_zones(limited: Gate) -> None:
    poke(limited, "_settings", [], "zones", 65_534)
    limited.govern("setZone", "last", OPEN)
    with refused("RegistryFull", 65_535):
        limited.govern("setZone", "one more", OPEN)
    limited.govern("setAssets", [asset_entry("there", "last", 0, False)])
    assert limited.view("assetOf", name_key("there"))[0] == name_key("last")
    assert limited.view("zoneOf", name_key("last")) == (OPEN, 1, 0)


def test_a_credential_reads_back(bare_gate: Gate) -> None:
    key, entry = name_key("ssh:x"), ("ssh:x", "ops", 3, True)
    bare_gate.govern("setCredentials", [entry])
    bare_gate.told("CredentialSet", key=key, entry=entry)
    assert bare_gate.view("credentialOf", key) == (name_key("ops"), 3, True, True)
    bare_gate.govern("setCredentials", [("ssh:x", "others", 1, False)])
    assert bare_gate.view("credentialOf", key) == (name_key("others"), 1, True, False)


def test_many_come_in_one_call_or_none(limited: Gate) -> None:
    good = [asset_entry(f"a{i}", "dmz", 0, False) for i in range(3)]
    with refused("RegistryBadCriticality", 4):
        limited.govern("setAssets", [*good, asset_entry("bad", "dmz", 4, False)])
    assert limited.view("zoneOf", name_key("dmz"))[1] == 0
    limited.govern("setAssets", good)
    assert limited.view("zoneOf", name_key("dmz"))[1] == 3
    assert [event.name for event in limited.contract.events[-3:]] == ["AssetSet"] * 3


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("setAssets", ([("web", "dmz", "", 4, False)],)),
        ("setCredentials", ([("ssh:x", "ops", 4, False)],)),
        ("setRule", (0, 4, (False, False, 0, 0, 0, 0, 0, 0))),
    ],
)
def test_there_are_four_criticalities(limited: Gate, function: str, args: tuple[Any, ...]) -> None:
    with refused("RegistryBadCriticality", 4):
        limited.govern(function, *args)


def test_there_is_no_rule_of_a_fifth(limited: Gate) -> None:
    with refused("RegistryBadCriticality", 4):
        limited.view("ruleOf", 0, 4)


# ---------------------------------------------------------------- resources, grants, scopes


def test_resources_and_grants_read_back(gate: Gate) -> None:
    gate.govern("setResource", "wiki", "web")
    gate.told("ResourceSet", key=name_key("wiki"), name="wiki", asset="web")
    assert gate.view("resourceOf", name_key("wiki")) == name_key("web")
    grants = [("ops", "wiki", 2**40 - 1), ("others", "wiki", 5)]
    gate.govern("setGrants", grants)
    gate.told("GrantSet", principal=name_key("others"), grant=grants[1])
    untils = [gate.view("grantOf", name_key(who), name_key("wiki")) for who, *_ in grants]
    assert untils == [2**40 - 1, 5]
    assert gate.view("grantOf", name_key("nobody"), name_key("wiki")) == 0


def test_asset_and_resource_come_first(gate: Gate) -> None:
    with refused("RegistryUnknown", name_key("nobody")):
        gate.govern("setResource", "wiki", "nobody")
    with refused("RegistryUnknown", name_key("wiki")):
        gate.govern("setGrants", [("ops", "wiki", 1)])


def test_an_enforcers_scope_reads_back(gate: Gate, people: People) -> None:
    enforcer = people.stranger.address
    gate.govern("setEnforcerScope", enforcer, 0b101, "office")
    gate.told("EnforcerScopeSet", enforcer=enforcer, kinds=0b101, zone="office")
    assert gate.view("enforcerScopeOf", enforcer) == (0b101, name_key("office"))
    gate.govern("setEnforcerScope", enforcer, ALL_KINDS, "")
    assert gate.view("enforcerScopeOf", enforcer) == (ALL_KINDS, bytes(32))
    with refused("RegistryBadScope", 8):
        gate.govern("setEnforcerScope", enforcer, 8, "")
    with refused("RegistryUnknown", name_key("nowhere")):
        gate.govern("setEnforcerScope", enforcer, 1, "nowhere")


# ---------------------------------------------------------------- protected networks


def test_protected_networks_come_and_go(bare_gate: Gate) -> None:
    keys = [net(f"10.{i}.0.0/16") for i in range(4)]
    bare_gate.govern("setProtectedNetworks", [*keys, keys[0]], True)  # the last changes nothing
    assert list(bare_gate.view("protectedNetworks")) == keys
    bare_gate.govern("setProtectedNetworks", [keys[1]], False)
    bare_gate.told("NetworkProtected", network=keys[1], isProtected=False)
    bare_gate.govern("setProtectedNetworks", [keys[3], keys[3]], False)  # nor does this
    assert set(bare_gate.view("protectedNetworks")) == {keys[0], keys[2]}


@pytest.mark.parametrize("bad", [4 << 136 | 8 << 128 | 1, 0, 6 << 136 | 96 << 128 | 0xFFFF << 32])
def test_a_protected_network_is_canonical(bare_gate: Gate, bad: int) -> None:
    with refused("RegistryBadNetwork", bad.to_bytes(32)):
        bare_gate.govern("setProtectedNetworks", [bad.to_bytes(32)], True)


def test_protected_networks_of_both_families_are_listed(bare_gate: Gate) -> None:
    texts = ("0.0.0.0/0", "255.255.255.255/32", "10.0.0.0/8", "::/0", "2001:db8::1/128")
    keys = [net(text) for text in texts]
    bare_gate.govern("setProtectedNetworks", keys, True)
    assert list(bare_gate.view("protectedNetworks")) == keys
    bare_gate.govern("setProtectedNetworks", keys, False)
    assert list(bare_gate.view("protectedNetworks")) == []


@pytest.mark.parametrize("form", ["10.{}.0.0/16", "2001:db8:{:x}::/48"])
def test_sixty_four_networks_of_each_family(bare_gate: Gate, form: str) -> None:
    keys = [net(form.format(i)) for i in range(65)]
    bare_gate.govern("setProtectedNetworks", keys[:64], True)
    with refused("RegistryFull", 64):
        bare_gate.govern("setProtectedNetworks", keys[64:], True)
    agent, free = "0x" + "11" * 20, ("192.0.2.1/32", "2001:db8:ffff::1/128")
    for network in free:
        reason = bare_gate.view("verdict", agent, 0, net(network), 60, bytes(32))[1]
        assert REASON[reason] == "RULE_REFUSES"  # and not as protected
    other = net("192.0.2.0/24") if "db8" in form else net("2001:db8:ffff::/48")
    bare_gate.govern("setProtectedNetworks", [other], True)
    bare_gate.govern("setProtectedNetworks", keys[:1], False)
    bare_gate.govern("setProtectedNetworks", keys[64:], True)
    assert len(bare_gate.view("protectedNetworks")) == 65
    reasons = {
        key: REASON[bare_gate.view("verdict", "0x" + "11" * 20, 0, key, 60, bytes(32))[1]]
        for key in keys
    }
    assert reasons == {key: "PROTECTED_TARGET" for key in keys[1:]} | {keys[0]: "RULE_REFUSES"}


def test_an_asset_moves_from_any_zone_to_any_other(gate: Gate) -> None:
    for zone in ("office", "core", "dmz", "core", "office", "dmz"):
        gate.govern("setAssets", [asset_entry("web", zone, 0, False)])
        assert gate.view("assetOf", name_key("web"))[0] == name_key(zone)
