"""Actions: what the agent may ask for, and the identity of the networks it may ask to block."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

__all__ = [
    "D3FEND",
    "OPENC2",
    "Action",
    "Kind",
    "canonical_network",
    "network_criticality",
    "network_key",
]


class Kind(IntEnum):
    """What an action does; the numbers are the contract's."""

    BLOCK = 0  # an indicator
    ISOLATE = 1  # an asset
    REVOKE = 2  # a credential


D3FEND = {Kind.BLOCK: "D3-NTF", Kind.ISOLATE: "D3-NI", Kind.REVOKE: "D3-CR"}
OPENC2 = {Kind.BLOCK: "deny", Kind.ISOLATE: "contain", Kind.REVOKE: "delete"}

_V6_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
# Shortest prefix of each class below critical: host, medium, high.
_CLASSES = {4: (32, 24, 16), 6: (128, 64, 48)}


@dataclass(frozen=True, slots=True)
class Action:
    """Kind, target and time to live. It ends by itself unless renewed."""

    kind: Kind
    target: str  # asset id, credential id, or network such as "203.0.113.9/32"
    ttl: int  # seconds


def canonical_network(text: str) -> str:
    """The one way to write an address or network.

    "203.0.113.9" becomes "203.0.113.9/32", and IPv4 written as IPv4-mapped IPv6 becomes IPv4.
    Raises ValueError for what is no network, host bits included.
    """
    return str(_parse(text))


@lru_cache(maxsize=65_536)
def network_key(text: str) -> int:
    """The contract's key: family << 136 | prefix length << 128 | address.

    Raises ValueError where `canonical_network` does.
    """
    network = _parse(text)
    return network.version << 136 | network.prefixlen << 128 | int(network.network_address)


def network_criticality(key: int) -> int:
    """How much a block of this width may hurt: 0 (one address) to 3."""
    prefix = key >> 128 & 0xFF
    return sum(prefix < bound for bound in _CLASSES[key >> 136])


def _parse(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    if "%" in text:
        raise ValueError(f"{text!r} has a zone index, which means nothing beyond one host")
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_V6_MAPPED):
        address = int(network.network_address) & 0xFFFF_FFFF
        return ipaddress.IPv4Network((address, network.prefixlen - 96))
    return network
