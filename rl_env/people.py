"""What a scenario may set about operators, and the rules that they have set."""

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

__all__ = ["Guardrails", "Operators"]

ORDINARY: Final = "ordinary office hours"
TTL: Final[Any] = {"unit": "minutes", "least": 1, "most": 10080}


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
