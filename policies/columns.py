"""What a policy sees, column by column: one row per entity, one row for the whole site.

No name, rule number or address is in it, so one set of weights serves any network. Changing what a
column means bumps OBSERVATION_VERSION; the live side refuses a model trained on another version.
"""

from __future__ import annotations

from typing import Final

from policies.alerts import Stage

__all__ = ["CONTEXT_COLUMNS", "ENTITY_COLUMNS", "NATS", "OBSERVATION_VERSION", "VERBS"]

OBSERVATION_VERSION = 2

VERBS = 2  # of each entity: order (or renew) its action; ask for its release
NATS = 50.0  # evidence is shown in this unit
MANY = 8.0  # surprising types are shown in this unit
QUARTERS = 4  # in which the time that an order has left is shown, so that it seldom changes
LOUD = 12.0  # the logarithm of a flood of 160,000 alerts in one window

ENTITY_COLUMNS: tuple[str, ...] = (
    "is_indicator",
    "is_asset",
    "is_credential",
    *(f"evidence_{stage.name.lower()}" for stage in Stage),  # nats / NATS, fading in 30 minutes
    "evidence_total",  # their sum
    "zone_max",  # total of the strongest other asset of the zone
    "site_max",  # total of the strongest other entity anywhere
    "alerts",  # log1p of the alerts of each window / LOUD, fading in 30 minutes
    "variety_10min",  # surprising (type, window) / MANY, fading in 10 minutes
    "recency",  # 1 at the last surprise, fading in 10 minutes
    "variety_1h",  # as variety_10min, fading in 60 minutes
    "touched",  # indicators: log1p of assets reached, / 4
    "criticality",  # / 3
    "ordered",
    "ordered_left",  # share of the time to live that is left, in quarters, rounded up
    "pending",
    "protected",
    "refused",  # asked before and rejected, vetoed or lapsed lately
    "leased",  # it would execute at once
    "approvals",  # that it would need, / 4
    "delayed",  # it would wait after the last approval
)

# Where they are. The first three are numbered as policies.actions.Kind.
KIND: Final = 0
EVIDENCE: Final = 3
TOTAL: Final = 10
ZONE_MAX: Final = 11
SITE_MAX: Final = 12
ALERTS: Final = 13
VARIETY_10MIN: Final = 14
RECENCY: Final = 15
VARIETY_1H: Final = 16
TOUCHED: Final = 17
CRITICALITY: Final = 18
ORDERED: Final = 19
ORDERED_LEFT: Final = 20
PENDING: Final = 21
PROTECTED: Final = 22
REFUSED: Final = 23
LEASED: Final = 24
APPROVALS: Final = 25
DELAYED: Final = 26

CONTEXT_COLUMNS: tuple[str, ...] = (
    "learned",  # log1p of windows learned, / 6
    "lease_live",
    "lease_blocks",  # share of the lease's budget left
    "lease_isolations",
    "lease_revocations",
    "budget_blocks",  # share of the window's proposals left, of the fullest cell
    "budget_isolations",
    "budget_revocations",
    "pending",  # log1p of proposals that wait, / 2
    "ordered",  # log1p of live orders, / 2
    "answer_time",  # operators' recent answer time, minutes, log1p, / 4
    "approval_share",  # share of recent answers that were approvals
)

LEARNED: Final = 0
LEASE_LIVE: Final = 1
LEASE_LEFT: Final = 2
BUDGET_LEFT: Final = 5
WAITING: Final = 8
STANDING: Final = 9
ANSWER_TIME: Final = 10
APPROVAL_SHARE: Final = 11
