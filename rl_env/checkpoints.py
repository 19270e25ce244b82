"""What a training run leaves after each round, so that it can go on after it was stopped."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from torch import Tensor

from rl_env.agent import EntityNetwork
from rl_env.moments import Moments

__all__ = ["CheckpointError", "Checkpoints", "Stand"]

_CONFIG, _ROUND = "config.json", "round.json"
_FIELDS = ("rows", "right", "begins", "context", "tried", "gains")


class CheckpointError(ValueError):
    """The folder is of another run; the message says what to do."""


@dataclass
class Stand:
    """How far a run has come."""

    round: int = -1  # the last; 0 are the lessons
    kept: list[Moments] = field(default_factory=list)  # that later rounds learn from
    best: int = -1  # the round that did best on validation episodes
    score: float = -math.inf  # its mean return
    weights: dict[str, Tensor] = field(default_factory=dict)  # after it


class Checkpoints:
    """A folder with the weights after the last and the best round, and the moments that are kept.

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

    def load(self, network: EntityNetwork) -> Stand:
        """The network gets the weights after the last round."""
        if self._folder is None or not (self._folder / _ROUND).exists():
            return Stand()
        found = json.loads((self._folder / _ROUND).read_text(encoding="utf-8"))
        number, best = int(found["round"]), int(found["best"])
        network.load_state_dict(safetensors.torch.load_file(self._weights(number)))
        weights = safetensors.torch.load_file(self._weights(best))
        kept = [_read(path) for path in self._moments() if _number(path) <= number]
        return Stand(number, kept, best, float(found["score"]), weights)

    def save(self, stand: Stand, network: EntityNetwork) -> None:
        """After a round, whose moments are the last of those kept, if it had any."""
        if self._folder is None:
            return
        if stand.kept:
            with (self._folder / f"moments-{stand.round:04}.npz").open("wb") as file:
                np.savez(file, **{name: getattr(stand.kept[-1], name) for name in _FIELDS})
        safetensors.torch.save_file(network.tensors(), self._weights(stand.round))
        told = {"round": stand.round, "best": stand.best, "score": stand.score}
        new = self._folder / f"{_ROUND}.new"
        new.write_text(json.dumps(told), encoding="utf-8")
        os.replace(new, self._folder / _ROUND)
        needed = {self._weights(stand.round), self._weights(stand.best)}
        needed.update(self._moments()[-len(stand.kept) :] if stand.kept else ())
        for path in {*self._moments(), *self._folder.glob("*.safetensors")} - needed:
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
