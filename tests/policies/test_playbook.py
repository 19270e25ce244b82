"""The playbook isolates what stands out and leaves the merely scanned alone."""

from __future__ import annotations

import numpy as np
import pytest

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS
from policies.observation import Observation
from policies.picture import Entity
from policies.playbook import Playbook, Thresholds
from policies.policy import choose

SUSPECT = {
    "is_asset": 1.0,
    "evidence_total": 150 / 50,
    "evidence_unknown": 150 / 50,
    "site_max": 90 / 50,
    "variety_1h": 18 / 8,
}


def choice(*rows: dict[str, float]) -> int:
    entities = np.zeros((len(rows), len(ENTITY_COLUMNS)), dtype=np.float32)
    for i, row in enumerate(rows):
        for name, value in row.items():
            entities[i, ENTITY_COLUMNS.index(name)] = value
    ids = tuple(Entity(Kind.ISOLATE, str(i)) for i in range(len(rows)))
    seen = Observation(entities, np.zeros(len(CONTEXT_COLUMNS), np.float32), ids)
    return choose(Playbook().scores(seen), np.ones(1 + 2 * len(rows), dtype=np.bool_))


def test_nothing_on_a_quiet_site() -> None:
    assert choice({"is_asset": 1.0}, {"is_indicator": 1.0}, {"is_credential": 1.0}) == 0


def test_isolates_what_stands_out() -> None:
    assert choice({"is_asset": 1.0}, SUSPECT) == 2


@pytest.mark.parametrize(
    "excuse",
    [
        {"site_max": 149 / 50},  # as loud as another: a scan
        {"variety_1h": 5 / 8},
        {"evidence_total": 100 / 50},
        {"ordered": 1.0, "ordered_left": 0.5},
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
    address = {"is_indicator": 1.0, "evidence_total": 1.0, "touched": np.log1p(4) / 4}
    assert choice(address) == 1
    assert choice(address | {"touched": np.log1p(1) / 4}) == 0


def test_revokes_a_suspicious_key() -> None:
    assert choice({"is_credential": 1.0, "evidence_total": 0.4}) == 1


def test_isolation_comes_before_blocking() -> None:
    address = {"is_indicator": 1.0, "evidence_total": 2.0, "touched": np.log1p(4) / 4}
    assert choice(address, SUSPECT) == 2


ORDERED = {"is_asset": 1.0, "ordered": 1.0, "ordered_left": 0.25, "evidence_total": 30 / 50}


def test_renews_what_is_about_to_end_while_there_is_evidence() -> None:
    assert choice({"is_asset": 1.0}, ORDERED) == 2
    assert choice(ORDERED, SUSPECT) == 2  # first what is not contained


@pytest.mark.parametrize(
    "change",
    [
        {"ordered_left": 0.5},
        {"evidence_total": 19 / 50},
        {"pending": 1.0},
        {"refused": 1.0},
        {"protected": 1.0},
    ],
)
def test_does_not_renew_otherwise(change: dict[str, float]) -> None:
    assert choice(ORDERED | change) == 0


def test_asks_for_the_release_of_what_nothing_speaks_against_any_more() -> None:
    quiet = ORDERED | {"evidence_total": 1 / 50, "ordered_left": 1.0}
    assert choice({"is_asset": 1.0}, quiet, ORDERED | {"ordered_left": 1.0}) == 1 + 3 + 1
    assert choice(quiet | {"pending": 1.0}) == 0
    assert choice(quiet | {"ordered": 0.0}) == 0
    assert choice(quiet, SUSPECT) == 2  # first what is not contained


def test_hash_names_exactly_these_thresholds() -> None:
    assert Playbook().hash == Playbook().hash
    assert len(Playbook().hash) == 32
    assert Playbook(Thresholds(isolate_total=116.0)).hash != Playbook().hash
