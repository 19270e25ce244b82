"""Finds the policy that the settings name, and takes in models that are put to the operators."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from policies.network import DEFAULT_MODEL, LearnedPolicy, ModelError
from policies.playbook import Playbook
from policies.policy import DoNothing, Policy
from responder.errors import Permanent

__all__ = ["card_hash", "load_policy", "register", "registered"]

_BASELINES: dict[str, type[Playbook] | type[DoNothing]] = {
    "playbook": Playbook,
    "nothing": DoNothing,
}
_FILES = ("manifest.json", "model.safetensors", "card.md")
_MAX_CARD = 1 << 20  # bytes
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # a folder's, and never taken for a hash


def load_policy(name: str, models: Path | None = None) -> Policy:
    """A model that was registered in `models`, a shipped one, "playbook", "nothing", or a model
    folder. Raises Permanent when it cannot be used.
    """
    return _BASELINES[name]() if name in _BASELINES else _load(_folder(name, models))


def card_hash(name: str, models: Path | None = None) -> bytes:
    """SHA-256 of the model's card; of nothing where a policy has none."""
    card = None if name in _BASELINES else _folder(name, models) / "card.md"
    return hashlib.sha256(card.read_bytes() if card and card.is_file() else b"").digest()


def register(folder: Path, models: Path) -> LearnedPolicy:
    """Checks a model folder wholly and keeps a copy in `models`, under the model's name.

    Repeating it changes nothing. Raises Permanent when it cannot be used, has no card for people to
    read, or when another model has its name.
    """
    policy = _load(folder)
    if policy.name in _BASELINES or not _NAME.fullmatch(policy.name):
        raise Permanent(
            f"{folder}: to be registered, a model needs a name of its own, of at most 63 letters, "
            f"digits, dots, dashes and underscores; train it under another one than {policy.name!r}"
        )
    card = folder / "card.md"
    if not card.is_file() or card.stat().st_size > _MAX_CARD:
        raise Permanent(f"{card}: people sign for a card of at most {_MAX_CARD} bytes; write one")
    try:
        _keep(folder, models / policy.name, policy)
    except OSError as error:
        raise Permanent(f"cannot keep {folder} in {models}: {error.strerror}") from error
    return policy


def _keep(folder: Path, kept: Path, policy: LearnedPolicy) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=kept.parent) as temporary:
        for file in _FILES:
            shutil.copyfile(folder / file, Path(temporary) / file)
        if _load(Path(temporary)).hash != policy.hash:
            raise Permanent(f"{folder} changed while it was read; register it again")
        if _hash(kept) not in (None, policy.hash):
            raise Permanent(
                f"another model is registered as {policy.name}; train this one under another name, "
                f"or remove {kept}"
            )
        if kept.exists():
            shutil.rmtree(kept)
        shutil.copytree(temporary, kept)


def _hash(folder: Path) -> bytes | None:
    """None where there is no model, or a damaged one."""
    try:
        return LearnedPolicy.load(folder).hash
    except ModelError:
        return None


def registered(models: Path) -> list[LearnedPolicy]:
    """Every model in `models`, by name. Raises Permanent when one cannot be used any more."""
    return [_load(folder) for folder in sorted(models.glob("[!.]*"))]


def _load(folder: Path) -> LearnedPolicy:
    try:
        return LearnedPolicy.load(folder)
    except ModelError as error:
        raise Permanent(str(error)) from error


def _folder(name: str, models: Path | None) -> Path:
    places = [DEFAULT_MODEL.parent / name, Path(name)]
    if models is not None and _NAME.fullmatch(name):
        places.insert(0, models / name)
    for folder in places:
        if os.path.isdir(folder):  # Path.is_dir raises where a name is too long
            return folder
    known = sorted({p.name for p in DEFAULT_MODEL.parent.iterdir() if p.is_dir()})
    raise Permanent(
        f"no policy {name!r}: give a model folder, playbook, nothing, or one of {known}"
    )
