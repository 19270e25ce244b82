"""Propose, approvals and order in one transaction; and the nonces that make it happen once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scene import AGENT, MODEL, OPERATOR, REASON, STATUS, Gate, People, refused

from policies.actions import Kind
from responder.chain.proposal import name_key

NOBODY = "0x" + "00" * 20
TARGETS = [
    (Kind.BLOCK, "203.0.113.9/32"),
    (Kind.BLOCK, "2001:db8:2::/64"),
    (Kind.ISOLATE, "web"),
    (Kind.REVOKE, "ssh:deploy"),
]


@pytest.mark.parametrize(("kind", "target"), TARGETS)
def test_two_signatures_and_it_is_an_order(gate: Gate, kind: Kind, target: str) -> None:
    proposal = gate.propose_approved(kind, target, ttl=600)
    state = gate.view("stateOf", proposal.abi())
    assert state == (STATUS.index("LIVE"), 0, 2, gate.evm.now + 600)
    assert gate.view("orderedUntil", int(kind), proposal.target) == gate.evm.now + 600


def test_it_is_told_with_its_signatures(gate: Gate, people: People) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web", ttl=600)
    signatures = gate.compact(proposal, *people.operators[:3])
    id_ = gate.send("proposeApproved", proposal.abi(), signatures, sender=people.agent)
    assert id_ == gate.id(proposal)
    until = gate.evm.now + 600
    told = {"id": id_, "proposal": proposal.abi(), "until": until, "signatures": signatures}
    gate.told("Ordered", **told)


def send(gate: Gate, proposal, *signers) -> None:
    signatures = gate.compact(proposal, *signers)
    gate.send("proposeApproved", proposal.abi(), signatures, sender=gate.people.agent)


def test_the_quorum_of_the_cell_is_needed(gate: Gate, people: People) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "mail")  # three
    with refused("GateQuorumNotMet", 2, 3):
        send(gate, proposal, *people.operators[:2])
    send(gate, proposal, *people.operators[:3])
    assert gate.status(proposal) == "LIVE"


def test_an_operator_counts_once(gate: Gate, people: People) -> None:
    operator = people.operators[0]
    with refused("GateDuplicateSigner", operator.address):
        send(gate, gate.proposal(Kind.ISOLATE, "web"), operator, operator)


def test_a_delay_lets_nothing_pass_at_once(gate: Gate) -> None:
    gate.rule(Kind.ISOLATE, 0, leasable=False, delay=60)
    with refused("GateTooEarly", gate.evm.now + 60):
        gate.propose_approved(Kind.ISOLATE, "web")


def test_who_withdrew_does_not_count(gate: Gate, people: People) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    operator = people.operators[1]
    gate.send("withdraw", proposal.abi(), sender=operator)
    with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
        send(gate, proposal, *people.operators[:2])
    send(gate, proposal, people.operators[0], people.operators[2])


def test_what_was_vetoed_before_is_not_ordered(gate: Gate, people: People) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    gate.send("veto", proposal.abi(), sender=people.guardian)
    with refused("GateBadNonce", proposal.nonce, proposal.nonce):
        send(gate, proposal, *people.operators[:2])
    assert gate.status(proposal) == "VETOED"


@pytest.mark.parametrize("name", ["agent", "guardian", "enforcer", "governor", "stranger"])
def test_only_operators_approve(gate: Gate, people: People, name: str) -> None:
    other = getattr(people, name)
    with refused("GateMissingRole", other.address, OPERATOR):
        send(gate, gate.proposal(Kind.ISOLATE, "web"), people.operators[0], other)


def test_a_revoked_operator_does_not_count(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.operators[1].address, 0, 0)
    with refused("GateMissingRole", people.operators[1].address, OPERATOR):
        send(gate, gate.proposal(Kind.ISOLATE, "web"), *people.operators[:2])


@pytest.mark.parametrize("broken", [(bytes(32), bytes(32)), (b"\x01" * 32, b"\x7f" + b"\xff" * 31)])
def test_what_is_no_signature_is_refused(gate: Gate, people: People, broken: tuple) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    signatures = [*gate.compact(proposal, people.operators[0]), broken]
    with refused("GateBadSignature", NOBODY):
        gate.send("proposeApproved", proposal.abi(), signatures, sender=people.agent)


@pytest.mark.parametrize("field", ["ttl", "evidence", "deadline", "nonce", "target"])
def test_a_signature_is_for_one_proposal(gate: Gate, people: People, field: str) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    value = getattr(proposal, field)
    other = value - 1 if isinstance(value, int) and value else value
    changed = {"nonce": 77, "evidence": b"\x09" * 32, "target": name_key("files")}
    altered = replace(proposal, **{field: changed.get(field, other)})
    signatures = gate.compact(proposal, *people.operators[:2])
    with pytest.raises(Exception) as raised:  # a signature over other words is a stranger's
        gate.send("proposeApproved", altered.abi(), signatures, sender=people.agent)
    assert raised.value.name == "GateMissingRole"
    assert raised.value.values[1] == OPERATOR


def test_only_the_agent_sends_it(gate: Gate, people: People) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    signatures = gate.compact(proposal, *people.operators[:2])
    for sender in (people.operators[0], people.stranger):
        with refused("GateMissingRole", sender.address, AGENT):
            gate.send("proposeApproved", proposal.abi(), signatures, sender=sender)
    gate.govern("setRoles", people.stranger.address, AGENT, 0)
    with refused("GateNotProposer", people.stranger.address, people.agent.address):
        gate.send("proposeApproved", proposal.abi(), signatures, sender=people.stranger)


@pytest.mark.parametrize(
    ("kind", "target", "ttl", "reason"),
    [
        (Kind.BLOCK, "198.51.100.0/25", 600, "PROTECTED_TARGET"),
        (Kind.ISOLATE, "gateway", 600, "PROTECTED_TARGET"),
        (Kind.ISOLATE, "erp", 600, "RULE_REFUSES"),
        (Kind.ISOLATE, "web", 3601, "TTL_OUT_OF_RANGE"),
    ],
)
def test_no_signature_overrides_the_guardrails(
    gate: Gate, people: People, kind: Kind, target: str, ttl: int, reason: str
) -> None:
    with refused("GateRefused", REASON.index(reason)):
        send(gate, gate.proposal(kind, target, ttl), *people.operators)


def test_it_counts_against_the_budget(gate: Gate) -> None:
    for _ in range(3):
        gate.propose_approved(Kind.ISOLATE, "files")
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        gate.propose_approved(Kind.ISOLATE, "files")
    gate.evm.advance(3600)
    gate.propose_approved(Kind.ISOLATE, "files")


def test_deadline_and_model_count(gate: Gate) -> None:
    now = gate.evm.now
    with refused("GateBadDeadline", now, now + 1, now + 900):
        gate.propose_approved(Kind.ISOLATE, "web", deadline=now)
    gate.send("deactivateModel", MODEL, sender=gate.people.guardian)
    with refused("GateModelNotActive", MODEL):
        gate.propose_approved(Kind.ISOLATE, "web")


def test_a_lease_is_left_alone(gate: Gate, people: People) -> None:
    gate.grant(isolations=1)
    gate.propose_approved(Kind.ISOLATE, "web")
    assert gate.view("leaseOf", people.agent.address)[3] == (0, 0, 0)


# ---------------------------------------------------------------- once


def test_neither_release_nor_another_order_makes_it_good_again(gate: Gate, people: People) -> None:
    proposal = gate.propose_approved(Kind.ISOLATE, "web")
    signatures = gate.sign("Release", proposal, *people.operators[:2])
    gate.send("release", proposal.abi(), signatures, sender=people.stranger)
    assert gate.status(proposal) == "RELEASED"
    with refused("GateBadNonce", proposal.nonce, proposal.nonce):
        send(gate, proposal, *people.operators[:2])
    later = gate.propose_approved(Kind.ISOLATE, "web")
    assert gate.status(proposal) == "SUPERSEDED"
    with refused("GateBadNonce", proposal.nonce, later.nonce):
        send(gate, proposal, *people.operators[:2])


def test_a_waiting_proposal_is_not_proposed_again(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    with refused("GateBadNonce", proposal.nonce, proposal.nonce):
        send(gate, proposal, *people.operators[:2])


def use(gate: Gate, nonce: int) -> None:
    gate.propose_approved(Kind.BLOCK, "203.0.113.9/32", nonce=nonce)


def test_nonces_come_in_any_order(gate: Gate) -> None:
    order = [7, 3, 22, 12, 21, 8, 24, 9]
    for nonce in order:
        use(gate, nonce)
    for nonce in order:
        with refused("GateBadNonce", nonce, 24):
            use(gate, nonce)


def test_a_nonce_is_good_while_fewer_than_24_beyond_it_are_used(gate: Gate) -> None:
    use(gate, 100)
    use(gate, 77)
    with refused("GateBadNonce", 76, 100):
        use(gate, 76)


@pytest.mark.parametrize("jump", [23, 24, 25, 31, 32, 33, 255, 256, 257, 2**31])
def test_a_jump_forgets_nothing_that_still_counts(gate: Gate, jump: int) -> None:
    use(gate, 5)
    use(gate, 5 + jump)
    with refused("GateBadNonce", 5, 5 + jump):
        use(gate, 5)
    if jump > 1:
        use(gate, 4 + jump)


def test_nonces_end(gate: Gate) -> None:
    with refused("GateBadNonce", 2**32, 0):
        use(gate, 2**32)
    with refused("GateBadNonce", 2**256 - 1, 0):
        use(gate, 2**256 - 1)
    use(gate, 2**32 - 1)


def test_nonces_are_each_agents_own(gate: Gate, people: People) -> None:
    use(gate, 9)
    gate.govern("setRoles", people.stranger.address, AGENT, 0)
    proposal = gate.proposal(Kind.ISOLATE, "web", agent=people.stranger.address, nonce=9)
    signatures = gate.compact(proposal, *people.operators[:2])
    gate.send("proposeApproved", proposal.abi(), signatures, sender=people.stranger)
    assert gate.status(proposal) == "LIVE"


def test_an_agent_that_comes_back_finds_its_nonces_and_budget_used(
    gate: Gate, people: People
) -> None:
    for nonce in range(3):
        gate.propose_approved(Kind.ISOLATE, "files", nonce=nonce)
    for roles in (0, OPERATOR, AGENT):
        gate.govern("setRoles", people.agent.address, roles, 0)
    with refused("GateBadNonce", 2, 2):
        gate.propose_approved(Kind.ISOLATE, "files", nonce=2)
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        gate.propose_approved(Kind.ISOLATE, "files", nonce=3)
