"""Carrying what others decided to the gate: operators' signatures from the inbox, what is ready,
and what ended.

Called by the responder's loop on every tick, and idempotent: each step compares what waits with
what the ledger shows already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from eth_account.messages import SignableMessage

from policies.actions import Kind
from responder.approvals import Activation, Inbox, Slip, signed_by
from responder.chain.client import GateClient, Refused, for_each
from responder.chain.ledger import Ledger
from responder.chain.proposal import Decision, decision_message, message_digest, resume_message
from responder.chain.records import OPEN, Case, Role, Status

__all__ = ["Relay"]

log = logging.getLogger(__name__)

_DONE = "done"  # the fate of a slip that the chain shows, or that is not needed any more
_SETTLE_AFTER = 60  # seconds for which an ended order may still count, so that many go together
_SETTLE_MOST = 200  # in one transaction
# What someone else did in between, or a clock that goes ahead of the chain's.
_RACES = frozenset({"GateAlreadyVoted", "GateWrongStatus", "GateTooEarly", "GateNotEnded"})


class Relay:
    """Has a key that pays for transactions and may decide nothing."""

    def __init__(self, gate: GateClient, inbox: Inbox, ledger: Ledger) -> None:
        self._gate, self._inbox, self._ledger = gate, inbox, ledger

    # ------------------------------------------------------------ signatures

    def carry(self, now: float) -> None:
        """Everything in the inbox that the chain does not show yet and would take."""
        groups: dict[str, list[Slip]] = {}
        for slip in self._inbox.slips():
            matter = self._matter(slip, now)
            if matter is None:
                continue  # not mined here yet, or not ours: it waits
            message, fate = matter
            fate = fate or self._fault(slip, message)
            if not fate:
                groups.setdefault(slip.subject, []).append(slip)
            elif fate == _DONE:
                self._inbox.done(slip)
            else:
                log.warning("%s on %s set aside: %s", slip.decision, slip.subject[:12], fate)
                self._inbox.refuse(slip, fate)
        for_each(groups.values(), lambda slips: self._send(slips, now))

    def _matter(self, slip: Slip, now: float) -> tuple[SignableMessage, str] | None:
        """What it must be a signature of; and "done", why it will never count, or nothing where it
        is to be carried. None while the ledger knows nothing of it.
        """
        about, ledger = slip.about(), self._ledger
        if isinstance(about, Activation):
            return about.message(ledger.domain), self._fate_of_model(about, now)
        if about is not None:
            lasts = ledger.paused and about == ledger.pauses
            return resume_message(about, ledger.domain), "" if lasts else _DONE
        case = ledger.cases.get(bytes.fromhex(slip.subject))
        if case is None:
            return None
        decision = cast(Decision, slip.decision)
        message = decision_message(decision, case.proposal, case.words, ledger.domain)
        return message, self._fate_of_vote(slip, case, now)

    def _fate_of_vote(self, slip: Slip, case: Case, now: float) -> str:
        status = self._ledger.status(case, now)
        if slip.decision == "Release":
            done, wanted = status is Status.RELEASED, status is Status.LIVE
        else:
            votes = case.approvals if slip.decision == "Approval" else case.rejections
            done, wanted = slip.operator in votes, status in OPEN
            if slip.operator in self._ledger.withdrawn.get(case.id, ()):
                return f"{slip.operator} withdrew from this proposal"
        if done:
            return _DONE
        return "" if wanted else f"too late: the proposal is {status.name}"

    def _fate_of_model(self, terms: Activation, now: float) -> str:
        entry = self._ledger.models.get(terms.model)
        last = entry.revision if entry else 0
        if entry and entry.active and terms.revision == last:
            return _DONE
        if terms.revision != last + 1:
            return f"it is for revision {terms.revision}, the model's next is {last + 1}; sign anew"
        return "" if now < terms.deadline else "too late: its deadline passed; sign anew"

    def _fault(self, slip: Slip, message: SignableMessage) -> str:
        if not self._ledger.has_role(slip.operator, Role.OPERATOR):
            return f"{slip.operator} is not an operator"
        digest = message_digest(message)
        named = slip.about() is None or digest.hex() == slip.subject
        block, signature = self._ledger.block.number, slip.signature_bytes
        if named and (
            signed_by(slip.operator, message, signature)
            or self._gate.is_valid_signature(slip.operator, digest, signature, block)
        ):
            return ""
        return f"the signature is not {slip.operator}'s over these fields"

    def _send(self, slips: Sequence[Slip], now: float) -> None:
        """All that was decided on one subject."""
        about, limits = slips[0].about(), self._ledger.limits
        signatures = [(slip.operator, slip.signature_bytes) for slip in slips]
        if about is None:
            self._send_votes(self._ledger.cases[bytes.fromhex(slips[0].subject)], slips, now)
        elif isinstance(about, Activation):
            if len(slips) >= limits.model_quorum:
                terms = (about.model, about.card, about.revision, about.deadline)
                self._gate.activate_model(*terms, signatures)
                log.info("model %s is active", about.model.hex()[:12])
        elif len(slips) >= limits.release_quorum:
            self._gate.resume(signatures)
            log.info("resumed after pause %d", about)

    def _send_votes(self, case: Case, slips: Sequence[Slip], now: float) -> None:
        relayer, proposal = self._gate, case.proposal
        approvals, rejections, releases = (
            [(s.operator, s.signature_bytes) for s in slips if s.decision == decision]
            for decision in ("Approval", "Rejection", "Release")
        )
        if approvals:
            _unless_raced(lambda: relayer.approve_by_sig(proposal, approvals))
            self._execute_if_ready(case, [operator for operator, _ in approvals], now)
        if rejections:
            _unless_raced(lambda: relayer.reject_by_sig(proposal, rejections))
        if len(releases) >= self._ledger.limits.release_quorum:
            _unless_raced(lambda: relayer.release(proposal, releases))

    def _execute_if_ready(self, case: Case, fresh: Sequence[str], now: float) -> None:
        """Saves a tick where these approvals were what was missing; `execute` would find it too."""
        ledger = self._ledger
        if ledger.is_approved(case, now, fresh) and not ledger.delay(case, now):
            _unless_raced(lambda: self._gate.execute(case.proposal))

    # ------------------------------------------------------------ orders

    def execute(self, now: float) -> None:
        """Everything that is approved and whose delay has passed."""
        cases = self._ledger.open_cases(now)
        ready = [c.proposal for c in cases if self._ledger.status(c, now) is Status.READY]
        for_each(ready, lambda p: _unless_raced(lambda: self._gate.execute(p)))

    def settle(self, now: float) -> None:
        """Orders that ended count no more against what may be live at once."""
        targets, pages = self._ledger.to_settle(now)
        ends = [*targets.values(), *pages.values()]
        if not ends or now - min(ends) < _SETTLE_AFTER:
            return
        calls: list[Callable[[], object]] = []
        for kind in Kind:
            keys = [key for k, key in targets if k is kind]
            for start in range(0, len(keys), _SETTLE_MOST):
                some = keys[start : start + _SETTLE_MOST]
                calls.append(partial(self._gate.settle, kind, some))
        for place in dict.fromkeys((zone, criticality) for zone, criticality, _ in pages):
            numbers = [number for zone, c, number in pages if (zone, c) == place]
            calls.append(partial(self._gate.settle_pages, *place, numbers))
        for_each(calls, _unless_raced)


def _unless_raced(call: Callable[[], object]) -> None:
    """Someone else may have done the same in between: the next sync shows how."""
    try:
        call()
    except Refused as error:
        if error.error not in _RACES:
            raise
        log.debug("already settled: %s", error)
