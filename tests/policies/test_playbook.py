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

LOUD = {
    "is_asset": 1.0,
    "evidence_total": 150 / 50,
    "evidence_unknown": 150 / 50,
    "variety_1h": 18 / 8,
    "variety_10min": 12 / 8,
}
ENTERED = {"is_asset": 1.0, "evidence_total": 95 / 50, "evidence_entry": 13 / 50}
INSIDE = {
    "is_asset": 1.0,
    "evidence_total": 55 / 50,
    "evidence_entry": 6 / 50,
    "evidence_foothold": 12 / 50,
}


def choice(*rows: dict[str, float], thresholds: Thresholds | None = None) -> int:
    entities = np.zeros((len(rows), len(ENTITY_COLUMNS)), dtype=np.float32)
    for i, row in enumerate(rows):
        for name, value in row.items():
            entities[i, ENTITY_COLUMNS.index(name)] = value
    ids = tuple(Entity(Kind.ISOLATE, str(i)) for i in range(len(rows)))
    seen = Observation(entities, np.zeros(len(CONTEXT_COLUMNS), np.float32), ids)
    return choose(Playbook(thresholds).scores(seen), np.ones(1 + 2 * len(rows), dtype=np.bool_))


def test_nothing_on_a_quiet_site() -> None:
    assert choice({"is_asset": 1.0}, {"is_indicator": 1.0}, {"is_credential": 1.0}) == 0


@pytest.mark.parametrize("story", [LOUD, ENTERED, INSIDE])
def test_isolates_what_stands_out(story: dict[str, float]) -> None:
    assert choice({"is_asset": 1.0}, story) == 2


@pytest.mark.parametrize("story", [LOUD, ENTERED, INSIDE])
@pytest.mark.parametrize(
    "excuse",
    [
        {"ordered": 1.0, "ordered_left": 0.5},
        {"pending": 1.0},
        {"refused": 1.0},
        {"protected": 1.0},
        {"evidence_total": 45 / 50},
    ],
)
def test_leaves_alone_what_has_an_excuse(story: dict[str, float], excuse: dict[str, float]) -> None:
    assert choice(story | excuse) == 0


@pytest.mark.parametrize(
    ("story", "excuse"),
    [
        (LOUD, {"variety_1h": 11 / 8}),
        (LOUD, {"variety_10min": 17 / 8}),  # all of it just came: a scan passes
        (LOUD, {"evidence_total": 110 / 50}),
        (ENTERED, {"evidence_entry": 12 / 50}),  # one rare alert
        (ENTERED, {"evidence_total": 85 / 50}),
        (INSIDE, {"evidence_entry": 0.0}),  # an administrator at work
        (INSIDE, {"evidence_foothold": 0.0, "evidence_credentials": 12 / 50}),
    ],
)
def test_a_story_that_lacks_a_part_is_none(
    story: dict[str, float], excuse: dict[str, float]
) -> None:
    assert choice(story | excuse) == 0


@pytest.mark.parametrize("story", [LOUD, ENTERED, INSIDE])
def test_as_loud_as_another_machine_is_a_scan(story: dict[str, float]) -> None:
    other = {"is_asset": 1.0, "evidence_total": story["evidence_total"] / 1.1}
    assert choice(other, story) == 0
    # An address that reached all of them has more than each.
    assert choice(other | {"is_asset": 0.0, "is_indicator": 1.0}, story) == 2


LEAKING = {"is_asset": 1.0, "evidence_total": 62 / 50, "evidence_impact": 61 / 50}


def test_isolates_what_leaks_whatever_others_do() -> None:
    louder = {"is_asset": 1.0, "evidence_total": 150 / 50}
    assert choice(louder, LEAKING) == 2
    assert choice(louder, LEAKING | {"evidence_impact": 59 / 50}) == 0
    assert choice(louder, LEAKING | {"protected": 1.0}) == 0
    assert choice(louder, LEAKING | {"is_asset": 0.0}) == 0


def test_blocks_what_much_speaks_against() -> None:
    address = {"is_indicator": 1.0, "evidence_total": 21 / 50, "touched": np.log1p(1) / 4}
    assert choice(address) == 1
    assert choice(address | {"evidence_total": 19 / 50}) == 0


def test_blocks_who_touches_enough() -> None:
    address = {"is_indicator": 1.0, "evidence_total": 1.0, "touched": np.log1p(1.01) / 4}
    assert choice(address) == 1
    assert choice(address, thresholds=Thresholds(block_touched=2.0)) == 0
    assert choice(address | {"touched": 0.0}) == 0


def test_blocks_who_scans_machine_after_machine() -> None:
    scanner = {"is_indicator": 1.0, "evidence_total": 4 / 50, "evidence_recon": 4 / 50}
    assert choice(scanner | {"touched": np.log1p(5.01) / 4}) == 1
    assert choice(scanner | {"touched": np.log1p(4) / 4}) == 0
    assert choice(scanner | {"touched": np.log1p(9) / 4, "evidence_recon": 0.0}) == 0


def test_revokes_a_suspicious_key() -> None:
    assert choice({"is_credential": 1.0, "evidence_total": 0.4}) == 1


def test_isolation_comes_before_blocking() -> None:
    address = {"is_indicator": 1.0, "evidence_total": 2.0, "touched": np.log1p(4) / 4}
    assert choice(address, LOUD) == 2


ORDERED = {"is_asset": 1.0, "ordered": 1.0, "ordered_left": 0.25, "evidence_total": 30 / 50}


def test_renews_what_is_about_to_end_while_there_is_evidence() -> None:
    assert choice({"is_asset": 1.0}, ORDERED) == 2
    assert choice(ORDERED, LOUD) == 2  # first what is not contained


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
    assert choice(quiet, LOUD) == 2  # first what is not contained


def test_padded_and_together_it_scores_the_same() -> None:
    rng = np.random.default_rng(5)
    entities = np.zeros((8, 12, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[:, :9] = rng.random((8, 9, len(ENTITY_COLUMNS))) * 3.0
    entities[:, :9, :3] = np.eye(3)[rng.integers(3, size=(8, 9))]
    entities[:, :9, ENTITY_COLUMNS.index("ordered")] = rng.random((8, 9)) < 0.3
    entities[:, 0, ENTITY_COLUMNS.index("evidence_total")] = 9.0
    for column in ("pending", "protected", "refused"):
        entities[:, :9, ENTITY_COLUMNS.index(column)] = rng.random((8, 9)) < 0.1
    context = np.zeros((8, len(CONTEXT_COLUMNS)), dtype=np.float32)
    together = Playbook().scores_of_many(entities, context)
    assert together.shape == (8, 25) and (together[:, 1:] > 0).any()
    for each, table in zip(together, entities, strict=True):
        alone = Playbook().scores(Observation(table[:9], context[0], ()))
        assert (alone == each[[0, *range(1, 10), *range(13, 22)]]).all()


def test_hash_names_exactly_these_thresholds() -> None:
    assert Playbook().hash == Playbook().hash
    assert len(Playbook().hash) == 32
    assert Playbook(Thresholds(loud_total=116.0)).hash != Playbook().hash
