"""Compile the contracts as brownie-config.yaml says and write what the live side ships.

Run after every change of a contract: `python scripts/build_artifacts.py`. It needs `npm ci`, not
Brownie. tests/contracts compares what it wrote with a fresh compilation and with Brownie's.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "responder" / "chain" / "artifacts"
PARTS = ("Gate", "Desk", "Docket", "Office")  # each delegates to the next what it does not know
SHIPPED = {
    **{part: f"contracts/{part}.sol" for part in PARTS},
    "AccessManager": "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol",
}

INTERFACE = "contracts/interfaces/IGate.sol"

__all__ = ["ARTIFACTS", "PARTS", "ROOT", "SHIPPED", "artifacts", "compile_contracts", "request_for"]


def request_for(paths: Iterable[str], outputs: dict[str, list[str]]) -> dict[str, Any]:
    """Standard JSON that asks solc, with the settings of what ships, for these of each file."""
    compiler = yaml.safe_load((ROOT / "brownie-config.yaml").read_text())["compiler"]
    return {
        "language": "Solidity",
        "sources": {path: {"content": (ROOT / path).read_text()} for path in paths},
        "settings": {
            "evmVersion": compiler["evm_version"],
            "optimizer": compiler["solc"]["optimizer"],
            "viaIR": compiler["solc"]["viaIR"],
            "remappings": compiler["solc"]["remappings"],
            "outputSelection": {"*": outputs},
        },
    }


def compile_contracts(paths: Iterable[str]) -> dict[str, Any]:
    """solc's standard-JSON output for source files named relative to the project root.

    Raises RuntimeError with solc's own words where a contract does not compile.
    """
    request = request_for(paths, {"*": ["abi", "metadata", "evm.bytecode.object"]})
    ran = subprocess.run(
        [str(ROOT / "scripts" / "solc"), "--standard-json"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    output: dict[str, Any] = json.loads(ran.stdout)
    errors = [e["formattedMessage"] for e in output.get("errors", []) if e["severity"] == "error"]
    if errors:
        raise RuntimeError("\n".join(errors))
    return output


def artifacts() -> dict[str, dict[str, Any]]:
    """The shipped artifacts by contract: abi, bytecode, solc version, SHA-256 of every source.

    The gate's abi is that of all its parts, and what they say by their interface.
    """
    output = compile_contracts([*SHIPPED.values(), INTERFACE])["contracts"]
    made = {name: _artifact(output[path][name]) for name, path in SHIPPED.items()}
    abis = [made[part]["abi"] for part in PARTS] + [output[INTERFACE]["IGate"]["abi"]]
    made["Gate"]["abi"] = _union(abis, constructor_of=abis[0])
    return made


def _union(
    abis: Iterable[list[dict[str, Any]]], constructor_of: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    known: dict[tuple[str, str, str], dict[str, Any]] = {}
    for abi in abis:
        for entry in abi:
            if entry["type"] not in ("constructor", "fallback") or abi is constructor_of:
                types = json.dumps([i["type"] for i in entry.get("inputs", ())])
                known.setdefault((entry["type"], entry.get("name", ""), types), entry)
    return list(known.values())


def _artifact(contract: dict[str, Any]) -> dict[str, Any]:
    metadata = json.loads(contract["metadata"])
    return {
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "solc": metadata["compiler"]["version"],
        "sources": {
            path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
            for path in sorted(metadata["sources"])
        },
    }


def main() -> int:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name, artifact in artifacts().items():
        (ARTIFACTS / f"{name}.json").write_text(json.dumps(artifact, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
