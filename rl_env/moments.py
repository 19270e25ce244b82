"""What is learned from: moments as the agent saw them, what was true, and what choices gained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.columns import VERBS
from policies.network import speaking
from policies.policy import NOTHING
from rl_env.oracle import worths
from rl_env.simulation import Simulation

__all__ = ["TRIED", "Moments", "glance"]

TRIED = 2  # choices of a moment at most

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Moments:
    """Entities that speak, one after the other: `rows` float32 [n, F], and whether each verb was
    right, bool [n, VERBS]. Moments: where their entities begin, int64 [moments + 1]; `context`
    float32 [moments, G]; `tried` int64 [moments, TRIED]: places in `right.ravel()` of the choices
    that were tried, -1 for none, and what each gained over waiting, `gains` float32.
    """

    rows: Floats
    right: Flags
    begins: Longs
    context: Floats
    tried: Longs
    gains: Floats

    def __len__(self) -> int:
        return len(self.context)

    def some(self, which: Longs) -> Moments:
        """Those of these numbers."""
        counts = self.begins[which + 1] - self.begins[which]
        begins = np.concatenate([[0], counts.cumsum()])
        moved = self.begins[which] - begins[:-1]  # by how much each one's entities do
        places = np.arange(begins[-1]) + np.repeat(moved, counts)
        tried = self.tried[which]
        return Moments(
            self.rows[places],
            self.right[places],
            begins,
            self.context[which],
            np.where(tried >= 0, tried - VERBS * moved[:, None], -1),
            self.gains[which],
        )

    @staticmethod
    def joined(parts: Sequence[Moments]) -> Moments:
        """All of them, one after the other."""
        offsets = np.cumsum([0, *(len(part.rows) for part in parts)])
        begins = [part.begins[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
        tried = [
            np.where(part.tried >= 0, part.tried + VERBS * offset, -1)
            for part, offset in zip(parts, offsets, strict=False)
        ]
        return Moments(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.right for part in parts]),
            np.concatenate([*begins, offsets[-1:]]),
            np.concatenate([part.context for part in parts]),
            np.concatenate(tried),
            np.concatenate([part.gains for part in parts]),
        )


def glance(simulation: Simulation, which: Longs, choices: Longs) -> Moments:
    """These environments now. `choices`: int64 [moments, TRIED] that will be tried, NOTHING for
    none; their gains are zero so far.
    """
    entities = np.ascontiguousarray(simulation.entities[which])
    count, rows, _ = entities.shape
    sample, row = speaking(entities).nonzero()
    place = np.zeros((count, rows), dtype=np.int64)
    place[sample, row] = np.arange(len(sample))
    verb, entity = np.divmod(choices - 1, rows)
    tried = place[np.arange(count)[:, None], entity] * VERBS + verb
    right = (worths(simulation)[which] > 0.0).reshape(count, VERBS, rows)
    return Moments(
        entities[sample, row],
        right[sample, :, row],
        np.concatenate([[0], np.bincount(sample, minlength=count).cumsum()]),
        simulation.context[which],
        np.where(choices == NOTHING, -1, tried),
        np.zeros(choices.shape, dtype=np.float32),
    )
