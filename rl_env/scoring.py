"""Normalised scores: 0 is doing nothing, 1 the oracle, who is told the truth.

Two figures, both with intervals of 95 % that are honest with few training seeds:

- `ratio` is plain: what a policy gains over doing nothing in all episodes, as a share of what the
  oracle gains in the same ones. Its interval resamples episodes.
- `interquartile` is the interquartile mean of Agarwal et al., "Deep RL at the edge of the
  statistical precipice" (2021), as their library rliable computes it, over cells: training seed x
  fold of episodes x task. A task is a stratum of site sizes; a fold is some of its episodes, and a
  cell the ratio above within them. The usual rows are training seeds alone; of one to three of them
  nothing could be resampled, and the luck of the episodes would not count. So rliable's stratified
  bootstrap resamples folds, for each task by itself, and training seeds, independently of them:
  all seeds play the same episodes, so their cells of a fold go together.

Every policy plays the same episodes, so what is hard in them cancels out. Seen in samples out of
12,000 episodes of the playbook, the interval of `ratio` covers its figure as often as it says,
that of `interquartile` in nine cases of ten with 1,000 episodes and more with 4,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "STRATA",
    "Estimate",
    "interquartile",
    "ratio",
    "resampled",
    "share",
    "strata",
]

# Tasks are these strata of site sizes: fewest and most hosts.
STRATA: Final = (
    (5, 17),
    (18, 25),
    (26, 33),
    (34, 41),
    (42, 60),
    (61, 150),
    (151, 500),
    (501, 2000),
)
_RESAMPLES: Final = 2000
_FOLDS: Final = (5, 20)  # of a task; of fewer, what is resampled tells too little
_FOLD: Final = 15  # episodes at least
_TASK: Final = _FOLDS[0] * _FOLD  # episodes: with fewer, a stratum is no task
_SIDES: Final = (2.5, 97.5)  # percent

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Estimate(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def strata(hosts: Ints) -> dict[str, Ints]:
    """The tasks in episodes at sites of so many hosts [n]: by name, which episodes they are."""
    found = {}
    for low, high in STRATA:
        of_it = np.flatnonzero((low <= hosts) & (hosts <= high))
        if len(of_it) >= _TASK:
            least, most = hosts[of_it].min(), hosts[of_it].max()
            found[f"{least}" if least == most else f"{least}-{most}"] = of_it
    return found


def ratio(runs: Floats, nothing: Floats, oracle: Floats) -> Estimate | None:
    """The normalised score of returns [training seeds, episodes], beside those of doing nothing and
    of the oracle [episodes] in the same episodes. None where the oracle gains nothing.
    """
    gains = np.stack([oracle - nothing, *(runs - nothing)], axis=1)
    if gains[:, 0].mean() <= 0.0:
        return None
    means = resampled(gains)
    seeds = np.random.default_rng(1).integers(len(runs), size=(_RESAMPLES, len(runs)))
    gained, most = np.take_along_axis(means[:, 1:], seeds, axis=1).mean(axis=1), means[:, 0]
    some = most > 0.0  # of few episodes all may be drawn in which there was nothing to gain
    low, high = np.percentile(gained[some] / most[some], _SIDES)
    return Estimate(float(gains[:, 1:].mean() / gains[:, 0].mean()), float(low), float(high))


def interquartile(
    runs: Floats, nothing: Floats, oracle: Floats, tasks: Sequence[Ints]
) -> Estimate | None:
    """The interquartile mean over training seeds, folds and tasks; `tasks`: each one's episodes.
    None where there are too few episodes for five folds of each task, or the oracle gains nothing.

    Needs rliable (`countersign[report]`).
    """
    folds = min([_FOLDS[1], *(len(task) // _FOLD for task in tasks)])
    if not tasks or folds < _FOLDS[0] or (oracle - nothing).mean() <= 0.0:
        return None
    from rliable import library, metrics

    cells = _cells(runs - nothing, oracle - nothing, tasks, folds)

    def mean(rows: Ints, seeds: Ints) -> Floats:
        """Of so many rows and seeds, given by number: rows [folds, tasks], seeds [seeds, 1]."""
        drawn = cells[seeds[:, 0]][:, rows, np.arange(len(tasks))]
        return np.array([metrics.aggregate_iqm(drawn)])

    numbers = np.tile(np.arange(folds)[:, None], len(tasks)), np.arange(len(runs))[:, None]
    with _seeded():
        values, intervals = library.get_interval_estimates(
            {"": list(numbers)}, mean, reps=_RESAMPLES
        )
    return Estimate(*(float(v) for v in (*values[""], *intervals[""][:, 0])))


def _cells(gains: Floats, most: Floats, tasks: Sequence[Ints], folds: int) -> Floats:
    """Normalised scores [training seeds, folds, tasks]."""
    cells = np.empty((len(gains), folds, len(tasks)))
    for t, task in enumerate(tasks):
        for f, fold in enumerate(np.array_split(task, folds)):
            within = most[fold].mean()  # of nothing to gain, nothing is gained
            cells[:, f, t] = gains[:, fold].mean(axis=1) / (within or np.inf)
    return cells


@contextmanager
def _seeded() -> Iterator[None]:
    """rliable draws from numpy's global dice, whatever random state it is given."""
    before: Any = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(before)


# ---------------------------------------------------------------- plain figures


def resampled(values: Floats, seed: int = 0) -> Floats:
    """Means over resampled rows: [n, ...] -> [resamples, ...]; the same rows for all columns."""
    rng = np.random.default_rng(seed)
    n = len(values)
    return np.stack([values[rng.integers(n, size=n)].mean(axis=0) for _ in range(_RESAMPLES)])


def share(flags: NDArray[np.bool_]) -> Estimate:
    """How many are set, with Wilson's interval, which holds where none is, too."""
    n, z = len(flags), NormalDist().inv_cdf(0.975)
    if n == 0:
        return Estimate(0.0, 0.0, 1.0)
    value = float(flags.mean())
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * (value * (1 - value) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)
    return Estimate(value, max(0.0, middle - reach), min(1.0, middle + reach))
