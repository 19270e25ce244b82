"""Pictures: what is drawn follows from the state, and stays where it belongs."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from policies.columns import RECENCY, TOTAL
from rl_env.network import Blueprint, blueprints, pack
from rl_env.parameters import PLACES, flat
from rl_env.pictures.layout import arrange
from rl_env.pictures.scene import see
from rl_env.render import ansi, rgb
from rl_env.scenario import Scenario
from rl_env.world import (
    ACT,
    ADDRESS,
    ASKED,
    BASE,
    BEGAN,
    DUE,
    ENDS,
    HOSTILE,
    INSIDE,
    INTRUDER,
    LEVEL,
    LOST,
    NEVER,
    PHASE,
    QUESTION,
    REFUSED_UNTIL,
    RELEASE,
    ROOT,
    STARTS,
    TARGET,
    templates,
)

NOW = 40
SIZES = (5, 16, 100, 2000)
NETWORK = slice(64, 754), slice(16, 964)  # rows and columns of the picture


@cache
def drawn(hosts: int) -> tuple[Any, Blueprint]:
    scenario = Scenario.from_mapping({"network": {"hosts": hosts, "sites": 1}})
    sites = blueprints(scenario.network)
    return templates(pack(sites), flat(scenario.parameters())), sites[0]


def fresh(hosts: int) -> tuple[Any, Blueprint]:
    """An environment of so many hosts to which nothing happened, in minute NOW."""
    states, site = drawn(hosts)
    state = states.copy()[0]
    state.minute, state.epoch = NOW, 1_767_571_200
    return state, site


def busy(hosts: int) -> tuple[Any, Blueprint]:
    """One where everything that can be drawn is drawn on every entity."""
    state, site = fresh(hosts)
    state.host[:, LEVEL] = np.arange(len(state.host)) % 4
    state.stolen[:] = 1
    state.slots = len(state.indicator)
    state.indicator[:, ADDRESS] = 0xC6336400 + np.arange(len(state.indicator))
    state.indicator[:, HOSTILE] = 1
    state.entities[TOTAL], state.entities[RECENCY] = 9.0, 1.0
    state.row[:, ENDS], state.row[:, STARTS], state.row[:, BEGAN] = NOW + 9999, NOW, NOW
    state.row[:, QUESTION], state.row[:, ASKED] = ACT, NOW - 1
    state.row[:, REFUSED_UNTIL] = NOW + int(state.dials[PLACES.operators_refused_minutes])
    state.story, state.lease_until = 2, NOW + 100_000
    state.lease_budget[:] = state.lease_left[:] = 4000
    state.term[:] = -123.456
    state.metric[:] = 99_999
    state.actor[:, PHASE] = INSIDE
    state.actor[INTRUDER, BASE], state.actor[INTRUDER, TARGET] = 0, len(site) - 1
    return state, site


def order(state: Any, row: int, minutes: int = 30) -> None:
    state.row[row, [STARTS, ENDS, BEGAN, DUE]] = NOW - 5, NOW + minutes, NOW - 5, NOW - 5


def ask(state: Any, row: int, minutes: int, question: int = ACT) -> None:
    state.row[row, [QUESTION, ASKED, DUE]] = question, NOW - minutes, NEVER


def changed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of where the network is drawn differently."""
    rows, columns = np.nonzero((one[NETWORK] != other[NETWORK]).any(axis=2))
    assert len(rows)
    return columns.min(), rows.min(), columns.max(), rows.max()


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("hosts", SIZES)
def test_images_are_of_one_size(hosts: int) -> None:
    image = rgb(*fresh(hosts))
    assert image.shape == (800, 1280, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("hosts", SIZES)
def test_margins_stay_empty_however_much_there_is_to_draw(hosts: int) -> None:
    image = rgb(*busy(hosts))
    paper = image[400, 2]
    for margin in (image[56:, :16], image[56:756, 964:980], image[56:756, 1264:]):
        assert (margin == paper).all()
    assert (image[756:760] == paper).all()
    assert (image[796:] == paper).all()


@pytest.mark.parametrize("hosts", SIZES)
def test_looking_changes_nothing(hosts: int) -> None:
    state, site = busy(hosts)
    before = state.tobytes()
    assert np.array_equal(rgb(state, site), rgb(state, site))
    ansi(state, site)
    assert state.tobytes() == before


@pytest.mark.parametrize("hosts", SIZES)
def test_an_isolated_host_has_another_frame_and_nothing_else_changes(hosts: int) -> None:
    state, site = fresh(hosts)
    before = rgb(state, site)
    order(state, 2)
    left, top, right, bottom = changed(before, rgb(state, site))
    assert right - left <= 240
    assert bottom - top <= 180


@pytest.mark.parametrize("hosts", SIZES)
def test_truth_is_on_the_left_of_a_host_and_belief_on_the_right(hosts: int) -> None:
    state, site = fresh(hosts)
    before = rgb(state, site)
    state.host[3, LEVEL] = ROOT
    taken = changed(before, rgb(state, site))
    state.host[3, LEVEL] = 0
    state.entities[TOTAL, 3], state.entities[RECENCY, 3] = 1.0, 1.0
    suspected = changed(before, rgb(state, site))
    assert taken[2] <= suspected[0] + 1  # a pixel may be of both
    assert (taken[1], taken[3]) == (suspected[1], suspected[3])


@pytest.mark.parametrize("levels", [(0, 1), (1, 2), (2, 3)])
def test_levels_of_takeover_look_different(levels: tuple[int, int]) -> None:
    state, site = fresh(100)
    pictures = []
    for level in levels:
        state.host[3, LEVEL] = level
        pictures.append(rgb(state, site))
    changed(*pictures)


def test_every_one_of_2000_hosts_has_its_place() -> None:
    state, site = fresh(2000)
    before, places = rgb(state, site), set()
    for host in range(0, 2000, 97):
        state.host[host, LEVEL] = ROOT
        places.add(changed(before, rgb(state, site)))
        state.host[host, LEVEL] = 0
    assert len(places) == len(range(0, 2000, 97))


def test_orders_and_questions_look_different() -> None:
    ordered, site = fresh(100)
    asked, _ = fresh(100)
    order(ordered, 4)
    ask(asked, 4, 30)
    changed(rgb(ordered, site), rgb(asked, site))


def test_the_intruders_hand_is_drawn_from_host_to_host() -> None:
    state, site = fresh(16)
    state.story = 2
    state.actor[INTRUDER, [PHASE, BASE, TARGET]] = INSIDE, 0, -1
    before = rgb(state, site)
    state.actor[INTRUDER, TARGET] = 9
    assert see(state, site).moves == (0, 9)
    changed(before, rgb(state, site))


AREA = (16, 144, 948, 530)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=16).filter(lambda n: sum(n) <= 2000))
@settings(max_examples=60, deadline=None)
def test_boxes_lie_in_their_area_and_cells_in_their_boxes(counts: list[int]) -> None:
    boxes = arrange(tuple(counts), AREA, 0.75)
    taken = np.zeros((800, 1280), dtype=np.int64)
    for box, count in zip(boxes, counts, strict=True):
        assert AREA[0] <= box.x and box.x + box.width <= AREA[0] + AREA[2]
        assert AREA[1] <= box.y and box.y + box.height <= AREA[1] + AREA[3]
        taken[box.y : box.y + box.height, box.x : box.x + box.width] += 1
        x, y = np.array([box.place(number) for number in range(count)]).T
        assert x.min() >= box.x and (x + box.cell[0]).max() <= box.x + box.width
        assert y.min() >= box.y and (y + box.cell[1]).max() <= box.y + box.height
        assert len(set(zip(x.tolist(), y.tolist(), strict=True))) == count
    assert taken.max() == 1


def test_text_needs_no_pillow_and_images_say_that_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for name in [name for name in sys.modules if name.startswith("rl_env.pictures.")]:
        monkeypatch.delitem(sys.modules, name)
    state, site = fresh(5)
    assert ansi(state, site).startswith("Countersign")
    with pytest.raises(DependencyNotInstalled, match="pip install pillow"):
        rgb(state, site)


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="9000 cells do not fit into 100 x 100 pixels"):
        arrange((9000,), (0, 0, 100, 100), 0.75)


# ---------------------------------------------------------------- text


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("hosts", SIZES)
def test_text_keeps_to_its_columns(hosts: int, columns: int) -> None:
    for state, site in (fresh(hosts), busy(hosts)):
        lines = ansi(state, site, columns).splitlines()
        assert max(map(len, lines)) <= columns
        assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("hosts", SIZES)
def test_colours_are_escape_codes_and_nothing_else(hosts: int) -> None:
    state, site = busy(hosts)
    coloured = ansi(state, site, colours=True)
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    plain = ansi(state, site)
    assert bare.split() == plain.split()


def test_small_sites_name_every_host_with_truth_belief_and_order() -> None:
    state, site = fresh(16)
    state.host[5, LEVEL] = LOST
    state.entities[TOTAL, 5] = 0.75
    order(state, 5, 23)
    name = site.inventory.assets[5].id
    text = ansi(state, site)
    assert all(asset.id in text for asset in site.inventory.assets)
    (cell,) = re.findall(rf"{name}\s+[a-zA-Z]\d.(...) (\S+)", text)
    assert cell == ("X7#", "23'")
    assert f"{name} isolated, 23 min left" in text


def test_large_sites_have_a_cell_for_every_host_and_name_those_to_look_at() -> None:
    state, site = fresh(2000)
    assert "look at" not in ansi(state, site)
    state.host[1234, LEVEL] = ROOT
    text = ansi(state, site)
    assert "look at (1)" in text
    assert site.inventory.assets[1234].id in text
    grid = text[text.index("-- dmz") : text.index("-- credentials")]
    cells = re.findall(r"(?:(?<=^)|(?<= ))([.frX]) ? ?(?: |$)", grid, re.MULTILINE)
    assert len(cells) == 2000
    assert cells.count("r") == 1


def test_those_who_wait_are_listed_longest_first() -> None:
    state, site = fresh(16)
    ask(state, 3, 4)
    ask(state, 1, 11)
    ask(state, 2, 2, RELEASE)
    state.row[2, DUE] = NOW + 3
    names = [asset.id for asset in site.inventory.assets]
    lines = ansi(state, site).splitlines()
    start = lines.index("people are asked (3)")
    assert [line.strip() for line in lines[start + 1 : start + 4]] == [
        f"isolate {names[1]}, 11 min",
        f"isolate {names[3]}, 4 min",
        f"release {names[2]}, 2 min (agreed)",
    ]


# ---------------------------------------------------------------- what it is made of


def test_the_last_minute_is_told() -> None:
    state, site = fresh(16)
    names = [asset.id for asset in site.inventory.assets]
    for row, due in ((0, NOW), (1, 7)):  # one that people agreed to, one under the lease
        order(state, row)
        state.row[row, [BEGAN, DUE]] = NOW if due == NOW else NOW - 1, due
    order(state, 2)
    state.row[2, STARTS] = NOW
    ask(state, 3, 1)
    state.row[4, REFUSED_UNTIL] = NOW + int(state.dials[PLACES.operators_refused_minutes])
    state.entities[[TOTAL, RECENCY], 5] = 0.5, np.exp(-0.1)
    ask(state, 6, 2)
    assert see(state, site).events == (
        f"asked: isolate {names[3]}",
        f"under the lease: isolate {names[1]}",
        f"approved: isolate {names[0]}",
        f"enforced: {names[2]} isolated",
        f"refused: isolate {names[4]}",
        f"surprising: {names[5]}, 25 nats",
    )


def test_keys_and_addresses_have_truth_and_orders_too() -> None:
    state, site = fresh(16)
    key, address = len(state.host), len(state.host) + len(state.stolen)
    state.stolen[0] = 1
    state.slots = 2
    state.indicator[:2, ADDRESS] = 0xCB007109, 0xCB00710A
    state.indicator[1, HOSTILE] = 1
    order(state, key)
    ask(state, address, 6)
    scene = see(state, site)
    assert [m.name for m in scene.addresses.marks] == ["203.0.113.9", "203.0.113.10"]
    assert [m.truth for m in scene.addresses.marks] == [0, ROOT]
    assert [m.waits for m in scene.addresses.marks] == [6, -1]
    assert scene.credentials.marks[0].truth == ROOT
    assert scene.credentials.marks[0].left == 30


def test_the_intruder_is_told_from_those_who_scan() -> None:
    state, site = fresh(16)
    state.story = 1
    state.actor[1, PHASE] = 1
    assert see(state, site).truth == ("nobody attacks (scanned)", "1 scanning from outside")
    state.story = 2
    state.actor[INTRUDER, [PHASE, BASE, TARGET]] = INSIDE, 4, 5
    state.host[4, LEVEL] = ROOT
    names = [asset.id for asset in site.inventory.assets]
    assert see(state, site).truth[:2] == (
        "direct, inside; holds 1 host",
        f"works on {names[5]} from {names[4]}",
    )
