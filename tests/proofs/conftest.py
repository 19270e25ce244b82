"""Tools that live in an environment of their own: their versions do not go with Brownie's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "scripts")]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of slither and halmos."""
    folder = ROOT / ".venv-proofs" / "bin"
    if not (folder / "halmos").exists():
        pytest.fail("run make test-slow, which installs the tools of requirements/proofs.txt")
    return folder
