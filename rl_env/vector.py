"""The batch as a vector environment of Gymnasium, and as one of stable-baselines3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rl_env.env import space_of
from rl_env.scenario import Scenario
from rl_env.simulation import METRICS, TERMS, Simulation, scenario_of

__all__ = ["CountersignVectorEnv"]

Batch = dict[str, NDArray[np.float32]]


class CountersignVectorEnv(VectorEnv[Batch, NDArray[np.int64], NDArray[np.float64]]):
    """`Countersign-v0` many times over, stepped as one by compiled code.

    Environment i of it is the single environment with seed + i, step for step. Episodes that end
    are followed by the next within the same step (`AutoresetMode.SAME_STEP`): `infos["final_obs"]`
    and `infos["final_info"]` then have the last of the old one. `infos["action_mask"]`, bool
    [num_envs, 1 + 2 * rows], `infos["terms"]` and `infos["metrics"]`, float64 [num_envs] by name.
    """

    def __init__(
        self,
        num_envs: int = 64,
        scenario: Scenario | Path | str = "small-16",
        *,
        copy: bool = True,
    ) -> None:
        """`copy=False` hands out the engine's own arrays, which the next step overwrites."""
        self.simulation = Simulation(scenario_of(scenario), num_envs)
        self.num_envs, self._copy = num_envs, copy
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.single_action_space = spaces.Discrete(self.simulation.choices)
        self.single_observation_space = space_of(self.simulation)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Batch, dict[str, Any]]:
        """Environment i is seeded with `seed + i`; `options` as the single environment has them."""
        if seed is not None or self._np_random is None:
            super().reset(seed=seed)
            first = seed if seed is not None else int(self.np_random.integers(1 << 62))
            self.simulation.seed(first)
        self.simulation.reset(kind=(options or {}).get("kind"))
        return self._observations(), {"action_mask": self.action_masks()}

    def step(  # type: ignore[override]  # Gymnasium has flags as floats
        self, actions: NDArray[np.int64]
    ) -> tuple[Batch, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        simulation = self.simulation
        ended = simulation.step(np.asarray(actions, dtype=np.int64))
        rewards = simulation.rewards.copy()
        terminated, truncated = simulation.terminated, simulation.truncated
        infos: dict[str, Any] = {"terms": _named(TERMS, simulation.terms)}
        if ended:
            over = simulation.over
            final = np.flatnonzero(over)
            infos["final_obs"] = {k: v[final].copy() for k, v in self._views().items()}
            infos["final_info"] = {"metrics": _named(METRICS, simulation.metrics[final])}
            infos["_final_obs"] = infos["_final_info"] = over
            simulation.reset(over)
        infos["action_mask"] = self.action_masks()
        infos["metrics"] = _named(METRICS, simulation.metrics)
        return self._observations(), rewards, terminated, truncated, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """bool [num_envs, 1 + 2 * rows]."""
        return self.simulation.mask.copy() if self._copy else self.simulation.mask

    def _views(self) -> Batch:
        return {"entities": self.simulation.entities, "context": self.simulation.context}

    def _observations(self) -> Batch:
        views = self._views()
        return {k: v.copy() for k, v in views.items()} if self._copy else views


def _named(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {name: values[:, i] for i, name in enumerate(names)}
