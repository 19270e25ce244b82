"""What ships is what the sources say, and what Brownie compiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from build_artifacts import ARTIFACTS, ROOT, SHIPPED, artifacts
from web3 import HTTPProvider, Web3

from responder.chain.deployment import Manifest
from responder.chain.devnet import Devnet

CODE_LIMIT = 24_576  # bytes, EIP-170
NETWORK = "countersign-test"


def shipped(name: str) -> dict:
    return json.loads((ARTIFACTS / f"{name}.json").read_text())


def brownie(*args: str) -> str:
    environment = {**os.environ, "BROWNIE": str(Path(sys.executable).parent / "brownie")}
    command = [str(ROOT / "scripts" / "brownie"), *args]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_shipped_artifacts_are_not_stale() -> None:
    fresh = artifacts()
    stale = [name for name in SHIPPED if shipped(name) != fresh[name]]
    assert not stale, f"run python scripts/build_artifacts.py and commit {stale}"


def test_the_gate_fits_into_a_contract(gate) -> None:
    assert len(gate.evm.code(gate.contract.address)) < CODE_LIMIT


@pytest.fixture
def devnet(tmp_path: Path):
    with Devnet(tmp_path / "anvil.log") as running:
        host = f"http://127.0.0.1:{running.port}"
        if NETWORK in brownie("networks", "list"):  # left by a run that was killed
            brownie("networks", "delete", NETWORK)
        brownie("networks", "add", "Countersign", NETWORK, f"host={host}", "chainid=31337")
        yield Web3(HTTPProvider(host))
        brownie("networks", "delete", NETWORK)


def test_brownie_compiles_and_deploys_and_then_has_nothing_to_do(
    devnet: Web3, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.json"
    config = ROOT / "contracts" / "deployment.example.yaml"
    command = ["run", "deploy", "main", str(config), str(manifest), "0", "--network", NETWORK]
    brownie(*command)
    first, block = manifest.read_text(), devnet.eth.block_number
    compiled = json.loads((ROOT / "build" / "contracts" / "Gate.json").read_text())
    assert "0x" + compiled["bytecode"] == shipped("Gate")["bytecode"]
    gate = devnet.eth.contract(address=Manifest.load(manifest).gate, abi=shipped("Gate")["abi"])
    assert gate.functions.auditHead().call() != bytes(32)

    brownie(*command)
    assert (manifest.read_text(), devnet.eth.block_number) == (first, block)
