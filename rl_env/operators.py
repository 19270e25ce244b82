"""The people who countersign: how long they take, what they refuse, how they tire."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from policies.columns import ANSWER_TIME, APPROVAL_SHARE, NATS, TOTAL
from policies.compiled import compiled
from rl_env.parameters import PLACES as AT
from rl_env.world import (
    AGREES,
    ANSWERS,
    ASKED,
    DUE,
    NEVER,
    QUESTION,
    State,
    between,
    of_site,
    spread,
)

__all__ = ["ask", "draw_operators", "hour", "remember"]

# Of the normal distribution, evenly.
_QUANTILES = np.array([NormalDist().inv_cdf((k + 0.5) / 1024) for k in range(1024)])
_QUESTIONS = 1_000_000  # of numbers that belong to an episode, those of its questions
_REMEMBERED = 8.0  # answers that "recent" means


@compiled
def draw_operators(s: State) -> None:
    """The shift of this episode."""
    s.answer_median = spread(s, AT.operators_answer_minutes_low)
    s.answer_spread = between(s, AT.operators_answer_spread_low)
    s.fatigue = between(s, AT.operators_fatigue_low)
    s.stamps = between(s, AT.operators_fatigue_stamp_low)
    s.busy = between(s, AT.operators_load_low)
    s.night = between(s, AT.operators_night_factor_low)
    s.approves_right = between(s, AT.operators_approve_right_low)
    s.approves_wrong = between(s, AT.operators_approve_wrong_low)
    s.trust = between(s, AT.operators_evidence_weight_low)
    s.lapses = between(s, AT.operators_lapse_chance_low)
    s.tired = s.tired_at = 0.0
    s.answer_minutes = 5.0  # as long as there was none
    s.answers = 0
    s.approval_share = 1.0
    _show_answers(s)


@compiled
def hour(s: State) -> float:
    """Of the day."""
    return ((s.epoch + 60 * s.minute) % 86400) / 3600.0


@compiled
def ask(s: State, r: int, question: int, right: bool, approvals: int) -> None:
    """Puts a question about an entity. `right`: the truth says yes; `approvals`: needed."""
    now = int(s.minute)
    half_lives = (now - s.tired_at) / s.dials[AT.operators_fatigue_half_life]
    s.tired = s.tired * math.pow(0.5, half_lives) + 1.0
    s.tired_at = now
    slower = 1.0 + s.fatigue * (s.tired - 1.0)
    slower *= 1.0 + s.dials[AT.operators_quorum_slower] * approvals
    slower *= 1.0 + s.busy
    if _is_night(s):
        slower *= s.night
    # By dice of the question's own: what is asked moves nothing else.
    one, other = _QUESTIONS + r, 4 * int(s.answers)
    quantile = _QUANTILES[int(1024 * of_site(s, one, other))]
    minutes = s.answer_median * slower * math.exp(s.answer_spread * quantile)
    longest = int(s.dials[AT.operators_max_pending])
    agrees = of_site(s, one, other + 1) < _chance(s, r, right)
    if minutes >= longest or of_site(s, one, other + 2) < s.lapses:
        minutes, agrees = float(longest), False
    row = s.row[r]
    row[QUESTION] = question
    row[ASKED] = now
    row[ANSWERS] = now + max(1, int(minutes + 0.5))
    row[AGREES] = agrees
    row[DUE] = NEVER


@compiled
def _is_night(s: State) -> bool:
    start, end = s.dials[AT.operators_night_from], s.dials[AT.operators_night_until]
    now = hour(s)
    return (start <= now < end) if start <= end else (now >= start or now < end)


@compiled
def _chance(s: State, r: int, right: bool) -> float:
    """That they approve: by what they find out, by what they are shown, and by being tired."""
    shown = min(1.0, s.entities[TOTAL, r] * NATS / s.dials[AT.operators_evidence_full])
    chance = (1.0 - s.trust) * (s.approves_right if right else s.approves_wrong) + s.trust * shown
    stamped = min(1.0, s.stamps * (s.tired - 1.0))
    return chance + (1.0 - chance) * stamped


@compiled
def remember(s: State, minutes: float, agreed: bool) -> None:
    """An answer that was given."""
    share = 1.0 if s.answers == 0 else 1.0 / _REMEMBERED
    s.answers += 1
    s.answer_minutes += (minutes - s.answer_minutes) * share
    s.approval_share += ((1.0 if agreed else 0.0) - s.approval_share) * share
    _show_answers(s)


@compiled
def _show_answers(s: State) -> None:
    s.context[ANSWER_TIME] = math.log1p(s.answer_minutes) / 4.0
    s.context[APPROVAL_SHARE] = s.approval_share
