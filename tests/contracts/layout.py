"""Where the gate keeps what, by solc's own account; and states that too many calls would take."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from typing import Any

import yaml
from build_artifacts import INTERFACE, PARTS, ROOT
from eth_abi import encode
from eth_utils import keccak
from scene import Gate

__all__ = ["interface", "poke", "storage_layouts"]


def storage_layouts() -> dict[str, dict[str, Any]]:
    """By part: `storage` and `types` as solc tells them."""
    contracts = _told_by_solc()
    return {part: contracts[f"contracts/{part}.sol"][part]["storageLayout"] for part in PARTS}


def interface() -> list[dict[str, Any]]:
    """The abi of IGate alone."""
    return list(_told_by_solc()[INTERFACE]["IGate"]["abi"])


@cache
def _told_by_solc() -> dict[str, Any]:
    """Makes no code, and so is quick."""
    settings = yaml.safe_load((ROOT / "brownie-config.yaml").read_text())["compiler"]["solc"]
    wanted = {f"contracts/{part}.sol": {part: ["storageLayout"]} for part in PARTS}
    wanted[INTERFACE] = {"IGate": ["abi"]}
    request = {
        "language": "Solidity",
        "sources": {path: {"content": (ROOT / path).read_text()} for path in wanted},
        "settings": {"remappings": settings["remappings"], "outputSelection": wanted},
    }
    command = [str(ROOT / "scripts" / "solc"), "--standard-json"]
    ran = subprocess.run(
        command, input=json.dumps(request), capture_output=True, text=True, check=True, cwd=ROOT
    )
    return dict(json.loads(ran.stdout)["contracts"])


def poke(gate: Gate, label: str, keys: list[tuple[str, Any]], field: str, value: int) -> None:
    """Sets a value in the gate's storage.

    `keys` are those of nested mappings, with their types; `field` of a struct, or empty.
    """
    layout = storage_layouts()["Gate"]
    entry = next(entry for entry in layout["storage"] if entry["label"] == label)
    slot, kind = int(entry["slot"]), layout["types"][entry["type"]]
    for key_type, key in keys:
        slot = int.from_bytes(keccak(encode([key_type, "uint256"], [key, slot])))
        kind = layout["types"][kind["value"]]
    offset = 0
    if field:
        member = next(member for member in kind["members"] if member["label"] == field)
        slot, offset = slot + int(member["slot"]), int(member["offset"])
        kind = layout["types"][member["type"]]
    mask = (1 << 8 * int(kind["numberOfBytes"])) - 1
    word = gate.evm.word(gate.contract.address, slot) & ~(mask << 8 * offset)
    gate.evm.poke(gate.contract.address, slot, word | value << 8 * offset)
