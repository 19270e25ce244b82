"""The responder's loop: one idempotent tick that brings everything a step closer to what it should
be.

Each tick compares what is wanted with what is, from the chain and the feeds as they stand; nothing
depends on having seen an event, so a crash at any point, a restart or a second tick changes
nothing. The phases fail apart from each other: without a chain, feeds are still read and the last
containment is still enforced, and nothing is proposed.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from policies.inventory import Inventory
from policies.picture import Picture
from policies.policy import Policy
from responder.approvals import Inbox, Slip, signed_by
from responder.chain.client import GateClient, Refused
from responder.chain.ledger import OPEN, Case, Ledger, ReceiptEntry, Role, Status
from responder.chain.proposal import (
    Proposal,
    decision_message,
    message_digest,
    target_key,
)
from responder.clock import Clock
from responder.decision import Decision, conditions, decide, standings
from responder.enforcers.base import Enforcer, Order
from responder.enforcers.reconcile import Outcome, Result, reconcile
from responder.errors import CountersignError, Permanent, Temporary
from responder.evidence import EvidenceStore
from responder.sensors import Feed, Position, Tail, parser
from responder.settings import Settings
from responder.store import Cache

__all__ = ["Clients", "LedgerClock", "Responder", "run"]

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_RECENT_ALERTS = 400  # kept for evidence bundles
_LINES_PER_TICK = 20_000
_BYTES_PER_TICK = 16 << 20


@dataclass(frozen=True)
class Clients:
    """The gate, through the three keys the responder holds: none of them can approve."""

    agent: GateClient  # proposes; sees the head
    relayer: GateClient  # carries signatures, executes what is ready
    enforcer: GateClient  # files receipts; sees final blocks only


class LedgerClock:
    """The chain's own time: for devnets that replay a recording."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def now(self) -> float:
        return float(self._ledger.block.time)


class Responder:
    """Feeds in, proposals out, signatures relayed, orders enforced. Call `tick` on a schedule."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        policy: Policy,
        clients: Clients,
        enforcer: Enforcer,
        cache: Cache,
        clock: Clock | None = None,
    ) -> None:
        """Without a clock, the chain's time is used."""
        self._settings, self._inventory, self._policy = settings, inventory, policy
        self._clients, self._enforcer, self._cache = clients, enforcer, cache
        self._evidence = EvidenceStore(settings.evidence)
        self._inbox = Inbox(settings.inbox)
        domain = clients.agent.domain
        self.ledger = Ledger(domain)  # the head: what is under way
        self.final = Ledger(domain) if settings.confirmations else self.ledger  # what is obeyed
        self._clock: Clock = clock or LedgerClock(self.ledger)
        self._complaints: dict[str, str] = {}
        self._nonce = 0
        self._sent = 0
        self._read = 0
        self._decided_at = -1.0
        self._recent: deque[dict[str, Any]] = deque(maxlen=_RECENT_ALERTS)
        self._alerts = 0
        self.picture, self._feeds = self._restore()

    # ------------------------------------------------------------ the tick

    def tick(self) -> None:
        """One step. Never raises what a later tick could mend."""
        self._sent = self._read = 0
        synced = self._phase("chain", self._sync)
        now = self._clock.now()
        self._phase("feeds", lambda: self._ingest(now))
        # First what holds already: the gate takes no receipt of an order that another followed.
        self._phase("enforce", lambda: self._enforce(now, synced))
        if synced:
            self._phase("decide", lambda: self._decide(now))
            self._phase("relay", lambda: self._relay(now))
            self._phase("execute", lambda: self._execute(now))
        self._phase("checkpoint", lambda: self._checkpoint(now))

    def _phase(self, name: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except Temporary as error:
            self._complain(name, logging.WARNING, f"{error}; trying again")
            return False
        except CountersignError as error:
            self._complain(name, logging.ERROR, str(error))
            return False
        except Exception:  # the loop's edge: one bad phase must not stop the others
            log.exception("%s failed unexpectedly", name)
            return False
        if self._complaints.pop(name, None):
            log.info("%s works again", name)
        return True

    def _complain(self, name: str, level: int, message: str) -> None:
        if self._complaints.get(name) != message:  # once, not every tick
            self._complaints[name] = message
            log.log(level, "%s: %s", name, message)

    # ------------------------------------------------------------ phases

    def _sync(self) -> None:
        self.ledger.sync(self._clients.agent)
        if self.final is not self.ledger:
            self.final.sync(self._clients.enforcer)

    def _ingest(self, now: float) -> None:
        for feed in self._feeds:
            for alert in feed.read(_LINES_PER_TICK, _BYTES_PER_TICK):
                self._read += 1
                if self.picture.observe(alert, now):
                    self._recent.append(alert.to_json())
        self._alerts += self._read
        self.picture.advance(now)

    def _decide(self, now: float) -> None:
        if now <= self._decided_at and not self._read:
            return
        model = self._policy.hash
        if model not in self.ledger.models:
            raise Permanent(
                f"model {self._policy.name} ({model.hex()[:16]}...) is not active on the gate; "
                "nothing is proposed until it is registered there"
            )
        agent = self._clients.agent.address
        entities = [entity for entity, _ in self.picture.entities()]
        decisions = decide(
            self._policy,
            self.picture,
            self.ledger.guardrails(agent, now),
            standings(self.ledger, entities, agent, now),
            conditions(self.ledger, agent, now),
            self._settings.ttl,
            self._settings.proposals_per_tick,
            self._recent,
            now,
        )
        self._decided_at = now
        try:
            _each(decisions, lambda decision: self._propose(decision, now))
        except Temporary:
            self._decided_at = -1.0  # not all of it was said
            raise

    def _propose(self, decision: Decision, now: float) -> None:
        evidence = self._evidence.put(
            decision.evidence
        )  # before acting: never a hash without its bundle
        action = decision.action
        longest = self.ledger.limits.max_pending  # less a tenth, since clocks differ
        wait = min(self._settings.pending_seconds, longest - longest // 10)
        proposal = Proposal(
            kind=action.kind,
            target=target_key(action.kind, action.target),
            ttl=action.ttl,
            model=self._policy.hash,
            evidence=evidence,
            deadline=int(now) + wait,
            agent=self._clients.agent.address,
            nonce=max(self._nonce, self.ledger.next_nonce(self._clients.agent.address)),
        )
        self._clients.agent.propose(proposal)
        self._nonce = proposal.nonce + 1  # this tick's proposals are not in the ledger yet
        self._sent += 1
        log.info(
            "proposed %s %s (%s): %s",
            action.kind.name,
            action.target,
            proposal.id(self._clients.agent.domain).hex()[:12],
            "; ".join(decision.reasons),
        )

    def _relay(self, now: float) -> None:
        by_case: dict[bytes, list[Slip]] = {}
        for slip in self._inbox.slips():
            case = self.ledger.cases.get(bytes.fromhex(slip.proposal))
            if case is None:
                continue  # not mined here yet, or not ours: it waits
            if self._settle(case, slip, now):
                by_case.setdefault(case.id, []).append(slip)
        _each(by_case.items(), lambda item: self._carry(self.ledger.cases[item[0]], item[1]))

    def _settle(self, case: Case, slip: Slip, now: float) -> bool:
        """Is this slip still to be carried? If not, it is filed away."""
        votes = {"Approval": case.approvals, "Rejection": case.rejections}.get(slip.decision, {})
        status = self.ledger.status(case, now)
        wanted = {Status.LIVE} if slip.decision == "Release" else OPEN
        done = status is Status.RELEASED if slip.decision == "Release" else slip.operator in votes
        if done:
            self._inbox.done(slip)
            return False
        reason = None
        if status not in wanted:
            reason = f"too late: the proposal is {status.name}"
        elif not self.ledger.has_role(slip.operator, Role.OPERATOR):
            reason = f"{slip.operator} is not an operator"
        elif not self._verifies(case, slip):
            reason = f"the signature is not {slip.operator}'s over this proposal's fields"
        if reason is not None:
            log.warning("%s on %s set aside: %s", slip.decision, case.id.hex()[:12], reason)
            self._inbox.refuse(slip, reason)
        return reason is None

    def _verifies(self, case: Case, slip: Slip) -> bool:
        message = decision_message(slip.decision, case.proposal, case.words, self.ledger.domain)
        gate, signature = self._clients.relayer, slip.signature_bytes
        return signed_by(slip.operator, message, signature) or gate.is_valid_signature(
            slip.operator, message_digest(message), signature, self.ledger.block.number
        )

    def _carry(self, case: Case, slips: Sequence[Slip]) -> None:
        relayer = self._clients.relayer
        for decision, send in (
            ("Approval", relayer.approve_by_sig),
            ("Rejection", relayer.reject_by_sig),
            ("Release", relayer.release),
        ):
            signatures = [(s.operator, s.signature_bytes) for s in slips if s.decision == decision]
            short = decision == "Release" and len(signatures) < self.ledger.limits.release_quorum
            if not signatures or short:
                continue
            try:
                send(case.proposal, signatures)
                self._sent += 1
            except Refused as error:
                if error.error not in ("GateAlreadyVoted", "GateWrongStatus"):
                    raise
                log.debug("already settled: %s", error)  # the next sync shows how
            if decision == "Approval":
                self._execute_if_ready(case, len(signatures))

    def _execute_if_ready(self, case: Case, fresh: int) -> None:
        """Saves a tick where these approvals complete the quorum; `_execute` would find it too."""
        if self.ledger.current(case.approvals) + fresh >= max(1, self.ledger.needed(case)):
            self._try_execute(case)

    def _execute(self, now: float) -> None:
        cases = self.ledger.open_cases(now)
        ready = [c for c in cases if self.ledger.status(c, now) is Status.READY]
        _each(ready, self._try_execute)

    def _try_execute(self, case: Case) -> None:
        self._clients.relayer.execute(case.proposal)
        self._sent += 1

    def _enforce(self, now: float, synced: bool) -> None:
        if self.final.block.number < 0:
            raise Temporary("no containment is known yet; what is enforced stays as it is")
        desired = [self._order(case) for case in self.final.containment(now)]
        stated = self._stated()
        known = {case_id: Outcome(receipt.outcome) for case_id, receipt in stated.items()}
        results = reconcile(self._enforcer, desired, now, known)
        if synced:  # else what was stated already is not known for certain
            _each([r for r in results if self._is_news(r, stated.get(r.order_id))], self._state)

    def _is_news(self, result: Result, last: ReceiptEntry | None) -> bool:
        """To be stated: not what was stated last, and of a target's last order."""
        if last and (last.outcome, last.digest) == (result.outcome, result.digest):
            return False
        return self.ledger.cases[result.order_id].superseded_at is None

    def _state(self, result: Result) -> None:
        self._evidence.put(result.readback)  # so that the receipt can be checked later
        proposal = self.ledger.cases[result.order_id].proposal
        self._clients.enforcer.file_receipt(proposal, int(result.outcome), result.digest)
        self._sent += 1
        case = result.order_id.hex()[:12]
        log.info("receipt %s for %s: %s", result.outcome.name, case, result.detail)

    def _stated(self) -> dict[bytes, ReceiptEntry]:
        """Our own last receipt for each order: another enforcer's says nothing of our point."""
        ours = self._clients.enforcer.address
        return {
            case.id: receipt
            for case in self.ledger.cases.values()
            for receipt in case.receipts
            if receipt.enforcer == ours
        }

    def _order(self, case: Case) -> Order:
        index = (
            self._inventory.asset_index(case.words.target)
            if case.proposal.kind.name == "ISOLATE"
            else None
        )
        addresses = () if index is None else self._inventory.assets[index].addresses
        return Order(case.id, case.proposal.kind, case.words.target, float(case.until), addresses)

    # ------------------------------------------------------------ cache

    def _checkpoint(self, now: float) -> None:
        documents: dict[str, Any] = {
            "heartbeat": {
                "time": now,
                "pid": os.getpid(),
                "alerts": self._alerts,
                "positions": [f.position and asdict(f.position) for f in self._feeds],
                "idle": not self._sent,
                "complaints": self._complaints,
            }
        }
        if self._read:
            documents["picture"] = {
                "feeds": self._feed_names(),
                "positions": documents["heartbeat"]["positions"],
                "picture": self.picture.to_json(),
                "recent": list(self._recent),
                "alerts": self._alerts,
            }
        self._cache.put(documents)

    def _restore(self) -> tuple[Picture, list[Feed]]:
        """The picture and the feeds as they were at the last checkpoint, or both from the start."""
        picture = Picture(self._inventory)
        positions: list[Position | None] = [None] * len(self._settings.feeds)
        saved = self._cache.get("picture")
        try:
            if saved is not None and saved["feeds"] == self._feed_names():
                recent, alerts = list(saved["recent"]), int(saved["alerts"])
                positions = [p and Position(**p) for p in saved["positions"]]
                picture = Picture.from_json(self._inventory, saved["picture"])
                self._recent.extend(recent)
                self._alerts = alerts
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("the cache is another version's; the feeds are read again from their start")
            positions = [None] * len(self._settings.feeds)
        feeds = [
            Feed(Tail(f.path, position), parser(f.format))
            for f, position in zip(self._settings.feeds, positions, strict=True)
        ]
        return picture, feeds

    def _feed_names(self) -> list[str]:
        return [f"{f.format}:{f.path}" for f in self._settings.feeds]


def _each(items: Iterable[_T], work: Callable[[_T], None]) -> None:
    """Does the work for every item, though the gate refuses some; the first refusal is raised."""
    first: Refused | None = None
    for item in items:
        try:
            work(item)
        except Refused as error:
            first = first or error
    if first is not None:
        raise first


def run(responder: Responder, tick: float, watch: Callable[[], bool] = lambda: True) -> None:
    """Ticks every `tick` seconds until interrupted, or until `watch` says no."""
    scheduler: BaseScheduler = BlockingScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone="UTC",
    )

    def step() -> None:
        if watch():
            responder.tick()
        else:
            scheduler.shutdown(wait=False)

    scheduler.add_job(step, "interval", seconds=tick, id="tick")
    scheduler.start()
