"""How the picture looks to a policy: one row of numbers per entity, one row for the whole.

No name, rule number or address is in it, so one set of weights serves any network. Changing what a
column means bumps OBSERVATION_VERSION; the live side refuses a model trained on another version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.actions import Kind
from policies.alerts import Stage
from policies.picture import Entity, Evidence, Picture

__all__ = [
    "CONTEXT_COLUMNS",
    "ENTITY_COLUMNS",
    "OBSERVATION_VERSION",
    "Conditions",
    "Observation",
    "Standing",
    "encode",
]

OBSERVATION_VERSION = 1

ENTITY_COLUMNS: tuple[str, ...] = (
    "is_indicator",
    "is_asset",
    "is_credential",
    *(f"evidence_{stage.name.lower()}" for stage in Stage),  # nats / 50
    "evidence_total",  # nats / 50
    "distinct_10min",  # log1p of different surprising types
    "distinct_1h",
    "alerts",  # log1p of the decayed count, / 5
    "recency",  # exp(-seconds since the last surprise / 600)
    "zone_max",  # strongest other asset of the zone, nats / 50
    "site_max",  # strongest other entity anywhere, nats / 50
    "touched",  # indicators: log1p of assets reached
    "criticality",  # / 3
    "ordered",
    "ordered_left",  # share of the time to live that is left
    "pending",
    "protected",
    "refused",  # asked before and rejected, vetoed or lapsed lately
)

CONTEXT_COLUMNS: tuple[str, ...] = (
    "learned",  # log1p of windows learned, / 6
    "lease_live",
    "lease_blocks",  # share of the lease's budget left
    "lease_isolations",
    "lease_revocations",
    "pending",  # log1p of proposals that wait
    "ordered",  # log1p of live orders
    "answer_time",  # operators' recent answer time, minutes, log1p
    "approval_share",  # share of recent answers that were approvals
)

_NATS = 50.0


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
    conditions: Conditions,
    now: float,
) -> Observation:
    """The observation at `now` (Unix seconds). Entities keep the picture's order."""
    rows = list(picture.entities())
    for _, evidence in rows:
        evidence.decay(now)
    zone_max, site_max = _neighbours(picture, [evidence for _, evidence in rows])
    table = np.zeros((len(rows), len(ENTITY_COLUMNS)), dtype=np.float32)
    n_assets = len(picture.assets)
    credentials = {c.id: c for c in picture.inventory.credentials}
    waiting = ordered = 0
    for i, (entity, evidence) in enumerate(rows):
        standing = standings.get(entity, Standing())
        waiting += standing.pending
        ordered += standing.ordered
        criticality, protected = 0, False
        if i < n_assets:
            asset = picture.inventory.assets[i]
            criticality, protected = asset.criticality, asset.protected
        elif entity.kind is Kind.REVOKE:
            credential = credentials[entity.id]
            criticality, protected = credential.criticality, credential.protected
        table[i] = (
            entity.kind is Kind.BLOCK,
            entity.kind is Kind.ISOLATE,
            entity.kind is Kind.REVOKE,
            *(value / _NATS for value in evidence.stages),
            evidence.total / _NATS,
            math.log1p(evidence.distinct(now, 600.0)),
            math.log1p(evidence.distinct(now)),
            math.log1p(evidence.count) / 5.0,
            math.exp(min(0.0, evidence.last_surprise - now) / 600.0),
            zone_max[i] / _NATS,
            site_max[i] / _NATS,
            math.log1p(len(evidence.touched)),
            criticality / 3.0,
            standing.ordered,
            standing.ordered_left,
            standing.pending,
            protected,
            standing.refused,
        )
    context = np.array(
        [
            math.log1p(picture.windows) / 6.0,
            conditions.lease_live,
            *conditions.lease_left,
            math.log1p(waiting),
            math.log1p(ordered),
            math.log1p(max(0.0, conditions.answer_minutes)),
            conditions.approval_share,
        ],
        dtype=np.float32,
    )
    return Observation(table, context, tuple(entity for entity, _ in rows))


def _neighbours(picture: Picture, rows: Sequence[Evidence]) -> tuple[list[float], list[float]]:
    """For each entity the strongest other one: in its zone (assets), and anywhere."""
    totals = [evidence.total for evidence in rows]
    zones = [asset.zone for asset in picture.inventory.assets]
    site = _max_of_others(totals, [""] * len(totals))
    zone = _max_of_others(totals[: len(zones)], zones)
    return zone + [0.0] * (len(totals) - len(zones)), site


def _max_of_others(values: Sequence[float], groups: Sequence[str]) -> list[float]:
    best: dict[str, tuple[float, int]] = {}
    second: dict[str, float] = {}
    for i, (value, group) in enumerate(zip(values, groups, strict=True)):
        top = best.get(group)
        if top is None or value > top[0]:
            second[group] = top[0] if top else 0.0
            best[group] = (value, i)
        elif value > second[group]:
            second[group] = value
    return [second[g] if best[g][1] == i else best[g][0] for i, g in enumerate(groups)]
