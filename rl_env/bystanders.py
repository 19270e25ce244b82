"""Those who mean no harm, and look as if they did: administrators at work, and scanners of the
internet who look at everything and go away.
"""

from __future__ import annotations

from policies.compiled import compiled
from rl_env import dice, rules
from rl_env.intruders import new_address
from rl_env.parameters import PLACES as AT
from rl_env.sensors import report
from rl_env.site import EXPOSED, HOSTS
from rl_env.techniques import PROBE, SCAN, perform
from rl_env.world import (
    ACTORS,
    GONE,
    INTRUDER,
    MINUTE,
    NEXT,
    NOISE,
    OUTSIDE,
    PHASE,
    ROUNDS,
    SCAN_AT,
    SCAN_GAP,
    SCANNED,
    SITE,
    STORY,
    TARGET,
    TICKS,
    UPKEEP_ACTIVITY,
    UPKEEP_AT,
    UPKEEP_GAP,
    UPKEEP_HOST,
    UPKEEP_PARTS,
    UPKEEP_SHARE,
    World,
    happens,
    spread,
    throw,
    uniform,
    whole,
)

__all__ = ["draw_bystanders", "maintain", "scan"]


@compiled
def draw_bystanders(w: World, e: int) -> None:
    """How often they come."""
    place = AT.attackers_scanners_low
    if w.state[e, STORY] == SCANNED:
        place = AT.attackers_scanners_when_scanned_low
    w.state[e, SCAN_GAP] = int(60.0 * TICKS / spread(w, e, place))
    w.state[e, SCAN_AT] = _in_minutes(w, e, int(w.state[e, SCAN_GAP]))
    w.state[e, UPKEEP_AT] = _in_minutes(w, e, int(w.state[e, UPKEEP_GAP]))
    w.state[e, UPKEEP_PARTS] = 0
    for a in range(INTRUDER + 1, ACTORS):
        w.actor[e, a, PHASE] = GONE


@compiled
def _in_minutes(w: World, e: int, mean: int) -> int:
    return int(w.state[e, MINUTE]) + 1 + dice.gap(w.keys, w.counts, e, mean) // TICKS


@compiled
def maintain(w: World, e: int) -> None:
    """Administrators: bursts of rare events on one machine, over minutes."""
    state = w.state[e]
    if state[MINUTE] < state[UPKEEP_AT]:
        return
    if state[UPKEEP_PARTS] == 0:
        state[UPKEEP_HOST] = throw(w, e, int(w.sites.size[state[SITE], HOSTS]))
        state[UPKEEP_ACTIVITY] = rules.LOGINS if happens(w, e, 0.25) else rules.UPKEEP
        parts = whole(w, e, AT.sensors_upkeep_parts_low)
        state[UPKEEP_PARTS] = parts
        state[UPKEEP_SHARE] = int(256.0 * uniform(w, e, 0.4, 1.3) / parts)
    share = state[UPKEEP_SHARE] / 256.0
    report(w, e, int(state[UPKEEP_ACTIVITY]), int(state[UPKEEP_HOST]), 0, -1, 0, share)
    state[UPKEEP_PARTS] -= 1
    if state[UPKEEP_PARTS] > 0:
        state[UPKEEP_AT] = state[MINUTE] + 1 + throw(w, e, 5)
    else:
        state[UPKEEP_AT] = _in_minutes(w, e, int(state[UPKEEP_GAP]))


@compiled
def scan(w: World, e: int) -> None:
    """Scanners come, sweep once or a few times, probe a little, and go."""
    now = int(w.state[e, MINUTE])
    if now >= w.state[e, SCAN_AT]:
        w.state[e, SCAN_AT] = _in_minutes(w, e, int(w.state[e, SCAN_GAP]))
        _arrive(w, e, now)
    for a in range(INTRUDER + 1, ACTORS):
        if w.actor[e, a, PHASE] != GONE and now >= w.actor[e, a, NEXT]:
            _look(w, e, a, now)


@compiled
def _arrive(w: World, e: int, now: int) -> None:
    for a in range(INTRUDER + 1, ACTORS):
        actor = w.actor[e, a]
        if actor[PHASE] == GONE:
            actor[PHASE] = OUTSIDE
            actor[NEXT] = now
            actor[TARGET] = -1
            actor[ROUNDS] = 100 * (1 + throw(w, e, 3)) + throw(w, e, 3)  # sweeps, then probes
            w.temper[e, a, NOISE] = uniform(w, e, 0.5, 1.0)
            w.address[e, a] = new_address(w, e)
            return


@compiled
def _look(w: World, e: int, a: int, now: int) -> None:
    actor = w.actor[e, a]
    if actor[ROUNDS] >= 100:
        actor[ROUNDS] -= 100
        perform(w, e, a, SCAN, -1)
        w.temper[e, a, NOISE] *= 0.4
    elif actor[ROUNDS] > 0:
        actor[ROUNDS] -= 1
        w.temper[e, a, NOISE] = uniform(w, e, 0.05, 0.25)
        perform(w, e, a, PROBE, _exposed(w, e))
    if actor[ROUNDS] == 0:
        actor[PHASE] = GONE
    actor[NEXT] = now + 1 + throw(w, e, 8)


@compiled
def _exposed(w: World, e: int) -> int:
    site = w.state[e, SITE]
    hosts = int(w.sites.size[site, HOSTS])
    start = throw(w, e, hosts)
    for k in range(hosts):
        if w.sites.host[site, (start + k) % hosts, EXPOSED] > 0:
            return (start + k) % hosts
    return -1
