"""The playbook isolates what stands out and leaves the merely scanned alone."""

from __future__ import annotations

import numpy as np
import pytest

from policies.actions import Kind
from policies.observation import CONTEXT_COLUMNS, ENTITY_COLUMNS, Observation
from policies.picture import Entity
from policies.playbook import Playbook, Thresholds
from policies.policy import choose

SUSPECT = {
    "is_asset": 1.0,
    "evidence_total": 150 / 50,
    "evidence_unknown": 150 / 50,
    "site_max": 90 / 50,
    "distinct_1h": np.log1p(18),
}


def choice(*rows: dict[str, float]) -> int:
    entities = np.zeros((len(rows), len(ENTITY_COLUMNS)), dtype=np.float32)
    for i, row in enumerate(rows):
        for name, value in row.items():
            entities[i, ENTITY_COLUMNS.index(name)] = value
    ids = tuple(Entity(Kind.ISOLATE, str(i)) for i in range(len(rows)))
    seen = Observation(entities, np.zeros(len(CONTEXT_COLUMNS), np.float32), ids)
    return choose(Playbook().scores(seen), np.ones(len(rows) + 1, dtype=np.bool_))


def test_nothing_on_a_quiet_site() -> None:
    assert choice({"is_asset": 1.0}, {"is_indicator": 1.0}, {"is_credential": 1.0}) == 0


def test_isolates_what_stands_out() -> None:
    assert choice({"is_asset": 1.0}, SUSPECT) == 2


@pytest.mark.parametrize(
    "excuse",
    [
        {"site_max": 149 / 50},  # as loud as another: a scan
        {"distinct_1h": np.log1p(5)},
        {"evidence_total": 100 / 50},
        {"ordered": 1.0},
        {"pending": 1.0},
        {"refused": 1.0},
        {"protected": 1.0},
    ],
)
def test_leaves_alone_what_has_an_excuse(excuse: dict[str, float]) -> None:
    assert choice(SUSPECT | excuse) == 0


def test_later_stages_confirm_weaker_evidence() -> None:
    weaker = SUSPECT | {"evidence_total": 90 / 50, "site_max": 40 / 50}
    assert choice(weaker) == 0
    assert choice(weaker | {"evidence_foothold": 30 / 50}) == 1


def test_blocks_who_touches_many() -> None:
    address = {"is_indicator": 1.0, "evidence_total": 1.0, "touched": np.log1p(4)}
    assert choice(address) == 1
    assert choice(address | {"touched": np.log1p(1)}) == 0


def test_revokes_a_suspicious_key() -> None:
    assert choice({"is_credential": 1.0, "evidence_total": 0.4}) == 1


def test_isolation_comes_before_blocking() -> None:
    address = {"is_indicator": 1.0, "evidence_total": 2.0, "touched": np.log1p(4)}
    assert choice(address, SUSPECT) == 2


def test_hash_names_exactly_these_thresholds() -> None:
    assert Playbook().hash == Playbook().hash
    assert len(Playbook().hash) == 32
    assert Playbook(Thresholds(isolate_total=116.0)).hash != Playbook().hash
