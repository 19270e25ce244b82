"""Evidence about entities: how surprising their alerts are, in columns that fade by the minute.

Each function is about a `table`, float32 [columns, rows], of a simulated environment or of the live
side; the columns are those of `policies.columns`. An alert counts once per window and row, by its
surprise -log p against what was learned without labels, so a flood of 400,000 alerts is one fact;
how many came counts by the logarithm.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from policies.columns import (
    ALERTS,
    EVIDENCE,
    KIND,
    LOUD,
    MANY,
    NATS,
    RECENCY,
    SITE_MAX,
    TOTAL,
    VARIETY_1H,
    VARIETY_10MIN,
    ZONE_MAX,
)
from policies.compiled import compiled

__all__ = [
    "MAX_SURPRISE",
    "MINUTE",
    "SPEAKING",
    "SURPRISING",
    "WINDOW",
    "add",
    "compare",
    "fade",
    "neighbours",
    "rank",
    "rise",
    "surprise",
]

WINDOW = 600  # seconds; base rates count presence per window
MINUTE = 60  # seconds; evidence fades in steps of it
SURPRISING = 3.0  # nats from which a type counts as distinct evidence
MAX_SURPRISE = 12.0  # nats
SPEAKING = 5.0 / NATS  # total from which an entity is worth a look

Table = NDArray[np.float32]

# What is left after a minute of what fades to 1/e within 10, 30 and 60.
_IN_10, _IN_30, _IN_60 = (np.float32(math.exp(-1.0 / minutes)) for minutes in (10, 30, 60))
FACTORS: Table = np.array(  # of the columns from EVIDENCE on
    [_IN_30] * (VARIETY_10MIN - EVIDENCE) + [_IN_10, _IN_10, _IN_60], dtype=np.float32
)
_LOGARITHMS = np.log1p(np.arange(1024.0))
_ONE_MORE = np.float32(1.0 / MANY)
_FULL = np.float32(1.0)


@compiled
def surprise(seen: float, anywhere: float, windows: float) -> float:
    """Nats: how unexpected a type is on an entity.

    `seen`, `anywhere`: in how many of the learned `windows` it came on this entity (0 for
    indicators, which have no history) and at the site.
    """
    site = min((anywhere + 0.5) / (windows + 1.0), 1.0)
    return min(-math.log(min((seen + site) / (windows + 1.0), 1.0)), MAX_SURPRISE)


@compiled
def surprise_of_indicator(anywhere: float, windows: float) -> float:
    """Nats: an indicator has no history of its own."""
    return min(-math.log(min((anywhere + 0.5) / (windows + 1.0), 1.0)), MAX_SURPRISE)


@compiled
def add(table: Table, r: int, stage: int, nats: float) -> None:
    """A type that had not come in this window yet."""
    share = np.float32(nats / NATS)
    table[EVIDENCE + stage, r] += share
    table[TOTAL, r] += share
    if nats >= SURPRISING:
        table[VARIETY_10MIN, r] += _ONE_MORE
        table[VARIETY_1H, r] += _ONE_MORE
        table[RECENCY, r] = _FULL


@compiled
def count(table: Table, r: int, before: int, times: int) -> None:
    """So many alerts more, after `before` in this window."""
    table[ALERTS, r] += np.float32((logarithm(before + times) - logarithm(before)) / LOUD)


@compiled
def logarithm(count: int) -> float:
    """log1p of a whole number; looked up where it is small, as most are."""
    return _LOGARITHMS[count] if count < 1024 else math.log1p(float(count))


@compiled
def fade(table: Table, strongest: Table) -> None:
    """One minute passes, for the totals in `strongest`, too: what is greatest stays so. Column by
    column, so that compilers make vectors of it.
    """
    rows = table.shape[1]
    for column in range(EVIDENCE, VARIETY_10MIN):
        for r in range(rows):
            table[column, r] *= _IN_30
    for r in range(rows):
        table[VARIETY_10MIN, r] *= _IN_10
    for r in range(rows):
        table[RECENCY, r] *= _IN_10
    for r in range(rows):
        table[VARIETY_1H, r] *= _IN_60
    for group in range(strongest.shape[0]):
        strongest[group, 0] *= _IN_30
        strongest[group, 1] *= _IN_30


@compiled
def compare(table: Table, zones: NDArray[np.int32], strongest: Table, site: int) -> None:
    """Ranks all rows, and writes each present row's strongest other, as `neighbours` does."""
    rank(table, zones, strongest, site)
    neighbours(table, zones, strongest, site)


@compiled
def rank(table: Table, zones: NDArray[np.int32], strongest: Table, site: int) -> None:
    """Finds the best and the second best total of each zone and of the site.

    `zones`: int32 [assets], numbers below `site`; the assets are the first rows. `strongest`:
    float32 [site + 1, 2], the site last; written here.
    """
    for group in range(site + 1):
        strongest[group, 0] = 0.0
        strongest[group, 1] = 0.0
    for r in range(table.shape[1]):
        if r < zones.shape[0]:
            rise(strongest, zones[r], np.float32(0.0), table[TOTAL, r])
        rise(strongest, site, np.float32(0.0), table[TOTAL, r])


@compiled
def rise(strongest: Table, group: int, before: np.float32, after: np.float32) -> None:
    """One of the group's totals grew."""
    best, second = strongest[group, 0], strongest[group, 1]
    if before != best:
        strongest[group, 1] = max(second, min(best, after))
    strongest[group, 0] = max(best, after)


@compiled
def neighbours(table: Table, zones: NDArray[np.int32], strongest: Table, site: int) -> None:
    """Writes each present row's strongest other: in its zone (assets), and anywhere. Without
    branches, so that compilers make vectors of it.
    """
    best, second = strongest[site, 0], strongest[site, 1]
    for r in range(table.shape[1]):
        present = table[KIND, r] + table[KIND + 1, r] + table[KIND + 2, r]
        table[SITE_MAX, r] = present * (second if table[TOTAL, r] == best else best)
    for r in range(zones.shape[0]):
        best, second = strongest[zones[r], 0], strongest[zones[r], 1]
        present = table[KIND + 1, r]
        table[ZONE_MAX, r] = present * (second if table[TOTAL, r] == best else best)
