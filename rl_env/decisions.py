"""What data sets recorded, decision by decision, for whoever learns from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import minari
import numpy as np
from minari import EpisodeData, MinariDataset
from numpy.typing import NDArray

from policies.columns import VERBS
from policies.network import speaking
from policies.policy import NOTHING
from rl_env.dataset import DatasetError, check
from rl_env.env import ENVIRONMENT

__all__ = ["Decisions", "load", "scenario_of", "spread"]

_STRAY = -1

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Decisions:
    """States of all episodes one after the other, and what was decided in them.

    Only entities that a policy looks at are kept, since most of a large site never matter: row r
    of a state is the r-th of them. An episode's last state, in which nothing was decided, follows
    the others.
    """

    entities: Floats  # [states, rows, F], zero beyond those of a state
    context: Floats  # [states, G]
    open: Flags  # [states, 1 + VERBS * rows]: permitted
    at: Indices  # [decisions]: the state; the next one follows it
    choice: Indices  # [decisions], or below zero for one that no policy makes
    reward: NDArray[np.float64]  # [decisions]
    over: Flags  # [decisions]: what follows is worth nothing
    episode: Indices  # [decisions]: number of its episode, from 0
    relative: bool  # rewards are told against doing nothing, which is worth 0 everywhere

    @property
    def rows(self) -> int:
        return self.entities.shape[1]

    def of(self, which: Flags) -> Decisions:
        """Those decisions alone; [decisions]."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("at", "choice", "reward", "over", "episode"):
            parts[name] = parts[name][which]
        return Decisions(**parts)

    def made(self) -> Decisions:
        """Those that a policy could have made, where there was more to choose than nothing."""
        more: Flags = np.any(self.open[self.at, 1:], axis=1)
        return self.of(more & (self.choice != _STRAY))


def load(names: Sequence[str]) -> tuple[Decisions, list[MinariDataset]]:
    """All decisions of these data sets. Raises DatasetError where one cannot be learned from."""
    found = [_found(name) for name in names]
    relative = {bool(each.storage.metadata.get("relative")) for each in found}
    if len(relative) > 1:
        raise DatasetError(
            "rewards of operation and of the simulator differ in meaning: "
            "learn from data sets of one kind"
        )
    episodes = [_Episode(data) for each in found for data in each.iterate_episodes()]
    if not episodes:
        raise DatasetError(f"{', '.join(names)}: no episode is in it")
    return _together(episodes, relative.pop()), found


def scenario_of(dataset: MinariDataset) -> str | None:
    """The scenario that it was simulated from; None of real operation."""
    spec = dataset.env_spec
    return str(spec.kwargs["scenario"]) if spec is not None and spec.id == ENVIRONMENT else None


def spread(choice: Indices, rows: int, wider: int) -> Indices:
    """Choices among `rows` entities, as choices among more; strays stay what they are."""
    verb, row = np.divmod(choice - 1, rows)
    return np.where(choice > NOTHING, 1 + verb * wider + row, choice)


# ---------------------------------------------------------------- parts


def _found(name: str) -> MinariDataset:
    try:
        dataset = minari.load_dataset(name)
    except (FileNotFoundError, ValueError) as error:
        raise DatasetError(
            f"there is no data set {name} here ({error}); `countersign dataset` makes one"
        ) from error
    check(dataset)
    return dataset


class _Episode:
    """One episode, of its entities only those looked at."""

    def __init__(self, data: EpisodeData) -> None:
        entities = np.asarray(data.observations["entities"], dtype=np.float32)
        states, rows, _ = entities.shape
        looked = speaking(entities)
        self.rows = int(looked.sum(axis=1).max())
        order = np.argsort(~looked, axis=1, kind="stable")[:, : self.rows]
        kept = np.take_along_axis(looked, order, axis=1)
        self.entities = np.take_along_axis(entities, order[:, :, None], axis=1) * kept[:, :, None]
        self.context = np.asarray(data.observations["context"], dtype=np.float32)
        permitted = np.asarray(data.infos["action_mask"])[:, 1:].reshape(states, VERBS, rows)
        permitted = np.take_along_axis(permitted.astype(np.bool_), order[:, None, :], axis=2)
        self.open = permitted & kept[:, None, :]
        choice = np.asarray(data.actions, dtype=np.int64)
        verb, row = np.divmod(choice - 1, rows)
        here = (order[:-1] == row[:, None]) & kept[:-1]
        place = 1 + verb * self.rows + here.argmax(axis=1) if self.rows else choice
        self.choice = np.where(
            choice == NOTHING, NOTHING, np.where(here.any(axis=1), place, _STRAY)
        )
        self.reward = np.asarray(data.rewards, dtype=np.float64)
        self.over = np.asarray(data.terminations, dtype=np.bool_)

    def wider(self, rows: int) -> Iterator[NDArray[Any]]:
        """entities, open and choice with so many rows."""
        more = rows - self.rows
        yield np.pad(self.entities, ((0, 0), (0, more), (0, 0)))
        permitted = np.pad(self.open, ((0, 0), (0, 0), (0, more))).reshape(len(self.open), -1)
        yield np.pad(permitted, ((0, 0), (1, 0)), constant_values=True)
        yield spread(self.choice, max(1, self.rows), rows)


def _together(episodes: list[_Episode], relative: bool) -> Decisions:
    rows = max(1, *(episode.rows for episode in episodes))
    wide = [tuple(episode.wider(rows)) for episode in episodes]
    lengths = [len(episode.choice) for episode in episodes]
    begins = np.cumsum([0, *(length + 1 for length in lengths)])
    return Decisions(
        entities=np.concatenate([entities for entities, _, _ in wide]),
        context=np.concatenate([episode.context for episode in episodes]),
        open=np.concatenate([permitted for _, permitted, _ in wide]),
        at=np.concatenate([b + np.arange(n) for b, n in zip(begins, lengths, strict=False)]),
        choice=np.concatenate([choice for _, _, choice in wide]),
        reward=np.concatenate([episode.reward for episode in episodes]),
        over=np.concatenate([episode.over for episode in episodes]),
        episode=np.repeat(np.arange(len(episodes)), lengths),
        relative=relative,
    )
