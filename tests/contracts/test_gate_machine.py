"""Random histories of the whole gate, against a plain model and against its guarantees.

The machine drives gate and model side by side: each call must succeed in both or be refused in both
for the same reason, and every view must agree after each step. `Witness` then judges the gate by
its events alone, without the model's idea of what comes next.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from gate_model import GateModel, Network, Refused, Signed
from gate_witness import Witness
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from scene import (
    AGENT,
    ASSETS,
    CARD,
    CREDENTIALS,
    ENFORCER,
    GUARDIAN,
    LIMITS,
    MODEL,
    NOW,
    OPERATOR,
    PROTECTED,
    RULES,
    STATUS,
    People,
    account,
    compiled_wallet,
    make_gate,
    refused,
)
from signing import FORMS, Signer

from policies.actions import Kind, network_key
from responder.chain.proposal import Proposal, name_key

OTHER_MODEL = b"\x0a" * 32
NETWORKS = (
    "203.0.113.9/32",
    "203.0.113.0/24",
    "203.0.0.0/16",
    "0.0.0.0/0",
    "198.51.100.7/32",
    "2001:db8:2::1/128",
    "2001:db8:2::/64",
    "2001:db8:1::/64",
    "::/0",
)
MALFORMED = (4 << 136 | 24 << 128 | 0xCB007109, 7 << 136, 6 << 136 | 128 << 128 | 0xFFFF << 32)
KEYS = {network_key(text).to_bytes(32): text for text in NETWORKS}
KEYS |= {network_key(text).to_bytes(32): text for text in PROTECTED}
TARGETS = [
    *((Kind.BLOCK, key) for key in KEYS),
    *((Kind.BLOCK, key.to_bytes(32)) for key in MALFORMED),
    *((Kind.ISOLATE, name_key(name)) for name in (*ASSETS, "unknown")),
    *((Kind.REVOKE, name_key(name)) for name in (*CREDENTIALS, "unknown")),
]
USUAL = (
    (Kind.ISOLATE, name_key("web"), 600),
    (Kind.BLOCK, network_key(NETWORKS[0]).to_bytes(32), 600),
    (Kind.ISOLATE, name_key("web"), 60),
    (Kind.BLOCK, network_key(NETWORKS[1]).to_bytes(32), 3600),
    (Kind.REVOKE, name_key("ssh:deploy"), 60),
    (Kind.ISOLATE, name_key("files"), 600),
)
AGENTS = ("agent", "second agent")
OPERATORS = ("operator 0", "operator 1", "operator 2", "wallet")
NAMES = (*AGENTS, *OPERATORS, "guardian", "enforcer", "governor", "stranger")
TTLS = (0, 1, 600, 3600, 3601)

callers = tuple(name for name in NAMES if name != "wallet")  # a contract begins no transaction
people = st.sampled_from(callers)
voters = st.sampled_from((*OPERATORS[:3] * 3, "guardian", "stranger", "agent"))
agents = st.sampled_from((*AGENTS, *AGENTS, "stranger"))
operators = st.sampled_from((*OPERATORS, *OPERATORS, *OPERATORS, "guardian", "stranger"))
guardians = st.sampled_from(("guardian",) * 4 + callers)
models = st.sampled_from((MODEL,) * 6 + (OTHER_MODEL, bytes(32)))
targets = st.sampled_from(TARGETS)
forms = st.sampled_from(("good",) * 8 + FORMS)
signers = st.lists(st.tuples(operators, forms), max_size=4)
good_signers = st.lists(st.sampled_from(OPERATORS), min_size=2, max_size=4, unique=True).map(
    lambda names: [(name, "good") for name in names]
)
signatures = st.one_of(good_signers, signers)
good_keys = st.lists(st.sampled_from(OPERATORS[:3]), min_size=2, max_size=3, unique=True)
anything = st.builds(lambda what, ttl: (*what, ttl), targets, st.sampled_from(TTLS))
numbers = st.integers(0, 1 << 30)


def _asset_change(name: str, criticality: int, safe: bool) -> tuple[Any, ...]:
    return "_asset", name, ASSETS[name][0], criticality, safe


def _rule_change(cell: tuple[Kind, int], quorum: int, budget: int) -> tuple[Any, ...]:
    made = (True, RULES[cell][1], quorum, 3600, budget) if quorum else (False, False, 0, 0, 0)
    return "_rule", *cell, made


governance = st.one_of(
    st.tuples(st.just("_role"), st.sampled_from(NAMES), st.sampled_from((0, 0, 1, 2, 2, 4, 6, 8))),
    st.builds(_asset_change, st.sampled_from(list(ASSETS)), st.integers(0, 2), st.booleans()),
    st.tuples(
        st.just("_credential"), st.sampled_from(list(CREDENTIALS)), st.just(1), st.booleans()
    ),
    st.tuples(st.just("_protect"), st.sampled_from(list(KEYS)), st.booleans()),
    st.tuples(st.just("_activate"), st.sampled_from((MODEL, OTHER_MODEL)), st.booleans()),
    st.builds(_rule_change, st.sampled_from(list(RULES)), st.integers(0, 4), st.integers(1, 4)),
    st.builds(
        lambda window, quorum: ("_limits", (window, 900, quorum, quorum, 86400)),
        st.sampled_from((600, 3600)),
        st.integers(1, 3),
    ),
)


class GateMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        named = {name: account(name) for name in NAMES}
        everyone = People(
            governor=named["governor"],
            agent=named["agent"],
            operators=tuple(named[name] for name in OPERATORS[:3]),
            guardian=named["guardian"],
            enforcer=named["enforcer"],
            stranger=named["stranger"],
        )
        self.gate = make_gate(everyone)
        owner = named["wallet"].address
        wallet = self.gate.evm.deploy(compiled_wallet(), owner, sender=owner)
        self.addresses = {name: named[name].address for name in NAMES}
        self.addresses["wallet"] = wallet.address
        self.signer = Signer(self.gate, named, self.addresses)
        networks = {key: _network(text) for key, text in KEYS.items()}
        malformed: dict[bytes, Network | None] = {key.to_bytes(32): None for key in MALFORMED}
        self.model = GateModel(NOW, self.gate.domain, malformed | networks)
        self.witness = Witness(self.gate, networks)
        self.proposals: list[Proposal] = []
        self.leases: list[tuple[Any, list[Any]]] = []
        self._configure()

    def _configure(self) -> None:
        self._limits(LIMITS)
        for names, role in ((AGENTS, AGENT), (OPERATORS, OPERATOR)):
            for name in names:
                self._role(name, role)
        self._role("guardian", GUARDIAN)
        self._role("enforcer", ENFORCER)
        for (kind, criticality), cell in RULES.items():
            self._rule(kind, criticality, cell)
        for name, (zone, criticality, safe) in ASSETS.items():
            self._asset(name, zone, criticality, safe)
        for name, (criticality, safe) in CREDENTIALS.items():
            self._credential(name, criticality, safe)
        for text in PROTECTED:
            self._protect(network_key(text).to_bytes(32), True)
        self._activate(MODEL, True)
        self._activate(OTHER_MODEL, True)

    # ---------------------------------------------------------------- governance

    def _role(self, name: str, roles: int) -> None:
        self.gate.govern("setRoles", self.addresses[name], roles)
        self.model.roles[self.addresses[name]] = roles

    def _limits(self, limits: tuple[int, int, int, int, int]) -> None:
        self.gate.govern("setLimits", limits)
        self.model.limits = limits

    def _rule(self, kind: Kind, criticality: int, cell: tuple[bool, bool, int, int, int]) -> None:
        self.gate.govern("setRule", int(kind), criticality, cell)
        self.model.rules[int(kind), criticality] = cell

    def _asset(self, name: str, zone: str, criticality: int, safe: bool) -> None:
        self.gate.govern("setAsset", name, zone, criticality, safe)
        self.model.assets[name_key(name)] = (zone, criticality, safe)
        self.signer.assets[name_key(name)] = (name, zone, criticality)

    def _credential(self, name: str, criticality: int, safe: bool) -> None:
        self.gate.govern("setCredential", name, criticality, safe)
        self.model.credentials[name_key(name)] = ("", criticality, safe)
        self.signer.credentials[name_key(name)] = (name, "", criticality)

    def _protect(self, key: bytes, safe: bool) -> None:
        self.gate.govern("setProtectedNetwork", key, safe)
        (self.model.protected.add if safe else self.model.protected.discard)(key)

    def _activate(self, model: bytes, active: bool) -> None:
        self.gate.govern("setModel", model, CARD, active)
        (self.model.models.add if active else self.model.models.discard)(model)

    @rule(change=governance)
    def governance_changes(self, change: tuple[Any, ...]) -> None:
        method, *args = change
        getattr(self, method)(*args)

    @rule()
    def roles_are_as_at_first(self) -> None:
        for name in (*AGENTS, *OPERATORS):
            self._role(name, AGENT if name in AGENTS else OPERATOR)
        for model in (MODEL, OTHER_MODEL):
            self._activate(model, True)

    @rule(name=people, function=st.sampled_from(("setRoles", "setLimits", "setModel")))
    def no_one_else_governs(self, name: str, function: str) -> None:
        if name == "governor":
            return
        sender = self.addresses[name]
        args = {
            "setRoles": (sender, OPERATOR),
            "setLimits": ((1, 1, 1, 1, 1),),
            "setModel": (OTHER_MODEL, CARD, True),
        }[function]
        with refused("AccessManagedUnauthorized", sender):
            self.gate.send(function, *args, sender=sender)

    # ---------------------------------------------------------------- people and programs

    def _both(self, act: Callable[..., None], *args: Any, call: tuple[Any, ...], by: str) -> bool:
        """Whether both took it; fails where only one did, or for another reason."""
        function, *values = call
        try:
            act(*args)
        except Refused as error:
            with refused(error.name, *error.values):
                self.gate.send(function, *values, sender=by)
            return False
        self.gate.send(function, *values, sender=by)
        return True

    @initialize(count=st.integers(0, 3))
    def begin(self, count: int) -> None:
        for what in USUAL[:count]:
            self.propose_well("agent", what, 900)

    @rule(
        name=st.sampled_from(AGENTS),
        what=st.sampled_from(USUAL),
        wait=st.sampled_from((300, 900)),
    )
    def propose_well(self, name: str, what: Any, wait: int) -> None:
        deadline, address = self.gate.evm.now + wait, self.addresses[name]
        self._propose(address, self.gate.proposal(*what, deadline=deadline, agent=address))

    @rule(
        caller=agents,
        other=st.integers(0, 9),
        what=targets,
        ttl=st.sampled_from(TTLS),
        model=models,
        wait=st.sampled_from((0, 1, 300, 900, 900, 900, 901)),
    )
    def propose_anything(
        self, caller: str, other: int, what: Any, ttl: int, model: bytes, wait: int
    ) -> None:
        agent = AGENTS[1] if other == 0 else caller
        deadline = self.gate.evm.now + wait
        address = self.addresses[agent]
        made = self.gate.proposal(*what, ttl, model=model, deadline=deadline, agent=address)
        self._propose(self.addresses[caller], made)

    @rule(
        caller=agents,
        what=st.one_of(st.sampled_from(USUAL), anything),
        behind=st.sampled_from((0, 0, 0, 0, -1, 1, 2, 31, 32, 40)),
        names=st.one_of(good_keys, st.lists(voters, max_size=4)),
    )
    def propose_approved(self, caller: str, what: Any, behind: int, names: list[str]) -> None:
        address = self.addresses[caller]
        made = self.gate.proposal(*what, agent=address)
        proposal = replace(made, nonce=max(0, made.nonce - behind))
        try:
            signed = self.signer.compact(proposal, names)
        except (KeyError, ValueError):  # no wallet shows what is not registered
            signed = []
        call = ("proposeApproved", proposal.abi(), signed)
        meant = [(self.addresses[name], True) for name in names[: len(signed)]]
        if self._both(self.model.propose, address, proposal, meant, call=call, by=address):
            self.proposals.append(proposal)

    @precondition(lambda self: self.proposals)
    @rule(number=numbers)
    def propose_again(self, number: int) -> None:
        proposal = self._pick(number)
        self._propose(proposal.agent, proposal)

    def _propose(self, sender: str, proposal: Proposal) -> None:
        call = ("propose", proposal.abi())
        if self._both(self.model.propose, sender, proposal, call=call, by=sender):
            self.proposals.append(proposal)

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, name=voters, approve=st.booleans())
    def vote(self, number: int, name: str, approve: bool) -> None:
        self._vote(self._pick(number), self.addresses[name], approve)

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, names=st.lists(st.sampled_from(OPERATORS[:3]), max_size=3, unique=True))
    def approve_and_execute(self, number: int, names: list[str]) -> None:
        proposal = self._pick(number)
        for name in names:
            self._vote(proposal, self.addresses[name], approve=True)
        self._execute(proposal, "stranger")

    def _vote(self, proposal: Proposal, voter: str, approve: bool) -> None:
        call = ("approve" if approve else "reject", proposal.abi())
        self._both(self.model.vote, proposal, [(voter, True)], approve, call=call, by=voter)

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, signed=signatures, approve=st.booleans(), relay=people)
    def vote_by_signature(
        self, number: int, signed: list[tuple[str, str]], approve: bool, relay: str
    ) -> None:
        proposal = self._pick(number)
        sent, meant = self.signer.decisions(
            "Approval" if approve else "Rejection", proposal, signed
        )
        call = ("approveBySig" if approve else "rejectBySig", proposal.abi(), sent)
        by = self.addresses[relay]
        self._both(self.model.vote, proposal, meant, approve, call=call, by=by)

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, field=st.sampled_from(("ttl", "nonce", "evidence", "deadline")))
    def a_changed_proposal_is_another(self, number: int, field: str) -> None:
        proposal = self._pick(number)
        value = getattr(proposal, field)
        changed = value + 1 if isinstance(value, int) else bytes(31) + b"\x09"
        other = replace(proposal, **{field: changed})
        self._execute(other, "agent")

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, name=people)
    def execute(self, number: int, name: str) -> None:
        self._execute(self._pick(number), name)

    def _execute(self, proposal: Proposal, name: str) -> None:
        call = ("execute", proposal.abi())
        self._both(self.model.execute, proposal, call=call, by=self.addresses[name])

    @precondition(lambda self: self.proposals)
    @rule(number=numbers, name=guardians)
    def veto(self, number: int, name: str) -> None:
        proposal, by = self._pick(number), self.addresses[name]
        self._both(self.model.veto, by, proposal, call=("veto", proposal.abi()), by=by)

    @precondition(lambda self: self.model.orders)
    @rule(number=numbers, signed=signatures)
    def release(self, number: int, signed: list[tuple[str, str]]) -> None:
        orders = list(self.model.orders.values())
        proposal = orders[number % len(orders)].proposal
        sent, meant = self.signer.decisions("Release", proposal, signed)
        call = ("release", proposal.abi(), sent)
        by = self.addresses["stranger"]
        self._both(self.model.release, proposal, meant, call=call, by=by)

    @rule(number=numbers, name=people, outcome=st.integers(0, 3))
    def file_receipt(self, number: int, name: str, outcome: int) -> None:
        none = self.gate.proposal(Kind.ISOLATE, "web")
        proposal = self._pick(number) if self.proposals else none
        by = self.addresses[name]
        call = ("fileReceipt", proposal.abi(), outcome, b"\x05" * 32)
        self._both(self.model.receipt, by, proposal, call=call, by=by)

    @rule(
        name=agents,
        model=models,
        budget=st.integers(0, 3),
        criticality=st.integers(0, 4),
        ttl=st.sampled_from(TTLS),
        wait=st.sampled_from((0, 600, 86400, 86401)),
        signed=signatures,
    )
    def grant_lease(
        self,
        name: str,
        model: bytes,
        budget: int,
        criticality: int,
        ttl: int,
        wait: int,
        signed: list[tuple[str, str]],
    ) -> None:
        lease = self.gate.lease(
            agent=self.addresses[name],
            model=model,
            blocks=budget,
            isolations=budget,
            max_criticality=criticality,
            max_ttl=ttl,
            expires=self.gate.evm.now + wait,
        )
        self._grant_to(lease, signed)

    @rule(name=st.sampled_from(AGENTS), signed=good_signers, ttl=st.sampled_from((60, 3600)))
    def grant_a_good_lease(self, name: str, signed: list[tuple[str, str]], ttl: int) -> None:
        self._grant_to(self.gate.lease(agent=self.addresses[name], max_ttl=ttl), signed)

    def _grant_to(self, lease: Any, signed: list[tuple[str, str]]) -> None:
        sent, meant = self.signer.lease(lease, signed)
        self._grant(lease, sent, meant)

    @precondition(lambda self: self.leases)
    @rule(number=numbers)
    def grant_lease_again(self, number: int) -> None:
        lease, sent = self.leases[number % len(self.leases)]
        self._grant(lease, sent, [(signer, True) for signer, _ in sent])

    def _grant(self, lease: Any, sent: list[Any], meant: Signed) -> None:
        id_ = self.gate.view("leaseDigest", lease.abi())
        call = ("grantLease", lease.abi(), sent)
        by = self.addresses["stranger"]
        if self._both(self.model.grant, lease, id_, meant, call=call, by=by):
            self.leases.append((lease, sent))

    @rule(name=guardians, agent=agents)
    def end_lease(self, name: str, agent: str) -> None:
        by, whose = self.addresses[name], self.addresses[agent]
        self._both(self.model.end_lease, by, whose, call=("endLease", whose), by=by)

    @rule(seconds=st.sampled_from((1, 1, 60, 60, 299, 300, 600, 3600)))
    def time_passes(self, seconds: int) -> None:
        self.gate.evm.advance(seconds)
        self.model.now = self.gate.evm.now

    @rule(agent=agents, what=targets, ttl=st.sampled_from(TTLS), model=models)
    def ask(self, agent: str, what: Any, ttl: int, model: bytes) -> None:
        proposal = self.gate.proposal(*what, ttl, model=model, agent=self.addresses[agent])
        question = (proposal.agent, int(proposal.kind), proposal.target, ttl, model)
        assert self.gate.view("verdict", *question) == self.model.verdict(proposal)

    def _pick(self, number: int) -> Proposal:
        """The later ones more often: most of the early ones are decided."""
        recent = self.proposals[-4:]
        return (recent if number % 4 else self.proposals)[number // 4 % len(recent)]

    # ---------------------------------------------------------------- what always holds

    @invariant()
    def the_guarantees_hold(self) -> None:
        self.witness.hear()

    @invariant()
    def every_proposal_is_as_the_model_says(self) -> None:
        for proposal in self.proposals:
            status, approvals, needed, until = self.gate.view("stateOf", proposal.abi())
            entry = self.model.entries[proposal.id(self.gate.domain)]
            assert STATUS[status] == self.model.status(proposal)
            assert approvals == self.model.count(entry.approvals)
            assert (needed, until) == (self.model.quorum(proposal), entry.until)

    @invariant()
    def the_containment_is_as_the_model_says(self) -> None:
        for kind, target in self.model.orders:
            assert self.gate.view("orderedUntil", int(kind), target) == self.model.ordered_until(
                kind, target
            )
            if kind is not Kind.BLOCK:
                view = "isIsolated" if kind is Kind.ISOLATE else "isRevoked"
                ordered = bool(self.model.ordered_until(kind, target))
                assert self.gate.view(view, target) == ordered
        if any(kind is Kind.BLOCK for kind, _ in self.model.orders):
            for key, text in KEYS.items():
                blocked = self.model.is_blocked(_network(text))
                assert self.gate.view("isBlocked", key) == blocked

    @invariant()
    def every_lease_is_as_the_model_says(self) -> None:
        for name in AGENTS:
            grant = self.model.lease_of(self.addresses[name])
            nothing = (bytes(32), 0, (0, 0, 0), (0, 0, 0))
            expected = (
                (grant.id, grant.lease.expires, grant.lease.budgets, tuple(grant.spent))
                if grant
                else nothing
            )
            assert self.gate.view("leaseOf", self.addresses[name]) == expected


def _network(text: str) -> Network:
    return ipaddress.ip_network(text)


def _profile(examples: int, steps: int, random: bool) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not random,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def test_random_histories_of_the_gate() -> None:
    run_state_machine_as_test(GateMachine, settings=_profile(50, 40, random=False))


@pytest.mark.slow
def test_many_random_histories_of_the_gate() -> None:
    run_state_machine_as_test(GateMachine, settings=_profile(2000, 60, random=True))
