"""Votes and releases by signature, relayed by anyone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address
from evm import Contract
from scene import (
    NOW,
    OPERATOR,
    STATUS,
    Gate,
    People,
    asset_entry,
    configure,
    halves,
    make_gate,
    refused,
    words,
)

from policies.actions import Kind
from responder.chain.proposal import Domain, decision_message, lease_message

TARGETS = [
    (Kind.BLOCK, "203.0.113.9/32"),
    (Kind.BLOCK, "10.0.0.0/8"),
    (Kind.BLOCK, "2001:db8:2::1/128"),
    (Kind.BLOCK, "2001:db8:2::/48"),
    (Kind.ISOLATE, "files"),
    (Kind.REVOKE, "ssh:deploy"),
]


@pytest.mark.parametrize(("kind", "target"), TARGETS)
@pytest.mark.parametrize(
    ("decision", "digest"),
    [
        ("Approval", "approvalDigest"),
        ("Rejection", "rejectionDigest"),
        ("Release", "releaseDigest"),
    ],
)
def test_the_digest_is_what_a_wallet_signs(
    gate: Gate, kind: Kind, target: str, decision: Any, digest: str
) -> None:
    proposal = gate.proposal(kind, target, nonce=2**255)
    message = decision_message(decision, proposal, words(proposal), gate.domain)
    signed = Account.from_key(b"\x01" * 32).sign_message(message)
    assert gate.view(digest, proposal.abi()) == bytes(signed.message_hash)
    assert gate.view("idOf", proposal.abi()) == proposal.id(gate.domain)


OCTETS = (0, 9, 10, 99, 100, 109, 199, 255)
HOSTS = [  # texts of every length
    (4, 32, int.from_bytes(bytes((a, b, b, c)))) for a in OCTETS for b in OCTETS for c in (a, b)
]
HOSTS += [(4, prefix, 0) for prefix in range(32)]
HOSTS += [(6, prefix, 0) for prefix in (0, 1, 9, 10, 11, 64, 90, 98, 99, 100, 101, 109, 110, 119)]
HOSTS += [(6, 128, 0xFEDCBA98765432100123456789ABCDEF), (6, 128, (1 << 128) - 1)]


def test_a_network_is_shown_in_full(gate: Gate) -> None:
    for family, prefix, host in HOSTS:
        proposal = gate.proposal(Kind.BLOCK, (family << 136 | prefix << 128 | host).to_bytes(32))
        message = decision_message("Approval", proposal, words(proposal), gate.domain)
        digest = keccak(b"\x19\x01" + message.header + message.body)
        assert gate.view("approvalDigest", proposal.abi()) == digest


def test_the_lease_digest_is_what_a_wallet_signs(gate: Gate) -> None:
    lease = gate.lease(nonce=2**255)
    signed = Account.from_key(b"\x01" * 32).sign_message(lease_message(lease, gate.domain))
    assert gate.view("leaseDigest", lease.abi()) == bytes(signed.message_hash)


def test_the_domain_is_announced(gate: Gate) -> None:
    domain = gate.view("eip712Domain")
    assert domain[0] == b"\x0f" and domain[1:4] == ("Countersign", "1", 31337)
    assert to_checksum_address(domain[4]) == gate.contract.address


def compact(signature: bytes) -> bytes:
    """ERC-2098, in one piece."""
    return b"".join(halves([("", signature)])[0])


@pytest.mark.parametrize("form", [bytes, compact])
def test_signatures_count_as_votes(gate: Gate, people: People, form: Any) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    signatures = gate.sign("Approval", proposal, *people.operators[:2])
    signatures = [(signer, form(data)) for signer, data in signatures]
    gate.send("approveBySig", proposal.abi(), signatures, sender=people.stranger)
    operator, signature = signatures[1]
    gate.told("Approved", id=gate.id(proposal), operator=operator, signature=signature)
    gate.send("execute", proposal.abi(), sender=people.stranger)
    assert gate.status(proposal) == "LIVE"


def test_signed_rejections_reject(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    signatures = gate.sign("Rejection", proposal, *people.operators[:2])
    gate.send("rejectBySig", proposal.abi(), signatures, sender=people.stranger)
    operator, signature = signatures[1]
    gate.told("Rejected", id=gate.id(proposal), operator=operator, signature=signature)
    assert gate.status(proposal) == "REJECTED"


@pytest.mark.parametrize(
    ("function", "decision"),
    [("approveBySig", "Rejection"), ("approveBySig", "Release"), ("rejectBySig", "Approval")],
)
def test_a_signature_counts_for_what_it_says(
    gate: Gate, people: People, function: str, decision: str
) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    with refused("GateBadSignature", operator.address):
        signatures = gate.sign(decision, proposal, operator)
        gate.send(function, proposal.abi(), signatures, sender=people.stranger)


def test_a_signature_counts_once(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    signatures = gate.sign("Approval", proposal, operator)
    with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
        gate.send("approveBySig", proposal.abi(), signatures * 2, sender=people.stranger)
    gate.send("approveBySig", proposal.abi(), signatures, sender=people.stranger)
    with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
        gate.send("approveBySig", proposal.abi(), signatures, sender=people.stranger)


def test_a_signature_counts_for_one_proposal(gate: Gate, people: People) -> None:
    signed = gate.propose(Kind.ISOLATE, "web")
    other = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    with refused("GateBadSignature", operator.address):
        signatures = gate.sign("Approval", signed, operator)
        gate.send("approveBySig", other.abi(), signatures, sender=people.stranger)


@pytest.mark.parametrize("field", ["chain_id", "gate"])
def test_a_signature_counts_for_one_gate_on_one_chain(
    gate: Gate, people: People, field: str
) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    other = {"chain_id": 1, "gate": people.stranger.address}[field]
    wrong: Domain = replace(gate.domain, **{field: other})
    operator = people.operators[0]
    message = decision_message("Approval", proposal, words(proposal), wrong)
    signature = (operator.address, bytes(operator.sign_message(message).signature))
    with refused("GateBadSignature", operator.address):
        gate.send("approveBySig", proposal.abi(), [signature], sender=people.stranger)


def test_a_gate_on_another_chain_gives_other_ids(gate: Gate, people: People) -> None:
    elsewhere = configure(make_gate(people, NOW, chain_id=1))
    proposal = gate.proposal(Kind.ISOLATE, "web")
    assert elsewhere.contract.address == gate.contract.address
    for view in ("idOf", "approvalDigest"):
        assert elsewhere.view(view, proposal.abi()) != gate.view(view, proposal.abi())


def test_after_a_split_of_the_chain_each_half_has_signatures_of_its_own(
    gate: Gate, people: People
) -> None:
    waiting = gate.propose(Kind.ISOLATE, "web")
    signed = gate.sign("Approval", waiting, *people.operators[:2])
    lease = gate.lease()
    signed_lease = gate.sign_lease(lease, *people.operators[:2])
    evm = gate.evm.split(chain_id=1)
    half = replace(gate, evm=evm, contract=replace(gate.contract, evm=evm))
    assert half.view("auditHead") == gate.view("auditHead")
    assert half.view("idOf", waiting.abi()) == half.id(waiting) != gate.id(waiting)
    with refused("GateWrongStatus", half.id(waiting), STATUS.index("SUPERSEDED")):
        half.send("approveBySig", waiting.abi(), signed, sender=people.stranger)
    with refused("GateBadSignature", people.operators[0].address):
        half.send("grantLease", lease.abi(), signed_lease, sender=people.stranger)
    half.grant()
    assert half.status(half.propose(Kind.ISOLATE, "web")) == "LIVE"
    assert half.view("eip712Domain")[3] == 1


def test_another_ones_signature_is_refused(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    [(_, data)] = gate.sign("Approval", proposal, people.stranger)
    operator = people.operators[0]
    for bad in (data, b"", data[:-1], b"\x00" * 65, b"\x00" * 64):
        with refused("GateBadSignature", operator.address):
            signatures = [(operator.address, bad)]
            gate.send("approveBySig", proposal.abi(), signatures, sender=people.stranger)


@pytest.mark.parametrize("function", ["approveBySig", "rejectBySig"])
def test_a_strangers_signature_is_no_vote(gate: Gate, people: People, function: str) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    signatures = gate.sign("Approval", proposal, people.stranger)
    with refused("GateMissingRole", people.stranger.address, OPERATOR):
        gate.send(function, proposal.abi(), signatures, sender=people.operators[0])


def test_a_changed_criticality_voids_what_was_signed_before(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    signatures = gate.sign("Approval", proposal, operator)
    gate.govern("setAssets", [asset_entry("web", "dmz", 1, False)])
    with refused("GateBadSignature", operator.address):
        gate.send("approveBySig", proposal.abi(), signatures, sender=people.stranger)


# ---------------------------------------------------------------- wallet contracts


@pytest.fixture
def wallet(gate: Gate, people: People, wallet_artifact: dict[str, Any]) -> str:
    """An operator that is a contract, owned by the stranger's key."""
    deployed = gate.evm.deploy(
        wallet_artifact, people.stranger.address, sender=people.stranger.address
    )
    gate.govern("setRoles", deployed.address, OPERATOR, 0)
    return deployed.address


def test_a_wallet_contract_signs_by_erc_1271(gate: Gate, people: People, wallet: str) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    [(_, data)] = gate.sign("Approval", proposal, people.stranger)
    gate.send("approveBySig", proposal.abi(), [(wallet, data)], sender=people.stranger)
    assert gate.view("stateOf", proposal.abi())[1] == 1


def test_a_wallet_contract_may_refuse(gate: Gate, people: People, wallet: str) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    [(_, data)] = gate.sign("Approval", proposal, people.guardian)
    with refused("GateBadSignature", wallet):
        gate.send("approveBySig", proposal.abi(), [(wallet, data)], sender=people.stranger)


def test_who_says_nothing_has_not_signed(
    gate: Gate, people: People, wallet: str, wallet_artifact: dict[str, Any]
) -> None:
    """Not even a wallet that takes all for its signature: the event would have it send this."""
    lax = Contract(gate.evm, wallet, wallet_artifact["abi"])
    lax.send("setOwner", "0x" + "00" * 20, sender=people.stranger.address)
    proposal = gate.propose(Kind.ISOLATE, "web")
    with refused("GateBadSignature", wallet):
        gate.send("approveBySig", proposal.abi(), [(wallet, b"")], sender=people.stranger)
    gate.send("approveBySig", proposal.abi(), [(wallet, b"\x00")], sender=people.stranger)
    assert gate.view("stateOf", proposal.abi())[1] == 1


# ---------------------------------------------------------------- release


def released(gate: Gate, signers: tuple[LocalAccount, ...]) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    signatures = gate.sign("Release", proposal, *signers)
    gate.send("release", proposal.abi(), signatures, sender=gate.people.stranger)


def test_operators_release_an_order(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web", ttl=3600)
    gate.evm.advance(1800)  # well after the proposal's deadline
    signatures = gate.sign("Release", proposal, *people.operators[2:4])
    gate.send("release", proposal.abi(), signatures, sender=people.stranger)
    gate.told("Released", id=gate.id(proposal), signatures=signatures)
    assert gate.status(proposal) == "RELEASED"
    assert not gate.view("isIsolated", proposal.target)


def test_a_release_needs_its_quorum(gate: Gate, people: People) -> None:
    with refused("GateQuorumNotMet", 1, 2):
        released(gate, people.operators[:1])


def test_a_release_counts_no_one_twice(gate: Gate, people: People) -> None:
    operator = people.operators[0]
    with refused("GateDuplicateSigner", operator.address):
        released(gate, (operator, operator))


def test_a_release_by_a_stranger_is_refused(gate: Gate, people: People) -> None:
    with refused("GateMissingRole", people.stranger.address, OPERATOR):
        released(gate, (people.operators[0], people.stranger))


def test_approvals_release_nothing(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    signatures = gate.sign("Approval", proposal, *people.operators[:2])
    with refused("GateBadSignature", people.operators[0].address):
        gate.send("release", proposal.abi(), signatures, sender=people.stranger)


def test_only_a_live_order_is_released(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    signatures = gate.sign("Release", proposal, *people.operators[:2])
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("PENDING")):
        gate.send("release", proposal.abi(), signatures, sender=people.stranger)
    gate.execute(proposal)
    gate.send("release", proposal.abi(), signatures, sender=people.stranger)
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("RELEASED")):
        gate.send("release", proposal.abi(), signatures, sender=people.stranger)
