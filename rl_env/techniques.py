"""What an intruder can do, move by move, and what the sensors make of it.

Each technique stands for MITRE ATT&CK tactics. A move that containment or the site does not allow
does nothing. Whoever moves, scripted (`rl_env.intruders`) or learned, moves through `perform`.
"""

from __future__ import annotations

from typing import Final

from policies.compiled import compiled
from rl_env import rules
from rl_env.containment import holds
from rl_env.parameters import PLACES as AT
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
    MOVES_AT,
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
    whole,
)

__all__ = [
    "TECHNIQUES",
    "is_blocked",
    "is_channel_up",
    "is_free",
    "is_possible",
    "perform",
    "reaches",
    "take",
]

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
    "change_address",  # Resource Development: when the one it comes from is blocked
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
    CHANGE_ADDRESS,
) = range(len(TECHNIQUES))
_NOTICED: Final = 0.2  # chance that a minute of a transfer is noticed
_INNER_CHANCE: Final = 0.45
_INNER: Final = 64  # inner hosts that a sweep reaches at most


@compiled
def perform(s: State, a: int, technique: int, target: int) -> bool:
    """Whether the move was possible; then it was made, successful or not."""
    if not is_possible(s, a, technique, target):
        return False
    if technique == SCAN:
        _scan(s, a)
    elif technique <= PHISH:
        _enter(s, a, technique, target)
    elif technique == ESCALATE:
        _escalate(s, a, target)
    elif technique == STEAL_KEYS:
        _steal_keys(s, a, target)
    elif technique <= MOVE_BY_KEY:
        _spread(s, a, technique, target)
    elif technique <= DESTROY:
        _strike(s, a, technique, target)
    else:
        minutes = whole(s, AT.attackers_address_change_minutes_low)
        s.actor[a, MOVES_AT] = s.minute + minutes
    return True


@compiled
def is_possible(s: State, a: int, technique: int, target: int) -> bool:
    """Whether the site and containment let the actor make this move now."""
    if technique == CHANGE_ADDRESS:
        return s.address[a] != 0 and is_blocked(s, a) and s.actor[a, MOVES_AT] == 0
    if technique == SCAN:
        return is_channel_up(s, a)
    if technique <= WAIT or technique > DESTROY or target < 0 or target >= s.hosts:
        return False
    if not is_free(s, target) or (technique != DESTROY and not is_channel_up(s, a)):
        return False
    level = s.host[target, LEVEL]
    if technique == PHISH:
        return s.site_host[target, ROLE] == WORKSTATION
    if technique <= EXPLOIT:
        return s.site_host[target, EXPOSED] > 0
    if technique in (MOVE_BY_EXPLOIT, MOVE_BY_KEY):
        base = int(s.actor[a, BASE])
        if base < 0 or base == target or s.host[base, LEVEL] == CLEAN:
            return False
        if not is_free(s, base) or not reaches(s, base, target):
            return False
        return technique == MOVE_BY_EXPLOIT or key_for(s, target) >= 0
    if technique == ESCALATE:
        return level == FOOTHOLD
    return level >= ROOT if technique == STEAL_KEYS else level > CLEAN


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
    for c in range(s.credentials):
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
def _scan(s: State, a: int) -> None:
    share = uniform(s, 0.5, 1.1) * s.temper[a, NOISE]
    for host in range(s.hosts):
        if s.site_host[host, EXPOSED] > 0 and is_free(s, host):
            report(s, rules.SCAN, host, _peer(s, a), -1, 0, share)
    if happens(s, _INNER_CHANCE):  # what the firewall lets through reaches inner machines, too
        for _ in range(min(_INNER, int(s.hosts * uniform(s, 0.2, 1.0)))):
            host = throw(s, int(s.hosts))
            if is_free(s, host):
                report(s, rules.SCAN, host, _peer(s, a), -1, 0, share)


@compiled
def _enter(s: State, a: int, technique: int, target: int) -> None:
    """Probes an exposed host, exploits it, or sends its user something."""
    peer, noise = _peer(s, a), s.temper[a, NOISE]
    s.actor[a, TARGET] = target
    if technique == PROBE:
        report(s, rules.PROBE, target, peer, -1, 0, noise)
    elif technique == EXPLOIT:
        report(s, rules.EXPLOIT, target, peer, -1, 0, noise)
        if happens(s, s.temper[a, EXPLOITS]):
            take(s, a, target)
    else:
        report(s, rules.PHISHING, target, peer, -1, 0, noise)
        s.actor[a, TARGET] = -1
        if happens(s, s.temper[a, PHISHES]):
            take(s, a, target)


@compiled
def _spread(s: State, a: int, technique: int, target: int) -> None:
    """From its base to another host, by exploit or by key."""
    key, chance, share = -1, s.temper[a, EXPLOITS], uniform(s, 0.7, 1.4)
    if technique == MOVE_BY_KEY:
        key, chance, share = key_for(s, target), 1.0, uniform(s, 0.4, 0.8)
    s.actor[a, TARGET] = target
    peer = -1 - int(s.actor[a, BASE])
    report(s, rules.LATERAL, target, peer, key, 0, share * s.temper[a, NOISE])
    if happens(s, chance):
        take(s, a, target)


@compiled
def take(s: State, a: int, host: int) -> None:
    """A foothold, from which it goes on."""
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
def _escalate(s: State, a: int, host: int) -> None:
    share = uniform(s, 0.6, 1.3) * s.temper[a, NOISE]
    report(s, rules.ESCALATION, host, 0, -1, 0, share)
    s.host[host, LEVEL] = ROOT
    s.moved = 1


@compiled
def _steal_keys(s: State, a: int, host: int) -> None:
    """One of the keys that open this machine, or that its user has."""
    s.host[host, ROBBED] = 1
    found, count = -1, int(s.credentials)
    if count > 0:
        start = throw(s, count)
        for k in range(count):
            c = (start + k) % count
            if s.stolen[c] == 0 and (_lies_on(s, c, host) or _opens(s, c, host)):
                found = c
                break
    report(s, rules.THEFT_OF_KEYS, host, 0, found, 0, s.temper[a, NOISE])
    if found >= 0:
        s.stolen[found] = 1


@compiled
def _lies_on(s: State, c: int, host: int) -> bool:
    owner = int(s.site_credential[c, OWNER])
    return owner >= 0 and s.site_user[owner, HOST] == host


@compiled
def _strike(s: State, a: int, technique: int, host: int) -> None:
    """A minute of taking data out, or of destroying; after enough of them the intruder is done."""
    if technique == DESTROY:
        report(s, rules.DESTRUCTION, host, 0, -1, 0, s.temper[a, NOISE])
    elif happens(s, _NOTICED):
        report(s, rules.TRANSFER, host, _peer(s, a), -1, 1, 0.6 * s.temper[a, NOISE])
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
