"""Scenarios: every parameter of the simulator, from a YAML file or a registered name.

A file says what differs from the defaults, group by group:

    description: fast ransomware against tired operators
    attackers:
      profiles: {ransomware: 1}
      pace: [0.2, 0.5]
    operators:
      fatigue: 0.3

`Scenario.table()` documents every parameter with unit, bounds and source.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from policies import documents
from policies.documents import EntryError, mapping, one_of, shown
from rl_env.alarms import Sensors
from rl_env.costs import Reward, Users
from rl_env.fields import Group, Row
from rl_env.parameters import Parameters
from rl_env.people import Guardrails, Operators
from rl_env.threats import Attackers, Episode, Network

__all__ = ["Scenario", "ScenarioError", "registered"]

_FOLDER: Final = Path(__file__).parent / "scenarios"
_SUFFIX: Final = ".yaml"


class ScenarioError(EntryError):
    """The scenario cannot be used; the message names the entry and what to change."""


def registered() -> list[str]:
    """Names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


@dataclass(frozen=True)
class Scenario:
    """Sound by construction: its groups check themselves. Raises ScenarioError."""

    description: str = ""
    network: Network = field(default_factory=Network)
    episode: Episode = field(default_factory=Episode)
    attackers: Attackers = field(default_factory=Attackers)
    sensors: Sensors = field(default_factory=Sensors)
    operators: Operators = field(default_factory=Operators)
    guardrails: Guardrails = field(default_factory=Guardrails)
    users: Users = field(default_factory=Users)
    reward: Reward = field(default_factory=Reward)

    @staticmethod
    def load(name: Path | str) -> Scenario:
        """A registered scenario by its name, or the one in a YAML file.

        Raises ScenarioError as "FILE:LINE: operators.fatigue: reason".
        """
        path = _file(name)
        try:
            document = documents.load(path)
        except EntryError as error:
            raise ScenarioError(error.place, error.reason) from error
        try:
            scenario = Scenario.from_mapping(document.data)
        except ScenarioError as error:
            raise ScenarioError(document.at(error.place), error.reason) from error
        inventory = scenario.network.inventory
        if not inventory:
            return scenario
        found = str(path.parent / inventory)
        return replace(scenario, network=replace(scenario.network, inventory=found))

    @staticmethod
    def from_mapping(data: Any) -> Scenario:
        """Validates a parsed YAML document; what it leaves out keeps its default."""
        try:
            top = mapping({} if data is None else data, "", ["description", *_groups()])
            description = top.get("description", "")
            if not isinstance(description, str) or not (description + " ").isprintable():
                raise EntryError(
                    "description", f"expected a line of text, got {shown(description)}"
                )
            made: dict[str, Any] = {
                name: group.from_mapping(top.get(name)) for name, group in _groups().items()
            }
            return Scenario(description, **made)
        except EntryError as error:
            raise ScenarioError(error.place, error.reason) from error

    def to_mapping(self) -> dict[str, Any]:
        """The document that `from_mapping` reads, with every parameter."""
        said = {name: getattr(self, name).to_mapping() for name in _groups()}
        return {"description": self.description, **said}

    @staticmethod
    def table() -> list[Row]:
        """Documentation: one row per parameter, in the order of the groups."""
        return [row for group in _groups().values() for row in group.rows()]

    def parameters(self) -> Parameters:
        """The same in numbers, for compiled code."""
        values: dict[str, Any] = {}
        for name in _groups():
            if name != "network":
                values |= _numbers(name, getattr(self, name))
        return Parameters(**values)


def _groups() -> dict[str, type[Group]]:
    """By the name that a file calls them."""
    groups = [each for each in fields(Scenario) if each.name != "description"]
    return {each.name: each.default_factory for each in groups}  # type: ignore[misc]


def _numbers(name: str, group: Group) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in fields(group):
        value, path = getattr(group, each.name), f"{name}_{each.name}"
        if each.metadata["kind"] == "span":
            values[f"{path}_low"], values[f"{path}_high"] = value
        elif isinstance(value, tuple):
            array = np.array(value, dtype=np.float64)
            values[path] = array / array.sum() if each.metadata["kind"] == "shares" else array
        else:
            values[path] = value
    return values


def _file(name: Path | str) -> Path:
    if isinstance(name, Path) or "/" in name or name.endswith((_SUFFIX, ".yml")):
        return Path(name)
    try:
        return _FOLDER / (one_of(name, registered(), "", "scenario") + _SUFFIX)
    except EntryError as error:
        reason = f"{error.reason}; or give a file that ends in {_SUFFIX}"
        raise ScenarioError("", reason) from error
