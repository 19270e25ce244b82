"""From picture and ledger to decisions: what to propose now, why, and the evidence bundle that
proves it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from policies.actions import Action, Kind
from policies.alerts import Stage
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, OBSERVATION_VERSION, VERBS
from policies.guardrails import Guardrails, Reason, Target, Tier, Verdict
from policies.observation import Conditions, Observation, Standing, encode
from policies.picture import Entity, Picture
from policies.policy import NOTHING, Mask, Policy, Verb, choose, may_order, meaning
from responder.chain.ledger import Ledger
from responder.chain.proposal import target_key
from responder.chain.records import OPEN, Case, Hold, Status
from responder.explaining import explanation

__all__ = ["COOL_DOWN", "Answers", "Decision", "answers", "decide", "entry", "standings"]

COOL_DOWN = 3600  # seconds for which a refused request is not repeated
_LATELY = 3600  # seconds of which people are told
_NAMED = 64  # assets that people are told an indicator reached
_REMEMBERED = 8.0  # answers that "recent" means, as in the simulator
_REFUSED = frozenset({Status.REJECTED, Status.VETOED, Status.LAPSED, Status.RELEASED})


@dataclass(frozen=True)
class Decision:
    """One thing to propose: an order, or that people release one."""

    time: float  # Unix seconds
    verb: Verb
    action: Action
    verdict: Verdict  # of a release, how many people it takes
    score: float  # lead over doing nothing
    reasons: tuple[str, ...]
    evidence: dict[str, Any]  # the bundle


def entry(decision: Decision) -> dict[str, Any]:
    """A decision as one line of a file. A release is of its own kind: nothing is cut off by it."""
    action = decision.action
    said: dict[str, Any] = {
        "time": decision.time,
        "kind": action.kind.name,
        "target": action.target,
        "score": round(decision.score, 6),
        "reasons": list(decision.reasons),
        "tier": decision.verdict.tier.name,
    }
    if decision.verb is Verb.RELEASE:
        return {**said, "kind": "RELEASE", "of": action.kind.name}
    return {**said, "ttl": action.ttl}


class Answers(NamedTuple):
    """How operators answered lately; the defaults hold until they did."""

    minutes: float = 5.0  # from a request to its first answer
    approved: float = 1.0  # share of the votes


def standings(
    ledger: Ledger, entities: Iterable[Entity], agent: str, now: float
) -> dict[Entity, Standing]:
    """What is under way for each entity; those with nothing are left out."""
    last: dict[tuple[Kind, bytes], Case] = {}
    for case in ledger.cases.values():
        last[(case.proposal.kind, case.proposal.target)] = case
    found = {}
    for entity in entities:
        target = (entity.kind, target_key(entity.kind, entity.id))
        asked_for, hold = last.get(target), ledger.live_hold(*target, now)
        if asked_for is None and hold is None:
            continue
        status = ledger.status(asked_for, now) if asked_for else Status.NONE
        asked = _asked(asked_for) if asked_for else 0
        found[entity] = Standing(
            ordered=hold is not None,
            ordered_left=_left(hold, now) if hold else 0.0,
            pending=status in OPEN,
            refused=status in _REFUSED and now < asked + COOL_DOWN,
        )
    return found


def _left(hold: Hold, now: float) -> float:
    """Share of an order's time that is left."""
    return (hold.until - now) / max(1, hold.until - hold.executed_at)


def _asked(case: Case) -> int:
    """When it was asked for last, or refused."""
    refused = [vote.time for vote in case.rejections.values()]
    return max([case.proposed_at, *refused, case.released_at or 0, case.vetoed_at or 0])


def answers(ledger: Ledger) -> Answers:
    """How operators answered lately: a running mean, from the first answer on. To let a request
    lapse is to refuse it, late.
    """
    given = sorted(a for case in ledger.cases.values() if (a := _answer(ledger, case)))
    if not given:
        return Answers()
    _, minutes, approved = given[0]
    for _, took, share in given[1:]:
        minutes += (took - minutes) / _REMEMBERED
        approved += (share - approved) / _REMEMBERED
    return Answers(minutes, approved)


def _answer(ledger: Ledger, case: Case) -> tuple[int, float, float] | None:
    """When a request was first answered (Unix seconds), after how many minutes, and the share of
    its votes that were approvals.
    """
    votes = [*case.approvals.values(), *case.rejections.values()]
    if votes:
        first = min(vote.time for vote in votes)
        return first, (first - case.proposed_at) / 60.0, len(case.approvals) / len(votes)
    if ledger.status(case, ledger.block.time) is Status.LAPSED:
        deadline = case.proposal.deadline
        return deadline, (deadline - case.proposed_at) / 60.0, 0.0
    return None


def _conditions(guardrails: Guardrails, answered: Answers, now: float) -> Conditions:
    lease = guardrails.lease
    block, isolate, revoke = Kind
    return Conditions(
        lease is not None,
        (lease.left(block), lease.left(isolate), lease.left(revoke)) if lease else (0.0, 0.0, 0.0),
        (
            guardrails.budget_left(block, now),
            guardrails.budget_left(isolate, now),
            guardrails.budget_left(revoke, now),
        ),
        answered.minutes,
        answered.approved,
    )


def decide(
    policy: Policy,
    picture: Picture,
    guardrails: Guardrails,
    standing: Mapping[Entity, Standing],
    answered: Answers,
    ttl: Sequence[int],
    most: int,
    alerts: Collection[Mapping[str, Any]],
    now: float,
    asked: Collection[Entity] = (),
) -> list[Decision]:
    """At most `most` proposals for this moment, best first; usually none.

    Brings the picture to `now`, and counts what it makes in the guardrails. `ttl` is in seconds by
    Kind, shortened where a rule allows less. `alerts` are recent ones as JSON mappings, from which
    each bundle keeps those that touch its entity. `asked`: whose release people were asked for, and
    are not asked again.
    """
    made: list[Decision] = []
    standing = dict(standing)
    picture.advance(now)
    while len(made) < most:
        offers = _offers(picture.entities(), guardrails, ttl, policy.hash, now)
        verdicts = {entity: verdict for entity, (_, verdict) in offers.items()}
        condition = _conditions(guardrails, answered, now)
        observation = encode(picture, standing, verdicts, condition)
        mask = _mask(observation, standing, verdicts, asked)
        scores = policy.scores(observation)
        choice = choose(scores, mask)
        if choice == NOTHING:
            break
        verb, row = meaning(choice, len(observation.ids))
        entity = observation.ids[row]
        action, verdict = offers[entity]
        if verb is Verb.RELEASE:
            needed = guardrails.limits.release_quorum
            verdict = Verdict(Tier.QUORUM, Reason.NONE, needed, 0)
        reasons = _reasons(picture, entity)
        bundle = {
            "version": 3,
            "time": now,
            "verb": verb.name,
            "action": {"kind": action.kind.name, "target": action.target, "ttl": action.ttl},
            "tier": verdict.tier.name,
            "reasons": list(reasons),
            "policy": {"name": policy.name, "hash": policy.hash.hex()},
            "observation": _observation_json(observation),
            "mask": [bool(m) for m in mask],
            "scores": [float(s) for s in scores],
            "choice": choice,
            "explanation": explanation(policy, observation, choice, mask),
            "alerts": [a for a in alerts if _touches(a, picture, entity)][-40:],
        }
        lead = float(scores[choice] - scores[NOTHING])
        made.append(Decision(now, verb, action, verdict, lead, reasons, bundle))
        if verb is Verb.ORDER:
            guardrails.propose(action, policy.hash, now)
        standing[entity] = replace(standing.get(entity, Standing()), pending=True)
    return made


def _offers(
    entities: Sequence[Entity], guardrails: Guardrails, ttl: Sequence[int], model: bytes, now: float
) -> dict[Entity, tuple[Action, Verdict]]:
    """Each one's action, and what the guardrails say to it: the same of all that are alike to
    them, which is most.
    """
    found: dict[tuple[Kind, Target | None, bool], tuple[int, Verdict]] = {}
    registered = {Kind.ISOLATE: guardrails.assets, Kind.REVOKE: guardrails.credentials}
    offers = {}
    for entity in entities:
        kind, name = entity.kind, entity.id
        if kind is Kind.BLOCK:
            action, verdict = _offer(entity, guardrails, ttl, model, now)
        else:
            alike = (kind, registered[kind].get(name), (kind, name) in guardrails.counted)
            if alike not in found:
                action, verdict = _offer(entity, guardrails, ttl, model, now)
                found[alike] = action.ttl, verdict
            seconds, verdict = found[alike]
            action = Action(kind, name, seconds)
        offers[entity] = action, verdict
    return offers


def _offer(
    entity: Entity, guardrails: Guardrails, ttl: Sequence[int], model: bytes, now: float
) -> tuple[Action, Verdict]:
    action = Action(entity.kind, entity.id, ttl[entity.kind])
    verdict = guardrails.verdict(action, model, now)
    if verdict.reason is not Reason.TTL_OUT_OF_RANGE:
        return action, verdict
    rules = (r.max_ttl for (kind, _), r in guardrails.rules.items() if kind is entity.kind)
    for seconds in sorted((t for t in set(rules) if 0 < t < action.ttl), reverse=True):
        action = Action(entity.kind, entity.id, seconds)
        verdict = guardrails.verdict(action, model, now)
        if verdict.tier is not Tier.REFUSED:
            break
    return action, verdict


def _mask(
    observation: Observation,
    standing: Mapping[Entity, Standing],
    verdicts: Mapping[Entity, Verdict],
    asked: Collection[Entity],
) -> Mask:
    """Index 0 is "do nothing". What the gate would refuse is not offered, nor what is under way
    but for an order that is about to end: asking again renews it. Of what is ordered the release
    is offered, once.
    """
    n = len(observation.ids)
    mask = np.zeros(1 + VERBS * n, dtype=np.bool_)
    mask[NOTHING] = True
    nothing = Standing()
    for i, entity in enumerate(observation.ids):
        so_far = standing.get(entity, nothing)
        mask[1 + i] = verdicts[entity].tier is not Tier.REFUSED and may_order(
            so_far.ordered, so_far.ordered_left, so_far.pending, so_far.refused
        )
        open_to_people = so_far.ordered and not (so_far.pending or so_far.refused)
        mask[1 + n + i] = open_to_people and entity not in asked
    return mask


def _reasons(picture: Picture, entity: Entity) -> tuple[str, ...]:
    evidence = picture.evidence(entity)
    since = picture.time - _LATELY
    lately = {kind: nats for kind, (time, nats) in evidence.recent.items() if time > since}
    lines = [
        f"{len(lately)} different surprising alert types in the last hour, "
        f"{evidence.total:.0f} nats of evidence",
    ]
    stages = sorted(Stage, key=lambda s: -evidence.stages[s])[:2]
    mostly = [f"{s.name.lower()} ({evidence.stages[s]:.0f})" for s in stages if evidence.stages[s]]
    if mostly:
        lines.append("mostly " + ", ".join(mostly))
    if evidence.touched:
        named = ", ".join(evidence.touched[:_NAMED])
        more = ", ..." if len(evidence.touched) > _NAMED else ""
        lines.append(f"reached {len(evidence.touched)} assets: {named}{more}")
    if lately:
        strongest = sorted(lately, key=lambda kind: -lately[kind])[:4]
        lines.append("strongest: " + ", ".join(strongest))
    return tuple(lines)


def _observation_json(observation: Observation) -> dict[str, Any]:
    return {
        "version": OBSERVATION_VERSION,
        "entity_columns": list(ENTITY_COLUMNS),
        "context_columns": list(CONTEXT_COLUMNS),
        "ids": [[e.kind.name, e.id] for e in observation.ids],
        "entities": [[float(v) for v in row] for row in observation.entities],
        "context": [float(v) for v in observation.context],
    }


def _touches(alert: Mapping[str, Any], picture: Picture, entity: Entity) -> bool:
    names = [alert.get(k, "") for k in ("host", "address", "src", "dst", "agent")]
    if entity.kind is Kind.BLOCK:
        return entity.id.split("/")[0] in names
    if entity.kind is Kind.REVOKE:
        return alert.get("credential") == entity.id
    indices = [picture.inventory.asset_index(n) for n in names if n]
    return any(i is not None and picture.inventory.assets[i].id == entity.id for i in indices)
