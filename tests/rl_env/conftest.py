"""Roles: one environment per test, and alerts' way to the agent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from rl_env.env import CountersignEnv


@pytest.fixture
def env() -> CountersignEnv:
    return CountersignEnv()
