"""Whose proposals the gate takes: models that operators activate, and any guardian stops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from batching import named, put_batch
from eth_account.signers.local import LocalAccount
from scene import CARD, GUARDIAN, MODEL, OPERATOR, Gate, People, refused

from policies.actions import Kind
from responder.chain.proposal import model_message

OTHER = b"\x0a" * 32
NEW_CARD = b"\x0b" * 32


def signatures(
    gate: Gate,
    *signers: LocalAccount,
    model: bytes = OTHER,
    card: bytes = NEW_CARD,
    revision: int = 1,
    deadline: int = 0,
) -> list[Any]:
    message = model_message(model, card, revision, deadline or gate.evm.now + 60, gate.domain)
    return [(s.address, bytes(s.sign_message(message).signature)) for s in signers]


def activate(gate: Gate, signed: list[Any], **other: Any) -> None:
    fields = {"model": OTHER, "card": NEW_CARD, "revision": 1, "deadline": gate.evm.now + 60}
    args = (fields | other).values()
    gate.send("activateModel", *args, signed, sender=gate.people.stranger)


def deactivate(gate: Gate, model: bytes = MODEL) -> None:
    gate.send("deactivateModel", model, sender=gate.people.guardian)


def model(gate: Gate, which: bytes = OTHER) -> tuple[Any, ...]:
    active, card, revision, approvers = gate.view("modelOf", which)
    return active, card, revision, approvers


def addresses(*people: LocalAccount) -> tuple[str, ...]:
    return tuple(p.address.lower() for p in people)


def test_operators_activate_a_model(gate: Gate, people: People) -> None:
    assert model(gate) == (False, bytes(32), 0, ())
    with refused("GateModelNotActive", OTHER):
        gate.propose(Kind.ISOLATE, "web", model=OTHER)
    signed = signatures(gate, *people.operators[1:4])
    activate(gate, signed)
    told = {"model": OTHER, "card": NEW_CARD, "revision": 1, "deadline": gate.evm.now + 60}
    gate.told("ModelActivated", **told, signatures=signed)
    assert model(gate) == (True, NEW_CARD, 1, addresses(*people.operators[1:4]))
    assert gate.status(gate.propose(Kind.ISOLATE, "web", model=OTHER)) == "PENDING"


def test_the_digest_is_what_a_wallet_signs(gate: Gate, people: People) -> None:
    message = model_message(OTHER, NEW_CARD, 2**32 - 1, 2**64 - 1, gate.domain)
    signed = people.stranger.sign_message(message)
    digest = gate.view("modelDigest", OTHER, NEW_CARD, 2**32 - 1, 2**64 - 1)
    assert digest == bytes(signed.message_hash)


def test_a_guardian_stops_a_model(gate: Gate, people: People) -> None:
    deactivate(gate)
    gate.told("ModelDeactivated", model=MODEL, revision=2, guardian=people.guardian.address)
    active, card, revision, approvers = model(gate, MODEL)
    assert (active, card, revision) == (False, CARD, 2)
    assert approvers == addresses(*people.operators[:2])  # who signed stays known
    with refused("GateModelNotActive", MODEL):
        deactivate(gate)


@pytest.mark.parametrize("name", ["operators", "stranger", "agent"])
def test_only_guardians_stop_a_model(gate: Gate, people: People, name: str) -> None:
    caller = people.operators[0] if name == "operators" else getattr(people, name)
    with refused("GateMissingRole", caller.address, GUARDIAN):
        gate.send("deactivateModel", MODEL, sender=caller)
    assert model(gate, MODEL)[0]


def test_a_stopped_model_proposes_and_executes_nothing(many: Gate, people: People) -> None:
    many.grant(isolations=5)
    waiting = many.propose(Kind.ISOLATE, "mail")
    for operator in people.operators[:3]:
        many.send("approve", waiting.abi(), sender=operator)
    assert many.status(waiting) == "READY"
    order = many.propose(Kind.ISOLATE, "web")
    deactivate(many)
    assert many.status(waiting) == "PENDING"
    with refused("GateModelNotActive", MODEL):
        many.send("execute", waiting.abi(), sender=people.stranger)
    with refused("GateModelNotActive", MODEL):  # not under its lease either
        many.propose(Kind.ISOLATE, "web")
    with refused("GateModelNotActive", MODEL):
        many.propose_approved(Kind.ISOLATE, "web")
    with refused("GateModelNotActive", MODEL):
        put_batch(many, named(many, "networks"), *people.operators[:2])
    with refused("GateModelNotActive", MODEL):
        many.grant(nonce=99)
    assert many.status(order) == "LIVE"  # what is live stays so


def test_what_waited_goes_on_when_operators_activate_it_again(gate: Gate, people: People) -> None:
    waiting = gate.propose(Kind.ISOLATE, "web")
    deactivate(gate)
    gate.activate(MODEL, NEW_CARD)
    assert model(gate, MODEL)[:3] == (True, NEW_CARD, 3)
    gate.execute(waiting)


def test_an_activation_counts_once(gate: Gate, people: People) -> None:
    signed = signatures(gate, *people.operators[:2])
    activate(gate, signed)
    with refused("GateBadRevision", 1):
        activate(gate, signed)
    deactivate(gate, OTHER)
    with refused("GateBadRevision", 2):
        activate(gate, signed)
    with refused("GateBadSignature", people.operators[0].address):
        activate(gate, signed, revision=3)
    assert not model(gate)[0]


@pytest.mark.parametrize("revision", [0, 2, 2**32 - 1])
def test_a_revision_follows_the_last(gate: Gate, people: People, revision: int) -> None:
    signed = signatures(gate, *people.operators[:2], revision=revision)
    with refused("GateBadRevision", 0):
        activate(gate, signed, revision=revision)


def test_an_active_model_may_have_a_new_card(gate: Gate, people: People) -> None:
    signed = signatures(gate, *people.operators[2:4], model=MODEL, revision=2)
    activate(gate, signed, model=MODEL, revision=2)
    assert model(gate, MODEL) == (True, NEW_CARD, 2, addresses(*people.operators[2:4]))


@pytest.mark.parametrize(
    ("offset", "good"), [(0, False), (1, True), (86_400, True), (86_401, False)]
)
def test_an_activation_has_a_deadline(gate: Gate, people: People, offset: int, good: bool) -> None:
    """As far as a lease may last."""
    now = gate.evm.now
    deadline = now + offset
    signed = signatures(gate, *people.operators[:2], deadline=deadline)
    if good:
        activate(gate, signed, deadline=deadline)
        return
    with refused("GateBadDeadline", deadline, now + 1, now + 86_400):
        activate(gate, signed, deadline=deadline)


def test_an_activation_lapses(gate: Gate, people: People) -> None:
    deadline = gate.evm.now + 60
    signed = signatures(gate, *people.operators[:2], deadline=deadline)
    gate.evm.advance(60)
    with refused("GateBadDeadline", deadline, gate.evm.now + 1, gate.evm.now + 86_400):
        activate(gate, signed, deadline=deadline)


@pytest.mark.parametrize("signers", ["one", "twice", "guardian", "revoked"])
def test_an_activation_has_its_quorum(gate: Gate, people: People, signers: str) -> None:
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
        activate(gate, signatures(gate, *who))
    assert not model(gate)[0]


@pytest.mark.parametrize("changed", [{"model": b"\x0c" * 32}, {"card": CARD}, {"deadline": 0}])
def test_signatures_are_over_this_activation(
    gate: Gate, people: People, changed: dict[str, Any]
) -> None:
    if "deadline" in changed:
        changed = {"deadline": gate.evm.now + 61}
    with refused("GateBadSignature", people.operators[0].address):
        activate(gate, signatures(gate, *people.operators[:2]), **changed)


def test_signatures_are_for_this_gate(gate: Gate, people: People) -> None:
    deadline = gate.evm.now + 60
    elsewhere = replace(gate.domain, chain_id=1)
    message = model_message(OTHER, NEW_CARD, 1, deadline, elsewhere)
    signed = [(s.address, bytes(s.sign_message(message).signature)) for s in people.operators[:2]]
    with refused("GateBadSignature", people.operators[0].address):
        activate(gate, signed)


def test_governance_activates_no_model(gate: Gate, people: People) -> None:
    with refused("GateMissingRole", people.governor.address, OPERATOR):
        activate(gate, signatures(gate, people.governor, people.operators[0]))


def test_a_proposal_of_one_model_is_not_under_anothers_lease(gate: Gate) -> None:
    gate.activate(OTHER)
    gate.grant(model=OTHER, isolations=5)
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "PENDING"
    assert gate.status(gate.propose(Kind.ISOLATE, "web", model=OTHER)) == "LIVE"
