"""The picture: novelty counts, floods do not, nobody can make it grow or turn back its time."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.actions import Kind
from policies.alerts import Alert, Stage, Tactic
from policies.columns import (
    ALERTS,
    CRITICALITY,
    ENTITY_COLUMNS,
    EVIDENCE,
    LOUD,
    PROTECTED,
    RECENCY,
    SITE_MAX,
    TOTAL,
    TOUCHED,
    VARIETY_10MIN,
    ZONE_MAX,
)
from policies.evidence import WINDOW, fade
from policies.inventory import Asset, Credential, Inventory
from policies.picture import MAX_INDICATORS, Entity, Evidence, Picture
from policies.steady import STEADY

SITE = Inventory(
    (Asset("web", "dmz", addresses=("10.0.0.1",)), Asset("mail", "dmz", addresses=("10.0.0.2",))),
    (Credential("ssh:SHA256:abc"),),
    ("198.51.100.0/24", "2001:db8::/32"),
)
WEB, MAIL = Entity(Kind.ISOLATE, "web"), Entity(Kind.ISOLATE, "mail")
KEY = Entity(Kind.REVOKE, "ssh:SHA256:abc")
T0 = 1_000_000.0


def alert(kind: str = "a", time: float = T0, **fields: object) -> Alert:
    return Alert(**{"time": time, "sensor": "s", "type": kind, "host": "web", **fields})  # type: ignore[arg-type]


def at(address: str) -> Entity:
    return Entity(Kind.BLOCK, f"{address}/32")


def indicators(picture: Picture) -> list[str]:
    return [entity.id for entity in picture.entities() if entity.kind is Kind.BLOCK]


def web(picture: Picture) -> Evidence:
    return picture.evidence(WEB)


def cell(picture: Picture, entity: Entity, column: int) -> float:
    return float(picture.table()[picture.entities().index(entity), column])


@pytest.fixture
def learned() -> Picture:
    """Knows 300 windows in which "usual" was always seen on web."""
    picture = Picture(SITE)
    picture.windows = 300
    picture.site_rates = {"s:usual": 300}
    picture.rates = {"web": {"s:usual": 300}}
    return picture


# ---------------------------------------------------------------- what counts


def test_new_type_surprises_and_usual_one_does_not(learned: Picture) -> None:
    learned.observe(alert("new"), T0)
    before = web(learned).total
    assert before > 8.0
    learned.observe(alert("usual"), T0)
    assert web(learned).total - before < 0.1


def test_first_minutes_at_a_new_site_surprise_little() -> None:
    picture = Picture(SITE)
    assert picture.observe(alert(), T0)
    assert web(picture).total < 1.0


def test_flood_is_one_fact(learned: Picture) -> None:
    once = Picture.from_json(SITE, learned.to_json())
    once.observe(alert("new"), T0)
    for i in range(1000):
        assert (learned.observe(alert("new", T0 + i / 100), T0 + 60) > 0.0) == (i == 0)
    assert web(learned) == web(once)
    assert len(web(learned).recent) == 1


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_alerts_count_by_the_logarithm_of_how_many_came_in_a_window(times: list[int]) -> None:
    picture = Picture(SITE)
    for n in times:
        picture.observe(alert("new"), T0, n)
    assert cell(picture, WEB, ALERTS) == pytest.approx(math.log1p(sum(times)) / LOUD, rel=1e-5)


def test_each_window_counts_anew(learned: Picture) -> None:
    for window in range(2):
        learned.observe(alert("new", T0 + window * WINDOW), T0 + window * WINDOW, times=100)
    faded = math.exp(-WINDOW / 1800)
    assert cell(learned, WEB, ALERTS) == pytest.approx((1 + faded) * math.log1p(100) / LOUD)
    assert cell(learned, WEB, VARIETY_10MIN) == pytest.approx((1 + math.exp(-1)) / 8)


def test_an_alert_may_stand_for_many(learned: Picture) -> None:
    each = Picture.from_json(SITE, learned.to_json())
    for _ in range(7):
        each.observe(alert("new"), T0)
    learned.observe(alert("new"), T0, times=7)
    np.testing.assert_allclose(learned.rows, each.rows, rtol=1e-6)
    assert web(learned) == web(each)


def test_what_comes_every_window_stops_surprising(learned: Picture) -> None:
    first = learned.surprise(WEB, "s:new")
    for i in range(100):
        learned.observe(alert("new", T0 + i * WINDOW), T0 + i * WINDOW)
    assert learned.surprise(WEB, "s:new") < first / 4


def test_evidence_goes_to_the_stage_of_its_tactic(learned: Picture) -> None:
    learned.observe(alert("new", tactic=Tactic.LATERAL_MOVEMENT), T0)
    assert web(learned).stages[Stage.SPREAD] == web(learned).total > 0
    assert cell(learned, WEB, EVIDENCE + Stage.SPREAD) == cell(learned, WEB, TOTAL)


TWO_DAYS = 2 * 86_400 // WINDOW


def calling(windows: int, each: int = 1, tactic: Tactic = Tactic.COMMAND_AND_CONTROL) -> Picture:
    """A site of which one machine has had the same alert in so many windows, all over at the end;
    time went on by so many steps in each.
    """
    picture = Picture(SITE)
    for i in range(windows):
        picture.observe(alert("beacon", T0 + WINDOW * i, tactic=tactic), T0 + WINDOW * i)
        for step in range(1, each + 1):
            picture.advance(T0 + WINDOW * (i + step / each))
    return picture


def test_what_calls_out_for_two_days_without_a_break_surprises_again() -> None:
    assert web(calling(TWO_DAYS - 1)).total < 1.0
    late = calling(TWO_DAYS)
    assert web(late).stages[Stage.IMPACT] == pytest.approx(STEADY)
    assert web(late).recent == {
        "s:beacon, two days without a break": (T0 + WINDOW * TWO_DAYS, STEADY)
    }
    assert late.evidence(MAIL).total == 0.0
    assert calling(TWO_DAYS, each=7).to_json() == late.to_json()


def test_what_says_nothing_of_going_out_may_last_as_long_as_it_likes() -> None:
    assert web(calling(TWO_DAYS + 9, tactic=Tactic.RECONNAISSANCE)).total < 1.0


@pytest.mark.parametrize("steps", [[12.0], [4.0, 12.0], [1.0, 2.5, 9.0, 11.0, 12.0]])
def test_in_how_many_steps_time_passes_after_it_does_not_matter(steps: list[float]) -> None:
    picture, once = calling(TWO_DAYS - 1), calling(TWO_DAYS - 1)
    for each in (picture, once):
        each.observe(alert("beacon", each.time, tactic=Tactic.EXFILTRATION), each.time)
    since = picture.time
    for windows in steps:
        picture.advance(since + windows * WINDOW)
    for minutes in range(121):
        once.advance(since + minutes * 60)
    assert picture.to_json() == once.to_json()


def test_a_restart_does_not_end_a_steady_call() -> None:
    before = calling(TWO_DAYS - 1)
    picture = Picture.from_json(SITE, json.loads(json.dumps(before.to_json())))
    picture.observe(alert("beacon", picture.time, tactic=Tactic.EXFILTRATION), picture.time)
    picture.advance(picture.time + WINDOW)
    assert web(picture).stages[Stage.IMPACT] == pytest.approx(STEADY)


def test_only_what_surprises_is_told_and_recent(learned: Picture) -> None:
    learned.observe(alert("usual"), T0)
    assert cell(learned, WEB, RECENCY) == 0.0 and web(learned).recent == {}
    learned.observe(alert("new"), T0 + 5)
    assert cell(learned, WEB, RECENCY) == 1.0
    [(kind, (time, nats))] = web(learned).recent.items()
    assert (kind, time) == ("s:new", T0) and nats == pytest.approx(web(learned).total, abs=0.1)


# ---------------------------------------------------------------- whom it is about


def test_both_ends_and_the_credential_are_touched(learned: Picture) -> None:
    learned.observe(
        alert("new", host="", src="10.0.0.1", dst="10.0.0.2", credential="ssh:SHA256:abc"), T0
    )
    assert all(learned.evidence(entity).total > 0 for entity in (WEB, MAIL, KEY))
    assert not indicators(learned)


def test_foreign_address_becomes_an_indicator(learned: Picture) -> None:
    for target in ("10.0.0.1", "10.0.0.2"):
        learned.observe(alert("new", host="", src="203.0.113.9", dst=target), T0)
    assert indicators(learned) == ["203.0.113.9/32"]
    assert learned.evidence(at("203.0.113.9")).touched == ("web", "mail")
    assert cell(learned, at("203.0.113.9"), TOUCHED) == pytest.approx(math.log1p(2) / 4)


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
    assert indicators(learned) == ([written] if written else [])


@pytest.mark.parametrize(
    ("address", "protected"),
    [
        ("198.51.100.7", 1.0),
        ("::ffff:198.51.100.7", 1.0),
        ("198.51.101.7", 0.0),
        ("2001:db8::7", 1.0),
        ("2001:db9::7", 0.0),
    ],
)
def test_an_indicator_in_a_protected_network_is_protected(
    learned: Picture, address: str, protected: float
) -> None:
    learned.observe(alert("new", src=address), T0)
    *_, entity = learned.entities()
    assert (cell(learned, entity, PROTECTED), cell(learned, entity, CRITICALITY)) == (protected, 0)


def test_alert_about_nobody_we_know_is_counted_by_name(learned: Picture) -> None:
    learned.observe(alert("new", host="printer"), T0)
    assert learned.unknown_assets == {"printer": 1}
    assert all(learned.evidence(entity).total == 0 for entity in learned.entities())


def test_a_host_is_found_by_name_then_address_then_agent() -> None:
    web = Asset("web", "dmz", addresses=("10.0.1.10",), names=("017",))
    relay = Asset("relay", "dmz", addresses=("10.0.1.20",), names=("020",))
    for said, hit in (
        (Alert(T0, "x", "y", host="web", address="10.0.1.20", agent="020"), "web"),
        (Alert(T0, "x", "y", host="other", address="10.0.1.20", agent="017"), "relay"),
        (Alert(T0, "x", "y", host="other", agent="017"), "web"),
    ):
        picture = Picture(Inventory((web, relay)))
        picture.observe(said, T0)
        loud = {e.id for e in picture.entities() if picture.evidence(e).total > 0}
        assert loud == {hit}


def test_a_credential_named_as_an_asset_is_another_entity() -> None:
    picture = Picture(Inventory((Asset("web", "dmz"),), (Credential("web"),)))
    picture.observe(alert(), T0)
    assert picture.evidence(WEB).total > 0
    assert picture.evidence(Entity(Kind.REVOKE, "web")).total == 0


def test_neighbours_are_those_of_this_moment(learned: Picture) -> None:
    learned.observe(alert("new"), T0)
    assert cell(learned, MAIL, ZONE_MAX) == cell(learned, WEB, TOTAL)
    assert cell(learned, WEB, ZONE_MAX) == cell(learned, WEB, SITE_MAX) == 0.0
    for n in range(2):
        learned.observe(alert(f"other{n}", host="mail"), T0)
    mail = cell(learned, MAIL, TOTAL)
    assert cell(learned, WEB, ZONE_MAX) == cell(learned, KEY, SITE_MAX) == mail


# ---------------------------------------------------------------- time


def test_evidence_fades_by_the_minute(learned: Picture) -> None:
    learned.observe(alert("new"), T0)
    before = web(learned).total
    learned.advance(T0 + 59.9)
    assert web(learned).total == before
    learned.advance(T0 + 1800)
    assert web(learned).total == pytest.approx(before / math.e, rel=1e-4)
    learned.advance(T0)
    assert web(learned).total == pytest.approx(before / math.e, rel=1e-4)


noise = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["web", "mail"]), st.integers(1, 999)),
    min_size=1,
    max_size=20,
)


def noisy(alerts: list[tuple[str, str, int]]) -> Picture:
    picture = Picture(SITE)
    picture.windows = 300
    for kind, host, times in alerts:
        picture.observe(alert(kind, host=host, src="203.0.113.9"), T0, times)
    return picture


@given(noise)
def test_a_minute_does_what_the_simulator_does_to_the_bit(alerts: list) -> None:
    picture = noisy(alerts)
    picture.table()  # which counts what came
    rows = picture.rows.copy()
    fade(rows, np.zeros((1, 2), dtype=np.float32))
    rows[rows < 1e-6] = 0.0
    picture.advance(T0 + 60)
    assert picture.rows.tobytes() == rows.tobytes()


@given(noise, st.lists(st.floats(0, 200_000), max_size=8))
def test_it_does_not_matter_in_how_many_steps_time_passes(alerts: list, stops: list) -> None:
    one, other = noisy(alerts), noisy(alerts)
    for stop in sorted(stops):
        one.advance(T0 + stop)
    other.advance(T0 + max(stops, default=0.0))
    assert one.table().tobytes() == other.table().tobytes()
    assert one.to_json() == other.to_json()


def test_in_a_day_everything_is_forgotten_but_what_is_known_of_the_site(learned: Picture) -> None:
    empty = Picture(SITE).table()
    for i in range(200):
        learned.observe(alert(f"x{i}", credential=KEY.id), T0, times=1000)
    learned.advance(T0 + 86_400)
    assert np.array_equal(learned.table(), empty)
    assert learned.windows == 300 + 144


def test_no_faint_remainder_is_kept(learned: Picture) -> None:
    learned.observe(alert("new"), T0)
    for minute in range(1, 1000):
        learned.advance(T0 + minute * 60)
        left = learned.rows[learned.rows > 0]
        assert left.min() >= 1e-6


def test_windows_are_counted_from_the_first_alert(learned: Picture) -> None:
    learned.observe(alert("new", T0 + 7), T0 + 7)
    learned.advance(T0 + 606.9)
    assert learned.windows == 300 and learned.site_rates["s:new"] == 0
    learned.advance(T0 + 607)
    assert learned.windows == 301 and learned.site_rates["s:new"] == 1
    assert learned.rates["web"] == {"s:usual": 300, "s:new": 1}


def test_future_time_does_not_move_the_clock(learned: Picture) -> None:
    learned.observe(alert("new", T0 + 1e9), T0)
    assert learned.time == T0
    assert learned.windows == 300


@pytest.mark.parametrize("time", [T0 - 1e9, -math.inf, math.nan, math.inf])
def test_late_alert_counts_now(learned: Picture, time: float) -> None:
    learned.advance(T0 + 500)
    learned.observe(alert("new", time), T0 + 500)
    assert learned.time == T0 + 500
    assert web(learned).total > 8.0


# ---------------------------------------------------------------- bounds


def test_hostile_types_and_addresses_do_not_grow_it_without_bound(learned: Picture) -> None:
    size = learned.rows.shape
    for i in range(6000):
        now = T0 + i
        source = f"203.{i >> 8 & 255}.113.{i & 255}"
        learned.observe(alert(f"x{i}" * 500, now, src=source, host=f"h{i}"), now)
        learned.observe(alert(f"x{i}", now), now)
    assert len(indicators(learned)) == MAX_INDICATORS
    assert learned.rows.shape == size
    assert len(learned.site_rates) <= 4097
    assert len(learned.rates["web"]) <= 4097
    assert len(learned.unknown_assets) <= 4096
    assert len(web(learned).recent) <= 64
    assert all(len(kind) <= 200 for kind in learned.site_rates)
    assert web(learned).total < 257 * 12.0 * 5
    assert len(json.dumps(learned.to_json())) < 2_000_000


def test_types_beyond_the_limit_share_one_place(learned: Picture) -> None:
    for i in range(300):
        learned.observe(alert(f"x{i}"), T0)
    total = web(learned).total
    assert not learned.observe(alert("x299"), T0)
    assert not learned.observe(alert("x0"), T0)
    learned.advance(T0 + WINDOW)
    assert len(learned.rates["web"]) == 1 + 256 + 1
    assert learned.rates["web"]["other"] == 1
    assert total == pytest.approx(257 * learned.surprise(WEB, "never seen"), rel=0.01)


def test_strong_indicator_outlives_weak_ones(learned: Picture) -> None:
    for i in range(10):
        learned.observe(alert(f"new{i}", src="203.0.113.9"), T0)
    for i in range(3 * MAX_INDICATORS):
        learned.observe(alert("usual", src=f"198.51.{i // 200}.{i % 200 + 1}"), T0)
    assert "203.0.113.9/32" in indicators(learned)


def test_an_indicators_place_is_taken_over_without_its_evidence(learned: Picture) -> None:
    for i in range(MAX_INDICATORS):
        kinds = ("new",) if i == 5 else ("new", "newer")
        for kind in kinds:
            learned.observe(alert(kind, src=f"203.0.113.{i}"), T0)
    before = learned.entities()
    learned.observe(alert("usual", src="198.51.100.1"), T0)
    after = learned.entities()
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [3 + 5]
    assert after[3 + 5] == at("198.51.100.1")
    fresh = Picture.from_json(SITE, learned.to_json() | {"rows": []})
    fresh.observe(alert("usual", src="198.51.100.1"), T0)
    mine = [ENTITY_COLUMNS.index(c) for c in ENTITY_COLUMNS if c != "site_max"]
    assert np.array_equal(learned.table()[3 + 5, mine], fresh.table()[3, mine])
    with pytest.raises(KeyError):
        learned.evidence(at("203.0.113.5"))
    learned.observe(alert("new", src="203.0.113.5"), T0)  # back, with nothing of before
    assert learned.evidence(at("203.0.113.5")).touched == ("web",)


# ---------------------------------------------------------------- the cache

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
    assert restored.table().tobytes() == original.table().tobytes()


def test_round_trip_keeps_every_indicator_in_its_place(learned: Picture) -> None:
    for i in range(MAX_INDICATORS + 20):
        learned.observe(alert(f"new{i % 7}", src=f"203.0.113.{i}"), T0 + i)
    restored = Picture.from_json(SITE, json.loads(json.dumps(learned.to_json())))
    assert restored.entities() == learned.entities()
    assert restored.table().tobytes() == learned.table().tobytes()


def test_what_said_nothing_is_not_saved(learned: Picture) -> None:
    learned.observe(alert("new", host="mail"), T0)
    assert [saved[1] for saved in learned.to_json()["rows"]] == ["mail"]


def test_restored_picture_follows_the_inventory(learned: Picture) -> None:
    learned.observe(alert("new", src="203.0.113.9"), T0)
    learned.observe(alert("new", host="mail", src="203.0.113.9"), T0)
    changed = Inventory((Asset("new", "dmz"), Asset("web", "dmz")))
    restored = Picture.from_json(changed, learned.to_json())
    assert restored.evidence(Entity(Kind.ISOLATE, "new")).total == 0.0
    assert web(restored) == web(learned)
    assert restored.evidence(at("203.0.113.9")).touched == ("web",)
    assert cell(restored, at("203.0.113.9"), TOUCHED) == pytest.approx(math.log1p(1) / 4)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"steady": {"web": ["a"]}},
        {"rows": [["ISOLATE", "web"]]},
        {"rows": [["ISOLATE", "web", [1.0, 2.0], [], [], 0, [], []]]},
        {"rows": [["EXPLODE", "web", [0.0] * 12, [], [], 0, [], []]]},
        {"rows": [["BLOCK", "no address", [0.0] * 12, [], [], 0, [], []]]},
    ],
)
def test_what_another_version_saved_is_refused(learned: Picture, change: dict) -> None:
    learned.observe(alert("new"), T0)
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        Picture.from_json(SITE, learned.to_json() | change)
    with pytest.raises(KeyError):
        Picture.from_json(SITE, {"windows": 300})


def test_entities_come_in_inventory_order_then_by_first_sight(learned: Picture) -> None:
    learned.observe(alert("new", src="203.0.113.9"), T0)
    assert learned.entities() == (WEB, MAIL, KEY, at("203.0.113.9"))
    assert len(learned.table()) == 4 and not learned.rows[:, 4:].any()
