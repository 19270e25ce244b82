"""The audit: everything the gate promises, checked again from the chain alone, and evidence against
its hashes.

The ledger folds the events; the auditor looks at each one before it is folded in and asks whether
it was allowed to happen in the state before it. The first thing that is wrong is named and ends the
audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eth_account.messages import SignableMessage
from eth_utils.address import to_checksum_address

from policies.actions import Action, Kind
from policies.guardrails import Tier, Verdict
from responder.approvals import signed_by
from responder.chain.events import Event
from responder.chain.ledger import Case, Ledger, Role, Source, Status, to_lease, to_proposal
from responder.chain.proposal import Decision, decision_message, lease_message, message_digest
from responder.errors import CountersignError, Permanent
from responder.evidence import EvidenceStore

__all__ = ["AuditFailed", "AuditReport", "audit"]


class AuditFailed(Permanent):
    """Something on the chain or in the evidence is not as it must be."""


@dataclass
class AuditReport:
    """What was checked."""

    events: int = 0
    proposals: int = 0
    signatures: int = 0
    orders: int = 0
    receipts: int = 0
    evidence: int = 0
    models: int = 0
    head: str = ""
    block: int = 0


class AuditSource(Source, Protocol):
    """What an audit asks the chain besides events."""

    def sender_of(self, tx: bytes) -> str: ...

    def is_valid_signature(
        self, signer: str, digest: bytes, signature: bytes, block: int
    ) -> bool: ...


def audit(source: AuditSource, evidence: EvidenceStore | None = None) -> AuditReport:
    """Checks the whole history up to the final block. Raises AuditFailed naming the first fault.

    With an evidence store, every proposal's bundle and every receipt's read-back must be there
    and match its hash.
    """
    return _Auditor(source, evidence).run()


class _Auditor:
    def __init__(self, source: AuditSource, evidence: EvidenceStore | None) -> None:
        self._source, self._evidence = source, evidence
        self._ledger = Ledger(source.domain, watch=self._check)
        self._report = AuditReport()

    def run(self) -> AuditReport:
        try:
            self._ledger.sync(self._source)
        except AuditFailed:
            raise
        except Permanent as error:
            raise AuditFailed(str(error)) from error
        report = self._report
        report.events, report.head = self._ledger.count, self._ledger.head.hex()
        report.block, report.models = self._ledger.block.number, len(self._ledger.models)
        return report

    # ------------------------------------------------------------ one event, before it is folded in

    def _check(self, event: Event) -> None:
        check: Callable[[Event, Any], None] | None = getattr(self, f"_on_{event.name}", None)
        if check is None:
            return
        try:
            check(event, tuple(event.args.values()))
        except AuditFailed:
            raise
        except (CountersignError, KeyError, ValueError) as error:
            self._fail(event, f"{type(error).__name__}: {error}")

    def _fail(self, event: Event, what: str) -> None:
        raise AuditFailed(
            f"{event.name} in block {event.block} (transaction {event.tx.hex()}): {what}"
        )

    def _require(self, event: Event, holds: bool, what: str) -> None:
        if not holds:
            self._fail(event, what)

    def _on_RolesSet(self, event: Event, args: Any) -> None:
        _, roles = args
        alone = not roles & Role.AGENT or roles == Role.AGENT
        self._require(event, alone, "an agent holds another role")

    def _on_Proposed(self, event: Event, args: Any) -> None:
        case_id, values, quorum = args
        ledger, proposal = self._ledger, to_proposal(values)
        self._require(event, proposal.id(ledger.domain) == case_id, "id is not its content's hash")
        self._require(event, case_id not in ledger.cases, "proposed twice")
        self._require(
            event, ledger.has_role(proposal.agent, Role.AGENT), f"{proposal.agent} is no agent"
        )
        self._require(event, proposal.model in ledger.models, "its model was not active")
        wait = proposal.deadline - event.time
        self._require(event, 0 < wait <= ledger.limits.max_pending, "its deadline is out of range")
        verdict = self._verdict(event, values)
        self._require(
            event, verdict.tier is not Tier.REFUSED, f"guardrails refuse it: {verdict.reason.name}"
        )
        # People may approve what a lease covers.
        criticality = ledger.words_of(proposal.kind, proposal.target).criticality
        stated = quorum in (verdict.approvals, ledger.rules[proposal.kind, criticality].quorum)
        self._require(event, stated, f"states a quorum of {quorum}")
        self._report.proposals += 1
        if self._evidence is not None:
            self._evidence.get(proposal.evidence)
            self._report.evidence += 1

    def _verdict(self, event: Event, values: Any) -> Verdict:
        proposal = to_proposal(values)
        words = self._ledger.words_of(proposal.kind, proposal.target)
        guardrails = self._ledger.guardrails(proposal.agent, event.time)
        action = Action(proposal.kind, words.target, proposal.ttl)
        return guardrails.verdict(action, proposal.model, event.time)

    def _on_Approved(self, event: Event, args: Any) -> None:
        self._vote(event, args, "Approval")

    def _on_Rejected(self, event: Event, args: Any) -> None:
        self._vote(event, args, "Rejection")

    def _vote(self, event: Event, args: Any, decision: Decision) -> None:
        case_id, operator, signature = args
        case = self._ledger.cases[case_id]
        voted = operator in case.approvals or operator in case.rejections
        self._require(event, not voted, f"{operator} counted twice")
        self._operator(event, operator)
        self._require(event, event.time < case.proposal.deadline, "after the deadline")
        self._undecided(event, case)
        if signature:
            message = decision_message(decision, case.proposal, case.words, self._ledger.domain)
            self._signature(event, operator, message, signature)
        else:
            sender = to_checksum_address(self._source.sender_of(event.tx))
            self._require(event, sender == operator, f"sent by {sender}, counted for {operator}")

    def _undecided(self, event: Event, case: Case) -> None:
        decided = case.executed_at is not None or case.vetoed_at is not None
        status = self._ledger.status(case, event.time)
        self._require(event, not decided, f"it was {status.name}")

    def _operator(self, event: Event, account: str) -> None:
        self._require(
            event, self._ledger.has_role(account, Role.OPERATOR), f"{account} was no operator"
        )

    def _signature(
        self, event: Event, signer: str, message: SignableMessage, signature: bytes
    ) -> None:
        digest = message_digest(message)
        holds = signed_by(signer, message, signature) or self._source.is_valid_signature(
            signer, digest, signature, event.block
        )
        self._require(event, holds, f"the signature is not {signer}'s over these fields")
        self._report.signatures += 1

    def _quorum(
        self, event: Event, signatures: Sequence[Any], message: SignableMessage, needed: int
    ) -> None:
        signers = [to_checksum_address(s) for s, _ in signatures]
        self._require(event, len(set(signers)) == len(signers), "a signer counted twice")
        self._require(
            event, len(signers) >= max(1, needed), f"{len(signers)} signatures of {needed} needed"
        )
        for signer, (_, signature) in zip(signers, signatures, strict=True):
            self._operator(event, signer)
            self._signature(event, signer, message, signature)

    def _on_Executed(self, event: Event, args: Any) -> None:
        case_id, kind, target, until, leased = args
        ledger, case = self._ledger, self._ledger.cases[case_id]
        proposal = case.proposal
        self._require(event, case.executed_at is None, "executed twice")
        self._require(event, case.vetoed_at is None, "executed after a veto")
        self._require(
            event, (Kind(kind), target) == (proposal.kind, proposal.target), "another target"
        )
        self._require(event, until == self._end(event, case), "lasts longer than signed for")
        self._require(event, event.time < proposal.deadline, "after the deadline")
        self._require(event, ledger.has_role(proposal.agent, Role.AGENT), "its agent was revoked")
        self._require(event, proposal.model in ledger.models, "its model was not active")
        self._require(event, not self._protected(case), "its target is protected")
        rule = ledger.rules.get((proposal.kind, case.words.criticality))
        if rule is None or not rule.allowed or proposal.ttl > rule.max_ttl:
            self._fail(event, "the rules of that moment refuse it")
        elif not leased:
            approvals, needed = ledger.current(case.approvals), max(1, rule.quorum)
            self._require(event, approvals >= needed, f"{approvals} approvals of {needed} needed")
            status = ledger.status(case, event.time)
            self._require(event, status is Status.READY, f"it was {status.name}")
        else:
            self._lease_covers(event, case, rule.leasable)
        self._report.orders += 1

    def _end(self, event: Event, case: Case) -> int:
        """An order never ends before the live one that it supersedes."""
        end = event.time + case.proposal.ttl
        previous = self._ledger.orders.get((case.proposal.kind, case.proposal.target))
        if previous is None:
            return end
        before = self._ledger.cases[previous]
        live = self._ledger.status(before, event.time) is Status.LIVE
        return max(end, before.until) if live else end

    def _protected(self, case: Case) -> bool:
        ledger, target = self._ledger, case.proposal.target
        if case.proposal.kind is Kind.BLOCK:
            action = Action(Kind.BLOCK, case.words.target, case.proposal.ttl)
            guardrails = ledger.guardrails(case.proposal.agent, 0)
            return guardrails.verdict(action, b"", 0).reason.name == "PROTECTED_TARGET"
        table = ledger.assets if case.proposal.kind is Kind.ISOLATE else ledger.credentials
        return table[target].protected

    def _lease_covers(self, event: Event, case: Case, leasable: bool) -> None:
        proposal = case.proposal
        entry = self._ledger.live_lease(proposal.agent, event.time)
        if entry is None:
            self._fail(event, "no live lease")
            return
        lease = entry.lease
        covered = (
            leasable
            and lease.model == proposal.model
            and case.words.criticality <= lease.max_criticality
            and proposal.ttl <= lease.max_ttl
            and entry.spent[proposal.kind] < lease.budgets[proposal.kind]
        )
        self._require(event, covered, "its lease does not cover it")

    def _on_Vetoed(self, event: Event, args: Any) -> None:
        case_id, guardian = args
        self._require(
            event, self._ledger.has_role(guardian, Role.GUARDIAN), f"{guardian} was no guardian"
        )
        self._undecided(event, self._ledger.cases[case_id])

    def _on_LeaseEnded(self, event: Event, args: Any) -> None:
        _, guardian = args
        self._require(
            event, self._ledger.has_role(guardian, Role.GUARDIAN), f"{guardian} was no guardian"
        )

    def _on_Released(self, event: Event, args: Any) -> None:
        case_id, signatures = args
        case = self._ledger.cases[case_id]
        status = self._ledger.status(case, event.time)
        self._require(event, status is Status.LIVE, f"it was {status.name}")
        message = decision_message("Release", case.proposal, case.words, self._ledger.domain)
        self._quorum(event, signatures, message, self._ledger.limits.release_quorum)

    def _on_LeaseGranted(self, event: Event, args: Any) -> None:
        lease_id, values, signatures = args
        ledger, lease = self._ledger, to_lease(values)
        message = lease_message(lease, ledger.domain)
        self._require(event, message_digest(message) == lease_id, "id is not its content's hash")
        self._require(event, lease_id not in ledger.leases, "granted twice")
        self._require(event, ledger.has_role(lease.agent, Role.AGENT), f"{lease.agent} is no agent")
        self._require(event, lease.model in ledger.models, "its model was not active")
        live = ledger.live_lease(lease.agent, event.time)
        self._require(event, live is None, "the agent's last lease was still live")
        left = lease.expires - event.time
        self._require(event, 0 < left <= ledger.limits.max_lease, "it lasts too long")
        self._quorum(event, signatures, message, ledger.limits.lease_quorum)

    def _on_ReceiptFiled(self, event: Event, args: Any) -> None:
        case_id, enforcer, _, digest = args
        self._require(
            event, self._ledger.has_role(enforcer, Role.ENFORCER), f"{enforcer} was no enforcer"
        )
        executed = self._ledger.cases[case_id].executed_at
        self._require(event, executed is not None, "a receipt for what never executed")
        self._report.receipts += 1
        if self._evidence is not None:
            self._evidence.get(digest)
