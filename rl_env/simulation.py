"""A batch of simulated sites: what all environments of this package stand on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, VERBS
from rl_env import engine
from rl_env.network import Blueprint, blueprints, pack
from rl_env.parameters import KINDS, flat
from rl_env.scenario import Scenario
from rl_env.world import plain, templates

__all__ = ["METRICS", "TERMS", "Simulation", "scenario_of"]

TERMS = ("harm", "service", "effort", "chain")
METRICS = (
    "proposals",
    "approvals_asked",
    "questions",
    "blocks",
    "false_blocks",
    "isolations",
    "false_isolations",
    "revocations",
    "false_revocations",
    "releases",
    "hosts_taken",
    "hosts_lost",
    "minutes_compromised",
    "service_minutes",
    "entered_at",
    "contained_after",
)
_COMPILED = hasattr(engine.step, "py_func")
_WORD = (1 << 64) - 1

Flags = NDArray[np.bool_]


def _as_words() -> AbstractContextManager[object]:
    """Words of 64 bits overflow, about which numpy warns where the engine is not compiled."""
    return nullcontext() if _COMPILED else np.errstate(over="ignore")


def scenario_of(scenario: Scenario | Path | str) -> Scenario:
    """A scenario, or the one of this name or file."""
    return scenario if isinstance(scenario, Scenario) else Scenario.load(scenario)


class Simulation:
    """`batch` environments of one scenario, each with dice of its own.

    Environment i plays, after `seed(s)`, the episodes of seed s + i one after the other, whatever
    the batch. Arrays are views that `step` and `reset` write into.
    """

    def __init__(self, scenario: Scenario, batch: int, trace: int = 0) -> None:
        """`trace`: alerts per minute kept in `state["journal"]`.

        Raises ScenarioError or InventoryError where it cannot be simulated.
        """
        self.scenario, self.batch = scenario, batch
        self.sites: list[Blueprint] = blueprints(scenario.network)
        self._templates = templates(pack(self.sites), flat(scenario.parameters()), trace)
        self.state: Any = np.repeat(self._templates[:1], batch).view(np.recarray)
        self._seeds = np.zeros(batch, dtype=np.uint64)
        self._episodes = np.zeros(batch, dtype=np.uint64)
        self._minutes = scenario.episode.minutes + scenario.episode.warm_up
        fields = plain(self.state)
        self._world = fields if _COMPILED else self.state
        self._sites = plain(self._templates) if _COMPILED else self._templates
        self.rows = int(fields["entities"].shape[2])
        self.entities: NDArray[np.float32] = fields["entities"].transpose(0, 2, 1)
        self.context: NDArray[np.float32] = fields["context"]
        self.mask: Flags = fields["mask"].view(np.bool_)
        self.terms: NDArray[np.float64] = fields["term"]
        self.metrics: NDArray[np.float64] = fields["metric"]
        self.rewards = np.zeros(batch)  # of the last step: the sums of its terms
        self._ends = np.zeros(batch, dtype=np.uint8)
        self._minute = fields["minute"]

    # ------------------------------------------------------------ shapes

    @property
    def choices(self) -> int:
        """Actions: 0 does nothing, 1 + r orders the action of row r, 1 + rows + r its release."""
        return 1 + VERBS * self.rows

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of one environment's observation."""
        return {"entities": (self.rows, len(ENTITY_COLUMNS)), "context": (len(CONTEXT_COLUMNS),)}

    # ------------------------------------------------------------ episodes

    def seed(self, seed: int) -> None:
        """The episodes that follow are those of `seed`, `seed + 1`, ..."""
        self._seeds = np.array([(seed + i) & _WORD for i in range(self.batch)], dtype=np.uint64)
        self._episodes[:] = 0

    def reset(self, which: Flags | None = None, kind: str | None = None) -> None:
        """Begins the next episode, in those environments alone whose flag is set. `kind`: one of
        quiet, scanned, attacked; else it is drawn. Raises ValueError for another.
        """
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind: {kind!r} is none of {', '.join(KINDS)}")
        if which is None:
            which = np.ones(self.batch, dtype=np.bool_)
        story = -1 if kind is None else KINDS.index(kind)
        state = (self._world, self._sites, which, self._ends, self._seeds, self._episodes)
        with _as_words():
            engine.reset(*state, story)

    def step(self, actions: NDArray[np.int64]) -> bool:
        """A minute of every environment; whether any episode is over."""
        with _as_words():
            return bool(engine.step(self._world, actions, self.rewards, self._ends))

    def time(self, i: int) -> NDArray[np.float32]:
        """float32 [1]: share of the minutes of environment i that is over."""
        return np.array([min(1.0, self._minute[i] / self._minutes)], dtype=np.float32)

    @property
    def over(self) -> Flags:
        """The episode is, for one reason or the other."""
        return np.asarray(self._ends != engine.ON)

    @property
    def terminated(self) -> Flags:
        """The intruder reached its goal."""
        return np.asarray(self._ends == engine.TERMINATED)

    @property
    def truncated(self) -> Flags:
        """The episode's minutes are over."""
        return np.asarray(self._ends == engine.TRUNCATED)
