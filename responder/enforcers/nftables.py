"""Linux nftables: one table of our own, in which every element carries a kernel timeout.

So if every Countersign process dies, containment still ends on time. The clock given to `read` and
`apply` must go as fast as the kernel's. Traffic that never passes the IP hooks is out of reach:
bridged frames, and flows that a flowtable has already offloaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from policies.actions import Kind
from responder.enforcers.base import Actual, Command, Element
from responder.enforcers.planner import INTERVALS
from responder.enforcers.runner import Completed, Runner, SubprocessRunner
from responder.errors import Permanent, Temporary

__all__ = ["NftablesEnforcer", "statements"]

_TABLE = {"family": "inet", "table": "countersign"}
_LIST = ("nft", "-j", "list", "table", "inet", "countersign")
_APPLY = ("nft", "-j", "-f", "-")
_GROUPS = ("blocked", "networks", "isolated")
_FAMILIES = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_BEFORE_FILTER = -10  # `filter` is 0

Json = dict[str, Any]


class NftablesEnforcer:
    """The packet filter of the host, or of the network namespace that the runner enters."""

    name = "nftables"
    kinds = frozenset({Kind.BLOCK, Kind.ISOLATE})

    def __init__(self, management: Sequence[str] = (), runner: Runner | None = None) -> None:
        self.management = tuple(management)
        self._runner = runner or SubprocessRunner()

    def read(self, now: float) -> Actual:
        done = self._runner.run(_LIST)
        if done.status and b"No such file or directory" in done.errors:
            return Actual(intact=False)  # no table
        _succeeded(done)
        try:
            return _facts(json.loads(done.output)["nftables"], now)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Permanent("nft's listing is not understood; is this nft 1.0 or later?") from error

    def apply(self, commands: Iterable[Command], now: float) -> None:
        """One transaction: the kernel takes all of it or nothing."""
        transaction = {"nftables": statements(commands, now)}
        _succeeded(self._runner.run(_APPLY, json.dumps(transaction).encode()))


def statements(commands: Iterable[Command], now: float) -> list[Json]:
    """The nft JSON of commands; timeouts are what is left of each order at `now`, in seconds."""
    result: list[Json] = []
    for command in commands:
        element = command.element
        if command.verb == "rebuild":
            result += _rebuild()
        elif command.verb == "clear":
            result.append({"flush": {"set": {**_TABLE, "name": element.group}}})
        elif element.group in INTERVALS:  # just cleared
            result.append({"add": _element(element, command.until - now)})
        else:
            # Deleting what has just expired is an error, and adding what is there may or may not
            # change its timeout, by kernel: add, delete and add again mean the same everywhere.
            result += [{"add": _element(element)}, {"delete": _element(element)}]
            if command.verb == "add":
                result.append({"add": _element(element, command.until - now)})
    return result


# ---------------------------------------------------------------- our table


def _rebuild() -> list[Json]:
    table = {"table": {"family": "inet", "name": "countersign"}}
    return [{"add": table}, {"delete": table}, *({"add": item} for item in (table, *_skeleton()))]


def _skeleton() -> list[Json]:
    """Sets, rules, and chains that come before every `filter` chain.

    No rule looks at the connection's state: established flows are cut too, in both directions, and
    no later "accept established" can undo a drop.
    """
    items: list[Json] = [{"chain": {**_TABLE, "name": "contain"}}]
    for hook in ("input", "forward", "output"):
        chain = {"type": "filter", "hook": hook, "prio": _BEFORE_FILTER, "policy": "accept"}
        items.append({"chain": {**_TABLE, "name": hook, **chain}})
        items.append(_rule(hook, [{"jump": {"target": "contain"}}]))
    for version, (protocol, kind) in _FAMILIES.items():
        for group in _GROUPS:
            name = f"{group}{version}"
            flags = ["timeout", "interval"] if name in INTERVALS else ["timeout"]
            items.append({"set": {**_TABLE, "name": name, "type": kind, "flags": flags}})
            items += [_drop(protocol, field, name) for field in ("saddr", "daddr")]
    return items


def _drop(protocol: str, field: str, name: str) -> Json:
    left = {"payload": {"protocol": protocol, "field": field}}
    match = {"match": {"op": "==", "left": left, "right": f"@{name}"}}
    return _rule("contain", [match, {"drop": None}])


def _rule(chain: str, expression: list[Json]) -> Json:
    return {"rule": {**_TABLE, "chain": chain, "expr": expression}}


def _element(element: Element, left: float | None = None) -> Json:
    address, _, length = element.value.partition("/")
    value: Any = {"prefix": {"addr": address, "len": int(length)}} if length else address
    entry = {"val": value}
    if left is not None:
        entry["timeout"] = max(math.ceil(left), 1)
    return {"element": {**_TABLE, "name": element.group, "elem": [{"elem": entry}]}}


# ---------------------------------------------------------------- reading back


def _facts(listing: list[Json], now: float) -> Actual:
    sets = [item["set"] for item in listing if "set" in item]
    elements = {
        Element(found["name"], _value(entry)): _end(entry, now)
        for found in sets
        for entry in found.get("elem", [])
    }
    return Actual(elements, _structure(listing) == _structure(_skeleton()))


def _value(entry: Any) -> str:
    value = entry["elem"]["val"] if isinstance(entry, dict) and "elem" in entry else entry
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return str(value)


def _end(entry: Any, now: float) -> float:
    """An element without a timeout is not ours: it never ends."""
    if isinstance(entry, dict) and "expires" in entry.get("elem", {}):
        return now + float(entry["elem"]["expires"])
    return math.inf


def _structure(items: Iterable[Json]) -> dict[str, list[Json]]:
    """Sets, chains and the rules of each chain in order, without what differs from read to read."""
    result: dict[str, list[Json]] = {}
    for item in items:
        [(kind, body)] = item.items()
        if kind in ("metainfo", "table"):
            continue
        kept = {key: value for key, value in body.items() if key not in ("handle", "elem")}
        if isinstance(flags := kept.get("flags"), list | str):
            kept["flags"] = sorted([flags] if isinstance(flags, str) else flags)
        place = kept["chain"] if kind == "rule" else kept.get("name", "")
        result.setdefault(f"{kind} {place}", []).append(kept)
    return result


def _succeeded(done: Completed) -> None:
    if done.status == 0:
        return
    said = done.errors.decode("utf-8", "replace").strip().partition("\n")[0][:200]
    if "not permitted" in said or "must be root" in said:
        raise Permanent("nft may not change the packet filter: run as root or with CAP_NET_ADMIN")
    raise Temporary(f"nft failed: {said or f'status {done.status}'}")
