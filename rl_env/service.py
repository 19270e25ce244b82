"""What an intruder costs, and what containment costs the people who work there."""

from __future__ import annotations

import numpy as np

from policies.compiled import compiled
from rl_env.containment import holds
from rl_env.operators import hour
from rl_env.parameters import PLACES as AT
from rl_env.site import (
    CRITICALITY,
    HOST,
    NEEDED,
    NEEDS,
    OWNER,
    PARTNER,
    WORTH,
)
from rl_env.truth import deserves
from rl_env.world import (
    ADDRESS,
    CLEAN,
    CONTAINED_AFTER,
    ENTERED_AT,
    GOAL,
    GONE,
    HARM_TERM,
    INTRUDER,
    LEVEL,
    MINUTES_COMPROMISED,
    PHASE,
    SERVICE_MINUTES,
    SERVICE_TERM,
    State,
    first_credential,
    first_indicator,
)

__all__ = ["reckon"]


@compiled
def reckon(s: State) -> None:
    """The terms `harm` and `service` of this minute."""
    if s.moved != 0:
        s.moved = 0
        _take_stock(s)
    now = hour(s)
    at_work = s.work_from <= now < s.work_until
    share = 1.0 if at_work else s.dials[AT.users_off_hours]
    lost = s.lost_work * share
    s.term[HARM_TERM] = -s.harm
    s.term[SERVICE_TERM] = -(lost * s.dials[AT.reward_service] + s.machines_lost)
    s.metric[SERVICE_MINUTES] += lost
    s.metric[MINUTES_COMPROMISED] += s.compromised
    if s.over != 0:
        goal = int(s.actor[INTRUDER, GOAL])
        worth = s.site_host[goal, CRITICALITY]
        s.term[HARM_TERM] -= s.dials[AT.reward_loss] + s.dials[AT.reward_loss_criticality] * worth


@compiled
def _take_stock(s: State) -> None:
    s.harm = s.compromised = 0.0
    active = s.actor[INTRUDER, PHASE] != GONE
    held = 0
    for host in range(s.hosts):
        level = int(s.host[host, LEVEL])
        if level > CLEAN:
            held += 1
            if active and not holds(s, host):
                worth = 1.0 + s.site_host[host, CRITICALITY]
                s.harm += s.dials[AT.reward_harm + level] * worth
                s.compromised += 1.0
    entered = s.metric[ENTERED_AT]
    if held > 0 and s.compromised == 0.0 and entered >= 0.0 and s.metric[CONTAINED_AFTER] < 0.0:
        s.metric[CONTAINED_AFTER] = s.minute - entered
    s.lost_work = s.machines_lost = 0.0
    if _is_anything_held(s):
        _count_losses(s)


@compiled
def _is_anything_held(s: State) -> bool:
    for k in range(s.active_count):
        if holds(s, int(s.active[k])):
            return True
    return False


@compiled
def _count_losses(s: State) -> None:
    """Work that users cannot do, and what machines need and do not reach."""
    lost = np.zeros(s.site_user.shape[0])  # share of each user's work
    hurt = np.zeros(s.site_host.shape[0])
    for host in range(s.hosts):
        hurt[host] = _hurt(s, host)
    blocked = np.zeros(s.site_partner.shape[0])
    for partner in range(s.partners):
        if _is_partner_blocked(s, partner):
            blocked[partner] = s.dials[AT.users_partner]
            s.machines_lost += s.dials[AT.reward_address]
    for c in range(s.credentials):
        owner, share = int(s.site_credential[c, OWNER]), _hurt(s, first_credential(s) + c)
        if owner >= 0:
            lost[owner] += s.dials[AT.users_credential] * share
        else:
            worth = 1.0 + s.site_credential[c, WORTH]
            s.machines_lost += s.dials[AT.reward_credential] * worth * share
    for user in range(s.users):
        one = s.site_user[user]
        lost[user] += s.dials[AT.users_workstation] * hurt[one[HOST]]
        for k in range(NEEDS):
            if one[NEEDED + k] >= 0:
                lost[user] += s.dials[AT.users_server] * hurt[one[NEEDED + k]]
        if one[PARTNER] >= 0:
            lost[user] += blocked[one[PARTNER]]
        s.lost_work += min(1.0, lost[user])


@compiled
def _hurt(s: State, r: int) -> float:
    """Share by which an order on the entity counts: less where it is deserved, as people would
    have to stop working there anyhow.
    """
    if not holds(s, r):
        return 0.0
    return s.dials[AT.reward_service_deserved] if deserves(s, r) else 1.0


@compiled
def _is_partner_blocked(s: State, partner: int) -> bool:
    address = s.site_partner[partner]
    for slot in range(s.slots):
        if s.indicator[slot, ADDRESS] == address:
            return holds(s, first_indicator(s) + slot)
    return False
