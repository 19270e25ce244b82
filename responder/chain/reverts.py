"""Why a contract refused a call, in words."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from responder.chain.events import artifact

__all__ = ["custom_error"]


def custom_error(data: Any) -> tuple[str, str] | None:
    """Name and arguments, `("GateTooEarly", "(earliest=12)")`, of an error of the gate or its
    manager; None where `data`, as a node returned it, is none.
    """
    try:
        raw = bytes.fromhex(data.removeprefix("0x"))
        name, inputs = _errors()[raw[:4]]
        values = decode([kind for _, kind in inputs], raw[4:])
    except (AttributeError, ValueError, LookupError, DecodingError, OverflowError):
        return None
    words = [
        f"{field}={'0x' + value.hex() if isinstance(value, bytes) else value}"
        for (field, _), value in zip(inputs, values, strict=True)
    ]
    return name, f"({', '.join(words)})"


@cache
def _errors() -> dict[bytes, tuple[str, list[tuple[str, str]]]]:
    table = {}
    for entry in (*artifact("Gate")["abi"], *artifact("AccessManager")["abi"]):
        if entry["type"] == "error":
            inputs = [(i["name"], i["type"]) for i in entry["inputs"]]
            signature = f"{entry['name']}({','.join(kind for _, kind in inputs)})"
            table[bytes(keccak(text=signature))[:4]] = (entry["name"], inputs)
    return table
