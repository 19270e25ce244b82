"""The contract tests take every branch and line of the contracts, by `forge coverage` over what
recorder.py wrote down of them.

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
NOTHING_TO_TAKE = {"Desk.sol", "Docket.sol", "Office.sol"}  # they put others together

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
def report(recorded: Path) -> dict[tuple[str, str, str], int]:
    """How often each branch and line of the contracts was taken, by file, line and number of the
    branch (of a line: none)."""
    file = BUILD / "lcov.info"
    with recorded.open() as lines:
        count = sum(1 for _ in lines)
    run(
        str(ROOT / "node_modules" / ".bin" / "forge"),
        "coverage",
        "--match-contract=^Replay$",
        "--no-match-coverage=^(tests|node_modules)/",
        "--report=lcov",
        f"--report-file={file}",
        FOUNDRY_OUT="build/coverage",  # apart from the specifications, which others may be building
        FOUNDRY_CACHE_PATH="build/coverage-cache",
        RECORDED=str(recorded.relative_to(ROOT)),
        LINES=str(count),
    )
    return read(file.read_text())


def read(lcov: str) -> dict[tuple[str, str, str], int]:
    found, file = {}, ""
    for entry in lcov.splitlines():
        kind, _, rest = entry.partition(":")
        if kind == "SF":
            file = rest
        elif kind == "BRDA":
            line, block, number, taken = rest.split(",")
            found[file, line, f"{block}.{number}"] = 0 if taken == "-" else int(taken)
        elif kind == "DA":
            line, taken = rest.split(",")[:2]
            found[file, line, ""] = int(taken)
    return found


def test_every_contract_is_measured(report: dict[tuple[str, str, str], int]) -> None:
    contracts = {path.name for path in (ROOT / "contracts").glob("*.sol")}
    measured = {Path(file).name for file, _, _ in report}
    assert measured == contracts - NOTHING_TO_TAKE
    assert sum(1 for _, _, branch in report if branch) > 200


def test_every_branch_and_line_is_taken(report: dict[tuple[str, str, str], int]) -> None:
    """forge counts an `if` without `else` as one branch; the lines after it show that one which
    returns or reverts was passed by, too."""
    missed = sorted({f"{file}:{line}" for (file, line, _), taken in report.items() if taken == 0})
    assert not missed, "never taken: " + ", ".join(missed)
