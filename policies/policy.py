"""What a policy is to the rest of the system, and the policy that does nothing."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from policies.observation import Observation

__all__ = ["NOTHING", "DoNothing", "Policy", "choose"]

NOTHING = 0  # index of "do nothing"; entity i is at index i + 1

Mask = NDArray[np.bool_]
Scores = NDArray[np.float32]


class Policy(Protocol):
    """Scores every choice; the caller masks and picks."""

    @property
    def name(self) -> str: ...

    @property
    def hash(self) -> bytes:
        """32 bytes that identify exactly this policy; registered on-chain before the gate takes its
        proposals.
        """
        ...

    def scores(self, observation: Observation) -> Scores:
        """float32 [n + 1]: "do nothing", then one score per entity. Higher is better."""
        ...


def choose(scores: Scores, mask: Mask) -> int:
    """Index of the best permitted choice; "do nothing" is always permitted and wins ties."""
    permitted = mask.copy()
    permitted[NOTHING] = True
    return int(np.argmax(np.where(permitted, scores, -np.inf)))


class DoNothing:
    """The baseline that never proposes."""

    name = "nothing"
    hash = bytes(32)

    def scores(self, observation: Observation) -> Scores:
        scores = np.full(len(observation.ids) + 1, -1.0, dtype=np.float32)
        scores[NOTHING] = 0.0
        return scores
