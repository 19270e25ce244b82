"""The batch as stable-baselines3 wants it, straight over the engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Wrapper, spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from rl_env.env import space_of
from rl_env.scenario import Scenario
from rl_env.simulation import METRICS, TERMS, Simulation, scenario_of

__all__ = ["CountersignVecEnv"]

Batch = dict[str, NDArray[np.float32]]


class CountersignVecEnv(VecEnv):
    """`Countersign-v0` many times over, for learners of stable-baselines3 and sb3-contrib.

    Environment i is the single environment with seed + i, step for step. An episode that ends is
    followed by the next within the same step; its entry of `infos` then has, beside what
    stable-baselines3 asks for, what `Monitor` tells (`episode`: true return "r", length "l",
    seconds "t"), and `terms` and `metrics` of the last minute. All other entries are empty: masks
    come from `env_method("action_masks")`.
    """

    def __init__(self, num_envs: int = 64, scenario: Scenario | Path | str = "small-16") -> None:
        """Raises ScenarioError or InventoryError."""
        self.simulation = Simulation(scenario_of(scenario), num_envs)
        self.render_mode = None
        choices = spaces.Discrete(self.simulation.choices)
        super().__init__(num_envs, space_of(self.simulation), choices)
        self._actions = np.zeros(num_envs, dtype=np.int64)
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, dtype=np.int64)
        self._began = time.monotonic()
        self.seed()

    def reset(self) -> Batch:
        """As `seed` and `set_options` said, once; `{"kind": ...}` as the single environment has it.
        Without a new seed, the next episodes.
        """
        if self._seeds[0] is not None:
            self.simulation.seed(self._seeds[0])
        kinds = [options.get("kind") for options in self._options]
        for kind in set(kinds):
            self.simulation.reset(np.array([each == kind for each in kinds]), kind)
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = self._lengths[:] = 0
        return self._observations()

    def step_async(self, actions: NDArray[np.int64]) -> None:
        self._actions = np.asarray(actions, dtype=np.int64)

    def step_wait(self) -> VecEnvStepReturn:
        simulation = self.simulation
        ended = simulation.step(self._actions)
        rewards = simulation.rewards
        self._returns += rewards
        self._lengths += 1
        over, truncated = simulation.over, simulation.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if ended:
            for i in np.flatnonzero(over):
                infos[i] = self._last(int(i), bool(truncated[i]))
            self._returns[over] = self._lengths[over] = 0
            simulation.reset(over)
        return self._observations(), rewards.astype(np.float32), over, infos

    def close(self) -> None:
        """There is nothing to close."""

    # ------------------------------------------------------------ as if there were many

    def action_masks(self) -> NDArray[np.bool_]:
        """bool [num_envs, 1 + 2 * rows]."""
        return self.simulation.mask.copy()

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """`action_masks` of each environment; there is no other method."""
        if method_name != "action_masks":
            raise AttributeError(f"the environments have no method {method_name}, but action_masks")
        masks = self.action_masks()
        return [masks[i] for i in self._get_indices(indices)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The environments are one object: each has its attributes."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        raise AttributeError("nothing can be set of single environments: make another scenario")

    def env_is_wrapped(
        self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """None is."""
        return [False for _ in self._get_indices(indices)]

    # ------------------------------------------------------------ parts

    def _observations(self) -> Batch:
        """Copies, in the order in which they lie in memory."""
        simulation = self.simulation
        return {
            "entities": simulation.entities.copy(order="K"),
            "context": simulation.context.copy(),
        }

    def _last(self, i: int, truncated: bool) -> dict[str, Any]:
        simulation = self.simulation
        return {
            "terminal_observation": {
                "entities": simulation.entities[i].copy(),
                "context": simulation.context[i].copy(),
            },
            "TimeLimit.truncated": truncated,
            "episode": {
                "r": round(float(self._returns[i]), 6),
                "l": int(self._lengths[i]),
                "t": round(time.monotonic() - self._began, 6),
            },
            "terms": _named(TERMS, simulation.terms[i]),
            "metrics": _named(METRICS, simulation.metrics[i]),
        }


def _named(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
