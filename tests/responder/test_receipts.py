"""Receipts: one by one or under a root, shown where asked for, reported where others owe them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from world import Wants, World

from policies.actions import Kind
from responder.audit import audit
from responder.chain.merkle import Receipt, Tree, leaf
from responder.chain.records import Subject
from responder.errors import Permanent
from responder.evidence import EvidenceAltered, EvidenceMissing, EvidenceStore
from responder.loop import Responder
from responder.receipts import missing, statements

MADE = [
    Receipt(bytes([n]) * 20, bytes(32), "0x" + "11" * 20, n % 4, b"\x09" * 32) for n in range(7)
]


def climb(node: bytes, proof: list[bytes]) -> bytes:
    for other in proof:
        node = bytes(keccak(min(node, other) + max(node, other)))
    return node


# ---------------------------------------------------------------- the tree


@pytest.mark.parametrize("count", range(1, 8))
def test_every_receipt_of_a_tree_is_proven_to_its_root(count: int) -> None:
    tree = Tree(MADE[:count])
    for receipt in MADE[:count]:
        assert climb(leaf(receipt), tree.proof(receipt)) == tree.root
    with pytest.raises(KeyError):
        tree.proof(Receipt(b"\xff" * 20, bytes(32), "0x" + "11" * 20, 0, bytes(32)))


def test_a_leaf_is_hashed_twice_and_names_the_start_of_the_order() -> None:
    types = ["bytes20", "bytes32", "address", "uint8", "bytes32"]
    assert leaf(MADE[1]) == keccak(keccak(encode(types, list(MADE[1]))))


def test_the_order_of_receipts_does_not_matter() -> None:
    assert Tree(MADE).root == Tree(MADE[::-1]).root != Tree(MADE[:-1]).root


# ---------------------------------------------------------------- the folder


def test_leaves_are_found_under_their_root(tmp_path: Path) -> None:
    root = EvidenceStore(tmp_path).put_receipts(MADE)
    assert root == Tree(MADE).root
    assert EvidenceStore(tmp_path).receipts_under(root) == MADE
    with pytest.raises(EvidenceMissing):
        EvidenceStore(tmp_path).receipts_under(bytes(32))


LEAVES = [
    "",
    "{}",
    '{"receipts": []}',
    '{"receipts": [[]]}',
    '{"receipts": [["zz", "", "", 0, ""]]}',
    '{"receipts": [[1, 2, 3, 4, 5]]}',
    '{"receipts": [["00", "00", "0x00", 900, "00"]]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("content", LEAVES)
def test_altered_leaves_are_noticed(tmp_path: Path, content: str) -> None:
    root = EvidenceStore(tmp_path).put_receipts(MADE)
    [path] = tmp_path.glob("*.receipts.json")
    path.write_text(content)
    with pytest.raises(EvidenceAltered, match="another root"):
        EvidenceStore(tmp_path).receipts_under(root)


def test_one_altered_leaf_is_noticed(tmp_path: Path) -> None:
    root = EvidenceStore(tmp_path).put_receipts(MADE)
    [path] = tmp_path.glob("*.receipts.json")
    stored = json.loads(path.read_text())
    stored["receipts"][3][3] = 1
    path.write_text(json.dumps(stored))
    with pytest.raises(EvidenceAltered):
        EvidenceStore(tmp_path).receipts_under(root)


# ---------------------------------------------------------------- stated by the responder


@pytest.fixture
def responder(world: World) -> Responder:
    return world.responder(Wants())


def ticks(world: World, responder: Responder, times: int = 2) -> None:
    for _ in range(times):
        world.wait(1)
        responder.tick()


def outcomes(world: World, subject: Subject) -> list[int]:
    told = statements(world.ledger(), EvidenceStore(world.settings.evidence))
    return [statement.receipt.outcome for statement in told.get(subject, [])]


def test_one_receipt_is_filed_by_itself(world: World, responder: Responder) -> None:
    order = world.order()
    ticks(world, responder)
    [receipt] = world.case(order).receipts
    assert (receipt.outcome, receipt.root, world.ledger().roots) == (0, b"", {})


def test_more_than_one_goes_under_a_root_and_is_not_said_again(
    world: World, responder: Responder
) -> None:
    orders = [world.order(), world.order(Kind.BLOCK, "203.0.113.9")]
    ticks(world, responder, 3)
    ledger = world.ledger()
    [(root, filed)] = ledger.roots.items()
    assert (filed.count, filed.enforcer) == (2, world.address("enforcer"))
    assert all(not world.case(order).receipts for order in orders)
    for order in orders:
        assert outcomes(world, Subject(world.id(order), order.target)) == [0]
    leaves = EvidenceStore(world.settings.evidence).receipts_under(root)
    assert {leaf_.order for leaf_ in leaves} == {world.id(order)[:20] for order in orders}
    report = audit(world.gate(), None)
    assert (report.receipts, report.missing) == (0, 0)


def test_a_batch_is_enforced_and_stated_page_by_page(world: World, responder: Responder) -> None:
    batch = world.order_batch(world.batch(Kind.ISOLATE, "web"))
    world.order_batch(world.batch(Kind.BLOCK, "203.0.113.9", "203.0.113.10", criticality=0))
    ticks(world, responder)
    assert world.enforced() == ["10.0.1.10", "203.0.113.10", "203.0.113.9"]
    subject = Subject(batch.id(world.gate().domain), batch.targets[0].to_bytes(32))
    assert outcomes(world, subject) == [0]
    [root] = world.ledger().roots.values()
    assert root.count == 3  # a page and two networks
    world.release_batch(batch)
    ticks(world, responder)
    assert world.enforced() == ["203.0.113.10", "203.0.113.9"]
    assert outcomes(world, subject) == [0, 3]
    assert world.ledger().batches[subject.order].receipts[0].outcome == 3


def test_the_same_again_under_the_same_root_is_filed_one_by_one(
    world: World, responder: Responder
) -> None:
    """Applied, drifted, applied: the last says what the first said."""
    orders = [world.order(), world.order(Kind.BLOCK, "203.0.113.9")]
    ticks(world, responder)
    (world.settings.home / "enforced.json").unlink()
    ticks(world, responder, 3)
    for order in orders:
        assert outcomes(world, Subject(world.id(order), order.target)) == [0, 2, 0]
        assert [r.outcome for r in world.case(order).receipts] == [0]
    assert len(world.ledger().roots) == 2


def test_lost_leaves_are_stated_again(world: World, responder: Responder) -> None:
    orders = [world.order(), world.order(Kind.BLOCK, "203.0.113.9")]
    ticks(world, responder)
    for path in world.settings.evidence.glob("*.receipts.json"):
        path.unlink()
    ticks(world, world.responder(Wants()), 3)
    for order in orders:
        assert [r.outcome for r in world.case(order).receipts] == [0]


def test_what_is_reported_missing_and_stands_under_a_root_is_shown(
    world: World, responder: Responder
) -> None:
    order = world.order()
    world.order(Kind.BLOCK, "203.0.113.9")
    ticks(world, responder)
    world.wait(300)
    world.gate("stranger").report_missing(order)
    ticks(world, responder, 3)
    [shown] = world.case(order).receipts
    assert shown.root in world.ledger().roots
    assert missing(world.ledger(), world.now) == [
        Subject(hold.order, key)
        for (_, key), hold in world.ledger().holds.items()
        if not hold.receipted
    ]
    assert audit(world.gate(), None).missing == 1  # the other stands under the root alone


def test_receipts_that_others_owe_are_reported_when_they_are_due(
    world: World, responder: Responder
) -> None:
    world.govern("setEnforcerScope", world.address("enforcer"), 2, "dmz")
    order, block = world.order(), world.order(Kind.BLOCK, "203.0.113.9")
    ticks(world, responder)
    assert world.ledger().missed == {}
    assert [len(world.case(each).receipts) for each in (order, block)] == [1, 0]
    world.wait(300)
    ticks(world, responder, 3)
    subject = Subject(world.id(block), block.target)
    assert world.ledger().missed == {subject: world.address("relayer")}


def test_without_a_scope_no_receipt_is_filed_and_the_way_is_said(
    world: World, responder: Responder, caplog: pytest.LogCaptureFixture
) -> None:
    world.govern("setEnforcerScope", world.address("enforcer"), 0, "")
    order = world.order()
    ticks(world, responder, 3)
    assert world.enforced() == ["10.0.1.10"]
    assert world.case(order).receipts == []
    said = [r.getMessage() for r in caplog.records if "has no scope" in r.getMessage()]
    assert len(said) == 1 and "setEnforcerScope" in said[0]


def test_what_is_not_known_has_no_statement(world: World) -> None:
    """Under a root there may be anything."""
    stray = Receipt(b"\x05" * 20, bytes(32), world.address("enforcer"), 0, bytes(32))
    aside = stray._replace(order=world.id(world.order())[:20])
    store = EvidenceStore(world.settings.evidence)
    world.gate("enforcer").file_receipts(store.put_receipts([stray, aside]), 2)
    assert statements(world.ledger(), store) == {}
    world.responder(Wants()).tick()
    assert len(world.ledger().receipts) == 1


def test_an_evidence_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / f"{bytes(32).hex()}.receipts.json").mkdir()
    with pytest.raises(Permanent, match="cannot read receipts"):
        EvidenceStore(tmp_path).receipts_under(bytes(32))
