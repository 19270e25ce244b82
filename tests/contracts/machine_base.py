"""What the rules of the machine share: whom and what they draw, and what always holds."""

from __future__ import annotations

import machine_tables as tables
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant
from machine_stage import Stage
from machine_tables import AGENTS, CREDENTIALS, GRANTS, NETWORKS, OPERATORS, PAGES, SOME, USUAL
from signing import FORMS

from policies.actions import Kind
from responder.chain.proposal import name_key

SOME_ASSETS = [name_key(name) for name in SOME]
CREDENTIAL_KEYS = [name_key(name) for name in CREDENTIALS]
RESOURCE_KEYS = [name_key(name) for name in tables.RESOURCES]
NETWORK_KEYS = [tables.network(text) for text in NETWORKS]

numbers = st.integers(0, 1 << 16)
callers = st.sampled_from(tables.CALLERS)
agents = st.sampled_from((*AGENTS * 8, "stranger", "operator 0"))
voters = st.sampled_from((*OPERATORS[:4] * 4, "guardian", "stranger", "agent"))
guardians = st.sampled_from(("guardian",) * 24 + tables.CALLERS)
enforcers = st.sampled_from(tables.ENFORCERS[:1] * 20 + tables.ENFORCERS * 4 + tables.CALLERS)
models = st.sampled_from(tables.MODELS[:1] * 16 + tables.MODELS)
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


class Base(Stage, RuleBasedStateMachine):
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
