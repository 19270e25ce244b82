"""For every small fault put into the contracts some test fails (see scripts/mutate.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 340  # of about 2,750: all of them take too long
ENOUGH = 300  # that compile, to something of their own


@pytest.mark.slow
def test_a_sample_of_faults_is_noticed() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "mutate.py"), "--sample", str(SAMPLE)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr
    counts = json.loads((ROOT / "build" / "mutation.json").read_text())
    assert counts["killed"] + counts["equivalent"] >= ENOUGH
