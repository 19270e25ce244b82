"""The simulated world answers as the real one would: better sensors help, slow people cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from policies.actions import Kind
from policies.columns import KIND, NATS, TOTAL
from rl_env.scenario import Scenario
from rl_env.simulation import METRICS, TERMS, Simulation
from rl_env.truth import deserves

EPISODES = 384
HARM, SERVICE = TERMS.index("harm"), TERMS.index("service")
Choices = NDArray[np.int64]
Player = Callable[[Simulation], Choices]


def scenario(**groups: dict[str, Any]) -> Scenario:
    """A small site that is always attacked, its operators quick, its sensors good."""
    base: dict[str, dict[str, Any]] = {
        "network": {"hosts": [10, 16], "sites": 16},
        "episode": {"minutes": 150, "kinds": {"attacked": 1.0}},
        "sensors": {"history": [300, 1000], "young_chance": 0.0},
    }
    return Scenario.from_mapping({k: base.get(k, {}) | groups.get(k, {}) for k in base | groups})


def nothing(simulation: Simulation) -> Choices:
    return np.zeros(simulation.batch, dtype=np.int64)


def playbook(simulation: Simulation) -> Choices:
    """Isolates the host that most speaks against, from 80 nats on."""
    rows = simulation.entities
    nats = rows[:, :, TOTAL] * NATS * rows[:, :, KIND + Kind.ISOLATE]
    nats = np.where(simulation.mask[:, 1 : 1 + simulation.rows], nats, 0.0)
    worst = nats.argmax(axis=1)
    return np.where(nats.max(axis=1) >= 80.0, 1 + worst, 0)


def oracle(simulation: Simulation) -> Choices:
    """Knows the truth: contains whatever deserves it, as soon as it is permitted."""
    chosen = nothing(simulation)
    for i, state in enumerate(simulation.state):
        for r in np.flatnonzero(simulation.mask[i, 1 : 1 + simulation.rows]):
            if deserves(state, int(r)):
                chosen[i] = 1 + r
                break
    return chosen


def isolating(rng: np.random.Generator) -> Player:
    """Isolates somebody now and then."""

    def choose(simulation: Simulation) -> Choices:
        hosts = simulation.state["host"].shape[1]
        wanted = rng.integers(0, hosts, simulation.batch)
        permitted = simulation.mask[np.arange(simulation.batch), 1 + wanted]
        return np.where(permitted & (rng.random(simulation.batch) < 0.1), 1 + wanted, 0)

    return choose


def play(scenario: Scenario, player: Player, kind: str = "attacked", seed: int = 1) -> Any:
    """One episode of each environment: sums of the terms [EPISODES, 4], metrics and losses."""
    simulation = Simulation(scenario, EPISODES)
    simulation.seed(seed)
    simulation.reset(kind=kind)
    sums = np.zeros((EPISODES, len(TERMS)))
    metrics = np.zeros((EPISODES, len(METRICS)))
    alive = np.ones(EPISODES, dtype=np.bool_)
    lost = np.zeros(EPISODES, dtype=np.bool_)
    while alive.any():
        simulation.step(player(simulation))
        sums[alive] += simulation.terms[alive]
        over = alive & (simulation.terminated | simulation.truncated)
        metrics[over], lost[over] = simulation.metrics[over], simulation.terminated[over]
        alive &= ~over
    return sums, metrics, lost


def gain(better: NDArray[np.float64], worse: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the paired differences, and its standard error."""
    difference = better - worse
    return float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))


@pytest.fixture(scope="module")
def untouched() -> Any:
    return play(scenario(), nothing)


def test_whoever_does_nothing_loses_what_the_intruder_takes(untouched: Any) -> None:
    sums, metrics, lost = untouched
    assert lost.mean() > 0.3
    assert sums[:, HARM].mean() < -5.0
    assert (sums[lost, HARM] < -10.0).all()
    assert (sums[:, SERVICE] == 0.0).all() and (metrics[:, 0] == 0.0).all()


def test_in_quiet_episodes_nothing_is_lost_by_doing_nothing() -> None:
    sums, metrics, lost = play(scenario(), nothing, kind="quiet")
    assert not lost.any() and (sums == 0.0).all()
    assert (metrics[:, METRICS.index("hosts_taken")] == 0.0).all()


def test_better_detection_means_less_harm() -> None:
    poor, _, _ = play(scenario(sensors={"detection": [0.25, 0.25]}), playbook)
    good, _, _ = play(scenario(sensors={"detection": [1.0, 1.0]}), playbook)
    mean, error = gain(good[:, HARM], poor[:, HARM])
    assert mean > 3 * error


def test_slower_approvals_mean_more_harm() -> None:
    asked: dict[str, Any] = {"guardrails": {"lease_chance": 0.0}}
    slow, _, _ = play(scenario(**asked, operators={"answer_minutes": [10, 12]}), oracle)
    fast, _, _ = play(scenario(**asked, operators={"answer_minutes": [1, 1.5]}), oracle)
    mean, error = gain(fast[:, HARM], slow[:, HARM])
    assert mean > 3 * error


def test_perfect_information_beats_every_policy(untouched: Any) -> None:
    best, _, _ = play(scenario(), oracle)
    others = [untouched[0], play(scenario(), playbook)[0]]
    others.append(play(scenario(), isolating(np.random.default_rng(0)))[0])
    for other in others:
        mean, error = gain(best.sum(axis=1), other.sum(axis=1))
        assert mean > 3 * error


def test_random_isolation_hurts_users() -> None:
    wild, metrics, _ = play(scenario(), isolating(np.random.default_rng(1)), kind="quiet")
    assert wild[:, SERVICE].mean() < -2.0
    assert metrics[:, METRICS.index("false_isolations")].mean() > 1.0
    assert (wild[:, HARM] == 0.0).all()
