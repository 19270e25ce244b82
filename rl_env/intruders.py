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
    EXPOSED,
    HOST,
    JEWEL,
    OWNER,
    ROLE,
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
    is_blocked,
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
    GIVES_UP,
    GOAL,
    GONE,
    HOPS,
    INSIDE,
    INTRUDER,
    LEVEL,
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
    STEALS,
    STRIKES,
    TARGET,
    TICKS,
    WAY,
    State,
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
def draw_intruder(s: State, minutes: int) -> None:
    """Who comes, when, and what for."""
    actor, temper = s.actor[INTRUDER], s.temper[INTRUDER]
    profile = _profile(s)
    actor[PROFILE] = profile
    actor[PHASE] = OUTSIDE
    actor[NEXT] = 1 + int(minutes * between(s, AT.attackers_first_move_low))
    actor[BASE] = actor[TARGET] = -1
    temper[PACE] = spread(s, AT.attackers_pace_low) * _PACES[profile]
    temper[NOISE] = spread(s, AT.attackers_noise_low) * _NOISES[profile]
    temper[EXPLOITS] = between(s, AT.attackers_exploit_chance_low)
    temper[PHISHES] = between(s, AT.attackers_phishing_chance_low)
    temper[STEALS] = between(s, AT.attackers_key_theft_chance_low) * _KEYS[profile]
    temper[MOVES] = between(s, AT.attackers_address_change_chance_low)
    temper[RETURNS] = between(s, AT.attackers_return_chance_low)
    temper[BEACONS] = between(s, AT.attackers_beacon_chance_low)
    temper[PATIENCE] = spread(s, AT.attackers_patience_low)
    temper[DWELL] = spread(s, AT.attackers_dwell_low)
    actor[HOPS] = int(whole(s, AT.attackers_hops_low) * _HOPS[profile] + 0.5)
    if profile == RANSOMWARE:
        actor[STRIKES] = whole(s, AT.attackers_destruction_minutes_low)
    else:
        actor[STRIKES] = whole(s, AT.attackers_theft_minutes_low)
    actor[GOAL] = _some_jewel(s)
    _prepare(s)


@compiled
def _profile(s: State) -> int:
    u = dice.fraction(s)
    for profile in range(len(_PACES)):
        u -= s.dials[AT.attackers_profiles + profile]
        if u < 0.0:
            return profile
    return DIRECT


@compiled
def _some_jewel(s: State) -> int:
    hosts = int(s.hosts)
    start = throw(s, hosts)
    for k in range(hosts):
        host = (start + k) % hosts
        if s.site_host[host, JEWEL] > 0:
            return host
    return start


@compiled
def _prepare(s: State) -> None:
    """The way in, from an address of its own."""
    actor = s.actor[INTRUDER]
    profile = actor[PROFILE]
    actor[WAY] = BY_PHISHING if happens(s, _MAILS[profile]) else BY_EXPLOIT
    if profile == INSIDER:
        actor[WAY] = FROM_WITHIN
        s.address[INTRUDER] = 0
    else:
        s.address[INTRUDER] = new_address(s)
    actor[ROUNDS] = 1 + throw(s, 3)
    if not happens(s, _SCANS[profile]):
        actor[ROUNDS] += 10  # tens: the sweep is left out
    actor[PHASE] = OUTSIDE
    actor[BASE] = actor[TARGET] = -1
    actor[GIVES_UP] = actor[MOVES_AT] = 0


@compiled
def new_address(s: State) -> int:
    """An IPv4 address of the networks set aside for documentation (RFC 5737), nobody's yet."""
    block = throw(s, 3)
    network = 0xC0000200 if block == 0 else (0xC6336400 if block == 1 else 0xCB007100)
    address = network + 1 + throw(s, 254)
    for k in range(s.site_partner.shape[0]):
        if s.site_partner[k] == address:
            address = network + 1 + (address - network) % 254
    return address


# ---------------------------------------------------------------- a minute


@compiled
def intrude(s: State) -> None:
    """The intruder's minute: a move it was told, or its own when the time has come."""
    actor = s.actor[INTRUDER]
    if actor[PHASE] == GONE:
        return
    if s.move_technique >= 0:
        _obey(s)
        return
    if actor[PHASE] == INSIDE and happens(s, s.temper[INTRUDER, BEACONS]):
        _call(s)
    if s.minute < actor[NEXT]:
        return
    if actor[PHASE] == OUTSIDE:
        _approach(s)
    else:
        _work(s)
    if actor[PHASE] != GONE and actor[NEXT] <= s.minute:
        usual = 2.0 if actor[PHASE] == OUTSIDE else s.temper[INTRUDER, DWELL]
        mean = max(1, int(usual * s.temper[INTRUDER, PACE] * TICKS))
        wait = dice.gap(s, mean) // TICKS
        actor[NEXT] = s.minute + 1 + wait


@compiled
def _obey(s: State) -> None:
    """Makes the move it is told, from the first of its hosts that can make it."""
    actor, now = s.actor[INTRUDER], int(s.minute)
    if 0 < actor[MOVES_AT] <= now:
        actor[MOVES_AT] = 0
        s.address[INTRUDER] = new_address(s)
    technique, target = int(s.move_technique), int(s.move_target)
    if technique in (MOVE_BY_EXPLOIT, MOVE_BY_KEY):
        actor[BASE] = base_for(s, target)
    perform(s, INTRUDER, technique, target)


@compiled
def base_for(s: State, target: int) -> int:
    """A host that the intruder holds and that reaches another; -1: there is none."""
    for host in range(s.hosts):
        held = s.host[host, LEVEL] > CLEAN and host != target
        if held and is_free(s, host) and reaches(s, host, target):
            return host
    return -1


@compiled
def _call(s: State) -> None:
    """A host that it holds calls its master; an insider has none."""
    base, address = int(s.actor[INTRUDER, BASE]), int(s.address[INTRUDER])
    if address != 0 and base >= 0 and is_free(s, base) and not is_blocked(s, INTRUDER):
        peer = address | HOSTILE_BIT
        report(s, rules.BEACON, base, peer, -1, 1, s.temper[INTRUDER, NOISE])


@compiled
def _approach(s: State) -> None:
    """From outside towards a foothold."""
    actor = s.actor[INTRUDER]
    if not _has_channel(s):
        return
    if actor[WAY] == FROM_WITHIN:
        _begin_within(s)
    elif actor[WAY] == BY_PHISHING:
        perform(s, INTRUDER, PHISH, _some_host(s, False))
    elif actor[ROUNDS] < 10:
        perform(s, INTRUDER, SCAN, -1)
        actor[ROUNDS] += 10
    else:
        if actor[TARGET] < 0 or not is_free(s, int(actor[TARGET])):
            actor[TARGET] = _some_host(s, True)
        technique = PROBE if actor[ROUNDS] > 10 else EXPLOIT
        actor[ROUNDS] -= technique == PROBE
        perform(s, INTRUDER, technique, int(actor[TARGET]))


@compiled
def _some_host(s: State, exposed: bool) -> int:
    """An exposed host, or a workstation; -1 where none was found."""
    hosts = int(s.hosts)
    start = throw(s, hosts)
    for k in range(hosts):
        host = (start + k) % hosts
        if exposed:
            if s.site_host[host, EXPOSED] > 0:
                return host
        elif s.site_host[host, ROLE] == WORKSTATION:
            return host
    return -1


@compiled
def _begin_within(s: State) -> None:
    """An insider starts at the own desk, with the own keys."""
    actor = s.actor[INTRUDER]
    users = int(s.users)
    if users == 0:
        actor[WAY] = BY_EXPLOIT
        return
    user = throw(s, users)
    for c in range(s.credentials):
        if s.site_credential[c, OWNER] == user:
            s.stolen[c] = 1
    desk = int(s.site_user[user, HOST])
    if is_free(s, desk):
        take(s, INTRUDER, desk)


@compiled
def _has_channel(s: State) -> bool:
    """Whether its address is not blocked; else it moves to another, in time, or gives up."""
    actor, now = s.actor[INTRUDER], int(s.minute)
    if is_channel_up(s, INTRUDER):
        return True
    if actor[MOVES_AT] == 0:
        _notice(s)
        if not happens(s, s.temper[INTRUDER, MOVES]):
            actor[MOVES_AT] = NEVER
            _wait_for(s)
        else:
            actor[MOVES_AT] = now + whole(s, AT.attackers_address_change_minutes_low)
    if now >= actor[MOVES_AT]:
        actor[MOVES_AT] = 0
        s.address[INTRUDER] = new_address(s)
        return True
    if actor[MOVES_AT] == NEVER and now >= actor[GIVES_UP]:
        _give_up(s)
    return False


@compiled
def _notice(s: State) -> None:
    """Whoever adapts goes more quietly from now on."""
    actor, temper = s.actor[INTRUDER], s.temper[INTRUDER]
    actor[NOTICED] += 1
    if actor[PROFILE] == ADAPTIVE:
        temper[NOISE] *= 0.6
        temper[PACE] *= 1.4
        temper[MOVES] = 1.0
        temper[STEALS] = 1.0


@compiled
def _wait_for(s: State) -> None:
    """Starts to wait for what is contained, once."""
    actor = s.actor[INTRUDER]
    if actor[GIVES_UP] == 0:
        actor[GIVES_UP] = int(s.minute) + 1 + int(s.temper[INTRUDER, PATIENCE])


@compiled
def _give_up(s: State) -> None:
    actor = s.actor[INTRUDER]
    s.moved = 1
    if happens(s, s.temper[INTRUDER, RETURNS]):
        s.temper[INTRUDER, RETURNS] *= 0.5
        _prepare(s)
    else:
        actor[PHASE] = GONE
        actor[TARGET] = -1
        actor[NEXT] = NEVER


# ---------------------------------------------------------------- inside


@compiled
def _work(s: State) -> None:
    """One move from a host that it holds."""
    actor = s.actor[INTRUDER]
    if not _find_base(s):
        return
    base = int(actor[BASE])
    if actor[PROFILE] != RANSOMWARE and not _has_channel(s):
        return
    actor[GIVES_UP] = 0
    if s.host[base, LEVEL] < ROOT:
        perform(s, INTRUDER, ESCALATE, base)
    elif s.host[base, ROBBED] == 0 and happens(s, s.temper[INTRUDER, STEALS]):
        perform(s, INTRUDER, STEAL_KEYS, base)
    elif actor[HOPS] <= 0 or base == actor[GOAL]:
        _finish(s, base)
    else:
        _spread(s)


@compiled
def _find_base(s: State) -> bool:
    """Goes on from where it is, or from another host that it holds."""
    actor, now = s.actor[INTRUDER], int(s.minute)
    base = int(actor[BASE])
    held = base >= 0 and s.host[base, LEVEL] > CLEAN
    wanders = actor[PROFILE] == BROAD or actor[PROFILE] == RANSOMWARE
    if held and is_free(s, base) and not wanders:
        return True
    if held and not is_free(s, base) and actor[GIVES_UP] == 0:
        _notice(s)
    hosts = int(s.hosts)
    start = throw(s, hosts)
    waiting = False
    for k in range(hosts):
        host = (start + k) % hosts
        if s.host[host, LEVEL] > CLEAN:
            if is_free(s, host):
                actor[BASE] = host
                return True
            waiting = True
    _wait_for(s)
    if not waiting or now >= actor[GIVES_UP]:
        _give_up(s)
    return False


@compiled
def _spread(s: State) -> None:
    """To the most promising of some hosts; by key where there is one."""
    actor = s.actor[INTRUDER]
    base, goal = int(actor[BASE]), int(actor[GOAL])
    hosts = int(s.hosts)
    best, score = -1, -1.0
    for k in range(_CANDIDATES):
        host = goal if k == 0 else throw(s, hosts)
        if host == base or s.host[host, LEVEL] > CLEAN or not is_free(s, host):
            continue
        if not reaches(s, base, host):
            continue
        promise = dice.fraction(s)
        promise += 0.8 if key_for(s, host) >= 0 else 0.0
        promise += 0.6 if reaches(s, host, goal) else 0.0
        promise += 0.6 if host == goal and actor[HOPS] <= 1 else 0.0
        if promise > score:
            best, score = host, promise
    if best < 0:
        actor[HOPS] -= 1  # nowhere to go: what is at hand has to do
        return
    key = key_for(s, best) >= 0
    perform(s, INTRUDER, MOVE_BY_KEY if key else MOVE_BY_EXPLOIT, best)
    if actor[BASE] == best:
        actor[HOPS] -= 1


@compiled
def _finish(s: State, base: int) -> None:
    """Minute by minute, until it is done."""
    actor = s.actor[INTRUDER]
    actor[NEXT] = s.minute + 1
    if actor[PROFILE] == RANSOMWARE:
        perform(s, INTRUDER, DESTROY, base)
    else:
        if s.address[INTRUDER] == 0:
            s.address[INTRUDER] = new_address(s)  # an insider has to carry it somewhere
        perform(s, INTRUDER, EXFILTRATE, base)
