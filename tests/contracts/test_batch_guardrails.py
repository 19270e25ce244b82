"""What is no batch, and what each of its actions counts against."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from batching import (
    BATCHES,
    FLEET,
    NETWORKS,
    WHOLE,
    bits,
    make_batch,
    named,
    order_batch,
    populate,
    put_batch,
    sign_batch,
)
from scene import REASON, Gate, People, halves, refused

from policies.actions import Kind, network_key
from responder.chain.proposal import Batch, batch_message, name_key


def put(gate: Gate, batch: Batch, count: int = 2) -> None:
    put_batch(gate, batch, *gate.people.operators[:count])


# ---------------------------------------------------------------- what is no batch


@pytest.mark.parametrize(
    "broken",
    [
        {"targets": ()},
        {"targets": (network_key("203.0.113.1"),) * 2},
        {"targets": (network_key("203.0.113.2"), network_key("203.0.113.1"))},
        {"zone": name_key("dmz")},
    ],
    ids=["empty", "twice", "descending", "zone"],
)
def test_a_list_names_each_target_once_and_in_order(
    many: Gate, people: People, broken: dict[str, Any]
) -> None:
    batch = replace(make_batch(many, Kind.BLOCK, NETWORKS[:2]), **broken)
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:2]))
    with refused("GateBadBatch"):
        many.send("orderBatch", batch.abi(), [], signatures, sender=people.agent)


@pytest.mark.parametrize("words", [(), (1, 1), (2, 1), (1 << 128 | 1, 1), (1, 3)])
def test_pages_are_named_once_and_in_order(many: Gate, words: tuple[int, ...]) -> None:
    batch = replace(named(many, "pages"), targets=words)
    with refused("GateBadBatch"):
        put(many, batch)


@pytest.mark.parametrize("zone", [bytes(32), name_key("nowhere")])
def test_pages_are_of_a_zone(many: Gate, people: People, zone: bytes) -> None:
    batch = replace(named(many, "pages"), zone=zone)
    with refused("GateBadBatch"):
        many.send("orderBatch", batch.abi(), [[], [], []], [], sender=people.agent)


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_of_one_of_four_criticalities(many: Gate, people: People, name: str) -> None:
    batch = replace(named(many, name), criticality=4)
    with refused("GateBadBatch"):
        many.send("orderBatch", batch.abi(), [], [], sender=people.agent)


def test_a_list_of_names_belongs_to_pages_alone(many: Gate, people: People) -> None:
    batch = named(many, "networks")
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:2]))
    with refused("GateBadBatch"):
        args = (batch.abi(), [[name_key("web")]], signatures)
        many.send("orderBatch", *args, sender=people.agent)


@pytest.mark.parametrize(
    ("kind", "targets", "criticality"),
    [
        (Kind.BLOCK, ["203.0.113.1/32", "203.0.114.0/24"], 0),
        (Kind.BLOCK, ["203.0.113.1/32"], 1),
        (Kind.REVOKE, ["ssh:deploy", "ssh:admin"], 1),
        (Kind.REVOKE, ["ssh:admin"], 1),
    ],
)
def test_all_of_a_list_are_of_its_criticality(
    many: Gate, kind: Kind, targets: list[str], criticality: int
) -> None:
    with refused("GateBadBatch"):
        order_batch(many, kind, targets, criticality=criticality)


@pytest.mark.parametrize(
    ("kind", "targets", "criticality", "reason"),
    [
        (Kind.BLOCK, [4 << 136 | 24 << 128 | 0xC0000201], 1, "MALFORMED_TARGET"),
        (Kind.BLOCK, ["198.51.100.7/32", "203.0.113.1/32"], 0, "PROTECTED_TARGET"),
        (Kind.REVOKE, ["ssh:break-glass"], 1, "PROTECTED_TARGET"),
        (Kind.BLOCK, ["8.0.0.0/8"], 3, "RULE_REFUSES"),
    ],
)
def test_no_signature_overrides_the_guardrails(
    many: Gate, kind: Kind, targets: list[Any], criticality: int, reason: str
) -> None:
    if reason == "RULE_REFUSES":  # a deadline can only be good where there are limits
        many.govern("setRule", 0, 3, (False, False, 0, 0, 0, 0, 0, 0))
    batch = make_batch(many, kind, targets, criticality=criticality)
    with refused("GateRefused", REASON.index(reason)):
        put(many, batch, 4)


def test_an_unknown_credential_is_in_no_batch(many: Gate, people: People) -> None:
    batch = make_batch(many, Kind.REVOKE, ["nobody"])
    message = batch_message("BatchApproval", batch, [["nobody"]], "", many.domain)
    signed = [("", bytes(o.sign_message(message).signature)) for o in people.operators[:2]]
    many.rule(Kind.REVOKE, 0)
    with refused("GateRefused", REASON.index("UNKNOWN_TARGET")):
        many.send("orderBatch", batch.abi(), [], halves(signed), sender=people.agent)


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("ttl", [0, 3601, 2**32 - 1])
def test_a_time_to_live_out_of_range_is_refused(many: Gate, name: str, ttl: int) -> None:
    with refused("GateRefused", REASON.index("TTL_OUT_OF_RANGE")):
        put(many, named(many, name, ttl=ttl))


@pytest.mark.parametrize("name", BATCHES)
def test_a_pause_holds_for_batches(many: Gate, people: People, name: str) -> None:
    many.send("pause", sender=people.guardian)
    batch = named(many, name)
    with refused("GateRefused", REASON.index("PAUSED")):
        put(many, batch)
    many.resume()
    put(many, batch)


@pytest.mark.parametrize("name", BATCHES)
def test_a_delay_lets_no_batch_pass(many: Gate, name: str) -> None:
    """A batch is ordered in the transaction that brings it, so nothing could wait."""
    kind, _, zone, criticality = BATCHES[name]
    many.rule(kind, criticality, leasable=False, delay=60, budget=2000, live=4000)
    with refused("GateTooEarly", many.evm.now + 60):
        put(many, named(many, name))
    if zone:
        many.zone(zone, opens=many.evm.now % 604_800, length=60)
        put(many, named(many, name))


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize(("budget", "fits"), [(2, False), (3, True)])
def test_every_action_counts_against_the_budget(many: Gate, budget: int, fits: bool) -> None:
    many.rule(Kind.BLOCK, 0, budget=budget)
    batch = make_batch(many, Kind.BLOCK, NETWORKS)
    if not fits:
        with refused("GateRefused", REASON.index("BUDGET_SPENT")):
            put(many, batch)
        return
    put(many, batch)
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        many.propose(Kind.BLOCK, "203.0.113.77/32")
    many.evm.advance(3600)
    many.propose(Kind.BLOCK, "203.0.113.77/32")


def test_every_place_counts_against_the_budget(many: Gate) -> None:
    many.rule(Kind.ISOLATE, 0, budget=131, live=4000)
    put(many, named(many, "pages"))  # 2 + 128 + 1
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        many.propose(Kind.ISOLATE, "web")


def test_the_largest_budget_is_no_larger_by_a_batch(many: Gate) -> None:
    """A count beyond what a counter holds must not run over into the next cell's."""
    many.rule(Kind.ISOLATE, 0, budget=2047, live=60_000)
    populate(many, "fleet", 2048 - FLEET)
    pages = dict.fromkeys(range(16), WHOLE)
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        order_batch(many, Kind.ISOLATE, pages, "fleet")  # 2,048
    order_batch(many, Kind.ISOLATE, pages | {15: WHOLE >> 1}, "fleet")
    many.propose(Kind.ISOLATE, "files")  # the next cell has all of its own
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        many.propose(Kind.ISOLATE, "web")


@pytest.mark.parametrize("name", ["networks", "credentials", "pages"])
def test_every_action_counts_as_live(many: Gate, name: str) -> None:
    kind, _, _, criticality = BATCHES[name]
    batch = named(many, name)
    size = 131 if name == "pages" else len(batch.targets)
    many.rule(kind, criticality, live=size - 1, budget=2000)
    with refused("GateRefused", REASON.index("LIVE_LIMIT")):
        put(many, batch)
    many.rule(kind, criticality, live=size, budget=2000)
    put(many, batch)
    assert many.view("ruleOf", int(kind), criticality)[1] == size
    put(many, named(many, name))  # what counts already is not counted twice


@pytest.mark.parametrize(("share", "fits"), [(50, True), (49, False)])
def test_every_place_counts_for_the_zones_share(many: Gate, share: int, fits: bool) -> None:
    many.zone("fleet", share=share)
    if fits:
        order_batch(many, Kind.ISOLATE, {0: WHOLE, 1: bits(*range(22))}, "fleet")  # 150 of 300
        return
    with refused("GateRefused", REASON.index("ZONE_SHARE")):
        order_batch(many, Kind.ISOLATE, {0: WHOLE, 1: bits(*range(22))}, "fleet")


def test_a_single_order_meets_what_a_batch_left(many: Gate) -> None:
    many.zone("fleet", share=50)
    order_batch(many, Kind.ISOLATE, {0: WHOLE, 1: bits(*range(21))}, "fleet")
    many.propose(Kind.ISOLATE, "fleet-0-260")  # 150 of 300 would be isolated
    many.zone("fleet", share=49)
    with refused("GateRefused", REASON.index("ZONE_SHARE")):
        many.propose(Kind.ISOLATE, "fleet-0-261")


def test_what_replaces_as_many_passes_lowered_limits(many: Gate) -> None:
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2, 3, 4)}, "fleet", ttl=60)
    many.evm.advance(60)
    many.zone("fleet", share=1)  # three of 300
    many.rule(Kind.ISOLATE, 0, live=1, budget=2000)
    order_batch(many, Kind.ISOLATE, {0: bits(4, 5, 6, 7)}, "fleet")
    many.evm.advance(600)
    with refused("GateRefused", REASON.index("LIVE_LIMIT")):
        order_batch(many, Kind.ISOLATE, {0: bits(1, 2, 3, 4, 5)}, "fleet")
