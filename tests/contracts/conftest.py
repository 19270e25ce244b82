"""Fixtures: named roles, and a gate of its own for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "scripts")]

from batching import FLEET, populate  # noqa: E402
from scene import (  # noqa: E402
    Gate,
    People,
    account,
    compiled_wallet,
    configure,
    make_gate,
)

from policies.actions import Kind  # noqa: E402


@pytest.fixture(scope="session")
def people() -> People:
    return People(
        governor=account("governor"),
        agent=account("agent"),
        operators=tuple(account(f"operator {i}") for i in range(4)),
        guardian=account("guardian"),
        enforcer=account("enforcer"),
        stranger=account("stranger"),
    )


@pytest.fixture
def bare_gate(people: People) -> Gate:
    return make_gate(people)


@pytest.fixture
def gate(configured: Gate) -> Iterator[Gate]:
    yield from lent(configured)


@pytest.fixture
def many(with_fleet: Gate) -> Iterator[Gate]:
    """With the fleet, a second credential of criticality 1, and a resource on asset web."""
    yield from lent(with_fleet)


@pytest.fixture(scope="session")
def configured(people: People) -> Gate:
    return configure(make_gate(people))


@pytest.fixture(scope="session")
def with_fleet(people: People) -> Gate:
    made = configure(make_gate(people))
    made.rule(Kind.ISOLATE, 0, budget=2000, live=4000)
    made.zone("fleet")
    populate(made, "fleet", FLEET)
    made.govern("setCredentials", [("ssh:api", "robots", 1, False)])
    made.govern("setResource", "wiki", "web")
    return made


def lent(made: Gate) -> Iterator[Gate]:
    """A gate as it was made: its chain goes back to that when the test is over."""
    start, snapshot = made.evm.now, made.evm.snapshot()
    contract = copy(made.contract)
    contract.events = list(made.contract.events)
    yield replace(made, contract=contract, nonces=count())
    made.evm.revert(snapshot)
    made.evm.advance(start - made.evm.now)


@pytest.fixture(scope="session")
def wallet_artifact() -> dict[str, Any]:
    """tests/contracts/Wallet.sol: an operator whose signature is ERC-1271's."""
    return compiled_wallet()
