"""The guarantees of contracts/README.md, judged from the gate's events alone.

Whoever reads the log can do what this does; it shares no code with the model that predicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_abi import encode
from eth_utils import keccak
from gate_model import Network
from scene import AGENT, ENFORCER, GUARDIAN, OPERATOR, Emitted, Gate

BLOCK, ISOLATE = 0, 1


@dataclass
class Case:
    """One proposal as the log tells it."""

    kind: int
    target: bytes
    ttl: int
    model: bytes
    deadline: int
    agent: str
    approvals: set[str] = field(default_factory=set)
    rejections: set[str] = field(default_factory=set)
    vetoed: bool = False
    until: int | None = None  # once executed


@dataclass
class Lease:
    agent: str
    model: bytes
    budgets: tuple[int, int, int]
    criticality: int
    ttl: int
    expires: int
    signers: set[str]
    spent: Counter[int] = field(default_factory=Counter)
    ended: bool = False


class Witness:
    def __init__(self, gate: Gate, networks: Mapping[bytes, Network]) -> None:
        """`networks`: what the keys of networks mean."""
        self._gate, self._networks = gate, networks
        self._heard, self._head = 0, bytes(32)
        self.roles: dict[str, int] = {}
        self.targets: dict[bytes, tuple[int, bool]] = {}  # criticality, protected
        self.protected: set[bytes] = set()
        self.models: set[bytes] = set()
        self.rules: dict[tuple[int, int], Any] = {}
        self.limits: Any = (0, 0, 0, 0, 0)
        self.cases: dict[bytes, Case] = {}
        self.orders: dict[tuple[int, bytes], tuple[bytes, int]] = {}  # live or over: id, until
        self.leases: dict[bytes, Lease] = {}
        self.used: Counter[tuple[Any, ...]] = Counter()

    def hear(self) -> None:
        """Takes in what was emitted since the last time; AssertionError where a guarantee broke."""
        for event in self._gate.contract.events[self._heard :]:
            getattr(self, f"_{event.name}")(**event.args)
            self._extend(event)
        assert self._gate.view("auditHead") == self._head
        for (kind, target), (_, until) in self.orders.items():
            told = self._gate.view("orderedUntil", kind, target)
            assert told == (until if self.now < until else 0)

    @property
    def now(self) -> int:
        return self._gate.evm.now

    def _extend(self, event: Emitted) -> None:
        values = [self._head, event.selector, *event.args.values()]
        self._head = keccak(encode(["bytes32", "bytes32", *event.types], values))
        self._heard += 1

    # ---------------------------------------------------------------- what governance says

    def _RolesSet(self, account: str, roles: int) -> None:
        assert not roles & AGENT or roles == AGENT
        self.roles[account] = roles

    def _AssetSet(
        self, key: bytes, id: str, zone: str, criticality: int, isProtected: bool
    ) -> None:
        self.targets[key] = criticality, isProtected

    def _CredentialSet(self, key: bytes, id: str, criticality: int, isProtected: bool) -> None:
        self.targets[key] = criticality, isProtected

    def _NetworkProtected(self, network: bytes, isProtected: bool) -> None:
        (self.protected.add if isProtected else self.protected.discard)(network)

    def _ModelSet(self, model: bytes, card: bytes, active: bool) -> None:
        (self.models.add if active else self.models.discard)(model)

    def _RuleSet(self, kind: int, criticality: int, rule: Any) -> None:
        self.rules[kind, criticality] = rule

    def _LimitsSet(self, limits: Any) -> None:
        self.limits = limits

    # ---------------------------------------------------------------- what the gate does

    def _Proposed(self, id: bytes, proposal: Any, quorum: int) -> None:
        kind, target, ttl, model, _, deadline, agent, _ = proposal
        assert id not in self.cases
        assert self.roles[agent] == AGENT and model in self.models
        assert self.now < deadline <= self.now + self.limits[1]
        case = self.cases[id] = Case(kind, target, ttl, model, deadline, agent)
        self._within_rules(case)
        window = self.limits[0], self.now // self.limits[0]
        cell = agent, kind, self._criticality(case), window
        self.used[cell] += 1
        assert self.used[cell] <= self._rule(case)[4]
        assert quorum in (0, self._rule(case)[2])

    def _Approved(self, id: bytes, operator: str, signature: bytes) -> None:
        self._may_vote(id, operator)
        self.cases[id].approvals.add(operator)

    def _Rejected(self, id: bytes, operator: str, signature: bytes) -> None:
        self._may_vote(id, operator)
        self.cases[id].rejections.add(operator)

    def _may_vote(self, id: bytes, operator: str) -> None:
        case = self.cases[id]
        assert self._current([operator]) == 1
        assert operator not in case.approvals | case.rejections and operator != case.agent
        assert not case.vetoed and case.until is None and self.now < case.deadline

    def _Vetoed(self, id: bytes, guardian: str) -> None:
        assert self.roles[guardian] & GUARDIAN and self.cases[id].until is None
        self.cases[id].vetoed = True

    def _Executed(self, id: bytes, kind: int, target: bytes, until: int, leased: bool) -> None:
        case = self.cases[id]
        assert (case.kind, case.target) == (kind, target)
        assert case.until is None and not case.vetoed and self.now < case.deadline
        assert self.roles[case.agent] == AGENT and case.model in self.models
        self._within_rules(case)
        if not leased:
            quorum = self._rule(case)[2]
            assert self._current(case.approvals) >= quorum >= 1
            assert self._current(case.rejections) < quorum
        else:
            [lease] = (old for old in self.leases.values() if self._is_live_of(old, case.agent))
            self._by_lease(case, lease)
        _, before = self.orders.get((kind, target), (b"", 0))
        assert until == max(self.now + case.ttl, before if self.now < before else 0)
        case.until = until
        self.orders[kind, target] = id, until

    def _by_lease(self, case: Case, lease: Lease) -> None:
        assert self._is_live(lease)
        assert (lease.agent, lease.model) == (case.agent, case.model)
        assert self._rule(case)[1] and self._criticality(case) <= lease.criticality
        assert case.ttl <= lease.ttl
        lease.spent[case.kind] += 1
        assert lease.spent[case.kind] <= lease.budgets[case.kind]

    def _Released(self, id: bytes, signatures: Any) -> None:
        case = self.cases[id]
        order, until = self.orders[case.kind, case.target]
        assert order == id and self.now < until
        self._signed_by(signatures, self.limits[3])
        self.orders[case.kind, case.target] = id, 0

    def _LeaseGranted(self, id: bytes, lease: Any, signatures: Any) -> None:
        agent, model, *budgets, criticality, ttl, expires, _ = lease
        assert id not in self.leases
        assert self.roles[agent] == AGENT and model in self.models
        assert self.now < expires <= self.now + self.limits[4]
        assert not any(old.agent == agent and self._is_live(old) for old in self.leases.values())
        for old in self.leases.values():  # a lease that counts no more makes room, for good
            old.ended |= old.agent == agent
        signers = self._signed_by(signatures, self.limits[2])
        terms = tuple(budgets), criticality, ttl, expires
        self.leases[id] = Lease(agent, model, *terms, signers)

    def _LeaseEnded(self, id: bytes, guardian: str) -> None:
        assert self.roles[guardian] & GUARDIAN and not self.leases[id].ended
        self.leases[id].ended = True

    def _ReceiptFiled(self, id: bytes, enforcer: str, outcome: int, digest: bytes) -> None:
        assert self.roles[enforcer] & ENFORCER and self.cases[id].until is not None

    # ---------------------------------------------------------------- what follows from it

    def _current(self, accounts: Iterable[str]) -> int:
        return sum(bool(self.roles.get(account, 0) & OPERATOR) for account in accounts)

    def _signed_by(self, signatures: Any, quorum: int) -> set[str]:
        signers = [signer for signer, _ in signatures]
        assert len(signers) == len(set(signers)) == self._current(signers) >= quorum >= 1
        return set(signers)

    def _is_live(self, lease: Lease) -> bool:
        enough = self._current(lease.signers) >= self.limits[2]
        return not lease.ended and self.now < lease.expires and enough

    def _is_live_of(self, lease: Lease, agent: str) -> bool:
        return lease.agent == agent and self._is_live(lease)

    def _within_rules(self, case: Case) -> None:
        if case.kind == BLOCK:
            network = self._networks[case.target]  # KeyError: something malformed got in
            safe = [self._networks[key] for key in self.protected]
            same = [other for other in safe if other.version == network.version]
            assert not any(network.overlaps(other) for other in same)
        else:
            assert not self.targets[case.target][1]
        allowed, _, quorum, max_ttl, _ = self._rule(case)
        assert allowed and quorum >= 1 and 0 < case.ttl <= max_ttl

    def _criticality(self, case: Case) -> int:
        if case.kind != BLOCK:
            return self.targets[case.target][0]
        network = self._networks[case.target]
        lengths = (32, 24, 16) if network.version == 4 else (128, 64, 48)
        return sum(network.prefixlen < length for length in lengths)

    def _rule(self, case: Case) -> Any:
        return self.rules[case.kind, self._criticality(case)]
