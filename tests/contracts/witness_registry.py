"""The registry as the log tells it: what `gate_witness` judges orders by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import event_abi_to_log_topic, get_abi_input_types
from eth_utils.crypto import keccak
from scene import AGENT, ENFORCER, GUARDIAN, OPERATOR

from policies.actions import Kind
from responder.chain.events import artifact
from responder.chain.proposal import Words, name_key, network_text

FOREIGN = ("AuthorityUpdated", "EIP712DomainChanged")  # OpenZeppelin's, outside the chain
PAGE = 128  # places
GROUP = 8  # of them, whose names stand together in what is signed
REST = 30 * 86400
WEEK = 7 * 86400

# Whose role each function needs, and who else may do nothing with it; what is not here is anyone's.
ROLE_OF = {
    **dict.fromkeys(("propose", "proposeApproved", "orderBatch"), AGENT),
    **dict.fromkeys(("approve", "reject", "withdraw", "withdrawBatch"), OPERATOR),
    **dict.fromkeys(("veto", "vetoBatch", "pause", "endLease", "deactivateModel"), GUARDIAN),
    **dict.fromkeys(("fileReceipt", "filePageReceipt", "fileReceipts"), ENFORCER),
}


@dataclass
class Held:
    """An order on a target or page, live or over."""

    id: bytes
    until: int
    ttl: int
    assets: frozenset[bytes] = frozenset()  # of a page
    counts: bool = True
    released: bool = False
    receipted: bool = False
    missed: bool = False


@dataclass
class RegistryLog:
    governor: str
    sender: str = ""
    function: str = ""
    args: tuple[Any, ...] = ()
    now: int = 0
    head: bytes = bytes(32)

    roles: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)  # when who was an operator last
    scopes: dict[str, tuple[int, str]] = field(default_factory=dict)
    zones: dict[bytes, Any] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)
    pools: dict[bytes, int] = field(default_factory=dict)
    assets: dict[bytes, Any] = field(default_factory=dict)  # AssetEntry
    places: dict[bytes, tuple[bytes, int, int]] = field(default_factory=dict)
    taken: dict[tuple[bytes, int], int] = field(default_factory=dict)  # places
    pool_of: dict[bytes, bytes] = field(default_factory=dict)
    credentials: dict[bytes, Any] = field(default_factory=dict)  # CredentialEntry
    resources: dict[bytes, bytes] = field(default_factory=dict)
    grants: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    protected: set[bytes] = field(default_factory=set)
    rules: dict[tuple[int, int], Any] = field(default_factory=dict)
    limits: Any = (0,) * 7

    orders: dict[tuple[int, bytes], Held] = field(default_factory=dict)
    pages: dict[tuple[bytes, int, int], Held] = field(default_factory=dict)

    # ---------------------------------------------------------------- what governance says

    def governed(self) -> None:
        assert self.sender == self.governor

    def _RolesSet(self, account: str, roles: int, group: int) -> None:
        self.governed()
        assert not roles & AGENT or roles == AGENT
        was, stays = self.is_operator(account), bool(roles & OPERATOR)
        if was and not stays:
            self.left[account] = self.now
        if stays and not was and self.now < self.left.get(account, -REST) + REST:
            assert self.groups[account] == group  # else what he signed could count for two
        if stays:
            assert not was or self.groups[account] == group
            self.groups[account] = group
        self.roles[account] = roles
        for number in range(4):
            assert sum(self.groups[name] == number for name in self.operators()) <= 16

    def _EnforcerScopeSet(self, enforcer: str, kinds: int, zone: str) -> None:
        self.governed()
        self.scopes[enforcer] = kinds, zone

    def _ZoneSet(self, key: bytes, name: str, rule: Any) -> None:
        self.governed()
        assert key == name_key(name) and 1 <= rule[0] <= 100
        self.zones[key], self.names[key] = rule, name

    def _PoolSet(self, key: bytes, name: str, number: int, keep: int) -> None:
        self.governed()
        assert key == name_key(name)
        assert number == (list(self.pools).index(key) if key in self.pools else len(self.pools)) + 1
        self.pools[key] = keep

    def _AssetSet(self, key: bytes, entry: Any, place: int) -> None:
        self.governed()
        name, zone, pool, criticality, _ = entry
        where = name_key(zone), criticality, place
        assert key == name_key(name) and where[0] in self.zones
        assert not pool or name_key(pool) in self.pools
        old = self.assets.get(key)
        if old and (old[1:4] != entry[1:4] or self.places[key] != where):
            assert not self.counts(Kind.ISOLATE, key)
        taken = {other for other, at in self.places.items() if at == where}
        assert taken <= {key}
        self.assets[key], self.places[key], self.names[key] = entry, where, name
        self.taken[where[:2]] = max(place + 1, self.taken.get(where[:2], 0))
        self.pool_of[key] = name_key(pool) if pool else b""

    def _CredentialSet(self, key: bytes, entry: Any) -> None:
        self.governed()
        assert key == name_key(entry[0])
        old = self.credentials.get(key)
        assert not old or old[2] == entry[2] or not self.counts(Kind.REVOKE, key)
        self.credentials[key], self.names[key] = entry, entry[0]

    def _TargetRemoved(self, key: bytes, kind: int) -> None:
        self.governed()
        assert not self.counts(kind, key)
        if kind == Kind.ISOLATE:
            del self.assets[key], self.places[key]
        else:
            del self.credentials[key]

    def _ResourceSet(self, key: bytes, name: str, asset: str) -> None:
        self.governed()
        assert key == name_key(name) and name_key(asset) in self.assets
        self.resources[key] = name_key(asset)

    def _GrantSet(self, principal: bytes, grant: Any) -> None:
        self.governed()
        assert principal == name_key(grant[0]) and name_key(grant[1]) in self.resources
        self.grants[principal, name_key(grant[1])] = grant[2]

    def _NetworkProtected(self, network: bytes, isProtected: bool) -> None:
        self.governed()
        (self.protected.add if isProtected else self.protected.discard)(network)

    def _RuleSet(self, kind: int, criticality: int, rule: Any) -> None:
        self.governed()
        assert not rule[0] or rule[2] >= 1
        self.rules[kind, criticality] = rule

    def _LimitsSet(self, caller: str, limits: Any) -> None:
        self.governed()
        assert caller == self.sender and all(limits)
        self.limits = limits

    def _PageSealed(self, zone: bytes, criticality: int, page: int) -> None:
        assert self.args[:3] == (zone, criticality, page)

    # ---------------------------------------------------------------- what follows from it

    def is_operator(self, account: str) -> bool:
        return bool(self.roles.get(account, 0) & OPERATOR)

    def operators(self) -> list[str]:
        return [account for account in self.roles if self.is_operator(account)]

    def current(self, accounts: Iterable[str]) -> set[str]:
        return {account for account in accounts if self.is_operator(account)}

    def rule(self, kind: int, criticality: int) -> Any:
        return self.rules.get((kind, criticality), (False, False, 0, 0, 0, 0, 0, 0))

    def criticality(self, kind: int, key: bytes) -> int:
        """Of what was removed: low."""
        if kind == Kind.ISOLATE:
            return int(self.assets[key][3]) if key in self.assets else 0
        if kind == Kind.REVOKE:
            return int(self.credentials[key][2]) if key in self.credentials else 0
        prefix, v4 = key[15], key[14] == 4
        return sum(prefix < bound for bound in ((32, 24, 16) if v4 else (128, 64, 48)))

    def zone(self, kind: int, key: bytes) -> Any:
        """ZoneRule of an asset; of others one without effect."""
        if kind != Kind.ISOLATE:
            return 100, 0, 0, 0, 0, 0
        return self.zones[self.places[key][0]]

    def is_frozen(self, zone: Any) -> bool:
        return bool(zone[2] <= self.now < zone[3])

    def quorum(self, rule: Any, zone: Any) -> int:
        return int(rule[2] + (zone[1] if self.is_frozen(zone) else 0))

    def delay(self, rule: Any, zone: Any) -> int:
        return 0 if (self.now - zone[4]) % WEEK < zone[5] else int(rule[4])

    def has_groups(self, accounts: Iterable[str], groups: int) -> bool:
        of = {self.groups[account] for account in self.current(accounts)}
        return {group for group in range(4) if groups >> group & 1} <= of

    def words(self, kind: int, key: bytes) -> Words:
        if kind == Kind.BLOCK:
            return Words(network_text(key), "", self.criticality(kind, key))
        zone = self.assets[key][1] if kind == Kind.ISOLATE else ""
        return Words(self.names[key], zone, self.criticality(kind, key))

    def is_safe(self, kind: int, key: bytes) -> bool:
        """Not protected, and there at all: KeyError of what is not, ValueError of no network."""
        if kind == Kind.ISOLATE:
            return not self.assets[key][4]
        if kind == Kind.REVOKE:
            return not self.credentials[key][3]
        network = network_of(key)
        safe = [network_of(other) for other in self.protected]
        return not any(o.version == network.version and o.overlaps(network) for o in safe)

    # ---------------------------------------------------------------- what is ordered

    def page_id(self, key: bytes) -> tuple[bytes, int, int]:
        zone, criticality, place = self.places[key]
        return zone, criticality, place // PAGE

    def is_live(self, held: Held) -> bool:
        return not held.released and self.now < held.until

    def holding(self, kind: int, key: bytes) -> list[Held]:
        own = [self.orders[kind, key]] if (kind, key) in self.orders else []
        if kind != Kind.ISOLATE or key not in self.places:
            return own
        page = self.pages.get(self.page_id(key))
        return [*own, page] if page and key in page.assets else own

    def counts(self, kind: int, key: bytes) -> bool:
        return any(held.counts for held in self.holding(kind, key))

    def live_until(self, kind: int, key: bytes) -> int:
        live = [held.until for held in self.holding(kind, key) if self.is_live(held)]
        return max(live, default=0)

    def cell_counts(self, kind: int, criticality: int, live: bool = False) -> int:
        """Orders in this cell that count, or only those that are live."""

        def matters(held: Held) -> bool:
            return self.is_live(held) if live else held.counts

        cell = kind, criticality
        own = [
            matters(held)
            for (what, key), held in self.orders.items()
            if (what, self.criticality(what, key)) == cell
        ]
        pages = [
            len(held.assets)
            for page, held in self.pages.items()
            if kind == Kind.ISOLATE and page[1] == criticality and matters(held)
        ]
        return sum(own) + sum(pages)

    def isolated(self, keys: Iterable[bytes]) -> int:
        return len(self._isolated().intersection(keys))

    def _isolated(self) -> set[bytes]:
        orders = self.orders.items()
        own = {key for (kind, key), held in orders if kind == Kind.ISOLATE and self.is_live(held)}
        return own.union(*(held.assets for held in self.pages.values() if self.is_live(held)))

    def assets_of(self, zone: bytes) -> list[bytes]:
        return [key for key, place in self.places.items() if place[0] == zone]

    def members(self, pool: bytes) -> list[bytes]:
        return [key for key in self.places if self.pool_of[key] == pool]

    def is_authorized(self, credential: bytes, resource: bytes) -> bool:
        asset = self.resources.get(resource, b"")
        if credential not in self.credentials or asset not in self.assets:
            return False
        until = self.grants.get((name_key(self.credentials[credential][1]), resource), 0)
        revoked = self.live_until(Kind.REVOKE, credential)
        isolated = self.live_until(Kind.ISOLATE, asset)
        return self.now < until and not revoked and not isolated


def network_of(key: bytes) -> IPv4Network | IPv6Network:
    """ValueError where it has no canonical meaning."""
    family, prefix, address = key[14], key[15], int.from_bytes(key[16:])
    if any(key[:14]) or family not in (4, 6):
        raise ValueError(key.hex())
    if family == 4:
        return IPv4Network((IPv4Address(address), prefix))
    network = IPv6Network((IPv6Address(address), prefix))
    if network.subnet_of(IPv6Network("::ffff:0:0/96")):
        raise ValueError(f"IPv4 written as IPv6: {key.hex()}")
    return network


def read(topics: list[bytes], data: bytes) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a raw log, by the ABI alone. The first argument is the indexed one."""
    name, fields, subject, types = _events()[topics[0]]
    values = (*decode([subject], topics[1]), *decode(types, data))
    return name, dict(zip(fields, values, strict=True))


@cache
def _events() -> Mapping[bytes, tuple[str, list[str], str, list[str]]]:
    table = {}
    for entry in artifact("Gate")["abi"]:
        if entry["type"] == "event" and entry["name"] not in FOREIGN:
            subject, *types = get_abi_input_types(entry)
            assert [field["indexed"] for field in entry["inputs"]] == [True] + [False] * len(types)
            fields = [field["name"] for field in entry["inputs"]]
            table[bytes(event_abi_to_log_topic(entry))] = entry["name"], fields, subject, types
    return table


def merkle_root(leaf: bytes, proof: list[bytes]) -> bytes:
    for other in proof:
        leaf = bytes(keccak(b"".join(sorted((leaf, other)))))
    return leaf
