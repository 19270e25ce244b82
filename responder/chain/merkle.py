"""Receipts under one Merkle root, as the gate and OpenZeppelin's StandardMerkleTree have it: leaves
hashed twice and sorted, pairs hashed in order of their value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_abi.abi import encode
from eth_utils.crypto import keccak

__all__ = ["Receipt", "Tree", "leaf"]


class Receipt(NamedTuple):
    """IGate.Receipt."""

    order: bytes  # the first 20 bytes of the id of the proposal or batch
    target: bytes  # the proposal's; of a batch one of its `targets`
    enforcer: str
    outcome: int
    digest: bytes


def leaf(receipt: Receipt) -> bytes:
    """keccak256(keccak256(abi.encode(receipt)))."""
    types = ["bytes20", "bytes32", "address", "uint8", "bytes32"]
    return bytes(keccak(keccak(encode(types, tuple(receipt)))))


class Tree:
    """The tree over some receipts; their order does not matter."""

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        """Takes at least one."""
        hashes = sorted(leaf(receipt) for receipt in receipts)
        last = len(hashes) - 1
        # A complete binary tree in one array, root first and leaves from the end.
        self._nodes = [b""] * last + hashes[::-1]
        self._at = {node: place for place, node in enumerate(self._nodes) if place >= last}
        for place in range(last - 1, -1, -1):
            self._nodes[place] = _pair(self._nodes[2 * place + 1], self._nodes[2 * place + 2])

    @property
    def root(self) -> bytes:
        return self._nodes[0]

    def proof(self, receipt: Receipt) -> list[bytes]:
        """Siblings from the leaf up. Raises KeyError where the receipt is none of the tree's."""
        place, path = self._at[leaf(receipt)], []
        while place:
            path.append(self._nodes[place + 1 if place % 2 else place - 1])
            place = (place - 1) // 2
        return path


def _pair(one: bytes, other: bytes) -> bytes:
    return bytes(keccak(min(one, other) + max(one, other)))
