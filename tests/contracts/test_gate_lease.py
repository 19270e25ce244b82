"""The autonomy lease: within it, and only within it, a proposal executes at once."""

from __future__ import annotations

from typing import Any

import pytest
from scene import AGENT, GUARDIAN, MODEL, NOW, OPERATOR, REASON, Gate, People, refused

from policies.actions import Kind


def spent(gate: Gate) -> tuple[int, ...]:
    return tuple(gate.view("leaseOf", gate.people.agent.address)[3])


def is_live(gate: Gate) -> bool:
    return gate.view("leaseOf", gate.people.agent.address)[0] != bytes(32)


def test_a_lease_is_granted_by_signatures(gate: Gate, people: People) -> None:
    lease = gate.grant()
    id_ = gate.view("leaseDigest", lease.abi())
    signatures = gate.sign_lease(lease, *people.operators[:2])
    gate.told("LeaseGranted", id=id_, lease=lease.abi(), signatures=signatures)
    expected = (id_, lease.expires, lease.budgets, (0, 0, 0))
    assert gate.view("leaseOf", people.agent.address) == expected


def test_under_a_lease_a_proposal_executes_at_once(gate: Gate, people: People) -> None:
    gate.grant()
    proposal = gate.propose(Kind.BLOCK, "203.0.113.9/32", ttl=600)
    told = {"id": gate.id(proposal), "proposal": proposal.abi(), "until": gate.evm.now + 600}
    gate.told("Ordered", **told, signatures=())
    assert gate.status(proposal) == "LIVE"
    assert spent(gate) == (1, 0, 0)


def test_a_spent_budget_ends_autonomy_for_that_kind(gate: Gate) -> None:
    gate.grant(blocks=2, isolations=1)
    statuses = [
        gate.status(gate.propose(Kind.BLOCK, f"203.0.113.{host}/32")) for host in range(1, 4)
    ]
    assert statuses == ["LIVE", "LIVE", "PENDING"]
    assert gate.status(gate.propose(Kind.ISOLATE, "web")) == "LIVE"
    assert gate.status(gate.propose(Kind.ISOLATE, "files")) == "PENDING"
    assert spent(gate) == (2, 1, 0)


@pytest.mark.parametrize(
    ("terms", "kind", "target", "ttl"),
    [
        ({"max_criticality": 0}, Kind.ISOLATE, "files", 600),
        ({"max_ttl": 599}, Kind.BLOCK, "203.0.113.9/32", 600),
        ({"revocations": 0}, Kind.REVOKE, "ssh:deploy", 600),
        ({"isolations": 5, "max_criticality": 3}, Kind.ISOLATE, "mail", 600),  # not leasable
        ({"max_criticality": 3}, Kind.BLOCK, "203.0.113.0/24", 600),  # not leasable
        ({"max_criticality": 1, "revocations": 5}, Kind.REVOKE, "ssh:admin", 600),
    ],
)
def test_outside_its_terms_a_lease_does_nothing(
    gate: Gate, terms: dict[str, Any], kind: Kind, target: str, ttl: int
) -> None:
    gate.rule(Kind.REVOKE, 2, leasable=True)
    gate.grant(**terms)
    assert gate.status(gate.propose(kind, target, ttl)) == "PENDING"
    assert spent(gate) == (0, 0, 0)


def test_a_lease_is_for_one_model(gate: Gate) -> None:
    other = b"\x09" * 32
    gate.activate(other)
    gate.grant()
    proposal = gate.propose(Kind.BLOCK, "203.0.113.9/32", model=other)
    assert gate.status(proposal) == "PENDING"


def test_a_lease_overrides_no_guardrail(gate: Gate) -> None:
    gate.grant(isolations=5, max_criticality=3)
    with refused("GateRefused", 3):
        gate.propose(Kind.ISOLATE, "gateway")


def test_a_lease_expires(gate: Gate, people: People) -> None:
    gate.grant(expires=gate.evm.now + 60)
    gate.evm.advance(59)
    assert gate.status(gate.propose(Kind.BLOCK, "203.0.113.9/32")) == "LIVE"
    gate.evm.advance(1)
    assert not is_live(gate)
    assert gate.status(gate.propose(Kind.BLOCK, "203.0.113.9/32")) == "PENDING"
    with refused("GateNoLease", people.agent.address):
        gate.send("endLease", people.agent.address, sender=people.guardian)


def test_a_guardian_ends_a_lease_for_good(gate: Gate, people: People) -> None:
    lease = gate.grant()
    id_ = gate.view("leaseDigest", lease.abi())
    gate.send("endLease", people.agent.address, sender=people.guardian)
    gate.told("LeaseEnded", id=id_, guardian=people.guardian.address)
    assert not is_live(gate)
    signatures = gate.sign_lease(lease, *people.operators[:2])
    with refused("GateLeaseUsed", id_):
        gate.send("grantLease", lease.abi(), signatures, sender=people.stranger)


def test_revoking_a_signer_takes_the_lease_back(gate: Gate, people: People) -> None:
    gate.grant()
    gate.govern("setRoles", people.operators[0].address, 0, 0)
    assert not is_live(gate)
    assert gate.status(gate.propose(Kind.BLOCK, "203.0.113.9/32")) == "PENDING"


def test_a_lease_taken_back_may_be_ended_before_its_signer_returns(
    gate: Gate, people: People
) -> None:
    gate.grant()
    gate.govern("setRoles", people.operators[0].address, 0, 0)
    gate.send("endLease", people.agent.address, sender=people.guardian)
    gate.govern("setRoles", people.operators[0].address, OPERATOR, 0)
    assert not is_live(gate)


def test_a_lease_with_a_signer_to_spare_survives_one(gate: Gate, people: People) -> None:
    lease = gate.lease()
    signatures = gate.sign_lease(lease, *people.operators[:3])
    gate.send("grantLease", lease.abi(), signatures, sender=people.stranger)
    gate.govern("setRoles", people.operators[0].address, 0, 0)
    assert is_live(gate)


def test_an_agent_has_one_lease(gate: Gate) -> None:
    first = gate.grant()
    with refused("GateLeaseLive", gate.view("leaseDigest", first.abi())):
        gate.grant()


def test_a_lease_taken_back_makes_room_for_another(gate: Gate, people: People) -> None:
    gate.grant(blocks=1)
    gate.propose(Kind.BLOCK, "203.0.113.9/32")
    gate.govern("setRoles", people.operators[0].address, 0, 0)
    lease = gate.lease(blocks=7)
    signatures = gate.sign_lease(lease, *people.operators[1:3])
    gate.send("grantLease", lease.abi(), signatures, sender=people.stranger)
    assert spent(gate) == (0, 0, 0)


# ---------------------------------------------------------------- what grants nothing


@pytest.mark.parametrize(
    "terms",
    [
        {"blocks": 0, "isolations": 0, "revocations": 0},
        {"max_ttl": 0},
        {"max_criticality": 4},
        {"expires": 1},
        {"expires": NOW},
        {"expires": 2**63},
        {"blocks": 4096, "isolations": 0},
        {"isolations": 2**32 - 1},
    ],
)
def test_bad_terms_are_refused(gate: Gate, terms: dict[str, int]) -> None:
    with refused("GateBadLease"):
        gate.grant(**terms)


def test_the_longest_lease_is_bounded(gate: Gate) -> None:
    with refused("GateBadLease"):
        gate.grant(expires=gate.evm.now + 86401)
    gate.grant(expires=gate.evm.now + 86400)


def test_a_lease_is_for_an_agent(gate: Gate, people: People) -> None:
    with refused("GateMissingRole", people.stranger.address, AGENT):
        gate.grant(agent=people.stranger.address)


def test_a_lease_is_for_an_active_model(gate: Gate) -> None:
    with refused("GateModelNotActive", b"\x09" * 32):
        gate.grant(model=b"\x09" * 32)


def test_a_lease_needs_its_quorum(gate: Gate, people: People) -> None:
    lease = gate.lease()
    operator = people.operators[0]
    for signers, error in [
        ((operator,), ("GateQuorumNotMet", 1, 2)),
        ((operator, operator), ("GateDuplicateSigner", operator.address)),
        ((operator, people.guardian), ("GateMissingRole", people.guardian.address, OPERATOR)),
    ]:
        with refused(*error):
            signatures = gate.sign_lease(lease, *signers)
            gate.send("grantLease", lease.abi(), signatures, sender=people.stranger)


def test_signatures_are_over_these_terms(gate: Gate, people: People) -> None:
    signatures = gate.sign_lease(gate.lease(blocks=1, nonce=1), *people.operators[:2])
    with refused("GateBadSignature", people.operators[0].address):
        lease = gate.lease(blocks=1000, nonce=1)
        gate.send("grantLease", lease.abi(), signatures, sender=people.stranger)


def test_only_a_guardian_ends_a_lease(gate: Gate, people: People) -> None:
    gate.grant()
    with refused("GateMissingRole", people.operators[0].address, GUARDIAN):
        gate.send("endLease", people.agent.address, sender=people.operators[0])
    assert is_live(gate)


def test_without_a_lease_there_is_none(gate: Gate, people: People) -> None:
    nothing = (bytes(32), 0, (0, 0, 0), (0, 0, 0))
    assert gate.view("leaseOf", people.agent.address) == nothing
    with refused("GateNoLease", people.agent.address):
        gate.send("endLease", people.agent.address, sender=people.guardian)
    tier = gate.view("verdict", people.agent.address, 1, b"\x00" * 32, 60, MODEL)[0]
    assert tier == 0


# ---------------------------------------------------------------- what ends it, and what does not


def test_the_end_of_a_lease_ends_no_order(gate: Gate, people: People) -> None:
    gate.grant()
    order = gate.propose(Kind.BLOCK, "203.0.113.9/32")
    gate.send("endLease", people.agent.address, sender=people.guardian)
    assert gate.status(order) == "LIVE"


def test_a_raised_quorum_holds_for_the_lease_there_is(gate: Gate) -> None:
    gate.grant()
    for quorum, live in ((3, False), (2, True)):
        limits = list(gate.view("limits"))
        limits[4] = quorum
        gate.govern("setLimits", tuple(limits))
        assert is_live(gate) is live
        status = gate.status(gate.propose(Kind.BLOCK, "203.0.113.9/32"))
        assert status == ("LIVE" if live else "PENDING")


def test_a_lease_is_one_agents(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.stranger.address, AGENT, 0)
    gate.grant()
    other = gate.proposal(Kind.ISOLATE, "web", agent=people.stranger.address)
    gate.send("propose", other.abi(), sender=people.stranger)
    assert gate.status(other) == "PENDING"
    gate.grant(agent=people.stranger.address)  # each may have its own
    assert spent(gate) == (0, 0, 0)


def test_every_kind_has_a_budget_of_its_own(gate: Gate) -> None:
    gate.grant(blocks=4095, isolations=4095, revocations=4095)
    expected = [0, 0, 0]
    for kind, target in (
        (Kind.REVOKE, "ssh:deploy"),
        (Kind.BLOCK, "203.0.113.9/32"),
        (Kind.ISOLATE, "web"),
        (Kind.ISOLATE, "web"),
    ):
        gate.propose(kind, target)
        expected[int(kind)] += 1
        assert spent(gate) == tuple(expected)
    assert gate.view("leaseOf", gate.people.agent.address)[2] == (4095,) * 3


def test_a_lease_may_follow_the_one_that_ended(gate: Gate, people: People) -> None:
    gate.grant(blocks=1, expires=gate.evm.now + 60)
    gate.propose(Kind.BLOCK, "203.0.113.9/32")
    gate.evm.advance(60)
    gate.grant(blocks=2)
    assert spent(gate) == (0, 0, 0)
    gate.send("endLease", people.agent.address, sender=people.guardian)
    gate.grant(blocks=3)
    assert gate.view("leaseOf", people.agent.address)[2][0] == 3


def test_a_lease_leaves_nothing_to_the_next(gate: Gate, people: People) -> None:
    gate.grant(blocks=4095, isolations=4095, revocations=4095)
    gate.send("endLease", people.agent.address, sender=people.guardian)
    gate.grant(blocks=1, isolations=1, revocations=1)
    assert gate.view("leaseOf", people.agent.address)[2:] == ((1, 1, 1), (0, 0, 0))
    for kind, target in (
        (Kind.BLOCK, "203.0.113.9/32"),
        (Kind.ISOLATE, "web"),
        (Kind.REVOKE, "ssh:deploy"),
    ):
        assert [gate.status(gate.propose(kind, target)) for _ in range(2)] == ["LIVE", "PENDING"]


def test_a_lease_renews_no_budget_of_a_rule(gate: Gate) -> None:
    targets = ((Kind.BLOCK, 0, "203.0.113.9/32"), (Kind.BLOCK, 1, "203.0.113.0/24"))
    for kind, criticality, target in targets:
        gate.rule(kind, criticality, budget=1)
        gate.propose(kind, target)
    gate.grant(blocks=4095, isolations=4095, revocations=4095)
    for kind, _, target in targets:
        with refused("GateRefused", REASON.index("BUDGET_SPENT")):
            gate.propose(kind, target)


def test_a_paused_gate_still_takes_a_lease_and_spends_none(gate: Gate, people: People) -> None:
    gate.send("pause", sender=people.guardian)
    gate.grant()
    with refused("GateRefused", 4):
        gate.propose(Kind.BLOCK, "203.0.113.9/32")
    gate.resume()
    assert gate.status(gate.propose(Kind.BLOCK, "203.0.113.9/32")) == "LIVE"


def test_a_lease_is_granted_once(gate: Gate, people: People) -> None:
    lease = gate.grant(expires=gate.evm.now + 60)
    signatures = gate.sign_lease(lease, *people.operators[2:4])
    id_ = gate.view("leaseDigest", lease.abi())
    gate.govern("setRoles", people.operators[0].address, 0, 0)  # it counts no more
    with refused("GateLeaseUsed", id_):
        gate.send("grantLease", lease.abi(), signatures, sender=people.stranger)
