"""Rules change through governance alone, and with the delay that its AccessManager has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from eth_utils import keccak
from scene import LIMITS, Gate, People, asset_entry, refused

from responder.chain.proposal import name_key

ADMIN = 0  # AccessManager's own role
DAY = 86_400
CHANGE = (60, 30, 61, 62, 1, 2, 3)  # limits, each of its own


@pytest.fixture
def delayed(gate: Gate, people: People) -> Gate:
    """The governor acts after a day."""
    args = (ADMIN, people.governor.address, DAY)
    gate.manager.send("grantRole", *args, sender=people.governor.address)
    return gate


@contextmanager
def manager_refuses(gate: Gate, name: str) -> Iterator[None]:
    """By an error of the AccessManager, which the gate hands on as it came."""
    error = next(e for e in gate.manager.abi if e["type"] == "error" and e["name"] == name)
    selector = keccak(text=f"{name}({','.join(i['type'] for i in error['inputs'])})")[:4].hex()
    with pytest.raises(RuntimeError, match=f"output: 0x{selector}"):
        yield


def schedule(gate: Gate) -> bytes:
    data = gate.contract.data("setLimits", CHANGE)
    args = (gate.contract.address, data, gate.evm.now + DAY)
    gate.manager.send("schedule", *args, sender=gate.people.governor.address)
    return data


def test_a_change_waits_for_its_delay(delayed: Gate) -> None:
    with manager_refuses(delayed, "AccessManagerNotScheduled"):
        delayed.govern("setLimits", CHANGE)
    schedule(delayed)
    delayed.evm.advance(DAY - 1)
    with manager_refuses(delayed, "AccessManagerNotReady"):
        delayed.govern("setLimits", CHANGE)
    assert delayed.view("limits") == LIMITS
    delayed.evm.advance(1)
    delayed.govern("setLimits", CHANGE)
    assert delayed.view("limits") == CHANGE
    with manager_refuses(delayed, "AccessManagerNotScheduled"):  # once
        delayed.govern("setLimits", LIMITS)


def test_a_change_that_waited_goes_through_the_manager_too(delayed: Gate, people: People) -> None:
    data = schedule(delayed)
    delayed.evm.advance(DAY)
    args = (delayed.contract.address, data)
    delayed.manager.send("execute", *args, sender=people.governor.address)
    told = [topics for emitter, topics, _ in delayed.evm.logs if emitter == args[0].lower()]
    assert told[0][1].hex().endswith(delayed.manager.address[2:].lower())  # who changed them
    assert delayed.view("limits") == CHANGE


def test_only_what_was_scheduled_happens(delayed: Gate) -> None:
    schedule(delayed)
    delayed.evm.advance(DAY)
    with manager_refuses(delayed, "AccessManagerNotScheduled"):
        delayed.govern("setLimits", (61, *CHANGE[1:]))


def test_a_change_is_cancelled_while_it_waits(delayed: Gate, people: People) -> None:
    data = schedule(delayed)
    args = (people.governor.address, delayed.contract.address, data)
    delayed.manager.send("cancel", *args, sender=people.governor.address)
    delayed.evm.advance(DAY)
    with manager_refuses(delayed, "AccessManagerNotScheduled"):
        delayed.govern("setLimits", CHANGE)


def test_a_stranger_schedules_nothing(delayed: Gate, people: People) -> None:
    data, gate, stranger = (
        delayed.contract.data("setLimits", CHANGE),
        delayed.contract,
        people.stranger,
    )
    args = (gate.address, data, delayed.evm.now + DAY)
    with refused("AccessManagerUnauthorizedCall", stranger.address, gate.address, data[:4]):
        delayed.manager.send("schedule", *args, sender=people.stranger.address)


def test_whom_the_manager_trusts_with_one_function_has_that_one(gate: Gate, people: People) -> None:
    selector = gate.contract.data("setAssets", [])[:4]
    registrar = people.stranger.address
    for function, args in (
        ("setTargetFunctionRole", (gate.contract.address, [selector], 7)),
        ("grantRole", (7, registrar, 0)),
    ):
        gate.manager.send(function, *args, sender=people.governor.address)
    gate.send("setAssets", [asset_entry("new", "dmz", 0, False)], sender=registrar)
    assert gate.view("assetOf", name_key("new"))[2]
    with refused("AccessManagedUnauthorized", registrar):
        gate.send("setPool", "new", 1, sender=registrar)


def test_a_closed_gate_is_governed_by_no_one(gate: Gate, people: People) -> None:
    args = (gate.contract.address, True)
    gate.manager.send("setTargetClosed", *args, sender=people.governor.address)
    with refused("AccessManagedUnauthorized", people.governor.address):
        gate.govern("setLimits", CHANGE)


def test_the_authority_is_fixed(gate: Gate, people: People) -> None:
    with refused("RegistryAuthorityFixed"):
        gate.send("setAuthority", people.stranger.address, sender=people.governor)
    fixed = keccak(text="RegistryAuthorityFixed()")[:4].hex()
    with pytest.raises(RuntimeError, match=fixed):  # the gate's error, through the manager
        args = (gate.contract.address, gate.contract.address)
        gate.manager.send("updateAuthority", *args, sender=people.governor.address)
    assert gate.view("authority") == gate.manager.address.lower()


def test_a_refused_change_leaves_no_trace(delayed: Gate) -> None:
    before = delayed.evm.state()
    with manager_refuses(delayed, "AccessManagerNotScheduled"):
        delayed.govern("setZone", "dmz", (1, 0, 0, 0, 0, 0))
    assert delayed.evm.state() == before
