"""The engine: compiled or not, alone or in a batch, the same to the bit; and it leaks nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trajectories import SCENARIO, walk

from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.site import ASSETS, MAX_SHARE
from rl_env.world import (
    ADDRESS,
    GONE,
    HOSTILE,
    INTRUDER,
    LEVEL,
    NEVER,
    NEXT,
    PHASE,
    PROFILE,
    TARGET,
)

HERE = Path(__file__).parent
STEPS, SEED = 10_000, 7


def _apart(batch: int, seed: int, steps: int, compiled: bool) -> dict[str, Any]:
    """`walk` in a process of its own."""
    setting = {"NUMBA_DISABLE_JIT": "0" if compiled else "1"}
    run = subprocess.run(
        [sys.executable, str(HERE / "trajectories.py"), str(batch), str(seed), str(steps)],
        env={**os.environ, **setting, "PYTHONPATH": str(HERE.parent.parent)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """Compiled, one environment."""
    return walk(1, SEED, STEPS)


def test_numba_is_there() -> None:
    assert hasattr(__import__("rl_env.engine").engine.step, "signatures")


def test_uncompiled_it_does_the_same_to_the_bit(alone: dict[str, Any]) -> None:
    assert _apart(1, SEED, STEPS, compiled=False) == alone


def test_a_batch_does_the_same_to_the_bit(alone: dict[str, Any]) -> None:
    batch = walk(5, SEED - 2, STEPS)
    assert batch["digests"][2] == alone["digests"][0]
    assert len({tuple(each) for each in batch["digests"]}) == 5


def test_all_profiles_are_met(alone: dict[str, Any]) -> None:
    assert alone["profiles"] == list(range(7))


def test_the_same_seed_is_the_same_episode_and_the_next_another() -> None:
    simulation = Simulation(Scenario.from_mapping(SCENARIO), 1)
    seen = []
    for seed in (3, 3, 4):
        simulation.seed(seed)
        simulation.reset()
        first = simulation.state.tobytes()
        simulation.reset()
        seen.append((first, simulation.state.tobytes()))
    assert seen[0] == seen[1] != seen[2]
    assert seen[0][0] != seen[0][1]


# ---------------------------------------------------------------- what the agent cannot see


def _hidden(state: Any, rng: np.random.Generator) -> None:
    """Everything that only the truth knows, some other way."""
    hosts = int(state.hosts)
    state.host[:hosts] = state.host[rng.permutation(hosts)]
    state.host[:hosts, LEVEL] = rng.integers(0, 4, hosts)
    state.stolen[:] = rng.integers(0, 2, len(state.stolen))
    state.indicator[:, HOSTILE] = rng.integers(0, 2, len(state.indicator))
    actor = state.actor[INTRUDER]
    actor[PROFILE], actor[TARGET] = rng.integers(7), rng.integers(hosts)
    state.temper[INTRUDER] = rng.random(state.temper.shape[1])
    state.address[INTRUDER] = rng.integers(1 << 32)
    state.story = rng.integers(3)
    state.metric[:] = rng.random(16)
    state.moved = 1


@pytest.mark.parametrize("seed", range(6))
def test_hidden_state_never_shows(seed: int) -> None:
    """With the same alerts, nothing of the truth changes what is observed."""
    rng = np.random.default_rng(seed)
    simulation = Simulation(Scenario.from_mapping(SCENARIO), 2)
    simulation.seed(100 + seed)
    simulation.reset(kind="attacked")
    for _ in range(60):
        simulation.step(np.zeros(2, dtype=np.int64))
    simulation.state[1] = simulation.state[0]
    for state in simulation.state:  # an intruder who acts would make other alerts
        state.actor[INTRUDER, NEXT] = NEVER
        state.actor[INTRUDER, PHASE] = GONE
    _hidden(simulation.state[1], rng)
    for step in range(40):
        for name in ("entities", "context", "mask"):
            here, there = getattr(simulation, name)
            np.testing.assert_array_equal(here, there, err_msg=f"{name} after {step} steps")
        simulation.step(np.zeros(2, dtype=np.int64))
    assert simulation.terms[0].tolist() != simulation.terms[1].tolist() or seed > 0


def test_a_masked_action_does_nothing() -> None:
    simulation = Simulation(Scenario.from_mapping(SCENARIO), 2)
    simulation.seed(5)
    simulation.reset(kind="attacked")
    simulation.state[1] = simulation.state[0]
    for _ in range(100):
        masked = int(np.flatnonzero(~simulation.mask[1])[-1])
        simulation.step(np.array([0, masked], dtype=np.int64))
        assert simulation.state[0].tobytes() == simulation.state[1].tobytes()
        if simulation.terminated[0]:
            break


@pytest.mark.parametrize("action", [-1, 10_000, 1 << 40])
def test_an_action_that_is_none_does_nothing(action: int) -> None:
    simulation = Simulation(Scenario.from_mapping(SCENARIO), 1)
    simulation.seed(5)
    simulation.reset()
    simulation.step(np.array([action], dtype=np.int64))
    assert simulation.metrics[0, 0] == 0


def test_addresses_that_are_forgotten_leave_nothing_behind() -> None:
    """More foreign addresses than there is room for: the weakest makes way."""
    scenario = {**SCENARIO, "attackers": {"scanners_when_scanned": [10, 20]}}
    simulation = Simulation(Scenario.from_mapping(scenario), 1)
    simulation.seed(1)
    simulation.reset(kind="scanned")
    for _ in range(90):
        simulation.step(np.zeros(1, dtype=np.int64))
    addresses = simulation.state["indicator"][0, :, ADDRESS]
    assert len(set(addresses[addresses > 0])) == np.count_nonzero(addresses)


def test_limits_hold_when_much_is_approved_at_once() -> None:
    """Orders that people approved in the same minute: neither zones nor pools give way."""
    scenario = {
        **SCENARIO,
        "network": {"hosts": [14, 16], "sites": 16, "zone_share": [30, 40]},
        "guardrails": {"lease_chance": 0.0, "budget": [50, 60], "allowed": [1, 1, 1, 1]},
        "operators": {"approve_wrong": [1.0, 1.0], "answer_minutes": [2, 4], "load": [0, 0]},
    }
    simulation = Simulation(Scenario.from_mapping(scenario), 64)
    simulation.seed(1)
    simulation.reset(kind="quiet")
    hosts = simulation.state["host"].shape[1]
    for turn in range(80):
        permitted = simulation.mask[:, 1 : 1 + hosts]
        simulation.step(np.where(permitted.any(axis=1), 1 + permitted.argmax(axis=1), 0))
        for state in simulation.state:
            for z in range(state.zones):
                isolated, assets = int(state.isolated[z]), int(state.site_zone[z, ASSETS])
                share = int(state.site_zone[z, MAX_SHARE])
                assert isolated <= 1 or isolated * 100 <= assets * share, turn
            for q in range(state.pools):
                members, keep = state.site_pool[q]
                assert members - state.pooled[q] >= keep, turn
    assert simulation.state["isolated"].sum() > 64
