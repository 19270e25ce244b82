"""Rules about what people sign besides orders, what enforcers read back, replays and questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import machine_tables as tables
import pytest
from eth_utils import keccak
from gate_model import Receipt
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from machine_base import (
    NETWORK_KEYS,
    RESOURCE_KEYS,
    Base,
    agents,
    callers,
    enforcers,
    good_signers,
    guardians,
    models,
    numbers,
    signers,
    ttls,
)
from machine_stage import page_of
from machine_tables import AGENTS, LEASABLE, NETWORKS, TARGETS, TEXTS
from machine_world import Call
from model_state import WEEK

from policies.actions import Kind
from responder.chain.proposal import Batch, Lease, Proposal, page_words

# Their last argument is what people signed.
BY_SIGNATURE = {
    "proposeApproved",
    "approveBySig",
    "rejectBySig",
    "release",
    "orderBatch",
    "releaseBatch",
    "grantLease",
    "activateModel",
    "resume",
}
DIGEST = b"\x05" * 32


class Signed(Base):
    def __init__(self) -> None:
        super().__init__()
        self.leases: list[Lease] = []
        self.roots: list[tuple[bytes, list[tuple[Any, Receipt, list[bytes]]]]] = []

    # ---------------------------------------------------------------- leases

    @rule(
        agent=st.sampled_from(AGENTS),
        signed=good_signers,
        budget=st.integers(1, 3),
        ttl=st.sampled_from((600, 3600)),
    )
    def grant_a_good_lease(self, agent: str, signed: Any, budget: int, ttl: int) -> None:
        self._grant(self._lease(agent, budget=budget, max_ttl=ttl), signed)

    @rule(
        name=agents,
        model=models,
        budget=st.sampled_from((0, 1, 2, 4095, 4096)),
        criticality=st.integers(0, 4),
        ttl=ttls,
        wait=st.sampled_from((0, 600, 86400, 86401)),
        signed=signers,
    )
    def grant_a_lease(
        self,
        name: str,
        model: bytes,
        budget: int,
        criticality: int,
        ttl: int,
        wait: int,
        signed: Any,
    ) -> None:
        made = self._lease(name, budget=budget, max_ttl=ttl, model=model)
        self._grant(replace(made, max_criticality=criticality, expires=self.now + wait), signed)

    @rule(agent=st.sampled_from(AGENTS), what=st.sampled_from(LEASABLE), signed=good_signers)
    def spend_a_lease(self, agent: str, what: Any, signed: Any) -> None:
        """It is granted before where there is none."""
        if not self.model.live_lease(self.address(agent)):
            self._grant(self._lease(agent, budget=2), signed)
        self.propose_now(agent, self.draft(agent, what))

    @precondition(lambda self: self.leases)
    @rule(number=numbers, signed=good_signers)
    def grant_a_lease_again(self, number: int, signed: Any) -> None:
        self._grant(self.leases[number % len(self.leases)], signed)

    def _lease(self, name: str, budget: int, **other: Any) -> Lease:
        made = Lease(
            agent=self.address(name),
            model=tables.MODELS[0],
            blocks=budget,
            isolations=budget,
            revocations=budget // 2,
            max_criticality=1,
            max_ttl=3600,
            expires=self.now + 3600,
            nonce=len(self.leases),
        )
        return replace(made, **other)

    def _grant(self, lease: Lease, signed: Any) -> None:
        signatures = self.sign(self.leased(lease), signed)
        if self.send("grantLease", "stranger", lease, signatures) and lease not in self.leases:
            self.leases.append(lease)

    @precondition(lambda self: self.model.leases or self.steps % 8 == 0)
    @rule(name=guardians, agent=agents)
    def end_a_lease(self, name: str, agent: str) -> None:
        self.send("endLease", name, self.address(agent))

    # ---------------------------------------------------------------- models, the pause

    @rule(
        model=st.sampled_from(tables.MODELS),
        ahead=st.sampled_from((0, 0, 0, 0, 1, -1)),
        wait=st.sampled_from((600, 600, 0, 86401)),
        signed=signers,
    )
    def activate_a_model(self, model: bytes, ahead: int, wait: int, signed: Any) -> None:
        revision = max(0, self.model.model_of(model)[2] + 1 + ahead)
        values = model, bytes([revision]) * 32, revision, self.now + wait
        self.world.agree("modelDigest", *values)
        signatures = self.sign(self.activated(*values), signed)
        self.send("activateModel", "stranger", *values, signatures)

    @rule(
        name=guardians,
        model=st.sampled_from(tables.MODELS[:1] + tables.MODELS[1:] * 3),
        signed=good_signers,
    )
    def deactivate_a_model(self, name: str, model: bytes, signed: Any) -> None:
        """Or activate it again."""
        active, _, revision, _ = self.model.model_of(model)
        if active or len(signed) % 2:
            self.send("deactivateModel", name, model)
        else:
            values = model, tables.CARD, revision + 1, self.now + 600
            signatures = self.sign(self.activated(*values), signed)
            self.send("activateModel", "stranger", *values, signatures)

    @rule(name=guardians, signed=signers, again=st.integers(0, 9))
    def pause_or_resume(self, name: str, signed: Any, again: int) -> None:
        if again == 0 or (again < 5 and not self.model.paused):
            self.send("pause", name)
        if again > 7 or self.model.paused:
            self.send("resume", "stranger", self.sign(self.resumed(), signed))

    # ---------------------------------------------------------------- receipts

    @rule(number=numbers, name=enforcers, outcome=st.integers(0, 3), form=st.integers(0, 9))
    def file_a_receipt(self, number: int, name: str, outcome: int, form: int) -> None:
        proposal = self._pick_ordered(number)
        target, start = proposal.target, proposal.id(self.world.domain)[:20]
        if form == 0:
            start = bytes(20)
        if form == 1:
            target = TARGETS[number % len(TARGETS)][1]
        call = ("fileReceipt", name, int(proposal.kind), target, start, outcome, DIGEST)
        self.send(*call)

    def _pick_ordered(self, number: int) -> Proposal:
        """One that became the last order on its target, mostly."""
        ordered = [proposal for proposal in self.proposals if self.orders_of(proposal)]
        if ordered and number % 8:
            return ordered[number // 8 % len(ordered)]
        return self.pick_open(number // 8)

    @precondition(lambda self: self.batches)
    @rule(number=numbers, name=enforcers, changed=st.integers(0, 15))
    def file_a_batch_receipt(self, number: int, name: str, changed: int) -> None:
        batch = self._pick_ordered_batch(number)
        target, start = batch.targets[0].to_bytes(32), batch.id(self.world.domain)[:20]
        if batch.kind is not Kind.ISOLATE and changed:
            self.send("fileReceipt", name, int(batch.kind), target, start, 0, DIGEST)
        else:
            self.send("filePageReceipt", name, _changed(batch, changed), 0, 0, DIGEST)

    def _pick_ordered_batch(self, number: int) -> Batch:
        ordered = [batch for batch in self.batches if self.orders_of(batch)]
        if ordered and number % 8:
            return ordered[number // 8 % len(ordered)]
        return self.pick_batch(number // 8)

    @rule(
        name=st.sampled_from((*tables.ENFORCERS * 3, "stranger")),
        count=st.integers(1, 4),
        known=st.integers(0, 5),
    )
    def file_a_root(self, name: str, count: int, known: int) -> None:
        self._file_root(name, count, known)

    def _file_root(self, name: str, count: int, known: int) -> None:
        """Over receipts of what is ordered now, and sometimes of what is not."""
        enforcer = self.address(name)
        subjects: list[Any] = [*self.proposals, *self.batches]
        if known:
            subjects = [made for made in subjects if self.orders_of(made)]
        receipts = [
            (what, Receipt(what.id(self.world.domain)[:20], _target(what), enforcer, 0, DIGEST))
            for what in subjects[-count:]
        ]
        if not receipts:
            return
        root, proofs = _tree([receipt.leaf() for _, receipt in receipts])
        if self.send("fileReceipts", name, root, len(receipts)):
            shown = [(*pair, proof) for pair, proof in zip(receipts, proofs, strict=True)]
            self.roots.append((root, shown))

    @rule(number=numbers, form=st.integers(0, 11), by=callers)
    def show_a_receipt(self, number: int, form: int, by: str) -> None:
        if number % 4 or not self.roots:
            self._file_root("enforcer", 1 + number % 4, known=1)
        if not self.roots:
            return
        root, shown = self.roots[-1 if number % 4 else number // 4 % len(self.roots)]
        what, receipt, proof = shown[number // 4 % len(shown)]
        if form == 0:
            receipt = replace(receipt, outcome=1)
        if form == 1:
            proof = [*proof, DIGEST]
        if form == 2:
            receipt = replace(receipt, enforcer=self.address("dmz enforcer"))
        if isinstance(what, Batch) and (what.kind is Kind.ISOLATE or form == 3):
            batch = _changed(what, form - 8)
            self.send("showPageReceipt", by, batch, receipt, root, proof)
        else:
            self.send("showReceipt", by, int(what.kind), receipt, root, proof)

    @rule(number=numbers)
    def report_missing(self, number: int) -> None:
        proposal = self._pick_ordered(number)
        if number % 3 == 0:
            self.advance(self.model.bounds.receipt_due)
        self.send("reportMissing", "stranger", proposal)

    @precondition(lambda self: self.batches)
    @rule(number=numbers, changed=st.integers(0, 15))
    def report_missing_of_a_batch(self, number: int, changed: int) -> None:
        """Also of one that the same agent and nonce made up."""
        batch = self._pick_ordered_batch(number)
        if number % 3 == 0:
            self.advance(self.model.bounds.receipt_due)
        index = number % len(batch.targets)
        self.send("reportMissingBatch", "stranger", _changed(batch, changed), index)

    # ---------------------------------------------------------------- time and replays

    @rule(seconds=st.sampled_from((1, 1, 60, 60, 120, 299, 300, 600, 600, 1200, 3600)))
    def time_passes(self, seconds: int) -> None:
        self.advance(seconds)

    @rule(number=numbers, before=st.sampled_from((0, 0, 1)))
    def something_begins_or_ends(self, number: int, before: int) -> None:
        """Just now, or in a second."""
        ahead = sorted({edge - self.now - before for edge in self._edges()})
        near = [seconds for seconds in ahead if 0 < seconds <= 7200]
        if near:
            self.advance(near[number % min(len(near), 6)])

    def _edges(self) -> Iterator[int]:
        model = self.model
        yield (self.now // model.bounds.window + 1) * model.bounds.window
        for zone in model.zones.values():
            yield from (zone.frozen_from, zone.frozen_until)
            opens = self.now - (self.now - zone.opens) % WEEK
            yield from (opens + zone.length, opens + WEEK)
        for proposal in self.proposals:
            yield proposal.deadline
            entry = model.entries.get(proposal.id(self.world.domain))
            if entry and entry.approved_at:
                yield entry.approved_at + model.rule_for(proposal.kind, proposal.target)[2]
        for order in (*model.orders.values(), *model.pages.values()):
            yield order.until
        yield from (grant.lease.expires for grant in model.leases.values())
        yield from model.grants_of.values()

    @rule(rare=st.integers(0, 9), seconds=st.sampled_from((86400, 7 * 86400, 30 * 86400)))
    def long_time_passes(self, rare: int, seconds: int) -> None:
        if rare == 0:
            self.advance(seconds)

    @precondition(lambda self: self.world.taken)
    @rule(number=numbers)
    def the_same_again(self, number: int) -> None:
        """Calldata that was taken once, whatever it was."""
        taken = self.world.taken
        call = taken[-1 - number % min(len(taken), 12)]
        if call.sender != self.address("governor"):
            self.world.repeat(call)

    @precondition(lambda self: self.world.taken)
    @rule(number=numbers, where=st.integers(0, 1))
    def the_same_elsewhere(self, number: int, where: int) -> None:
        """At another gate or on another chain, where the same people have the same roles."""
        world = self.elsewhere[where]
        for call in self.world.taken[-1 - number % 16 :]:
            if call.sender == self.address("governor"):
                continue
            taken = world.repeat(call)
            assert not (taken and call.function in BY_SIGNATURE and call.args[-1])

    @precondition(lambda self: self.world.taken)
    @rule(number=numbers, cut=st.integers(1, 40), form=st.sampled_from(("cut", "dirty", "unknown")))
    def garbled(self, number: int, cut: int, form: str) -> None:
        """Calldata that says nothing: it must revert and leave no trace."""
        taken = self.world.taken
        call = taken[-1 - number % min(len(taken), 12)]
        data = self.world.calldata(call)
        words = (len(data) - 4) // 32
        if form == "unknown" or not words:
            data = keccak(data)[:4] + data[4:]
        elif form == "dirty" and call.args and isinstance(call.args[0], Proposal):
            at = 4 + 32 * (0, 2, 5, 6)[cut % 4]  # kind, ttl, deadline, agent
            data = self.world.calldata(Call(call.sender, "execute", call.args[:1]))
            data = data[:at] + b"\x01" + data[at + 1 :]
        else:
            data = data[: 4 + 32 * (words - 1 - cut % words)]
        head = self.world.raw("auditHead")
        with pytest.raises(RuntimeError):
            self.world.evm.call(call.sender, self.world.contract.address, data)
        assert self.world.raw("auditHead") == head

    # ---------------------------------------------------------------- questions

    @rule(agent=agents, what=st.sampled_from(TARGETS), ttl=ttls, model=models)
    def ask(self, agent: str, what: Any, ttl: int, model: bytes) -> None:
        agree, (kind, key) = self.world.agree, what
        agree("verdict", self.address(agent), int(kind), key, ttl, model)
        made = self.draft(agent, (kind, key, ttl), model=model)
        for view in ("idOf", "approvalDigest", "rejectionDigest", "releaseDigest", "stateOf"):
            agree(view, made)
        for name in ("ssh:deploy", "ssh:admin"):
            credential = next(k for k, text in TEXTS.items() if text == name)
            for resource in RESOURCE_KEYS:
                agree("isAuthorizedFrom", NETWORK_KEYS[ttl % len(NETWORKS)], credential, resource)

    @precondition(lambda self: self.batches)
    @rule(number=numbers)
    def ask_about_a_batch(self, number: int) -> None:
        batch = self.pick_batch(number)
        self.world.agree("batchIdOf", batch)
        names: list[Any] = []
        if batch.kind is Kind.ISOLATE:
            pages = [page_of(batch, target) for target in batch.targets]
            if not self.model.sealed >= set(pages):
                return
            keys = [self.model.page_keys(page) for page in pages]
            names = [tuple(page_words(*pair)) for pair in zip(keys, batch.targets, strict=True)]
        self.world.agree("batchApprovalDigest", batch, tuple(names))
        self.world.agree("batchReleaseDigest", batch, tuple(names))


def _target(what: Proposal | Batch) -> bytes:
    return what.target if isinstance(what, Proposal) else what.targets[0].to_bytes(32)


def _changed(batch: Batch, how: int) -> Batch:
    """Another one of the same agent and nonce, where `how` says so."""
    changes = {1: {"ttl": 3600}, 2: {"evidence": DIGEST}, 3: {"criticality": batch.criticality + 1}}
    return replace(batch, **changes.get(how, {}))


def _tree(leaves: list[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Root and the proof of each leaf: a tree of sorted pairs, of whatever shape."""
    level, proofs = [(leaf, [i]) for i, leaf in enumerate(leaves)], [[] for _ in leaves]
    while len(level) > 1:
        (one, left), (other, right), *rest = level
        for i in left:
            proofs[i].append(other)
        for i in right:
            proofs[i].append(one)
        level = [*rest, (bytes(keccak(min(one, other) + max(one, other))), left + right)]
    return level[0][0], proofs
