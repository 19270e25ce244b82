"""The playbook: what a careful defender would write by hand, to compare the learned policy with.

It is the live side's default, so it is one that people deploy: an analyst's runbook in numbers. It
reads what an analyst would read, in this order.

1. A machine that much speaks against is isolated if it stands alone: clearly above every other
   entity of the site, since a scan is as loud everywhere, and by many kinds of alerts or by alerts
   of later stages of an attack, since a single noisy rule is not an intrusion.
2. An outside address with enough against it that reached a machine is blocked, and a key in use
   where an intruder is at work is revoked. Both are cheap to undo, so less evidence is enough.
3. What is contained stays so while there is evidence: an order about to end is renewed. One that
   nothing speaks against any more is given back to its users.

Its bars were set by hand so that on recorded attacks the attacked server is isolated and the others
are spared; `Thresholds` names each. Of the simulator only the bar for blocks was learned: whoever
deploys this has no simulator of the own site to tune the rest on. `policies.thresholds` is the
plainer rule with bars that are tuned there.
"""

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
from policies.policy import RENEWABLE, Scores

__all__ = ["Playbook", "Thresholds"]

_LATE = [EVIDENCE + s for s in (Stage.FOOTHOLD, Stage.CREDENTIALS, Stage.SPREAD, Stage.IMPACT)]

Rows = NDArray[np.float32]
Chosen = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Evidence in nats, types as counts. The defaults suit the recorded test beds; in the simulator
    a lower bar for blocks saves more than it costs.
    """

    isolate_total: float = 115.0
    isolate_types: float = 12.0  # surprising ones, faded over an hour
    isolate_lead: float = 1.15  # times the next strongest entity's evidence
    confirmed_total: float = 80.0  # enough where later stages of an attack confirm it
    confirmed_late: float = 25.0
    block_total: float = 20.0
    block_touched: float = 1.0  # assets
    revoke_total: float = 10.0
    renew_total: float = 20.0  # an order that is about to end with this much left is renewed
    release_total: float = 2.0  # an order with less evidence left is given up


class Playbook:
    """Isolates what stands clearly above its neighbours, blocks addresses that much speaks against,
    revokes keys in use by intruders; renews while there is evidence, and asks for release when it
    has gone.
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
        result: Scores = self.scores_of_many(observation.entities[None], observation.context)[0]
        return result

    def scores_of_many(self, entities: NDArray[np.float32], context: NDArray[np.float32]) -> Scores:
        """The same for padded observations: entities [batch, rows, F] -> [batch, 1 + VERBS * rows].
        Every rule is about one row; what rows of nothing get means nothing.
        """
        rows = entities.reshape(-1, entities.shape[2])
        ordered = rows[:, ORDERED] > 0
        waiting = rows[:, PENDING] > 0
        closed = waiting | (rows[:, REFUSED] > 0) | (rows[:, PROTECTED] > 0)
        orders = np.where(
            ordered, self._renewal(rows), np.maximum(self._isolation(rows), self._other(rows))
        )
        releases = np.where(ordered & ~waiting, self._release(rows), -1.0)
        batch, n, _ = entities.shape
        result = np.zeros((batch, 1 + VERBS * n), dtype=np.float32)
        result[:, 1 : 1 + n] = np.where(closed, -1.0, orders).reshape(batch, n)
        result[:, 1 + n :] = releases.reshape(batch, n)
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
