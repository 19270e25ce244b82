"""The gate as plain Python: sets, tables and the rules of contracts/README.md, nothing packed.

Every method does what the contract's function of that name does, or raises `Refused` with the
contract's error and leaves the model as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from scene import AGENT, ENFORCER, GUARDIAN, OPERATOR, REASON, STATUS

from policies.actions import Kind
from responder.chain.proposal import Domain, Lease, Proposal

Network = IPv4Network | IPv6Network
Signed = list[tuple[str, bool]]  # who is said to have signed, and whether that is so


class Refused(Exception):
    def __init__(self, name: str, *values: Any) -> None:
        super().__init__(name, *values)
        self.name, self.values = name, values


@dataclass
class Entry:
    """A proposal and all that was done to it."""

    proposal: Proposal
    mark: str = "PROPOSED"
    until: int = 0
    approvals: set[str] = field(default_factory=set)
    rejections: set[str] = field(default_factory=set)


@dataclass
class Grant:
    id: bytes
    lease: Lease
    signers: set[str]
    spent: list[int] = field(default_factory=lambda: [0, 0, 0])


@dataclass
class GateModel:
    now: int
    domain: Domain
    networks_of: dict[bytes, Network | None]  # what a key of a BLOCK means; None: malformed
    roles: dict[str, int] = field(default_factory=dict)
    assets: dict[bytes, tuple[str, int, bool]] = field(default_factory=dict)
    credentials: dict[bytes, tuple[str, int, bool]] = field(default_factory=dict)
    protected: set[bytes] = field(default_factory=set)
    models: set[bytes] = field(default_factory=set)
    rules: dict[tuple[int, int], tuple[bool, bool, int, int, int]] = field(default_factory=dict)
    limits: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    entries: dict[bytes, Entry] = field(default_factory=dict)
    orders: dict[tuple[Kind, bytes], Entry] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    granted: set[bytes] = field(default_factory=set)
    nonces: dict[str, set[int]] = field(default_factory=dict)
    used: dict[tuple[str, Kind, int], tuple[int, int]] = field(default_factory=dict)  # in window

    # ---------------------------------------------------------------- life-cycle

    def propose(self, sender: str, proposal: Proposal, signed: Signed | None = None) -> None:
        """`signed` where approvals come along: whom the signatures recover to."""
        if self.role(sender) != AGENT:
            raise Refused("GateMissingRole", sender, AGENT)
        if sender != proposal.agent:
            raise Refused("GateNotProposer", sender, proposal.agent)
        self._need_model(proposal.model)
        latest = self.now + self.limits[1]
        if not self.now < proposal.deadline <= latest:
            raise Refused("GateBadDeadline", proposal.deadline, self.now + 1, latest)
        used = self.nonces.get(sender, set())
        last = max(used, default=0)
        if proposal.nonce >= 1 << 32 or self._is_used(proposal):
            raise Refused("GateBadNonce", proposal.nonce, last)
        tier, reason, _ = self.verdict(proposal)
        if tier == 0:
            raise Refused("GateRefused", reason)
        entry = Entry(proposal)
        if signed is None:
            self._enter(entry)
            if tier == 1:
                self.grants[proposal.agent].spent[proposal.kind] += 1
                self._order(entry)
            return
        if len(signed) < self.quorum(proposal):
            raise Refused("GateQuorumNotMet", len(signed), self.quorum(proposal))
        self._collect(signed, 0)
        self._enter(entry)
        self._order(entry)

    def _enter(self, entry: Entry) -> None:
        proposal = entry.proposal
        self.used[self._cell(proposal)] = self.window, self.used_by(proposal) + 1
        self.nonces.setdefault(proposal.agent, set()).add(proposal.nonce)
        self.entries[proposal.id(self.domain)] = entry

    def _is_used(self, proposal: Proposal) -> bool:
        """Or out of reach: 32 or more behind the highest."""
        used = self.nonces.get(proposal.agent, set())
        return proposal.nonce in used or proposal.nonce <= max(used, default=0) - 32

    def vote(self, proposal: Proposal, voters: Signed, approve: bool) -> None:
        """By transaction: one voter, whose signature is himself."""
        entry = self._open(proposal)
        voted: set[str] = set()
        for voter, valid in voters:
            self._need_operator(voter)
            if voter in entry.approvals | entry.rejections | voted:
                raise Refused("GateAlreadyVoted", proposal.id(self.domain), voter)
            if not valid:
                raise Refused("GateBadSignature", voter)
            voted.add(voter)
        (entry.approvals if approve else entry.rejections).update(voted)

    def execute(self, proposal: Proposal) -> None:
        entry = self._open(proposal)
        if self.role(proposal.agent) != AGENT:
            raise Refused("GateMissingRole", proposal.agent, AGENT)
        self._need_model(proposal.model)
        if reason := self._refusal(proposal):
            raise Refused("GateRefused", REASON.index(reason))
        got, needed = self.count(entry.approvals), self.quorum(proposal)
        if got < needed:
            raise Refused("GateQuorumNotMet", got, needed)
        self._order(entry)

    def veto(self, sender: str, proposal: Proposal) -> None:
        self._need(sender, GUARDIAN)
        self._open(proposal).mark = "VETOED"

    def release(self, proposal: Proposal, signed: Signed) -> None:
        status = self.status(proposal)
        if status != "LIVE":
            raise Refused("GateWrongStatus", proposal.id(self.domain), STATUS.index(status))
        self._collect(signed, self.limits[3])
        entry = self.entries[proposal.id(self.domain)]
        entry.mark, entry.until = "RELEASED", 0

    def receipt(self, sender: str, proposal: Proposal) -> None:
        self._need(sender, ENFORCER)
        id_ = proposal.id(self.domain)
        order = self.orders.get((proposal.kind, proposal.target))
        if order is None or order.proposal.id(self.domain) != id_:
            raise Refused("GateWrongStatus", id_, self._status_code(proposal))

    # ---------------------------------------------------------------- lease

    def grant(self, lease: Lease, id_: bytes, signed: Signed) -> None:
        if self.role(lease.agent) != AGENT:
            raise Refused("GateMissingRole", lease.agent, AGENT)
        self._need_model(lease.model)
        in_time = self.now < lease.expires <= self.now + self.limits[4]
        if not in_time or not any(lease.budgets) or not lease.max_ttl or lease.max_criticality > 3:
            raise Refused("GateBadLease")
        if id_ in self.granted:
            raise Refused("GateLeaseUsed", id_)
        if live := self.lease_of(lease.agent):
            raise Refused("GateLeaseLive", live.id)
        self._collect(signed, self.limits[2])
        self.granted.add(id_)
        self.grants[lease.agent] = Grant(id_, lease, {signer for signer, _ in signed})

    def end_lease(self, sender: str, agent: str) -> None:
        self._need(sender, GUARDIAN)
        grant = self.grants.get(agent)
        if grant is None or self.now >= grant.lease.expires:
            raise Refused("GateNoLease", agent)
        del self.grants[agent]

    def lease_of(self, agent: str) -> Grant | None:
        grant = self.grants.get(agent)
        if grant is None or self.now >= grant.lease.expires:
            return None
        return grant if self.count(grant.signers) >= self.limits[2] else None

    # ---------------------------------------------------------------- questions

    def role(self, account: str) -> int:
        return self.roles.get(account, 0)

    def count(self, accounts: Iterable[str]) -> int:
        return sum(bool(self.role(account) & OPERATOR) for account in accounts)

    def quorum(self, proposal: Proposal) -> int:
        return self._rule(proposal)[2]

    def verdict(self, proposal: Proposal) -> tuple[int, int, int]:
        """Tier, reason, approvals needed."""
        if reason := self._refusal(proposal):
            return 0, REASON.index(reason), 0
        rule = self._rule(proposal)
        if self.used_by(proposal) >= rule[4]:
            return 0, REASON.index("BUDGET_SPENT"), 0
        if rule[1] and self._lease_covers(proposal):
            return 1, 0, 0
        return 2, 0, rule[2]

    @property
    def window(self) -> int:
        return self.now // self.limits[0]

    def used_by(self, proposal: Proposal) -> int:
        """Proposals of its agent in its cell in the window of now."""
        window, used = self.used.get(self._cell(proposal), (-1, 0))
        return used if window == self.window else 0

    def status(self, proposal: Proposal) -> str:
        """As `stateOf` tells it."""
        entry = self.entries.get(proposal.id(self.domain))
        if entry is None:
            return "SUPERSEDED" if self._is_used(proposal) else "NONE"
        if entry.mark == "EXECUTED":
            return "LIVE" if self.now < entry.until else "EXPIRED"
        if entry.mark != "PROPOSED":
            return entry.mark
        against, quorum = self.count(entry.rejections), self.quorum(proposal)
        if against and against >= quorum:
            return "REJECTED"
        if self.now >= proposal.deadline:
            return "LAPSED"
        ready = (
            self.count(entry.approvals) >= quorum
            and self.role(proposal.agent) == AGENT
            and proposal.model in self.models
            and not self._refusal(proposal)
        )
        return "READY" if ready else "PENDING"

    def ordered_until(self, kind: Kind, target: bytes) -> int:
        entry = self.orders.get((kind, target))
        live = entry is not None and entry.mark == "EXECUTED" and self.now < entry.until
        return entry.until if entry and live else 0

    def is_blocked(self, network: Network) -> bool:
        return any(
            self.ordered_until(*order) and _contains(self.networks_of[order[1]], network)
            for order in self.orders
            if order[0] is Kind.BLOCK
        )

    # ---------------------------------------------------------------- inside

    def _order(self, entry: Entry) -> None:
        target = entry.proposal.kind, entry.proposal.target
        before = self.ordered_until(*target)
        if target in self.orders:
            self.orders[target].mark, self.orders[target].until = "SUPERSEDED", 0
        entry.approvals, entry.rejections = set(), set()
        entry.mark, entry.until = "EXECUTED", max(before, self.now + entry.proposal.ttl)
        self.orders[target] = entry

    def _refusal(self, proposal: Proposal) -> str:
        """Empty where nothing but a budget could refuse."""
        if proposal.kind is Kind.BLOCK:
            network = self.networks_of[proposal.target]
            if network is None:
                return "MALFORMED_TARGET"
            safe = any(_overlap(network, self.networks_of[key]) for key in self.protected)
        else:
            known = self._registered(proposal)
            if known is None:
                return "UNKNOWN_TARGET"
            safe = known[2]
        if safe:
            return "PROTECTED_TARGET"
        allowed, _, _, max_ttl, _ = self._rule(proposal)
        if not allowed:
            return "RULE_REFUSES"
        return "" if 0 < proposal.ttl <= max_ttl else "TTL_OUT_OF_RANGE"

    def _registered(self, proposal: Proposal) -> tuple[str, int, bool] | None:
        table = self.assets if proposal.kind is Kind.ISOLATE else self.credentials
        return table.get(proposal.target)

    def criticality(self, proposal: Proposal) -> int:
        if proposal.kind is not Kind.BLOCK:
            known = self._registered(proposal)
            return known[1] if known else 0
        network = self.networks_of[proposal.target]
        if network is None:
            return 3
        bounds = (32, 24, 16) if network.version == 4 else (128, 64, 48)
        return sum(network.prefixlen < bound for bound in bounds)

    def _rule(self, proposal: Proposal) -> tuple[bool, bool, int, int, int]:
        cell = int(proposal.kind), self.criticality(proposal)
        return self.rules.get(cell, (False, False, 0, 0, 0))

    def _cell(self, proposal: Proposal) -> tuple[str, Kind, int]:
        return proposal.agent, proposal.kind, self.criticality(proposal)

    def _lease_covers(self, proposal: Proposal) -> bool:
        grant = self.lease_of(proposal.agent)
        return (
            grant is not None
            and grant.lease.model == proposal.model
            and self.criticality(proposal) <= grant.lease.max_criticality
            and proposal.ttl <= grant.lease.max_ttl
            and grant.spent[proposal.kind] < grant.lease.budgets[proposal.kind]
        )

    def _status_code(self, proposal: Proposal) -> int:
        """In errors PENDING stands for READY too."""
        status = self.status(proposal)
        return STATUS.index("PENDING" if status == "READY" else status)

    def _open(self, proposal: Proposal) -> Entry:
        code = self._status_code(proposal)
        id_ = proposal.id(self.domain)
        if code != STATUS.index("PENDING"):
            raise Refused("GateWrongStatus", id_, code)
        return self.entries[id_]

    def _collect(self, signed: Signed, quorum: int) -> None:
        seen: set[str] = set()
        for signer, valid in signed:
            self._need_operator(signer)
            if signer in seen:
                raise Refused("GateDuplicateSigner", signer)
            if not valid:
                raise Refused("GateBadSignature", signer)
            seen.add(signer)
        if len(signed) < quorum:
            raise Refused("GateQuorumNotMet", len(signed), quorum)

    def _need(self, account: str, role: int) -> None:
        if not self.role(account) & role:
            raise Refused("GateMissingRole", account, role)

    def _need_operator(self, account: str) -> None:
        self._need(account, OPERATOR)

    def _need_model(self, model: bytes) -> None:
        if model not in self.models:
            raise Refused("GateModelNotActive", model)


def _contains(outer: Network | None, inner: Network) -> bool:
    return outer is not None and outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _overlap(one: Network, other: Network | None) -> bool:
    return other is not None and one.version == other.version and one.overlaps(other)  # type: ignore[arg-type]
