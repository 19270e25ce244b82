"""The planner as tables: orders and facts in, commands out."""

from __future__ import annotations

import ipaddress
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.actions import Kind
from responder.enforcers.base import Actual, Command, Element, Order, Subject
from responder.enforcers.planner import desired_elements, elements_of, holds, plan
from responder.errors import Permanent

ALL = frozenset(Kind)
A = Element("blocked4", "203.0.113.9")
B = Element("isolated6", "2001:db8::5")
WIDE = Element("networks4", "198.51.0.0/16")
OTHER = Element("networks4", "192.0.2.0/24")
CLEAR = Command("clear", Element("networks4", ""))


def order(kind: Kind, target: str, until: float = 1000.0, *addresses: str, n: int = 1) -> Order:
    return Order(Subject(bytes([n]) * 32, bytes(32)), kind, target, until, addresses)


def block(target: str, until: float = 1000.0, n: int = 1) -> Order:
    return order(Kind.BLOCK, target, until, n=n)


# ---------------------------------------------------------------- orders to elements


@pytest.mark.parametrize(
    ("given", "elements"),
    [
        (block("203.0.113.9/32"), [A]),
        (block("198.51.0.0/16"), [WIDE]),
        (
            block("2001:0db8:0000:0000:0000:0000:0000:0005/128"),
            [Element("blocked6", "2001:db8::5")],
        ),
        (block("2001:db8::/32"), [Element("networks6", "2001:db8::/32")]),
        (block("::ffff:203.0.113.9/128"), [A]),
        (
            order(Kind.ISOLATE, "web", 1000.0, "10.0.0.5", "2001:db8::5"),
            [Element("isolated4", "10.0.0.5"), B],
        ),
        (order(Kind.REVOKE, "ssh:SHA256:x"), [Element("revoked", "ssh:SHA256:x")]),
    ],
)
def test_elements(given: Order, elements: list[Element]) -> None:
    assert list(elements_of(given, ALL, ())) == elements


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (block("10.9.0.7/32"), "10.9.0.7/32 overlaps the management network 10.9.0.0/24"),
        (block("10.0.0.0/8"), "10.0.0.0/8 overlaps the management network 10.9.0.0/24"),
        (block("0.0.0.0/0"), "overlaps the management network 127.0.0.0/8"),
        (block("::/0"), "overlaps the management network ::1/128"),
        (block("2001:db8:9::/48"), "management network 2001:db8:9::1/128"),
        (order(Kind.ISOLATE, "web", 1000.0, "10.0.0.5", "10.9.0.9"), "management network"),
        (order(Kind.ISOLATE, "web"), "web has 0 addresses in the inventory"),
        (block("203.0.113.9/24"), "host bits"),
        (block("drop everything"), "not a network"),
        (order(Kind.REVOKE, "ssh:SHA256:x"), "this enforcer cannot REVOKE"),
    ],
)
def test_refused(given: Order, reason: str) -> None:
    kinds = {Kind.BLOCK, Kind.ISOLATE}
    with pytest.raises(Permanent, match=reason):
        elements_of(given, kinds, ("10.9.0.0/24", "2001:db8:9::1/128"))


def test_one_refused_order_does_not_stop_the_others() -> None:
    bad, good = block("10.9.0.7/32", n=1), block("203.0.113.9/32", n=2)
    elements, refused = desired_elements([bad, good], ALL, ("10.9.0.0/24",))
    assert elements == {A: 1000.0}
    assert list(refused) == [bad]


def test_latest_end_counts() -> None:
    orders = [block("203.0.113.9/32", until, n) for n, until in enumerate([500.0, 900.0, 100.0])]
    assert desired_elements(orders, ALL, ())[0] == {A: 900.0}


@pytest.mark.parametrize("until", [math.nan, math.inf])
def test_an_order_must_end(until: float) -> None:
    with pytest.raises(Permanent, match="finite end"):
        block("203.0.113.9/32", until)


# ---------------------------------------------------------------- nested networks


def networks(*ends: tuple[str, float]) -> dict[str, float]:
    orders = [block(target, until, n) for n, (target, until) in enumerate(ends)]
    return {e.value: end for e, end in desired_elements(orders, ALL, ())[0].items()}


def test_inner_network_that_ends_first_needs_nothing() -> None:
    assert networks(("198.51.0.0/16", 500.0), ("198.51.7.0/24", 400.0)) == {"198.51.0.0/16": 500.0}


def test_inner_network_that_lasts_longer_is_cut_out() -> None:
    assert networks(("198.51.0.0/23", 500.0), ("198.51.1.0/24", 900.0)) == {
        "198.51.0.0/24": 500.0,
        "198.51.1.0/24": 900.0,
    }


_small = st.tuples(st.integers(0, 31), st.integers(26, 31)).map(
    lambda pair: ipaddress.ip_network((0xCB007100 + pair[0], pair[1]), strict=False)
)


@given(wanted=st.lists(st.tuples(_small, st.integers(1, 9)), max_size=6))
def test_cutting_keeps_every_addresss_end(wanted: list[tuple[ipaddress.IPv4Network, int]]) -> None:
    cut = [
        (ipaddress.ip_network(text), end)
        for text, end in networks(*((str(n), float(end)) for n, end in wanted)).items()
    ]
    for number in range(64):
        address = ipaddress.ip_address(0xCB007100 + number)
        ends = [end for network, end in cut if address in network]
        assert len(ends) <= 1  # no overlap
        assert max(ends, default=0) == max((e for n, e in wanted if address in n), default=0)


# ---------------------------------------------------------------- plan


@pytest.mark.parametrize(
    ("desired", "facts", "commands"),
    [
        pytest.param({}, {}, [], id="nothing wanted, nothing there"),
        pytest.param({A: 1000.0}, {A: 1000.0}, [], id="already there"),
        pytest.param({A: 1000.0}, {A: 998.5}, [], id="same end but for rounding"),
        pytest.param({A: 1000.0}, {}, [Command("add", A, 1000.0)], id="missing"),
        pytest.param({A: 1000.0}, {A: 900.0}, [Command("add", A, 1000.0)], id="ends early"),
        pytest.param({A: 1000.0}, {A: math.inf}, [Command("add", A, 1000.0)], id="never ends"),
        pytest.param({}, {A: 1000.0}, [Command("remove", A)], id="released"),
        pytest.param(
            {A: 1000.0},
            {B: 1000.0},
            [Command("add", A, 1000.0), Command("remove", B)],
            id="one for another",
        ),
        pytest.param({WIDE: 1000.0}, {WIDE: 1000.0}, [], id="network already there"),
        pytest.param(
            {WIDE: 1000.0, OTHER: 500.0},
            {WIDE: 1000.0},
            [CLEAR, Command("add", OTHER, 500.0), Command("add", WIDE, 1000.0)],
            id="networks are set as a whole",
        ),
        pytest.param({}, {WIDE: 1000.0}, [CLEAR], id="last network released"),
        pytest.param({A: 1000.0, WIDE: 9.0}, {A: 1000.0, WIDE: 9.0}, [], id="two groups there"),
    ],
)
def test_plan(
    desired: dict[Element, float], facts: dict[Element, float], commands: list[Command]
) -> None:
    assert plan(desired, Actual(facts)) == commands


@pytest.mark.parametrize(
    ("desired", "facts", "commands"),
    [
        pytest.param({}, {}, [], id="no table and none needed"),
        pytest.param({}, {A: 1.0}, [Command("rebuild")], id="remains in a broken table"),
        pytest.param(
            {A: 1000.0}, {A: 1000.0}, [Command("rebuild"), Command("add", A, 1000.0)], id="broken"
        ),
    ],
)
def test_plan_without_intact_rules(
    desired: dict[Element, float], facts: dict[Element, float], commands: list[Command]
) -> None:
    assert plan(desired, Actual(facts, intact=False)) == commands


def test_commands_read_like_sentences() -> None:
    commands = [Command("rebuild"), CLEAR, Command("add", A, 0.0), Command("remove", A)]
    assert [str(command) for command in commands] == [
        "rebuild everything",
        "clear networks4",
        "add 203.0.113.9 to blocked4 until 1970-01-01 00:00:00Z",
        "remove 203.0.113.9 from blocked4",
    ]


# ---------------------------------------------------------------- holds


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({WIDE: 1000.0}, True),
        ({WIDE: 999.0}, True),
        ({WIDE: 900.0}, False),
        ({Element("networks4", "198.51.0.0/17"): 1000.0}, False),
        (
            {
                Element("networks4", "198.51.0.0/17"): 1000.0,
                Element("networks4", "198.51.128.0/17"): 2000.0,
            },
            True,
        ),
        ({Element("networks4", "198.48.0.0/12"): 1000.0}, True),
        ({OTHER: 1000.0}, False),
        ({}, False),
    ],
)
def test_network_is_held_by_whatever_covers_it(facts: dict[Element, float], expected: bool) -> None:
    assert holds(WIDE, 1000.0, Actual(facts)) is expected


def test_nothing_is_held_by_a_broken_table() -> None:
    assert not holds(A, 1000.0, Actual({A: 1000.0}, intact=False))
