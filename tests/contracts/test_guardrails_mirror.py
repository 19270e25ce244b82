"""policies/guardrails.py says what the bytecode says: random questions, and random histories."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from chance import a_site
from history import ask, happen
from mirrored import Pair
from scene import NOW, Gate, People

from policies.actions import Kind, network_criticality
from policies.guardrails import Reason, Tier

Seen = Counter[tuple[str, ...]]
VERDICTS = {
    *((tier.name, Reason.NONE.name) for tier in Tier if tier is not Tier.REFUSED),
    *((Tier.REFUSED.name, reason.name) for reason in Reason if reason is not Reason.NONE),
}
NEVER_AT_EXECUTION = {Reason.NONE, Reason.MALFORMED_TARGET, Reason.BUDGET_SPENT}


def compare_answers(people: People, seed: int, states: int, questions: int) -> Seen:
    """Questions to one gate in many states, each with a history of its own."""
    rng = random.Random(seed)
    pair = Pair(people, a_site(rng, NOW))
    for _ in range(states):
        pair.restart()
        for _ in range(30):
            happen(pair, rng)
        for _ in range(questions):
            ask(pair, rng)
    return pair.seen


def compare_histories(people: People, seed: int, sequences: int) -> Seen:
    """Sequences of sixteen things that happen at one gate, and a question after each."""
    rng = random.Random(seed)
    pair = Pair(people, a_site(rng, NOW))
    for _ in range(sequences):
        pair.restart()
        for _ in range(16):
            happen(pair, rng)
            ask(pair, rng)
    return pair.seen


def assert_all_come_up(seen: Seen, *ways: str) -> None:
    """Each verdict in each of these ways, and what makes a verdict milder or harsher."""
    for way in ways:
        assert {key[1:] for key in seen if key[0] == way and len(key) == 3} == VERDICTS
        for what in ("again", "frozen", "in a change window"):
            assert seen[way, what], (way, what)


def assert_orders_come_about(seen: Seen) -> None:
    for kind in Kind:
        assert seen["batch", kind.name, "BatchOrdered"]
    assert seen["executed", "Executed", ""]
    assert seen["executed", "GateQuorumNotMet", ""]
    assert seen["executed", "GateGroupMissing", ""]
    assert seen["executed", "GateTooEarly", ""]


def test_the_same_verdict_on_20_000_questions(people: People) -> None:
    seen: Seen = Counter()
    for seed in range(5):
        seen += compare_answers(people, seed, states=20, questions=200)
    assert_all_come_up(seen, "asked")


def test_the_same_history_in_2_000_sequences(people: People) -> None:
    seen: Seen = Counter()
    for seed in range(100, 110):
        seen += compare_histories(people, seed, sequences=200)
    assert_all_come_up(seen, "asked", "proposed")
    assert_orders_come_about(seen)


@pytest.mark.slow
def test_the_same_verdict_on_a_million_questions(people: People) -> None:
    seen: Seen = Counter()
    for seed in range(1000, 1100):
        seen += compare_answers(people, seed, states=25, questions=400)
    assert_all_come_up(seen, "asked", "proposed")


@pytest.mark.slow
def test_the_same_history_in_10_000_sequences(people: People) -> None:
    seen: Seen = Counter()
    for seed in range(2000, 2050):
        seen += compare_histories(people, seed, sequences=200)
    assert_all_come_up(seen, "asked", "proposed")
    assert_orders_come_about(seen)
    for reason in set(Reason) - NEVER_AT_EXECUTION:
        assert seen["executed", "GateRefused", reason.name], reason


def test_the_width_of_every_prefix(gate: Gate) -> None:
    for family, bits in ((4, 32), (6, 128)):
        for prefix in range(bits + 1):
            key = family << 136 | prefix << 128
            proposal = gate.proposal(Kind.BLOCK, key.to_bytes(32))
            needed = gate.view("stateOf", proposal.abi())[2]
            rule = gate.view("ruleOf", 0, network_criticality(key))[0]
            assert needed == rule[2]
