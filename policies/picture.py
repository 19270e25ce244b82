"""The picture: what alerts alone say about each entity, in constant memory.

Every (sensor, type) pair has a base rate that the picture learns per entity and for the site, from
presence in 10-minute windows and without labels; `policies.evidence` says what an alert then adds
to its entity's row. At a new site every probability is near one half and nothing surprises: the
picture warms up by itself.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from policies.actions import Kind, canonical_network
from policies.alerts import Alert, Stage
from policies.columns import (
    CRITICALITY,
    ENTITY_COLUMNS,
    EVIDENCE,
    KIND,
    NATS,
    OBSERVATION_VERSION,
    PROTECTED,
    TOTAL,
    TOUCHED,
)
from policies.evidence import (
    FACTORS,
    MINUTE,
    SPEAKING,
    SURPRISING,
    WINDOW,
    Table,
    add,
    compare,
    count,
    surprise,
    surprise_of_indicator,
)
from policies.hearing import Hearing
from policies.inventory import Inventory
from policies.steady import OUTWARD, STEADY, Steady

__all__ = ["MAX_INDICATORS", "Entity", "Evidence", "Picture"]

MAX_INDICATORS = 64
_MAX_TYPES = 4096  # per site; later ones share one slot
_MAX_PRESENT = 256  # types per entity and window; later ones share one slot
_MAX_RECENT = 64  # per entity
_MAX_ROUTES = 16_384  # alerts that are known to differ; then they are looked into anew
_OTHER = "other"  # that slot
_FAINT = 1e-6  # less is nothing
_FORGOTTEN = 1440  # minutes in which the strongest evidence becomes faint
_MINUTES = WINDOW // MINUTE  # in a window
_FADING = slice(EVIDENCE, EVIDENCE + len(FACTORS))


@dataclass(frozen=True, slots=True)
class Entity:
    """Something that can be acted on; its kind fixes the verb."""

    kind: Kind
    id: str  # asset id, credential id, or an address as "203.0.113.9/32"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks against one entity, for people."""

    stages: tuple[float, ...]  # nats by Stage, as far as they have not faded
    recent: dict[str, tuple[float, float]]  # last surprising types -> (Unix seconds, nats)
    touched: tuple[str, ...]  # indicators: ids of assets they reached

    @property
    def total(self) -> float:
        """Nats over all stages."""
        return sum(self.stages)


class _Route(NamedTuple):
    """What an alert says to the picture, apart from when."""

    kind: str
    stage: Stage
    rows: tuple[int, ...]
    unknown: str  # a name of no asset, or empty
    sensor: str


@dataclass(slots=True)
class _Trace:
    """What is kept beside a row, and no policy sees."""

    types: set[str] = field(default_factory=set)  # of the open window
    outward: set[str] = field(default_factory=set)  # of these, what says that something goes out
    alerts: int = 0  # of the open window
    counted: int = 0  # of these, as many as its row shows
    recent: dict[str, tuple[float, float]] = field(default_factory=dict)  # oldest first
    touched: dict[str, None] = field(default_factory=dict)


class Picture:
    """Evidence per asset, credential and indicator. Deterministic: same alerts, same picture.

    `rows` is float32 [len(ENTITY_COLUMNS), assets + credentials + MAX_INDICATORS]: assets and
    credentials in inventory order, then the indicators, of which the weakest makes room for a new
    one; rows that no indicator has taken yet are zero.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.unknown_assets: dict[str, int] = {}  # names no asset has, for the defender to look at
        self.windows = 0  # complete windows learned
        self.start: float | None = None  # of the first window
        self.time = -math.inf
        self.site_rates: dict[str, int] = {}  # type -> windows in which it was seen anywhere
        self.rates: dict[str, dict[str, int]] = {}  # entity id -> type -> windows
        self._routes: dict[tuple[Any, ...], _Route] = {}
        self._hearing = Hearing()
        self._steady = Steady(inventory.assets)
        self._minutes = 0  # since the start, of those that are over
        self._first = len(inventory.assets) + len(inventory.credentials)  # row of an indicator
        self.rows: Table = np.zeros(
            (len(ENTITY_COLUMNS), self._first + MAX_INDICATORS), dtype=np.float32
        )
        self._entities: list[Entity] = []  # by row, as are the traces
        self._traces: list[_Trace] = []
        self._row: dict[Entity, int] = {}
        for asset in inventory.assets:
            self._append(Entity(Kind.ISOLATE, asset.id), asset.criticality, asset.protected)
        for known in inventory.credentials:
            self._append(Entity(Kind.REVOKE, known.id), known.criticality, known.protected)
        self._protected = [
            ipaddress.ip_network(canonical_network(text)) for text in inventory.protected_networks
        ]
        numbers: dict[str, int] = {}
        zones = [numbers.setdefault(asset.zone, len(numbers)) for asset in inventory.assets]
        self._zones = np.array(zones, dtype=np.int32)
        self._strongest: Table = np.zeros((len(numbers) + 1, 2), dtype=np.float32)

    # ------------------------------------------------------------ input

    def observe(self, alert: Alert, now: float, times: int = 1) -> float:
        """Takes one alert in, which came so many `times`. Nats: how surprising it was where it was
        most so; zero where it said nothing new in this window.

        `now` bounds the alert's own time, which a hostile sensor may have set.
        """
        time = min(now, alert.time)
        if time > self.time:
            self.advance(time)
        route = self._route(alert)
        self._hearing.hear(route.sensor, self.time)
        if route.unknown:
            self.unknown_assets[route.unknown] += 1
        news = 0.0
        for row in route.rows:
            trace = self._traces[row]
            trace.alerts += times
            if route.kind not in trace.types:
                news = max(news, self._record(row, route.kind, route.stage))
        return news

    def advance(self, now: float) -> None:
        """Moves time on: evidence fades by the minute; windows close, and are learned from."""
        self.time = max(self.time, now)
        if self.start is None:
            self.start = self.time
        minutes = int((self.time - self.start) // MINUTE) - self._minutes
        if minutes <= 0:
            return
        left = _MINUTES - self._minutes % _MINUTES  # of the open window
        self._pass(min(minutes, left), self.start)
        if minutes > left:
            self._pass(minutes - left, self.start)  # in which nothing came

    def rewind(self, now: float) -> None:
        """The clock was ahead and was set back: what happened until now happened until then."""
        if self.start is not None and self.time > now:
            self.start -= self.time - now
            self.time = now
            self._hearing.rewind(now)

    # ------------------------------------------------------------ output

    def speaks(self) -> bool:
        """Whether there is anything against anyone that is worth a look."""
        return bool(self.rows[TOTAL].max(initial=0.0) >= SPEAKING)

    def silent(self) -> tuple[str, ...]:
        """Sensors that spoke in nearly every window, and have not for long."""
        usual = self._hearing.usual(self.windows)
        return tuple(name for name in usual if self._hearing.is_silent(name, self.time))

    def stale(self) -> bool:
        """Whether everyone is silent who usually is not: then this is how things were."""
        usual = self._hearing.usual(self.windows)
        return bool(usual) and len(self.silent()) == len(usual)

    def entities(self) -> tuple[Entity, ...]:
        """By row: assets and credentials in inventory order, then indicators."""
        return tuple(self._entities)

    def table(self) -> Table:
        """Their rows, float32 [entities, len(ENTITY_COLUMNS)], each compared with the others; what
        only the ledger tells is zero.
        """
        self._count()
        compare(self.rows, self._zones, self._strongest, len(self._strongest) - 1)
        return self.rows[:, : len(self._entities)].T.copy()

    def evidence(self, entity: Entity) -> Evidence:
        """Raises KeyError for an entity that is not in the picture."""
        row = self._row[entity]
        nats = self.rows[EVIDENCE : EVIDENCE + len(Stage), row] * NATS
        trace = self._traces[row]
        return Evidence(tuple(nats.tolist()), dict(trace.recent), tuple(trace.touched))

    def surprise(self, entity: Entity, kind: str) -> float:
        """Nats: how unexpected this type is on an entity, against its own and the site's rates."""
        anywhere = self.site_rates.get(kind, 0)
        if entity.kind is Kind.BLOCK:
            return surprise_of_indicator(anywhere, self.windows)
        return surprise(self.rates.get(entity.id, {}).get(kind, 0), anywhere, self.windows)

    # ------------------------------------------------------------ state for the cache

    def to_json(self) -> dict[str, Any]:
        """Everything `from_json` needs to go on as if nothing had happened."""
        self._count()
        return {
            "version": OBSERVATION_VERSION,
            "windows": self.windows,
            "start": self.start,
            "minutes": self._minutes,
            "time": None if self.time == -math.inf else self.time,
            "site_rates": self.site_rates,
            "rates": self.rates,
            "unknown_assets": self.unknown_assets,
            "sensors": self._hearing.to_json(),
            "steady": self._steady.to_json(),
            "rows": [saved for row in range(len(self._entities)) if (saved := self._dump(row))],
        }

    @staticmethod
    def from_json(inventory: Inventory, state: dict[str, Any]) -> Picture:
        """Rebuilds a picture; entities that left the inventory are dropped, new ones start empty.

        Raises KeyError, TypeError or ValueError for what `to_json` of this version did not make.
        """
        if state["version"] != OBSERVATION_VERSION:
            raise ValueError(f"a picture of version {state['version']}, not {OBSERVATION_VERSION}")
        picture = Picture(inventory)
        picture.windows = int(state["windows"])
        picture.start = state["start"]
        picture._minutes = int(state["minutes"])
        picture.time = -math.inf if state["time"] is None else float(state["time"])
        picture.site_rates = dict(state["site_rates"])
        picture.rates = {k: dict(v) for k, v in state["rates"].items()}
        picture.unknown_assets = dict(state["unknown_assets"])
        picture._hearing = Hearing.from_json(state["sensors"])
        picture._steady = Steady.from_json(inventory.assets, state["steady"])
        for saved in state["rows"]:
            picture._load(*saved)
        return picture

    def _dump(self, row: int) -> list[Any] | None:
        """None where nothing was ever said."""
        entity, trace, own = self._entities[row], self._traces[row], self.rows[_FADING, row]
        if row < self._first and not own.any() and trace == _Trace():
            return None
        recent = [[kind, time, nats] for kind, (time, nats) in trace.recent.items()]
        types, outward = sorted(trace.types), sorted(trace.outward)
        name, touched = entity.kind.name, list(trace.touched)
        return [name, entity.id, own.tolist(), types, outward, trace.alerts, recent, touched]

    def _load(
        self,
        kind: str,
        name: str,
        own: list[float],
        types: list[str],
        outward: list[str],
        alerts: int,
        recent: list[Any],
        touched: list[str],
    ) -> None:
        entity = Entity(Kind[kind], name)
        if entity.kind is Kind.BLOCK:
            self._settle(entity)
        row = self._row.get(entity)
        if row is None:
            return
        self.rows[_FADING, row] = own
        self._traces[row] = _Trace(
            set(types),
            set(outward),
            int(alerts),
            int(alerts),
            {k: (t, n) for k, t, n in recent},
        )
        self._touch(row, (a for a in touched if Entity(Kind.ISOLATE, a) in self._row))

    # ------------------------------------------------------------ alerts

    def _route(self, alert: Alert) -> _Route:
        """Whom it concerns. Alerts that differ by their time alone, as those of a flood do, are
        looked into once.
        """
        key = (
            alert.sensor,
            alert.type,
            alert.tactic,
            alert.host,
            alert.address,
            alert.src,
            alert.dst,
            alert.agent,
            alert.credential,
        )
        route = self._routes.get(key)
        if route is None:
            route = self._find(alert)
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            self._routes[key] = route
        return route

    def _find(self, alert: Alert) -> _Route:
        kind = f"{alert.sensor}:{alert.type}"[:200]
        if kind not in self.site_rates and len(self.site_rates) >= _MAX_TYPES:
            kind = _OTHER
        rows, unknown = self._assets_of(alert)
        address = self._foreign_address(alert)
        indicator = None if address is None else self._reach(address, rows)
        credential = self._row.get(Entity(Kind.REVOKE, alert.credential))
        rows += [row for row in (credential, indicator) if row is not None]
        sensor = self._hearing.name(alert.sensor)
        return _Route(kind, Stage.of(alert.tactic), tuple(rows), unknown, sensor)

    def _assets_of(self, alert: Alert) -> tuple[list[int], str]:
        """Their rows; where names are of none of them, one to tell people of. The affected host is
        one: an agent that relays what others log is not, if the log says whose it is.
        """
        find = self.inventory.asset_index
        own = (name for name in (alert.host, alert.address, alert.agent) if name)
        affected = next((index for name in own if (index := find(name)) is not None), None)
        ends = (find(end) for end in (alert.src, alert.dst) if end)
        hit = list(dict.fromkeys(index for index in (affected, *ends) if index is not None))
        name = (alert.host or alert.address or alert.dst or alert.agent)[:200]
        if hit:
            return hit, ""
        if name and name not in self.unknown_assets:
            if len(self.unknown_assets) >= _MAX_TYPES:
                return hit, ""
            self.unknown_assets[name] = 0
        return hit, name

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

    def _record(self, row: int, kind: str, stage: Stage) -> float:
        """A type that had not come in this window yet, unless it goes with others."""
        trace = self._traces[row]
        if len(trace.types) >= _MAX_PRESENT:
            kind = _OTHER
        if kind in trace.types:
            return 0.0
        trace.types.add(kind)
        if stage in OUTWARD:
            trace.outward.add(kind)
        self.site_rates.setdefault(kind, 0)
        nats = self.surprise(self._entities[row], kind)
        self._add(row, kind, stage, nats, self.time)
        return nats

    def _add(self, row: int, kind: str, stage: Stage, nats: float, time: float) -> None:
        add(self.rows, row, int(stage), nats)
        if nats >= SURPRISING:
            recent = self._traces[row].recent
            recent.pop(kind, None)  # re-insert: the oldest stays first
            recent[kind] = (time, nats)
            if len(recent) > _MAX_RECENT:
                del recent[next(iter(recent))]

    # ------------------------------------------------------------ rows

    def _append(self, entity: Entity, criticality: int, protected: bool) -> None:
        self._row[entity] = len(self._entities)
        self._entities.append(entity)
        self._traces.append(_Trace())
        self._mark(self._row[entity], entity.kind, criticality, protected)

    def _mark(self, row: int, kind: Kind, criticality: int, protected: bool) -> None:
        self.rows[:, row] = 0.0
        self.rows[KIND + kind, row] = 1.0
        self.rows[CRITICALITY, row] = criticality / 3.0
        self.rows[PROTECTED, row] = protected

    def _reach(self, address: str, assets: Iterable[int]) -> int:
        """The row of an indicator, which reached these assets."""
        entity = Entity(Kind.BLOCK, address)
        if entity not in self._row:
            self._settle(entity)
        row = self._row[entity]
        self._touch(row, (self.inventory.assets[index].id for index in assets))
        return row

    def _touch(self, row: int, assets: Iterable[str]) -> None:
        touched = self._traces[row].touched
        touched.update(dict.fromkeys(assets))
        self.rows[TOUCHED, row] = math.log1p(len(touched)) / 4.0

    def _settle(self, entity: Entity) -> None:
        """Gives a new indicator a row: a free one, or that of the weakest."""
        address = ipaddress.ip_address(entity.id.partition("/")[0])
        protected = any(address in network for network in self._protected)
        if len(self._entities) < self.rows.shape[1]:
            self._append(entity, 0, protected)
            return
        row = self._first + int(self.rows[TOTAL, self._first :].argmin())
        del self._row[self._entities[row]]
        self._routes.clear()  # some lead to the row that changes hands
        self._row[entity] = row
        self._entities[row], self._traces[row] = entity, _Trace()
        self._mark(row, entity.kind, 0, protected)

    # ------------------------------------------------------------ time

    def _pass(self, minutes: int, start: float) -> None:
        """Minutes go by, to the end of the open window at most or from the end of one."""
        self._fade(minutes)
        window = self._minutes // _MINUTES
        self._minutes += minutes
        if windows := self._minutes // _MINUTES - window:
            self._close(windows, start + window * WINDOW)

    def _fade(self, minutes: int) -> None:
        """`evidence.fade` of every row, and what is faint goes."""
        self._count()
        fading = self.rows[_FADING]
        for _ in range(min(minutes, _FORGOTTEN)):
            fading *= FACTORS[:, None]
        fading[fading < _FAINT] = 0.0

    def _count(self) -> None:
        """Shows in the rows how many alerts came: not at each, since it takes a logarithm."""
        for row, trace in enumerate(self._traces):
            if trace.alerts != trace.counted:
                count(self.rows, row, trace.counted, trace.alerts - trace.counted)
                trace.counted = trace.alerts

    def _close(self, windows: int, opened: float) -> None:
        """The window that `opened` then is over, and maybe some more in which nothing came."""
        self.windows += self._hearing.close(opened, windows, self.windows)
        outward = {
            r: t.outward for r, t in enumerate(self._traces[: len(self._zones)]) if t.outward
        }
        for asset, kind in self._steady.close(windows, outward):
            said = f"{kind}, two days without a break"
            self._add(asset, said, Stage.IMPACT, STEADY, opened + WINDOW)
        anywhere: set[str] = set()
        for entity, trace in zip(self._entities, self._traces, strict=True):
            anywhere |= trace.types
            if trace.types and entity.kind is not Kind.BLOCK:
                rates = self.rates.setdefault(entity.id, {})
                for kind in sorted(trace.types):
                    rates[kind] = rates.get(kind, 0) + 1
            trace.types, trace.outward, trace.alerts, trace.counted = set(), set(), 0, 0
        for kind in anywhere:
            self.site_rates[kind] = self.site_rates.get(kind, 0) + 1
