"""Simulated containment: rules and lease of a random site, questions to operators, orders and their
end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from policies.actions import Action, Kind
from policies.guardrails import Guardrails, Lease, Limits, Rule, Target, Tier, Verdict
from policies.inventory import Inventory
from policies.observation import Conditions, Standing
from policies.picture import Entity
from rl_env.operators import MAX_WAIT, Answer, Operators

__all__ = ["MODEL", "Containment", "random_guardrails"]

MODEL = b"\x01" * 32  # stands for the model in training
_WINDOW = 3600
_LIVE = 100  # orders of a cell at once: more than the budgets of an episode let through
_REFUSED_FOR = 3600.0  # seconds for which what was refused is not asked again


@dataclass(frozen=True, slots=True)
class _Question:
    asked: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Order:
    start: float
    until: float


def random_guardrails(rng: Generator, inventory: Inventory, now: float) -> Guardrails:
    """Rules as sites differ in them; three quarters of the sites have a live lease."""
    rules = {
        (kind, criticality): Rule(
            allowed=bool(rng.random() < 0.96),
            leasable=bool(rng.random() < 0.95 - 0.15 * criticality),
            quorum=1 + int(criticality > 0) + int(rng.random() < 0.3),
            max_ttl=int(rng.choice((7200, 14400, 86400))),
            budget=int(rng.integers(2, 20)),
            live=_LIVE,
        )
        for kind in Kind
        for criticality in range(4)
    }
    guardrails = Guardrails(
        rules,
        Limits(
            window=_WINDOW,
            max_pending=int(MAX_WAIT),
            max_lease=86400,
            receipt_due=120,
            lease_quorum=2,
            release_quorum=1,
            model_quorum=2,
        ),
        assets={a.id: Target(a.criticality, a.protected, a.zone) for a in inventory.assets},
        credentials={c.id: Target(c.criticality, c.protected) for c in inventory.credentials},
        protected_networks=inventory.protected_networks,
    )
    if rng.random() < 0.75:
        guardrails.lease = Lease(
            model=MODEL,
            budgets=(int(rng.integers(0, 20)), int(rng.integers(0, 6)), int(rng.integers(0, 4))),
            max_criticality=int(rng.integers(0, 4)),
            max_ttl=int(rng.choice((3600, 14400))),
            expires=int(now + rng.uniform(1800.0, 86400.0)),
        )
    return guardrails


class Containment:
    """What is ordered and what waits for people. Times are Unix seconds."""

    def __init__(
        self, rng: Generator, inventory: Inventory, guardrails: Guardrails, operators: Operators
    ) -> None:
        self._inventory = inventory
        self._guardrails = guardrails
        self._operators = operators
        self._ttl = int(rng.choice((1800, 3600, 7200), p=(0.25, 0.5, 0.25)))
        self._lag = float(rng.uniform(0.0, 60.0))  # from order to enforcement
        self._questions: dict[Entity, _Question] = {}
        self._approved: dict[Entity, _Question] = {}  # not executed yet
        self._orders: dict[Entity, _Order] = {}
        self._refused: dict[Entity, float] = {}
        self._now = 0.0

    # ------------------------------------------------------------ the agent's side

    def mask(self, entities: Sequence[Entity], now: float) -> np.ndarray:
        """bool [n]: what may be proposed, by the guardrails, and is not under way or refused."""
        refused = {e for e, until in self._refused.items() if until > now}
        busy = self._orders.keys() | self._questions.keys() | self._approved.keys() | refused
        return np.array(
            [e not in busy and self._verdict(e, now).tier is not Tier.REFUSED for e in entities],
            dtype=np.bool_,
        )

    def propose(self, entity: Entity, right: bool, now: float) -> Verdict:
        """Proposes the entity's action. `right`, for the operators: whether it deserves it."""
        verdict = self._guardrails.propose(self._action(entity), MODEL, now)
        if verdict.tier is Tier.LEASE:
            self._order(entity, now)
        elif verdict.tier is not Tier.REFUSED:
            answer = self._operators.ask(right, verdict.approvals, now)
            self._questions[entity] = _Question(now, answer)
        return verdict

    def advance(self, now: float) -> list[Entity]:
        """Moves time on; returns the entities whose orders ended."""
        self._now = now
        ended = [e for e, order in self._orders.items() if order.until <= now]
        for entity in ended:
            del self._orders[entity]
            self._guardrails.uncount(entity.kind, entity.id)
        self._hear(now)
        self._execute(now)
        return ended

    def standings(self, now: float) -> dict[Entity, Standing]:
        """What is under way, for the observation."""
        refused = {e for e, until in self._refused.items() if until > now}
        return {
            e: self._standing(e, e in refused, now)
            for e in (*self._orders, *self._questions, *self._approved, *refused)
        }

    def conditions(self, now: float) -> Conditions:
        """What holds for the site, for the observation."""
        lease = self._guardrails.lease
        live = lease is not None and now < lease.expires
        left = (0.0, 0.0, 0.0)
        if lease is not None and live:
            shares = [
                max(0, b - s) / b if b else 0.0
                for b, s in zip(lease.budgets, lease.spent, strict=True)
            ]
            left = (shares[0], shares[1], shares[2])
        return Conditions(
            live, left, self._operators.answer_minutes, self._operators.approval_share
        )

    # ------------------------------------------------------------ the network's side

    def live(self) -> list[Entity]:
        """Entities whose order is enforced."""
        return [e for e, order in self._orders.items() if order.start <= self._now]

    def isolated(self, asset: int) -> bool:
        return self._holds(Entity(Kind.ISOLATE, self._inventory.assets[asset].id))

    def blocked(self, address: str) -> bool:
        return self._holds(Entity(Kind.BLOCK, f"{address}/32"))

    def revoked(self, credential: int) -> bool:
        return self._holds(Entity(Kind.REVOKE, self._inventory.credentials[credential].id))

    # ------------------------------------------------------------ internals

    def _holds(self, entity: Entity) -> bool:
        order = self._orders.get(entity)
        return order is not None and order.start <= self._now

    def _hear(self, now: float) -> None:
        """Takes the answers that have come."""
        for entity, question in list(self._questions.items()):
            if question.answer.time <= now:
                del self._questions[entity]
                self._operators.note(question.asked, question.answer)
                if question.answer.approved:
                    self._approved[entity] = question
                else:
                    self._refused[entity] = now + _REFUSED_FOR

    def _execute(self, now: float) -> None:
        """Orders what is approved when its delay is over and the guardrails let it through."""
        for entity, question in list(self._approved.items()):
            verdict = self._guardrails.execution(self._action(entity), now)
            due, deadline = question.answer.time + verdict.delay, question.asked + MAX_WAIT
            if verdict.tier is not Tier.REFUSED and due <= now and due < deadline:
                del self._approved[entity]
                self._order(entity, now)
            elif now >= deadline:
                del self._approved[entity]
                self._refused[entity] = now + _REFUSED_FOR

    def _order(self, entity: Entity, now: float) -> None:
        self._guardrails.order(entity.kind, entity.id)
        self._orders[entity] = _Order(now + self._lag, now + self._ttl)

    def _standing(self, entity: Entity, refused: bool, now: float) -> Standing:
        order = self._orders.get(entity)
        left = (order.until - now) / self._ttl if order else 0.0
        pending = entity in self._questions or entity in self._approved
        return Standing(order is not None, max(0.0, left), pending, refused)

    def _verdict(self, entity: Entity, now: float) -> Verdict:
        return self._guardrails.verdict(self._action(entity), MODEL, now)

    def _action(self, entity: Entity) -> Action:
        return Action(entity.kind, entity.id, self._ttl)
