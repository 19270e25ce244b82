"""What the plain model of the gate knows: sets and tables, nothing packed, nothing counted twice.

Written from the documentation in contracts/interfaces. Each method of the model does what the
contract's function of that name does, with the same arguments and the caller before them, or raises
`Refused` with the contract's error. One that refuses half-way leaves a model to be thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple

from scene import OPERATOR
from signing import NOBODY, Recover

from policies.actions import Kind
from responder.chain.proposal import Domain, Lease, Proposal, Words

Network = IPv4Network | IPv6Network
Cell = tuple[int, int]  # kind, criticality
PageId = tuple[bytes, int, int]  # zone, criticality, number
Signatures = list[tuple[str, bytes]]
Compact = list[tuple[bytes, bytes]]

PAGE = 128
NAMES = 8  # places of a page whose names are hashed together
GROUP_SEATS = 16
REST = 30 * 86400  # seconds for which a seat that someone left is no one else's
WEEK = 7 * 86400


class Refused(Exception):
    def __init__(self, name: str, *values: Any) -> None:
        super().__init__(name, *values)
        self.name, self.values = name, values


class Rule(NamedTuple):
    allowed: bool = False
    leasable: bool = False
    quorum: int = 0
    groups: int = 0
    delay: int = 0
    max_ttl: int = 0
    budget: int = 0
    live: int = 0


class ZoneRule(NamedTuple):
    share: int = 0
    extra: int = 0
    frozen_from: int = 0
    frozen_until: int = 0
    opens: int = 0
    length: int = 0


class Limits(NamedTuple):
    window: int = 0
    max_pending: int = 0
    max_lease: int = 0
    receipt_due: int = 0
    lease_quorum: int = 0
    release_quorum: int = 0
    model_quorum: int = 0


@dataclass(eq=False)
class Seat:
    """Whoever left may come back to his within the time it rests, and to no other group."""

    holder: str
    group: int
    left: int | None = None


@dataclass(frozen=True)
class Asset:
    zone: bytes
    criticality: int
    protected: bool
    pool: bytes | None
    place: int


@dataclass(frozen=True)
class Credential:
    principal: bytes
    criticality: int
    protected: bool


@dataclass
class Entry:
    """Votes on a proposal or batch that has not executed."""

    proposed: bool = False
    vetoed: bool = False
    approvals: list[Seat] = field(default_factory=list)
    rejections: list[Seat] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    approved_at: int = 0


@dataclass
class Order:
    """The last on a target, live or not."""

    id: bytes
    until: int
    counts: bool = True
    released: bool = False
    receipted: bool = False
    missed: bool = False


@dataclass
class PageOrder(Order):
    """The last of batches on a page."""

    places: set[int] = field(default_factory=set)  # that it isolates; they count


@dataclass
class Grant:
    id: bytes
    lease: Lease
    seats: list[Seat]
    spent: list[int] = field(default_factory=lambda: [0, 0, 0])


@dataclass
class Model:
    active: bool = False
    card: bytes = bytes(32)
    revision: int = 0
    approvers: list[str] = field(default_factory=list)


@dataclass
class State:
    now: int
    domain: Domain
    governor: str
    recover: Recover
    wallets: Mapping[str, str]  # owners of wallet contracts, by address
    texts: Mapping[bytes, str]  # of keys: what was hashed
    networks: Mapping[bytes, Network | None]  # what a key of a BLOCK means; None: malformed

    roles: dict[str, int] = field(default_factory=dict)
    seats: list[Seat] = field(default_factory=list)
    scopes: dict[str, tuple[int, bytes | None]] = field(default_factory=dict)
    zones: dict[bytes, ZoneRule] = field(default_factory=dict)
    pools: dict[bytes, int] = field(default_factory=dict)  # how many to keep; in order of numbers
    assets: dict[bytes, Asset] = field(default_factory=dict)
    places: dict[tuple[bytes, int], list[bytes]] = field(default_factory=dict)
    sealed: set[PageId] = field(default_factory=set)
    credentials: dict[bytes, Credential] = field(default_factory=dict)
    resources: dict[bytes, bytes] = field(default_factory=dict)
    grants_of: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    protected: set[bytes] = field(default_factory=set)
    rules: dict[Cell, Rule] = field(default_factory=dict)
    bounds: Limits = field(default_factory=Limits)

    entries: dict[bytes, Entry] = field(default_factory=dict)
    orders: dict[tuple[Kind, bytes], Order] = field(default_factory=dict)
    pages: dict[PageId, PageOrder] = field(default_factory=dict)
    nonces: dict[str, set[int]] = field(default_factory=dict)
    used: dict[str, tuple[int, dict[Cell, int]]] = field(default_factory=dict)  # window, proposals
    leases: dict[str, Grant] = field(default_factory=dict)
    granted: set[bytes] = field(default_factory=set)
    models: dict[bytes, Model] = field(default_factory=dict)
    roots: dict[bytes, str] = field(default_factory=dict)
    paused: bool = False
    pauses: int = 0

    # ---------------------------------------------------------------- people

    def role(self, account: str) -> int:
        return self.roles.get(account, 0)

    def need(self, account: str, role: int) -> None:
        if not self.role(account) & role:
            raise Refused("GateMissingRole", account, role)

    def need_seat(self, account: str) -> Seat:
        self.need(account, OPERATOR)
        return next(s for s in self.seats if s.holder == account and s.left is None)

    @staticmethod
    def current(seats: list[Seat]) -> list[Seat]:
        return [seat for seat in seats if seat.left is None]

    # ---------------------------------------------------------------- targets

    def known(self, kind: Kind, key: bytes) -> Asset | Credential | None:
        return self.assets.get(key) if kind is Kind.ISOLATE else self.credentials.get(key)

    def criticality(self, kind: Kind, key: bytes) -> int:
        if kind is Kind.BLOCK:
            packed = int.from_bytes(key)
            bounds = (32, 24, 16) if packed >> 136 == 4 else (128, 64, 48)
            return sum(packed >> 128 & 0xFF < bound for bound in bounds)
        known = self.known(kind, key)
        return known.criticality if known else 0

    def zone_key(self, kind: Kind, key: bytes) -> bytes | None:
        asset = self.assets.get(key) if kind is Kind.ISOLATE else None
        return asset.zone if asset else None

    def words(self, proposal: Proposal) -> Words:
        """What a wallet shows of the target; KeyError of what no one can name."""
        kind, key = proposal.kind, proposal.target
        zone = self.zone_key(kind, key)
        if kind is Kind.ISOLATE and zone is None:
            raise KeyError(key)
        text = self.text(key) if kind is Kind.BLOCK else self.texts[key]
        return Words(text, self.texts[zone] if zone else "", self.criticality(kind, key))

    @staticmethod
    def text(network: bytes) -> str:
        """Also of a malformed one, whose signatures then fail for what is wrong with it."""
        packed = int.from_bytes(network)
        prefix = packed >> 128 & 0xFF
        if packed >> 136 == 4:
            return ".".join(str(byte) for byte in network[28:]) + f"/{prefix}"
        return ":".join(network[i : i + 2].hex() for i in range(16, 32, 2)) + f"/{prefix}"

    def page_keys(self, page: PageId) -> list[bytes]:
        """By place, also of those that left."""
        zone, criticality, number = page
        return self.places.get((zone, criticality), [])[number * PAGE : (number + 1) * PAGE]

    def page_id(self, asset: Asset) -> PageId:
        return asset.zone, asset.criticality, asset.place // PAGE

    def batched(self, key: bytes) -> PageOrder | None:
        """The page order that this asset counts for."""
        asset = self.assets.get(key)
        page = self.pages.get(self.page_id(asset)) if asset else None
        return page if asset and page and asset.place % PAGE in page.places else None

    def is_live(self, order: Order | None) -> bool:
        return order is not None and not order.released and self.now < order.until

    def live_until(self, kind: Kind, key: bytes) -> int:
        holding = [self.orders.get((kind, key))]
        if kind is Kind.ISOLATE:
            holding.append(self.batched(key))
        return max((order.until for order in holding if order and self.is_live(order)), default=0)

    # ---------------------------------------------------------------- signatures

    def check_signature(self, digest: bytes, signer: str, data: bytes) -> None:
        valid = self.recover(digest, data) == signer
        if signer in self.wallets and len(data) == 65:
            valid = self.recover(digest, data) == self.wallets[signer]
        if not valid:
            raise Refused("GateBadSignature", signer)

    def collect(self, digest: bytes, signatures: Signatures, quorum: int) -> list[Seat]:
        seats: list[Seat] = []
        for signer, data in signatures:
            seat = self.need_seat(signer)
            if seat in seats:
                raise Refused("GateDuplicateSigner", signer)
            self.check_signature(digest, signer, data)
            seats.append(seat)
        if len(signatures) < quorum:
            raise Refused("GateQuorumNotMet", len(signatures), quorum)
        return seats

    def collect_compact(
        self, id_: bytes, digest: bytes, signatures: Compact, quorum: int, groups: int
    ) -> None:
        withdrawn = self.entries.get(id_, Entry()).withdrawn
        if len(signatures) < quorum:
            raise Refused("GateQuorumNotMet", len(signatures), quorum)
        seats: list[Seat] = []
        for r, vs in signatures:
            signer = self.recover(digest, r + vs)
            if signer is None:
                raise Refused("GateBadSignature", NOBODY)
            seat = self.need_seat(signer)
            if seat in seats:
                raise Refused("GateDuplicateSigner", signer)
            if signer in withdrawn:
                raise Refused("GateAlreadyVoted", id_, signer)
            seats.append(seat)
        self.need_groups(seats, groups)

    def missing_groups(self, seats: list[Seat], groups: int) -> int:
        for seat in self.current(seats):
            groups &= ~(1 << seat.group)
        return groups

    def need_groups(self, seats: list[Seat], groups: int) -> None:
        if missing := self.missing_groups(seats, groups):
            raise Refused("GateGroupMissing", missing)
