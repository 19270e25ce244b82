"""The guardrails on their own; that they equal the contract's is shown in tests/contracts."""

from __future__ import annotations

import pytest

from policies.actions import Action, Kind, canonical_network, network_criticality, network_key
from policies.guardrails import Guardrails, Lease, Limits, Reason, Rule, Target, Tier

MODEL = b"\x01" * 32
LIMITS = Limits(window=3600, max_pending=900, lease_quorum=2, release_quorum=2, max_lease=86400)


@pytest.fixture
def guardrails() -> Guardrails:
    rule = Rule(allowed=True, leasable=True, quorum=2, max_ttl=600, budget=2)
    return Guardrails(
        {(Kind.ISOLATE, 1): rule, (Kind.BLOCK, 0): rule},
        LIMITS,
        assets={"web": Target(1), "gateway": Target(1, protected=True), "erp": Target(3)},
        credentials={},
        protected_networks=["198.51.100.0/24"],
    )


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (Action(Kind.BLOCK, "300.1.1.1", 60), Reason.MALFORMED_TARGET),
        (Action(Kind.BLOCK, "10.0.0.1/24", 60), Reason.MALFORMED_TARGET),
        (Action(Kind.BLOCK, "fe80::1%eth0", 60), Reason.MALFORMED_TARGET),
        (Action(Kind.ISOLATE, "nobody", 60), Reason.UNKNOWN_TARGET),
        (Action(Kind.REVOKE, "web", 60), Reason.UNKNOWN_TARGET),
        (Action(Kind.ISOLATE, "gateway", 60), Reason.PROTECTED_TARGET),
        (Action(Kind.BLOCK, "::ffff:198.51.100.1", 60), Reason.PROTECTED_TARGET),
        (Action(Kind.ISOLATE, "erp", 60), Reason.RULE_REFUSES),
        (Action(Kind.ISOLATE, "web", 601), Reason.TTL_OUT_OF_RANGE),
        (Action(Kind.ISOLATE, "web", 0), Reason.TTL_OUT_OF_RANGE),
    ],
)
def test_refusals(guardrails: Guardrails, action: Action, reason: Reason) -> None:
    assert guardrails.propose(action, MODEL, 0) == (Tier.REFUSED, reason, 0)
    assert guardrails.used(action.kind, 1, 0) == 0


def test_a_lease_comes_before_people_and_the_budget_before_both(guardrails: Guardrails) -> None:
    guardrails.lease = Lease(MODEL, (0, 1, 0), max_criticality=1, max_ttl=600, expires=100)
    action = Action(Kind.ISOLATE, "web", 60)
    verdicts = [guardrails.propose(action, MODEL, 99.9) for _ in range(3)]
    assert [v.tier for v in verdicts] == [Tier.LEASE, Tier.QUORUM, Tier.REFUSED]
    assert verdicts[1].approvals == 2 and verdicts[2].reason is Reason.BUDGET_SPENT
    assert guardrails.propose(action, MODEL, 3600).tier is Tier.QUORUM  # the next window


def test_the_chains_count_is_taken_over(guardrails: Guardrails) -> None:
    guardrails.set_used(Kind.ISOLATE, 1, 2, now=3599)
    action = Action(Kind.ISOLATE, "web", 60)
    assert guardrails.verdict(action, MODEL, 10).reason is Reason.BUDGET_SPENT
    assert guardrails.verdict(action, MODEL, 3600).tier is Tier.QUORUM


@pytest.mark.parametrize(
    ("text", "canonical", "criticality"),
    [
        ("203.0.113.9", "203.0.113.9/32", 0),
        ("203.0.113.0/24", "203.0.113.0/24", 1),
        ("203.0.0.0/16", "203.0.0.0/16", 2),
        ("0.0.0.0/0", "0.0.0.0/0", 3),
        ("2001:DB8:0:0::1", "2001:db8::1/128", 0),
        ("2001:db8::/64", "2001:db8::/64", 1),
        ("2001:db8::/48", "2001:db8::/48", 2),
        ("2001:db8::/32", "2001:db8::/32", 3),
        ("::ffff:203.0.113.9", "203.0.113.9/32", 0),
    ],
)
def test_a_network_has_one_key(text: str, canonical: str, criticality: int) -> None:
    assert canonical_network(text) == canonical
    assert network_key(text) == network_key(canonical)
    assert network_criticality(network_key(text)) == criticality
