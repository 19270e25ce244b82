"""The plainest rule that acts: whatever more speaks against than a bar.

Where the bars come from: of those tried (blocks 5 to 45 nats, isolations 40 to 300, revocations 5
to 30; one kind after the other, twice) they have the highest mean return over 640 episodes on drawn
sites of 10 to 50 hosts, seeds from 500,000 on, networks that models train on. So they are tuned to
the simulator as learned models are, and have never seen what those are evaluated on. Between 15 and
30 nats those of blocks and revocations hardly matter; that of isolations does.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.actions import Kind
from policies.columns import KIND, NATS, TOTAL, VERBS
from policies.observation import Observation
from policies.policy import Scores

__all__ = ["BARS", "OverTheBar"]

BARS: Final[dict[Kind, float]] = {Kind.BLOCK: 20.0, Kind.ISOLATE: 110.0, Kind.REVOKE: 20.0}


class OverTheBar:
    """Blocks, isolates or revokes what has as much total evidence as its kind's bar, the one
    furthest above it first; orders run out by themselves unless there still is so much.

    A baseline that asks what the rest is worth: it knows neither neighbours nor stages, releases or
    people.
    """

    name = "thresholds"

    def __init__(self, bars: dict[Kind, float] | None = None) -> None:
        """`bars`: nats, by kind."""
        self.bars = bars or BARS
        named = {kind.name: self.bars[kind] for kind in Kind}
        canonical = json.dumps(named, sort_keys=True, separators=(",", ":"))
        self.hash = hashlib.sha256(f"countersign-thresholds-1\n{canonical}".encode()).digest()

    def scores(self, observation: Observation) -> Scores:
        """How many times the bar the evidence is; "do nothing" scores zero, all else less."""
        result: Scores = self.scores_of_many(observation.entities[None], observation.context)[0]
        return result

    def scores_of_many(self, entities: NDArray[np.float32], context: NDArray[np.float32]) -> Scores:
        """The same for padded observations: [batch, rows, F] -> [batch, 1 + VERBS * rows]."""
        batch, n, _ = entities.shape
        bars = np.array([self.bars[kind] for kind in Kind], dtype=np.float32)
        times = (entities[:, :, KIND : KIND + len(Kind)] / bars).sum(axis=2)
        times *= NATS * entities[:, :, TOTAL]
        result = np.full((batch, 1 + VERBS * n), -1.0, dtype=np.float32)
        result[:, 0] = 0.0
        result[:, 1 : 1 + n] = np.where(times >= 1.0, times, -1.0)
        return result
