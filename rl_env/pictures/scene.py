"""What there is to draw of one environment, in names and minutes: read from its record, by no rule
of the simulation's own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from policies.actions import Kind
from policies.simulation import ROLES
from rl_env.blueprint import Blueprint
from rl_env.parameters import KINDS, PROFILES
from rl_env.parameters import PLACES as AT
from rl_env.pictures.marks import DONE, VERBS, Mark, first_address, marks_of
from rl_env.simulation import METRICS, TERMS
from rl_env.world import (
    ADDRESS,
    BASE,
    BEGAN,
    BUDGET,
    CLEAN,
    CONTAINED_AFTER,
    DUE,
    ENTERED_AT,
    GONE,
    INSIDE,
    INTRUDER,
    LEVEL,
    PHASE,
    PROFILE,
    REFUSED_UNTIL,
    STARTS,
    TARGET,
    TTL,
    USED,
)

__all__ = ["Budget", "Group", "Scene", "see"]

_NOW: Final = 0.9  # recency of what was surprising within the last minute: exp(-1 / 10)


class Group(NamedTuple):
    """Entities in one box: the addresses, a zone's hosts, the credentials."""

    title: str
    marks: tuple[Mark, ...]


class Budget(NamedTuple):
    """Of one kind: what is left of it."""

    name: str
    left: int
    whole: int


class Scene(NamedTuple):
    """`moves`: rows that the intruder works from (its address where sensors named it, else -1) and
    on; None: it does not.
    """

    minute: int
    minutes: int
    clock: str
    addresses: Group
    zones: tuple[Group, ...]
    credentials: Group
    truth: tuple[str, ...]
    moves: tuple[int, int] | None
    lease: int  # minutes left
    leases: tuple[Budget, ...]
    budgets: tuple[Budget, ...]
    events: tuple[str, ...]  # of the last minute
    terms: tuple[tuple[str, float], ...]
    score: tuple[tuple[str, str], ...]

    @property
    def marks(self) -> list[Mark]:
        """All entities, by row."""
        groups = (self.addresses, *self.zones, self.credentials)
        return sorted((m for group in groups for m in group.marks), key=lambda mark: mark.row)


def see(state: Any, site: Blueprint) -> Scene:
    """Reads a record of `rl_env.world` at the site that it is of."""
    hosts, keys, addresses = marks_of(state, site)
    zone_of = np.asarray(state.zone_of).tolist()
    zones: list[list[Mark]] = [[] for _ in site.zones]
    for mark in sorted(hosts, key=lambda m: (-ROLES.index(m.role), -m.criticality, m.row)):
        zones[zone_of[mark.row]].append(mark)
    warm_up = int(state.dials[AT.episode_warm_up])
    now = int(state.minute)
    marks = [*hosts, *keys, *addresses]
    names = {mark.row: mark.name for mark in hosts}
    return Scene(
        minute=now - warm_up,
        minutes=int(state.dials[AT.episode_minutes]),
        clock=datetime.fromtimestamp(int(state.epoch) + 60 * now, UTC).strftime("%a %H:%M"),
        addresses=Group("internet", tuple(addresses)),
        zones=tuple(Group(*each) for each in zip(site.zones, map(tuple, zones), strict=True)),
        credentials=Group("credentials", tuple(keys)),
        truth=_truth(state, names),
        moves=_moves(state),
        lease=max(0, int(state.lease_until) - now),
        leases=tuple(
            Budget(VERBS[k], max(0, int(state.lease_left[k])), int(state.lease_budget[k]))
            for k in Kind
        ),
        budgets=tuple(_budget(state, kind) for kind in Kind),
        events=tuple(_events(state, marks)),
        terms=tuple(zip(TERMS, state.term.tolist(), strict=True)),
        score=_score(state),
    )


# ---------------------------------------------------------------- truth


def _truth(state: Any, names: dict[int, str]) -> tuple[str, ...]:
    """What really goes on, in sentences."""
    scanners = int(np.count_nonzero(state.actor[INTRUDER + 1 :, PHASE] != GONE))
    others = f"{scanners} scanning from outside" if scanners else ""
    actor = state.actor[INTRUDER]
    if KINDS[int(state.story)] != "attacked":
        return tuple(filter(None, (f"nobody attacks ({KINDS[int(state.story)]})", others)))
    phase = ("gone", "outside", "inside")[int(actor[PHASE])]
    held = int(np.count_nonzero(state.host[:, LEVEL] > CLEAN))
    profile = PROFILES[int(actor[PROFILE])].replace("_", " ")
    lines = [f"{profile}, {phase}; holds {held} host{'s' * (held != 1)}"]
    moves = _moves(state)
    if state.over:
        lines.append("reached its goal")
    elif moves:
        lines.append(f"works on {names[moves[1]]} from {names.get(moves[0], 'outside')}")
    return tuple(filter(None, (*lines, others)))


def _moves(state: Any) -> tuple[int, int] | None:
    actor = state.actor[INTRUDER]
    if actor[PHASE] == GONE or actor[TARGET] < 0:
        return None
    if actor[PHASE] == INSIDE:
        return int(actor[BASE]), int(actor[TARGET])
    slots = state.indicator[: int(state.slots), ADDRESS]
    found = np.flatnonzero(slots == state.address[INTRUDER])
    return (first_address(state) + int(found[0]) if len(found) else -1, int(actor[TARGET]))


def _score(state: Any) -> tuple[tuple[str, str], ...]:
    """Ground truth of the episode so far."""
    said = dict(zip(METRICS, state.metric.tolist(), strict=True))
    warm_up = state.dials[AT.episode_warm_up]
    entered, contained = float(state.metric[ENTERED_AT]), float(state.metric[CONTAINED_AFTER])
    wrong = sum(said[name] for name in METRICS if name.startswith("false_"))
    return (
        ("hosts taken / lost", f"{said['hosts_taken']:.0f} / {said['hosts_lost']:.0f}"),
        ("minutes compromised", f"{said['minutes_compromised']:.0f}"),
        ("first entry", f"minute {entered - warm_up:.0f}" if entered >= 0 else "none"),
        ("contained after", f"{contained:.0f} min" if contained >= 0 else "not"),
        ("proposals (mistaken)", f"{said['proposals']:.0f} ({wrong:.0f})"),
        ("approvals asked", f"{said['approvals_asked']:.0f}"),
        ("minutes of work lost", f"{said['service_minutes']:.0f}"),
    )


# ---------------------------------------------------------------- containment


def _budget(state: Any, kind: Kind) -> Budget:
    """Of the cell that has the largest share left, as the agent sees it."""
    cells = [c for c in state.cell[4 * kind : 4 * kind + 4] if c[BUDGET] > 0 and c[TTL] > 0]
    best = max(cells, key=lambda c: (c[BUDGET] - c[USED]) / c[BUDGET], default=None)
    if best is None:
        return Budget(VERBS[kind], 0, 0)
    return Budget(VERBS[kind], max(0, int(best[BUDGET] - best[USED])), int(best[BUDGET]))


def _events(state: Any, marks: list[Mark]) -> list[str]:
    """What the last minute brought: decisions first, then what has most evidence."""
    now = int(state.minute)
    refusal = now + int(state.dials[AT.operators_refused_minutes])
    told: list[tuple[int, float, str]] = []
    for mark in marks:
        row, verb = state.row[mark.row], VERBS[mark.kind]
        # An order that people agreed to begins when it is due; one under the lease at once.
        if mark.left and row[BEGAN] == now:
            told.append((1, -mark.evidence, f"approved: {verb} {mark.name}"))
        elif mark.left and row[BEGAN] == now - 1 and row[DUE] != now - 1:
            told.append((0, -mark.evidence, f"under the lease: {verb} {mark.name}"))
        if mark.left and row[STARTS] == now:
            told.append((2, -mark.evidence, f"enforced: {mark.name} {DONE[mark.kind]}"))
        if mark.waits == 1:
            asked = "release" if mark.release else verb
            told.append((0, -mark.evidence, f"asked: {asked} {mark.name}"))
        if mark.refused and row[REFUSED_UNTIL] == refusal:
            told.append((3, -mark.evidence, f"refused: {verb} {mark.name}"))
        if mark.recency > _NOW:
            told.append((4, -mark.evidence, f"surprising: {mark.name}, {mark.evidence:.0f} nats"))
    return [text for _, _, text in sorted(told)]
