"""The file of a recorded episode: JSON lines.

The first has the scenario, an inventory included, so that the file is all there is to keep; one
line for each minute follows, with the choice and a digest of what the environment then showed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policies.columns import OBSERVATION_VERSION
from policies.documents import EntryError
from policies.inventory import Inventory
from rl_env.parameters import KINDS
from rl_env.scenario import Scenario

__all__ = ["DIGEST", "Recording", "RecordingError", "Step"]

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
DIGEST: Final = 32  # hexadecimal digits
_MOST_EPISODES: Final = 1_000_000


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
        value = said.get(name)
        if name not in said or isinstance(value, bool) or not isinstance(value, known[name]):
            raise RecordingError(f"{place}: {name}", "missing, or not of its type")
    if len(said["digest"]) != DIGEST:
        raise RecordingError(f"{place}: digest", f"expected {DIGEST} hexadecimal digits")
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
