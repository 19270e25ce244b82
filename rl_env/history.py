"""What is usual at a site: which rules speak on which hosts by themselves, and what was learned.

Little of it is stored: how often a rule speaks on a host is computed from the episode's key
whenever it is asked for, so that a new episode costs microseconds.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from policies.compiled import compiled
from policies.evidence import WINDOW
from rl_env import dice
from rl_env.parameters import PLACES as AT
from rl_env.rules import FIRST, IN_ALL, LOGINS, NOISE, SCAN, UPKEEP, activity_of
from rl_env.site import EXPOSED, HOSTS
from rl_env.world import (
    ANYWHERE,
    HISTORY,
    NOISE_AT,
    NOISE_GAP,
    NOISE_WEIGHT,
    OCTAVES,
    QUIETEST,
    SCAN_SEEN,
    SITE,
    TICKS,
    UPKEEP_GAP,
    UPKEEP_SEEN,
    WINDOWS,
    YOUTH,
    World,
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


@compiled
def _noise_of(w: World, e: int, host: int) -> tuple[np.uint64, int]:
    """Five bits for each kind of noise that a host makes, and how many kinds it makes."""
    word = dice.mixed(w.keys[e] ^ dice.mixed(np.uint64(2_000_000 + host)))
    least = int(w.dials[AT.sensors_noise_rules_low])
    most = int(w.dials[AT.sensors_noise_rules_high])
    kinds = least + int(of_site(w, e, 3_000, host) * (most - least + 1))
    return word, min(kinds, _SLOTS)


@compiled
def _rule_at(word: np.uint64, slot: int) -> int:
    """The rule of noise in a slot."""
    return int((word >> np.uint64(5 * slot)) & _FIVE_BITS) % (FIRST[NOISE + 1] - FIRST[NOISE])


@compiled
def _octave(w: World, e: int, activity: int, host: int, rule: int) -> int:
    """The rule speaks by itself on the host in one of 2 ** octave windows."""
    if activity == SCAN:
        host = 0  # whoever scans, scans all that is exposed
    place = QUIETEST + (0 if activity == NOISE else (2 if activity == LOGINS else 4))
    rarest, commonest = w.rate[e, place], w.rate[e, place + 1]
    octave = commonest + (rarest - commonest) * of_site(w, e, 2_000 + host, rule)
    return min(_TOP, max(0, int(octave + 0.5)))


@compiled
def _has_failed_logins(w: World, e: int, host: int) -> bool:
    return of_site(w, e, 3_001, host) < w.dials[AT.sensors_failed_login_hosts]


@compiled
def octave_of(w: World, e: int, host: int, rule: int) -> int:
    """The rule speaks by itself on the host in one of 2 ** octave windows; -1: never."""
    activity = activity_of(rule)
    if activity == NOISE:
        word, kinds = _noise_of(w, e, host)
        for slot in range(kinds):
            if _rule_at(word, slot) == rule:
                return _octave(w, e, activity, host, rule)
    elif activity == LOGINS:
        if _has_failed_logins(w, e, host):
            return _octave(w, e, activity, host, rule)
    elif activity == SCAN and w.sites.host[w.state[e, SITE], host, EXPOSED] > 0:
        return _octave(w, e, activity, host, rule)
    return -1


@compiled
def rate_of(w: World, e: int, host: int, rule: int) -> float:
    """Share of past windows in which the rule spoke on the host."""
    octave = octave_of(w, e, host, rule)
    rate = 0.0 if octave < 0 else 1.0 / (1 << octave)
    activity = activity_of(rule)
    if activity == UPKEEP:
        rate += w.rate[e, UPKEEP_SEEN] * of_site(w, e, 4_000 + host, rule)
    elif activity == SCAN and octave >= 0:
        rate += w.rate[e, SCAN_SEEN]
    return min(rate, 0.98)


@compiled
def learned_before(w: World, e: int, host: int, rule: int) -> int:
    """Windows before the episode in which the rule spoke on the host."""
    rate = rate_of(w, e, host, rule)
    if rate == 0.0:
        return 0
    unseen = w.dials[AT.sensors_youth_unseen] * w.rate[e, YOUTH]
    if of_site(w, e, 5_000 + host, rule) < unseen:
        return 0
    return int(float(w.state[e, HISTORY]) * rate + of_site(w, e, 6_000 + host, rule))


@compiled
def draw_history(w: World, e: int) -> None:
    """How old the site is, what it knows, and what speaks by itself."""
    if happens(w, e, w.dials[AT.sensors_young_chance]):
        windows = int(spread(w, e, AT.sensors_young_history_low))
    else:
        windows = int(spread(w, e, AT.sensors_history_low))
    w.state[e, HISTORY] = windows
    w.state[e, WINDOWS] = windows
    w.rate[e, YOUTH] = math.exp(-windows / w.dials[AT.sensors_youth_windows])
    hosts = int(w.sites.size[w.state[e, SITE], HOSTS])
    daily = spread(w, e, AT.sensors_upkeep_low)  # per host
    seen = between(w, e, AT.sensors_upkeep_seen_low)
    w.rate[e, UPKEEP_SEEN] = daily / 1440.0 * _MINUTES * 2.0 * seen
    daily *= 1.0 + w.dials[AT.sensors_youth_upkeep] * w.rate[e, YOUTH]
    w.state[e, UPKEEP_GAP] = int(TICKS * 1440.0 / (daily * hosts))
    w.rate[e, SCAN_SEEN] = spread(w, e, AT.sensors_scan_history_low)
    visited = spread(w, e, AT.sensors_scan_rate_low)
    for k in range(2):
        w.rate[e, QUIETEST + k] = -math.log2(w.dials[AT.sensors_noise_rate_low + k])
        w.rate[e, QUIETEST + 2 + k] = -math.log2(w.dials[AT.sensors_failed_login_rate_low + k])
    w.rate[e, QUIETEST + 4] = 2.0 - math.log2(visited)
    w.rate[e, QUIETEST + 5] = -math.log2(visited)
    _draw_sources(w, e, hosts)


@compiled
def _draw_sources(w: World, e: int, hosts: int) -> None:
    """What speaks by itself, by octave; and in how many windows each rule was seen anywhere."""
    for octave in range(OCTAVES):
        w.octave[e, octave] = 0
    for rule in range(IN_ALL):
        w.rule[e, rule, ANYWHERE] = 0
    found, exposed = 0, 0
    for host in range(hosts):
        word, kinds = _noise_of(w, e, host)
        met = np.uint64(0)
        for slot in range(kinds):
            rule = _rule_at(word, slot)
            bit = np.uint64(1) << np.uint64(rule)
            if met & bit == 0:
                met |= bit
                found = _add_source(w, e, NOISE, host, rule, found)
        if _has_failed_logins(w, e, host):
            for rule in range(FIRST[LOGINS], FIRST[LOGINS + 1]):
                found = _add_source(w, e, LOGINS, host, rule, found)
        if w.sites.host[w.state[e, SITE], host, EXPOSED] > 0:
            exposed += 1
            for rule in range(FIRST[SCAN], FIRST[SCAN + 1]):
                found = _add_source(w, e, SCAN, host, rule, found)
    _sort_sources(w, e, found)
    for rule in range(IN_ALL):
        rate = w.rule[e, rule, ANYWHERE] / (1 << _TOP)
        activity = activity_of(rule)
        if activity == UPKEEP:
            rate = w.rate[e, UPKEEP_SEEN] * 0.5 * hosts
        elif activity == SCAN:
            rate += w.rate[e, SCAN_SEEN] * exposed
        w.rule[e, rule, ANYWHERE] = int(float(w.state[e, HISTORY]) * min(1.0, rate))


@compiled
def _add_source(w: World, e: int, activity: int, host: int, rule: int, found: int) -> int:
    """Notes it in the second half of the list; as many as fit. The next place."""
    place = w.source.shape[1] // 2 + found
    if place >= w.source.shape[1]:
        return found
    octave = _octave(w, e, activity, host, rule)
    w.octave[e, octave] += 1
    w.rule[e, rule, ANYWHERE] += 1 << (_TOP - octave)
    w.source[e, place, 0] = host
    w.source[e, place, 1] = rule
    w.source[e, place, 2] = octave
    return found + 1


@compiled
def _sort_sources(w: World, e: int, found: int) -> None:
    """Brings the sources into order; `octave` then tells the end of each."""
    end, weight = 0, 0
    for octave in range(OCTAVES):
        count = w.octave[e, octave]
        weight += int(count) << (_TOP - octave)
        w.octave[e, octave] = end
        end += count
    half = w.source.shape[1] // 2
    for k in range(half, half + found):
        octave = w.source[e, k, 2]
        place = w.octave[e, octave]
        w.source[e, place, 0] = w.source[e, k, 0]
        w.source[e, place, 1] = w.source[e, k, 1]
        w.octave[e, octave] = place + 1
    w.state[e, NOISE_WEIGHT] = weight
    w.state[e, NOISE_GAP] = (TICKS * _MINUTES << _TOP) // max(1, weight)
    w.state[e, NOISE_AT] = dice.gap(w.keys, w.counts, e, w.state[e, NOISE_GAP])


@compiled
def pick_source(w: World, e: int) -> int:
    """One of the sources, the frequent ones more often."""
    weight = throw(w, e, int(w.state[e, NOISE_WEIGHT]))
    start = 0
    for octave in range(OCTAVES):
        end = int(w.octave[e, octave])
        each = 1 << (_TOP - octave)
        if weight < (end - start) * each:
            return start + weight // each
        weight -= (end - start) * each
        start = end
    return 0
