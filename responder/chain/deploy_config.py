"""What a deployment shall look like, read from one YAML file and checked before anything is sent.

contracts/deployment.example.yaml shows every key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address

from policies.actions import Kind
from policies.guardrails import Limits, Rule
from policies.inventory import CRITICALITIES, Inventory, InventoryError
from responder.errors import Permanent

__all__ = ["DeployConfig", "load_config"]

_ROLES = {"agents": 1, "operators": 2, "guardians": 4, "enforcers": 8}  # the contract's bits
_LIMITS = ("window", "max_pending", "lease_quorum", "release_quorum", "max_lease")
_RULE = ("quorum", "leasable", "max_ttl", "budget")
_MAX_NAME = 256  # bytes, the contract's
_MAX_NETWORKS = 64  # of each family, the contract's
_MAX_BUDGET = 4095  # the contract's
_UINT8, _UINT32 = 2**8 - 1, 2**32 - 1


@dataclass(frozen=True)
class DeployConfig:
    """The desired state of one gate and its AccessManager."""

    governor: str  # checksum address
    delay: int  # seconds between a governor's wish and its effect
    roles: Mapping[str, int]  # by checksum address: the contract's bits
    limits: Limits
    rules: Mapping[tuple[Kind, int], Rule]  # all twelve cells
    models: Mapping[bytes, bytes]  # active ones: hash -> hash of the card
    inventory: Inventory

    @staticmethod
    def from_mapping(data: Any, inventory: Inventory) -> DeployConfig:
        """Validates a parsed document. Raises Permanent with the entry at fault."""
        keys = {"governor", *_ROLES, "limits", "guardrails", "models", "inventory"}
        top = _mapping(data, "deployment", keys, optional=frozenset({"inventory", "models"}))
        governor = _mapping(top["governor"], "governor", {"address", "delay"})
        roles = _roles(top)
        operators = sum(bool(bits & _ROLES["operators"]) for bits in roles.values())
        config = DeployConfig(
            governor=_address(governor["address"], "governor.address"),
            delay=_integer(governor["delay"], "governor.delay", 1, _UINT32),
            roles=roles,
            limits=_limits(top["limits"], operators),
            rules=_rules(top["guardrails"], operators),
            models=_models(top.get("models") or []),
            inventory=inventory,
        )
        if roles.get(config.governor, 0) & _ROLES["agents"]:
            raise Permanent("governor.address: an agent must not govern its own guardrails")
        _check_inventory(inventory)
        return config


def load_config(path: Path) -> DeployConfig:
    """Reads the YAML file and the inventory it names. Raises Permanent saying what to change."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(data, Mapping) or not isinstance(data.get("inventory"), str):
            raise Permanent("inventory: expected the path of an inventory YAML")
        inventory = Inventory.load(path.parent / data["inventory"])
        return DeployConfig.from_mapping(data, inventory)
    except OSError as error:
        raise Permanent(f"cannot read deployment {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Permanent(f"{path} is not valid YAML: {error}") from error
    except (Permanent, InventoryError) as error:
        raise Permanent(f"{path}: {error}") from error


# ---------------------------------------------------------------- sections


def _roles(top: Mapping[str, Any]) -> dict[str, int]:
    roles: dict[str, int] = {}
    for key, bit in _ROLES.items():
        for index, entry in enumerate(_list(top[key], key)):
            address = _address(entry, f"{key}[{index}]")
            if roles.get(address, 0) & bit:
                raise Permanent(f"{key}[{index}]: {address} is listed twice")
            roles[address] = roles.get(address, 0) | bit
    mixed = [a for a, bits in roles.items() if bits & _ROLES["agents"] and bits != _ROLES["agents"]]
    if mixed:
        raise Permanent(f"agents: {mixed[0]} has another role; whoever proposes never approves")
    return roles


def _limits(value: Any, operators: int) -> Limits:
    data = _mapping(value, "limits", set(_LIMITS))
    quorums = {k: _quorum(data[k], f"limits.{k}", operators) for k in _LIMITS if "quorum" in k}
    seconds = {
        k: _integer(data[k], f"limits.{k}", 1, _UINT32) for k in _LIMITS if "quorum" not in k
    }
    return Limits(**seconds, **quorums)


def _rules(value: Any, operators: int) -> dict[tuple[Kind, int], Rule]:
    names = {kind.name.lower(): kind for kind in Kind}
    table = _mapping(value, "guardrails", set(names))
    rules = {}
    for name, kind in names.items():
        row = _mapping(table[name], f"guardrails.{name}", set(CRITICALITIES))
        for criticality, column in enumerate(CRITICALITIES):
            where = f"guardrails.{name}.{column}"
            rules[kind, criticality] = _rule(row[column], where, operators)
    return rules


def _rule(value: Any, where: str, operators: int) -> Rule:
    if value == "refused":
        return Rule(allowed=False)
    if not isinstance(value, Mapping):
        raise Permanent(f"{where}: expected `refused` or {list(_RULE)}")
    data = _mapping(value, where, set(_RULE))
    if not isinstance(data["leasable"], bool):
        raise Permanent(f"{where}.leasable: expected true or false, got {data['leasable']!r}")
    return Rule(
        allowed=True,
        leasable=data["leasable"],
        quorum=_quorum(data["quorum"], f"{where}.quorum", operators),
        max_ttl=_integer(data["max_ttl"], f"{where}.max_ttl", 1, _UINT32),
        budget=_integer(data["budget"], f"{where}.budget", 1, _MAX_BUDGET),
    )


def _models(value: Any) -> dict[bytes, bytes]:
    models: dict[bytes, bytes] = {}
    for index, entry in enumerate(_list(value, "models")):
        data = _mapping(entry, f"models[{index}]", {"hash", "card"})
        model = _bytes32(data["hash"], f"models[{index}].hash")
        if model in models:
            raise Permanent(f"models[{index}]: 0x{model.hex()} is listed twice")
        models[model] = _bytes32(data["card"], f"models[{index}].card")
    return models


def _check_inventory(inventory: Inventory) -> None:
    names = [(a.id, "asset") for a in inventory.assets]
    names += [(a.zone, "zone") for a in inventory.assets]
    names += [(c.id, "credential") for c in inventory.credentials]
    for name, what in names:
        if len(name.encode()) > _MAX_NAME:
            raise Permanent(f"inventory: {what} {name!r} is longer than {_MAX_NAME} bytes")
    families = Counter(":" in network for network in set(inventory.protected_networks))
    if max(families.values(), default=0) > _MAX_NETWORKS:
        raise Permanent(
            f"inventory: {max(families.values())} protected networks of one family, "
            f"the gate takes {_MAX_NETWORKS}; merge neighbours into wider ones"
        )


# ---------------------------------------------------------------- values


def _mapping(
    value: Any, where: str, keys: set[str], optional: frozenset[str] = frozenset()
) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Permanent(f"{where}: expected a mapping, got {type(value).__name__}")
    unknown = {str(key) for key in value} - keys
    if unknown:
        raise Permanent(f"{where}: unknown keys {sorted(unknown)}; known are {sorted(keys)}")
    missing = keys - optional - set(value)
    if missing:
        raise Permanent(f"{where}: missing keys {sorted(missing)}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Permanent(f"{where}: expected a list, got {type(value).__name__}")
    return value


def _integer(value: Any, where: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Permanent(f"{where}: expected a whole number from {least} to {most}, got {value!r}")
    return value


def _quorum(value: Any, where: str, operators: int) -> int:
    quorum = _integer(value, where, 1, _UINT8)
    if quorum > operators:
        raise Permanent(f"{where}: {quorum} approvals can never come from {operators} operators")
    return quorum


def _address(value: Any, where: str) -> str:
    if not isinstance(value, str) or not is_hex_address(value) or not value.startswith("0x"):
        raise Permanent(f"{where}: {value!r} is not an address; quote it in YAML")
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value):
        raise Permanent(f"{where}: the checksum of {value} is wrong; copy the address again")
    if not int(digits, 16):
        raise Permanent(f"{where}: the zero address can sign nothing")
    return str(to_checksum_address(value))


def _bytes32(value: Any, where: str) -> bytes:
    text = value.removeprefix("0x") if isinstance(value, str) else ""
    try:
        decoded = bytes.fromhex(text)
    except ValueError:
        decoded = b""
    if len(decoded) != 32:
        raise Permanent(f"{where}: expected 32 bytes in hexadecimal and in quotes, got {value!r}")
    return decoded
