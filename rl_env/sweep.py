"""Sweeps: many training runs, on as many machines as a Ray cluster has.

Runs are independent and decided by their configuration alone, so where they are run changes nothing
but the time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import ray

from rl_env.train import TrainConfig, train

__all__ = ["Result", "grid", "sweep"]


@dataclass(frozen=True)
class Result:
    """Of a run: `changed` is how it differs from the others, `rounds` what each round came to."""

    changed: dict[str, Any]
    rounds: tuple[dict[str, float], ...]

    @property
    def score(self) -> float:
        """Mean return on validation episodes after the last round."""
        return self.rounds[-1]["validation_return"]


def grid(base: TrainConfig, changes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All combinations of the values of each setting. Raises ValueError for one that is none."""
    unknown = changes.keys() - asdict(base).keys()
    if unknown:
        raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
    combinations = itertools.product(*changes.values())
    return [dict(zip(changes, values, strict=True)) for values in combinations]


def sweep(
    base: TrainConfig,
    changes: Sequence[dict[str, Any]],
    address: str | None = None,
    tell: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Trains each change of the base configuration, one core each; results in the given order.

    `address`: of a Ray cluster; None starts Ray here. Raises what a run raises.
    """
    for change in changes:
        replace(base, **change)  # what is wrong is told before anything is started
    ray.init(address=address, include_dashboard=False, log_to_driver=False)
    try:
        run = ray.remote(num_cpus=1)(_run)
        waiting = {run.remote(base, change): number for number, change in enumerate(changes)}
        found: dict[int, Result] = {}
        for reference in _as_they_end(list(waiting)):
            found[waiting[reference]] = ray.get(reference)
            tell(found[waiting[reference]])
    finally:
        ray.shutdown()
    return [found[number] for number in range(len(changes))]


def _as_they_end(references: list[Any]) -> Iterator[Any]:
    while references:
        ended, references = ray.wait(references)
        yield from ended


def _run(base: TrainConfig, change: dict[str, Any]) -> Result:
    rounds: list[dict[str, float]] = []
    train(replace(base, **change), report=lambda each: rounds.append(each._asdict()), workers=1)
    return Result(change, tuple(rounds))
