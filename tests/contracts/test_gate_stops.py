"""What people take back and what guardians stop: withdrawal, veto, pause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from batching import named, put_batch, release_batch
from eth_account.signers.local import LocalAccount
from scene import AGENT, GUARDIAN, NOW, OPERATOR, REASON, STATUS, Gate, People, refused

from policies.actions import Kind
from responder.chain.proposal import Proposal, resume_message

PAUSED = REASON.index("PAUSED")


def withdraw(gate: Gate, proposal: Proposal, operator: LocalAccount) -> None:
    gate.send("withdraw", proposal.abi(), sender=operator)


def veto(gate: Gate, proposal: Proposal) -> None:
    gate.send("veto", proposal.abi(), sender=gate.people.guardian)


def approvals(gate: Gate, proposal: Proposal) -> int:
    return int(gate.view("stateOf", proposal.abi())[1])


# ---------------------------------------------------------------- withdrawal


def test_a_withdrawn_approval_does_not_count(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    for voter in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=voter)
    withdraw(gate, proposal, operator)
    gate.told("Withdrawn", id=gate.id(proposal), operator=operator.address)
    assert (gate.status(proposal), approvals(gate, proposal)) == ("PENDING", 1)
    with refused("GateQuorumNotMet", 1, 2):
        gate.send("execute", proposal.abi(), sender=people.stranger)


def test_a_withdrawn_rejection_does_not_count(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.send("reject", proposal.abi(), sender=people.operators[0])
    withdraw(gate, proposal, people.operators[0])
    gate.send("reject", proposal.abi(), sender=people.operators[1])
    assert gate.status(proposal) == "PENDING"


@pytest.mark.parametrize("before", [False, True], ids=["proposed", "not yet"])
@pytest.mark.parametrize("vote", ["approve", "reject", "approveBySig", "rejectBySig"])
def test_who_withdrew_votes_no_more(gate: Gate, people: People, vote: str, before: bool) -> None:
    """Also not by what he signed before."""
    proposal = gate.proposal(Kind.ISOLATE, "web")
    operator = people.operators[0]
    decision = "Approval" if vote.startswith("approve") else "Rejection"
    signatures = gate.sign(decision, proposal, operator)
    if before:
        withdraw(gate, proposal, operator)
    gate.send("propose", proposal.abi(), sender=people.agent)
    if not before:
        withdraw(gate, proposal, operator)
    by_signature = vote.endswith("BySig")
    args = (proposal.abi(), signatures) if by_signature else (proposal.abi(),)
    with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
        gate.send(vote, *args, sender=people.stranger if by_signature else operator)


def test_many_withdraw(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:3]:
        withdraw(gate, proposal, operator)
    for operator in people.operators[:3]:
        with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
            gate.send("approve", proposal.abi(), sender=operator)


def test_a_withdrawal_is_final(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    withdraw(gate, proposal, people.operators[0])
    with refused("GateAlreadyVoted", gate.id(proposal), people.operators[0].address):
        withdraw(gate, proposal, people.operators[0])


def test_a_withdrawal_is_of_one_proposal(gate: Gate, people: People) -> None:
    first, second = (gate.propose(Kind.ISOLATE, "web") for _ in range(2))
    withdraw(gate, first, people.operators[0])
    gate.send("approve", second.abi(), sender=people.operators[0])
    assert (approvals(gate, first), approvals(gate, second)) == (0, 1)


def test_others_may_still_make_the_quorum(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.send("approve", proposal.abi(), sender=people.operators[0])
    withdraw(gate, proposal, people.operators[0])
    for operator in people.operators[1:3]:
        gate.send("approve", proposal.abi(), sender=operator)
    gate.send("execute", proposal.abi(), sender=people.stranger)


@pytest.mark.parametrize("status", ["LIVE", "VETOED", "REJECTED", "LAPSED"])
def test_what_is_decided_is_not_withdrawn_or_vetoed(
    gate: Gate, people: People, status: str
) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    if status == "LIVE":
        gate.execute(proposal)
    elif status == "VETOED":
        veto(gate, proposal)
    elif status == "REJECTED":
        for operator in people.operators[:2]:
            gate.send("reject", proposal.abi(), sender=operator)
    else:
        gate.evm.advance(900)
    assert gate.status(proposal) == status
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index(status)):
        withdraw(gate, proposal, people.operators[0])
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index(status)):
        veto(gate, proposal)


@pytest.mark.parametrize("offset", [0, 901])
def test_only_what_could_be_proposed_now_is_withdrawn(
    gate: Gate, people: People, offset: int
) -> None:
    """Else what someone withdrew would be kept longer than his seat rests."""
    proposal = gate.proposal(Kind.ISOLATE, "web", deadline=NOW + offset)
    with refused("GateBadDeadline", NOW + offset, NOW + 1, NOW + 900):
        withdraw(gate, proposal, people.operators[0])


def test_an_order_loses_nothing_by_a_withdrawal(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("LIVE")):
        withdraw(gate, proposal, people.operators[0])


# ---------------------------------------------------------------- veto


def test_what_is_vetoed_before_it_is_proposed_never_is(gate: Gate, people: People) -> None:
    gate.grant(isolations=5)  # not even under the lease
    proposal = gate.proposal(Kind.ISOLATE, "web")
    veto(gate, proposal)
    told = {"id": gate.id(proposal), "guardian": people.guardian.address}
    gate.told("Vetoed", **told, agent=people.agent.address, nonce=proposal.nonce)
    assert gate.status(proposal) == "VETOED"
    with refused("GateBadNonce", proposal.nonce, proposal.nonce):
        gate.send("propose", proposal.abi(), sender=people.agent)
    for function in ("approve", "execute"):
        with refused("GateWrongStatus", gate.id(proposal), STATUS.index("VETOED")):
            gate.send(function, proposal.abi(), sender=people.operators[0])
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "LIVE"


@pytest.mark.parametrize(("nonce", "good"), [(5, False), (6, True), (29, True), (30, False)])
def test_a_veto_reaches_the_next_nonces_alone(gate: Gate, nonce: int, good: bool) -> None:
    """So that a guardian's key cannot use up all that an agent has at once."""
    gate.propose(Kind.ISOLATE, "web", nonce=5)
    proposal = gate.proposal(Kind.ISOLATE, "files", nonce=nonce)
    if good:
        veto(gate, proposal)
        return
    expected: tuple[Any, ...] = ("GateBadNonce", nonce, 5)
    if nonce == 5:  # used: the proposal is not that one
        expected = ("GateWrongStatus", gate.id(proposal), STATUS.index("SUPERSEDED"))
    with refused(*expected):
        veto(gate, proposal)


@pytest.mark.parametrize("vetoed", [False, True])
def test_the_last_nonce_is_the_last(gate: Gate, people: People, vetoed: bool) -> None:
    gate.propose(Kind.ISOLATE, "web", nonce=2**32 - 2)
    last = gate.proposal(Kind.ISOLATE, "web", nonce=2**32 - 1)
    if vetoed:
        veto(gate, last)
    else:
        gate.send("propose", last.abi(), sender=people.agent)
    with refused("GateBadNonce", 2**32, 2**32 - 1):
        veto(gate, gate.proposal(Kind.ISOLATE, "web", nonce=2**32))


def test_a_veto_leaves_other_nonces_as_they_were(gate: Gate) -> None:
    gate.propose(Kind.ISOLATE, "web", nonce=5)
    veto(gate, gate.proposal(Kind.ISOLATE, "web", nonce=8))
    gate.propose(Kind.ISOLATE, "web", nonce=7)
    gate.propose(Kind.ISOLATE, "web", nonce=9)
    with refused("GateBadNonce", 8, 9):
        gate.propose(Kind.ISOLATE, "files", nonce=8)


def test_a_veto_is_of_one_proposal(gate: Gate) -> None:
    first, second = (gate.propose(Kind.ISOLATE, "web") for _ in range(2))
    veto(gate, first)
    gate.execute(second)
    assert [gate.status(p) for p in (first, second)] == ["VETOED", "LIVE"]


def test_what_a_stranger_would_propose_needs_no_veto(gate: Gate, people: People) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web", agent=people.stranger.address)
    with refused("GateMissingRole", people.stranger.address, AGENT):
        veto(gate, proposal)


@pytest.mark.parametrize("proposed", [False, True])
def test_only_guardians_veto(gate: Gate, people: People, proposed: bool) -> None:
    proposal = (gate.propose if proposed else gate.proposal)(Kind.ISOLATE, "web")
    for account in (people.operators[0], people.agent, people.stranger):
        with refused("GateMissingRole", account.address, GUARDIAN):
            gate.send("veto", proposal.abi(), sender=account)


# ---------------------------------------------------------------- pause


def resume_signatures(gate: Gate, pause: int, *signers: LocalAccount) -> list[Any]:
    message = resume_message(pause, gate.domain)
    return [(s.address, bytes(s.sign_message(message).signature)) for s in signers]


def resume(gate: Gate, pause: int, *signers: LocalAccount) -> None:
    signatures = resume_signatures(gate, pause, *signers)
    gate.send("resume", signatures, sender=gate.people.stranger)


def test_a_pause_is_told_and_numbered(gate: Gate, people: People) -> None:
    assert gate.view("pausedNow") == 0
    for number in (1, 2):
        gate.send("pause", sender=people.guardian)
        gate.told("Paused", guardian=people.guardian.address, pause=number)
        assert gate.view("pausedNow") == number
        resume(gate, number, *people.operators[2:4])
        signatures = resume_signatures(gate, number, *people.operators[2:4])
        gate.told("Resumed", pause=number, signatures=signatures)
        assert gate.view("pausedNow") == 0


def test_while_it_lasts_nothing_is_proposed_or_executed(many: Gate, people: People) -> None:
    many.grant(isolations=5)
    ready = many.propose(Kind.ISOLATE, "mail")
    for operator in people.operators[:3]:
        many.send("approve", ready.abi(), sender=operator)
    many.send("pause", sender=people.guardian)
    assert many.status(ready) == "PENDING"
    with refused("GateRefused", PAUSED):
        many.send("execute", ready.abi(), sender=people.stranger)
    for kind, target in (
        (Kind.BLOCK, "203.0.113.9/32"),
        (Kind.ISOLATE, "web"),
        (Kind.REVOKE, "ssh:deploy"),
    ):
        with refused("GateRefused", PAUSED):
            many.propose(kind, target)
        with refused("GateRefused", PAUSED):
            many.propose_approved(kind, target)
    for name in ("networks", "credentials", "pages"):
        with refused("GateRefused", PAUSED):
            put_batch(many, named(many, name), *people.operators[:2])
    many.resume()
    many.send("execute", ready.abi(), sender=people.stranger)


def test_what_is_live_stays_so_and_can_be_ended(many: Gate, people: People) -> None:
    order = many.order(Kind.ISOLATE, "web", ttl=3600)
    batch = named(many, "pages")
    put_batch(many, batch, *people.operators[:2])
    many.send("pause", sender=people.guardian)
    assert many.status(order) == "LIVE"
    assert many.view("isIsolated", order.target)
    signatures = many.sign("Release", order, *people.operators[:2])
    many.send("release", order.abi(), signatures, sender=people.stranger)
    release_batch(many, batch, *people.operators[:2])
    assert not many.view("isIsolated", order.target)


def test_votes_vetoes_and_receipts_go_on(gate: Gate, people: People) -> None:
    waiting, vetoed = (gate.propose(Kind.ISOLATE, "web") for _ in range(2))
    gate.send("pause", sender=people.guardian)
    for operator in people.operators[:2]:
        gate.send("approve", waiting.abi(), sender=operator)
    veto(gate, vetoed)
    gate.resume()
    gate.send("execute", waiting.abi(), sender=people.stranger)


def test_a_new_rule_does_not_end_a_pause(gate: Gate, people: People) -> None:
    """Every cell is paused, also one whose rule comes later; and no change of settings ends it."""
    gate.send("pause", sender=people.guardian)
    gate.rule(Kind.ISOLATE, 0, quorum=3)
    gate.rule(Kind.ISOLATE, 3)
    gate.govern("setRoles", people.stranger.address, OPERATOR, 1)
    gate.govern("setLimits", tuple(gate.view("limits")))
    for name in ("web", "erp"):
        with refused("GateRefused", PAUSED):
            gate.propose(Kind.ISOLATE, name)
    gate.resume()
    gate.propose(Kind.ISOLATE, "web")
    gate.propose(Kind.ISOLATE, "erp")


def test_there_is_one_pause_at_a_time(gate: Gate, people: People) -> None:
    with refused("GateNotPaused"):
        gate.send("resume", [], sender=people.stranger)
    gate.send("pause", sender=people.guardian)
    with refused("GateRefused", PAUSED):
        gate.send("pause", sender=people.guardian)
    assert gate.view("pausedNow") == 1


def test_a_resumption_is_of_one_pause(gate: Gate, people: People) -> None:
    """What was signed for one ends no later one, nor one that is not there yet."""
    gate.send("pause", sender=people.guardian)
    signer = people.operators[0].address
    for other in (0, 2):
        with refused("GateBadSignature", signer):
            resume(gate, other, *people.operators[:2])
    resume(gate, 1, *people.operators[:2])
    gate.send("pause", sender=people.guardian)
    with refused("GateBadSignature", signer):
        resume(gate, 1, *people.operators[:2])
    resume(gate, 2, *people.operators[:2])


@pytest.mark.parametrize("signers", ["one", "twice", "guardian", "revoked"])
def test_a_resumption_has_its_quorum(gate: Gate, people: People, signers: str) -> None:
    gate.send("pause", sender=people.guardian)
    first, second = people.operators[:2]
    who, error = {
        "one": ((first,), ("GateQuorumNotMet", 1, 2)),
        "twice": ((first, first), ("GateDuplicateSigner", first.address)),
        "guardian": (
            (first, people.guardian),
            ("GateMissingRole", people.guardian.address, OPERATOR),
        ),
        "revoked": ((first, second), ("GateMissingRole", second.address, OPERATOR)),
    }[signers]
    if signers == "revoked":
        gate.govern("setRoles", second.address, 0, 0)
    with refused(*error):
        resume(gate, 1, *who)
    assert gate.view("pausedNow") == 1


def test_a_resumption_is_of_one_gate(gate: Gate, people: People) -> None:
    gate.send("pause", sender=people.guardian)
    message = resume_message(1, replace(gate.domain, gate=gate.manager.address))
    signatures = [
        (o.address, bytes(o.sign_message(message).signature)) for o in people.operators[:2]
    ]
    with refused("GateBadSignature", people.operators[0].address):
        gate.send("resume", signatures, sender=people.stranger)


def test_the_digest_of_a_resumption_is_what_a_wallet_signs(gate: Gate, people: People) -> None:
    gate.send("pause", sender=people.guardian)
    signed = people.stranger.sign_message(resume_message(1, gate.domain))
    assert gate.view("resumeDigest") == bytes(signed.message_hash)
