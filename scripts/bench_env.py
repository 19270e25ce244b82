"""How fast the simulator is, beside NASim on the same core: `make bench-env`.

Random permitted actions; resets, observations, masks and the choice of the action are within the
time. Each figure is the median of several rounds, which take turns with the others. Prints one JSON
object: environment steps per second at 16, 100 and 1,000 hosts (`sps_*`, with the size of the batch
beside it), of one `Countersign-v0` (`single_sps`) and of NASim's "medium", which has 16 hosts, too
(`nasim_sps`); bytes of one environment at 100 hosts; and the share of its speed that MaskablePPO
keeps on this simulator, against an environment that does nothing (`learner_share`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from policies.compiled import compiled  # noqa: E402
from rl_env.dice import mixed  # noqa: E402
from rl_env.env import CountersignEnv  # noqa: E402
from rl_env.scenario import Scenario  # noqa: E402
from rl_env.simulation import Simulation  # noqa: E402

BATCHES = {16: 64, 100: 8, 1000: 4}  # environments by hosts
ROUNDS = 5
SECONDS = 3.0  # of a round
_GOLDEN = 0x9E3779B97F4A7C15

Round = Callable[[], float]  # steps per second of processor time


@compiled
def choose(masks: Any, actions: Any, word: Any) -> None:
    """A permitted action for each environment, all alike."""
    for e in range(masks.shape[0]):
        permitted = 0
        for k in range(masks.shape[1]):
            permitted += masks[e, k]
        drawn = mixed(word + np.uint64(e + 1)) >> np.uint64(32)
        which = np.int64(drawn * np.uint64(permitted) >> np.uint64(32))
        before, action = 0, 0
        for k in range(masks.shape[1]):  # without branches: they would be guessed wrongly
            before += masks[e, k]
            action += before <= which
        actions[e] = action


def batched(hosts: int) -> tuple[Round, int]:
    """A round of this size, and the bytes of an environment."""
    scenario = Scenario.from_mapping({"network": {"hosts": [hosts, hosts]}})
    simulation = Simulation(scenario, BATCHES[hosts])
    simulation.seed(1)
    simulation.reset()
    masks, actions = simulation.mask.view(np.uint8), np.zeros(simulation.batch, dtype=np.int64)
    turn = 0

    def run() -> float:
        nonlocal turn
        steps, start = 0, time.process_time()
        while True:
            for _ in range(50):
                turn += 1
                choose(masks, actions, np.uint64(turn * _GOLDEN & (1 << 64) - 1))
                if simulation.step(actions):
                    simulation.reset(simulation.over)
            steps += 50 * simulation.batch
            spent = time.process_time() - start
            if spent > SECONDS:
                return steps / spent

    return run, int(simulation.state.dtype.itemsize)


def single() -> Round:
    """One environment, as Gymnasium has it."""
    environment = CountersignEnv()
    rng = np.random.default_rng(1)
    environment.reset(seed=1)

    def run() -> float:
        steps, start = 0, time.process_time()
        _, info = environment.reset()
        while (spent := time.process_time() - start) < SECONDS:
            permitted = np.flatnonzero(info["action_mask"])
            action = permitted[int(rng.random() * len(permitted))]
            _, _, terminated, truncated, info = environment.step(action)
            steps += 1
            if terminated or truncated:
                _, info = environment.reset()
        return steps / spent

    return run


def nasim_round() -> Round:
    """NASim 0.12, a benchmark of 16 hosts, partly observed, as its own documentation steps it."""
    import nasim

    environment = nasim.make_benchmark("medium", fully_obs=False, flat_actions=True, flat_obs=True)
    rng = np.random.default_rng(1)
    environment.reset(seed=1)
    actions = int(environment.action_space.n)

    def run() -> float:
        steps, start = 0, time.process_time()
        while (spent := time.process_time() - start) < SECONDS:
            _, _, terminated, truncated, _ = environment.step(int(rng.random() * actions))
            steps += 1
            if terminated or truncated:
                environment.reset()
        return steps / spent

    return run


def learner_rounds() -> tuple[Round, Round]:
    """MaskablePPO, as `countersign train` sets it, over the simulator and over an environment of
    the same spaces that does nothing; one thread.
    """
    import torch
    from idle import IdleVecEnv
    from sb3_contrib import MaskablePPO

    from rl_env.agent import EntityPolicy
    from rl_env.sb3 import CountersignVecEnv
    from rl_env.train import TrainConfig

    torch.set_num_threads(1)
    config = TrainConfig()

    def learner(environments: CountersignVecEnv) -> Round:
        made = MaskablePPO(
            EntityPolicy,
            environments,
            n_steps=config.rollout,
            batch_size=config.batch,
            n_epochs=config.epochs,
            learning_rate=1e-9,  # so that both go on with the same weights
            policy_kwargs={"hidden": config.hidden},
            seed=1,
            device="cpu",
        )
        steps = config.rollout * config.envs

        def run() -> float:
            start = time.process_time()
            made.learn(steps, reset_num_timesteps=False)
            return steps / (time.process_time() - start)

        return run

    return learner(CountersignVecEnv(config.envs)), learner(IdleVecEnv(config.envs, "small-16"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--without-learner", action="store_true", help="leave learner_share out")
    given = parser.parse_args()
    rounds: dict[str, Round] = {}
    facts: dict[str, Any] = {"batches": {str(k): v for k, v in BATCHES.items()}}
    for hosts in BATCHES:
        rounds[f"sps_{hosts}"], size = batched(hosts)
        facts[f"bytes_per_env_{hosts}"] = size
    rounds["single_sps"], rounds["nasim_sps"] = single(), nasim_round()
    if not given.without_learner:
        rounds["learner_sps"], rounds["idle_learner_sps"] = learner_rounds()
    measured: dict[str, list[float]] = {name: [] for name in rounds}
    for each in range(given.rounds + 1):
        for name, run in rounds.items():
            speed = run()
            print(f"round {each}: {name} {speed:,.0f}", file=sys.stderr)
            if each:  # the first compiles and warms up
                measured[name].append(speed)
    facts |= {name: round(statistics.median(speeds)) for name, speeds in measured.items()}
    if not given.without_learner:
        facts["learner_share"] = round(facts["learner_sps"] / facts["idle_learner_sps"], 3)
    facts["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
