"""What a deployment shall look like, read from one YAML file and checked before anything is sent.

contracts/deployment.example.yaml shows every key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from policies.actions import Kind
from policies.guardrails import Limits, Rule, ZoneRule
from policies.inventory import CRITICALITIES, Inventory, InventoryError
from responder.chain.deploy_values import (
    address,
    integer,
    listed,
    mapping,
    moment_in,
    second_of_week,
)
from responder.chain.registry import Scope
from responder.errors import Permanent

__all__ = ["ROLES", "DeployConfig", "load_config"]

ROLES = {"agents": 1, "operators": 2, "guardians": 4, "enforcers": 8}  # the contract's bits
_SECONDS = ("window", "max_pending", "max_lease", "receipt_due")
_QUORUMS = ("lease_quorum", "release_quorum", "model_quorum")
_RULE = ("quorum", "leasable", "max_ttl", "budget", "live")
_MAX_NAME = 256  # bytes, the contract's
_MAX_NETWORKS = 64  # of each family, the contract's
_MAX_BUDGET = 2047  # the contract's
_MAX_WAIT = 30 * 86400  # of what waits for or rests on signatures, the contract's
_GROUPS, _GROUP = 4, 16  # approver groups, and their seats; the contract's
_UINT8, _UINT16, _UINT24, _UINT32 = 2**8 - 1, 2**16 - 1, 2**24 - 1, 2**32 - 1
_WEEK = 7 * 86400
_DEFAULT_ZONE = ZoneRule(share=50)
_DEFAULT_KEEP = 1
_OPTIONAL = frozenset({"zones", "pools"})

_EVERYWHERE = Scope(sum(1 << kind for kind in Kind))


@dataclass(frozen=True)
class DeployConfig:
    """The desired state of one gate and its AccessManager."""

    governor: str  # checksum address
    delay: int  # seconds between a governor's wish and its effect
    roles: Mapping[str, tuple[int, int]]  # by checksum address: the contract's bits, and the group
    groups: tuple[str, ...]  # names of the approver groups, by number
    scopes: Mapping[str, Scope]  # of the enforcers
    limits: Limits
    rules: Mapping[tuple[Kind, int], Rule]  # all twelve cells
    zones: Mapping[str, ZoneRule]  # those that assets name
    pools: Mapping[str, int]  # those that assets name -> how many must stay reachable
    inventory: Inventory

    @staticmethod
    def from_mapping(data: Any, inventory: Inventory) -> DeployConfig:
        """Validates a parsed document. Raises Permanent with the entry at fault."""
        keys = {"governor", *ROLES, "limits", "guardrails", "zones", "pools", "inventory"}
        top = mapping(data, "deployment", keys, _OPTIONAL | {"inventory"})
        governor = mapping(top["governor"], "governor", {"address", "delay"})
        people = _People(top)
        limits = _limits(top["limits"], people)
        config = DeployConfig(
            governor=address(governor["address"], "governor.address"),
            delay=integer(governor["delay"], "governor.delay", 1, _UINT32),
            roles=people.roles,
            groups=people.groups,
            scopes=people.scopes,
            limits=limits,
            rules=_rules(top["guardrails"], people, limits),
            zones=_zones(top.get("zones") or {}, inventory),
            pools=_pools(top.get("pools") or {}, inventory),
            inventory=inventory,
        )
        if config.roles.get(config.governor, (0, 0))[0] & ROLES["agents"]:
            raise Permanent("governor.address: an agent must not govern its own guardrails")
        _check_inventory(inventory)
        _check_freezes(config, people.count())
        _check_scopes(config)
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


# ---------------------------------------------------------------- people


class _People:
    """Accounts, their roles, approver groups and scopes, as the sections of the file give them."""

    def __init__(self, top: Mapping[str, Any]) -> None:
        self.roles: dict[str, tuple[int, int]] = {}
        self.scopes: dict[str, Scope] = {}
        self.groups = self._operators(top["operators"])
        for key in ("agents", "guardians"):
            for index, entry in enumerate(listed(top[key], key)):
                self._add(entry, key, f"{key}[{index}]")
        for index, entry in enumerate(listed(top["enforcers"], "enforcers")):
            self._enforcer(entry, f"enforcers[{index}]")
        alone = ROLES["agents"]
        mixed = [a for a, (bits, _) in self.roles.items() if bits & alone and bits != alone]
        if mixed:
            raise Permanent(f"agents: {mixed[0]} has another role; whoever proposes never approves")

    def count(self, groups: Iterable[int] = range(_GROUPS)) -> int:
        """Operators in these groups."""
        wanted = set(groups)
        return sum(
            bool(bits & ROLES["operators"]) and group in wanted
            for bits, group in self.roles.values()
        )

    def quorum(self, value: Any, where: str) -> int:
        quorum = integer(value, where, 1, _UINT8)
        if quorum > self.count():
            raise Permanent(
                f"{where}: {quorum} approvals can never come from {self.count()} operators"
            )
        return quorum

    def _operators(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, list):
            value = {"operators": value}
        elif not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise Permanent("operators: expected a list, or lists by names of approver groups")
        if len(value) > _GROUPS:
            raise Permanent(f"operators: {len(value)} approver groups, the gate takes {_GROUPS}")
        for number, (name, members) in enumerate(value.items()):
            where = "operators" if name == "operators" else f"operators.{name}"
            if len(listed(members, where)) > _GROUP:
                raise Permanent(f"{where}: {len(members)} operators, a group seats {_GROUP}")
            for index, entry in enumerate(members):
                self._add(entry, "operators", f"{where}[{index}]", number)
        return tuple(value)

    def _add(self, value: Any, key: str, where: str, group: int = 0) -> str:
        account, bit = address(value, where), ROLES[key]
        bits, seat = self.roles.get(account, (0, 0))
        if bits & bit:
            raise Permanent(f"{where}: {account} is listed twice")
        self.roles[account] = (bits | bit, group if key == "operators" else seat)
        return account

    def _enforcer(self, value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            self.scopes[self._add(value, "enforcers", where)] = _EVERYWHERE
            return
        data = mapping(value, where, {"address", "kinds", "zone"}, frozenset({"kinds", "zone"}))
        kinds, zone = _EVERYWHERE.kinds, _EVERYWHERE.zone
        if "kinds" in data:
            kinds = _bits(data["kinds"], [kind.name.lower() for kind in Kind], f"{where}.kinds")
        if "zone" in data:
            zone = str(data["zone"])
        self.scopes[self._add(data["address"], "enforcers", where)] = Scope(kinds, zone)


# ---------------------------------------------------------------- rules


def _limits(value: Any, people: _People) -> Limits:
    data = mapping(value, "limits", {*_SECONDS, *_QUORUMS})
    most = {"max_pending": _MAX_WAIT, "max_lease": _MAX_WAIT}
    return Limits(
        **{k: integer(data[k], f"limits.{k}", 1, most.get(k, _UINT24)) for k in _SECONDS},
        **{k: people.quorum(data[k], f"limits.{k}") for k in _QUORUMS},
    )


def _rules(value: Any, people: _People, limits: Limits) -> dict[tuple[Kind, int], Rule]:
    names = {kind.name.lower(): kind for kind in Kind}
    table = mapping(value, "guardrails", set(names))
    rules = {}
    for name, kind in names.items():
        row = mapping(table[name], f"guardrails.{name}", set(CRITICALITIES))
        for criticality, column in enumerate(CRITICALITIES):
            where = f"guardrails.{name}.{column}"
            rules[kind, criticality] = _rule(row[column], where, people, limits)
    return rules


def _rule(value: Any, where: str, people: _People, limits: Limits) -> Rule:
    if value == "refused":
        return Rule(allowed=False)
    if not isinstance(value, Mapping):
        raise Permanent(f"{where}: expected `refused` or {list(_RULE)}")
    data = mapping(value, where, {*_RULE, "delay", "groups"}, frozenset({"delay", "groups"}))
    if not isinstance(data["leasable"], bool):
        raise Permanent(f"{where}.leasable: expected true or false, got {data['leasable']!r}")
    rule = Rule(
        allowed=True,
        leasable=data["leasable"],
        quorum=people.quorum(data["quorum"], f"{where}.quorum"),
        groups=_bits(data.get("groups", []), people.groups, f"{where}.groups", least=0),
        delay=integer(data.get("delay", 0), f"{where}.delay", 0, _UINT24),
        max_ttl=integer(data["max_ttl"], f"{where}.max_ttl", 1, _UINT24),
        budget=integer(data["budget"], f"{where}.budget", 1, _MAX_BUDGET),
        live=integer(data["live"], f"{where}.live", 1, _UINT16),
    )
    _check_rule(rule, where, people, limits)
    return rule


def _check_rule(rule: Rule, where: str, people: _People, limits: Limits) -> None:
    if rule.leasable and rule.delay:
        raise Permanent(f"{where}: what a lease executes at once cannot wait; drop one of the two")
    if rule.delay >= limits.max_pending:
        raise Permanent(f"{where}.delay: no proposal waits that long, see limits.max_pending")
    if rule.groups.bit_count() > rule.quorum:
        raise Permanent(
            f"{where}.groups: {rule.quorum} approvals cannot be of {rule.groups.bit_count()} groups"
        )
    for number, name in enumerate(people.groups):
        if rule.groups >> number & 1 and not people.count([number]):
            raise Permanent(f"{where}.groups: no operator is in {name!r}")


# ---------------------------------------------------------------- zones, pools


def _zones(value: Any, inventory: Inventory) -> dict[str, ZoneRule]:
    names = {asset.zone for asset in inventory.assets}
    return {
        name: _zone(entry, f"zones.{name}") if entry else _DEFAULT_ZONE
        for name, entry in _of_assets(value, "zones", names)
    }


def _zone(value: Any, where: str) -> ZoneRule:
    keys = {"share", "frozen", "window"}
    data = mapping(value, where, keys, frozenset(keys))
    share = integer(data.get("share", _DEFAULT_ZONE.share), f"{where}.share", 1, 100)
    frozen, window = (0, 0, 0), (0, 0)
    if "frozen" in data:
        frozen = _frozen(data["frozen"], f"{where}.frozen")
    if "window" in data:
        entry = mapping(data["window"], f"{where}.window", {"opens", "length"})
        length = integer(entry["length"], f"{where}.window.length", 1, _WEEK)
        window = (second_of_week(entry["opens"], f"{where}.window.opens"), length)
    return ZoneRule(share, *frozen, *window)


def _frozen(value: Any, where: str) -> tuple[int, int, int]:
    data = mapping(value, where, {"from", "until", "extra"})
    start, end = (
        moment_in(data["from"], f"{where}.from"),
        moment_in(data["until"], f"{where}.until"),
    )
    if end <= start:
        raise Permanent(f"{where}.until: ends before it begins")
    return integer(data["extra"], f"{where}.extra", 0, _UINT8), start, end


def _pools(value: Any, inventory: Inventory) -> dict[str, int]:
    names = {asset.pool for asset in inventory.assets if asset.pool}
    if len(names) > _UINT8:
        raise Permanent(f"inventory: {len(names)} pools, the gate takes {_UINT8}")
    pools = {}
    for name, entry in _of_assets(value, "pools", names):
        data = mapping(entry, f"pools.{name}", {"keep"}) if entry else {"keep": _DEFAULT_KEEP}
        pools[name] = integer(data["keep"], f"pools.{name}.keep", 1, _UINT16)
    return pools


def _of_assets(value: Any, where: str, names: set[str]) -> list[tuple[str, Any]]:
    """What a section says of each name that assets have; None where it is left out."""
    if not isinstance(value, Mapping):
        raise Permanent(f"{where}: expected a mapping, got {type(value).__name__}")
    unknown = sorted(str(name) for name in value if name not in names)
    if unknown:
        raise Permanent(f"{where}.{unknown[0]}: no asset of the inventory names it")
    return [(name, value.get(name)) for name in sorted(names)]


# ---------------------------------------------------------------- the whole


def _check_inventory(inventory: Inventory) -> None:
    names = [("asset", a.id) for a in inventory.assets]
    names += [("zone", a.zone) for a in inventory.assets]
    names += [("pool", a.pool) for a in inventory.assets]
    names += [("credential", c.id) for c in inventory.credentials]
    names += [("principal", c.owner) for c in inventory.credentials]
    names += [("resource", r.id) for r in inventory.resources]
    names += [("principal", g.principal) for g in inventory.grants]
    for what, name in names:
        if len(name.encode()) > _MAX_NAME:
            raise Permanent(f"inventory: {what} {name!r} is longer than {_MAX_NAME} bytes")
    families = Counter(":" in network for network in set(inventory.protected_networks))
    if max(families.values(), default=0) > _MAX_NETWORKS:
        raise Permanent(
            f"inventory: {max(families.values())} protected networks of one family, "
            f"the gate takes {_MAX_NETWORKS}; merge neighbours into wider ones"
        )


def _check_freezes(config: DeployConfig, operators: int) -> None:
    for asset in config.inventory.assets:
        rule, extra = config.rules[Kind.ISOLATE, asset.criticality], config.zones[asset.zone].extra
        if rule.allowed and extra and rule.quorum + extra > operators:
            raise Permanent(
                f"zones.{asset.zone}.frozen.extra: {rule.quorum} + {extra} approvals for "
                f"{asset.id!r} can never come from {operators} operators"
            )


def _check_scopes(config: DeployConfig) -> None:
    for enforcer, scope in config.scopes.items():
        if scope.zone and scope.zone not in config.zones:
            raise Permanent(
                f"enforcers: {enforcer}: no asset of the inventory is in {scope.zone!r}"
            )


def _bits(value: Any, names: Iterable[str], where: str, least: int = 1) -> int:
    """One bit for each name in the list, numbered as in `names`."""
    known, bits = list(names), 0
    for name in listed(value, where):
        if name not in known:
            raise Permanent(f"{where}: {name!r} is not one of {known}")
        bits |= 1 << known.index(name)
    if bits.bit_count() < least:
        raise Permanent(f"{where}: name at least one of {known}")
    return bits
