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
    CREDENTIALS,
    EXPOSED,
    HOST,
    HOSTS,
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
    MINUTE,
    MOVED,
    NOISE,
    OVER,
    PHASE,
    PHISHES,
    ROBBED,
    ROOT,
    SITE,
    SLOTS,
    STRIKES,
    TARGET,
    World,
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
_INNER: Final = 64  # inner hosts that a sweep reaches at most


@compiled
def perform(w: World, e: int, a: int, technique: int, target: int) -> bool:
    """Whether the move was possible; then it was made, successful or not."""
    if technique == SCAN:
        return _scan(w, e, a)
    if target < 0 or target >= w.sites.size[w.state[e, SITE], HOSTS]:
        return False
    if technique == PROBE or technique == EXPLOIT or technique == PHISH:
        return _from_outside(w, e, a, technique, target)
    if technique == MOVE_BY_EXPLOIT or technique == MOVE_BY_KEY:
        return _sideways(w, e, a, technique, target)
    if w.host[e, target, LEVEL] == CLEAN or not is_free(w, e, target):
        return False
    if technique == ESCALATE:
        return _escalate(w, e, a, target)
    if technique == STEAL_KEYS:
        return _steal_keys(w, e, a, target)
    return _strike(w, e, a, technique, target)


# ---------------------------------------------------------------- what is in the way


@compiled
def is_free(w: World, e: int, host: int) -> bool:
    """Not isolated."""
    return not holds(w, e, host)


@compiled
def is_blocked(w: World, e: int, a: int) -> bool:
    """Whether the address it comes from is blocked."""
    for slot in range(w.state[e, SLOTS]):
        if w.indicator[e, slot, ADDRESS] == w.address[e, a]:
            return holds(w, e, first_indicator(w) + slot)
    return False


@compiled
def is_channel_up(w: World, e: int, a: int) -> bool:
    """Whether it commands what it holds; an insider needs no address."""
    return w.address[e, a] == 0 or not is_blocked(w, e, a)


@compiled
def reaches(w: World, e: int, source: int, target: int) -> bool:
    """Whether the network lets one host open a connection to another."""
    site = w.state[e, SITE]
    here, there = int(w.zone_of[e, source]), int(w.zone_of[e, target])
    return here == there or int(w.sites.zone[site, here, REACH]) >> there & 1 != 0


@compiled
def key_for(w: World, e: int, target: int) -> int:
    """A stolen credential that opens the host and is not revoked; -1: there is none."""
    site = w.state[e, SITE]
    count = int(w.sites.size[site, CREDENTIALS])
    if count == 0:
        return -1
    start = throw(w, e, count)
    for k in range(count):
        c = (start + k) % count
        if w.stolen[e, c] > 0 and _opens(w, e, c, target) and not _is_revoked(w, e, c):
            return c
    return -1


@compiled
def _opens(w: World, e: int, c: int, host: int) -> bool:
    for k in range(OPENS):
        if w.sites.credential[w.state[e, SITE], c, OPENED + k] == host:
            return True
    return False


@compiled
def _is_revoked(w: World, e: int, c: int) -> bool:
    return holds(w, e, first_credential(w) + c)


@compiled
def _peer(w: World, e: int, a: int) -> int:
    return 0 if w.address[e, a] == 0 else int(w.address[e, a]) | HOSTILE_BIT


# ---------------------------------------------------------------- the moves


@compiled
def _scan(w: World, e: int, a: int) -> bool:
    if not is_channel_up(w, e, a):
        return False
    site, share = w.state[e, SITE], uniform(w, e, 0.5, 1.1) * w.temper[e, a, NOISE]
    hosts = int(w.sites.size[site, HOSTS])
    for host in range(hosts):
        if w.sites.host[site, host, EXPOSED] > 0 and is_free(w, e, host):
            report(w, e, rules.SCAN, host, _peer(w, e, a), -1, 0, share)
    if happens(w, e, 0.45):  # what the firewall lets through reaches inner machines, too
        inner = min(_INNER, int(hosts * uniform(w, e, 0.2, 1.0)))
        for _ in range(inner):
            host = throw(w, e, hosts)
            if is_free(w, e, host):
                report(w, e, rules.SCAN, host, _peer(w, e, a), -1, 0, share)
    return True


@compiled
def _from_outside(w: World, e: int, a: int, technique: int, target: int) -> bool:
    site = w.state[e, SITE]
    if not is_channel_up(w, e, a) or not is_free(w, e, target):
        return False
    noise = w.temper[e, a, NOISE]
    if technique == PHISH:
        if w.sites.host[site, target, ROLE] != WORKSTATION:
            return False
        report(w, e, rules.PHISHING, target, _peer(w, e, a), -1, 0, noise)
        if happens(w, e, w.temper[e, a, PHISHES]):
            take(w, e, a, target)
        return True
    if w.sites.host[site, target, EXPOSED] == 0:
        return False
    w.actor[e, a, TARGET] = target
    if technique == PROBE:
        report(w, e, rules.PROBE, target, _peer(w, e, a), -1, 0, noise)
        return True
    report(w, e, rules.EXPLOIT, target, _peer(w, e, a), -1, 0, noise)
    if happens(w, e, w.temper[e, a, EXPLOITS]):
        take(w, e, a, target)
    return True


@compiled
def _sideways(w: World, e: int, a: int, technique: int, target: int) -> bool:
    base = int(w.actor[e, a, BASE])
    if base < 0 or not is_free(w, e, base) or not is_channel_up(w, e, a):
        return False
    if w.host[e, base, LEVEL] == CLEAN or not is_free(w, e, target):
        return False
    if base == target or not reaches(w, e, base, target):
        return False
    key, chance = -1, w.temper[e, a, EXPLOITS]
    share = uniform(w, e, 0.7, 1.4)
    if technique == MOVE_BY_KEY:
        key, chance = key_for(w, e, target), 1.0
        if key < 0:
            return False
        share = uniform(w, e, 0.4, 0.8)
    w.actor[e, a, TARGET] = target
    report(w, e, rules.LATERAL, target, -1 - base, key, 0, share * w.temper[e, a, NOISE])
    if happens(w, e, chance):
        take(w, e, a, target)
    return True


@compiled
def take(w: World, e: int, a: int, host: int) -> None:
    """A foothold."""
    if w.host[e, host, LEVEL] == CLEAN:
        w.host[e, host, LEVEL] = FOOTHOLD
        w.metric[e, HOSTS_TAKEN] += 1
    if w.metric[e, ENTERED_AT] < 0:
        w.metric[e, ENTERED_AT] = w.state[e, MINUTE]
    w.actor[e, a, BASE] = host
    w.actor[e, a, TARGET] = -1
    w.actor[e, a, PHASE] = INSIDE
    w.state[e, MOVED] = 1


@compiled
def _escalate(w: World, e: int, a: int, host: int) -> bool:
    if not is_channel_up(w, e, a) or w.host[e, host, LEVEL] >= ROOT:
        return False
    share = uniform(w, e, 0.6, 1.3) * w.temper[e, a, NOISE]
    report(w, e, rules.ESCALATION, host, 0, -1, 0, share)
    w.host[e, host, LEVEL] = ROOT
    w.state[e, MOVED] = 1
    return True


@compiled
def _steal_keys(w: World, e: int, a: int, host: int) -> bool:
    """One of the keys that open this machine, or that its user has."""
    if not is_channel_up(w, e, a) or w.host[e, host, LEVEL] < ROOT:
        return False
    w.host[e, host, ROBBED] = 1
    site = w.state[e, SITE]
    count = int(w.sites.size[site, CREDENTIALS])
    found = -1
    if count > 0:
        start = throw(w, e, count)
        for k in range(count):
            c = (start + k) % count
            owner = int(w.sites.credential[site, c, OWNER])
            lies_here = owner >= 0 and w.sites.user[site, owner, HOST] == host
            if w.stolen[e, c] == 0 and (lies_here or _opens(w, e, c, host)):
                found = c
                break
    report(w, e, rules.THEFT_OF_KEYS, host, 0, found, 0, w.temper[e, a, NOISE])
    if found >= 0:
        w.stolen[e, found] = 1
    return True


@compiled
def _strike(w: World, e: int, a: int, technique: int, host: int) -> bool:
    """Takes data out, or destroys; after enough of it the intruder is done."""
    if technique == EXFILTRATE:
        if not is_channel_up(w, e, a):
            return False
        peer = _peer(w, e, a)
        report(w, e, rules.TRANSFER, host, peer, -1, 1, 0.6 * w.temper[e, a, NOISE])
    elif technique == DESTROY:
        report(w, e, rules.DESTRUCTION, host, 0, -1, 0, w.temper[e, a, NOISE])
    else:
        return False
    w.actor[e, a, STRIKES] -= 1
    done = w.actor[e, a, STRIKES] <= 0
    if technique == DESTROY or done:
        if w.host[e, host, LEVEL] != LOST:
            w.metric[e, HOSTS_LOST] += 1
        w.host[e, host, LEVEL] = LOST
        w.actor[e, a, GOAL] = host
        w.state[e, MOVED] = 1
    if done:
        w.state[e, OVER] = 1
    return True
