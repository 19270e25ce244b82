"""Halmos proves the specifications of this folder, and each of them notices a fault."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from mutate import Sources
from symbolic import CONTRACT_OF, HERE, Outcome, Result, prove, prove_all, shipped, with_fault

FAULTS = {
    fault["mutant"]: fault["by"] for fault in yaml.safe_load((HERE / "faults.yaml").read_text())
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proven(tools: Path) -> dict[str, Result]:
    return prove_all(shipped(), CONTRACT_OF)


@pytest.mark.parametrize("name", CONTRACT_OF)
def test_a_specification_is_proven(proven: dict[str, Result], name: str) -> None:
    result = proven[name]
    assert (result.outcome, result.unexplored) == (Outcome.PROVEN, 0)


@pytest.fixture(scope="module")
def with_faults(proven: dict[str, Result]) -> dict[str, dict[str, Result] | None]:
    """By mutant what became of its specifications; None where there is no such mutant."""
    sources, code = Sources(), shipped()
    mutants = {mutant.name: mutant for mutant in sources.mutants()}

    def trial(name: str) -> dict[str, Result] | None:
        faulty = with_fault(mutants[name], sources, code) if name in mutants else None
        return prove(faulty, FAULTS[name], "--early-exit") if faulty else None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(FAULTS, pool.map(trial, FAULTS), strict=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(with_faults: dict[str, dict[str, Result] | None], fault: str) -> None:
    results = with_faults[fault]
    assert results is not None, "no such mutant, or it does not compile: see scripts/mutants.py"
    blind = {n for n, result in results.items() if result.outcome is not Outcome.COUNTEREXAMPLE}
    assert blind == set()
