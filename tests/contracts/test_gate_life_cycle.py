"""One proposal from the agent to the end of its order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scene import AGENT, MODEL, OPERATOR, STATUS, Gate, People, refused

from policies.actions import Kind, network_key
from responder.chain.proposal import name_key

LAPSED, LIVE, PENDING = STATUS.index("LAPSED"), STATUS.index("LIVE"), STATUS.index("PENDING")


def test_two_approvals_make_an_order(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "files", ttl=600)
    assert gate.view("stateOf", proposal.abi()) == (PENDING, 0, 2, 0)
    gate.send("approve", proposal.abi(), sender=people.operators[0])
    assert gate.status(proposal) == "PENDING"
    gate.send("approve", proposal.abi(), sender=people.operators[1])
    assert gate.status(proposal) == "READY"
    gate.send("execute", proposal.abi(), sender=people.stranger)
    assert gate.view("stateOf", proposal.abi()) == (LIVE, 0, 2, gate.evm.now + 600)


def test_the_life_cycle_is_told_in_events(gate: Gate, people: People) -> None:
    first, second = (operator.address for operator in people.operators[:2])
    proposal = gate.propose(Kind.ISOLATE, "files", ttl=600)
    id_ = gate.id(proposal)
    gate.told("Proposed", id=id_, proposal=proposal.abi())
    for operator in (first, second):
        gate.send("approve", proposal.abi(), sender=operator)
        gate.told("Approved", id=id_, operator=operator, signature=b"")
    gate.send("execute", proposal.abi(), sender=people.stranger)
    gate.told("Executed", id=id_, until=gate.evm.now + 600)


@pytest.mark.parametrize(
    ("kind", "target", "view"),
    [
        (Kind.BLOCK, "203.0.113.9/32", "isBlocked"),
        (Kind.ISOLATE, "web", "isIsolated"),
        (Kind.REVOKE, "ssh:deploy", "isRevoked"),
    ],
)
def test_the_order_shows_in_the_view_until_it_expires(
    gate: Gate, kind: Kind, target: str, view: str
) -> None:
    key = network_key(target).to_bytes(32) if kind is Kind.BLOCK else name_key(target)
    assert not gate.view(view, key)
    proposal = gate.order(kind, target, ttl=60)
    assert gate.view(view, key)
    assert gate.view("orderedUntil", int(kind), key) == gate.evm.now + 60
    gate.evm.advance(59)
    assert gate.view(view, key)
    gate.evm.advance(1)
    assert not gate.view(view, key)
    assert gate.view("orderedUntil", int(kind), key) == 0
    expired = (STATUS.index("EXPIRED"), 0, 2, gate.evm.now)
    assert gate.view("stateOf", proposal.abi()) == expired


def test_a_proposal_executes_once(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    with refused("GateWrongStatus", gate.id(proposal), LIVE):
        gate.send("execute", proposal.abi(), sender=people.stranger)
    gate.evm.advance(600)
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("EXPIRED")):
        gate.send("execute", proposal.abi(), sender=people.stranger)


def test_an_executed_proposal_cannot_be_proposed_again(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    with refused("GateBadNonce", proposal.nonce, proposal.nonce):
        gate.send("propose", proposal.abi(), sender=people.agent)


def test_what_was_never_proposed_cannot_be_approved(gate: Gate, people: People) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("NONE")):
        gate.send("approve", proposal.abi(), sender=people.operators[0])


def test_one_changed_field_is_another_proposal(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web", ttl=60)
    for other, status in (({"nonce": 99}, "NONE"), ({"ttl": 3600}, "SUPERSEDED")):
        changed = replace(proposal, **other)
        with refused("GateWrongStatus", gate.id(changed), STATUS.index(status)):
            gate.send("approve", changed.abi(), sender=people.operators[0])


def test_an_operator_votes_once(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    gate.send("approve", proposal.abi(), sender=operator)
    for vote in ("approve", "reject"):
        with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
            gate.send(vote, proposal.abi(), sender=operator)


def test_execution_needs_the_quorum_of_the_cell(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "mail")  # three
    for operator in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    with refused("GateQuorumNotMet", 2, 3):
        gate.send("execute", proposal.abi(), sender=people.stranger)
    gate.send("approve", proposal.abi(), sender=people.operators[2])
    gate.send("execute", proposal.abi(), sender=people.stranger)
    assert gate.status(proposal) == "LIVE"


def test_approvals_end_with_the_deadline(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    gate.evm.advance(900)
    for function in ("approve", "execute", "reject"):
        with refused("GateWrongStatus", gate.id(proposal), LAPSED):
            gate.send(function, proposal.abi(), sender=people.operators[2])


@pytest.mark.parametrize("offset", [-1, 0, 901])
def test_a_deadline_out_of_range_is_refused(gate: Gate, people: People, offset: int) -> None:
    now = gate.evm.now
    proposal = gate.proposal(Kind.ISOLATE, "web", deadline=now + offset)
    with refused("GateBadDeadline", now + offset, now + 1, now + 900):
        gate.send("propose", proposal.abi(), sender=people.agent)


def test_an_agent_proposes_only_in_its_own_name(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.stranger.address, AGENT, 0)
    proposal = gate.proposal(Kind.ISOLATE, "web")
    with refused("GateNotProposer", people.stranger.address, people.agent.address):
        gate.send("propose", proposal.abi(), sender=people.stranger)


def test_as_many_rejections_as_approvals_needed_reject(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.send("reject", proposal.abi(), sender=people.operators[0])
    operator = people.operators[0].address
    gate.told("Rejected", id=gate.id(proposal), operator=operator, signature=b"")
    assert gate.status(proposal) == "PENDING"
    gate.send("reject", proposal.abi(), sender=people.operators[1])
    assert gate.status(proposal) == "REJECTED"
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("REJECTED")):
        gate.send("approve", proposal.abi(), sender=people.operators[2])


def test_where_the_rule_asks_for_no_one_one_rejection_is_enough(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.govern("setRule", 1, 0, (False, False, 0, 0, 0, 0, 0, 0))
    assert gate.view("stateOf", proposal.abi()) == (PENDING, 0, 0, 0)
    gate.send("reject", proposal.abi(), sender=people.operators[0])
    assert gate.status(proposal) == "REJECTED"


@pytest.mark.parametrize("approvals", [0, 2])
def test_a_guardian_vetoes_what_has_not_executed(
    gate: Gate, people: People, approvals: int
) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:approvals]:
        gate.send("approve", proposal.abi(), sender=operator)
    gate.send("veto", proposal.abi(), sender=people.guardian)
    told = {"id": gate.id(proposal), "guardian": people.guardian.address}
    gate.told("Vetoed", **told, agent=people.agent.address, nonce=proposal.nonce)
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("VETOED")):
        gate.send("execute", proposal.abi(), sender=people.stranger)


def test_an_order_cannot_be_vetoed(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    with refused("GateWrongStatus", gate.id(proposal), LIVE):
        gate.send("veto", proposal.abi(), sender=people.guardian)


def test_a_later_order_supersedes(gate: Gate) -> None:
    first = gate.order(Kind.ISOLATE, "web", ttl=600)
    gate.evm.advance(300)
    second = gate.order(Kind.ISOLATE, "web", ttl=600)
    assert (gate.status(first), gate.status(second)) == ("SUPERSEDED", "LIVE")
    assert gate.view("orderedUntil", 1, name_key("web")) == gate.evm.now + 600


def test_a_later_order_never_ends_before_the_one_it_supersedes(gate: Gate) -> None:
    gate.order(Kind.ISOLATE, "web", ttl=3600)
    until = gate.evm.now + 3600
    gate.order(Kind.ISOLATE, "web", ttl=1)
    assert gate.last.args["until"] == until
    assert gate.view("orderedUntil", 1, name_key("web")) == until


def test_however_an_order_ended_the_next_one_supersedes_it(gate: Gate) -> None:
    first = gate.order(Kind.ISOLATE, "web", ttl=60)
    gate.evm.advance(60)
    assert gate.status(first) == "EXPIRED"
    gate.order(Kind.ISOLATE, "web", ttl=60)
    assert gate.view("stateOf", first.abi()) == (STATUS.index("SUPERSEDED"), 0, 2, 0)


# ---------------------------------------------------------------- what is revoked in between


def test_a_revoked_operator_no_longer_counts(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    gate.govern("setRoles", people.operators[0].address, 0, 0)
    with refused("GateQuorumNotMet", 1, 2):
        gate.send("execute", proposal.abi(), sender=people.stranger)
    gate.send("approve", proposal.abi(), sender=people.operators[2])
    assert gate.status(proposal) == "READY"


def test_a_revoked_operators_rejection_no_longer_counts(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("reject", proposal.abi(), sender=operator)
    gate.govern("setRoles", people.operators[0].address, 0, 0)
    assert gate.status(proposal) == "PENDING"


def test_a_new_operator_does_not_inherit_a_vote(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    gate.govern("setRoles", people.operators[0].address, 0, 0)
    gate.govern("setRoles", people.stranger.address, OPERATOR, 0)
    assert gate.view("stateOf", proposal.abi())[1] == 1


def test_a_revoked_model_executes_nothing(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    gate.send("deactivateModel", MODEL, sender=people.guardian)
    assert gate.status(proposal) == "PENDING"
    with refused("GateModelNotActive", MODEL):
        gate.send("execute", proposal.abi(), sender=people.stranger)
    with refused("GateModelNotActive", MODEL):
        gate.propose(Kind.ISOLATE, "web")


def test_a_revoked_agent_executes_nothing(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    gate.govern("setRoles", people.agent.address, 0, 0)
    assert gate.status(proposal) == "PENDING"
    with refused("GateMissingRole", people.agent.address, AGENT):
        gate.send("execute", proposal.abi(), sender=people.stranger)


def test_an_agent_made_operator_loses_its_proposals(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.govern("setRoles", people.agent.address, OPERATOR, 0)
    gate.send("approve", proposal.abi(), sender=people.agent)
    gate.send("approve", proposal.abi(), sender=people.operators[0])
    with refused("GateMissingRole", people.agent.address, AGENT):
        gate.send("execute", proposal.abi(), sender=people.agent)
