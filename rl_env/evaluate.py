"""Evaluation: every policy on the same held-out episodes at the same held-out sites, with bootstrap
confidence intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.network import LearnedPolicy
from policies.playbook import Playbook
from policies.policy import Policy
from policies.thresholds import OverTheBar
from rl_env.oracle import Oracle
from rl_env.playing import Chance, Nobody, Player, play, player_of
from rl_env.scenario import Scenario
from rl_env.scoring import ratio, resampled, share
from rl_env.simulation import METRICS, TERMS, Simulation
from rl_env.world import (
    APPROVALS_ASKED,
    ATTACKED,
    CONTAINED_AFTER,
    ENTERED_AT,
    FALSE_ISOLATIONS,
    ISOLATIONS,
    PROPOSALS,
    QUESTIONS,
    QUIET,
    SCANNED,
)

__all__ = [
    "HELD_OUT",
    "VALIDATION",
    "Outcomes",
    "Summary",
    "compare",
    "evaluate",
    "held_out",
    "outcomes",
    "players",
    "rounded",
    "summaries",
    "table",
    "together",
]

HELD_OUT = 1_000_000  # seeds from here on are for evaluation; training stays below
VALIDATION = 2_000_000  # seeds from here on choose among the weights of a run
_ELSEWHERE = 1 << 30  # bit of the seeds of networks that are for evaluation
_HOSTS_ELSEWHERE = 25_600  # of all those networks, about, and how many networks these make
_FEWEST, _MOST = 32, 256
_BATCH = 64  # episodes at a time

Tell = Callable[[int], None]  # that so many episodes more are over
Floats = NDArray[np.float64]


class Outcomes(NamedTuple):
    """Of so many episodes, what is true of each."""

    returns: Floats  # [episodes]
    terms: Floats  # [episodes, len(TERMS)], sums
    metrics: Floats  # [episodes, len(METRICS)]
    story: NDArray[np.int64]  # [episodes]: QUIET, SCANNED or ATTACKED
    lost: NDArray[np.bool_]  # [episodes]: the intruder reached the goal
    hosts: NDArray[np.int64]  # [episodes] of the site


@dataclass(frozen=True)
class Summary:
    """One policy's figures over all episodes."""

    name: str
    mean_return: float
    interval: tuple[float, float]  # 95 %, of the mean return
    lost: float  # share of attacked episodes in which the intruder reached the goal
    contained_minutes: float | None  # median from first entry to full isolation
    contained: float  # share of entered episodes that came to full isolation
    quiet_false_isolations: float  # share of quiet episodes with any false isolation
    scanned_false_isolations: float  # share of merely scanned episodes with any
    attack_free_false_isolations: float  # share of both with any
    attack_free_interval: tuple[float, float]  # 95 %, of that share
    false_isolations: float  # share of all isolations proposed
    approvals_per_incident: float | None  # asked of operators: median over attacked episodes
    approvals_asked: float  # of operators, per episode
    questions: float  # to operators, per episode
    proposals: float  # per episode
    terms: dict[str, float]  # of the reward, means per episode
    metrics: dict[str, float | None]  # means per episode; of times, where there are any
    score: float | None = None  # 0: doing nothing, 1: the oracle; see rl_env.scoring.ratio
    score_interval: tuple[float, float] | None = None  # 95 %

    def to_json(self) -> dict[str, Any]:
        """A plain mapping, numbers rounded to four digits; `Summary(**it)` reads it back."""
        return {key: rounded(value) for key, value in asdict(self).items()}


def players(*models: Path) -> list[Player]:
    """The baselines, and the models of these folders. Raises ModelError."""
    learned = [LearnedPolicy.load(model) for model in models]
    policies: list[Policy] = [OverTheBar(), Playbook(), *learned]
    return [Nobody(), Chance(), *(player_of(policy) for policy in policies), Oracle()]


def held_out(scenario: Scenario) -> Scenario:
    """The same scenario at sites that no training sees, of `network.seed` 2**30 or more; one with
    an inventory has only its own.

    Unless the scenario says how many sites there are, they are many, so that most episodes of an
    evaluation have one of their own: what resampled episodes say then holds for other sites, too.
    """
    network = scenario.network
    if network.inventory:
        return scenario
    usual = min(_MOST, max(_FEWEST, _HOSTS_ELSEWHERE // network.hosts[1]))
    elsewhere = replace(network, seed=network.seed | _ELSEWHERE, sites=network.sites or usual)
    return replace(scenario, network=elsewhere)


def compare(
    compared: Sequence[Player],
    scenario: Scenario,
    episodes: int,
    tell: Tell = lambda episodes: None,
) -> list[Summary]:
    """All of them in the same held-out episodes at the same held-out sites; with normalised scores
    where doing nothing and the oracle are among them.
    """
    by_name = {player.name: player for player in compared}
    return summaries(together(by_name, held_out(scenario), episodes, tell))


def together(
    compared: Mapping[str, Player],
    scenario: Scenario,
    episodes: int,
    tell: Tell = lambda episodes: None,
) -> dict[str, Outcomes]:
    """What becomes of the same held-out episodes with each of them, by name."""
    simulation = Simulation(scenario, min(_BATCH, episodes))
    return {
        name: _outcomes(simulation, player, episodes, HELD_OUT, tell)
        for name, player in compared.items()
    }


def summaries(played: Mapping[str, Outcomes]) -> list[Summary]:
    """Of players who played the same episodes, by name."""
    nothing, oracle = played.get(Nobody.name), played.get(Oracle.name)
    found = []
    for name, its in played.items():
        summary = _summary(name, its)
        if nothing and oracle:
            score = ratio(its.returns[None], nothing.returns, oracle.returns)
            if score:
                summary = replace(summary, score=score.value, score_interval=score[1:])
        found.append(summary)
    return found


def evaluate(
    player: Player,
    scenario: Scenario,
    episodes: int,
    first_seed: int = HELD_OUT,
    tell: Tell = lambda episodes: None,
) -> Summary:
    """Plays the first episode of each of the seeds first_seed .. first_seed + episodes - 1."""
    return _summary(player.name, outcomes(player, scenario, episodes, first_seed, tell))


def outcomes(
    player: Player,
    scenario: Scenario,
    episodes: int,
    first_seed: int = HELD_OUT,
    tell: Tell = lambda episodes: None,
) -> Outcomes:
    """The same, episode by episode."""
    simulation = Simulation(scenario, min(_BATCH, episodes))
    return _outcomes(simulation, player, episodes, first_seed, tell)


def _outcomes(
    simulation: Simulation, player: Player, episodes: int, first_seed: int, tell: Tell
) -> Outcomes:
    parts: list[Outcomes] = []
    for done in range(0, episodes, simulation.batch):
        kept = min(simulation.batch, episodes - done)
        played = _play(simulation, player, first_seed + done)
        parts.append(Outcomes._make(values[:kept] for values in played))
        tell(kept)
    return Outcomes._make(np.concatenate(values) for values in zip(*parts, strict=True))


def _play(simulation: Simulation, player: Player, seed: int) -> Outcomes:
    batch = simulation.batch
    terms, metrics = np.zeros((batch, len(TERMS))), np.zeros((batch, len(METRICS)))
    lost = np.zeros(batch, dtype=np.bool_)
    for minute in play(simulation, player, seed):
        terms[minute.alive] += simulation.terms[minute.alive]
        over = minute.alive & (minute.terminated | minute.truncated)
        metrics[over], lost[over] = simulation.metrics[over], minute.terminated[over]
    story = simulation.state["story"].astype(np.int64)
    hosts = simulation.state["hosts"].astype(np.int64)
    return Outcomes(terms.sum(axis=1), terms, metrics, story, lost, hosts)


def _summary(name: str, played: Outcomes) -> Summary:
    metrics, story = played.metrics, played.story
    entered = metrics[:, ENTERED_AT] >= 0
    delays = metrics[:, CONTAINED_AFTER][metrics[:, CONTAINED_AFTER] >= 0]
    wronged = metrics[:, FALSE_ISOLATIONS] > 0
    attacked = story == ATTACKED
    attack_free = share(wronged[~attacked])
    asked = metrics[attacked, APPROVALS_ASKED]
    means = metrics.mean(axis=0)
    return Summary(
        name=name,
        mean_return=float(played.returns.mean()),
        interval=bootstrap(played.returns),
        lost=_mean(played.lost[attacked]) or 0.0,
        contained_minutes=float(np.median(delays)) if len(delays) else None,
        contained=_mean(metrics[entered, CONTAINED_AFTER] >= 0) or 0.0,
        quiet_false_isolations=_mean(wronged[story == QUIET]) or 0.0,
        scanned_false_isolations=_mean(wronged[story == SCANNED]) or 0.0,
        attack_free_false_isolations=attack_free.value,
        attack_free_interval=attack_free[1:],
        false_isolations=float(means[FALSE_ISOLATIONS] / max(means[ISOLATIONS], 1e-9)),
        approvals_per_incident=float(np.median(asked)) if len(asked) else None,
        approvals_asked=float(means[APPROVALS_ASKED]),
        questions=float(means[QUESTIONS]),
        proposals=float(means[PROPOSALS]),
        terms=dict(zip(TERMS, played.terms.mean(axis=0).tolist(), strict=True)),
        metrics={
            metric: _mean(values[values >= 0])  # times that never came are below
            for metric, values in zip(METRICS, metrics.T, strict=True)
        },
    )


def bootstrap(values: Floats, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean."""
    low, high = np.percentile(resampled(values, seed), (2.5, 97.5))
    return float(low), float(high)


def table(compared: Iterable[Summary]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| policy | mean return | normalised score | lost to intruder | contained "
        "| median minutes to contain | false isolation in attack-free episodes "
        "| approvals asked per incident (median) | per episode |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for s in compared:
        lines.append(
            f"| {s.name} | {s.mean_return:.1f} [{s.interval[0]:.1f}, {s.interval[1]:.1f}] "
            f"| {_scored(s)} | {s.lost:.0%} | {s.contained:.0%} "
            f"| {_shown(s.contained_minutes)} | {s.attack_free_false_isolations:.1%} "
            f"[{s.attack_free_interval[0]:.1%}, {s.attack_free_interval[1]:.1%}] "
            f"| {_shown(s.approvals_per_incident)} | {s.approvals_asked:.2f} |"
        )
    return "\n".join(lines)


def _scored(s: Summary) -> str:
    if s.score is None or s.score_interval is None:
        return "-"
    return f"{s.score:.2f} [{s.score_interval[0]:.2f}, {s.score_interval[1]:.2f}]"


def _shown(number: float | None) -> str:
    return "-" if number is None else f"{number:g}"


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def rounded(value: Any) -> Any:
    """The same with numbers of four digits after the point and lists for tuples, as JSON has it."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
