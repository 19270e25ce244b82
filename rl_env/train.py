"""Training: MaskablePPO on `Countersign-v0`, one configuration object, one model folder out."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import sb3_contrib
import stable_baselines3
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv
from torch import nn

from policies.network import LearnedPolicy
from rl_env.agent import EntityNetwork, EntityPolicy, export
from rl_env.env import ENVIRONMENT, CountersignEnv
from rl_env.evaluate import HELD_OUT, Summary, compare, evaluate, table
from rl_env.teacher import teach

VALIDATION = 2_000_000  # seeds from here on choose among the weights of a run
_CHUNK = 10_000  # decisions per lesson

__all__ = ["TrainConfig", "train", "write_model"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run. The defaults made the shipped model."""

    lessons: int = 350_000  # decisions seen with the teacher first
    caution: float = 1.5  # how much worse the teacher rates a wrong isolation than a missed one
    sharpness: float = 3.0  # logits are multiplied by this after the lessons, to explore less
    steps: int = 250_000  # decisions of reinforcement learning
    seed: int = 1
    envs: int = 8
    workers: bool = False  # one process per environment
    rollout: int = 1024  # decisions per environment and update
    batch: int = 2048
    epochs: int = 4
    learning_rate: float = 5e-5  # falls linearly to a tenth
    gamma: float = 0.99
    gae_lambda: float = 0.97
    entropy: float = 0.0
    clip: float = 0.1
    hidden: int = 64
    reward_scale: float = 0.1
    check_every: int = 5  # rollouts between checks of which weights to keep
    validation: int = 150  # episodes per check

    def __post_init__(self) -> None:
        if not 0 <= self.seed < HELD_OUT // 1000:
            raise ValueError(f"seed must be 0 to {HELD_OUT // 1000 - 1}: others are held out")


class Scaled(Monitor):
    """Records true returns, hands scaled rewards to the learner."""

    def __init__(self, env: CountersignEnv, scale: float) -> None:
        super().__init__(env)
        self._inner, self._scale = env, scale

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, float(reward) * self._scale, terminated, truncated, info

    def action_masks(self) -> Any:
        return self._inner.action_masks()


class _KeepBest(BaseCallback):
    """Tells progress after each rollout; keeps the weights that did best on validation episodes."""

    def __init__(self, config: TrainConfig, tell: Callable[[int, float], None], before: int):
        super().__init__()
        self._config, self._tell, self._before = config, tell, before
        self._rollouts = 0
        self._best = -math.inf
        self._weights: dict[str, torch.Tensor] = {}

    def check(self, policy: nn.Module, network: EntityNetwork) -> None:
        """Plays greedily on validation seeds; remembers the weights if they are the best so far."""
        weights = {name: tensor.numpy() for name, tensor in network.tensors().items()}
        candidate = LearnedPolicy({"name": "candidate"}, weights, bytes(32))
        score = evaluate(candidate, self._config.validation, VALIDATION).mean_return
        if score > self._best:
            self._best, self._weights = score, copy.deepcopy(policy.state_dict())

    def restore(self, policy: nn.Module) -> None:
        policy.load_state_dict(self._weights)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        episodes: list[dict[str, float]] = list(self.model.ep_info_buffer or ())
        mean = sum(e["r"] for e in episodes) / max(1, len(episodes))
        self._tell(self._before + self.num_timesteps, mean)
        if self._rollouts % self._config.check_every == 0:
            self.check(self.model.policy, network_of(self.model))
        self._rollouts += 1


def train(
    config: TrainConfig, tell: Callable[[int, float], None] = lambda steps, mean: None
) -> MaskablePPO:
    """Trains from scratch. Same configuration, same machine: same weights."""
    torch.set_num_threads(1)
    stable_baselines3.common.utils.set_random_seed(config.seed)
    environments = _environments(config)
    learner = MaskablePPO(
        EntityPolicy,
        environments,
        n_steps=config.rollout,
        batch_size=config.batch,
        n_epochs=config.epochs,
        learning_rate=lambda left: config.learning_rate * (0.1 + 0.9 * left),
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        ent_coef=config.entropy,
        clip_range=config.clip,
        policy_kwargs={"hidden": config.hidden},
        seed=config.seed * 1000,
        device="cpu",
    )
    chunks = max(1, config.lessons // _CHUNK) if config.lessons else 0
    teach(learner, config.seed, chunks, _CHUNK, config.reward_scale, config.caution, tell)
    network_of(learner).sharpen(config.sharpness)
    keeper = _KeepBest(config, tell, chunks * _CHUNK)
    learner.learn(config.steps, callback=keeper)
    keeper.check(learner.policy, network_of(learner))
    keeper.restore(learner.policy)
    environments.close()
    return learner


def write_model(
    learner: MaskablePPO, config: TrainConfig, folder: Path, name: str, episodes: int
) -> list[Summary]:
    """Exports the model, evaluates the exported files on held-out seeds, writes its card."""
    facts: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "training": asdict(config),
        "libraries": {
            "torch": torch.__version__.partition("+")[0],
            "stable-baselines3": stable_baselines3.__version__,
            "sb3-contrib": sb3_contrib.__version__,
        },
    }
    network = network_of(learner)
    export(network, folder, name, facts)
    summaries = compare(folder, episodes)
    facts["evaluation"] = {
        "episodes": episodes,
        "first_seed": HELD_OUT,
        "policies": {s.name: s.to_json() for s in summaries},
    }
    export(network, folder, name, facts)
    (folder / "card.md").write_text(_card(name, config, summaries, episodes), encoding="utf-8")
    return summaries


def network_of(learner: BaseAlgorithm) -> EntityNetwork:
    """The part of the learner that is exported."""
    network = learner.policy.features_extractor
    assert isinstance(network, EntityNetwork)
    return network


def _environments(config: TrainConfig) -> VecEnv:
    def make() -> gym.Env[Any, Any]:
        return Scaled(CountersignEnv(), config.reward_scale)

    makers = [make] * config.envs
    return SubprocVecEnv(makers) if config.workers else DummyVecEnv(makers)


def _card(name: str, config: TrainConfig, summaries: list[Summary], episodes: int) -> str:
    return f"""# Model card: {name}

**What it is.** A policy over assets, credentials and addresses that proposes isolation, revocation
or blocking from alerts alone. Shared weights per entity, mean and max pooling, {config.hidden}
units; runs in numpy on any number of entities. Its hash is over `manifest.json` and
`model.safetensors`, see `policies/network.py`.

**Trained on** `{ENVIRONMENT}`, one decision per simulated minute: {config.lessons:,} decisions with
a teacher who knows the truth, then {config.steps:,} of MaskablePPO. Seed {config.seed}; all
settings are in `manifest.json`. Of the weights on the way, those that did best on
{config.validation} validation episodes (seeds from {VALIDATION} on) were kept.

**Evaluated** on {episodes} episodes with seeds from {HELD_OUT} on, which training never uses.
Brackets: 95 % bootstrap intervals.

{table(summaries)}

**Meant for** proposing, under guardrails and people's signatures. **Not meant for** acting alone.
It knows only what sensors report, was trained on simulated sites, and can be misled by whoever can
forge alerts; the guardrails' budgets bound what that can cost.
"""
