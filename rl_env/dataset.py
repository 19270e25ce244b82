"""Episodes as a Minari data set, for offline reinforcement learning.

Minari keeps data sets by id below the folder in MINARI_DATASETS_PATH, or ~/.minari/datasets;
`minari.load_dataset(id)` reads them back. An episode has T decisions and T + 1 observations, and
infos as many: `action_mask`, bool [T + 1, 1 + 2 * rows], and `terms`, float64 [T + 1, 4] of
rewards, the first of them zero.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import minari
import numpy as np
from minari import MinariDataset
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_dataset import parse_dataset_id
from numpy.typing import NDArray

from policies.columns import OBSERVATION_VERSION
from policies.network import LearnedPolicy
from policies.playbook import Playbook
from rl_env.env import ENVIRONMENT
from rl_env.evaluate import HELD_OUT
from rl_env.oracle import Oracle
from rl_env.playing import Chance, Nobody, Player, play, player_of
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

__all__ = ["DatasetError", "check", "create", "player_called", "record"]

_BATCH = 16  # episodes at a time; more need memory
_VERSION = "observation_version"  # in the metadata


class DatasetError(ValueError):
    """The data set cannot be made; the message says what to change."""


def player_called(name: str) -> Player:
    """nothing, random, playbook, oracle, or the model in this folder. Raises ModelError."""
    if name == "nothing":
        return Nobody()
    if name == "random":
        return Chance()
    if name == "playbook":
        return player_of(Playbook())
    if name == "oracle":
        return Oracle()
    return player_of(LearnedPolicy.load(Path(name)))


def record(
    name: str,
    player: Player,
    scenario: str,
    episodes: int,
    seed: int,
    tell: Callable[[int], None] = lambda episodes: None,
) -> MinariDataset:
    """Plays the first episode of each seed from `seed` on into a new data set of this id.

    Raises DatasetError if there is one, or the id is none; ScenarioError or InventoryError.
    """
    if seed + episodes > HELD_OUT:
        raise DatasetError(f"seeds from {HELD_OUT} on are for evaluation: take a smaller seed")
    simulation = Simulation(Scenario.load(scenario), min(_BATCH, episodes))
    made = create(
        name,
        player.name,
        f"{ENVIRONMENT}, scenario {scenario}, played by {player.name}",
        env=gym.make(ENVIRONMENT, scenario=scenario),
    )
    for done in range(0, episodes, simulation.batch):
        kept = min(simulation.batch, episodes - done)
        made.storage.update_episodes(_Notes(player).of(simulation, seed + done, kept))
        tell(kept)
    return minari.load_dataset(name)


def create(name: str, player: str, description: str, **origin: Any) -> MinariDataset:
    """An empty one. `origin`: the environment, which `recover_environment` then makes again, or
    else the spaces. Raises DatasetError if there is one, or the id is none.
    """
    if not re.search(r"-v\d+$", name):
        raise DatasetError(f"{name}: the id of a data set ends in its version, as {name}-v0")
    try:
        parse_dataset_id(name)  # Minari makes a folder for what is none, too
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it has no author
            made = minari.create_dataset_from_buffers(
                name,
                [],
                algorithm_name=player,
                description=description,
                data_format="hdf5",
                **origin,
            )
    except ValueError as error:
        raise DatasetError(f"{name}: {error}") from error
    made.storage.update_metadata({_VERSION: OBSERVATION_VERSION})
    return made


def check(dataset: MinariDataset) -> None:
    """Raises DatasetError where its observations are not what policies see now."""
    version = dataset.storage.metadata.get(_VERSION)
    if version != OBSERVATION_VERSION:
        raise DatasetError(
            f"{dataset.id}: its observations are of version {version}, "
            f"this is {OBSERVATION_VERSION}: record it again"
        )


class _Notes:
    """Plays as the player does, and notes what it was shown."""

    def __init__(self, player: Player) -> None:
        self.name, self._player = player.name, player
        self._shown: list[dict[str, NDArray[Any]]] = []
        self._terms: list[NDArray[np.float64]] = []

    def choose(self, simulation: Simulation) -> NDArray[np.int64]:
        self._note(simulation)
        return self._player.choose(simulation)

    def of(self, simulation: Simulation, seed: int, kept: int) -> Iterator[EpisodeBuffer]:
        """One buffer for each of the first `kept` environments."""
        self._terms = [np.zeros_like(simulation.terms)]
        minutes = []
        for minute in play(simulation, self, seed):
            minutes.append(minute)
            self._terms.append(simulation.terms.copy())
        self._note(simulation)
        for e in range(kept):
            of_it = [minute for minute in minutes if minute.alive[e]]
            upto = len(of_it) + 1
            yield EpisodeBuffer(
                seed=seed + e,
                observations={key: self._of(key, e, upto) for key in ("entities", "context")},
                actions=np.array([minute.actions[e] for minute in of_it]),
                rewards=np.array([minute.rewards[e] for minute in of_it]),
                terminations=np.array([minute.terminated[e] for minute in of_it]),
                truncations=np.array([minute.truncated[e] for minute in of_it]),
                infos={
                    "action_mask": self._of("action_mask", e, upto),
                    "terms": np.stack([terms[e] for terms in self._terms[:upto]]),
                },
            )

    def _of(self, key: str, e: int, upto: int) -> NDArray[Any]:
        return np.stack([shown[key][e] for shown in self._shown[:upto]])

    def _note(self, simulation: Simulation) -> None:
        self._shown.append(
            {
                "entities": np.ascontiguousarray(simulation.entities),
                "context": simulation.context.copy(),
                "action_mask": simulation.mask.copy(),
            }
        )
