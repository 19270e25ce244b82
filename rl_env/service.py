"""What an intruder costs, and what containment costs the people who work there."""

from __future__ import annotations

from policies.compiled import compiled
from rl_env.containment import holds
from rl_env.operators import hour
from rl_env.parameters import PLACES as AT
from rl_env.site import (
    CREDENTIALS,
    CRITICALITY,
    HOST,
    HOSTS,
    NEEDED,
    NEEDS,
    OWNER,
    PARTNER,
    USERS,
    WORTH,
)
from rl_env.truth import deserves
from rl_env.world import (
    ACTIVE,
    ADDRESS,
    CLEAN,
    COMPROMISED,
    CONTAINED_AFTER,
    ENTERED_AT,
    GOAL,
    GONE,
    HARM,
    HARM_TERM,
    INTRUDER,
    KEYS_LOST,
    LEVEL,
    LOST_WORK,
    MINUTE,
    MINUTES_COMPROMISED,
    MOVED,
    OVER,
    PHASE,
    SERVICE_MINUTES,
    SERVICE_TERM,
    SITE,
    SLOTS,
    WORK_FROM,
    WORK_UNTIL,
    World,
    first_credential,
    first_indicator,
)

__all__ = ["reckon"]


@compiled
def reckon(w: World, e: int) -> None:
    """The terms `harm` and `service` of this minute."""
    if w.state[e, MOVED] != 0:
        w.state[e, MOVED] = 0
        _take_stock(w, e)
    rate = w.rate[e]
    now = hour(w, e)
    at_work = rate[WORK_FROM] <= now < rate[WORK_UNTIL]
    share = 1.0 if at_work else w.dials[AT.users_off_hours]
    lost = rate[LOST_WORK] * share
    w.term[e, HARM_TERM] = -rate[HARM]
    w.term[e, SERVICE_TERM] = -(lost * w.dials[AT.reward_service] + rate[KEYS_LOST])
    w.metric[e, SERVICE_MINUTES] += lost
    w.metric[e, MINUTES_COMPROMISED] += rate[COMPROMISED]
    if w.state[e, OVER] != 0:
        goal = int(w.actor[e, INTRUDER, GOAL])
        worth = w.sites.host[w.state[e, SITE], goal, CRITICALITY]
        w.term[e, HARM_TERM] -= (
            w.dials[AT.reward_loss] + w.dials[AT.reward_loss_criticality] * worth
        )


@compiled
def _take_stock(w: World, e: int) -> None:
    site, rate = w.state[e, SITE], w.rate[e]
    rate[HARM] = rate[LOST_WORK] = rate[KEYS_LOST] = rate[COMPROMISED] = 0.0
    active = w.actor[e, INTRUDER, PHASE] != GONE
    held = 0
    for host in range(w.sites.size[site, HOSTS]):
        level = int(w.host[e, host, LEVEL])
        if level > CLEAN:
            held += 1
            if active and not holds(w, e, host):
                worth = 1.0 + w.sites.host[site, host, CRITICALITY]
                rate[HARM] += w.dials[AT.reward_harm + level] * worth
                rate[COMPROMISED] += 1.0
    if held > 0 and rate[COMPROMISED] == 0.0 and w.metric[e, CONTAINED_AFTER] < 0.0:
        if w.metric[e, ENTERED_AT] >= 0.0:
            w.metric[e, CONTAINED_AFTER] = w.state[e, MINUTE] - w.metric[e, ENTERED_AT]
    if _is_anything_held(w, e):
        for user in range(w.sites.size[site, USERS]):
            rate[LOST_WORK] += _work_lost(w, e, user)
        rate[KEYS_LOST] = _keys_lost(w, e)


@compiled
def _is_anything_held(w: World, e: int) -> bool:
    for k in range(w.active.shape[1]):
        if k >= w.state[e, ACTIVE]:
            break
        if holds(w, e, int(w.active[e, k])):
            return True
    return False


@compiled
def _work_lost(w: World, e: int, user: int) -> float:
    """Share of a user's work that cannot be done."""
    site = w.state[e, SITE]
    one = w.sites.user[site, user]
    lost = w.dials[AT.users_workstation] if holds(w, e, int(one[HOST])) else 0.0
    for k in range(NEEDS):
        server = int(one[NEEDED + k])
        if server >= 0 and holds(w, e, server):
            lost += w.dials[AT.users_server]
    if one[PARTNER] >= 0 and _is_partner_blocked(w, e, int(one[PARTNER])):
        lost += w.dials[AT.users_partner]
    for c in range(w.sites.size[site, CREDENTIALS]):
        if w.sites.credential[site, c, OWNER] == user and holds(w, e, first_credential(w) + c):
            lost += w.dials[AT.users_credential]
    return min(1.0, lost)


@compiled
def _is_partner_blocked(w: World, e: int, partner: int) -> bool:
    address = w.sites.partner[w.state[e, SITE], partner]
    for slot in range(w.state[e, SLOTS]):
        if w.indicator[e, slot, ADDRESS] == address:
            return holds(w, e, first_indicator(w) + slot)
    return False


@compiled
def _keys_lost(w: World, e: int) -> float:
    """Reward per minute for keys of services that nobody stole, revoked."""
    site, cost = w.state[e, SITE], 0.0
    for c in range(w.sites.size[site, CREDENTIALS]):
        r = first_credential(w) + c
        if w.sites.credential[site, c, OWNER] < 0 and holds(w, e, r) and not deserves(w, e, r):
            cost += w.dials[AT.reward_credential] * (1.0 + w.sites.credential[site, c, WORTH])
    return cost
