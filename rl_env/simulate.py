"""A recorded episode as lines that real sensors would write: quiet hours to learn base rates from,
then what happens.

Nothing answers here: the recording goes on as if nobody contained anything. `truth.json` is for
scoring alone.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from policies.alerts import Alert
from policies.inventory import Inventory
from rl_env.export import Report, copies, line, reports
from rl_env.parameters import PROFILES
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.world import (
    ACTORS,
    ATTACKED,
    CLEAN,
    ENTERED_AT,
    GONE,
    INTRUDER,
    LEVEL,
    NEXT,
    PHASE,
    PROFILE,
    State,
)

__all__ = ["Recording", "record", "write"]

_MOST_ALERTS: Final = 32_768  # in a minute
_NOTHING: Final = np.zeros(1, dtype=np.int64)


@dataclass(frozen=True)
class Recording:
    """`alerts` as they were heard; `truth`: who was taken over when (Unix seconds), and by whom."""

    inventory: Inventory
    format: str
    alerts: list[Alert]
    truth: dict[str, Any]


def record(
    scenario: Scenario,
    seed: int,
    *,
    minutes: int | None = None,
    quiet_hours: int = 24,
    kind: str = "attacked",
    format: str = "eve",
    tell: Callable[[], object] = lambda: None,
) -> Recording:
    """Quiet hours, then the `minutes` of an episode (the scenario's, if not given) of this `kind`.
    Same arguments, same recording. `tell` is called after every minute.

    Raises InventoryError where the scenario's inventory cannot be simulated.
    """
    simulation = Simulation(_alone(scenario, minutes, seed), 1, trace=_MOST_ALERTS)
    simulation.seed(seed)
    simulation.reset(kind=kind)
    state: State = simulation.state[0]
    site, quiet = simulation.sites[0], 60 * quiet_hours
    _put_off(state, quiet)
    watch = _Watch(site.inventory)
    heard: list[Report] = []
    for _ in range(quiet + simulation.scenario.episode.minutes):
        simulation.step(_NOTHING)
        watch.look(simulation.state[0])
        for report in reports(simulation.state[0], site, format):
            heard += copies(report)
        tell()
    heard.sort(key=lambda report: report.heard)
    truth = {
        "seed": seed,
        "kind": kind,
        "live_from": int(state.epoch) + 60 * quiet,
        "until": int(state.epoch) + 60 * int(simulation.state[0].minute),
        **watch.truth(simulation.state[0]),
    }
    return Recording(site.inventory, format, [report.alert for report in heard], truth)


def _alone(scenario: Scenario, minutes: int | None, seed: int) -> Scenario:
    """At one site: the inventory's, or the one drawn for this seed. The quiet hours warm it up."""
    network, episode = scenario.network, scenario.episode
    if not network.inventory:
        network = replace(network, sites=1, seed=seed)
    episode = replace(episode, minutes=minutes or episode.minutes, warm_up=0)
    return replace(scenario, network=network, episode=episode)


def _put_off(state: State, minutes: int) -> None:
    """The episode's own events come so much later: its intruder, and sensors that fall silent."""
    state["actor"][INTRUDER, NEXT] += minutes
    state["silent_from"] += minutes
    state["silent_until"] += minutes


class _Watch:
    """Sees what is really so, minute by minute."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._taken: dict[str, int] = {}
        self._hostile: set[str] = set()
        self._scanners: set[str] = set()
        self._lost_at: int | None = None

    def look(self, state: State) -> None:
        """At the end of a minute."""
        now = int(state.epoch) + 60 * int(state.minute) - 60
        for host, asset in enumerate(self._inventory.assets):
            if state.host[host, LEVEL] != CLEAN:
                self._taken.setdefault(asset.id, now)
        for actor in range(ACTORS):
            if state.actor[actor, PHASE] != GONE and state.address[actor]:
                known = self._hostile if actor == INTRUDER else self._scanners
                known.add(str(ipaddress.IPv4Address(int(state.address[actor]))))
        if state.over and self._lost_at is None:
            self._lost_at = now

    def truth(self, state: State) -> dict[str, Any]:
        """All of it, after the last minute."""
        entered = int(state.metric[ENTERED_AT])
        attacked = state.story == ATTACKED
        known = [key.id for key in self._inventory.credentials]
        return {
            "profile": PROFILES[state.actor[INTRUDER, PROFILE]] if attacked else None,
            "first_entry": int(state.epoch) + 60 * entered if entered >= 0 else None,
            "taken_over": self._taken,
            "stolen": [known[row] for row in np.flatnonzero(state.stolen)],
            "lost_at": self._lost_at,
            "hostile": sorted(self._hostile),
            "scanners": sorted(self._scanners),
        }


def write(recording: Recording, folder: Path) -> None:
    """Writes alerts.eve.json or alerts.wazuh.json, inventory.yaml and truth.json; the folder is
    created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"alerts.{recording.format}.json").open("w", encoding="utf-8") as file:
        for number, alert in enumerate(recording.alerts, start=1):
            file.write(line(alert, recording.format, number) + "\n")
    text = yaml.safe_dump(recording.inventory.to_mapping(), sort_keys=False)
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    truth = json.dumps(recording.truth, indent=2)
    (folder / "truth.json").write_text(truth + "\n", encoding="utf-8")
