"""The playbook: what a careful defender would write by hand, to compare the learned policy with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from policies.observation import ENTITY_COLUMNS, Observation
from policies.policy import NOTHING, Scores

__all__ = ["Playbook", "Thresholds"]

_COLUMN = {name: i for i, name in enumerate(ENTITY_COLUMNS)}
_NATS = 50.0  # the observation's unit of evidence


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Evidence in nats, types as counts. The defaults suit the recorded test beds."""

    isolate_total: float = 115.0
    isolate_distinct: float = 12.0
    isolate_lead: float = 1.15  # times the next strongest entity's evidence
    confirmed_total: float = 80.0  # enough where later stages of an attack confirm it
    confirmed_late: float = 25.0
    block_total: float = 40.0
    block_touched: float = 2.0
    revoke_total: float = 10.0


class Playbook:
    """Isolates what stands clearly above its neighbours, blocks who touches many, revokes keys in
    use by intruders.
    """

    name = "playbook"

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self.thresholds = thresholds or Thresholds()
        canonical = json.dumps(asdict(self.thresholds), sort_keys=True, separators=(",", ":"))
        self.hash = hashlib.sha256(f"countersign-playbook-1\n{canonical}".encode()).digest()

    def scores(self, observation: Observation) -> Scores:
        """Evidence above its threshold, relative to it; "do nothing" scores zero."""
        rows = observation.entities
        result = np.zeros(len(rows) + 1, dtype=np.float32)
        result[1:] = np.where(
            self._free(rows), np.maximum(self._isolate(rows), self._other(rows)), -1.0
        )
        result[NOTHING] = 0.0
        return result

    def _free(self, rows: Scores) -> Scores:
        busy = rows[:, _COLUMN["ordered"]] + rows[:, _COLUMN["pending"]]
        free: Scores = busy + rows[:, _COLUMN["refused"]] + rows[:, _COLUMN["protected"]] == 0
        return free

    def _isolate(self, rows: Scores) -> Scores:
        t = self.thresholds
        total = rows[:, _COLUMN["evidence_total"]] * _NATS
        late = _NATS * sum(
            rows[:, _COLUMN[f"evidence_{stage}"]]
            for stage in ("foothold", "credentials", "spread", "impact")
        )
        distinct = np.expm1(rows[:, _COLUMN["distinct_1h"]])
        lead = total >= t.isolate_lead * _NATS * rows[:, _COLUMN["site_max"]]
        loud = (total >= t.isolate_total) & (distinct >= t.isolate_distinct) & lead
        confirmed = (total >= t.confirmed_total) & (late >= t.confirmed_late) & lead
        asset = rows[:, _COLUMN["is_asset"]] > 0
        result: Scores = np.where(asset & (loud | confirmed), total / t.confirmed_total, -1.0)
        return result

    def _other(self, rows: Scores) -> Scores:
        t = self.thresholds
        total = rows[:, _COLUMN["evidence_total"]] * _NATS
        touched = np.expm1(rows[:, _COLUMN["touched"]])
        block = (total >= t.block_total) & (touched >= t.block_touched)
        block &= rows[:, _COLUMN["is_indicator"]] > 0
        revoke = (total >= t.revoke_total) & (rows[:, _COLUMN["is_credential"]] > 0)
        result: Scores = np.where(block | revoke, 0.5, -1.0)
        return result
