"""The playbook: what a careful defender would write by hand, to compare the learned policy with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from policies.actions import Kind
from policies.alerts import Stage
from policies.columns import (
    EVIDENCE,
    KIND,
    MANY,
    NATS,
    ORDERED,
    ORDERED_LEFT,
    PENDING,
    PROTECTED,
    REFUSED,
    SITE_MAX,
    TOTAL,
    TOUCHED,
    VARIETY_1H,
    VERBS,
)
from policies.observation import Observation
from policies.policy import NOTHING, RENEWABLE, Scores

__all__ = ["Playbook", "Thresholds"]

_LATE = [EVIDENCE + s for s in (Stage.FOOTHOLD, Stage.CREDENTIALS, Stage.SPREAD, Stage.IMPACT)]

Rows = NDArray[np.float32]
Chosen = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Evidence in nats, types as counts. The defaults suit the recorded test beds."""

    isolate_total: float = 115.0
    isolate_types: float = 12.0  # surprising ones, faded over an hour
    isolate_lead: float = 1.15  # times the next strongest entity's evidence
    confirmed_total: float = 80.0  # enough where later stages of an attack confirm it
    confirmed_late: float = 25.0
    block_total: float = 40.0
    block_touched: float = 2.0
    revoke_total: float = 10.0
    renew_total: float = 20.0  # an order that is about to end with this much left is renewed
    release_total: float = 2.0  # an order with less evidence left is given up


class Playbook:
    """Isolates what stands clearly above its neighbours, blocks who touches many, revokes keys in
    use by intruders; renews while there is evidence, and asks for release when it has gone.
    """

    name = "playbook"

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self.thresholds = thresholds or Thresholds()
        canonical = json.dumps(asdict(self.thresholds), sort_keys=True, separators=(",", ":"))
        self.hash = hashlib.sha256(f"countersign-playbook-2\n{canonical}".encode()).digest()

    def scores(self, observation: Observation) -> Scores:
        """Isolation by its evidence, relative to the threshold, above all else; "do nothing"
        scores zero.
        """
        rows = observation.entities
        ordered = rows[:, ORDERED] > 0
        waiting = rows[:, PENDING] > 0
        closed = waiting | (rows[:, REFUSED] > 0) | (rows[:, PROTECTED] > 0)
        orders = np.where(
            ordered, self._renewal(rows), np.maximum(self._isolation(rows), self._other(rows))
        )
        releases = np.where(ordered & ~waiting, self._release(rows), -1.0)
        result = np.zeros(1 + VERBS * len(rows), dtype=np.float32)
        result[1:] = np.concatenate([np.where(closed, -1.0, orders), releases])
        result[NOTHING] = 0.0
        return result

    def _isolation(self, rows: Rows) -> Scores:
        t = self.thresholds
        total = rows[:, TOTAL] * NATS
        late = NATS * rows[:, _LATE].sum(axis=1)
        types = rows[:, VARIETY_1H] * MANY
        lead = total >= t.isolate_lead * NATS * rows[:, SITE_MAX]
        loud = (total >= t.isolate_total) & (types >= t.isolate_types) & lead
        confirmed = (total >= t.confirmed_total) & (late >= t.confirmed_late) & lead
        asset = rows[:, KIND + Kind.ISOLATE] > 0
        return _where(asset & (loud | confirmed), total / t.confirmed_total)

    def _other(self, rows: Rows) -> Scores:
        t = self.thresholds
        total = rows[:, TOTAL] * NATS
        touched = np.expm1(4.0 * rows[:, TOUCHED])
        block = (total >= t.block_total) & (touched >= t.block_touched)
        block &= rows[:, KIND + Kind.BLOCK] > 0
        revoke = (total >= t.revoke_total) & (rows[:, KIND + Kind.REVOKE] > 0)
        return _where(block | revoke, 0.5)

    def _renewal(self, rows: Rows) -> Scores:
        ending = rows[:, ORDERED_LEFT] <= RENEWABLE
        return _where(ending & (rows[:, TOTAL] * NATS >= self.thresholds.renew_total), 0.4)

    def _release(self, rows: Rows) -> Scores:
        return _where(rows[:, TOTAL] * NATS < self.thresholds.release_total, 0.1)


def _where(chosen: Chosen, score: float | Scores) -> Scores:
    """What is not chosen comes after doing nothing."""
    result: Scores = np.where(chosen, score, -1.0)
    return result
