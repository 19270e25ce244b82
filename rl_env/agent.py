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
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, KIND, OBSERVATION_VERSION, VERBS
from policies.network import FORMAT, tensor_shapes

__all__ = ["EntityNetwork", "EntityPolicy", "export"]

_CAUTION = 5.0  # logit by which an untrained agent prefers to do nothing


class EntityNetwork(BaseFeaturesExtractor):
    """Observation -> [logits of "do nothing" and, by verb, each row; pooled entities; context]."""

    def __init__(self, observation_space: spaces.Dict, hidden: int = 64) -> None:
        rows, columns = observation_space["entities"].shape or ()
        (context,) = observation_space["context"].shape or ()
        self.choices, self.summary = 1 + VERBS * rows, 2 * hidden + context
        super().__init__(observation_space, self.choices + self.summary)
        self.hidden = hidden
        self.encoder = nn.ModuleList(
            [nn.Linear(columns + context, hidden), nn.Linear(hidden, hidden)]
        )
        self.entity = nn.ModuleList([nn.Linear(3 * hidden, hidden), nn.Linear(hidden, VERBS)])
        self.nothing = nn.ModuleList([nn.Linear(self.summary, hidden), nn.Linear(hidden, 1)])

    def hesitate(self) -> None:
        """An untrained agent's start: all entities alike, and nothing preferred to any of them."""
        for head in (self.entity[1], self.nothing[1]):
            assert isinstance(head, nn.Linear)
            nn.init.orthogonal_(head.weight, gain=0.01)
            head.bias.data.fill_(_CAUTION if head is self.nothing[1] else 0.0)

    def lean(self, logits: float) -> None:
        """Towards doing nothing."""
        head = self.nothing[1]
        assert isinstance(head, nn.Linear)
        head.bias.data += logits

    def sharpen(self, factor: float) -> None:
        """Multiplies all logits: the same best choice, taken more surely."""
        for head in (self.entity[1], self.nothing[1]):
            assert isinstance(head, nn.Linear)
            head.weight.data *= factor
            head.bias.data *= factor

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """entities [batch, rows, F], context [batch, G] -> [batch, features].

        Rows of nothing are zero. They are left out, since they would cost as much as others; their
        logits are zero.
        """
        entities, context = observations["entities"], observations["context"]
        present = entities[:, :, KIND : KIND + len(Kind)].sum(dim=2) > 0
        sample, row = present.nonzero(as_tuple=True)
        counts = present.sum(dim=1)
        hidden = torch.relu(_joined(self.encoder[0], entities[sample, row], context, sample))
        hidden = torch.relu(self.encoder[1](hidden))
        total = torch.segment_reduce(hidden, "sum", lengths=counts)
        # All are >= 0, so zero is the highest of none.
        highest = torch.segment_reduce(hidden, "max", lengths=counts, initial=0.0)
        pooled = torch.cat([total / counts.clamp(min=1).unsqueeze(1), highest], dim=1)
        each = self.entity[1](torch.relu(_joined(self.entity[0], hidden, pooled, sample)))
        logits = each.new_zeros(*present.shape, VERBS).index_put((sample, row), each)
        summary = torch.cat([pooled, context], dim=1)
        nothing = self.nothing[1](torch.relu(self.nothing[0](summary)))
        return torch.cat([nothing, logits.transpose(1, 2).flatten(1), summary], dim=1)

    def tensors(self) -> dict[str, Tensor]:
        """Weights under the names that `policies.network` expects."""
        return {k: v.detach().contiguous().float().cpu() for k, v in self.state_dict().items()}


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
        return features[:, : self._choices]

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
        self.features_extractor.hesitate()
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
        "architecture": {"kind": "entity MLP, mean and max pooled", "hidden": network.hidden},
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        **facts,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return manifest
