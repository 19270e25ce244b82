"""How fast learning is, beside stable-baselines3 as it is commonly used: `make bench-train`.

Each figure is the median of several rounds, which take turns with the others, in frames (decisions
of one environment) per second of processor time, one thread; a frame is simulated, decided, stored
and learned from in every epoch. Prints one JSON object:

- `fps_native`: `BatchPPO` on the native VecEnv, 16 hosts, small MLP
- `fps_native_4_epochs`: the same with four epochs instead of those in `settings`
- `fps_native_sb3`: the same as `fps_native` with sb3-contrib's own `MaskablePPO`
- `fps_dummy8`: the same `MaskablePPO` on eight single environments in a DummyVecEnv
- `fps_entity_16`, `fps_entity_64`: `BatchPPO` with the entity policy, 16 and 64 hosts
- `decision_ms_1000`: one decision of the shipped model, in numpy, on a site of 1,000 hosts under
  attack
- `lead`: `fps_native` by `fps_dummy8`; `wall_*`: all figures by the clock on the wall, which other
  load slows; `ranges`, lowest and highest round; `settings`, the same for all learners; `envs` of
  each; `load` of the machine in the last minute

The small MLP sees all numbers of an observation at once: 64 and 64 units (ReLU), which actor and
critic share, and a linear layer for each of the two.
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

for library in ("OMP", "OPENBLAS", "MKL"):  # before any of them is loaded
    os.environ[f"{library}_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from gymnasium import Env, spaces  # noqa: E402
from sb3_contrib import MaskablePPO  # noqa: E402
from sb3_contrib.common.wrappers import ActionMasker  # noqa: E402
from stable_baselines3.common.env_util import make_vec_env  # noqa: E402
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor  # noqa: E402
from stable_baselines3.common.vec_env import VecEnv  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from tqdm import tqdm  # noqa: E402

from policies.actions import Kind  # noqa: E402
from policies.network import DEFAULT_MODEL, LearnedPolicy  # noqa: E402
from policies.observation import Observation  # noqa: E402
from policies.picture import Entity  # noqa: E402
from rl_env.agent import EntityPolicy  # noqa: E402
from rl_env.env import ENVIRONMENT  # noqa: E402
from rl_env.ppo import BatchPPO  # noqa: E402
from rl_env.sb3 import CountersignVecEnv  # noqa: E402
from rl_env.scenario import Scenario  # noqa: E402
from rl_env.simulation import Simulation  # noqa: E402

SETTINGS = {"n_steps": 128, "batch_size": 2048, "n_epochs": 2, "learning_rate": 3e-4}
NATIVE, DUMMY, ENTITY = 512, 8, 64  # environments
ROUNDS = 5
DECISIONS = 200  # of a round
ATTACKED = 60  # minutes before the decision

Round = Callable[[], tuple[float, float]]  # a figure by processor time, and by the wall's clock


class Small(BaseFeaturesExtractor):
    """All numbers of an observation at once; a matrix for each part of it is one for all."""

    def __init__(self, space: spaces.Dict, hidden: int = 64) -> None:
        super().__init__(space, hidden)
        self.first = nn.ModuleDict(
            {key: nn.Linear(spaces.flatdim(part), hidden) for key, part in space.items()}
        )
        self.second = nn.Linear(hidden, hidden)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        hidden = sum(layer(observations[key].flatten(1)) for key, layer in self.first.items())
        return torch.relu(self.second(torch.relu(hidden)))


SMALL = {"features_extractor_class": Small, "net_arch": []}


def site(hosts: int) -> Scenario:
    return Scenario.from_mapping({"network": {"hosts": [hosts, hosts]}})


def eight() -> VecEnv:
    """As users of sb3-contrib make them."""

    def masks(env: Env) -> Any:
        return env.get_wrapper_attr("action_masks")()

    return make_vec_env(
        ENVIRONMENT,
        DUMMY,
        seed=1,
        env_kwargs={"scenario": site(16)},
        wrapper_class=ActionMasker,
        wrapper_kwargs={"action_mask_fn": masks},
    )


def learning(kind: type[MaskablePPO], env: VecEnv, rollouts: int = 1, **changes: Any) -> Round:
    settings = {"policy": "MultiInputPolicy", "policy_kwargs": SMALL, **SETTINGS, **changes}
    made = kind(env=env, seed=1, device="cpu", **settings)
    frames = rollouts * made.n_steps * env.num_envs

    def run() -> tuple[float, float]:
        wall, start = time.perf_counter(), time.process_time()
        made.learn(frames, reset_num_timesteps=False)
        spent = time.process_time() - start
        return frames / spent, frames / (time.perf_counter() - wall)

    return run


def deciding() -> Round:
    """Milliseconds, with the rows that the site has, as the responder sees them."""
    simulation = Simulation(site(1000), 1)
    simulation.seed(1)
    simulation.reset(kind="attacked")
    for _ in range(ATTACKED):
        simulation.step(np.zeros(1, dtype=np.int64))
    rows = simulation.entities[0]
    seen = np.ascontiguousarray(rows[rows.any(axis=1)])
    ids = tuple(Entity(Kind.ISOLATE, str(row)) for row in range(len(seen)))  # no policy reads names
    observation = Observation(seen, simulation.context[0].copy(), ids)
    policy = LearnedPolicy.load(DEFAULT_MODEL)

    def run() -> tuple[float, float]:
        spent, wall = [], []
        for _ in range(DECISIONS):
            clock, start = time.perf_counter(), time.process_time()
            policy.scores(observation)
            spent.append(1e3 * (time.process_time() - start))
            wall.append(1e3 * (time.perf_counter() - clock))
        return statistics.median(spent), statistics.median(wall)

    return run


def rounds_of() -> dict[str, Round]:
    def native(hosts: int, envs: int) -> CountersignVecEnv:
        return CountersignVecEnv(envs, site(hosts))

    entity = {"policy": EntityPolicy, "policy_kwargs": {}}
    return {
        "fps_native": learning(BatchPPO, native(16, NATIVE)),
        "fps_native_4_epochs": learning(BatchPPO, native(16, NATIVE), n_epochs=4),
        "fps_native_sb3": learning(MaskablePPO, native(16, NATIVE)),
        "fps_dummy8": learning(MaskablePPO, eight(), rollouts=4),
        "fps_entity_16": learning(BatchPPO, native(16, ENTITY), **entity),
        "fps_entity_64": learning(BatchPPO, native(64, ENTITY), **entity),
        "decision_ms_1000": deciding(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds = rounds_of()
    measured: dict[str, list[float]] = {name: [] for name in rounds}
    walls: dict[str, list[float]] = {name: [] for name in rounds}
    with tqdm(total=(given.rounds + 1) * len(rounds), desc="bench-train") as bar:
        for each in range(given.rounds + 1):
            for name, run in rounds.items():
                figure, wall = run()
                bar.write(f"round {each}: {name} {figure:,.1f} ({wall:,.1f})", file=sys.stderr)
                bar.update()
                if each:  # the first compiles and warms up
                    measured[name].append(figure)
                    walls[name].append(wall)
    facts: dict[str, Any] = {name: round(statistics.median(m), 2) for name, m in measured.items()}
    facts["lead"] = round(facts["fps_native"] / facts["fps_dummy8"], 1)
    facts |= {f"wall_{name}": round(statistics.median(m), 2) for name, m in walls.items()}
    facts["ranges"] = {name: [round(min(m), 2), round(max(m), 2)] for name, m in measured.items()}
    facts["settings"] = SETTINGS
    facts["envs"] = {"native": NATIVE, "dummy8": DUMMY, "entity": ENTITY}
    facts["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
