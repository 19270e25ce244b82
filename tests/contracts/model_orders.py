"""The plain model's proposals, orders, leases, models and pause."""

from __future__ import annotations

from typing import Any

from model_rules import Rules
from model_state import Compact, Entry, Grant, Model, Order, Refused, Seat, Signatures
from scene import AGENT, GUARDIAN, STATUS

from policies.actions import Kind
from responder.chain.proposal import Lease, Proposal


class Orders(Rules):
    # ---------------------------------------------------------------- proposals

    def propose(self, sender: str, proposal: Proposal) -> tuple[bytes, int]:
        self._enter(sender, proposal)
        id_ = proposal.id(self.domain)
        what = proposal.kind, proposal.target, proposal.ttl
        if self.lease_covers(proposal.agent, *what, proposal.model):
            self.leases[proposal.agent].spent[proposal.kind] += 1
            self.order(id_, *what)
            return id_, STATUS.index("LIVE")
        self.entries.setdefault(id_, Entry()).proposed = True
        return id_, STATUS.index("PENDING")

    def propose_approved(self, sender: str, proposal: Proposal, signatures: Compact) -> bytes:
        self._enter(sender, proposal)
        rule, quorum, delay = self.rule_for(proposal.kind, proposal.target)
        if delay:
            raise Refused("GateTooEarly", self.now + delay)
        id_, digest = proposal.id(self.domain), self.approval_digest(proposal)
        self.collect_compact(id_, digest, signatures, quorum, rule.groups)
        self.order(id_, proposal.kind, proposal.target, proposal.ttl)
        return id_

    def _enter(self, sender: str, proposal: Proposal) -> None:
        self.check_agent(sender, proposal.agent, proposal.model, proposal.nonce)
        self.check_deadline(proposal.deadline, self.bounds.max_pending)
        kind, target = proposal.kind, proposal.target
        if reason := self.refusal(kind, target, proposal.ttl):
            raise Refused("GateRefused", reason)
        self.spend(sender, (kind, self.criticality(kind, target)), 1)
        self.nonces.setdefault(sender, set()).add(proposal.nonce)

    def approve(self, sender: str, proposal: Proposal) -> None:
        self._approve(proposal, self._vote(self._open(proposal), sender))

    def approve_by_sig(self, _: str, proposal: Proposal, signatures: Signatures) -> None:
        id_, digest = self._open(proposal), self.approval_digest(proposal)
        for signer, data in signatures:
            seat = self._vote(id_, signer)
            self.check_signature(digest, signer, data)
            self._approve(proposal, seat)

    def reject(self, sender: str, proposal: Proposal) -> None:
        id_ = self._open(proposal)
        self.entries[id_].rejections.append(self._vote(id_, sender))

    def reject_by_sig(self, _: str, proposal: Proposal, signatures: Signatures) -> None:
        id_, digest = self._open(proposal), self.rejection_digest(proposal)
        for signer, data in signatures:
            seat = self._vote(id_, signer)
            self.check_signature(digest, signer, data)
            self.entries[id_].rejections.append(seat)

    def withdraw(self, sender: str, proposal: Proposal) -> None:
        id_ = self._undecided(proposal)
        if not self._entry(id_).proposed:
            self.check_deadline(proposal.deadline, self.bounds.max_pending)
        self.withdraw_vote(sender, id_)

    def withdraw_vote(self, sender: str, id_: bytes) -> None:
        seat = self.need_seat(sender)
        entry = self.entries.setdefault(id_, Entry())
        if sender in entry.withdrawn:
            raise Refused("GateAlreadyVoted", id_, sender)
        entry.withdrawn.add(sender)
        for votes in (entry.approvals, entry.rejections):
            if seat in votes:
                votes.remove(seat)

    def execute(self, _: str, proposal: Proposal) -> None:
        id_ = self._open(proposal)
        entry, what = self.entries[id_], (proposal.kind, proposal.target, proposal.ttl)
        if self.role(proposal.agent) != AGENT:
            raise Refused("GateMissingRole", proposal.agent, AGENT)
        self.need_model(proposal.model)
        if reason := self.refusal(*what):
            raise Refused("GateRefused", reason)
        rule, quorum, delay = self.rule_for(proposal.kind, proposal.target)
        got = len(self.current(entry.approvals))
        if got < quorum:
            raise Refused("GateQuorumNotMet", got, quorum)
        self.need_groups(entry.approvals, rule.groups)
        if self.now < entry.approved_at + delay:
            raise Refused("GateTooEarly", entry.approved_at + delay)
        del self.entries[id_]
        self.order(id_, *what)

    def veto(self, sender: str, proposal: Proposal) -> None:
        id_ = self._undecided(proposal)
        self.need(sender, GUARDIAN)
        if not self._entry(id_).proposed:
            self.burn(proposal.agent, proposal.nonce)
        self.entries.setdefault(id_, Entry()).vetoed = True

    def burn(self, agent: str, nonce: int) -> None:
        """Of what is vetoed before it is proposed."""
        if self.role(agent) != AGENT:
            raise Refused("GateMissingRole", agent, AGENT)
        last = self.last_nonce(agent)
        if self.is_used(agent, nonce) or nonce > min(last + 24, (1 << 32) - 1):
            raise Refused("GateBadNonce", nonce, last)
        self.nonces.setdefault(agent, set()).add(nonce)

    def release(self, _: str, proposal: Proposal, signatures: Signatures) -> None:
        id_, status = proposal.id(self.domain), self._short_status(proposal)
        if status != "LIVE":
            raise Refused("GateWrongStatus", id_, status)
        self.collect(self.release_digest(proposal), signatures, self.bounds.release_quorum)
        order = self.orders[proposal.kind, proposal.target]
        order.released, order.counts = True, False

    def order(self, id_: bytes, kind: Kind, key: bytes, ttl: int) -> None:
        before = self.orders.get((kind, key))
        until = self.now + ttl
        if before and self.is_live(before):
            until = max(until, before.until)
        self.orders[kind, key] = Order(id_, until)

    def settle(self, _: str, kind: int, keys: list[bytes]) -> None:
        for key in keys:
            order = self.orders.get((Kind(kind), key))
            if order is None or not order.counts or self.now < order.until:
                raise Refused("GateNotEnded", key)
            order.counts = False

    # ---------------------------------------------------------------- stopping

    def pause(self, sender: str) -> None:
        self.need(sender, GUARDIAN)
        if self.paused:
            raise Refused("GateRefused", "PAUSED")
        self.paused, self.pauses = True, self.pauses + 1

    def resume(self, _: str, signatures: Signatures) -> None:
        if not self.paused:
            raise Refused("GateNotPaused")
        self.collect(self.resume_digest(), signatures, self.bounds.release_quorum)
        self.paused = False

    # ---------------------------------------------------------------- leases

    def grant_lease(self, _: str, lease: Lease, signatures: Signatures) -> bytes:
        id_ = self.lease_digest(lease)
        self._check_lease(lease)
        if id_ in self.granted:
            raise Refused("GateLeaseUsed", id_)
        if live := self.live_lease(lease.agent):
            raise Refused("GateLeaseLive", live.id)
        seats = self.collect(id_, signatures, self.bounds.lease_quorum)
        self.granted.add(id_)
        self.leases[lease.agent] = Grant(id_, lease, seats)
        return id_

    def _check_lease(self, lease: Lease) -> None:
        if self.role(lease.agent) != AGENT:
            raise Refused("GateMissingRole", lease.agent, AGENT)
        self.need_model(lease.model)
        in_time = self.now < lease.expires <= self.now + self.bounds.max_lease
        fits = any(lease.budgets) and max(lease.budgets) <= 4095
        if not in_time or not fits or not lease.max_ttl or lease.max_criticality > 3:
            raise Refused("GateBadLease")

    def end_lease(self, sender: str, agent: str) -> None:
        self.need(sender, GUARDIAN)
        grant = self.leases.get(agent)
        if grant is None or self.now >= grant.lease.expires:
            raise Refused("GateNoLease", agent)
        del self.leases[agent]

    # ---------------------------------------------------------------- models

    def activate_model(
        self, _: str, model: bytes, card: bytes, revision: int, deadline: int, by: Signatures
    ) -> None:
        last = self.models.get(model, Model()).revision
        if revision != last + 1:
            raise Refused("GateBadRevision", last)
        self.check_deadline(deadline, self.bounds.max_lease)
        digest = self.model_digest(model, card, revision, deadline)
        self.collect(digest, by, self.bounds.model_quorum)
        self.models[model] = Model(True, card, revision, [signer for signer, _ in by])

    def deactivate_model(self, sender: str, model: bytes) -> None:
        self.need(sender, GUARDIAN)
        self.need_model(model)
        self.models[model].active = False
        self.models[model].revision += 1

    # ---------------------------------------------------------------- views

    def id_of(self, proposal: Proposal) -> bytes:
        return proposal.id(self.domain)

    def approval_digest(self, proposal: Proposal) -> bytes:
        return self.decision_digest("Approval", proposal)

    def rejection_digest(self, proposal: Proposal) -> bytes:
        return self.decision_digest("Rejection", proposal)

    def release_digest(self, proposal: Proposal) -> bytes:
        return self.decision_digest("Release", proposal)

    def paused_now(self) -> int:
        return self.pauses if self.paused else 0

    def state_of(self, proposal: Proposal) -> tuple[int, int, int, int]:
        entry, status, until = self._entry(proposal.id(self.domain)), self.status(proposal), 0
        _, quorum, delay = self.rule_for(proposal.kind, proposal.target)
        if status == "WAITING":
            until = entry.approved_at + delay
        if status in ("LIVE", "EXPIRED"):
            until = self.orders[proposal.kind, proposal.target].until
        return STATUS.index(status), len(self.current(entry.approvals)), quorum, until

    def lease_of(self, agent: str) -> tuple[Any, ...]:
        grant = self.live_lease(agent)
        if grant is None:
            return bytes(32), 0, (0, 0, 0), (0, 0, 0)
        return grant.id, grant.lease.expires, grant.lease.budgets, tuple(grant.spent)

    def model_of(self, model: bytes) -> tuple[Any, ...]:
        found = self.models.get(model, Model())
        return found.active, found.card, found.revision, tuple(found.approvers)

    # ---------------------------------------------------------------- status

    def status(self, proposal: Proposal) -> str:
        """As `stateOf` tells it."""
        entry = self._entry(proposal.id(self.domain))
        if entry.vetoed:
            return "VETOED"
        if not entry.proposed:
            return self._order_status(proposal)
        rule, quorum, delay = self.rule_for(proposal.kind, proposal.target)
        against = len(self.current(entry.rejections))
        if against and against >= quorum:
            return "REJECTED"
        if self.now >= proposal.deadline:
            return "LAPSED"
        if not self._may_execute(proposal, entry, quorum, rule.groups):
            return "PENDING"
        return "WAITING" if self.now < entry.approved_at + delay else "READY"

    def _order_status(self, proposal: Proposal) -> str:
        if not self.is_used(proposal.agent, proposal.nonce):
            return "NONE"
        order = self.orders.get((proposal.kind, proposal.target))
        if order is None or order.id != proposal.id(self.domain):
            return "SUPERSEDED"
        if order.released:
            return "RELEASED"
        return "LIVE" if self.now < order.until else "EXPIRED"

    def _may_execute(self, proposal: Proposal, entry: Entry, quorum: int, groups: int) -> bool:
        model = self.models.get(proposal.model)
        return (
            self._is_approved(entry, quorum, groups)
            and self.role(proposal.agent) == AGENT
            and model is not None
            and model.active
            and not self.refusal(proposal.kind, proposal.target, proposal.ttl)
        )

    def _is_approved(self, entry: Entry, quorum: int, groups: int) -> bool:
        enough = len(self.current(entry.approvals)) >= quorum
        return enough and not self.missing_groups(entry.approvals, groups)

    def _short_status(self, proposal: Proposal) -> str:
        """In errors PENDING stands for WAITING and READY too."""
        status = self.status(proposal)
        return "PENDING" if status in ("WAITING", "READY") else status

    def _open(self, proposal: Proposal) -> bytes:
        return self._in(proposal, ("PENDING",))

    def _undecided(self, proposal: Proposal) -> bytes:
        return self._in(proposal, ("PENDING", "NONE"))

    def _in(self, proposal: Proposal, wanted: tuple[str, ...]) -> bytes:
        id_, status = proposal.id(self.domain), self._short_status(proposal)
        if status not in wanted:
            raise Refused("GateWrongStatus", id_, status)
        return id_

    def _entry(self, id_: bytes) -> Entry:
        return self.entries.get(id_, Entry())

    def _vote(self, id_: bytes, account: str) -> Seat:
        seat, entry = self.need_seat(account), self.entries[id_]
        if seat in entry.approvals + entry.rejections or account in entry.withdrawn:
            raise Refused("GateAlreadyVoted", id_, account)
        return seat

    def _approve(self, proposal: Proposal, seat: Seat) -> None:
        rule, quorum, _ = self.rule_for(proposal.kind, proposal.target)
        entry = self.entries[proposal.id(self.domain)]
        if not self._is_approved(entry, quorum, rule.groups):
            entry.approved_at = self.now
        entry.approvals.append(seat)
