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
from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.approvals import sign
from responder.audit import AuditFailed, audit
from responder.chain.client import Block, GateClient
from responder.chain.events import Event, link
from responder.chain.proposal import lease_message, message_digest, target_key
from responder.chain.records import to_lease
from responder.evidence import EvidenceStore, digest

Events = list[Event]


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

    def is_valid_signature(self, signer: str, digest: bytes, signature: bytes, block: int) -> bool:
        return self._gate.is_valid_signature(signer, digest, signature, block)


def altered(event: Event, **args: Any) -> Event:
    assert set(args) <= set(event.args)
    return replace(event, args={**event.args, **args})


def last(events: Events, name: str) -> int:
    return max(i for i, e in enumerate(events) if e.name == name)


def change(events: Events, name: str, **args: Any) -> Events:
    """The last event of this name with other arguments."""
    i = last(events, name)
    return [*events[:i], altered(events[i], **args), *events[i + 1 :]]


def drop(events: Events, name: str) -> Events:
    i = last(events, name)
    return [*events[:i], *events[i + 1 :]]


def repeat(events: Events, name: str) -> Events:
    return [*events, events[last(events, name)]]


def part(events: Events, name: str, arg: str, index: int, value: Any) -> Events:
    """The last event of this name with another value in one of its structs."""
    values = list(events[last(events, name)].args[arg])
    values[index] = value
    return change(events, name, **{arg: tuple(values)})


def before(events: Events, name: str, *new: Event) -> Events:
    i = last(events, name)
    return [
        *events[:i],
        *(replace(e, block=events[i].block, time=events[i].time) for e in new),
        *events[i:],
    ]


def find(events: Events, name: str, **args: Any) -> Event:
    return next(
        e for e in events if e.name == name and all(e.args[k] == v for k, v in args.items())
    )


# ---------------------------------------------------------------- honest


@pytest.fixture(scope="module")
def history(module_world: World) -> World:
    """A bit of everything: ends with an order by two signatures and its receipt."""
    world, store = module_world, EvidenceStore(module_world.settings.evidence)
    evidence = store.put({"why": "test"})
    world.lease()
    world.propose(Kind.BLOCK, "203.0.113.9", evidence=evidence)
    world.vote("Rejection", world.propose(target="db", evidence=evidence), *OPERATORS[:2])
    world.gate("guardian").veto(world.propose(target="desk", evidence=evidence))
    direct = world.propose(Kind.REVOKE, "ssh:SHA256:alice", evidence=evidence)
    for name in OPERATORS[1:]:
        world.gate(name).approve(direct)
    world.gate("stranger").execute(direct)
    world.vote("Release", direct, *OPERATORS[:2])
    world.gate("guardian").end_lease(world.address("agent"))
    order = world.order(evidence=evidence)
    world.state(order, 0, store.put({"read": "back"}))
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
    assert (report.proposals, report.orders, report.receipts) == (5, 3, 1)
    assert report.signatures == 2 + 2 + 2 + 2  # lease, rejections, release, approvals
    assert report.evidence == 5


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
    assert audit(Forger(history.gate(), told), store).orders == 3


def test_history_stays_true_after_its_people_are_gone(history: World, world: World) -> None:
    history = world  # what comes on top is undone
    for name in (*OPERATORS, "agent", "enforcer", "guardian"):
        history.govern("setRoles", history.address(name), 0, 0)
    history.gate("guardian").deactivate_model(Wants.hash)
    history.register("web", "elsewhere", 3, True)
    assert audit(history.gate()).orders == 3


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
    proposal = world.propose()
    world.register("web", "core", 2, False)
    world.vote("Approval", proposal, *OPERATORS[:2])
    world.gate("relayer").execute(proposal)
    assert audit(world.gate()).orders == before + 1


# ---------------------------------------------------------------- forged


STRANGER = "0x" + "11" * 20


def forged_signature(world: World, events: Events) -> Events:
    return change(events, "Approved", signature=b"\x22" * 64 + b"\x1b")


def stolen_signature(world: World, events: Events) -> Events:
    return change(events, "Approved", operator=world.address("operator-3"))


def stranger_votes(world: World, events: Events) -> Events:
    who, signature = world.signature("Approval", world.proposal(), "stranger")
    return change(events, "Approved", operator=who, signature=signature)


def duplicated_vote(world: World, events: Events) -> Events:
    return before(events, "Executed", events[last(events, "Approved")])


def vote_without_its_transaction(world: World, events: Events) -> Events:
    return change(events, "Approved", signature=b"")


def vote_after_execution(world: World, events: Events) -> Events:
    i = last(events, "Approved")
    moved = replace(events[i], block=events[-1].block, time=events[-1].time)
    who, signature = world.signature("Approval", _order(world, events), "operator-3")
    return [*events, altered(moved, operator=who, signature=signature)]


def _order(world: World, events: Events) -> Any:
    return world.ledger().cases[events[last(events, "Executed")].args["id"]].proposal


def missing_quorum(world: World, events: Events) -> Events:
    return drop(events, "Approved")


def nobody_signed(world: World, events: Events) -> Events:
    return drop(drop(events, "Approved"), "Approved")


def rejected_all_the_same(world: World, events: Events) -> Events:
    """Two refuse, then it is executed."""
    refusals = [e for e in events if e.name == "Rejected"]
    case = events[last(events, "Executed")].args["id"]
    proposal = world.ledger().cases[case].proposal
    told = []
    for event, name in zip(refusals, OPERATORS[:2], strict=True):
        who, signature = world.signature("Rejection", proposal, name)
        told.append(altered(event, id=case, operator=who, signature=signature))
    kept = [e for e in events if not (e.name == "Approved" and e.args["id"] == case)]
    return before(kept, "Executed", *told)


def executed_after_veto(world: World, events: Events) -> Events:
    case = events[last(events, "Executed")].args["id"]
    return before(events, "Executed", altered(events[last(events, "Vetoed")], id=case))


def executed_twice(world: World, events: Events) -> Events:
    return repeat(events, "Executed")


def executed_too_late(world: World, events: Events) -> Events:
    i = last(events, "Executed")
    late = replace(events[i], time=events[i].time + 601)
    late = altered(late, until=late.args["until"] + 601)
    return [*events[:i], late]


def longer_ttl(world: World, events: Events) -> Events:
    i = last(events, "Executed")
    return change(events, "Executed", until=events[i].args["until"] + 1)


def other_target(world: World, events: Events) -> Events:
    return change(events, "Executed", target=target_key(Kind.ISOLATE, "vault"))


def inactive_model(world: World, events: Events) -> Events:
    return [e for e in events if not (e.name == "ModelSet" and e.args["model"] == Wants.hash)]


def model_ended_before_execution(world: World, events: Events) -> Events:
    ended = altered(find(events, "ModelSet", model=Wants.hash), active=False)
    return before(events, "Executed", ended)


def agent_revoked_before_execution(world: World, events: Events) -> Events:
    revoked = altered(find(events, "RolesSet", account=world.address("agent")), roles=0)
    return before(events, "Executed", revoked)


def approver_revoked_before_execution(world: World, events: Events) -> Events:
    revoked = altered(find(events, "RolesSet", account=world.address("operator-1")), roles=0)
    return before(events, "Executed", revoked)


def protected_target(world: World, events: Events) -> Events:
    asset = find(events, "AssetSet", id="web")
    return [altered(e, isProtected=True) if e is asset else e for e in events]


def protected_before_execution(world: World, events: Events) -> Events:
    asset = altered(find(events, "AssetSet", id="web"), isProtected=True)
    return before(events, "Executed", asset)


def protected_network(world: World, events: Events) -> Events:
    key = target_key(Kind.BLOCK, "203.0.113.0/24")
    network = find(events, "NetworkProtected")
    return [altered(e, network=key) if e is network else e for e in events]


def over_budget(world: World, events: Events) -> Events:
    rule = find(events, "RuleSet", kind=1, criticality=0)
    return [altered(e, rule=(True, False, 2, 14400, 0)) if e is rule else e for e in events]


def forbidden_before_execution(world: World, events: Events) -> Events:
    rule = find(events, "RuleSet", kind=1, criticality=1)
    return before(events, "Executed", altered(rule, rule=(False, False, 0, 0, 0)))


def stricter_before_execution(world: World, events: Events) -> Events:
    rule = find(events, "RuleSet", kind=1, criticality=1)
    return before(events, "Executed", altered(rule, rule=(True, False, 3, 14400, 10)))


def proposed_by_no_agent(world: World, events: Events) -> Events:
    return [
        e
        for e in events
        if not (e.name == "RolesSet" and e.args["account"] == world.address("agent"))
    ]


def proposal_altered(world: World, events: Events) -> Events:
    return part(events, "Proposed", "proposal", 2, 7200)


def proposed_twice(world: World, events: Events) -> Events:
    return repeat(events, "Proposed")


def deadline_too_far(world: World, events: Events) -> Events:
    i = last(events, "Proposed")
    early = replace(events[i], time=events[i].time - 1000)
    return [*events[:i], early, *events[i + 1 :]]


def quorum_understated(world: World, events: Events) -> Events:
    return change(events, "Proposed", quorum=1)


def agent_is_operator(world: World, events: Events) -> Events:
    roles = find(events, "RolesSet", account=world.address("agent"))
    return [altered(e, roles=3) if e is roles else e for e in events]


def receipt_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "ReceiptFiled", enforcer=world.address("stranger"))


def receipt_for_what_never_executed(world: World, events: Events) -> Events:
    return change(events, "ReceiptFiled", id=events[last(events, "Vetoed")].args["id"])


def veto_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "Vetoed", guardian=world.address("stranger"))


def veto_after_execution(world: World, events: Events) -> Events:
    case = events[last(events, "Executed")].args["id"]
    return [*events, altered(events[last(events, "Vetoed")], id=case)]


def released_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "Released")].args["signatures"]
    return change(events, "Released", signatures=signatures[:1])


def released_by_one_twice(world: World, events: Events) -> Events:
    signatures = events[last(events, "Released")].args["signatures"]
    return change(events, "Released", signatures=[signatures[0], signatures[0]])


def released_by_a_forger(world: World, events: Events) -> Events:
    signatures = events[last(events, "Released")].args["signatures"]
    forged = (signatures[1][0], signatures[0][1])
    return change(events, "Released", signatures=[signatures[0], forged])


def released_what_was_not_live(world: World, events: Events) -> Events:
    return repeat(events, "Released")


def lease_ended_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "LeaseEnded", guardian=world.address("stranger"))


def lease_altered(world: World, events: Events) -> Events:
    return part(events, "LeaseGranted", "lease", 2, 50)


def lease_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "LeaseGranted")].args["signatures"]
    return change(events, "LeaseGranted", signatures=signatures[:1])


def lease_never_granted(world: World, events: Events) -> Events:
    return drop(drop(events, "LeaseGranted"), "LeaseEnded")


def lease_granted_again(world: World, events: Events) -> Events:
    """The same signatures, a fresh budget."""
    return before(events, "LeaseEnded", events[last(events, "LeaseGranted")])


def lease_under_another_id(world: World, events: Events) -> Events:
    other = b"\x07" * 32
    events = change(events, "LeaseGranted", id=other)
    return change(events, "LeaseEnded", id=other)


def order_under_a_lease_that_leaves_it_out(world: World, events: Events) -> Events:
    kept = [e for e in events if e.name != "LeaseEnded"]
    return change(nobody_signed(world, kept), "Executed", leased=True)


def order_under_an_ended_lease(world: World, events: Events) -> Events:
    return change(nobody_signed(world, events), "Executed", leased=True)


FORGERIES: list[tuple[Callable[[World, Events], Events], str]] = [
    (forged_signature, "Approved .* the signature is not"),
    (stolen_signature, "Approved .* the signature is not"),
    (stranger_votes, "Approved .* was no operator"),
    (duplicated_vote, "Approved .* counted twice"),
    (vote_without_its_transaction, "Approved .* sent by .* counted for"),
    (vote_after_execution, "Approved .* it was LIVE"),
    (missing_quorum, "Executed .* 1 approvals of 2 needed"),
    (nobody_signed, "Executed .* 0 approvals of 2 needed"),
    (rejected_all_the_same, "Executed .* 0 approvals of 2"),
    (executed_after_veto, "Executed .* after a veto"),
    (executed_twice, "Executed .* executed twice"),
    (executed_too_late, "Executed .* after the deadline"),
    (longer_ttl, "Executed .* lasts longer"),
    (other_target, "Executed .* another target"),
    (inactive_model, "LeaseGranted .* model was not active"),
    (model_ended_before_execution, "Executed .* model was not active"),
    (agent_revoked_before_execution, "Executed .* agent was revoked"),
    (approver_revoked_before_execution, "Executed .* 1 approvals of 2 needed"),
    (protected_target, "Proposed .* PROTECTED_TARGET"),
    (protected_before_execution, "Executed .* is protected"),
    (protected_network, "Proposed .* PROTECTED_TARGET"),
    (over_budget, "Proposed .* BUDGET_SPENT"),
    (forbidden_before_execution, "Executed .* rules of that moment"),
    (stricter_before_execution, "Executed .* 2 approvals of 3 needed"),
    (proposed_by_no_agent, "LeaseGranted .* is no agent"),
    (proposal_altered, "Proposed .* id is not its content's hash"),
    (proposed_twice, "Proposed .* proposed twice"),
    (deadline_too_far, "Proposed .* deadline is out of range"),
    (quorum_understated, "Proposed .* states a quorum of 1"),
    (agent_is_operator, "RolesSet .* agent holds another role"),
    (receipt_by_a_stranger, "ReceiptFiled .* was no enforcer"),
    (receipt_for_what_never_executed, "ReceiptFiled .* never executed"),
    (veto_by_a_stranger, "Vetoed .* was no guardian"),
    (veto_after_execution, "Vetoed .* it was LIVE"),
    (released_by_one, "Released .* 1 signatures of 2"),
    (released_by_one_twice, "Released .* counted twice"),
    (released_by_a_forger, "Released .* the signature is not"),
    (released_what_was_not_live, "Released .* it was RELEASED"),
    (lease_ended_by_a_stranger, "LeaseEnded .* was no guardian"),
    (lease_altered, "LeaseGranted .* id is not its content's hash"),
    (lease_by_one, "LeaseGranted .* 1 signatures of 2"),
    (lease_never_granted, "Proposed .* states a quorum of 0"),
    (lease_granted_again, "LeaseGranted .* granted twice"),
    (lease_under_another_id, "LeaseGranted .* id is not its content's hash"),
    (order_under_a_lease_that_leaves_it_out, "Executed .* lease does not cover it"),
    (order_under_an_ended_lease, "Executed .* no live lease"),
]


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
    assert audit(history.gate()).orders == 3  # the chain alone is still right


@pytest.mark.parametrize("bundle", BUNDLES)
def test_altered_evidence_is_named(
    history: World, store: EvidenceStore, tmp_path: Path, bundle: dict[str, Any]
) -> None:
    path = tmp_path / "evidence" / f"{digest(bundle).hex()}.json"
    path.write_bytes(path.read_bytes().replace(b"e", b"a", 1))
    with pytest.raises(AuditFailed, match="was altered"):
        audit(history.gate(), store)
