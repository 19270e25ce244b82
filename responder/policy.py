"""Finds the policy that the settings name."""

from __future__ import annotations

from pathlib import Path

from policies.network import DEFAULT_MODEL, LearnedPolicy, ModelError
from policies.playbook import Playbook
from policies.policy import DoNothing, Policy
from responder.errors import Permanent

__all__ = ["load_policy"]


def load_policy(name: str) -> Policy:
    """A shipped model by name, "playbook", "nothing", or a model folder. Raises Permanent when it cannot be used."""
    if name == "playbook":
        return Playbook()
    if name == "nothing":
        return DoNothing()
    shipped = DEFAULT_MODEL.parent / name
    folder = shipped if shipped.is_dir() else Path(name)
    if not folder.is_dir():
        known = sorted(p.name for p in DEFAULT_MODEL.parent.iterdir() if p.is_dir())
        raise Permanent(f"no policy {name!r}: give a model folder, playbook, nothing, or one of {known}")
    try:
        return LearnedPolicy.load(folder)
    except ModelError as error:
        raise Permanent(str(error)) from error
