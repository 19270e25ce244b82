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
from policies.columns import KIND, TOTAL, TOUCHED
from policies.compiled import compiled
from rl_env.history import learned_before
from rl_env.site import HOSTS, SHIELDS
from rl_env.world import (
    ADDRESS,
    ANYWHERE,
    BLURRED,
    CELL,
    FRESH,
    GUARDED,
    HOSTILE,
    LISTED,
    REACHED,
    REMOTE,
    RULES,
    SITE,
    SLOTS,
    STAGE,
    STALE,
    UNSORTED,
    WINDOWS,
    World,
    first_credential,
    first_indicator,
)

__all__ = ["HOSTILE_BIT", "close_window", "fade", "hear", "sort"]

HOSTILE_BIT = 1 << 40  # of a peer: it is an intruder's or a scanner's address
_ONE = np.uint64(1)
_BITS = 64


@compiled
def hear(
    w: World, e: int, rule: int, host: int, peer: int, credential: int, times: int
) -> None:
    """One alert, which came so many `times`.

    `peer`: the other end of the connection: an IPv4 address, -1 - h for host `h`, or 0 for none;
    `credential`: its number, or -1.
    """
    _note(w, e, host, rule, times)
    if w.rule[e, rule, REMOTE] > 0 and peer < 0 and -1 - peer != host:
        _note(w, e, -1 - peer, rule, times)
    if credential >= 0:
        _note(w, e, first_credential(w) + credential, rule, times)
    if w.rule[e, rule, REMOTE] > 0 and peer > 0:
        slot = _slot_of(w, e, peer)
        _reach(w, e, slot, host)
        _note(w, e, first_indicator(w) + slot, rule, times)


@compiled
def _note(w: World, e: int, r: int, rule: int, times: int) -> None:
    """What `Picture` does for one entity."""
    evidence.count(w.entities, e, r, int(w.alerts[e, r]), times)
    w.alerts[e, r] += times
    word, bit = rule // _BITS, _ONE << np.uint64(rule % _BITS)
    if w.present[e, r, word] & bit != 0:
        return
    w.present[e, r, word] |= bit
    w.spoken[e, word] |= bit
    if w.state[e, FRESH] < w.fresh.shape[1]:
        w.fresh[e, w.state[e, FRESH]] = r * RULES + rule
    w.state[e, FRESH] += 1
    anywhere = float(w.rule[e, rule, ANYWHERE] + w.heard[e, rule])
    windows = float(w.state[e, WINDOWS])
    if r >= first_indicator(w):
        nats = evidence.surprise_of_indicator(anywhere, windows)
    else:
        seen = int(w.learned[e, r, rule])
        if r < first_credential(w):
            seen += learned_before(w, e, r, rule)
        nats = evidence.surprise(float(seen), anywhere, windows)
    evidence.add(w.entities, e, r, int(w.rule[e, rule, STAGE]), nats)
    w.state[e, UNSORTED] = 1


# ---------------------------------------------------------------- indicators


@compiled
def _slot_of(w: World, e: int, peer: int) -> int:
    """The indicator's place; where it has none it takes a free one, or that of the weakest."""
    address = peer & ~HOSTILE_BIT
    used = int(w.state[e, SLOTS])
    for slot in range(used):
        if w.indicator[e, slot, ADDRESS] == address:
            return slot
    if used < w.indicator.shape[1]:
        slot = used
        w.state[e, SLOTS] = used + 1
    else:
        slot = _weakest(w, e)
        _forget(w, e, slot)
    w.indicator[e, slot, ADDRESS] = address
    w.indicator[e, slot, HOSTILE] = 1 if peer & HOSTILE_BIT != 0 else 0
    r = first_indicator(w) + slot
    w.entities[e, r, KIND + int(Kind.BLOCK)] = 1.0
    w.row[e, r, CELL] = 0
    w.row[e, r, GUARDED] = _is_shielded(w, e, address)
    w.state[e, STALE] = 1
    return slot


@compiled
def _weakest(w: World, e: int) -> int:
    """Of those that nothing is ordered or asked about; the first where there is none."""
    best, least = 0, np.float32(np.inf)
    for slot in range(w.indicator.shape[1]):
        r = first_indicator(w) + slot
        if w.entities[e, r, TOTAL] < least and w.row[e, r, LISTED] == 0:
            best, least = slot, w.entities[e, r, TOTAL]
    return best


@compiled
def _forget(w: World, e: int, slot: int) -> None:
    r = first_indicator(w) + slot
    w.entities[e, r] = 0.0
    w.present[e, r] = np.uint64(0)
    w.alerts[e, r] = 0
    w.reached[e, slot] = np.uint64(0)
    for place in range(w.indicator.shape[2]):
        w.indicator[e, slot, place] = 0


@compiled
def _is_shielded(w: World, e: int, address: int) -> int:
    site = w.state[e, SITE]
    for k in range(w.sites.size[site, SHIELDS]):
        if w.sites.shield[site, k, 0] <= address <= w.sites.shield[site, k, 1]:
            return 1
    return 0


@compiled
def _reach(w: World, e: int, slot: int, host: int) -> None:
    word, bit = host // _BITS, _ONE << np.uint64(host % _BITS)
    if w.reached[e, slot, word] & bit == 0:
        w.reached[e, slot, word] |= bit
        w.indicator[e, slot, REACHED] += 1
        touched = math.log1p(float(w.indicator[e, slot, REACHED])) / 4.0
        w.entities[e, first_indicator(w) + slot, TOUCHED] = touched


# ---------------------------------------------------------------- time


@compiled
def fade(w: World, e: int) -> None:
    """A minute passes for all evidence."""
    site = w.state[e, SITE]
    credential, indicator = first_credential(w), first_indicator(w)
    evidence.fade(w.entities, e, 0, int(w.sites.size[site, HOSTS]))
    evidence.fade(w.entities, e, credential, credential + int(w.sites.size[site, 1]))
    evidence.fade(w.entities, e, indicator, indicator + int(w.state[e, SLOTS]))


@compiled
def close_window(w: World, e: int) -> None:
    """Learns which rules spoke in the window that ends."""
    fresh = int(w.state[e, FRESH])
    if fresh <= w.fresh.shape[1]:
        for k in range(fresh):
            r, rule = w.fresh[e, k] // RULES, w.fresh[e, k] % RULES
            _learn(w, e, r, rule)
    else:
        for r in range(w.row.shape[1]):
            for rule in range(RULES):
                _learn(w, e, r, rule)
            w.alerts[e, r] = 0
    for word in range(w.spoken.shape[1]):
        bits = w.spoken[e, word]
        for k in range(_BITS):
            if bits >> np.uint64(k) & _ONE != 0:
                w.heard[e, word * _BITS + k] += 1
        w.spoken[e, word] = np.uint64(0)
    w.state[e, FRESH] = 0
    w.state[e, WINDOWS] += 1
    w.state[e, BLURRED] = 1


@compiled
def _learn(w: World, e: int, r: int, rule: int) -> None:
    word, bit = rule // _BITS, _ONE << np.uint64(rule % _BITS)
    if w.present[e, r, word] & bit != 0:
        w.present[e, r, word] &= ~bit
        w.alerts[e, r] = 0
        if r < first_indicator(w) and w.learned[e, r, rule] < 255:
            w.learned[e, r, rule] += np.uint8(1)


@compiled
def sort(w: World, e: int) -> None:
    """Compares each entity with its neighbours, where evidence came since the last time."""
    if w.state[e, UNSORTED] != 0:
        w.state[e, UNSORTED] = 0
        zones = w.strongest.shape[1] - 1
        evidence.compare(w.entities, e, w.zone_of, w.strongest, zones)
