"""Finds the policy that the settings name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from policies.network import DEFAULT_MODEL, LearnedPolicy, ModelError
from policies.playbook import Playbook
from policies.policy import DoNothing, Policy
from responder.errors import Permanent

__all__ = ["card_hash", "load_policy"]

_BASELINES: dict[str, type[Playbook] | type[DoNothing]] = {
    "playbook": Playbook,
    "nothing": DoNothing,
}


def load_policy(name: str) -> Policy:
    """A shipped model by name, "playbook", "nothing", or a model folder. Raises Permanent when it
    cannot be used.
    """
    if name in _BASELINES:
        return _BASELINES[name]()
    try:
        return LearnedPolicy.load(_folder(name))
    except ModelError as error:
        raise Permanent(str(error)) from error


def card_hash(name: str) -> bytes:
    """SHA-256 of the model's card; of nothing where a policy has none."""
    card = None if name in _BASELINES else _folder(name) / "card.md"
    return hashlib.sha256(card.read_bytes() if card and card.is_file() else b"").digest()


def _folder(name: str) -> Path:
    shipped = DEFAULT_MODEL.parent / name
    folder = shipped if shipped.is_dir() else Path(name)
    if not folder.is_dir():
        known = sorted(p.name for p in DEFAULT_MODEL.parent.iterdir() if p.is_dir())
        raise Permanent(
            f"no policy {name!r}: give a model folder, playbook, nothing, or one of {known}"
        )
    return folder
