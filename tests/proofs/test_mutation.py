"""For every small fault put into the contracts some test fails (see scripts/mutate.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def mutate(*options: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "mutate.py"), *options]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_sample_of_faults_is_noticed() -> None:
    mutate("--sample", "15", "--seed", "3")


@pytest.mark.slow
def test_every_fault_is_noticed() -> None:
    mutate()
