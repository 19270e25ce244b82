"""Batches as operators see them: who stands on which page, read from the gate's log alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from eth_account.signers.local import LocalAccount
from scene import EVIDENCE, MODEL, Gate, asset_entry, halves

from policies.actions import Kind, network_key
from responder.chain.proposal import (
    Batch,
    batch_message,
    name_key,
    network_text,
    page_groups,
    page_words,
)

PAGE = 128  # places
FLEET = 300  # assets of the zone that the batches below are of: two pages and a part of a third
WHOLE = (1 << PAGE) - 1
CHUNK = 256  # assets in a call

NETWORKS = ["203.0.113.1/32", "203.0.113.2/32", "2001:db8:2::1/128"]
WIDE = ["2001:db8:2::/64", "203.0.113.0/24"]

__all__ = [
    "BATCHES",
    "FLEET",
    "NETWORKS",
    "PAGE",
    "WHOLE",
    "bits",
    "isolated",
    "make_batch",
    "named",
    "names_of",
    "order_batch",
    "page_of",
    "populate",
    "put_batch",
    "release_batch",
    "roster",
    "seal",
    "sign_batch",
    "texts_of",
]


def bits(*places: int) -> int:
    return sum(1 << place for place in places)


# By name: kind, targets, zone, criticality; for a gate with the fleet.
BATCHES: dict[str, tuple[Kind, Any, str, int]] = {
    "networks": (Kind.BLOCK, NETWORKS, "", 0),
    "wide networks": (Kind.BLOCK, WIDE, "", 1),
    "credentials": (Kind.REVOKE, ["ssh:deploy", "ssh:api"], "", 1),
    "pages": (Kind.ISOLATE, {0: bits(1, 2), 1: WHOLE, 2: bits(5)}, "fleet", 0),
}


def roster(gate: Gate, zone: str, criticality: int) -> dict[int, str]:
    """Who took which place of a zone and criticality, also of those that left it since."""
    told = (event.args for event in gate.contract.events if event.name == "AssetSet")
    wanted = (zone, criticality)
    return {
        args["place"]: args["entry"][0]
        for args in told
        if (args["entry"][1], args["entry"][3]) == wanted
    }


def isolated(gate: Gate) -> set[int]:
    """Places of the fleet that are isolated now."""
    keys = [name_key(f"fleet-0-{place}") for place in range(FLEET)]
    return {place for place, key in enumerate(keys) if gate.view("isIsolated", key)}


def page_of(gate: Gate, zone: str, criticality: int, page: int) -> list[str]:
    taken = roster(gate, zone, criticality)
    return [taken[place] for place in sorted(taken) if place // PAGE == page]


def seal(gate: Gate, zone: str, criticality: int = 0, page: int = 0) -> None:
    keys = [name_key(name) for name in page_of(gate, zone, criticality, page)]
    sender = gate.people.stranger
    gate.send("sealPage", name_key(zone), criticality, page, keys, sender=sender)


def populate(gate: Gate, zone: str, count: int, criticality: int = 0, pool: str = "") -> list[str]:
    """Registers so many assets more and seals their pages; their ids by place."""
    first = len(roster(gate, zone, criticality))
    names = [f"{zone}-{criticality}-{place}" for place in range(first, first + count)]
    entries = [asset_entry(name, zone, criticality, False, pool) for name in names]
    for start in range(0, count, CHUNK):
        gate.govern("setAssets", entries[start : start + CHUNK])
    for page in range(first // PAGE, (first + count - 1) // PAGE + 1):
        seal(gate, zone, criticality, page)
    return names


def make_batch(
    gate: Gate,
    kind: Kind,
    targets: Sequence[str | int] | Mapping[int, int],
    zone: str = "",
    criticality: int = 0,
    **other: Any,
) -> Batch:
    """`targets`: networks, credentials' ids, or bits by page; sorted as the gate wants them."""
    if isinstance(targets, Mapping):
        words = [page << PAGE | places for page, places in targets.items()]
    else:
        words = [_word(kind, target) for target in targets]
    made = Batch(
        kind=kind,
        zone=name_key(zone) if zone else bytes(32),
        criticality=criticality,
        targets=tuple(sorted(words)),
        ttl=600,
        model=MODEL,
        evidence=EVIDENCE,
        deadline=gate.evm.now + 900,
        agent=gate.people.agent.address,
        nonce=next(gate.nonces),
    )
    return replace(made, **other)


def _word(kind: Kind, target: str | int) -> int:
    if isinstance(target, int):
        return target
    return network_key(target) if kind is Kind.BLOCK else int.from_bytes(name_key(target))


def named(gate: Gate, name: str, **other: Any) -> Batch:
    """One of the batches above."""
    kind, targets, zone, criticality = BATCHES[name]
    return make_batch(gate, kind, targets, zone, criticality, **other)


def texts_of(gate: Gate, batch: Batch) -> list[list[str]]:
    """What a wallet shows: the names of what is ordered, in groups."""
    if batch.kind is Kind.BLOCK:
        return [[network_text(word.to_bytes(32)) for word in batch.targets]]
    if batch.kind is Kind.REVOKE:
        known = {
            name_key(event.args["entry"][0]): event.args["entry"][0]
            for event in gate.contract.events
            if event.name == "CredentialSet"
        }
        return [[known[word.to_bytes(32)] for word in batch.targets]]
    pages = _pages(gate, batch)
    return [group for names, places in pages for group in page_groups(names, places)]


def names_of(gate: Gate, batch: Batch) -> list[list[bytes]]:
    """What `orderBatch` is given to know the names of the pages."""
    if batch.kind is not Kind.ISOLATE:
        return []
    pages = _pages(gate, batch)
    return [page_words([name_key(name) for name in names], places) for names, places in pages]


def _pages(gate: Gate, batch: Batch) -> list[tuple[list[str], int]]:
    """All names of each page, and the bits of those that the batch has."""
    zone = _zone(gate, batch)
    return [
        (page_of(gate, zone, batch.criticality, word >> PAGE), word & WHOLE)
        for word in batch.targets
    ]


def _zone(gate: Gate, batch: Batch) -> str:
    if batch.kind is not Kind.ISOLATE:
        return ""
    names = (e.args["name"] for e in gate.contract.events if e.name == "ZoneSet")
    return next(name for name in names if name_key(name) == batch.zone)


def sign_batch(gate: Gate, decision: Any, batch: Batch, *signers: LocalAccount) -> list[Any]:
    texts = texts_of(gate, batch)
    message = batch_message(decision, batch, texts, _zone(gate, batch), gate.domain)
    return [(s.address, bytes(s.sign_message(message).signature)) for s in signers]


def put_batch(gate: Gate, batch: Batch, *signers: LocalAccount) -> None:
    """By the agent, with these operators' signatures."""
    signatures = halves(sign_batch(gate, "BatchApproval", batch, *signers))
    given = names_of(gate, batch)
    gate.send("orderBatch", batch.abi(), given, signatures, sender=gate.people.agent)


def order_batch(gate: Gate, kind: Kind, targets: Any, zone: str = "", **other: Any) -> Batch:
    """With two operators' signatures."""
    batch = make_batch(gate, kind, targets, zone, **other)
    put_batch(gate, batch, *gate.people.operators[:2])
    return batch


def release_batch(gate: Gate, batch: Batch, *signers: LocalAccount) -> None:
    signatures = sign_batch(gate, "BatchRelease", batch, *signers)
    given = names_of(gate, batch)
    gate.send("releaseBatch", batch.abi(), given, signatures, sender=gate.people.stranger)
