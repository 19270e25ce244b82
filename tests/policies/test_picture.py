"""The picture: novelty counts, floods do not, nobody can make it grow or turn back its time."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.actions import Kind
from policies.alerts import Alert, Stage, Tactic
from policies.inventory import Asset, Credential, Inventory
from policies.picture import DECAY, MAX_INDICATORS, WINDOW, Entity, Picture

SITE = Inventory(
    (Asset("web", "dmz", addresses=("10.0.0.1",)), Asset("mail", "dmz", addresses=("10.0.0.2",))),
    (Credential("ssh:SHA256:abc"),),
)
T0 = 1_000_000.0


def alert(kind: str = "a", time: float = T0, **fields: object) -> Alert:
    return Alert(**{"time": time, "sensor": "s", "type": kind, "host": "web", **fields})  # type: ignore[arg-type]


@pytest.fixture
def learned() -> Picture:
    """Knows 300 windows in which "usual" was always seen on web."""
    picture = Picture(SITE)
    picture.windows, picture.window_start = 300, T0
    picture.site_rates = {"s:usual": 300}
    picture.rates = {"web": {"s:usual": 300}}
    return picture


def test_new_type_surprises_and_usual_one_does_not(learned: Picture) -> None:
    learned.observe(alert("new"), T0)
    assert learned.assets[0].total > 8.0
    before = learned.assets[0].total
    learned.observe(alert("usual"), T0)
    assert learned.assets[0].total - before < 0.1


def test_first_minutes_at_a_new_site_surprise_little() -> None:
    picture = Picture(SITE)
    assert picture.observe(alert(), T0)
    assert picture.assets[0].total < 1.0


def test_flood_is_one_fact(learned: Picture) -> None:
    once = Picture.from_json(SITE, learned.to_json())
    once.observe(alert("new"), T0)
    for i in range(1000):
        assert learned.observe(alert("new", T0 + i / 100), T0 + 60) == (i == 0)
    assert learned.assets[0].total == pytest.approx(once.assets[0].total, rel=0.01)
    assert learned.assets[0].distinct(T0 + 10) == 1


def test_an_alert_may_stand_for_many(learned: Picture) -> None:
    each = Picture.from_json(SITE, learned.to_json())
    for _ in range(7):
        each.observe(alert("new"), T0)
    learned.observe(alert("new"), T0, times=7)
    assert learned.to_json() == each.to_json()


def test_evidence_decays(learned: Picture) -> None:
    learned.observe(alert("new"), T0)
    before = learned.assets[0].total
    learned.assets[0].decay(T0 + DECAY)
    assert learned.assets[0].total == pytest.approx(before / math.e)
    learned.assets[0].decay(T0)
    assert learned.assets[0].total == pytest.approx(before / math.e)


def test_what_comes_every_window_stops_surprising(learned: Picture) -> None:
    first = learned.surprise("web", "s:new")
    for i in range(100):
        learned.observe(alert("new", T0 + i * WINDOW), T0 + i * WINDOW)
    assert learned.surprise("web", "s:new") < first / 4


def test_evidence_goes_to_the_stage_of_its_tactic(learned: Picture) -> None:
    learned.observe(alert("new", tactic=Tactic.LATERAL_MOVEMENT), T0)
    assert learned.assets[0].stages[Stage.SPREAD] == learned.assets[0].total


def test_both_ends_and_the_credential_are_touched(learned: Picture) -> None:
    learned.observe(
        alert("new", host="", src="10.0.0.1", dst="10.0.0.2", credential="ssh:SHA256:abc"), T0
    )
    assert all(evidence.total > 0 for evidence in learned.assets)
    assert learned.credentials["ssh:SHA256:abc"].total > 0
    assert not learned.indicators


def test_foreign_address_becomes_an_indicator(learned: Picture) -> None:
    for target in ("10.0.0.1", "10.0.0.2"):
        learned.observe(alert("new", host="", src="203.0.113.9", dst=target), T0)
    assert list(learned.indicators) == ["203.0.113.9/32"]
    assert list(learned.indicators["203.0.113.9/32"].touched) == ["web", "mail"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("::ffff:203.0.113.9", "203.0.113.9/32"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("fe80::1%eth0", None),
        ("127.0.0.1", None),
        ("224.0.0.1", None),
        ("0.0.0.0", None),
        ("no address", None),
    ],
)
def test_addresses_are_written_one_way(learned: Picture, text: str, written: str | None) -> None:
    learned.observe(alert("new", src=text), T0)
    assert list(learned.indicators) == ([written] if written else [])


def test_alert_about_nobody_we_know_is_counted_by_name(learned: Picture) -> None:
    learned.observe(alert("new", host="printer"), T0)
    assert learned.unknown_assets == {"printer": 1}
    assert all(evidence.total == 0 for evidence in learned.assets)


def test_future_time_does_not_move_the_clock(learned: Picture) -> None:
    learned.observe(alert("new", T0 + 1e9), T0)
    assert learned.time == T0
    assert learned.windows == 300


def test_late_alert_counts_now(learned: Picture) -> None:
    learned.advance(T0 + 500)
    learned.observe(alert("new", T0 - 1e9), T0 + 500)
    assert learned.assets[0].time == T0 + 500
    assert learned.assets[0].total > 8.0


def test_hostile_types_and_addresses_do_not_grow_it_without_bound(learned: Picture) -> None:
    for i in range(6000):
        now = T0 + i
        source = f"203.{i >> 8 & 255}.113.{i & 255}"
        learned.observe(alert(f"x{i}" * 500, now, src=source, host=f"h{i}"), now)
        learned.observe(alert(f"x{i}", now), now)
    assert len(learned.indicators) <= MAX_INDICATORS
    assert len(learned.site_rates) <= 4097
    assert len(learned.unknown_assets) <= 4096
    assert len(learned.assets[0].recent) <= 64
    assert all(len(kind) <= 200 for kind in learned.site_rates)
    assert learned.assets[0].total < 257 * 12.0 * 5


def test_strong_indicator_outlives_weak_ones(learned: Picture) -> None:
    for i in range(10):
        learned.observe(alert(f"new{i}", src="203.0.113.9"), T0)
    for i in range(3 * MAX_INDICATORS):
        learned.observe(alert("usual", src=f"198.51.{i // 200}.{i % 200 + 1}"), T0)
    assert "203.0.113.9/32" in learned.indicators


events = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.floats(0, 5000),
        st.sampled_from(["web", "mail", "nobody"]),
        st.sampled_from(["", "203.0.113.9", "10.0.0.2", "bad"]),
        st.sampled_from([None, *Tactic]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(before=events, after=events)
def test_json_round_trip_goes_on_as_if_nothing_had_happened(before: list, after: list) -> None:
    def feed(picture: Picture, rows: list) -> None:
        for kind, offset, host, src, tactic in rows:
            now = T0 + offset
            picture.observe(alert(kind, now, host=host, src=src, tactic=tactic), now)

    original = Picture(SITE)
    feed(original, before)
    restored = Picture.from_json(SITE, json.loads(json.dumps(original.to_json())))
    assert restored.to_json() == original.to_json()
    feed(original, after)
    feed(restored, after)
    assert restored.to_json() == original.to_json()


def test_restored_picture_follows_the_inventory(learned: Picture) -> None:
    learned.observe(alert("new"), T0)
    changed = Inventory((Asset("new", "dmz"), Asset("web", "dmz")))
    restored = Picture.from_json(changed, learned.to_json())
    assert restored.assets[0].total == 0.0
    assert restored.assets[1].total == learned.assets[0].total


def test_entities_come_in_inventory_order_then_by_first_sight(learned: Picture) -> None:
    learned.observe(alert("new", src="203.0.113.9"), T0)
    assert [entity for entity, _ in learned.entities()] == [
        Entity(Kind.ISOLATE, "web"),
        Entity(Kind.ISOLATE, "mail"),
        Entity(Kind.REVOKE, "ssh:SHA256:abc"),
        Entity(Kind.BLOCK, "203.0.113.9/32"),
    ]
