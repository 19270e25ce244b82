"""The simulated sensors: what they say, when it is heard, and what they say about nothing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from policies.compiled import compiled
from rl_env import dice
from rl_env.history import pick_source
from rl_env.parameters import PLACES as AT
from rl_env.rules import LEAST, MOST, REPEATS, pick_rule
from rl_env.seeing import hear
from rl_env.world import (
    RULES,
    SORT,
    TICKS,
    WAITING,
    State,
    between,
    happens,
    of_site,
    spread,
    throw,
    uniform,
    whole,
)

__all__ = ["background", "draw_sensors", "hear_late", "report"]

_OCTAVES = 1.0 / math.log(2.0)

# late[k, ...] and journal[k, ...]; the first is when it is heard, in minutes
(DUE_AT, RULE, HOST, PEER, KEY, TIMES, OUTWARD, SAID_AT) = range(8)


@compiled
def draw_sensors(s: State, minutes: int) -> None:
    """How well they see, how late they are, and which of them fall silent."""
    s.detection = between(s, AT.sensors_detection_low)
    s.delay_chance = between(s, AT.sensors_delay_chance_low)
    s.silent_from = s.silent_until = 0
    if happens(s, s.dials[AT.sensors_silent_chance]):
        s.silent_sort = throw(s, 3)
        s.silent_from = int(s.dials[AT.episode_warm_up]) + throw(s, minutes)
        length = int(spread(s, AT.sensors_silent_minutes_low))
        s.silent_until = s.silent_from + length


@compiled
def report(
    s: State,
    activity: int,
    host: int,
    peer: int,
    credential: int,
    outward: int,
    share: float,
) -> None:
    """What the sensors make of an activity on a host.

    `peer`: the other end, as `rl_env.seeing.hear` has it; `outward`: 1 if the host opened the
    connection; `share` scales how many rules answer.
    """
    answers = float(LEAST[activity] + throw(s, int(MOST[activity] - LEAST[activity] + 1)))
    loud = 1.0 + s.dials[AT.sensors_loudness_spread] * (of_site(s, 7_000, host) - 0.5) * 3.4
    count = int(answers * share * loud * s.detection + uniform(s, 0.0, 1.0))
    for _ in range(count):
        rule = pick_rule(s, activity)
        most = min(REPEATS[activity], s.dials[AT.sensors_bursts + s.rule[rule, SORT]])
        times = 1 << throw(s, 1 + int(most * _OCTAVES))
        _say(s, rule, host, peer, credential, outward, times)


@compiled
def _say(
    s: State,
    rule: int,
    host: int,
    peer: int,
    credential: int,
    outward: int,
    times: int,
) -> None:
    """Heard at once, later, or never where the sensor is silent."""
    now = int(s.minute)
    if s.rule[rule, SORT] == s.silent_sort and (s.silent_from <= now < s.silent_until):
        return
    if happens(s, s.delay_chance) and s.waiting < WAITING:
        k = int(s.waiting)
        s.waiting = k + 1
        due = now + whole(s, AT.sensors_delay_minutes_low)
        _fill(s.late, k, due, rule, host, peer, credential, times, outward, now)
    else:
        _tell(s, rule, host, peer, credential, times, outward, now)


@compiled
def _tell(
    s: State,
    rule: int,
    host: int,
    peer: int,
    credential: int,
    times: int,
    outward: int,
    said: int,
) -> None:
    hear(s, rule, host, peer, credential, times)
    if s.told < s.journal.shape[0]:
        k, now = int(s.told), int(s.minute)
        _fill(s.journal, k, now, rule, host, peer, credential, times, outward, said)
        s.told = k + 1


@compiled
def _fill(
    records: NDArray[np.int64],
    k: int,
    due: int,
    rule: int,
    host: int,
    peer: int,
    credential: int,
    times: int,
    outward: int,
    said: int,
) -> None:
    records[k, DUE_AT] = due
    records[k, RULE] = rule
    records[k, HOST] = host
    records[k, PEER] = peer
    records[k, KEY] = credential
    records[k, TIMES] = times
    records[k, OUTWARD] = outward
    records[k, SAID_AT] = said


@compiled
def hear_late(s: State) -> None:
    """Alerts that were under way and have come."""
    kept = 0
    for k in range(s.waiting):
        late = s.late[k]
        if late[DUE_AT] <= s.minute:
            _tell(
                s,
                int(late[RULE]),
                int(late[HOST]),
                int(late[PEER]),
                int(late[KEY]),
                int(late[TIMES]),
                int(late[OUTWARD]),
                int(late[SAID_AT]),
            )
        else:
            s.late[kept] = late
            kept += 1
    s.waiting = kept


@compiled
def background(s: State) -> None:
    """What speaks by itself within this minute."""
    end = (int(s.minute) + 1) * TICKS
    while s.noise_at < end:
        s.noise_at += dice.gap(s, int(s.noise_gap))
        k = pick_source(s)
        peer = 0
        if happens(s, s.dials[AT.sensors_noise_partner_share]):
            partners = int(s.partners)
            if partners > 0:
                peer = int(s.site_partner[throw(s, partners)])
        host, rule = s.source[k] // RULES, s.source[k] % RULES
        _say(s, int(rule), int(host), peer, -1, 0, 1)
