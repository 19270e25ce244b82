"""A warm start from a teacher who knows the truth, before reinforcement learning refines it.

Most random choices hurt, so learning from reward alone first learns to do nothing and rarely finds
more. The teacher says for each entity whether its action, or its release, is worth it now, as
`rl_env.oracle` knows; the network learns that from what it can see, so that a score above "do
nothing" means "more likely than not". What actions cost and gain is left to reinforcement learning.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from torch import Tensor, nn

from policies.actions import Kind
from policies.columns import KIND
from policies.policy import NOTHING
from rl_env.oracle import worths
from rl_env.playing import Minute, play
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

__all__ = ["Lesson", "Lessons", "teach"]

_KEPT = 24  # lessons that improvements draw from
_PASSES = 4  # improvements per lesson, in passes over it
_PART = 512  # decisions of an improvement
_MIXED = 4  # lessons that these come from
_STRAY = 0.01  # chance of a random action per step, so that its outcome is seen, too
_AT_ONCE = 0.3  # share of episodes in which the teacher does not wait
_LATEST = 90  # minutes that it waits in the others, at most

Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lesson:
    """The decisions of some episodes. `right`, `open`: bool [decisions, VERBS * rows]; the latter
    says which of them count.
    """

    observations: dict[str, Floats]
    right: Flags
    open: Flags
    returns: Floats  # discounted, of how the episode went on


class Lessons:
    """Episodes played by a tardy teacher, so that what comes of waiting is seen, too.

    `batch` of them make one lesson. They are those of the seeds from `seed` on.
    """

    def __init__(
        self, scenario: Scenario, batch: int, seed: int, gamma: float, scale: float
    ) -> None:
        self.simulation = Simulation(scenario, batch)
        self.simulation.seed(seed)
        self._rng = np.random.default_rng(seed)
        self._gamma, self._scale = gamma, scale

    def __iter__(self) -> Iterator[Lesson]:
        """Without end."""
        while True:
            teacher = _Teacher(self.simulation, self._rng)
            yield self._lesson(teacher, list(play(self.simulation, teacher)))

    def _lesson(self, teacher: _Teacher, minutes: list[Minute]) -> Lesson:
        alive = np.stack([minute.alive for minute in minutes])
        rewards = np.stack([minute.rewards for minute in minutes]) * alive * self._scale
        returns = np.zeros(alive.shape, dtype=np.float32)
        value = np.zeros(alive.shape[1])
        for t in range(len(minutes) - 1, -1, -1):
            value = rewards[t] + self._gamma * value
            returns[t] = value
        observations = {
            "entities": np.stack(teacher.entities)[alive],
            "context": np.stack(teacher.contexts)[alive],
        }
        right, permitted = np.stack(teacher.right)[alive], np.stack(teacher.permitted)[alive]
        return Lesson(observations, right, permitted, returns[alive])


class _Teacher:
    """Plays, and notes what it saw and what would have been right."""

    name = "teacher"

    def __init__(self, simulation: Simulation, rng: np.random.Generator) -> None:
        self._rng = rng
        waits = rng.integers(1, _LATEST, simulation.batch)
        self._delay = np.where(rng.random(simulation.batch) < _AT_ONCE, 0, waits)[:, None]
        self._wanted = np.zeros((simulation.batch, simulation.choices - 1), dtype=np.int64)
        self.entities: list[Floats] = []
        self.contexts: list[Floats] = []
        self.right: list[Flags] = []
        self.permitted: list[Flags] = []

    def choose(self, simulation: Simulation) -> NDArray[np.int64]:
        right = worths(simulation) > 0.0
        permitted = simulation.mask[:, 1:].copy()
        self.entities.append(np.ascontiguousarray(simulation.entities))
        self.contexts.append(simulation.context.copy())
        self.right.append(right)
        self.permitted.append(permitted)
        self._wanted = np.where(right & permitted, self._wanted + 1, 0)
        chosen = self._one_of(self._wanted > self._delay)
        stray = self._rng.random(simulation.batch) < _STRAY
        return np.where(stray, self._one_of(permitted), chosen)

    def _one_of(self, choices: Flags) -> NDArray[np.int64]:
        """Of each environment, NOTHING where there is none."""
        lots = self._rng.random(choices.shape) * choices
        return np.where(choices.any(axis=1), 1 + lots.argmax(axis=1), NOTHING)


def teach(
    learner: MaskablePPO,
    lessons: Iterable[Lesson],
    count: int,
    caution: float,
    seed: int,
    tell: Callable[[int, float], None],
) -> None:
    """Fits the learner's policy and critic to so many lessons. `caution`: how much worse a wrong
    isolation is than a missed one. `tell`: decisions seen in this lesson, and the last loss.
    """
    policy, rng = learner.policy, np.random.default_rng(seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
    kept: list[Lesson] = []
    for number, new in enumerate(itertools.islice(lessons, count)):
        kept = [*kept[-_KEPT + 1 :], new]
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1.0 - 0.98 * number / count)
        loss = 0.0
        for _ in range(max(1, _PASSES * len(new.returns) // _PART)):
            loss = _improve(policy, optimizer, _mixture(kept, rng), caution)
        tell(len(new.returns), loss)


def _mixture(kept: list[Lesson], rng: np.random.Generator) -> Lesson:
    """Decisions of several lessons: those of one are of few episodes, and alike."""
    parts = []
    for lesson in (kept[i] for i in rng.integers(len(kept), size=_MIXED)):
        some = rng.integers(len(lesson.returns), size=_PART // _MIXED)
        seen = {key: value[some] for key, value in lesson.observations.items()}
        parts.append(Lesson(seen, lesson.right[some], lesson.open[some], lesson.returns[some]))
    return Lesson(
        {
            key: np.concatenate([p.observations[key] for p in parts])
            for key in parts[0].observations
        },
        np.concatenate([p.right for p in parts]),
        np.concatenate([p.open for p in parts]),
        np.concatenate([p.returns for p in parts]),
    )


def _improve(
    policy: MaskableActorCriticPolicy,
    optimizer: torch.optim.Optimizer,
    lesson: Lesson,
    caution: float,
) -> float:
    seen = {key: torch.as_tensor(value) for key, value in lesson.observations.items()}
    features = policy.features_extractor(seen)
    logits, latent = policy.mlp_extractor(features)
    lead = logits[:, 1:] - logits[:, :1]
    target = torch.as_tensor(lesson.right, dtype=torch.float32)
    wrong = nn.functional.binary_cross_entropy_with_logits(lead, target, reduction="none")
    weight = _weights(seen["entities"], target, caution)
    weight = weight * torch.as_tensor(lesson.open, dtype=torch.float32)
    value = policy.value_net(latent)[:, 0] - torch.as_tensor(lesson.returns)
    loss = (wrong * weight).sum() / len(lesson.returns) + 0.02 * value.square().mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _weights(entities: Tensor, target: Tensor, caution: float) -> Tensor:
    isolations = entities[:, :, KIND + Kind.ISOLATE] > 0
    isolations = nn.functional.pad(isolations, (0, isolations.shape[1]))  # orders, then releases
    return torch.where((target == 0) & isolations, caution, 1.0)
