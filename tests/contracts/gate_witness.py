"""The guarantees of DESIGN.md, judged from the raw log and the calls alone.

Whoever reads the chain can do what this does. It shares no code with the model that predicts: who
signed is recovered from the signatures over what a wallet shows, and what is live is counted from
the orders themselves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak
from scene import AGENT, GUARDIAN
from witness_registry import PAGE, ROLE_OF, Held, read
from witness_signed import SignedLog

from policies.actions import Kind
from responder.chain.proposal import Batch, Proposal


@dataclass
class Case:
    """One proposal that waits, waited or is done."""

    proposal: Proposal
    approvals: set[str] = field(default_factory=set)
    rejections: set[str] = field(default_factory=set)
    approved_at: int = 0  # the last approval that was needed when it was given
    executed: bool = False


class Witness(SignedLog):
    def __init__(self, world: Any) -> None:
        """`world`: a gate to look at, its address and chain, and whose key signed what."""
        super().__init__(world)
        self.cases: dict[bytes, Case] = {}
        self.vetoed: set[bytes] = set()
        self.withdrawn: dict[bytes, set[str]] = {}
        self.nonces: set[tuple[str, int]] = set()
        self.used: Counter[Any] = Counter()
        self.era = 0  # of the length of windows

    def hear(self, call: Any, logs: list[Any], head: bytes) -> None:
        """One transaction; AssertionError where a guarantee broke."""
        self.sender, self.function, self.args = call.sender, call.function, call.args
        self.now = self._world.evm.now
        role = ROLE_OF.get(call.function)
        assert not logs or role is None or self.roles.get(call.sender, 0) & role
        for address, topics, data in logs:
            assert address.lower() == self._world.domain.gate
            self.head = bytes(keccak(self.head + b"".join(topics) + data))
            name, args = read(topics, data)
            getattr(self, f"_{name}")(**args)
        assert head == self.head

    def look(self) -> None:
        """What the gate answers follows from its log; AssertionError where it does not."""
        self.now, view = self._world.evm.now, self._world.view
        assert set(view("operators")) == set(self.operators())
        for kind, key in self.orders:
            assert view("orderedUntil", kind, key) == self.live_until(kind, key)
        for held in self.pages.values():
            for key in sorted(held.assets)[:3]:
                assert view("isIsolated", key) == bool(self.live_until(Kind.ISOLATE, key))
        for kind, criticality in self.rules:
            told = view("ruleOf", kind, criticality)[1]
            assert told == self.cell_counts(kind, criticality)
            assert told >= self.cell_counts(kind, criticality, live=True)
        for zone in self.zones:
            assert view("zoneOf", zone)[2] >= self.isolated(self.assets_of(zone))
        for pool in self.pools:
            assert view("poolOf", pool)[1] >= self.isolated(self.members(pool))
        for credential in self.credentials:
            for resource in self.resources:
                told = view("isAuthorized", credential, resource)
                assert told == self.is_authorized(credential, resource)

    # ---------------------------------------------------------------- proposals

    def _Proposed(self, id: bytes, proposal: Any) -> None:
        self.cases[id] = self._entered(id, proposal)

    def _entered(self, id_: bytes, fields: Any) -> Case:
        made = Proposal(Kind(fields[0]), *fields[1:])
        assert (
            made.id(self._world.domain) == id_ and id_ not in self.cases and id_ not in self.batches
        )
        self._may_propose(made, self.criticality(made.kind, made.target), 1)
        self._within_rules(made)
        return Case(made)

    def _may_propose(self, made: Proposal | Batch, criticality: int, count: int) -> None:
        assert self.sender == made.agent and self.roles[made.agent] == AGENT
        assert not self.paused and self.models[made.model][0]
        assert self.now < made.deadline <= self.now + self.limits[1]
        self._use(made.agent, made.nonce)
        window = self.era, self.now // self.limits[0]
        cell = made.agent, made.kind, criticality, window
        self.used[cell] += count
        assert self.used[cell] <= self.rule(made.kind, criticality)[6]

    def _use(self, agent: str, nonce: int) -> None:
        assert (agent, nonce) not in self.nonces
        self.nonces.add((agent, nonce))

    def _LimitsSet(self, caller: str, limits: Any) -> None:
        self.era += limits[0] != self.limits[0]
        super()._LimitsSet(caller, limits)

    def _within_rules(self, made: Proposal) -> None:
        rule = self.rule(made.kind, self.criticality(made.kind, made.target))
        assert self.is_safe(made.kind, made.target)
        assert not self.paused and rule[0] and 0 < made.ttl <= rule[5]

    def _Approved(self, id: bytes, operator: str, signature: bytes) -> None:
        case = self._voted("Approval", id, operator, signature)
        if not self._is_approved(case):
            case.approved_at = self.now
        case.approvals.add(operator)

    def _Rejected(self, id: bytes, operator: str, signature: bytes) -> None:
        self._voted("Rejection", id, operator, signature).rejections.add(operator)

    def _voted(self, decision: Any, id_: bytes, operator: str, signature: bytes) -> Case:
        case = self.cases[id_]
        assert self.is_operator(operator) and operator != case.proposal.agent
        assert operator not in case.approvals | case.rejections | self.withdrawn.get(id_, set())
        assert id_ not in self.vetoed and not case.executed and self.now < case.proposal.deadline
        if signature:
            self.signed(self.decision(decision, case.proposal), operator, signature)
        else:
            function = "approve" if decision == "Approval" else "reject"
            assert (self.sender, self.function) == (operator, function)
        return case

    def _is_approved(self, case: Case) -> bool:
        rule, zone = self._judged_by(case.proposal)
        enough = len(self.current(case.approvals)) >= self.quorum(rule, zone)
        return enough and self.has_groups(case.approvals, rule[3])

    def _judged_by(self, made: Proposal) -> tuple[Any, Any]:
        if made.kind != Kind.BLOCK and (made.target not in self.assets | self.credentials):
            return self.rule(made.kind, 0), (100, 0, 0, 0, 0, 0)  # removed since
        rule = self.rule(made.kind, self.criticality(made.kind, made.target))
        return rule, self.zone(made.kind, made.target)

    def _Withdrawn(self, id: bytes, operator: str) -> None:
        assert self.sender == operator and self.is_operator(operator)
        assert id not in self.vetoed and id not in self.batches
        self.withdrawn.setdefault(id, set()).add(operator)
        if case := self.cases.get(id):
            assert not case.executed
            case.approvals.discard(operator)
            case.rejections.discard(operator)

    def _Vetoed(self, id: bytes, guardian: str, agent: str, nonce: int) -> None:
        assert self.sender == guardian and self.roles[guardian] & GUARDIAN
        assert id not in self.vetoed | self.batches.keys()
        self.vetoed.add(id)
        if case := self.cases.get(id):
            assert not case.executed and (agent, nonce) == (
                case.proposal.agent,
                case.proposal.nonce,
            )
        else:
            self._use(agent, nonce)

    def _Executed(self, id: bytes, until: int) -> None:
        case = self.cases[id]
        made, (rule, zone) = case.proposal, self._judged_by(case.proposal)
        assert not case.executed and id not in self.vetoed and self.now < made.deadline
        assert self.roles[made.agent] == AGENT and self.models[made.model][0]
        self._within_rules(made)
        assert self._is_approved(case) and case.approvals
        assert len(self.current(case.rejections)) < self.quorum(rule, zone)
        assert self.now >= case.approved_at + self.delay(rule, zone)
        case.executed = True
        self._order(id, made, until)

    def _Ordered(self, id: bytes, proposal: Any, until: int, signatures: Any) -> None:
        case = self.cases[id] = self._entered(id, proposal)
        made, case.executed = case.proposal, True
        assert id not in self.vetoed
        rule, zone = self._judged_by(made)
        if signatures:
            self._by_all(id, rule, zone, self.decision("Approval", made), signatures)
        else:
            self._by_lease(made, rule, zone)
        self._order(id, made, until)

    def _by_all(self, id_: bytes, rule: Any, zone: Any, digest: bytes, signatures: Any) -> None:
        """Of these signatures each is another current operator's; they are enough at once."""
        signers = [self._world.recover(digest, r + vs) for r, vs in signatures]
        assert len(signers) == len(self.current(signers)) >= self.quorum(rule, zone) >= 1
        assert not self.withdrawn.get(id_, set()) & set(signers)
        assert self.has_groups(signers, rule[3]) and not self.delay(rule, zone)

    def _by_lease(self, made: Proposal, rule: Any, zone: Any) -> None:
        [granted] = (g for g in self.leases.values() if self.is_granted(g, made.agent))
        lease = granted.lease
        assert rule[1] and not self.is_frozen(zone) and lease.model == made.model
        assert self.criticality(made.kind, made.target) <= lease.max_criticality
        assert made.ttl <= lease.max_ttl
        granted.spent[made.kind] += 1
        assert granted.spent[made.kind] <= lease.budgets[made.kind]

    # ---------------------------------------------------------------- orders

    def _order(self, id_: bytes, made: Proposal | Batch, until: int, target: bytes = b"") -> None:
        kind, key = made.kind, target or made.target  # type: ignore[union-attr]
        cell = kind, self.criticality(kind, key)
        before, counted = self.orders.get((kind, key)), self.cell_counts(*cell)
        live = before.until if before and self.is_live(before) else 0
        assert until == max(self.now + made.ttl, live)
        self.orders[kind, key] = Held(id_, until, made.ttl)
        if self.cell_counts(*cell) > counted:
            self._within_limits(cell)
            if kind == Kind.ISOLATE:
                self._within_share(self.places[key][0])
                self._keeps_pool(key)

    def _within_limits(self, cell: tuple[int, int]) -> None:
        assert self.cell_counts(*cell, live=True) <= self.cell_counts(*cell) <= self.rule(*cell)[7]

    def _within_share(self, zone: bytes) -> None:
        assets = self.assets_of(zone)
        isolated = self.isolated(assets)
        assert isolated <= 1 or isolated * 100 <= len(assets) * self.zones[zone][0]

    def _keeps_pool(self, key: bytes) -> None:
        for pool, keep in self.pools.items():
            members = self.members(pool)
            assert key not in members or len(members) - self.isolated(members) >= keep

    def _BatchOrdered(self, id: bytes, batch: Any, signatures: Any) -> None:
        made = Batch(Kind(batch[0]), *batch[1:])
        assert made.id(self._world.domain) == id and id not in self.batches
        assert id not in self.vetoed
        rule, pages = self.rule(made.kind, made.criticality), self.pages_of(made)
        keys = [key for assets in pages.values() for key in assets]
        if made.kind != Kind.ISOLATE:
            keys = [target.to_bytes(32) for target in made.targets]
        assert len(keys) == len(set(keys)) >= 1
        self._may_propose(made, made.criticality, len(keys))
        for key in keys:
            assert self.criticality(made.kind, key) == made.criticality
            assert self.is_safe(made.kind, key)
        assert rule[0] and 0 < made.ttl <= rule[5]
        digest, zone = self.batch_digest("BatchApproval", made), self.zone(made.kind, keys[0])
        self._by_all(id, rule, zone, digest, signatures)
        self.batches[id] = made
        for key in keys if made.kind != Kind.ISOLATE else ():
            before = self.orders.get((made.kind, key))
            end = before.until if before and self.is_live(before) else 0
            self._order(id, made, max(self.now + made.ttl, end), key)
        if made.kind == Kind.ISOLATE:
            self._order_pages(id, made, pages)

    def _order_pages(self, id_: bytes, made: Batch, pages: dict[Any, frozenset[bytes]]) -> None:
        cell, until = (made.kind, made.criticality), self.now + made.ttl
        counted = self.cell_counts(*cell)
        for page, assets in pages.items():
            assert not any(self.assets[key][2] for key in assets)  # of no pool
            before = self.pages.get(page)
            if before and self.is_live(before):
                assert before.assets <= assets and before.until <= until
            self.pages[page] = Held(id_, until, made.ttl, assets)
        if self.cell_counts(*cell) > counted:
            self._within_limits(cell)
            self._within_share(made.zone)

    def _Released(self, id: bytes, signatures: Any) -> None:
        made = self.cases[id].proposal
        held = self.orders[made.kind, made.target]
        assert held.id == id and self.is_live(held)
        self.collected(self.decision("Release", made), signatures, self.limits[5])
        held.released, held.counts = True, False

    def _BatchReleased(self, id: bytes, signatures: Any) -> None:
        made = self.batches[id]
        held = [self.orders.get((made.kind, target.to_bytes(32))) for target in made.targets]
        if made.kind == Kind.ISOLATE:
            pages = [(made.zone, made.criticality, target >> PAGE) for target in made.targets]
            held = [self.pages.get(page) for page in pages]
        live = [one for one in held if one and one.id == id and self.is_live(one)]
        assert live
        self.collected(self.batch_digest("BatchRelease", made), signatures, self.limits[5])
        for one in live:
            one.released, one.counts, one.assets = True, False, frozenset()

    def _Settled(self, target: bytes, kind: int) -> None:
        held = self.orders[kind, target]
        assert held.counts and self.now >= held.until
        held.counts = False

    def _PageSettled(self, zone: bytes, criticality: int, page: int) -> None:
        held = self.pages[zone, criticality, page]
        assert held.counts and self.now >= held.until
        held.counts, held.assets = False, frozenset()
