"""Training: MaskablePPO on `Countersign-v0`, one configuration object, one model folder out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import sb3_contrib
import stable_baselines3
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from rl_env.agent import EntityNetwork, EntityPolicy, export
from rl_env.env import ENVIRONMENT, CountersignEnv
from rl_env.evaluate import HELD_OUT, Summary, compare, table
from rl_env.teacher import teach

_CHUNK = 10_000  # decisions per lesson

__all__ = ["TrainConfig", "train", "write_model"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run. The defaults made the shipped model."""

    lessons: int = 350_000  # decisions seen with the teacher first
    caution: float = 1.5  # how much worse the teacher rates a wrong isolation than a missed one
    steps: int = 400_000  # decisions of reinforcement learning
    seed: int = 1
    envs: int = 8
    workers: bool = False  # one process per environment
    rollout: int = 512  # decisions per environment and update
    batch: int = 1024
    epochs: int = 3
    learning_rate: float = 1e-4  # falls linearly to a tenth
    gamma: float = 0.99
    gae_lambda: float = 0.97
    entropy: float = 0.002
    clip: float = 0.2
    hidden: int = 64
    reward_scale: float = 0.1

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


class _OnRollout(BaseCallback):
    """Tells progress after each rollout: decisions so far and the mean return lately."""

    def __init__(self, tell: Callable[[int, float], None], before: int) -> None:
        super().__init__()
        self._tell, self._before = tell, before

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        episodes: list[dict[str, float]] = list(self.model.ep_info_buffer or ())
        mean = sum(e["r"] for e in episodes) / max(1, len(episodes))
        self._tell(self._before + self.num_timesteps, mean)


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
    if config.steps:
        learner.learn(config.steps, callback=_OnRollout(tell, chunks * _CHUNK))
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
    network = learner.policy.features_extractor
    assert isinstance(network, EntityNetwork)
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
settings are in `manifest.json`.

**Evaluated** on {episodes} episodes with seeds from {HELD_OUT} on, which training never uses.
Brackets: 95 % bootstrap intervals.

{table(summaries)}

**Meant for** proposing, under guardrails and people's signatures. **Not meant for** acting alone.
It knows only what sensors report, was trained on simulated sites, and can be misled by whoever can
forge alerts; the guardrails' budgets bound what that can cost.
"""
