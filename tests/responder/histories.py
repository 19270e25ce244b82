"""Random histories of a gate in process, and the ledger folded from what it logged."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT / "tests" / "contracts"), str(_ROOT / "scripts")]

from eth_abi.abi import encode  # noqa: E402
from eth_account.signers.local import LocalAccount  # noqa: E402
from evm import Emitted, Reverted  # noqa: E402
from scene import CARD, LIMITS, MODEL, Gate, People, account, configure, make_gate  # noqa: E402

from policies.actions import Kind, network_key  # noqa: E402
from responder.chain.events import Event, decode_log  # noqa: E402
from responder.chain.ledger import Ledger  # noqa: E402
from responder.chain.merkle import Receipt, Tree  # noqa: E402
from responder.chain.proposal import (  # noqa: E402
    Batch,
    Proposal,
    batch_message,
    compact,
    decision_message,
    lease_message,
    model_message,
    name_key,
    page_words,
    resume_message,
)
from responder.chain.records import OPEN, Status, Subject  # noqa: E402

OPERATORS = tuple(account(f"operator {i}") for i in range(5))
PEOPLE = People(
    governor=account("governor"),
    agent=account("agent"),
    operators=OPERATORS[:4],
    guardian=account("guardian"),
    enforcer=account("enforcer"),
    stranger=account("stranger"),
)
ASSETS = ("web", "files", "mail", "erp", "dns-1", "dns-2", "dns-3", "new")
CREDENTIALS = ("ssh:deploy", "ssh:admin", "ssh:new")
NETWORKS = ("203.0.113.1", "203.0.113.2", "203.0.113.0/24", "203.0.0.0/16", "2001:db8::1")
ZONES = ("dmz", "office", "core")
TARGETS = {Kind.BLOCK: NETWORKS, Kind.ISOLATE: ASSETS, Kind.REVOKE: CREDENTIALS}
OTHER_MODEL = b"\x07" * 32


class NoWords(Exception):
    """What was never registered has no name to sign."""


def key_of(kind: Kind, name: str) -> bytes:
    return network_key(name).to_bytes(32) if kind is Kind.BLOCK else name_key(name)


def fresh() -> Gate:
    """The scene's gate, with a pool, a full zone and a rule of everything."""
    gate = configure(make_gate(PEOPLE))
    gate.govern("setPool", "dns", 1)
    names = ("dns-1", "dns-2", "dns-3")
    gate.govern("setAssets", [(name, "core", "dns", 0, False) for name in names])
    gate.govern("setRoles", OPERATORS[4].address, 2, 1)
    gate.govern("setRule", 1, 0, (True, True, 2, 0, 0, 3600, 40, 4))
    gate.govern("setRule", 1, 3, (True, False, 2, 2, 300, 3600, 9, 9))
    gate.govern("setResource", "intranet", "web")
    gate.govern("setGrants", [("ops", "intranet", gate.evm.now + 7200)])
    return gate


class History:
    """What happens by chance to one gate; `ledger` is folded from its log as it goes."""

    def __init__(self, gate: Gate, seed: int) -> None:
        self.gate, self.rng = gate, random.Random(seed)
        self.ledger = Ledger(gate.domain)
        self.proposals: list[Proposal] = []
        self.batches: list[Batch] = []
        self.happened: list[str] = []  # what the gate let happen
        self.events: list[Event] = []
        # Sender and input, by transaction; the first stands for all that set the gate up.
        setup = gate.contract.data("activateModel", MODEL, CARD, 1, gate.evm.now + 600, [])
        self.calls: list[tuple[str, bytes]] = [("", setup)]
        self._heard = 0
        self._hear()

    @property
    def now(self) -> int:
        return self.gate.evm.now

    def step(self) -> None:
        """One thing, which the gate may refuse, and for which there may be no words to sign."""
        name = self.rng.choice(_STEPS)
        try:
            getattr(self, f"_{name}")()
        except (Reverted, NoWords):
            return
        finally:
            self._hear()
        self.happened.append(name)

    def _hear(self) -> None:
        for emitted in self.gate.contract.events[self._heard :]:
            event = decode_log(_log(emitted, len(self.calls) - 1), self.now)
            assert event is not None
            self.events.append(event)
            self.ledger.apply(event)
        self._heard = len(self.gate.contract.events)

    def _send(self, sender: LocalAccount, function: str, *args: Any) -> None:
        self._hear()  # of the call before
        self.calls.append((sender.address, self.gate.contract.data(function, *args)))
        self.gate.send(function, *args, sender=sender)

    def _signed(self, message: Any, signers: Any) -> list[tuple[str, bytes]]:
        return [(s.address, bytes(s.sign_message(message).signature)) for s in signers]

    def _people(self, count: int = 2) -> list[LocalAccount]:
        return self.rng.sample(OPERATORS, count)

    # ------------------------------------------------------------ proposals

    def _action(self) -> tuple[Kind, bytes]:
        kind = self.rng.choice(list(Kind))
        return kind, key_of(kind, self.rng.choice(TARGETS[kind]))

    def _new(self) -> Proposal:
        kind, key = self._action()
        ttl = self.rng.choice((30, 300, 1800))
        model = OTHER_MODEL if self.rng.random() < 0.1 else MODEL
        made = self.gate.proposal(kind, key, ttl, model=model)
        self.proposals.append(made)
        return made

    def _old(self, *wanted: Status) -> Proposal:
        """Mostly one of these statuses, else whatever was thought of lately."""
        cases = self.ledger.cases.values()
        fit = [c.proposal for c in cases if self.ledger.status(c, self.now) in (wanted or OPEN)]
        if not self.proposals:
            return self._new()
        return self.rng.choice(fit if fit and self.rng.random() < 0.9 else self.proposals[-12:])

    def _message(self, decision: Any, proposal: Proposal) -> Any:
        self._need_words(proposal.kind, proposal.target)
        words = self.ledger.words_of(proposal.kind, proposal.target)
        return decision_message(decision, proposal, words, self.gate.domain)

    def _need_words(self, kind: Kind, key: bytes) -> None:
        known = {Kind.ISOLATE: self.ledger.assets, Kind.REVOKE: self.ledger.credentials}
        if kind in known and key not in known[kind]:
            raise NoWords

    def _propose(self) -> None:
        self._send(PEOPLE.agent, "propose", self._new().abi())

    def _approve(self) -> None:
        proposal = self._old()
        for operator in self._people(self.rng.randint(1, 3)):
            self._send(operator, "approve", proposal.abi())

    def _approve_by_sig(self) -> None:
        proposal = self._old()
        message = self._message("Approval", proposal)
        signed = self._signed(message, self._people())
        self._send(PEOPLE.stranger, "approveBySig", proposal.abi(), signed)

    def _reject(self) -> None:
        self._send(self._people(1)[0], "reject", self._old().abi())

    def _withdraw(self) -> None:
        proposal = self._new() if self.rng.random() < 0.2 else self._old()
        self._send(self._people(1)[0], "withdraw", proposal.abi())

    def _veto(self) -> None:
        proposal = self._new() if self.rng.random() < 0.3 else self._old()
        self._send(PEOPLE.guardian, "veto", proposal.abi())

    def _execute(self) -> None:
        self._send(PEOPLE.stranger, "execute", self._old(Status.READY, Status.WAITING).abi())

    def _order(self) -> None:
        proposal = self._new()
        message = self._message("Approval", proposal)
        signatures = [compact(data) for _, data in self._signed(message, self._people(3))]
        self._send(PEOPLE.agent, "proposeApproved", proposal.abi(), signatures)

    def _release(self) -> None:
        proposal = self._old(Status.LIVE)
        message = self._message("Release", proposal)
        signed = self._signed(message, self._people())
        self._send(PEOPLE.stranger, "release", proposal.abi(), signed)

    # ------------------------------------------------------------ batches

    def _batch(self) -> None:
        kind, zone, targets = self.rng.choice(list(Kind)), bytes(32), []
        criticality = 0 if kind is Kind.BLOCK else self.rng.randrange(3)
        if kind is Kind.ISOLATE:
            zone, number = name_key(self.rng.choice(ZONES)), 0
            page = (zone, criticality, number)
            keys = self.ledger.keys_on(page)
            if keys and page not in self.ledger.sealed:
                self._send(PEOPLE.stranger, "sealPage", *page, keys)
                self._hear()
            members = self.ledger.members_of(page)
            targets = [members & self.rng.getrandbits(len(keys) + 1)]
        else:
            names = self.rng.sample(TARGETS[kind], 2)
            targets = sorted(int.from_bytes(key_of(kind, name)) for name in names)
        single = self.gate.proposal(kind, bytes(32), self.rng.choice((30, 600)))
        batch = Batch(
            kind,
            zone,
            criticality,
            tuple(targets),
            single.ttl,
            MODEL,
            single.evidence,
            single.deadline,
            single.agent,
            single.nonce,
        )
        self.batches.append(batch)
        if self.rng.random() < 0.1:
            function = self.rng.choice(("withdrawBatch", "vetoBatch"))
            sender = PEOPLE.guardian if function == "vetoBatch" else OPERATORS[0]
            self._send(sender, function, batch.abi())
            return
        self._order_batch(batch)

    def _order_batch(self, batch: Batch) -> None:
        message = self._batch_message("BatchApproval", batch)
        signatures = [compact(data) for _, data in self._signed(message, self._people(3))]
        self._send(PEOPLE.agent, "orderBatch", batch.abi(), self._names(batch), signatures)

    def _batch_message(self, decision: Any, batch: Batch) -> Any:
        for target in batch.targets if batch.kind is Kind.REVOKE else ():
            self._need_words(batch.kind, target.to_bytes(32))
        words = self.ledger.names_of(batch), self.ledger.zone_of(batch)
        return batch_message(decision, batch, *words, self.gate.domain)

    def _names(self, batch: Batch) -> list[list[bytes]]:
        if batch.kind is not Kind.ISOLATE:
            return []
        ledger = self.ledger
        return [page_words(ledger.keys_on(page), bits) for page, bits in ledger.bits_of(batch)]

    def _release_batch(self) -> None:
        if self.batches:
            batch = self.rng.choice(self.batches[-4:])
            signed = self._signed(self._batch_message("BatchRelease", batch), self._people())
            values = (batch.abi(), self._names(batch), signed)
            self._send(PEOPLE.stranger, "releaseBatch", *values)

    def _settle(self) -> None:
        targets, pages = self.ledger.to_settle(self.now)
        for kind, key in list(targets)[: self.rng.randint(1, 3)]:
            self._send(PEOPLE.stranger, "settle", int(kind), [key])
        for zone, criticality, number in pages:
            self._send(PEOPLE.stranger, "settlePages", zone, criticality, [number])

    # ------------------------------------------------------------ receipts

    def _receipt(self) -> None:
        held = self.ledger.holds
        if held:
            (kind, key), hold = self.rng.choice(list(held.items()))
            values = (int(kind), key, hold.order[:20], self.rng.randrange(4), b"\x01" * 32)
            self._send(PEOPLE.enforcer, "fileReceipt", *values)

    def _root(self) -> None:
        held = list(self.ledger.holds.items())
        if not held:
            return
        (kind, key), hold = self.rng.choice(held)
        made = [
            Receipt(hold.order[:20], key, PEOPLE.enforcer.address, outcome, self.rng.randbytes(32))
            for outcome in range(3)
        ]
        tree = Tree(made)
        self._send(PEOPLE.enforcer, "fileReceipts", tree.root, 3)
        shown = (int(kind), tuple(made[1]), tree.root, tree.proof(made[1]))
        self._send(PEOPLE.stranger, "showReceipt", *shown)

    def _page_receipt(self) -> None:
        for page, hold in self.ledger.pages.items():
            batch = self.ledger.batches[hold.order].batch
            index = batch.targets.index(int.from_bytes(self._subject(page, hold.order).target))
            values = (batch.abi(), index, 0, b"\x02" * 32)
            self._send(PEOPLE.enforcer, "filePageReceipt", *values)

    def _subject(self, page: Any, order: bytes) -> Subject:
        return self.ledger.page_subject(page, order)

    def _missing(self) -> None:
        for page, hold in self.ledger.pages.items():
            batch = self.ledger.batches[hold.order].batch
            index = batch.targets.index(int.from_bytes(self._subject(page, hold.order).target))
            self._send(PEOPLE.stranger, "reportMissingBatch", batch.abi(), index)
        self._send(PEOPLE.stranger, "reportMissing", self._old(Status.LIVE).abi())

    # ------------------------------------------------------------ powers

    def _lease(self) -> None:
        lease = self.gate.lease(isolations=self.rng.randrange(4), revocations=1)
        signed = self._signed(lease_message(lease, self.gate.domain), self._people())
        self._send(PEOPLE.stranger, "grantLease", lease.abi(), signed)

    def _end_lease(self) -> None:
        self._send(PEOPLE.guardian, "endLease", PEOPLE.agent.address)

    def _pause(self) -> None:
        self._send(PEOPLE.guardian, "pause")

    def _resume(self) -> None:
        message = resume_message(self.ledger.pauses, self.gate.domain)
        self._send(PEOPLE.stranger, "resume", self._signed(message, self._people()))

    def _activate(self) -> None:
        model = self.rng.choice((MODEL, OTHER_MODEL))
        known = self.ledger.models.get(model)
        terms = (model, self.rng.randbytes(32), (known.revision if known else 0) + 1)
        deadline = self.now + 600
        message = model_message(*terms, deadline, self.gate.domain)
        signed = self._signed(message, self._people(3))
        self._send(PEOPLE.stranger, "activateModel", *terms, deadline, signed)

    def _deactivate(self) -> None:
        model = self.rng.choice((MODEL, OTHER_MODEL, OTHER_MODEL, OTHER_MODEL))
        self._send(PEOPLE.guardian, "deactivateModel", model)

    # ------------------------------------------------------------ governance and time

    def _rule(self) -> None:
        rng, kind, criticality = self.rng, self.rng.choice((0, 1, 1, 2)), self.rng.randrange(4)
        delay = rng.choice((0, 0, 60))
        values = (rng.random() < 0.9, False, rng.randint(1, 3), rng.choice((0, 0, 2)), delay)
        values = (values[0], values[0] and not delay and rng.random() < 0.5, *values[2:])
        self.gate.govern("setRule", kind, criticality, (*values, 1800, 40, rng.randint(1, 5)))

    def _zone(self) -> None:
        rng, now = self.rng, self.now
        frozen = (now - 10, now + 300) if rng.random() < 0.3 else (0, 0)
        opens = (now % (7 * 86400), 120) if rng.random() < 0.5 else (0, 0)
        rule = (rng.choice((100, 60, 20)), rng.randrange(2), *frozen, *opens)
        self.gate.govern("setZone", rng.choice(ZONES), rule)

    def _asset(self) -> None:
        rng, name = self.rng, self.rng.choice(ASSETS)
        pool = "dns" if name.startswith("dns") and rng.random() < 0.8 else ""
        entry = (name, rng.choice(ZONES), pool, rng.randrange(3), rng.random() < 0.2)
        self.gate.govern("setAssets", [entry])

    def _credential(self) -> None:
        rng, name = self.rng, self.rng.choice(CREDENTIALS)
        entry = (name, rng.choice(("ops", "dev")), rng.randrange(3), rng.random() < 0.2)
        self.gate.govern("setCredentials", [entry])

    def _remove(self) -> None:
        kind = self.rng.choice((Kind.ISOLATE, Kind.REVOKE))
        self.gate.govern("removeTarget", int(kind), key_of(kind, self.rng.choice(TARGETS[kind])))

    def _network(self) -> None:
        network = network_key("203.0.113.2/32").to_bytes(32)
        self.gate.govern("setProtectedNetworks", [network], self.rng.random() < 0.3)

    def _pool(self) -> None:
        self.gate.govern("setPool", "dns", self.rng.randrange(3))

    def _grant(self) -> None:
        until = self.now + self.rng.choice((0, 300, 7200))
        self.gate.govern("setGrants", [(self.rng.choice(("ops", "dev")), "intranet", until)])

    def _operator(self) -> None:
        operator = self.rng.choice(OPERATORS)
        group = self.rng.choice((0, 0, 1))
        roles = 2 if self.rng.random() < 0.7 else 0
        self.gate.govern("setRoles", operator.address, roles, group if roles else 0)

    def _agent(self) -> None:
        self.gate.govern("setRoles", PEOPLE.agent.address, self.rng.choice((0, 1, 1, 1, 1)), 0)

    def _scope(self) -> None:
        rng = self.rng
        kinds, zone = rng.choice((7, 7, 2)), rng.choice(("", "", *ZONES))
        self.gate.govern("setEnforcerScope", PEOPLE.enforcer.address, kinds, zone)

    def _limits(self) -> None:
        window, rest = self.rng.choice((3600, 1800)), LIMITS[1:4]
        quorums = [self.rng.randint(1, 2) for _ in range(3)]
        self.gate.govern("setLimits", (window, *rest, *quorums))

    def _wait(self) -> None:
        self.gate.evm.advance(self.rng.choice((1, 1, 20, 70, 70, 400)))

    def _wait_long(self) -> None:
        self.gate.evm.advance(self.rng.choice((5000, 31 * 86400)))


_OFTEN = ("propose", "approve", "approve", "execute", "order", "batch", "wait", "settle")
_NOW_AND_THEN = (
    *("approve_by_sig", "reject", "withdraw", "veto", "release", "release_batch"),
    *("receipt", "root", "page_receipt", "missing", "lease", "resume", "activate"),
    *("rule", "zone", "asset", "credential", "remove", "operator", "scope", "grant"),
)
_RARELY = ("end_lease", "pause", "deactivate", "network", "pool", "agent", "limits", "wait_long")
_STEPS = (*_OFTEN * 8, *_NOW_AND_THEN * 2, *_RARELY)


def _log(emitted: Emitted, call: int) -> dict[str, Any]:
    """The log as it stood on the chain."""
    first, *others = emitted.args.values()
    data = encode(emitted.types[1:], others)
    return {
        "topics": [emitted.selector, encode(emitted.types[:1], [first])],
        "data": data,
        "blockNumber": 0,
        "transactionHash": call.to_bytes(32),
    }
