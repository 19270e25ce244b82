"""A call of governance in words, as people confirm it or find it scheduled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from policies.actions import Kind
from policies.inventory import CRITICALITIES
from responder.chain.events import artifact
from responder.chain.proposal import network_text
from responder.chain.records import Role

__all__ = ["MANAGER_ROLES", "call_words", "role_words"]

MANAGER_ROLES = ("admin", "governor")  # by number, in the AccessManager


def call_words(function: str, values: Sequence[Any]) -> str:
    """One line, and one more for each entry of a bulk call; `values` as its ABI has them, structs
    as tuples or mappings.
    """
    inputs = _inputs()[function]
    parts, entries = [function], []
    for entry, value in zip(inputs, values, strict=True):
        if entry["type"].endswith("[]"):
            entries += [f"\n    {_value({**entry, 'type': entry['type'][:-2]}, v)}" for v in value]
        elif entry["type"] == "tuple":
            parts.append(_value(entry, value))
        else:
            parts.append(f"{entry['name']}={_value(entry, value)}")
    return " ".join(parts) + "".join(entries)


def role_words(bits: int) -> str:
    """The roles of an account on the gate."""
    return "+".join(role.name.lower() for role in Role if bits & role) or "none"


def _value(entry: Mapping[str, Any], value: Any) -> str:
    if entry["type"] == "tuple":
        fields = value.values() if isinstance(value, Mapping) else value
        named = zip(entry["components"], fields, strict=True)
        return " ".join(f"{field['name']}={_value(field, v)}" for field, v in named)
    if entry["name"] in _WORDS:
        return _WORDS[entry["name"]](value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return repr(value) if entry["type"] == "string" else str(value)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else "never"


# By the name of an argument or a field.
_WORDS: dict[str, Callable[[Any], str]] = {
    "roles": role_words,
    "kind": lambda value: Kind(value).name,
    "kinds": lambda bits: "+".join(k.name for k in Kind if bits >> k & 1) or "none",
    "criticality": lambda value: CRITICALITIES[value],
    "groups": lambda bits: "+".join(str(g) for g in range(8) if bits >> g & 1) or "any",
    "networks": network_text,
    "roleId": lambda role: MANAGER_ROLES[role] if role < len(MANAGER_ROLES) else str(role),
    "frozenFrom": _moment,
    "frozenUntil": _moment,
    "until": _moment,
}


@cache
def _inputs() -> dict[str, list[dict[str, Any]]]:
    return {
        entry["name"]: entry["inputs"]
        for name in ("AccessManager", "Gate")
        for entry in artifact(name)["abi"]
        if entry["type"] == "function"
    }
