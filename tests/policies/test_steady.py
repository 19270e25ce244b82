"""What calls out without a break is told of one machine alone, and never of a gateway."""

from __future__ import annotations

import json

import pytest

from policies.inventory import Asset
from policies.steady import Steady

SHARE, WEB = Asset("share", "lan", addresses=("10.0.1.9",)), Asset("web", "lan")
LONG = 288  # windows: two days
GATEWAY = Asset("gate", "lan", addresses=("10.0.1.1", "10.0.2.1"))


def close(steady: Steady, times: int, *assets: int) -> list[tuple[int, str]]:
    """What the last of so many windows told, in each of which these assets called out."""
    told: list[tuple[int, str]] = []
    for _ in range(times):
        told = steady.close(1, {asset: ["dns"] for asset in assets})
    return told


def test_told_once_it_is_long_and_as_long_as_it_lasts() -> None:
    steady = Steady([SHARE, WEB])
    assert close(steady, LONG - 1, 0) == []
    assert close(steady, 1, 0) == [(0, "dns")]
    assert close(steady, 50, 0) == [(0, "dns")]
    assert close(steady, 1, 1) == []
    assert close(steady, 1, 0) == []


def test_a_window_without_it_is_a_break() -> None:
    steady = Steady([SHARE, WEB])
    close(steady, LONG - 1, 0)
    assert steady.close(2, {0: ["dns"]}) == []
    assert close(steady, LONG - 1, 0) == []
    assert close(steady, 1, 0) == [(0, "dns")]


def test_another_type_is_another_matter() -> None:
    steady = Steady([SHARE, WEB])
    close(steady, LONG - 1, 0)
    assert steady.close(1, {0: ["tls"]}) == []
    assert steady.close(1, {0: ["tls", "dns"]}) == []


def test_what_several_machines_do_is_the_sites_way() -> None:
    assert close(Steady([SHARE, WEB]), LONG + 1, 0, 1) == []


def test_a_gateway_passes_on_what_a_machine_behind_it_asks() -> None:
    assert close(Steady([GATEWAY, SHARE]), LONG, 0, 1) == [(1, "dns")]
    assert close(Steady([GATEWAY, SHARE]), LONG, 0) == []


@pytest.mark.parametrize(
    ("addresses", "is_one"),
    [
        ((), False),
        (("10.0.1.1", "10.0.1.200", "fe80::1"), False),
        (("10.0.1.1", "2001:db8::1"), False),
        (("10.0.1.1", "fe80::1", "fe80:1::1"), False),
        (("10.0.1.1", "10.0.2.1"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), True),
    ],
)
def test_a_gateway_has_addresses_in_several_networks(
    addresses: tuple[str, ...], is_one: bool
) -> None:
    told = close(Steady([Asset("one", "lan", addresses=addresses)]), LONG, 0)
    assert told == ([] if is_one else [(0, "dns")])


def test_round_trip_follows_the_inventory() -> None:
    steady = Steady([WEB, SHARE])
    close(steady, LONG - 1, 0, 1)
    restored = Steady.from_json([GATEWAY, SHARE], json.loads(json.dumps(steady.to_json())))
    assert restored.to_json() == {"share": {"dns": LONG - 1}}
    assert close(restored, 1, 1) == [(1, "dns")]
