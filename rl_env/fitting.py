"""Fits the entity network to moments: how likely choices are right, and what they then gain.

The two are learned apart. What is right is told without doubt, of every entity, and takes millions
of them; what a choice gained is told of few, and hangs on luck. Learned together, the noise of the
one spoils the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from policies.network import Outcome
from rl_env.agent import EntityNetwork
from rl_env.moments import Moments

__all__ = ["fit_chances", "fit_gains"]

_BATCH = 512  # moments of an improvement
_LAST = 0.05  # share of the learning rate that is left at the end


def fit_chances(
    network: EntityNetwork, moments: Moments, passes: float, rate: float, seed: int
) -> float:
    """All but the gains, from what was right, in so many passes over the moments. Returns the mean
    loss: nats per entity and verb.
    """

    def loss(outcomes: Tensor, seen: Moments) -> Tensor:
        right = torch.as_tensor(seen.right, dtype=torch.float32)
        logits = outcomes[:, :, Outcome.LOGIT]
        return nn.functional.binary_cross_entropy_with_logits(logits, right)

    parts = (network.encoder, network.attention, network.chance)
    return _fit(network, parts, loss, moments, passes, rate, seed)


def fit_gains(
    network: EntityNetwork, moments: Moments, passes: float, rate: float, seed: int
) -> float:
    """The gains alone, from what was tried. Returns the mean loss, in squared units of reward.

    They are learned apart for choices that were right and that were wrong: what differs within each
    is small beside what differs between them.
    """

    def loss(outcomes: Tensor, seen: Moments) -> Tensor:
        right, wrong = outcomes[:, :, Outcome.RIGHT], outcomes[:, :, Outcome.WRONG]
        told = torch.where(torch.as_tensor(seen.right), right, wrong).flatten()
        tried = torch.as_tensor(seen.tried)
        some = tried >= 0
        off = told[tried[some]] - torch.as_tensor(seen.gains)[some]
        return off.square().mean()

    return _fit(network, (network.gains,), loss, moments, passes, rate, seed)


def _fit(
    network: EntityNetwork,
    parts: Iterable[nn.Module],
    loss_of: Callable[[Tensor, Moments], Tensor],
    moments: Moments,
    passes: float,
    rate: float,
    seed: int,
) -> float:
    parameters = [each for part in parts for each in part.parameters()]
    network.requires_grad_(False)
    for each in parameters:
        each.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, fused=True)
    rng = np.random.default_rng(seed)
    steps = max(1, round(passes * len(moments) / _BATCH))
    total = 0.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * _LAST ** (step / steps)
        seen = moments.some(rng.integers(len(moments), size=_BATCH))
        loss = loss_of(_outcomes(network, seen), seen)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        total += float(loss.detach())
    network.requires_grad_(True)
    return total / steps


def _outcomes(network: EntityNetwork, seen: Moments) -> Tensor:
    counts = torch.as_tensor(np.diff(seen.begins))
    sample = torch.repeat_interleave(torch.arange(len(counts)), counts)
    rows, context = torch.as_tensor(seen.rows), torch.as_tensor(seen.context)
    outcomes, _ = network.outcomes(rows, sample, context)
    return outcomes
