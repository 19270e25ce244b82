"""The simulation: `begin` an episode of one environment, `live` a minute of it; `reset` and `step`
for batches.

All of it is scalar code, compiled where numba is installed and its own reference where it is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.compiled import compiled
from policies.evidence import fade
from rl_env.bystanders import draw_bystanders, maintain, scan
from rl_env.chances import draw_guardrails
from rl_env.containment import act, blur, carry_on
from rl_env.dice import GOLDEN, fraction, hashed, mixed
from rl_env.history import draw_history
from rl_env.intruders import draw_intruder, intrude
from rl_env.masking import survey
from rl_env.operators import draw_operators
from rl_env.parameters import PLACES as AT
from rl_env.rules import draw_rules
from rl_env.seeing import close_window, sort
from rl_env.sensors import background, draw_sensors, hear_late
from rl_env.service import reckon
from rl_env.world import (
    ATTACKED,
    GONE,
    INTRUDER,
    NEXT,
    PHASE,
    State,
    between,
    throw,
)

__all__ = ["ON", "TERMINATED", "TRUNCATED", "begin", "live", "reset", "step"]

ON, TERMINATED, TRUNCATED = range(3)

Batch = Any  # a record array of states
Flags = NDArray[np.bool_]
Words = NDArray[np.uint64]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

_MONDAY = 1_767_571_200  # 2026-01-05 00:00 UTC
_WINDOW = 10  # minutes


@compiled
def begin(s: State, key: np.uint64, story: int) -> None:
    """An episode at the site that the state was made of. `story`: QUIET, SCANNED, ATTACKED, or -1:
    drawn.
    """
    s.key = key
    minutes = int(s.dials[AT.episode_minutes])
    warm_up = int(s.dials[AT.episode_warm_up])
    drawn = _story(s)
    s.story = drawn if story < 0 else story
    start = between(s, AT.episode_start_hour_low)
    s.epoch = _MONDAY + 86400 * throw(s, 7) + 600 * int(start * 6.0)
    s.work_from = between(s, AT.users_work_from_low)
    s.work_until = between(s, AT.users_work_until_low)
    draw_rules(s)
    draw_sensors(s, minutes)
    draw_history(s)
    draw_bystanders(s)
    draw_intruder(s, minutes)
    if s.story != ATTACKED:
        s.actor[INTRUDER, PHASE] = GONE
    s.actor[INTRUDER, NEXT] += warm_up
    draw_guardrails(s)
    draw_operators(s)
    for _ in range(warm_up):
        _live(s)
        _pass(s)
    _look(s)


@compiled
def live(s: State, action: int) -> None:
    """Lives the minute that begins with the agent's action."""
    s.told = 0
    act(s, action)
    _live(s)
    reckon(s)
    _pass(s)
    _look(s)


@compiled
def _live(s: State) -> None:
    """What happens within the minute, and what is heard of it."""
    maintain(s)
    scan(s)
    intrude(s)
    background(s)
    hear_late(s)


@compiled
def _pass(s: State) -> None:
    """The minute ends."""
    s.minute += 1
    fade(s.entities, s.strongest)
    if s.minute % _WINDOW == 0:
        close_window(s)
    survey(s)  # what is executed now is judged by the rules of now
    carry_on(s)


@compiled
def _look(s: State) -> None:
    """Brings what the agent sees up to date."""
    sort(s)
    survey(s)
    blur(s)


@compiled
def _story(s: State) -> int:
    u = fraction(s)
    for story in range(2):
        u -= s.dials[AT.episode_kinds + story]
        if u < 0.0:
            return story
    return ATTACKED


# ---------------------------------------------------------------- batches


@compiled
def reset(
    world: Batch,
    sites: Batch,
    which: Flags,
    ends: Bytes,
    seeds: Words,
    episodes: Words,
    story: int,
) -> None:
    """The next episodes of those environments whose flag is set, each by its seed and number alone.

    `sites`: states that `rl_env.world.templates` made; `episodes` are counted here; `story` as
    `begin` has it.
    """
    for e in range(which.shape[0]):
        if which[e]:
            ends[e] = ON
            key = mixed(seeds[e] + mixed(episodes[e] + GOLDEN))
            episodes[e] += np.uint64(1)
            world[e] = sites[np.int64(hashed(key, 0, 0)) * sites.shape[0] >> 32]
            begin(world[e], key, story)


@compiled
def step(world: Batch, actions: Longs, rewards: Floats, ends: Bytes) -> int:
    """Lives a minute in every environment. Writes the sum of the terms, and how it stands: ON,
    TERMINATED by the intruder at its goal, or TRUNCATED after the episode's minutes. Returns how
    many do not stand ON.
    """
    ended = 0
    for e in range(actions.shape[0]):
        s = world[e]
        live(s, actions[e])
        rewards[e] = s.term[0] + s.term[1] + s.term[2] + s.term[3]
        minutes = s.dials[AT.episode_minutes] + s.dials[AT.episode_warm_up]
        ends[e] = TERMINATED if s.over != 0 else (TRUNCATED if s.minute >= minutes else ON)
        ended += ends[e] != ON
    return ended
