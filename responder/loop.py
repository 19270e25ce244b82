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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from policies.actions import Kind
from policies.inventory import Inventory
from policies.picture import Picture
from policies.policy import Policy
from responder.approvals import Inbox
from responder.chain.client import GateClient, for_each
from responder.chain.ledger import Ledger
from responder.chain.proposal import Proposal, target_key
from responder.chain.records import Order as LedgerOrder
from responder.clock import Clock
from responder.decision import Decision, answers, decide, standings
from responder.enforcers.base import Enforcer, Order
from responder.enforcers.reconcile import Outcome, reconcile
from responder.errors import CountersignError, Permanent, Temporary
from responder.evidence import EvidenceStore
from responder.receipts import Receipts
from responder.relay import Relay
from responder.sensors import Feed
from responder.sensors.sources import open_feed
from responder.settings import Settings
from responder.store import Cache

__all__ = ["Clients", "LedgerClock", "Responder", "run"]

log = logging.getLogger(__name__)

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
        domain = clients.agent.domain
        self.ledger = Ledger(domain)  # the head: what is under way
        self.final = Ledger(domain) if settings.confirmations else self.ledger  # what is obeyed
        self._relay = Relay(clients.relayer, Inbox(settings.inbox), self.ledger)
        self._receipts = Receipts(clients.enforcer, self._evidence, self.ledger)
        self._clock: Clock = clock or LedgerClock(self.ledger)
        self._complaints: dict[str, str] = {}
        self._nonce = 0
        self._read = 0
        self._decided_at = -1.0
        self._recent: deque[dict[str, Any]] = deque(maxlen=_RECENT_ALERTS)
        self._alerts = 0
        self._unsaved = False  # the picture took something in since the last checkpoint
        self._saved_feeds: dict[str, Any] = {}
        self.picture, self._feeds = self._restore()

    # ------------------------------------------------------------ the tick

    def tick(self) -> None:
        """One step. Never raises what a later tick could mend."""
        self._read = 0
        sent = self._transactions()
        synced = self._phase("chain", self._sync)
        now = self._clock.now()
        self._phase("feeds", lambda: self._ingest(now))
        # First what holds already: the gate takes no receipt of an order that another followed.
        self._phase("enforce", lambda: self._enforce(now, synced))
        if synced:
            self._phase("decide", lambda: self._decide(now))
            self._phase("relay", lambda: self._relay.carry(now))
            self._phase("execute", lambda: self._relay.execute(now))
            self._phase("settle", lambda: self._relay.settle(now))
            self._phase("receipts", lambda: self._answer(now))
        idle = self._transactions() == sent
        self._phase("checkpoint", lambda: self._checkpoint(now, idle))

    def _transactions(self) -> int:
        clients = self._clients
        return sum(gate.sent for gate in (clients.agent, clients.relayer, clients.enforcer))

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
        for feed in self._feeds.values():  # one that cannot be read holds no other up
            self._phase(f"feed {feed.name}", partial(self._read_feed, feed, now))
        self.picture.advance(now)

    def _read_feed(self, feed: Feed, now: float) -> None:
        for alert in feed.read(_LINES_PER_TICK, _BYTES_PER_TICK, now):
            self._unsaved = True
            self._read += 1
            self._alerts += 1
            if self.picture.observe(alert, now):
                self._recent.append(alert.to_json())
        feed.check()

    def _decide(self, now: float) -> None:
        if now <= self._decided_at and not self._read:
            return
        model = self._policy.hash
        if not self.ledger.is_active(model):
            raise Permanent(
                f"model {self._policy.name} ({model.hex()[:16]}...) is not active on the gate; "
                "nothing is proposed until operators `countersign model approve` it"
            )
        if self.ledger.paused:
            raise Temporary(
                "a guardian paused the gate; nothing is proposed until operators "
                "`countersign resume` it"
            )
        agent = self._clients.agent.address
        decisions = decide(
            self._policy,
            self.picture,
            self.ledger.guardrails(agent, now),
            standings(self.ledger, self.picture.entities(), agent, now),
            answers(self.ledger),
            self._settings.ttl,
            self._settings.proposals_per_tick,
            self._recent,
            now,
        )
        self._decided_at = now
        try:
            for_each(decisions, lambda decision: self._propose(decision, now))
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
        log.info(
            "proposed %s %s (%s): %s",
            action.kind.name,
            action.target,
            proposal.id(self._clients.agent.domain).hex()[:12],
            "; ".join(decision.reasons),
        )

    def _enforce(self, now: float, synced: bool) -> None:
        if self.final.block.number < 0:
            raise Temporary("no containment is known yet; what is enforced stays as it is")
        desired = [self._order(order) for order in self.final.containment(now)]
        stated = self._receipts.stated()
        known = {subject: Outcome(told.receipt.outcome) for subject, told in stated.items()}
        results = reconcile(self._enforcer, desired, now, known)
        if synced:  # else what was stated already is not known for certain
            self._receipts.state(results, stated)

    def _order(self, order: LedgerOrder) -> Order:
        name = order.words.target
        index = self._inventory.asset_index(name) if order.kind is Kind.ISOLATE else None
        addresses = () if index is None else self._inventory.assets[index].addresses
        return Order(order.subject, order.kind, name, float(order.until), addresses)

    def _answer(self, now: float) -> None:
        self._receipts.show_missed()
        self._receipts.report_missing(self._clients.relayer, now)

    # ------------------------------------------------------------ cache

    def _checkpoint(self, now: float, idle: bool) -> None:
        """The picture and where each feed was read to go together: so each line counts once."""
        feeds = {**self._saved_feeds, **{k: feed.to_save() for k, feed in self._feeds.items()}}
        documents: dict[str, Any] = {
            "heartbeat": {
                "time": now,
                "pid": os.getpid(),
                "alerts": self._alerts,
                "positions": [feed.state for feed in self._feeds.values()],
                "feeds": [feed.to_json(now) for feed in self._feeds.values()],
                "idle": idle,
                "complaints": self._complaints,
            }
        }
        if feeds != self._saved_feeds:
            documents["feeds"] = feeds
        if self._unsaved:
            documents["picture"] = {
                "picture": self.picture.to_json(),
                "recent": list(self._recent),
                "alerts": self._alerts,
            }
        self._cache.put(documents)
        self._unsaved, self._saved_feeds = False, feeds
        for feed in self._feeds.values():
            feed.saved()

    def _restore(self) -> tuple[Picture, dict[str, Feed]]:
        """The picture and the feeds as they were at the last checkpoint, or both from the start."""
        saved, feeds = self._cache.get("picture"), self._cache.get("feeds")
        picture, recent, alerts = Picture(self._inventory), [], 0
        try:
            if saved is not None:
                picture = Picture.from_json(self._inventory, saved["picture"])
                recent, alerts = list(saved["recent"]), int(saved["alerts"])
            elif feeds is None:
                feeds = {}
            opened = self._open_feeds(feeds)
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("the cache is another version's; the feeds are read again from their start")
            return Picture(self._inventory), self._open_feeds({})
        self._recent.extend(recent)
        self._alerts, self._saved_feeds = alerts, feeds
        return picture, opened

    def _open_feeds(self, saved: dict[str, Any]) -> dict[str, Feed]:
        """Those that are not in `saved` are new and begin at their start."""
        return {f.key: open_feed(f, saved.get(f.key)) for f in self._settings.feeds}

    def close(self) -> None:
        """Lets go of the feeds' files and sockets. What was acknowledged stays in their spools."""
        for feed in self._feeds.values():
            feed.close()


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
    try:
        scheduler.start()
    finally:
        responder.close()
