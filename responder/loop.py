"""The responder's loop: one idempotent tick that brings everything a step closer to what it should
be.

Each tick compares what is wanted with what is, from the chain and the feeds as they stand; nothing
depends on having seen an event, so a crash at any point, a restart or a second tick changes
nothing. The phases fail apart from each other: without a chain, feeds are still read and the last
containment is still enforced, and nothing is proposed.
"""

from __future__ import annotations

import os
import time
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
from responder.chain.client import GateClient
from responder.chain.ledger import Ledger
from responder.chain.records import Order as LedgerOrder
from responder.clock import Clock
from responder.enforcers.base import Enforcer, Order
from responder.enforcers.reconcile import Outcome, reconcile
from responder.errors import CountersignError, Temporary
from responder.evidence import EvidenceStore
from responder.phases import Phases
from responder.proposer import SUGGESTIONS, Proposer, Suggestion
from responder.receipts import Receipts
from responder.relay import Relay
from responder.senses import Senses
from responder.settings import Settings
from responder.shadow import Shadow
from responder.store import Cache

__all__ = ["Clients", "LedgerClock", "Responder", "run"]


@dataclass(frozen=True)
class Clients:
    """The gate, through the three keys the responder holds: none of them can approve."""

    agent: GateClient  # proposes; sees the head
    relayer: GateClient  # carries signatures, executes what is ready
    enforcer: GateClient  # files receipts; sees final blocks only


_GLANCE = 0.01  # seconds between looks at the feeds


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
        self._inventory, self._clients, self._enforcer, self._cache = (
            inventory,
            clients,
            enforcer,
            cache,
        )
        evidence = EvidenceStore(settings.evidence)
        domain = clients.agent.domain
        self.ledger = Ledger(domain)  # the head: what is under way
        self.final = Ledger(domain) if settings.confirmations else self.ledger  # what is obeyed
        self._relay = Relay(clients.relayer, Inbox(settings.inbox), self.ledger)
        self._receipts = Receipts(clients.enforcer, evidence, self.ledger)
        self._clock: Clock = clock or LedgerClock(self.ledger)
        self._phases = Phases()
        self._synced = False
        self._proposer = Proposer(
            settings, policy, clients.agent, self.ledger, evidence, _suggested(cache)
        )
        self.senses = Senses(settings, inventory, policy, self._proposer, cache, self._phases)

    @property
    def picture(self) -> Picture:
        return self.senses.picture

    @property
    def proposed(self) -> int:
        """Transactions with proposals that were mined since the start."""
        return self._clients.agent.sent

    # ------------------------------------------------------------ the tick

    def tick(self) -> None:
        """One step. Never raises what a later tick could mend."""
        run, sent = self._phases.run, self._transactions()
        synced = self._synced = run("chain", self._sync)
        if synced:
            run("prepare", self._clients.agent.prepare)
        now = self._clock.now()
        # Decided is on what the chain said just now, or not at all.
        open_now = synced and run("decide", lambda: self._proposer.refresh(now, self.picture))
        self.senses.watch.holding = not open_now
        run("feeds", lambda: self.senses.read(now))
        # First what holds already: the gate takes no receipt of an order that another followed.
        run("enforce", lambda: self._enforce(now, synced))
        steps: tuple[tuple[str, Callable[[float], object]], ...] = (
            ("propose", self._propose),
            ("relay", self._relay.carry),
            ("execute", self._relay.execute),
            ("settle", self._relay.settle),
            ("receipts", self._answer),
        )
        for name, step in steps if synced else ():
            run(name, partial(step, now))
            if self.senses.waiting():  # an alert need not wait for the rest of this
                self.hear()
        idle = self._transactions() == sent
        run("checkpoint", lambda: self._checkpoint(now, idle))

    def hear(self) -> None:
        """Between two ticks: what the sensors say just now, and what follows at once. What the
        chain said is at most a tick old; the gate checks all of it again.
        """
        now = self._clock.now()
        self._phases.run("feeds", lambda: self.senses.read(now))
        if self._synced:
            self._phases.run("propose", lambda: self._propose(now))

    def close(self) -> None:
        """Lets go of the feeds."""
        self.senses.close()

    def _transactions(self) -> int:
        clients = self._clients
        return sum(gate.sent for gate in (clients.agent, clients.relayer, clients.enforcer))

    # ------------------------------------------------------------ phases

    def _sync(self) -> None:
        self.ledger.sync(self._clients.agent)
        if self.final is not self.ledger:
            self.final.sync(self._clients.enforcer)

    def _propose(self, now: float) -> None:
        try:
            self._proposer.send(now)
        except CountersignError:
            self.senses.watch.soon()  # not all of it was said
            raise

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

    def _checkpoint(self, now: float, idle: bool) -> None:
        documents: dict[str, Any] = {
            "heartbeat": {
                "time": now,
                "pid": os.getpid(),
                "idle": idle,
                "complaints": self._phases.complaints,
                **self.senses.to_tell(now),
            },
            SUGGESTIONS: self._proposer.suggestions,
            **self.senses.to_save(),
        }
        self._cache.put(documents)
        self.senses.saved()


def _suggested(cache: Cache) -> list[Suggestion]:
    found = cache.get(SUGGESTIONS)
    return found if isinstance(found, list) else []


def run(
    responder: Responder | Shadow, tick: float, watch: Callable[[], bool] = lambda: True
) -> None:
    """Ticks every `tick` seconds, and hears at once when a feed has something new, until
    interrupted or until `watch` says no.
    """
    scheduler: BaseScheduler = BlockingScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        # One waits while another runs, so that after a slow tick the next comes at once.
        job_defaults={"coalesce": True, "max_instances": 2, "misfire_grace_time": None},
        timezone="UTC",
    )

    def step() -> None:
        began = time.monotonic()
        ends = began + tick - _GLANCE
        responder.tick()
        while watch():
            # Alerts get half of the time at most, whoever sends them.
            rest = max(_GLANCE, time.monotonic() - began)
            if time.monotonic() + rest >= ends:
                return
            time.sleep(rest)
            began = time.monotonic()
            if responder.senses.waiting():
                responder.hear()
        scheduler.shutdown(wait=False)

    scheduler.add_job(step, "interval", seconds=tick, id="tick")
    try:
        scheduler.start()
    finally:
        responder.close()
