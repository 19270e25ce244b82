"""A site on a devnet for the whole session; each test gets it as new."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

sys.path.insert(0, str(Path(__file__).parent))

from founding import GENESIS, found
from world import World

from responder.chain.devnet import Devnet
from responder.chain.ledger import Ledger
from responder.settings import Settings


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    log = tmp_path_factory.mktemp("devnet") / "anvil.log"
    with Devnet(log, genesis=GENESIS) as devnet:
        yield devnet


@pytest.fixture(scope="session")
def site(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return found(tmp_path_factory.mktemp("site"), devnet)


@pytest.fixture(scope="session")
def base_ledger(site: Settings, devnet: Devnet) -> Ledger:
    return World(site, devnet).ledger()


@contextmanager
def _undone(site: Settings, devnet: Devnet, base: Ledger, folder: Path) -> Iterator[World]:
    ask = Web3(HTTPProvider(devnet.url)).provider.make_request
    snapshot = ask("evm_snapshot", [])["result"]  # type: ignore[arg-type]
    home = folder / "home"
    home.mkdir()
    yield World.at(home, site, devnet, base)
    assert ask("evm_revert", [snapshot])["result"]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def module_world(
    site: Settings, devnet: Devnet, base_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The site just after its deployment, for a history that a module's tests only read."""
    with _undone(site, devnet, base_ledger, tmp_path_factory.mktemp("module")) as world:
        yield world


@pytest.fixture
def world(site: Settings, devnet: Devnet, base_ledger: Ledger, tmp_path: Path) -> Iterator[World]:
    """The site just after its deployment; what a test does to the chain is undone."""
    with _undone(site, devnet, base_ledger, tmp_path) as world:
        yield world
