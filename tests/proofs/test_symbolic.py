"""Halmos proves the specifications of this folder, and each of them notices a fault."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from build_artifacts import ARTIFACTS, PARTS
from mutants import Mutant
from mutate import Sources
from symbolic import HERE, OUT, ROOT, SPECIFICATIONS, Outcome, Result, noticed, prove

NAMES = {name: contract for contract, names in SPECIFICATIONS.items() for name in names}
FAULTS = {e["mutant"]: e["by"] for e in yaml.safe_load((HERE / "faults.yaml").read_text())}
METADATA = 53  # bytes at the end of the code, of which 32 are a hash of the compiler's settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proven(tools: Path) -> dict[str, Result]:
    return prove(SPECIFICATIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_specification_is_proven(proven: dict[str, Result], name: str) -> None:
    result = proven[name]
    assert (result.outcome, result.unexplored) == (Outcome.PROVEN, 0)


@pytest.mark.parametrize("part", PARTS)
def test_what_is_proven_is_what_ships(proven: dict[str, Result], part: str) -> None:
    forged = json.loads((ROOT / OUT["shipped"] / f"{part}.sol" / f"{part}.json").read_text())
    shipped = json.loads((ARTIFACTS / f"{part}.json").read_text())
    ours, theirs = bytes.fromhex(forged["bytecode"]["object"][2:]), shipped["bytecode"][2:]
    assert ours[:-METADATA] == bytes.fromhex(theirs)[:-METADATA]


@pytest.fixture(scope="module")
def with_faults(tools: Path) -> dict[str, Any]:
    """What became of each fault's specifications."""
    mutants = {mutant.name: mutant for mutant in Sources().mutants()}

    def trial(name: str) -> dict[str, Result] | None:
        mutant: Mutant | None = mutants.get(name)
        if mutant is None:
            return None
        return noticed(mutant, grouped(FAULTS[name]))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(FAULTS, pool.map(trial, FAULTS), strict=True))


def grouped(names: list[str]) -> dict[str, list[str]]:
    contracts = {NAMES[name] for name in names}
    return {contract: [n for n in names if NAMES[n] == contract] for contract in contracts}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(with_faults: dict[str, Any], fault: str) -> None:
    results = with_faults[fault]
    assert results is not None, "no such mutant: see scripts/mutants.py"
    blind = {name: r for name, r in results.items() if r.outcome is not Outcome.COUNTEREXAMPLE}
    assert blind == {}


def test_every_specification_has_a_fault_to_notice() -> None:
    assert {name for names in FAULTS.values() for name in names} == set(NAMES)
