"""Halmos proves the specifications of this folder, and each of them notices a fault."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from mutants import Mutant
from mutate import Sources
from symbolic import CONTRACT_OF, HERE, ROOT, Outcome, Result, prove, prove_all, shipped, with_fault

FAULTS = yaml.safe_load((HERE / "faults.yaml").read_text())
Results = dict[str, Result]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proven(tools: Path) -> Results:
    return prove_all(shipped(), CONTRACT_OF)


@pytest.mark.parametrize("name", CONTRACT_OF)
def test_a_specification_is_proven(proven: Results, name: str) -> None:
    result = proven[name]
    assert (result.outcome, result.unexplored) == (Outcome.PROVEN, 0)


def made(fault: dict[str, Any], mutants: dict[str, Mutant]) -> Mutant | None:
    if "mutant" in fault:
        return mutants.get(fault["mutant"])
    path, before, after = fault["path"], fault["before"], fault["after"]
    text = (ROOT / path).read_text()
    if text.count(before) != 1:
        return None
    return Mutant(path, path, 0, before, after, text.replace(before, after))


@pytest.fixture(scope="module")
def with_faults(proven: Results) -> list[Results | None]:
    """What became of each fault's specifications; None where there is no such fault."""
    sources, code = Sources(), shipped()
    mutants = {mutant.name: mutant for mutant in sources.mutants()}

    def trial(fault: dict[str, Any]) -> Results | None:
        mutant = made(fault, mutants)
        faulty = with_fault(mutant, sources, code) if mutant else None
        return prove(faulty, fault["by"], "--early-exit") if faulty else None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(trial, FAULTS))


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_fault_is_noticed(with_faults: list[Results | None], number: int) -> None:
    results = with_faults[number]
    assert results is not None, f"no such mutant, or it does not compile: {FAULTS[number]}"
    blind = {n for n, result in results.items() if result.outcome is not Outcome.COUNTEREXAMPLE}
    assert blind == set(), FAULTS[number]
