"""The simulated sensors: what they say, when it is heard, and what they say about nothing."""

from __future__ import annotations

import math

from policies.compiled import compiled
from rl_env import dice
from rl_env.history import pick_source
from rl_env.parameters import PLACES as AT
from rl_env.rules import LEAST, MOST, REPEATS, pick_rule
from rl_env.seeing import hear
from rl_env.site import PARTNERS
from rl_env.world import (
    DELAY_CHANCE,
    DETECTION,
    MINUTE,
    NOISE_AT,
    NOISE_GAP,
    SILENT_FROM,
    SILENT_SORT,
    SILENT_UNTIL,
    SITE,
    SORT,
    TICKS,
    TOLD,
    WAITING,
    WAITING_ALERTS,
    World,
    between,
    happens,
    of_site,
    spread,
    throw,
    uniform,
    whole,
)

__all__ = ["background", "draw_sensors", "hear_late", "report"]

# late[e, k, ...] and trace[e, k, ...]; the first is when it is heard, in minutes
(DUE_AT, RULE, HOST, PEER, KEY, TIMES, OUTWARD, SAID_AT) = range(8)


@compiled
def draw_sensors(w: World, e: int, minutes: int) -> None:
    """How well they see, how late they are, and which of them fall silent."""
    w.rate[e, DETECTION] = between(w, e, AT.sensors_detection_low)
    w.rate[e, DELAY_CHANCE] = between(w, e, AT.sensors_delay_chance_low)
    w.state[e, SILENT_FROM] = w.state[e, SILENT_UNTIL] = 0
    if happens(w, e, w.dials[AT.sensors_silent_chance]):
        w.state[e, SILENT_SORT] = throw(w, e, 3)
        w.state[e, SILENT_FROM] = throw(w, e, minutes)
        length = int(spread(w, e, AT.sensors_silent_minutes_low))
        w.state[e, SILENT_UNTIL] = w.state[e, SILENT_FROM] + length


@compiled
def report(
    w: World,
    e: int,
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
    answers = float(LEAST[activity] + throw(w, e, int(MOST[activity] - LEAST[activity] + 1)))
    loud = 1.0 + w.dials[AT.sensors_loudness_spread] * (of_site(w, e, 7_000, host) - 0.5) * 3.4
    count = int(answers * share * loud * w.rate[e, DETECTION] + uniform(w, e, 0.0, 1.0))
    for _ in range(count):
        rule = pick_rule(w, e, activity)
        most = min(REPEATS[activity], w.dials[AT.sensors_bursts + w.rule[e, rule, SORT]])
        times = int(math.exp(uniform(w, e, 0.0, most)))
        _say(w, e, rule, host, peer, credential, outward, times)


@compiled
def _say(
    w: World,
    e: int,
    rule: int,
    host: int,
    peer: int,
    credential: int,
    outward: int,
    times: int,
) -> None:
    """Heard at once, later, or never where the sensor is silent."""
    now = int(w.state[e, MINUTE])
    if w.rule[e, rule, SORT] == w.state[e, SILENT_SORT] and (
        w.state[e, SILENT_FROM] <= now < w.state[e, SILENT_UNTIL]
    ):
        return
    if happens(w, e, w.rate[e, DELAY_CHANCE]) and w.state[e, WAITING_ALERTS] < WAITING:
        k = int(w.state[e, WAITING_ALERTS])
        w.state[e, WAITING_ALERTS] = k + 1
        due = now + whole(w, e, AT.sensors_delay_minutes_low)
        _fill(w.late, e, k, due, rule, host, peer, credential, times, outward, now)
    else:
        _tell(w, e, rule, host, peer, credential, times, outward, now)


@compiled
def _tell(
    w: World,
    e: int,
    rule: int,
    host: int,
    peer: int,
    credential: int,
    times: int,
    outward: int,
    said: int,
) -> None:
    hear(w, e, rule, host, peer, credential, times)
    if w.state[e, TOLD] < w.trace.shape[1]:
        k, now = int(w.state[e, TOLD]), int(w.state[e, MINUTE])
        _fill(w.trace, e, k, now, rule, host, peer, credential, times, outward, said)
        w.state[e, TOLD] = k + 1


@compiled
def _fill(
    records: dice.Longs,
    e: int,
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
    records[e, k, DUE_AT] = due
    records[e, k, RULE] = rule
    records[e, k, HOST] = host
    records[e, k, PEER] = peer
    records[e, k, KEY] = credential
    records[e, k, TIMES] = times
    records[e, k, OUTWARD] = outward
    records[e, k, SAID_AT] = said


@compiled
def hear_late(w: World, e: int) -> None:
    """Alerts that were under way and have come."""
    kept = 0
    for k in range(w.state[e, WAITING_ALERTS]):
        late = w.late[e, k]
        if late[DUE_AT] <= w.state[e, MINUTE]:
            _tell(
                w,
                e,
                int(late[RULE]),
                int(late[HOST]),
                int(late[PEER]),
                int(late[KEY]),
                int(late[TIMES]),
                int(late[OUTWARD]),
                int(late[SAID_AT]),
            )
        else:
            w.late[e, kept] = late
            kept += 1
    w.state[e, WAITING_ALERTS] = kept


@compiled
def background(w: World, e: int) -> None:
    """What speaks by itself within this minute."""
    end = (int(w.state[e, MINUTE]) + 1) * TICKS
    while w.state[e, NOISE_AT] < end:
        w.state[e, NOISE_AT] += dice.gap(w.keys, w.counts, e, int(w.state[e, NOISE_GAP]))
        k = pick_source(w, e)
        peer = 0
        site = w.state[e, SITE]
        if happens(w, e, w.dials[AT.sensors_noise_partner_share]):
            partners = int(w.sites.size[site, PARTNERS])
            if partners > 0:
                peer = int(w.sites.partner[site, throw(w, e, partners)])
        _say(w, e, int(w.source[e, k, 1]), int(w.source[e, k, 0]), peer, -1, 0, 1)
