"""Rules about single proposals and their orders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from machine_base import (
    Base,
    agents,
    callers,
    good_signers,
    guardians,
    key_signers,
    models,
    numbers,
    signers,
    ttls,
    usual,
    voters,
    waits,
)
from machine_tables import AGENTS, OPERATORS, TARGETS
from model_state import Order

from policies.actions import Kind
from responder.chain.proposal import Proposal

targets = st.sampled_from(TARGETS)


class Proposals(Base):
    # ---------------------------------------------------------------- proposing

    @rule(agent=st.sampled_from(AGENTS), what=usual, wait=st.sampled_from((300, 900)))
    def propose_well(self, agent: str, what: Any, wait: int) -> None:
        self.propose_now(agent, self.draft(agent, what, wait))

    @rule(
        caller=agents,
        other=st.integers(0, 9),
        what=targets,
        ttl=ttls,
        model=models,
        wait=waits,
        ahead=st.sampled_from((0, 0, 0, 0, 0, 1, -1, 30, 33, 1 << 31, 1 << 32)),
    )
    def propose_anything(
        self, caller: str, other: int, what: Any, ttl: int, model: bytes, wait: int, ahead: int
    ) -> None:
        agent = AGENTS[1] if other == 0 else caller
        made = self.draft(agent, (*what, ttl), wait, model=model)
        far = ahead == 1 << 31 and other  # after it no other nonce is left for long
        nonce = max(0, made.nonce + (0 if far else ahead))
        self.propose_now(caller, replace(made, nonce=nonce))

    @rule(agent=st.sampled_from(AGENTS), what=usual, wait=st.sampled_from((900, 900, 1 << 32)))
    def draft_one(self, agent: str, what: Any, wait: int) -> None:
        self.proposals.append(self.draft(agent, what, wait))

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, caller=agents, own=st.integers(0, 5))
    def propose_one_made_before(self, number: int, caller: str, own: int) -> None:
        proposal = self.pick(number)
        name = next(n for n, a in self.world.addresses.items() if a == proposal.agent)
        self.propose_now(name if own else caller, proposal)

    @rule(
        caller=agents,
        what=st.one_of(usual, usual, st.tuples(targets, ttls).map(lambda two: (*two[0], two[1]))),
        model=models,
        behind=st.sampled_from((0, 0, 0, 0, 0, 1, 2, 31, 32)),
        signed=key_signers,
        early=st.booleans(),
    )
    def propose_approved(
        self, caller: str, what: Any, model: bytes, behind: int, signed: Any, early: bool
    ) -> None:
        made = self.draft(caller, what, model=model)
        made = replace(made, nonce=max(0, made.nonce - behind))
        drafts = [p for p in self.proposals if p.agent == made.agent and self._is_draft(p)]
        self._propose_approved(caller, drafts[-1] if drafts and early else made, signed)

    @rule(agent=st.sampled_from(AGENTS), what=usual, signed=good_signers)
    def propose_approved_well(self, agent: str, what: Any, signed: Any) -> None:
        signed = [who for who in signed if who[0] != "wallet"]
        self._propose_approved(agent, self.draft(agent, what), signed)

    def _is_draft(self, proposal: Proposal) -> bool:
        return self.model.status(proposal) in ("NONE", "VETOED")

    def _propose_approved(self, name: str, proposal: Proposal, signed: Any) -> None:
        signatures = self.halves(self.decided("Approval", proposal), signed)
        done = self.send("proposeApproved", name, proposal, signatures)
        if done and proposal not in self.proposals:
            self.proposals.append(proposal)

    # ---------------------------------------------------------------- deciding

    @rule(number=numbers, name=voters, function=st.sampled_from(("approve", "approve", "reject")))
    def vote(self, number: int, name: str, function: str) -> None:
        self.send(function, name, self.pick_open(number))

    @rule(number=numbers, signed=signers, approve=st.booleans(), relay=callers)
    def vote_by_signature(self, number: int, signed: Any, approve: bool, relay: str) -> None:
        proposal = self.pick_open(number)
        signatures = self.sign(
            self.decided("Approval" if approve else "Rejection", proposal), signed
        )
        self.send("approveBySig" if approve else "rejectBySig", relay, proposal, signatures)

    @rule(number=numbers, name=voters)
    def withdraw(self, number: int, name: str) -> None:
        self.send("withdraw", name, self.pick_open(number))

    @rule(number=numbers, name=guardians)
    def veto(self, number: int, name: str) -> None:
        self.send("veto", name, self.pick_open(number))

    @rule(number=numbers, name=callers)
    def execute(self, number: int, name: str) -> None:
        self.send("execute", name, self.pick_open(number))

    @rule(
        number=numbers,
        names=st.lists(st.sampled_from(OPERATORS[:4]), min_size=2, unique=True),
        wait=st.sampled_from((0, 59, 60, 299, 300)),
    )
    def approve_and_execute(self, number: int, names: list[str], wait: int) -> None:
        proposal = self.pick_open(number)
        for name in names:
            self.send("approve", name, proposal)
        self.world.agree("stateOf", proposal)
        self.advance(wait)
        self.send("execute", "stranger", proposal)

    @rule(agent=st.sampled_from(AGENTS), what=usual)
    def propose_and_execute(self, agent: str, what: Any) -> None:
        """Whatever its rule asks for."""
        proposal = self.draft(agent, what)
        self.propose_now(agent, proposal)
        if self.model.status(proposal) != "PENDING":
            return
        for name in OPERATORS[:4]:
            self.send("approve", name, proposal)
        self.advance(self.model.rule_for(proposal.kind, proposal.target)[2])
        self.send("execute", "stranger", proposal)

    @precondition(lambda self: self.proposals)
    @rule(
        number=numbers,
        field=st.sampled_from(("ttl", "nonce", "evidence", "deadline", "model")),
        function=st.sampled_from(("execute", "approve", "veto")),
    )
    def a_changed_proposal_is_another(self, number: int, field: str, function: str) -> None:
        proposal = self.pick(number)
        value = getattr(proposal, field)
        changed = value + 1 if isinstance(value, int) else bytes(31) + b"\x09"
        sender = {"approve": "operator 0", "veto": "guardian"}.get(function, "stranger")
        self.send(function, sender, replace(proposal, **{field: changed}))

    # ---------------------------------------------------------------- ending

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, signed=signers, live=st.booleans())
    def release(self, number: int, signed: Any, live: bool) -> None:
        found = [p for p in self.proposals if self.live(p)]
        proposal = found[number % len(found)] if found and live else self.pick(number)
        signatures = self.sign(self.decided("Release", proposal), signed)
        self.send("release", "stranger", proposal, signatures)

    @rule(number=numbers, kind=st.sampled_from(Kind), ended=st.sampled_from((1, 1, 1, 0)))
    def settle(self, number: int, kind: Kind, ended: int) -> None:
        def over(order: Order) -> bool:
            return order.counts and self.now >= order.until

        orders = {key: o for (what, key), o in self.model.orders.items() if what is kind}
        self.wait_for_an_end(orders.values(), number)
        keys = [key for key, order in orders.items() if over(order)]
        if not ended:
            known = [key for what, key in TARGETS if what is kind]
            keys = [*keys[:1], known[number % len(known)]] * 2
        self.send("settle", "stranger", int(kind), keys[: 1 + number % 4])
