"""The gate's events: decoded from raw logs, and linked into the hash chain whose head the gate
keeps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from responder.errors import Permanent

__all__ = ["Event", "artifact", "decode_log", "link"]

_UNCHAINED = bytes(keccak(text="AuthorityUpdated(address)"))  # OpenZeppelin's, in the constructor


@dataclass(frozen=True)
class Event:
    """One event of the gate, in the order of the chain."""

    name: str
    args: Mapping[str, Any]  # in order of declaration; structs are tuples
    raw: bytes  # the log itself: topics and data
    block: int
    time: int  # Unix seconds of its block
    tx: bytes


@cache
def artifact(name: str) -> dict[str, Any]:
    """A compiled contract that ships with the package: abi and bytecode."""
    text = (files("responder.chain") / "artifacts" / f"{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def link(head: bytes, event: Event) -> bytes:
    """The hash chain's next head: keccak256(head, topics, data)."""
    return bytes(keccak(head + event.raw))


def decode_log(log: Mapping[str, Any], time: int) -> Event | None:
    """Decodes a raw log; None for the one event outside the hash chain. Raises Permanent on an
    unknown one.
    """
    topics: Sequence[bytes] = [bytes(t) for t in log["topics"]]
    if topics and topics[0] == _UNCHAINED:
        return None
    known = _events().get(topics[0]) if topics else None
    if known is None:
        raise Permanent("the chain returned a log that this version's gate does not emit")
    name, inputs = known
    try:
        indexed = iter(topics[1:])
        plain = iter(
            decode([t for _, t, is_indexed in inputs if not is_indexed], bytes(log["data"]))
        )
        values = [
            decode([kind], next(indexed))[0] if is_indexed else next(plain)
            for _, kind, is_indexed in inputs
        ]
    except (DecodingError, StopIteration, OverflowError, ValueError) as error:
        raise Permanent(f"the chain returned a malformed {name} log: {error}") from error
    return Event(
        name=name,
        args={
            field: to_checksum_address(value) if kind == "address" else value
            for (field, kind, _), value in zip(inputs, values, strict=True)
        },
        raw=b"".join(topics) + bytes(log["data"]),
        block=int(log["blockNumber"]),
        time=time,
        tx=bytes(log["transactionHash"]),
    )


@cache
def _events() -> dict[bytes, tuple[str, list[tuple[str, str, bool]]]]:
    table = {}
    for entry in artifact("Gate")["abi"]:
        if entry["type"] == "event":
            inputs = [(i["name"], _type(i), i["indexed"]) for i in entry["inputs"]]
            signature = f"{entry['name']}({','.join(kind for _, kind, _ in inputs)})"
            table[bytes(keccak(text=signature))] = (entry["name"], inputs)
    return table


def _type(entry: Mapping[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(c) for c in entry['components'])}){kind[5:]}"
