"""Receipts: by whom, about what, and whether what was read back is still at hand."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from responder.audit.checker import Checker
from responder.chain.events import Event
from responder.chain.merkle import Receipt
from responder.chain.records import Role, Subject
from responder.evidence import EvidenceMissing
from responder.receipts import missing, statements

__all__ = ["StatementChecks"]


class StatementChecks(Checker):
    def _on_ReceiptFiled(self, event: Event, args: Any) -> None:
        self._stated(event, args[0], args[1])

    def _on_ReceiptShown(self, event: Event, args: Any) -> None:
        start, values, root = args
        receipt = self._stated(event, start, values)
        filed = self._ledger.roots.get(root)
        there = filed is not None and filed.enforcer == receipt.enforcer
        self._require(event, there, "no such root was filed by its enforcer")
        leaves = self._leaves(root)
        self._require(
            event, leaves is None or receipt in leaves, "it does not stand under the root"
        )

    def _stated(self, event: Event, start: bytes, values: Any) -> Receipt:
        order, target, enforcer, outcome, digest = values
        receipt = Receipt(order, target, to_checksum_address(enforcer), outcome, digest)
        self._require(event, start == order, "it is about another order")
        self._role(event, receipt.enforcer, Role.ENFORCER)
        try:
            subject = self._ledger.subject_of(order, target)
            hold = self._ledger.hold_of(subject)
        except KeyError:
            self._fail(event, "a receipt for what never executed")
        self._require(event, hold.order == subject.order, "another order had followed")
        scope = self._ledger.scope_of(receipt.enforcer)
        covers = scope.covers(*self._ledger.place_of(subject))
        self._require(event, covers, "it is out of its enforcer's scope")
        self._report.receipts += 1
        self._kept(digest)
        return receipt

    def _on_ReceiptsFiled(self, event: Event, args: Any) -> None:
        root, enforcer, count = args
        self._role(event, enforcer, Role.ENFORCER)
        self._require(event, root not in self._ledger.roots, "filed twice")
        leaves = self._leaves(root)
        if leaves is None:
            return
        self._require(event, len(leaves) == count, f"{len(leaves)} receipts, {count} were stated")
        for receipt in leaves:
            own = receipt.enforcer == enforcer
            self._require(event, own, f"a receipt under it is {receipt.enforcer}'s")
            self._kept(receipt.digest)
        self._report.receipts += count

    def _leaves(self, root: bytes) -> list[Receipt] | None:
        """None where they are not at hand. Raises where they were altered."""
        if self._evidence is None:
            return None
        try:
            return self._evidence.receipts_under(root)
        except EvidenceMissing:
            return None

    def _on_ReceiptMissed(self, event: Event, args: Any) -> None:
        order, target, _reporter = args
        subject = Subject(order, target)
        due = subject in missing(self._ledger, event.time)
        self._require(event, due, "a receipt was there, or not due")

    def _count_missing(self) -> int:
        ledger = self._ledger
        late = {*ledger.missed, *missing(ledger, ledger.block.time)}
        late -= {entry.subject for entry in ledger.receipts}
        return len(late - (statements(ledger, self._evidence).keys() if self._evidence else set()))
