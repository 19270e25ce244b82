"""The state of one environment as a record, and a batch as an array of records.

Every rule of the simulation is a scalar function of a `State`. Whatever is true of an environment
is in there, its dice and its site included, so environments depend neither on one another nor on
how many there are; compiled code is handed one pointer. The constants name places in the last axis
of an array; times are minutes of the episode unless said otherwise.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from policies.actions import Kind
from policies.columns import (
    CONTEXT_COLUMNS,
    CRITICALITY,
    ENTITY_COLUMNS,
    KIND,
    PROTECTED,
    VERBS,
)
from policies.compiled import compiled
from rl_env import dice
from rl_env.site import CREDENTIALS, HOSTS, MEMBERS, Sites

__all__ = ["ACTORS", "RULES", "State", "plain", "templates"]

Ints = NDArray[np.int32]
State = Any  # a record of `_record`: numba and numpy both know its fields by name

ACTORS: Final = 4  # the intruder, and those who only scan
INTRUDER: Final = 0
RULES: Final = 192  # of the sensors at most; three words of bits
CELLS: Final = 12  # kind x criticality
OCTAVES: Final = 14  # rates of the background, from once a window to once in 8,192
WAITING: Final = 32  # alerts that may be on their way
TICKS: Final = 65_536  # per minute
NEVER: Final = 1 << 30
ZONES_STALE: Final = 1 << CELLS  # of `stale`: zones and pools have to be asked anew
ALL_STALE: Final = 1 << (CELLS + 1)  # and everything, and be shown of all entities

QUIET, SCANNED, ATTACKED = range(3)  # stories
# host[h, ...]
LEVEL, ROBBED = range(2)  # how far taken over; keys were looked for on it
CLEAN, FOOTHOLD, ROOT, LOST = range(4)  # levels
# row[r, ...] of each entity: hosts, then credentials, then indicators
(
    CELL,  # of the guardrails
    GUARDED,  # protected
    STARTS,  # enforcement of the order
    ENDS,  # the order; 0: there is none
    BEGAN,  # the order was given
    QUESTION,  # NONE, ACT or RELEASE
    ASKED,
    ANSWERS,  # when operators answer
    AGREES,  # what they answer
    DUE,  # when what they agreed to may be done; NEVER while they have not answered
    REFUSED_UNTIL,  # not asked again before
    LISTED,  # in `active`
    WHEN,  # something of it is due next
) = range(13)
NONE, ACT, RELEASE = range(3)
# indicator[i, ...]
ADDRESS, HOSTILE, REACHED, LAST = range(4)
# rule[k, ...]
STAGE, SORT, REMOTE, TACTIC = range(4)
SIGNATURE, THRESHOLD, ANOMALY = range(3)  # sorts
# cell[c, ...] of the guardrails; times are minutes
(
    ALLOWED,
    LEASABLE,
    QUORUM,
    DELAY,
    TTL,  # that the agent asks for
    MAX_TTL,
    BUDGET,
    MOST,  # orders at once
    LIVE,  # orders that count
    USED,  # of the budget
    OPEN,  # neither the rule nor the budget refuses
    UNLIMITED,  # one order more may live
    LEASED,  # the lease covers it
) = range(13)
# actor[a, ...]
(
    PROFILE,
    PHASE,  # GONE, OUTSIDE or INSIDE
    NEXT,  # move
    BASE,  # host it works from; -1: none
    TARGET,  # host it works on; -1: none
    GOAL,  # host it wants
    WAY,  # into the site
    HOPS,  # still wanted before the goal
    ROUNDS,  # of scanning or probing still to come
    STRIKES,  # at the goal still to come
    GIVES_UP,  # when it stops waiting for what is contained
    MOVES_AT,  # when it has another address
    NOTICED,  # what was contained of it
) = range(13)
GONE, OUTSIDE, INSIDE = range(3)
# temper[a, ...] of an actor
(
    PACE,  # minutes between moves, as a share of the usual ones
    NOISE,  # share of the rules that answer to it
    EXPLOITS,  # chance that an exploit works
    PHISHES,  # that somebody is taken in
    STEALS,  # that it looks for keys
    MOVES,  # that it comes from elsewhere when its address is blocked
    RETURNS,  # that it tries again when all is lost
    BEACONS,  # that its channel is seen, per minute
    PATIENCE,  # minutes
    DWELL,  # usual minutes between moves
) = range(10)
# term[...] of the reward
HARM_TERM, SERVICE_TERM, EFFORT_TERM, CHAIN_TERM = range(4)
# metric[...]: ground truth of an episode
(
    PROPOSALS,
    APPROVALS_ASKED,
    QUESTIONS,
    BLOCKS,
    FALSE_BLOCKS,
    ISOLATIONS,
    FALSE_ISOLATIONS,
    REVOCATIONS,
    FALSE_REVOCATIONS,
    RELEASES,
    HOSTS_TAKEN,
    HOSTS_LOST,
    MINUTES_COMPROMISED,
    SERVICE_MINUTES,
    ENTERED_AT,
    CONTAINED_AFTER,
) = range(16)

_ASKED = 168  # rules that there are, to whole words
_SHORT, _INT, _LONG, _WORD = np.int16, np.int32, np.int64, np.uint64
_FLOAT, _SHOWN = np.float64, np.float32

_NUMBERS = (
    "minute",
    "epoch",  # Unix seconds at minute 0
    "site",  # which of the sites
    "hosts",  # how many there are
    "credentials",
    "users",
    "zones",
    "partners",
    "shields",
    "pools",
    "story",  # QUIET, SCANNED or ATTACKED
    "windows",  # learned
    "history",  # of them before the episode
    "fresh_count",  # entries of `fresh`
    "slots",  # of indicators that were ever used
    "unsorted",  # how totals moved since neighbours were compared, see rl_env.seeing
    "stale",  # bits of the cells that have to be asked anew, then ZONES_STALE and ALL_STALE
    "blurred",  # the context has to be written anew
    "moved",  # takeover or containment changed: harm and service have to be reckoned anew
    "active_count",  # entries of `active`
    "pending",  # questions that wait, for people or for a delay
    "standing",  # orders
    "next_due",  # when something of them is due
    "next_edge",  # when a window of budgets, the lease or a zone's rule ends or begins
    "noise_at",  # next alert of the background, in ticks
    "noise_gap",  # ticks between two of them, on average
    "noise_weight",  # of all sources
    "upkeep_at",  # next piece of maintenance
    "upkeep_gap",  # ticks between two of them, on average
    "upkeep_host",
    "upkeep_activity",
    "upkeep_parts",  # still to come of the present piece
    "upkeep_share",  # of each part, in 1 / 256
    "scan_at",  # next scanner
    "scan_gap",  # ticks between two of them, on average
    "silent_sort",  # of sensors
    "silent_from",
    "silent_until",
    "waiting",  # entries of `late`
    "told",  # entries of `journal`
    "lag",  # minutes from order to enforcement
    "answers",  # of operators, so far
    "over",  # the intruder reached its goal
    "lease_until",
    "lease_worst",  # criticality
    "lease_ttl",
    "zones_open",  # bits of the zones of which one asset more may be isolated
    "zones_frozen",
    "zones_at_work",  # in their change window
    "pools_open",
    "move_technique",  # that the intruder is told; -1: it decides by itself
    "move_target",
)
_AMOUNTS = (
    "harm",  # reward per minute as things stand
    "lost_work",  # users who cannot work
    "machines_lost",  # reward per minute for what machines need and do not reach
    "compromised",  # hosts taken over and not isolated
    "detection",  # share of what sensors could see that they see
    "overlap",  # chance that a rule answers to an activity that is not its own
    "delay_chance",  # of alerts that come late
    "upkeep_seen",  # share of past windows with a given rule of maintenance, per host
    "scan_seen",  # and with a given rule of scanning, per exposed host
    "youth",  # 1 at a site just set up, towards 0
    "work_from",  # hour of the day
    "work_until",
    "answer_median",  # minutes operators take
    "answer_spread",  # of the logarithm
    "fatigue",  # slower by this share for each question lately
    "stamps",  # chance more, for each question lately, to approve without a look
    "busy",  # slower by this share for other work
    "night",  # and by this factor at night
    "approves_right",  # chance to approve what is needed
    "approves_wrong",  # and what is not
    "trust",  # weight of the evidence shown, against their own look
    "lapses",  # chance never to answer
    "tired",  # questions lately
    "tired_at",
    "answer_minutes",  # recent mean
    "approval_share",  # recent share
)


_TABLES = {"host": _SHORT, "credential": _SHORT, "user": _SHORT, "zone": _INT, "pool": _SHORT}


def _site_fields(sites: Sites) -> list[tuple[Any, ...]]:
    """What an environment has of its site."""
    return [
        ("zone_of", _INT, sites.zones.shape[1:]),
        *((f"site_{name}", kind, getattr(sites, name).shape[1:]) for name, kind in _TABLES.items()),
        *(
            (f"site_{name}", _LONG, getattr(sites, name).shape[1:])
            for name in ("partner", "shield")
        ),
    ]


def _record(sites: Sites, dials: int, trace: int) -> np.dtype[Any]:
    """`N` hosts, `C` credentials and `I` indicators at most make `R = N + C + I` rows."""
    hosts, credentials = sites.host.shape[1], sites.credential.shape[1]
    zones, pools = sites.zone.shape[1], sites.pool.shape[1]
    indicators = 16 if hosts <= 128 else 32
    rows, words = hosts + credentials + indicators, RULES // 64
    fields: list[tuple[Any, ...]] = [
        ("key", _WORD),  # of the dice
        ("count", _WORD),  # throws
        *((name, _LONG) for name in _NUMBERS),
        *((name, _FLOAT) for name in _AMOUNTS),
        ("term", _FLOAT, (4,)),  # of the last step's reward
        ("metric", _FLOAT, (16,)),
        ("quietest", _FLOAT, (6,)),  # octaves of what speaks by itself, rarest and commonest
        ("lease_budget", _INT, (3,)),
        ("lease_left", _INT, (3,)),
        ("entities", _SHOWN, (len(ENTITY_COLUMNS), rows)),  # policies.columns; absent rows: zero
        ("context", _SHOWN, (len(CONTEXT_COLUMNS),)),
        ("mask", np.uint8, (1 + VERBS * rows,)),
        ("host", np.uint8, (hosts, 2)),
        ("row", _INT, (rows, 13)),
        ("active", _INT, (rows,)),  # rows with an order, a question or a refusal
        ("indicator", _LONG, (indicators, 3)),
        ("reached", _WORD, (indicators, (hosts + 63) // 64)),  # bits of hosts
        ("stolen", np.uint8, (credentials,)),
        ("rule", np.uint8, (RULES, 4)),
        ("anywhere", _INT, (RULES,)),  # windows of the past in which it spoke on some host
        ("source", _INT, (10 * hosts + 64,)),  # host * RULES + rule of the background, by octave
        ("octave", _INT, (OCTAVES,)),  # ends in `source`
        ("present", _WORD, (rows, words)),  # rules that spoke in the open window
        ("spoken", _WORD, (words,)),  # anywhere
        ("alerts", _INT, (rows,)),  # that came in the open window
        ("fresh", _INT, (6 * rows,)),  # row * RULES + rule, as they came
        ("learned", np.uint8, (hosts + credentials, _ASKED)),  # windows of the episode
        ("heard", _INT, (RULES,)),  # windows of the episode, anywhere
        ("late", _LONG, (WAITING, 8)),  # alerts on their way, see rl_env.sensors
        ("journal", _LONG, (max(1, trace), 8)),  # alerts as they were told
        ("strongest", _SHOWN, (zones + 1, 2)),
        ("isolated", _INT, (zones,)),  # how many assets of each zone
        ("pooled", _INT, (pools,)),  # how many members of each pool are isolated
        ("cell", _INT, (CELLS, 13)),
        ("actor", _INT, (ACTORS, 13)),
        ("temper", _FLOAT, (ACTORS, 10)),
        ("address", _LONG, (ACTORS,)),  # IPv4 they come from; zero: none
        ("dials", _FLOAT, (dials,)),  # the scenario's parameters, at PLACES
        *_site_fields(sites),
    ]
    return np.dtype(fields, align=True)


def templates(sites: Sites, dials: NDArray[np.float64], trace: int = 0) -> Any:
    """A record array [K]: a state at each site, before anything happened there; an episode begins
    as a copy of one. `trace`: alerts per minute that are kept for whoever reads them.
    """
    found = np.zeros(len(sites.size), _record(sites, len(dials), trace)).view(np.recarray)
    for k, name in enumerate(("hosts", "credentials", "users", "zones", "partners", "shields")):
        found[name] = sites.size[:, k]
    found["pools"] = (sites.pool[:, :, MEMBERS] > 0).sum(axis=1)
    found["site"] = np.arange(len(sites.size))
    found["zone_of"] = sites.zones
    for name in (*_TABLES, "partner", "shield"):
        found[f"site_{name}"] = getattr(sites, name)
    found["dials"] = dials
    found["mask"][:, 0] = 1
    found["metric"][:, [ENTERED_AT, CONTAINED_AFTER]] = -1.0
    found["next_due"] = NEVER
    found["stale"] = ALL_STALE
    found["blurred"] = found["moved"] = 1
    found["actor"][:, :, TARGET] = -1
    found["move_technique"] = -1
    _place(found, Kind.ISOLATE, 0, sites.size[:, HOSTS], sites.host[:, :, :2])
    first = sites.host.shape[1]
    _place(found, Kind.REVOKE, first, sites.size[:, CREDENTIALS], sites.credential[:, :, :2])
    return found


_KINDS: dict[np.dtype[Any], np.dtype[Any]] = {}


def plain(states: Any) -> Any:
    """The same memory without attributes, as numba takes it most quickly: of one dtype object for
    all of a kind, else it would compare their fields at each call.
    """
    return states.view(_KINDS.setdefault(states.dtype, states.dtype), np.ndarray)


def _place(found: Any, kind: Kind, first: int, count: Ints, what: Ints) -> None:
    """Entities of which criticality and protection are known, from row `first` on."""
    rows = slice(first, first + what.shape[1])
    real = np.arange(what.shape[1]) < count[:, None]
    criticality, guarded = np.where(real, what[:, :, 0], 0), np.where(real, what[:, :, 1], 0)
    found["row"][:, rows, CELL] = 4 * kind + criticality
    found["row"][:, rows, GUARDED] = guarded
    found["entities"][:, KIND + kind, rows] = real
    found["entities"][:, CRITICALITY, rows] = criticality / 3.0
    found["entities"][:, PROTECTED, rows] = guarded


@compiled
def throw(s: State, n: int) -> int:
    """A number from 0 to n - 1."""
    return dice.below(s, n)


@compiled
def uniform(s: State, low: float, high: float) -> float:
    return low + (high - low) * (float(dice.draw(s)) / 4294967296.0)


@compiled
def happens(s: State, probability: float) -> bool:
    return float(dice.draw(s)) < probability * 4294967296.0


@compiled
def between(s: State, place: int) -> float:
    """From the parameter's low end to its high end, which follows."""
    return uniform(s, s.dials[place], s.dials[place + 1])


@compiled
def whole(s: State, place: int) -> int:
    """The same for whole numbers, both ends included."""
    low = int(s.dials[place])
    return low + throw(s, int(s.dials[place + 1]) - low + 1)


@compiled
def spread(s: State, place: int) -> float:
    """The same, evenly by the logarithm."""
    return math.exp(uniform(s, math.log(s.dials[place]), math.log(s.dials[place + 1])))


@compiled
def of_site(s: State, one: int, other: int) -> float:
    """A number from 0 to 1 that belongs to these two in this episode."""
    return float(dice.hashed(s.key, one, other)) / 4294967296.0


@compiled
def first_credential(s: State) -> int:
    """Row of the first credential; hosts come before."""
    return s.host.shape[0]


@compiled
def first_indicator(s: State) -> int:
    return s.host.shape[0] + s.stolen.shape[0]
