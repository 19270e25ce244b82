"""Training: MaskablePPO on `Countersign-v0`, one configuration object, one model folder out."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sb3_contrib
import stable_baselines3
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from torch import nn

from policies.network import LearnedPolicy
from rl_env.agent import EntityNetwork, EntityPolicy, export
from rl_env.env import ENVIRONMENT
from rl_env.evaluate import HELD_OUT, VALIDATION, Summary, compare, evaluate, players, table
from rl_env.playing import player_of
from rl_env.sb3 import CountersignVecEnv
from rl_env.scenario import Scenario
from rl_env.teacher import Lessons, teach

__all__ = ["TrainConfig", "train", "write_model"]

Tell = Callable[[int, float], None]  # decisions since the last time; loss, or mean return

_SEEDS = 1000  # of a run, which no other run has: one for each environment, as many for lessons
_LEANINGS, _LEANING = 5, 0.4  # how many are tried; logits from one to the next
_RUNS = HELD_OUT // _SEEDS


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run. The defaults made the shipped model."""

    scenario: str = "small-16"  # a registered one, or a file
    lessons: int = 1_000_000  # decisions seen with the teacher first
    lesson: int = 64  # episodes of one
    caution: float = 3.0  # how much worse the teacher rates a wrong isolation than a missed one
    sharpness: float = 4.0  # logits are multiplied by this after the lessons, to explore less
    steps: int = 400_000  # decisions of reinforcement learning
    seed: int = 1
    envs: int = 64
    rollout: int = 128  # decisions per environment and update
    batch: int = 2048
    epochs: int = 4
    learning_rate: float = 5e-6  # falls linearly to a tenth
    gamma: float = 0.99
    gae_lambda: float = 0.97
    entropy: float = 0.0
    clip: float = 0.1
    value: float = 0.02  # weight of the critic's loss, which moves the layers it shares
    hidden: int = 64
    reward_scale: float = 0.1
    check_every: int = 15  # rollouts between checks of which weights to keep
    validation: int = 400  # episodes per check

    def __post_init__(self) -> None:
        if not 0 <= self.seed < _RUNS:
            raise ValueError(f"seed must be 0 to {_RUNS - 1}: others are held out")
        if not 0 < max(self.envs, self.lesson) <= _SEEDS // 2:
            raise ValueError(f"envs and lesson must be 1 to {_SEEDS // 2}: each needs its seed")


class Scaled(VecEnvWrapper):
    """Hands scaled rewards to the learner; `info["episode"]` has true returns."""

    def __init__(self, env: CountersignVecEnv, scale: float) -> None:
        super().__init__(env)
        self._scale = scale

    def reset(self) -> VecEnvObs:
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, dones, infos = self.venv.step_wait()
        return observations, rewards * self._scale, dones, infos


class _KeepBest(BaseCallback):
    """Tells progress after each rollout; keeps the weights that did best on validation episodes."""

    def __init__(self, config: TrainConfig, scenario: Scenario, tell: Tell) -> None:
        super().__init__()
        self._config, self._scenario, self._tell = config, scenario, tell
        self._rollouts = self._told = 0
        self._best = -math.inf
        self._weights: dict[str, torch.Tensor] = {}

    def check(self, policy: nn.Module, network: EntityNetwork) -> None:
        """Plays greedily on validation seeds; remembers the weights if they are the best so far."""
        weights = {name: tensor.numpy() for name, tensor in network.tensors().items()}
        candidate = player_of(LearnedPolicy({"name": "candidate"}, weights, bytes(32)))
        episodes = self._config.validation
        score = evaluate(candidate, self._scenario, episodes, VALIDATION).mean_return
        if score > self._best:
            self._best, self._weights = score, copy.deepcopy(policy.state_dict())

    def restore(self, policy: nn.Module) -> None:
        policy.load_state_dict(self._weights)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        episodes: list[dict[str, float]] = list(self.model.ep_info_buffer or ())
        mean = sum(e["r"] for e in episodes) / max(1, len(episodes))
        self._tell(self.num_timesteps - self._told, mean)
        self._told = self.num_timesteps
        if self._rollouts % self._config.check_every == 0:
            self.check(self.model.policy, network_of(self.model))
        self._rollouts += 1


def train(config: TrainConfig, tell: Tell = lambda steps, value: None) -> MaskablePPO:
    """Trains from scratch. Same configuration, same machine: same weights.

    Raises ScenarioError or InventoryError.
    """
    torch.set_num_threads(1)
    scenario = Scenario.load(config.scenario)
    learner = _learner(config, scenario)
    keeper = _KeepBest(config, scenario, tell)
    if config.lessons:
        _take_lessons(learner, config, scenario, tell)
        _find_caution(learner, keeper)
    network_of(learner).sharpen(config.sharpness)
    learner.learn(config.steps, callback=keeper)
    keeper.check(learner.policy, network_of(learner))
    keeper.restore(learner.policy)
    return learner


def _learner(config: TrainConfig, scenario: Scenario) -> MaskablePPO:
    return MaskablePPO(
        EntityPolicy,
        Scaled(CountersignVecEnv(config.envs, scenario), config.reward_scale),
        n_steps=config.rollout,
        batch_size=config.batch,
        n_epochs=config.epochs,
        learning_rate=lambda left: config.learning_rate * (0.1 + 0.9 * left),
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        ent_coef=config.entropy,
        vf_coef=config.value,
        clip_range=config.clip,
        policy_kwargs={"hidden": config.hidden},
        seed=config.seed * _SEEDS,  # of the environments, too
        device="cpu",
    )


def _take_lessons(
    learner: MaskablePPO, config: TrainConfig, scenario: Scenario, tell: Tell
) -> None:
    first = config.seed * _SEEDS + _SEEDS // 2
    lessons = Lessons(scenario, config.lesson, first, config.gamma, config.reward_scale)
    count = max(1, config.lessons // (config.lesson * scenario.episode.minutes))
    teach(learner, lessons, count, config.caution, config.seed, tell)


def _find_caution(learner: MaskablePPO, keeper: _KeepBest) -> None:
    """Lessons say what is more likely than not; how sure one should be, validation tells."""
    network = network_of(learner)
    for _ in range(_LEANINGS):
        keeper.check(learner.policy, network)
        network.lean(_LEANING)
    keeper.restore(learner.policy)


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
    scenario = Scenario.load(config.scenario)
    summaries = compare(players(folder), scenario, episodes)
    facts["evaluation"] = {
        "episodes": episodes,
        "first_seed": HELD_OUT,
        "scenario": config.scenario,
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


def _card(name: str, config: TrainConfig, summaries: list[Summary], episodes: int) -> str:
    return f"""# Model card: {name}

**What it is.** A policy over assets, credentials and addresses that proposes isolation, revocation
or blocking from alerts alone. Shared weights per entity, mean and max pooling, {config.hidden}
units; runs in numpy on any number of entities. Its hash is over `manifest.json` and
`model.safetensors`, see `policies/network.py`.

**Trained on** `{ENVIRONMENT}`, scenario `{config.scenario}`, one decision per simulated minute:
{config.lessons:,} decisions with a teacher who knows the truth, then {config.steps:,} of
MaskablePPO. Seed {config.seed}; all settings are in `manifest.json`. Of the weights on the way,
those that did best on {config.validation} validation episodes (seeds from {VALIDATION} on) were
kept.

**Evaluated** on {episodes} episodes with seeds from {HELD_OUT} on, which training never uses.
Brackets: 95 % bootstrap intervals.

{table(summaries)}

The oracle is told the truth, and bounds what any policy can reach.

**Meant for** proposing, under guardrails and people's signatures. **Not meant for** acting alone.
It knows only what sensors report, was trained on simulated sites, and can be misled by whoever can
forge alerts; the guardrails' budgets bound what that can cost.
"""
