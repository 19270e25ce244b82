"""A model of chance, for what must hold whatever a model has learned."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import safetensors.numpy

from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, OBSERVATION_VERSION
from policies.network import FORMAT, LearnedPolicy, tensor_shapes

_HIDDEN = 8


def write_model(folder: Path) -> LearnedPolicy:
    """A model folder of random weights; it would rather do anything than nothing."""
    rng = np.random.default_rng(0)
    tensors = {
        name: rng.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in tensor_shapes(_HIDDEN).items()
    }
    tensors["nothing.1.bias"] -= np.float32(1000.0)
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
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return LearnedPolicy.load(folder)
