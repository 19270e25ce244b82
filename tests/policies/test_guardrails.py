"""The guardrails on their own; that they equal the contract's is shown in tests/contracts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.actions import Action, Kind, canonical_network, network_criticality, network_key
from policies.guardrails import (
    Guardrails,
    Lease,
    Limits,
    Reason,
    Rule,
    Target,
    Tier,
    Verdict,
    ZoneRule,
)

MODEL = b"\x01" * 32
LIMITS = Limits(
    window=3600,
    max_pending=900,
    max_lease=86400,
    receipt_due=120,
    lease_quorum=2,
    release_quorum=2,
    model_quorum=2,
)
RULE = Rule(allowed=True, leasable=True, quorum=2, max_ttl=600, budget=2, live=9)
MONDAY_NINE = 4 * 86400 + 9 * 3600  # Unix weeks begin on a Thursday


@pytest.fixture
def guardrails() -> Guardrails:
    return Guardrails(
        {(Kind.ISOLATE, 1): RULE, (Kind.BLOCK, 0): RULE},
        LIMITS,
        assets={"web": Target(1), "gateway": Target(1, protected=True), "erp": Target(3)},
        credentials={},
        protected_networks=["198.51.100.0/24"],
    )


def site(
    rule: Rule = RULE, zone: ZoneRule | None = None, keep: int = 0, size: int = 5
) -> Guardrails:
    """`size` hosts of one zone, the first three of them in a pool."""
    pools = ["dns"] * 3 + [""] * size
    return Guardrails(
        {(Kind.ISOLATE, 1): rule, (Kind.BLOCK, 0): rule},
        LIMITS,
        assets={f"host-{i}": Target(1, zone="dmz", pool=pools[i]) for i in range(size)},
        credentials={},
        zones={"dmz": zone or ZoneRule()},
        pools={"dns": keep},
    )


def isolate(i: int) -> Action:
    return Action(Kind.ISOLATE, f"host-{i}", 60)


def reason_for(guardrails: Guardrails, i: int) -> Reason:
    return guardrails.verdict(isolate(i), MODEL, 0).reason


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
    assert guardrails.propose(action, MODEL, 0) == (Tier.REFUSED, reason, 0, 0)
    assert guardrails.execution(action, 0) == (Tier.REFUSED, reason, 0, 0)
    assert guardrails.used(action.kind, 1, 0) == 0


def test_a_lease_comes_before_people_and_the_budget_before_both(guardrails: Guardrails) -> None:
    guardrails.lease = Lease(MODEL, (0, 1, 0), max_criticality=1, max_ttl=600, expires=100)
    action = Action(Kind.ISOLATE, "web", 60)
    verdicts = [guardrails.propose(action, MODEL, 99.9) for _ in range(3)]
    assert [v.tier for v in verdicts] == [Tier.LEASE, Tier.QUORUM, Tier.REFUSED]
    assert verdicts[1].approvals == 2 and verdicts[2].reason is Reason.BUDGET_SPENT
    assert guardrails.propose(action, MODEL, 3600).tier is Tier.QUORUM  # the next window


def test_budgets_are_asked_at_proposal_alone(guardrails: Guardrails) -> None:
    action = Action(Kind.ISOLATE, "web", 60)
    guardrails.set_used(Kind.ISOLATE, 1, 2, now=0)
    assert guardrails.verdict(action, MODEL, 0).reason is Reason.BUDGET_SPENT
    assert guardrails.execution(action, 0) == (Tier.QUORUM, Reason.NONE, 2, 0)


def test_the_chains_count_is_taken_over(guardrails: Guardrails) -> None:
    guardrails.set_used(Kind.ISOLATE, 1, 2, now=3599)
    action = Action(Kind.ISOLATE, "web", 60)
    assert guardrails.verdict(action, MODEL, 10).reason is Reason.BUDGET_SPENT
    assert guardrails.verdict(action, MODEL, 3600).tier is Tier.QUORUM


def test_what_is_left_of_a_kinds_budget_is_that_of_its_fullest_cell() -> None:
    rules = {
        (Kind.ISOLATE, 0): replace(RULE, budget=4),
        (Kind.ISOLATE, 1): replace(RULE, budget=10),
        (Kind.ISOLATE, 2): replace(RULE, allowed=False, budget=99),
        (Kind.ISOLATE, 3): replace(RULE, budget=0),
        (Kind.REVOKE, 0): replace(RULE, allowed=False),
    }
    guardrails = Guardrails(rules, LIMITS, assets={"web": Target(0)}, credentials={})
    assert [guardrails.budget_left(kind, 0) for kind in Kind] == [0.0, 1.0, 0.0]
    guardrails.set_used(Kind.ISOLATE, 1, 9, now=0)
    assert guardrails.budget_left(Kind.ISOLATE, 0) == 1.0
    guardrails.propose(Action(Kind.ISOLATE, "web", 60), MODEL, 0)
    assert guardrails.budget_left(Kind.ISOLATE, 0) == 0.75
    guardrails.set_used(Kind.ISOLATE, 0, 4, now=0)
    assert guardrails.budget_left(Kind.ISOLATE, 0) == 0.1
    guardrails.set_used(Kind.ISOLATE, 1, 11, now=0)  # the rule was lowered meanwhile
    assert guardrails.budget_left(Kind.ISOLATE, 0) == 0.0
    assert guardrails.budget_left(Kind.ISOLATE, 3600) == 1.0  # the next window


def test_what_is_left_of_a_lease() -> None:
    guardrails = site()
    guardrails.lease = Lease(MODEL, (0, 4, 9), max_criticality=1, max_ttl=600, expires=100)
    guardrails.propose(isolate(0), MODEL, 0)
    assert [guardrails.lease.left(kind) for kind in Kind] == [0.0, 0.75, 1.0]


def test_a_pause_refuses_before_the_rule_does(guardrails: Guardrails) -> None:
    guardrails.paused = True
    assert guardrails.verdict(Action(Kind.ISOLATE, "erp", 0), MODEL, 0).reason is Reason.PAUSED
    unknown = guardrails.verdict(Action(Kind.ISOLATE, "nobody", 0), MODEL, 0)
    assert unknown.reason is Reason.UNKNOWN_TARGET


def test_as_many_orders_of_a_cell_as_may_be_live() -> None:
    guardrails = site(replace(RULE, live=2))
    guardrails.order(Kind.ISOLATE, "host-0")
    guardrails.order(Kind.ISOLATE, "host-0")  # counts once
    assert reason_for(guardrails, 1) is Reason.NONE
    guardrails.order(Kind.ISOLATE, "host-1")
    assert reason_for(guardrails, 2) is Reason.LIVE_LIMIT
    assert reason_for(guardrails, 1) is Reason.NONE  # takes its own place
    guardrails.uncount(Kind.ISOLATE, "host-0")
    guardrails.uncount(Kind.ISOLATE, "host-0")
    assert reason_for(guardrails, 2) is Reason.NONE


def test_a_network_counts_however_it_is_written() -> None:
    guardrails = site(replace(RULE, live=1))
    guardrails.order(Kind.BLOCK, "::ffff:203.0.113.9")
    again, other = (Action(Kind.BLOCK, f"203.0.113.{i}", 60) for i in (9, 8))
    assert guardrails.counted == {(Kind.BLOCK, "203.0.113.9/32")}
    assert guardrails.verdict(again, MODEL, 0).reason is Reason.NONE
    assert guardrails.verdict(other, MODEL, 0).reason is Reason.LIVE_LIMIT


def test_an_order_under_the_lease_counts_at_once() -> None:
    guardrails = site()
    guardrails.lease = Lease(MODEL, (0, 9, 0), max_criticality=1, max_ttl=600, expires=100)
    guardrails.propose(isolate(0), MODEL, 0)
    assert guardrails.counted == {(Kind.ISOLATE, "host-0")}
    guardrails.propose(isolate(1), b"\x02" * 32, 0)  # no lease of its own: it waits for people
    assert guardrails.counted == {(Kind.ISOLATE, "host-0")}


@pytest.mark.parametrize(
    ("size", "share", "allowed"), [(5, 40, 2), (5, 39, 1), (3, 1, 1), (5, 100, 5)]
)
def test_a_share_of_a_zone_and_one_asset_always(size: int, share: int, allowed: int) -> None:
    guardrails = site(zone=ZoneRule(share=share), size=size)
    for i in range(allowed):
        assert reason_for(guardrails, i) is Reason.NONE
        guardrails.order(Kind.ISOLATE, f"host-{i}")
    left = {reason_for(guardrails, i) for i in range(allowed, size)}
    assert left == ({Reason.ZONE_SHARE} if allowed < size else set())


def test_members_of_a_pool_that_stay_reachable() -> None:
    guardrails = site(keep=2)
    guardrails.order(Kind.ISOLATE, "host-4")
    assert reason_for(guardrails, 0) is Reason.NONE
    guardrails.order(Kind.ISOLATE, "host-0")
    assert reason_for(guardrails, 1) is Reason.POOL_MINIMUM
    assert reason_for(guardrails, 3) is Reason.NONE
    guardrails.uncount(Kind.ISOLATE, "host-0")
    assert reason_for(guardrails, 1) is Reason.NONE


def test_what_a_batch_isolates_counts_beside_the_assets_own_order() -> None:
    guardrails = site(replace(RULE, live=3))
    guardrails.batched = {"host-3", "host-4"}
    guardrails.counted = {(Kind.ISOLATE, "host-3")}
    assert reason_for(guardrails, 0) is Reason.LIVE_LIMIT
    assert reason_for(guardrails, 4) is Reason.LIVE_LIMIT  # it has no order of its own
    assert reason_for(guardrails, 3) is Reason.NONE
    guardrails.batched = {"host-4"}
    assert reason_for(guardrails, 0) is Reason.NONE
    assert (guardrails.batched, guardrails.counted) == ({"host-4"}, {(Kind.ISOLATE, "host-3")})
    guardrails.counted = set()
    assert not guardrails.counted


def test_a_frozen_zone_asks_more_people_and_knows_no_lease() -> None:
    guardrails = site(zone=ZoneRule(extra=3, frozen_from=50, frozen_until=60))
    guardrails.lease = Lease(MODEL, (0, 9, 0), max_criticality=1, max_ttl=600, expires=100)
    seen = [guardrails.verdict(isolate(0), MODEL, now) for now in (49.9, 50, 59.9, 60)]
    assert [v.tier for v in seen] == [Tier.LEASE, Tier.QUORUM, Tier.QUORUM, Tier.LEASE]
    assert [v.approvals for v in seen] == [0, 5, 5, 0]


@pytest.mark.parametrize(
    ("opens", "length", "waived"),
    [
        (MONDAY_NINE, 3600, {0, 3599}),
        (MONDAY_NINE + 1, 3600, {3599, 3600}),
        (7 * 86400 - 7200, 7200 + MONDAY_NINE + 1, {-1, 0}),  # into the next week
        (0, 7 * 86400, {-1, 0, 3599, 3600}),
        (0, 0, set()),
    ],
)
def test_a_change_window_waives_the_delay(opens: int, length: int, waived: set[int]) -> None:
    rule = replace(RULE, leasable=False, delay=120)
    guardrails = site(rule, ZoneRule(opens=opens, length=length))
    start = 1000 * 7 * 86400 + MONDAY_NINE
    for after in (-1, 0, 3599, 3600):
        verdict = guardrails.verdict(isolate(0), MODEL, start + after)
        expected = (Tier.QUORUM, 0) if after in waived else (Tier.DELAYED, 120)
        assert verdict == Verdict(expected[0], Reason.NONE, 2, expected[1]), after


def test_a_network_waits_for_its_delay_at_any_time() -> None:
    guardrails = site(replace(RULE, leasable=False, delay=5), ZoneRule(length=7 * 86400))
    blocked = guardrails.verdict(Action(Kind.BLOCK, "203.0.113.9", 60), MODEL, 0)
    assert blocked == (Tier.DELAYED, Reason.NONE, 2, 5)


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
