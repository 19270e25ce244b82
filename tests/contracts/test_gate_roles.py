"""Who may do what: every function, for every role; and what enforcers report."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from scene import (
    AGENT,
    CARD,
    ENFORCER,
    GUARDIAN,
    LIMITS,
    MODEL,
    OPERATOR,
    STATUS,
    Gate,
    People,
    account,
    refused,
)

from policies.actions import Kind

APPLIED, DRIFTED = 0, 2
OTHERS = ("agent", "guardian", "enforcer", "governor", "stranger", "revoked operator")
PERSONS = ("operator", *OTHERS)
NEEDS = {
    "propose": AGENT,
    "proposeApproved": AGENT,
    "approve": OPERATOR,
    "reject": OPERATOR,
    "veto": GUARDIAN,
    "endLease": GUARDIAN,
    "fileReceipt": ENFORCER,
}
BY_SIGNATURE = ("approveBySig", "rejectBySig", "release", "grantLease")
OPEN = ("execute", *BY_SIGNATURE)
HOLDER = {AGENT: "agent", OPERATOR: "operator", GUARDIAN: "guardian", ENFORCER: "enforcer"}
GOVERNED = {
    "setRoles": ("0x" + "11" * 20, OPERATOR),
    "setAsset": ("x", "y", 0, False),
    "setCredential": ("x", 0, False),
    "setProtectedNetwork": ((4 << 136).to_bytes(32), True),
    "setModel": (b"\x07" * 32, CARD, True),
    "setRule": (0, 3, (True, False, 1, 60, 1)),
    "setLimits": (LIMITS,),
}


def person(gate: Gate, name: str) -> LocalAccount:
    if name == "operator":
        return gate.people.operators[0]
    if name != "revoked operator":
        return getattr(gate.people, name)
    former = account(name)
    for roles in (OPERATOR, 0):
        gate.govern("setRoles", former.address, roles)
    return former


def arguments(gate: Gate, function: str) -> tuple:
    """Of a call that the holder of the role may make."""
    if function == "propose":
        return (gate.proposal(Kind.ISOLATE, "web").abi(),)
    if function == "proposeApproved":
        proposal = gate.proposal(Kind.ISOLATE, "web")
        return (proposal.abi(), gate.compact(proposal, *gate.people.operators[:2]))
    if function == "endLease":
        gate.grant()
        return (gate.people.agent.address,)
    if function == "fileReceipt":
        return (gate.order(Kind.ISOLATE, "web").abi(), APPLIED, b"\x05" * 32)
    return (gate.propose(Kind.ISOLATE, "web").abi(),)


def signed_call(gate: Gate, function: str, *signers: LocalAccount) -> tuple:
    """Arguments of a call that counts by who signed, not by who sends."""
    if function == "grantLease":
        lease = gate.lease()
        return (lease.abi(), gate.sign_lease(lease, *signers))
    if function == "release":
        order = gate.order(Kind.ISOLATE, "web")
        return (order.abi(), gate.sign("Release", order, *signers))
    proposal = gate.propose(Kind.ISOLATE, "web")
    decision = "Approval" if function == "approveBySig" else "Rejection"
    return (proposal.abi(), gate.sign(decision, proposal, *signers))


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", NEEDS)
def test_a_function_is_for_its_role(gate: Gate, function: str, name: str) -> None:
    caller = person(gate, name)
    args = arguments(gate, function)
    if HOLDER[NEEDS[function]] == name:
        gate.send(function, *args, sender=caller)
        return
    before = gate.view("auditHead")
    with refused("GateMissingRole", caller.address, NEEDS[function]):
        gate.send(function, *args, sender=caller)
    assert gate.view("auditHead") == before


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", OPEN)
def test_anyone_may_carry_what_others_signed(gate: Gate, function: str, name: str) -> None:
    caller = person(gate, name)
    if function == "execute":
        proposal = gate.propose(Kind.ISOLATE, "web")
        for operator in gate.people.operators[:2]:
            gate.send("approve", proposal.abi(), sender=operator)
        args = (proposal.abi(),)
    else:
        args = signed_call(gate, function, *gate.people.operators[:2])
    before = gate.view("auditHead")
    gate.send(function, *args, sender=caller)
    assert gate.view("auditHead") != before


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_the_signature_of_one_who_is_no_operator_is_refused(
    gate: Gate, function: str, name: str
) -> None:
    signer = person(gate, name)
    args = signed_call(gate, function, gate.people.operators[0], signer)
    before = gate.view("auditHead")
    with refused("GateMissingRole", signer.address, OPERATOR):
        gate.send(function, *args, sender=gate.people.operators[0])
    assert gate.view("auditHead") == before


@pytest.mark.parametrize("name", [name for name in PERSONS if name != "governor"])
@pytest.mark.parametrize("function", GOVERNED)
def test_governance_is_for_the_governor(gate: Gate, function: str, name: str) -> None:
    caller = person(gate, name)
    with refused("AccessManagedUnauthorized", caller.address):
        gate.send(function, *GOVERNED[function], sender=caller)
    gate.govern(function, *GOVERNED[function])


def test_the_tables_above_name_every_function_that_changes_something(gate: Gate) -> None:
    changing = {
        entry["name"]
        for entry in gate.contract.abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    assert changing == {*NEEDS, *OPEN, *GOVERNED}


def test_the_authority_is_fixed(gate: Gate, people: People) -> None:
    with refused("RegistryAuthorityFixed"):
        gate.send("setAuthority", people.stranger.address, sender=people.governor)
    fixed = keccak(text="RegistryAuthorityFixed()")[:4].hex()
    with pytest.raises(RuntimeError, match=fixed):  # the gate's error, through the manager
        args = (gate.contract.address, gate.contract.address)
        gate.manager.send("updateAuthority", *args, sender=people.governor.address)


def test_the_role_goes_with_the_account(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.guardian.address, 0)
    proposal = gate.propose(Kind.ISOLATE, "web")
    with refused("GateMissingRole", people.guardian.address, GUARDIAN):
        gate.send("veto", proposal.abi(), sender=people.guardian)


def test_one_account_may_stop_and_approve(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.stranger.address, OPERATOR | GUARDIAN)
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.send("approve", proposal.abi(), sender=people.stranger)
    gate.send("veto", proposal.abi(), sender=people.stranger)
    assert gate.status(proposal) == "VETOED"


# ---------------------------------------------------------------- receipts


def test_a_receipt_is_told(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    gate.send("fileReceipt", proposal.abi(), DRIFTED, b"\x05" * 32, sender=people.enforcer)
    assert gate.last.name == "ReceiptFiled"
    assert gate.last.args == {
        "id": gate.id(proposal),
        "enforcer": people.enforcer.address.lower(),
        "outcome": DRIFTED,
        "digest": b"\x05" * 32,
    }


def test_a_receipt_may_follow_the_end_of_an_order(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web", ttl=60)
    gate.evm.advance(60)
    gate.send("fileReceipt", proposal.abi(), 3, b"\x05" * 32, sender=people.enforcer)
    assert gate.last.args["outcome"] == 3


def test_a_superseded_order_takes_no_receipt(gate: Gate, people: People) -> None:
    proposal = gate.order(Kind.ISOLATE, "web")
    gate.order(Kind.ISOLATE, "web")
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index("SUPERSEDED")):
        gate.send("fileReceipt", proposal.abi(), APPLIED, bytes(32), sender=people.enforcer)


@pytest.mark.parametrize("status", ["NONE", "PENDING", "VETOED"])
def test_no_receipt_for_what_was_never_ordered(gate: Gate, people: People, status: str) -> None:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    if status != "NONE":
        gate.send("propose", proposal.abi(), sender=people.agent)
    if status == "VETOED":
        gate.send("veto", proposal.abi(), sender=people.guardian)
    with refused("GateWrongStatus", gate.id(proposal), STATUS.index(status)):
        gate.send("fileReceipt", proposal.abi(), APPLIED, bytes(32), sender=people.enforcer)


def test_the_model_of_a_proposal_must_be_registered(gate: Gate) -> None:
    assert gate.view("isModelActive", MODEL)
    with refused("GateModelNotActive", b"\x09" * 32):
        gate.propose(Kind.ISOLATE, "web", model=b"\x09" * 32)
