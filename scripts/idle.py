"""An environment that does nothing, of the same spaces: what is left is the learner."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from rl_env.sb3 import CountersignVecEnv

__all__ = ["IdleVecEnv"]

_MINUTES = 150
_LIVED = 60  # before the picture is taken that it shows for ever


class IdleVecEnv(CountersignVecEnv):
    """Shows one minute of the simulator for ever, so that the learner has as much to compute."""

    def __init__(self, num_envs: int, scenario: str) -> None:
        super().__init__(num_envs, scenario)
        self.simulation.seed(1)
        self.simulation.reset()
        for _ in range(_LIVED):
            self.simulation.step(np.zeros(num_envs, dtype=np.int64))
        self._shown = self._observations()
        self._permitted = list(self.action_masks())
        self._minute = 0

    def reset(self) -> Any:
        return self._shown

    def step_wait(self) -> VecEnvStepReturn:
        self._minute += 1
        over = np.full(self.num_envs, self._minute % _MINUTES == 0)
        rewards = np.zeros(self.num_envs, dtype=np.float32)
        last = {"terminal_observation": {k: v[0] for k, v in self._shown.items()}}
        infos: list[dict[str, Any]] = [last if over[0] else {} for _ in range(self.num_envs)]
        return self._shown, rewards, over, infos

    def env_method(self, method_name: str, *args: Any, **kwargs: Any) -> list[Any]:
        return self._permitted
