"""A model of chance, for what must hold whatever a model has learned."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, OBSERVATION_VERSION
from policies.network import FORMAT, LearnedPolicy, tensor_shapes

_HIDDEN = 8


def write_files(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A model folder of random weights; it would rather do anything than nothing."""
    rng = np.random.default_rng(seed)
    tensors = {
        name: rng.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in tensor_shapes(_HIDDEN).items()
    }
    tensors["gains.1.weight"] *= np.float32(0.1)
    tensors["gains.1.bias"] = np.array([12, 5, 12, 5], dtype=np.float32)  # right, wrong, by Verb
    tensors["caution"] = np.ones_like(tensors["caution"])
    data = safetensors.numpy.save(tensors)
    manifest = {
        "format": FORMAT,
        "name": "chance",
        "observation_version": OBSERVATION_VERSION,
        "entity_columns": list(ENTITY_COLUMNS),
        "context_columns": list(CONTEXT_COLUMNS),
        "architecture": {"hidden": _HIDDEN},
        "weights_sha256": hashlib.sha256(data).hexdigest(),
    }
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest | changes), "utf-8")
    (folder / "card.md").write_text("# Model card: chance\n", "utf-8")
    return folder


def write_model(folder: Path, seed: int = 0, **changes: Any) -> LearnedPolicy:
    """The same, loaded."""
    return LearnedPolicy.load(write_files(folder, seed, **changes))
