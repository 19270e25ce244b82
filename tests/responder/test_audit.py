"""The audit passes what happened and names what cannot have happened.

The forger is a real gate behind an endpoint that tells another story, and tells it well: its hash
chain fits the story.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from forged_orders import ORDERS
from forged_powers import POWERS
from forged_votes import VOTES
from forging import Events, change, drop, last
from happenings import everything
from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.approvals import sign
from responder.audit import AuditFailed, audit
from responder.chain.client import Block, GateClient
from responder.chain.events import Event, link
from responder.chain.proposal import lease_message, message_digest, target_key
from responder.chain.records import to_lease
from responder.evidence import EvidenceStore, digest


class Forger:
    """A gate as a dishonest endpoint shows it."""

    def __init__(self, gate: GateClient, events: Events) -> None:
        self._gate, self._events = gate, events
        self.domain, self.first_block = gate.domain, gate.first_block
        self._final = gate.final()

    def final(self) -> Block:
        return self._final

    def events(self, start: int, end: int) -> Iterator[Event]:
        return iter(e for e in self._events if start <= e.block <= end)

    def audit_head(self, block: int) -> bytes:
        return reduce(link, self._events, bytes(32))

    def sender_of(self, tx: bytes) -> str:
        return self._gate.sender_of(tx)

    def is_contract(self, account: str, block: int) -> bool:
        return self._gate.is_contract(account, block)

    def is_valid_signature(self, signer: str, digest: bytes, signature: bytes, block: int) -> bool:
        return self._gate.is_valid_signature(signer, digest, signature, block)


# ---------------------------------------------------------------- honest


@pytest.fixture(scope="module")
def history(module_world: World) -> World:
    """A bit of everything: ends with an order by two signatures and its receipt."""
    world, store = module_world, EvidenceStore(module_world.settings.evidence)
    everything(world, store.put({"why": "test"}), store.put({"read": "back"}))
    return world


@pytest.fixture(scope="module")
def told(history: World) -> Events:
    """The history's events."""
    gate = history.gate()
    return list(gate.events(gate.first_block, gate.head().number))


@pytest.fixture
def store(history: World, tmp_path: Path) -> EvidenceStore:
    """A copy of the evidence."""
    copy = shutil.copytree(history.settings.evidence, tmp_path / "evidence")
    return EvidenceStore(copy)


def test_an_honest_history_passes(history: World, store: EvidenceStore) -> None:
    report = audit(history.gate(), store)
    head = history.gate().audit_head(history.gate().head().number)
    assert (report.head, report.events) == (head.hex(), history.ledger().count)
    assert (report.proposals, report.orders) == (8, 8)
    assert (report.receipts, report.missing) == (1 + 2 + 1, 1)  # filed, under a root, shown
    # By two: lease, rejections, release, resumption, batches, one's release, orders.
    assert report.signatures == 2 * (1 + 1 + 1 + 1 + 2 + 1 + 2) + 3 * 3  # models by three
    assert (report.evidence, report.models) == (8, 2)


def test_without_the_leaves_of_a_root_the_rest_is_checked(
    history: World, store: EvidenceStore, tmp_path: Path
) -> None:
    [leaves] = (tmp_path / "evidence").glob("*.receipts.json")
    leaves.unlink()
    assert audit(history.gate(), store).receipts == 1 + 1


@pytest.mark.parametrize("leased", [False, True])
def test_an_order_in_one_transaction_passes(world: World, leased: bool) -> None:
    before = audit(world.gate())
    if leased:  # people may approve what the lease covers
        world.lease(isolations=1)
    world.propose_approved()
    after = audit(world.gate())
    assert (after.proposals, after.orders) == (before.proposals + 1, before.orders + 1)
    assert after.signatures == before.signatures + 2 + 2 * leased


def test_a_forger_who_changes_nothing_passes(
    history: World, told: Events, store: EvidenceStore
) -> None:
    assert audit(Forger(history.gate(), told), store).orders == 8


def test_a_wallet_contract_that_approves_by_anyones_transaction_passes(world: World) -> None:
    """As with a Safe: who pays for the transaction is not who approves."""
    wallet = str(Account.create().address)
    gate = world.contract.address[2:]
    code = (
        f"0x365f5f375f5f365f5f73{gate}5af16026575f5ffd5b00"  # calls the gate with what it is given
    )
    world.w3.provider.make_request("anvil_setCode", [wallet, code])  # type: ignore[arg-type]
    world.govern("setRoles", wallet, 2, 0)
    proposal = world.propose()
    at_wallet = world.w3.eth.contract(address=wallet, abi=world.contract.abi)  # type: ignore[arg-type]
    world.send(at_wallet.functions.approve(proposal.abi()), "stranger")
    assert list(world.case(proposal).approvals) == [wallet]
    audit(world.gate())


def test_history_stays_true_after_its_people_are_gone(history: World, world: World) -> None:
    history = world  # what comes on top is undone
    history.gate("guardian").deactivate_model(Wants.hash)
    for name in (*OPERATORS, "agent", "enforcer", "guardian"):
        history.govern("setRoles", history.address(name), 0, 0)
    history.wait(600)
    history.gate("stranger").settle(Kind.ISOLATE, [target_key(Kind.ISOLATE, "web")])
    history.register("web", "elsewhere", 3, True)
    assert audit(history.gate()).orders == 8


def test_a_compact_signature_passes(world: World) -> None:
    before = audit(world.gate()).signatures
    proposal = world.propose()
    signatures = []
    for name in OPERATORS[:2]:
        who, raw = world.signature("Approval", proposal, name)
        top = (raw[32] | (raw[64] - 27) << 7).to_bytes(1)
        signatures.append((who, raw[:32] + top + raw[33:64]))
    world.gate("relayer").approve_by_sig(proposal, signatures)
    world.gate("relayer").execute(proposal)
    assert audit(world.gate()).signatures == before + 2


def test_an_approval_after_the_registry_changed_passes(world: World) -> None:
    before = audit(world.gate()).orders
    proposal = world.propose(target="db")
    world.register("db", "dmz", 1)
    world.vote("Approval", proposal, *OPERATORS[:2])
    world.gate("relayer").execute(proposal)
    assert audit(world.gate()).orders == before + 1


# ---------------------------------------------------------------- forged


FORGERIES: list[tuple[Callable[[World, Events], Events], str]] = [*VOTES, *ORDERS, *POWERS]


@pytest.mark.parametrize(("forge", "named"), FORGERIES, ids=lambda v: getattr(v, "__name__", ""))
def test_a_forgery_is_named(
    history: World, told: Events, forge: Callable[[World, Events], Events], named: str
) -> None:
    source = Forger(history.gate(), forge(history, told))
    with pytest.raises(AuditFailed, match=named):
        audit(source)


def test_a_lease_longer_than_the_rules_allow_is_named(history: World, told: Events) -> None:
    granted = told[last(told, "LeaseGranted")]
    lease = replace(to_lease(granted.args["lease"]), expires=granted.time + 604_801)
    message = lease_message(lease, history.gate().domain)
    signers = [history.key(name) for name in OPERATORS[:2]]
    signed = [(str(k.address), sign(k, message)) for k in signers]
    made = message_digest(message)
    story = change(told, "LeaseGranted", id=made, lease=lease.abi(), signatures=signed)
    with pytest.raises(AuditFailed, match=r"LeaseGranted .* lasts too long"):
        audit(Forger(history.gate(), story))


def test_a_source_whose_head_does_not_fit_its_events_is_named(history: World, told: Events) -> None:
    source = Forger(history.gate(), drop(told, "Approved"))
    source.audit_head = history.gate().audit_head  # type: ignore[method-assign]
    with pytest.raises(AuditFailed, match="disagree"):
        audit(source)


# ---------------------------------------------------------------- evidence


BUNDLES = [{"why": "test"}, {"read": "back"}]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_missing_evidence_is_named(
    history: World, store: EvidenceStore, tmp_path: Path, bundle: dict[str, Any]
) -> None:
    (tmp_path / "evidence" / f"{digest(bundle).hex()}.json").unlink()
    with pytest.raises(AuditFailed, match="EvidenceMissing"):
        audit(history.gate(), store)
    assert audit(history.gate()).orders == 8  # the chain alone is still right


@pytest.mark.parametrize("bundle", BUNDLES)
def test_altered_evidence_is_named(
    history: World, store: EvidenceStore, tmp_path: Path, bundle: dict[str, Any]
) -> None:
    path = tmp_path / "evidence" / f"{digest(bundle).hex()}.json"
    path.write_bytes(path.read_bytes().replace(b"e", b"a", 1))
    with pytest.raises(AuditFailed, match="was altered"):
        audit(history.gate(), store)
