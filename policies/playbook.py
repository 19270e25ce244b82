"""The playbook: what a careful defender would write by hand, to compare the learned policy with.

It is the live side's default, so it is one that people deploy: an analyst's runbook in numbers. It
reads what an analyst would read, in this order.

1. A machine is isolated if much speaks against it and it stands clearly above every other machine,
   since a scan is as loud everywhere. What speaks against it is one of three stories:
   - somebody came in: more than one kind of alert says so (one alone, however rare, is a rule that
     may be wrong), amid much else;
   - somebody came in and went on: signs of a way in, and then of what intruders do inside; as that
     tells more, less is enough. An administrator at work shows the second without the first;
   - it is loud: more kinds of surprising alerts than a scan leaves, and no longer only new ones, so
     that what merely passes by has passed. For sensors that do not say what their alerts mean.
   And if data leaves it or it calls home, day and night (`policies.steady`), whatever others do.
2. An outside address with enough against it that reached a machine is blocked, the sooner if it
   scans one machine after the other; and a key in use where an intruder is at work is revoked.
   Both are cheap to undo, so less evidence is enough.
3. What is contained stays so while there is evidence: an order about to end is renewed. One that
   nothing speaks against any more is given back to its users.

Its bars were set by hand, on what recorded attacks look like; `Thresholds` names each. Of the
simulator only the bar for blocks was learned: whoever deploys this has no simulator of the own site
to tune the rest on. `policies.thresholds` is the plainer rule with bars that are tuned there.
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
    TOTAL,
    TOUCHED,
    VARIETY_1H,
    VARIETY_10MIN,
    VERBS,
)
from policies.observation import Observation
from policies.policy import RENEWABLE, Scores

__all__ = ["Playbook", "Thresholds"]

# Without credentials: people mistype passwords, and a guess that failed is not a way in.
_INSIDE = [EVIDENCE + stage for stage in (Stage.FOOTHOLD, Stage.SPREAD, Stage.IMPACT)]

Rows = NDArray[np.float32]
Chosen = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Evidence in nats, types as counts. The defaults suit the recorded test beds; in the simulator
    a lower bar for blocks saves more than it costs.
    """

    isolate_lead: float = 1.15  # times the next strongest asset's evidence
    entered_total: float = 90.0
    entered: float = 12.0  # nats that say that somebody came in; one kind of alert has no more
    inside_total: float = 50.0
    inside_entered: float = 5.0
    inside: float = 10.0  # nats of what intruders do inside
    loud_total: float = 115.0
    loud_types: float = 12.0  # surprising ones, faded over an hour
    loud_recent: float = 0.7  # share of them, at most, that is of the last minutes
    leak: float = 60.0  # nats of what leaves; no three kinds of alerts say as much
    block_total: float = 20.0
    block_touched: float = 1.0  # assets
    scan_total: float = 3.0  # of what is called a scan
    scan_touched: float = 5.0
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
        self.hash = hashlib.sha256(f"countersign-playbook-4\n{canonical}".encode()).digest()

    def scores(self, observation: Observation) -> Scores:
        """Isolation by its evidence, relative to the threshold, above all else; "do nothing"
        scores zero.
        """
        result: Scores = self.scores_of_many(observation.entities[None], observation.context)[0]
        return result

    def scores_of_many(self, entities: NDArray[np.float32], context: NDArray[np.float32]) -> Scores:
        """The same for padded observations: entities [batch, rows, F] -> [batch, 1 + VERBS * rows].
        What rows of nothing get means nothing.
        """
        rows = entities.reshape(-1, entities.shape[2])
        ordered = rows[:, ORDERED] > 0
        waiting = rows[:, PENDING] > 0
        closed = waiting | (rows[:, REFUSED] > 0) | (rows[:, PROTECTED] > 0)
        new = np.maximum(self._isolation(rows, _strongest_other(entities)), self._other(rows))
        orders = np.where(ordered, self._renewal(rows), new)
        releases = np.where(ordered & ~waiting, self._release(rows), -1.0)
        batch, n, _ = entities.shape
        result = np.zeros((batch, 1 + VERBS * n), dtype=np.float32)
        result[:, 1 : 1 + n] = np.where(closed, -1.0, orders).reshape(batch, n)
        result[:, 1 + n :] = releases.reshape(batch, n)
        return result

    def _isolation(self, rows: Rows, strongest_other: NDArray[np.float32]) -> Scores:
        t = self.thresholds
        total = NATS * rows[:, TOTAL]
        came_in = NATS * rows[:, EVIDENCE + Stage.ENTRY]
        inside = NATS * rows[:, _INSIDE].sum(axis=1)
        types, recent = MANY * rows[:, VARIETY_1H], MANY * rows[:, VARIETY_10MIN]
        entered = (total >= t.entered_total) & (came_in > t.entered)
        went_on = (total >= t.inside_total) & (came_in >= t.inside_entered) & (inside >= t.inside)
        loud = (total >= t.loud_total) & (types >= t.loud_types)
        loud &= recent <= t.loud_recent * types
        asset = rows[:, KIND + Kind.ISOLATE] > 0
        leads = total >= t.isolate_lead * NATS * strongest_other
        leaks = NATS * rows[:, EVIDENCE + Stage.IMPACT] >= t.leak
        guilty = (leads & (entered | went_on | loud)) | leaks
        return _where(asset & guilty, total / t.inside_total)

    def _other(self, rows: Rows) -> Scores:
        t = self.thresholds
        total = rows[:, TOTAL] * NATS
        touched = np.expm1(4.0 * rows[:, TOUCHED])
        block = (total >= t.block_total) & (touched >= t.block_touched)
        scans = rows[:, EVIDENCE + Stage.RECON] * NATS
        block |= (scans >= t.scan_total) & (touched >= t.scan_touched)
        block &= rows[:, KIND + Kind.BLOCK] > 0
        revoke = (total >= t.revoke_total) & (rows[:, KIND + Kind.REVOKE] > 0)
        return _where(block | revoke, 0.5)

    def _renewal(self, rows: Rows) -> Scores:
        ending = rows[:, ORDERED_LEFT] <= RENEWABLE
        return _where(ending & (rows[:, TOTAL] * NATS >= self.thresholds.renew_total), 0.4)

    def _release(self, rows: Rows) -> Scores:
        return _where(rows[:, TOTAL] * NATS < self.thresholds.release_total, 0.1)


def _strongest_other(entities: NDArray[np.float32]) -> NDArray[np.float32]:
    """[batch, rows, F] -> [batch * rows]: the most evidence that there is against another asset.
    An address that reached them all has more than each, and says nothing of how they compare.
    """
    totals = np.where(entities[:, :, KIND + Kind.ISOLATE] > 0, entities[:, :, TOTAL], 0.0)
    totals = np.concatenate([totals, np.zeros((len(totals), 2), totals.dtype)], axis=1)
    second, best = np.partition(totals, (-2, -1), axis=1)[:, -2:].T[:, :, None]
    own = totals[:, :-2]
    others: NDArray[np.float32] = np.where(own == best, second, best).astype(np.float32)
    return others.ravel()


def _where(chosen: Chosen, score: float | Scores) -> Scores:
    """What is not chosen comes after doing nothing."""
    result: Scores = np.where(chosen, score, -1.0)
    return result
