"""What each column says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import columns
from policies.actions import Kind
from policies.alerts import Alert, Stage, Tactic
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS
from policies.guardrails import Reason, Tier, Verdict
from policies.inventory import Asset, Credential, Inventory
from policies.observation import Conditions, Observation, Standing, encode
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
WEB, FILES = Entity(Kind.ISOLATE, "web"), Entity(Kind.ISOLATE, "files")
ADDRESS = Entity(Kind.BLOCK, "203.0.113.9/32")


def scanned(inventory: Inventory, sensor: str = "s", src: str = "203.0.113.9") -> Picture:
    """Web saw three new recon types from one address, files saw one; long history."""
    picture = Picture(inventory)
    picture.windows = 500
    for i in range(3):
        tactic = Tactic.RECONNAISSANCE
        alert = Alert(T0, sensor, str(i), tactic=tactic, src=src, dst="10.0.0.1")
        picture.observe(alert, T0)
    picture.observe(Alert(T0, sensor, "9", host="files"), T0)
    return picture


@pytest.fixture
def picture() -> Picture:
    return scanned(SITE)


def alone(picture: Picture) -> Observation:
    """Where nothing is under way and nothing may be done."""
    return encode(picture, {}, {}, Conditions())


def column(observation: Observation, name: str) -> list[float]:
    return [float(v) for v in observation.entities[:, ENTITY_COLUMNS.index(name)]]


def nats(picture: Picture, entity: Entity) -> float:
    return picture.evidence(entity).total


# ---------------------------------------------------------------- columns


def test_every_index_names_its_column() -> None:
    names = (
        *("VARIETY_10MIN", "VARIETY_1H", "ALERTS", "RECENCY", "ZONE_MAX", "SITE_MAX", "TOUCHED"),
        *("CRITICALITY", "ORDERED", "ORDERED_LEFT", "PENDING", "PROTECTED", "REFUSED"),
        *("LEASED", "APPROVALS", "DELAYED"),
    )
    for name in names:
        assert ENTITY_COLUMNS[getattr(columns, name)] == name.lower()
    assert ENTITY_COLUMNS[columns.TOTAL] == "evidence_total"
    kinds = {Kind.BLOCK: "is_indicator", Kind.ISOLATE: "is_asset", Kind.REVOKE: "is_credential"}
    assert all(ENTITY_COLUMNS[columns.KIND + kind] == name for kind, name in kinds.items())
    for stage in Stage:
        assert ENTITY_COLUMNS[columns.EVIDENCE + stage] == f"evidence_{stage.name.lower()}"
    assert CONTEXT_COLUMNS[columns.LEARNED] == "learned"
    assert CONTEXT_COLUMNS[columns.LEASE_LIVE] == "lease_live"
    for first, of in ((columns.LEASE_LEFT, "lease"), (columns.BUDGET_LEFT, "budget")):
        names = [f"{of}_blocks", f"{of}_isolations", f"{of}_revocations"]
        assert list(CONTEXT_COLUMNS[first : first + 3]) == names
    rest = CONTEXT_COLUMNS[columns.WAITING :]
    assert rest == ("pending", "ordered", "answer_time", "approval_share")


def test_shapes_and_order(picture: Picture) -> None:
    seen = alone(picture)
    assert seen.entities.shape == (5, len(ENTITY_COLUMNS))
    assert seen.context.shape == (len(CONTEXT_COLUMNS),)
    assert seen.entities.dtype == seen.context.dtype == np.float32
    assert seen.ids == picture.entities()


def test_kinds_are_marked(picture: Picture) -> None:
    seen = alone(picture)
    assert column(seen, "is_asset") == [1, 1, 1, 0, 0]
    assert column(seen, "is_credential") == [0, 0, 0, 1, 0]
    assert column(seen, "is_indicator") == [0, 0, 0, 0, 1]


def test_evidence_by_stage_in_fifties_of_nats(picture: Picture) -> None:
    seen = alone(picture)
    web = nats(picture, WEB) / 50
    assert column(seen, "evidence_recon")[0] == pytest.approx(web)
    assert column(seen, "evidence_total")[0] == pytest.approx(web)
    assert column(seen, "evidence_unknown")[2] == pytest.approx(nats(picture, FILES) / 50)
    for name in ("variety_10min", "variety_1h"):
        assert column(seen, name) == [3 / 8, 0, 1 / 8, 0, 3 / 8]


def test_neighbours_leave_oneself_out(picture: Picture) -> None:
    seen = alone(picture)
    web, files = nats(picture, WEB) / 50, nats(picture, FILES) / 50
    zone, site = column(seen, "zone_max"), column(seen, "site_max")
    assert zone == pytest.approx([0.0, web, 0.0, 0.0, 0.0])
    assert site[1:3] == pytest.approx([max(web, site[0])] * 2)
    assert site[0] >= files


def test_time_lowers_evidence_and_recency(picture: Picture) -> None:
    now = alone(picture)
    picture.advance(T0 + 600)
    later = alone(picture)
    assert column(later, "evidence_total")[0] < column(now, "evidence_total")[0]
    assert column(now, "recency")[0] == 1.0
    assert column(later, "recency")[0] == pytest.approx(np.exp(-1))
    assert column(now, "recency")[1] == 0.0


def test_worth_and_protection(picture: Picture) -> None:
    seen = alone(picture)
    assert column(seen, "criticality") == pytest.approx([1, 0, 1 / 3, 2 / 3, 0])
    assert column(seen, "protected") == [0, 1, 0, 1, 0]


def test_standing_and_conditions_are_passed_on(picture: Picture) -> None:
    standings = {
        WEB: Standing(ordered=True, ordered_left=0.5),
        FILES: Standing(pending=True, refused=True),
        Entity(Kind.ISOLATE, "gone"): Standing(ordered=True, pending=True),
    }
    conditions = Conditions(True, (1.0, 0.5, 0.0), (0.25, 1.0, 0.0), 3.0, 0.25)
    seen = encode(picture, standings, {}, conditions)
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
            "budget_blocks": 0.25,
            "budget_isolations": 1,
            "budget_revocations": 0,
            "pending": np.log1p(1) / 2,
            "ordered": np.log1p(1) / 2,
            "answer_time": np.log1p(3) / 4,
            "approval_share": 0.25,
        }
    )


@pytest.mark.parametrize(
    ("left", "shown"), [(0.0, 0.0), (0.001, 0.25), (0.25, 0.25), (0.26, 0.5), (1.0, 1.0)]
)
def test_what_an_order_has_left_is_shown_in_quarters(
    picture: Picture, left: float, shown: float
) -> None:
    seen = encode(picture, {WEB: Standing(True, left)}, {}, Conditions())
    assert column(seen, "ordered_left")[0] == shown


def test_what_the_guardrails_say_is_passed_on(picture: Picture) -> None:
    verdicts = {
        WEB: Verdict(Tier.DELAYED, Reason.NONE, 3, 600),
        FILES: Verdict(Tier.QUORUM, Reason.NONE, 2, 0),
        ADDRESS: Verdict(Tier.LEASE, Reason.NONE, 0, 0),
        Entity(Kind.ISOLATE, "mail"): Verdict(Tier.REFUSED, Reason.PROTECTED_TARGET, 0, 0),
        Entity(Kind.ISOLATE, "gone"): Verdict(Tier.LEASE, Reason.NONE, 0, 0),
    }
    seen = encode(picture, {}, verdicts, Conditions())
    assert column(seen, "leased") == [0, 0, 0, 0, 1]
    assert column(seen, "approvals") == [0.75, 0, 0.5, 0, 0]
    assert column(seen, "delayed") == [1, 0, 0, 0, 0]


def test_the_observation_is_a_copy(picture: Picture) -> None:
    before = alone(picture)
    encode(picture, {WEB: Standing(True, 0.5, True, True)}, {}, Conditions()).entities[:] = 7.0
    assert np.array_equal(alone(picture).entities, before.entities)


def test_names_do_not_matter(picture: Picture) -> None:
    renamed = Inventory(
        tuple(
            Asset(f"x-{a.id}", a.zone * 2, a.criticality, a.protected, a.addresses, (a.id,))
            for a in SITE.assets
        ),
        SITE.credentials,
    )
    other = scanned(renamed, "t", "198.51.100.1")
    assert np.array_equal(alone(picture).entities, alone(other).entities)


def test_empty_site() -> None:
    seen = alone(Picture(Inventory()))
    assert seen.entities.shape == (0, len(ENTITY_COLUMNS))


shares = st.floats(0, 1, width=32)


@given(
    alerts=st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"),
            st.floats(0, 90_000),
            st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
            st.sampled_from(["203.0.113.9", "198.51.100.1", ""]),
            st.integers(1, 10**6),
        ),
        max_size=30,
    ),
    windows=st.integers(0, 100_000),
    standing=st.builds(Standing, st.booleans(), shares, st.booleans(), st.booleans()),
    conditions=st.builds(
        Conditions,
        st.booleans(),
        st.tuples(shares, shares, shares),
        st.tuples(shares, shares, shares),
        st.floats(-5, 10_000),
        shares,
    ),
)
def test_every_number_is_finite_and_of_moderate_size(
    alerts: list, windows: int, standing: Standing, conditions: Conditions
) -> None:
    picture = Picture(SITE)
    picture.windows = windows
    for kind, offset, dst, src, times in alerts:
        picture.observe(Alert(T0 + offset, "s", kind, src=src, dst=dst), T0 + offset, times)
    standings = dict.fromkeys(picture.entities(), standing)
    verdict = Verdict(Tier.DELAYED, Reason.NONE, 4, 60)
    verdicts = dict.fromkeys(picture.entities(), verdict)
    seen = encode(picture, standings, verdicts, conditions)
    for numbers in (seen.entities, seen.context):
        assert np.isfinite(numbers).all()
        assert (numbers >= 0.0).all() and (numbers <= 8.0).all()
