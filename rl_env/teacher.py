"""A warm start from a teacher who knows the truth, before reinforcement learning refines it.

Most random choices hurt, so learning from reward alone first learns to do nothing and rarely finds
more. The teacher says for each entity whether it deserves its action; the network learns that from
what it can see, so that a score above "do nothing" means "more likely than not". What actions cost
and gain is left to reinforcement learning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from torch import Tensor, nn

from policies.actions import Kind
from rl_env.env import CountersignEnv

__all__ = ["Lesson", "lessons", "teach"]

_REPLAYED = 4  # chunks kept for further passes
_STRAY = 0.01  # chance of a random action per step, so that its outcome is seen, too


@dataclass(frozen=True)
class Lesson:
    """A chunk of steps. `deserved`, `open`: bool [steps, max_entities]; the latter says what
    counts.
    """

    observations: dict[str, np.ndarray]
    deserved: np.ndarray
    open: np.ndarray
    returns: np.ndarray  # discounted, of how the chunk was played


def lessons(seed: int, steps: int, gamma: float, scale: float) -> Iterator[Lesson]:
    """Chunks of `steps` decisions or a few more, without end: whole episodes played by a tardy
    teacher.
    """
    env, rng = CountersignEnv(), np.random.default_rng(seed)
    env.reset(seed=seed)
    while True:
        rows: list[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]] = []
        returns: list[float] = []
        while len(rows) < steps:
            rewards = _episode(env, rng, rows)
            value, backwards = 0.0, []
            for reward in reversed(rewards):
                value = reward * scale + gamma * value
                backwards.append(value)
            returns += reversed(backwards)
        seen, deserved, choices = zip(*rows, strict=True)
        yield Lesson(
            {key: np.stack([o[key] for o in seen]) for key in seen[0]},
            np.stack(deserved),
            np.stack(choices),
            np.array(returns, dtype=np.float32),
        )


def teach(
    learner: MaskablePPO,
    seed: int,
    chunks: int,
    steps: int,
    scale: float,
    caution: float,
    tell: Callable[[int, float], None],
) -> None:
    """Fits the learner's policy and critic. `caution`: how much worse a wrong isolation is than a
    missed one.
    """
    policy, rng = learner.policy, np.random.default_rng(seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
    source = lessons(seed, steps, learner.gamma, scale)
    kept: list[Lesson] = []
    for chunk in range(chunks):
        kept = [*kept[-_REPLAYED + 1 :], next(source)]
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1.0 - 0.9 * chunk / chunks)
        loss = 0.0
        for lesson in kept:
            order = rng.permutation(len(lesson.returns))
            for part in np.array_split(order, max(1, len(order) // 512)):
                loss = _improve(policy, optimizer, lesson, part, caution)
        tell((chunk + 1) * steps, loss)


def _episode(env: CountersignEnv, rng: np.random.Generator, rows: list) -> list[float]:
    """Plays one episode into `rows`; returns its rewards."""
    seen, _ = env.reset()
    delay = 0 if rng.random() < 0.3 else int(rng.integers(1, 90))
    wanted = np.zeros(len(env.deserved()), dtype=np.int64)  # steps for which it was deserved
    rewards: list[float] = []
    over = False
    while not over:
        deserved, mask = env.deserved(), env.action_masks()
        rows.append((seen, deserved, mask[1:]))
        wanted = np.where(deserved, wanted + 1, 0)
        due = np.flatnonzero((wanted > delay) & mask[1:])
        action = int(rng.choice(due)) + 1 if len(due) else 0
        if rng.random() < _STRAY:
            action = int(rng.choice(np.flatnonzero(mask)))
        seen, reward, terminated, truncated, _ = env.step(np.int64(action))
        rewards.append(reward)
        over = terminated or truncated
    return rewards


def _improve(
    policy: MaskableActorCriticPolicy,
    optimizer: torch.optim.Optimizer,
    lesson: Lesson,
    part: np.ndarray,
    caution: float,
) -> float:
    seen = {key: torch.as_tensor(value[part]) for key, value in lesson.observations.items()}
    features = policy.features_extractor(seen)
    logits, latent = policy.mlp_extractor(features)
    lead = logits[:, 1:] - logits[:, :1]
    target = torch.as_tensor(lesson.deserved[part], dtype=torch.float32)
    wrong = nn.functional.binary_cross_entropy_with_logits(lead, target, reduction="none")
    weight = _weights(seen, target, caution)
    weight = weight * torch.as_tensor(lesson.open[part], dtype=torch.float32)
    value = policy.value_net(latent)[:, 0] - torch.as_tensor(lesson.returns[part])
    loss = (wrong * weight).sum() / len(part) + 0.05 * value.square().mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _weights(seen: dict[str, Tensor], target: Tensor, caution: float) -> Tensor:
    is_asset = seen["entities"][:, :, Kind.ISOLATE]  # the first three columns are the kinds
    return torch.where((target == 0) & (is_asset > 0), caution, 1.0)
