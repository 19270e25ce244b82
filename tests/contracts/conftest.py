"""Fixtures: named roles, and a gate of its own for each test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "scripts")]

from scene import (  # noqa: E402
    Gate,
    People,
    account,
    compiled_wallet,
    configure,
    make_gate,
)


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


@pytest.fixture(scope="session")
def wallet_artifact() -> dict[str, Any]:
    """tests/contracts/Wallet.sol: an operator whose signature is ERC-1271's."""
    return compiled_wallet()
