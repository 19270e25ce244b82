"""Fixtures: named roles, and a gate of its own for each test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "scripts")]

from batching import populate  # noqa: E402
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
def gate(bare_gate: Gate) -> Gate:
    return configure(bare_gate)


@pytest.fixture
def many(gate: Gate) -> Gate:
    """With 70 assets of a zone `fleet`, and a second credential of criticality 1."""
    gate.rule(Kind.ISOLATE, 0, budget=4000, live=4000)
    gate.zone("fleet")
    populate(gate, "fleet", 70)
    gate.govern("setCredentials", [("ssh:api", "robots", 1, False)])
    return gate


@pytest.fixture(scope="session")
def wallet_artifact() -> dict[str, Any]:
    """tests/contracts/Wallet.sol: an operator whose signature is ERC-1271's."""
    return compiled_wallet()
