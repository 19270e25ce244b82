"""What a scenario may set about users, and what each thing counts."""

# ruff: noqa: RUF009 - number, span, ... make fields

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rl_env.fields import Group, Levels, Span, levels, number, span
from rl_env.people import ORDINARY
from rl_env.threats import SHARE

__all__ = ["Reward", "Users"]

GAS: Final = "gas-snapshot.json: what the contracts were measured to take"
PER_MINUTE: Final[Any] = {"unit": "per minute", "least": 0.0, "most": 1000.0}
ONCE: Final[Any] = {"unit": "once", "least": 0.0, "most": 1000.0}


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
