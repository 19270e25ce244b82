"""What the ledger keeps: proposals, batches, leases, models, receipts and who voted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address

from policies.actions import Kind
from responder.chain.proposal import Batch, Lease, Proposal, Words

__all__ = [
    "NONCES",
    "OPEN",
    "BatchCase",
    "Case",
    "Hold",
    "LeaseEntry",
    "ModelEntry",
    "Order",
    "ReceiptEntry",
    "Role",
    "RootEntry",
    "Status",
    "Subject",
    "Vote",
    "to_batch",
    "to_lease",
    "to_proposal",
]


NONCES = 24  # an agent may use its nonces in any order so far behind the last; the contract's


class Role(IntEnum):
    """Bits of a role set."""

    AGENT = 1
    OPERATOR = 2
    GUARDIAN = 4
    ENFORCER = 8


class Status(IntEnum):
    """IGate.Status."""

    NONE = 0
    PENDING = 1
    WAITING = 2
    READY = 3
    LIVE = 4
    EXPIRED = 5
    RELEASED = 6
    SUPERSEDED = 7
    REJECTED = 8
    VETOED = 9
    LAPSED = 10


OPEN = frozenset({Status.PENDING, Status.WAITING, Status.READY})


@dataclass(frozen=True, slots=True)
class Vote:
    """An approval or rejection; an empty signature means by the operator's own transaction."""

    operator: str
    signature: bytes
    time: int
    seat: int  # he had then; who left a seat and came back has another


class Subject(NamedTuple):
    """What a receipt is about."""

    order: bytes  # id of the proposal or batch
    target: bytes  # the proposal's; of a batch one of its `targets`, be it a page


@dataclass(frozen=True, slots=True)
class Order:
    """One action that the network must obey now."""

    subject: Subject  # assets of one page share it
    kind: Kind
    key: bytes  # of the target
    words: Words
    until: int  # Unix seconds

    @property
    def id(self) -> bytes:
        """Of the proposal or batch that ordered it."""
        return self.subject.order


@dataclass(slots=True)
class Hold:
    """The last order on a target or on a page of assets."""

    order: bytes  # id of the proposal or batch
    until: int  # zero after a release
    bits: int = 1  # places of the page that count; of a target one or, once settled, zero
    executed_at: int = 0
    receipted: bool = False
    missed: bool = False


@dataclass(frozen=True, slots=True)
class ReceiptEntry:
    """An enforcer's statement."""

    subject: Subject
    enforcer: str
    outcome: int
    digest: bytes
    time: int
    root: bytes = b""  # it was shown to stand under


@dataclass(frozen=True, slots=True)
class RootEntry:
    """Many receipts by their Merkle root."""

    enforcer: str
    count: int
    time: int


@dataclass
class Case:
    """A proposal and all that happened to it."""

    id: bytes
    proposal: Proposal
    words: Words
    proposed_at: int
    approvals: dict[str, Vote] = field(default_factory=dict)
    rejections: dict[str, Vote] = field(default_factory=dict)
    approved_at: int = 0  # time of the last approval that came while there were not enough
    executed_at: int | None = None
    until: int = 0
    lease: bytes = bytes(32)
    released_at: int | None = None
    superseded_at: int | None = None
    vetoed_at: int | None = None
    receipts: list[ReceiptEntry] = field(default_factory=list)

    @property
    def ended_at(self) -> int:
        """When the order stopped or will stop to count."""
        early = [t for t in (self.released_at, self.superseded_at) if t is not None]
        return min([self.until, *early])


@dataclass
class BatchCase:
    """A batch, whose orders were live at once, and what happened to it."""

    id: bytes
    batch: Batch
    names: tuple[tuple[str, ...], ...]  # as signed: a group for each page, or all in one
    zone: str
    executed_at: int
    approvals: dict[str, Vote]
    released_at: int | None = None
    receipts: list[ReceiptEntry] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Actions in it."""
        return sum(len(group) for group in self.names)


@dataclass
class LeaseEntry:
    """A granted lease and what is spent of it, by Kind."""

    id: bytes
    lease: Lease
    signers: dict[str, int]  # with the seat that each had
    spent: list[int] = field(default_factory=lambda: [0, 0, 0])
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that was ever active."""

    card: bytes
    revision: int  # of its last activation or deactivation
    active: bool
    approvers: tuple[str, ...]  # of its last activation


def to_proposal(values: Any) -> Proposal:
    """IGate.Proposal as decoded from an event."""
    kind, target, ttl, model, evidence, deadline, agent, nonce = values
    return Proposal(
        Kind(kind), target, ttl, model, evidence, deadline, to_checksum_address(agent), nonce
    )


def to_batch(values: Any) -> Batch:
    """IGate.Batch as decoded from an event."""
    kind, zone, criticality, targets, ttl, model, evidence, deadline, agent, nonce = values
    who = to_checksum_address(agent)
    return Batch(
        Kind(kind), zone, criticality, tuple(targets), ttl, model, evidence, deadline, who, nonce
    )


def to_lease(values: Any) -> Lease:
    """IGate.Lease as decoded from an event."""
    return Lease(to_checksum_address(values[0]), *values[1:])
