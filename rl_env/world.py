"""The state of a batch of environments: arrays with one leading axis, that compiled code steps.

Every rule of the simulation is a scalar function of environment `e` of a `World`. Whatever is true
of an environment is in here, its dice included, so environments do not depend on one another, nor
on how many there are. The constants name places in the last axis of an array; times are minutes of
the episode unless said otherwise.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, VERBS
from policies.compiled import compiled
from rl_env import dice
from rl_env.site import Sites

__all__ = ["ACTORS", "RULES", "World", "allocate"]

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Words = NDArray[np.uint64]
Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

ACTORS: Final = 4  # the intruder, and those who only scan
INTRUDER: Final = 0
RULES: Final = 192  # of the sensors at most; three words of bits
CELLS: Final = 12  # kind x criticality
OCTAVES: Final = 14  # rates of the background, from once a window to once in 8,192
WAITING: Final = 64  # alerts that may be on their way
TICKS: Final = 65_536  # per minute
KINDS: Final = 3
NEVER: Final = 1 << 30

# state[e, ...]
(
    MINUTE,
    EPOCH,  # Unix seconds at minute 0
    SITE,  # index into Sites
    STORY,  # QUIET, SCANNED or ATTACKED
    WINDOWS,  # learned
    HISTORY,  # of them before the episode
    FRESH,  # entries of `fresh`
    SLOTS,  # of indicators that were ever used
    UNSORTED,  # neighbours have to be compared anew
    STALE,  # the rules have to be asked anew
    BLURRED,  # the context has to be written anew
    MOVED,  # takeover or containment changed: harm and service have to be reckoned anew
    ACTIVE,  # entries of `active`
    NEXT_DUE,  # when something of them is due
    NEXT_EDGE,  # when a window of budgets, the lease or a zone's rule ends or begins
    NOISE_AT,  # next alert of the background, in ticks
    NOISE_GAP,  # ticks between two of them, on average
    NOISE_WEIGHT,  # of all sources
    UPKEEP_AT,  # next piece of maintenance
    UPKEEP_GAP,  # ticks between two of them, on average
    UPKEEP_HOST,
    UPKEEP_ACTIVITY,
    UPKEEP_PARTS,  # still to come of the present piece
    UPKEEP_SHARE,  # of each part, in 1 / 256
    SCAN_AT,  # next scanner
    SCAN_GAP,  # ticks between two of them, on average
    SILENT_SORT,  # of sensors
    SILENT_FROM,
    SILENT_UNTIL,
    WAITING_ALERTS,
    LAG,  # minutes from order to enforcement
    TOLD,  # entries of `trace`
    OVER,  # the intruder reached its goal
) = range(33)
QUIET, SCANNED, ATTACKED = range(3)

# host[e, h, ...]
LEVEL, ROBBED = range(2)  # how far taken over; keys were looked for on it
CLEAN, FOOTHOLD, ROOT, LOST = range(4)  # levels
# row[e, r, ...] of each entity: hosts, then credentials, then indicators
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
) = range(12)
NONE, ACT, RELEASE = range(3)
# indicator[e, i, ...]
ADDRESS, HOSTILE, REACHED, LAST = range(4)
# rule[e, k, ...]
STAGE, SORT, REMOTE, ANYWHERE, TACTIC = range(5)
SIGNATURE, THRESHOLD, ANOMALY = range(3)  # sorts
# cell[e, c, ...] of the guardrails; times are minutes
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
# lease[e, ...]
LEASE_UNTIL, LEASE_WORST, LEASE_TTL, LEASE_BUDGET, LEASE_LEFT = 0, 1, 2, 3, 6
# actor[e, a, ...]
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
# temper[e, a, ...] of an actor
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
# mind[e, ...] of the operators
(
    MEDIAN,  # minutes to answer
    SPREAD,  # of the logarithm
    FATIGUE,  # slower by this share for each question lately
    STAMP,  # chance more, for each question lately, to approve without a look
    BUSY,  # slower by this factor for other work
    NIGHT,  # and by this one at night
    RIGHT,  # chance to approve what is needed
    WRONG,  # and what is not
    TRUST,  # weight of the evidence shown, against their own look
    LAPSE,  # chance never to answer
    TIRED,  # questions lately
    TIRED_AT,
    ANSWER,  # recent mean of minutes to answer
    SHARE,  # recent share of approvals
) = range(14)
# rate[e, ...]
(
    HARM,  # reward per minute as things stand
    SERVICE,
    LOST_WORK,  # users who cannot work, as things stand
    KEYS_LOST,  # reward per minute for revoked keys of services
    COMPROMISED,  # hosts taken over and not isolated
    DETECTION,
    OVERLAP,
    DELAY_CHANCE,
    UPKEEP_SEEN,  # share of past windows with a given rule of maintenance, per host
    SCAN_SEEN,  # and with a given rule of scanning, per exposed host
    YOUTH,  # 1 at a site just set up, towards 0
    WORK_FROM,  # hour of the day
    WORK_UNTIL,
    QUIETEST,  # octaves of what speaks by itself, the most and the least: noise, logins, scans
) = range(14)
# term[e, ...] of the reward
HARM_TERM, SERVICE_TERM, EFFORT_TERM, CHAIN_TERM = range(4)
# metric[e, ...]: ground truth of an episode
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


class World(NamedTuple):
    """`B` environments over the same sites: of `N` hosts, `C` credentials and `I` indicators at
    most, so `R = N + C + I` rows.
    """

    sites: Sites  # shared by all, never written
    dials: Floats  # the scenario's parameters, at PLACES; shared, never written
    entities: Rows  # [B, R, len(ENTITY_COLUMNS)] as policies.columns has them; absent rows are zero
    context: Rows  # [B, len(CONTEXT_COLUMNS)]
    mask: NDArray[np.bool_]  # [B, 1 + VERBS * R]
    term: Floats  # [B, 4] of the last step's reward
    metric: Floats  # [B, 16]
    keys: Words  # [B] of the dice
    counts: Words  # [B] throws
    state: Longs  # [B, 33]
    zone_of: Ints  # [B, N] as in `sites`
    host: Ints  # [B, N, 2]
    row: Ints  # [B, R, 12]
    active: Ints  # [B, R] rows with an order, a question or a refusal
    indicator: Longs  # [B, I, 4]
    reached: Words  # [B, I, N / 64] bits of the hosts an indicator reached
    stolen: NDArray[np.uint8]  # [B, C]
    rule: Ints  # [B, RULES, 5]
    source: Ints  # [B, S, 3] host and rule of the background, by octave; the upper half is scratch
    octave: Ints  # [B, OCTAVES] ends in `source`
    present: Words  # [B, R, RULES / 64] rules that spoke in the open window
    spoken: Words  # [B, RULES / 64] anywhere
    alerts: Ints  # [B, R] that came in the open window
    fresh: Ints  # [B, F] row * RULES + rule, as they came
    learned: NDArray[np.uint8]  # [B, R, RULES] windows of the episode
    heard: Ints  # [B, RULES] windows of the episode, anywhere
    late: Longs  # [B, WAITING, 8] alerts on their way, see rl_env.sensors
    trace: Longs  # [B, L, 8] alerts as they were told; L is zero unless they are wanted
    strongest: Rows  # [B, zones + 1, 2]
    isolated: Ints  # [B, zones] how many assets
    pooled: Ints  # [B, pools] how many members are isolated
    opened: Longs  # [B, 4] bits of zones open, frozen and in their change window; of pools open
    cell: Ints  # [B, CELLS, 13]
    lease: Ints  # [B, 9]
    actor: Ints  # [B, ACTORS, 13]
    temper: Floats  # [B, ACTORS, 10]
    address: Longs  # [B, ACTORS] IPv4 they come from; zero: none
    move: Ints  # [B, 2] technique and target the intruder is told; -1: it decides by itself
    mind: Floats  # [B, 14]
    rate: Floats  # [B, 19]


def allocate(sites: Sites, dials: Floats, batch: int, trace: int = 0) -> World:
    """A world of zeros. `trace`: alerts per step that are kept for whoever reads them."""
    hosts, credentials = sites.host.shape[1], sites.credential.shape[1]
    zones, pools = sites.zone.shape[1], sites.pool.shape[1]
    indicators = 16 if hosts <= 100 else 32
    rows = hosts + credentials + indicators
    words = RULES // 64

    def ints(*shape: int) -> Ints:
        return np.zeros((batch, *shape), dtype=np.int32)

    def longs(*shape: int) -> Longs:
        return np.zeros((batch, *shape), dtype=np.int64)

    def bits(*shape: int) -> Words:
        return np.zeros((batch, *shape), dtype=np.uint64)

    def floats(*shape: int) -> Floats:
        return np.zeros((batch, *shape), dtype=np.float64)

    def shown(*shape: int) -> Rows:
        return np.zeros((batch, *shape), dtype=np.float32)

    return World(
        sites=sites,
        dials=dials,
        entities=shown(rows, len(ENTITY_COLUMNS)),
        context=shown(len(CONTEXT_COLUMNS)),
        mask=np.zeros((batch, 1 + VERBS * rows), dtype=np.bool_),
        term=floats(4),
        metric=floats(16),
        keys=bits(),
        counts=bits(),
        state=longs(33),
        zone_of=ints(hosts),
        host=ints(hosts, 2),
        row=ints(rows, 12),
        active=ints(rows),
        indicator=longs(indicators, 4),
        reached=bits(indicators, (hosts + 63) // 64),
        stolen=np.zeros((batch, credentials), dtype=np.uint8),
        rule=ints(RULES, 5),
        source=ints(32 * hosts, 3),
        octave=ints(OCTAVES),
        present=bits(rows, words),
        spoken=bits(words),
        alerts=ints(rows),
        fresh=ints(12 * rows),
        learned=np.zeros((batch, rows, RULES), dtype=np.uint8),
        heard=ints(RULES),
        late=longs(WAITING, 8),
        trace=longs(trace, 8),
        strongest=shown(zones + 1, 2),
        isolated=ints(zones),
        pooled=ints(pools),
        opened=longs(4),
        cell=ints(CELLS, 13),
        lease=ints(9),
        actor=ints(ACTORS, 13),
        temper=floats(ACTORS, 10),
        address=longs(ACTORS),
        move=ints(2),
        mind=floats(14),
        rate=floats(19),
    )


@compiled
def throw(w: World, e: int, n: int) -> int:
    """A number from 0 to n - 1."""
    return dice.below(w.keys, w.counts, e, n)


@compiled
def uniform(w: World, e: int, low: float, high: float) -> float:
    return low + (high - low) * (float(dice.draw(w.keys, w.counts, e)) / 4294967296.0)


@compiled
def happens(w: World, e: int, probability: float) -> bool:
    return float(dice.draw(w.keys, w.counts, e)) < probability * 4294967296.0


@compiled
def between(w: World, e: int, place: int) -> float:
    """From the parameter's low end to its high end, which follows."""
    return uniform(w, e, w.dials[place], w.dials[place + 1])


@compiled
def whole(w: World, e: int, place: int) -> int:
    """The same for whole numbers, both ends included."""
    low = int(w.dials[place])
    return low + throw(w, e, int(w.dials[place + 1]) - low + 1)


@compiled
def spread(w: World, e: int, place: int) -> float:
    """The same, evenly by the logarithm."""
    return math.exp(uniform(w, e, math.log(w.dials[place]), math.log(w.dials[place + 1])))


@compiled
def of_site(w: World, e: int, one: int, other: int) -> float:
    """A number from 0 to 1 that belongs to these two in this episode."""
    return float(dice.hashed(w.keys[e], one, other)) / 4294967296.0


@compiled
def first_credential(w: World) -> int:
    """Row of the first credential; hosts come before."""
    return w.host.shape[1]


@compiled
def first_indicator(w: World) -> int:
    return w.host.shape[1] + w.stolen.shape[1]
