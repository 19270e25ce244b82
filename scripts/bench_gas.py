"""What an order costs, in gas, beside what people use today: `make bench-gas`.

Deploys the gate (as a site would, with all guardrails on), a Safe of npm's release and
OpenZeppelin's TimelockController on one fresh anvil, sends real transactions and prints one JSON
object: gas by what was done. Deterministic: keys, nonces and block times are fixed. `--update`
writes gas-snapshot.json too; tests/contracts/test_gas.py fails where a figure outgrows it.

"warm": the words that the order writes are non-zero already. "fresh": the target's word is zero.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

from build_artifacts import ROOT, compile_contracts
from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.exceptions import ContractCustomError

from policies.actions import Kind, network_key
from responder.chain.devnet import Devnet
from responder.chain.events import artifact
from responder.chain.ledger import Role
from responder.chain.proposal import (
    PAGE,
    Batch,
    Domain,
    Lease,
    Proposal,
    Words,
    batch_message,
    decision_message,
    lease_message,
    model_message,
    name_key,
    network_text,
    page_groups,
    page_words,
    target_key,
)

SNAPSHOT = ROOT / "gas-snapshot.json"
GENESIS = 1_900_000_800  # the start of a budget's window
MODEL, CARD, EVIDENCE = (bytes(keccak(text=name)) for name in ("model", "card", "evidence"))
ZERO = "0x" + "00" * 20
BLOCK_GAS = 30_000_000
NO_OP = "0x60018060093d393df300"  # deploys one STOP
SAFE = ROOT / "node_modules" / "@safe-global" / "safe-smart-account" / "build" / "artifacts"
TIMELOCK = "node_modules/@openzeppelin/contracts/governance/TimelockController.sol"

ASSETS = {"web": ("dmz", 0), "files": ("office", 1), "mail": ("office", 2), "dc-1": ("office", 0)}
PROTECTED = ("198.51.100.0/24", "192.0.2.0/28", "10.0.0.0/16", "2001:db8:1::/48")
ZONE = (100, 1, GENESIS - 2, GENESIS - 1, 180_000, 7200)  # share, extra, freeze, window
FLEET = 65_536  # assets of one zone and criticality, all that fit
WORDS = {name: Words(name, *place) for name, place in ASSETS.items()}

__all__ = ["SNAPSHOT", "measure"]


@dataclass
class Chain:
    """A fresh anvil, and everyone's keys."""

    devnet: Devnet
    w3: Web3 = field(init=False)

    def __post_init__(self) -> None:
        self.w3 = Web3(HTTPProvider(self.devnet.url))
        names = ("deployer", "governor", "agent", "guardian", "enforcer", "stranger")
        self.people = {name: self._account(name) for name in names}
        self.operators = sorted(
            (self._account(f"operator {i}") for i in range(3)), key=lambda who: int(who.address, 16)
        )

    def _account(self, name: str) -> LocalAccount:
        account: LocalAccount = Account.from_key(keccak(text=name))
        self.devnet.fund(account.address, 10**20)
        return account

    def now(self) -> int:
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def send(self, call: Any, sender: str) -> int:
        """Gas used. Raises RuntimeError where the transaction reverts."""
        account = self.people[sender]
        nonce = self.w3.eth.get_transaction_count(account.address)
        tx = call.build_transaction({"from": account.address, "nonce": nonce, "gas": BLOCK_GAS})
        signed = account.sign_transaction(tx)
        sent = self.w3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.01)
        if receipt["status"] != 1:
            raise RuntimeError(f"{call.fn_name} reverted")
        return int(receipt["gasUsed"])

    def create(self, made: dict[str, Any], *args: Any) -> Contract:
        factory = self.w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
        account = self.people["deployer"]
        nonce = self.w3.eth.get_transaction_count(account.address)
        tx = factory.constructor(*args).build_transaction({"from": account.address, "nonce": nonce})
        sent = self.w3.eth.send_raw_transaction(account.sign_transaction(tx).raw_transaction)
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.01)
        return self.w3.eth.contract(address=receipt["contractAddress"], abi=made["abi"])


# ---------------------------------------------------------------- the gate


@dataclass
class Gate:
    """A configured gate, and how agent and operators use it."""

    chain: Chain
    contract: Contract
    nonces: Any = field(default_factory=count)

    @property
    def domain(self) -> Domain:
        return Domain(self.chain.w3.eth.chain_id, self.contract.address)

    def proposal(self, kind: Kind, target: str) -> Proposal:
        return Proposal(
            kind=kind,
            target=target_key(kind, target),
            ttl=600,
            model=MODEL,
            evidence=EVIDENCE,
            deadline=self.chain.now() + 600,
            agent=self.chain.people["agent"].address,
            nonce=next(self.nonces),
        )

    def batch(self, kind: Kind, zone: bytes, targets: tuple[int, ...]) -> Batch:
        return Batch(
            kind=kind,
            zone=zone,
            criticality=0,
            targets=targets,
            ttl=600,
            model=MODEL,
            evidence=EVIDENCE,
            deadline=self.chain.now() + 600,
            agent=self.chain.people["agent"].address,
            nonce=next(self.nonces),
        )

    def order_batch(
        self, batch: Batch, named: list[list[str]], zone: str, given: list[list[bytes]]
    ) -> int:
        message = batch_message("BatchApproval", batch, named, zone, self.domain)
        halves = [(data[:32], data[32:]) for _, data in self.signed(message)]
        return self.call("orderBatch", batch.abi(), given, halves)

    def signed(self, message: SignableMessage) -> list[tuple[str, bytes]]:
        """By two of three, compact (ERC-2098)."""
        return [(o.address, compact(o.sign_message(message))) for o in self.chain.operators[:2]]

    def govern(self, function: str, *args: Any) -> int:
        return self.call(function, *args, sender="deployer")

    def settle_all(self) -> None:
        """Lets every order end, and count no more."""
        self.chain.devnet.mine_at(self.chain.now() + 3600)
        for kind, names in ((Kind.ISOLATE, ["web", "files"]), (Kind.BLOCK, ["203.0.113.3/32"])):
            keys = [target_key(kind, name) for name in names]
            counted = [key for key in keys if self.counts(kind, key)]
            if counted:
                self.call("settle", int(kind), counted, sender="stranger")

    def counts(self, kind: Kind, key: bytes) -> bool:
        settle = self.contract.functions.settle(int(kind), [key])
        try:
            settle.call()
        except ContractCustomError:
            return False
        return True

    def approvals(self, proposal: Proposal, target: str) -> list[tuple[str, bytes]]:
        """Two of three, compact (ERC-2098)."""
        words = WORDS.get(target) or Words(target, "", 0)
        return self.signed(decision_message("Approval", proposal, words, self.domain))

    def call(self, function: str, *args: Any, sender: str = "agent") -> int:
        return self.chain.send(self.contract.get_function_by_name(function)(*args), sender)

    def approved(self, kind: Kind, target: str) -> int:
        """Propose with two approvals: one transaction."""
        proposal = self.proposal(kind, target)
        signed = [data for _, data in self.approvals(proposal, target)]
        halves = [(data[:32], data[32:]) for data in signed]
        return self.call("proposeApproved", proposal.abi(), halves)

    def by_steps(self, kind: Kind, target: str) -> int:
        """Propose, approve, execute: three transactions."""
        proposal = self.proposal(kind, target)
        spent = self.call("propose", proposal.abi())
        signatures = self.approvals(proposal, target)
        spent += self.call("approveBySig", proposal.abi(), signatures, sender="stranger")
        return spent + self.call("execute", proposal.abi(), sender="stranger")

    def leased(self, kind: Kind, target: str) -> int:
        return self.call("propose", self.proposal(kind, target).abi())

    def grant(self) -> int:
        lease = Lease(
            agent=self.chain.people["agent"].address,
            model=MODEL,
            blocks=50,
            isolations=50,
            revocations=50,
            max_criticality=1,
            max_ttl=600,
            expires=self.chain.now() + 86_000,
            nonce=0,
        )
        signatures = self.signed(lease_message(lease, self.domain))
        return self.call("grantLease", lease.abi(), signatures, sender="stranger")


def compact(signed: Any) -> bytes:
    """ERC-2098: 64 bytes."""
    packed = signed.s | (signed.v - 27) << 255
    return bytes(signed.r.to_bytes(32) + packed.to_bytes(32))


def make_gate(chain: Chain) -> Gate:
    """Every guardrail on: limits on what is live, zones with a share and a window, a pool."""
    people = chain.people
    governor = people["deployer"].address
    manager = chain.create(artifact("AccessManager"), governor).address
    office = chain.create(artifact("Office"), manager).address
    docket = chain.create(artifact("Docket"), manager, office).address
    desk = chain.create(artifact("Desk"), manager, docket).address
    gate = Gate(chain, chain.create(artifact("Gate"), manager, desk))
    gate.govern("setLimits", (3600, 900, 86_400, 300, 2, 2, 2))
    for name, role in (("agent", Role.AGENT), ("guardian", Role.GUARDIAN)):
        gate.govern("setRoles", people[name].address, int(role), 0)
    gate.govern("setRoles", people["enforcer"].address, int(Role.ENFORCER), 0)
    gate.govern("setEnforcerScope", people["enforcer"].address, 7, "")
    for group, operator in enumerate(chain.operators):
        gate.govern("setRoles", operator.address, int(Role.OPERATOR), group % 2)
    for kind in Kind:
        for row in range(4):
            groups = 0b11 if row == 2 else 0
            rule = (True, row < 2, 2, groups, 0, 3600, 2000, 4000)
            gate.govern("setRule", int(kind), row, rule)
    for zone in ("dmz", "office"):
        gate.govern("setZone", zone, ZONE)
    gate.govern("setPool", "controllers", 1)
    entries = [(name, zone, "", row, False) for name, (zone, row) in ASSETS.items()]
    gate.govern("setAssets", [*entries[:-1], ("dc-1", "office", "controllers", 0, False)])
    gate.govern("setAssets", [("dc-2", "office", "controllers", 0, False)])
    gate.govern("setProtectedNetworks", [network_key(n).to_bytes(32) for n in PROTECTED], True)
    deadline = chain.now() + 600
    message = model_message(MODEL, CARD, 1, deadline, gate.domain)
    gate.call("activateModel", MODEL, CARD, 1, deadline, gate.signed(message), sender="stranger")
    return gate


def gate_figures(gate: Gate) -> dict[str, int]:
    """One order at a time."""
    gate.approved(Kind.ISOLATE, "web")  # makes the words of agent and target non-zero
    gate.approved(Kind.ISOLATE, "files")
    gate.approved(Kind.BLOCK, "203.0.113.3/32")
    gate.settle_all()
    figures = {
        "order_2of3_warm": gate.approved(Kind.ISOLATE, "web"),
        "order_2of3_renewed": gate.approved(Kind.ISOLATE, "web"),
        "order_2of3_fresh": gate.approved(Kind.BLOCK, "203.0.113.4/32"),
        "block_2of3_warm": gate.approved(Kind.BLOCK, "203.0.113.3/32"),
        "order_2of3_groups": gate.approved(Kind.ISOLATE, "mail"),
        "order_2of3_pool": gate.approved(Kind.ISOLATE, "dc-1"),
        "order_2of3_steps_warm": gate.by_steps(Kind.ISOLATE, "web"),
        "order_2of3_steps_fresh": gate.by_steps(Kind.BLOCK, "203.0.113.1/32"),
        "lease_grant": gate.grant(),
    }
    gate.leased(Kind.ISOLATE, "web")  # makes the lease's word non-zero
    gate.settle_all()
    figures |= {
        "order_lease": gate.leased(Kind.ISOLATE, "web"),
        "order_lease_renewed": gate.leased(Kind.ISOLATE, "web"),
        "order_lease_fresh": gate.leased(Kind.BLOCK, "203.0.113.2/32"),
    }
    order = gate.proposal(Kind.ISOLATE, "files")
    gate.call("propose", order.abi())
    values = (int(order.kind), order.target, order.id(gate.domain)[:20], 0, EVIDENCE)
    return figures | {"receipt": gate.call("fileReceipt", *values, sender="enforcer")}


# ---------------------------------------------------------------- batches


def batch_figures(gate: Gate) -> dict[str, int]:
    """Gas of each action of a batch under one 2-of-3 signature, and of each receipt of many."""
    office, plant = Fleet(gate, "office floor", 100), Fleet(gate, "plant", 1000)
    networks = [network_key(f"203.0.113.{i}/32") for i in range(100, 200)]
    leaves = [bytes(keccak(b"receipt %d" % i)) for i in range(100)]
    return {
        "isolate_100_each": ceil(office.isolate(range(100)) / 100),
        "isolate_1000_each": ceil(plant.isolate(range(1000)) / 1000),
        "block_100_each": ceil(block_each(gate, networks) / 100),
        "receipts_100_each": ceil(file_root(gate, leaves) / 100),
    }


def scattered_figure(gate: Gate) -> dict[str, int]:
    """As many assets as a zone takes, and 100 of them, drawn by chance, under one signature."""
    places = random.Random(0).sample(range(FLEET), 100)
    fleet = Fleet(gate, "fleet", FLEET)
    return {"isolate_scattered_each": ceil(fleet.isolate(places) / 100)}


@dataclass
class Fleet:
    """Assets of one zone and criticality."""

    gate: Gate
    zone: str
    size: int

    def __post_init__(self) -> None:
        self.gate.govern("setZone", self.zone, ZONE)
        for first in range(0, self.size, 512):
            names = [self.name(i) for i in range(first, min(first + 512, self.size))]
            self.gate.govern("setAssets", [(name, self.zone, "", 0, False) for name in names])

    def name(self, place: int) -> str:
        return f"{self.zone} {place:05}"

    def isolate(self, places: Iterable[int]) -> int:
        """Gas of one batch of these."""
        bits: dict[int, int] = {}
        for place in places:
            bits[place // PAGE] = bits.get(place // PAGE, 0) | 1 << place % PAGE
        pages = dict(sorted(bits.items()))
        given, named = [], []
        for page, wanted in pages.items():
            first = page * PAGE
            names = [self.name(i) for i in range(first, min(first + PAGE, self.size))]
            keys = [name_key(name) for name in names]
            self.gate.call("sealPage", name_key(self.zone), 0, page, keys, sender="stranger")
            given.append(page_words(keys, wanted))
            named += page_groups(names, wanted)
        targets = tuple(page << PAGE | wanted for page, wanted in pages.items())
        batch = self.gate.batch(Kind.ISOLATE, name_key(self.zone), targets)
        return self.gate.order_batch(batch, named, self.zone, given)


def block_each(gate: Gate, networks: list[int]) -> int:
    texts = [network_text(network.to_bytes(32)) for network in networks]
    batch = gate.batch(Kind.BLOCK, bytes(32), tuple(sorted(networks)))
    return gate.order_batch(batch, [texts], "", [])


def file_root(gate: Gate, leaves: list[bytes]) -> int:
    """Gas of the Merkle root over these."""
    while len(leaves) > 1:
        pairs = zip(leaves[::2], leaves[1::2], strict=False)
        rest = leaves[len(leaves) - len(leaves) % 2 :]
        leaves = [bytes(keccak(b"".join(sorted(pair)))) for pair in pairs] + rest
    return gate.call("fileReceipts", leaves[0], 100, sender="enforcer")


# ---------------------------------------------------------------- what people use today


def safe_figures(chain: Chain, target: str) -> dict[str, int]:
    """A 2-of-3 Safe behind its proxy calls the target."""
    singleton = chain.create(safe_artifact("Safe"))
    factory = chain.create(safe_artifact("proxies/SafeProxyFactory"))
    owners = [operator.address for operator in chain.operators]
    setup = singleton.encode_abi("setup", [owners, 2, ZERO, b"", ZERO, ZERO, 0, ZERO])
    make = factory.functions.createProxyWithNonce(singleton.address, setup, 0)
    address = make.call()
    chain.send(make, "deployer")
    safe = chain.w3.eth.contract(address=address, abi=singleton.abi)
    return {
        "safe_2of3_first": safe_order(chain, safe, target),
        "safe_2of3": safe_order(chain, safe, target),
    }


def safe_order(chain: Chain, safe: Contract, target: str) -> int:
    fields = (target, 0, b"", 0, 0, 0, 0, ZERO, ZERO)
    digest = safe.functions.getTransactionHash(*fields, safe.functions.nonce().call()).call()
    signed = [operator.unsafe_sign_hash(digest) for operator in chain.operators[:2]]
    signatures = b"".join(bytes(s.signature) for s in signed)
    return chain.send(safe.functions.execTransaction(*fields, signatures), "stranger")


def safe_artifact(name: str) -> dict[str, Any]:
    path = SAFE / "contracts" / f"{name}.sol" / f"{Path(name).name}.json"
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def timelock_figures(chain: Chain, target: str) -> dict[str, int]:
    """Schedule and execute, two transactions, by an account that may do both."""
    made = compile_contracts([TIMELOCK])["contracts"][TIMELOCK]["TimelockController"]
    code = {"abi": made["abi"], "bytecode": "0x" + made["evm"]["bytecode"]["object"]}
    sender = chain.people["stranger"].address
    timelock = chain.create(code, 0, [sender], [sender], ZERO)
    call = (target, 0, b"", bytes(32), bytes(32))
    scheduled = chain.send(timelock.functions.schedule(*call, 0), "stranger")
    return {"timelock": scheduled + chain.send(timelock.functions.execute(*call), "stranger")}


# ---------------------------------------------------------------- all of it


def measure(scattered: bool = True) -> dict[str, int]:
    """Gas by figure; without `scattered`, which registers 65,536 assets, it is soon done."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Devnet(Path(folder) / "anvil.log", genesis=GENESIS) as devnet,
    ):
        chain = Chain(devnet)
        target = chain.create({"abi": [], "bytecode": NO_OP}).address
        gate = make_gate(chain)
        figures = gate_figures(gate) | batch_figures(gate)
        if scattered:
            figures |= scattered_figure(gate)
        return figures | safe_figures(chain, target) | timelock_figures(chain, target)


def main(args: Sequence[str]) -> int:
    figures = measure()
    if "--update" in args:
        SNAPSHOT.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
