"""What the guardrails refuse, at proposal and again at execution."""

from __future__ import annotations

import pytest
from scene import MODEL, NOW, REASON, RULES, STATUS, TIER, Gate, People, asset_entry, refused

from policies.actions import Kind, network_key
from responder.chain.proposal import name_key

MALFORMED = [
    0,  # no family
    5 << 136 | 32 << 128 | 1,
    4 << 136 | 33 << 128,
    4 << 136 | 33 << 128 | 1,
    4 << 136 | 24 << 128 | 0xC0000201,  # host bits
    4 << 136 | 32 << 128 | 1 << 32,  # more than an IPv4 address
    6 << 136 | 129 << 128,
    6 << 136 | 129 << 128 | 1,
    6 << 136 | 64 << 128 | 1,
    6 << 136 | 128 << 128 | 0xFFFF_C6336401,  # 198.51.100.1 written as IPv4-mapped IPv6
    1 << 200 | 4 << 136 | 32 << 128 | 1,
]


def verdict(gate: Gate, kind: Kind, target: bytes, ttl: int = 60) -> str:
    agent = gate.people.agent.address
    return REASON[gate.view("verdict", agent, int(kind), target, ttl, MODEL)[1]]


@pytest.mark.parametrize("key", MALFORMED)
def test_a_malformed_network_is_refused(gate: Gate, key: int) -> None:
    with refused("GateRefused", REASON.index("MALFORMED_TARGET")):
        gate.propose(Kind.BLOCK, key.to_bytes(32))


@pytest.mark.parametrize("kind", [Kind.ISOLATE, Kind.REVOKE])
def test_an_unknown_target_is_refused(gate: Gate, kind: Kind) -> None:
    with refused("GateRefused", REASON.index("UNKNOWN_TARGET")):
        gate.propose(kind, name_key("nobody registered this"))


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (Kind.ISOLATE, "gateway"),
        (Kind.REVOKE, "ssh:break-glass"),
        (Kind.BLOCK, "198.51.100.7/32"),
        (Kind.BLOCK, "198.51.100.0/24"),
        (Kind.BLOCK, "198.51.0.0/16"),
        (Kind.BLOCK, "0.0.0.0/0"),
        (Kind.BLOCK, "2001:db8:1::5/128"),
        (Kind.BLOCK, "2001:db8::/32"),
        (Kind.BLOCK, "::/0"),
    ],
)
def test_the_protected_is_refused_whoever_signs(gate: Gate, kind: Kind, target: str) -> None:
    with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
        gate.propose(kind, target)


@pytest.mark.parametrize(
    "target", ["198.51.101.0/24", "198.51.99.255/32", "2001:db8:2::/48", "c633:6400::/48"]
)
def test_a_neighbour_of_the_protected_is_not(gate: Gate, target: str) -> None:
    key = network_key(target).to_bytes(32)
    assert verdict(gate, Kind.BLOCK, key) == "NONE"


@pytest.mark.parametrize(("kind", "target"), [(Kind.ISOLATE, "erp"), (Kind.BLOCK, "8.0.0.0/8")])
def test_a_cell_without_a_rule_is_refused(gate: Gate, kind: Kind, target: str) -> None:
    with refused("GateRefused", REASON.index("RULE_REFUSES")):
        gate.propose(kind, target)


@pytest.mark.parametrize("ttl", [0, 3601, 2**32 - 1])
def test_a_time_to_live_out_of_range_is_refused(gate: Gate, ttl: int) -> None:
    with refused("GateRefused", REASON.index("TTL_OUT_OF_RANGE")):
        gate.propose(Kind.ISOLATE, "web", ttl=ttl)


@pytest.mark.parametrize(
    ("target", "quorum"),
    [
        ("203.0.113.9/32", 2),
        ("203.0.113.0/24", 2),
        ("203.0.0.0/16", 3),
        ("2001:db8:2::1/128", 2),
        ("2001:db8:2::/64", 2),
        ("2001:db8:2::/48", 3),
    ],
)
def test_the_width_of_a_block_decides_the_quorum(gate: Gate, target: str, quorum: int) -> None:
    key = network_key(target).to_bytes(32)
    agent = gate.people.agent.address
    assert gate.view("verdict", agent, 0, key, 60, MODEL) == (TIER.index("QUORUM"), 0, quorum, 0)


WIDTHS = [((32, 128), 0), ((31, 127), 1), ((24, 64), 1), ((23, 63), 2), ((16, 48), 2)]
WIDTHS += [((15, 47), 3), ((8, 16), 3), ((1, 24), 3), ((0, 0), 3)]


def test_the_wider_a_block_the_more_it_may_hurt(gate: Gate) -> None:
    for c in range(4):
        gate.rule(Kind.BLOCK, c, leasable=False, quorum=1 + c)
    for prefixes, c in WIDTHS:
        for family, prefix in zip((4, 6), prefixes, strict=True):
            key = (family << 136 | prefix << 128).to_bytes(32)
            assert gate.view("stateOf", gate.proposal(Kind.BLOCK, key).abi())[2] == 1 + c


def test_every_cell_has_its_own_budget(gate: Gate) -> None:
    gate.govern("setCredentials", [(f"key {c}", "ops", c, False) for c in range(4)])
    networks = ["203.0.113.9/32", "203.0.113.0/24", "203.0.0.0/16", "64.0.0.0/8"]
    of_kind = {
        Kind.BLOCK: networks,
        Kind.ISOLATE: ["web", "files", "mail", "erp"],
        Kind.REVOKE: [f"key {c}" for c in range(4)],
    }
    targets = [(kind, c, targets[c]) for kind, targets in of_kind.items() for c in range(4)]
    for kind, c, _ in targets:
        gate.rule(kind, c, allowed=True, budget=1, live=101)
    for kind, _, target in targets:
        gate.propose(kind, target)
    for kind, _, target in targets:
        with refused("GateRefused", REASON.index("BUDGET_SPENT")):
            gate.propose(kind, target)
    gate.evm.advance(3600)
    for kind, _, target in reversed(targets):  # nothing is left of the window before
        gate.propose(kind, target)
    for kind, _, target in targets:
        with refused("GateRefused", REASON.index("BUDGET_SPENT")):
            gate.propose(kind, target)


def test_a_budget_counts_per_window(gate: Gate) -> None:
    assert RULES[Kind.ISOLATE, 1][6] == 3
    for seconds in (0, 1, 3598):  # from its first second to its last
        gate.evm.advance(seconds)
        gate.propose(Kind.ISOLATE, "files")
    with refused("GateRefused", REASON.index("BUDGET_SPENT")):
        gate.propose(Kind.ISOLATE, "files")
    gate.propose(Kind.ISOLATE, "web")  # another cell
    gate.evm.advance(1)
    assert gate.evm.now == NOW + 3600
    gate.propose(Kind.ISOLATE, "files")


def test_a_budget_is_the_agents_own(gate: Gate, people: People) -> None:
    gate.govern("setRoles", people.stranger.address, 1, 0)
    for _ in range(RULES[Kind.ISOLATE, 1][6]):
        gate.propose(Kind.ISOLATE, "files")
    other = gate.proposal(Kind.ISOLATE, "files", agent=people.stranger.address)
    gate.send("propose", other.abi(), sender=people.stranger)
    assert gate.status(other) == "PENDING"


def test_new_roles_renew_no_budget(gate: Gate, people: People) -> None:
    gate.rule(Kind.BLOCK, 0, budget=1)
    for _ in range(2):  # in a window of an even number, and of an odd one
        gate.propose(Kind.BLOCK, "203.0.113.9/32")
        for roles in (0, 1):
            gate.govern("setRoles", people.agent.address, roles, 0)
        with refused("GateRefused", REASON.index("BUDGET_SPENT")):
            gate.propose(Kind.BLOCK, "203.0.113.9/32")
        gate.evm.advance(3600)


def test_the_budget_is_not_asked_again_at_execution(gate: Gate) -> None:
    proposals = [gate.propose(Kind.ISOLATE, "files") for _ in range(RULES[Kind.ISOLATE, 1][6])]
    assert gate.status(gate.execute(proposals[0])) == "LIVE"


def ready(gate: Gate, kind: Kind, target: str) -> tuple:
    proposal = gate.propose(kind, target)
    for operator in gate.people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    assert gate.status(proposal) == "READY"
    return proposal.abi()


def test_what_was_protected_meanwhile_does_not_execute(gate: Gate, people: People) -> None:
    proposal = ready(gate, Kind.ISOLATE, "web")
    gate.govern("setAssets", [asset_entry("web", "dmz", 0, True)])
    assert gate.view("stateOf", proposal)[0] == STATUS.index("PENDING")
    with refused("GateRefused", REASON.index("PROTECTED_TARGET")):
        gate.send("execute", proposal, sender=people.stranger)


def test_what_a_new_rule_refuses_does_not_execute(gate: Gate, people: People) -> None:
    proposal = ready(gate, Kind.ISOLATE, "web")
    gate.rule(Kind.ISOLATE, 0, allowed=False, leasable=False)
    with refused("GateRefused", REASON.index("RULE_REFUSES")):
        gate.send("execute", proposal, sender=people.stranger)


def test_a_raised_quorum_holds_for_what_is_pending(gate: Gate, people: People) -> None:
    proposal = ready(gate, Kind.ISOLATE, "web")
    gate.rule(Kind.ISOLATE, 0, quorum=3)
    with refused("GateQuorumNotMet", 2, 3):
        gate.send("execute", proposal, sender=people.stranger)


def test_a_block_covers_every_address_inside(gate: Gate) -> None:
    gate.order(Kind.BLOCK, "203.0.113.0/24")
    gate.order(Kind.BLOCK, "2001:db8:2::/64")

    def blocked(text: str) -> bool:
        return bool(gate.view("isBlocked", network_key(text).to_bytes(32)))

    assert blocked("203.0.113.255") and blocked("2001:db8:2::ffff") and blocked("203.0.113.0/25")
    assert not blocked("203.0.114.0") and not blocked("2001:db8:2:1::")
    assert not blocked("203.0.112.0/23")


def test_asking_for_a_malformed_address_reverts(gate: Gate) -> None:
    with refused("RegistryBadNetwork", bytes(32)):
        gate.view("isBlocked", bytes(32))


def test_the_first_reason_that_holds_is_told(gate: Gate, people: People) -> None:
    gate.zone("lab", share=1)
    gate.govern("setPool", "controllers", 1)
    members = [asset_entry(name, "lab", 0, False, "controllers") for name in ("dc-1", "dc-2")]
    gate.govern("setAssets", members)
    gate.order(Kind.ISOLATE, "dc-1")
    gate.govern("setAssets", [asset_entry("dc-2", "lab", 0, True, "controllers")])
    gate.send("pause", sender=people.guardian)
    rule = {"live": 1, "budget": 1}
    gate.rule(Kind.ISOLATE, 0, allowed=False, leasable=False, **rule)
    lifted = {
        "PROTECTED_TARGET": lambda: gate.govern("setAssets", members[1:]),
        "PAUSED": gate.resume,
        "RULE_REFUSES": lambda: gate.rule(Kind.ISOLATE, 0, max_ttl=60, **rule),
        "TTL_OUT_OF_RANGE": lambda: gate.rule(Kind.ISOLATE, 0, **rule),
        "LIVE_LIMIT": lambda: gate.rule(Kind.ISOLATE, 0, budget=1),
        "ZONE_SHARE": lambda: gate.zone("lab"),
        "POOL_MINIMUM": lambda: gate.govern("setPool", "controllers", 0),
        "BUDGET_SPENT": lambda: gate.rule(Kind.ISOLATE, 0),
    }
    for reason, lift in lifted.items():
        assert verdict(gate, Kind.ISOLATE, name_key("dc-2"), ttl=61) == reason
        with refused("GateRefused", REASON.index(reason)):
            gate.propose(Kind.ISOLATE, "dc-2", ttl=61)
        lift()
    assert verdict(gate, Kind.ISOLATE, name_key("dc-2"), ttl=61) == "NONE"
    gate.propose(Kind.ISOLATE, "dc-2", ttl=61)


def test_the_verdict_is_what_a_proposal_meets(gate: Gate) -> None:
    gate.rule(Kind.ISOLATE, 1, leasable=False, delay=60)
    agent, key = gate.people.agent.address, name_key("files")
    delayed = (TIER.index("DELAYED"), 0, 2, 60)
    assert gate.view("verdict", agent, 1, key, 60, MODEL) == delayed
    gate.grant()
    leased = (TIER.index("LEASE"), 0, 0, 0)
    assert gate.view("verdict", agent, 1, name_key("web"), 60, MODEL) == leased
    for other_agent, ttl, model in (
        (gate.people.stranger.address, 60, MODEL),
        (agent, 1801, MODEL),
        (agent, 60, b"\x09" * 32),
    ):
        answer = gate.view("verdict", other_agent, 1, name_key("web"), ttl, model)
        assert answer == (TIER.index("QUORUM"), 0, 2, 0)
    not_at_all = (TIER.index("REFUSED"), REASON.index("TTL_OUT_OF_RANGE"), 0, 0)
    for name in ("files", "web"):
        assert gate.view("verdict", agent, 1, name_key(name), 0, MODEL) == not_at_all
