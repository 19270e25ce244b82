"""The stage of the machine: the worlds, what was made in them, and what people sign of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import machine_tables as tables
from evm import CHAIN_ID
from gate_model import GateModel
from gate_witness import Witness
from machine_tables import AGENTS, USUAL
from machine_world import World
from model_state import PAGE, Order, PageId
from signing import Signer, digest_in

from policies.actions import Kind
from responder.chain.proposal import (
    Batch,
    Lease,
    Proposal,
    batch_message,
    decision_message,
    lease_message,
    model_message,
    page_groups,
    resume_message,
)

WAITING = ("PENDING", "WAITING", "READY")
Digest = Callable[[str], bytes]  # of what is signed in this form

OTHER_MEANING: Any = {
    "Approval": "Rejection",
    "Rejection": "Release",
    "Release": "Approval",
    "BatchApproval": "BatchRelease",
    "BatchRelease": "BatchApproval",
}


@cache
def worlds() -> tuple[World, World, World]:
    """The machine's own; one of another gate; one of another chain."""
    return World(), World(spare_gates=1), World(chain_id=CHAIN_ID + 1)


@cache
def first_witness() -> Witness:
    world = worlds()[0]
    witness = Witness(world)
    for call, logs, head in world.history:
        witness.hear(call, logs, head)
    return witness


class Stage:
    def __init__(self) -> None:
        super().__init__()
        for world in worlds():
            world.begin()
        self.world, *self.elsewhere = worlds()
        self.witness = copy.deepcopy(first_witness(), {id(self.world): self.world})
        self.world.heard = self.witness.hear
        self.signer = Signer(tables.KEYS, self.world.addresses)
        self.proposals: list[Proposal] = []  # also drafts that no one proposed yet
        self.batches: list[Batch] = []
        self.steps, self.looked = 0, (-1, 0)

    @property
    def model(self) -> GateModel:
        return self.world.model

    @property
    def now(self) -> int:
        return self.world.evm.now

    def address(self, name: str) -> str:
        return self.world.addresses[name]

    def advance(self, seconds: int) -> None:
        for world in worlds():
            world.advance(seconds)

    def send(self, function: str, sender: str, *args: Any) -> bool:
        return self.world.send(function, sender, *args)

    def nonce(self, agent: str) -> int:
        """The next that no draft has."""
        address = self.address(agent)
        made = [p.nonce for p in (*self.proposals, *self.batches) if p.agent == address]
        return max(made, default=-1) + 1

    # ---------------------------------------------------------------- what is proposed

    def draft(self, agent: str, what: Any, wait: int = 900, **other: Any) -> Proposal:
        kind, target, ttl = what
        made = Proposal(
            kind=kind,
            target=target,
            ttl=ttl,
            model=tables.MODELS[0],
            evidence=tables.EVIDENCE,
            deadline=self.now + wait,
            agent=self.address(agent),
            nonce=self.nonce(agent),
        )
        return replace(made, **other)

    def pick(self, number: int) -> Proposal:
        """The later ones more often: most of the early ones are decided."""
        return _late(self.proposals, number)

    def pick_open(self, number: int) -> Proposal:
        """One that waits, mostly: if there is none, it is made first."""
        waiting = [p for p in self.proposals if self.model.status(p) in WAITING]
        if not self.proposals or (number % 8 and not waiting):
            agent = AGENTS[number % 2]
            self.propose_now(agent, self.draft(agent, USUAL[number // 8 % len(USUAL)]))
            return self.proposals[-1]
        return _late(waiting, number // 8) if number % 8 else self.pick(number // 8)

    def propose_now(self, name: str, proposal: Proposal) -> None:
        self.send("propose", name, proposal)
        if proposal not in self.proposals:
            self.proposals.append(proposal)

    def live(self, made: Proposal | Batch) -> bool:
        """Whether all it ordered is."""
        return bool(orders := self.orders_of(made)) and all(map(self.model.is_live, orders))

    def orders_of(self, made: Proposal | Batch) -> list[Order]:
        """The last ones on its targets, where they are its own."""
        found: list[Order | None]
        if isinstance(made, Proposal):
            found = [self.model.orders.get((made.kind, made.target))]
        else:
            found = [self.model.order_of(made, target) for target in made.targets]
        id_ = made.id(self.world.domain)
        return [order for order in found if order and order.id == id_]

    def wait_for_an_end(self, orders: Iterable[Order], number: int) -> None:
        """Until the first of those that count is over, where it lies ahead and chance wants it."""
        ahead = [order.until - self.now for order in orders if order.counts and not order.released]
        if number % 4 and ahead and min(ahead) > 0:
            self.advance(min(ahead))

    def pick_batch(self, number: int) -> Batch:
        return _late(self.batches, number)

    # ---------------------------------------------------------------- what is signed

    def decided(self, decision: Any, proposal: Proposal) -> Digest | None:
        """None where no wallet has a name to show."""
        try:
            words = self.model.words(proposal)
        except KeyError:
            return None

        def message(domain: Any, form: str) -> Any:
            meant = OTHER_MEANING[decision] if form == "other meaning" else decision
            changed = form == "other content"
            about = replace(proposal, nonce=proposal.nonce ^ 1) if changed else proposal
            return decision_message(meant, about, words, domain)

        return lambda form: digest_in(form, self.world.domain, message)

    def decided_batch(self, decision: Any, batch: Batch) -> Digest:
        groups = self.names(batch)
        zone = tables.TEXTS[batch.zone] if batch.kind is Kind.ISOLATE else ""

        def message(domain: Any, form: str) -> Any:
            meant = OTHER_MEANING[decision] if form == "other meaning" else decision
            changed = form == "other content"
            about = replace(batch, nonce=batch.nonce ^ 1) if changed else batch
            return batch_message(meant, about, groups, zone, domain)

        return lambda form: digest_in(form, self.world.domain, message)

    def names(self, batch: Batch) -> list[list[str]]:
        """As wallets show them."""
        keys = [target.to_bytes(32) for target in batch.targets]
        if batch.kind is Kind.BLOCK:
            return [[self.model.text(key) for key in keys]]
        if batch.kind is Kind.REVOKE:
            return [[tables.TEXTS[key] for key in keys]]
        groups = []
        for target in batch.targets:
            names = [tables.TEXTS[key] for key in self.model.page_keys(page_of(batch, target))]
            groups += page_groups(names, target)
        return groups

    def leased(self, lease: Lease) -> Digest:
        def message(domain: Any, form: str) -> Any:
            changed = form in ("other meaning", "other content")
            return lease_message(
                replace(lease, nonce=lease.nonce ^ 1) if changed else lease, domain
            )

        return lambda form: digest_in(form, self.world.domain, message)

    def activated(self, model: bytes, card: bytes, revision: int, deadline: int) -> Digest:
        def message(domain: Any, form: str) -> Any:
            changed = form in ("other meaning", "other content")
            return model_message(model, card, revision + changed, deadline, domain)

        return lambda form: digest_in(form, self.world.domain, message)

    def resumed(self) -> Digest:
        def message(domain: Any, form: str) -> Any:
            changed = form in ("other meaning", "other content")
            return resume_message(self.model.pauses + changed, domain)

        return lambda form: digest_in(form, self.world.domain, message)

    def sign(self, digest: Digest | None, signed: Any) -> list[tuple[str, bytes]]:
        return self.signer.all(digest, signed) if digest else []

    def halves(self, digest: Digest | None, signed: Any) -> list[tuple[bytes, bytes]]:
        return self.signer.halves(digest, signed) if digest else []


def page_of(batch: Batch, target: int) -> PageId:
    return batch.zone, batch.criticality, target >> PAGE


def _late(made: list[Any], number: int) -> Any:
    recent = made[-4:]
    return (recent if number % 4 else made)[number // 4 % len(recent)]
