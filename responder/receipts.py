"""Receipts: what our enforcer states on the chain about what it read back, and what others failed
to state.

One receipt at a time is filed as it is; more go under one Merkle root, whose leaves are kept in the
evidence folder so that anyone can show one later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from policies.actions import Kind
from responder.chain.client import GateClient, for_each
from responder.chain.ledger import Ledger
from responder.chain.merkle import Receipt, Tree
from responder.chain.records import Subject
from responder.enforcers.reconcile import Result
from responder.errors import Permanent
from responder.evidence import EvidenceMissing, EvidenceStore

__all__ = ["Receipts", "Statement", "file", "missing", "report", "show", "statements"]

log = logging.getLogger(__name__)

_REPORTS = 10  # missing receipts reported in one tick


class Statement(NamedTuple):
    """A receipt and when it was stated."""

    time: int  # Unix seconds
    receipt: Receipt
    root: bytes = b""  # under which it stands


def statements(ledger: Ledger, evidence: EvidenceStore) -> dict[Subject, list[Statement]]:
    """All that enforcers stated, by themselves or under roots whose leaves are at hand; oldest
    first.
    """
    told = [
        Statement(filed.time, receipt, root)
        for root, filed in ledger.roots.items()
        for receipt in _leaves(evidence, root)
        if receipt.enforcer == filed.enforcer
    ]
    at_hand = {(statement.root, statement.receipt) for statement in told}
    for entry in ledger.receipts:
        receipt = _receipt(entry.subject, entry.enforcer, entry.outcome, entry.digest)
        if (entry.root, receipt) not in at_hand:
            time = ledger.roots[entry.root].time if entry.root else entry.time
            told.append(Statement(time, receipt, entry.root))
    found: dict[Subject, list[Statement]] = {}
    for statement in sorted(told, key=lambda s: s.time):
        with suppress(KeyError):  # under a root there may be anything
            subject = ledger.subject_of(statement.receipt.order, statement.receipt.target)
            if ledger.hold_of(subject):
                found.setdefault(subject, []).append(statement)
    return found


def _leaves(evidence: EvidenceStore, root: bytes) -> list[Receipt]:
    try:
        return evidence.receipts_under(root)
    except EvidenceMissing:
        return []
    except Permanent as error:
        log.warning("receipts under a root cannot be used: %s", error)
        return []


def _receipt(subject: Subject, enforcer: str, outcome: int, digest: bytes) -> Receipt:
    return Receipt(subject.order[:20], subject.target, enforcer, outcome, digest)


class Receipts:
    """What one enforcer has stated, and states."""

    def __init__(self, gate: GateClient, evidence: EvidenceStore, ledger: Ledger) -> None:
        """`gate` sends as the enforcer."""
        self._gate, self._evidence, self._ledger = gate, evidence, ledger

    def stated(self) -> dict[Subject, Statement]:
        """Our own last statement on each subject: another enforcer's says nothing of our point."""
        found = {}
        for subject, told in statements(self._ledger, self._evidence).items():
            own = [s for s in told if s.receipt.enforcer == self._gate.address]
            if own:
                found[subject] = own[-1]
        return found

    def state(self, results: Iterable[Result], stated: Mapping[Subject, Statement]) -> None:
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

    def _is_news(self, result: Result, last: Statement | None) -> bool:
        said = (result.outcome, result.digest)
        if last and (last.receipt.outcome, last.receipt.digest) == said:
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
        ledger = self._ledger
        missed = [s for s in ledger.missed if _is_unproven(ledger, s)]
        mine = self.stated() if missed else {}
        for_each(
            (mine[s] for s in missed if s in mine and mine[s].root),
            lambda told: show(self._gate, ledger, self._evidence, told),
        )

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


def _is_unproven(ledger: Ledger, subject: Subject) -> bool:
    """The last order on its target, and the gate knows of no receipt about it."""
    hold = ledger.hold_of(subject)
    return hold.order == subject.order and not hold.receipted


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


def show(gate: GateClient, ledger: Ledger, evidence: EvidenceStore, told: Statement) -> bytes:
    """Shows the gate that a receipt stands under a root whose leaves are at hand."""
    proof = Tree(evidence.receipts_under(told.root)).proof(told.receipt)
    subject = ledger.subject_of(told.receipt.order, told.receipt.target)
    batch = ledger.batches.get(subject.order)
    if batch is not None and batch.batch.kind is Kind.ISOLATE:
        return gate.show_page_receipt(batch.batch, told.receipt, told.root, proof)
    kind, _ = ledger.place_of(subject)
    return gate.show_receipt(kind, told.receipt, told.root, proof)


def report(gate: GateClient, ledger: Ledger, subject: Subject) -> bytes:
    """Proves on the chain that an order has no receipt though one is due."""
    batch = ledger.batches.get(subject.order)
    if batch is None:
        return gate.report_missing(ledger.cases[subject.order].proposal)
    index = batch.batch.targets.index(int.from_bytes(subject.target))
    return gate.report_missing_batch(batch.batch, index)
