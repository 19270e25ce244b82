"""From a proposal to an order and its end: guardrails, questions to people, enforcement."""

from __future__ import annotations

from policies.columns import (
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
from policies.evidence import logarithm
from rl_env.masking import approvals_of, delay_of, is_leased, left, show, takes
from rl_env.operators import ask, remember
from rl_env.parameters import PLACES as AT
from rl_env.site import POOL
from rl_env.truth import deserves
from rl_env.world import (
    ACT,
    AGREES,
    ALLOWED,
    ANSWERS,
    APPROVALS_ASKED,
    ASKED,
    BEGAN,
    BLOCKS,
    BUDGET,
    CELL,
    CHAIN_TERM,
    CLEAN,
    DUE,
    EFFORT_TERM,
    ENDS,
    LEVEL,
    LISTED,
    LIVE,
    NEVER,
    NONE,
    PROPOSALS,
    QUESTION,
    QUESTIONS,
    REFUSED_UNTIL,
    RELEASE,
    RELEASES,
    STARTS,
    TTL,
    USED,
    WHEN,
    ZONES_STALE,
    State,
    first_credential,
)

__all__ = ["act", "blur", "carry_on", "holds"]

_MANY = 2.0  # logarithms of counts are shown in this unit


@compiled
def act(s: State, action: int) -> None:
    """What the agent chose: 0 nothing, 1 + r the action of an entity, 1 + R + r its release."""
    s.term[EFFORT_TERM] = 0.0
    s.term[CHAIN_TERM] = 0.0
    if action <= 0 or action >= s.mask.shape[0] or not s.mask[action]:
        return
    rows = s.row.shape[0]
    r = (action - 1) % rows
    if action > rows:
        _ask(s, r, RELEASE, not deserves(s, r), int(s.dials[AT.guardrails_release_quorum]))
        s.metric[RELEASES] += 1
    else:
        _propose(s, r)
    _list(s, r)
    s.row[r, WHEN] = _next_of(s, r)
    s.next_due = min(s.next_due, s.row[r, WHEN])
    show(s, r)
    s.blurred = 1


@compiled
def _propose(s: State, r: int) -> None:
    right = deserves(s, r)
    cell = s.cell[s.row[r, CELL]]
    cell[USED] += 1
    s.stale |= 1 << s.row[r, CELL]
    s.term[EFFORT_TERM] -= s.dials[AT.reward_proposal]
    kind = s.row[r, CELL] // 4
    s.metric[PROPOSALS] += 1
    s.metric[BLOCKS + 2 * kind] += 1
    if not right:
        s.metric[BLOCKS + 2 * kind + 1] += 1
    if is_leased(s, r):
        s.lease_left[kind] -= 1
        s.stale |= 15 << (4 * kind)
        _pay(s, AT.reward_gas_lease_order)
        _order(s, r)
    else:
        _ask(s, r, ACT, right, approvals_of(s, r))


@compiled
def _ask(s: State, r: int, question: int, right: bool, approvals: int) -> None:
    s.term[EFFORT_TERM] -= s.dials[AT.reward_question] * approvals
    s.metric[QUESTIONS] += 1
    s.metric[APPROVALS_ASKED] += approvals
    ask(s, r, question, right, approvals)


@compiled
def _pay(s: State, place: int) -> None:
    s.term[CHAIN_TERM] -= s.dials[place] * s.dials[AT.reward_gas_price]


@compiled
def _list(s: State, r: int) -> None:
    if s.row[r, LISTED] == 0:
        s.row[r, LISTED] = 1
        s.active[s.active_count] = r
        s.active_count += 1


# ---------------------------------------------------------------- time


@compiled
def carry_on(s: State) -> None:
    """Orders end, answers come, what is approved is executed."""
    now = s.minute
    if now < s.next_due:
        return
    kept, due = 0, NEVER
    for k in range(s.active_count):
        r = int(s.active[k])
        if s.row[r, WHEN] <= now:
            _carry_on(s, r, int(now))
            s.row[r, WHEN] = _next_of(s, r)
            show(s, r)
        if s.row[r, WHEN] < NEVER:
            due = min(due, int(s.row[r, WHEN]))
            s.active[kept] = r
            kept += 1
        else:
            s.row[r, LISTED] = 0
    s.active_count = kept
    s.next_due = due
    s.blurred = 1


@compiled
def _carry_on(s: State, r: int, now: int) -> None:
    row = s.row[r]
    if 0 < row[ENDS] <= now:
        _end(s, r, True)
    if row[STARTS] == now and row[ENDS] > now:
        s.moved = 1
    if row[QUESTION] != NONE and row[DUE] == NEVER and row[ANSWERS] <= now:
        _answer(s, r, now)
    if row[QUESTION] != NONE and row[DUE] <= now:
        _execute(s, r, now)
    if row[REFUSED_UNTIL] <= now:
        row[REFUSED_UNTIL] = 0


@compiled
def _answer(s: State, r: int, now: int) -> None:
    row = s.row[r]
    remember(s, float(now - row[ASKED]), row[AGREES] > 0)
    if row[AGREES] == 0:
        _refuse(s, r, now)
    else:
        row[DUE] = now


@compiled
def _refuse(s: State, r: int, now: int) -> None:
    s.row[r, QUESTION] = NONE
    s.row[r, REFUSED_UNTIL] = now + int(s.dials[AT.operators_refused_minutes])


@compiled
def _execute(s: State, r: int, now: int) -> None:
    """As anyone may, once it is approved; the guardrails are asked again."""
    row = s.row[r]
    if row[QUESTION] == RELEASE:
        row[QUESTION] = NONE
        if row[ENDS] > now:
            _end(s, r, False)
            _refuse(s, r, now)  # what was let go is not taken again at once
    elif now >= row[ASKED] + int(s.dials[AT.operators_max_pending]):
        _refuse(s, r, now)
    elif now < row[ANSWERS] + delay_of(s, r):  # a change window may yet shorten it
        row[DUE] = max(now + 1, min(int(row[ANSWERS]) + delay_of(s, r), int(s.next_edge)))
    elif takes(s, r):
        renewal = row[ENDS] > now
        _pay(s, AT.reward_gas_renewal if renewal else AT.reward_gas_order)
        row[QUESTION] = NONE
        _order(s, r)
    else:
        row[DUE] = now + 1


@compiled
def _order(s: State, r: int) -> None:
    """Holds from the next enforcement on; never ends before the one it follows."""
    row, now = s.row[r], int(s.minute)
    _pay(s, AT.reward_gas_receipt)
    if row[ENDS] <= now:
        row[STARTS] = now + int(s.lag)
        _tally(s, r, 1)
    row[BEGAN] = now
    row[ENDS] = max(int(row[ENDS]), now + int(s.cell[row[CELL], TTL]))
    s.moved = 1


@compiled
def _end(s: State, r: int, cleans: bool) -> None:
    """The order ends. People clean a machine before it comes back, unless they release it as
    innocent.
    """
    row = s.row[r]
    row[ENDS] = 0
    _tally(s, r, -1)
    s.moved = 1
    if cleans and r < first_credential(s):
        s.host[r, LEVEL] = CLEAN


@compiled
def _tally(s: State, r: int, change: int) -> None:
    s.cell[s.row[r, CELL], LIVE] += change
    s.stale |= 1 << s.row[r, CELL]
    if r < first_credential(s):
        s.isolated[s.zone_of[r]] += change
        pool = int(s.site_host[r, POOL])
        if pool >= 0:
            s.pooled[pool] += change
        s.stale |= ZONES_STALE


@compiled
def _next_of(s: State, r: int) -> int:
    """When something of it is due; NEVER where nothing is under way."""
    row, now = s.row[r], int(s.minute)
    due = NEVER
    quarters = left(s, r)
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
def holds(s: State, r: int) -> bool:
    """Whether an order on the entity is enforced."""
    return s.row[r, STARTS] <= s.minute < s.row[r, ENDS]


# ---------------------------------------------------------------- context


@compiled
def blur(s: State) -> None:
    """Writes the context anew, where it changed."""
    if s.blurred == 0:
        return
    s.blurred = 0
    context = s.context
    live = s.lease_until > s.minute
    context[LEARNED] = logarithm(int(s.windows)) / 6.0
    context[LEASE_LIVE] = live
    for kind in range(3):
        budget = float(s.lease_budget[kind])
        left_of_it = max(0.0, float(s.lease_left[kind]))
        context[LEASE_LEFT_COLUMN + kind] = left_of_it / budget if live and budget > 0.0 else 0.0
        context[BUDGET_LEFT + kind] = _budget_left(s, kind)
    pending, standing = 0, 0
    for k in range(s.active_count):
        row = s.row[s.active[k]]
        pending += row[QUESTION] != NONE
        standing += row[ENDS] > s.minute
    context[WAITING] = logarithm(pending) / _MANY
    context[STANDING] = logarithm(standing) / _MANY


@compiled
def _budget_left(s: State, kind: int) -> float:
    """Of the cell that has most of its budget left."""
    most = 0.0
    for c in range(4 * kind, 4 * kind + 4):
        cell = s.cell[c]
        if cell[ALLOWED] > 0 and cell[BUDGET] > 0:
            most = max(most, float(cell[BUDGET] - cell[USED]) / float(cell[BUDGET]))
    return most
