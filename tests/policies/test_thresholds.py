"""The threshold rule acts on whatever is above its kind's bar, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, KIND, NATS, TOTAL
from policies.observation import Observation
from policies.picture import Entity
from policies.policy import NOTHING, choose
from policies.thresholds import BARS, OverTheBar


def choice(*entities: tuple[Kind, float]) -> int:
    """Of kinds and the nats against them, all permitted."""
    table = np.zeros((len(entities), len(ENTITY_COLUMNS)), dtype=np.float32)
    for row, (kind, nats) in zip(table, entities, strict=True):
        row[KIND + kind], row[TOTAL] = 1.0, nats / NATS
    ids = tuple(Entity(kind, str(row)) for row, (kind, _) in enumerate(entities))
    seen = Observation(table, np.zeros(len(CONTEXT_COLUMNS), np.float32), ids)
    return choose(OverTheBar().scores(seen), np.ones(1 + 2 * len(entities), dtype=np.bool_))


def test_nothing_where_there_is_nothing() -> None:
    assert choice() == NOTHING


@pytest.mark.parametrize("kind", Kind)
def test_acts_from_the_bar_on(kind: Kind) -> None:
    assert choice((kind, BARS[kind] - 1.0)) == NOTHING
    assert choice((kind, BARS[kind] + 1.0)) == 1


def test_the_furthest_above_its_bar_comes_first() -> None:
    twice, thrice = 2.0 * BARS[Kind.ISOLATE], 3.0 * BARS[Kind.REVOKE]
    assert choice((Kind.ISOLATE, twice), (Kind.REVOKE, thrice)) == 2


def test_hash_names_exactly_these_bars() -> None:
    assert OverTheBar().hash == OverTheBar(dict(BARS)).hash
    assert OverTheBar({**BARS, Kind.BLOCK: 16.0}).hash != OverTheBar().hash
    assert len(OverTheBar().hash) == 32
