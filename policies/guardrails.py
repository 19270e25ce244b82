"""Guardrails: the mirror of contracts/Guardrails.sol, for masks in simulator and live side.

The contract decides; this says beforehand what it will say. A differential test keeps them equal.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from policies.actions import Action, Kind, canonical_network, network_criticality, network_key
from policies.rules import (
    Reason,
    Tier,
    is_below_minimum,
    is_open,
    is_over_share,
    is_within,
    lease_covers,
    rule_refusal,
)

__all__ = [
    "Guardrails",
    "Lease",
    "Limits",
    "Reason",
    "Rule",
    "Target",
    "Tier",
    "Verdict",
    "ZoneRule",
]


class Verdict(NamedTuple):
    tier: Tier
    reason: Reason  # NONE unless refused
    approvals: int  # needed; zero when refused or under the lease
    delay: int  # seconds from the last approval to execution; zero unless the tier is DELAYED


@dataclass(frozen=True, slots=True)
class Rule:
    """One cell of the guardrail table (kind x criticality)."""

    allowed: bool
    leasable: bool = False
    quorum: int = 0
    groups: int = 0  # bit g: at least one approval is of approver group g
    delay: int = 0  # seconds
    max_ttl: int = 0  # seconds
    budget: int = 0  # proposals per agent and window
    live: int = 0  # orders at once, of all agents


@dataclass(frozen=True, slots=True)
class Limits:
    window: int  # seconds; budgets count within [k * window, (k + 1) * window)
    max_pending: int  # seconds a proposal may wait
    max_lease: int  # seconds
    receipt_due: int  # seconds
    lease_quorum: int
    release_quorum: int
    model_quorum: int


@dataclass(frozen=True, slots=True)
class ZoneRule:
    """How much of a zone may be isolated, and when it takes more or less to do so."""

    share: int = 100  # percent of its assets isolated at once; one asset is always allowed
    extra: int = 0  # approvals more while it is frozen
    frozen_from: int = 0  # Unix seconds; frozen zones also know no lease
    frozen_until: int = 0
    opens: int = 0  # second of the week, from Thursday 00:00 UTC, at which its change window opens
    length: int = 0  # seconds of the change window; within it no delay is waited for

    def is_frozen(self, now: float) -> bool:
        return is_within(int(now), self.frozen_from, self.frozen_until)

    def is_open(self, now: float) -> bool:
        """Whether its change window is open."""
        return is_open(int(now), self.opens, self.length)

    def is_over_share(self, assets: int, isolated: int) -> bool:
        return is_over_share(assets, isolated, self.share)


@dataclass(frozen=True, slots=True)
class Target:
    """What the guardrails need to know of an asset or credential."""

    criticality: int  # 0 low to 3 critical
    protected: bool = False
    zone: str = ""  # of an asset
    pool: str = ""  # of an asset; empty: in none


@dataclass(slots=True)
class Lease:
    """The agent's lease; whoever sets it leaves out one that was ended or whose signers went."""

    model: bytes
    budgets: tuple[int, int, int]  # by Kind
    max_criticality: int
    max_ttl: int  # seconds
    expires: int  # Unix seconds
    spent: list[int] = field(default_factory=lambda: [0, 0, 0])

    def covers(self, action: Action, criticality: int, model: bytes, now: float) -> bool:
        return self.model == model and lease_covers(
            int(now),
            self.expires,
            criticality,
            self.max_criticality,
            action.ttl,
            self.max_ttl,
            self.budgets[action.kind] - self.spent[action.kind],
        )

    def left(self, kind: Kind) -> float:
        """Share of its budget for this kind that is not spent, 0..1."""
        return _share(self.spent[kind], self.budgets[kind])


_REFUSED = tuple(Verdict(Tier.REFUSED, reason, 0, 0) for reason in Reason)
_LEASED = Verdict(Tier.LEASE, Reason.NONE, 0, 0)
_FORBIDDEN = Rule(allowed=False)
_NO_ZONE = ZoneRule()
_UNKNOWN = Target(0)


class Guardrails:
    """The rules, what is live at the site, and what one agent has used of its budgets and lease.

    An order counts from its execution until it is released, or settled after its end. `lease`,
    `paused`, `counted` and `batched` are set by whoever knows the state of the chain.
    """

    def __init__(
        self,
        rules: Mapping[tuple[Kind, int], Rule],
        limits: Limits,
        assets: Mapping[str, Target],
        credentials: Mapping[str, Target],
        protected_networks: Iterable[str] = (),
        zones: Mapping[str, ZoneRule] = MappingProxyType({}),
        pools: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`assets`, `credentials` by id, not to change from here on; a cell that `rules` lacks
        refuses. `zones` by name, those it lacks have no limits; `pools`: how many members of
        each are never isolated.

        Raises ValueError for a bad network.
        """
        self.rules, self.limits = dict(rules), limits
        self.assets, self.credentials = assets, credentials
        self.zones, self.pools = zones, pools
        self.lease: Lease | None = None
        self.paused = False
        self._protected = [_network(text) for text in protected_networks]
        self._zone_sizes = Counter(asset.zone for asset in assets.values())
        self._pool_sizes = Counter(asset.pool for asset in assets.values())
        self._counted: dict[tuple[Kind, str], None] = {}
        self._batched: dict[str, None] = {}
        self._live: defaultdict[tuple[Kind, int], int] = defaultdict(int)  # by cell
        self._zone_isolated: defaultdict[str, int] = defaultdict(int)
        self._pool_isolated: defaultdict[str, int] = defaultdict(int)
        self._window = -1  # the one that `_used` counts in
        self._used: dict[tuple[Kind, int], int] = {}

    # ------------------------------------------------------------ questions

    def verdict(self, action: Action, model: bytes, now: float) -> Verdict:
        """What the contract would say at block time `now` (Unix seconds) to this agent."""
        reason, target, rule = self._judge(action)
        if not reason and self.used(action.kind, target.criticality, now) >= rule.budget:
            reason = Reason.BUDGET_SPENT
        if reason:
            return _REFUSED[reason]
        zone, lease = self._zone_of(action.kind, target), self.lease
        leasable = rule.leasable and lease is not None and not zone.is_frozen(now)
        if leasable and lease and lease.covers(action, target.criticality, model, now):
            return _LEASED
        return _signed(rule, zone, now)

    def execution(self, action: Action, now: float) -> Verdict:
        """What executing it at `now` takes once it is proposed: no budget is asked, no lease."""
        reason, target, rule = self._judge(action)
        if reason:
            return _REFUSED[reason]
        return _signed(rule, self._zone_of(action.kind, target), now)

    def used(self, kind: Kind, criticality: int, now: float) -> int:
        """Proposals counted in this cell in the window of `now`."""
        if self._window != self._window_at(now):
            return 0
        return self._used.get((kind, criticality), 0)

    def budget_left(self, kind: Kind, now: float) -> float:
        """Share of the proposals that the window of `now` still allows, 0..1: of this kind's cells
        the one with the most left. Zero where no cell allows any.
        """
        shares = (
            _share(self.used(kind, criticality, now), rule.budget)
            for (of, criticality), rule in self.rules.items()
            if of is kind and rule.allowed
        )
        return max(shares, default=0.0)

    @property
    def counted(self) -> Set[tuple[Kind, str]]:
        """Targets whose own order counts; networks as `canonical_network` writes them."""
        return self._counted.keys()

    @counted.setter
    def counted(self, targets: Set[tuple[Kind, str]]) -> None:
        for key in tuple(self._counted):
            self.uncount(*key)
        for key in targets:
            self.order(*key)

    @property
    def batched(self) -> Set[str]:
        """Assets that count by a batch, beside `counted`."""
        return self._batched.keys()

    @batched.setter
    def batched(self, assets: Set[str]) -> None:
        for name in self._batched:
            self._tally(Kind.ISOLATE, self.assets[name], -1)
        self._batched = dict.fromkeys(assets)
        for name in self._batched:
            self._tally(Kind.ISOLATE, self.assets[name], 1)

    # ------------------------------------------------------------ what happens

    def propose(self, action: Action, model: bytes, now: float) -> Verdict:
        """The verdict; unless refused, what it uses of budget and lease is counted, and so is the
        order under the lease.
        """
        verdict = self.verdict(action, model, now)
        if verdict.tier is Tier.REFUSED:
            return verdict
        criticality = self._known(action.kind, action.target).criticality
        used = self.used(action.kind, criticality, now)
        self.set_used(action.kind, criticality, used + 1, now)
        if verdict.tier is Tier.LEASE and self.lease:
            self.lease.spent[action.kind] += 1
            self.order(action.kind, action.target)
        return verdict

    def order(self, kind: Kind, target: str) -> None:
        """The order on this target counts, once. Raises KeyError for an asset or credential that
        is not registered, ValueError for a bad network.
        """
        key = (kind, _name(kind, target))
        if key not in self._counted:
            self._tally(kind, self._known(kind, target), 1)
            self._counted[key] = None

    def uncount(self, kind: Kind, target: str) -> None:
        """The order on this target counts no more, if it did."""
        key = (kind, _name(kind, target))
        if key in self._counted:
            self._tally(kind, self._known(kind, target), -1)
            del self._counted[key]

    def set_used(self, kind: Kind, criticality: int, count: int, now: float) -> None:
        """Takes over what the chain has counted in the window of `now`."""
        window = self._window_at(now)
        if window != self._window:
            self._window, self._used = window, {}
        self._used[kind, criticality] = count

    def _window_at(self, now: float) -> int:
        """Its number, of which the contract keeps 16 bits."""
        return int(now) // self.limits.window % (1 << 16)

    # ------------------------------------------------------------ refusals

    def _judge(self, action: Action) -> tuple[Reason, Target, Rule]:
        """Whether what no budget changes refuses it; and what it is judged by."""
        kind, name = action.kind, action.target
        try:
            target = self._known(kind, name)
        except KeyError:
            return Reason.UNKNOWN_TARGET, _UNKNOWN, _FORBIDDEN
        except ValueError:
            return Reason.MALFORMED_TARGET, _UNKNOWN, _FORBIDDEN
        protected = self._overlaps(name) if kind is Kind.BLOCK else target.protected
        rule = self.rules.get((kind, target.criticality), _FORBIDDEN)
        reason = Reason(
            rule_refusal(protected, self.paused, rule.allowed, action.ttl, rule.max_ttl)
        )
        return reason or self._limit_refusal(kind, name, target, rule), target, rule

    def _limit_refusal(self, kind: Kind, name: str, target: Target, rule: Rule) -> Reason:
        """An order that follows one which still counts takes its place."""
        if (kind, _name(kind, name)) in self._counted:
            return Reason.NONE
        if self._live[kind, target.criticality] >= rule.live:
            return Reason.LIVE_LIMIT
        if kind is not Kind.ISOLATE:
            return Reason.NONE
        isolated = self._zone_isolated[target.zone] + 1
        if self._zone_of(kind, target).is_over_share(self._zone_sizes[target.zone], isolated):
            return Reason.ZONE_SHARE
        return Reason.POOL_MINIMUM if self._is_needed(target.pool) else Reason.NONE

    def _is_needed(self, pool: str) -> bool:
        """Whether every member left must stay reachable."""
        if not pool:
            return False
        isolated = self._pool_isolated[pool] + 1
        return is_below_minimum(self._pool_sizes[pool], isolated, self.pools.get(pool, 0))

    # ------------------------------------------------------------ parts

    def _known(self, kind: Kind, name: str) -> Target:
        """Raises KeyError or ValueError where there is no such target."""
        if kind is Kind.BLOCK:
            return _network(name).target
        return (self.assets if kind is Kind.ISOLATE else self.credentials)[name]

    def _zone_of(self, kind: Kind, target: Target) -> ZoneRule:
        return self.zones.get(target.zone, _NO_ZONE) if kind is Kind.ISOLATE else _NO_ZONE

    def _overlaps(self, network: str) -> bool:
        first, last, *_ = _network(network)
        return any(first <= other.last and other.first <= last for other in self._protected)

    def _tally(self, kind: Kind, target: Target, change: int) -> None:
        self._live[kind, target.criticality] += change
        if kind is Kind.ISOLATE:
            self._zone_isolated[target.zone] += change
            if target.pool:
                self._pool_isolated[target.pool] += change


class _Network(NamedTuple):
    first: int  # address, families apart
    last: int
    name: str
    target: Target


@lru_cache(maxsize=65_536)
def _network(text: str) -> _Network:
    """Raises ValueError for what is no network."""
    key = network_key(text)
    family, prefix = key >> 136, key >> 128 & 0xFF
    first = family << 128 | key & ((1 << 128) - 1)
    last = first | (1 << ((32 if family == 4 else 128) - prefix)) - 1
    return _Network(first, last, canonical_network(text), Target(network_criticality(key)))


def _name(kind: Kind, target: str) -> str:
    return _network(target).name if kind is Kind.BLOCK else target


def _share(used: int, budget: int) -> float:
    """What is left of a budget."""
    return max(0, budget - used) / budget if budget else 0.0


def _signed(rule: Rule, zone: ZoneRule, now: float) -> Verdict:
    approvals = rule.quorum + (zone.extra if zone.is_frozen(now) else 0)
    delay = 0 if not rule.delay or zone.is_open(now) else rule.delay
    return Verdict(Tier.DELAYED if delay else Tier.QUORUM, Reason.NONE, approvals, delay)
