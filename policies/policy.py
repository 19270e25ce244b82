"""What a policy is to the rest of the system, and the policy that does nothing."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from policies.columns import VERBS
from policies.compiled import compiled
from policies.observation import Observation

__all__ = ["NOTHING", "RENEWABLE", "DoNothing", "Policy", "Verb", "choose", "may_order", "meaning"]

NOTHING = 0  # index of "do nothing"; each verb follows with an index for every entity
RENEWABLE = 0.25  # an order with at most this share of its time left may be renewed

Mask = NDArray[np.bool_]
Scores = NDArray[np.float32]


class Verb(IntEnum):
    """What is asked for an entity."""

    ORDER = 0  # its action, or once more what is ordered
    RELEASE = 1  # that people release its live order


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
        """float32 [1 + VERBS * n]: "do nothing", then by verb one score per entity. Higher is
        better.
        """
        ...


def choose(scores: Scores, mask: Mask) -> int:
    """Index of the best permitted choice; "do nothing" is always permitted and wins ties."""
    permitted = mask.copy()
    permitted[NOTHING] = True
    return int(np.argmax(np.where(permitted, scores, -np.inf)))


def meaning(choice: int, entities: int) -> tuple[Verb, int]:
    """Verb and entity of a choice that is not NOTHING."""
    verb, entity = divmod(choice - 1, entities)
    return Verb(verb), entity


@compiled
def may_order(ordered: bool, left: float, pending: bool, refused: bool) -> bool:
    """Whether an action that the guardrails do not refuse is offered: nothing is under way for its
    target but an order in the last quarter of its time (a share `left`), and it was not refused
    lately.
    """
    return not (pending or refused) and (not ordered or left <= RENEWABLE)


class DoNothing:
    """The baseline that never proposes."""

    name = "nothing"
    hash = bytes(32)

    def scores(self, observation: Observation) -> Scores:
        scores = np.full(1 + VERBS * len(observation.ids), -1.0, dtype=np.float32)
        scores[NOTHING] = 0.0
        return scores
