"""What every parser shares: the protocol, the one error, and readers that trust no field.

Lines come from hosts that may be taken over. A reader returns a bounded value of the right type or
raises MalformedLine, and nothing else.
"""

from __future__ import annotations

import ipaddress
import math
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import orjson

from policies.alerts import Alert
from responder.errors import Permanent

__all__ = [
    "LATEST",
    "MAX_LINE",
    "MAX_TEXT",
    "STRUCTURED_DATA",
    "MalformedLine",
    "Parser",
    "address",
    "end",
    "entries",
    "instant",
    "number",
    "record",
    "seconds",
    "section",
    "text",
    "tidy",
    "words",
]

MAX_LINE = 1 << 20  # bytes
MAX_TEXT = 200  # characters
# RFC 5424, 6.3, as a part of a pattern
STRUCTURED_DATA = r'(?:-|(?:\[(?:[^"\]\\]|"(?:[^"\\]|\\.)*")*\])+)'
_ENDS: dict[Any, str] = {}  # what lines wrote -> canonical; faster than a cached function
LATEST = 253_402_300_800.0  # Unix seconds: the year 10000


class MalformedLine(Permanent):
    """A line that is not what its format says.

    `reason` is one of a few constant texts and quotes nothing of the line, so it can be counted and
    logged.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Parser(Protocol):
    """Reads one format."""

    def parse(self, line: bytes) -> Alert | None:
        """The alert in one line; None where the line is fine but is no alert.

        Raises MalformedLine, whatever the bytes.
        """
        ...


def record(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line; None for a blank line."""
    if len(line) > MAX_LINE:
        raise MalformedLine("line over 1 MiB")
    try:
        value = orjson.loads(line)  # rejects NaN, 1e999, bad UTF-8 and nesting beyond 1024
    except orjson.JSONDecodeError:
        if not line.strip():
            return None
        raise MalformedLine("not JSON") from None
    if not isinstance(value, dict):
        raise MalformedLine("not a JSON object")
    return value


def section(data: dict[str, Any], key: str) -> dict[str, Any]:
    """A nested object; empty when absent."""
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedLine(f"{key} is not an object")
    return value


def text(data: dict[str, Any], key: str) -> str:
    """A text or whole number as tidy text; empty when absent."""
    value = data.get(key)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise MalformedLine(f"{key} is not text")
    return tidy(value)


def entries(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects, the first 64; empty when absent."""
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedLine(f"{key} is not a list of objects")
    value = value[:64]
    if not all(isinstance(entry, dict) for entry in value):
        raise MalformedLine(f"{key} is not a list of objects")
    return value


def words(data: dict[str, Any], key: str) -> list[str]:
    """A list of texts, or one text, as a list of at most 64; empty when absent."""
    value = data.get(key)
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise MalformedLine(f"{key} is not a list of texts")
    return [tidy(word) for word in value[:64]]


def end(data: dict[str, Any], key: str) -> str:
    """The canonical address at one end of a connection; empty when absent."""
    value = data.get(key)
    try:
        return _ENDS[value]
    except (KeyError, TypeError):  # a list is no key
        return _new_end(value, key)


def _new_end(value: Any, key: str) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise MalformedLine(f"{key} is not text")
    found = address(value[:64])
    if not found:
        raise MalformedLine(f"{key} is not an address")
    if len(_ENDS) >= 4096:
        _ENDS.clear()
    if len(value) <= 64:
        _ENDS[value] = found
    return found


def number(data: dict[str, Any], key: str, default: float) -> float:
    """A finite number, also when written as text (as Wazuh does)."""
    value = data.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise MalformedLine(f"{key} is not a number")
    result = _float(value)
    if result is None:
        raise MalformedLine(f"{key} is not a number")
    return result


def seconds(value: str) -> float:
    """Unix seconds written as a number."""
    result = _float(value)
    if result is None or not 0 <= result < LATEST:
        raise MalformedLine("time is not Unix seconds")
    return result


def instant(data: dict[str, Any], key: str) -> float:
    """Unix seconds of an ISO 8601 time, which must say its offset from UTC."""
    value = data.get(key)
    if not isinstance(value, str) or len(value) > 64:
        raise MalformedLine(f"no {key}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise MalformedLine(f"{key} is not an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise MalformedLine(f"{key} has no offset from UTC")
    result = moment.timestamp()
    if not 0 <= result < LATEST:
        raise MalformedLine(f"{key} is out of range")
    return result


@lru_cache(maxsize=4096)
def address(value: str) -> str:
    """The canonical address, mapped IPv4 as IPv4, zone index dropped; empty where it is none."""
    try:
        parsed = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def tidy(value: str) -> str:
    """At most 200 characters, none that moves a terminal's cursor or turns its text around."""
    value = value[:MAX_TEXT]
    return value if value.isprintable() else "".join(c for c in value if c.isprintable())


def _float(value: int | float | str) -> float | None:
    if isinstance(value, str) and len(value) > 64:
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None
