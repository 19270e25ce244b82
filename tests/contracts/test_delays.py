"""Delays, change windows, frozen zones and approver groups: what else a quorum may have to be."""

from __future__ import annotations

import pytest
from batching import populate
from eth_account.signers.local import LocalAccount
from scene import MODEL, NOW, OPERATOR, STATUS, TIER, Gate, People, account, refused

from policies.actions import Kind, network_key
from responder.chain.proposal import Proposal, name_key

WEEK = 604_800
DELAY = 100


@pytest.fixture
def slow(gate: Gate) -> Gate:
    """ISOLATE of criticality 1 waits for 100 seconds."""
    gate.rule(Kind.ISOLATE, 1, leasable=False, delay=DELAY, budget=100)
    return gate


def approve(gate: Gate, proposal: Proposal, *operators: LocalAccount) -> None:
    for operator in operators:
        gate.send("approve", proposal.abi(), sender=operator)


def execute(gate: Gate, proposal: Proposal) -> None:
    gate.send("execute", proposal.abi(), sender=gate.people.stranger)


def verdict(gate: Gate, kind: Kind, target: str) -> tuple[str, int, int]:
    """Tier, approvals, delay."""
    key = network_key(target).to_bytes(32) if kind is Kind.BLOCK else name_key(target)
    tier, _, approvals, delay = gate.view(
        "verdict", gate.people.agent.address, int(kind), key, 60, MODEL
    )
    return TIER[tier], approvals, delay


# ---------------------------------------------------------------- delay


def test_a_second_is_a_delay(gate: Gate) -> None:
    gate.rule(Kind.ISOLATE, 1, leasable=False, delay=1)
    assert verdict(gate, Kind.ISOLATE, "files") == ("DELAYED", 2, 1)
    with refused("GateTooEarly", gate.evm.now + 1):
        gate.propose_approved(Kind.ISOLATE, "files")


def test_what_is_approved_waits(slow: Gate, people: People) -> None:
    assert verdict(slow, Kind.ISOLATE, "files") == ("DELAYED", 2, DELAY)
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:2])
    earliest = slow.evm.now + DELAY
    waiting = (STATUS.index("WAITING"), 2, 2, earliest)
    assert slow.view("stateOf", proposal.abi()) == waiting
    slow.evm.advance(DELAY - 1)
    assert slow.view("stateOf", proposal.abi()) == waiting
    with refused("GateTooEarly", earliest):
        execute(slow, proposal)
    slow.evm.advance(1)
    assert slow.view("stateOf", proposal.abi()) == (STATUS.index("READY"), 2, 2, 0)
    execute(slow, proposal)
    assert slow.status(proposal) == "LIVE"


@pytest.mark.parametrize("by", ["approve", "approveBySig"])
def test_it_waits_from_the_last_approval_that_was_needed(
    slow: Gate, people: People, by: str
) -> None:
    proposal = slow.propose(Kind.ISOLATE, "files")
    for operator in people.operators[:3]:  # the third is one more than needed
        if by == "approve":
            approve(slow, proposal, operator)
        else:
            signatures = slow.sign("Approval", proposal, operator)
            slow.send("approveBySig", proposal.abi(), signatures, sender=people.stranger)
        slow.evm.advance(10)
    with refused("GateTooEarly", NOW + 10 + DELAY):
        execute(slow, proposal)
    slow.evm.advance(DELAY - 20)
    execute(slow, proposal)


def test_while_it_waits_a_guardian_vetoes_and_operators_withdraw(
    slow: Gate, people: People
) -> None:
    first, second = (slow.propose(Kind.ISOLATE, "files") for _ in range(2))
    for proposal in (first, second):
        approve(slow, proposal, *people.operators[:2])
    slow.send("veto", first.abi(), sender=people.guardian)
    slow.send("withdraw", second.abi(), sender=people.operators[0])
    slow.evm.advance(DELAY)
    with refused("GateWrongStatus", slow.id(first), STATUS.index("VETOED")):
        execute(slow, first)
    with refused("GateQuorumNotMet", 1, 2):
        execute(slow, second)


def test_an_approval_in_the_place_of_a_withdrawn_one_starts_the_delay_anew(
    slow: Gate, people: People
) -> None:
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:2])
    slow.evm.advance(DELAY)
    slow.send("withdraw", proposal.abi(), sender=people.operators[0])
    approve(slow, proposal, people.operators[2])
    with refused("GateTooEarly", NOW + 2 * DELAY):
        execute(slow, proposal)


def test_a_withdrawn_approval_that_was_one_too_many_changes_nothing(
    slow: Gate, people: People
) -> None:
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:2])
    slow.evm.advance(DELAY)
    approve(slow, proposal, people.operators[2])
    slow.send("withdraw", proposal.abi(), sender=people.operators[0])
    execute(slow, proposal)


def test_an_approval_in_the_place_of_a_revoked_operators_starts_the_delay_anew(
    slow: Gate, people: People
) -> None:
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:2])
    slow.evm.advance(50)
    slow.govern("setRoles", people.operators[0].address, 0, 0)
    approve(slow, proposal, people.operators[2])
    slow.evm.advance(50)
    with refused("GateTooEarly", NOW + 50 + DELAY):
        execute(slow, proposal)


def test_a_lowered_quorum_counts_from_the_last_approval_there_was(
    slow: Gate, people: People
) -> None:
    slow.rule(Kind.ISOLATE, 1, leasable=False, delay=DELAY, quorum=3)
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, people.operators[0])
    slow.evm.advance(10)
    approve(slow, proposal, people.operators[1])
    slow.evm.advance(10)
    assert slow.status(proposal) == "PENDING"
    slow.rule(Kind.ISOLATE, 1, leasable=False, delay=DELAY, quorum=2)
    with refused("GateTooEarly", NOW + 10 + DELAY):
        execute(slow, proposal)


def test_a_raised_quorum_counts_from_the_approval_that_meets_it(slow: Gate, people: People) -> None:
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:2])
    slow.evm.advance(50)
    slow.rule(Kind.ISOLATE, 1, leasable=False, delay=DELAY, quorum=3)
    approve(slow, proposal, people.operators[2])
    with refused("GateTooEarly", NOW + 50 + DELAY):
        execute(slow, proposal)


def test_a_delay_beyond_the_deadline_lets_nothing_pass(slow: Gate, people: People) -> None:
    slow.rule(Kind.ISOLATE, 1, leasable=False, delay=900)
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:2])
    slow.evm.advance(900)
    with refused("GateWrongStatus", slow.id(proposal), STATUS.index("LAPSED")):
        execute(slow, proposal)


def test_a_rule_with_a_delay_knows_no_lease(slow: Gate) -> None:
    with refused("RegistryBadRule", 1, 1):
        slow.rule(Kind.ISOLATE, 1, leasable=True, delay=1)
    slow.grant(isolations=5)
    assert slow.status(slow.propose(Kind.ISOLATE, "files")) == "PENDING"


# ---------------------------------------------------------------- change windows


@pytest.mark.parametrize(
    ("opens", "length", "open_at"),  # relative to now, in seconds
    [
        (0, 1, {0}),
        (0, 0, set()),
        (-1, 1, set()),
        (-1, 2, {0}),
        (1, 10, {1, 5, 10}),
        (-10, 10, set()),
        (-10, WEEK, {0, 1, 5, 10}),
        (-WEEK + 5, WEEK - 1, {0, 1, 5, 10}),
        (5, WEEK - 5, {5, 10}),  # over the end of the week, from wherever it stands
    ],
)
def test_within_its_window_a_zone_waits_for_nothing(
    slow: Gate, opens: int, length: int, open_at: set[int]
) -> None:
    slow.zone("office", opens=(NOW + opens) % WEEK, length=length)
    for moment in (0, 1, 5, 10):
        slow.evm.advance(NOW + moment - slow.evm.now)
        expected = ("QUORUM", 2, 0) if moment in open_at else ("DELAYED", 2, DELAY)
        assert verdict(slow, Kind.ISOLATE, "files") == expected, moment


@pytest.mark.parametrize("second", [0, 1, WEEK - 1])
@pytest.mark.parametrize("opens", [0, 1, WEEK - 1, WEEK - 50])
@pytest.mark.parametrize("length", [1, 100, WEEK])
def test_windows_wrap_around_the_end_of_the_week(
    slow: Gate, second: int, opens: int, length: int
) -> None:
    """Weeks begin with Unix time, on a Thursday at midnight."""
    slow.evm.advance(second - NOW % WEEK + WEEK)
    assert slow.evm.now % WEEK == second
    slow.zone("office", opens=opens, length=length)
    is_open = any(0 <= second + week - opens < length for week in (0, WEEK))
    tier = "QUORUM" if is_open else "DELAYED"
    assert verdict(slow, Kind.ISOLATE, "files")[0] == tier


def test_a_window_lets_through_what_waits(slow: Gate, people: People) -> None:
    slow.zone("office", opens=(NOW + 10) % WEEK, length=5)
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:2])
    slow.evm.advance(9)
    with refused("GateTooEarly", NOW + DELAY):
        execute(slow, proposal)
    slow.evm.advance(6)
    with refused("GateTooEarly", NOW + DELAY):  # it missed the window
        execute(slow, proposal)
    slow.evm.advance(WEEK - 5)
    later = slow.propose(Kind.ISOLATE, "files")
    approve(slow, later, *people.operators[:2])
    assert slow.status(later) == "READY"
    execute(slow, later)


def test_within_the_window_approvals_may_come_along(slow: Gate) -> None:
    slow.zone("office", opens=NOW % WEEK, length=5)
    slow.propose_approved(Kind.ISOLATE, "files")
    slow.evm.advance(5)
    with refused("GateTooEarly", slow.evm.now + DELAY):
        slow.propose_approved(Kind.ISOLATE, "files")


@pytest.mark.parametrize(
    ("kind", "target"), [(Kind.BLOCK, "203.0.113.9/32"), (Kind.REVOKE, "ssh:deploy")]
)
def test_networks_and_credentials_know_no_window(gate: Gate, kind: Kind, target: str) -> None:
    for name in ("dmz", "office", "core"):
        gate.zone(name, opens=0, length=WEEK)
    gate.rule(kind, 0 if kind is Kind.BLOCK else 1, leasable=False, delay=DELAY)
    assert verdict(gate, kind, target) == ("DELAYED", 2, DELAY)
    with refused("GateTooEarly", gate.evm.now + DELAY):
        gate.propose_approved(kind, target)


# ---------------------------------------------------------------- frozen zones


def test_a_frozen_zone_asks_for_more_approvals(gate: Gate, people: People) -> None:
    gate.zone("dmz", extra=2, frozen_from=NOW + 10, frozen_until=NOW + 20)
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, *people.operators[:3])
    assert gate.view("stateOf", proposal.abi()) == (STATUS.index("READY"), 3, 2, 0)
    gate.evm.advance(10)
    assert verdict(gate, Kind.ISOLATE, "web") == ("QUORUM", 4, 0)
    assert gate.view("stateOf", proposal.abi()) == (STATUS.index("PENDING"), 3, 4, 0)
    with refused("GateQuorumNotMet", 3, 4):
        execute(gate, proposal)
    with refused("GateQuorumNotMet", 2, 4):
        gate.propose_approved(Kind.ISOLATE, "web")
    gate.evm.advance(10)
    assert verdict(gate, Kind.ISOLATE, "web") == ("QUORUM", 2, 0)
    execute(gate, proposal)


def test_a_frozen_zone_is_met_by_more_approvals(gate: Gate, people: People) -> None:
    gate.zone("dmz", extra=2, frozen_from=NOW, frozen_until=NOW + 20)
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, *people.operators)
    execute(gate, proposal)
    assert gate.status(proposal) == "LIVE"


def test_a_frozen_zone_takes_more_to_reject_too(gate: Gate, people: People) -> None:
    gate.zone("dmz", extra=1, frozen_from=NOW, frozen_until=NOW + 20)
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in people.operators[:2]:
        gate.send("reject", proposal.abi(), sender=operator)
    assert gate.status(proposal) == "PENDING"
    gate.send("reject", proposal.abi(), sender=people.operators[2])
    assert gate.status(proposal) == "REJECTED"


def test_a_frozen_zone_knows_no_lease(gate: Gate) -> None:
    gate.zone("dmz", frozen_from=NOW + 10, frozen_until=NOW + 20)  # and no approvals more
    gate.grant(isolations=5)
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "LIVE"
    gate.evm.advance(10)
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "PENDING"
    assert gate.status(gate.propose(Kind.ISOLATE, "files")) == "LIVE"  # another zone
    assert gate.status(gate.propose(Kind.BLOCK, "203.0.113.9/32")) == "LIVE"
    gate.evm.advance(10)
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "LIVE"


def test_frozen_and_within_its_window_are_apart(slow: Gate, people: People) -> None:
    slow.zone(
        "office",
        extra=1,
        frozen_from=NOW,
        frozen_until=NOW + 500,
        opens=(NOW + 50) % WEEK,
        length=50,
    )
    assert verdict(slow, Kind.ISOLATE, "files") == ("DELAYED", 3, DELAY)
    slow.evm.advance(50)
    assert verdict(slow, Kind.ISOLATE, "files") == ("QUORUM", 3, 0)
    proposal = slow.propose(Kind.ISOLATE, "files")
    approve(slow, proposal, *people.operators[:3])
    execute(slow, proposal)


# ---------------------------------------------------------------- approver groups


@pytest.fixture
def operations(gate: Gate) -> LocalAccount:
    """An operator of group 1; the scene's are all of group 0."""
    made = account("of operations")
    gate.govern("setRoles", made.address, OPERATOR, 1)
    gate.rule(Kind.ISOLATE, 0, groups=0b11)
    return made


def test_one_of_each_group_that_the_rule_names(
    gate: Gate, people: People, operations: LocalAccount
) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, *people.operators)
    assert gate.status(proposal) == "PENDING"
    with refused("GateGroupMissing", 0b10):
        execute(gate, proposal)
    approve(gate, proposal, operations)
    assert gate.status(proposal) == "READY"
    execute(gate, proposal)


def test_a_group_alone_is_no_quorum(gate: Gate, people: People, operations: LocalAccount) -> None:
    gate.rule(Kind.ISOLATE, 0, quorum=3, groups=0b10)
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, operations, people.operators[0])
    with refused("GateQuorumNotMet", 2, 3):
        execute(gate, proposal)
    approve(gate, proposal, people.operators[1])
    execute(gate, proposal)


@pytest.mark.parametrize(
    ("groups", "missing"), [(0b110, 0b100), (0b1000, 0b1000), (0b1100, 0b1100)]
)
def test_the_error_names_the_groups_that_are_missing(
    gate: Gate, people: People, operations: LocalAccount, groups: int, missing: int
) -> None:
    gate.rule(Kind.ISOLATE, 0, groups=groups)
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, people.operators[0], operations)
    with refused("GateGroupMissing", missing):
        execute(gate, proposal)


@pytest.mark.parametrize("group", range(4))
def test_any_group_may_be_asked_for(gate: Gate, group: int) -> None:
    gate.rule(Kind.ISOLATE, 0, groups=1 << group)
    first, second, third = (account(f"of any group {i}") for i in range(3))
    for operator, its in ((first, group), (second, group ^ 1), (third, group ^ 1)):
        gate.govern("setRoles", operator.address, OPERATOR, its)
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, second, third)
    with refused("GateGroupMissing", 1 << group):
        execute(gate, proposal)
    approve(gate, proposal, first)
    execute(gate, proposal)


def test_approvals_that_come_along_are_of_each_group(
    gate: Gate, people: People, operations: LocalAccount
) -> None:
    with refused("GateGroupMissing", 0b10):
        gate.propose_approved(Kind.ISOLATE, "web")
    proposal = gate.proposal(Kind.ISOLATE, "web")
    signatures = gate.compact(proposal, people.operators[0], operations)
    gate.send("proposeApproved", proposal.abi(), signatures, sender=people.agent)
    assert gate.status(proposal) == "LIVE"


def test_who_is_no_operator_any_more_stands_for_no_group(
    gate: Gate, people: People, operations: LocalAccount
) -> None:
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, *people.operators[:2], operations)
    gate.govern("setRoles", operations.address, 0, 0)
    with refused("GateGroupMissing", 0b10):
        execute(gate, proposal)


def test_the_delay_runs_from_the_last_group_that_was_needed(
    gate: Gate, people: People, operations: LocalAccount
) -> None:
    gate.rule(Kind.ISOLATE, 0, groups=0b11, leasable=False, delay=DELAY)
    proposal = gate.propose(Kind.ISOLATE, "web")
    approve(gate, proposal, *people.operators[:2])
    gate.evm.advance(50)
    approve(gate, proposal, operations)
    gate.evm.advance(10)
    approve(gate, proposal, people.operators[2])
    with refused("GateTooEarly", NOW + 50 + DELAY):
        execute(gate, proposal)


def test_a_lease_asks_for_no_group(gate: Gate, operations: LocalAccount) -> None:
    """Who signs a lease signs in advance for what the rule leaves to leases."""
    gate.grant(isolations=5)
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "LIVE"


def test_a_zone_of_its_own_has_rules_of_its_own(gate: Gate) -> None:
    gate.zone("lab", extra=5, frozen_from=NOW, frozen_until=NOW + 10)
    populate(gate, "lab", 1)
    assert verdict(gate, Kind.ISOLATE, "lab-0-0") == ("QUORUM", 7, 0)
    assert verdict(gate, Kind.ISOLATE, "web") == ("QUORUM", 2, 0)
