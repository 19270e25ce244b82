"""Slither finds nothing of medium or higher impact that slither_explained.yaml does not explain."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from build_artifacts import PARTS, ROOT, SHIPPED, request_for

EXPLAINED = Path(__file__).parent / "slither_explained.yaml"
OUTPUTS = [
    "abi",
    "devdoc",
    "evm.bytecode.object",
    "evm.bytecode.sourceMap",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.sourceMap",
    "evm.methodIdentifiers",
    "metadata",
    "userdoc",
]


@pytest.mark.slow
def test_slither_finds_nothing_unexplained(tools: Path, tmp_path: Path) -> None:
    asked, answer = tmp_path / "solc.json", tmp_path / "slither.json"
    request = request_for([SHIPPED[part] for part in PARTS], {"*": OUTPUTS, "": ["ast"]})
    asked.write_text(json.dumps(request))
    for name in ("contracts", "node_modules"):  # beside foundry.toml it would ask forge
        (tmp_path / name).symlink_to(ROOT / name)
    command = [str(tools / "slither"), str(asked), "--compile-force-framework=solc-json"]
    command += [f"--solc={ROOT / 'scripts' / 'solc'}", f"--json={answer}"]
    command += ["--filter-paths=node_modules", "--fail-none"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    told = json.loads(answer.read_text()) if answer.exists() else {"success": False}
    assert told["success"], ran.stdout + ran.stderr
    found = {
        (finding["check"], place(finding))
        for finding in told["results"].get("detectors", [])
        if finding["impact"] in ("Medium", "High")
    }
    explained = yaml.safe_load(EXPLAINED.read_text())
    assert all(entry["reason"] for entry in explained)
    assert found == {(e["check"], where) for e in explained for where in e["where"]}


def place(finding: dict) -> str:
    """Contract and signature of the function where it was found."""
    element = finding["elements"][0]
    parent = element["type_specific_fields"]["parent"]["name"]
    return f"{parent}.{element['type_specific_fields'].get('signature', element['name'])}"
