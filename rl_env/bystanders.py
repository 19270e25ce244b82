"""Those who mean no harm, and look as if they did: administrators at work, and scanners of the
internet who look at everything and go away.
"""

from __future__ import annotations

from policies.compiled import compiled
from rl_env import dice, rules
from rl_env.intruders import new_address
from rl_env.parameters import PLACES as AT
from rl_env.sensors import report
from rl_env.site import EXPOSED
from rl_env.techniques import PROBE, SCAN, perform
from rl_env.world import (
    ACTORS,
    GONE,
    INTRUDER,
    NEXT,
    NOISE,
    OUTSIDE,
    PHASE,
    ROUNDS,
    SCANNED,
    TARGET,
    TICKS,
    State,
    happens,
    spread,
    throw,
    uniform,
    whole,
)

__all__ = ["draw_bystanders", "maintain", "scan"]


@compiled
def draw_bystanders(s: State) -> None:
    """How often they come."""
    place = AT.attackers_scanners_low
    if s.story == SCANNED:
        place = AT.attackers_scanners_when_scanned_low
    s.scan_gap = int(60.0 * TICKS / spread(s, place))
    s.scan_at = _in_minutes(s, int(s.scan_gap))
    s.upkeep_at = _in_minutes(s, int(s.upkeep_gap))
    s.upkeep_parts = 0
    for a in range(INTRUDER + 1, ACTORS):
        s.actor[a, PHASE] = GONE


@compiled
def _in_minutes(s: State, mean: int) -> int:
    return int(s.minute) + 1 + dice.gap(s, mean) // TICKS


@compiled
def maintain(s: State) -> None:
    """Administrators: bursts of rare events on one machine, over minutes."""
    if s.minute < s.upkeep_at:
        return
    if s.upkeep_parts == 0:
        s.upkeep_host = throw(s, int(s.hosts))
        s.upkeep_activity = rules.LOGINS if happens(s, 0.25) else rules.UPKEEP
        parts = whole(s, AT.sensors_upkeep_parts_low)
        s.upkeep_parts = parts
        s.upkeep_share = int(256.0 * uniform(s, 0.4, 1.3) / parts)
    share = s.upkeep_share / 256.0
    report(s, int(s.upkeep_activity), int(s.upkeep_host), 0, -1, 0, share)
    s.upkeep_parts -= 1
    if s.upkeep_parts > 0:
        s.upkeep_at = s.minute + 1 + throw(s, 5)
    else:
        s.upkeep_at = _in_minutes(s, int(s.upkeep_gap))


@compiled
def scan(s: State) -> None:
    """Scanners come, sweep once or a few times, probe a little, and go."""
    now = int(s.minute)
    if now >= s.scan_at:
        s.scan_at = _in_minutes(s, int(s.scan_gap))
        _arrive(s, now)
    for a in range(INTRUDER + 1, ACTORS):
        if s.actor[a, PHASE] != GONE and now >= s.actor[a, NEXT]:
            _look(s, a, now)


@compiled
def _arrive(s: State, now: int) -> None:
    for a in range(INTRUDER + 1, ACTORS):
        actor = s.actor[a]
        if actor[PHASE] == GONE:
            actor[PHASE] = OUTSIDE
            actor[NEXT] = now
            actor[TARGET] = -1
            actor[ROUNDS] = 100 * (1 + throw(s, 3)) + throw(s, 3)  # sweeps, then probes
            s.temper[a, NOISE] = uniform(s, 0.5, 1.0)
            s.address[a] = new_address(s)
            return


@compiled
def _look(s: State, a: int, now: int) -> None:
    actor = s.actor[a]
    if actor[ROUNDS] >= 100:
        actor[ROUNDS] -= 100
        perform(s, a, SCAN, -1)
        s.temper[a, NOISE] *= 0.4
    elif actor[ROUNDS] > 0:
        actor[ROUNDS] -= 1
        s.temper[a, NOISE] = uniform(s, 0.05, 0.25)
        perform(s, a, PROBE, _exposed(s))
    if actor[ROUNDS] == 0:
        actor[PHASE] = GONE
    actor[NEXT] = now + 1 + throw(s, 8)


@compiled
def _exposed(s: State) -> int:
    hosts = int(s.hosts)
    start = throw(s, hosts)
    for k in range(hosts):
        if s.site_host[(start + k) % hosts, EXPOSED] > 0:
            return (start + k) % hosts
    return -1
