"""The torch side of the learned policy: the entity network as a policy of sb3-contrib's
MaskablePPO, and its export.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from policies.actions import Kind
from policies.columns import (
    CONTEXT_COLUMNS,
    ENTITY_COLUMNS,
    KIND,
    OBSERVATION_VERSION,
    ORDERED,
    PENDING,
    TOTAL,
    VERBS,
)
from policies.evidence import SPEAKING
from policies.network import FORMAT, HEADS, SILENT, Outcome, tensor_shapes

__all__ = ["EntityNetwork", "EntityPolicy", "export"]

_SHARPNESS = 4.0  # logits of the actor per unit of reward: what gains more is chosen nearly always


class EntityNetwork(BaseFeaturesExtractor):
    """Observation -> [scores of "do nothing" and, by verb, each row; what all rows are together].

    `policies.network` describes it, and computes the same.
    """

    caution: Tensor

    def __init__(self, observation_space: spaces.Dict, hidden: int = 64) -> None:
        rows, columns = observation_space["entities"].shape or ()
        (context,) = observation_space["context"].shape or ()
        self.choices, self.summary = 1 + VERBS * rows, (1 + HEADS) * hidden + context
        super().__init__(observation_space, self.choices + self.summary)
        self.hidden = hidden
        self.encoder = nn.ModuleList(
            [nn.Linear(columns + context, hidden), nn.Linear(hidden, hidden)]
        )
        self.attention = nn.Linear(hidden, HEADS)
        self.chance = nn.ModuleList(
            [nn.Linear(hidden + self.summary, hidden), nn.Linear(hidden, VERBS)]
        )
        self.gains = nn.ModuleList(
            [nn.Linear(columns + hidden + self.summary, hidden), nn.Linear(hidden, 2 * VERBS)]
        )
        self.register_buffer("caution", torch.ones(len(Kind)))

    def hesitate(self) -> None:
        """An untrained agent's start: all entities alike, and nothing preferred to any of them."""
        for head, bias in ((self.chance[1], [0.0]), (self.gains[1], [1.0, -1.0])):
            assert isinstance(head, nn.Linear)
            nn.init.orthogonal_(head.weight, gain=0.01)
            head.bias.data = torch.tensor(bias * VERBS)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """entities [batch, rows, F], context [batch, G] -> [batch, features]."""
        entities, context = observations["entities"], observations["context"]
        sample, row = _speaking(entities).nonzero(as_tuple=True)
        outcomes, summary = self.outcomes(entities[sample, row], sample, context)
        chance = torch.sigmoid(outcomes[:, :, Outcome.LOGIT])
        right, wrong = outcomes[:, :, Outcome.RIGHT], outcomes[:, :, Outcome.WRONG]
        kinds = entities[sample, row, KIND : KIND + len(Kind)]
        caution = torch.stack([kinds @ self.caution, torch.ones(len(kinds))], dim=1)  # by Verb
        each = chance * right + (1.0 - chance) * wrong * caution
        scores = each.new_full((*entities.shape[:2], VERBS), float(SILENT))
        scores = scores.index_put((sample, row), each).transpose(1, 2).flatten(1)
        return torch.cat([scores.new_zeros(len(scores), 1), scores, summary], dim=1)

    def outcomes(self, rows: Tensor, sample: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Entities [n, F] of samples [n], in order, and the context of each sample [batch, G] ->
        [n, VERBS, len(Outcome)], summaries [batch, S].
        """
        counts = torch.bincount(sample, minlength=len(context))
        hidden = torch.relu(_joined(self.encoder[0], rows, context, sample))
        hidden = torch.relu(self.encoder[1](hidden))
        # All are >= 0, so zero is the highest of none.
        highest = torch.segment_reduce(hidden, "max", lengths=counts, initial=0.0)
        raw = self.attention(hidden)
        top = torch.segment_reduce(raw.detach(), "max", lengths=counts, initial=-1e9)
        weights = torch.exp(raw - top[sample])
        total = torch.zeros_like(top).index_add(0, sample, weights)
        weights = weights / total[sample]
        parts = (weights.unsqueeze(2) * hidden.unsqueeze(1)).flatten(1)
        looked = parts.new_zeros(len(context), parts.shape[1]).index_add(0, sample, parts)
        summary = torch.cat([highest, looked, context], dim=1)
        logits = self.chance[1](torch.relu(_joined(self.chance[0], hidden, summary, sample)))
        both = torch.cat([rows, hidden], dim=1)
        gains = self.gains[1](torch.relu(_joined(self.gains[0], both, summary, sample)))
        # In the order of Outcome.
        outcomes = torch.cat([logits.unsqueeze(2), gains.unflatten(1, (VERBS, 2))], dim=2)
        return outcomes, summary

    def tensors(self) -> dict[str, Tensor]:
        """Weights under the names that `policies.network` expects."""
        return {k: v.detach().contiguous().float().cpu() for k, v in self.state_dict().items()}


def _speaking(entities: Tensor) -> Tensor:
    """As `policies.network.speaking`."""
    there = entities[:, :, KIND : KIND + len(Kind)].sum(dim=2) > 0
    under_way = (entities[:, :, ORDERED] > 0) | (entities[:, :, PENDING] > 0)
    return there & (under_way | (entities[:, :, TOTAL] >= SPEAKING))


def _joined(layer: nn.Module, rows: Tensor, whole: Tensor, sample: Tensor) -> Tensor:
    """The layer on each row with its sample's `whole` appended, which is computed once for all rows
    of it: [n, a], [batch, b], [n] -> [n, out].
    """
    assert isinstance(layer, nn.Linear)
    size = rows.shape[1]
    once = nn.functional.linear(whole, layer.weight[:, size:], layer.bias)
    return nn.functional.linear(rows, layer.weight[:, :size]) + once[sample]


class _Heads(nn.Module):
    """Splits the network's output: logits for the actor, summary for the critic."""

    def __init__(self, network: EntityNetwork) -> None:
        super().__init__()
        self._choices = network.choices
        self.latent_dim_pi, self.latent_dim_vf = network.choices, network.hidden
        self.critic = nn.Sequential(nn.Linear(network.summary, network.hidden), nn.ReLU())

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        return _SHARPNESS * features[:, : self._choices]

    def forward_critic(self, features: Tensor) -> Tensor:
        return self.critic(features[:, self._choices :])


class EntityPolicy(MaskableActorCriticPolicy):
    """MaskablePPO's policy over entities."""

    features_extractor: EntityNetwork

    def __init__(self, *args: Any, hidden: int = 64, **kwargs: Any) -> None:
        kwargs.update(
            features_extractor_class=EntityNetwork,
            features_extractor_kwargs={"hidden": hidden},
            ortho_init=True,
        )
        super().__init__(*args, **kwargs)

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = _Heads(self.features_extractor)  # type: ignore[assignment]

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()
        learning = {"lr": lr_schedule(1), **self.optimizer_kwargs}
        self.optimizer = self.optimizer_class(self.parameters(), **learning)


def export(
    network: EntityNetwork, folder: Path, name: str, facts: dict[str, Any]
) -> dict[str, Any]:
    """Writes model.safetensors and manifest.json; returns the manifest. `facts` go into it as they
    are.
    """
    tensors = network.tensors()
    expected = tensor_shapes(network.hidden)
    if {k: tuple(v.shape) for k, v in tensors.items()} != expected:
        raise ValueError("the network is not the one that policies.network describes")
    if not all(np.isfinite(t.numpy()).all() for t in tensors.values()):
        raise ValueError("training diverged: the weights are not finite")
    data = safetensors.torch.save(tensors)
    manifest = {
        "format": FORMAT,
        "name": name,
        "observation_version": OBSERVATION_VERSION,
        "entity_columns": list(ENTITY_COLUMNS),
        "context_columns": list(CONTEXT_COLUMNS),
        "architecture": {"kind": "entities that attend to each other", "hidden": network.hidden},
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        **facts,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return manifest
