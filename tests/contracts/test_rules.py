"""The guardrail table and the limits as governance sets them."""

from __future__ import annotations

from typing import Any

import pytest
from scene import (
    LIMITS,
    MODEL,
    OPEN,
    REASON,
    RULE_FIELDS,
    RULES,
    Gate,
    People,
    asset_entry,
    refused,
)

from policies.actions import Kind
from responder.chain.proposal import name_key

MONTH = 2_592_000


@pytest.fixture
def limited(bare_gate: Gate) -> Gate:
    """With limits and a zone, and nothing else."""
    bare_gate.govern("setLimits", LIMITS)
    bare_gate.govern("setZone", "dmz", OPEN)
    return bare_gate


@pytest.mark.parametrize(
    "rule",
    [
        (True, True, 64, 15, 0, 2**24 - 1, 2047, 65_535),
        (True, False, 1, 0, 2**24 - 1, 1, 1, 1),
        (False, False, 0, 0, 0, 0, 0, 0),
        (False, False, 64, 15, 5, 6, 2047, 8),
    ],
)
def test_a_rule_reads_back(limited: Gate, rule: tuple[Any, ...]) -> None:
    limited.govern("setRule", 2, 1, rule)
    limited.told("RuleSet", kind=2, criticality=1, rule=rule)
    assert limited.view("ruleOf", 2, 1) == (rule, 0)
    others = {(k, c) for k in range(3) for c in range(4)} - {(2, 1)}
    nothing = ((False, False, 0, 0, 0, 0, 0, 0), 0)
    assert all(limited.view("ruleOf", kind, c) == nothing for kind, c in others)


@pytest.mark.parametrize(
    "change",
    [
        {"quorum": 0},
        {"quorum": 65},
        {"groups": 16},
        {"groups": 7, "quorum": 2},
        {"max_ttl": 0},
        {"budget": 0},
        {"budget": 2048},
        {"live": 0},
        {"leasable": True, "delay": 1},
        {"allowed": False, "leasable": True},
        {"allowed": False, "quorum": 65},
        {"allowed": False, "groups": 16},
        {"allowed": False, "budget": 2048},
    ],
)
def test_an_incomplete_rule_is_refused(gate: Gate, change: dict[str, Any]) -> None:
    rule = dict(zip(RULE_FIELDS, RULES[Kind.REVOKE, 2], strict=True)) | change
    with refused("RegistryBadRule", 2, 2):
        gate.govern("setRule", 2, 2, tuple(rule.values()))


def test_there_are_four_criticalities(gate: Gate) -> None:
    with refused("RegistryBadCriticality", 4):
        gate.view("ruleOf", 0, 4)
    with refused("RegistryBadCriticality", 4):
        gate.govern("setRule", 0, 4, RULES[Kind.BLOCK, 0])


def test_a_new_rule_keeps_what_counts(gate: Gate) -> None:
    gate.order(Kind.BLOCK, "203.0.113.9/32")
    gate.rule(Kind.BLOCK, 0, live=5, quorum=3)
    assert gate.view("ruleOf", 0, 0)[1] == 1
    with refused("GateQuorumNotMet", 2, 3):
        gate.propose_approved(Kind.BLOCK, "203.0.113.9/32")


def test_limits_come_before_rules(bare_gate: Gate) -> None:
    with refused("RegistryBadLimits"):
        bare_gate.govern("setRule", 0, 0, (True, False, 2, 0, 0, 600, 7, 7))


@pytest.mark.parametrize(
    ("position", "value"), [*((i, 0) for i in range(7)), (1, MONTH + 1), (2, MONTH + 1)]
)
def test_no_limit_is_zero_or_beyond_a_seats_rest(
    bare_gate: Gate, position: int, value: int
) -> None:
    limits = list(LIMITS)
    limits[position] = value
    with refused("RegistryBadLimits"):
        bare_gate.govern("setLimits", tuple(limits))


@pytest.mark.parametrize("limits", [LIMITS, (2**24 - 1, MONTH, MONTH, 2**24 - 1, 255, 255, 255)])
def test_limits_read_back(bare_gate: Gate, people: People, limits: tuple[int, ...]) -> None:
    bare_gate.govern("setLimits", limits)
    bare_gate.told("LimitsSet", caller=people.governor.address, limits=limits)
    assert bare_gate.view("limits") == limits


@pytest.mark.parametrize("first", ["rules", "limits"])
def test_the_limits_hold_in_every_cell(limited: Gate, people: People, first: str) -> None:
    """A cell has a copy of them: whichever comes first, rule or change of limits."""
    gate = limited
    gate.govern("setRoles", people.agent.address, 1, 0)
    for operator in people.operators:
        gate.govern("setRoles", operator.address, 2, 0)
    steps = {
        "rules": set_all_rules,
        "limits": lambda g: g.govern("setLimits", (60, 30, *LIMITS[2:])),
    }
    for name in sorted(steps, key=lambda name: name != first):
        steps[name](gate)
    gate.activate(b"\x01" * 32)
    gate.govern("setAssets", [asset_entry(f"a{c}", "dmz", c, False) for c in range(4)])
    gate.govern("setCredentials", [(f"c{c}", "ops", c, False) for c in range(4)])
    networks = ("1.2.3.4/32", "1.2.3.0/24", "1.2.0.0/16", "1.0.0.0/8")
    now = gate.evm.now
    for kind, form in ((0, None), (1, "a{}"), (2, "c{}")):
        for name in [form.format(c) for c in range(4)] if form else networks:
            with refused("GateBadDeadline", now + 31, now + 1, now + 30):
                gate.propose(Kind(kind), name, deadline=now + 31)
            gate.execute(gate.propose(Kind(kind), name, deadline=now + 30))


def set_all_rules(gate: Gate) -> None:
    for kind in range(3):
        for criticality in range(4):
            gate.govern("setRule", kind, criticality, (True, False, 2, 0, 0, 3600, 100, 100))


@pytest.mark.parametrize(("first", "second"), [(3600, 7200), (3601, 3600)])
def test_a_changed_window_counts_anew(gate: Gate, first: int, second: int) -> None:
    gate.govern("setLimits", (first, *LIMITS[1:]))
    for _ in range(3):
        gate.propose(Kind.ISOLATE, "files")
    with refused("GateRefused", 10):
        gate.propose(Kind.ISOLATE, "files")
    gate.govern("setLimits", (second, *LIMITS[1:]))
    gate.propose(Kind.ISOLATE, "files")


def test_an_order_leaves_the_window_as_it_is(gate: Gate) -> None:
    gate.govern("setLimits", (3601, *LIMITS[1:]))
    gate.rule(Kind.ISOLATE, 1, budget=1)
    gate.order(Kind.ISOLATE, "files")
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        gate.propose(Kind.ISOLATE, "files")


# ---------------------------------------------------------------- fields share words


def test_no_field_of_a_rule_runs_into_the_next(gate: Gate, people: People) -> None:
    """All odd: whoever read a bit too much would read one that is set."""
    now, target = gate.evm.now, "203.0.113.9/32"
    gate.govern("setLimits", (3601, 901, 86_401, 121, 3, 3, 3))
    odd = {"quorum": 3, "delay": 101, "max_ttl": 3601, "budget": 1, "live": 101}
    gate.rule(Kind.BLOCK, 0, leasable=False, **odd)
    assert gate.view("ruleOf", 0, 0)[1] == 0
    assert gate.view("stateOf", gate.proposal(Kind.BLOCK, target).abi())[2] == 3
    with refused("GateBadDeadline", now + 902, now + 1, now + 901):
        gate.propose(Kind.BLOCK, target, deadline=now + 902)
    with refused("GateRefused", REASON.index("TTL_OUT_OF_RANGE")):
        gate.propose(Kind.BLOCK, target, ttl=3602)
    with refused("GateTooEarly", now + 101):
        gate.propose_approved(Kind.BLOCK, target)
    gate.propose(Kind.BLOCK, target, ttl=3601, deadline=now + 901)
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        gate.propose(Kind.BLOCK, target)
    gate.evm.advance(3601)
    gate.propose(Kind.BLOCK, target)


def test_no_field_of_a_zone_runs_into_the_next(gate: Gate) -> None:
    now, web = gate.evm.now, name_key("web")
    gate.govern("setAssets", [asset_entry(name, "dmz", 0, False) for name in ("a", "b")])
    frozen = {"frozen_from": now + 1, "frozen_until": now + 11}
    gate.zone("dmz", share=35, extra=1, **frozen, opens=1, length=3)
    gate.rule(Kind.ISOLATE, 0, leasable=False)
    gate.order(Kind.ISOLATE, "web", ttl=601)
    assert gate.view("zoneOf", name_key("dmz"))[1:] == (3, 1)
    assert gate.view("assetOf", web)[5] == 0  # its place
    with refused("GateRefused", REASON.index("ZONE_SHARE")):
        gate.propose(Kind.ISOLATE, "a")
    proposal = gate.proposal(Kind.ISOLATE, "web", deadline=now + 100)
    needed = []
    for seconds in (0, 1, 9, 1):
        gate.evm.advance(seconds)
        needed.append(gate.view("stateOf", proposal.abi())[2])
    assert needed == [2, 3, 3, 2]
    gate.rule(Kind.ISOLATE, 0, leasable=False, delay=101)
    assert gate.view("verdict", gate.people.agent.address, 1, web, 60, MODEL)[3] == 101


def test_no_field_of_a_lease_runs_into_the_next(gate: Gate, people: People) -> None:
    gate.grant(max_ttl=1801, max_criticality=1, blocks=1, isolations=4095, revocations=1)
    expires, budgets, spent = gate.view("leaseOf", people.agent.address)[1:]
    assert (expires, budgets, spent) == (gate.evm.now + 3600, (1, 4095, 1), (0, 0, 0))
    assert gate.status(gate.propose(Kind.ISOLATE, "web", ttl=1802)) == "PENDING"
    assert gate.status(gate.propose(Kind.ISOLATE, "web", ttl=1801)) == "LIVE"
    assert gate.view("leaseOf", people.agent.address)[3] == (0, 1, 0)
    gate.evm.advance(3600)
    assert gate.view("leaseOf", people.agent.address)[0] == bytes(32)


def test_no_field_of_a_target_runs_into_the_next(gate: Gate, people: People) -> None:
    for number in range(8):  # each of another id
        target = f"203.0.113.{number}/32"
        gate.order(Kind.BLOCK, target, ttl=601)
        order = gate.order(Kind.BLOCK, target, ttl=700)
        assert gate.view("orderedUntil", 0, order.target) == gate.evm.now + 700
        signatures = gate.sign("Release", order, *people.operators[:2])
        gate.send("release", order.abi(), signatures, sender=people.stranger)
        assert gate.status(order) == "RELEASED"
