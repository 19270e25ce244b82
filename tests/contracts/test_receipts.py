"""What enforcers say of an order, one by one; and the proof that they said nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from batching import bits, make_batch, named, order_batch, populate, put_batch, release_batch
from scene import ENFORCER, NOW, STATUS, Gate, People, refused

from policies.actions import Kind
from responder.chain.proposal import Batch, Proposal, name_key

APPLIED, FAILED, DRIFTED, REVERTED = range(4)
DIGEST = b"\x05" * 32
DUE = 120  # seconds, by the scene's limits
SUPERSEDED = STATUS.index("SUPERSEDED")
ORDERS = [(Kind.BLOCK, "203.0.113.9/32"), (Kind.ISOLATE, "web"), (Kind.REVOKE, "ssh:deploy")]


def start(gate: Gate, order: Proposal | Batch) -> bytes:
    """How receipts name an order."""
    return order.id(gate.domain)[:20]


def file(gate: Gate, of: Proposal, outcome: int = APPLIED, **other: Any) -> None:
    args = {"kind": int(of.kind), "target": of.target, "order": start(gate, of)} | other
    sender = args.pop("sender", gate.people.enforcer)
    gate.send("fileReceipt", *args.values(), outcome, DIGEST, sender=sender)


def file_page(gate: Gate, batch: Batch, i: int = 0, sender: Any = None) -> None:
    sender = sender or gate.people.enforcer
    gate.send("filePageReceipt", batch.abi(), i, APPLIED, DIGEST, sender=sender)


def report(gate: Gate, order: Proposal) -> None:
    gate.send("reportMissing", order.abi(), sender=gate.people.stranger)


def report_batch(gate: Gate, batch: Batch, i: int = 0) -> None:
    gate.send("reportMissingBatch", batch.abi(), i, sender=gate.people.stranger)


# ---------------------------------------------------------------- filed


@pytest.mark.parametrize(("kind", "target"), ORDERS)
@pytest.mark.parametrize("outcome", [APPLIED, FAILED, DRIFTED, REVERTED])
def test_a_receipt_is_told(
    gate: Gate, people: People, kind: Kind, target: str, outcome: int
) -> None:
    order = gate.order(kind, target)
    file(gate, order, outcome)
    receipt = (start(gate, order), order.target, people.enforcer.address, outcome, DIGEST)
    gate.told("ReceiptFiled", order=start(gate, order), receipt=receipt)


def test_an_outcome_is_one_of_four(gate: Gate) -> None:
    with pytest.raises(RuntimeError, match="reverted without"):
        file(gate, gate.order(Kind.ISOLATE, "web"), outcome=4)


def test_the_last_receipt_says_how_it_is_now(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web", ttl=60)
    for outcome in (FAILED, APPLIED, DRIFTED):
        file(gate, order, outcome)
    gate.evm.advance(60)
    file(gate, order, REVERTED)
    assert gate.last.args["receipt"][3] == REVERTED


def test_a_receipt_may_follow_a_release(gate: Gate, people: People) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    signatures = gate.sign("Release", order, *people.operators[:2])
    gate.send("release", order.abi(), signatures, sender=people.stranger)
    file(gate, order, REVERTED)
    assert gate.last.args["order"] == start(gate, order)


def test_a_superseded_order_takes_no_receipt(gate: Gate) -> None:
    first = gate.order(Kind.ISOLATE, "web")
    second = gate.order(Kind.ISOLATE, "web")
    with refused("GateNoOrder", start(gate, first)):
        file(gate, first)
    file(gate, second)


@pytest.mark.parametrize("status", ["NONE", "PENDING", "VETOED"])
def test_no_receipt_for_what_was_never_ordered(gate: Gate, people: People, status: str) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    if status != "NONE":
        gate.send("propose", proposal.abi(), sender=people.agent)
    if status == "VETOED":
        gate.send("veto", proposal.abi(), sender=people.guardian)
    with refused("GateNoOrder", start(gate, proposal)):
        file(gate, proposal)


@pytest.mark.parametrize(
    ("kind", "target"), [*ORDERS, (Kind.ISOLATE, "nobody"), (Kind.REVOKE, "nobody")]
)
def test_no_receipt_where_there_never_was_an_order(gate: Gate, kind: Kind, target: str) -> None:
    with refused("GateNoOrder", bytes(20)):
        file(gate, gate.proposal(kind, target), order=bytes(20))


def test_a_receipt_is_for_the_target_of_its_order(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    gate.order(Kind.ISOLATE, "files")
    for other in ({"target": name_key("files")}, {"kind": int(Kind.REVOKE)}):
        with refused("GateNoOrder", start(gate, order)):
            file(gate, order, **other)


def test_each_target_of_a_list_has_its_receipt(many: Gate, people: People) -> None:
    batch = named(many, "credentials")
    put_batch(many, batch, *people.operators[:2])
    order = start(many, batch)
    for target in batch.targets:
        key = target.to_bytes(32)
        args = (int(Kind.REVOKE), key, order, APPLIED, DIGEST)
        many.send("fileReceipt", *args, sender=people.enforcer)
        receipt = (order, key, people.enforcer.address, APPLIED, DIGEST)
        many.told("ReceiptFiled", order=order, receipt=receipt)


def test_each_page_has_its_receipt(many: Gate, people: People) -> None:
    batch = named(many, "pages")
    put_batch(many, batch, *people.operators[:2])
    order = start(many, batch)
    for i in range(3):
        file_page(many, batch, i)
        receipt = (order, batch.targets[i].to_bytes(32), people.enforcer.address, APPLIED, DIGEST)
        many.told("ReceiptFiled", order=order, receipt=receipt)
    with refused("GateBadBatch"):
        file_page(many, batch, 3)


def test_a_page_that_another_batch_took_takes_no_receipt_of_the_first(many: Gate) -> None:
    first = order_batch(many, Kind.ISOLATE, {0: bits(1), 1: bits(1)}, "fleet")
    order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet")
    with refused("GateWrongStatus", first.id(many.domain), SUPERSEDED):
        file_page(many, first, 0)
    file_page(many, first, 1)


def test_a_list_has_no_pages(many: Gate, people: People) -> None:
    """A network's word has no number of a page, or one of a page that is not the batch's."""
    for networks in (["203.0.113.1/32"], ["2001:db8:2::1/128"]):
        batch = make_batch(many, Kind.BLOCK, networks)
        put_batch(many, batch, *people.operators[:2])
        with refused("GateWrongStatus", batch.id(many.domain), SUPERSEDED):
            file_page(many, batch)
    batch = make_batch(many, Kind.REVOKE, ["ssh:deploy"], criticality=1)
    put_batch(many, batch, *people.operators[:2])
    with refused("GateBadBatch"):
        file_page(many, batch)


FORGED: dict[str, dict[str, Any]] = {
    "never ordered": {"nonce": 0, "agent": "0x" + "77" * 20},
    "ttl": {"ttl": 3600},
    "targets": {"targets": (bits(7),)},
    "evidence": {"evidence": b"\x09" * 32},
    "deadline": {"deadline": NOW + 1},
}


@pytest.mark.parametrize("change", FORGED)
def test_a_forged_batch_takes_no_receipt(many: Gate, change: str) -> None:
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet")
    forged = replace(batch, **FORGED[change])
    if change == "never ordered":
        forged = replace(forged, targets=(1 << 128 | bits(1),))
    with refused("GateWrongStatus", forged.id(many.domain), SUPERSEDED):
        file_page(many, forged)


@pytest.mark.parametrize("change", FORGED)
def test_a_forged_batch_is_not_reported(many: Gate, change: str) -> None:
    """Else anyone could report a page before its time, and the true report would come too late."""
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet")
    forged = replace(batch, **FORGED[change])
    with refused("GateWrongStatus", forged.id(many.domain), SUPERSEDED):
        report_batch(many, forged)
    for ttl in (many.evm.now, 2**32 - 1):
        forged = replace(batch, ttl=ttl)
        with refused("GateWrongStatus", forged.id(many.domain), SUPERSEDED):
            report_batch(many, forged)
    many.evm.advance(DUE)
    report_batch(many, batch)


# ---------------------------------------------------------------- scope


@pytest.mark.parametrize(
    ("kinds", "zone", "allowed"),
    [
        (0b111, "", {"BLOCK", "ISOLATE", "REVOKE"}),
        (0b001, "", {"BLOCK"}),
        (0b010, "", {"ISOLATE"}),
        (0b110, "", {"ISOLATE", "REVOKE"}),
        (0b111, "dmz", {"ISOLATE"}),  # neither networks nor credentials lie in a zone
        (0b111, "office", set()),
        (0, "", set()),
    ],
)
def test_a_receipt_lies_in_the_enforcers_scope(
    gate: Gate, people: People, kinds: int, zone: str, allowed: set[str]
) -> None:
    enforcer = people.enforcer.address
    orders = [gate.order(kind, target) for kind, target in ORDERS]
    gate.govern("setEnforcerScope", enforcer, kinds, zone)
    for order in orders:
        if order.kind.name in allowed:
            file(gate, order)
        else:
            with refused("GateOutOfScope", enforcer):
                file(gate, order)


@pytest.mark.parametrize(("zone", "good"), [("", True), ("fleet", True), ("dmz", False)])
def test_a_pages_receipt_lies_in_the_enforcers_scope(
    many: Gate, people: People, zone: str, good: bool
) -> None:
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1)}, "fleet")
    many.govern("setEnforcerScope", people.enforcer.address, 0b010, zone)
    if good:
        file_page(many, batch)
        return
    with refused("GateOutOfScope", people.enforcer.address):
        file_page(many, batch)


def test_only_an_enforcer_files(many: Gate, people: People) -> None:
    order = many.order(Kind.ISOLATE, "web")
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1)}, "fleet")
    stranger = people.stranger
    many.govern("setEnforcerScope", stranger.address, 0b111, "")  # a scope is no role
    with refused("GateMissingRole", stranger.address, ENFORCER):
        file(many, order, sender=stranger)
    with refused("GateMissingRole", stranger.address, ENFORCER):
        file_page(many, batch, sender=stranger)
    many.govern("setRoles", stranger.address, ENFORCER, 0)
    file(many, order, sender=stranger)
    file_page(many, batch, sender=stranger)


# ---------------------------------------------------------------- missing


@pytest.mark.parametrize(("kind", "target"), ORDERS)
def test_a_missing_receipt_is_reported_when_it_is_due(
    gate: Gate, people: People, kind: Kind, target: str
) -> None:
    order = gate.order(kind, target)
    due = gate.evm.now + DUE
    gate.evm.advance(DUE - 1)
    with refused("GateTooEarly", due):
        report(gate, order)
    gate.evm.advance(1)
    report(gate, order)
    id_ = gate.id(order)
    reporter = people.stranger.address
    gate.told("ReceiptMissed", id=id_, target=order.target, reporter=reporter)
    with refused("GateReceiptKnown", id_):
        report(gate, order)


def test_a_receipt_in_time_is_not_missing(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    file(gate, order, FAILED)
    gate.evm.advance(DUE)
    with refused("GateReceiptKnown", gate.id(order)):
        report(gate, order)


def test_removal_forgets_no_receipt(gate: Gate, people: People) -> None:
    order = gate.order(Kind.ISOLATE, "web", ttl=60)
    file(gate, order)
    gate.evm.advance(DUE)
    gate.send("settle", 1, [order.target], sender=people.stranger)
    gate.govern("removeTarget", 1, order.target)
    with refused("GateReceiptKnown", gate.id(order)):
        report(gate, order)


def test_a_late_receipt_is_still_taken(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    gate.evm.advance(DUE)
    report(gate, order)
    file(gate, order)
    assert gate.last.name == "ReceiptFiled"


def test_an_order_that_ended_is_still_reported(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web", ttl=60)
    gate.evm.advance(DUE)
    assert gate.status(order) == "EXPIRED"
    report(gate, order)


def test_a_released_order_is_not_reported(gate: Gate, people: People) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    signatures = gate.sign("Release", order, *people.operators[:2])
    gate.send("release", order.abi(), signatures, sender=people.stranger)
    gate.evm.advance(DUE)
    with refused("GateWrongStatus", gate.id(order), STATUS.index("RELEASED")):
        report(gate, order)


@pytest.mark.parametrize("status", ["NONE", "PENDING", "SUPERSEDED"])
def test_what_is_no_order_is_not_reported(gate: Gate, status: str) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    if status == "PENDING":
        proposal = gate.propose(Kind.ISOLATE, "web")
    if status == "SUPERSEDED":
        proposal = gate.order(Kind.ISOLATE, "web")
        gate.order(Kind.ISOLATE, "web")
    gate.evm.advance(DUE)
    with refused("GateWrongStatus", gate.id(proposal), SUPERSEDED):
        report(gate, proposal)


def test_a_receipt_of_the_order_before_is_not_this_ones(gate: Gate) -> None:
    file(gate, gate.order(Kind.ISOLATE, "web"))
    order = gate.order(Kind.ISOLATE, "web")
    gate.evm.advance(DUE)
    report(gate, order)
    again = gate.order(Kind.ISOLATE, "web")
    gate.evm.advance(DUE)
    report(gate, again)


@pytest.mark.parametrize("name", ["networks", "credentials", "pages"])
def test_a_receipt_of_the_batch_before_is_not_this_ones(
    many: Gate, people: People, name: str
) -> None:
    many.rule(Kind.REVOKE, 1, budget=50)
    first, second, third = (named(many, name) for _ in range(3))
    for batch in (first, second, third):
        put_batch(many, batch, *people.operators[:2])
        many.evm.advance(DUE)
        if batch is not first:
            report_batch(many, batch)
        elif batch.kind is Kind.ISOLATE:
            file_page(many, batch)
        else:
            target = batch.targets[0].to_bytes(32)
            args = (int(batch.kind), target, start(many, batch), APPLIED, DIGEST)
            many.send("fileReceipt", *args, sender=people.enforcer)


def test_an_order_that_took_over_an_end_is_due_by_that_end(gate: Gate) -> None:
    """As the gate keeps an order's end alone: `ttl` before it counts as the start."""
    gate.order(Kind.ISOLATE, "web", ttl=3600)
    until = gate.evm.now + 3600
    order = gate.order(Kind.ISOLATE, "web", ttl=60)
    gate.evm.advance(DUE)
    with refused("GateTooEarly", until - 60 + DUE):
        report(gate, order)
    gate.evm.advance(3600 - 60)
    report(gate, order)


@pytest.mark.parametrize("name", ["networks", "credentials", "pages"])
def test_what_is_missing_of_a_batch_is_reported(many: Gate, people: People, name: str) -> None:
    batch = named(many, name)
    put_batch(many, batch, *people.operators[:2])
    due = many.evm.now + DUE
    with refused("GateTooEarly", due):
        report_batch(many, batch, 1)
    many.evm.advance(DUE)
    report_batch(many, batch, 1)
    id_ = batch.id(many.domain)
    key, reporter = batch.targets[1].to_bytes(32), people.stranger.address
    many.told("ReceiptMissed", id=id_, target=key, reporter=reporter)
    with refused("GateReceiptKnown", id_):
        report_batch(many, batch, 1)
    report_batch(many, batch, 0)
    with refused("GateBadBatch"):
        report_batch(many, batch, len(batch.targets))


def test_a_pages_receipt_in_time_is_not_missing(many: Gate) -> None:
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1), 1: bits(1)}, "fleet")
    file_page(many, batch, 0)
    many.evm.advance(DUE)
    with refused("GateReceiptKnown", batch.id(many.domain)):
        report_batch(many, batch, 0)
    report_batch(many, batch, 1)
    file_page(many, batch, 1)  # late


@pytest.mark.parametrize("received", [False, True])
def test_a_page_that_grew_knows_what_was_said_of_it(many: Gate, received: bool) -> None:
    batch = order_batch(many, Kind.ISOLATE, {2: bits(5)}, "fleet")
    many.evm.advance(DUE)
    if received:
        file_page(many, batch)
    else:
        report_batch(many, batch)
    populate(many, "fleet", 1)
    with refused("GateReceiptKnown", batch.id(many.domain)):
        report_batch(many, batch)


def test_released_pages_and_lists_are_not_reported(many: Gate, people: People) -> None:
    for name in ("pages", "networks"):
        batch = named(many, name)
        put_batch(many, batch, *people.operators[:2])
        release_batch(many, batch, *people.operators[:2])
        many.evm.advance(DUE)
        with refused("GateWrongStatus", batch.id(many.domain), STATUS.index("RELEASED")):
            report_batch(many, batch)


def test_a_page_taken_over_is_reported_by_the_batch_that_has_it(many: Gate) -> None:
    first = order_batch(many, Kind.ISOLATE, {0: bits(1)}, "fleet")
    second = order_batch(many, Kind.ISOLATE, {0: bits(1, 2)}, "fleet")
    many.evm.advance(DUE)
    with refused("GateWrongStatus", first.id(many.domain), SUPERSEDED):
        report_batch(many, first)
    report_batch(many, second)


def test_a_batch_that_was_never_ordered_is_not_reported(many: Gate) -> None:
    for batch in (named(many, "networks"), make_batch(many, Kind.ISOLATE, {0: 2}, "fleet")):
        with refused("GateWrongStatus", batch.id(many.domain), SUPERSEDED):
            report_batch(many, batch)
