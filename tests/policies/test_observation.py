"""What each column says."""

from __future__ import annotations

import numpy as np
import pytest

from policies.actions import Kind
from policies.alerts import Alert, Tactic
from policies.inventory import Asset, Credential, Inventory
from policies.observation import (
    CONTEXT_COLUMNS,
    ENTITY_COLUMNS,
    Conditions,
    Observation,
    Standing,
    encode,
)
from policies.picture import Entity, Picture

T0 = 1_000_000.0
SITE = Inventory(
    (
        Asset("web", "dmz", 3, False, ("10.0.0.1",)),
        Asset("mail", "dmz", 0, True, ("10.0.0.2",)),
        Asset("files", "servers", 1, False, ("10.0.0.3",)),
    ),
    (Credential("ssh:SHA256:abc", 2, True),),
)


@pytest.fixture
def picture() -> Picture:
    """Web saw three new recon types from one address, files saw one; long history."""
    picture = Picture(SITE)
    picture.windows, picture.window_start = 500, T0
    for i in range(3):
        tactic = Tactic.RECONNAISSANCE
        alert = Alert(T0, "s", str(i), tactic=tactic, src="203.0.113.9", dst="10.0.0.1")
        picture.observe(alert, T0)
    picture.observe(Alert(T0, "s", "9", host="files"), T0)
    return picture


def column(observation: Observation, name: str) -> list[float]:
    return [float(v) for v in observation.entities[:, ENTITY_COLUMNS.index(name)]]


def test_shapes_and_order(picture: Picture) -> None:
    seen = encode(picture, {}, Conditions(), T0)
    assert seen.entities.shape == (5, len(ENTITY_COLUMNS))
    assert seen.context.shape == (len(CONTEXT_COLUMNS),)
    assert seen.entities.dtype == seen.context.dtype == np.float32
    assert seen.ids == tuple(entity for entity, _ in picture.entities())


def test_kinds_are_marked(picture: Picture) -> None:
    seen = encode(picture, {}, Conditions(), T0)
    assert column(seen, "is_asset") == [1, 1, 1, 0, 0]
    assert column(seen, "is_credential") == [0, 0, 0, 1, 0]
    assert column(seen, "is_indicator") == [0, 0, 0, 0, 1]


def test_evidence_by_stage_in_fifties_of_nats(picture: Picture) -> None:
    seen = encode(picture, {}, Conditions(), T0)
    web = picture.assets[0].total / 50
    assert column(seen, "evidence_recon")[0] == pytest.approx(web)
    assert column(seen, "evidence_total")[0] == pytest.approx(web)
    assert column(seen, "evidence_unknown")[2] == pytest.approx(picture.assets[2].total / 50)
    assert column(seen, "distinct_10min")[0] == pytest.approx(np.log1p(3))


def test_neighbours_leave_oneself_out(picture: Picture) -> None:
    seen = encode(picture, {}, Conditions(), T0)
    web, files = picture.assets[0].total / 50, picture.assets[2].total / 50
    zone, site = column(seen, "zone_max"), column(seen, "site_max")
    assert zone[:3] == pytest.approx([0.0, web, 0.0])
    assert site[1:3] == pytest.approx([max(web, site[0])] * 2)
    assert site[0] >= files


def test_time_lowers_evidence_and_recency(picture: Picture) -> None:
    now = encode(picture, {}, Conditions(), T0)
    later = encode(picture, {}, Conditions(), T0 + 600)
    assert column(later, "evidence_total")[0] < column(now, "evidence_total")[0]
    assert column(now, "recency")[0] == 1.0
    assert column(later, "recency")[0] == pytest.approx(np.exp(-1))
    assert column(now, "recency")[1] == 0.0


def test_worth_and_protection(picture: Picture) -> None:
    seen = encode(picture, {}, Conditions(), T0)
    assert column(seen, "criticality") == pytest.approx([1, 0, 1 / 3, 2 / 3, 0])
    assert column(seen, "protected") == [0, 1, 0, 1, 0]


def test_standing_and_conditions_are_passed_on(picture: Picture) -> None:
    standings = {
        Entity(Kind.ISOLATE, "web"): Standing(ordered=True, ordered_left=0.5),
        Entity(Kind.ISOLATE, "files"): Standing(pending=True, refused=True),
    }
    seen = encode(picture, standings, Conditions(True, (1.0, 0.5, 0.0), 3.0, 0.25), T0)
    assert column(seen, "ordered") == [1, 0, 0, 0, 0]
    assert column(seen, "ordered_left")[0] == 0.5
    assert column(seen, "pending") == column(seen, "refused") == [0, 0, 1, 0, 0]
    context = dict(zip(CONTEXT_COLUMNS, seen.context.tolist(), strict=True))
    assert context == pytest.approx(
        {
            "learned": np.log1p(500) / 6,
            "lease_live": 1,
            "lease_blocks": 1,
            "lease_isolations": 0.5,
            "lease_revocations": 0,
            "pending": np.log1p(1),
            "ordered": np.log1p(1),
            "answer_time": np.log1p(3),
            "approval_share": 0.25,
        }
    )


def test_names_do_not_matter(picture: Picture) -> None:
    renamed = Inventory(
        tuple(
            Asset(f"x-{a.id}", a.zone * 2, a.criticality, a.protected, a.addresses, (a.id,))
            for a in SITE.assets
        ),
        SITE.credentials,
    )
    other = Picture(renamed)
    other.windows, other.window_start = 500, T0
    for i in range(3):
        tactic = Tactic.RECONNAISSANCE
        other.observe(
            Alert(T0, "t", f"y{i}", tactic=tactic, src="198.51.100.1", dst="10.0.0.1"), T0
        )
    other.observe(Alert(T0, "t", "z", host="files"), T0)
    one, two = (encode(p, {}, Conditions(), T0) for p in (picture, other))
    assert np.array_equal(one.entities, two.entities)


def test_empty_site() -> None:
    seen = encode(Picture(Inventory()), {}, Conditions(), T0)
    assert seen.entities.shape == (0, len(ENTITY_COLUMNS))
