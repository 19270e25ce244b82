"""Fits the entity network to moments: the chance that a choice is right, and what it then gains."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from policies.network import Outcome
from rl_env.agent import EntityNetwork
from rl_env.moments import Moments

__all__ = ["fit"]

_BATCH = 512  # moments of an improvement
_SCALE = 0.003  # of squared gains, which are noisy beside what is told of chances


def fit(
    network: EntityNetwork,
    optimizer: torch.optim.Optimizer,
    moments: Moments,
    passes: float,
    rates: tuple[float, float],
    rng: np.random.Generator,
) -> float:
    """Goes over the moments so often, while the learning rate falls from the one to the other.
    Returns the mean loss.
    """
    steps = max(1, round(passes * len(moments) / _BATCH))
    total = 0.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rates[0] * (rates[1] / rates[0]) ** (step / steps)
        loss = _loss(network, moments.some(rng.integers(len(moments), size=_BATCH)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        total += float(loss.detach())
    return total / steps


def _loss(network: EntityNetwork, seen: Moments) -> Tensor:
    """Gains are learned apart for choices that were right and that were wrong: what differs within
    each is small beside what differs between them.
    """
    counts = torch.as_tensor(np.diff(seen.begins))
    sample = torch.repeat_interleave(torch.arange(len(counts)), counts)
    outcomes, _ = network.outcomes(
        torch.as_tensor(seen.rows), sample, torch.as_tensor(seen.context)
    )
    right = torch.as_tensor(seen.right)
    logits = outcomes[:, :, Outcome.LOGIT]
    loss = nn.functional.binary_cross_entropy_with_logits(logits, right.float())
    tried = torch.as_tensor(seen.tried)
    some = tried >= 0
    if not some.any():
        return loss
    told = torch.where(right, outcomes[:, :, Outcome.RIGHT], outcomes[:, :, Outcome.WRONG])
    wrong = told.flatten()[tried[some]] - torch.as_tensor(seen.gains)[some]
    return loss + _SCALE * wrong.square().sum() / len(counts)
