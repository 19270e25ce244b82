"""Guardrails: the mirror of contracts/Guardrails.sol, for masks in simulator and live side.

The contract decides; this says beforehand what it will say. A differential test keeps them equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from policies.actions import Action, Kind, network_criticality, network_key

__all__ = ["Guardrails", "Lease", "Limits", "Reason", "Rule", "Target", "Tier", "Verdict"]


class Tier(IntEnum):
    """What the guardrails make of an action; the numbers are the contract's."""

    REFUSED = 0
    LEASE = 1  # a live lease covers it: executes at once
    QUORUM = 2  # needs M of N operators


class Reason(IntEnum):
    """Why the guardrails refuse: the first that holds, in this order."""

    NONE = 0
    MALFORMED_TARGET = 1
    UNKNOWN_TARGET = 2
    PROTECTED_TARGET = 3
    RULE_REFUSES = 4
    TTL_OUT_OF_RANGE = 5
    BUDGET_SPENT = 6


class Verdict(NamedTuple):
    tier: Tier
    reason: Reason  # NONE unless refused
    approvals: int  # needed; zero unless the tier is QUORUM


@dataclass(frozen=True, slots=True)
class Rule:
    """One cell of the guardrail table (kind x criticality)."""

    allowed: bool
    leasable: bool = False
    quorum: int = 0
    max_ttl: int = 0  # seconds
    budget: int = 0  # proposals per agent and window


@dataclass(frozen=True, slots=True)
class Limits:
    window: int  # seconds; budgets count within [k * window, (k + 1) * window)
    max_pending: int  # seconds a proposal may wait
    lease_quorum: int
    release_quorum: int
    max_lease: int  # seconds


@dataclass(frozen=True, slots=True)
class Target:
    """What the guardrails need to know of an asset or credential."""

    criticality: int  # 0 low to 3 critical
    protected: bool = False


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
        return (
            int(now) < self.expires
            and self.model == model
            and criticality <= self.max_criticality
            and action.ttl <= self.max_ttl
            and self.spent[action.kind] < self.budgets[action.kind]
        )


_FORBIDDEN = Rule(allowed=False)


class Guardrails:
    """The rules, and what one agent has used of its budgets and lease."""

    def __init__(
        self,
        rules: Mapping[tuple[Kind, int], Rule],
        limits: Limits,
        assets: Mapping[str, Target],
        credentials: Mapping[str, Target],
        protected_networks: Iterable[str] = (),
    ) -> None:
        """`assets` and `credentials` by id; a cell that `rules` lacks refuses.

        Raises ValueError for a bad network.
        """
        self.rules, self.limits = dict(rules), limits
        self.assets, self.credentials = assets, credentials
        self.lease: Lease | None = None
        self._protected = [_span(text) for text in protected_networks]
        self._used: dict[tuple[Kind, int], tuple[int, int]] = {}  # cell -> (window, proposals)

    def verdict(self, action: Action, model: bytes, now: float) -> Verdict:
        """What the contract would say at block time `now` (Unix seconds) to this agent."""
        reason, criticality = self._target(action)
        if reason:
            return Verdict(Tier.REFUSED, reason, 0)
        rule = self.rules.get((action.kind, criticality), _FORBIDDEN)
        reason = self._rule_refusal(action, criticality, rule, now)
        if reason:
            return Verdict(Tier.REFUSED, reason, 0)
        lease = self.lease
        if rule.leasable and lease and lease.covers(action, criticality, model, now):
            return Verdict(Tier.LEASE, Reason.NONE, 0)
        return Verdict(Tier.QUORUM, Reason.NONE, rule.quorum)

    def propose(self, action: Action, model: bytes, now: float) -> Verdict:
        """The verdict; unless refused, what it uses of budget and lease is counted."""
        verdict = self.verdict(action, model, now)
        if verdict.tier is Tier.REFUSED:
            return verdict
        cell = (action.kind, self._target(action)[1])
        self._used[cell] = (int(now) // self.limits.window, self.used(*cell, now) + 1)
        if verdict.tier is Tier.LEASE and self.lease:
            self.lease.spent[action.kind] += 1
        return verdict

    def used(self, kind: Kind, criticality: int, now: float) -> int:
        """Proposals counted in this cell in the window of `now`."""
        window, count = self._used.get((kind, criticality), (-1, 0))
        return count if window == int(now) // self.limits.window else 0

    def set_used(self, kind: Kind, criticality: int, count: int, now: float) -> None:
        """Takes over what the chain has counted in the window of `now`."""
        self._used[kind, criticality] = (int(now) // self.limits.window, count)

    def _target(self, action: Action) -> tuple[Reason, int]:
        """Why this target is refused whatever the rules, and its criticality."""
        if action.kind is Kind.BLOCK:
            return self._network(action.target)
        known = self.assets if action.kind is Kind.ISOLATE else self.credentials
        target = known.get(action.target)
        if target is None:
            return Reason.UNKNOWN_TARGET, 0
        return Reason.PROTECTED_TARGET if target.protected else Reason.NONE, target.criticality

    def _network(self, text: str) -> tuple[Reason, int]:
        try:
            first, last, criticality = _span(text)
        except ValueError:
            return Reason.MALFORMED_TARGET, 0
        hit = any(first <= end and start <= last for start, end, _ in self._protected)
        return Reason.PROTECTED_TARGET if hit else Reason.NONE, criticality

    def _rule_refusal(self, action: Action, criticality: int, rule: Rule, now: float) -> Reason:
        if not rule.allowed:
            return Reason.RULE_REFUSES
        if not 0 < action.ttl <= rule.max_ttl:
            return Reason.TTL_OUT_OF_RANGE
        if self.used(action.kind, criticality, now) >= rule.budget:
            return Reason.BUDGET_SPENT
        return Reason.NONE


@lru_cache(maxsize=65_536)
def _span(network: str) -> tuple[int, int, int]:
    """First and last address, families apart, and criticality. Raises ValueError."""
    key = network_key(network)
    family, prefix = key >> 136, key >> 128 & 0xFF
    first = family << 128 | key & ((1 << 128) - 1)
    last = first | (1 << ((32 if family == 4 else 128) - prefix)) - 1
    return first, last, network_criticality(key)
