"""The picture: what alerts alone say about each entity, in constant memory.

Every (sensor, type) pair has a base rate that the picture learns per entity and for the site, from
presence in 10-minute windows and without labels. An alert counts once per window and entity, by its
surprise `-log p` in nats, so a flood of 400,000 alerts from one scan is one fact. Evidence is the
sum of surprise by stage, decaying with time. At a new site every probability is near one half and
nothing surprises: the picture warms up by itself.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from policies.actions import Kind, canonical_network
from policies.alerts import Alert, Stage
from policies.inventory import Inventory

__all__ = ["WINDOW", "Entity", "Evidence", "Picture"]

WINDOW = 600.0  # seconds; base rates count presence per window
DECAY = 1800.0  # seconds in which evidence falls to 1/e
DISTINCT_SPAN = 3600.0  # seconds within which a surprising type counts as recent
SURPRISING = 3.0  # nats from which a type counts as distinct evidence
_MAX_SURPRISE = 12.0
_MAX_TYPES = 4096  # per site; later ones share one slot
_MAX_PRESENT = 256  # types per entity and window; later ones share one slot
_MAX_RECENT = 64  # per entity
_MAX_TOUCHED = 64
MAX_INDICATORS = 64


@dataclass(frozen=True, slots=True)
class Entity:
    """Something that can be acted on; its kind fixes the verb."""

    kind: Kind
    id: str  # asset id, credential id, or an address as "203.0.113.9/32"


@dataclass(slots=True)
class Evidence:
    """What speaks against one entity."""

    stages: list[float] = field(
        default_factory=lambda: [0.0] * len(Stage)
    )  # nats, decayed to `time`
    count: float = 0.0  # alerts, decayed to `time`
    time: float = 0.0
    last_surprise: float = -math.inf  # Unix seconds
    recent: dict[str, tuple[float, float]] = field(default_factory=dict)  # type -> (time, surprise)
    touched: dict[str, None] = field(default_factory=dict)  # indicators: ids of assets they reached

    def decay(self, now: float) -> None:
        if now > self.time and self.count > 0.0:
            factor = math.exp((self.time - now) / DECAY)
            self.stages = [value * factor for value in self.stages]
            self.count *= factor
        self.time = max(self.time, now)

    def add(self, alert_type: str, stage: Stage, surprise: float, now: float) -> None:
        self.stages[stage] += surprise
        if surprise >= SURPRISING:
            self.last_surprise = max(self.last_surprise, now)
            self.recent.pop(alert_type, None)  # re-insert: the oldest stays first
            self.recent[alert_type] = (now, surprise)
            if len(self.recent) > _MAX_RECENT:
                del self.recent[next(iter(self.recent))]

    @property
    def total(self) -> float:
        """Nats over all stages."""
        return sum(self.stages)

    def distinct(self, now: float, span: float = DISTINCT_SPAN) -> int:
        """Different surprising types within the last `span` seconds."""
        return sum(1 for time, _ in self.recent.values() if time > now - span)


class Picture:
    """Evidence per asset, credential and indicator. Deterministic: same alerts, same picture."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.assets = [Evidence() for _ in inventory.assets]
        self.credentials = {c.id: Evidence() for c in inventory.credentials}
        self.indicators: dict[str, Evidence] = {}
        self.unknown_assets: dict[str, int] = {}  # names no asset has, for the defender to look at
        self.windows = 0  # complete windows learned
        self.window_start: float | None = None
        self.time = -math.inf
        self.site_rates: dict[str, int] = {}  # type -> windows in which it was seen anywhere
        self.rates: dict[str, dict[str, int]] = {}  # entity id -> type -> windows
        self._present: dict[str, set[str]] = {}  # entity id -> types in the open window

    # ------------------------------------------------------------ input

    def observe(self, alert: Alert, now: float, times: int = 1) -> bool:
        """Takes one alert in, which came so many `times`; True if it said something new in this
        window.

        `now` bounds the alert's own time, which a hostile sensor may have set.
        """
        time = max(min(alert.time, now), self.time)
        self.advance(time)
        kind = self._type_of(alert)
        stage = Stage.of(alert.tactic)
        hit = self._assets_of(alert)
        news = False
        for index in hit:
            key = self.inventory.assets[index].id
            news |= self._record(self.assets[index], key, kind, stage, time, times)
        if alert.credential in self.credentials:
            evidence = self.credentials[alert.credential]
            news |= self._record(evidence, alert.credential, kind, stage, time, times)
        return self._observe_indicator(alert, hit, kind, stage, time, times) or news

    def advance(self, now: float) -> None:
        """Moves time on: closes windows that ended and learns from them."""
        self.time = max(self.time, now)
        if self.window_start is None:
            self.window_start = now
        passed = int((now - self.window_start) // WINDOW)
        if passed <= 0:
            return
        self.windows += passed
        self.window_start += passed * WINDOW
        for key, types in self._present.items():
            if key.startswith("@"):
                continue
            rates = self.rates.setdefault(key, {})
            for kind in types:
                rates[kind] = rates.get(kind, 0) + 1
        for kind in set().union(*self._present.values()) if self._present else ():
            self.site_rates[kind] = self.site_rates.get(kind, 0) + 1
        self._present = {}

    # ------------------------------------------------------------ output

    def entities(self) -> Iterator[tuple[Entity, Evidence]]:
        """Assets and credentials in inventory order, then indicators by first sight."""
        for asset, evidence in zip(self.inventory.assets, self.assets, strict=True):
            yield Entity(Kind.ISOLATE, asset.id), evidence
        for key, evidence in self.credentials.items():
            yield Entity(Kind.REVOKE, key), evidence
        for address, evidence in self.indicators.items():
            yield Entity(Kind.BLOCK, address), evidence

    def surprise(self, entity_id: str, kind: str) -> float:
        """Nats: how unexpected this type is on this entity, against its own and the site's rates.
        """
        site = (self.site_rates.get(kind, 0) + 0.5) / (self.windows + 1)
        if entity_id.startswith("@"):  # an indicator has no history of its own
            return min(-math.log(min(site, 1.0)), _MAX_SURPRISE)
        seen = self.rates.get(entity_id, {}).get(kind, 0)
        return min(-math.log(min((seen + site) / (self.windows + 1), 1.0)), _MAX_SURPRISE)

    # ------------------------------------------------------------ state for the cache

    def to_json(self) -> dict[str, Any]:
        """Everything `from_json` needs to go on as if nothing had happened."""
        return {
            "windows": self.windows,
            "window_start": self.window_start,
            "time": None if self.time == -math.inf else self.time,
            "site_rates": self.site_rates,
            "rates": self.rates,
            "present": {k: sorted(v) for k, v in self._present.items()},
            "unknown_assets": self.unknown_assets,
            "evidence": {
                "assets": {
                    a.id: _dump(e) for a, e in zip(self.inventory.assets, self.assets, strict=True)
                },
                "credentials": {k: _dump(e) for k, e in self.credentials.items()},
                "indicators": {k: _dump(e) for k, e in self.indicators.items()},
            },
        }

    @staticmethod
    def from_json(inventory: Inventory, state: dict[str, Any]) -> Picture:
        """Rebuilds a picture; entities that left the inventory are dropped, new ones start empty.
        """
        picture = Picture(inventory)
        picture.windows = int(state["windows"])
        picture.window_start = state["window_start"]
        picture.time = -math.inf if state["time"] is None else float(state["time"])
        picture.site_rates = dict(state["site_rates"])
        picture.rates = {k: dict(v) for k, v in state["rates"].items()}
        picture._present = {k: set(v) for k, v in state["present"].items()}
        picture.unknown_assets = dict(state["unknown_assets"])
        saved = state["evidence"]
        for index, asset in enumerate(inventory.assets):
            if asset.id in saved["assets"]:
                picture.assets[index] = _load(saved["assets"][asset.id])
        for key in picture.credentials:
            if key in saved["credentials"]:
                picture.credentials[key] = _load(saved["credentials"][key])
        picture.indicators = {k: _load(v) for k, v in saved["indicators"].items()}
        return picture

    # ------------------------------------------------------------ internals

    def _type_of(self, alert: Alert) -> str:
        kind = f"{alert.sensor}:{alert.type}"[:200]
        if kind not in self.site_rates and len(self.site_rates) >= _MAX_TYPES:
            return "other"
        return kind

    def _assets_of(self, alert: Alert) -> list[int]:
        hit: list[int] = []
        named = False
        for name in (alert.host, alert.address, alert.src, alert.dst):
            index = self.inventory.asset_index(name) if name else None
            named = named or bool(name)
            if index is not None and index not in hit:
                hit.append(index)
        if named and not hit:
            name = (alert.host or alert.address or alert.dst)[:200]
            if name and (name in self.unknown_assets or len(self.unknown_assets) < _MAX_TYPES):
                self.unknown_assets[name] = self.unknown_assets.get(name, 0) + 1
        return hit

    def _record(
        self, evidence: Evidence, key: str, kind: str, stage: Stage, time: float, times: int
    ) -> bool:
        evidence.decay(time)
        evidence.count += times
        present = self._present.setdefault(key, set())
        if len(present) >= _MAX_PRESENT:
            kind = "other"
        if kind in present:
            return False
        present.add(kind)
        evidence.add(kind, stage, self.surprise(key, kind), time)
        return True

    def _observe_indicator(
        self, alert: Alert, hit: list[int], kind: str, stage: Stage, time: float, times: int
    ) -> bool:
        address = self._foreign_address(alert)
        if address is None:
            return False
        evidence = self.indicators.get(address)
        if evidence is None:
            if len(self.indicators) >= MAX_INDICATORS:
                self._evict(time)
            evidence = self.indicators[address] = Evidence(time=time)
        for index in hit:
            if len(evidence.touched) < _MAX_TOUCHED:
                evidence.touched[self.inventory.assets[index].id] = None
        return self._record(evidence, "@" + address, kind, stage, time, times)

    def _foreign_address(self, alert: Alert) -> str | None:
        """The end of the connection that is no asset of ours: the initiator, else the responder."""
        for text in (alert.src, alert.dst):
            if text and self.inventory.asset_index(text) is None:
                try:
                    network = canonical_network(text)
                    address = ipaddress.ip_address(network.partition("/")[0])
                except ValueError:
                    continue
                if not (address.is_loopback or address.is_unspecified or address.is_multicast):
                    return f"{address}/{address.max_prefixlen}"
        return None

    def _evict(self, now: float) -> None:
        for evidence in self.indicators.values():
            evidence.decay(now)
        weakest = min(self.indicators, key=lambda a: self.indicators[a].total)
        del self.indicators[weakest]
        self._present.pop("@" + weakest, None)


def _dump(evidence: Evidence) -> list[Any]:
    last = None if evidence.last_surprise == -math.inf else evidence.last_surprise
    return [
        evidence.stages,
        evidence.count,
        evidence.time,
        last,
        [[k, t, s] for k, (t, s) in evidence.recent.items()],
        list(evidence.touched),
    ]


def _load(saved: list[Any]) -> Evidence:
    stages, count, time, last, recent, touched = saved
    return Evidence(
        stages=[float(v) for v in stages],
        count=float(count),
        time=float(time),
        last_surprise=-math.inf if last is None else float(last),
        recent={k: (float(t), float(s)) for k, t, s in recent},
        touched=dict.fromkeys(touched),
    )
