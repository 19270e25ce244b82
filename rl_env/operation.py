"""A data set from real operation: what was proposed, what it was proposed from, and what people
made of it.

Two things are read, both as the live side writes them: the evidence folder, whose bundles are named
by their SHA-256, and the record of all proposals, which is what `countersign pending --all --json`
prints. Whether that record is the chain's, `countersign audit verify` says.

Nobody knows in operation what would have been right, so the reward is people's verdict, told
against not proposing at all, in the simulator's unit with its default prices:

- A proposal that people let stand is worth an intruder's goal missed (`reward.loss`), one that they
  did not is charged an hour of a user's work (60 x `reward.service`). To reject, veto or release is
  not to let it stand, nor is to let the question lapse; to approve is, and so is to leave an order
  alone that a lease covered, since people signed the lease for it.
- Either costs `reward.proposal`, and `reward.question` for each approval that it needed.

Moments in which nothing was proposed are not recorded in operation. That doing nothing is worth 0
is known all the same, since rewards are told against it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import minari
import numpy as np
from gymnasium import spaces
from minari import MinariDataset
from minari.data_collector.episode_buffer import EpisodeBuffer
from numpy.typing import NDArray

from policies.columns import (
    APPROVALS,
    CONTEXT_COLUMNS,
    ENTITY_COLUMNS,
    LEASED,
    OBSERVATION_VERSION,
    VERBS,
)
from policies.policy import NOTHING, meaning
from rl_env.costs import Reward
from rl_env.dataset import DatasetError, create
from rl_env.decisions import spread
from rl_env.simulation import TERMS

__all__ = ["Found", "Proposed", "from_audit", "read", "told"]

_STOOD = frozenset({"LIVE", "EXPIRED", "SUPERSEDED"})
_REFUSED = frozenset({"REJECTED", "VETOED", "LAPSED", "RELEASED"})
_OPEN = frozenset({"PENDING", "WAITING", "READY"})
_PRICES = Reward()


@dataclass(frozen=True)
class Proposed:
    """A proposal as its bundle has it, and whether people let it stand."""

    entities: NDArray[np.float32]  # [n, F]
    context: NDArray[np.float32]  # [G]
    mask: NDArray[np.bool_]  # [1 + VERBS * n]
    choice: int
    stood: bool

    @property
    def terms(self) -> tuple[float, float, float, float]:
        """As rl_env.simulation.TERMS."""
        _, row = meaning(self.choice, len(self.entities))
        asked = 0.0 if self.entities[row, LEASED] else round(4.0 * self.entities[row, APPROVALS])
        effort = -_PRICES.proposal - _PRICES.question * asked
        if self.stood:
            return _PRICES.loss, 0.0, effort, 0.0
        return 0.0, -60.0 * _PRICES.service, effort, 0.0


@dataclass(frozen=True)
class Found:
    """What a record and an evidence folder say together; `left_out` counts, by reason, proposals
    that could not be used.
    """

    proposed: tuple[Proposed, ...]
    left_out: Mapping[str, int]


def from_audit(name: str, record: Path, evidence: Path) -> tuple[MinariDataset, Found]:
    """A new data set of this id, an episode of one decision for each proposal.

    Raises DatasetError if nothing of it can be used, or there is a data set of this id.
    """
    found = read(record, evidence)
    if not found.proposed:
        reasons = told(found.left_out) or "there is none"
        raise DatasetError(f"{record}: no proposal can be used ({reasons})")
    rows = max(len(each.entities) for each in found.proposed)
    shapes = {"entities": (rows, len(ENTITY_COLUMNS)), "context": (len(CONTEXT_COLUMNS),)}
    made = create(
        name,
        "operation",
        f"proposals of real operation, {len(found.proposed)} in all, each an episode of one "
        "decision. Its reward is people's verdict, told against not proposing: "
        f"{_PRICES.loss:g} for what they let stand, {-60 * _PRICES.service:g} for what they "
        "rejected, vetoed, released or let lapse; less the approvals that it needed",
        observation_space=spaces.Dict(
            {key: spaces.Box(0.0, np.inf, shape, np.float32) for key, shape in shapes.items()}
        ),
        action_space=spaces.Discrete(1 + VERBS * rows),
    )
    made.storage.update_metadata({"relative": True})
    made.storage.update_episodes(_episode(each, rows) for each in found.proposed)
    return minari.load_dataset(name), found


def read(record: Path, evidence: Path) -> Found:
    """All proposals of the record whose bundle is there and unaltered, and on which people's
    verdict is known; oldest first.
    """
    proposed: list[Proposed] = []
    left_out = Counter[str]()
    for entry in sorted(_entries(record), key=lambda entry: entry.proposed_at):
        try:
            proposed.append(_proposed(entry, evidence))
        except _Unusable as error:
            left_out[str(error)] += 1
    return Found(tuple(proposed), dict(left_out))


# ---------------------------------------------------------------- parts


class _Unusable(Exception):
    """Nothing can be learned from a proposal; the message says why."""


class _Entry(NamedTuple):
    """What the record says of a proposal."""

    kind: str
    target: str
    ttl: int
    model: str
    evidence: str  # SHA-256 of its bundle, in hex
    proposed_at: float
    status: str
    approvals: int
    needed: int

    @property
    def stood(self) -> bool:
        if self.status in _OPEN:
            raise _Unusable("not decided yet")
        if self.status == "LAPSED" and self.approvals >= self.needed:
            raise _Unusable("approved, but not executed in time")
        return self.status in _STOOD


def _entries(record: Path) -> list[_Entry]:
    try:
        return [_entry(values) for values in json.loads(record.read_bytes())]
    except OSError as error:
        raise DatasetError(f"cannot read {record}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DatasetError(
            f"{record} is no record of proposals ({type(error).__name__}: {error}): "
            "write one by `countersign pending --all --json`"
        ) from error


def _entry(values: Mapping[str, Any]) -> _Entry:
    digest = bytes.fromhex(values["evidence"])
    if len(digest) != 32:
        raise ValueError("the hash of its evidence has not 32 bytes")
    if values["status"] not in _STOOD | _REFUSED | _OPEN:
        raise ValueError(f"status {values['status']!r}")
    return _Entry(
        kind=values["kind"],
        target=values["target"],
        ttl=values["ttl"],
        model=values["model"],
        evidence=digest.hex(),
        proposed_at=float(values["proposed_at"]),
        status=values["status"],
        approvals=len(values["approvals"]),
        needed=int(values["needed"]),
    )


def _proposed(entry: _Entry, evidence: Path) -> Proposed:
    stood = entry.stood
    bundle = _bundle(evidence / f"{entry.evidence}.json", entry.evidence)
    try:
        seen, action = bundle["observation"], bundle["action"]
        said = (action["kind"], action["target"], action["ttl"], bundle["policy"]["hash"])
        columns = (seen["version"], seen["entity_columns"], seen["context_columns"])
        entities = np.array(seen["entities"], dtype=np.float32)
        context = np.array(seen["context"], dtype=np.float32)
        mask, choice = np.array(bundle["mask"], dtype=np.bool_), int(bundle["choice"])
    except (KeyError, TypeError, ValueError) as error:
        raise _Unusable("its bundle is none of a decision") from error
    if columns != (OBSERVATION_VERSION, list(ENTITY_COLUMNS), list(CONTEXT_COLUMNS)):
        raise _Unusable("its observation is of another version")
    if said != (entry.kind, entry.target, entry.ttl, entry.model):
        raise _Unusable("its bundle speaks of another action or model")
    fits = (
        entities.shape == (len(entities), len(ENTITY_COLUMNS))
        and context.shape == (len(CONTEXT_COLUMNS),)
        and mask.shape == (1 + VERBS * len(entities),)
        and np.isfinite(entities).all()
        and np.isfinite(context).all()
    )
    if not fits or not NOTHING < choice < len(mask) or not mask[choice]:
        raise _Unusable("its bundle is none of a decision")
    return Proposed(entities, context, mask, choice, stood)


def _bundle(path: Path, digest: str) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _Unusable("its bundle is missing") from None
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise _Unusable("its bundle was altered: it has another hash")
    try:
        bundle: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _Unusable("its bundle is none of a decision") from error
    return bundle


def _episode(proposed: Proposed, rows: int) -> EpisodeBuffer:
    """What followed is not recorded: the same is shown again, with nothing permitted."""
    entities, permitted = _padded(proposed, rows)
    after = np.zeros_like(permitted)
    after[NOTHING] = True
    terms = np.zeros((2, len(TERMS)))
    terms[1] = proposed.terms
    choice = np.array([proposed.choice], dtype=np.int64)
    return EpisodeBuffer(
        observations={
            "entities": np.stack([entities, entities]),
            "context": np.stack([proposed.context, proposed.context]),
        },
        actions=spread(choice, len(proposed.entities), rows),
        rewards=terms[1:].sum(axis=1),
        terminations=np.array([True]),
        truncations=np.array([False]),
        infos={"action_mask": np.stack([permitted, after]), "terms": terms},
    )


def _padded(proposed: Proposed, rows: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """entities [rows, F] and mask [1 + VERBS * rows], with rows of nothing at the end."""
    count = len(proposed.entities)
    entities = np.zeros((rows, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[:count] = proposed.entities
    permitted = np.zeros(1 + VERBS * rows, dtype=np.bool_)
    chosen = np.flatnonzero(proposed.mask).astype(np.int64)
    permitted[spread(chosen, count, rows)] = True
    return entities, permitted


def told(left_out: Mapping[str, int]) -> str:
    """Which were left out and why, in a line."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
