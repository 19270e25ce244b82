"""The names of a page: sealed by its keys, shown to the gate as a tree, to a wallet in groups."""

from __future__ import annotations

import random

import pytest
from batching import (
    FLEET,
    WHOLE,
    bits,
    isolated,
    make_batch,
    names_of,
    order_batch,
    page_of,
    populate,
    put_batch,
    seal,
    sign_batch,
    texts_of,
)
from eth_utils import keccak
from layout import poke
from scene import Gate, People, asset_entry, halves, refused

from policies.actions import Kind
from responder.chain.proposal import batch_message, name_key, page_words

KEY = name_key("fleet")


def test_a_wallet_shows_the_names_in_groups_of_eight(many: Gate, people: People) -> None:
    batch = make_batch(many, Kind.ISOLATE, {0: bits(*range(9)), 1: WHOLE, 2: bits(40)}, "fleet")
    assert [len(names) for names in texts_of(many, batch)] == [8, 1, 128, 1]
    # Of a page its flat hash, and a word for what the batch has none or all of; keys of the rest.
    words = [1 + 1 + 8 + 1 + 1 + 1, 2, 1 + 1 + 1 + 4]
    assert [len(given) for given in names_of(many, batch)] == words
    put_batch(many, batch, *people.operators[:2])
    assert isolated(many) == {*range(9), *range(128, 256), 296}


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
def test_any_choice_of_a_page_is_known(many: Gate, seed: int) -> None:
    chance = random.Random(seed)

    def some(places: int) -> int:
        """Thinner with every seed, so that whole groups are in some and none in others."""
        word = (1 << places) - 1
        for _ in range(seed):
            word &= chance.getrandbits(places) | chance.getrandbits(places)
        return word or 1

    choice = {page: some(places) for page, places in enumerate((128, 128, 44))}
    order_batch(many, Kind.ISOLATE, choice, "fleet")
    places = {128 * page + i for page, word in choice.items() for i in range(128) if word >> i & 1}
    assert isolated(many) == places


def test_a_page_is_of_its_own_zone_and_criticality(many: Gate, people: People) -> None:
    """A number beyond 16 bits would reach into another zone's and criticality's pages."""
    entries = [asset_entry(f"vault-{i}", "core", 3, False) for i in range(3)]
    many.govern("setAssets", entries)
    seal(many, "core", 3)
    names = page_of(many, "core", 3, 0)
    keys = [name_key(name) for name in names]
    zones = {"dmz": 1, "office": 2, "core": 3}
    for zone, criticality in (("dmz", 0), ("core", 0), ("office", 1), ("core", 2)):
        page = (zones["core"] ^ zones[zone]) << 24 | (3 ^ criticality) << 16
        batch = make_batch(many, Kind.ISOLATE, {page: bits(1)}, zone, criticality)
        message = batch_message("BatchApproval", batch, [[names[1]]], zone, many.domain)
        signed = [("", bytes(o.sign_message(message).signature)) for o in people.operators]
        with refused("GateBadBatch"):
            args = (batch.abi(), [keys], halves(signed))
            many.send("orderBatch", *args, sender=people.agent)
    assert not any(many.view("isIsolated", key) for key in keys)


def test_there_are_no_pages_of_a_fifth_criticality(many: Gate) -> None:
    for name in ("dmz", "office", "core", "fleet", "nowhere"):
        for criticality in range(4, 256):
            shown = many.view("pageOf", name_key(name), criticality, 0)
            assert shown == (0, 0, 0, False), (name, criticality)


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
def test_names_are_those_of_the_page(many: Gate, people: People, bad: str) -> None:
    batch = make_batch(many, Kind.ISOLATE, {1: bits(2, 3)}, "fleet")
    words = names_of(many, batch)[0]
    keys = [name_key(f"fleet-0-{place}") for place in range(128, 256)]
    assert words[1:9] == keys[:8] and len(words) == 13
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:2]))
    with refused("GateBadNames", 1):
        given = wrong_names(words, keys)[bad]
        many.send("orderBatch", batch.abi(), [given], signatures, sender=people.agent)


@pytest.mark.parametrize("bad", ["keys", "more", "root", "flat"])
def test_a_whole_page_is_named_by_two_words(many: Gate, people: People, bad: str) -> None:
    batch = make_batch(many, Kind.ISOLATE, {1: WHOLE}, "fleet")
    [[flat, root]] = names_of(many, batch)
    keys = [name_key(f"fleet-0-{place}") for place in range(128, 256)]
    given = {
        "keys": [flat, *keys],
        "more": [flat, root, root],
        "root": [flat, flat],
        "flat": [root, root],
    }[bad]
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:2]))
    with refused("GateBadNames", 1):
        many.send("orderBatch", batch.abi(), [given], signatures, sender=people.agent)


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_a_list_of_names_for_each_page(many: Gate, people: People, count: int) -> None:
    batch = make_batch(many, Kind.ISOLATE, {1: bits(2)}, "fleet")
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:2]))
    names = names_of(many, batch) * count
    with refused("GateBadBatch"):
        many.send("orderBatch", batch.abi(), names, signatures, sender=people.agent)


@pytest.mark.parametrize("page", [3, 65_535])
def test_a_page_beyond_the_last_has_no_names(many: Gate, people: People, page: int) -> None:
    batch = make_batch(many, Kind.ISOLATE, {page: bits(0)}, "fleet")
    with refused("GateBadNames", page):
        args = (batch.abi(), [[bytes(32)] * 2], [])
        many.send("orderBatch", *args, sender=people.agent)


def test_a_page_is_sealed_by_the_hash_of_its_keys_and_of_their_tree(many: Gate) -> None:
    many.govern("setAssets", [asset_entry("fleet-0-300", "fleet", 0, False)])
    keys = [name_key(name) for name in page_of(many, "fleet", 0, 2)]
    flat, root = page_words(keys, bits(*range(45)))
    zone = len({e.args["key"] for e in many.contract.events if e.name == "ZoneSet"})
    made = int.from_bytes(keccak(flat + root)[:16])
    poke(many, "_pages", [("uint256", zone << 24 | 2)], "names", made)
    order_batch(many, Kind.ISOLATE, {2: bits(44)}, "fleet")
    assert many.view("isIsolated", name_key("fleet-0-300"))


def test_a_page_that_is_not_sealed_has_no_names(many: Gate) -> None:
    many.govern("setAssets", [asset_entry("fleet-0-300", "fleet", 0, False)])
    assert many.view("pageOf", KEY, 0, 2)[3] is False
    with refused("GateBadNames", 2):
        order_batch(many, Kind.ISOLATE, {2: bits(0)}, "fleet")
    order_batch(many, Kind.ISOLATE, {1: bits(0)}, "fleet")
    seal(many, "fleet", 0, 2)
    many.told("PageSealed", zone=KEY, criticality=0, page=2)
    order_batch(many, Kind.ISOLATE, {2: bits(0, 44)}, "fleet")
    assert isolated(many) == {128, 256}
    assert many.view("isIsolated", name_key("fleet-0-300"))


@pytest.mark.parametrize("bad", ["fewer", "more", "swapped", "none", "beyond", "zone"])
def test_a_page_is_sealed_with_its_own_keys(many: Gate, people: People, bad: str) -> None:
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
        many.send("sealPage", zone, 0, page, given, sender=people.stranger)


def test_a_sealed_page_stays_sealed_until_it_grows(many: Gate) -> None:
    many.govern("removeTarget", 1, name_key("fleet-0-3"))
    assert many.view("pageOf", KEY, 0, 0) == (WHOLE & ~bits(3), 0, 0, True)
    many.govern("setAssets", [asset_entry("fleet-0-3", "fleet", 0, False)])
    assert many.view("assetOf", name_key("fleet-0-3"))[5] == FLEET
    assert [many.view("pageOf", KEY, 0, page)[3] for page in range(3)] == [True, True, False]
    seal(many, "fleet", 0, 0)  # its keys are those it always had
    order_batch(many, Kind.ISOLATE, {0: bits(4)}, "fleet")
    assert isolated(many) == {4}
