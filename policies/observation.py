"""How the picture looks to a policy: one row of numbers per entity, one row for the whole, in the
columns of `policies.columns`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.columns import (
    ANSWER_TIME,
    APPROVAL_SHARE,
    APPROVALS,
    BUDGET_LEFT,
    CONTEXT_COLUMNS,
    DELAYED,
    LEARNED,
    LEASE_LEFT,
    LEASE_LIVE,
    LEASED,
    ORDERED,
    ORDERED_LEFT,
    PENDING,
    QUARTERS,
    REFUSED,
    STANDING,
    WAITING,
)
from policies.guardrails import Tier, Verdict
from policies.picture import Entity, Picture

__all__ = ["Conditions", "Observation", "Standing", "encode"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is already under way for one entity."""

    ordered: bool = False
    ordered_left: float = 0.0  # share of the time to live, 0..1
    pending: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for the site as a whole."""

    lease_live: bool = False
    lease_left: tuple[float, float, float] = (0.0, 0.0, 0.0)  # by Kind, 0..1
    budget_left: tuple[float, float, float] = (0.0, 0.0, 0.0)  # by Kind, 0..1
    answer_minutes: float = 5.0
    approval_share: float = 1.0


@dataclass(frozen=True)
class Observation:
    """entities: float32 [n, len(ENTITY_COLUMNS)]; context: float32 [len(CONTEXT_COLUMNS)]."""

    entities: NDArray[np.float32]
    context: NDArray[np.float32]
    ids: tuple[Entity, ...]


def encode(
    picture: Picture,
    standings: Mapping[Entity, Standing],
    verdicts: Mapping[Entity, Verdict],
    conditions: Conditions,
) -> Observation:
    """The observation at the picture's time; entities keep its order.

    `standings` may leave out those for which nothing is under way. `verdicts`: what the guardrails
    say to each entity's action; one that is left out counts as refused.
    """
    ids, rows = picture.entities(), picture.table()
    row_of = {entity: row for row, entity in enumerate(ids)}
    for entity in standings.keys() & row_of.keys():
        standing, row = standings[entity], rows[row_of[entity]]
        row[ORDERED] = standing.ordered
        row[ORDERED_LEFT] = math.ceil(QUARTERS * standing.ordered_left) / QUARTERS
        row[PENDING] = standing.pending
        row[REFUSED] = standing.refused
    for entity in verdicts.keys() & row_of.keys():
        verdict, row = verdicts[entity], rows[row_of[entity]]
        row[LEASED] = verdict.tier is Tier.LEASE
        row[APPROVALS] = verdict.approvals / 4.0
        row[DELAYED] = verdict.tier is Tier.DELAYED
    return Observation(rows, _context(picture.windows, rows, conditions), ids)


def _context(
    windows: int, rows: NDArray[np.float32], conditions: Conditions
) -> NDArray[np.float32]:
    context = np.zeros(len(CONTEXT_COLUMNS), dtype=np.float32)
    context[LEARNED] = math.log1p(windows) / 6.0
    context[LEASE_LIVE] = conditions.lease_live
    context[LEASE_LEFT : LEASE_LEFT + 3] = conditions.lease_left
    context[BUDGET_LEFT : BUDGET_LEFT + 3] = conditions.budget_left
    context[WAITING] = math.log1p(np.count_nonzero(rows[:, PENDING])) / 2.0
    context[STANDING] = math.log1p(np.count_nonzero(rows[:, ORDERED])) / 2.0
    context[ANSWER_TIME] = math.log1p(max(0.0, conditions.answer_minutes)) / 4.0
    context[APPROVAL_SHARE] = conditions.approval_share
    return context
