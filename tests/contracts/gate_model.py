"""The gate as plain Python: what a machine of random calls compares the contract with.

`model_state` holds what it knows; `model_registry`, `model_rules`, `model_orders`, `model_batches`
build on it, chapter by chapter as contracts/interfaces do. Here is the last, receipts.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils import keccak
from model_batches import Batches
from model_state import Order, Refused
from scene import ENFORCER

from policies.actions import Kind
from responder.chain.proposal import Batch, Proposal

__all__ = ["GateModel", "Receipt", "Refused"]

RECEIPT_TYPE = "(bytes20,bytes32,address,uint8,bytes32)"


@dataclass(frozen=True)
class Receipt:
    """IGate.Receipt, field by field."""

    order: bytes  # 20 bytes: the start of an id
    target: bytes
    enforcer: str
    outcome: int
    digest: bytes

    def abi(self) -> tuple[bytes, bytes, str, int, bytes]:
        return self.order, self.target, self.enforcer, self.outcome, self.digest

    def leaf(self) -> bytes:
        return bytes(keccak(keccak(encode([RECEIPT_TYPE], [self.abi()]))))


class GateModel(Batches):
    def file_receipt(
        self, sender: str, kind: int, target: bytes, start: bytes, outcome: int, digest: bytes
    ) -> None:
        self._need_scope(sender, kind, self.zone_key(Kind(kind), target))
        self._started(Kind(kind), target, start).receipted = True

    def file_page_receipt(
        self, sender: str, batch: Batch, page: int, outcome: int, digest: bytes
    ) -> None:
        self._need_scope(sender, batch.kind, batch.zone)
        self._last_page(batch, batch.targets[page]).receipted = True

    def file_receipts(self, sender: str, root: bytes, count: int) -> None:
        self.need(sender, ENFORCER)
        if root in self.roots:
            raise Refused("GateRootFiled", root)
        self.roots[root] = sender

    def show_receipt(
        self, _: str, kind: int, receipt: Receipt, root: bytes, proof: list[bytes]
    ) -> None:
        self._need_scope(receipt.enforcer, kind, self.zone_key(Kind(kind), receipt.target))
        self._check_proof(receipt, root, proof)
        self._started(Kind(kind), receipt.target, receipt.order).receipted = True

    def show_page_receipt(
        self, _: str, batch: Batch, receipt: Receipt, root: bytes, proof: list[bytes]
    ) -> None:
        self._need_scope(receipt.enforcer, batch.kind, batch.zone)
        self._check_proof(receipt, root, proof)
        target = int.from_bytes(receipt.target)
        if target not in batch.targets:
            raise Refused("GateBadBatch")
        order = self._last_page(batch, target)
        if receipt.order != batch.id(self.domain)[:20]:
            raise Refused("GateBadProof", root)
        order.receipted = True

    def report_missing(self, _: str, proposal: Proposal) -> None:
        order = self.orders.get((proposal.kind, proposal.target))
        id_ = proposal.id(self.domain)
        self._report(id_, self._last(order, id_), proposal.ttl)

    def report_missing_batch(self, _: str, batch: Batch, target: int) -> None:
        id_ = batch.id(self.domain)
        order = self._last(self.order_of(batch, batch.targets[target]), id_)
        self._report(id_, order, batch.ttl)

    # ---------------------------------------------------------------- inside

    def _need_scope(self, enforcer: str, kind: int, zone: bytes | None) -> None:
        self.need(enforcer, ENFORCER)
        kinds, only = self.scopes.get(enforcer, (0, None))
        if not kinds >> kind & 1 or (only and only != zone):
            raise Refused("GateOutOfScope", enforcer)

    def _started(self, kind: Kind, target: bytes, start: bytes) -> Order:
        order = self.orders.get((kind, target))
        if order is None or order.id[:20] != start:
            raise Refused("GateNoOrder", start)
        return order

    def _last(self, order: Order | None, id_: bytes) -> Order:
        if order is None or order.id != id_:
            raise Refused("GateWrongStatus", id_, "SUPERSEDED")
        return order

    def _last_page(self, batch: Batch, target: int) -> Order:
        page = self.page_number(batch, target)
        order = self.pages.get(page) if batch.kind is Kind.ISOLATE else None
        return self._last(order, batch.id(self.domain))

    def _check_proof(self, receipt: Receipt, root: bytes, proof: list[bytes]) -> None:
        node = receipt.leaf()
        for other in proof:
            node = bytes(keccak(min(node, other) + max(node, other)))
        if node != root or self.roots.get(root) != receipt.enforcer:
            raise Refused("GateBadProof", root)

    def _report(self, id_: bytes, order: Order, ttl: int) -> None:
        if order.released:
            raise Refused("GateWrongStatus", id_, "RELEASED")
        if order.receipted or order.missed:
            raise Refused("GateReceiptKnown", id_)
        due = order.until - ttl + self.bounds.receipt_due
        if self.now < due:
            raise Refused("GateTooEarly", due)
        order.missed = True
