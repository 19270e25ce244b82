"""What holds over any number of calls, in any order: solc's SMTChecker proves it of models/."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODELS = {path.stem: path for path in sorted((HERE / "models").glob("*.sol"))}
SETTINGS = {
    "engine": "chc",
    "solvers": ["smtlib2"],
    "targets": ["assert"],
    "timeout": 200_000,  # milliseconds
    "showProvedSafe": True,
}
PROVEN, VIOLATED = "9576", "6328"  # solc's codes
FAULTS = (  # model, what a fault changes, what it becomes
    ("Counted", "require(counted < limit);", "require(live < limit);"),
    ("Counted", "live -= 1;\n        counted -= 1;", "counted -= 1;"),
    ("Lease", "left -= 1;", ""),
    ("Once", "last - nonce < KEPT", "last - nonce <= KEPT"),
    ("Quorum", "else votes -= 1;", ""),
    ("Window", "(kept, used) = (number, count);", "used = count;"),
)

pytestmark = pytest.mark.slow


def verdicts(tools: Path, model: Path) -> list[str]:
    """solc's code for each assertion; other codes mean that one of them is undecided."""
    ran = subprocess.run(
        ["node", str(HERE / "smtchecker.js"), str(tools / "z3"), str(model)],
        input=json.dumps(SETTINGS),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    findings: list[dict[str, Any]] = json.loads(ran.stdout)
    return [finding["errorCode"] for finding in findings]


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_proven(tools: Path, model: str) -> None:
    assertions = re.findall(r"\bassert\(", MODELS[model].read_text())
    assert assertions
    assert verdicts(tools, MODELS[model]) == [PROVEN] * len(assertions)


@pytest.mark.parametrize(("model", "before", "after"), FAULTS)
def test_a_fault_in_a_model_is_found(
    tools: Path, tmp_path: Path, model: str, before: str, after: str
) -> None:
    text = MODELS[model].read_text()
    assert before in text
    broken = tmp_path / f"{model}.sol"
    broken.write_text(text.replace(before, after, 1))
    assert VIOLATED in verdicts(tools, broken)


def test_every_model_has_a_fault_to_find() -> None:
    assert {model for model, _, _ in FAULTS} == set(MODELS)
