"""The ledger: the gate's whole state, folded from its final events and checked against its hash
chain.

Responder, enforcers, command line and audit all read this one fold. It never trusts that an event
was delivered: after every `sync` the fold's own head must equal the head in the gate's storage, so
an endpoint that hides, invents or reorders an event is noticed before anything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import reduce
from typing import Any, Protocol

from eth_utils.address import to_checksum_address

from policies.actions import Action, Kind, network_criticality
from policies.guardrails import Guardrails, Limits, Reason, Rule, Target
from policies.guardrails import Lease as LeaseBudget
from responder.chain.client import Block
from responder.chain.events import Event, link
from responder.chain.proposal import Domain, Lease, Proposal, Words, network_text
from responder.errors import Permanent, Temporary

__all__ = ["AssetEntry", "Case", "LeaseEntry", "Ledger", "Role", "Source", "Status", "Vote"]


class Role(IntEnum):
    """Bits of a role set."""

    AGENT = 1
    OPERATOR = 2
    GUARDIAN = 4
    ENFORCER = 8


class Status(IntEnum):
    """IGate.Status."""

    NONE = 0
    PENDING = 1
    READY = 2
    LIVE = 3
    EXPIRED = 4
    RELEASED = 5
    SUPERSEDED = 6
    REJECTED = 7
    VETOED = 8
    LAPSED = 9


OPEN = frozenset({Status.PENDING, Status.READY})


@dataclass(frozen=True, slots=True)
class AssetEntry:
    """A registered asset or credential (whose zone is empty)."""

    id: str
    zone: str
    criticality: int
    protected: bool


@dataclass(frozen=True, slots=True)
class Vote:
    """An approval or rejection; an empty signature means by the operator's own transaction."""

    operator: str
    signature: bytes
    time: int


@dataclass(frozen=True, slots=True)
class ReceiptEntry:
    """An enforcer's statement."""

    enforcer: str
    outcome: int
    digest: bytes
    time: int


@dataclass
class Case:
    """A proposal and all that happened to it."""

    id: bytes
    proposal: Proposal
    words: Words
    proposed_at: int
    approvals: dict[str, Vote] = field(default_factory=dict)
    rejections: dict[str, Vote] = field(default_factory=dict)
    executed_at: int | None = None
    until: int = 0
    lease: bytes = bytes(32)
    released_at: int | None = None
    superseded_at: int | None = None
    vetoed_at: int | None = None
    receipts: list[ReceiptEntry] = field(default_factory=list)

    @property
    def ended_at(self) -> int:
        """When the order stopped or will stop to count."""
        early = [t for t in (self.released_at, self.superseded_at) if t is not None]
        return min([self.until, *early])


@dataclass
class LeaseEntry:
    """A granted lease and what is spent of it, by Kind."""

    id: bytes
    lease: Lease
    signers: tuple[str, ...]
    spent: list[int] = field(default_factory=lambda: [0, 0, 0])
    ended: bool = False


class Source(Protocol):
    """What the ledger reads from; GateClient is one."""

    domain: Domain
    first_block: int

    def final(self) -> Block: ...

    def events(self, start: int, end: int) -> Iterator[Event]: ...

    def audit_head(self, block: int) -> bytes: ...


class Ledger:
    """State as of the last final block seen. `watch`, if given, is called with every event before
    it is folded in.
    """

    def __init__(self, domain: Domain, watch: Callable[[Event], None] = lambda event: None) -> None:
        self.domain = domain
        self._watch = watch
        self._suspect = False  # events and storage disagreed: build anew
        self.block = Block(-1, 0)
        self.head, self.count = bytes(32), 0
        self.roles: dict[str, int] = {}
        self.assets: dict[bytes, AssetEntry] = {}
        self.credentials: dict[bytes, AssetEntry] = {}
        self.networks: dict[bytes, None] = {}
        self.models: dict[bytes, bytes] = {}  # active ones -> card
        self.rules: dict[tuple[Kind, int], Rule] = {}
        self.limits = Limits(0, 0, 0, 0, 0)
        self.leases: dict[bytes, LeaseEntry] = {}
        self.lease_by_agent: dict[str, bytes] = {}
        self.cases: dict[bytes, Case] = {}
        self.orders: dict[tuple[Kind, bytes], bytes] = {}
        self.budget_used: dict[tuple[str, Kind, int, int], int] = {}
        self._nonces: dict[str, int] = {}  # the highest that an agent used

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
        except KeyError as error:
            raise Permanent(f"{event.name} in block {event.block} names an unknown id") from error

    # ------------------------------------------------------------ questions

    def has_role(self, account: str, role: Role) -> bool:
        return bool(self.roles.get(account, 0) & role)

    def operators(self) -> list[str]:
        """Current operators."""
        return [a for a in self.roles if self.has_role(a, Role.OPERATOR)]

    def current(self, votes: dict[str, Vote]) -> int:
        """How many of these votes are by current operators."""
        return sum(self.has_role(operator, Role.OPERATOR) for operator in votes)

    def next_nonce(self, agent: str) -> int:
        """One that this agent has not used."""
        return self._nonces.get(agent, -1) + 1

    def needed(self, case: Case) -> int:
        """Approvals under the rule of now."""
        rule = self.rules.get((case.proposal.kind, case.words.criticality))
        return rule.quorum if rule else 0

    def status(self, case: Case, now: float) -> Status:
        """Derived, as the gate derives it."""
        if case.executed_at is not None:
            if case.superseded_at is not None:
                return Status.SUPERSEDED
            if case.released_at is not None:
                return Status.RELEASED
            return Status.LIVE if now < case.until else Status.EXPIRED
        if case.vetoed_at is not None:
            return Status.VETOED
        against = self.current(case.rejections)
        if against and against >= self.needed(case):
            return Status.REJECTED
        if now >= case.proposal.deadline:
            return Status.LAPSED
        enough = self.current(case.approvals) >= self.needed(case)
        return Status.READY if enough and self._may_execute(case, now) else Status.PENDING

    def _may_execute(self, case: Case, now: float) -> bool:
        """Agent, model and guardrails as of now; the budget was spent when it was proposed."""
        proposal = case.proposal
        if not self.has_role(proposal.agent, Role.AGENT) or proposal.model not in self.models:
            return False
        action = Action(proposal.kind, case.words.target, proposal.ttl)
        verdict = self.guardrails(proposal.agent, now).verdict(action, proposal.model, now)
        return verdict.reason in (Reason.NONE, Reason.BUDGET_SPENT)

    def open_cases(self, now: float) -> list[Case]:
        """Proposals that wait for approvals or execution, oldest first."""
        return [c for c in self.cases.values() if self.status(c, now) in OPEN]

    def containment(self, now: float) -> list[Case]:
        """The live orders: what the network must obey now."""
        live = (self.cases[i] for i in self.orders.values())
        return [c for c in live if self.status(c, now) is Status.LIVE]

    def live_lease(self, agent: str, now: float) -> LeaseEntry | None:
        """The agent's lease, while enough of its signers are still operators."""
        entry = self.leases.get(self.lease_by_agent.get(agent, b""))
        if entry is None or entry.ended or now >= entry.lease.expires:
            return None
        standing = sum(self.has_role(s, Role.OPERATOR) for s in entry.signers)
        return entry if standing >= self.limits.lease_quorum else None

    def guardrails(self, agent: str, now: float) -> Guardrails:
        """The gate's rules as the policies' mirror, with what this agent has used of them."""
        mirror = Guardrails(
            self.rules,
            self.limits,
            {a.id: Target(a.criticality, a.protected) for a in self.assets.values()},
            {c.id: Target(c.criticality, c.protected) for c in self.credentials.values()},
            [network_text(n) for n in self.networks],
        )
        window = int(now) // max(1, self.limits.window)
        for (who, kind, criticality, when), count in self.budget_used.items():
            if (who, when) == (agent, window):
                mirror.set_used(kind, criticality, count, now)
        entry = self.live_lease(agent, now)
        if entry is not None:
            lease = entry.lease
            mirror.lease = LeaseBudget(
                lease.model,
                lease.budgets,
                lease.max_criticality,
                lease.max_ttl,
                lease.expires,
                list(entry.spent),
            )
        return mirror

    def words_of(self, kind: Kind, target: bytes) -> Words:
        """The readable side of a target."""
        if kind is Kind.BLOCK:
            criticality = network_criticality(int.from_bytes(target))
            return Words(network_text(target), "", criticality)
        table = self.assets if kind is Kind.ISOLATE else self.credentials
        entry = table.get(target)
        if entry is None:
            raise Permanent(f"{kind.name} names a target that the gate's events never registered")
        return Words(entry.id, entry.zone, entry.criticality)

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

    # ------------------------------------------------------------ folding, one method an event

    def _on_RolesSet(self, event: Event, args: Any) -> None:
        account, roles = args
        self.roles[account] = roles

    def _on_AssetSet(self, event: Event, args: Any) -> None:
        key, name, zone, criticality, protected = args
        self.assets[key] = AssetEntry(name, zone, criticality, protected)
        self._reword(Kind.ISOLATE, key)

    def _on_CredentialSet(self, event: Event, args: Any) -> None:
        key, name, criticality, protected = args
        self.credentials[key] = AssetEntry(name, "", criticality, protected)
        self._reword(Kind.REVOKE, key)

    def _reword(self, kind: Kind, target: bytes) -> None:
        """The gate reads zone and criticality anew at every step; so do signatures."""
        for case in self.cases.values():
            if (case.proposal.kind, case.proposal.target) == (kind, target):
                case.words = self.words_of(kind, target)

    def _on_NetworkProtected(self, event: Event, args: Any) -> None:
        network, protected = args
        if protected:
            self.networks[network] = None
        else:
            self.networks.pop(network, None)

    def _on_ModelSet(self, event: Event, args: Any) -> None:
        model, card, active = args
        if active:
            self.models[model] = card
        else:
            self.models.pop(model, None)

    def _on_RuleSet(self, event: Event, args: Any) -> None:
        kind, criticality, rule = args
        self.rules[(Kind(kind), criticality)] = Rule(*rule)

    def _on_LimitsSet(self, event: Event, args: Any) -> None:
        self.limits = Limits(*args[0])

    def _on_Proposed(self, event: Event, args: Any) -> None:
        case_id, values, _quorum = args
        proposal = to_proposal(values)
        words = self.words_of(proposal.kind, proposal.target)
        self.cases[case_id] = Case(case_id, proposal, words, event.time)
        self._nonces[proposal.agent] = max(proposal.nonce, self._nonces.get(proposal.agent, 0))
        window = event.time // max(1, self.limits.window)
        cell = (proposal.agent, proposal.kind, words.criticality, window)
        self.budget_used[cell] = self.budget_used.get(cell, 0) + 1

    def _on_Approved(self, event: Event, args: Any) -> None:
        case_id, operator, signature = args
        self.cases[case_id].approvals[operator] = Vote(operator, signature, event.time)

    def _on_Rejected(self, event: Event, args: Any) -> None:
        case_id, operator, signature = args
        self.cases[case_id].rejections[operator] = Vote(operator, signature, event.time)

    def _on_Executed(self, event: Event, args: Any) -> None:
        case_id, kind, target, until, leased = args
        case = self.cases[case_id]
        case.executed_at, case.until = event.time, until
        previous = self.orders.get((Kind(kind), target))
        if previous is not None and previous != case_id:
            self.cases[previous].superseded_at = event.time
        self.orders[(Kind(kind), target)] = case_id
        if leased:
            case.lease = self.lease_by_agent[case.proposal.agent]
            self.leases[case.lease].spent[kind] += 1

    def _on_Vetoed(self, event: Event, args: Any) -> None:
        self.cases[args[0]].vetoed_at = event.time

    def _on_Released(self, event: Event, args: Any) -> None:
        self.cases[args[0]].released_at = event.time

    def _on_LeaseGranted(self, event: Event, args: Any) -> None:
        lease_id, values, signatures = args
        lease = to_lease(values)
        signers = tuple(to_checksum_address(s) for s, _ in signatures)
        self.leases[lease_id] = LeaseEntry(lease_id, lease, signers)
        self.lease_by_agent[lease.agent] = lease_id

    def _on_LeaseEnded(self, event: Event, args: Any) -> None:
        self.leases[args[0]].ended = True

    def _on_ReceiptFiled(self, event: Event, args: Any) -> None:
        case_id, enforcer, outcome, digest = args
        self.cases[case_id].receipts.append(ReceiptEntry(enforcer, outcome, digest, event.time))


def to_proposal(values: Any) -> Proposal:
    """IGate.Proposal as decoded from an event."""
    kind, target, ttl, model, evidence, deadline, agent, nonce = values
    return Proposal(
        Kind(kind), target, ttl, model, evidence, deadline, to_checksum_address(agent), nonce
    )


def to_lease(values: Any) -> Lease:
    """IGate.Lease as decoded from an event."""
    return Lease(to_checksum_address(values[0]), *values[1:])
