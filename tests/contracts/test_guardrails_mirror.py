"""policies/guardrails.py says what the bytecode says: random questions, and random histories."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from scene import (
    ASSETS,
    CREDENTIALS,
    LIMITS,
    MODEL,
    NOW,
    Gate,
    People,
    Reverted,
    configure,
    make_gate,
)

from policies.actions import Action, Kind, network_criticality, network_key
from policies.guardrails import Guardrails, Lease, Limits, Reason, Rule, Target, Tier, Verdict
from responder.chain.proposal import name_key

OTHER_MODEL = b"\x0a" * 32
TTLS = (0, 1, 59, 60, 600, 601, 3600, 3601, 2**32 - 1)
MALFORMED = {  # text that is no canonical network: the key that a careless client would send
    "203.0.113.9/24": 4 << 136 | 24 << 128 | 0xCB007109,
    "2001:db8::1/64": 6 << 136 | 64 << 128 | 0x20010DB8 << 96 | 1,
    "not a network": 7 << 136,
}


def random_network(rng: random.Random) -> str:
    """Some near the protected ones, some anywhere."""
    if rng.random() < 0.5:
        address = rng.choice((0xC6336400, 0xC6330000, 0x0A000000, rng.getrandbits(32)))
        bits, family = 32, "4"
    else:
        address = rng.choice((0x20010DB8_0001 << 80, 0x20010DB8 << 96, rng.getrandbits(128)))
        bits, family = 128, "6"
    address ^= rng.choice((0, 1, 1 << rng.randrange(bits)))
    bounds = (0, 8, 15, 16, 23, 24, 31, 32) if bits == 32 else (0, 32, 47, 48, 63, 64, 127, 128)
    prefix = rng.choice((*bounds, bits, rng.randrange(bits + 1)))
    address = address >> (bits - prefix) << (bits - prefix)
    if family == "4":
        return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0)) + f"/{prefix}"
    groups = (f"{address >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
    return ":".join(groups) + f"/{prefix}"


def random_action(rng: random.Random) -> Action:
    kind = rng.choice(list(Kind))
    targets = {Kind.ISOLATE: [*ASSETS, "unknown"], Kind.REVOKE: [*CREDENTIALS, "unknown"]}
    if kind is not Kind.BLOCK:
        target = rng.choice(targets[kind])
    elif rng.random() < 0.1:
        target = rng.choice(list(MALFORMED))
    else:
        target = random_network(rng)
    return Action(kind, target, rng.choice(TTLS))


def random_rules(rng: random.Random) -> dict[tuple[Kind, int], Rule]:
    return {
        (kind, criticality): Rule(
            allowed=True,
            leasable=rng.random() < 0.7,
            quorum=rng.randint(1, 4),
            max_ttl=rng.choice((60, 600, 3600)),
            budget=rng.choice((1, 3, 50)),
        )
        for kind in Kind
        for criticality in range(4)
        if rng.random() < 0.8
    }


def key_of(action: Action) -> bytes:
    if action.kind is not Kind.BLOCK:
        return name_key(action.target)
    return (MALFORMED.get(action.target) or network_key(action.target)).to_bytes(32)


class Pair:
    """The same rules in both worlds."""

    def __init__(self, people: People, rng: random.Random) -> None:
        self.gate = configure(make_gate(people))
        self.gate.govern("setModel", OTHER_MODEL, bytes(32), True)
        rules = random_rules(rng)
        for kind in Kind:
            for criticality in range(4):
                rule = rules.get((kind, criticality), Rule(allowed=False))
                values = (rule.allowed, rule.leasable, rule.quorum, rule.max_ttl, rule.budget)
                self.gate.govern("setRule", int(kind), criticality, values)
        self.mirror = Guardrails(
            rules,
            Limits(*LIMITS),
            {name: Target(criticality, safe) for name, (_, criticality, safe) in ASSETS.items()},
            {name: Target(criticality, safe) for name, (criticality, safe) in CREDENTIALS.items()},
            ("198.51.100.0/24", "2001:db8:1::/48"),
        )

    def grant(self, rng: random.Random) -> None:
        lease = self.gate.grant(
            blocks=rng.randrange(4),
            isolations=rng.randint(1, 4),
            revocations=rng.randrange(4),
            max_criticality=rng.randrange(4),
            max_ttl=rng.choice((59, 600, 3600)),
            expires=self.gate.evm.now + rng.choice((60, 3600)),
        )
        self.mirror.lease = Lease(
            MODEL, lease.budgets, lease.max_criticality, lease.max_ttl, lease.expires
        )

    def asked(self, action: Action, model: bytes) -> Verdict:
        agent = self.gate.people.agent.address
        answer = self.gate.view(
            "verdict", agent, int(action.kind), key_of(action), action.ttl, model
        )
        return Verdict(Tier(answer[0]), Reason(answer[1]), answer[2])

    def proposed(self, action: Action, model: bytes) -> Verdict:
        try:
            proposal = self.gate.propose(action.kind, key_of(action), action.ttl, model=model)
        except Reverted as error:
            assert error.name == "GateRefused"
            return Verdict(Tier.REFUSED, Reason(error.values[0]), 0)
        told = self.gate.contract.events[-1]
        if told.name == "Executed":
            return Verdict(Tier.LEASE, Reason.NONE, 0)
        assert self.gate.status(proposal) == "PENDING"
        return Verdict(Tier.QUORUM, Reason.NONE, told.args["quorum"])


def model_for(rng: random.Random) -> bytes:
    return OTHER_MODEL if rng.random() < 0.1 else MODEL


def questions(rng: random.Random, count: int) -> Iterator[tuple[Action, bytes]]:
    for _ in range(count):
        yield random_action(rng), model_for(rng)


@pytest.mark.parametrize("seed", range(8))
def test_the_same_verdict_on_random_actions(people: People, seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair(people, rng)
    if seed % 4:
        pair.grant(rng)
    seen = set()
    for action, model in questions(rng, 400):
        expected = pair.asked(action, model)
        assert pair.mirror.verdict(action, model, pair.gate.evm.now) == expected, action
        seen.add((expected.tier, expected.reason))
    assert len(seen) >= 5  # the questions reach most of the guardrails


@pytest.mark.parametrize("seed", range(8))
def test_the_same_history_on_random_sequences(people: People, seed: int) -> None:
    rng = random.Random(1000 + seed)
    pair = Pair(people, rng)
    tiers = set()
    for action, model in questions(rng, 250):
        if rng.random() < 0.05:
            pair.gate.evm.advance(rng.choice((1, 60, 1200, 3600)))
        lease = pair.mirror.lease
        if rng.random() < 0.1 and (lease is None or pair.gate.evm.now >= lease.expires):
            pair.grant(rng)
        expected = pair.proposed(action, model)
        assert pair.mirror.propose(action, model, pair.gate.evm.now) == expected, action
        tiers.add(expected.tier)
    assert tiers == set(Tier)


def test_the_reasons_all_come_up(people: People) -> None:
    rng = random.Random(0)
    pair = Pair(people, rng)
    reasons = {
        pair.mirror.propose(action, model, NOW).reason for action, model in questions(rng, 2000)
    }
    assert reasons == set(Reason)


def test_the_width_of_every_prefix(gate: Gate) -> None:
    for family, bits in ((4, 32), (6, 128)):
        for prefix in range(bits + 1):
            key = family << 136 | prefix << 128
            proposal = gate.proposal(Kind.BLOCK, key.to_bytes(32))
            needed = gate.view("stateOf", proposal.abi())[2]
            rule = gate.view("ruleOf", 0, network_criticality(key))
            assert needed == rule[2]
