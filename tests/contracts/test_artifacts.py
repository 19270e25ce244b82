"""What ships is what the sources say, and what Brownie compiles."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from build_artifacts import ARTIFACTS, PARTS, ROOT, SHIPPED, artifacts
from web3 import HTTPProvider, Web3

from responder.chain.deployment import Manifest
from responder.chain.devnet import Devnet

NETWORK = "countersign-test"
STALE = "run python scripts/build_artifacts.py and commit"


def shipped(name: str) -> dict:
    return json.loads((ARTIFACTS / f"{name}.json").read_text())


def brownie(*args: str) -> str:
    environment = {**os.environ, "BROWNIE": str(Path(sys.executable).parent / "brownie")}
    command = [str(ROOT / "scripts" / "brownie"), *args]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_was_made_of_these_sources(name: str) -> None:
    """Without compiling: every source that the artifact names stands here as it was then."""
    sources = shipped(name)["sources"]
    assert SHIPPED[name] in sources
    now = {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in sources}
    assert now == sources, f"{STALE} {name}.json"


def test_every_part_of_the_gate_ships() -> None:
    assert set(PARTS) < set(SHIPPED)
    assert {path.stem for path in ARTIFACTS.glob("*.json")} == set(SHIPPED)


@pytest.mark.slow
def test_what_ships_is_what_the_sources_compile_to() -> None:
    fresh = artifacts()
    stale = [name for name in SHIPPED if shipped(name) != fresh[name]]
    assert not stale, f"{STALE} {stale}"


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[Web3]:
    with Devnet(tmp_path / "anvil.log") as running:
        host = f"http://127.0.0.1:{running.port}"
        if NETWORK in brownie("networks", "list"):  # left by a run that was killed
            brownie("networks", "delete", NETWORK)
        brownie("networks", "add", "Countersign", NETWORK, f"host={host}", "chainid=31337")
        yield Web3(HTTPProvider(host))
        brownie("networks", "delete", NETWORK)


@pytest.mark.slow
def test_brownie_compiles_and_deploys_and_then_has_nothing_to_do(
    devnet: Web3, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.json"
    config = ROOT / "contracts" / "deployment.example.yaml"
    run = ["run", "deploy", "main", str(config), str(manifest), "0", "yes"]
    brownie(*run, "--network", NETWORK)
    first, block = manifest.read_text(), devnet.eth.block_number
    for part in PARTS:
        compiled = json.loads((ROOT / "build" / "contracts" / f"{part}.json").read_text())
        assert "0x" + compiled["bytecode"] == shipped(part)["bytecode"]
    gate = devnet.eth.contract(address=Manifest.load(manifest).gate, abi=shipped("Gate")["abi"])
    assert gate.functions.auditHead().call() != bytes(32)

    brownie(*run, "--network", NETWORK)
    assert (manifest.read_text(), devnet.eth.block_number) == (first, block)
