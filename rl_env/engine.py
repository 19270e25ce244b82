"""The simulation: `reset` begins an episode of one environment, `step` lives one minute of it.

Both are scalar code, compiled where numba is installed and their own reference where it is not.
"""

from __future__ import annotations

import numpy as np

from policies.actions import Kind
from policies.columns import CRITICALITY as CRITICALITY_COLUMN
from policies.columns import KIND
from policies.columns import PROTECTED as PROTECTED_COLUMN
from policies.compiled import compiled
from rl_env.bystanders import draw_bystanders, maintain, scan
from rl_env.chances import draw_guardrails
from rl_env.containment import act, blur, carry_on
from rl_env.dice import fraction
from rl_env.history import draw_history
from rl_env.intruders import draw_intruder, intrude
from rl_env.masking import survey
from rl_env.operators import draw_operators
from rl_env.parameters import PLACES as AT
from rl_env.rules import draw_rules
from rl_env.seeing import close_window, fade, sort
from rl_env.sensors import background, draw_sensors, hear_late
from rl_env.service import reckon
from rl_env.site import CREDENTIALS, CRITICALITY, HOSTS, PROTECTED, WORTH
from rl_env.site import GUARDED as GUARDED_KEY
from rl_env.world import (
    ATTACKED,
    BLURRED,
    CELL,
    CONTAINED_AFTER,
    ENTERED_AT,
    EPOCH,
    GONE,
    GUARDED,
    INTRUDER,
    MINUTE,
    MOVED,
    NEVER,
    NEXT,
    NEXT_DUE,
    OVER,
    PHASE,
    SITE,
    STALE,
    STORY,
    TARGET,
    TOLD,
    WORK_FROM,
    WORK_UNTIL,
    World,
    between,
    first_credential,
    throw,
)

__all__ = ["reset", "reset_all", "step", "step_all"]

ISOLATE, REVOKE = int(Kind.ISOLATE), int(Kind.REVOKE)
_MONDAY = 1_767_571_200  # 2026-01-05 00:00 UTC
_WINDOW = 10  # minutes


@compiled
def reset(w: World, e: int, key: np.uint64, story: int) -> None:
    """Begins the episode that belongs to `key`. `story`: QUIET, SCANNED, ATTACKED, or -1: drawn."""
    _clear(w, e)
    w.keys[e] = key
    minutes = int(w.dials[AT.episode_minutes])
    warm_up = int(w.dials[AT.episode_warm_up])
    w.state[e, SITE] = throw(w, e, w.sites.size.shape[0])
    drawn = _story(w, e)
    w.state[e, STORY] = drawn if story < 0 else story
    start = between(w, e, AT.episode_start_hour_low)
    w.state[e, EPOCH] = _MONDAY + 86400 * throw(w, e, 7) + 600 * int(start * 6.0)
    w.rate[e, WORK_FROM] = between(w, e, AT.users_work_from_low)
    w.rate[e, WORK_UNTIL] = between(w, e, AT.users_work_until_low)
    _place_entities(w, e)
    draw_rules(w, e)
    draw_sensors(w, e, minutes)
    draw_history(w, e)
    draw_bystanders(w, e)
    draw_intruder(w, e, minutes)
    if w.state[e, STORY] != ATTACKED:
        w.actor[e, INTRUDER, PHASE] = GONE
    w.actor[e, INTRUDER, NEXT] += warm_up
    draw_guardrails(w, e)
    draw_operators(w, e)
    for _ in range(warm_up):
        _live(w, e)
        _pass(w, e)
    _look(w, e)


@compiled
def step(w: World, e: int, action: int) -> int:
    """Lives the minute that begins with the agent's action; 1 if the intruder reached its goal."""
    w.state[e, TOLD] = 0
    act(w, e, action)
    _live(w, e)
    reckon(w, e)
    _pass(w, e)
    _look(w, e)
    return int(w.state[e, OVER])


@compiled
def _live(w: World, e: int) -> None:
    """What happens within the minute, and what is heard of it."""
    maintain(w, e)
    scan(w, e)
    intrude(w, e)
    background(w, e)
    hear_late(w, e)


@compiled
def _pass(w: World, e: int) -> None:
    """The minute ends."""
    w.state[e, MINUTE] += 1
    fade(w, e)
    if w.state[e, MINUTE] % _WINDOW == 0:
        close_window(w, e)
    carry_on(w, e)


@compiled
def _look(w: World, e: int) -> None:
    """Brings what the agent sees up to date."""
    sort(w, e)
    survey(w, e)
    blur(w, e)


# ---------------------------------------------------------------- a new episode


@compiled
def _clear(w: World, e: int) -> None:
    """Nothing of the last episode stays."""
    w.entities[e] = 0.0
    w.context[e] = 0.0
    w.mask[e] = False
    w.mask[e, 0] = True
    w.term[e] = 0.0
    w.metric[e] = 0.0
    w.metric[e, ENTERED_AT] = -1.0
    w.metric[e, CONTAINED_AFTER] = -1.0
    w.counts[e] = np.uint64(0)
    w.state[e] = 0
    w.state[e, NEXT_DUE] = NEVER
    w.state[e, STALE] = 2  # all entities
    w.state[e, BLURRED] = 1
    w.state[e, MOVED] = 1
    w.host[e] = 0
    w.row[e] = 0
    w.indicator[e] = 0
    w.reached[e] = np.uint64(0)
    w.stolen[e] = 0
    w.present[e] = np.uint64(0)
    w.spoken[e] = np.uint64(0)
    w.alerts[e] = 0
    w.learned[e] = 0
    w.heard[e] = 0
    w.isolated[e] = 0
    w.pooled[e] = 0
    w.actor[e] = 0
    w.actor[e, INTRUDER, TARGET] = -1
    w.address[e] = 0
    w.move[e] = -1
    w.rate[e] = 0.0


@compiled
def _story(w: World, e: int) -> int:
    u = fraction(w.keys, w.counts, e)
    for story in range(2):
        u -= w.dials[AT.episode_kinds + story]
        if u < 0.0:
            return story
    return ATTACKED


@compiled
def _place_entities(w: World, e: int) -> None:
    """What does not change about hosts and credentials."""
    site = w.state[e, SITE]
    for h in range(w.sites.size[site, HOSTS]):
        host = w.sites.host[site, h]
        w.zone_of[e, h] = w.sites.zones[site, h]
        _place(w, e, h, ISOLATE, int(host[CRITICALITY]), int(host[PROTECTED]))
    first = first_credential(w)
    for c in range(w.sites.size[site, CREDENTIALS]):
        credential = w.sites.credential[site, c]
        _place(w, e, first + c, REVOKE, int(credential[WORTH]), int(credential[GUARDED_KEY]))


@compiled
def _place(w: World, e: int, r: int, kind: int, criticality: int, guarded: int) -> None:
    w.row[e, r, CELL] = 4 * kind + criticality
    w.row[e, r, GUARDED] = guarded
    w.entities[e, r, KIND + kind] = 1.0
    w.entities[e, r, CRITICALITY_COLUMN] = np.float32(criticality / 3.0)
    w.entities[e, r, PROTECTED_COLUMN] = guarded


# ---------------------------------------------------------------- batches


@compiled
def reset_all(w: World, which: np.ndarray, keys: np.ndarray, stories: np.ndarray) -> None:
    """Begins new episodes of those environments whose flag is set."""
    for e in range(which.shape[0]):
        if which[e]:
            reset(w, e, keys[e], stories[e])


@compiled
def step_all(w: World, actions: np.ndarray, over: np.ndarray) -> None:
    """Steps all environments; `over` is 1 where the intruder reached its goal."""
    for e in range(actions.shape[0]):
        over[e] = step(w, e, actions[e])
