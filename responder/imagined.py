"""A stand-in for the gate and its people: every proposal is carried out at once, as the guardrails
allow. For replays and for shadow mode, which ask what would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from policies.actions import Kind
from policies.guardrails import Guardrails
from policies.observation import Standing
from policies.picture import Entity
from policies.policy import Verb
from responder.decision import COOL_DOWN, Answers, Decision

__all__ = ["Imagined"]


class _Order(NamedTuple):
    start: float  # Unix seconds
    until: float


class Imagined:
    """Orders that nobody carries out. `tell` hears of each decision."""

    def __init__(
        self,
        guardrails: Guardrails,
        tell: Callable[[Decision], None],
        saved: Mapping[str, Any] | None = None,
    ) -> None:
        """`saved`: what `to_json` gave, with these guardrails or others."""
        self._guardrails, self._tell = guardrails, tell
        self._orders: dict[Entity, _Order] = {}
        self._released: dict[Entity, float] = {}  # when
        for kind, target, start, until in (saved or {}).get("orders", []):
            self._order(Entity(Kind[kind], target), _Order(start, until))
        for kind, target, when in (saved or {}).get("released", []):
            self._released[Entity(Kind[kind], target)] = when
        self._time = float((saved or {}).get("time", 0.0))  # of the last look at the rules
        for kind, criticality, count in (saved or {}).get("used", []):
            self._guardrails.set_used(Kind[kind], criticality, count, self._time)

    def to_json(self) -> dict[str, Any]:
        """What stands and what is used of the budgets, for a restart."""
        cells = self._guardrails.rules
        used = [[k.name, c, self._guardrails.used(k, c, self._time)] for k, c in cells]
        return {
            "time": self._time,
            "used": [[kind, criticality, count] for kind, criticality, count in used if count],
            "orders": [[e.kind.name, e.id, *order] for e, order in self._orders.items()],
            "released": [[e.kind.name, e.id, when] for e, when in self._released.items()],
        }

    def guardrails(self, now: float) -> Guardrails:
        self._end(now)
        self._time = now
        return self._guardrails

    def standings(self, entities: Collection[Entity], now: float) -> Mapping[Entity, Standing]:
        self._end(now)
        found = {
            entity: Standing(True, (order.until - now) / (order.until - order.start))
            for entity, order in self._orders.items()
        }
        return found | {entity: Standing(refused=True) for entity in self._released}

    def answers(self) -> Answers:
        return Answers()

    def asked(self, now: float) -> Collection[Entity]:
        return ()

    def take(self, decision: Decision) -> None:
        action, now = decision.action, decision.time
        entity = Entity(action.kind, action.target)
        if decision.verb is Verb.ORDER:
            self._order(entity, _Order(now, now + action.ttl))
        else:
            del self._orders[entity]
            self._guardrails.uncount(action.kind, action.target)
            self._released[entity] = now
        self._tell(decision)

    def _order(self, entity: Entity, order: _Order) -> None:
        self._orders[entity] = order
        self._guardrails.order(entity.kind, entity.id)

    def _end(self, now: float) -> None:
        """What has run out."""
        for entity, order in list(self._orders.items()):
            if order.until <= now:
                del self._orders[entity]
                self._guardrails.uncount(entity.kind, entity.id)
        for entity, released in list(self._released.items()):
            if now >= released + COOL_DOWN:
                del self._released[entity]
