"""Evaluation: every policy on the same held-out episodes, with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.network import LearnedPolicy
from policies.playbook import Playbook
from rl_env.oracle import Oracle
from rl_env.playing import Chance, Nobody, Player, play, player_of
from rl_env.scenario import Scenario
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
    "outcomes",
    "players",
    "table",
]

HELD_OUT = 1_000_000  # seeds from here on are for evaluation; training stays below
VALIDATION = 2_000_000  # seeds from here on choose among the weights of a run
_BATCH = 64  # episodes at a time
_RESAMPLES = 2000

Tell = Callable[[int], None]  # that so many episodes more are over
Floats = NDArray[np.float64]


class Outcomes(NamedTuple):
    """Of so many episodes, what is true of each."""

    returns: Floats  # [episodes]
    terms: Floats  # [episodes, len(TERMS)], sums
    metrics: Floats  # [episodes, len(METRICS)]
    story: NDArray[np.int64]  # [episodes]: QUIET, SCANNED or ATTACKED
    lost: NDArray[np.bool_]  # [episodes]: the intruder reached the goal


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
    false_isolations: float  # share of all isolations proposed
    approvals_asked: float  # of operators, per episode
    questions: float  # to operators, per episode
    proposals: float  # per episode
    terms: dict[str, float]  # of the reward, means per episode
    metrics: dict[str, float | None]  # means per episode; of times, where there are any

    def to_json(self) -> dict[str, Any]:
        """A plain mapping, numbers rounded to four digits."""
        return {key: _rounded(value) for key, value in asdict(self).items()}


def players(model: Path | None) -> list[Player]:
    """The baselines, and the model of this folder. Raises ModelError."""
    learned = [player_of(LearnedPolicy.load(model))] if model else []
    return [Nobody(), Chance(), player_of(Playbook()), *learned, Oracle()]


def compare(
    compared: Sequence[Player],
    scenario: Scenario,
    episodes: int,
    tell: Tell = lambda episodes: None,
) -> list[Summary]:
    """All of them on the same held-out episodes."""
    return [evaluate(player, scenario, episodes, tell=tell) for player in compared]


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
    parts: list[Outcomes] = []
    simulation = Simulation(scenario, min(_BATCH, episodes))
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
    return Outcomes(terms.sum(axis=1), terms, metrics, story, lost)


def _summary(name: str, played: Outcomes) -> Summary:
    metrics, story = played.metrics, played.story
    entered = metrics[:, ENTERED_AT] >= 0
    delays = metrics[:, CONTAINED_AFTER][metrics[:, CONTAINED_AFTER] >= 0]
    wronged = metrics[:, FALSE_ISOLATIONS] > 0
    means = metrics.mean(axis=0)
    return Summary(
        name=name,
        mean_return=float(played.returns.mean()),
        interval=bootstrap(played.returns),
        lost=_mean(played.lost[story == ATTACKED]) or 0.0,
        contained_minutes=float(np.median(delays)) if len(delays) else None,
        contained=_mean(metrics[entered, CONTAINED_AFTER] >= 0) or 0.0,
        quiet_false_isolations=_mean(wronged[story == QUIET]) or 0.0,
        scanned_false_isolations=_mean(wronged[story == SCANNED]) or 0.0,
        false_isolations=float(means[FALSE_ISOLATIONS] / max(means[ISOLATIONS], 1e-9)),
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
    rng = np.random.default_rng(seed)
    means = rng.choice(values, (_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def table(summaries: Iterable[Summary]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| policy | mean return | lost to intruder | contained | median minutes to contain "
        "| false isolation in quiet / scanned episodes | approvals asked per episode |",
        "|---|---|---|---|---|---|---|",
    ]
    for s in summaries:
        minutes = "-" if s.contained_minutes is None else f"{s.contained_minutes:.0f}"
        lines.append(
            f"| {s.name} | {s.mean_return:.1f} [{s.interval[0]:.1f}, {s.interval[1]:.1f}] "
            f"| {s.lost:.0%} | {s.contained:.0%} | {minutes} "
            f"| {s.quiet_false_isolations:.1%} / {s.scanned_false_isolations:.1%} "
            f"| {s.approvals_asked:.2f} |"
        )
    return "\n".join(lines)


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
