"""How scripted intruders choose their moves: seven profiles over one way of thinking."""

from __future__ import annotations

from typing import Final

import numpy as np

from policies.compiled import compiled
from rl_env import dice, rules
from rl_env.parameters import PLACES as AT
from rl_env.parameters import PROFILES
from rl_env.seeing import HOSTILE_BIT
from rl_env.sensors import report
from rl_env.site import (
    CREDENTIALS,
    EXPOSED,
    HOST,
    HOSTS,
    JEWEL,
    OWNER,
    ROLE,
    USERS,
    WORKSTATION,
)
from rl_env.techniques import (
    DESTROY,
    ESCALATE,
    EXFILTRATE,
    EXPLOIT,
    MOVE_BY_EXPLOIT,
    MOVE_BY_KEY,
    PHISH,
    PROBE,
    SCAN,
    STEAL_KEYS,
    is_channel_up,
    is_free,
    key_for,
    perform,
    reaches,
    take,
)
from rl_env.world import (
    BASE,
    BEACONS,
    CLEAN,
    DWELL,
    EXPLOITS,
    FOOTHOLD,
    GIVES_UP,
    GOAL,
    GONE,
    HOPS,
    INSIDE,
    INTRUDER,
    LEVEL,
    MINUTE,
    MOVED,
    MOVES,
    MOVES_AT,
    NEVER,
    NEXT,
    NOISE,
    NOTICED,
    OUTSIDE,
    PACE,
    PATIENCE,
    PHASE,
    PHISHES,
    PROFILE,
    RETURNS,
    ROBBED,
    ROOT,
    ROUNDS,
    SITE,
    STEALS,
    STRIKES,
    TARGET,
    TICKS,
    WAY,
    World,
    between,
    happens,
    spread,
    throw,
    whole,
)

__all__ = ["draw_intruder", "intrude", "new_address"]

DIRECT, BROAD, STEALTHY, THIEF, RANSOMWARE, INSIDER, ADAPTIVE = range(len(PROFILES))
BY_EXPLOIT, BY_PHISHING, FROM_WITHIN = range(3)  # ways in
# Of each profile, as factors of what the scenario draws, or chances.
_PACES: Final = np.array([1.0, 0.7, 2.5, 1.0, 0.2, 1.5, 1.0])
_NOISES: Final = np.array([1.0, 1.2, 0.4, 0.7, 1.3, 0.5, 1.0])
_SCANS: Final = np.array([0.85, 1.0, 0.2, 0.5, 0.5, 0.0, 0.8])
_MAILS: Final = np.array([0.1, 0.1, 0.6, 0.4, 0.6, 0.0, 0.3])
_KEYS: Final = np.array([0.7, 0.7, 0.8, 2.0, 0.5, 1.0, 0.8])
_HOPS: Final = np.array([0.7, 2.0, 1.0, 1.5, 2.0, 0.7, 1.0])
_CANDIDATES: Final = 10  # hosts it looks at before it chooses the next
_LOOKS: Final = 30  # hosts it looks at to find one of a kind


@compiled
def draw_intruder(w: World, e: int, minutes: int) -> None:
    """Who comes, when, and what for."""
    actor, temper = w.actor[e, INTRUDER], w.temper[e, INTRUDER]
    profile = _profile(w, e)
    actor[PROFILE] = profile
    actor[PHASE] = OUTSIDE
    actor[NEXT] = 1 + int(minutes * between(w, e, AT.attackers_first_move_low))
    actor[BASE] = actor[TARGET] = -1
    temper[PACE] = spread(w, e, AT.attackers_pace_low) * _PACES[profile]
    temper[NOISE] = spread(w, e, AT.attackers_noise_low) * _NOISES[profile]
    temper[EXPLOITS] = between(w, e, AT.attackers_exploit_chance_low)
    temper[PHISHES] = between(w, e, AT.attackers_phishing_chance_low)
    temper[STEALS] = between(w, e, AT.attackers_key_theft_chance_low) * _KEYS[profile]
    temper[MOVES] = between(w, e, AT.attackers_address_change_chance_low)
    temper[RETURNS] = between(w, e, AT.attackers_return_chance_low)
    temper[BEACONS] = between(w, e, AT.attackers_beacon_chance_low)
    temper[PATIENCE] = spread(w, e, AT.attackers_patience_low)
    temper[DWELL] = spread(w, e, AT.attackers_dwell_low)
    actor[HOPS] = int(whole(w, e, AT.attackers_hops_low) * _HOPS[profile] + 0.5)
    if profile == RANSOMWARE:
        actor[STRIKES] = whole(w, e, AT.attackers_destruction_minutes_low)
    else:
        actor[STRIKES] = whole(w, e, AT.attackers_theft_minutes_low)
    actor[GOAL] = _some_jewel(w, e)
    _prepare(w, e)


@compiled
def _profile(w: World, e: int) -> int:
    u = dice.fraction(w.keys, w.counts, e)
    for profile in range(len(_PACES)):
        u -= w.dials[AT.attackers_profiles + profile]
        if u < 0.0:
            return profile
    return DIRECT


@compiled
def _some_jewel(w: World, e: int) -> int:
    site = w.state[e, SITE]
    hosts = int(w.sites.size[site, HOSTS])
    start = throw(w, e, hosts)
    for k in range(hosts):
        host = (start + k) % hosts
        if w.sites.host[site, host, JEWEL] > 0:
            return host
    return start


@compiled
def _prepare(w: World, e: int) -> None:
    """The way in, from an address of its own."""
    actor = w.actor[e, INTRUDER]
    profile = actor[PROFILE]
    actor[WAY] = BY_PHISHING if happens(w, e, _MAILS[profile]) else BY_EXPLOIT
    if profile == INSIDER:
        actor[WAY] = FROM_WITHIN
        w.address[e, INTRUDER] = 0
    else:
        w.address[e, INTRUDER] = new_address(w, e)
    actor[ROUNDS] = 1 + throw(w, e, 3)
    if not happens(w, e, _SCANS[profile]):
        actor[ROUNDS] += 10  # tens: the sweep is left out
    actor[PHASE] = OUTSIDE
    actor[BASE] = actor[TARGET] = -1
    actor[GIVES_UP] = actor[MOVES_AT] = 0


@compiled
def new_address(w: World, e: int) -> int:
    """An IPv4 address of the networks set aside for documentation (RFC 5737), nobody's yet."""
    block = throw(w, e, 3)
    network = 0xC0000200 if block == 0 else (0xC6336400 if block == 1 else 0xCB007100)
    address = network + 1 + throw(w, e, 254)
    site = w.state[e, SITE]
    for k in range(w.sites.partner.shape[1]):
        if w.sites.partner[site, k] == address:
            address = network + 1 + (address - network) % 254
    return address


# ---------------------------------------------------------------- a minute


@compiled
def intrude(w: World, e: int) -> None:
    """The intruder's minute: a move it was told, or its own when the time has come."""
    actor = w.actor[e, INTRUDER]
    if actor[PHASE] == GONE:
        return
    if w.move[e, 0] >= 0:
        perform(w, e, INTRUDER, int(w.move[e, 0]), int(w.move[e, 1]))
        return
    if w.state[e, MINUTE] < actor[NEXT]:
        return
    if actor[PHASE] == OUTSIDE:
        _approach(w, e)
    else:
        _work(w, e)
    if actor[PHASE] != GONE:
        usual = 2.0 if actor[PHASE] == OUTSIDE else w.temper[e, INTRUDER, DWELL]
        mean = max(1, int(usual * w.temper[e, INTRUDER, PACE] * TICKS))
        wait = dice.gap(w.keys, w.counts, e, mean) // TICKS
        actor[NEXT] = max(int(actor[NEXT]), int(w.state[e, MINUTE]) + 1 + wait)


@compiled
def _approach(w: World, e: int) -> None:
    """From outside towards a foothold."""
    actor = w.actor[e, INTRUDER]
    if not _has_channel(w, e):
        return
    if actor[WAY] == FROM_WITHIN:
        _begin_within(w, e)
    elif actor[WAY] == BY_PHISHING:
        perform(w, e, INTRUDER, PHISH, _some_host(w, e, False))
    elif actor[ROUNDS] < 10:
        perform(w, e, INTRUDER, SCAN, -1)
        actor[ROUNDS] += 10
    else:
        if actor[TARGET] < 0 or not is_free(w, e, int(actor[TARGET])):
            actor[TARGET] = _some_host(w, e, True)
        technique = PROBE if actor[ROUNDS] > 10 else EXPLOIT
        actor[ROUNDS] -= technique == PROBE
        perform(w, e, INTRUDER, technique, int(actor[TARGET]))


@compiled
def _some_host(w: World, e: int, exposed: bool) -> int:
    """An exposed host, or a workstation; -1 where none was found."""
    site = w.state[e, SITE]
    hosts = int(w.sites.size[site, HOSTS])
    start = throw(w, e, hosts)
    for k in range(hosts):
        host = (start + k) % hosts
        if exposed:
            if w.sites.host[site, host, EXPOSED] > 0:
                return host
        elif w.sites.host[site, host, ROLE] == WORKSTATION:
            return host
    return -1


@compiled
def _begin_within(w: World, e: int) -> None:
    """An insider starts at the own desk, with the own keys."""
    site, actor = w.state[e, SITE], w.actor[e, INTRUDER]
    users = int(w.sites.size[site, USERS])
    if users == 0:
        actor[WAY] = BY_EXPLOIT
        return
    user = throw(w, e, users)
    for c in range(w.sites.size[site, CREDENTIALS]):
        if w.sites.credential[site, c, OWNER] == user:
            w.stolen[e, c] = 1
    desk = int(w.sites.user[site, user, HOST])
    if is_free(w, e, desk):
        take(w, e, INTRUDER, desk)


@compiled
def _has_channel(w: World, e: int) -> bool:
    """Whether its address is not blocked; else it moves to another, in time, or gives up."""
    actor, now = w.actor[e, INTRUDER], int(w.state[e, MINUTE])
    if is_channel_up(w, e, INTRUDER):
        return True
    if actor[MOVES_AT] == 0:
        _notice(w, e)
        if not happens(w, e, w.temper[e, INTRUDER, MOVES]):
            actor[MOVES_AT] = NEVER
            _wait_for(w, e)
        else:
            actor[MOVES_AT] = now + whole(w, e, AT.attackers_address_change_minutes_low)
    if now >= actor[MOVES_AT]:
        actor[MOVES_AT] = 0
        w.address[e, INTRUDER] = new_address(w, e)
        return True
    if actor[MOVES_AT] == NEVER and now >= actor[GIVES_UP]:
        _give_up(w, e)
    return False


@compiled
def _notice(w: World, e: int) -> None:
    """Whoever adapts goes more quietly from now on."""
    actor, temper = w.actor[e, INTRUDER], w.temper[e, INTRUDER]
    actor[NOTICED] += 1
    if actor[PROFILE] == ADAPTIVE:
        temper[NOISE] *= 0.6
        temper[PACE] *= 1.4
        temper[MOVES] = 1.0
        temper[STEALS] = 1.0


@compiled
def _wait_for(w: World, e: int) -> None:
    """Starts to wait for what is contained, once."""
    actor = w.actor[e, INTRUDER]
    if actor[GIVES_UP] == 0:
        actor[GIVES_UP] = int(w.state[e, MINUTE]) + 1 + int(w.temper[e, INTRUDER, PATIENCE])


@compiled
def _give_up(w: World, e: int) -> None:
    actor = w.actor[e, INTRUDER]
    w.state[e, MOVED] = 1
    if happens(w, e, w.temper[e, INTRUDER, RETURNS]):
        w.temper[e, INTRUDER, RETURNS] *= 0.5
        _prepare(w, e)
    else:
        actor[PHASE] = GONE
        actor[TARGET] = -1
        actor[NEXT] = NEVER


# ---------------------------------------------------------------- inside


@compiled
def _work(w: World, e: int) -> None:
    """One move from a host that it holds."""
    actor = w.actor[e, INTRUDER]
    if not _find_base(w, e):
        return
    base = int(actor[BASE])
    if actor[PROFILE] != RANSOMWARE and not _has_channel(w, e):
        return
    actor[GIVES_UP] = 0
    if w.address[e, INTRUDER] != 0 and happens(w, e, w.temper[e, INTRUDER, BEACONS]):
        peer = int(w.address[e, INTRUDER]) | HOSTILE_BIT
        report(w, e, rules.BEACON, base, peer, -1, 1, w.temper[e, INTRUDER, NOISE])
    if w.host[e, base, LEVEL] < ROOT:
        perform(w, e, INTRUDER, ESCALATE, base)
    elif w.host[e, base, ROBBED] == 0 and happens(w, e, w.temper[e, INTRUDER, STEALS]):
        perform(w, e, INTRUDER, STEAL_KEYS, base)
    elif actor[HOPS] <= 0 or base == actor[GOAL]:
        _finish(w, e, base)
    else:
        _spread(w, e)


@compiled
def _find_base(w: World, e: int) -> bool:
    """Goes on from where it is, or from another host that it holds."""
    actor, now = w.actor[e, INTRUDER], int(w.state[e, MINUTE])
    base = int(actor[BASE])
    held = base >= 0 and w.host[e, base, LEVEL] > CLEAN
    wanders = actor[PROFILE] == BROAD or actor[PROFILE] == RANSOMWARE
    if held and is_free(w, e, base) and not wanders:
        return True
    if held and not is_free(w, e, base) and actor[GIVES_UP] == 0:
        _notice(w, e)
    hosts = int(w.sites.size[w.state[e, SITE], HOSTS])
    start = throw(w, e, hosts)
    waiting = False
    for k in range(hosts):
        host = (start + k) % hosts
        if w.host[e, host, LEVEL] > CLEAN:
            if is_free(w, e, host):
                actor[BASE] = host
                return True
            waiting = True
    _wait_for(w, e)
    if not waiting or now >= actor[GIVES_UP]:
        _give_up(w, e)
    return False


@compiled
def _spread(w: World, e: int) -> None:
    """To the most promising of some hosts; by key where there is one."""
    actor = w.actor[e, INTRUDER]
    base, goal = int(actor[BASE]), int(actor[GOAL])
    hosts = int(w.sites.size[w.state[e, SITE], HOSTS])
    best, score = -1, -1.0
    for k in range(_CANDIDATES):
        host = goal if k == 0 else throw(w, e, hosts)
        if host == base or w.host[e, host, LEVEL] > CLEAN or not is_free(w, e, host):
            continue
        if not reaches(w, e, base, host):
            continue
        promise = dice.fraction(w.keys, w.counts, e)
        promise += 0.8 if key_for(w, e, host) >= 0 else 0.0
        promise += 0.6 if reaches(w, e, host, goal) else 0.0
        promise += 0.6 if host == goal and actor[HOPS] <= 1 else 0.0
        if promise > score:
            best, score = host, promise
    if best < 0:
        actor[HOPS] -= 1  # nowhere to go: what is at hand has to do
        return
    key = key_for(w, e, best) >= 0
    perform(w, e, INTRUDER, MOVE_BY_KEY if key else MOVE_BY_EXPLOIT, best)
    if actor[BASE] == best:
        actor[HOPS] -= 1


@compiled
def _finish(w: World, e: int, base: int) -> None:
    actor = w.actor[e, INTRUDER]
    if actor[PROFILE] == RANSOMWARE:
        perform(w, e, INTRUDER, DESTROY, base)
    else:
        if w.address[e, INTRUDER] == 0:
            w.address[e, INTRUDER] = new_address(w, e)  # an insider has to carry it somewhere
        perform(w, e, INTRUDER, EXFILTRATE, base)
