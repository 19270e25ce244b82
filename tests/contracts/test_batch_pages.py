"""ISOLATE batches: pages of 128 places, whole and in part, and who may take them over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from batching import (
    FLEET,
    WHOLE,
    bits,
    isolated,
    make_batch,
    names_of,
    order_batch,
    put_batch,
    release_batch,
    seal,
    sign_batch,
    texts_of,
)
from layout import poke
from scene import REASON, STATUS, Gate, People, asset_entry, halves, refused

from policies.actions import Kind
from responder.chain.proposal import name_key

KEY = name_key("fleet")


def counted(gate: Gate) -> tuple[int, int]:
    """In the fleet's zone, and of its kind and criticality."""
    return gate.view("zoneOf", KEY)[2], gate.view("ruleOf", 1, 0)[1]


# ---------------------------------------------------------------- what is ordered


@pytest.mark.parametrize(
    ("pages", "places"),
    [
        ({0: WHOLE}, set(range(128))),
        ({0: WHOLE, 1: WHOLE, 2: bits(*range(44))}, set(range(FLEET))),
        ({1: bits(0)}, {128}),
        ({0: bits(15, 16, 127)}, {15, 16, 127}),  # of three groups
        ({0: bits(*range(16, 48)), 2: bits(43)}, {*range(16, 48), 299}),  # whole groups
        ({0: bits(31), 1: WHOLE, 2: bits(1, 5)}, {31, *range(128, 256), 257, 261}),
    ],
)
def test_a_batch_isolates_what_it_names(
    many: Gate, pages: dict[int, int], places: set[int]
) -> None:
    batch = order_batch(many, Kind.ISOLATE, pages, "fleet", ttl=60)
    assert isolated(many) == places
    assert counted(many) == (len(places), len(places))
    for page, word in pages.items():
        _, ordered, until, _ = many.view("pageOf", KEY, 0, page)
        assert (ordered, until) == (word, many.evm.now + 60)
    key = name_key(f"fleet-0-{min(places)}")
    assert many.view("orderedUntil", 1, key) == many.evm.now + 60
    assert batch.targets == tuple(page << 128 | word for page, word in sorted(pages.items()))
    many.evm.advance(60)
    assert isolated(many) == set()
    assert counted(many) == (len(places), len(places))  # until it is settled


def test_it_is_told_in_full(many: Gate, people: People) -> None:
    batch = make_batch(many, Kind.ISOLATE, {0: WHOLE, 2: bits(3)}, "fleet")
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:3]))
    args = (batch.abi(), names_of(many, batch), signatures)
    id_ = many.send("orderBatch", *args, sender=people.agent)
    assert id_ == batch.id(many.domain) == many.view("batchIdOf", batch.abi())
    many.told("BatchOrdered", id=id_, batch=batch.abi(), signatures=signatures)


# ---------------------------------------------------------------- one batch at a time


def test_a_superset_takes_a_page_over(many: Gate) -> None:
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2), 1: bits(5)}, "fleet", ttl=600)
    many.evm.advance(1)
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2, 3)}, "fleet", ttl=600)
    assert isolated(many) == {1, 2, 3, 133}
    assert counted(many) == (4, 4)
    assert many.view("pageOf", KEY, 0, 0)[2] == many.evm.now + 600
    assert many.view("pageOf", KEY, 0, 1)[2] == many.evm.now + 599


@pytest.mark.parametrize(("places", "ttl"), [((1, 3), 600), ((2,), 600), ((1, 2, 3), 598)])
def test_a_live_page_is_never_cut_short_or_down(
    many: Gate, places: tuple[int, ...], ttl: int
) -> None:
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=600)
    many.evm.advance(1)
    with refused("GatePageTaken", 0):
        order_batch(many, Kind.ISOLATE, {0: bits(*places)}, "fleet", ttl=ttl)
    assert isolated(many) == {1, 2}


def test_a_batch_is_whole_or_not_at_all(many: Gate) -> None:
    order_batch(many, Kind.ISOLATE, {1: bits(1, 2)}, "fleet")
    with refused("GatePageTaken", 1):
        order_batch(many, Kind.ISOLATE, {0: bits(1), 1: bits(1), 2: bits(1)}, "fleet")
    assert isolated(many) == {129, 130}
    assert counted(many) == (2, 2)


def test_what_ended_makes_room(many: Gate) -> None:
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=60)
    many.evm.advance(60)
    order_batch(many, Kind.ISOLATE, {0: bits(3)}, "fleet", ttl=1)
    assert isolated(many) == {3}
    assert counted(many) == (1, 1)


# ---------------------------------------------------------------- end


def test_operators_release_a_batch(many: Gate, people: People) -> None:
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1, 2), 1: WHOLE}, "fleet")
    signatures = sign_batch(many, "BatchRelease", batch, *people.operators[2:4])
    args = (batch.abi(), names_of(many, batch), signatures)
    many.send("releaseBatch", *args, sender=people.stranger)
    many.told("BatchReleased", id=batch.id(many.domain), signatures=signatures)
    assert isolated(many) == set()
    assert counted(many) == (0, 0)
    with refused("GateWrongStatus", batch.id(many.domain), STATUS.index("EXPIRED")):
        many.send("releaseBatch", *args, sender=people.stranger)


def test_a_release_spares_the_pages_that_another_batch_took(many: Gate, people: People) -> None:
    first = order_batch(many, Kind.ISOLATE, {0: bits(1), 1: bits(1)}, "fleet")
    second = order_batch(many, Kind.ISOLATE, {1: bits(1, 2)}, "fleet")
    release_batch(many, first, *people.operators[:2])
    assert isolated(many) == {129, 130}
    assert counted(many) == (2, 2)
    with refused("GateWrongStatus", first.id(many.domain), STATUS.index("EXPIRED")):
        release_batch(many, first, *people.operators[:2])
    release_batch(many, second, *people.operators[:2])
    assert counted(many) == (0, 0)


def test_a_batch_that_ended_is_not_released(many: Gate, people: People) -> None:
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1)}, "fleet", ttl=60)
    many.evm.advance(60)
    with refused("GateWrongStatus", batch.id(many.domain), STATUS.index("EXPIRED")):
        release_batch(many, batch, *people.operators[:2])


@pytest.mark.parametrize("change", ["targets", "ttl", "evidence", "nonce"])
def test_a_release_ends_no_more_than_it_names(many: Gate, people: People, change: str) -> None:
    """Another batch of the same agent and nonce is not the one that was ordered."""
    batch = order_batch(many, Kind.ISOLATE, {0: WHOLE}, "fleet")
    other = {
        "targets": (bits(7),),
        "ttl": batch.ttl - 1,
        "evidence": b"\x09" * 32,
        "nonce": batch.nonce + 2**32,
    }[change]
    forged = replace(batch, **{change: other})
    with refused("GateWrongStatus", forged.id(many.domain), STATUS.index("EXPIRED")):
        release_batch(many, forged, *people.operators[:2])
    assert len(isolated(many)) == 128


def test_nor_does_one_whose_id_starts_alike(many: Gate, people: People) -> None:
    """A page keeps 80 bits of its batch's id; that two batches share them is made so here."""
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2, 3)}, "fleet", ttl=600)
    end = many.evm.now + 600
    other = make_batch(many, Kind.ISOLATE, {0: bits(2, 4)}, "fleet")
    fourth_zone = 4 << 24
    start = int.from_bytes(other.id(many.domain)[:10])
    poke(many, "_pages", [("uint256", fourth_zone)], "batch", start)
    release_batch(many, other, *people.operators[:2])
    signatures = sign_batch(many, "BatchRelease", other, *people.operators[:2])
    many.told("BatchReleased", id=other.id(many.domain), signatures=signatures)
    assert many.view("pageOf", KEY, 0, 0)[1:3] == (bits(1, 3), end)
    assert isolated(many) == {1, 3}
    assert counted(many) == (2, 2)


def test_a_page_that_grew_is_released_all_the_same(many: Gate, people: People) -> None:
    """Where the batch had the whole page it has a part of it now, and is signed as such."""
    batch = order_batch(many, Kind.ISOLATE, {2: bits(*range(44))}, "fleet")
    assert len(texts_of(many, batch)) == 1
    many.govern("setAssets", [asset_entry("fleet-0-300", "fleet", 0, False)])
    with refused("GateBadNames", 2):
        release_batch(many, batch, *people.operators[:2])
    seal(many, "fleet", 0, 2)
    assert len(texts_of(many, batch)) == 6
    release_batch(many, batch, *people.operators[:2])
    assert isolated(many) == set()


def test_pages_are_settled_by_anyone_once_they_ended(many: Gate, people: People) -> None:
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2), 1: WHOLE}, "fleet", ttl=60)
    many.evm.advance(59)
    with refused("GateNotEnded", (1).to_bytes(32)):
        many.send("settlePages", KEY, 0, [1], sender=people.stranger)
    many.evm.advance(1)
    many.send("settlePages", KEY, 0, [1], sender=people.stranger)
    many.told("PageSettled", zone=KEY, criticality=0, page=1)
    assert counted(many) == (2, 2)
    with refused("GateNotEnded", (1).to_bytes(32)):
        many.send("settlePages", KEY, 0, [0, 1], sender=people.stranger)
    many.send("settlePages", KEY, 0, [0], sender=people.stranger)
    assert counted(many) == (0, 0)


@pytest.mark.parametrize(("zone", "criticality"), [("fleet", 1), ("fleet", 255), ("nowhere", 0)])
def test_where_nothing_is_ordered_nothing_is_settled(
    many: Gate, people: People, zone: str, criticality: int
) -> None:
    with refused("GateNotEnded", bytes(32)):
        many.send("settlePages", name_key(zone), criticality, [0], sender=people.stranger)


# ---------------------------------------------------------------- members


def test_pools_and_the_protected_are_in_no_batch(many: Gate) -> None:
    many.govern("setPool", "controllers", 0)
    many.govern("setAssets", [asset_entry("dc", "fleet", 0, False, "controllers")])
    many.govern("setAssets", [asset_entry("fleet-0-257", "fleet", 0, True)])
    seal(many, "fleet", 0, 2)
    assert many.view("pageOf", KEY, 0, 2)[0] == bits(0, *range(2, 44))
    for place in (1, 44, 45, 127):
        with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
            order_batch(many, Kind.ISOLATE, {2: bits(0, place)}, "fleet")
    many.govern("setAssets", [asset_entry("fleet-0-257", "fleet", 0, False)])
    order_batch(many, Kind.ISOLATE, {2: bits(0, 1)}, "fleet")
    assert isolated(many) == {256, 257}


def test_the_removed_are_in_no_batch(many: Gate) -> None:
    many.govern("removeTarget", 1, name_key("fleet-0-0"))
    with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
        order_batch(many, Kind.ISOLATE, {0: WHOLE}, "fleet")
    order_batch(many, Kind.ISOLATE, {0: WHOLE & ~1}, "fleet")
    assert isolated(many) == set(range(1, 128))


def test_a_page_without_a_place_is_refused(many: Gate, people: People) -> None:
    with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
        put_batch(many, make_batch(many, Kind.ISOLATE, {0: 0}, "fleet"), *people.operators[:2])


def test_an_asset_that_a_batch_holds_stays_where_it_is(many: Gate, people: People) -> None:
    order_batch(many, Kind.ISOLATE, {0: bits(3)}, "fleet", ttl=60)
    key = name_key("fleet-0-3")
    moves = [("setAssets", [asset_entry("fleet-0-3", "core", 0, False)]), ("removeTarget", 1, key)]
    for now_or_after in (0, 60):
        many.evm.advance(now_or_after)
        for function, *args in moves:
            with refused("RegistryOrdered", key):
                many.govern(function, *args)
    many.govern("setAssets", [asset_entry("fleet-0-3", "fleet", 0, True)])  # it may be protected
    many.send("settlePages", KEY, 0, [0], sender=people.stranger)
    many.govern("setAssets", [asset_entry("fleet-0-3", "core", 0, False)])
    assert many.view("zoneOf", KEY)[1:] == (FLEET - 1, 0)


@pytest.mark.parametrize(
    ("zone", "criticality", "name"), [("dmz", 0, "web"), ("office", 1, "files")]
)
def test_so_does_one_of_any_zone(many: Gate, zone: str, criticality: int, name: str) -> None:
    seal(many, zone, criticality)
    order_batch(many, Kind.ISOLATE, {0: bits(0)}, zone, criticality=criticality)
    with refused("RegistryOrdered", name_key(name)):
        many.govern("removeTarget", 1, name_key(name))


# ---------------------------------------------------------------- two orders on one asset


def test_an_asset_may_be_held_by_two_orders(many: Gate, people: People) -> None:
    key = name_key("fleet-0-1")
    single = many.order(Kind.ISOLATE, "fleet-0-1", ttl=300)
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=600)
    assert counted(many) == (3, 3)
    assert many.view("orderedUntil", 1, key) == many.evm.now + 600
    assert many.status(single) == "LIVE"
    signatures = many.sign("Release", single, *people.operators[:2])
    many.send("release", single.abi(), signatures, sender=people.stranger)
    assert counted(many) == (2, 2)
    assert many.view("isIsolated", key)
    release_batch(many, batch, *people.operators[:2])
    assert not many.view("isIsolated", key)
    assert counted(many) == (0, 0)


def test_the_end_of_a_batch_leaves_the_longer_order(many: Gate, people: People) -> None:
    key = name_key("fleet-0-1")
    many.order(Kind.ISOLATE, "fleet-0-1", ttl=600)
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=300)
    assert many.view("orderedUntil", 1, key) == many.evm.now + 600
    release_batch(many, batch, *people.operators[:2])
    assert isolated(many) == {1}
    assert counted(many) == (1, 1)
