"""The scene of the contract tests: people, tables, a gate in process, and what people sign."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from typing import Any

from build_artifacts import compile_contracts
from eth_account import Account
from eth_account.signers.local import LocalAccount
from evm import CHAIN_ID, Contract, Emitted, Evm, Reverted

from policies.actions import Kind, network_criticality, network_key
from responder.chain.events import artifact
from responder.chain.proposal import (
    Domain,
    Lease,
    Proposal,
    Words,
    decision_message,
    lease_message,
    model_message,
    name_key,
    network_text,
    resume_message,
)

NOW = 1_900_000_800  # a multiple of the window, so that tests know where it ends
AGENT, OPERATOR, GUARDIAN, ENFORCER = 1, 2, 4, 8
ALL_KINDS = 7
# window, maxPending, maxLease, receiptDue, leaseQuorum, releaseQuorum, modelQuorum
LIMITS = (3600, 900, 86400, 120, 2, 2, 2)
MODEL, CARD, EVIDENCE = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
OPEN = (100, 0, 0, 0, 0, 0)  # a zone without limits
ZONES = {"dmz": OPEN, "office": OPEN, "core": OPEN}
ASSETS = {  # id: zone, criticality, protected
    "web": ("dmz", 0, False),
    "files": ("office", 1, False),
    "mail": ("office", 2, False),
    "erp": ("core", 3, False),
    "gateway": ("core", 0, True),
}
CREDENTIALS = {"ssh:deploy": (1, False), "ssh:admin": (2, False), "ssh:break-glass": (1, True)}
PRINCIPAL = "ops"  # of all credentials
PROTECTED = ("198.51.100.0/24", "2001:db8:1::/48")
ZONE_FIELDS = ("share", "extra", "frozen_from", "frozen_until", "opens", "length")
RULE_FIELDS = ("allowed", "leasable", "quorum", "groups", "delay", "max_ttl", "budget", "live")
RULES = {  # allowed, leasable, quorum, groups, delay, maxTtl, budget, live
    (Kind.BLOCK, 0): (True, True, 2, 0, 0, 3600, 50, 100),
    (Kind.BLOCK, 1): (True, False, 2, 0, 0, 3600, 5, 100),
    (Kind.BLOCK, 2): (True, False, 3, 0, 0, 600, 2, 100),
    (Kind.ISOLATE, 0): (True, True, 2, 0, 0, 3600, 10, 100),
    (Kind.ISOLATE, 1): (True, True, 2, 0, 0, 3600, 3, 100),
    (Kind.ISOLATE, 2): (True, False, 3, 0, 0, 3600, 3, 100),
    (Kind.REVOKE, 1): (True, True, 2, 0, 0, 3600, 5, 100),
    (Kind.REVOKE, 2): (True, False, 2, 0, 0, 3600, 5, 100),
}


@cache
def account(name: str) -> LocalAccount:
    """The same key for the same name, always."""
    return Account.from_key(name_key(name))


@dataclass(frozen=True)
class People:
    governor: LocalAccount
    agent: LocalAccount
    operators: tuple[LocalAccount, ...]
    guardian: LocalAccount
    enforcer: LocalAccount
    stranger: LocalAccount


@dataclass
class Gate:
    """A gate set up with the tables above, and short ways to do what a test is not about."""

    evm: Evm
    contract: Contract
    manager: Contract
    people: People
    nonces: Any = field(default_factory=count)
    parts: dict[str, Contract] = field(default_factory=dict)  # by their own addresses

    @property
    def domain(self) -> Domain:
        return Domain(self.evm.chain_id, self.contract.address)

    def send(self, function: str, *args: Any, sender: LocalAccount | str) -> Any:
        address = sender if isinstance(sender, str) else sender.address
        return self.contract.send(function, *args, sender=address)

    def view(self, function: str, *args: Any) -> Any:
        return self.contract.view(function, *args)

    def govern(self, function: str, *args: Any) -> None:
        self.send(function, *args, sender=self.people.governor)

    def rule(self, kind: Kind, criticality: int, **changes: Any) -> None:
        """Sets the cell's rule of the table above, but for these fields."""
        base = RULES.get((kind, criticality), (True, False, 2, 0, 0, 3600, 50, 100))
        fields = {**dict(zip(RULE_FIELDS, base, strict=True)), **changes}
        self.govern("setRule", int(kind), criticality, tuple(fields.values()))

    def zone(self, name: str, **changes: Any) -> None:
        """Sets a zone without limits, but for these fields."""
        fields = {**dict(zip(ZONE_FIELDS, OPEN, strict=True)), **changes}
        self.govern("setZone", name, tuple(fields.values()))

    def proposal(self, kind: Kind, target: str | bytes, ttl: int = 600, **other: Any) -> Proposal:
        if isinstance(target, str):
            is_network = kind is Kind.BLOCK
            target = network_key(target).to_bytes(32) if is_network else name_key(target)
        made = Proposal(
            kind=kind,
            target=target,
            ttl=ttl,
            model=MODEL,
            evidence=EVIDENCE,
            deadline=self.evm.now + 900,
            agent=self.people.agent.address,
            nonce=next(self.nonces),
        )
        return replace(made, **other)

    def propose(self, kind: Kind, target: str | bytes, ttl: int = 600, **other: Any) -> Proposal:
        proposal = self.proposal(kind, target, ttl, **other)
        self.send("propose", proposal.abi(), sender=self.people.agent)
        return proposal

    def propose_approved(
        self, kind: Kind, target: str | bytes, ttl: int = 600, **other: Any
    ) -> Proposal:
        """By the agent with two operators' signatures, in one transaction."""
        proposal = self.proposal(kind, target, ttl, **other)
        signatures = self.compact(proposal, *self.people.operators[:2])
        self.send("proposeApproved", proposal.abi(), signatures, sender=self.people.agent)
        return proposal

    def compact(self, proposal: Proposal, *signers: LocalAccount) -> list[tuple[bytes, bytes]]:
        """Approvals as ERC-2098 has them: r, and s with the recovery bit."""
        return halves(self.sign("Approval", proposal, *signers))

    def execute(self, proposal: Proposal) -> Proposal:
        """Two operators approve by transaction, anyone executes."""
        for operator in self.people.operators[:2]:
            self.send("approve", proposal.abi(), sender=operator)
        self.send("execute", proposal.abi(), sender=self.people.stranger)
        return proposal

    def order(self, kind: Kind, target: str, ttl: int = 600) -> Proposal:
        return self.execute(self.propose(kind, target, ttl))

    def sign(self, decision: Any, proposal: Proposal, *signers: LocalAccount) -> list[Any]:
        message = decision_message(decision, proposal, self.words(proposal), self.domain)
        return [(s.address, bytes(s.sign_message(message).signature)) for s in signers]

    def words(self, proposal: Proposal) -> Words:
        """As registered last, whether by the tables above or since."""
        told = {Kind.ISOLATE: "AssetSet", Kind.REVOKE: "CredentialSet"}.get(proposal.kind)
        for event in reversed(self.contract.events):
            if event.name == told and event.args["key"] == proposal.target:
                entry = event.args["entry"]
                if proposal.kind is Kind.ISOLATE:
                    return Words(entry[0], entry[1], entry[3])
                return Words(entry[0], "", entry[2])
        return words(proposal)

    def lease(self, **other: Any) -> Lease:
        made = Lease(
            agent=self.people.agent.address,
            model=MODEL,
            blocks=5,
            isolations=1,
            revocations=0,
            max_criticality=1,
            max_ttl=1800,
            expires=self.evm.now + 3600,
            nonce=next(self.nonces),
        )
        return replace(made, **other)

    def sign_lease(self, lease: Lease, *signers: LocalAccount) -> list[Any]:
        message = lease_message(lease, self.domain)
        return [(s.address, bytes(s.sign_message(message).signature)) for s in signers]

    def grant(self, **other: Any) -> Lease:
        lease = self.lease(**other)
        signatures = self.sign_lease(lease, *self.people.operators[:2])
        self.send("grantLease", lease.abi(), signatures, sender=self.people.stranger)
        return lease

    def activate(self, model: bytes, card: bytes = CARD) -> None:
        """By two operators' signatures."""
        revision = self.view("modelOf", model)[2] + 1
        deadline = self.evm.now + 600
        message = model_message(model, card, revision, deadline, self.domain)
        signatures = [
            (s.address, bytes(s.sign_message(message).signature)) for s in self.people.operators[:2]
        ]
        values = (model, card, revision, deadline, signatures)
        self.send("activateModel", *values, sender=self.people.stranger)

    def resume(self) -> None:
        """By two operators' signatures."""
        message = resume_message(self.view("pausedNow"), self.domain)
        signatures = [
            (s.address, bytes(s.sign_message(message).signature)) for s in self.people.operators[:2]
        ]
        self.send("resume", signatures, sender=self.people.stranger)

    def id(self, proposal: Proposal) -> bytes:
        return proposal.id(self.domain)

    def status(self, proposal: Proposal) -> str:
        return STATUS[self.view("stateOf", proposal.abi())[0]]

    @property
    def last(self) -> Emitted:
        return self.contract.events[-1]

    def told(self, name: str, /, **args: Any) -> None:
        """Asserts that the last event is this one, with exactly these arguments."""
        assert (self.last.name, self.last.args) == (name, {k: plain(v) for k, v in args.items()})


STATUS = (
    "NONE",
    "PENDING",
    "WAITING",
    "READY",
    "LIVE",
    "EXPIRED",
    "RELEASED",
    "SUPERSEDED",
    "REJECTED",
    "VETOED",
    "LAPSED",
)
TIER = ("REFUSED", "LEASE", "QUORUM", "DELAYED")
REASON = (
    "NONE",
    "MALFORMED_TARGET",
    "UNKNOWN_TARGET",
    "PROTECTED_TARGET",
    "PAUSED",
    "RULE_REFUSES",
    "TTL_OUT_OF_RANGE",
    "LIVE_LIMIT",
    "ZONE_SHARE",
    "POOL_MINIMUM",
    "BUDGET_SPENT",
)


def words(proposal: Proposal) -> Words:
    """What the inventory says of a target: the readable half of a signature."""
    if proposal.kind is Kind.BLOCK:
        key = int.from_bytes(proposal.target)
        return Words(network_text(proposal.target), "", network_criticality(key))
    if proposal.kind is Kind.ISOLATE:
        name = next(name for name in ASSETS if name_key(name) == proposal.target)
        return Words(name, ASSETS[name][0], ASSETS[name][1])
    name = next(name for name in CREDENTIALS if name_key(name) == proposal.target)
    return Words(name, "", CREDENTIALS[name][0])


def halves(signatures: list[tuple[str, bytes]]) -> list[tuple[bytes, bytes]]:
    """ERC-2098: r, and s with the recovery bit in its highest."""
    return [
        (data[:32], (int.from_bytes(data[32:64]) | (data[64] - 27) << 255).to_bytes(32))
        for _, data in signatures
    ]


def make_gate(people: People, now: int = NOW, chain_id: int = CHAIN_ID) -> Gate:
    """Deployed and not configured; the governor may act without delay."""
    evm = Evm(now, chain_id)
    governor = people.governor.address
    manager = evm.deploy(artifact("AccessManager"), governor, sender=governor)
    office = evm.deploy(artifact("Office"), manager.address, sender=governor)
    docket = evm.deploy(artifact("Docket"), manager.address, office.address, sender=governor)
    desk = evm.deploy(artifact("Desk"), manager.address, docket.address, sender=governor)
    contract = evm.deploy(artifact("Gate"), manager.address, desk.address, sender=governor)
    parts = {"Gate": contract, "Desk": desk, "Docket": docket, "Office": office}
    return Gate(evm, contract, manager, people, parts=parts)


def configure(gate: Gate) -> Gate:
    """With the tables above."""
    people = gate.people
    gate.govern("setLimits", LIMITS)
    gate.govern("setRoles", people.agent.address, AGENT, 0)
    for operator in people.operators:
        gate.govern("setRoles", operator.address, OPERATOR, 0)
    gate.govern("setRoles", people.guardian.address, GUARDIAN, 0)
    gate.govern("setRoles", people.enforcer.address, ENFORCER, 0)
    gate.govern("setEnforcerScope", people.enforcer.address, ALL_KINDS, "")
    for (kind, criticality), rule in RULES.items():
        gate.govern("setRule", int(kind), criticality, rule)
    for name, rule in ZONES.items():
        gate.govern("setZone", name, rule)
    gate.govern("setAssets", [asset_entry(name, *ASSETS[name]) for name in ASSETS])
    gate.govern("setCredentials", [(name, PRINCIPAL, *CREDENTIALS[name]) for name in CREDENTIALS])
    networks = [network_key(network).to_bytes(32) for network in PROTECTED]
    gate.govern("setProtectedNetworks", networks, True)
    gate.activate(MODEL)
    return gate


def asset_entry(
    name: str, zone: str, criticality: int, protected: bool, pool: str = ""
) -> tuple[str, str, str, int, bool]:
    """IRegistry.AssetEntry."""
    return (name, zone, pool, criticality, protected)


@cache
def compiled_wallet() -> dict[str, Any]:
    """The artifact of Wallet.sol."""
    output = compile_contracts(["tests/contracts/Wallet.sol"])
    made = output["contracts"]["tests/contracts/Wallet.sol"]["Wallet"]
    return {"abi": made["abi"], "bytecode": "0x" + made["evm"]["bytecode"]["object"]}


def plain(value: Any) -> Any:
    """As eth_abi decodes it: addresses in small letters, lists as tuples."""
    if isinstance(value, str) and value.startswith("0x") and len(value) == 42:
        return value.lower()
    return tuple(plain(v) for v in value) if isinstance(value, list | tuple) else value


class refused:
    """`with refused("GateNoLease", agent.address):` asserts the error and its arguments."""

    def __init__(self, name: str, *args: Any) -> None:
        self._name = name
        self._args = plain(args)

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> bool:
        assert isinstance(error, Reverted), f"expected {self._name}, got {error!r}"
        assert (error.name, error.values) == (self._name, self._args)
        return True
