"""The values that a deployment file is made of; each reader raises Permanent saying where it is
wrong, and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address

from policies.inventory import InventoryError, moment
from responder.errors import Permanent

__all__ = ["address", "integer", "listed", "mapping", "moment_in", "second_of_week"]

_DAYS = ("thu", "fri", "sat", "sun", "mon", "tue", "wed")  # weeks begin as Unix time did


def mapping(
    value: Any, where: str, keys: set[str], optional: frozenset[str] = frozenset()
) -> Mapping[str, Any]:
    """With no keys but these, and all that are not optional."""
    if not isinstance(value, Mapping):
        raise Permanent(f"{where}: expected a mapping, got {type(value).__name__}")
    unknown = {str(key) for key in value} - keys
    if unknown:
        raise Permanent(f"{where}: unknown keys {sorted(unknown)}; known are {sorted(keys)}")
    missing = keys - optional - set(value)
    if missing:
        raise Permanent(f"{where}: missing keys {sorted(missing)}")
    return value


def listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Permanent(f"{where}: expected a list, got {type(value).__name__}")
    return value


def integer(value: Any, where: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Permanent(f"{where}: expected a whole number from {least} to {most}, got {value!r}")
    return value


def address(value: Any, where: str) -> str:
    """With its checksum."""
    if not isinstance(value, str) or not is_hex_address(value) or not value.startswith("0x"):
        raise Permanent(f"{where}: {value!r} is not an address; quote it in YAML")
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value):
        raise Permanent(f"{where}: the checksum of {value} is wrong; copy the address again")
    if not int(digits, 16):
        raise Permanent(f"{where}: the zero address can sign nothing")
    return str(to_checksum_address(value))


def moment_in(value: Any, where: str) -> int:
    """Unix seconds of a date or time."""
    try:
        return moment(value, where)
    except InventoryError as error:
        raise Permanent(str(error)) from error


def second_of_week(value: Any, where: str) -> int:
    """Of "Sat 22:00", in UTC."""
    found = re.fullmatch(r"([A-Za-z]{3}) ([01]\d|2[0-3]):([0-5]\d)", str(value))
    if not found or found[1].lower() not in _DAYS:
        raise Permanent(f'{where}: expected a day and time in UTC like "Sat 22:00", got {value!r}')
    return _DAYS.index(found[1].lower()) * 86400 + int(found[2]) * 3600 + int(found[3]) * 60
