"""The entities of an environment, each with what is true of it, what the agent sees of it and what
is under way.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final, NamedTuple

import numpy as np

from policies.actions import Kind
from policies.columns import NATS, RECENCY, TOTAL
from policies.simulation import ROLES
from rl_env.blueprint import Blueprint
from rl_env.site import CRITICALITY, EXPOSED, JEWEL, ROLE
from rl_env.world import (
    ADDRESS,
    ASKED,
    CELL,
    CLEAN,
    DUE,
    ENDS,
    GUARDED,
    HOSTILE,
    LEVEL,
    LOST,
    NEVER,
    NONE,
    QUESTION,
    REFUSED_UNTIL,
    RELEASE,
    ROOT,
    STARTS,
)

__all__ = [
    "CLEAN",
    "DONE",
    "LEVELS",
    "LOST",
    "ROOT",
    "VERBS",
    "Mark",
    "first_address",
    "marks_of",
]

LEVELS: Final = ("clean", "foothold", "root", "lost")
VERBS: Final = {Kind.BLOCK: "block", Kind.ISOLATE: "isolate", Kind.REVOKE: "revoke"}
DONE: Final = {Kind.BLOCK: "blocked", Kind.ISOLATE: "isolated", Kind.REVOKE: "revoked"}


class Mark(NamedTuple):
    """An entity. Minutes are counted from now."""

    row: int
    kind: Kind
    name: str
    role: str  # of a host, else empty
    criticality: int  # 0..3
    protected: bool
    exposed: bool
    jewel: bool
    truth: int  # index of LEVELS; a stolen key or hostile address counts as ROOT
    evidence: float  # nats, that the agent sees
    recency: float  # 1: surprising just now, 0: long ago
    left: int  # minutes of its order; 0: there is none
    starts: int  # minutes until the order is enforced; 0: it is
    waits: int  # minutes since people were asked; -1: they were not
    release: bool  # asked whether to release it
    agreed: bool  # they agreed, and it has to wait for its delay or a limit
    refused: bool  # lately

    @property
    def short(self) -> str:
        """Enough of the name to tell it from its neighbours."""
        if self.kind == Kind.REVOKE:
            return self.name.rpartition(":")[2][:5]
        return "." + ".".join(self.name.split(".")[2:]) if self.kind == Kind.BLOCK else self.name


def marks_of(state: Any, site: Blueprint) -> tuple[list[Mark], list[Mark], list[Mark]]:
    """Hosts, credentials and addresses."""
    assets, keys = site.inventory.assets, site.inventory.credentials
    key, address = len(state.host), first_address(state)
    slots = state.indicator[: int(state.slots)]
    names = [asset.id for asset in assets], [c.id for c in keys], [_dotted(i) for i in slots]
    about = state.site_host[: len(assets)].tolist()
    levels = state.host[: len(assets), LEVEL].tolist()
    stolen = (ROOT * (state.stolen[: len(keys)] > 0)).tolist()
    hostile = (ROOT * (slots[:, HOSTILE] > 0)).tolist()
    return (
        [
            Mark(row, Kind.ISOLATE, name, ROLES[h[ROLE]], h[CRITICALITY], bool(facts[0]),
                 bool(h[EXPOSED]), bool(h[JEWEL]), level, *facts[1:])
            for row, name, h, level, facts in zip(
                range(len(assets)), names[0], about, levels, _facts(state, 0, len(assets)),
                strict=True,
            )
        ],
        _plain(state, Kind.REVOKE, key, names[1], stolen),
        _plain(state, Kind.BLOCK, address, names[2], hostile),
    )  # fmt: skip


def first_address(state: Any) -> int:
    """Row of the first address: hosts come first, then credentials."""
    return len(state.host) + len(state.stolen)


def _plain(state: Any, kind: Kind, first: int, names: list[str], truth: list[int]) -> list[Mark]:
    """Entities that are no hosts."""
    worth = (state.row[first : first + len(names), CELL] % 4).tolist()
    facts = _facts(state, first, len(names))
    return [
        Mark(first + i, kind, name, "", worth[i], bool(facts[i][0]), False, False, truth[i],
             *facts[i][1:])
        for i, name in enumerate(names)
    ]  # fmt: skip


def _facts(state: Any, first: int, count: int) -> list[tuple[Any, ...]]:
    """Protection, then the fields of a mark from `evidence` on."""
    rows, now = state.row[first : first + count], int(state.minute)
    table = state.entities[:, first : first + count]
    left = np.maximum(rows[:, ENDS] - now, 0)
    asked = rows[:, QUESTION] != NONE
    columns = (
        rows[:, GUARDED] > 0,
        table[TOTAL] * NATS,
        table[RECENCY],
        left,
        np.where(left > 0, np.maximum(rows[:, STARTS] - now, 0), 0),
        np.where(asked, now - rows[:, ASKED], -1),
        rows[:, QUESTION] == RELEASE,
        asked & (rows[:, DUE] != NEVER),
        rows[:, REFUSED_UNTIL] > now,
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _dotted(indicator: Any) -> str:
    return str(ipaddress.IPv4Address(int(indicator[ADDRESS])))
