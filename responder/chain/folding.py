"""The gate's side of the ledger: what was proposed, ordered, leased and stated, folded from IGate's
events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from eth_account.messages import SignableMessage
from eth_utils.address import to_checksum_address

from policies.actions import Kind
from policies.guardrails import Rule
from responder.chain.events import Event
from responder.chain.proposal import (
    PAGE,
    Batch,
    Domain,
    Proposal,
    batch_message,
    decision_message,
    page_groups,
    signer_of,
)
from responder.chain.records import (
    NONCES,
    BatchCase,
    Case,
    Hold,
    LeaseEntry,
    ModelEntry,
    ReceiptEntry,
    RootEntry,
    Subject,
    Vote,
    to_batch,
    to_lease,
    to_proposal,
)
from responder.chain.registry import Page, Registry
from responder.errors import Permanent

__all__ = ["Folding"]


class Folding(Registry):
    """Everything that IGate's events tell, and the rules by which votes count."""

    def __init__(self, domain: Domain) -> None:
        super().__init__()
        self.domain = domain
        self.cases: dict[bytes, Case] = {}
        self.batches: dict[bytes, BatchCase] = {}
        self.holds: dict[tuple[Kind, bytes], Hold] = {}  # by target
        self.pages: dict[Page, Hold] = {}
        self.vetoed: set[bytes] = set()  # ids, also of what is not on the chain
        self.withdrawn: dict[bytes, dict[str, int]] = {}  # id -> operator -> his seat then
        self.leases: dict[bytes, LeaseEntry] = {}
        self.lease_by_agent: dict[str, bytes] = {}
        self.models: dict[bytes, ModelEntry] = {}
        self.paused = False
        self.pauses = 0  # the number of the last one
        self.receipts: list[ReceiptEntry] = []  # of all orders; each is with its case too
        self.roots: dict[bytes, RootEntry] = {}
        self.missed: dict[Subject, str] = {}  # receipts that were reported missing, and by whom
        self._ids: dict[bytes, bytes] = {}  # of cases and batches, by their first 20 bytes
        self._used: dict[str, tuple[int, Counter[tuple[Kind, int]]]] = {}  # agent -> window, cells
        self._nonces: dict[str, set[int]] = {}

    # ------------------------------------------------------------ questions

    def is_active(self, model: bytes) -> bool:
        return model in self.models and self.models[model].active

    def used(self, agent: str, now: float) -> Mapping[tuple[Kind, int], int]:
        """Proposals of this agent by cell in the window of `now`."""
        window, counts = self._used.get(agent, (-1, Counter()))
        return counts if window == self._window_at(now) else Counter()

    def next_nonce(self, agent: str) -> int:
        """One that this agent has not used."""
        return max(self._nonces.get(agent, ()), default=-1) + 1

    def is_used(self, agent: str, nonce: int) -> bool:
        """Or too far behind the last to be used any more."""
        used = self._nonces.get(agent, set())
        return nonce in used or nonce <= max(used, default=0) - NONCES

    def subject_of(self, start: bytes, target: bytes) -> Subject:
        """What a receipt is about, from the start of the id that it names. Raises KeyError."""
        return Subject(self._ids[start], target)

    def hold_of(self, subject: Subject) -> Hold:
        """The last order on what a receipt is about. Raises KeyError where there was none."""
        case = self.cases.get(subject.order)
        if case is not None:
            return self.holds[case.proposal.kind, subject.target]
        batch = self.batches[subject.order].batch
        if batch.kind is not Kind.ISOLATE:
            return self.holds[batch.kind, subject.target]
        number = int.from_bytes(subject.target) >> PAGE
        return self.pages[batch.zone, batch.criticality, number]

    def place_of(self, subject: Subject) -> tuple[Kind, str]:
        """Kind of what was ordered, and its zone: what an enforcer's scope is about."""
        case = self.cases.get(subject.order)
        if case is not None:
            return case.proposal.kind, case.words.zone
        batch = self.batches[subject.order]
        return batch.batch.kind, batch.zone

    def page_subject(self, page: Page, order: bytes) -> Subject:
        """What receipts about a batch's orders on a page are about."""
        targets = self.batches[order].batch.targets
        target = next(t for t in targets if t >> PAGE == page[2])
        return Subject(order, target.to_bytes(32))

    def ttl_of(self, order: bytes) -> int:
        """Seconds for which a proposal or batch asked."""
        case = self.cases.get(order)
        return case.proposal.ttl if case else self.batches[order].batch.ttl

    def ordered_on(self, page: Page) -> list[bytes]:
        """Assets that count by a batch order on this page."""
        bits = self.pages[page].bits if page in self.pages else 0
        return [key for place, key in enumerate(self.keys_on(page)) if bits >> place & 1]

    def bits_of(self, batch: Batch) -> list[tuple[Page, int]]:
        """A batch's pages of assets, and the bits of the places on each."""
        pages = ((batch.zone, batch.criticality, t >> PAGE) for t in batch.targets)
        return [(p, t & (1 << PAGE) - 1) for p, t in zip(pages, batch.targets, strict=True)]

    def names_of(self, batch: Batch) -> tuple[tuple[str, ...], ...]:
        """What a batch orders, in groups as its signatures have them."""
        if batch.kind is Kind.ISOLATE:
            groups = []
            for page, bits in self.bits_of(batch):
                groups += page_groups([self.assets[k].id for k in self.keys_on(page)], bits)
            return tuple(map(tuple, groups))
        return (tuple(self.words_of(batch.kind, t.to_bytes(32)).target for t in batch.targets),)

    def zone_of(self, batch: Batch) -> str:
        """Name of the zone of all, empty where its targets have none."""
        return self.zones[batch.zone][0] if batch.kind is Kind.ISOLATE else ""

    # ------------------------------------------------------------ votes under the rule of now

    def rule_of(self, case: Case) -> Rule:
        cell = (case.proposal.kind, case.words.criticality)
        return self.rules.get(cell, Rule(allowed=False))

    def needed(self, case: Case, now: float) -> int:
        """Approvals that execution takes."""
        zone = self.zone_rule(case.words.zone)
        return self.rule_of(case).quorum + (zone.extra if zone.is_frozen(now) else 0)

    def delay(self, case: Case, now: float) -> int:
        """Seconds between the last approval that is needed and execution."""
        return 0 if self.zone_rule(case.words.zone).is_open(now) else self.rule_of(case).delay

    def approving(self, case: Case, more: Iterable[str] = ()) -> set[int]:
        """Seats of current operators who approved; `more` are taken to have done so."""
        return self.current(case.approvals.values()) | {self.seats[o] for o in more}

    def groups_missing(self, case: Case, more: Iterable[str] = ()) -> tuple[int, ...]:
        """Approver groups that the rule asks for and no approval is of."""
        return self.missing_groups(self.rule_of(case).groups, self.approving(case, more))

    def is_approved(self, case: Case, now: float, more: Iterable[str] = ()) -> bool:
        """Enough approvals of every sort that the rule asks for."""
        more = tuple(more)
        enough = len(self.approving(case, more)) >= self.needed(case, now)
        return enough and not self.groups_missing(case, more)

    # ------------------------------------------------------------ folding: the registry

    def _on_AssetSet(self, event: Event, args: Any) -> None:
        super()._on_AssetSet(event, args)
        self._reword(Kind.ISOLATE, args[0])

    def _on_CredentialSet(self, event: Event, args: Any) -> None:
        super()._on_CredentialSet(event, args)
        self._reword(Kind.REVOKE, args[0])

    def _on_TargetRemoved(self, event: Event, args: Any) -> None:
        super()._on_TargetRemoved(event, args)
        self._reword(Kind(args[1]), args[0])

    def _reword(self, kind: Kind, target: bytes) -> None:
        """The gate reads zone and criticality anew at every step; so do signatures."""
        for case in self.cases.values():
            if (case.proposal.kind, case.proposal.target) == (kind, target):
                case.words = self.words_of(kind, target)

    # ------------------------------------------------------------ folding: proposals

    def _on_Proposed(self, event: Event, args: Any) -> None:
        case_id, values = args
        self._enter(event, case_id, to_proposal(values))

    def _on_Ordered(self, event: Event, args: Any) -> None:
        case_id, values, until, signatures = args
        proposal = to_proposal(values)
        case = self._enter(event, case_id, proposal)
        message = decision_message("Approval", proposal, case.words, self.domain)
        case.approvals = self._recovered(event, message, signatures)
        if not signatures:
            case.lease = self.lease_by_agent[proposal.agent]
            self.leases[case.lease].spent[proposal.kind] += 1
        self._execute(event, case, until)

    def _enter(self, event: Event, case_id: bytes, proposal: Proposal) -> Case:
        words = self.words_of(proposal.kind, proposal.target)
        self._ids[case_id[:20]] = case_id
        case = self.cases[case_id] = Case(case_id, proposal, words, event.time)
        self._spend(event, proposal.agent, proposal.nonce, (proposal.kind, words.criticality), 1)
        return case

    def _spend(
        self, event: Event, agent: str, nonce: int, cell: tuple[Kind, int], count: int
    ) -> None:
        self._use(agent, nonce)
        window = self._window_at(event.time)
        if self._used.get(agent, (-1,))[0] != window:
            self._used[agent] = (window, Counter())
        self._used[agent][1][cell] += count

    def _window_at(self, now: float) -> int:
        """Its number, of which the contract keeps 16 bits."""
        return int(now) // max(1, self.limits.window) % (1 << 16)

    def _use(self, agent: str, nonce: int) -> None:
        used = self._nonces.get(agent, set()) | {nonce}
        self._nonces[agent] = {n for n in used if n > max(used) - NONCES}

    def _recovered(
        self, event: Event, message: SignableMessage, signatures: Sequence[tuple[bytes, bytes]]
    ) -> dict[str, Vote]:
        votes = {}
        for r, vs in signatures:
            operator = signer_of(message, r + vs)
            if operator not in self.seats:
                raise Permanent(f"{event.name} in block {event.block}: a signer is no operator")
            votes[operator] = Vote(operator, r + vs, event.time, self.seats[operator])
        return votes

    def _on_Approved(self, event: Event, args: Any) -> None:
        case_id, operator, signature = args
        case = self.cases[case_id]
        if not self.is_approved(case, event.time):
            case.approved_at = event.time
        case.approvals[operator] = Vote(operator, signature, event.time, self.seats[operator])

    def _on_Rejected(self, event: Event, args: Any) -> None:
        case_id, operator, signature = args
        vote = Vote(operator, signature, event.time, self.seats[operator])
        self.cases[case_id].rejections[operator] = vote

    def _on_Withdrawn(self, event: Event, args: Any) -> None:
        subject, operator = args
        seat = self.seats[operator]
        self.withdrawn.setdefault(subject, {})[operator] = seat
        case = self.cases.get(subject)
        for votes in (case.approvals, case.rejections) if case else ():
            if operator in votes and votes[operator].seat == seat:
                del votes[operator]

    def _on_Vetoed(self, event: Event, args: Any) -> None:
        subject, _guardian, agent, nonce = args
        self.vetoed.add(subject)
        self._use(agent, nonce)
        if subject in self.cases:
            self.cases[subject].vetoed_at = event.time

    def _on_Executed(self, event: Event, args: Any) -> None:
        case_id, until = args
        self._execute(event, self.cases[case_id], until)

    def _execute(self, event: Event, case: Case, until: int) -> None:
        case.executed_at, case.until = event.time, until
        self._hold(event, (case.proposal.kind, case.proposal.target), case.id, until)

    def _hold(self, event: Event, target: tuple[Kind, bytes], order: bytes, until: int) -> None:
        previous = self.holds.get(target)
        if previous is not None and previous.order in self.cases and previous.order != order:
            self.cases[previous.order].superseded_at = event.time
        self.holds[target] = Hold(order, until, executed_at=event.time)

    def _on_Released(self, event: Event, args: Any) -> None:
        case = self.cases[args[0]]
        case.released_at = event.time
        self._free(self.holds[case.proposal.kind, case.proposal.target])

    # ------------------------------------------------------------ folding: batches

    def _on_BatchOrdered(self, event: Event, args: Any) -> None:
        batch_id, values, signatures = args
        batch = to_batch(values)
        names, zone = self.names_of(batch), self.zone_of(batch)
        message = batch_message("BatchApproval", batch, names, zone, self.domain)
        votes = self._recovered(event, message, signatures)
        made = BatchCase(batch_id, batch, names, zone, event.time, votes)
        self.batches[batch_id], self._ids[batch_id[:20]] = made, batch_id
        cell = (batch.kind, batch.criticality)
        self._spend(event, batch.agent, batch.nonce, cell, made.size)
        until = event.time + batch.ttl
        if batch.kind is Kind.ISOLATE:
            for page, bits in self.bits_of(batch):
                self.pages[page] = Hold(batch_id, until, bits, event.time)
            return
        for target in batch.targets:
            key = (batch.kind, target.to_bytes(32))
            before = self.holds[key].until if key in self.holds else 0
            self._hold(event, key, batch_id, max(until, before))

    def live_of(self, batch: BatchCase, now: float) -> list[Hold]:
        """Orders of a batch that are live and that nothing followed."""
        subjects = (Subject(batch.id, target.to_bytes(32)) for target in batch.batch.targets)
        holds = (self.hold_of(subject) for subject in subjects)
        return [h for h in holds if h.order == batch.id and now < h.until]

    def _on_BatchReleased(self, event: Event, args: Any) -> None:
        batch = self.batches[args[0]]
        batch.released_at = event.time
        for hold in self.live_of(batch, event.time):
            self._free(hold)

    def _free(self, hold: Hold) -> None:
        hold.until, hold.bits = 0, 0

    def _on_Settled(self, event: Event, args: Any) -> None:
        target, kind = args
        self.holds[Kind(kind), target].bits = 0

    def _on_PageSettled(self, event: Event, args: Any) -> None:
        zone, criticality, number = args
        self.pages[zone, criticality, number].bits = 0

    # ------------------------------------------------------------ folding: stopping, leases, models

    def _on_Paused(self, event: Event, args: Any) -> None:
        self.paused, self.pauses = True, args[1]

    def _on_Resumed(self, event: Event, args: Any) -> None:
        self.paused = False

    def _on_LeaseGranted(self, event: Event, args: Any) -> None:
        lease_id, values, signatures = args
        lease = to_lease(values)
        signers = [to_checksum_address(signer) for signer, _ in signatures]
        self.leases[lease_id] = LeaseEntry(lease_id, lease, {s: self.seats[s] for s in signers})
        self.lease_by_agent[lease.agent] = lease_id

    def _on_LeaseEnded(self, event: Event, args: Any) -> None:
        self.leases[args[0]].ended = True

    def _on_ModelActivated(self, event: Event, args: Any) -> None:
        model, card, revision, _deadline, signatures = args
        approvers = tuple(to_checksum_address(signer) for signer, _ in signatures)
        self.models[model] = ModelEntry(card, revision, True, approvers)

    def _on_ModelDeactivated(self, event: Event, args: Any) -> None:
        model, revision, _guardian = args
        self.models[model] = replace(self.models[model], revision=revision, active=False)

    # ------------------------------------------------------------ folding: receipts

    def _on_ReceiptFiled(self, event: Event, args: Any) -> None:
        self._note(event, args[1])

    def _on_ReceiptShown(self, event: Event, args: Any) -> None:
        self._note(event, args[1], args[2])

    def _note(self, event: Event, values: Any, root: bytes = b"") -> None:
        start, target, enforcer, outcome, digest = values
        who, subject = to_checksum_address(enforcer), self.subject_of(start, target)
        entry = ReceiptEntry(subject, who, outcome, digest, event.time, root)
        owner = self.cases.get(subject.order) or self.batches[subject.order]
        owner.receipts.append(entry)
        self.receipts.append(entry)
        self.hold_of(subject).receipted = True

    def _on_ReceiptsFiled(self, event: Event, args: Any) -> None:
        root, enforcer, count = args
        self.roots[root] = RootEntry(enforcer, count, event.time)

    def _on_ReceiptMissed(self, event: Event, args: Any) -> None:
        order, target, reporter = args
        subject = Subject(order, target)
        self.missed[subject] = reporter
        self.hold_of(subject).missed = True
