"""From a proposal to an order and its end: guardrails, questions to people, enforcement."""

from __future__ import annotations

import math

from policies.columns import (
    ANSWER_TIME,
    APPROVAL_SHARE,
    BUDGET_LEFT,
    LEARNED,
    LEASE_LIVE,
    STANDING,
    WAITING,
)
from policies.columns import (
    LEASE_LEFT as LEASE_LEFT_COLUMN,
)
from policies.compiled import compiled
from rl_env.masking import approvals_of, delay_of, is_leased, left, show, takes
from rl_env.operators import ask, remember
from rl_env.parameters import PLACES as AT
from rl_env.site import POOL
from rl_env.truth import deserves
from rl_env.world import (
    ACT,
    ACTIVE,
    AGREES,
    ANSWER,
    ANSWERS,
    APPROVALS_ASKED,
    ASKED,
    BEGAN,
    BLOCKS,
    BLURRED,
    BUDGET,
    CELL,
    CHAIN_TERM,
    CLEAN,
    DUE,
    EFFORT_TERM,
    ENDS,
    LAG,
    LEASE_BUDGET,
    LEASE_LEFT,
    LEASE_UNTIL,
    LEVEL,
    LISTED,
    LIVE,
    MINUTE,
    MOVED,
    NEVER,
    NEXT_DUE,
    NONE,
    PROPOSALS,
    QUESTION,
    QUESTIONS,
    REFUSED_UNTIL,
    RELEASE,
    RELEASES,
    SHARE,
    SITE,
    STALE,
    STARTS,
    TTL,
    USED,
    WINDOWS,
    World,
    first_credential,
)

__all__ = ["act", "blur", "carry_on", "holds"]

_MANY = 2.0  # logarithms of counts are shown in this unit


@compiled
def act(w: World, e: int, action: int) -> None:
    """What the agent chose: 0 nothing, 1 + r the action of an entity, 1 + R + r its release."""
    w.term[e, EFFORT_TERM] = 0.0
    w.term[e, CHAIN_TERM] = 0.0
    if action <= 0 or action >= w.mask.shape[1] or not w.mask[e, action]:
        return
    rows = w.row.shape[1]
    r = (action - 1) % rows
    if action > rows:
        _ask(w, e, r, RELEASE, not deserves(w, e, r), int(w.dials[AT.guardrails_release_quorum]))
        w.metric[e, RELEASES] += 1
    else:
        _propose(w, e, r)
    _list(w, e, r)
    w.state[e, NEXT_DUE] = min(w.state[e, NEXT_DUE], _next_of(w, e, r))
    show(w, e, r)
    w.state[e, BLURRED] = 1


@compiled
def _propose(w: World, e: int, r: int) -> None:
    right = deserves(w, e, r)
    cell = w.cell[e, w.row[e, r, CELL]]
    cell[USED] += 1
    w.state[e, STALE] |= 1
    w.term[e, EFFORT_TERM] -= w.dials[AT.reward_proposal]
    kind = w.row[e, r, CELL] // 4
    w.metric[e, PROPOSALS] += 1
    w.metric[e, BLOCKS + 2 * kind] += 1
    if not right:
        w.metric[e, BLOCKS + 2 * kind + 1] += 1
    if is_leased(w, e, r):
        w.lease[e, LEASE_LEFT + kind] -= 1
        _pay(w, e, AT.reward_gas_lease_order)
        _order(w, e, r)
    else:
        _ask(w, e, r, ACT, right, approvals_of(w, e, r))


@compiled
def _ask(w: World, e: int, r: int, question: int, right: bool, approvals: int) -> None:
    w.term[e, EFFORT_TERM] -= w.dials[AT.reward_question] * approvals
    w.metric[e, QUESTIONS] += 1
    w.metric[e, APPROVALS_ASKED] += approvals
    ask(w, e, r, question, right, approvals)


@compiled
def _pay(w: World, e: int, place: int) -> None:
    w.term[e, CHAIN_TERM] -= w.dials[place] * w.dials[AT.reward_gas_price]


@compiled
def _list(w: World, e: int, r: int) -> None:
    if w.row[e, r, LISTED] == 0:
        w.row[e, r, LISTED] = 1
        w.active[e, w.state[e, ACTIVE]] = r
        w.state[e, ACTIVE] += 1


# ---------------------------------------------------------------- time


@compiled
def carry_on(w: World, e: int) -> None:
    """Orders end, answers come, what is approved is executed."""
    now = w.state[e, MINUTE]
    if now < w.state[e, NEXT_DUE]:
        return
    kept, due = 0, NEVER
    for k in range(w.state[e, ACTIVE]):
        r = int(w.active[e, k])
        _carry_on(w, e, r, int(now))
        show(w, e, r)
        following = _next_of(w, e, r)
        if following < NEVER:
            due = min(due, following)
            w.active[e, kept] = r
            kept += 1
        else:
            w.row[e, r, LISTED] = 0
    w.state[e, ACTIVE] = kept
    w.state[e, NEXT_DUE] = due
    w.state[e, BLURRED] = 1


@compiled
def _carry_on(w: World, e: int, r: int, now: int) -> None:
    row = w.row[e, r]
    if 0 < row[ENDS] <= now:
        _end(w, e, r, True)
    if row[STARTS] == now and row[ENDS] > now:
        w.state[e, MOVED] = 1
    if row[QUESTION] != NONE and row[DUE] == NEVER and row[ANSWERS] <= now:
        _answer(w, e, r, now)
    if row[QUESTION] != NONE and row[DUE] <= now:
        _execute(w, e, r, now)
    if row[REFUSED_UNTIL] <= now:
        row[REFUSED_UNTIL] = 0


@compiled
def _answer(w: World, e: int, r: int, now: int) -> None:
    row = w.row[e, r]
    remember(w, e, float(now - row[ASKED]), row[AGREES] > 0)
    if row[AGREES] == 0:
        _refuse(w, e, r, now)
    else:
        row[DUE] = now + (delay_of(w, e, r) if row[QUESTION] == ACT else 0)


@compiled
def _refuse(w: World, e: int, r: int, now: int) -> None:
    w.row[e, r, QUESTION] = NONE
    w.row[e, r, REFUSED_UNTIL] = now + int(w.dials[AT.operators_refused_minutes])


@compiled
def _execute(w: World, e: int, r: int, now: int) -> None:
    """As anyone may, once it is approved; the guardrails are asked again."""
    row = w.row[e, r]
    if row[QUESTION] == RELEASE:
        row[QUESTION] = NONE
        if row[ENDS] > now:
            _end(w, e, r, False)
    elif now >= row[ASKED] + int(w.dials[AT.operators_max_pending]):
        _refuse(w, e, r, now)
    elif takes(w, e, r):
        renewal = row[ENDS] > now
        _pay(w, e, AT.reward_gas_renewal if renewal else AT.reward_gas_order)
        row[QUESTION] = NONE
        _order(w, e, r)
    else:
        row[DUE] = now + 1


@compiled
def _order(w: World, e: int, r: int) -> None:
    """Holds from the next enforcement on; never ends before the one it follows."""
    row, now = w.row[e, r], int(w.state[e, MINUTE])
    _pay(w, e, AT.reward_gas_receipt)
    if row[ENDS] <= now:
        row[STARTS] = now + int(w.state[e, LAG])
        _tally(w, e, r, 1)
    row[BEGAN] = now
    row[ENDS] = max(int(row[ENDS]), now + int(w.cell[e, row[CELL], TTL]))
    w.state[e, MOVED] = 1


@compiled
def _end(w: World, e: int, r: int, cleans: bool) -> None:
    """The order ends. People clean a machine before it comes back, unless they release it as
    innocent.
    """
    row = w.row[e, r]
    row[ENDS] = 0
    _tally(w, e, r, -1)
    w.state[e, MOVED] = 1
    if cleans and r < first_credential(w):
        w.host[e, r, LEVEL] = CLEAN


@compiled
def _tally(w: World, e: int, r: int, change: int) -> None:
    w.cell[e, w.row[e, r, CELL], LIVE] += change
    if r < first_credential(w):
        w.isolated[e, w.zone_of[e, r]] += change
        pool = int(w.sites.host[w.state[e, SITE], r, POOL])
        if pool >= 0:
            w.pooled[e, pool] += change
    w.state[e, STALE] |= 1


@compiled
def _next_of(w: World, e: int, r: int) -> int:
    """When something of it is due; NEVER where nothing is under way."""
    row, now = w.row[e, r], int(w.state[e, MINUTE])
    due = NEVER
    quarters = left(w, e, r)
    if quarters > 0:
        whole = int(row[ENDS]) - int(row[BEGAN])
        due = int(row[ENDS]) - whole * (quarters - 1) // 4
        if row[STARTS] > now:
            due = min(due, int(row[STARTS]))
    if row[QUESTION] != NONE:
        due = min(due, int(row[ANSWERS]) if row[DUE] == NEVER else int(row[DUE]))
    if row[REFUSED_UNTIL] > now:
        due = min(due, int(row[REFUSED_UNTIL]))
    return due


@compiled
def holds(w: World, e: int, r: int) -> bool:
    """Whether an order on the entity is enforced."""
    return w.row[e, r, STARTS] <= w.state[e, MINUTE] < w.row[e, r, ENDS]


# ---------------------------------------------------------------- context


@compiled
def blur(w: World, e: int) -> None:
    """Writes the context anew, where it changed."""
    if w.state[e, BLURRED] == 0:
        return
    w.state[e, BLURRED] = 0
    context, lease = w.context[e], w.lease[e]
    live = lease[LEASE_UNTIL] > w.state[e, MINUTE]
    context[LEARNED] = math.log1p(float(w.state[e, WINDOWS])) / 6.0
    context[LEASE_LIVE] = live
    for kind in range(3):
        budget = float(lease[LEASE_BUDGET + kind])
        left_of_it = max(0.0, float(lease[LEASE_LEFT + kind]))
        context[LEASE_LEFT_COLUMN + kind] = left_of_it / budget if live and budget > 0.0 else 0.0
        context[BUDGET_LEFT + kind] = _budget_left(w, e, kind)
    pending, standing = 0, 0
    for k in range(w.state[e, ACTIVE]):
        row = w.row[e, w.active[e, k]]
        pending += row[QUESTION] != NONE
        standing += row[ENDS] > w.state[e, MINUTE]
    context[WAITING] = math.log1p(float(pending)) / _MANY
    context[STANDING] = math.log1p(float(standing)) / _MANY
    context[ANSWER_TIME] = math.log1p(w.mind[e, ANSWER]) / 4.0
    context[APPROVAL_SHARE] = w.mind[e, SHARE]


@compiled
def _budget_left(w: World, e: int, kind: int) -> float:
    """Of the cell that has most of its budget left."""
    most = 0.0
    for c in range(4 * kind, 4 * kind + 4):
        cell = w.cell[e, c]
        if cell[BUDGET] > 0 and cell[TTL] > 0:
            most = max(most, float(cell[BUDGET] - cell[USED]) / float(cell[BUDGET]))
    return most
