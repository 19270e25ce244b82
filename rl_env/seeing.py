"""How a simulated alert enters the picture: the bookkeeping of `policies.picture`, for batches.

The arithmetic is that of the live side, `policies.evidence`. What differs is where counts are kept:
the live side learns rates in dictionaries, here the past is computed when it is asked for
(`rl_env.history`) and only what the episode adds is stored.
"""

from __future__ import annotations

import math

import numpy as np

from policies import evidence
from policies.actions import Kind
from policies.columns import KIND, PROTECTED, TOTAL, TOUCHED
from policies.compiled import compiled
from rl_env.history import learned_before
from rl_env.masking import show
from rl_env.world import (
    ADDRESS,
    CELL,
    GUARDED,
    HOSTILE,
    LISTED,
    REACHED,
    REMOTE,
    RULES,
    STAGE,
    State,
    first_credential,
    first_indicator,
)

__all__ = ["HOSTILE_BIT", "close_window", "hear", "sort"]

HOSTILE_BIT = 1 << 40  # of a peer: it is an intruder's or a scanner's address
BLOCK = int(Kind.BLOCK)
RISEN, FALLEN = 1, 2  # totals, since neighbours were compared: bits
_ONE = np.uint64(1)
_BITS = 64


@compiled
def hear(s: State, rule: int, host: int, peer: int, credential: int, times: int) -> None:
    """One alert, which came so many `times`.

    `peer`: the other end of the connection: an IPv4 address, -1 - h for host `h`, or 0 for none;
    `credential`: its number, or -1.
    """
    _note(s, host, rule, times)
    if s.rule[rule, REMOTE] > 0 and peer < 0 and -1 - peer != host:
        _note(s, -1 - peer, rule, times)
    if credential >= 0:
        _note(s, first_credential(s) + credential, rule, times)
    if s.rule[rule, REMOTE] > 0 and peer > 0:
        slot = _slot_of(s, peer)
        if slot < 0:
            return
        _reach(s, slot, host)
        _note(s, first_indicator(s) + slot, rule, times)


@compiled
def _note(s: State, r: int, rule: int, times: int) -> None:
    """What `Picture` does for one entity."""
    evidence.count(s.entities, r, int(s.alerts[r]), times)
    s.alerts[r] += times
    word, bit = rule // _BITS, _ONE << np.uint64(rule % _BITS)
    if s.present[r, word] & bit != 0:
        return
    s.present[r, word] |= bit
    s.spoken[word] |= bit
    if s.fresh_count < s.fresh.shape[0]:
        s.fresh[s.fresh_count] = r * RULES + rule
    s.fresh_count += 1
    anywhere = float(s.anywhere[rule] + s.heard[rule])
    windows = float(s.windows)
    if r >= first_indicator(s):
        nats = evidence.surprise_of_indicator(anywhere, windows)
    else:
        seen = int(s.learned[r, rule])
        if r < first_credential(s):
            seen += learned_before(s, r, rule)
        nats = evidence.surprise(float(seen), anywhere, windows)
    before = s.entities[TOTAL, r]
    evidence.add(s.entities, r, int(s.rule[rule, STAGE]), nats)
    site = s.strongest.shape[0] - 1
    evidence.rise(s.strongest, site, before, s.entities[TOTAL, r])
    if r < s.zone_of.shape[0]:
        evidence.rise(s.strongest, int(s.zone_of[r]), before, s.entities[TOTAL, r])
    s.unsorted |= RISEN


# ---------------------------------------------------------------- indicators


@compiled
def _slot_of(s: State, peer: int) -> int:
    """The indicator's place: one that is free, or that of the weakest; -1 where none can go."""
    address = peer & ~HOSTILE_BIT
    used = int(s.slots)
    for slot in range(used):
        if s.indicator[slot, ADDRESS] == address:
            return slot
    if used < s.indicator.shape[0]:
        slot = used
        s.slots = used + 1
    else:
        slot = _weakest(s)
        if slot < 0:
            return -1
        _forget(s, slot)
    s.indicator[slot, ADDRESS] = address
    s.indicator[slot, HOSTILE] = 1 if peer & HOSTILE_BIT != 0 else 0
    r = first_indicator(s) + slot
    s.entities[KIND + BLOCK, r] = 1.0
    s.row[r, CELL] = 0
    s.row[r, GUARDED] = _is_shielded(s, address)
    s.entities[PROTECTED, r] = s.row[r, GUARDED]
    show(s, r)
    return slot


@compiled
def _weakest(s: State) -> int:
    """Of those that nothing is ordered or asked about; -1: there is none."""
    best, least = -1, np.float32(np.inf)
    for slot in range(s.indicator.shape[0]):
        r = first_indicator(s) + slot
        if s.entities[TOTAL, r] < least and s.row[r, LISTED] == 0:
            best, least = slot, s.entities[TOTAL, r]
    return best


@compiled
def _forget(s: State, slot: int) -> None:
    r = first_indicator(s) + slot
    s.entities[:, r] = 0.0
    s.unsorted |= FALLEN
    s.present[r] = np.uint64(0)
    s.alerts[r] = 0
    s.reached[slot] = np.uint64(0)
    for place in range(s.indicator.shape[1]):
        s.indicator[slot, place] = 0


@compiled
def _is_shielded(s: State, address: int) -> int:
    for k in range(s.shields):
        if s.site_shield[k, 0] <= address <= s.site_shield[k, 1]:
            return 1
    return 0


@compiled
def _reach(s: State, slot: int, host: int) -> None:
    word, bit = host // _BITS, _ONE << np.uint64(host % _BITS)
    if s.reached[slot, word] & bit == 0:
        s.reached[slot, word] |= bit
        s.indicator[slot, REACHED] += 1
        touched = math.log1p(float(s.indicator[slot, REACHED])) / 4.0
        s.entities[TOUCHED, first_indicator(s) + slot] = touched


# ---------------------------------------------------------------- time


@compiled
def close_window(s: State) -> None:
    """Learns which rules spoke in the window that ends."""
    fresh = int(s.fresh_count)
    if fresh <= s.fresh.shape[0]:
        for k in range(fresh):
            _learn(s, int(s.fresh[k]) // RULES, int(s.fresh[k]) % RULES)
    else:
        for r in range(s.row.shape[0]):
            for rule in range(RULES):
                _learn(s, r, rule)
    s.fresh_count = 0
    s.windows += 1
    s.blurred = 1


@compiled
def _learn(s: State, r: int, rule: int) -> None:
    word, bit = rule // _BITS, _ONE << np.uint64(rule % _BITS)
    if s.present[r, word] & bit != 0:
        s.present[r, word] &= ~bit
        s.alerts[r] = 0
        if r < first_indicator(s) and s.learned[r, rule] < 255:
            s.learned[r, rule] += np.uint8(1)
        if s.spoken[word] & bit != 0:
            s.spoken[word] &= ~bit
            s.heard[rule] += 1


@compiled
def sort(s: State) -> None:
    """Compares each entity with its neighbours, where evidence came since the last time."""
    if s.unsorted == 0:
        return
    site = s.strongest.shape[0] - 1
    if s.unsorted & FALLEN != 0:
        evidence.rank(s.entities, s.zone_of, s.strongest, site)
    evidence.neighbours(s.entities, s.zone_of, s.strongest, site)
    s.unsorted = 0
