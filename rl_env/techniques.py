"""What an intruder can do, move by move, and what the sensors make of it.

Each technique stands for MITRE ATT&CK tactics. A move that containment or the site does not allow
does nothing. Whoever moves, scripted (`rl_env.intruders`) or learned, moves through `perform`.
"""

from __future__ import annotations

from typing import Final

from policies.compiled import compiled
from rl_env import rules
from rl_env.containment import holds
from rl_env.seeing import HOSTILE_BIT
from rl_env.sensors import report
from rl_env.site import (
    EXPOSED,
    HOST,
    OPENED,
    OPENS,
    OWNER,
    REACH,
    ROLE,
    WORKSTATION,
)
from rl_env.world import (
    ADDRESS,
    BASE,
    CLEAN,
    ENTERED_AT,
    EXPLOITS,
    FOOTHOLD,
    GOAL,
    HOSTS_LOST,
    HOSTS_TAKEN,
    INSIDE,
    LEVEL,
    LOST,
    NOISE,
    PHASE,
    PHISHES,
    ROBBED,
    ROOT,
    STRIKES,
    TARGET,
    State,
    first_credential,
    first_indicator,
    happens,
    throw,
    uniform,
)

__all__ = ["TECHNIQUES", "is_blocked", "is_channel_up", "is_free", "perform", "reaches", "take"]

TECHNIQUES: Final = (
    "wait",
    "scan",  # Reconnaissance: all that is exposed
    "probe",  # Reconnaissance, Initial Access: one exposed host
    "exploit",  # Initial Access, Execution
    "phish",  # Initial Access: a workstation
    "escalate",  # Privilege Escalation, Defense Evasion: on a held host
    "steal_keys",  # Credential Access: on a held host
    "move_by_exploit",  # Lateral Movement
    "move_by_key",  # Lateral Movement
    "exfiltrate",  # Collection, Exfiltration: from a held host
    "destroy",  # Impact: on a held host
)
(
    WAIT,
    SCAN,
    PROBE,
    EXPLOIT,
    PHISH,
    ESCALATE,
    STEAL_KEYS,
    MOVE_BY_EXPLOIT,
    MOVE_BY_KEY,
    EXFILTRATE,
    DESTROY,
) = range(len(TECHNIQUES))
_NOTICED: Final = 0.2  # chance that a minute of a transfer is noticed
_INNER: Final = 64  # inner hosts that a sweep reaches at most


@compiled
def perform(s: State, a: int, technique: int, target: int) -> bool:
    """Whether the move was possible; then it was made, successful or not."""
    if technique == SCAN:
        return _scan(s, a)
    if target < 0 or target >= s.hosts:
        return False
    if technique == PROBE or technique == EXPLOIT or technique == PHISH:
        return _from_outside(s, a, technique, target)
    if technique == MOVE_BY_EXPLOIT or technique == MOVE_BY_KEY:
        return _sideways(s, a, technique, target)
    if s.host[target, LEVEL] == CLEAN or not is_free(s, target):
        return False
    if technique == ESCALATE:
        return _escalate(s, a, target)
    if technique == STEAL_KEYS:
        return _steal_keys(s, a, target)
    return _strike(s, a, technique, target)


# ---------------------------------------------------------------- what is in the way


@compiled
def is_free(s: State, host: int) -> bool:
    """Not isolated."""
    return not holds(s, host)


@compiled
def is_blocked(s: State, a: int) -> bool:
    """Whether the address it comes from is blocked."""
    for slot in range(s.slots):
        if s.indicator[slot, ADDRESS] == s.address[a]:
            return holds(s, first_indicator(s) + slot)
    return False


@compiled
def is_channel_up(s: State, a: int) -> bool:
    """Whether it commands what it holds; an insider needs no address."""
    return s.address[a] == 0 or not is_blocked(s, a)


@compiled
def reaches(s: State, source: int, target: int) -> bool:
    """Whether the network lets one host open a connection to another."""
    here, there = int(s.zone_of[source]), int(s.zone_of[target])
    return here == there or int(s.site_zone[here, REACH]) >> there & 1 != 0


@compiled
def key_for(s: State, target: int) -> int:
    """A stolen credential that opens the host and is not revoked; -1: there is none."""
    count = int(s.credentials)
    if count == 0:
        return -1
    start = throw(s, count)
    for k in range(count):
        c = (start + k) % count
        if s.stolen[c] > 0 and _opens(s, c, target) and not _is_revoked(s, c):
            return c
    return -1


@compiled
def _opens(s: State, c: int, host: int) -> bool:
    for k in range(OPENS):
        if s.site_credential[c, OPENED + k] == host:
            return True
    return False


@compiled
def _is_revoked(s: State, c: int) -> bool:
    return holds(s, first_credential(s) + c)


@compiled
def _peer(s: State, a: int) -> int:
    return 0 if s.address[a] == 0 else int(s.address[a]) | HOSTILE_BIT


# ---------------------------------------------------------------- the moves


@compiled
def _scan(s: State, a: int) -> bool:
    if not is_channel_up(s, a):
        return False
    share = uniform(s, 0.5, 1.1) * s.temper[a, NOISE]
    hosts = int(s.hosts)
    for host in range(hosts):
        if s.site_host[host, EXPOSED] > 0 and is_free(s, host):
            report(s, rules.SCAN, host, _peer(s, a), -1, 0, share)
    if happens(s, 0.45):  # what the firewall lets through reaches inner machines, too
        inner = min(_INNER, int(hosts * uniform(s, 0.2, 1.0)))
        for _ in range(inner):
            host = throw(s, hosts)
            if is_free(s, host):
                report(s, rules.SCAN, host, _peer(s, a), -1, 0, share)
    return True


@compiled
def _from_outside(s: State, a: int, technique: int, target: int) -> bool:
    if not is_channel_up(s, a) or not is_free(s, target):
        return False
    noise = s.temper[a, NOISE]
    if technique == PHISH:
        if s.site_host[target, ROLE] != WORKSTATION:
            return False
        report(s, rules.PHISHING, target, _peer(s, a), -1, 0, noise)
        if happens(s, s.temper[a, PHISHES]):
            take(s, a, target)
        return True
    if s.site_host[target, EXPOSED] == 0:
        return False
    s.actor[a, TARGET] = target
    if technique == PROBE:
        report(s, rules.PROBE, target, _peer(s, a), -1, 0, noise)
        return True
    report(s, rules.EXPLOIT, target, _peer(s, a), -1, 0, noise)
    if happens(s, s.temper[a, EXPLOITS]):
        take(s, a, target)
    return True


@compiled
def _sideways(s: State, a: int, technique: int, target: int) -> bool:
    base = int(s.actor[a, BASE])
    if base < 0 or not is_free(s, base) or not is_channel_up(s, a):
        return False
    if s.host[base, LEVEL] == CLEAN or not is_free(s, target):
        return False
    if base == target or not reaches(s, base, target):
        return False
    key, chance = -1, s.temper[a, EXPLOITS]
    share = uniform(s, 0.7, 1.4)
    if technique == MOVE_BY_KEY:
        key, chance = key_for(s, target), 1.0
        if key < 0:
            return False
        share = uniform(s, 0.4, 0.8)
    s.actor[a, TARGET] = target
    report(s, rules.LATERAL, target, -1 - base, key, 0, share * s.temper[a, NOISE])
    if happens(s, chance):
        take(s, a, target)
    return True


@compiled
def take(s: State, a: int, host: int) -> None:
    """A foothold."""
    if s.host[host, LEVEL] == CLEAN:
        s.host[host, LEVEL] = FOOTHOLD
        s.metric[HOSTS_TAKEN] += 1
    if s.metric[ENTERED_AT] < 0:
        s.metric[ENTERED_AT] = s.minute
    s.actor[a, BASE] = host
    s.actor[a, TARGET] = -1
    s.actor[a, PHASE] = INSIDE
    s.moved = 1


@compiled
def _escalate(s: State, a: int, host: int) -> bool:
    if not is_channel_up(s, a) or s.host[host, LEVEL] >= ROOT:
        return False
    share = uniform(s, 0.6, 1.3) * s.temper[a, NOISE]
    report(s, rules.ESCALATION, host, 0, -1, 0, share)
    s.host[host, LEVEL] = ROOT
    s.moved = 1
    return True


@compiled
def _steal_keys(s: State, a: int, host: int) -> bool:
    """One of the keys that open this machine, or that its user has."""
    if not is_channel_up(s, a) or s.host[host, LEVEL] < ROOT:
        return False
    s.host[host, ROBBED] = 1
    count = int(s.credentials)
    found = -1
    if count > 0:
        start = throw(s, count)
        for k in range(count):
            c = (start + k) % count
            owner = int(s.site_credential[c, OWNER])
            lies_here = owner >= 0 and s.site_user[owner, HOST] == host
            if s.stolen[c] == 0 and (lies_here or _opens(s, c, host)):
                found = c
                break
    report(s, rules.THEFT_OF_KEYS, host, 0, found, 0, s.temper[a, NOISE])
    if found >= 0:
        s.stolen[found] = 1
    return True


@compiled
def _strike(s: State, a: int, technique: int, host: int) -> bool:
    """Takes data out, or destroys; after enough of it the intruder is done."""
    if technique == EXFILTRATE:
        if not is_channel_up(s, a):
            return False
        if happens(s, _NOTICED):
            report(s, rules.TRANSFER, host, _peer(s, a), -1, 1, 0.6 * s.temper[a, NOISE])
    elif technique == DESTROY:
        report(s, rules.DESTRUCTION, host, 0, -1, 0, s.temper[a, NOISE])
    else:
        return False
    s.actor[a, STRIKES] -= 1
    done = s.actor[a, STRIKES] <= 0
    if technique == DESTROY or done:
        if s.host[host, LEVEL] != LOST:
            s.metric[HOSTS_LOST] += 1
        s.host[host, LEVEL] = LOST
        s.actor[a, GOAL] = host
        s.moved = 1
    if done:
        s.over = 1
    return True
