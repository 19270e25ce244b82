"""An intruder that is plugged in does what it may, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rl_env.adversary import CountersignAttackerEnv, load_attacker, look
from rl_env.env import CountersignEnv
from rl_env.scenario import Scenario
from rl_env.simulation import METRICS, Simulation
from rl_env.techniques import TECHNIQUES, perform
from rl_env.world import INTRUDER, LEVEL

TAKEN = METRICS.index("hosts_taken")


def play(attacker: str | None, seed: int) -> tuple[float, float]:
    """Return and hosts taken of an attacked episode in which the defender does nothing."""
    env = CountersignEnv(attacker=attacker)
    env.reset(seed=seed, options={"kind": "attacked"})
    total, over = 0.0, False
    while not over:
        _, reward, terminated, truncated, info = env.step(np.int64(0))
        total += float(reward)
        over = terminated or truncated
    return total, info["metrics"]["hosts_taken"]


def test_an_intruder_that_waits_takes_nothing() -> None:
    for seed in range(5):
        assert play("attackers:Sleeper", seed) == (0.0, 0.0)


def test_an_intruder_that_acts_does_harm() -> None:
    results = [play("attackers:Greedy", seed) for seed in range(8)]
    assert np.mean([total for total, _ in results]) < -10.0
    assert np.mean([taken for _, taken in results]) > 1.0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("attackers:Deaf", "has no act"),
        ("attackers:Nobody", "has no attribute 'Nobody'"),
        ("nowhere.at.all:Class", "No module named 'nowhere'"),
        ("attackers", "package.module:Class"),
    ],
)
def test_what_is_no_intruder_is_refused(path: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_attacker(path)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_shown_as_possible_is_what_can_be_done(seed: int) -> None:
    scenario = Scenario.from_mapping({"network": {"hosts": [8, 12], "sites": 4}})
    simulation = Simulation(scenario, 1)
    simulation.seed(seed)
    simulation.reset(kind="attacked")
    rng = np.random.default_rng(seed)
    met = set()
    for minute in range(120):
        state = simulation.state[0]
        view = look(state)
        for technique, target in np.argwhere(view.possible)[rng.permutation(view.possible.sum())]:
            if TECHNIQUES[technique].startswith("move_by"):
                continue  # the base is chosen when it is told
            trial = simulation.state.copy()[0]
            if technique:
                assert perform(trial, INTRUDER, int(technique), int(target))
                met.add(TECHNIQUES[technique])
        if minute % 4 == 0:
            some = int(rng.choice(np.flatnonzero(simulation.mask[0])))
            simulation.step(np.array([some]))
        else:
            simulation.step(np.array([0]))
        if simulation.terminated[0]:
            break
    assert {"scan", "probe", "exploit"} <= met


def test_the_other_side_is_an_environment_of_gymnasium() -> None:
    check_env(CountersignAttackerEnv(), skip_render_check=True)


def test_masked_moves_do_nothing() -> None:
    env = CountersignAttackerEnv()
    env.reset(seed=3)
    for _ in range(30):
        masked = np.flatnonzero(~env.action_masks())
        env.step(np.int64(masked[-1]))
    assert env.simulation.metrics[0, TAKEN] == 0
    assert not env.simulation.state[0].host[:, LEVEL].any()
