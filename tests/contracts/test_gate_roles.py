"""Who may do what: every function that changes something, for everyone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from calls import BY_ANYONE, BY_ROLE, BY_SIGNATURE, GOVERNED, HOLDER, Arguments, batched
from eth_account.signers.local import LocalAccount
from evm import Contract
from scene import AGENT, GUARDIAN, OPERATOR, Gate, People, account, refused

from policies.actions import Kind

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


def person(gate: Gate, name: str) -> LocalAccount:
    if name == "operator":
        return gate.people.operators[0]
    if not name.startswith("revoked"):
        return getattr(gate.people, name)
    former = account(name)
    for roles in (OPERATOR if name == "revoked operator" else AGENT, 0):
        gate.govern("setRoles", former.address, roles, 0)
    return former


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


@pytest.mark.parametrize("name", PERSONS)
@pytest.mark.parametrize("function", GOVERNED)
def test_governance_is_for_the_governor(many: Gate, function: str, name: str) -> None:
    caller = person(many, name)
    before, head = many.evm.state(), many.view("auditHead")
    if name == "governor":
        many.govern(function, *GOVERNED[function])
        assert many.view("auditHead") != head
        return
    with refused("AccessManagedUnauthorized", caller.address):
        many.send(function, *GOVERNED[function], sender=caller)
    assert many.evm.state() == before


# ---------------------------------------------------------------- contracts as callers


@pytest.fixture
def wallet(many: Gate, wallet_artifact: dict[str, Any]) -> Contract:
    owner = many.people.stranger.address
    made = many.evm.deploy(wallet_artifact, owner, sender=owner)
    errors = [entry for entry in many.contract.abi if entry["type"] == "error"]
    return Contract(many.evm, made.address, [*made.abi, *errors])


def through(gate: Gate, wallet: Contract, caller: LocalAccount, function: str, *args: Any) -> None:
    data = gate.contract.data(function, *args)
    wallet.send("pass", gate.contract.address, data, sender=caller.address)


def page_overdue(gate: Gate) -> Arguments:
    batch = batched(gate)
    gate.evm.advance(120)
    return (batch.abi(), 0)


REPORTS = {"reportMissing": BY_ANYONE["reportMissing"], "reportMissingBatch": page_overdue}


@pytest.mark.parametrize("function", [*BY_ROLE, *REPORTS])
def test_a_contract_may_hold_any_role(many: Gate, wallet: Contract, function: str) -> None:
    """And whoever has it make the call is no one to the gate."""
    role, arguments = BY_ROLE.get(function) or (0, REPORTS[function])
    many.govern("setRoles", wallet.address, role, 0)
    many.govern("setEnforcerScope", wallet.address, 7, "")
    if role == AGENT:
        many.people = replace(many.people, agent=wallet)  # whose address alone is asked for
    through(many, wallet, many.people.stranger, function, *arguments(many))
    told = b"".join(b"".join(topics) + data for _, topics, data in many.evm.logs)
    assert bytes.fromhex(wallet.address[2:]) in told
    assert bytes.fromhex(many.people.stranger.address[2:]) not in told


@pytest.mark.parametrize("function", BY_ROLE)
def test_a_contract_has_no_role_of_its_callers(many: Gate, wallet: Contract, function: str) -> None:
    role, arguments = BY_ROLE[function]
    args = arguments(many)
    with refused("GateMissingRole", wallet.address, role):
        through(many, wallet, person(many, HOLDER[role]), function, *args)


def test_a_contract_speaks_in_its_own_name(many: Gate, wallet: Contract, people: People) -> None:
    many.govern("setRoles", wallet.address, AGENT, 0)
    for function in ("propose", "proposeApproved", "orderBatch"):
        args = BY_ROLE[function][1](many)
        with refused("GateNotProposer", wallet.address, people.agent.address):
            through(many, wallet, people.agent, function, *args)
    many.govern("setRoles", wallet.address, OPERATOR, 0)
    proposal = many.propose(Kind.ISOLATE, "web")
    through(many, wallet, people.stranger, "withdraw", proposal.abi())
    for function in ("withdraw", "approve", "reject"):
        with refused("GateAlreadyVoted", many.id(proposal), wallet.address):
            through(many, wallet, people.stranger, function, proposal.abi())


def test_a_contract_has_a_lease_of_its_own(many: Gate, wallet: Contract, people: People) -> None:
    many.govern("setRoles", wallet.address, AGENT, 0)
    many.grant(agent=wallet.address)
    proposal = many.proposal(Kind.ISOLATE, "web", agent=wallet.address)
    through(many, wallet, people.stranger, "propose", proposal.abi())
    assert many.status(proposal) == "LIVE"


# ---------------------------------------------------------------- the tables


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
