"""Roles: one environment per test, and alerts' way to the agent."""

from __future__ import annotations

import pytest

from rl_env.env import CountersignEnv


@pytest.fixture
def env() -> CountersignEnv:
    return CountersignEnv()
