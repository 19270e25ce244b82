"""The contract tests take every branch of the contracts, by `forge coverage` (see recorder.py).

So what ships and what solc makes without optimizer agree on every step of every test, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"  # where foundry.toml lets a test read

pytestmark = pytest.mark.slow


def run(*command: str, **environment: str) -> None:
    ran = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr


@pytest.fixture(scope="module")
def recorded() -> Path:
    file = BUILD / "recorded.txt"
    BUILD.mkdir(exist_ok=True)
    run(sys.executable, str(ROOT / "tests" / "proofs" / "recorder.py"), str(file))
    return file


@pytest.fixture(scope="module")
def branches(recorded: Path) -> dict[tuple[str, int, str], int]:
    """How often each was taken, by file, line and number; -1 where its condition was never met."""
    report = BUILD / "lcov.info"
    with recorded.open() as lines:
        count = sum(1 for _ in lines)
    run(
        str(ROOT / "node_modules" / ".bin" / "forge"),
        "coverage",
        "--match-contract=^Replay$",
        "--report=lcov",
        f"--report-file={report}",
        RECORDED=str(recorded.relative_to(ROOT)),
        LINES=str(count),
    )
    found, file = {}, ""
    for line in report.read_text().splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            file = rest
        elif kind == "BRDA":
            place, block, number, taken = rest.split(",")
            found[file, int(place), f"{block}.{number}"] = -1 if taken == "-" else int(taken)
    return found


def test_every_branch_is_taken(branches: dict[tuple[str, int, str], int]) -> None:
    ours = {place: taken for place, taken in branches.items() if place[0].startswith("contracts/")}
    files = {file for file, _, _ in ours}
    assert {"contracts/Gate.sol", "contracts/Guardrails.sol"} <= files
    assert len(ours) > 200
    assert sorted(f"{file}:{line}" for (file, line, _), taken in ours.items() if taken <= 0) == []
