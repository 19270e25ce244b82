"""A random history as an endpoint shows it to an audit."""

from __future__ import annotations

from collections.abc import Iterator

from histories import History

from responder.chain.client import Block
from responder.chain.events import Event


class Shown:
    """A history as an endpoint shows it to an audit."""

    first_block = 0

    def __init__(self, history: History) -> None:
        self._history, self.domain = history, history.gate.domain

    def final(self) -> Block:
        return Block(0, self._history.now)

    def events(self, start: int, end: int) -> Iterator[Event]:
        return iter(self._history.events)

    def audit_head(self, block: int) -> bytes:
        return bytes(self._history.gate.view("auditHead"))

    def sender_of(self, tx: bytes) -> str:
        return self._history.calls[int.from_bytes(tx)][0]

    def is_valid_signature(self, signer: str, digest: bytes, signature: bytes, block: int) -> bool:
        return False

    def is_contract(self, account: str, block: int) -> bool:
        return False
