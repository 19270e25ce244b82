"""Many orders under one signature that lists them: who signs it, what follows, how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from batching import (
    BATCHES,
    NETWORKS,
    make_batch,
    named,
    names_of,
    put_batch,
    release_batch,
    sign_batch,
    texts_of,
)
from eth_account import Account
from scene import AGENT, GUARDIAN, MODEL, OPERATOR, STATUS, Gate, People, halves, refused

from policies.actions import Kind, network_key
from responder.chain.proposal import Batch, batch_message, message_digest, name_key


def put(gate: Gate, batch: Batch, count: int = 2) -> None:
    put_batch(gate, batch, *gate.people.operators[:count])


def ordered(gate: Gate, batch: Batch) -> list[int]:
    """Ends of the orders, target by target, or page by page."""
    if batch.kind is Kind.ISOLATE:
        pages = [word >> 128 for word in batch.targets]
        return [gate.view("pageOf", batch.zone, batch.criticality, page)[2] for page in pages]
    targets = [word.to_bytes(32) for word in batch.targets]
    return [gate.view("orderedUntil", int(batch.kind), target) for target in targets]


# ---------------------------------------------------------------- identity


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize(
    ("decision", "digest"),
    [("BatchApproval", "batchApprovalDigest"), ("BatchRelease", "batchReleaseDigest")],
)
def test_the_digest_is_what_a_wallet_signs(
    many: Gate, name: str, decision: Any, digest: str
) -> None:
    batch = named(many, name, nonce=2**255)
    zone = BATCHES[name][2]
    message = batch_message(decision, batch, texts_of(many, batch), zone, many.domain)
    signed = Account.from_key(b"\x01" * 32).sign_message(message)
    given = names_of(many, batch)
    assert many.view(digest, batch.abi(), given) == bytes(signed.message_hash)
    assert message_digest(message) == bytes(signed.message_hash)
    assert many.view("batchIdOf", batch.abi()) == batch.id(many.domain)


def test_a_batch_is_never_a_proposal(many: Gate) -> None:
    """Their ids are hashes of other lengths, so no signature is good for both."""
    proposal = many.proposal(Kind.BLOCK, NETWORKS[0])
    batch = make_batch(many, Kind.BLOCK, NETWORKS[:1], nonce=proposal.nonce)
    assert many.view("idOf", proposal.abi()) != many.view("batchIdOf", batch.abi())
    given = many.view("batchApprovalDigest", batch.abi(), [])
    assert given != many.view("approvalDigest", proposal.abi())


# ---------------------------------------------------------------- orders


@pytest.mark.parametrize("name", BATCHES)
def test_two_signatures_and_all_are_orders(many: Gate, name: str) -> None:
    batch = named(many, name, ttl=120)
    put(many, batch)
    assert ordered(many, batch) == [many.evm.now + 120] * len(batch.targets)
    many.evm.advance(120)
    ended = [0] * len(batch.targets)
    if batch.kind is not Kind.ISOLATE:  # a page keeps its end until it is settled
        assert ordered(many, batch) == ended


def test_its_signatures_are_told_as_they_were_given(many: Gate, people: People) -> None:
    batch = named(many, "credentials")
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators))
    many.send("orderBatch", batch.abi(), [], signatures, sender=people.agent)
    id_ = batch.id(many.domain)
    many.told("BatchOrdered", id=id_, batch=batch.abi(), signatures=signatures)


def test_the_views_follow_at_once(many: Gate) -> None:
    put(many, named(many, "networks"))
    put(many, named(many, "credentials"))
    put(many, named(many, "pages"))
    for text in ("203.0.113.1", "203.0.113.2", "2001:db8:2::1"):
        assert many.view("isBlocked", network_key(text).to_bytes(32))
    assert many.view("isRevoked", name_key("ssh:deploy"))
    assert many.view("isRevoked", name_key("ssh:api"))
    assert many.view("isIsolated", name_key("fleet-0-261"))
    assert not many.view("isIsolated", name_key("fleet-0-260"))


def test_a_list_may_have_neighbours(many: Gate) -> None:
    batch = make_batch(many, Kind.BLOCK, ["203.0.113.2/32", "203.0.113.3/32"])
    put(many, batch)
    assert ordered(many, batch) == [many.evm.now + 600] * 2


def test_an_order_of_a_batch_never_ends_before_the_one_it_supersedes(many: Gate) -> None:
    first = many.order(Kind.BLOCK, NETWORKS[0], ttl=3600)
    until = many.evm.now + 3600
    batch = make_batch(many, Kind.BLOCK, NETWORKS, ttl=60)
    put(many, batch)
    assert sorted(ordered(many, batch)) == [until - 3540, until - 3540, until]
    assert many.status(first) == "SUPERSEDED"


def test_a_later_order_takes_its_target_from_the_batch(many: Gate, people: People) -> None:
    batch = named(many, "networks")
    put(many, batch)
    single = many.order(Kind.BLOCK, NETWORKS[0], ttl=3600)
    release_batch(many, batch, *people.operators[:2])
    assert many.status(single) == "LIVE"
    assert sorted(ordered(many, batch)) == [0, 0, many.evm.now + 3600]
    assert many.view("ruleOf", 0, 0)[1] == 1


@pytest.mark.parametrize("name", ["networks", "credentials"])
def test_operators_release_a_list(many: Gate, people: People, name: str) -> None:
    batch = named(many, name)
    put(many, batch)
    signatures = sign_batch(many, "BatchRelease", batch, *people.operators[2:4])
    many.send("releaseBatch", batch.abi(), [], signatures, sender=people.stranger)
    many.told("BatchReleased", id=batch.id(many.domain), signatures=signatures)
    assert not any(ordered(many, batch))
    assert many.view("ruleOf", int(batch.kind), batch.criticality)[1] == 0
    with refused("GateWrongStatus", batch.id(many.domain), STATUS.index("EXPIRED")):
        release_batch(many, batch, *people.operators[:2])


@pytest.mark.parametrize("name", BATCHES)
def test_what_ended_is_not_released(many: Gate, people: People, name: str) -> None:
    batch = named(many, name)
    put(many, batch)
    many.evm.advance(batch.ttl)
    with refused("GateWrongStatus", batch.id(many.domain), STATUS.index("EXPIRED")):
        release_batch(many, batch, *people.operators[:2])


@pytest.mark.parametrize("signers", ["one", "twice", "stranger", "approval"])
def test_a_release_has_its_quorum(many: Gate, people: People, signers: str) -> None:
    batch = named(many, "pages")
    put(many, batch)
    first, second = people.operators[:2]
    signatures, error = {
        "one": ((first,), ("GateQuorumNotMet", 1, 2)),
        "twice": ((first, first), ("GateDuplicateSigner", first.address)),
        "stranger": (
            (first, people.stranger),
            ("GateMissingRole", people.stranger.address, OPERATOR),
        ),
        "approval": ((first, second), ("GateBadSignature", first.address)),
    }[signers]
    decision = "BatchApproval" if signers == "approval" else "BatchRelease"
    signed = sign_batch(many, decision, batch, *signatures)
    with refused(*error):
        args = (batch.abi(), names_of(many, batch), signed)
        many.send("releaseBatch", *args, sender=people.stranger)


# ---------------------------------------------------------------- who, when, by whom


@pytest.mark.parametrize("name", BATCHES)
def test_only_the_agent_sends_its_batch(many: Gate, people: People, name: str) -> None:
    batch = named(many, name)
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:2]))
    args = (batch.abi(), names_of(many, batch), signatures)
    with refused("GateMissingRole", people.operators[0].address, AGENT):
        many.send("orderBatch", *args, sender=people.operators[0])
    many.govern("setRoles", people.stranger.address, AGENT, 0)
    with refused("GateNotProposer", people.stranger.address, people.agent.address):
        many.send("orderBatch", *args, sender=people.stranger)


def test_its_model_is_active(many: Gate, people: People) -> None:
    many.send("deactivateModel", MODEL, sender=people.guardian)
    with refused("GateModelNotActive", MODEL):
        put(many, named(many, "networks"))


@pytest.mark.parametrize("offset", [0, 901])
def test_its_deadline_is_near(many: Gate, offset: int) -> None:
    now = many.evm.now
    with refused("GateBadDeadline", now + offset, now + 1, now + 900):
        put(many, named(many, "networks", deadline=now + offset))


def test_a_batch_executes_once_and_shares_nonces_with_proposals(many: Gate, people: People) -> None:
    batch = named(many, "networks")
    put(many, batch)
    with refused("GateBadNonce", batch.nonce, batch.nonce):
        put(many, batch)
    with refused("GateBadNonce", batch.nonce, batch.nonce):
        many.propose(Kind.ISOLATE, "web", nonce=batch.nonce)
    proposal = many.propose(Kind.ISOLATE, "web")
    with refused("GateBadNonce", proposal.nonce, proposal.nonce):
        put(many, named(many, "credentials", nonce=proposal.nonce))
    release_batch(many, batch, *people.operators[:2])
    with refused("GateBadNonce", batch.nonce, proposal.nonce):
        put(many, batch)


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("signers", ["one", "twice", "stranger", "agent", "broken"])
def test_a_batch_has_the_quorum_of_its_cell(
    many: Gate, people: People, name: str, signers: str
) -> None:
    batch = named(many, name)
    first, second = people.operators[:2]
    who, error = {
        "one": ((first,), ("GateQuorumNotMet", 1, 2)),
        "twice": ((first, first), ("GateDuplicateSigner", first.address)),
        "stranger": (
            (first, people.stranger),
            ("GateMissingRole", people.stranger.address, OPERATOR),
        ),
        "agent": ((people.agent, second), ("GateMissingRole", people.agent.address, OPERATOR)),
        "broken": ((first, second), ("GateBadSignature", "0x" + "00" * 20)),
    }[signers]
    signatures = halves(sign_batch(many, "BatchApproval", batch, *who))
    if signers == "broken":
        signatures[1] = (bytes(32), signatures[1][1])
    with refused(*error):
        args = (batch.abi(), names_of(many, batch), signatures)
        many.send("orderBatch", *args, sender=people.agent)


@pytest.mark.parametrize("field", ["ttl", "evidence", "deadline", "nonce", "targets"])
def test_a_signature_is_for_one_batch(many: Gate, people: People, field: str) -> None:
    batch = named(many, "networks")
    changed: dict[str, Any] = {
        "ttl": batch.ttl - 1,
        "evidence": b"\x09" * 32,
        "deadline": batch.deadline - 1,
        "nonce": 77,
        "targets": batch.targets[:2],
    }
    altered = replace(batch, **{field: changed[field]})
    signatures = halves(sign_batch(many, "BatchApproval", batch, *people.operators[:2]))
    with pytest.raises(Exception) as raised:  # a signature over other words is a stranger's
        many.send("orderBatch", altered.abi(), [], signatures, sender=people.agent)
    assert (raised.value.name, raised.value.values[1]) == ("GateMissingRole", OPERATOR)


def test_the_groups_that_the_rule_asks_for_are_there(many: Gate, people: People) -> None:
    many.rule(Kind.BLOCK, 0, groups=0b101)
    batch = named(many, "networks")
    with refused("GateGroupMissing", 0b100):
        put(many, batch, 4)
    many.govern("setRoles", people.stranger.address, OPERATOR, 2)
    put_batch(many, batch, people.operators[0], people.stranger)


def test_a_frozen_zone_asks_for_more(many: Gate) -> None:
    many.zone("fleet", extra=1, frozen_from=many.evm.now, frozen_until=many.evm.now + 10)
    batch = named(many, "pages")
    with refused("GateQuorumNotMet", 2, 3):
        put(many, batch)
    put(many, batch, 3)


# ---------------------------------------------------------------- withdrawal and veto


@pytest.mark.parametrize("name", BATCHES)
def test_who_withdrew_does_not_count(many: Gate, people: People, name: str) -> None:
    batch = named(many, name)
    operator = people.operators[1]
    many.send("withdrawBatch", batch.abi(), sender=operator)
    id_ = batch.id(many.domain)
    many.told("Withdrawn", id=id_, operator=operator.address)
    with refused("GateAlreadyVoted", id_, operator.address):
        put(many, batch)
    with refused("GateAlreadyVoted", id_, operator.address):
        many.send("withdrawBatch", batch.abi(), sender=operator)
    put_batch(many, batch, people.operators[0], people.operators[2])


@pytest.mark.parametrize("name", BATCHES)
def test_a_guardian_vetoes_what_has_not_executed(many: Gate, people: People, name: str) -> None:
    batch = named(many, name)
    many.send("vetoBatch", batch.abi(), sender=people.guardian)
    told = {"id": batch.id(many.domain), "guardian": people.guardian.address}
    many.told("Vetoed", **told, agent=people.agent.address, nonce=batch.nonce)
    with refused("GateBadNonce", batch.nonce, batch.nonce):
        put(many, batch)
    for function, sender in (
        ("withdrawBatch", people.operators[0]),
        ("vetoBatch", people.guardian),
    ):
        with refused("GateBadNonce", batch.nonce, batch.nonce):
            many.send(function, batch.abi(), sender=sender)
    put(many, named(many, name))  # another is not vetoed


def test_what_executed_is_neither_withdrawn_nor_vetoed(many: Gate, people: People) -> None:
    batch = named(many, "networks")
    put(many, batch)
    put(many, named(many, "credentials"))
    for function, sender in (
        ("withdrawBatch", people.operators[0]),
        ("vetoBatch", people.guardian),
    ):
        with refused("GateBadNonce", batch.nonce, batch.nonce + 1):  # the last one used
            many.send(function, batch.abi(), sender=sender)


@pytest.mark.parametrize("offset", [0, 901])
def test_only_what_could_be_ordered_now_is_withdrawn(
    many: Gate, people: People, offset: int
) -> None:
    """Else what someone withdrew would be kept longer than his seat rests."""
    now = many.evm.now
    batch = named(many, "networks", deadline=now + offset)
    with refused("GateBadDeadline", now + offset, now + 1, now + 900):
        many.send("withdrawBatch", batch.abi(), sender=people.operators[0])


def test_withdrawal_is_for_operators_and_veto_for_guardians(many: Gate, people: People) -> None:
    batch = named(many, "networks")
    with refused("GateMissingRole", people.guardian.address, OPERATOR):
        many.send("withdrawBatch", batch.abi(), sender=people.guardian)
    with refused("GateMissingRole", people.operators[0].address, GUARDIAN):
        many.send("vetoBatch", batch.abi(), sender=people.operators[0])
