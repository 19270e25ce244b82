"""What a scenario may set about operators, their rules, the users, and what counts."""

# ruff: noqa: RUF009 - number, span, ... make fields

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rl_env.fields import (
    LOG,
    Choices,
    Group,
    Levels,
    Span,
    WholeSpan,
    choices,
    levels,
    number,
    span,
)
from rl_env.threats import CHANCE, DEPLOYED, SHARE, WIDE

__all__ = ["Guardrails", "Operators", "Reward", "Users"]

GAS: Final = "gas-snapshot.json: what the contracts were measured to take"
ORDINARY: Final = "ordinary office hours"
TTL: Final[Any] = {"unit": "minutes", "least": 1, "most": 10080}
PER_MINUTE: Final[Any] = {"unit": "per minute", "least": 0.0, "most": 1000.0}
ONCE: Final[Any] = {"unit": "once", "least": 0.0, "most": 1000.0}


@dataclass(frozen=True)
class Operators(Group):
    """How fast operators answer, and how well."""

    answer_minutes: Span = span(
        1.0,
        30.0,
        "median time to answer a question, by day and rested",
        unit="minutes",
        least=0.1,
        most=600.0,
        drawn=LOG,
        source="judgement: from a staffed room to people on call",
    )
    answer_spread: Span = span(
        0.3,
        0.9,
        "how answer times differ: sigma of the logarithm",
        unit="log",
        least=0.0,
        most=3.0,
        source="human response times are about log-normal",
    )
    fatigue: Span = span(
        0.05,
        0.3,
        "how much slower each remembered question makes the next answer",
        unit="factor per question",
        least=0.0,
        most=5.0,
        source=WIDE,
    )
    fatigue_half_life: float = number(
        30.0,
        "in which half of the questions are forgotten",
        unit="minutes",
        least=1.0,
        most=1440.0,
        source="judgement",
    )
    fatigue_stamp: Span = span(
        0.0,
        0.05,
        "how much likelier each remembered question makes it to approve what is wrong",
        unit="chance per question",
        least=0.0,
        most=1.0,
        source="judgement: who is asked too often stops looking",
    )
    load: Span = span(
        0.0,
        0.5,
        "how much slower each question that waits makes the others",
        unit="factor per question",
        least=0.0,
        most=5.0,
        source=WIDE,
    )
    quorum_slower: float = number(
        0.2,
        "how much slower each signature that is needed makes the answer",
        unit="factor per signature",
        least=0.0,
        most=5.0,
        source="the last of several counts",
    )
    night_factor: Span = span(
        1.0,
        4.0,
        "answer times at night, x this",
        unit="factor",
        least=1.0,
        most=100.0,
        source=WIDE,
    )
    night_from: float = number(
        22.0,
        "when the night begins",
        unit="hour",
        least=0.0,
        most=24.0,
        source=ORDINARY,
    )
    night_until: float = number(
        6.0,
        "when the night ends",
        unit="hour",
        least=0.0,
        most=24.0,
        source=ORDINARY,
    )
    approve_right: Span = span(
        0.85,
        1.0,
        "that they approve an order whose target deserves it",
        **CHANCE,
        source=WIDE,
    )
    approve_wrong: Span = span(
        0.1,
        0.7,
        "that they approve one whose target does not: rubber stamps",
        **CHANCE,
        source=WIDE,
    )
    evidence_weight: Span = span(
        0.0,
        0.5,
        "how far the evidence that they are shown, not the truth, decides",
        **SHARE,
        source=WIDE,
    )
    evidence_full: float = number(
        130.0,
        "evidence that convinces everybody; less of it in proportion",
        unit="nats",
        least=1.0,
        most=1000.0,
        source="what the picture holds against a server taken over on recorded alerts: 130 to 230",
    )
    lapse_chance: Span = span(
        0.0,
        0.1,
        "that nobody answers at all",
        **CHANCE,
        source=WIDE,
    )
    max_pending: int = number(
        15,
        "after which a question lapses",
        unit="minutes",
        least=1,
        most=1440,
        source=DEPLOYED,
    )
    refused_minutes: int = number(
        60,
        "for which what was refused or lapsed is not asked again",
        unit="minutes",
        least=0,
        most=2500,
        source="the responder's own rule",
    )


@dataclass(frozen=True)
class Guardrails(Group):
    """What the contract lets through, on the site of an episode, and how fast it is enforced."""

    allowed: Levels = levels(
        (0.98, 0.97, 0.95, 0.9),
        "that a kind of order is allowed, by criticality",
        **CHANCE,
        source=WIDE,
    )
    leasable: Levels = levels(
        (0.95, 0.8, 0.6, 0.3),
        "that a lease may stand in for approvals, by criticality",
        **CHANCE,
        source=WIDE,
    )
    quorum: Levels = levels(
        (1, 2, 2, 2),
        "approvals needed, by criticality",
        unit="approvals",
        least=1,
        most=16,
        source=f"{DEPLOYED}, and sites with fewer people",
    )
    quorum_extra: float = number(
        0.3,
        "that one approval more is needed",
        **CHANCE,
        source=WIDE,
    )
    delayed: Levels = levels(
        (0.0, 0.0, 0.15, 0.4),
        "that what needs approvals also waits after the last, by criticality; never with a lease",
        **CHANCE,
        source=DEPLOYED,
    )
    delay: WholeSpan = span(
        2,
        10,
        "for how long it waits",
        unit="minutes",
        least=1,
        most=1440,
        source=DEPLOYED,
    )
    max_ttl: Choices = choices(
        (120, 240, 1440),
        "longest order of a cell",
        **TTL,
        source=DEPLOYED,
    )
    window: int = number(
        60,
        "in which budgets count",
        unit="minutes",
        least=1,
        most=10080,
        source=DEPLOYED,
    )
    release_quorum: int = number(
        2,
        "approvals that end an order before its time",
        unit="approvals",
        least=1,
        most=16,
        source=DEPLOYED,
    )
    budget: WholeSpan = span(
        2,
        20,
        "proposals per cell and window",
        unit="proposals",
        least=1,
        most=2047,
        source=DEPLOYED,
    )
    live: Span = span(
        4.0,
        100.0,
        "orders of a cell at once",
        unit="orders",
        least=1.0,
        most=4000.0,
        drawn=LOG,
        source=DEPLOYED,
    )
    lease_chance: float = number(
        0.75,
        "that a lease is live when the episode begins",
        **CHANCE,
        source="judgement",
    )
    lease_blocks: WholeSpan = span(
        0,
        20,
        "blocks left under the lease",
        unit="orders",
        least=0,
        most=4095,
        source=WIDE,
    )
    lease_isolations: WholeSpan = span(
        0,
        6,
        "isolations left under the lease",
        unit="orders",
        least=0,
        most=4095,
        source=WIDE,
    )
    lease_revocations: WholeSpan = span(
        0,
        4,
        "revocations left under the lease",
        unit="orders",
        least=0,
        most=4095,
        source=WIDE,
    )
    lease_minutes: Span = span(
        30.0,
        1440.0,
        "what is left of the lease's time",
        unit="minutes",
        least=1.0,
        most=1440.0,
        source=DEPLOYED,
    )
    lease_worst: WholeSpan = span(
        0,
        3,
        "highest criticality under the lease, 0 low to 3 critical",
        unit="criticality",
        least=0,
        most=3,
        source=WIDE,
    )
    lease_max_ttl: Choices = choices(
        (60, 240),
        "longest order under the lease",
        **TTL,
        source=WIDE,
    )
    time_to_live: Choices = choices(
        (30, 60, 60, 120),
        "how long the agent's orders last",
        **TTL,
        source="the responder's default: 30 for blocks, 60 for isolations",
    )
    enforcement_lag: WholeSpan = span(
        0,
        2,
        "from an order to its being enforced",
        unit="minutes",
        least=0,
        most=60,
        source="judgement: confirmations of the chain and the enforcers' tick",
    )


@dataclass(frozen=True)
class Users(Group):
    """When users work, and what they lose by containment."""

    work_from: Span = span(
        7.0,
        10.0,
        "when a user begins to work",
        unit="hour",
        least=0.0,
        most=24.0,
        source=ORDINARY,
    )
    work_until: Span = span(
        15.0,
        19.0,
        "when a user goes home",
        unit="hour",
        least=0.0,
        most=24.0,
        source=ORDINARY,
    )
    off_hours: float = number(
        0.15,
        "users who work at night and on Saturday and Sunday",
        **SHARE,
        source="judgement",
    )
    workstation: float = number(
        1.0,
        "work that a user loses without the own host",
        **SHARE,
        source="judgement",
    )
    server: float = number(
        0.5,
        "work that a user loses without a needed server",
        **SHARE,
        source="judgement",
    )
    credential: float = number(
        0.3,
        "work that a user loses without the own key",
        **SHARE,
        source="judgement",
    )
    partner: float = number(
        0.3,
        "work that a user loses without a needed outside address",
        **SHARE,
        source="judgement",
    )


@dataclass(frozen=True)
class Reward(Group):
    """What each thing counts; all of it is subtracted."""

    harm: Levels = levels(
        (0.0, 0.03, 0.06, 0.06),
        "a host that is clean, held, held with root, at its goal, x (1 + criticality), uncontained",
        **PER_MINUTE,
        source="judgement: two hours of a held server equal its false isolation",
    )
    loss: float = number(
        12.0,
        "an attacker reaching its goal",
        **ONCE,
        source="judgement: an hour without a worker's host counts 15",
    )
    loss_criticality: float = number(
        8.0,
        "the same, x the goal's criticality",
        **ONCE,
        source="judgement",
    )
    service: float = number(
        0.25,
        "a user who cannot work at all, and in proportion",
        **PER_MINUTE,
        source="judgement: the unit of comparison",
    )
    service_deserved: float = number(
        0.1,
        "how much of `service` counts where the target deserved the order",
        **SHARE,
        source="judgement: people would have to stop working there anyhow",
    )
    address: float = number(
        0.2,
        "a partner's address blocked, beside what its users lose",
        **PER_MINUTE,
        source="judgement: machines need it, too",
    )
    credential: float = number(
        0.1,
        "a revoked key that nobody stole and no user owns, x (1 + criticality)",
        **PER_MINUTE,
        source="judgement: machines need it",
    )
    question: float = number(
        0.5,
        "each approval asked for",
        unit="per approval",
        least=0.0,
        most=1000.0,
        source="judgement: two minutes of a user's time",
    )
    proposal: float = number(
        0.05,
        "each proposal",
        unit="per proposal",
        least=0.0,
        most=1000.0,
        source="judgement",
    )
    gas_price: float = number(
        1e-7,
        "a unit of gas",
        unit="per gas",
        least=0.0,
        most=1.0,
        source="judgement: an order counts a hundredth; chains of one's own cost next to nothing",
    )
    gas_order: float = number(
        82643.0,
        "an order that operators approved",
        unit="gas",
        least=0.0,
        most=1e8,
        source=GAS,
    )
    gas_lease_order: float = number(
        64804.0,
        "an order under the lease",
        unit="gas",
        least=0.0,
        most=1e8,
        source=GAS,
    )
    gas_renewal: float = number(
        76144.0,
        "an order that is approved again while it is live",
        unit="gas",
        least=0.0,
        most=1e8,
        source=GAS,
    )
    gas_receipt: float = number(
        48511.0,
        "an enforcer's receipt",
        unit="gas",
        least=0.0,
        most=1e8,
        source=GAS,
    )
