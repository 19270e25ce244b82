"""A proposal's identity and its typed data are the gate's, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account.messages import SignableMessage, _hash_eip191_message
from world import World

from policies.actions import Kind, network_key
from responder.chain.proposal import (
    Lease,
    Proposal,
    batch_message,
    decision_message,
    lease_message,
    model_message,
    name_key,
    network_text,
    resume_message,
    target_key,
)

DIGESTS = {
    "Approval": "approvalDigest",
    "Rejection": "rejectionDigest",
    "Release": "releaseDigest",
}
TARGETS = [
    (Kind.BLOCK, "203.0.113.9/32"),
    (Kind.BLOCK, "198.51.0.0/16"),
    (Kind.BLOCK, "2001:db8::1/128"),
    (Kind.BLOCK, "2001:db8::/32"),
    (Kind.ISOLATE, "web"),
    (Kind.ISOLATE, "plant"),
    (Kind.REVOKE, "ssh:SHA256:alice"),
]


def digest(message: SignableMessage) -> bytes:
    return bytes(_hash_eip191_message(message))


def proposal(world: World, kind: Kind, target: str) -> Proposal:
    made = world.proposal(kind, target, ttl=2**32 - 1, evidence=b"\xee" * 32)
    return replace(made, nonce=2**256 - 1, deadline=2**64 - 1)


@pytest.mark.parametrize(("kind", "target"), TARGETS)
def test_id_is_the_gates(world: World, kind: Kind, target: str) -> None:
    made = proposal(world, kind, target)
    assert made.id(world.gate().domain) == world.contract.functions.idOf(made.abi()).call()


@pytest.mark.parametrize("decision", DIGESTS)
@pytest.mark.parametrize(("kind", "target"), TARGETS)
def test_what_an_operator_signs_is_what_the_gate_checks(
    world: World, kind: Kind, target: str, decision: str
) -> None:
    made, ledger = proposal(world, kind, target), world.ledger()
    words = ledger.words_of(kind, made.target)
    message = decision_message(decision, made, words, ledger.domain)
    view = world.contract.get_function_by_name(DIGESTS[decision])
    assert digest(message) == view(made.abi()).call()


def test_lease_digest_is_the_gates(world: World) -> None:
    lease = Lease(world.address("agent"), b"\x01" * 32, 1, 2, 3, 2, 600, 2**64 - 1, 2**256 - 1)
    message = lease_message(lease, world.gate().domain)
    assert digest(message) == world.contract.functions.leaseDigest(lease.abi()).call()


def test_model_and_resume_digests_are_the_gates(world: World) -> None:
    domain, view = world.gate().domain, world.contract.functions
    terms = (b"\x01" * 32, b"\x02" * 32, 2**32 - 1, 2**64 - 1)
    assert digest(model_message(*terms, domain)) == view.modelDigest(*terms).call()
    world.gate("guardian").pause()
    assert digest(resume_message(1, domain)) == view.resumeDigest().call()


@pytest.mark.parametrize("decision", ["BatchApproval", "BatchRelease"])
@pytest.mark.parametrize("what", ["networks", "credentials", "a whole page", "a part of a page"])
def test_what_is_signed_of_a_batch_is_what_the_gate_checks(
    world: World, what: str, decision: Any
) -> None:
    batches = {
        "networks": lambda: world.batch(Kind.BLOCK, "203.0.113.9", "2001:db8::1", criticality=0),
        "credentials": lambda: world.batch(Kind.REVOKE, "ssh:SHA256:alice"),
        "a whole page": world.pair,
        "a part of a page": lambda: world.pair_but("web-2"),
    }
    batch = batches[what]()
    ledger = world.ledger()
    words = ledger.names_of(batch), ledger.zone_of(batch)
    message = batch_message(decision, batch, *words, ledger.domain)
    digests = {"BatchApproval": "batchApprovalDigest", "BatchRelease": "batchReleaseDigest"}
    view = world.contract.get_function_by_name(digests[decision])
    assert digest(message) == view(batch.abi(), world.batch_names(batch)).call()
    assert batch.id(ledger.domain) == world.contract.functions.batchIdOf(batch.abi()).call()


def test_every_field_changes_the_id(world: World) -> None:
    made, domain = proposal(world, Kind.ISOLATE, "web"), world.gate().domain
    others = [
        replace(made, kind=Kind.REVOKE),
        replace(made, target=name_key("db")),
        replace(made, ttl=1),
        replace(made, model=bytes(32)),
        replace(made, evidence=bytes(32)),
        replace(made, deadline=1),
        replace(made, agent=world.address("stranger")),
        replace(made, nonce=0),
    ]
    ids = {p.id(domain) for p in others} | {made.id(replace(domain, chain_id=1))}
    ids.add(made.id(replace(domain, gate=world.address("stranger"))))
    assert len(ids) == 10
    assert made.id(domain) not in ids


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("203.0.113.9", "203.0.113.9/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001/128"),
        ("::/0", "0000:0000:0000:0000:0000:0000:0000:0000/0"),
    ],
)
def test_network_text_is_what_signatures_show(text: str, signed: str) -> None:
    assert network_text(network_key(text).to_bytes(32)) == signed


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, ((4 << 136) | (1 << 32)).to_bytes(32)])
def test_network_text_of_no_network_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="not a packed network"):
        network_text(key)


def test_target_key_of_a_network_is_packed_and_of_a_name_hashed() -> None:
    assert target_key(Kind.BLOCK, "10.0.0.0/8").hex()[-36:] == "0408" + "0" * 24 + "0a000000"
    assert target_key(Kind.ISOLATE, "web") == target_key(Kind.REVOKE, "web") == name_key("web")


def test_target_key_of_a_malformed_network_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        target_key(Kind.BLOCK, "10.0.0.1/8")
