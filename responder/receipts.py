"""Receipts: what our enforcer states on the chain about what it read back, and what others failed
to state.

One receipt at a time is filed as it is; more go under one Merkle root, whose leaves are kept in the
evidence folder so that anyone can show one later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from policies.actions import Kind
from responder.chain.client import GateClient, for_each
from responder.chain.ledger import Ledger
from responder.chain.merkle import Receipt, Tree
from responder.chain.records import Subject
from responder.enforcers.reconcile import Result
from responder.errors import Permanent
from responder.evidence import EvidenceStore

__all__ = ["Receipts", "file", "find", "missing", "report", "show"]

log = logging.getLogger(__name__)

_REPORTS = 10  # missing receipts reported in one tick


class Receipts:
    """What one enforcer has stated, and states."""

    def __init__(self, gate: GateClient, evidence: EvidenceStore, ledger: Ledger) -> None:
        """`gate` sends as the enforcer."""
        self._gate, self._evidence, self._ledger = gate, evidence, ledger
        self._under: dict[bytes, list[Receipt]] = {}  # of our roots, once read

    def stated(self) -> dict[Subject, Receipt]:
        """Our own last receipt for each subject: another enforcer's says nothing of our point."""
        ours = self._gate.address
        told: list[tuple[int, Receipt]] = []
        for entry in self._ledger.receipts:
            if entry.enforcer == ours:
                time = self._ledger.roots[entry.root].time if entry.root else entry.time
                told.append((time, _receipt(entry.subject, ours, entry.outcome, entry.digest)))
        for root, filed in self._ledger.roots.items():
            if filed.enforcer == ours:
                told += [(filed.time, receipt) for receipt in self._leaves(root)]
        told.sort(key=lambda entry: entry[0])
        return {subject: r for _, r in told if (subject := _subject(self._ledger, r))}

    def _leaves(self, root: bytes) -> list[Receipt]:
        if root not in self._under:
            try:
                self._under[root] = self._evidence.receipts_under(root)
            except Permanent as error:  # they are stated again, one by one
                log.warning("receipts under a root of ours are lost: %s", error)
                self._under[root] = []
        return self._under[root]

    def state(self, results: Iterable[Result], stated: dict[Subject, Receipt]) -> None:
        """Files what was not stated last, is in our scope, and is about a target's last order."""
        fresh = [r for r in results if self._is_news(r, stated.get(r.subject))]
        if not fresh:
            return
        if not self._ledger.scope_of(self._gate.address).kinds:
            raise Permanent(
                f"the enforcer {self._gate.address} has no scope on the gate, so it can file no "
                "receipts; let the governor call setEnforcerScope"
            )
        for result in fresh:
            self._evidence.put(result.readback)  # so that the receipt can be checked later
        ours = self._gate.address
        receipts = [_receipt(r.subject, ours, int(r.outcome), r.digest) for r in fresh]
        self._file(receipts)
        for result in fresh:
            name = result.subject.order.hex()[:12]
            log.info("receipt %s for %s: %s", result.outcome.name, name, result.detail)

    def _is_news(self, result: Result, last: Receipt | None) -> bool:
        if last and (last.outcome, last.digest) == (result.outcome, result.digest):
            return False
        if self._ledger.hold_of(result.subject).order != result.subject.order:
            return False
        scope = self._ledger.scope_of(self._gate.address)
        return not scope.kinds or scope.covers(*self._ledger.place_of(result.subject))

    def _file(self, receipts: Sequence[Receipt]) -> None:
        if len(receipts) > 1:
            root = self._evidence.put_receipts(receipts)
            if root not in self._ledger.roots:  # the same said before, then something else
                self._gate.file_receipts(root, len(receipts))
                return
        for_each(receipts, lambda receipt: file(self._gate, self._ledger, receipt))

    def show_missed(self) -> None:
        """Shows what stands under a root of ours and was reported missing."""
        missed = [s for s in self._ledger.missed if not self._ledger.hold_of(s).receipted]
        mine = self.stated() if missed else {}
        last = [mine[s] for s in missed if s in mine and self._ledger.hold_of(s).order == s.order]
        for_each(last, lambda r: show(self._gate, self._ledger, self._evidence, r))

    def report_missing(self, relayer: GateClient, now: float) -> None:
        """Reports orders outside our scope that have no receipt though one is due."""
        scope = self._ledger.scope_of(self._gate.address)
        others = [
            subject
            for subject in missing(self._ledger, now)
            if not scope.covers(*self._ledger.place_of(subject))
        ]
        for_each(others[:_REPORTS], lambda subject: report(relayer, self._ledger, subject))


def missing(ledger: Ledger, now: float) -> list[Subject]:
    """Orders that have no receipt by itself though one is due, and that no one reported yet."""
    held = [(Subject(hold.order, key), hold) for (_, key), hold in ledger.holds.items()]
    held += [(ledger.page_subject(page, hold.order), hold) for page, hold in ledger.pages.items()]
    return [
        subject
        for subject, hold in held
        if hold.until
        and not hold.receipted
        and not hold.missed
        and now >= hold.until - ledger.ttl_of(hold.order) + ledger.limits.receipt_due
    ]


def find(ledger: Ledger, evidence: EvidenceStore, subject: Subject) -> list[tuple[bytes, Receipt]]:
    """Receipts about a subject under roots whose leaves are at hand, with the root."""
    found = []
    for root in ledger.roots:
        try:
            leaves = evidence.receipts_under(root)
        except Permanent:
            continue
        found += [(root, r) for r in leaves if _subject(ledger, r) == subject]
    return found


def _receipt(subject: Subject, enforcer: str, outcome: int, digest: bytes) -> Receipt:
    return Receipt(subject.order[:20], subject.target, enforcer, outcome, digest)


def _subject(ledger: Ledger, receipt: Receipt) -> Subject | None:
    """None where the receipt is about nothing that the ledger knows."""
    try:
        return ledger.subject_of(receipt.order, receipt.target)
    except KeyError:
        return None


def file(gate: GateClient, ledger: Ledger, receipt: Receipt) -> bytes:
    """Files one receipt by itself."""
    statement = (receipt.outcome, receipt.digest)
    subject = ledger.subject_of(receipt.order, receipt.target)
    batch = ledger.batches.get(subject.order)
    if batch is not None and batch.batch.kind is Kind.ISOLATE:
        page = batch.batch.targets.index(int.from_bytes(receipt.target))
        return gate.file_page_receipt(batch.batch, page, *statement)
    kind, _ = ledger.place_of(subject)
    return gate.file_receipt(kind, receipt.target, receipt.order, *statement)


def show(
    gate: GateClient, ledger: Ledger, evidence: EvidenceStore, receipt: Receipt
) -> bytes | None:
    """Shows the gate that a receipt stands under a root; None where no root at hand has it."""
    subject = ledger.subject_of(receipt.order, receipt.target)
    batch = ledger.batches.get(subject.order)
    for root, found in find(ledger, evidence, subject):
        if found != receipt:
            continue
        proof = Tree(evidence.receipts_under(root)).proof(receipt)
        if batch is not None and batch.batch.kind is Kind.ISOLATE:
            return gate.show_page_receipt(batch.batch, receipt, root, proof)
        kind, _ = ledger.place_of(subject)
        return gate.show_receipt(kind, receipt, root, proof)
    return None


def report(gate: GateClient, ledger: Ledger, subject: Subject) -> bytes:
    """Proves on the chain that an order has no receipt though one is due."""
    batch = ledger.batches.get(subject.order)
    if batch is None:
        return gate.report_missing(ledger.cases[subject.order].proposal)
    index = batch.batch.targets.index(int.from_bytes(subject.target))
    return gate.report_missing_batch(batch.batch, index)
