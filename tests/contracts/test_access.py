"""What gateways ask: the answers follow orders, grants and registry in the same transaction."""

from __future__ import annotations

import ipaddress

import pytest
from batching import make_batch, named, put_batch, release_batch
from scene import PRINCIPAL, Gate, People, asset_entry, refused

from policies.actions import Kind, network_key
from responder.chain.proposal import name_key

FOREVER = 2**40 - 1
HOST = "203.0.113.9"


def key(name: str) -> bytes:
    return name_key(name)


def address(text: str) -> bytes:
    return network_key(text).to_bytes(32)


@pytest.fixture
def granted(many: Gate) -> Gate:
    """`ops`, whose credential is ssh:deploy, may reach the wiki on asset web."""
    many.govern("setResource", "wiki", "web")
    many.govern("setGrants", [(PRINCIPAL, "wiki", FOREVER)])
    assert authorized(many)
    return many


def authorized(gate: Gate, credential: str = "ssh:deploy", resource: str = "wiki") -> bool:
    return bool(gate.view("isAuthorized", key(credential), key(resource)))


def authorized_from(gate: Gate, text: str = HOST) -> bool:
    return bool(gate.view("isAuthorizedFrom", address(text), key("ssh:deploy"), key("wiki")))


@pytest.mark.parametrize(
    ("kind", "target"),
    [(Kind.REVOKE, "ssh:deploy"), (Kind.ISOLATE, "web")],
)
@pytest.mark.parametrize("way", ["steps", "at once", "lease"])
def test_an_order_takes_access_away_until_it_ends(
    granted: Gate, kind: Kind, target: str, way: str
) -> None:
    if way == "lease":
        granted.grant(isolations=1, revocations=1)
        order = granted.propose(kind, target, ttl=60)
    else:
        make = granted.order if way == "steps" else granted.propose_approved
        order = make(kind, target, ttl=60)
    assert granted.status(order) == "LIVE"
    assert not authorized(granted) and not authorized_from(granted)
    granted.evm.advance(59)
    assert not authorized(granted)
    granted.evm.advance(1)
    assert authorized(granted) and authorized_from(granted)


@pytest.mark.parametrize(
    ("kind", "target"),
    [(Kind.REVOKE, "ssh:deploy"), (Kind.ISOLATE, "web"), (Kind.BLOCK, f"{HOST}/32")],
)
def test_a_release_gives_it_back(granted: Gate, people: People, kind: Kind, target: str) -> None:
    order = granted.order(kind, target)
    assert not authorized_from(granted)
    signatures = granted.sign("Release", order, *people.operators[:2])
    granted.send("release", order.abi(), signatures, sender=people.stranger)
    assert authorized_from(granted)


@pytest.mark.parametrize("network", [f"{HOST}/32", "203.0.113.0/24"])
def test_a_block_takes_it_away_from_there_alone(granted: Gate, network: str) -> None:
    granted.order(Kind.BLOCK, network, ttl=60)
    assert not authorized_from(granted)
    assert authorized(granted)
    assert authorized_from(granted, "203.0.114.9")
    assert authorized_from(granted, "2001:db8:9::1")
    granted.evm.advance(60)
    assert authorized_from(granted)


@pytest.mark.parametrize("name", ["credentials", "pages", "networks", "wide networks"])
def test_a_batch_takes_it_away_too(granted: Gate, people: People, name: str) -> None:
    asset, host = "fleet-0-1", "203.0.113.1"
    granted.govern("setResource", "wiki", asset)
    batch = named(granted, name)
    put_batch(granted, batch, *people.operators[:2])
    assert not authorized_from(granted, host)
    release_batch(granted, batch, *people.operators[:2])
    assert authorized_from(granted, host)


def test_another_credential_of_the_same_principal_keeps_it(granted: Gate) -> None:
    granted.order(Kind.REVOKE, "ssh:deploy")
    assert authorized(granted, "ssh:break-glass")
    assert not authorized(granted, "ssh:api")  # another principal's


def test_a_grant_ends_by_itself(granted: Gate) -> None:
    granted.govern("setGrants", [(PRINCIPAL, "wiki", granted.evm.now + 10)])
    assert granted.view("grantOf", key(PRINCIPAL), key("wiki")) == granted.evm.now + 10
    granted.evm.advance(9)
    assert authorized(granted)
    granted.evm.advance(1)
    assert not authorized(granted)


def test_a_grant_is_taken_away(granted: Gate) -> None:
    granted.govern("setGrants", [(PRINCIPAL, "wiki", 0)])
    granted.told("GrantSet", principal=key(PRINCIPAL), grant=(PRINCIPAL, "wiki", 0))
    assert not authorized(granted)


def test_a_grant_is_of_one_resource(granted: Gate) -> None:
    granted.govern("setResource", "mailbox", "mail")
    assert not authorized(granted, resource="mailbox")
    granted.govern("setGrants", [(PRINCIPAL, "mailbox", FOREVER)])
    assert authorized(granted, resource="mailbox")
    granted.order(Kind.ISOLATE, "web")
    assert authorized(granted, resource="mailbox")
    assert not authorized(granted)


def test_a_credential_changes_hands(granted: Gate) -> None:
    granted.govern("setCredentials", [("ssh:deploy", "others", 1, False)])
    assert not authorized(granted)
    granted.govern("setGrants", [("others", "wiki", FOREVER)])
    assert authorized(granted)


def test_a_resource_moves_with_its_grants(granted: Gate) -> None:
    granted.govern("setResource", "wiki", "files")
    granted.told("ResourceSet", key=key("wiki"), name="wiki", asset="files")
    assert granted.view("resourceOf", key("wiki")) == key("files")
    granted.order(Kind.ISOLATE, "web")
    assert authorized(granted)
    granted.order(Kind.ISOLATE, "files")
    assert not authorized(granted)


def test_a_removed_credential_opens_nothing(granted: Gate) -> None:
    granted.govern("removeTarget", int(Kind.REVOKE), key("ssh:deploy"))
    assert not authorized(granted)


def test_a_removed_asset_closes_what_lay_on_it(granted: Gate) -> None:
    granted.govern("removeTarget", int(Kind.ISOLATE), key("web"))
    assert not authorized(granted)
    granted.govern("setAssets", [asset_entry("web", "core", 0, False)])
    assert authorized(granted)


@pytest.mark.parametrize(
    ("credential", "resource"),
    [("nobody", "wiki"), ("ssh:deploy", "nothing"), ("nobody", "nothing"), ("web", "wiki")],
)
def test_what_is_unknown_is_not_authorized(granted: Gate, credential: str, resource: str) -> None:
    assert not authorized(granted, credential, resource)


def test_of_the_unknown_nothing_is_ordered(gate: Gate) -> None:
    for view in ("isIsolated", "isRevoked"):
        assert gate.view(view, key("nobody")) is False
    for kind in range(3):
        assert gate.view("orderedUntil", kind, key("nobody")) == 0
    assert gate.view("isBlocked", address(HOST)) is False


def test_a_malformed_address_is_not_let_in(granted: Gate) -> None:
    mapped = (6 << 136 | 128 << 128 | 0xFFFF_CB007109).to_bytes(32)  # an IPv4 written as IPv6
    for bad in (bytes(32), mapped, (4 << 136 | 24 << 128 | 1).to_bytes(32)):
        with refused("RegistryBadNetwork", bad):
            granted.view("isAuthorizedFrom", bad, key("ssh:deploy"), key("wiki"))


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("blocked", "inside", "outside"),
    [
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255", "203.0.113.128/25"], ["203.0.114.0"]),
        ("203.0.112.0/23", ["203.0.112.0/23", "203.0.113.0/24"], ["203.0.112.0/22"]),
        ("203.0.113.9/32", ["203.0.113.9"], ["203.0.113.8", "203.0.113.8/31"]),
        ("2001:db8:2::/64", ["2001:db8:2::1", "2001:db8:2::/127"], ["2001:db8:2:1::"]),
        ("2001:db8:2::1/128", ["2001:db8:2::1"], ["2001:db8:2::", "2001:db8:2::/127"]),
    ],
)
def test_a_block_holds_for_all_inside(
    gate: Gate, blocked: str, inside: list[str], outside: list[str]
) -> None:
    for criticality in range(3):
        gate.rule(Kind.BLOCK, criticality, quorum=2)
    gate.order(Kind.BLOCK, blocked)
    assert [gate.view("isBlocked", address(text)) for text in inside] == [True] * len(inside)
    assert [gate.view("isBlocked", address(text)) for text in outside] == [False] * len(outside)


@pytest.mark.parametrize("prefix", [0, 1, 8, 31, 32])
def test_every_length_of_ipv4_blocks(gate: Gate, prefix: int) -> None:
    gate.govern("setProtectedNetworks", [network_key("198.51.100.0/24").to_bytes(32)], False)
    for criticality in range(4):
        gate.rule(Kind.BLOCK, criticality, quorum=2, max_ttl=3600)
    value = 0xC0000201 & ~((1 << 32 - prefix) - 1)
    gate.order(Kind.BLOCK, str_of(4, prefix, value))
    assert gate.view("isBlocked", address("192.0.2.1")) is True
    assert gate.view("isBlocked", address("2001:db8::1")) is False


@pytest.mark.parametrize("prefix", [0, 1, 48, 64, 127, 128])
def test_every_length_of_ipv6_blocks(gate: Gate, prefix: int) -> None:
    gate.govern("setProtectedNetworks", [network_key("2001:db8:1::/48").to_bytes(32)], False)
    for criticality in range(4):
        gate.rule(Kind.BLOCK, criticality, quorum=2, max_ttl=3600)
    value = (0x20010DB8 << 96 | 1) & ~((1 << 128 - prefix) - 1)
    gate.order(Kind.BLOCK, str_of(6, prefix, value))
    assert gate.view("isBlocked", address("2001:db8::1")) is True
    assert gate.view("isBlocked", address("192.0.2.1")) is False


def str_of(family: int, prefix: int, value: int) -> str:
    made = ipaddress.IPv4Address(value) if family == 4 else ipaddress.IPv6Address(value)
    return f"{made}/{prefix}"


def test_a_wide_block_that_ended_leaves_the_narrow_one(gate: Gate) -> None:
    gate.order(Kind.BLOCK, "203.0.113.0/24", ttl=60)
    gate.order(Kind.BLOCK, "203.0.113.9/32", ttl=600)
    gate.evm.advance(60)
    assert gate.view("isBlocked", address("203.0.113.9"))
    assert not gate.view("isBlocked", address("203.0.113.8"))


def test_protection_afterwards_ends_no_block(gate: Gate) -> None:
    """An order is ended by a release; what is protected is not ordered against anew."""
    gate.order(Kind.BLOCK, "203.0.113.9/32")
    gate.govern("setProtectedNetworks", [address("203.0.113.0/24")], True)
    assert gate.view("isBlocked", address("203.0.113.9"))


# ---------------------------------------------------------------- two orders on one asset


def test_an_asset_moved_by_governance_is_what_the_registry_says(many: Gate, people: People) -> None:
    batch = make_batch(many, Kind.ISOLATE, {0: 2}, "fleet", ttl=60)
    put_batch(many, batch, *people.operators[:2])
    many.evm.advance(60)
    many.send("settlePages", key("fleet"), 0, [0], sender=people.stranger)
    many.govern("setAssets", [asset_entry("fleet-0-1", "core", 0, False)])
    later = make_batch(many, Kind.ISOLATE, {0: 1}, "fleet")
    put_batch(many, later, *people.operators[:2])
    assert not many.view("isIsolated", key("fleet-0-1"))
