"""What a training run leaves after each round, so that it can go on after it was stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch

from rl_env.agent import EntityNetwork
from rl_env.moments import Moments

__all__ = ["CheckpointError", "Checkpoints"]

_CONFIG, _ROUND = "config.json", "round.json"
_FIELDS = ("rows", "right", "begins", "context", "tried", "gains")


class CheckpointError(ValueError):
    """The folder is of another run; the message says what to do."""


class Checkpoints:
    """A folder with the weights after the last round, and the moments that later rounds learn from.

    `round.json` is replaced last, and by renaming: whatever moment the run is stopped in, it names
    files that are whole.
    """

    def __init__(self, folder: Path | None, config: dict[str, Any]) -> None:
        """Without a folder nothing is kept. Raises CheckpointError."""
        self._folder = folder
        if folder is None:
            return
        text = json.dumps(config, indent=2, sort_keys=True)
        known = folder / _CONFIG
        if known.exists() and known.read_text(encoding="utf-8") != text:
            raise CheckpointError(
                f"{folder}: holds a run with other settings; remove it, or choose another --out"
            )
        folder.mkdir(parents=True, exist_ok=True)
        known.write_text(text, encoding="utf-8")

    def load(self, network: EntityNetwork) -> tuple[int, list[Moments]]:
        """How many rounds are done, and their moments; the network gets their weights."""
        if self._folder is None or not (self._folder / _ROUND).exists():
            return 0, []
        number = int(json.loads((self._folder / _ROUND).read_text(encoding="utf-8"))["round"])
        network.load_state_dict(safetensors.torch.load_file(self._weights(number)))
        kept = [_read(path) for path in self._moments() if _number(path) <= number]
        return number + 1, kept

    def save(self, number: int, network: EntityNetwork, kept: list[Moments]) -> None:
        """After this round. `kept`: its moments are the last, if it has any."""
        if self._folder is None:
            return
        if kept:
            with (self._folder / f"moments-{number:04}.npz").open("wb") as file:
                np.savez(file, **{name: getattr(kept[-1], name) for name in _FIELDS})
        safetensors.torch.save_file(network.tensors(), self._weights(number))
        new = self._folder / f"{_ROUND}.new"
        new.write_text(json.dumps({"round": number}), encoding="utf-8")
        os.replace(new, self._folder / _ROUND)
        for path in [*self._moments()[: -len(kept) or None], *self._folder.glob("*.safetensors")]:
            if path != self._weights(number):
                path.unlink()

    def _weights(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"weights-{number:04}.safetensors"

    def _moments(self) -> list[Path]:
        assert self._folder is not None
        return sorted(self._folder.glob("moments-*.npz"))


def _number(path: Path) -> int:
    return int(path.stem.partition("-")[2])


def _read(path: Path) -> Moments:
    with np.load(path, allow_pickle=False) as data:
        return Moments(**{name: data[name] for name in _FIELDS})
