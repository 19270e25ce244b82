"""The audit: everything the gate promises, checked again from the chain alone, and evidence against
its hashes.

The ledger folds the events; the auditor looks at each one before it is folded in and asks whether
it was allowed to happen in the state before it. The first thing that is wrong is named and ends the
audit.
"""

from __future__ import annotations

from responder.audit.checker import AuditFailed, AuditReport, AuditSource
from responder.audit.orders import OrderChecks
from responder.audit.powers import PowerChecks
from responder.audit.statements import StatementChecks
from responder.errors import Permanent
from responder.evidence import EvidenceStore

__all__ = ["AuditFailed", "AuditReport", "audit"]


def audit(source: AuditSource, evidence: EvidenceStore | None = None) -> AuditReport:
    """Checks the whole history up to the final block. Raises AuditFailed naming the first fault.

    With an evidence store, every proposal's bundle and every receipt's read-back must be there
    and match its hash.
    """
    return _Auditor(source, evidence).run()


class _Auditor(OrderChecks, PowerChecks, StatementChecks):
    def run(self) -> AuditReport:
        try:
            self._ledger.sync(self._source)
        except AuditFailed:
            raise
        except Permanent as error:
            raise AuditFailed(str(error)) from error
        report, ledger = self._report, self._ledger
        report.events, report.head = ledger.count, ledger.head.hex()
        report.block, report.models = ledger.block.number, sum(map(ledger.is_active, ledger.models))
        report.missing = self._count_missing()
        return report
