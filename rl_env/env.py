"""`Countersign-v0`: an agent that may only propose, on a simulated site under attack or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rl_env.adversary import load_attacker, look
from rl_env.render import ansi, rgb
from rl_env.scenario import Scenario
from rl_env.simulation import METRICS, TERMS, Simulation, scenario_of

__all__ = ["ENVIRONMENT", "CountersignEnv", "space_of"]

ENVIRONMENT = "Countersign-v0"

_MOST = 1000.0  # far above what any column adds up to

Obs = dict[str, NDArray[np.float32]]


def space_of(simulation: Simulation) -> spaces.Dict:
    """The observation space of one environment."""
    return spaces.Dict(
        {
            name: spaces.Box(0.0, _MOST, shape, np.float32)
            for name, shape in simulation.shapes.items()
        }
    )


class CountersignEnv(gym.Env[Obs, np.int64]):
    """A defender proposes containment on a network, from alerts alone. One step is a minute.

    ## Description

    A site of 5 to 2,000 hosts, drawn or read from the inventory that the live side reads, with
    users at work, sensors that alert, scanners who mean no harm, and in some episodes an intruder.
    What the agent sees is computed from alerts by the code that the responder runs. It can only
    propose: guardrails refuse, a lease lets through, or people are asked, who take their time.

    ## Action Space

    `Discrete(1 + 2 * rows)`. 0 does nothing; 1 + r proposes the action of row r (isolate an asset,
    revoke a credential, block an address) or, where an order is about to end, its renewal;
    1 + rows + r asks people to release the order on row r. `action_masks()` and
    `info["action_mask"]` are what the contract would accept and is not already under way; a masked
    action does nothing.

    ## Observation Space

    `Dict`: `entities` float32 [rows, len(ENTITY_COLUMNS)], `context` float32
    [len(CONTEXT_COLUMNS)], as `policies.columns` defines them. Rows are hosts, then credentials,
    then addresses that sensors named; rows of nothing are zero.

    ## Rewards

    The sum of `info["terms"]`, all of them zero or less: `harm` (hosts taken over and not isolated,
    by criticality, and once the intruder's goal), `service` (work that users cannot do), `effort`
    (approvals asked of people), `chain` (gas). `info["metrics"]` has the ground truth so far.

    ## Starting State

    A site, sensors with rules and base rates, learned history, guardrails, lease and operators,
    all drawn as the scenario says.

    ## Episode End

    Terminates when the intruder reaches its goal; truncates after the scenario's minutes.

    ## Arguments

    `scenario`: a `Scenario`, the name of a registered one or a YAML file. `attacker`: the class of
    an intruder that decides by itself, as "package.module:Class", see `rl_env.adversary`.
    `render_mode`: "ansi" or "rgb_array", a picture of the network, the truth beside belief.

    ## Version History

    v0: first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium has it
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 6,
    }

    def __init__(
        self,
        scenario: Scenario | Path | str = "small-16",
        attacker: str | None = None,
        render_mode: str | None = None,
        trace: int = 0,
    ) -> None:
        """Raises ScenarioError, InventoryError, or ValueError for an attacker that cannot be made.
        `trace`: alerts per minute that are kept.
        """
        self.simulation = Simulation(scenario_of(scenario), 1, trace)
        self.render_mode = render_mode
        self._attacker = load_attacker(attacker) if attacker else None
        self._action = np.zeros(1, dtype=np.int64)
        self.action_space = spaces.Discrete(self.simulation.choices)
        self.observation_space = space_of(self.simulation)  # type: ignore[assignment]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """`options={"kind": "quiet" | "scanned" | "attacked"}` fixes what happens."""
        if seed is not None or self._np_random is None:
            super().reset(seed=seed)
            first = seed if seed is not None else int(self.np_random.integers(1 << 62))
            self.simulation.seed(first)
        self.simulation.reset(kind=(options or {}).get("kind"))
        if self._attacker:
            self._attacker.reset(int(self.simulation.state["key"][0]))
        return self._observation(), self._info()

    def step(self, action: np.int64) -> tuple[Obs, float, bool, bool, dict[str, Any]]:
        simulation = self.simulation
        self._action[0] = action
        if self._attacker:
            state = simulation.state[0]
            state.move_technique, state.move_target = self._attacker.act(look(state))
        simulation.step(self._action)
        return (
            self._observation(),
            float(simulation.rewards[0]),
            bool(simulation.terminated[0]),
            bool(simulation.truncated[0]),
            self._info(),
        )

    def render(self) -> str | NDArray[np.uint8] | None:
        """The truth beside what the agent sees: text, or uint8 [800, 1280, 3]."""
        if self.render_mode is None:
            return None
        state = self.simulation.state[0]
        site = self.simulation.sites[int(state.site)]
        return ansi(state, site) if self.render_mode == "ansi" else rgb(state, site)

    def action_masks(self) -> NDArray[np.bool_]:
        """bool [1 + 2 * rows]; "do nothing" is always permitted."""
        return self.simulation.mask[0].copy()

    def _observation(self) -> Obs:
        simulation = self.simulation
        return {
            "entities": simulation.entities[0].copy(order="K"),  # as it lies, which is quick
            "context": simulation.context[0].copy(),
        }

    def _info(self) -> dict[str, Any]:
        simulation = self.simulation
        return {
            "action_mask": simulation.mask[0].astype(np.int8),
            "terms": dict(zip(TERMS, simulation.terms[0].tolist(), strict=True)),
            "metrics": dict(zip(METRICS, simulation.metrics[0].tolist(), strict=True)),
        }
