"""Training: lessons from a teacher, policy iteration by rollouts, and, where steps are asked for,
MaskablePPO; one configuration object, one network out.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from policies.actions import Kind
from policies.network import LearnedPolicy
from rl_env.agent import EntityNetwork
from rl_env.checkpoints import Checkpoints, Stand
from rl_env.env import space_of
from rl_env.evaluate import HELD_OUT, VALIDATION, outcomes
from rl_env.fitting import fit_chances, fit_gains
from rl_env.moments import Moments
from rl_env.playing import player_of
from rl_env.refine import refine
from rl_env.rollouts import explore
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.teacher import lessons
from rl_env.world import ATTACKED, FALSE_ISOLATIONS

__all__ = ["Progress", "TrainConfig", "train"]

_SEEDS = 1000  # of a run, which no other run has
_RUNS = HELD_OUT // _SEEDS
_PARTS = 8  # that moments are gathered in, whatever the number of processes
_CAUTIONS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0)
_RARE = 4  # times as many validation episodes as otherwise, to count what is rare

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run. The defaults made the shipped model."""

    scenario: str = "sites-10-50"  # a registered one, or a file
    seed: int = 1
    hidden: int = 64
    lessons: int = 1_500_000  # moments seen with the teacher
    lesson_passes: float = 6.0
    rounds: int = 10  # of policy iteration
    moments: int = 16_000  # of a round, that are played out
    kept: int = 5  # rounds that are learned from
    passes: float = 12.0  # over what a round learns from
    learning_rate: float = 2e-3  # falls to a twentieth in lessons, and in each round
    false_isolations: float = 0.006  # share of attack-free episodes that may have any
    validation: int = 1024  # episodes after each round; the best round is kept
    steps: int = 0  # decisions of MaskablePPO afterwards

    def __post_init__(self) -> None:
        if not 0 <= self.seed < _RUNS:
            raise ValueError(f"seed must be 0 to {_RUNS - 1}: others are held out")
        if min(self.lessons, self.moments) < _PARTS:
            raise ValueError(f"lessons and moments must be {_PARTS} at least")

    @property
    def work(self) -> int:
        """Moments and decisions in all, for progress."""
        return self.lessons + self.rounds * self.moments + self.steps


class Progress(NamedTuple):
    """What came of a round."""

    round: int  # 0: the lessons
    loss: float
    validation_return: float
    false_isolations: float  # share of attack-free validation episodes


Tell = Callable[[int], None]  # that so much of the work is done
Report = Callable[[Progress], None]


def train(
    config: TrainConfig,
    tell: Tell = lambda done: None,
    report: Report = lambda progress: None,
    checkpoints: Path | None = None,
    workers: int | None = None,
) -> EntityNetwork:
    """Trains from scratch, or from what a run of the same configuration left in `checkpoints`. Same
    configuration, same machine: same weights, whatever the number of `workers` (processes).

    Raises ScenarioError, InventoryError, or CheckpointError.
    """
    torch.set_num_threads(1)
    scenario = Scenario.load(config.scenario)
    torch.manual_seed(config.seed)
    network = EntityNetwork(space_of(Simulation(scenario, 1)), config.hidden)
    network.hesitate()
    with _pool(workers) as pool:
        run = _Run(config, scenario, network, pool, tell, report)
        run.go(Checkpoints(checkpoints, asdict(config)))
    return network


def _pool(workers: int | None) -> ProcessPoolExecutor:
    """Processes of their own, since torch's and numba's threads do not survive a fork."""
    count = workers or os.cpu_count() or 1
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


class _Run:
    def __init__(
        self,
        config: TrainConfig,
        scenario: Scenario,
        network: EntityNetwork,
        pool: Executor,
        tell: Tell,
        report: Report,
    ) -> None:
        self._config, self._scenario, self._network = config, scenario, network
        self._pool, self._tell, self._report = pool, tell, report
        self._stand = Stand()

    def go(self, checkpoints: Checkpoints) -> None:
        config = self._config
        stand = self._stand = checkpoints.load(self._network)
        self._tell(min(stand.round + 1, 1) * config.lessons + max(0, stand.round) * config.moments)
        while stand.round < config.rounds:
            stand.round += 1
            loss = self._learn() if stand.round == 0 else self._improve()
            mean, wronged = _validate(self._network, self._scenario, config.validation)
            if mean > stand.score:
                stand.best, stand.score = stand.round, mean
                stand.weights = {k: v.clone() for k, v in self._network.tensors().items()}
            self._report(Progress(stand.round, loss, mean, wronged))
            checkpoints.save(stand, self._network)
        self._network.load_state_dict(stand.weights)
        self._beware()
        if config.steps:
            refine(self._network, self._scenario, config.steps, config.seed * _SEEDS, self._tell)

    # ------------------------------------------------------------ rounds

    def _learn(self) -> float:
        """The lessons."""
        sizes, always = _split(self._config.lessons), itertools.repeat(self._scenario)
        played = self._gathered(self._pool.map(lessons, always, sizes, self._seeds(0)), sizes)
        passes, rate = self._config.lesson_passes, self._config.learning_rate
        return fit_chances(self._network, played, passes, rate, self._config.seed)

    def _improve(self) -> float:
        """A round of policy iteration."""
        number, sizes = self._stand.round, _split(self._config.moments)
        policy = _policy(self._network)
        played = self._pool.map(
            explore,
            itertools.repeat(self._scenario),
            itertools.repeat(policy),
            sizes,
            self._seeds(number),
        )
        kept = [*self._stand.kept, self._gathered(played, sizes)]
        self._stand.kept = kept[-self._config.kept :]
        passes, rate = self._config.passes, self._config.learning_rate
        seed = self._config.seed * _SEEDS + number
        return fit_gains(self._network, Moments.joined(self._stand.kept), passes, rate, seed)

    def _gathered(self, parts: Iterator[Moments], sizes: list[int]) -> Moments:
        gathered = []
        for part, size in zip(parts, sizes, strict=True):
            gathered.append(part)
            self._tell(size)
        return Moments.joined(gathered)

    def _seeds(self, number: int) -> list[int]:
        first = self._config.seed * _SEEDS + number * _PARTS
        return list(range(first, first + _PARTS))

    def _beware(self) -> None:
        """The least caution about isolations with which few enough are false: the more, the fewer.
        They are rare, so it takes more episodes to count them.
        """

        def is_enough(caution: float) -> bool:
            self._network.caution[Kind.ISOLATE] = caution
            episodes = _RARE * self._config.validation
            _, wronged = _validate(self._network, self._scenario, episodes)
            return wronged <= self._config.false_isolations

        enough = bisect_left(_CAUTIONS[:-1], True, key=is_enough)
        self._network.caution[Kind.ISOLATE] = _CAUTIONS[enough]


def _split(count: int) -> list[int]:
    return [count // _PARTS + (part < count % _PARTS) for part in range(_PARTS)]


def _policy(network: EntityNetwork) -> LearnedPolicy:
    weights = {name: tensor.numpy().copy() for name, tensor in network.tensors().items()}
    return LearnedPolicy({"name": "candidate"}, weights, bytes(32))


def _validate(network: EntityNetwork, scenario: Scenario, episodes: int) -> tuple[float, float]:
    """Mean return, and the share of attack-free episodes with a false isolation."""
    played = outcomes(player_of(_policy(network)), scenario, episodes, VALIDATION)
    wronged = played.metrics[played.story != ATTACKED, FALSE_ISOLATIONS] > 0
    return float(played.returns.mean()), float(wronged.mean()) if len(wronged) else 0.0
