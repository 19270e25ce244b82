"""Who may do what: every function that changes something, for everyone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from batching import bits, make_batch, named, names_of, put_batch, sign_batch
from eth_abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from scene import (
    AGENT,
    CARD,
    ENFORCER,
    GUARDIAN,
    LIMITS,
    MODEL,
    OPEN,
    OPERATOR,
    Gate,
    People,
    account,
    asset_entry,
    halves,
    refused,
)

from policies.actions import Kind
from responder.chain.proposal import Batch, Proposal, model_message, name_key, resume_message

DIGEST = b"\x05" * 32
PERSONS = (
    "agent",
    "operator",
    "guardian",
    "enforcer",
    "governor",
    "stranger",
    "revoked operator",
    "revoked agent",
)
Arguments = tuple[Any, ...]


def person(gate: Gate, name: str) -> LocalAccount:
    if name == "operator":
        return gate.people.operators[0]
    if not name.startswith("revoked"):
        return getattr(gate.people, name)
    former = account(name)
    for roles in (OPERATOR if name == "revoked operator" else AGENT, 0):
        gate.govern("setRoles", former.address, roles, 0)
    return former


# ---------------------------------------------------------------- by the caller's role
# Arguments of a call that the holder of the role may make.


def of_pages(gate: Gate) -> Batch:
    return make_batch(gate, Kind.ISOLATE, {0: bits(1, 2)}, "fleet")


def waiting(gate: Gate) -> Arguments:
    return (gate.propose(Kind.ISOLATE, "web").abi(),)


def approved_at_once(gate: Gate) -> Arguments:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    return (proposal.abi(), gate.compact(proposal, *gate.people.operators[:2]))


def batch_approved(gate: Gate) -> Arguments:
    batch = of_pages(gate)
    signatures = sign_batch(gate, "BatchApproval", batch, *gate.people.operators[:2])
    return (batch.abi(), names_of(gate, batch), halves(signatures))


def live_lease(gate: Gate) -> Arguments:
    gate.grant()
    return (gate.people.agent.address,)


def ordered(gate: Gate) -> Proposal:
    return gate.order(Kind.ISOLATE, "web", ttl=60)


def batched(gate: Gate, name: str = "") -> Batch:
    batch = named(gate, name) if name else of_pages(gate)
    put_batch(gate, batch, *gate.people.operators[:2])
    return batch


def receipt(gate: Gate) -> Arguments:
    order = ordered(gate)
    return (int(order.kind), order.target, gate.id(order)[:20], 0, DIGEST)


HOLDER = {AGENT: "agent", OPERATOR: "operator", GUARDIAN: "guardian", ENFORCER: "enforcer"}
BY_ROLE: dict[str, tuple[int, Callable[[Gate], Arguments]]] = {
    "propose": (AGENT, lambda g: (g.proposal(Kind.ISOLATE, "web").abi(),)),
    "proposeApproved": (AGENT, approved_at_once),
    "orderBatch": (AGENT, batch_approved),
    "approve": (OPERATOR, waiting),
    "reject": (OPERATOR, waiting),
    "withdraw": (OPERATOR, waiting),
    "withdrawBatch": (OPERATOR, lambda g: (of_pages(g).abi(),)),
    "veto": (GUARDIAN, waiting),
    "vetoBatch": (GUARDIAN, lambda g: (of_pages(g).abi(),)),
    "pause": (GUARDIAN, lambda _: ()),
    "endLease": (GUARDIAN, live_lease),
    "deactivateModel": (GUARDIAN, lambda _: (MODEL,)),
    "fileReceipt": (ENFORCER, receipt),
    "filePageReceipt": (ENFORCER, lambda g: (batched(g).abi(), 0, 0, DIGEST)),
    "fileReceipts": (ENFORCER, lambda _: (b"\x07" * 32, 1)),
}


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", BY_ROLE)
def test_a_function_is_for_its_role(many: Gate, function: str, name: str) -> None:
    role, arguments = BY_ROLE[function]
    caller, args = person(many, name), arguments(many)
    before, head = many.evm.state(), many.view("auditHead")
    if HOLDER[role] == name:
        many.send(function, *args, sender=caller)
        assert many.view("auditHead") != head
        return
    with refused("GateMissingRole", caller.address, role):
        many.send(function, *args, sender=caller)
    assert many.evm.state() == before


# ---------------------------------------------------------------- by what others signed


def votes(decision: str) -> Callable[..., Arguments]:
    def made(gate: Gate, *signers: LocalAccount) -> Arguments:
        proposal = gate.propose(Kind.ISOLATE, "web")
        return (proposal.abi(), gate.sign(decision, proposal, *signers))

    return made


def released(gate: Gate, *signers: LocalAccount) -> Arguments:
    order = ordered(gate)
    return (order.abi(), gate.sign("Release", order, *signers))


def batch_released(gate: Gate, *signers: LocalAccount) -> Arguments:
    batch = batched(gate)
    return (batch.abi(), names_of(gate, batch), sign_batch(gate, "BatchRelease", batch, *signers))


def leased(gate: Gate, *signers: LocalAccount) -> Arguments:
    lease = gate.lease()
    return (lease.abi(), gate.sign_lease(lease, *signers))


def activated(gate: Gate, *signers: LocalAccount) -> Arguments:
    deadline = gate.evm.now + 60
    message = model_message(b"\x08" * 32, CARD, 1, deadline, gate.domain)
    signatures = [(s.address, bytes(s.sign_message(message).signature)) for s in signers]
    return (b"\x08" * 32, CARD, 1, deadline, signatures)


def resumed(gate: Gate, *signers: LocalAccount) -> Arguments:
    gate.send("pause", sender=gate.people.guardian)
    message = resume_message(1, gate.domain)
    return ([(s.address, bytes(s.sign_message(message).signature)) for s in signers],)


BY_SIGNATURE: dict[str, Callable[..., Arguments]] = {
    "approveBySig": votes("Approval"),
    "rejectBySig": votes("Rejection"),
    "release": released,
    "releaseBatch": batch_released,
    "grantLease": leased,
    "activateModel": activated,
    "resume": resumed,
}


# ---------------------------------------------------------------- by anyone


def ready(gate: Gate) -> Arguments:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in gate.people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    return (proposal.abi(),)


def ended(gate: Gate) -> Arguments:
    order = ordered(gate)
    gate.evm.advance(60)
    return (int(order.kind), [order.target])


def ended_page(gate: Gate) -> Arguments:
    batch = batched(gate)
    gate.evm.advance(batch.ttl)
    return (batch.zone, 0, [0])


def under_a_root(gate: Gate, order: Proposal | Batch, target: bytes) -> tuple[Any, bytes]:
    """A receipt, and the root that it alone makes."""
    made = (order.id(gate.domain)[:20], target, gate.people.enforcer.address, 0, DIGEST)
    encoded = encode(["(bytes20,bytes32,address,uint8,bytes32)"], [made])
    root = bytes(keccak(keccak(encoded)))
    gate.send("fileReceipts", root, 1, sender=gate.people.enforcer)
    return made, root


def shown(gate: Gate) -> Arguments:
    order = ordered(gate)
    return (int(order.kind), *under_a_root(gate, order, order.target), [])


def page_shown(gate: Gate) -> Arguments:
    batch = batched(gate)
    return (batch.abi(), *under_a_root(gate, batch, batch.targets[0].to_bytes(32)), [])


def overdue(gate: Gate) -> Arguments:
    order = ordered(gate)
    gate.evm.advance(120)
    return (order.abi(),)


def batch_overdue(gate: Gate) -> Arguments:
    batch = batched(gate, "networks")
    gate.evm.advance(120)
    return (batch.abi(), 0)


BY_ANYONE: dict[str, Callable[[Gate], Arguments]] = {
    "execute": ready,
    "settle": ended,
    "settlePages": ended_page,
    "sealPage": lambda g: (name_key("dmz"), 0, 0, [name_key("web")]),
    "showReceipt": shown,
    "showPageReceipt": page_shown,
    "reportMissing": overdue,
    "reportMissingBatch": batch_overdue,
}


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", [*BY_ANYONE, *BY_SIGNATURE])
def test_anyone_may_carry_what_others_decided(many: Gate, function: str, name: str) -> None:
    caller = person(many, name)
    if function in BY_ANYONE:
        args = BY_ANYONE[function](many)
    else:
        args = BY_SIGNATURE[function](many, *many.people.operators[:2])
    head = many.view("auditHead")
    many.send(function, *args, sender=caller)
    assert many.view("auditHead") != head


@pytest.mark.parametrize("name", [name for name in PERSONS if name != "operator"])
@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_the_signature_of_one_who_is_no_operator_is_refused(
    many: Gate, function: str, name: str
) -> None:
    signer = person(many, name)
    args = BY_SIGNATURE[function](many, many.people.operators[0], signer)
    before = many.evm.state()
    with refused("GateMissingRole", signer.address, OPERATOR):
        many.send(function, *args, sender=many.people.operators[0])
    assert many.evm.state() == before


# ---------------------------------------------------------------- by governance

GOVERNED: dict[str, Arguments] = {
    "setRoles": ("0x" + "11" * 20, OPERATOR, 1),
    "setEnforcerScope": ("0x" + "11" * 20, 7, ""),
    "setZone": ("x", OPEN),
    "setPool": ("x", 1),
    "setAssets": ([asset_entry("x", "dmz", 0, False)],),
    "setCredentials": ([("x", "y", 0, False)],),
    "removeTarget": (int(Kind.ISOLATE), name_key("web")),
    "setResource": ("x", "web"),
    "setGrants": ([("ops", "wiki", 0)],),
    "setProtectedNetworks": ([(4 << 136).to_bytes(32)], True),
    "setRule": (0, 3, (True, False, 1, 0, 0, 60, 1, 1)),
    "setLimits": (LIMITS,),
}


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", GOVERNED)
def test_governance_is_for_the_governor(many: Gate, function: str, name: str) -> None:
    many.govern("setResource", "wiki", "web")
    caller = person(many, name)
    before, head = many.evm.state(), many.view("auditHead")
    if name == "governor":
        many.govern(function, *GOVERNED[function])
        assert many.view("auditHead") != head
        return
    with refused("AccessManagedUnauthorized", caller.address):
        many.send(function, *GOVERNED[function], sender=caller)
    assert many.evm.state() == before


def test_the_tables_above_name_every_function_that_changes_something(gate: Gate) -> None:
    changing = {
        entry["name"]
        for entry in gate.contract.abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert changing == {*BY_ROLE, *BY_SIGNATURE, *BY_ANYONE, *GOVERNED}


# ---------------------------------------------------------------- roles


def test_the_role_goes_with_the_account(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.guardian.address, 0, 0)
    proposal = gate.propose(Kind.ISOLATE, "web")
    with refused("GateMissingRole", people.guardian.address, GUARDIAN):
        gate.send("veto", proposal.abi(), sender=people.guardian)


def test_one_account_may_stop_and_approve(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.stranger.address, OPERATOR | GUARDIAN, 2)
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.send("approve", proposal.abi(), sender=people.stranger)
    gate.send("veto", proposal.abi(), sender=people.stranger)
    assert gate.status(proposal) == "VETOED"


@pytest.mark.parametrize("function", ["propose", "proposeApproved", "orderBatch"])
def test_an_agent_speaks_only_in_its_own_name(many: Gate, people: People, function: str) -> None:
    many.govern("setRoles", people.stranger.address, AGENT, 0)
    args = BY_ROLE[function][1](many)
    with refused("GateNotProposer", people.stranger.address, people.agent.address):
        many.send(function, *args, sender=people.stranger)
