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
import os
import stat
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

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
from policies.observation import Observation
from policies.policy import NOTHING, Mask, Verb, choose, meaning

__all__ = [
    "DEFAULT_MODEL",
    "FORMAT",
    "Explanation",
    "LearnedPolicy",
    "ModelError",
    "model_hash",
    "tensor_shapes",
]

FORMAT = "countersign-entity-policy-3"
DEFAULT_MODEL = Path(__file__).parent / "models" / "default"
_MAX_MANIFEST = 1 << 20  # bytes
_MAX_WEIGHTS = 1 << 26
_MAX_HIDDEN = 1024
_MAX_NAME = 100  # characters
_MAX_SHOWN = 200  # characters of a value in a message
_MAX_WEIGHT = 1000.0  # beyond which scores may overflow

HEADS = 4  # of the attention
SILENT = np.float32(-10.0)  # score of all others

Array = NDArray[np.float32]


class ModelError(ValueError):
    """The model folder cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one choice got its score. Gains are over waiting a while for news, in units of the
    simulator's reward, of which a quarter is a minute of one person's work.

    `columns`: name, value and how much the gain changes without it.
    """

    gain: float  # its score
    chance: float  # that it is right
    gain_if_right: float
    gain_if_wrong: float
    runner_up: int  # index of the best other choice that is permitted
    runner_up_gain: float
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
        "attention": (HEADS, hidden),
        "chance.0": (hidden, (2 + HEADS) * hidden + context),
        "chance.1": (VERBS, hidden),
        "gains.0": (hidden, row + (2 + HEADS) * hidden + context),
        "gains.1": (2 * VERBS, hidden),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in layers.items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]
    shapes["caution"] = (len(Kind),)  # how much worse than it says a wrong order is rated
    return shapes


class Outcome(IntEnum):
    """What the network says of an entity and a verb."""

    LOGIT = 0  # of the chance that it is right
    RIGHT = 1  # gain over waiting a minute, in units of reward, if it is
    WRONG = 2  # and if it is not


def expected(outcomes: Array, caution: Array) -> Array:
    """[n, VERBS, len(Outcome)], and each entity's caution [n] -> [n, VERBS]: gains, by the chance
    that it is right.
    """
    chance: Array = _chance(outcomes[:, :, Outcome.LOGIT])
    wrong = outcomes[:, :, Outcome.WRONG].copy()
    wrong[:, Verb.ORDER] *= caution
    gains: Array = chance * outcomes[:, :, Outcome.RIGHT] + (1.0 - chance) * wrong
    return gains.astype(np.float32, copy=False)


def _chance(logit: Any) -> Any:
    """Of its logit, which is as good as certain from 80 on, where exp() begins to overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -80.0, 80.0)))


def speaking(entities: Array) -> NDArray[np.bool_]:
    """[..., rows, F] -> [..., rows]: which entities are looked at: those with some evidence, and
    those for which something is under way. All others score SILENT, whatever the weights.
    """
    there = sum(entities[..., KIND + kind] for kind in Kind) > 0  # quicker than any()
    under_way = (entities[..., ORDERED] > 0) | (entities[..., PENDING] > 0)
    result: NDArray[np.bool_] = there & (under_way | (entities[..., TOTAL] >= SPEAKING))
    return result


class LearnedPolicy:
    """One shared network per entity, which looks at all others by attention: permuting the entities
    permutes the scores.
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
        """float32 [1 + VERBS * n]: what is gained, in units of reward, by each choice now over
        waiting a minute; zero for "do nothing".
        """
        result: Array = self.scores_of_many(observation.entities[None], observation.context[None])[
            0
        ]
        return result

    def scores_of_many(self, entities: Array, context: Array) -> Array:
        """The same for padded observations: entities [batch, rows, F], where rows of nothing are
        zero, and context [batch, G] -> [batch, 1 + VERBS * rows].
        """
        batch, rows, _ = entities.shape
        result = np.full((batch, 1 + VERBS * rows), SILENT, dtype=np.float32)
        result[:, NOTHING] = 0.0
        sample, row = speaking(entities).nonzero()
        if len(sample):
            looked_at = entities[sample, row]
            outcomes = self._outcomes(looked_at, sample, context)
            kinds = looked_at[:, KIND : KIND + len(Kind)]
            gains = expected(outcomes, kinds @ self._weights["caution"])
            for verb in range(VERBS):
                result[sample, 1 + verb * rows + row] = gains[:, verb]
        return result

    def explain(
        self, observation: Observation, index: int, mask: Mask, top: int = 5
    ) -> Explanation:
        """Exact occlusion: each column of the chosen entity is set to zero in turn, all else kept.

        Raises IndexError unless `index` names an entity, i.e. is in 1..VERBS * n.
        """
        n = len(observation.entities)
        if not 1 <= index <= VERBS * n:
            raise IndexError(f"index {index} names no entity; there are {n}")
        verb, entity = meaning(index, n)
        row = observation.entities[entity]
        columns = np.flatnonzero(row)
        entities = np.repeat(observation.entities[None], len(columns) + 1, axis=0)
        entities[np.arange(len(columns)), entity, columns] = 0.0
        context = np.repeat(observation.context[None], len(columns) + 1, axis=0)
        scores = self.scores_of_many(entities, context)
        moved = scores[-1, index] - scores[:-1, index]
        order = np.argsort(-np.abs(moved), kind="stable")[:top]
        others = mask.copy()
        others[index] = False
        runner_up = choose(scores[-1], others)
        chance, right, wrong = self._outcome(observation, verb, entity)
        return Explanation(
            gain=float(scores[-1, index]),
            chance=chance,
            gain_if_right=right,
            gain_if_wrong=wrong,
            runner_up=runner_up,
            runner_up_gain=float(scores[-1, runner_up]),
            columns=tuple(
                (ENTITY_COLUMNS[columns[i]], float(row[columns[i]]), float(moved[i])) for i in order
            ),
        )

    def _outcome(self, seen: Observation, verb: Verb, entity: int) -> tuple[float, float, float]:
        """Chance that it is right, gain if it is, and if it is not; zeros for who is silent."""
        rows = np.flatnonzero(speaking(seen.entities))
        place = np.flatnonzero(rows == entity)
        if not len(place):
            return 0.0, 0.0, 0.0
        sample = np.zeros(len(rows), dtype=np.int64)
        found = self._outcomes(seen.entities[rows], sample, seen.context[None])
        logit, right, wrong = found[place[0], verb].tolist()
        return float(_chance(np.float64(logit))), right, wrong

    def _outcomes(self, entities: Array, sample: NDArray[np.int64], context: Array) -> Array:
        """Entities [n, F] of samples [n], in order, and the context [batch, G] of every sample ->
        [n, VERBS, len(Outcome)].
        """
        _, begins, which, counts = np.unique(
            sample, return_index=True, return_inverse=True, return_counts=True
        )
        place = np.arange(len(sample)) - begins[which]  # within its sample
        context = context[sample[begins]]
        hidden = _relu(self._joined("encoder.0", entities, context, which))
        hidden = _relu(self._linear("encoder.1", hidden))
        keys = self._linear("attention", hidden)
        size = len(begins), counts.max()
        together = np.zeros((*size, hidden.shape[1]), dtype=np.float32)
        together[which, place] = hidden
        weights = np.full((*size, HEADS), -np.inf, dtype=np.float32)
        weights[which, place] = keys
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        looked = weights.transpose(0, 2, 1) @ together
        whole = np.concatenate(
            [together.max(axis=1), looked.reshape(len(begins), -1), context], axis=1
        )
        logits = self._linear("chance.1", _relu(self._joined("chance.0", hidden, whole, which)))
        rows = np.concatenate([entities, hidden], axis=1)
        gains = self._linear("gains.1", _relu(self._joined("gains.0", rows, whole, which)))
        # In the order of Outcome.
        return np.concatenate([logits[:, :, None], gains.reshape(-1, VERBS, 2)], axis=2)

    def _linear(self, name: str, x: Array) -> Array:
        result: Array = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result

    def _joined(self, name: str, rows: Array, whole: Array, which: NDArray[np.int64]) -> Array:
        """The layer on each row with its sample's `whole` appended, computed once per sample."""
        weight, size = self._weights[f"{name}.weight"], rows.shape[1]
        once = whole @ weight[:, size:].T + self._weights[f"{name}.bias"]
        result: Array = rows @ weight[:, :size].T + once[which]
        return result


# ---------------------------------------------------------------- reading


def _relu(x: Array) -> Array:
    return np.maximum(x, np.float32(0.0))


def _read(path: Path, limit: int) -> bytes:
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ModelError(f"{path}: not a plain file")
            data = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise ModelError(f"{path}: larger than {limit} bytes")
    return data


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would keep us waiting


def _manifest(path: Path, text: bytes, observation_version: int) -> dict[str, Any]:
    try:
        manifest = json.loads(text, object_pairs_hook=_object)
        # What has no canonical text has no hash: NaN, infinities, halves of characters.
        json.dumps(manifest, allow_nan=False, ensure_ascii=False).encode()
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
                f"{path}: {key} is {_short(manifest.get(key))}, this version needs "
                f"{_short(value)}; use a model that was trained for it"
            )
    for key in ("name", "weights_sha256"):
        if not isinstance(manifest.get(key), str):
            raise ModelError(f"{path}: {key} is missing")
    name = manifest["name"]
    if not (name.isprintable() and 0 < len(name) <= _MAX_NAME):
        raise ModelError(f"{path}: name must be 1 to {_MAX_NAME} printable characters")
    architecture = manifest.get("architecture")
    hidden = architecture.get("hidden") if isinstance(architecture, dict) else None
    if type(hidden) is not int or not 1 <= hidden <= _MAX_HIDDEN:
        raise ModelError(f"{path}: architecture.hidden must be 1 to {_MAX_HIDDEN}")
    return manifest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values under one name would let readers see different models in one file."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name comes twice")
    return made


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def _weights(path: Path, data: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    try:
        weights: dict[str, Array] = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: not a safetensors file: {error}") from error
    if weights.keys() != shapes.keys():
        missing, unknown = sorted(shapes.keys() - weights), sorted(weights.keys() - shapes)
        raise ModelError(f"{path}: tensors missing {missing}, unknown {_short(unknown)}")
    for name, shape in shapes.items():
        tensor = weights[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise ModelError(
                f"{path}: {name} must be float32 {shape}, is {tensor.dtype} {tensor.shape}"
            )
        # Written so that NaN fails.
        if not (np.abs(tensor) <= _MAX_WEIGHT).all():
            raise ModelError(f"{path}: {name} must be finite, and at most {_MAX_WEIGHT:g} in size")
    return weights
