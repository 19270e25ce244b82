"""Episodes that can be lived again: `record` keeps what was chosen and digests of what came of it,
`replay` lives it once more and compares to the bit. `rl_env.tape` is their file.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from policies.inventory import Inventory
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.tape import DIGEST, Recording, RecordingError, Step

__all__ = ["Choose", "Recording", "RecordingError", "Step", "play", "record", "replay"]

# entities float32 [rows, columns], context float32 [columns], mask bool [1 + 2 * rows] -> choice;
# the arrays are the engine's own, which the next minute overwrites
Choose = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]], int]


def play(
    scenario: Scenario,
    seed: int,
    kind: str | None,
    choose: Choose,
    minutes: int | None = None,
    trace: int = 0,
) -> Iterator[Simulation]:
    """Lives the first episode of a seed: the simulation of one environment, as it begins and after
    every minute, until the episode or `minutes` are over. `kind` as `Simulation.reset` has it,
    `trace` as `Simulation` has it. Raises ScenarioError or InventoryError.
    """
    simulation = Simulation(scenario, 1, trace)
    simulation.seed(seed)
    simulation.reset(kind=kind)
    yield simulation
    while minutes is None or minutes > 0:
        simulation.step(np.array([_chosen(simulation, choose)], dtype=np.int64))
        yield simulation
        if simulation.terminated[0] or simulation.truncated[0]:
            return
        minutes = None if minutes is None else minutes - 1


def record(
    simulation: Simulation,
    choose: Choose,
    seed: int,
    kind: str | None = None,
    episode: int = 0,
    minutes: int | None = None,
) -> Recording:
    """Lives an episode of environment 0 to its end, or for so many minutes, and keeps it.

    The simulation is seeded anew; every environment of a batch lives on with the same choices.
    """
    _begin(simulation, seed, episode, kind)
    digest, steps = _digest(simulation), list[Step]()
    limit = np.inf if minutes is None else minutes
    while len(steps) < limit and not (simulation.terminated[0] or simulation.truncated[0]):
        action = _chosen(simulation, choose)
        simulation.step(np.full(simulation.batch, action, dtype=np.int64))
        steps.append(Step(action, _digest(simulation)))
    scenario, inventory = simulation.scenario, None
    if scenario.network.inventory:
        inventory = Inventory.load(scenario.network.inventory)
        name = Path(scenario.network.inventory).name
        scenario = replace(scenario, network=replace(scenario.network, inventory=name))
    return Recording(scenario, inventory, seed, episode, kind, digest, tuple(steps))


def replay(recording: Recording, trace: int = 0) -> Iterator[Simulation]:
    """The simulation of one environment, as the episode begins and after every step.

    Raises RecordingError at the first step after which it shows anything else than it did, and
    ScenarioError or InventoryError where the site cannot be simulated any more.
    """
    simulation = _simulation(recording, trace)
    _begin(simulation, recording.seed, recording.episode, recording.kind)
    _compare(simulation, recording.digest, "the beginning")
    yield simulation
    for number, step in enumerate(recording.steps, start=1):
        if not 0 <= step.action < simulation.choices:
            raise RecordingError(
                f"step {number}",
                f"there is no choice {step.action}; the site has {simulation.choices}",
            )
        simulation.step(np.array([step.action], dtype=np.int64))
        _compare(simulation, step.digest, f"step {number}")
        yield simulation


def _simulation(recording: Recording, trace: int) -> Simulation:
    scenario = recording.scenario
    if recording.inventory is None:
        return Simulation(scenario, 1, trace)
    with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
        path = Path(folder) / "inventory.yaml"
        text = yaml.safe_dump(recording.inventory.to_mapping(), sort_keys=False)
        path.write_text(text, encoding="utf-8")
        network = replace(scenario.network, inventory=str(path))
        return Simulation(replace(scenario, network=network), 1, trace)


def _begin(simulation: Simulation, seed: int, episode: int, kind: str | None) -> None:
    simulation.seed(seed)
    for _ in range(episode + 1):
        simulation.reset(kind=kind)


def _chosen(simulation: Simulation, choose: Choose) -> int:
    return int(choose(simulation.entities[0], simulation.context[0], simulation.mask[0]))


def _digest(simulation: Simulation) -> str:
    """Of all that environment 0 shows: observation, mask, reward, and whether the episode ended."""
    digest = hashlib.blake2b(digest_size=DIGEST // 2)
    over = np.array([simulation.terminated[0], simulation.truncated[0]])
    shown = simulation.entities, simulation.context, simulation.mask, simulation.terms
    for part in (*(each[0] for each in shown), over):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _compare(simulation: Simulation, digest: str, place: str) -> None:
    if _digest(simulation) != digest:
        raise RecordingError(
            place,
            "what follows differs from what was recorded: recorded by another version of the "
            "simulator, or the file was changed; record the episode anew, or replay it with the "
            "version that recorded it",
        )
