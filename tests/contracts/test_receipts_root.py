"""Many receipts under one Merkle root, shown one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from batching import bits, named, order_batch, put_batch
from eth_abi import encode
from eth_utils import keccak
from scene import ENFORCER, STATUS, Gate, People, refused

from policies.actions import Kind
from responder.chain.proposal import Batch, Proposal, name_key

Receipt = tuple[bytes, bytes, str, int, bytes]  # order, target, enforcer, outcome, digest
RECEIPT = "(bytes20,bytes32,address,uint8,bytes32)"
DIGEST = b"\x05" * 32
APPLIED = 0


def leaf(receipt: Receipt) -> bytes:
    return bytes(keccak(keccak(encode([RECEIPT], [receipt]))))


def pair(one: bytes, other: bytes) -> bytes:
    return bytes(keccak(b"".join(sorted((one, other)))))


def tree(leaves: list[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Root, and the proof of each leaf; an odd one out goes up as it is."""
    proofs: list[list[bytes]] = [[] for _ in leaves]
    groups = [(node, [i]) for i, node in enumerate(leaves)]
    while len(groups) > 1:
        upper = []
        for k in range(0, len(groups) - 1, 2):
            (left, below), (right, beside) = groups[k], groups[k + 1]
            for i in below:
                proofs[i].append(right)
            for i in beside:
                proofs[i].append(left)
            upper.append((pair(left, right), below + beside))
        groups = upper + groups[len(groups) - len(groups) % 2 :]
    return groups[0][0], proofs


def receipt_of(gate: Gate, of: Proposal | Batch, on: bytes, /, **other: Any) -> Receipt:
    fields = {
        "order": of.id(gate.domain)[:20],
        "target": on,
        "enforcer": gate.people.enforcer.address,
        "outcome": APPLIED,
        "digest": DIGEST,
    } | other
    return tuple(fields.values())  # type: ignore[return-value]


def filed(gate: Gate, receipts: list[Receipt]) -> tuple[bytes, list[list[bytes]]]:
    root, proofs = tree([leaf(receipt) for receipt in receipts])
    gate.send("fileReceipts", root, len(receipts), sender=gate.people.enforcer)
    return root, proofs


def show(gate: Gate, kind: Kind, receipt: Receipt, root: bytes, proof: list[bytes]) -> None:
    gate.send("showReceipt", int(kind), receipt, root, proof, sender=gate.people.stranger)


def show_page(gate: Gate, batch: Batch, receipt: Receipt, root: bytes, proof: Any = ()) -> None:
    args = (batch.abi(), receipt, root, list(proof))
    gate.send("showPageReceipt", *args, sender=gate.people.stranger)


def test_a_root_is_told(gate: Gate, people: People) -> None:
    gate.send("fileReceipts", b"\x07" * 32, 100, sender=people.enforcer)
    enforcer = people.enforcer.address
    gate.told("ReceiptsFiled", root=b"\x07" * 32, enforcer=enforcer, count=100)


def test_a_root_is_of_the_contract_that_filed_it(
    gate: Gate, people: People, wallet_artifact: dict[str, Any]
) -> None:
    caller = people.stranger.address
    wallet = gate.evm.deploy(wallet_artifact, caller, sender=caller)
    gate.govern("setRoles", wallet.address, ENFORCER, 0)
    gate.govern("setEnforcerScope", wallet.address, 7, "")
    order = gate.order(Kind.ISOLATE, "web")
    receipt = receipt_of(gate, order, order.target, enforcer=wallet.address)
    root = leaf(receipt)
    data = gate.contract.data("fileReceipts", root, 1)
    wallet.send("pass", gate.contract.address, data, sender=caller)
    show(gate, order.kind, receipt, root, [])
    gate.told("ReceiptShown", order=receipt[0], receipt=receipt, root=root)


def test_a_root_is_filed_once_by_whomever(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.stranger.address, ENFORCER, 0)
    gate.send("fileReceipts", b"\x07" * 32, 1, sender=people.enforcer)
    for enforcer in (people.enforcer, people.stranger):
        with refused("GateRootFiled", b"\x07" * 32):
            gate.send("fileReceipts", b"\x07" * 32, 1, sender=enforcer)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_every_receipt_under_a_root_is_shown(gate: Gate, people: People, count: int) -> None:
    orders = [gate.order(Kind.BLOCK, f"203.0.113.{i}/32") for i in range(count)]
    receipts = [receipt_of(gate, order, order.target) for order in orders]
    root, proofs = filed(gate, receipts)
    for receipt, proof in zip(receipts, proofs, strict=True):
        show(gate, Kind.BLOCK, receipt, root, proof)
        gate.told("ReceiptShown", order=receipt[0], receipt=receipt, root=root)
    gate.evm.advance(120)
    for order in orders:
        with refused("GateReceiptKnown", gate.id(order)):
            gate.send("reportMissing", order.abi(), sender=people.stranger)


def test_what_stands_under_a_root_is_still_shown_after_a_report(gate: Gate, people: People) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    receipt = receipt_of(gate, order, order.target)
    root, [proof] = filed(gate, [receipt])
    gate.evm.advance(120)
    gate.send("reportMissing", order.abi(), sender=people.stranger)
    show(gate, Kind.ISOLATE, receipt, root, proof)
    assert gate.last.name == "ReceiptShown"


@pytest.mark.parametrize(
    "changed",
    [
        {"outcome": 1},
        {"digest": b"\x06" * 32},
        {"target": name_key("mail")},
        {"order": b"\x06" * 20},
        {"proof": "other"},
        {"proof": "short"},
        {"proof": "none"},
        {"root": b"\x08" * 32},
    ],
    ids=["outcome", "digest", "target", "order", "other", "short", "none", "root"],
)
def test_what_stands_not_under_the_root_is_not_shown(gate: Gate, changed: dict[str, Any]) -> None:
    orders = [gate.order(Kind.ISOLATE, name) for name in ("web", "files", "web")]
    receipts = [receipt_of(gate, order, order.target) for order in orders]
    root, proofs = filed(gate, receipts)
    proof = {"other": proofs[0], "short": proofs[1][:-1], "none": []}.get(
        changed.get("proof", ""), proofs[1]
    )
    fields = {k: v for k, v in changed.items() if k not in ("proof", "root")}
    receipt = receipt_of(gate, orders[1], orders[1].target, **fields)
    root = changed.get("root", root)
    with refused("GateBadProof", root):
        show(gate, Kind.ISOLATE, receipt, root, proof)


def test_an_inner_node_is_no_receipt(gate: Gate, people: People) -> None:
    """Leaves are hashed twice, so no node can be taken for one."""
    orders = [gate.order(Kind.ISOLATE, name) for name in ("web", "files")]
    leaves = [leaf(receipt_of(gate, order, order.target)) for order in orders]
    root, _ = filed(gate, [receipt_of(gate, order, order.target) for order in orders])
    forged = receipt_of(gate, orders[0], leaves[1], digest=leaves[0])
    with refused("GateBadProof", root):
        show(gate, Kind.ISOLATE, forged, root, [])


def test_a_root_counts_for_the_enforcer_who_filed_it(gate: Gate, people: People) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    other = people.stranger.address
    gate.govern("setRoles", other, ENFORCER, 0)
    gate.govern("setEnforcerScope", other, 0b111, "")
    receipt = receipt_of(gate, order, order.target, enforcer=other)
    root, [proof] = filed(gate, [receipt])
    with refused("GateBadProof", root):
        show(gate, Kind.ISOLATE, receipt, root, proof)


def test_who_is_no_enforcer_any_more_shows_nothing(gate: Gate, people: People) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    receipt = receipt_of(gate, order, order.target)
    root, [proof] = filed(gate, [receipt])
    gate.govern("setEnforcerScope", people.enforcer.address, 0b101, "")
    with refused("GateOutOfScope", people.enforcer.address):
        show(gate, Kind.ISOLATE, receipt, root, proof)
    gate.govern("setRoles", people.enforcer.address, 0, 0)
    with refused("GateMissingRole", people.enforcer.address, ENFORCER):
        show(gate, Kind.ISOLATE, receipt, root, proof)


def test_a_kind_is_no_other(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    receipt = receipt_of(gate, order, order.target)
    root, [proof] = filed(gate, [receipt])
    with refused("GateNoOrder", receipt[0]):
        show(gate, Kind.REVOKE, receipt, root, proof)


def test_a_superseded_order_is_not_shown(gate: Gate) -> None:
    order = gate.order(Kind.ISOLATE, "web")
    receipt = receipt_of(gate, order, order.target)
    root, [proof] = filed(gate, [receipt])
    gate.order(Kind.ISOLATE, "web")
    with refused("GateNoOrder", receipt[0]):
        show(gate, Kind.ISOLATE, receipt, root, proof)


def test_what_was_never_ordered_is_not_shown(gate: Gate) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for order in (proposal.id(gate.domain)[:20], bytes(20)):
        receipt = receipt_of(gate, proposal, proposal.target, order=order)
        root, [proof] = filed(gate, [receipt])
        with refused("GateNoOrder", order):
            show(gate, Kind.ISOLATE, receipt, root, proof)


# ---------------------------------------------------------------- batches


def test_a_list_under_a_root_is_shown(many: Gate, people: People) -> None:
    batch = named(many, "networks")
    put_batch(many, batch, *people.operators[:2])
    receipts = [receipt_of(many, batch, word.to_bytes(32)) for word in batch.targets]
    root, proofs = filed(many, receipts)
    for receipt, proof in zip(receipts, proofs, strict=True):
        show(many, Kind.BLOCK, receipt, root, proof)
    many.evm.advance(120)
    for i in range(len(receipts)):
        with refused("GateReceiptKnown", batch.id(many.domain)):
            many.send("reportMissingBatch", batch.abi(), i, sender=people.stranger)


def test_pages_under_a_root_are_shown(many: Gate, people: People) -> None:
    batch = named(many, "pages")
    put_batch(many, batch, *people.operators[:2])
    receipts = [receipt_of(many, batch, word.to_bytes(32)) for word in batch.targets]
    root, proofs = filed(many, receipts)
    for receipt, proof in zip(receipts[:2], proofs, strict=False):
        show_page(many, batch, receipt, root, proof)
        many.told("ReceiptShown", order=receipt[0], receipt=receipt, root=root)
    many.evm.advance(120)
    with refused("GateReceiptKnown", batch.id(many.domain)):
        many.send("reportMissingBatch", batch.abi(), 1, sender=people.stranger)
    many.send("reportMissingBatch", batch.abi(), 2, sender=people.stranger)
    show_page(many, batch, receipts[2], root, proofs[2])


@pytest.mark.parametrize("change", ["target", "order", "batch", "proof", "scope", "role"])
def test_a_page_is_shown_as_it_was_ordered(many: Gate, people: People, change: str) -> None:
    batch = order_batch(many, Kind.ISOLATE, {0: bits(1), 1: bits(1)}, "fleet")
    enforcer = people.enforcer.address
    id_ = batch.id(many.domain)
    fields = {"target": {"target": bytes(32)}, "order": {"order": b"\x09" * 20}}.get(change, {})
    receipt = receipt_of(many, batch, batch.targets[0].to_bytes(32), **fields)
    root, [proof] = filed(many, [receipt])
    if change == "batch":
        batch = replace(batch, ttl=batch.ttl + 1)
    if change == "scope":
        many.govern("setEnforcerScope", enforcer, 0b010, "dmz")
    if change == "role":
        many.govern("setRoles", enforcer, 0, 0)
    expected: dict[str, tuple[Any, ...]] = {
        "target": ("GateBadBatch",),
        "order": ("GateBadProof", root),
        "batch": ("GateWrongStatus", batch.id(many.domain), STATUS.index("SUPERSEDED")),
        "proof": ("GateBadProof", root),
        "scope": ("GateOutOfScope", enforcer),
        "role": ("GateMissingRole", enforcer, ENFORCER),
    }
    with refused(*expected[change]):
        show_page(many, batch, receipt, root, [id_] if change == "proof" else proof)
