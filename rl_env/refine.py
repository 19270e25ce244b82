"""MaskablePPO on a network that has learned already, or on a fresh one."""

from __future__ import annotations

from collections.abc import Callable

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from rl_env.agent import EntityNetwork, EntityPolicy
from rl_env.ppo import BatchPPO
from rl_env.sb3 import CountersignVecEnv
from rl_env.scenario import Scenario

__all__ = ["learner_of", "refine"]

_ENVS = 64
_ROLLOUT = 128  # decisions of each between updates
_SCALE = 0.1  # of rewards, which the critic learns
# The critic stands on the actor's layers, and scores are steep: higher rates were seen to collapse.
_RATE, _CRITIC = 5e-6, 0.02


def refine(
    network: EntityNetwork,
    scenario: Scenario,
    steps: int,
    seed: int,
    tell: Callable[[int], None] = lambda done: None,
) -> None:
    """So many decisions of reinforcement learning, from the network's weights on."""
    learner = learner_of(network, scenario, seed)
    learner.learn(steps, callback=_Told(tell))
    network.load_state_dict(learner.policy.features_extractor.state_dict())


def learner_of(network: EntityNetwork, scenario: Scenario, seed: int) -> BatchPPO:
    """A learner whose policy is this network. What it saves, `MaskablePPO` of sb3-contrib loads."""
    learner = BatchPPO(
        EntityPolicy,
        _Scaled(CountersignVecEnv(_ENVS, scenario), _SCALE),
        n_steps=_ROLLOUT,
        batch_size=2048,
        n_epochs=4,
        learning_rate=lambda left: _RATE * (0.1 + 0.9 * left),
        gamma=0.99,
        gae_lambda=0.97,
        vf_coef=_CRITIC,
        clip_range=0.1,
        policy_kwargs={"hidden": network.hidden},
        seed=seed,  # of the environments, too
        device="cpu",
    )
    learner.policy.features_extractor.load_state_dict(network.state_dict())
    return learner


class _Scaled(VecEnvWrapper):
    """Hands scaled rewards to the learner; `info["episode"]` has true returns."""

    def __init__(self, env: CountersignVecEnv, scale: float) -> None:
        super().__init__(env)
        self._scale = scale

    def reset(self) -> VecEnvObs:
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, dones, infos = self.venv.step_wait()
        return observations, rewards * self._scale, dones, infos


class _Told(BaseCallback):
    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell, self._before = tell, 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._tell(self.num_timesteps - self._before)
        self._before = self.num_timesteps
