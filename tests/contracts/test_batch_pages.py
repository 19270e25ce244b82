"""ISOLATE batches: pages of 128 places, whole and in part, and who may take them over."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from batching import (
    FLEET,
    WHOLE,
    bits,
    make_batch,
    names_of,
    order_batch,
    page_of,
    populate,
    put_batch,
    release_batch,
    seal,
    sign_batch,
    texts_of,
)
from eth_utils import keccak
from scene import REASON, STATUS, Gate, People, asset_entry, halves, refused

from policies.actions import Kind
from responder.chain.proposal import batch_message, name_key, page_words

KEY = name_key("fleet")


@pytest.fixture
def fleet(many: Gate) -> Gate:
    """Two full pages and one of 44, in a zone of their own: `fleet-0-0` to `fleet-0-299`."""
    return many


def isolated(gate: Gate) -> set[int]:
    """Places of the fleet."""
    names = [f"fleet-0-{place}" for place in range(FLEET)]
    return {i for i, name in enumerate(names) if gate.view("isIsolated", name_key(name))}


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
    fleet: Gate, pages: dict[int, int], places: set[int]
) -> None:
    batch = order_batch(fleet, Kind.ISOLATE, pages, "fleet", ttl=60)
    assert isolated(fleet) == places
    assert counted(fleet) == (len(places), len(places))
    for page, word in pages.items():
        _, ordered, until, _ = fleet.view("pageOf", KEY, 0, page)
        assert (ordered, until) == (word, fleet.evm.now + 60)
    key = name_key(f"fleet-0-{min(places)}")
    assert fleet.view("orderedUntil", 1, key) == fleet.evm.now + 60
    assert batch.targets == tuple(page << 128 | word for page, word in sorted(pages.items()))
    fleet.evm.advance(60)
    assert isolated(fleet) == set()
    assert counted(fleet) == (len(places), len(places))  # until it is settled


def test_it_is_told_in_full(fleet: Gate, people: People) -> None:
    batch = make_batch(fleet, Kind.ISOLATE, {0: WHOLE, 2: bits(3)}, "fleet")
    signatures = halves(sign_batch(fleet, "BatchApproval", batch, *people.operators[:3]))
    args = (batch.abi(), names_of(fleet, batch), signatures)
    id_ = fleet.send("orderBatch", *args, sender=people.agent)
    assert id_ == batch.id(fleet.domain) == fleet.view("batchIdOf", batch.abi())
    fleet.told("BatchOrdered", id=id_, batch=batch.abi(), signatures=signatures)


def test_a_wallet_shows_the_names_in_groups_of_eight(fleet: Gate, people: People) -> None:
    batch = make_batch(fleet, Kind.ISOLATE, {0: bits(*range(9)), 1: WHOLE, 2: bits(40)}, "fleet")
    assert [len(names) for names in texts_of(fleet, batch)] == [8, 1, 128, 1]
    # Of a page its flat hash, and a word for what the batch has none or all of; keys of the rest.
    words = [1 + 1 + 8 + 1 + 1 + 1, 2, 1 + 1 + 1 + 4]
    assert [len(given) for given in names_of(fleet, batch)] == words
    put_batch(fleet, batch, *people.operators[:2])
    assert isolated(fleet) == {*range(9), *range(128, 256), 296}


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 63, 64, 65, 127, 128, 129])
def test_a_zone_of_any_size_has_its_pages(gate: Gate, count: int) -> None:
    gate.rule(Kind.ISOLATE, 0, budget=2000, live=2000)
    gate.zone("lab")
    names = populate(gate, "lab", count)
    pages = {page: (1 << min(128, count - 128 * page)) - 1 for page in range((count + 127) // 128)}
    order_batch(gate, Kind.ISOLATE, pages, "lab")
    assert all(gate.view("isIsolated", name_key(name)) for name in names)
    assert gate.view("zoneOf", name_key("lab"))[1:] == (count, count)
    gate.evm.advance(600)
    last = (count - 1) % 128
    order_batch(gate, Kind.ISOLATE, {(count - 1) // 128: 1 << last}, "lab")
    assert gate.view("isIsolated", name_key(names[-1]))


@pytest.mark.parametrize("seed", range(8))
def test_any_choice_of_a_page_is_known(fleet: Gate, seed: int) -> None:
    chance = random.Random(seed)

    def some(places: int) -> int:
        """Thinner with every seed, so that whole groups are in some and none in others."""
        word = (1 << places) - 1
        for _ in range(seed):
            word &= chance.getrandbits(places) | chance.getrandbits(places)
        return word or 1

    choice = {page: some(places) for page, places in enumerate((128, 128, 44))}
    order_batch(fleet, Kind.ISOLATE, choice, "fleet")
    places = {128 * page + i for page, word in choice.items() for i in range(128) if word >> i & 1}
    assert isolated(fleet) == places


def test_a_page_is_of_its_own_zone_and_criticality(fleet: Gate, people: People) -> None:
    """A number beyond 16 bits would reach into another zone's and criticality's pages."""
    entries = [asset_entry(f"vault-{i}", "core", 3, False) for i in range(3)]
    fleet.govern("setAssets", entries)
    seal(fleet, "core", 3)
    names = page_of(fleet, "core", 3, 0)
    keys = [name_key(name) for name in names]
    zones = {"dmz": 1, "office": 2, "core": 3}
    for zone, criticality in (("dmz", 0), ("core", 0), ("office", 1), ("core", 2)):
        page = (zones["core"] ^ zones[zone]) << 24 | (3 ^ criticality) << 16
        batch = make_batch(fleet, Kind.ISOLATE, {page: bits(1)}, zone, criticality)
        message = batch_message("BatchApproval", batch, [[names[1]]], zone, fleet.domain)
        signed = [("", bytes(o.sign_message(message).signature)) for o in people.operators]
        with refused("GateBadBatch"):
            args = (batch.abi(), [keys], halves(signed))
            fleet.send("orderBatch", *args, sender=people.agent)
    assert not any(fleet.view("isIsolated", key) for key in keys)


# ---------------------------------------------------------------- names


def wrong_names(words: list[bytes], keys: list[bytes]) -> dict[str, list[bytes]]:
    """Of places 2 and 3 of a full page: its flat hash, eight keys, and the rest of the tree."""
    flat, group, rest = words[0], words[1:9], words[9:]
    root = page_words(keys, WHOLE)[1]
    return {
        "order": [flat, group[1], group[0], *group[2:], *rest],
        "missing": words[:-1],
        "more": [*words, words[-1]],
        "other": [flat, name_key("web"), *group[1:], *rest],
        "other flat": [root, *group, *rest],
        "hash of the group": [flat, bytes(keccak(b"".join(group))), *rest],
        "all keys": [flat, *keys],
        "as of the whole page": [flat, root],
        "flat alone": [flat],
        "none": [],
    }


@pytest.mark.parametrize("bad", wrong_names([b""] * 13, [b"x" * 32] * 128))
def test_names_are_those_of_the_page(fleet: Gate, people: People, bad: str) -> None:
    batch = make_batch(fleet, Kind.ISOLATE, {1: bits(2, 3)}, "fleet")
    words = names_of(fleet, batch)[0]
    keys = [name_key(f"fleet-0-{place}") for place in range(128, 256)]
    assert words[1:9] == keys[:8] and len(words) == 13
    signatures = halves(sign_batch(fleet, "BatchApproval", batch, *people.operators[:2]))
    with refused("GateBadNames", 1):
        given = wrong_names(words, keys)[bad]
        fleet.send("orderBatch", batch.abi(), [given], signatures, sender=people.agent)


@pytest.mark.parametrize("bad", ["keys", "more", "root", "flat"])
def test_a_whole_page_is_named_by_two_words(fleet: Gate, people: People, bad: str) -> None:
    batch = make_batch(fleet, Kind.ISOLATE, {1: WHOLE}, "fleet")
    [[flat, root]] = names_of(fleet, batch)
    keys = [name_key(f"fleet-0-{place}") for place in range(128, 256)]
    given = {
        "keys": [flat, *keys],
        "more": [flat, root, root],
        "root": [flat, flat],
        "flat": [root, root],
    }[bad]
    signatures = halves(sign_batch(fleet, "BatchApproval", batch, *people.operators[:2]))
    with refused("GateBadNames", 1):
        fleet.send("orderBatch", batch.abi(), [given], signatures, sender=people.agent)


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_a_list_of_names_for_each_page(fleet: Gate, people: People, count: int) -> None:
    batch = make_batch(fleet, Kind.ISOLATE, {1: bits(2)}, "fleet")
    signatures = halves(sign_batch(fleet, "BatchApproval", batch, *people.operators[:2]))
    names = names_of(fleet, batch) * count
    with refused("GateBadBatch"):
        fleet.send("orderBatch", batch.abi(), names, signatures, sender=people.agent)


def test_a_page_that_is_not_sealed_has_no_names(fleet: Gate) -> None:
    fleet.govern("setAssets", [asset_entry("fleet-0-300", "fleet", 0, False)])
    assert fleet.view("pageOf", KEY, 0, 2)[3] is False
    with refused("GateBadNames", 2):
        order_batch(fleet, Kind.ISOLATE, {2: bits(0)}, "fleet")
    order_batch(fleet, Kind.ISOLATE, {1: bits(0)}, "fleet")
    seal(fleet, "fleet", 0, 2)
    fleet.told("PageSealed", zone=KEY, criticality=0, page=2)
    order_batch(fleet, Kind.ISOLATE, {2: bits(0, 44)}, "fleet")
    assert isolated(fleet) == {128, 256}
    assert fleet.view("isIsolated", name_key("fleet-0-300"))


@pytest.mark.parametrize("bad", ["fewer", "more", "swapped", "none", "beyond", "zone"])
def test_a_page_is_sealed_with_its_own_keys(fleet: Gate, people: People, bad: str) -> None:
    keys = [name_key(f"fleet-0-{place}") for place in range(256, FLEET)]
    zone, page, given = {
        "fewer": (KEY, 2, keys[:-1]),
        "more": (KEY, 2, [*keys, name_key("web")]),
        "swapped": (KEY, 2, [keys[1], keys[0], *keys[2:]]),
        "none": (KEY, 2, []),
        "beyond": (KEY, 3, keys),
        "zone": (name_key("nowhere"), 0, keys),
    }[bad]
    with refused("RegistryBadPage", page):
        fleet.send("sealPage", zone, 0, page, given, sender=people.stranger)


def test_a_sealed_page_stays_sealed_until_it_grows(fleet: Gate) -> None:
    fleet.govern("removeTarget", 1, name_key("fleet-0-3"))
    assert fleet.view("pageOf", KEY, 0, 0) == (WHOLE & ~bits(3), 0, 0, True)
    fleet.govern("setAssets", [asset_entry("fleet-0-3", "fleet", 0, False)])
    assert fleet.view("assetOf", name_key("fleet-0-3"))[5] == FLEET
    assert [fleet.view("pageOf", KEY, 0, page)[3] for page in range(3)] == [True, True, False]
    seal(fleet, "fleet", 0, 0)  # its keys are those it always had
    order_batch(fleet, Kind.ISOLATE, {0: bits(4)}, "fleet")
    assert isolated(fleet) == {4}


# ---------------------------------------------------------------- one batch at a time


def test_a_superset_takes_a_page_over(fleet: Gate) -> None:
    order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2), 1: bits(5)}, "fleet", ttl=600)
    fleet.evm.advance(1)
    order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2, 3)}, "fleet", ttl=600)
    assert isolated(fleet) == {1, 2, 3, 133}
    assert counted(fleet) == (4, 4)
    assert fleet.view("pageOf", KEY, 0, 0)[2] == fleet.evm.now + 600
    assert fleet.view("pageOf", KEY, 0, 1)[2] == fleet.evm.now + 599


@pytest.mark.parametrize(("places", "ttl"), [((1, 3), 600), ((2,), 600), ((1, 2, 3), 598)])
def test_a_live_page_is_never_cut_short_or_down(
    fleet: Gate, places: tuple[int, ...], ttl: int
) -> None:
    order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=600)
    fleet.evm.advance(1)
    with refused("GatePageTaken", 0):
        order_batch(fleet, Kind.ISOLATE, {0: bits(*places)}, "fleet", ttl=ttl)
    assert isolated(fleet) == {1, 2}


def test_a_batch_is_whole_or_not_at_all(fleet: Gate) -> None:
    order_batch(fleet, Kind.ISOLATE, {1: bits(1, 2)}, "fleet")
    with refused("GatePageTaken", 1):
        order_batch(fleet, Kind.ISOLATE, {0: bits(1), 1: bits(1), 2: bits(1)}, "fleet")
    assert isolated(fleet) == {129, 130}
    assert counted(fleet) == (2, 2)


def test_what_ended_makes_room(fleet: Gate) -> None:
    order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=60)
    fleet.evm.advance(60)
    order_batch(fleet, Kind.ISOLATE, {0: bits(3)}, "fleet", ttl=1)
    assert isolated(fleet) == {3}
    assert counted(fleet) == (1, 1)


# ---------------------------------------------------------------- end


def test_operators_release_a_batch(fleet: Gate, people: People) -> None:
    batch = order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2), 1: WHOLE}, "fleet")
    signatures = sign_batch(fleet, "BatchRelease", batch, *people.operators[2:4])
    args = (batch.abi(), names_of(fleet, batch), signatures)
    fleet.send("releaseBatch", *args, sender=people.stranger)
    fleet.told("BatchReleased", id=batch.id(fleet.domain), signatures=signatures)
    assert isolated(fleet) == set()
    assert counted(fleet) == (0, 0)
    with refused("GateWrongStatus", batch.id(fleet.domain), STATUS.index("EXPIRED")):
        fleet.send("releaseBatch", *args, sender=people.stranger)


def test_a_release_spares_the_pages_that_another_batch_took(fleet: Gate, people: People) -> None:
    first = order_batch(fleet, Kind.ISOLATE, {0: bits(1), 1: bits(1)}, "fleet")
    second = order_batch(fleet, Kind.ISOLATE, {1: bits(1, 2)}, "fleet")
    release_batch(fleet, first, *people.operators[:2])
    assert isolated(fleet) == {129, 130}
    assert counted(fleet) == (2, 2)
    with refused("GateWrongStatus", first.id(fleet.domain), STATUS.index("EXPIRED")):
        release_batch(fleet, first, *people.operators[:2])
    release_batch(fleet, second, *people.operators[:2])
    assert counted(fleet) == (0, 0)


def test_a_batch_that_ended_is_not_released(fleet: Gate, people: People) -> None:
    batch = order_batch(fleet, Kind.ISOLATE, {0: bits(1)}, "fleet", ttl=60)
    fleet.evm.advance(60)
    with refused("GateWrongStatus", batch.id(fleet.domain), STATUS.index("EXPIRED")):
        release_batch(fleet, batch, *people.operators[:2])


@pytest.mark.parametrize("change", ["targets", "ttl", "evidence", "nonce"])
def test_a_release_ends_no_more_than_it_names(fleet: Gate, people: People, change: str) -> None:
    """Another batch of the same agent and nonce is not the one that was ordered."""
    batch = order_batch(fleet, Kind.ISOLATE, {0: WHOLE}, "fleet")
    other = {
        "targets": (bits(7),),
        "ttl": batch.ttl - 1,
        "evidence": b"\x09" * 32,
        "nonce": batch.nonce + 2**32,
    }[change]
    forged = replace(batch, **{change: other})
    with refused("GateWrongStatus", forged.id(fleet.domain), STATUS.index("EXPIRED")):
        release_batch(fleet, forged, *people.operators[:2])
    assert len(isolated(fleet)) == 128


def test_pages_are_settled_by_anyone_once_they_ended(fleet: Gate, people: People) -> None:
    order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2), 1: WHOLE}, "fleet", ttl=60)
    fleet.evm.advance(59)
    with refused("GateNotEnded", (1).to_bytes(32)):
        fleet.send("settlePages", KEY, 0, [1], sender=people.stranger)
    fleet.evm.advance(1)
    fleet.send("settlePages", KEY, 0, [1], sender=people.stranger)
    fleet.told("PageSettled", zone=KEY, criticality=0, page=1)
    assert counted(fleet) == (2, 2)
    with refused("GateNotEnded", (1).to_bytes(32)):
        fleet.send("settlePages", KEY, 0, [0, 1], sender=people.stranger)
    fleet.send("settlePages", KEY, 0, [0], sender=people.stranger)
    assert counted(fleet) == (0, 0)


@pytest.mark.parametrize(("zone", "criticality"), [("fleet", 1), ("fleet", 255), ("nowhere", 0)])
def test_where_nothing_is_ordered_nothing_is_settled(
    fleet: Gate, people: People, zone: str, criticality: int
) -> None:
    with refused("GateNotEnded", bytes(32)):
        fleet.send("settlePages", name_key(zone), criticality, [0], sender=people.stranger)


# ---------------------------------------------------------------- members


def test_pools_and_the_protected_are_in_no_batch(fleet: Gate) -> None:
    fleet.govern("setPool", "controllers", 0)
    fleet.govern("setAssets", [asset_entry("dc", "fleet", 0, False, "controllers")])
    fleet.govern("setAssets", [asset_entry("fleet-0-257", "fleet", 0, True)])
    seal(fleet, "fleet", 0, 2)
    assert fleet.view("pageOf", KEY, 0, 2)[0] == bits(0, *range(2, 44))
    for place in (1, 44, 45, 127):
        with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
            order_batch(fleet, Kind.ISOLATE, {2: bits(0, place)}, "fleet")
    fleet.govern("setAssets", [asset_entry("fleet-0-257", "fleet", 0, False)])
    order_batch(fleet, Kind.ISOLATE, {2: bits(0, 1)}, "fleet")
    assert isolated(fleet) == {256, 257}


def test_the_removed_are_in_no_batch(fleet: Gate) -> None:
    fleet.govern("removeTarget", 1, name_key("fleet-0-0"))
    with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
        order_batch(fleet, Kind.ISOLATE, {0: WHOLE}, "fleet")
    order_batch(fleet, Kind.ISOLATE, {0: WHOLE & ~1}, "fleet")
    assert isolated(fleet) == set(range(1, 128))


def test_a_page_without_a_place_is_refused(fleet: Gate, people: People) -> None:
    with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
        put_batch(fleet, make_batch(fleet, Kind.ISOLATE, {0: 0}, "fleet"), *people.operators[:2])


def test_an_asset_that_a_batch_holds_stays_where_it_is(fleet: Gate, people: People) -> None:
    batch = order_batch(fleet, Kind.ISOLATE, {0: bits(3)}, "fleet", ttl=60)
    key = name_key("fleet-0-3")
    moves = [("setAssets", [asset_entry("fleet-0-3", "core", 0, False)]), ("removeTarget", 1, key)]
    for now_or_after in (0, 60):
        fleet.evm.advance(now_or_after)
        for function, *args in moves:
            with refused("RegistryOrdered", key):
                fleet.govern(function, *args)
    fleet.govern("setAssets", [asset_entry("fleet-0-3", "fleet", 0, True)])  # it may be protected
    fleet.send("settlePages", KEY, 0, [0], sender=people.stranger)
    fleet.govern("setAssets", [asset_entry("fleet-0-3", "core", 0, False)])
    assert fleet.view("zoneOf", KEY)[1:] == (FLEET - 1, 0)
    assert batch.nonce < next(fleet.nonces)


# ---------------------------------------------------------------- two orders on one asset


def test_an_asset_may_be_held_by_two_orders(fleet: Gate, people: People) -> None:
    key = name_key("fleet-0-1")
    single = fleet.order(Kind.ISOLATE, "fleet-0-1", ttl=300)
    batch = order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=600)
    assert counted(fleet) == (3, 3)
    assert fleet.view("orderedUntil", 1, key) == fleet.evm.now + 600
    assert fleet.status(single) == "LIVE"
    signatures = fleet.sign("Release", single, *people.operators[:2])
    fleet.send("release", single.abi(), signatures, sender=people.stranger)
    assert counted(fleet) == (2, 2)
    assert fleet.view("isIsolated", key)
    release_batch(fleet, batch, *people.operators[:2])
    assert not fleet.view("isIsolated", key)
    assert counted(fleet) == (0, 0)


def test_the_end_of_a_batch_leaves_the_longer_order(fleet: Gate, people: People) -> None:
    key = name_key("fleet-0-1")
    fleet.order(Kind.ISOLATE, "fleet-0-1", ttl=600)
    batch = order_batch(fleet, Kind.ISOLATE, {0: bits(1, 2)}, "fleet", ttl=300)
    assert fleet.view("orderedUntil", 1, key) == fleet.evm.now + 600
    release_batch(fleet, batch, *people.operators[:2])
    assert isolated(fleet) == {1}
    assert counted(fleet) == (1, 1)
