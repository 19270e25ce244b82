"""Who may do what: every function, for every role; and what enforcers report."""

from __future__ import annotations

import pytest
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
    refused,
)

from policies.actions import Kind

APPLIED, DRIFTED = 0, 2
PERSONS = ("agent", "operator", "guardian", "enforcer", "stranger")
NEEDS = {
    "propose": AGENT,
    "approve": OPERATOR,
    "reject": OPERATOR,
    "veto": GUARDIAN,
    "endLease": GUARDIAN,
    "fileReceipt": ENFORCER,
}
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


def person(people: People, name: str):
    return people.operators[0] if name == "operator" else getattr(people, name)


def arguments(gate: Gate, function: str) -> tuple:
    if function == "propose":
        return (gate.proposal(Kind.ISOLATE, "web").abi(),)
    if function == "endLease":
        gate.grant()
        return (gate.people.agent.address,)
    if function == "fileReceipt":
        return (gate.order(Kind.ISOLATE, "web").abi(), APPLIED, b"\x05" * 32)
    return (gate.propose(Kind.ISOLATE, "web").abi(),)


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", NEEDS)
def test_a_function_is_for_its_role(gate: Gate, people: People, function: str, name: str) -> None:
    caller = person(people, name)
    args = arguments(gate, function)
    if HOLDER[NEEDS[function]] == name:
        gate.send(function, *args, sender=caller)
    else:
        with refused("GateMissingRole", caller.address, NEEDS[function]):
            gate.send(function, *args, sender=caller)


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", GOVERNED)
def test_governance_is_for_the_governor(
    gate: Gate, people: People, function: str, name: str
) -> None:
    caller = person(people, name)
    with refused("AccessManagedUnauthorized", caller.address):
        gate.send(function, *GOVERNED[function], sender=caller)
    gate.govern(function, *GOVERNED[function])


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
