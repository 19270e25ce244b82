"""The ledger: the gate's whole state, folded from its final events and checked against its hash
chain.

Responder, enforcers, command line and audit all read this one fold. It never trusts that an event
was delivered: after every `sync` the fold's own head must equal the head in the gate's storage, so
an endpoint that hides, invents or reorders an event is noticed before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, Protocol

from policies.actions import Action, Kind
from policies.guardrails import Guardrails, Tier
from policies.guardrails import Lease as LeaseBudget
from policies.guardrails import Target as GuardedTarget
from responder.chain.client import Block
from responder.chain.events import Event, link
from responder.chain.folding import Folding
from responder.chain.proposal import Domain, name_key, network_text
from responder.chain.records import (
    OPEN,
    Case,
    Hold,
    LeaseEntry,
    Order,
    Role,
    Status,
    Subject,
)
from responder.chain.registry import Page
from responder.errors import Permanent, Temporary

__all__ = ["Ledger", "Source"]


class Source(Protocol):
    """What the ledger reads from; GateClient is one."""

    domain: Domain
    first_block: int

    def final(self) -> Block: ...

    def events(self, start: int, end: int) -> Iterator[Event]: ...

    def audit_head(self, block: int) -> bytes: ...


class Ledger(Folding):
    """State as of the last final block seen. `watch`, if given, is called with every event before
    it is folded in.
    """

    def __init__(self, domain: Domain, watch: Callable[[Event], None] = lambda event: None) -> None:
        super().__init__(domain)
        self._watch = watch
        self._suspect = False  # events and storage disagreed: build anew
        self.block = Block(-1, 0)
        self.head, self.count = bytes(32), 0

    # ------------------------------------------------------------ following the chain

    def sync(self, source: Source) -> None:
        """Folds in everything up to the final block.

        Raises Temporary while the endpoint is behind what it said before, and
        Permanent when events and storage disagree. The last good state is kept until a
        later sync has built another from the first block: what is enforced must not vanish because
        an endpoint lies or the chain was reorganised.
        """
        final = source.final()
        if self._suspect:
            fresh = Ledger(self.domain, self._watch)
            fresh._extend(source, final)
            self.__dict__.update(fresh.__dict__)
        elif final.number < self.block.number:
            raise Temporary(
                f"the chain's endpoint went back from block {self.block.number} to {final.number}; "
                "it lags, or it is another chain"
            )
        elif final.number > self.block.number:
            try:
                self._extend(source, final)
            except Permanent:
                self._suspect = True
                raise

    def _extend(self, source: Source, final: Block) -> None:
        start = max(self.block.number + 1, source.first_block)
        events = list(source.events(start, final.number))
        if reduce(link, events, self.head) != source.audit_head(final.number):
            raise Permanent(
                f"the chain's events and the gate's storage disagree at block {final.number}, "
                f"after {self.count + len(events)} events; "
                "a reorganisation, or an endpoint that is not to be trusted"
            )
        for event in events:
            self.apply(event)
        self.block = final

    def apply(self, event: Event) -> None:
        """Folds in one event."""
        self._watch(event)
        self.head, self.count = link(self.head, event), self.count + 1
        handler: Callable[[Event, Any], None] = getattr(self, f"_on_{event.name}")
        try:
            handler(event, tuple(event.args.values()))
        except (KeyError, IndexError, StopIteration) as error:
            raise Permanent(f"{event.name} in block {event.block} names an unknown id") from error

    # ------------------------------------------------------------ proposals

    def earliest(self, case: Case, now: float) -> int:
        """When its delay has passed, in Unix seconds; it means something once it is approved."""
        return case.approved_at + self.delay(case, now)

    def status(self, case: Case, now: float) -> Status:
        """Derived, as the gate derives it."""
        if case.executed_at is not None:
            return self._order_status(case, now)
        if case.vetoed_at is not None:
            return Status.VETOED
        against = len(self.current(case.rejections.values()))
        if against and against >= self.needed(case, now):
            return Status.REJECTED
        if now >= case.proposal.deadline:
            return Status.LAPSED
        if not self.is_approved(case, now) or not self._may_execute(case, now):
            return Status.PENDING
        return Status.WAITING if now < self.earliest(case, now) else Status.READY

    def _order_status(self, case: Case, now: float) -> Status:
        if case.superseded_at is not None:
            return Status.SUPERSEDED
        if case.released_at is not None:
            return Status.RELEASED
        return Status.LIVE if now < case.until else Status.EXPIRED

    def _may_execute(self, case: Case, now: float) -> bool:
        """Agent, model and guardrails as of now; the budget was spent when it was proposed."""
        proposal = case.proposal
        if self.roles.get(proposal.agent) != Role.AGENT or not self.is_active(proposal.model):
            return False
        action = Action(proposal.kind, case.words.target, proposal.ttl)
        verdict = self.guardrails(proposal.agent, now).execution(action, now)
        return verdict.tier is not Tier.REFUSED

    def open_cases(self, now: float) -> list[Case]:
        """Proposals that wait for approvals, delay or execution, oldest first."""
        return [c for c in self.cases.values() if self.status(c, now) in OPEN]

    def case(self, prefix: str) -> Case:
        """The proposal whose id starts with this hex prefix. Raises Permanent unless exactly one
        does.
        """
        wanted = prefix.lower().removeprefix("0x")
        found = [c for c in self.cases.values() if c.id.hex().startswith(wanted)] if wanted else []
        if len(found) != 1:
            what = "no proposal has" if not found else f"{len(found)} proposals have"
            raise Permanent(
                f"{what} an id starting with {prefix!r}; see `countersign pending --all`"
            )
        return found[0]

    # ------------------------------------------------------------ orders

    def containment(self, now: float) -> list[Order]:
        """The live orders, each action of a batch for itself: what the network must obey now."""
        made = []
        for (kind, key), hold in self.holds.items():
            if now < hold.until:
                words = self.words_of(kind, key)
                made.append(Order(Subject(hold.order, key), kind, key, words, hold.until))
        for page, hold in self.pages.items():
            if now < hold.until:
                subject = self.page_subject(page, hold.order)
                made += [
                    Order(subject, Kind.ISOLATE, k, self.words_of(Kind.ISOLATE, k), hold.until)
                    for k in self.ordered_on(page)
                ]
        return made

    def live_hold(self, kind: Kind, key: bytes, now: float) -> Hold | None:
        """The live order on a target; of two, the one that ends later."""
        held = [self.holds[kind, key]] if (kind, key) in self.holds else []
        if kind is Kind.ISOLATE and key in self.assets and self.assets[key].known:
            page = self.page_of(self.assets[key])
            held += [self.pages[page]] if key in self.ordered_on(page) else []
        return max((h for h in held if now < h.until), key=lambda h: h.until, default=None)

    def live(self, kind: Kind, criticality: int) -> int:
        """Orders of this cell that count against its limit, ended ones until they are settled."""
        own = sum(
            k is kind and self.words_of(k, key).criticality == criticality
            for (k, key), hold in self.holds.items()
            if hold.bits
        )
        pages = (h.bits.bit_count() for (_, c, _), h in self.pages.items() if c == criticality)
        return own + (sum(pages) if kind is Kind.ISOLATE else 0)

    def isolated(self, zone: str) -> int:
        """Assets of a zone that count as isolated; twice where both an order and a batch do."""
        own = sum(
            kind is Kind.ISOLATE and self.assets[key].zone == zone
            for (kind, key), hold in self.holds.items()
            if hold.bits
        )
        pages = (h.bits.bit_count() for (z, _, _), h in self.pages.items() if z == name_key(zone))
        return own + sum(pages)

    def counts(self, kind: Kind, key: bytes) -> bool:
        """Whether an order on a target counts against the limits."""
        own = (kind, key) in self.holds and bool(self.holds[kind, key].bits)
        if own or kind is not Kind.ISOLATE or key not in self.assets:
            return own
        return key in self.ordered_on(self.page_of(self.assets[key]))

    def to_settle(self, now: float) -> tuple[dict[tuple[Kind, bytes], int], dict[Page, int]]:
        """Ends of what ended and still counts: by target, and by page of assets."""
        targets = {k: h.until for k, h in self.holds.items() if h.bits and h.until <= now}
        pages = {page: h.until for page, h in self.pages.items() if h.bits and h.until <= now}
        return targets, pages

    # ------------------------------------------------------------ leases and guardrails

    def live_lease(self, agent: str, now: float) -> LeaseEntry | None:
        """The agent's lease, while enough of its signers are still operators."""
        entry = self.leases.get(self.lease_by_agent.get(agent, b""))
        if entry is None or entry.ended or now >= entry.lease.expires:
            return None
        standing = set(entry.signers.values()) & set(self.seats.values())
        return entry if len(standing) >= self.limits.lease_quorum else None

    def guardrails(self, agent: str, now: float) -> Guardrails:
        """The gate's rules as the policies' mirror, with what counts and what this agent has used
        of them.
        """
        assets, credentials = self.assets.values(), self.credentials.values()
        mirror = Guardrails(
            self.rules,
            self.limits,
            {
                a.id: GuardedTarget(a.criticality, a.protected, a.zone, a.pool)
                for a in assets
                if a.known
            },
            {c.id: GuardedTarget(c.criticality, c.protected) for c in credentials if c.known},
            [network_text(n) for n in self.networks],
            {name: rule for name, rule in self.zones.values()},
            dict(self.pools.values()),
        )
        mirror.paused = self.paused
        mirror.counted = {
            (kind, self.words_of(kind, key).target)
            for (kind, key), hold in self.holds.items()
            if hold.bits
        }
        mirror.batched = {self.assets[k].id for page in self.pages for k in self.ordered_on(page)}
        for (kind, criticality), count in self.used(agent, now).items():
            mirror.set_used(kind, criticality, count, now)
        entry = self.live_lease(agent, now)
        if entry is not None:
            terms = entry.lease
            mirror.lease = LeaseBudget(
                terms.model,
                terms.budgets,
                terms.max_criticality,
                terms.max_ttl,
                terms.expires,
                list(entry.spent),
            )
        return mirror
