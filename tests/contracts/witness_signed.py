"""What people signed, as the log tells it: leases, models, pauses; and what enforcers read back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from scene import AGENT, ENFORCER, GUARDIAN
from witness_registry import GROUP, PAGE, Held, RegistryLog, merkle_root

from policies.actions import Kind
from responder.chain.proposal import (
    Batch,
    Lease,
    Proposal,
    batch_message,
    decision_message,
    lease_message,
    message_digest,
    model_message,
    resume_message,
)

RECEIPT_TYPE = "(bytes20,bytes32,address,uint8,bytes32)"


@dataclass
class Granted:
    lease: Lease
    signers: set[str]
    spent: Counter[int] = field(default_factory=Counter)
    ended: bool = False


class SignedLog(RegistryLog):
    def __init__(self, world: Any) -> None:
        """`world`: a gate to look at, its address and chain, and whose key signed what."""
        super().__init__(governor=world.addresses["governor"])
        self._world = world
        self.batches: dict[bytes, Batch] = {}
        self.leases: dict[bytes, Granted] = {}
        self.models: dict[bytes, tuple[bool, int]] = {}  # active, revision
        self.roots: dict[bytes, str] = {}
        self.paused, self.pauses = False, 0

    # ---------------------------------------------------------------- leases, models, the pause

    def _LeaseGranted(self, id: bytes, lease: Any, signatures: Any) -> None:
        made = Lease(*lease)
        digest = message_digest(lease_message(made, self._world.domain))
        assert id == digest and id not in self.leases
        assert self.roles[made.agent] == AGENT and self.models[made.model][0]
        assert self.now < made.expires <= self.now + self.limits[2]
        assert not any(self.is_granted(old, made.agent) for old in self.leases.values())
        for old in self.leases.values():  # one that counts no more makes room, for good
            old.ended |= old.lease.agent == made.agent
        self.leases[id] = Granted(made, self.collected(digest, signatures, self.limits[4]))

    def is_granted(self, granted: Granted, agent: str) -> bool:
        enough = len(self.current(granted.signers)) >= self.limits[4]
        in_time = not granted.ended and self.now < granted.lease.expires
        return in_time and enough and granted.lease.agent == agent

    def _LeaseEnded(self, id: bytes, guardian: str) -> None:
        assert self.sender == guardian and self.roles[guardian] & GUARDIAN
        assert not self.leases[id].ended
        self.leases[id].ended = True

    def _ModelActivated(
        self, model: bytes, card: bytes, revision: int, deadline: int, signatures: Any
    ) -> None:
        assert self.now < deadline and revision == self.models.get(model, (False, 0))[1] + 1
        message = model_message(model, card, revision, deadline, self._world.domain)
        self.collected(message_digest(message), signatures, self.limits[6])
        self.models[model] = True, revision

    def _ModelDeactivated(self, model: bytes, revision: int, guardian: str) -> None:
        assert self.sender == guardian and self.roles[guardian] & GUARDIAN
        assert self.models[model] == (True, revision - 1)
        self.models[model] = False, revision

    def _Paused(self, guardian: str, pause: int) -> None:
        assert self.sender == guardian and self.roles[guardian] & GUARDIAN
        assert not self.paused and pause == self.pauses + 1
        self.paused, self.pauses = True, pause

    def _Resumed(self, pause: int, signatures: Any) -> None:
        assert self.paused and pause == self.pauses
        digest = message_digest(resume_message(pause, self._world.domain))
        self.collected(digest, signatures, self.limits[5])
        self.paused = False

    # ---------------------------------------------------------------- receipts

    def _ReceiptFiled(self, order: bytes, receipt: Any) -> None:
        assert self.sender == receipt[2]
        self._received(order, receipt)

    def _ReceiptsFiled(self, root: bytes, enforcer: str, count: int) -> None:
        assert self.sender == enforcer and self.roles[enforcer] & ENFORCER
        assert root not in self.roots
        self.roots[root] = enforcer

    def _ReceiptShown(self, order: bytes, receipt: Any, root: bytes) -> None:
        leaf = keccak(keccak(encode([RECEIPT_TYPE], [receipt])))
        assert self.roots[root] == receipt[2] and merkle_root(leaf, self.args[-1]) == root
        self._received(order, receipt)

    def _received(self, order: bytes, receipt: Any) -> None:
        assert order == receipt[0] and self.roles[receipt[2]] & ENFORCER
        kind, zone, held = self._held(order, receipt[1])
        kinds, only = self.scopes[receipt[2]]
        assert kinds >> kind & 1 and only in ("", zone)
        held.receipted = True

    def _held(self, start: bytes, target: bytes) -> tuple[int, str, Held]:
        """The last order on a target; fails where it is another."""
        for id_, batch in self.batches.items():
            if id_[:20] == start and batch.kind == Kind.ISOLATE:
                assert int.from_bytes(target) in batch.targets
                page = batch.zone, batch.criticality, int.from_bytes(target) >> PAGE
                assert self.pages[page].id == id_
                return Kind.ISOLATE, self.names[batch.zone], self.pages[page]
        found = [(k, held) for (k, t), held in self.orders.items() if t == target]
        [(kind, held)] = [(k, held) for k, held in found if held.id[:20] == start]
        known = kind == Kind.ISOLATE and target in self.assets
        return kind, self.assets[target][1] if known else "", held

    def _ReceiptMissed(self, id: bytes, target: bytes, reporter: str) -> None:
        _, _, held = self._held(id[:20], target)
        assert held.id == id and reporter == self.sender
        assert not held.released and not held.receipted and not held.missed
        assert self.now >= held.until - held.ttl + self.limits[3]
        held.missed = True

    # ---------------------------------------------------------------- signatures

    def decision(self, decision: Any, made: Proposal) -> bytes:
        words = self.words(made.kind, made.target)
        return message_digest(decision_message(decision, made, words, self._world.domain))

    def batch_digest(self, decision: Any, made: Batch) -> bytes:
        zone, keys = "", [[target.to_bytes(32) for target in made.targets]]
        if made.kind == Kind.ISOLATE:
            zone, keys = self.names[made.zone], self._groups(made)
        names = [[self.words(made.kind, key).target for key in group] for group in keys]
        return message_digest(batch_message(decision, made, names, zone, self._world.domain))

    def _groups(self, made: Batch) -> list[list[bytes]]:
        """The assets of a batch as they are signed: a whole page together, else by its groups."""
        groups: dict[tuple[int, int], list[bytes]] = {}
        for (*_, number), assets in self.pages_of(made).items():
            first = number * PAGE
            whole = len(assets) == min(PAGE, self.taken[made.zone, made.criticality] - first)
            for key in sorted(assets, key=lambda key: self.places[key]):
                group = 0 if whole else self.places[key][2] // GROUP
                groups.setdefault((number, group), []).append(key)
        return list(groups.values())

    def collected(self, digest: bytes, signatures: Any, quorum: int) -> set[str]:
        for signer, data in signatures:
            self.signed(digest, signer, data)
        signers = [signer for signer, _ in signatures]
        assert len(signers) == len(self.current(signers)) >= quorum >= 1
        return set(signers)

    def signed(self, digest: bytes, signer: str, data: bytes) -> None:
        assert self._world.recover(digest, data) == self._world.wallets.get(signer, signer)

    def pages_of(self, made: Batch) -> dict[Any, frozenset[bytes]]:
        """Assets of each page of a batch: who stands on the places now."""
        if made.kind != Kind.ISOLATE:
            return {}
        standing = {where: key for key, where in self.places.items()}
        found = {}
        for target in made.targets:
            number = target >> PAGE
            places = [place for place in range(PAGE) if target >> place & 1]
            at = [(made.zone, made.criticality, number * PAGE + place) for place in places]
            assert at and (made.zone, made.criticality, number) not in found
            found[made.zone, made.criticality, number] = frozenset(standing[w] for w in at)
        return found
