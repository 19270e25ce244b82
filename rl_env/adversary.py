"""A learned intruder: what it sees, what it may do, and how it is plugged in.

`CountersignEnv(attacker="package.module:Class")` makes one and asks it for a move every minute. An
intruder knows what is its own, what it can reach and what stands in its way; it does not know what
the sensors told the defender. `CountersignAttackerEnv` is the same game from its side.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from policies.compiled import compiled
from rl_env.intruders import base_for
from rl_env.scenario import Scenario
from rl_env.simulation import METRICS, TERMS, Simulation, scenario_of
from rl_env.site import CRITICALITY, EXPOSED, JEWEL, ROLE, WORKSTATION
from rl_env.techniques import (
    MOVE_BY_EXPLOIT,
    MOVE_BY_KEY,
    TECHNIQUES,
    is_free,
    is_possible,
    key_for,
)
from rl_env.world import BASE, CLEAN, INTRUDER, LEVEL, ROOT, State

__all__ = ["COLUMNS", "Attacker", "CountersignAttackerEnv", "View", "load_attacker", "look"]

Defender = Callable[[Simulation], int]  # what it chooses in environment 0

COLUMNS = (
    "is_host",
    "exposed",
    "workstation",
    "jewel",
    "criticality",  # / 3
    "held",
    "root",
    "reachable",  # from something it holds
    "opened",  # by a key that it has
    "free",  # not isolated, as far as it reaches or holds it
)


@dataclass(frozen=True)
class View:
    """hosts: float32 [hosts, len(COLUMNS)]; possible: bool [len(TECHNIQUES), hosts], where moves
    without a target have theirs at host 0; minute: of the episode.
    """

    hosts: NDArray[np.float32]
    possible: NDArray[np.bool_]
    minute: int


class Attacker(Protocol):
    """An intruder that decides by itself. Its class is called without arguments."""

    def reset(self, seed: int) -> None:
        """Another episode begins."""
        ...

    def act(self, view: View) -> tuple[int, int]:
        """A technique (index into TECHNIQUES) and the host it is used on."""
        ...


def load_attacker(path: str) -> Attacker:
    """The class at "package.module:Class", made. Raises ValueError that says what is wrong."""
    module, _, name = path.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"attacker {path!r} cannot be made: {error}; give it as package.module:Class, "
            "a class that is called without arguments"
        ) from error
    missing = [each for each in ("reset", "act") if not callable(getattr(made, each, None))]
    if missing:
        raise ValueError(f"attacker {path!r} has no {' and no '.join(missing)}")
    attacker: Attacker = made
    return attacker


def look(state: State) -> View:
    """What the intruder of this environment sees."""
    hosts = state.host.shape[0]
    seen = np.zeros((hosts, len(COLUMNS)), dtype=np.float32)
    possible = np.zeros((len(TECHNIQUES), hosts), dtype=np.uint8)
    _look(state, seen, possible)
    return View(seen, possible.view(np.bool_), int(state.minute))


@compiled
def _look(s: State, seen: NDArray[np.float32], possible: NDArray[np.uint8]) -> None:
    base = s.actor[INTRUDER, BASE]
    possible[0, 0] = 1  # to wait
    for technique in (1, len(TECHNIQUES) - 1):
        possible[technique, 0] = is_possible(s, INTRUDER, technique, -1)
    for host in range(s.hosts):
        held = s.host[host, LEVEL] > CLEAN
        source = base_for(s, host)
        known = held or source >= 0
        seen[host, 0] = 1.0
        seen[host, 1] = s.site_host[host, EXPOSED]
        seen[host, 2] = s.site_host[host, ROLE] == WORKSTATION
        seen[host, 3] = s.site_host[host, JEWEL]
        seen[host, 4] = s.site_host[host, CRITICALITY] / 3.0
        seen[host, 5] = held
        seen[host, 6] = s.host[host, LEVEL] >= ROOT
        seen[host, 7] = source >= 0
        seen[host, 8] = key_for(s, host) >= 0
        seen[host, 9] = known and is_free(s, host)
        for technique in range(2, len(TECHNIQUES) - 1):
            if technique in (MOVE_BY_EXPLOIT, MOVE_BY_KEY):
                s.actor[INTRUDER, BASE] = source
            possible[technique, host] = is_possible(s, INTRUDER, technique, host)
            s.actor[INTRUDER, BASE] = base


class CountersignAttackerEnv(gym.Env[dict[str, NDArray[np.float32]], np.int64]):
    """The intruder's side of `Countersign-v0`, against a defender that does nothing or that is
    given.

    ## Action Space

    `Discrete(len(TECHNIQUES) * hosts)`: technique * hosts + host. `action_masks()` and
    `info["action_mask"]` say what is possible; what is not does nothing.

    ## Observation Space

    `Dict`: `hosts` float32 [hosts, len(COLUMNS)], `time` float32 [1], the share of the episode that
    is over.

    ## Rewards

    The harm done in this minute: the negated term `harm` of the defender.

    ## Episode End

    Terminates when the intruder is done; truncates after the scenario's minutes.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it

    def __init__(
        self, scenario: Scenario | Path | str = "small-16", defender: Defender | None = None
    ) -> None:
        """Raises ScenarioError or InventoryError."""
        self.simulation = Simulation(scenario_of(scenario), 1)
        self._state = self.simulation.state[0]
        self._defender = defender
        hosts = int(self._state.host.shape[0])
        self.action_space = spaces.Discrete(len(TECHNIQUES) * hosts)
        boxes = {"hosts": (hosts, len(COLUMNS)), "time": (1,)}
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {name: spaces.Box(0.0, 1.0, shape, np.float32) for name, shape in boxes.items()}
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        if seed is not None or self._np_random is None:
            super().reset(seed=seed)
            first = seed if seed is not None else int(self.np_random.integers(1 << 62))
            self.simulation.seed(first)
        self.simulation.reset(kind="attacked")
        self._view = look(self._state)
        return self._observation(), self._info()

    def step(
        self, action: np.int64
    ) -> tuple[dict[str, NDArray[np.float32]], float, bool, bool, dict[str, Any]]:
        simulation = self.simulation
        hosts = len(self._view.hosts)
        self._state.move_technique, self._state.move_target = divmod(int(action), hosts)
        answer = self._defender(simulation) if self._defender else 0
        simulation.step(np.array([answer], dtype=np.int64))
        self._view = look(self._state)
        harm = -float(simulation.terms[0, TERMS.index("harm")])
        over = bool(simulation.terminated[0]), bool(simulation.truncated[0])
        return self._observation(), harm, *over, self._info()

    def action_masks(self) -> NDArray[np.bool_]:
        """bool [len(TECHNIQUES) * hosts]."""
        return self._view.possible.reshape(-1).copy()

    def _observation(self) -> dict[str, NDArray[np.float32]]:
        return {"hosts": self._view.hosts, "time": self.simulation.time(0)}

    def _info(self) -> dict[str, Any]:
        metrics = self.simulation.metrics[0].tolist()
        return {
            "action_mask": self._view.possible.reshape(-1).astype(np.int8),
            "metrics": dict(zip(METRICS, metrics, strict=True)),
        }
