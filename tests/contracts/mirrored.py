"""A gate and the guardrails' mirror side by side, and what may happen to both.

What `Pair` does at the gate must end as the mirror says, and the mirror is told of it as the
responder would tell it. `seen` counts how things ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from functools import cache
from itertools import count
from typing import Any

from batching import make_batch, names_of, seal, texts_of
from chance import Site, key_of
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import PrivateKey
from evm import Reverted
from scene import AGENT, GUARDIAN, MODEL, OPERATOR, Gate, People, account, asset_entry, make_gate

from policies.actions import Action, Kind, canonical_network, network_criticality, network_key
from policies.guardrails import Guardrails, Lease, Reason, Rule, Target, Tier, Verdict
from responder.chain.proposal import (
    Batch,
    Proposal,
    Words,
    batch_message,
    compact,
    decision_message,
    lease_message,
    message_digest,
    name_key,
    network_text,
    resume_message,
)
from responder.chain.proposal import Lease as SignedLease

OTHER_MODEL = b"\x0a" * 32
AGENTS = (account("agent"), account("second agent"))
GROUPS = (0, 0, 1, 2)  # of the operators; who comes back soon has his seat again
CELLS = tuple((kind, criticality) for kind in Kind for criticality in range(4))
Key = tuple[Kind, str]
Cell = tuple[str, int]  # zone and criticality of a page, always the first


@dataclass
class Waiting:
    """A proposal that waits."""

    proposal: Proposal
    action: Action
    approvals: set[int] = field(default_factory=set)  # operators
    approved_at: int = 0


class Pair:
    def __init__(self, people: People, site: Site) -> None:
        """Sets up a gate of its own like this."""
        self.people, self.gate = people, make_gate(people)
        self.seen: Counter[tuple[str, ...]] = Counter()
        self._first = site
        _set_up(self.gate, site)
        self._start, self._told = self.gate.evm.now, len(self.gate.contract.events)
        self._mark: Any = None
        self.restart()

    def restart(self) -> None:
        """Forgets all that happened since the gate was set up."""
        evm = self.gate.evm
        if self._mark is not None:
            evm.revert(self._mark)
            evm.advance(self._start - evm.now)
            del self.gate.contract.events[self._told :]
        self._mark = evm.snapshot()
        self.gate.nonces = count()
        self.site = self._first.copy()
        self.operators = set(range(len(GROUPS)))  # those of now
        self.leases: dict[str, tuple[Lease, set[int]]] = {}  # and who signed them
        self.waiting: list[Waiting] = []
        self.orders: dict[Key, tuple[Proposal | None, int]] = {}  # the last ones, and their ends
        self.pages: dict[Cell, tuple[set[str], int]] = {}  # what batches isolate, and until when
        self.mirrors = {agent.address: _mirror(self.site) for agent in AGENTS}

    # ------------------------------------------------------------ state

    @property
    def now(self) -> int:
        return self.gate.evm.now

    @property
    def mirror(self) -> Guardrails:
        """Of the first agent; what is live is the same in both."""
        return self.mirrors[AGENTS[0].address]

    def find(self, kind: Kind, name: str) -> tuple[Target, Rule]:
        """A target that is registered, and the rule for it."""
        if kind is Kind.BLOCK:
            target = Target(network_criticality(network_key(name)))
        else:
            target = (self.site.assets if kind is Kind.ISOLATE else self.site.credentials)[name]
        return target, self.site.rules.get((kind, target.criticality), Rule(allowed=False))

    # ------------------------------------------------------------ questions

    def ask(self, agent: LocalAccount, action: Action, model: bytes) -> None:
        found = self.gate.view(
            "verdict", agent.address, int(action.kind), key_of(action), action.ttl, model
        )
        said = self.mirrors[agent.address].verdict(action, model, self.now)
        assert said == found, (agent.address, action)
        self._note("asked", action, said)

    # ------------------------------------------------------------ proposals

    def propose(self, agent: LocalAccount, action: Action, model: bytes) -> None:
        proposal = self.gate.proposal(
            action.kind, key_of(action), action.ttl, model=model, agent=agent.address
        )
        said = self.mirrors[agent.address].propose(action, model, self.now)
        refused = self._try("propose", proposal.abi(), sender=agent)
        told = self.gate.last
        if said.tier is Tier.REFUSED:
            assert refused == ("GateRefused", (said.reason,)), action
        elif said.tier is Tier.LEASE:
            assert (refused, told.name) == (None, "Ordered"), (refused, action)
            assert _key(action) in self.mirrors[agent.address].counted
            self._ordered(action, proposal, told.args["until"])
        else:
            assert (refused, told.name) == (None, "Proposed"), (refused, action)
            assert self.gate.view("stateOf", proposal.abi())[2] == said.approvals
            self.waiting.append(Waiting(proposal, action))
        self._note("proposed", action, said)

    def approve(self, waiting: Waiting, operators: Iterable[int]) -> None:
        """All at once."""
        for i in operators:
            self.gate.send("approve", waiting.proposal.abi(), sender=self.people.operators[i])
            waiting.approvals.add(i)
        waiting.approved_at = self.now

    def execute(self, waiting: Waiting) -> None:
        refused = self._try("execute", waiting.proposal.abi(), sender=self.people.stranger)
        assert refused == self._refusal(waiting), waiting.action
        if refused is None:
            self.waiting.remove(waiting)
            self._ordered(waiting.action, waiting.proposal, self.gate.last.args["until"])
        name, values = refused or ("Executed", ())
        reason = Reason(values[0]).name if name == "GateRefused" else ""
        self.seen["executed", name, reason] += 1

    def _refusal(self, waiting: Waiting) -> tuple[str, tuple[Any, ...]] | None:
        verdict = self.mirror.execution(waiting.action, self.now)
        if verdict.tier is Tier.REFUSED:
            return "GateRefused", (verdict.reason,)
        by = waiting.approvals & self.operators
        if len(by) < verdict.approvals:
            return "GateQuorumNotMet", (len(by), verdict.approvals)
        there = {GROUPS[i] for i in by}
        wanted = self.find(waiting.action.kind, waiting.action.target)[1].groups
        missing = sum(1 << g for g in range(4) if wanted >> g & 1 and g not in there)
        if missing:
            return "GateGroupMissing", (missing,)
        earliest = waiting.approved_at + verdict.delay
        return ("GateTooEarly", (earliest,)) if self.now < earliest else None

    # ------------------------------------------------------------ the end of orders

    def release(self, key: Key) -> None:
        proposal = self.orders[key][0]
        assert proposal is not None
        message = decision_message("Release", proposal, self._words(*key), self.gate.domain)
        self._send_signed("release", proposal.abi(), message=message, signers=1)
        self.orders[key] = (proposal, 0)
        self._uncount(key)

    def settle(self, key: Key) -> None:
        kind, name = key
        target = _packed(name) if kind is Kind.BLOCK else name_key(name)
        self.gate.send("settle", int(kind), [target], sender=self.people.stranger)
        self._uncount(key)

    def settle_page(self, page: Cell) -> None:
        self.gate.send("settlePages", name_key(page[0]), page[1], [0], sender=self.people.stranger)
        del self.pages[page]
        self._batch_counts()

    # ------------------------------------------------------------ batches

    def order_batch(self, kind: Kind, targets: Any, names: list[str], ttl: int) -> None:
        """By the first agent, on these (as `make_batch` takes them), all of one zone and
        criticality. The contract may refuse it.
        """
        target, rule = self.find(kind, names[0])
        zone = target.zone if kind is Kind.ISOLATE else ""
        if kind is Kind.ISOLATE:
            seal(self.gate, zone, target.criticality)
        batch = make_batch(self.gate, kind, targets, zone, target.criticality, ttl=ttl)
        message = batch_message(
            "BatchApproval", batch, texts_of(self.gate, batch), zone, self.gate.domain
        )
        signers = min(rule.quorum + 1, len(self.operators))
        halves = [compact(s) for _, s in self._signed(message, signers)]
        values = (batch.abi(), names_of(self.gate, batch), halves)
        refused = self._try("orderBatch", *values, sender=AGENTS[0])
        self.seen["batch", kind.name, refused[0] if refused else "BatchOrdered"] += 1
        if refused is None:
            self._batch_ordered(batch, names)

    def _batch_ordered(self, batch: Batch, names: list[str]) -> None:
        until = self.now + batch.ttl
        target = self.find(batch.kind, names[0])[0]
        used = self.mirror.used(batch.kind, target.criticality, self.now) + len(names)
        self.mirror.set_used(batch.kind, target.criticality, used, self.now)
        if batch.kind is Kind.ISOLATE:
            self.pages[target.zone, target.criticality] = (set(names), until)
            return self._batch_counts()
        for name in names:
            action = Action(batch.kind, name, batch.ttl)
            self._ordered(action, None, max(until, self.orders.get(_key(action), (None, 0))[1]))

    def _batch_counts(self) -> None:
        batched = {name for names, _ in self.pages.values() for name in names}
        for mirror in self.mirrors.values():
            mirror.batched = batched

    # ------------------------------------------------------------ leases and pauses

    def has_lease(self, agent: LocalAccount) -> bool:
        lease = self.mirrors[agent.address].lease
        return lease is not None and self.now < lease.expires

    def grant(self, agent: LocalAccount, **terms: int) -> None:
        """Signed by as many as must."""
        nonce = sum(event.name == "LeaseGranted" for event in self.gate.contract.events)
        lease = SignedLease(agent=agent.address, model=MODEL, nonce=nonce, **terms)
        signers = self._send_signed(
            "grantLease",
            lease.abi(),
            message=lease_message(lease, self.gate.domain),
            signers=self.site.limits.lease_quorum,
        )
        held = Lease(MODEL, lease.budgets, lease.max_criticality, lease.max_ttl, lease.expires)
        self.leases[agent.address] = (held, signers)
        self._renew_leases()

    def end_lease(self, agent: LocalAccount) -> None:
        self.gate.send("endLease", agent.address, sender=self.people.guardian)
        del self.leases[agent.address]
        self._renew_leases()

    def pause(self) -> None:
        self.gate.send("pause", sender=self.people.guardian)
        self._set_paused(True)

    def resume(self) -> None:
        message = resume_message(self.gate.view("pausedNow"), self.gate.domain)
        self._send_signed("resume", message=message, signers=1)
        self._set_paused(False)

    # ------------------------------------------------------------ governance

    def govern(self, function: str, *args: Any) -> None:
        """The caller has changed `site` to what this does at the gate."""
        self.gate.govern(function, *args)
        for agent, before in self.mirrors.items():
            self.mirrors[agent] = _mirror(self.site)
            _take_over(self.mirrors[agent], before, self.now)
        self._renew_leases()

    def set_operator(self, i: int, active: bool) -> None:
        self.operators = self.operators | {i} if active else self.operators - {i}
        roles, group = (OPERATOR, GROUPS[i]) if active else (0, 0)
        self.govern("setRoles", self.people.operators[i].address, roles, group)

    # ------------------------------------------------------------ internals

    def _try(
        self, function: str, *args: Any, sender: LocalAccount
    ) -> tuple[str, tuple[Any, ...]] | None:
        """How the gate refuses; None if it does not."""
        try:
            self.gate.send(function, *args, sender=sender)
        except Reverted as error:
            return error.name, error.values
        return None

    def _signed(self, message: SignableMessage, signers: int) -> list[tuple[str, bytes]]:
        people = [self.people.operators[i] for i in sorted(self.operators)[:signers]]
        return [(someone.address, _signature(someone, message)) for someone in people]

    def _send_signed(
        self, function: str, *args: Any, message: SignableMessage, signers: int
    ) -> set[int]:
        signatures = self._signed(message, signers)
        self.gate.send(function, *args, signatures, sender=self.people.stranger)
        return set(sorted(self.operators)[:signers])

    def _words(self, kind: Kind, name: str) -> Words:
        target = self.find(kind, name)[0]
        text = network_text(_packed(name)) if kind is Kind.BLOCK else name
        return Words(text, target.zone, target.criticality)

    def _ordered(self, action: Action, proposal: Proposal | None, until: int) -> None:
        self.orders[_key(action)] = (proposal, until)
        for mirror in self.mirrors.values():
            mirror.order(action.kind, action.target)

    def _uncount(self, key: Key) -> None:
        for mirror in self.mirrors.values():
            mirror.uncount(*key)

    def _set_paused(self, paused: bool) -> None:
        for mirror in self.mirrors.values():
            mirror.paused = paused

    def _renew_leases(self) -> None:
        """A lease lasts while enough of those who signed it are operators."""
        for agent, mirror in self.mirrors.items():
            lease, signers = self.leases.get(agent, (None, set()))
            lasts = len(signers & self.operators) >= self.site.limits.lease_quorum
            mirror.lease = lease if lasts else None

    def _note(self, what: str, action: Action, verdict: Verdict) -> None:
        self.seen[what, verdict.tier.name, verdict.reason.name] += 1
        if verdict.reason in (Reason.MALFORMED_TARGET, Reason.UNKNOWN_TARGET):
            return
        rule = self.find(action.kind, action.target)[1]
        self.seen[what, "frozen"] += verdict.approvals > rule.quorum
        self.seen[what, "in a change window"] += verdict.tier is Tier.QUORUM and rule.delay > 0
        again = verdict.reason is Reason.NONE and _key(action) in self.mirror.counted
        self.seen[what, "again"] += again


def _key(action: Action) -> Key:
    network = action.kind is Kind.BLOCK
    return action.kind, canonical_network(action.target) if network else action.target


@cache
def _signature(signer: LocalAccount, message: SignableMessage) -> bytes:
    """As `sign_message`, which would work out the public key anew each time."""
    made = _private(signer).sign_msg_hash(message_digest(message)).to_bytes()
    return made[:64] + bytes([27 + made[64]])


@cache
def _private(signer: LocalAccount) -> PrivateKey:
    return PrivateKey(bytes(signer.key))


def _set_up(gate: Gate, site: Site) -> None:
    people = gate.people
    gate.govern("setLimits", astuple(site.limits))
    for agent in AGENTS:
        gate.govern("setRoles", agent.address, AGENT, 0)
    for operator, group in zip(people.operators, GROUPS, strict=True):
        gate.govern("setRoles", operator.address, OPERATOR, group)
    gate.govern("setRoles", people.guardian.address, GUARDIAN, 0)
    for (kind, criticality), rule in site.rules.items():
        gate.govern("setRule", int(kind), criticality, astuple(rule))
    for name, zone in site.zones.items():
        gate.govern("setZone", name, astuple(zone))
    for name, keep in site.pools.items():
        gate.govern("setPool", name, keep)
    gate.govern("setAssets", [asset_of(name, asset) for name, asset in site.assets.items()])
    keys = [credential_of(name, key) for name, key in site.credentials.items()]
    gate.govern("setCredentials", keys)
    gate.govern("setProtectedNetworks", [_packed(n) for n in site.networks], True)
    for model in (MODEL, OTHER_MODEL):
        gate.activate(model)


def asset_of(name: str, asset: Target) -> tuple[Any, ...]:
    """IRegistry.AssetEntry."""
    return asset_entry(name, asset.zone, asset.criticality, asset.protected, asset.pool)


def credential_of(name: str, credential: Target) -> tuple[Any, ...]:
    """IRegistry.CredentialEntry."""
    return (name, "ops", credential.criticality, credential.protected)


def _packed(network: str) -> bytes:
    return network_key(network).to_bytes(32)


def _mirror(site: Site) -> Guardrails:
    return Guardrails(
        site.rules,
        site.limits,
        dict(site.assets),
        dict(site.credentials),
        site.networks,
        dict(site.zones),
        dict(site.pools),
    )


def _take_over(mirror: Guardrails, before: Guardrails, now: int) -> None:
    """What was counted; nothing of the budgets where their window has another length now."""
    mirror.paused, mirror.counted, mirror.batched = before.paused, before.counted, before.batched
    if mirror.limits.window == before.limits.window:
        for cell in CELLS:
            if before.used(*cell, now):
                mirror.set_used(*cell, before.used(*cell, now), now)
