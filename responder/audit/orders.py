"""Proposals, votes, orders and batches: whether each was allowed to happen."""

from __future__ import annotations

from typing import Any

from policies.actions import Action, Kind
from policies.guardrails import Guardrails, Rule, Tier
from responder.audit.checker import Checker
from responder.chain.events import Event
from responder.chain.proposal import Batch, Decision, Proposal, batch_message, decision_message
from responder.chain.records import NONCES, OPEN, Case, Role, Status, to_batch, to_proposal

__all__ = ["OrderChecks"]


class OrderChecks(Checker):
    # ------------------------------------------------------------ proposed

    def _on_Proposed(self, event: Event, args: Any) -> None:
        case_id, values = args
        proposal = to_proposal(values)
        mirror, action = self._admitted(event, case_id, proposal)
        tier = mirror.verdict(action, proposal.model, event.time).tier
        self._require(event, tier is not Tier.LEASE, "a lease covered it, and it was not ordered")

    def _on_Ordered(self, event: Event, args: Any) -> None:
        case_id, values, until, signatures = args
        proposal = to_proposal(values)
        mirror, action = self._admitted(event, case_id, proposal)
        if signatures:
            words = self._ledger.words_of(proposal.kind, proposal.target)
            message = decision_message("Approval", proposal, words, self._ledger.domain)
            verdict = mirror.execution(action, event.time)
            seats = self._recovered(event, signatures, message, verdict.approvals)
            rule = self._ledger.rules[proposal.kind, words.criticality]
            self._signed_at_once(event, case_id, rule, seats, verdict.delay)
        else:
            verdict = mirror.verdict(action, proposal.model, event.time)
            self._require(event, verdict.tier is Tier.LEASE, "no live lease covers it")
        self._require(event, until == self._end(event, proposal), "lasts longer than signed for")
        self._report.orders += 1

    def _admitted(
        self, event: Event, case_id: bytes, proposal: Proposal
    ) -> tuple[Guardrails, Action]:
        ledger = self._ledger
        self._require(event, proposal.id(ledger.domain) == case_id, "id is not its content's hash")
        self._require(event, case_id not in ledger.cases, "proposed twice")
        self._may_propose(event, case_id, proposal)
        words = ledger.words_of(proposal.kind, proposal.target)
        action = Action(proposal.kind, words.target, proposal.ttl)
        mirror = ledger.guardrails(proposal.agent, event.time)
        verdict = mirror.verdict(action, proposal.model, event.time)
        refused = verdict.tier is Tier.REFUSED
        self._require(event, not refused, f"guardrails refuse it: {verdict.reason.name}")
        return mirror, action

    def _may_propose(self, event: Event, subject: bytes, asked: Proposal | Batch) -> None:
        """What holds of proposals and batches alike."""
        ledger = self._ledger
        self._require(event, subject not in ledger.vetoed, "vetoed before")
        alone = ledger.roles.get(asked.agent) == Role.AGENT
        self._require(event, alone, f"{asked.agent} is no agent")
        self._require(event, ledger.is_active(asked.model), "its model was not active")
        self._require(event, not ledger.is_used(asked.agent, asked.nonce), "its nonce was used")
        wait = asked.deadline - event.time
        self._require(event, 0 < wait <= ledger.limits.max_pending, "its deadline is out of range")
        self._report.proposals += 1
        self._kept(asked.evidence)
        self._report.evidence += self._evidence is not None

    def _signed_at_once(
        self, event: Event, subject: bytes, rule: Rule, seats: set[int], delay: int
    ) -> None:
        """Approved by signatures that came along."""
        self._require(event, not delay, f"its delay of {delay} s was not waited for")
        self._of_every_group(event, rule.groups, seats)
        withdrawn = set(self._ledger.withdrawn.get(subject, {}).values())
        self._require(event, not seats & withdrawn, "a signer had withdrawn")

    def _end(self, event: Event, proposal: Proposal) -> int:
        """An order never ends before the live one that it supersedes."""
        previous = self._ledger.holds.get((proposal.kind, proposal.target))
        return max(event.time + proposal.ttl, previous.until if previous else 0)

    # ------------------------------------------------------------ voted

    def _on_Approved(self, event: Event, args: Any) -> None:
        self._vote(event, args, "Approval")

    def _on_Rejected(self, event: Event, args: Any) -> None:
        self._vote(event, args, "Rejection")

    def _vote(self, event: Event, args: Any, decision: Decision) -> None:
        case_id, operator, signature = args
        case = self._ledger.cases[case_id]
        self._role(event, operator, Role.OPERATOR)
        seat = self._ledger.seats[operator]
        votes = (*case.approvals.values(), *case.rejections.values())
        voted = seat in {vote.seat for vote in votes}
        gone = seat in self._ledger.withdrawn.get(case_id, {}).values()
        self._require(event, not voted, f"{operator} counted twice")
        self._require(event, not gone, f"{operator} had withdrawn")
        self._undecided(event, case)
        if signature:
            message = decision_message(decision, case.proposal, case.words, self._ledger.domain)
            self._signature(event, operator, message, signature)
        else:
            self._sent_by(event, operator)

    def _undecided(self, event: Event, case: Case) -> None:
        status = self._ledger.status(case, event.time)
        self._require(event, status in OPEN, f"it was {status.name}")

    def _on_Withdrawn(self, event: Event, args: Any) -> None:
        subject, operator = args
        self._role(event, operator, Role.OPERATOR)
        again = self._ledger.seats[operator] in self._ledger.withdrawn.get(subject, {}).values()
        self._require(event, not again, f"{operator} withdrew twice")
        self._still_open(event, subject)
        self._sent_by(event, operator)

    def _on_Vetoed(self, event: Event, args: Any) -> None:
        subject, guardian, agent, nonce = args
        self._role(event, guardian, Role.GUARDIAN)
        self._require(event, subject not in self._ledger.vetoed, "vetoed twice")
        self._still_open(event, subject)
        if subject not in self._ledger.cases:
            near = nonce <= max(0, self._ledger.next_nonce(agent) - 1) + NONCES
            fresh = near and not self._ledger.is_used(agent, nonce)
            self._require(event, fresh, f"the nonce {nonce} is used, or not among the next")

    def _still_open(self, event: Event, subject: bytes) -> None:
        """Not decided, be it on the chain or not."""
        self._require(event, subject not in self._ledger.batches, "it was ordered")
        if subject in self._ledger.cases:
            self._undecided(event, self._ledger.cases[subject])

    # ------------------------------------------------------------ executed and ended

    def _on_Executed(self, event: Event, args: Any) -> None:
        case_id, until = args
        ledger, case = self._ledger, self._ledger.cases[case_id]
        proposal = case.proposal
        self._require(event, case.executed_at is None, "executed twice")
        self._require(event, case.vetoed_at is None, "executed after a veto")
        self._require(event, event.time < proposal.deadline, "after the deadline")
        alone = ledger.roles.get(proposal.agent) == Role.AGENT
        self._require(event, alone, "its agent was revoked")
        self._require(event, ledger.is_active(proposal.model), "its model was not active")
        action = Action(proposal.kind, case.words.target, proposal.ttl)
        verdict = ledger.guardrails(proposal.agent, event.time).execution(action, event.time)
        refused = verdict.tier is Tier.REFUSED
        self._require(event, not refused, f"guardrails refuse it: {verdict.reason.name}")
        self._approved(event, case, verdict.approvals)
        status = ledger.status(case, event.time)
        self._require(event, status is Status.READY, f"it was {status.name}")
        self._require(event, until == self._end(event, proposal), "lasts longer than signed for")
        self._report.orders += 1

    def _approved(self, event: Event, case: Case, needed: int) -> None:
        ledger = self._ledger
        seats, needed = ledger.approving(case), max(1, needed)
        self._require(event, len(seats) >= needed, f"{len(seats)} approvals of {needed} needed")
        self._of_every_group(event, ledger.rule_of(case).groups, seats)
        early = event.time < ledger.earliest(case, event.time)
        self._require(event, not early, "its delay had not passed")

    def _on_Released(self, event: Event, args: Any) -> None:
        case_id, signatures = args
        case = self._ledger.cases[case_id]
        status = self._ledger.status(case, event.time)
        self._require(event, status is Status.LIVE, f"it was {status.name}")
        message = decision_message("Release", case.proposal, case.words, self._ledger.domain)
        self._quorum(event, signatures, message, self._ledger.limits.release_quorum)

    def _on_BatchReleased(self, event: Event, args: Any) -> None:
        batch_id, signatures = args
        case = self._ledger.batches[batch_id]
        live = self._ledger.live_of(case, event.time)
        self._require(event, bool(live), "nothing of it was live")
        domain = self._ledger.domain
        message = batch_message("BatchRelease", case.batch, case.names, case.zone, domain)
        self._quorum(event, signatures, message, self._ledger.limits.release_quorum)

    def _on_Settled(self, event: Event, args: Any) -> None:
        target, kind = args
        hold = self._ledger.holds[Kind(kind), target]
        self._require(event, bool(hold.bits), "it did not count")
        self._require(event, hold.until <= event.time, "it had not ended")

    def _on_PageSettled(self, event: Event, args: Any) -> None:
        hold = self._ledger.pages[args]
        self._require(event, bool(hold.bits), "it did not count")
        self._require(event, hold.until <= event.time, "it had not ended")

    # ------------------------------------------------------------ batches

    def _on_BatchOrdered(self, event: Event, args: Any) -> None:
        batch_id, values, signatures = args
        ledger, batch = self._ledger, to_batch(values)
        self._require(event, batch.id(ledger.domain) == batch_id, "id is not its content's hash")
        self._require(event, batch_id not in ledger.batches, "ordered twice")
        self._may_propose(event, batch_id, batch)
        rule = ledger.rules.get((batch.kind, batch.criticality), Rule(allowed=False))
        self._require(event, not ledger.paused, "guardrails refuse it: PAUSED")
        fits = rule.allowed and 0 < batch.ttl <= rule.max_ttl
        self._require(event, fits, "guardrails refuse it: its rule")
        names, zone = ledger.names_of(batch), ledger.zone_of(batch)
        size = sum(len(group) for group in names)
        used = ledger.used(batch.agent, event.time).get((batch.kind, batch.criticality), 0)
        self._require(event, used + size <= rule.budget, "guardrails refuse it: BUDGET_SPENT")
        message = batch_message("BatchApproval", batch, names, zone, ledger.domain)
        of_zone = ledger.zone_rule(zone)
        needed = rule.quorum + (of_zone.extra if of_zone.is_frozen(event.time) else 0)
        seats = self._recovered(event, signatures, message, needed)
        delay = 0 if of_zone.is_open(event.time) else rule.delay
        self._signed_at_once(event, batch_id, rule, seats, delay)
        if batch.kind is Kind.ISOLATE:
            self._pages(event, batch, rule)
        else:
            self._list(event, batch)
        self._report.orders += size

    def _list(self, event: Event, batch: Batch) -> None:
        mirror = self._ledger.guardrails(batch.agent, event.time)
        for target in batch.targets:
            words = self._ledger.words_of(batch.kind, target.to_bytes(32))
            verdict = mirror.execution(Action(batch.kind, words.target, batch.ttl), event.time)
            refused = verdict.tier is Tier.REFUSED
            self._require(event, not refused, f"guardrails refuse {words.target}: {verdict.reason}")
            same = words.criticality == batch.criticality
            self._require(event, same, f"{words.target} is of another criticality")
            mirror.order(batch.kind, words.target)
        ascending = list(batch.targets) == sorted(set(batch.targets))
        self._require(event, ascending, "a target is in it twice")

    def _pages(self, event: Event, batch: Batch, rule: Rule) -> None:
        ledger, before, count = self._ledger, 0, 0
        until = event.time + batch.ttl
        wanted = dict(ledger.bits_of(batch))
        self._require(event, len(wanted) == len(batch.targets), "a page is in it twice")
        for page, bits in wanted.items():
            inside = bits and not bits & ~ledger.members_of(page)
            self._require(event, bool(inside), "it isolates what no batch may")
            self._require(event, page in ledger.sealed, "the names of a page were not known")
            hold = ledger.pages.get(page)
            if hold is not None:
                cuts = hold.bits & ~bits or until < hold.until
                live = event.time < hold.until
                self._require(event, not (cuts and live), "it cuts short what was live")
                before += hold.bits.bit_count()
            count += bits.bit_count()
        if count > before:
            self._limits(event, batch, rule, count - before)

    def _limits(self, event: Event, batch: Batch, rule: Rule, more: int) -> None:
        ledger, zone = self._ledger, self._ledger.zone_of(batch)
        live = ledger.live(batch.kind, batch.criticality) + more
        self._require(event, live <= rule.live, "guardrails refuse it: LIVE_LIMIT")
        assets = sum(a.known and a.zone == zone for a in ledger.assets.values())
        over = ledger.zone_rule(zone).is_over_share(assets, ledger.isolated(zone) + more)
        self._require(event, not over, "guardrails refuse it: ZONE_SHARE")
