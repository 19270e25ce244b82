"""The gate as the watch's authority: what is decided is proposed on the chain."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from policies.actions import Kind
from policies.columns import NATS
from policies.evidence import SPEAKING
from policies.guardrails import Guardrails
from policies.observation import Standing
from policies.picture import Entity, Picture
from policies.policy import Policy, Verb
from responder.chain.client import GateClient, for_each
from responder.chain.ledger import Ledger
from responder.chain.proposal import Proposal, target_key
from responder.decision import Answers, Decision, answers, standings
from responder.errors import Permanent, Temporary
from responder.evidence import EvidenceStore
from responder.settings import Settings

__all__ = ["SUGGESTIONS", "Proposer", "Suggestion"]

log = logging.getLogger(__name__)

SUGGESTIONS = "suggestions"  # the cache's document of releases that people are asked for
Suggestion = dict[str, Any]  # order, kind, target, time, reasons, evidence


class _Said(NamedTuple):
    """A proposal that the chain took."""

    entity: Entity
    deadline: int  # Unix seconds


class Proposer:
    """Between two syncs the ledger stands still; what was decided meanwhile is remembered here."""

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        gate: GateClient,
        ledger: Ledger,
        evidence: EvidenceStore,
        suggested: Sequence[Suggestion] = (),
    ) -> None:
        """`gate`: through the agent's key. `suggested`: releases that people were asked for."""
        self._settings, self._policy = settings, policy
        self._gate, self._ledger, self._evidence = gate, ledger, evidence
        self._suggested = {suggestion["order"]: suggestion for suggestion in suggested}
        self._due: list[Decision] = []
        self._said: dict[bytes, _Said] = {}  # by the proposal's id; not in the ledger yet
        self._guardrails: Guardrails | None = None
        self._answers: Answers | None = None
        self._nonce = 0

    @property
    def suggestions(self) -> list[Suggestion]:
        """Releases that people are asked for."""
        return list(self._suggested.values())

    def refresh(self, now: float, picture: Picture) -> None:
        """The ledger is in sync again. Raises Permanent or Temporary while nothing may be
        proposed.
        """
        self._guardrails = self._answers = None
        # A node may be behind its own receipts.
        self._said = {
            proposal: said
            for proposal, said in self._said.items()
            if proposal not in self._ledger.cases and now <= said.deadline
        }
        live = {order.id.hex() for order in self._ledger.containment(now)}
        self._suggested = {
            order: suggestion
            for order, suggestion in self._suggested.items()
            if order in live and not _speaks_again(suggestion, picture)
        }
        model = self._policy.hash
        if not self._ledger.is_active(model):
            raise Permanent(
                f"model {self._policy.name} ({model.hex()[:16]}...) is not active on the gate; "
                "nothing is proposed until operators `countersign model approve` it"
            )
        if self._ledger.paused:
            raise Temporary(
                "a guardian paused the gate; nothing is proposed until operators "
                "`countersign resume` it"
            )

    # ------------------------------------------------------------ authority

    def guardrails(self, now: float) -> Guardrails:
        if self._guardrails is None:
            self._guardrails = self._ledger.guardrails(self._gate.address, now)
        return self._guardrails

    def standings(self, entities: Collection[Entity], now: float) -> Mapping[Entity, Standing]:
        found = standings(self._ledger, entities, self._gate.address, now)
        due = (_entity(decision) for decision in self._due if decision.verb is Verb.ORDER)
        for entity in (*due, *(said.entity for said in self._said.values())):
            found[entity] = Standing(pending=True)
        return found

    def answers(self) -> Answers:
        if self._answers is None:
            self._answers = answers(self._ledger)
        return self._answers

    def asked(self, now: float) -> Collection[Entity]:
        orders = self._ledger.containment(now)
        return {
            Entity(order.kind, order.words.target)
            for order in orders
            if order.id.hex() in self._suggested
        }

    def take(self, decision: Decision) -> None:
        self._due.append(decision)

    # ------------------------------------------------------------ what follows

    def send(self, now: float) -> None:
        """Proposes what was decided since the last call. Raises Refused or Temporary; what was not
        said then has to be decided anew.
        """
        due, self._due = self._due, []
        for_each(due, lambda decision: self._say(decision, now))

    def _say(self, decision: Decision, now: float) -> None:
        evidence = self._evidence.put(
            decision.evidence
        )  # before acting: never a hash without its bundle
        if decision.verb is Verb.RELEASE:
            self._suggest(decision, evidence, now)
        else:
            self._propose(decision, evidence, now)

    def _propose(self, decision: Decision, evidence: bytes, now: float) -> None:
        action, agent = decision.action, self._gate.address
        longest = self._ledger.limits.max_pending  # less a tenth, since clocks differ
        wait = min(self._settings.pending_seconds, longest - longest // 10)
        proposal = Proposal(
            kind=action.kind,
            target=target_key(action.kind, action.target),
            ttl=action.ttl,
            model=self._policy.hash,
            evidence=evidence,
            deadline=int(now) + wait,
            agent=agent,
            nonce=max(self._nonce, self._ledger.next_nonce(agent)),
        )
        self._gate.propose(proposal)
        self._said[proposal.id(self._gate.domain)] = _Said(_entity(decision), proposal.deadline)
        self._nonce = proposal.nonce + 1  # these proposals are not in the ledger yet
        log.info(
            "proposed %s %s (%s): %s",
            action.kind.name,
            action.target,
            proposal.id(self._gate.domain).hex()[:12],
            "; ".join(decision.reasons),
        )

    def _suggest(self, decision: Decision, evidence: bytes, now: float) -> None:
        """Asks people to release it: the gate takes no release from an agent."""
        action = decision.action
        for order in self._ledger.containment(now):
            if (order.kind, order.words.target) == (action.kind, action.target):
                self._suggested[order.id.hex()] = {
                    "order": order.id.hex(),
                    "kind": action.kind.name,
                    "target": action.target,
                    "time": decision.time,
                    "reasons": list(decision.reasons),
                    "evidence": evidence.hex(),
                }
                log.info("suggested the release of %s %s", action.kind.name, action.target)


def _entity(decision: Decision) -> Entity:
    return Entity(decision.action.kind, decision.action.target)


def _speaks_again(suggestion: Suggestion, picture: Picture) -> bool:
    """Whether what people were asked to release is worth a look again."""
    try:
        evidence = picture.evidence(Entity(Kind[suggestion["kind"]], suggestion["target"]))
    except KeyError:
        return False
    return evidence.total >= SPEAKING * NATS
