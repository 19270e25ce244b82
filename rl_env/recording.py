"""Episodes that can be replayed: what was chosen, and what came of it to the bit.

A recording is a text file of JSON lines. The first has the scenario, an inventory included, so that
the file is all there is to keep; one line for each minute follows, with the choice and a digest of
what the environment then showed. `replay` lives the episode again and compares.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from policies.columns import OBSERVATION_VERSION
from policies.documents import EntryError
from policies.inventory import Inventory
from rl_env.parameters import KINDS
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

__all__ = ["Choose", "Recording", "RecordingError", "Step", "play", "record", "replay"]

_FORMAT: Final = "countersign-recording"
_VERSION: Final = 1
_HEAD: Final = {
    "format": str,
    "version": int,
    "observation": int,
    "scenario": dict,
    "inventory": (dict, type(None)),
    "seed": int,
    "episode": int,
    "kind": (str, type(None)),
    "steps": int,
    "digest": str,
}
_STEP: Final = {"action": int, "digest": str}
_DIGEST: Final = 32  # hexadecimal digits
_MOST_EPISODES: Final = 1_000_000

# entities float32 [rows, columns], context float32 [columns], mask bool [1 + 2 * rows] -> choice
Choose = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]], int]


class RecordingError(EntryError):
    """A recording cannot be used: where it says what, and why not."""


@dataclass(frozen=True)
class Step:
    """A minute: the choice, and the digest of what followed."""

    action: int
    digest: str


@dataclass(frozen=True)
class Recording:
    """Episode number `episode`, from 0, of a seed. `kind` as `Simulation.reset` has it; `digest`:
    of what the episode began with.
    """

    scenario: Scenario
    inventory: Inventory | None
    seed: int
    episode: int
    kind: str | None
    digest: str
    steps: tuple[Step, ...]

    def save(self, path: Path | str) -> None:
        """Writes the file. Raises RecordingError where it cannot be written."""
        inventory = None if self.inventory is None else self.inventory.to_mapping()
        head = {
            "format": _FORMAT,
            "version": _VERSION,
            "observation": OBSERVATION_VERSION,
            "scenario": self.scenario.to_mapping(),
            "inventory": inventory,
            "seed": self.seed,
            "episode": self.episode,
            "kind": self.kind,
            "steps": len(self.steps),
            "digest": self.digest,
        }
        lines = [head, *({"action": s.action, "digest": s.digest} for s in self.steps)]
        try:
            with Path(path).open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(line, default=str) + "\n" for line in lines)
        except OSError as error:
            raise RecordingError(str(path), f"cannot be written: {error.strerror}") from error

    @staticmethod
    def load(path: Path | str) -> Recording:
        """Reads the file. Raises RecordingError as "FILE:LINE: field: reason"."""
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise RecordingError(str(path), f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise RecordingError(str(path), "is no recording: not UTF-8") from error
        if not lines:
            raise RecordingError(str(path), "is empty; record the episode anew")
        head = _head(lines[0], f"{path}:1")
        if len(lines) - 1 != head["steps"]:
            reason = f"{head['steps']} steps were recorded, {len(lines) - 1} are there"
            raise RecordingError(f"{path}:{len(lines)}", f"{reason}; the file was cut or extended")
        steps = [_step(line, f"{path}:{k}") for k, line in enumerate(lines[1:], start=2)]
        return Recording(
            *_site(head, f"{path}:1"),
            head["seed"],
            head["episode"],
            head["kind"],
            head["digest"],
            tuple(steps),
        )


# ---------------------------------------------------------------- living


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
    digest = hashlib.blake2b(digest_size=_DIGEST // 2)
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


# ---------------------------------------------------------------- reading


def _head(line: str, place: str) -> dict[str, Any]:
    head = _fields(line, place, None)
    if head.get("format") != _FORMAT:
        raise RecordingError(place, f"is no recording: expected the format {_FORMAT!r}")
    if head.get("version") != _VERSION:
        reason = f"expected {_VERSION}, got {head.get('version')!r}; record the episode anew"
        raise RecordingError(f"{place}: version", reason)
    head = _fields(line, place, _HEAD)
    if head["observation"] != OBSERVATION_VERSION:
        reason = f"recorded with {head['observation']}, this simulator shows {OBSERVATION_VERSION}"
        raise RecordingError(f"{place}: observation", f"{reason}; record the episode anew")
    if head["kind"] not in (None, *KINDS):
        raise RecordingError(f"{place}: kind", f"expected null or one of {', '.join(KINDS)}")
    for name, most in (("seed", 2**64 - 1), ("episode", _MOST_EPISODES)):
        if not 0 <= head[name] <= most:
            raise RecordingError(f"{place}: {name}", f"expected 0 to {most}, got {head[name]}")
    return head


def _step(line: str, place: str) -> Step:
    said = _fields(line, place, _STEP)
    return Step(said["action"], said["digest"])


def _fields(line: str, place: str, known: dict[str, Any] | None) -> dict[str, Any]:
    """The line's mapping; with `known`, of exactly these fields and their types."""
    try:
        said = json.loads(line)
    except ValueError as error:
        raise RecordingError(place, f"is not JSON: {error}; the file was cut or changed") from error
    if not isinstance(said, dict):
        raise RecordingError(place, "expected a mapping; this is no recording")
    if known is None:
        return said
    for name in {**known, **said}:
        if name not in known:
            raise RecordingError(f"{place}: {str(name)[:40]}", "unknown field")
        if name not in said or not isinstance(said[name], known[name]) or said[name] is True:
            raise RecordingError(
                f"{place}: {name}", "missing, or of another type than it should be"
            )
    if len(said["digest"]) != _DIGEST:
        raise RecordingError(f"{place}: digest", f"expected {_DIGEST} hexadecimal digits")
    return said


def _site(head: dict[str, Any], place: str) -> tuple[Scenario, Inventory | None]:
    try:
        scenario = Scenario.from_mapping(head["scenario"])
    except EntryError as error:
        raise RecordingError(f"{place}: scenario.{error.place}", error.reason) from error
    try:
        inventory = None if head["inventory"] is None else Inventory.from_mapping(head["inventory"])
    except EntryError as error:
        raise RecordingError(f"{place}: inventory.{error.place}", error.reason) from error
    return scenario, inventory
