"""Limits on what is live at once: per cell, per zone, per pool; what counts, and until when."""

from __future__ import annotations

import pytest
from batching import bits, order_batch, populate, release_batch
from scene import MODEL, REASON, STATUS, Gate, People, asset_entry, refused

from policies.actions import Kind, network_key
from responder.chain.proposal import Proposal, name_key

ADDRESSES = [f"203.0.113.{i}/32" for i in range(1, 9)]
LIVE_LIMIT, ZONE_SHARE, POOL_MINIMUM = (
    REASON.index(name) for name in ("LIVE_LIMIT", "ZONE_SHARE", "POOL_MINIMUM")
)


def zone(gate: Gate, name: str) -> tuple[int, int]:
    """Assets, and how many count as isolated."""
    _, assets, isolated = gate.view("zoneOf", name_key(name))
    return assets, isolated


def pool(gate: Gate, name: str = "controllers") -> tuple[int, int, int]:
    """Members, how many count as isolated, how many must stay."""
    members, isolated, keep = gate.view("poolOf", name_key(name))
    return members, isolated, keep


def live(gate: Gate, kind: Kind, criticality: int = 0) -> int:
    return int(gate.view("ruleOf", int(kind), criticality)[1])


def release(gate: Gate, order: Proposal) -> None:
    signatures = gate.sign("Release", order, *gate.people.operators[:2])
    gate.send("release", order.abi(), signatures, sender=gate.people.stranger)


def settle(gate: Gate, kind: Kind, *targets: str) -> None:
    keys = [network_key(t).to_bytes(32) if kind is Kind.BLOCK else name_key(t) for t in targets]
    gate.send("settle", int(kind), keys, sender=gate.people.stranger)


def verdict(gate: Gate, kind: Kind, target: str) -> str:
    key = network_key(target).to_bytes(32) if kind is Kind.BLOCK else name_key(target)
    agent = gate.people.agent.address
    return REASON[gate.view("verdict", agent, int(kind), key, 60, MODEL)[1]]


# ---------------------------------------------------------------- orders at once


@pytest.mark.parametrize(
    ("kind", "targets", "criticality"),
    [
        (Kind.BLOCK, ADDRESSES[:3], 0),
        (Kind.BLOCK, ["203.0.112.0/24", "203.0.113.0/24", "2001:db8:2::/64"], 1),
        (Kind.REVOKE, ["a", "b", "c"], 1),
        (Kind.ISOLATE, ["office-1-0", "office-1-1", "office-1-2"], 1),
    ],
)
def test_so_many_orders_at_once_and_no_more(
    gate: Gate, kind: Kind, targets: list[str], criticality: int
) -> None:
    gate.govern("setCredentials", [(name, "ops", 1, False) for name in "abc"])
    gate.govern("setAssets", [asset_entry(f"office-1-{i}", "office", 1, False) for i in range(3)])
    gate.rule(kind, criticality, live=2, budget=100)
    first, second = (gate.order(kind, target) for target in targets[:2])
    assert live(gate, kind, criticality) == 2
    assert verdict(gate, kind, targets[2]) == "LIVE_LIMIT"
    with refused("GateRefused", LIVE_LIMIT):
        gate.propose(kind, targets[2])
    with refused("GateRefused", LIVE_LIMIT):
        gate.propose_approved(kind, targets[2])
    release(gate, first)
    gate.order(kind, targets[2])
    assert live(gate, kind, criticality) == 2
    assert gate.status(second) == "LIVE"


def test_a_cell_is_counted_apart_from_others(gate: Gate) -> None:
    gate.rule(Kind.ISOLATE, 0, live=1)
    gate.order(Kind.ISOLATE, "web")
    gate.order(Kind.ISOLATE, "files")
    gate.order(Kind.BLOCK, ADDRESSES[0])
    assert [live(gate, Kind.ISOLATE, c) for c in (0, 1)] == [1, 1]
    assert live(gate, Kind.BLOCK) == 1


def test_an_order_counts_from_its_execution(gate: Gate) -> None:
    gate.rule(Kind.BLOCK, 0, live=1)
    waiting = [gate.propose(Kind.BLOCK, address) for address in ADDRESSES[:2]]
    assert live(gate, Kind.BLOCK) == 0
    gate.execute(waiting[0])
    for operator in gate.people.operators[:2]:
        gate.send("approve", waiting[1].abi(), sender=operator)
    assert gate.status(waiting[1]) == "PENDING"  # approved, but refused for now
    with refused("GateRefused", LIVE_LIMIT):
        gate.send("execute", waiting[1].abi(), sender=gate.people.stranger)
    release(gate, waiting[0])
    assert gate.status(waiting[1]) == "READY"
    gate.send("execute", waiting[1].abi(), sender=gate.people.stranger)


def test_the_lease_is_bound_by_it(gate: Gate) -> None:
    gate.rule(Kind.BLOCK, 0, live=2)
    gate.grant(blocks=5)
    for address in ADDRESSES[:2]:
        assert gate.status(gate.propose(Kind.BLOCK, address)) == "LIVE"
    with refused("GateRefused", LIVE_LIMIT):
        gate.propose(Kind.BLOCK, ADDRESSES[2])


def test_an_order_that_follows_on_its_target_is_not_counted_twice(gate: Gate) -> None:
    gate.rule(Kind.ISOLATE, 0, live=1)
    for _ in range(3):
        gate.order(Kind.ISOLATE, "web", ttl=60)
        assert (live(gate, Kind.ISOLATE), zone(gate, "dmz")) == (1, (1, 1))
    gate.evm.advance(60)
    gate.order(Kind.ISOLATE, "web")  # ended, not settled: it takes that one's place
    assert (live(gate, Kind.ISOLATE), zone(gate, "dmz")) == (1, (1, 1))


def test_what_counts_is_renewed_under_lowered_limits(gate: Gate) -> None:
    populate(gate, "core", 2)
    gate.govern("setPool", "controllers", 0)
    gate.govern("setAssets", [asset_entry("dc", "core", 0, False, "controllers")])
    orders = [gate.order(Kind.ISOLATE, name) for name in ("core-0-1", "dc")]
    gate.rule(Kind.ISOLATE, 0, live=1)
    gate.zone("core", share=1)
    gate.govern("setPool", "controllers", 1)
    gate.order(Kind.ISOLATE, "dc")
    release(gate, orders[0])
    release(gate, gate.order(Kind.ISOLATE, "dc"))
    with refused("GateRefused", POOL_MINIMUM):
        gate.propose(Kind.ISOLATE, "dc")


def test_lowered_limits_end_nothing(gate: Gate) -> None:
    order = gate.order(Kind.BLOCK, ADDRESSES[0])
    gate.order(Kind.BLOCK, ADDRESSES[1])
    gate.rule(Kind.BLOCK, 0, live=1)
    assert gate.status(order) == "LIVE"
    release(gate, order)
    with refused("GateRefused", LIVE_LIMIT):
        gate.propose(Kind.BLOCK, ADDRESSES[2])


@pytest.mark.parametrize(
    ("kind", "target"), [(Kind.BLOCK, ADDRESSES[0]), (Kind.REVOKE, "ssh:deploy")]
)
def test_what_is_no_asset_counts_in_no_zone(gate: Gate, kind: Kind, target: str) -> None:
    zones = ("dmz", "office", "core", "nowhere")
    before = [zone(gate, name) for name in zones]
    gate.order(kind, target)
    assert [zone(gate, name) for name in zones] == before


# ---------------------------------------------------------------- settling


@pytest.mark.parametrize(
    ("kind", "target"),
    [(Kind.BLOCK, ADDRESSES[0]), (Kind.ISOLATE, "web"), (Kind.REVOKE, "ssh:deploy")],
)
def test_what_ended_counts_until_anyone_settles_it(gate: Gate, kind: Kind, target: str) -> None:
    order = gate.order(kind, target, ttl=60)
    criticality = 1 if kind is Kind.REVOKE else 0
    gate.evm.advance(59)
    with refused("GateNotEnded", order.target):
        settle(gate, kind, target)
    gate.evm.advance(1)
    assert gate.status(order) == "EXPIRED"
    assert live(gate, kind, criticality) == 1
    settle(gate, kind, target)
    gate.told("Settled", target=order.target, kind=int(kind))
    assert live(gate, kind, criticality) == 0
    assert gate.status(order) == "EXPIRED"
    with refused("GateNotEnded", order.target):
        settle(gate, kind, target)


def test_many_are_settled_in_one_call_or_none(gate: Gate) -> None:
    for address in ADDRESSES[:3]:
        gate.order(Kind.BLOCK, address, ttl=60)
    gate.order(Kind.BLOCK, ADDRESSES[3], ttl=61)
    gate.evm.advance(60)
    with refused("GateNotEnded", network_key(ADDRESSES[3]).to_bytes(32)):
        settle(gate, Kind.BLOCK, *ADDRESSES[:4])
    assert live(gate, Kind.BLOCK) == 4
    settle(gate, Kind.BLOCK, *ADDRESSES[:3])
    assert [e.name for e in gate.contract.events[-3:]] == ["Settled"] * 3
    assert live(gate, Kind.BLOCK) == 1


@pytest.mark.parametrize("target", ["web", "nobody"])
def test_what_does_not_count_is_not_settled(gate: Gate, target: str) -> None:
    with refused("GateNotEnded", name_key(target)):
        settle(gate, Kind.ISOLATE, target)


def test_what_was_released_is_not_settled_again(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web", ttl=60)
    release(gate, order)
    assert (live(gate, Kind.ISOLATE), zone(gate, "dmz")) == (0, (1, 0))
    gate.evm.advance(60)
    with refused("GateNotEnded", order.target):
        settle(gate, Kind.ISOLATE, "web")
    assert live(gate, Kind.ISOLATE) == 0


@pytest.mark.parametrize("ended", [False, True])
def test_what_counts_keeps_its_place_in_the_registry(gate: Gate, ended: bool) -> None:
    """Else it would be counted in one place and uncounted in another."""
    gate.govern("setPool", "controllers", 0)
    order = gate.order(Kind.ISOLATE, "web", ttl=60)
    gate.order(Kind.REVOKE, "ssh:deploy", ttl=60)
    gate.evm.advance(60 if ended else 0)
    for entry in (
        asset_entry("web", "core", 0, False),
        asset_entry("web", "dmz", 1, False),
        asset_entry("web", "dmz", 0, False, "controllers"),
    ):
        with refused("RegistryOrdered", order.target):
            gate.govern("setAssets", [entry])
    with refused("RegistryOrdered", name_key("ssh:deploy")):
        gate.govern("setCredentials", [("ssh:deploy", "ops", 2, False)])
    for kind, name in ((1, "web"), (2, "ssh:deploy")):
        with refused("RegistryOrdered", name_key(name)):
            gate.govern("removeTarget", kind, name_key(name))
    gate.govern("setAssets", [asset_entry("web", "dmz", 0, True)])
    gate.govern("setCredentials", [("ssh:deploy", "others", 1, True)])
    if not ended:
        release(gate, order)
    else:
        settle(gate, Kind.ISOLATE, "web")
    gate.govern("setAssets", [asset_entry("web", "core", 1, False, "controllers")])
    assert (zone(gate, "dmz"), zone(gate, "core")) == ((0, 0), (3, 0))


# ---------------------------------------------------------------- a zone's share


@pytest.mark.parametrize(
    ("assets", "share", "most"),
    [(1, 1, 1), (2, 49, 1), (2, 50, 1), (2, 100, 2), (4, 50, 2), (4, 74, 2), (4, 75, 3), (9, 1, 1)],
)
def test_a_share_of_a_zone_is_isolated_at_once(
    gate: Gate, assets: int, share: int, most: int
) -> None:
    gate.rule(Kind.ISOLATE, 0, budget=100)
    gate.zone("lab", share=share)
    names = populate(gate, "lab", assets)
    for name in names[:most]:
        gate.order(Kind.ISOLATE, name)
    assert zone(gate, "lab") == (assets, most)
    for name in names[most:]:
        assert verdict(gate, Kind.ISOLATE, name) == "ZONE_SHARE"
        with refused("GateRefused", ZONE_SHARE):
            gate.propose(Kind.ISOLATE, name)


def test_a_share_is_of_all_criticalities_together(gate: Gate) -> None:
    gate.zone("lab", share=50)
    populate(gate, "lab", 1, criticality=0)
    populate(gate, "lab", 1, criticality=1)
    gate.order(Kind.ISOLATE, "lab-1-0")
    with refused("GateRefused", ZONE_SHARE):
        gate.propose(Kind.ISOLATE, "lab-0-0")
    gate.govern("setAssets", [asset_entry(f"more-{i}", "lab", 3, True) for i in range(2)])
    gate.order(Kind.ISOLATE, "lab-0-0")  # half of four


def test_assets_that_leave_a_zone_leave_it_smaller(gate: Gate) -> None:
    gate.zone("lab", share=50)
    names = populate(gate, "lab", 4)
    gate.order(Kind.ISOLATE, names[0])
    gate.govern("removeTarget", 1, name_key(names[3]))
    gate.govern("setAssets", [asset_entry(names[2], "core", 0, False)])
    assert zone(gate, "lab") == (2, 1)
    with refused("GateRefused", ZONE_SHARE):
        gate.propose(Kind.ISOLATE, names[1])


def test_networks_and_credentials_have_no_zone(gate: Gate) -> None:
    gate.zone("dmz", share=1)
    gate.order(Kind.ISOLATE, "web")
    gate.order(Kind.BLOCK, ADDRESSES[0])
    gate.order(Kind.REVOKE, "ssh:deploy")
    assert zone(gate, "dmz") == (1, 1)


# ---------------------------------------------------------------- redundancy groups


@pytest.fixture
def pooled(gate: Gate) -> Gate:
    """Three controllers in two zones and of two criticalities, of which two must stay."""
    gate.govern("setPool", "controllers", 2)
    entries = [("dc-1", "core", 0), ("dc-2", "core", 1), ("dc-3", "office", 1)]
    gate.govern("setAssets", [asset_entry(*entry, False, "controllers") for entry in entries])
    gate.rule(Kind.ISOLATE, 1, budget=100)
    assert pool(gate) == (3, 0, 2)
    return gate


@pytest.mark.parametrize("first", ["dc-1", "dc-2", "dc-3"])
def test_so_many_of_a_pool_stay(pooled: Gate, first: str) -> None:
    order = pooled.order(Kind.ISOLATE, first)
    assert pool(pooled) == (3, 1, 2)
    for other in {"dc-1", "dc-2", "dc-3"} - {first}:
        assert verdict(pooled, Kind.ISOLATE, other) == "POOL_MINIMUM"
        with refused("GateRefused", POOL_MINIMUM):
            pooled.propose(Kind.ISOLATE, other)
        with refused("GateRefused", POOL_MINIMUM):
            pooled.propose_approved(Kind.ISOLATE, other)
    pooled.order(Kind.ISOLATE, first)  # superseded: still the same one
    assert pool(pooled) == (3, 1, 2)
    assert pooled.status(order) == "SUPERSEDED"


def test_the_pool_has_its_member_back_when_it_is_released_or_settled(pooled: Gate) -> None:
    release(pooled, pooled.order(Kind.ISOLATE, "dc-1"))
    assert pool(pooled) == (3, 0, 2)
    pooled.order(Kind.ISOLATE, "dc-2", ttl=60)
    pooled.evm.advance(60)
    with refused("GateRefused", POOL_MINIMUM):  # ended, and counts until it is settled
        pooled.propose(Kind.ISOLATE, "dc-3")
    settle(pooled, Kind.ISOLATE, "dc-2")
    pooled.order(Kind.ISOLATE, "dc-3")
    assert pool(pooled) == (3, 1, 2)


def test_proposals_that_wait_together_do_not_pass_together(pooled: Gate) -> None:
    waiting = [pooled.propose(Kind.ISOLATE, name) for name in ("dc-1", "dc-2")]
    pooled.execute(waiting[0])
    with refused("GateRefused", POOL_MINIMUM):
        pooled.execute(waiting[1])


def test_under_a_lease_the_pool_holds(pooled: Gate) -> None:
    pooled.grant(isolations=5)
    assert pooled.status(pooled.propose(Kind.ISOLATE, "dc-2")) == "LIVE"
    with refused("GateRefused", POOL_MINIMUM):
        pooled.propose(Kind.ISOLATE, "dc-3")


@pytest.mark.parametrize("keep", [3, 4, 65_535])
def test_a_pool_that_must_stay_whole_is_never_isolated(pooled: Gate, keep: int) -> None:
    pooled.govern("setPool", "controllers", keep)
    with refused("GateRefused", POOL_MINIMUM):
        pooled.propose(Kind.ISOLATE, "dc-1")


def test_members_come_and_go(pooled: Gate) -> None:
    pooled.govern("setAssets", [asset_entry("dc-1", "core", 0, False)])  # no member any more
    assert pool(pooled) == (2, 0, 2)
    with refused("GateRefused", POOL_MINIMUM):
        pooled.propose(Kind.ISOLATE, "dc-2")
    pooled.order(Kind.ISOLATE, "dc-1")
    pooled.govern("setAssets", [asset_entry("dc-4", "dmz", 0, False, "controllers")])
    pooled.order(Kind.ISOLATE, "dc-2")
    assert pool(pooled) == (3, 1, 2)
    pooled.govern("removeTarget", 1, name_key("dc-3"))
    assert pool(pooled) == (2, 1, 2)


def test_a_pool_is_no_other(pooled: Gate) -> None:
    pooled.govern("setPool", "sensors", 1)
    entries = [(f"sensor-{i}", "dmz", 0) for i in range(2)]
    pooled.govern("setAssets", [asset_entry(*entry, False, "sensors") for entry in entries])
    pooled.order(Kind.ISOLATE, "sensor-0")
    pooled.order(Kind.ISOLATE, "dc-1")
    assert (pool(pooled), pool(pooled, "sensors")) == ((3, 1, 2), (2, 1, 1))


# ---------------------------------------------------------------- beside batches


def test_batches_and_single_orders_count_together(many: Gate, people: People) -> None:
    many.rule(Kind.ISOLATE, 0, live=3, budget=2000)
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet")
    order = many.order(Kind.ISOLATE, "web")
    with refused("GateRefused", LIVE_LIMIT):
        many.propose(Kind.ISOLATE, "fleet-0-5")
    with refused("GateRefused", LIVE_LIMIT):
        order_batch(many, Kind.ISOLATE, {0: bits(1, 2, 3)}, "fleet")
    release(many, order)
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2, 3)}, "fleet")
    assert live(many, Kind.ISOLATE) == 3
    with refused("GateWrongStatus", batch.id(many.domain), STATUS.index("EXPIRED")):
        release_batch(many, batch, *people.operators[:2])
