"""What an order costs, in gas, beside what people use today: `make bench-gas`.

Deploys the gate (as a site would, with all guardrails on), a Safe of npm's release and
OpenZeppelin's TimelockController on one fresh anvil, sends real transactions and prints one JSON
object: gas by what was done. Deterministic: keys, nonces and block times are fixed. `--update`
writes gas-snapshot.json too; tests/contracts/test_gas.py fails where a figure outgrows it.

"warm": the words that the order writes are non-zero already. "fresh": the target's word is zero.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from build_artifacts import ROOT, compile_contracts
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import HTTPProvider, Web3
from web3.contract import Contract

from policies.actions import Kind
from policies.guardrails import Limits, Rule
from policies.inventory import Asset, Credential, Inventory
from responder.chain.deploy_config import DeployConfig
from responder.chain.deployment import deploy
from responder.chain.devnet import Devnet
from responder.chain.events import artifact
from responder.chain.ledger import Role
from responder.chain.proposal import (
    Domain,
    Lease,
    Proposal,
    Words,
    decision_message,
    lease_message,
    target_key,
)

SNAPSHOT = ROOT / "gas-snapshot.json"
GENESIS = 1_900_000_800  # the start of a budget's window
MODEL, CARD, EVIDENCE = (bytes(keccak(text=name)) for name in ("model", "card", "evidence"))
ZERO = "0x" + "00" * 20
NO_OP = "0x60018060093d393df300"  # deploys one STOP
SAFE = ROOT / "node_modules" / "@safe-global" / "safe-smart-account" / "build" / "artifacts"
TIMELOCK = "node_modules/@openzeppelin/contracts/governance/TimelockController.sol"

INVENTORY = Inventory(
    assets=(Asset("web", "dmz", 0), Asset("files", "office", 1), Asset("mail", "office", 2)),
    credentials=(Credential("ssh:deploy", 1),),
    protected_networks=("198.51.100.0/24", "192.0.2.0/28", "10.0.0.0/16", "2001:db8:1::/48"),
)
WORDS = {asset.id: Words(asset.id, asset.zone, asset.criticality) for asset in INVENTORY.assets}

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
        tx = call.build_transaction({"from": account.address, "nonce": nonce, "gas": 5_000_000})
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

    def approvals(self, proposal: Proposal, target: str) -> list[tuple[str, bytes]]:
        """Two of three, compact (ERC-2098)."""
        words = WORDS.get(target) or Words(target, "", 0)
        message = decision_message("Approval", proposal, words, self.domain)
        return [(o.address, compact(o.sign_message(message))) for o in self.chain.operators[:2]]

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
            expires=self.chain.now() + 3600,
            nonce=0,
        )
        message = lease_message(lease, self.domain)
        signatures = [
            (o.address, compact(o.sign_message(message))) for o in self.chain.operators[:2]
        ]
        return self.call("grantLease", lease.abi(), signatures, sender="stranger")


def compact(signed: Any) -> bytes:
    """ERC-2098: 64 bytes."""
    packed = signed.s | (signed.v - 27) << 255
    return bytes(signed.r.to_bytes(32) + packed.to_bytes(32))


def make_gate(chain: Chain, folder: Path) -> Gate:
    people = {name: account.address for name, account in chain.people.items()}
    config = DeployConfig(
        governor=people["governor"],
        delay=172_800,
        roles={
            people["agent"]: Role.AGENT,
            people["guardian"]: Role.GUARDIAN,
            people["enforcer"]: Role.ENFORCER,
            **{operator.address: Role.OPERATOR for operator in chain.operators},
        },
        limits=Limits(3600, 900, 2, 2, 86_400),
        rules={(kind, row): Rule(True, True, 2, 3600, 100) for kind in Kind for row in range(4)},
        models={MODEL: CARD},
        inventory=INVENTORY,
    )
    manifest = deploy(chain.w3, config, chain.people["deployer"], folder / "manifest.json").manifest
    address = Web3.to_checksum_address(manifest.gate)
    return Gate(chain, chain.w3.eth.contract(address=address, abi=artifact("Gate")["abi"]))


def gate_figures(gate: Gate) -> dict[str, int]:
    gate.approved(Kind.ISOLATE, "web")  # makes the agent's own words non-zero
    figures = {
        "order_2of3_warm": gate.approved(Kind.ISOLATE, "web"),
        "order_2of3_fresh": gate.approved(Kind.BLOCK, "203.0.113.3/32"),
        "isolate_2of3_first": gate.approved(Kind.ISOLATE, "mail"),
        "block_2of3_warm": gate.approved(Kind.BLOCK, "203.0.113.3/32"),
        "order_2of3_steps_warm": gate.by_steps(Kind.ISOLATE, "web"),
        "order_2of3_steps_fresh": gate.by_steps(Kind.BLOCK, "203.0.113.1/32"),
        "lease_grant": gate.grant(),
    }
    gate.leased(Kind.ISOLATE, "web")  # makes the lease's word non-zero
    figures |= {
        "order_lease": gate.leased(Kind.ISOLATE, "web"),
        "order_lease_fresh": gate.leased(Kind.BLOCK, "203.0.113.2/32"),
    }
    order = gate.proposal(Kind.ISOLATE, "files")
    gate.call("propose", order.abi())
    receipt = gate.call("fileReceipt", order.abi(), 0, EVIDENCE, sender="enforcer")
    return figures | {"receipt": receipt}


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


def measure() -> dict[str, int]:
    """Gas by figure."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Devnet(Path(folder) / "anvil.log", genesis=GENESIS) as devnet,
    ):
        chain = Chain(devnet)
        target = chain.create({"abi": [], "bytecode": NO_OP}).address
        gate = make_gate(chain, Path(folder))
        figures = gate_figures(gate)
        figures["gate_bytes"] = len(chain.w3.eth.get_code(gate.contract.address))
        return figures | safe_figures(chain, target) | timelock_figures(chain, target)


def main(args: Sequence[str]) -> int:
    figures = measure()
    if "--update" in args:
        SNAPSHOT.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
