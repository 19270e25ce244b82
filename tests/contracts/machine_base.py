"""What the rules of the machine share: the worlds, what was made in them, and what always holds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import machine_tables as tables
from evm import CHAIN_ID
from gate_model import GateModel
from gate_witness import Witness
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant
from machine_tables import (
    AGENTS,
    CREDENTIALS,
    GRANTS,
    NETWORKS,
    OPERATORS,
    PAGES,
    SOME,
    USUAL,
)
from machine_world import World
from model_state import PAGE, PageId
from signing import FORMS, Signer, digest_in

from policies.actions import Kind
from responder.chain.proposal import (
    Batch,
    Lease,
    Proposal,
    batch_message,
    decision_message,
    lease_message,
    model_message,
    name_key,
    page_groups,
    resume_message,
)

Digest = Callable[[str], bytes]  # of what is signed in this form

OTHER_MEANING: Any = {
    "Approval": "Rejection",
    "Rejection": "Release",
    "Release": "Approval",
    "BatchApproval": "BatchRelease",
    "BatchRelease": "BatchApproval",
}
SOME_ASSETS = [name_key(name) for name in SOME]
CREDENTIAL_KEYS = [name_key(name) for name in CREDENTIALS]
RESOURCE_KEYS = [name_key(name) for name in tables.RESOURCES]
NETWORK_KEYS = [tables.network(text) for text in NETWORKS]

numbers = st.integers(0, 1 << 16)
callers = st.sampled_from(tables.CALLERS)
agents = st.sampled_from((*AGENTS * 4, "stranger", "operator 0"))
voters = st.sampled_from((*OPERATORS[:4] * 4, "guardian", "stranger", "agent"))
guardians = st.sampled_from(("guardian",) * 6 + tables.CALLERS)
enforcers = st.sampled_from(tables.ENFORCERS * 4 + tables.CALLERS)
models = st.sampled_from(tables.MODELS[:1] * 8 + tables.MODELS)
ttls = st.sampled_from((0, 1, 60, 600, 600, 3600, 3601))
waits = st.sampled_from((0, 1, 300, 900, 900, 900, 900, 901))
usual = st.sampled_from(USUAL)
good_signers = st.lists(st.sampled_from(OPERATORS), min_size=3, unique=True).map(
    lambda names: [(name, "good") for name in names]
)
any_signers = st.lists(
    st.tuples(
        st.sampled_from((*OPERATORS * 3, "guardian", "stranger")),
        st.sampled_from(("good",) * 12 + FORMS),
    ),
    max_size=5,
)
signers = st.one_of(good_signers, good_signers, any_signers)
# Whose signatures are recovered: a contract has none.
key_signers = signers.map(lambda signed: [(n, form) for n, form in signed if n != "wallet"])


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


class Base(RuleBasedStateMachine):
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
        """One that waits, mostly."""
        open_ = [
            p for p in self.proposals if self.model.status(p) in ("PENDING", "WAITING", "READY")
        ]
        return _late(open_, number // 8) if open_ and number % 8 else self.pick(number // 8)

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

    # ---------------------------------------------------------------- what always holds

    @invariant()
    def all_is_well(self) -> None:
        """Of whatever changed: a call that is refused changes nothing, and time stands still."""
        since = len(self.world.taken), self.now
        if since != self.looked:
            self.looked = since
            self._gate_and_model_agree()
            self.witness.look()

    def _gate_and_model_agree(self) -> None:
        self.steps += 1
        self._registry_agrees()
        self._containment_agrees()
        for proposal in self.proposals[-10:] + self.proposals[: -10 : 1 + self.steps % 3]:
            self.world.agree("stateOf", proposal)
        for i in range(4):
            kind, target, ttl = USUAL[(self.steps + i) % len(USUAL)]
            agent = self.address(AGENTS[i % 2])
            self.world.agree("verdict", agent, int(kind), target, ttl, tables.MODELS[0])

    def _registry_agrees(self) -> None:
        agree = self.world.agree
        for view in ("limits", "operators", "pausedNow", "protectedNetworks", "resumeDigest"):
            agree(view)
        for name in tables.NAMES:
            agree("rolesOf", self.address(name))
        for name in tables.ENFORCERS:
            agree("enforcerScopeOf", self.address(name))
        for key in map(name_key, tables.ZONES):
            agree("zoneOf", key)
        for key in map(name_key, tables.POOLS):
            agree("poolOf", key)
        for kind in range(3):
            for criticality in range(4):
                agree("ruleOf", kind, criticality)
        for model in tables.MODELS:
            agree("modelOf", model)
        for key in RESOURCE_KEYS:
            agree("resourceOf", key)
        for principal, resource in GRANTS:
            agree("grantOf", name_key(principal), name_key(resource))

    def _containment_agrees(self) -> None:
        agree = self.world.agree
        for name in AGENTS:
            agree("leaseOf", self.address(name))
        for page in PAGES:
            agree("pageOf", *page)
        for key in SOME_ASSETS:
            agree("assetOf", key)
            agree("isIsolated", key)
            agree("orderedUntil", int(Kind.ISOLATE), key)
        for key in NETWORK_KEYS:
            agree("isBlocked", key)
            agree("orderedUntil", int(Kind.BLOCK), key)
        for key in CREDENTIAL_KEYS:
            agree("credentialOf", key)
            agree("isRevoked", key)
            agree("orderedUntil", int(Kind.REVOKE), key)
            for resource in RESOURCE_KEYS:
                agree("isAuthorized", key, resource)
        network = NETWORK_KEYS[self.steps % len(NETWORK_KEYS)]
        agree("isAuthorizedFrom", network, CREDENTIAL_KEYS[0], RESOURCE_KEYS[0])


def page_of(batch: Batch, target: int) -> PageId:
    return batch.zone, batch.criticality, target >> PAGE


def _late(made: list[Any], number: int) -> Any:
    recent = made[-4:]
    return (recent if number % 4 else made)[number // 4 % len(recent)]
