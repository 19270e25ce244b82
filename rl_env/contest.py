"""Models against the baselines: the same held-out episodes for all, and what became of them as one
plain mapping, which goes into a manifest, a card and plots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from policies.network import LearnedPolicy, ModelError
from rl_env.evaluate import (
    HELD_OUT,
    Outcomes,
    Tell,
    held_out,
    players,
    rounded,
    summaries,
    together,
)
from rl_env.oracle import Oracle
from rl_env.playing import Chance, Nobody, Player, player_of
from rl_env.scenario import Scenario, ScenarioError
from rl_env.scoring import Estimate, interquartile, ratio, resampled, strata
from rl_env.world import HARM_TERM

__all__ = ["DELAYS", "REFUSALS", "SIZES", "Contest", "Entrants", "delayed", "sized"]

SIZES: Final = (16, 50, 100, 200, 1000)  # hosts
DELAYS: Final = (0.2, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0)  # minutes
REFUSALS: Final = 0.2  # share of right questions that are refused, with these delays

Played = Mapping[str, Outcomes]


@dataclass(frozen=True)
class Entrants:
    """Models, by the names that tables have; and those of one configuration that differ by their
    training seed alone, by the name of all of them together.
    """

    models: dict[str, LearnedPolicy]
    together: dict[str, list[str]]

    @staticmethod
    def load(folders: Sequence[Path]) -> Entrants:
        """Raises ModelError, too, where two cannot be told apart."""
        baselines = {player.name for player in players()}
        models: dict[str, LearnedPolicy] = {}
        alike: dict[str, list[str]] = {}
        for folder in folders:
            model = LearnedPolicy.load(folder)
            training = dict(model.manifest.get("training", {}))
            seed = training.pop("seed", None)
            name = f"{model.name}, seed {seed}" if model.name in models else model.name
            if any(model.hash == other.hash for other in models.values()):
                raise ModelError(f"{folder}: this model is given twice")
            if name in models or name in baselines:
                raise ModelError(f"{folder}: another policy is called {name!r}; rename the model")
            models[name] = model
            alike.setdefault(json.dumps(training, sort_keys=True), []).append(name)
        together = {f"{n[0]}, {len(n)} seeds": n for n in alike.values() if len(n) > 1}
        return Entrants(models, together)

    def players(self) -> dict[str, Player]:
        """They and the baselines, the oracle last."""
        *others, oracle = players()
        models = {name: player_of(model) for name, model in self.models.items()}
        return {player.name: player for player in others} | models | {oracle.name: oracle}


@dataclass(frozen=True)
class Contest:
    """Who plays what: `episodes` of the scenario, and `sweep_episodes` of it for each of `sizes`
    (hosts) and `delays` (minutes that operators take).
    """

    entrants: Entrants
    scenario: str  # a registered one, or a file
    episodes: int
    sizes: tuple[int, ...] = ()
    delays: tuple[float, ...] = ()
    sweep_episodes: int = 400

    def length(self) -> int:
        """How many episodes are played, all players and sweeps together."""
        count, swept = len(self.entrants.players()), len(self.sizes) + len(self.delays)
        return count * self.episodes + (count - 1) * swept * self.sweep_episodes

    def run(self, tell: Tell = lambda episodes: None) -> dict[str, Any]:
        """Plays everything. What comes back is plain JSON, and the same for the same contest.

        `policies` has a `Summary` for each player; `scores` the normalised ones of players and of
        training seeds together, over all and by task; `sizes` and `delays` the sweeps, with plain
        ratios. Estimates are [value, low, high]. Raises ScenarioError or InventoryError.
        """
        scenario = Scenario.load(self.scenario)
        in_sizes = [(hosts, sized(scenario, hosts)) for hosts in self.sizes]
        in_delays = [(minutes, delayed(scenario, minutes)) for minutes in self.delays]
        played = self._play(scenario, self.episodes, tell)
        result = {
            "scenario": self.scenario,
            "episodes": self.episodes,
            "first_seed": HELD_OUT,
            "network_seed": held_out(scenario).network.seed,
            "inventory": bool(scenario.network.inventory),
            "hosts": _span([*played[Nobody.name].hosts, *self.sizes]),
            "tasks": _tasks(played),
            "policies": {s.name: s.to_json() for s in summaries(played)},
            "scores": self._scores(played),
            "seeds": {name: len(runs) for name, runs in self._runs(played)},
            "sizes": [
                {"hosts": hosts, "episodes": self.sweep_episodes, "ratio": self._ratios(played)}
                for hosts, played in self._swept(in_sizes, tell)
            ],
            "delays": [
                {
                    "minutes": minutes,
                    "episodes": self.sweep_episodes,
                    "ratio": self._ratios(played),
                    "harm": {name: _harm(runs) for name, runs in self._runs(played)},
                }
                for minutes, played in self._swept(in_delays, tell)
            ],
        }
        return rounded(result)

    def _swept(
        self, scenarios: Sequence[tuple[float, Scenario]], tell: Tell
    ) -> Iterator[tuple[float, Played]]:
        """Without acting at random, which tells nothing here."""
        for value, scenario in scenarios:
            yield value, self._play(scenario, self.sweep_episodes, tell, leave_out=Chance.name)

    def _play(
        self, scenario: Scenario, episodes: int, tell: Tell, leave_out: str = ""
    ) -> dict[str, Outcomes]:
        found = self.entrants.players()
        found.pop(leave_out, None)
        return together(found, held_out(scenario), episodes, tell)

    def _runs(self, played: Played) -> Iterator[tuple[str, list[Outcomes]]]:
        """Of each player, and of training seeds together."""
        yield from ((name, [its]) for name, its in played.items())
        for name, members in self.entrants.together.items():
            yield name, [played[member] for member in members]

    def _ratios(self, played: Played) -> dict[str, Estimate | None]:
        nothing, oracle = played[Nobody.name].returns, played[Oracle.name].returns
        return {name: ratio(_returns(its), nothing, oracle) for name, its in self._runs(played)}

    def _scores(self, played: Played) -> dict[str, Any]:
        nothing, oracle = played[Nobody.name].returns, played[Oracle.name].returns
        tasks = strata(played[Nobody.name].hosts)
        found = {}
        for name, its in self._runs(played):
            runs = _returns(its)
            found[name] = {
                "iqm": interquartile(runs, nothing, oracle, list(tasks.values())),
                "ratio": ratio(runs, nothing, oracle),
                "tasks": {
                    task: ratio(runs[:, of_it], nothing[of_it], oracle[of_it])
                    for task, of_it in tasks.items()
                },
            }
        return found


def sized(scenario: Scenario, hosts: int) -> Scenario:
    """The same at sites of so many hosts. Raises ScenarioError if it has an inventory."""
    if scenario.network.inventory:
        reason = "sites of an inventory have one size: leave out the sweep over sizes"
        raise ScenarioError("network.inventory", reason)
    return replace(scenario, network=replace(scenario.network, hosts=(hosts, hosts)))


def delayed(scenario: Scenario, minutes: float) -> Scenario:
    """The same with operators who take that long, by the median, and refuse a fifth of what is
    right. What else slows or sways them is left out, so that the delay is the one said; what they
    have not answered in `operators.max_pending` minutes lapses as ever.
    """
    agreed = 1.0 - REFUSALS
    people = replace(
        scenario.operators,
        answer_minutes=(minutes, minutes),
        approve_right=(agreed, agreed),
        evidence_weight=(0.0, 0.0),
        fatigue=(0.0, 0.0),
        fatigue_stamp=(0.0, 0.0),
        lapse_chance=(0.0, 0.0),
        load=(0.0, 0.0),
        night_factor=(1.0, 1.0),
        quorum_slower=0.0,
    )
    return replace(scenario, operators=people)


def _span(hosts: Sequence[int]) -> list[int]:
    return [int(min(hosts)), int(max(hosts))]


def _tasks(played: Played) -> dict[str, Any]:
    hosts = played[Nobody.name].hosts
    return {
        task: {"episodes": len(of_it), "hosts": float(hosts[of_it].mean())}
        for task, of_it in strata(hosts).items()
    }


def _returns(runs: Sequence[Outcomes]) -> NDArray[np.float64]:
    return np.stack([run.returns for run in runs])


def _harm(runs: Sequence[Outcomes]) -> Estimate:
    """Per episode, in units of the reward; of several training seeds, their mean."""
    harm: NDArray[np.float64] = -np.mean([run.terms[:, HARM_TERM] for run in runs], axis=0)
    low, high = np.percentile(resampled(harm), (2.5, 97.5))
    return Estimate(float(harm.mean()), float(low), float(high))
