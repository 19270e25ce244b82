"""Evaluation: every policy on the same held-out episodes, with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from policies.network import LearnedPolicy
from policies.observation import Observation
from policies.playbook import Playbook
from policies.policy import DoNothing, Policy, Scores, choose
from rl_env.env import CountersignEnv, Tally

__all__ = ["HELD_OUT", "RandomPolicy", "Summary", "compare", "evaluate", "play", "table"]

HELD_OUT = 1_000_000  # seeds from here on are for evaluation; training stays below
_RESAMPLES = 2000


class RandomPolicy:
    """Any permitted choice with equal chance, a fifth of the time; the baseline for "acting at
    all".
    """

    name = "random"
    hash = bytes(32)

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def scores(self, observation: Observation) -> Scores:
        scores = self._rng.random(len(observation.ids) + 1).astype(np.float32)
        scores[0] = 2.0 if self._rng.random() < 0.8 else 0.0
        return scores


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
    approvals_asked: float  # questions to operators, per episode
    proposals: float  # per episode

    def to_json(self) -> dict[str, Any]:
        """A plain mapping, numbers rounded to four digits."""
        record = asdict(self)
        record["interval"] = [round(v, 4) for v in self.interval]
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()}


def play(env: CountersignEnv, policy: Policy, seed: int) -> tuple[float, Tally]:
    """One episode; its return and its ground truth."""
    env.reset(seed=seed)
    total = 0.0
    while True:
        seen = env.view
        mask = env.action_masks()[: len(seen.ids) + 1]
        _, reward, terminated, truncated, info = env.step(
            np.int64(choose(policy.scores(seen), mask))
        )
        total += reward
        if terminated or truncated:
            return total, info["truth"]


def evaluate(
    policy: Policy,
    episodes: int,
    first_seed: int = HELD_OUT,
    tell: Callable[[], None] = lambda: None,
) -> Summary:
    """Plays seeds first_seed .. first_seed + episodes - 1."""
    env = CountersignEnv()
    results = []
    for seed in range(first_seed, first_seed + episodes):
        results.append(play(env, policy, seed))
        tell()
    returns = np.array([value for value, _ in results])
    tallies = [tally for _, tally in results]
    delays = [t.contained_after for t in tallies if t.contained_after is not None]
    isolations = sum(t.isolations for t in tallies)
    return Summary(
        name=policy.name,
        mean_return=float(returns.mean()),
        interval=bootstrap(returns),
        lost=_share(t.lost for t in tallies if t.kind == "attack"),
        contained_minutes=float(np.median(delays)) if delays else None,
        contained=_share(t.contained_after is not None for t in tallies if t.entered),
        quiet_false_isolations=_share(t.false_isolations > 0 for t in tallies if t.kind == "quiet"),
        scanned_false_isolations=_share(
            t.false_isolations > 0 for t in tallies if t.kind == "scans"
        ),
        false_isolations=sum(t.false_isolations for t in tallies) / max(1, isolations),
        approvals_asked=sum(t.questions for t in tallies) / episodes,
        proposals=sum(t.proposals for t in tallies) / episodes,
    )


def compare(model: Path, episodes: int, tell: Callable[[], None] = lambda: None) -> list[Summary]:
    """Do-nothing, random, playbook and the learned policy on the same episodes."""
    policies: list[Policy] = [DoNothing(), RandomPolicy(), Playbook(), LearnedPolicy.load(model)]
    return [evaluate(policy, episodes, tell=tell) for policy in policies]


def bootstrap(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean."""
    rng = np.random.default_rng(seed)
    means = rng.choice(values, (_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def table(summaries: Iterable[Summary]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| policy | mean return | lost to intruder | contained | median minutes to contain "
        "| false isolation in quiet / scanned episodes | questions per episode |",
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


def _share(values: Iterable[bool]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
