"""A site on a devnet as a test sees it: its chain, its people, its responder."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from founding import CARD, INVENTORY, Wants, eve_line
from web3 import HTTPProvider, Web3

from policies.actions import Kind
from policies.inventory import Inventory
from policies.policy import Policy
from responder.approvals import Inbox, Slip, load_key, sign
from responder.chain.client import GateClient
from responder.chain.devnet import Devnet
from responder.chain.events import artifact
from responder.chain.ledger import Ledger
from responder.chain.manifest import Manifest
from responder.chain.merkle import Receipt
from responder.chain.proposal import (
    PAGE,
    Batch,
    Decision,
    Lease,
    Proposal,
    batch_message,
    decision_message,
    lease_message,
    name_key,
    page_words,
    resume_message,
    target_key,
)
from responder.chain.records import Case, Status
from responder.clock import Clock
from responder.enforcers.dryrun import DryRunEnforcer
from responder.loop import Clients, Responder
from responder.settings import FeedSettings, Settings
from responder.site import OPERATORS, activate_model, client
from responder.store import Cache


@dataclass
class World:
    """One test's view of a site: its own home folder, the same chain and people."""

    settings: Settings
    devnet: Devnet
    inventory: Inventory = INVENTORY
    _ledger: Ledger | None = None
    _keys: dict[str, LocalAccount] = field(default_factory=dict)
    _nonce: int = 0

    @staticmethod
    def at(home: Path, site: Settings, devnet: Devnet, base: Ledger) -> World:
        """The site seen from a fresh home folder; `base` is its ledger just after deployment."""
        (home / "keys").symlink_to(site.keys)
        settings = replace(site, home=home, feeds=(FeedSettings(home / "feed.log", "eve"),))
        settings.dump()
        return World(settings, devnet, _ledger=copy.deepcopy(base))

    # ------------------------------------------------------------ people

    def key(self, name: str) -> LocalAccount:
        if name not in self._keys:
            self._keys[name] = load_key(self.settings.keys / f"{name}.json")
        return self._keys[name]

    def address(self, name: str) -> str:
        return str(self.key(name).address)

    def gate(self, name: str | None = None) -> GateClient:
        return client(self.settings, None if name is None else self.key(name))

    # ------------------------------------------------------------ the chain

    @property
    def w3(self) -> Web3:
        return Web3(HTTPProvider(self.settings.rpc))

    @property
    def contract(self) -> Any:
        address = Manifest.load(self.settings.manifest).gate
        return self.w3.eth.contract(
            address=Web3.to_checksum_address(address), abi=artifact("Gate")["abi"]
        )

    def ledger(self) -> Ledger:
        gate = self.gate()
        if self._ledger is None:
            self._ledger = Ledger(gate.domain)
        self._ledger.sync(gate)
        return self._ledger

    @property
    def now(self) -> int:
        return self.gate().head().time

    def wait(self, seconds: int) -> None:
        """Chain time passes."""
        self.devnet.mine_at(self.now + seconds)

    def register(
        self, name: str, zone: str, criticality: int, protected: bool = False, pool: str = ""
    ) -> None:
        """An asset, by governance."""
        if name_key(zone) not in self.ledger().zones:
            self.govern("setZone", zone, (100, 0, 0, 0, 0, 0))
        self.govern("setAssets", [(name, zone, pool, criticality, protected)])

    def rule(self, kind: Kind, criticality: int, **changes: Any) -> None:
        """Changes a rule, by governance."""
        rule = replace(self.ledger().rules[kind, criticality], **changes)
        self.govern("setRule", int(kind), criticality, astuple(rule))

    def activate(self, model: bytes) -> None:
        activate_model(self.settings, model, CARD)

    def govern(self, function: str, *args: Any) -> None:
        """A change of the rules by the governor, after its delay."""
        manifest = Manifest.load(self.settings.manifest)
        manager = self.w3.eth.contract(
            address=Web3.to_checksum_address(manifest.manager), abi=artifact("AccessManager")["abi"]
        )
        call = self.contract.get_function_by_name(function)(*args)
        data = call.build_transaction({"gas": 1, "gasPrice": 1, "chainId": 1})["data"]
        self.send(manager.functions.schedule(self.contract.address, data, 0), "governor")
        self.wait(5)
        self.send(call, "governor")

    def send(self, call: Any, name: str) -> None:
        """A contract's call, as this account's transaction."""
        w3, account = self.w3, self.key(name)
        sender = account.address
        nonce = w3.eth.get_transaction_count(sender)
        signed = account.sign_transaction(call.build_transaction({"from": sender, "nonce": nonce}))
        receipt = w3.eth.wait_for_transaction_receipt(
            w3.eth.send_raw_transaction(signed.raw_transaction), poll_latency=0.02
        )
        assert receipt["status"] == 1

    # ------------------------------------------------------------ proposals and votes

    def proposal(
        self,
        kind: Kind = Kind.ISOLATE,
        target: str = "web",
        ttl: int = 600,
        wait: int = 600,
        model: bytes = Wants.hash,
        evidence: bytes = bytes(32),
    ) -> Proposal:
        used = self.ledger().next_nonce(self.address("agent"))  # others use this chain too
        self._nonce = max(self._nonce, used) + 1
        return Proposal(
            kind,
            target_key(kind, target),
            ttl,
            model,
            evidence,
            self.now + wait,
            self.address("agent"),
            self._nonce,
        )

    def propose(self, *args: Any, **kwargs: Any) -> Proposal:
        proposal = self.proposal(*args, **kwargs)
        self.gate("agent").propose(proposal)
        return proposal

    def id(self, proposal: Proposal) -> bytes:
        return proposal.id(self.gate().domain)

    def case(self, proposal: Proposal) -> Case:
        return self.ledger().cases[self.id(proposal)]

    def status(self, proposal: Proposal) -> Status:
        ledger = self.ledger()
        return ledger.status(ledger.cases[self.id(proposal)], ledger.block.time)

    def signature(self, decision: Decision, proposal: Proposal, name: str) -> tuple[str, bytes]:
        ledger = self.ledger()
        words = ledger.words_of(proposal.kind, proposal.target)
        message = decision_message(decision, proposal, words, ledger.domain)
        return self.address(name), sign(self.key(name), message)

    def vote(self, decision: Decision, proposal: Proposal, *names: str) -> None:
        """Relays these operators' signatures."""
        relayer = self.gate("relayer")
        send = {
            "Approval": relayer.approve_by_sig,
            "Rejection": relayer.reject_by_sig,
            "Release": relayer.release,
        }[decision]
        send(proposal, [self.signature(decision, proposal, name) for name in names])

    def order(self, *args: Any, **kwargs: Any) -> Proposal:
        """Proposed, approved by two, executed."""
        proposal = self.propose(*args, **kwargs)
        self.vote("Approval", proposal, *OPERATORS[:2])
        self.gate("relayer").execute(proposal)
        return proposal

    def propose_approved(self, *args: Any, **kwargs: Any) -> Proposal:
        """The same in one transaction."""
        proposal = self.proposal(*args, **kwargs)
        signed = [self.signature("Approval", proposal, name) for name in OPERATORS[:2]]
        self.gate("agent").propose_approved(proposal, [signature for _, signature in signed])
        return proposal

    def state(self, proposal: Proposal, outcome: int = 0, digest: bytes = bytes(32)) -> Receipt:
        """The enforcer's receipt of an order."""
        start = self.id(proposal)[:20]
        who = self.address("enforcer")
        receipt = Receipt(start, proposal.target, who, outcome, digest)
        gate = self.gate("enforcer")
        gate.file_receipt(proposal.kind, proposal.target, start, outcome, digest)
        return receipt

    # ------------------------------------------------------------ batches, models, pauses

    def batch(self, kind: Kind, *targets: str, ttl: int = 600, criticality: int = 1) -> Batch:
        """Of assets: all of one zone and criticality."""
        one = self.proposal(kind, targets[0], ttl)
        ledger = self.ledger()
        zone, packed = bytes(32), sorted(target_key(kind, t) for t in targets)
        numbers = [int.from_bytes(key) for key in packed]
        if kind is Kind.ISOLATE:
            pages: dict[int, int] = {}
            for key in packed:
                asset = ledger.assets[key]
                zone = name_key(asset.zone)
                page = asset.place // PAGE
                pages[page] = pages.get(page, 0) | 1 << asset.place % PAGE
            numbers = [page << PAGE | bits for page, bits in sorted(pages.items())]
        return Batch(
            kind,
            zone,
            criticality,
            tuple(numbers),
            ttl,
            one.model,
            one.evidence,
            one.deadline,
            one.agent,
            one.nonce,
        )

    def batch_names(self, batch: Batch) -> list[list[bytes]]:
        """What the gate needs beside a batch of pages."""
        if batch.kind is not Kind.ISOLATE:
            return []
        ledger = self.ledger()
        return [page_words(ledger.keys_on(page), bits) for page, bits in ledger.bits_of(batch)]

    def order_batch(self, batch: Batch, *names: str) -> Batch:
        """Signed by two operators, or by these."""
        ledger = self.ledger()
        words = ledger.names_of(batch), ledger.zone_of(batch)
        message = batch_message("BatchApproval", batch, *words, ledger.domain)
        signatures = [sign(self.key(name), message) for name in names or OPERATORS[:2]]
        self.gate("agent").order_batch(batch, self.batch_names(batch), signatures)
        return batch

    def release_batch(self, batch: Batch, *names: str) -> None:
        ledger = self.ledger()
        words = ledger.names_of(batch), ledger.zone_of(batch)
        message = batch_message("BatchRelease", batch, *words, ledger.domain)
        people = [self.key(name) for name in names or OPERATORS[:2]]
        signatures = [(str(k.address), sign(k, message)) for k in people]
        self.gate("relayer").release_batch(batch, self.batch_names(batch), signatures)

    def resume(self, *names: str) -> None:
        ledger = self.ledger()
        message = resume_message(ledger.pauses, ledger.domain)
        people = [self.key(name) for name in names or OPERATORS[:2]]
        self.gate("relayer").resume([(str(k.address), sign(k, message)) for k in people])

    def slip(self, decision: Decision, proposal: Proposal, name: str) -> Slip:
        address, signature = self.signature(decision, proposal, name)
        return Slip(decision, self.id(proposal).hex(), address, signature.hex())

    def put(self, *slips: Slip) -> None:
        for slip in slips:
            Inbox(self.settings.inbox).put(slip)

    def lease(self, blocks: int = 5, isolations: int = 0, **changes: Any) -> Lease:
        """Granted by two operators."""
        self._nonce += 1
        lease = Lease(
            self.address("agent"),
            Wants.hash,
            blocks,
            isolations,
            0,
            1,
            7200,
            self.now + 86_400,
            self._nonce,
        )
        lease = replace(lease, **changes)
        message = lease_message(lease, self.gate().domain)
        signers = [self.key(name) for name in OPERATORS[:2]]
        signatures = [(str(k.address), sign(k, message)) for k in signers]
        self.gate("relayer").grant_lease(lease, signatures)
        return lease

    def pair(self) -> Batch:
        """A batch of two assets of one page, not sent."""
        self.register("web-2", "dmz", 1)
        ledger = self.ledger()
        page = ledger.page_of(ledger.assets[name_key("web-2")])
        self.gate("stranger").seal_page(*page, ledger.keys_on(page))
        return self.batch(Kind.ISOLATE, "web", "web-2")

    def pair_but(self, name: str, ttl: int = 60) -> Batch:
        """A batch of one of the two, on the same page."""
        self.pair()
        return self.batch(Kind.ISOLATE, name, ttl=ttl)

    # ------------------------------------------------------------ the responder

    def feed(self, *lines: bytes) -> None:
        with self.settings.feeds[0].path.open("ab") as feed:
            feed.writelines(lines)

    def alerts(self, *hosts: str, kinds: int = 9) -> None:
        """A few different alerts on each of these addresses."""
        now = self.now
        self.feed(*(eve_line(now, n, dst=host) for host in hosts for n in range(1, kinds + 1)))

    def clients(self) -> Clients:
        return Clients(
            self.gate("agent"),
            self.gate("relayer"),
            client(self.settings, self.key("enforcer"), final=True),
        )

    def responder(
        self,
        policy: Policy | None = None,
        clients: Clients | None = None,
        clock: Clock | None = None,
    ) -> Responder:
        """A responder on this home, as `countersign run` makes it."""
        settings = self.settings
        return Responder(
            settings,
            self.inventory,
            policy or Wants("web"),
            clients or self.clients(),
            DryRunEnforcer(settings.home / "enforced.json"),
            Cache(settings.database),
            clock,
        )

    def enforced(self) -> list[str]:
        """What the dry-run enforcer holds, whatever its end."""
        path = self.settings.home / "enforced.json"
        stored = json.loads(path.read_bytes())["elements"] if path.exists() else []
        return sorted(value for _, value, _ in stored)

    def refused_slips(self) -> dict[str, str]:
        """Reasons by file name."""
        aside = self.settings.inbox / "refused"
        return {p.name.removesuffix(".reason"): p.read_text() for p in aside.glob("*.reason")}

    def targets(self) -> Sequence[str]:
        return [case.words.target for case in self.ledger().cases.values()]
