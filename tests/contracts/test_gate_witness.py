"""The witness objects: each guarantee broken once, in logs that no gate would write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import machine_tables as tables
import pytest
from eth_abi.abi import encode
from eth_utils.abi import event_abi_to_log_topic, get_abi_input_types
from eth_utils.crypto import keccak
from machine_stage import Stage
from machine_world import Call
from scene import AGENT, OPERATOR

from policies.actions import Kind
from responder.chain.events import artifact
from responder.chain.proposal import Lease, Proposal, name_key

EVENTS = {entry["name"]: entry for entry in artifact("Gate")["abi"] if entry["type"] == "event"}
WEB = (Kind.ISOLATE, name_key("web-0"), 600)
SIGNERS = [(name, "good") for name in tables.OPERATORS[:3]]


class Forger(Stage):
    """Tells a witness what it likes, after what really happened."""

    def tell(self, sender: str, function: str, *events: tuple[str, tuple[Any, ...]]) -> None:
        logs, head = [], self.witness.head
        for name, (subject, *values) in events:
            types = get_abi_input_types(EVENTS[name])
            topics = [bytes(event_abi_to_log_topic(EVENTS[name])), encode(types[:1], [subject])]
            data = encode(types[1:], values)
            logs.append((self.world.domain.gate, topics, data))
            head = bytes(keccak(head + b"".join(topics) + data))
        self.witness.hear(Call(self.address(sender), function, ()), logs, head)

    def order(self, proposal: Proposal, signed: Any, **other: Any) -> None:
        """`Ordered`, as if the gate had taken it."""
        digest = self.decided("Approval", proposal)
        until = other.get("until", self.now + proposal.ttl)
        values = proposal.id(self.world.domain), proposal.abi(), until, self.halves(digest, signed)
        self.tell(other.get("sender", "agent"), "proposeApproved", ("Ordered", values))

    def proposed(self) -> Proposal:
        proposal = self.draft("agent", WEB)
        self.propose_now("agent", proposal)
        return proposal

    def lease(self) -> Lease:
        lease = Lease(self.address("agent"), tables.MODELS[0], 1, 1, 1, 1, 600, self.now + 600, 0)
        signatures = self.sign(self.leased(lease), SIGNERS)
        assert self.send("grantLease", "stranger", lease, signatures)
        return lease


@pytest.fixture
def forger() -> Forger:
    return Forger()


def test_what_the_gate_does_is_fine(forger: Forger) -> None:
    forger.order(forger.draft("agent", WEB), SIGNERS)


@pytest.mark.parametrize(
    "signed",
    [
        [],
        SIGNERS[:1],
        SIGNERS[:1] * 2,
        [*SIGNERS[:1], ("stranger", "good")],
        [*SIGNERS[:1], ("guardian", "good")],
        [*SIGNERS[:1], ("operator 1", "other content")],
        [*SIGNERS[:1], ("operator 1", "other meaning")],
        [*SIGNERS[:1], ("operator 1", "other gate")],
        [*SIGNERS[:1], ("operator 1", "other chain")],
    ],
)
def test_an_order_needs_signatures_of_its_quorum(forger: Forger, signed: Any) -> None:
    with pytest.raises((AssertionError, ValueError)):
        forger.order(forger.draft("agent", WEB), signed)


CHANGES: dict[str, Callable[[Forger, Proposal], dict[str, Any]]] = {
    "longer than the rule allows": lambda forger, proposal: {"ttl": 3601},
    "for no time": lambda forger, proposal: {"ttl": 0},
    "of a model that is not active": lambda forger, proposal: {"model": tables.MODELS[2]},
    "too late": lambda forger, proposal: {"deadline": forger.now},
    "too early": lambda forger, proposal: {"deadline": forger.now + 901},
    "of the protected": lambda forger, proposal: {"target": name_key("gateway")},
    "with too few groups": lambda forger, proposal: {"target": name_key("printer")},
    "without its delay": lambda forger, proposal: {"target": name_key("mail")},
    "by another agent": lambda forger, proposal: {"agent": forger.address("second agent")},
    "by no agent": lambda forger, proposal: {"agent": forger.address("stranger")},
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_order_keeps_to_the_rules(forger: Forger, what: str) -> None:
    proposal = forger.draft("agent", WEB)
    signed = [("operator 0", "good"), ("operator 1", "good")]
    if what == "without its delay":
        signed.append(("operator 2", "good"))
    with pytest.raises((AssertionError, KeyError)):
        forger.order(replace(proposal, **CHANGES[what](forger, proposal)), signed)


def test_nothing_is_ordered_twice(forger: Forger) -> None:
    proposal = forger.draft("agent", WEB)
    forger.order(proposal, SIGNERS)
    with pytest.raises(AssertionError):
        forger.order(proposal, SIGNERS)
    with pytest.raises(AssertionError):
        forger.order(replace(proposal, ttl=60), SIGNERS)  # the same nonce


def test_no_order_ends_before_the_one_it_supersedes(forger: Forger) -> None:
    first = forger.draft("agent", WEB)
    forger.order(first, SIGNERS)
    with pytest.raises(AssertionError):
        forger.order(replace(first, ttl=60, nonce=1), SIGNERS)


def test_live_orders_keep_to_their_limit(forger: Forger) -> None:
    for nonce, last in enumerate((1, 2, 3, 4)):
        network = tables.network_key(f"203.0.113.{last}/32").to_bytes(32)
        proposal = forger.draft("agent", (Kind.BLOCK, network, 60), nonce=nonce)
        if last == 4:
            with pytest.raises(AssertionError):
                forger.order(proposal, SIGNERS)
        else:
            forger.order(proposal, SIGNERS)


def test_zones_keep_their_share(forger: Forger) -> None:
    for i in range(4):
        forger.order(
            forger.draft("agent", (Kind.ISOLATE, name_key(f"web-{i}"), 60), nonce=i), SIGNERS
        )
    with pytest.raises(AssertionError):
        forger.order(forger.draft("agent", (Kind.ISOLATE, name_key("web-4"), 60), nonce=9), SIGNERS)


def test_pools_keep_their_members(forger: Forger) -> None:
    forger.order(forger.draft("agent", (Kind.ISOLATE, name_key("ns-0"), 60), nonce=1), SIGNERS)
    with pytest.raises(AssertionError):
        forger.order(forger.draft("agent", (Kind.ISOLATE, name_key("ns-1"), 60), nonce=2), SIGNERS)


def test_a_lease_is_spent_within_its_terms(forger: Forger) -> None:
    lease = forger.lease()
    forger.order(forger.draft("agent", WEB), [])
    with pytest.raises(AssertionError):
        forger.order(forger.draft("agent", WEB, nonce=1), [])
    forger.tell(
        "guardian",
        "endLease",
        ("LeaseEnded", (lease_id(forger, lease), forger.address("guardian"))),
    )
    block = (Kind.BLOCK, tables.network("203.0.113.9/32"), 60)
    with pytest.raises(ValueError):
        forger.order(forger.draft("agent", block, nonce=2), [])


def lease_id(forger: Forger, lease: Lease) -> bytes:
    return forger.model.lease_digest(lease)


def test_execution_needs_approvals_that_count(forger: Forger) -> None:
    proposal = forger.proposed()
    assert forger.send("approve", "operator 0", proposal)
    with pytest.raises(AssertionError):
        forger.tell("stranger", "execute", _executed(forger, proposal))


def test_who_lost_the_role_counts_no_more(forger: Forger) -> None:
    proposal = forger.proposed()
    for name in ("operator 0", "operator 1"):
        assert forger.send("approve", name, proposal)
    assert forger.send("setRoles", "governor", forger.address("operator 1"), 0, 0)
    with pytest.raises(AssertionError):
        forger.tell("stranger", "execute", _executed(forger, proposal))


@pytest.mark.parametrize("stop", ["veto", "pause", "deactivateModel", "setRoles"])
def test_what_was_stopped_does_not_execute(forger: Forger, stop: str) -> None:
    proposal = forger.proposed()
    for name in ("operator 0", "operator 1"):
        assert forger.send("approve", name, proposal)
    call: dict[str, tuple[Any, ...]] = {
        "veto": ("guardian", proposal),
        "pause": ("guardian",),
        "deactivateModel": ("guardian", tables.MODELS[0]),
        "setRoles": ("governor", proposal.agent, 0, 0),
    }
    assert forger.send(stop, *call[stop])
    with pytest.raises(AssertionError):
        forger.tell("stranger", "execute", _executed(forger, proposal))


def _executed(forger: Forger, proposal: Proposal) -> tuple[str, tuple[Any, ...]]:
    return "Executed", (proposal.id(forger.world.domain), forger.now + proposal.ttl)


def test_a_vote_is_the_operators_own_and_one(forger: Forger) -> None:
    proposal = forger.proposed()
    assert forger.send("approve", "operator 0", proposal)
    id_, first, other = proposal.id(forger.world.domain), *map(forger.address, tables.OPERATORS[:2])
    for sender, function, operator, signature in (
        ("operator 0", "approve", first, b""),
        ("stranger", "approveBySig", other, b""),
        ("stranger", "approveBySig", other, bytes(65)),
    ):
        with pytest.raises(AssertionError):
            forger.tell(sender, function, ("Approved", (id_, operator, signature)))


def test_an_agent_does_nothing_but_propose(forger: Forger) -> None:
    proposal = forger.proposed()
    event = "Approved", (proposal.id(forger.world.domain), forger.address("agent"), b"")
    with pytest.raises(AssertionError):
        forger.tell("agent", "approve", event)
    with pytest.raises(AssertionError):
        forger.tell("agent", "pause", ("Paused", (forger.address("agent"), 1)))


def test_only_governance_changes_rules(forger: Forger) -> None:
    with pytest.raises(AssertionError):
        forger.tell("guardian", "setLimits", ("LimitsSet", (forger.address("guardian"), (1,) * 7)))


def test_no_agent_has_another_role(forger: Forger) -> None:
    values = forger.address("agent"), AGENT | OPERATOR, 0
    with pytest.raises(AssertionError):
        forger.tell("governor", "setRoles", ("RolesSet", values))


@pytest.mark.parametrize(
    "signed", [[], SIGNERS[:1], [*SIGNERS[:1], ("operator 1", "other meaning")]]
)
def test_a_release_needs_its_own_quorum(forger: Forger, signed: Any) -> None:
    proposal = forger.draft("agent", WEB)
    forger.order(proposal, SIGNERS)
    signatures = forger.sign(forger.decided("Release", proposal), signed)
    with pytest.raises(AssertionError):
        values = proposal.id(forger.world.domain), signatures
        forger.tell("stranger", "release", ("Released", values))


def test_a_receipt_is_of_an_order(forger: Forger) -> None:
    receipt = (bytes(20), name_key("web-0"), forger.address("enforcer"), 0, bytes(32))
    with pytest.raises(ValueError):
        forger.tell("enforcer", "fileReceipt", ("ReceiptFiled", (receipt[0], receipt)))


def test_no_event_is_missing(forger: Forger) -> None:
    with pytest.raises(AssertionError):
        forger.witness.hear(Call(forger.address("agent"), "propose", ()), [], bytes(32))


def test_the_gate_is_looked_at(forger: Forger) -> None:
    forger.order(forger.draft("agent", WEB), SIGNERS)  # of which the gate knows nothing
    with pytest.raises(AssertionError):
        forger.witness.look()
