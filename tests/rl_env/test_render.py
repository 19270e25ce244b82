"""Pictures: what is drawn follows from the state, and stays where it belongs."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from policies.columns import RECENCY, TOTAL
from rl_env import world
from rl_env.network import Blueprint, blueprints, pack
from rl_env.parameters import PLACES, flat
from rl_env.pictures.scene import see
from rl_env.render import ansi, rgb
from rl_env.scenario import Scenario

NOW = 40
SIZES = (5, 16, 100, 2000)
NETWORK = slice(64, 754), slice(16, 964)  # rows and columns of the picture


@cache
def drawn(hosts: int) -> tuple[Any, Blueprint]:
    scenario = Scenario.from_mapping({"network": {"hosts": hosts, "sites": 1}})
    sites = blueprints(scenario.network)
    return world.templates(pack(sites), flat(scenario.parameters())), sites[0]


def fresh(hosts: int) -> tuple[Any, Blueprint]:
    """An environment of so many hosts to which nothing happened, in minute NOW."""
    states, site = drawn(hosts)
    state = states.copy()[0]
    state.minute, state.epoch = NOW, 1_767_571_200
    return state, site


def busy(hosts: int) -> tuple[Any, Blueprint]:
    """One where everything that can be drawn is drawn on every entity."""
    state, site = fresh(hosts)
    state.host[:, world.LEVEL] = np.arange(len(state.host)) % 4
    state.stolen[:] = 1
    state.slots = len(state.indicator)
    state.indicator[:, world.ADDRESS] = 0xC6336400 + np.arange(len(state.indicator))
    state.indicator[:, world.HOSTILE] = 1
    state.entities[TOTAL], state.entities[RECENCY] = 9.0, 1.0
    state.row[:, [world.ENDS, world.STARTS, world.BEGAN]] = NOW + 9999, NOW, NOW
    state.row[:, world.QUESTION], state.row[:, world.ASKED] = world.ACT, NOW - 1
    state.row[:, world.REFUSED_UNTIL] = NOW + int(state.dials[PLACES.operators_refused_minutes])
    state.story, state.lease_until = 2, NOW + 100_000
    state.lease_budget[:] = state.lease_left[:] = 4000
    state.term[:] = -123.456
    state.metric[:] = 99_999
    state.actor[:, world.PHASE] = world.INSIDE
    state.actor[world.INTRUDER, [world.BASE, world.TARGET]] = 0, len(site) - 1
    return state, site


def order(state: Any, row: int, minutes: int = 30) -> None:
    state.row[row, [world.STARTS, world.BEGAN, world.DUE]] = NOW - 5
    state.row[row, world.ENDS] = NOW + minutes


def ask(state: Any, row: int, minutes: int, question: int = world.ACT) -> None:
    state.row[row, [world.QUESTION, world.ASKED, world.DUE]] = question, NOW - minutes, world.NEVER


def changed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of where the network is drawn differently."""
    rows, columns = np.nonzero((one[NETWORK] != other[NETWORK]).any(axis=2))
    assert len(rows)
    return columns.min(), rows.min(), columns.max(), rows.max()


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("hosts", SIZES)
def test_images_are_of_one_size(hosts: int) -> None:
    image = rgb(*fresh(hosts))
    assert (image.shape, image.dtype) == ((800, 1280, 3), np.uint8)


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
    state.host[3, world.LEVEL] = world.ROOT
    taken = changed(before, rgb(state, site))
    state.host[3, world.LEVEL] = 0
    state.entities[TOTAL, 3], state.entities[RECENCY, 3] = 1.0, 1.0
    suspected = changed(before, rgb(state, site))
    assert taken[2] <= suspected[0] + 1  # a pixel may be of both
    assert (taken[1], taken[3]) == (suspected[1], suspected[3])


@pytest.mark.parametrize("levels", [(0, 1), (1, 2), (2, 3)])
def test_levels_of_takeover_look_different(levels: tuple[int, int]) -> None:
    state, site = fresh(100)
    pictures = []
    for level in levels:
        state.host[3, world.LEVEL] = level
        pictures.append(rgb(state, site))
    changed(*pictures)


def test_every_one_of_2000_hosts_has_its_place() -> None:
    state, site = fresh(2000)
    before, places = rgb(state, site), set()
    for host in range(0, 2000, 97):
        state.host[host, world.LEVEL] = world.ROOT
        places.add(changed(before, rgb(state, site)))
        state.host[host, world.LEVEL] = 0
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
    state.actor[world.INTRUDER, [world.PHASE, world.BASE, world.TARGET]] = world.INSIDE, 0, -1
    before = rgb(state, site)
    state.actor[world.INTRUDER, world.TARGET] = 9
    assert see(state, site).moves == (0, 9)
    changed(before, rgb(state, site))


def test_text_needs_no_pillow_and_images_say_that_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for name in [name for name in sys.modules if name.startswith("rl_env.pictures.")]:
        monkeypatch.delitem(sys.modules, name)
    state, site = fresh(5)
    assert ansi(state, site).startswith("Countersign")
    with pytest.raises(DependencyNotInstalled, match="pip install pillow"):
        rgb(state, site)


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
    state.host[5, world.LEVEL] = world.LOST
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
    state.host[1234, world.LEVEL] = world.ROOT
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
    ask(state, 2, 2, world.RELEASE)
    state.row[2, world.DUE] = NOW + 3
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
        state.row[row, [world.BEGAN, world.DUE]] = NOW if due == NOW else NOW - 1, due
    order(state, 2)
    state.row[2, world.STARTS] = NOW
    ask(state, 3, 1)
    state.row[4, world.REFUSED_UNTIL] = NOW + int(state.dials[PLACES.operators_refused_minutes])
    state.entities[[TOTAL, RECENCY], 5] = 0.5, np.exp(-0.1)
    ask(state, 6, 2)
    order(state, 7)
    state.row[7, [world.BEGAN, world.DUE]] = NOW - 1  # approved the minute before
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
    state.indicator[:2, world.ADDRESS] = 0xCB007109, 0xCB00710A
    state.indicator[1, world.HOSTILE] = 1
    order(state, key)
    ask(state, address, 6)
    scene = see(state, site)
    assert [m.name for m in scene.addresses.marks] == ["203.0.113.9", "203.0.113.10"]
    assert [m.truth for m in scene.addresses.marks] == [0, world.ROOT]
    assert [m.waits for m in scene.addresses.marks] == [6, -1]
    assert scene.credentials.marks[0].truth == world.ROOT
    assert scene.credentials.marks[0].left == 30


def test_the_intruder_is_told_from_those_who_scan() -> None:
    state, site = fresh(16)
    state.story = 1
    state.actor[1, world.PHASE] = 1
    assert see(state, site).truth == ("nobody attacks (scanned)", "1 scanning from outside")
    state.story = 2
    state.actor[world.INTRUDER, [world.PHASE, world.BASE, world.TARGET]] = world.INSIDE, 4, 5
    state.host[4, world.LEVEL] = world.ROOT
    names = [asset.id for asset in site.inventory.assets]
    assert see(state, site).truth[:2] == (
        "direct, inside; holds 1 host",
        f"works on {names[5]} from {names[4]}",
    )
