"""What is usual at a site: which rules speak on which hosts by themselves, and what was learned.

Little of it is stored: how often a rule speaks on a host is computed from the episode's key
whenever it is asked for, so that a new episode costs microseconds.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.compiled import compiled
from policies.evidence import WINDOW
from rl_env import dice
from rl_env.parameters import PLACES as AT
from rl_env.rules import FIRST, IN_ALL, LOGINS, NOISE, SCAN, UPKEEP, activity_of
from rl_env.site import EXPOSED
from rl_env.world import (
    OCTAVES,
    RULES,
    TICKS,
    State,
    between,
    happens,
    of_site,
    spread,
    throw,
)

__all__ = ["draw_history", "learned_before", "pick_source"]

_MINUTES: Final = WINDOW // 60
_TOP: Final = OCTAVES - 1
_SLOTS: Final = 12  # kinds of noise that a host has at most
_FIVE_BITS = np.uint64(31)

Pairs = NDArray[np.int32]


@compiled
def _noise_of(s: State, host: int) -> tuple[np.uint64, int]:
    """Five bits for each kind of noise that a host makes, and how many kinds it makes."""
    word = dice.mixed(s.key ^ dice.mixed(np.uint64(2_000_000 + host)))
    least = int(s.dials[AT.sensors_noise_rules_low])
    most = int(s.dials[AT.sensors_noise_rules_high])
    kinds = least + int(of_site(s, 3_000, host) * (most - least + 1))
    return word, min(kinds, _SLOTS)


@compiled
def _rule_at(word: np.uint64, slot: int) -> int:
    """The rule of noise in a slot."""
    bits = np.int64((word >> np.uint64(5 * slot)) & _FIVE_BITS)
    return bits * (FIRST[NOISE + 1] - FIRST[NOISE]) >> 5


@compiled
def _luck_of(s: State, host: int, rule: int) -> np.uint64:
    """What this rule's history on this host hangs on: four numbers, see `dice.part`."""
    return dice.mixed(s.key ^ dice.mixed(np.uint64((host + 8_192) * RULES + rule)))


@compiled
def _octave(s: State, activity: int, luck: np.uint64) -> int:
    """The rule speaks by itself in one of 2 ** octave windows."""
    place = 0 if activity == NOISE else (2 if activity == LOGINS else 4)
    rarest, commonest = s.quietest[place], s.quietest[place + 1]
    octave = commonest + (rarest - commonest) * dice.part(luck, 0)
    return min(_TOP, max(0, int(octave + 0.5)))


@compiled
def _has_failed_logins(s: State, host: int) -> bool:
    return of_site(s, 3_001, host) < s.dials[AT.sensors_failed_login_hosts]


@compiled
def _speaks(s: State, activity: int, host: int, rule: int) -> bool:
    """Whether the rule speaks by itself on the host."""
    if activity == NOISE:
        word, kinds = _noise_of(s, host)
        for slot in range(kinds):
            if _rule_at(word, slot) == rule:
                return True
        return False
    if activity == LOGINS:
        return _has_failed_logins(s, host)
    return activity == SCAN and s.site_host[host, EXPOSED] > 0


@compiled
def learned_before(s: State, host: int, rule: int) -> int:
    """Windows before the episode in which the rule spoke on the host."""
    activity = activity_of(rule)
    if activity > SCAN:
        return 0
    luck, rate = _luck_of(s, host, rule), 0.0
    if activity == UPKEEP:
        rate = s.upkeep_seen * dice.part(luck, 1)
    elif _speaks(s, activity, host, rule):
        rate = 1.0 / (1 << _octave(s, activity, luck))
        if activity == SCAN:
            rate += s.scan_seen
    if rate == 0.0 or dice.part(luck, 2) < s.dials[AT.sensors_youth_unseen] * s.youth:
        return 0
    return int(float(s.history) * min(rate, 0.98) + dice.part(luck, 3))


@compiled
def draw_history(s: State) -> None:
    """How old the site is, what it knows, and what speaks by itself."""
    if happens(s, s.dials[AT.sensors_young_chance]):
        windows = int(spread(s, AT.sensors_young_history_low))
    else:
        windows = int(spread(s, AT.sensors_history_low))
    s.history = windows
    s.windows = windows
    s.youth = math.exp(-windows / s.dials[AT.sensors_youth_windows])
    hosts = int(s.hosts)
    daily = spread(s, AT.sensors_upkeep_low)  # per host
    seen = between(s, AT.sensors_upkeep_seen_low)
    s.upkeep_seen = daily / 1440.0 * _MINUTES * 2.0 * seen
    daily *= 1.0 + s.dials[AT.sensors_youth_upkeep] * s.youth
    s.upkeep_gap = int(TICKS * 1440.0 / (daily * hosts))
    s.scan_seen = spread(s, AT.sensors_scan_history_low)
    visited = spread(s, AT.sensors_scan_rate_low)
    for k in range(2):
        s.quietest[k] = -math.log2(s.dials[AT.sensors_noise_rate_low + k])
        s.quietest[2 + k] = -math.log2(s.dials[AT.sensors_failed_login_rate_low + k])
    s.quietest[4] = 2.0 - math.log2(visited)
    s.quietest[5] = -math.log2(visited)
    _draw_sources(s, hosts)


@compiled
def _draw_sources(s: State, hosts: int) -> None:
    """What speaks by itself, by octave; and in how many windows each rule was seen anywhere."""
    for octave in range(OCTAVES):
        s.octave[octave] = 0
    for rule in range(IN_ALL):
        s.anywhere[rule] = 0
    scratch = np.empty((s.source.shape[0], 2), dtype=np.int32)  # source and octave, as found
    found, exposed = 0, 0
    for host in range(hosts):
        word, kinds = _noise_of(s, host)
        met = np.uint64(0)
        for slot in range(kinds):
            rule = _rule_at(word, slot)
            bit = np.uint64(1) << np.uint64(rule)
            if met & bit == 0:
                met |= bit
                found = _add_source(s, scratch, NOISE, host, rule, found)
        if _has_failed_logins(s, host):
            for rule in range(FIRST[LOGINS], FIRST[LOGINS + 1]):
                found = _add_source(s, scratch, LOGINS, host, rule, found)
        if s.site_host[host, EXPOSED] > 0:
            exposed += 1
            for rule in range(FIRST[SCAN], FIRST[SCAN + 1]):
                found = _add_source(s, scratch, SCAN, host, rule, found)
    _sort_sources(s, scratch, found)
    for rule in range(IN_ALL):
        rate = s.anywhere[rule] / (1 << _TOP)
        activity = activity_of(rule)
        if activity == UPKEEP:
            rate = s.upkeep_seen * 0.5 * hosts
        elif activity == SCAN:
            rate += s.scan_seen * exposed
        s.anywhere[rule] = int(float(s.history) * min(1.0, rate))


@compiled
def _add_source(s: State, scratch: Pairs, activity: int, host: int, rule: int, found: int) -> int:
    """Notes it, as long as there is room. The next place."""
    if found >= s.source.shape[0]:
        return found
    octave = _octave(s, activity, _luck_of(s, host, rule))
    s.octave[octave] += 1
    s.anywhere[rule] += 1 << (_TOP - octave)
    scratch[found, 0] = host * RULES + rule
    scratch[found, 1] = octave
    return found + 1


@compiled
def _sort_sources(s: State, scratch: Pairs, found: int) -> None:
    """Brings the sources into order; `octave` then tells the end of each."""
    end, weight = 0, 0
    for octave in range(OCTAVES):
        count = int(s.octave[octave])
        weight += count << (_TOP - octave)
        s.octave[octave] = end
        end += count
    for k in range(found):
        octave = scratch[k, 1]
        place = s.octave[octave]
        s.source[place] = scratch[k, 0]
        s.octave[octave] = place + 1
    s.noise_weight = weight
    s.noise_gap = (TICKS * _MINUTES << _TOP) // max(1, weight)
    s.noise_at = dice.gap(s, s.noise_gap)


@compiled
def pick_source(s: State) -> int:
    """One of the sources, the frequent ones more often."""
    weight = throw(s, int(s.noise_weight))
    start = 0
    for octave in range(OCTAVES):
        end = int(s.octave[octave])
        each = 1 << (_TOP - octave)
        if weight < (end - start) * each:
            return start + weight // each
        weight -= (end - start) * each
        start = end
    return 0
