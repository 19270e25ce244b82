"""Operators' seats: 16 to a group, and what becomes of a vote whose seat was left."""

from __future__ import annotations

import pytest
from eth_account.signers.local import LocalAccount
from scene import (
    AGENT,
    ENFORCER,
    GUARDIAN,
    LIMITS,
    OPERATOR,
    Gate,
    People,
    account,
    refused,
)

from policies.actions import Kind

MONTH = 2_592_000  # a seat rests as long


def address(number: int) -> str:
    return "0x" + number.to_bytes(20).hex()


def approvals(gate: Gate, proposal: object) -> int:
    return int(gate.view("stateOf", proposal.abi())[1])  # type: ignore[attr-defined]


def set_role(gate: Gate, who: LocalAccount | str, roles: int, group: int = 0) -> None:
    gate.govern("setRoles", who if isinstance(who, str) else who.address, roles, group)


@pytest.fixture
def patient(gate: Gate) -> Gate:
    """Proposals wait, and leases last, as long as they may."""
    gate.govern("setLimits", (3600, MONTH, MONTH, *LIMITS[3:]))
    return gate


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize("roles", [0, 1, 2, 4, 6, 8, 14])
def test_roles_read_back(bare_gate: Gate, roles: int) -> None:
    group = 3 if roles & OPERATOR else 0
    bare_gate.govern("setRoles", address(9), roles, group)
    bare_gate.told("RolesSet", account=address(9), roles=roles, group=group)
    assert bare_gate.view("rolesOf", address(9)) == (roles, group)
    assert bare_gate.view("operators") == ((address(9),) if roles & OPERATOR else ())


@pytest.mark.parametrize("roles", [3, 5, 9, 15])
def test_an_agent_holds_no_other_role(bare_gate: Gate, roles: int) -> None:
    with refused("RegistryAgentMustBeAlone", address(9), roles):
        bare_gate.govern("setRoles", address(9), roles, 0)


@pytest.mark.parametrize("roles", [16, 17, 255])
def test_unknown_roles_are_refused(bare_gate: Gate, roles: int) -> None:
    with refused("RegistryBadRoles", roles):
        bare_gate.govern("setRoles", address(9), roles, 0)


@pytest.mark.parametrize(("roles", "group"), [(OPERATOR, 4), (OPERATOR, 255), (0, 1), (AGENT, 1)])
def test_there_are_four_groups_of_operators(bare_gate: Gate, roles: int, group: int) -> None:
    with refused("RegistryBadGroup", group):
        bare_gate.govern("setRoles", address(9), roles, group)
    with refused("RegistryBadGroup", 3):
        bare_gate.govern("setRoles", address(9), GUARDIAN | ENFORCER, 3)


# ---------------------------------------------------------------- seats


def test_a_group_seats_sixteen(bare_gate: Gate) -> None:
    for group in range(4):
        for number in range(16):
            set_role(bare_gate, address(1 + 16 * group + number), OPERATOR, group)
        with refused("RegistryNoSeat", group):
            set_role(bare_gate, address(99), OPERATOR, group)
    assert bare_gate.view("operators") == tuple(address(1 + i) for i in range(64))
    assert [bare_gate.view("rolesOf", address(1 + i))[1] for i in range(64)] == [
        i // 16 for i in range(64)
    ]


def test_sixty_four_operators_may_have_to_sign(gate: Gate, people: People) -> None:
    everyone = [*people.operators, *(account(f"one of many {i}") for i in range(60))]
    for i, operator in enumerate(everyone[4:], start=4):
        set_role(gate, operator, OPERATOR, i // 16)
    gate.rule(Kind.ISOLATE, 0, quorum=64, groups=0b1111)
    with refused("GateQuorumNotMet", 63, 64):
        proposal = gate.proposal(Kind.ISOLATE, "web")
        args = (proposal.abi(), gate.compact(proposal, *everyone[1:]))
        gate.send("proposeApproved", *args, sender=people.agent)
    proposal = gate.proposal(Kind.ISOLATE, "web")
    args = (proposal.abi(), gate.compact(proposal, *everyone))
    gate.send("proposeApproved", *args, sender=people.agent)
    assert gate.status(proposal) == "LIVE"


def test_a_seat_that_someone_left_rests_for_thirty_days(bare_gate: Gate) -> None:
    for number in range(16):
        set_role(bare_gate, address(1 + number), OPERATOR)
    set_role(bare_gate, address(5), 0)
    bare_gate.evm.advance(MONTH - 1)
    with refused("RegistryNoSeat", 0):
        set_role(bare_gate, address(99), OPERATOR)
    bare_gate.evm.advance(1)
    set_role(bare_gate, address(99), OPERATOR)
    assert address(99) in bare_gate.view("operators")
    with refused("RegistryNoSeat", 0):  # it is another's now
        set_role(bare_gate, address(5), OPERATOR)


@pytest.mark.parametrize("group", [0, 3])
def test_who_left_a_seat_may_come_back_to_it(bare_gate: Gate, group: int) -> None:
    everyone = tuple(address(1 + number) for number in range(16))
    for one in everyone:
        set_role(bare_gate, one, OPERATOR, group)
    for one in everyone:
        set_role(bare_gate, one, 0)
        set_role(bare_gate, one, OPERATOR | GUARDIAN, group)
    assert bare_gate.view("operators") == everyone


def test_no_one_comes_back_to_what_is_anothers(gate: Gate, people: People) -> None:
    first, second = people.operators[0], account("newcomer")
    set_role(gate, first, 0)
    gate.evm.advance(MONTH)
    set_role(gate, second, OPERATOR)
    assert gate.view("operators")[0] == second.address.lower()  # in the first one's seat
    proposal = gate.propose(Kind.ISOLATE, "web")
    gate.send("approve", proposal.abi(), sender=second)
    set_role(gate, second, 0)
    set_role(gate, first, OPERATOR)
    assert approvals(gate, proposal) == 0
    set_role(gate, second, OPERATOR)
    assert approvals(gate, proposal) == 1


def test_another_role_beside_it_keeps_the_seat(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    gate.send("approve", proposal.abi(), sender=operator)
    set_role(gate, operator, OPERATOR | ENFORCER)
    set_role(gate, operator, OPERATOR)
    assert approvals(gate, proposal) == 1
    assert gate.view("operators") == tuple(o.address.lower() for o in people.operators)
    with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
        gate.send("approve", proposal.abi(), sender=operator)


def test_whoever_changes_groups_waits_for_the_seat_to_rest(gate: Gate, people: People) -> None:
    """Else what he signed or withdrew by one seat would count anew by the other."""
    operator = people.operators[0]
    for leave_first in (False, True):
        if leave_first:
            set_role(gate, operator, 0)
        with refused("RegistryNoSeat", 1):
            set_role(gate, operator, OPERATOR, 1)
    gate.evm.advance(MONTH)
    set_role(gate, operator, OPERATOR, 1)
    assert gate.view("rolesOf", operator.address) == (OPERATOR, 1)


def test_what_was_withdrawn_stays_so_for_who_comes_back(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    operator = people.operators[0]
    signatures = gate.sign("Approval", proposal, operator)
    gate.send("withdraw", proposal.abi(), sender=operator)
    set_role(gate, operator, 0)
    set_role(gate, operator, OPERATOR)
    with refused("GateAlreadyVoted", gate.id(proposal), operator.address):
        gate.send("approveBySig", proposal.abi(), signatures, sender=people.stranger)


# ---------------------------------------------------------------- votes


def test_no_one_inherits_a_vote(patient: Gate, people: People) -> None:
    """A seat rests longer than anything that its holder signed can count."""
    proposal = patient.propose(Kind.ISOLATE, "web", deadline=patient.evm.now + MONTH)
    patient.grant(expires=patient.evm.now + MONTH, isolations=5)
    for operator in people.operators[:2]:
        patient.send("approve", proposal.abi(), sender=operator)
    for operator in people.operators[:2]:
        set_role(patient, operator, 0)
    newcomers = [account(f"newcomer {i}") for i in range(14)]
    for newcomer in newcomers[:12]:  # all seats of the group that do not rest
        set_role(patient, newcomer, OPERATOR)
    assert approvals(patient, proposal) == 0
    assert patient.view("leaseOf", people.agent.address)[0] == bytes(32)
    patient.evm.advance(MONTH - 1)
    with refused("RegistryNoSeat", 0):
        set_role(patient, newcomers[12], OPERATOR)
    patient.evm.advance(1)
    for newcomer in newcomers[12:]:
        set_role(patient, newcomer, OPERATOR)
    assert patient.status(proposal) == "LAPSED"
    assert patient.view("leaseOf", people.agent.address)[0] == bytes(32)


def test_while_it_rests_votes_and_leases_wait_for_their_signer(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "mail")
    lease = gate.grant(isolations=5)
    for operator in people.operators[:3]:
        gate.send("approve", proposal.abi(), sender=operator)
    set_role(gate, people.operators[0], 0)
    assert (gate.status(proposal), approvals(gate, proposal)) == ("PENDING", 2)
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "PENDING"
    set_role(gate, people.operators[0], OPERATOR)
    assert (gate.status(proposal), approvals(gate, proposal)) == ("READY", 3)
    assert gate.view("leaseOf", people.agent.address)[0] == gate.view("leaseDigest", lease.abi())


def test_who_comes_back_votes_on_what_came_meanwhile(patient: Gate, people: People) -> None:
    operator = people.operators[0]
    set_role(patient, operator, 0)
    late = patient.propose(Kind.ISOLATE, "web", deadline=patient.evm.now + MONTH)
    patient.evm.advance(MONTH - 1)
    set_role(patient, account("newcomer"), OPERATOR, 1)
    set_role(patient, operator, OPERATOR)
    assert approvals(patient, late) == 0
    patient.send("approve", late.abi(), sender=operator)
    assert approvals(patient, late) == 1


def test_a_newcomer_votes_for_himself(gate: Gate, people: People) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    set_role(gate, people.operators[0], 0)
    set_role(gate, people.stranger, OPERATOR)
    assert approvals(gate, proposal) == 1
    gate.send("approve", proposal.abi(), sender=people.stranger)
    assert approvals(gate, proposal) == 2


# ---------------------------------------------------------------- agents


def test_from_agent_to_operator_and_back(gate: Gate, people: People) -> None:
    waiting = gate.propose(Kind.ISOLATE, "web")
    set_role(gate, people.agent, OPERATOR)
    gate.send("approve", waiting.abi(), sender=people.agent)  # his own, by then an operator
    gate.send("approve", waiting.abi(), sender=people.operators[0])
    with refused("GateMissingRole", people.agent.address, AGENT):
        gate.send("execute", waiting.abi(), sender=people.stranger)
    with refused("GateMissingRole", people.agent.address, AGENT):
        gate.propose(Kind.ISOLATE, "web")
    set_role(gate, people.agent, AGENT)
    assert approvals(gate, waiting) == 1  # the proposer never counts as approver
    with refused("GateQuorumNotMet", 1, 2):
        gate.send("execute", waiting.abi(), sender=people.stranger)
    gate.send("approve", waiting.abi(), sender=people.operators[1])
    gate.send("execute", waiting.abi(), sender=people.stranger)


def test_an_agent_signs_no_lease_of_its_own(gate: Gate, people: People) -> None:
    lease = gate.lease()
    signatures = gate.sign_lease(lease, people.agent, people.operators[0])
    with refused("GateMissingRole", people.agent.address, OPERATOR):
        gate.send("grantLease", lease.abi(), signatures, sender=people.stranger)


def test_an_agent_that_comes_back_keeps_its_lease(gate: Gate, people: People) -> None:
    gate.grant(isolations=5)
    set_role(gate, people.agent, 0)
    with refused("GateMissingRole", people.agent.address, AGENT):
        gate.propose(Kind.ISOLATE, "web")
    set_role(gate, people.agent, AGENT)
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "LIVE"
