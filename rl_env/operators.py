"""The people who countersign: how long they take, what they refuse, how they tire."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from policies.columns import NATS, TOTAL
from policies.compiled import compiled
from rl_env.parameters import PLACES as AT
from rl_env.world import (
    AGREES,
    ANSWER,
    ANSWERS,
    ASKED,
    BLURRED,
    BUSY,
    DUE,
    EPOCH,
    FATIGUE,
    LAPSE,
    MEDIAN,
    MINUTE,
    NEVER,
    NIGHT,
    QUESTION,
    RIGHT,
    SHARE,
    SPREAD,
    STAMP,
    TIRED,
    TIRED_AT,
    TRUST,
    WRONG,
    World,
    between,
    happens,
    spread,
    throw,
)

__all__ = ["ask", "draw_operators", "hour", "remember"]

# Of the normal distribution, evenly.
_QUANTILES = np.array([NormalDist().inv_cdf((k + 0.5) / 1024) for k in range(1024)])
_REMEMBERED = 8.0  # answers that "recent" means


@compiled
def draw_operators(w: World, e: int) -> None:
    """The shift of this episode."""
    mind = w.mind[e]
    mind[MEDIAN] = spread(w, e, AT.operators_answer_minutes_low)
    mind[SPREAD] = between(w, e, AT.operators_answer_spread_low)
    mind[FATIGUE] = between(w, e, AT.operators_fatigue_low)
    mind[STAMP] = between(w, e, AT.operators_fatigue_stamp_low)
    mind[BUSY] = between(w, e, AT.operators_load_low)
    mind[NIGHT] = between(w, e, AT.operators_night_factor_low)
    mind[RIGHT] = between(w, e, AT.operators_approve_right_low)
    mind[WRONG] = between(w, e, AT.operators_approve_wrong_low)
    mind[TRUST] = between(w, e, AT.operators_evidence_weight_low)
    mind[LAPSE] = between(w, e, AT.operators_lapse_chance_low)
    mind[TIRED] = mind[TIRED_AT] = 0.0
    mind[ANSWER] = mind[MEDIAN]
    mind[SHARE] = 1.0


@compiled
def hour(w: World, e: int) -> float:
    """Of the day."""
    return ((w.state[e, EPOCH] + 60 * w.state[e, MINUTE]) % 86400) / 3600.0


@compiled
def ask(w: World, e: int, r: int, question: int, right: bool, approvals: int) -> None:
    """Puts a question about an entity. `right`: the truth says yes; `approvals`: needed."""
    mind, now = w.mind[e], int(w.state[e, MINUTE])
    half_lives = (now - mind[TIRED_AT]) / w.dials[AT.operators_fatigue_half_life]
    mind[TIRED] = mind[TIRED] * math.pow(0.5, half_lives) + 1.0
    mind[TIRED_AT] = now
    slower = 1.0 + mind[FATIGUE] * (mind[TIRED] - 1.0)
    slower *= 1.0 + w.dials[AT.operators_quorum_slower] * approvals
    slower *= 1.0 + mind[BUSY]
    if _is_night(w, e):
        slower *= mind[NIGHT]
    minutes = mind[MEDIAN] * slower * math.exp(mind[SPREAD] * _QUANTILES[throw(w, e, 1024)])
    longest = int(w.dials[AT.operators_max_pending])
    agrees = happens(w, e, _chance(w, e, r, right))
    if minutes >= longest or happens(w, e, mind[LAPSE]):
        minutes, agrees = float(longest), False
    row = w.row[e, r]
    row[QUESTION] = question
    row[ASKED] = now
    row[ANSWERS] = now + max(1, int(minutes + 0.5))
    row[AGREES] = agrees
    row[DUE] = NEVER


@compiled
def _is_night(w: World, e: int) -> bool:
    start, end = w.dials[AT.operators_night_from], w.dials[AT.operators_night_until]
    now = hour(w, e)
    return (start <= now < end) if start <= end else (now >= start or now < end)


@compiled
def _chance(w: World, e: int, r: int, right: bool) -> float:
    """That they approve: by what they find out, by what they are shown, and by being tired."""
    mind = w.mind[e]
    shown = min(1.0, w.entities[e, r, TOTAL] * NATS / w.dials[AT.operators_evidence_full])
    chance = (1.0 - mind[TRUST]) * (mind[RIGHT] if right else mind[WRONG]) + mind[TRUST] * shown
    stamped = min(1.0, mind[STAMP] * (mind[TIRED] - 1.0))
    return chance + (1.0 - chance) * stamped


@compiled
def remember(w: World, e: int, minutes: float, agreed: bool) -> None:
    """An answer that was given."""
    mind = w.mind[e]
    mind[ANSWER] += (minutes - mind[ANSWER]) / _REMEMBERED
    mind[SHARE] += ((1.0 if agreed else 0.0) - mind[SHARE]) / _REMEMBERED
    w.state[e, BLURRED] = 1
