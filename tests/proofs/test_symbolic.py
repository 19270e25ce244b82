"""Halmos proves the specifications in tests/contracts/symbolic, and each notices a fault."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SYMBOLIC = ROOT / "tests" / "contracts" / "symbolic"
FAULTS = yaml.safe_load((SYMBOLIC / "faults.yaml").read_text())
SPECIFICATIONS = {
    f"{path.name.removesuffix('.t.sol')}Spec": re.findall(r"function (check_\w+)", path.read_text())
    for path in sorted(SYMBOLIC.glob("*.t.sol"))
}
PASS, COUNTEREXAMPLE = 0, 1
OPTIONS = (
    "--forge-build-out=build/forge",
    "--solver=z3",
    "--loop=8",
    "--solver-timeout-branching=100",  # milliseconds: a dead path is seen to be dead
    "--solver-timeout-assertion=300000",
    "--early-exit",
    "--no-status",
)

pytestmark = pytest.mark.slow


def prove(tools: Path, root: Path, contract: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """Halmos' results by specification: `exitcode`, and `num_bounded_loops` left unexplored."""
    path = [str(tools), str(ROOT / "node_modules" / ".bin"), os.environ["PATH"]]
    answer = root / "build" / f"{contract}.json"
    answer.parent.mkdir(exist_ok=True)
    command = ["halmos", f"--root={root}", f"--contract={contract}", f"--json-output={answer}"]
    pattern = f"^({'|'.join(names)})\\("
    ran = subprocess.run(
        [str(tools / command[0]), *command[1:], f"--match-test={pattern}", *OPTIONS],
        env={**os.environ, "PATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert answer.exists(), ran.stdout + ran.stderr
    told = json.loads(answer.read_text())["test_results"]
    results = {r["name"].split("(")[0]: r for found in told.values() for r in found}
    assert results.keys() == set(names), ran.stdout + ran.stderr
    return results


def broken(project: Path, fault: dict[str, Any]) -> Path:
    """A project whose contracts have this fault."""
    for name in ("contracts", "scripts"):
        shutil.copytree(ROOT / name, project / name)
    shutil.copytree(SYMBOLIC, project / SYMBOLIC.relative_to(ROOT))
    shutil.copy(ROOT / "foundry.toml", project)
    (project / "node_modules").symlink_to(ROOT / "node_modules")
    file = project / "contracts" / fault["file"]
    source = file.read_text()
    assert fault["from"] in source, f"{fault['file']} has changed: {fault['from']}"
    file.write_text(source.replace(fault["from"], fault["to"]))
    return project


@pytest.mark.parametrize("contract", SPECIFICATIONS)
def test_every_specification_is_proven(tools: Path, contract: str) -> None:
    results = prove(tools, ROOT, contract, SPECIFICATIONS[contract])
    assert {name: r["exitcode"] for name, r in results.items() if r["exitcode"] != PASS} == {}
    assert [name for name, r in results.items() if r["num_bounded_loops"]] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["fails"][0])
def test_a_fault_is_noticed(tools: Path, tmp_path: Path, fault: dict[str, Any]) -> None:
    [contract] = [c for c, names in SPECIFICATIONS.items() if fault["fails"][0] in names]
    results = prove(tools, broken(tmp_path, fault), contract, fault["fails"])
    unseen = {name for name, r in results.items() if r["exitcode"] != COUNTEREXAMPLE}
    assert unseen == set()


def test_every_specification_has_a_fault_to_notice() -> None:
    named = {name for fault in FAULTS for name in fault["fails"]}
    assert named == {name for names in SPECIFICATIONS.values() for name in names}
