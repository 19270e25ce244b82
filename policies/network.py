"""The learned policy: numpy inference over any number of entities, from a model folder that names
itself.

A model folder holds `model.safetensors` (weights), `manifest.json` (what they are) and `card.md`
(for people). The model's hash is SHA-256 over the canonical manifest (sorted keys, no spaces,
UTF-8), a newline, and the bytes of the weights file; the gate takes proposals only of models whose
hash is registered. `card.md` is not hashed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, KIND, OBSERVATION_VERSION, VERBS
from policies.observation import Observation
from policies.policy import NOTHING, Mask, choose, meaning

__all__ = [
    "DEFAULT_MODEL",
    "FORMAT",
    "Explanation",
    "LearnedPolicy",
    "ModelError",
    "model_hash",
    "tensor_shapes",
]

FORMAT = "countersign-entity-policy-2"
DEFAULT_MODEL = Path(__file__).parent / "models" / "default"
_MAX_MANIFEST = 1 << 20  # bytes
_MAX_WEIGHTS = 1 << 26
_MAX_HIDDEN = 1024

Array = NDArray[np.float32]


class ModelError(ValueError):
    """The model folder cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one choice got its score. `columns`: name, value and how much the lead changes without
    it.
    """

    lead: float  # score above "do nothing"
    runner_up: int  # index of the best other choice that is permitted
    runner_up_lead: float
    columns: tuple[tuple[str, float, float], ...]  # strongest first


def model_hash(manifest: dict[str, Any], weights: bytes) -> bytes:
    """32 bytes over everything that decides what the model does and claims."""
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode() + b"\n" + weights).digest()


def tensor_shapes(hidden: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights: [out, in] matrices and [out] biases, float32."""
    row, context = len(ENTITY_COLUMNS), len(CONTEXT_COLUMNS)
    layers = {
        "encoder.0": (hidden, row + context),
        "encoder.1": (hidden, hidden),
        "entity.0": (hidden, 3 * hidden),
        "entity.1": (VERBS, hidden),
        "nothing.0": (hidden, 2 * hidden + context),
        "nothing.1": (1, hidden),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in layers.items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]
    return shapes


class LearnedPolicy:
    """One shared network per entity, pooled over all of them: permuting the entities permutes the
    scores.
    """

    def __init__(self, manifest: dict[str, Any], weights: dict[str, Array], digest: bytes) -> None:
        self.manifest = manifest
        self.name = str(manifest["name"])
        self.hash = digest
        self._weights = weights

    @staticmethod
    def load(path: Path | str, observation_version: int = OBSERVATION_VERSION) -> LearnedPolicy:
        """Reads a model folder. Raises ModelError unless every byte of it is as expected."""
        folder = Path(path)
        text = _read(folder / "manifest.json", _MAX_MANIFEST)
        data = _read(folder / "model.safetensors", _MAX_WEIGHTS)
        manifest = _manifest(folder / "manifest.json", text, observation_version)
        if hashlib.sha256(data).hexdigest() != manifest["weights_sha256"]:
            raise ModelError(
                f"{folder / 'model.safetensors'}: its SHA-256 is not the one in the manifest; "
                "the file is corrupt or belongs to another model"
            )
        hidden = manifest["architecture"]["hidden"]
        weights = _weights(folder / "model.safetensors", data, tensor_shapes(hidden))
        return LearnedPolicy(manifest, weights, model_hash(manifest, data))

    def scores(self, observation: Observation) -> Array:
        """float32 [1 + VERBS * n]: logits of "do nothing" and, by verb, of each entity."""
        result: Array = self._forward(observation.entities[None], observation.context[None])[0]
        return result

    def scores_of_many(self, entities: Array, context: Array) -> Array:
        """The same for padded observations: entities [batch, rows, F], where rows of nothing are
        zero, and context [batch, G] -> [batch, 1 + VERBS * rows]. What rows of nothing get means
        nothing.
        """
        shown = entities[:, :, KIND : KIND + len(Kind)].sum(axis=2, keepdims=True)
        return self._forward(entities, context, shown)

    def explain(
        self, observation: Observation, index: int, mask: Mask, top: int = 5
    ) -> Explanation:
        """Exact occlusion: each column of the chosen entity is set to zero in turn, all else kept.

        Raises IndexError unless `index` names an entity, i.e. is in 1..VERBS * n.
        """
        n = len(observation.entities)
        if not 1 <= index <= VERBS * n:
            raise IndexError(f"index {index} names no entity; there are {n}")
        _, entity = meaning(index, n)
        row = observation.entities[entity]
        columns = np.flatnonzero(row)
        entities = np.repeat(observation.entities[None], len(columns) + 1, axis=0)
        entities[np.arange(len(columns)), entity, columns] = 0.0
        context = np.repeat(observation.context[None], len(columns) + 1, axis=0)
        scores = self._forward(entities, context)
        leads = scores[:, index] - scores[:, NOTHING]
        moved = leads[-1] - leads[:-1]
        order = np.argsort(-np.abs(moved), kind="stable")[:top]
        others = mask.copy()
        others[index] = False
        runner_up = choose(scores[-1], others)
        return Explanation(
            lead=float(leads[-1]),
            runner_up=runner_up,
            runner_up_lead=float(scores[-1, runner_up] - scores[-1, NOTHING]),
            columns=tuple(
                (ENTITY_COLUMNS[columns[i]], float(row[columns[i]]), float(moved[i])) for i in order
            ),
        )

    def _forward(self, entities: Array, context: Array, shown: Array | None = None) -> Array:
        """entities [batch, n, F], context [batch, G] -> scores [batch, 1 + VERBS * n]. `shown`
        [batch, n, 1] is 1 for rows that count, which all do without it.
        """
        batch, n, _ = entities.shape
        wide = np.broadcast_to(context[:, None], (batch, n, context.shape[1]))
        hidden = _relu(self._linear("encoder.0", np.concatenate([entities, wide], axis=2)))
        hidden = _relu(self._linear("encoder.1", hidden))
        size = hidden.shape[2]
        if n:
            count: Array | int = n
            if shown is not None:  # all of `hidden` is >= 0, so zeros never are the highest alone
                hidden, count = hidden * shown, np.maximum(shown.sum(axis=1), np.float32(1.0))
            pooled = np.concatenate([hidden.sum(axis=1) / count, hidden.max(axis=1)], axis=1)
        else:
            pooled = np.zeros((batch, 2 * size), dtype=np.float32)
        both = np.concatenate(
            [hidden, np.broadcast_to(pooled[:, None], (batch, n, 2 * size))], axis=2
        )
        each = self._linear("entity.1", _relu(self._linear("entity.0", both)))
        by_verb = each.transpose(0, 2, 1).reshape(batch, VERBS * n)
        rest = np.concatenate([pooled, context], axis=1)
        nothing = self._linear("nothing.1", _relu(self._linear("nothing.0", rest)))
        return np.concatenate([nothing, by_verb], axis=1).astype(np.float32)

    def _linear(self, name: str, x: Array) -> Array:
        result: Array = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result


# ---------------------------------------------------------------- reading


def _relu(x: Array) -> Array:
    return np.maximum(x, np.float32(0.0))


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise ModelError(f"{path}: larger than {limit} bytes")
    return data


def _manifest(path: Path, text: bytes, observation_version: int) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise ModelError(f"{path}: expected an object")
    expected: dict[str, Any] = {
        "format": FORMAT,
        "observation_version": observation_version,
        "entity_columns": list(ENTITY_COLUMNS),
        "context_columns": list(CONTEXT_COLUMNS),
    }
    for key, value in expected.items():
        if manifest.get(key) != value:
            raise ModelError(
                f"{path}: {key} is {manifest.get(key)!r}, this version needs {value!r}; "
                "use a model that was trained for it"
            )
    for key in ("name", "weights_sha256"):
        if not isinstance(manifest.get(key), str):
            raise ModelError(f"{path}: {key} is missing")
    architecture = manifest.get("architecture")
    hidden = architecture.get("hidden") if isinstance(architecture, dict) else None
    if type(hidden) is not int or not 1 <= hidden <= _MAX_HIDDEN:
        raise ModelError(f"{path}: architecture.hidden must be 1 to {_MAX_HIDDEN}")
    return manifest


def _weights(path: Path, data: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    try:
        weights: dict[str, Array] = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: not a safetensors file: {error}") from error
    if weights.keys() != shapes.keys():
        raise ModelError(f"{path}: tensors {sorted(weights)} instead of {sorted(shapes)}")
    for name, shape in shapes.items():
        tensor = weights[name]
        if tensor.shape != shape or tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise ModelError(f"{path}: {name} must be finite float32 {shape}, is {tensor.shape}")
    return weights
