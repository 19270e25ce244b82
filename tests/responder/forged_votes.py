"""Votes, proposals and orders that cannot have happened, and what the audit says of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forging import (
    Events,
    altered,
    asset,
    before,
    change,
    drop,
    find,
    last,
    part,
    repeat,
    rule,
    struct,
)
from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.chain.events import Event
from responder.chain.proposal import target_key
from responder.chain.records import to_proposal


def forged_signature(world: World, events: Events) -> Events:
    return change(events, "Approved", signature=b"\x22" * 64 + b"\x1b")


def stolen_signature(world: World, events: Events) -> Events:
    return change(events, "Approved", operator=world.address("operator-3"))


def stranger_votes(world: World, events: Events) -> Events:
    who, signature = world.signature("Approval", world.proposal(), "stranger")
    return change(events, "Approved", operator=who, signature=signature)


def duplicated_vote(world: World, events: Events) -> Events:
    return before(events, "Executed", events[last(events, "Approved")])


def vote_without_its_transaction(world: World, events: Events) -> Events:
    return change(events, "Approved", signature=b"")


def vote_after_execution(world: World, events: Events) -> Events:
    i = last(events, "Approved")
    moved = replace(events[i], block=events[-1].block, time=events[-1].time)
    who, signature = world.signature("Approval", _order(world, events), "operator-3")
    return [*events, altered(moved, operator=who, signature=signature)]


def _order(world: World, events: Events) -> Any:
    return world.ledger().cases[events[last(events, "Executed")].args["id"]].proposal


def vote_after_withdrawal(world: World, events: Events) -> Events:
    """Of the first who approved the last order."""
    case = events[last(events, "Executed")].args["id"]
    withdrawn = altered(find(events, "Withdrawn"), id=case)
    return before(events, "Proposed", withdrawn)


def withdrawn_before_execution(world: World, events: Events) -> Events:
    case = events[last(events, "Executed")].args["id"]
    return before(events, "Executed", altered(find(events, "Withdrawn"), id=case))


def withdrawn_by_another(world: World, events: Events) -> Events:
    return change(events, "Withdrawn", operator=world.address("operator-2"))


def withdrawn_twice(world: World, events: Events) -> Events:
    return before(events, "Withdrawn", events[last(events, "Withdrawn")])


def missing_quorum(world: World, events: Events) -> Events:
    return drop(events, "Approved")


def nobody_signed(world: World, events: Events) -> Events:
    return drop(drop(events, "Approved"), "Approved")


def rejected_all_the_same(world: World, events: Events) -> Events:
    """Two refuse, then it is executed."""
    refusals = [e for e in events if e.name == "Rejected"]
    case = events[last(events, "Executed")].args["id"]
    proposal = world.ledger().cases[case].proposal
    told = []
    for event, name in zip(refusals, OPERATORS[:2], strict=True):
        who, signature = world.signature("Rejection", proposal, name)
        told.append(altered(event, id=case, operator=who, signature=signature))
    kept = [e for e in events if not (e.name == "Approved" and e.args["id"] == case)]
    return before(kept, "Executed", *told)


def executed_after_veto(world: World, events: Events) -> Events:
    case = events[last(events, "Executed")].args["id"]
    return before(events, "Executed", altered(events[last(events, "Vetoed")], id=case))


def executed_twice(world: World, events: Events) -> Events:
    return repeat(events, "Executed")


def executed_too_late(world: World, events: Events) -> Events:
    i = last(events, "Executed")
    late = replace(events[i], time=events[i].time + 601)
    return [*events[:i], altered(late, until=late.args["until"] + 601)]


def longer_ttl(world: World, events: Events) -> Events:
    i = last(events, "Executed")
    return change(events, "Executed", until=events[i].args["until"] + 1)


def inactive_model(world: World, events: Events) -> Events:
    return [e for e in events if not (e.name == "ModelActivated" and e.args["model"] == Wants.hash)]


def model_ended_before_execution(world: World, events: Events) -> Events:
    ended = altered(find(events, "ModelDeactivated"), revision=4)
    return before(events, "Executed", ended)


def agent_revoked_before_execution(world: World, events: Events) -> Events:
    revoked = altered(find(events, "RolesSet", account=world.address("agent")), roles=0)
    return before(events, "Executed", revoked)


def approver_revoked_before_execution(world: World, events: Events) -> Events:
    revoked = altered(find(events, "RolesSet", account=world.address("operator-1")), roles=0)
    return before(events, "Executed", revoked)


def protected_target(world: World, events: Events) -> Events:
    desk = asset(events, "desk")
    return [struct(e, "entry", _4=True) if e is desk else e for e in events]


def protected_before_execution(world: World, events: Events) -> Events:
    return before(events, "Executed", struct(asset(events, "web"), "entry", _4=True))


def protected_network(world: World, events: Events) -> Events:
    key = target_key(Kind.BLOCK, "203.0.113.0/24")
    network = find(events, "NetworkProtected")
    return [altered(e, network=key) if e is network else e for e in events]


def over_budget(world: World, events: Events) -> Events:
    i = events.index(find(events, "RuleSet", kind=1, criticality=0))
    return [*events[:i], rule(events, Kind.ISOLATE, 0, budget=0), *events[i + 1 :]]


def forbidden_before_execution(world: World, events: Events) -> Events:
    return before(events, "Executed", rule(events, Kind.ISOLATE, 1, allowed=False, leasable=False))


def stricter_before_execution(world: World, events: Events) -> Events:
    return before(events, "Executed", rule(events, Kind.ISOLATE, 1, quorum=3))


def full_before_execution(world: World, events: Events) -> Events:
    return before(events, "Executed", rule(events, Kind.ISOLATE, 1, live=0))


def executed_before_its_delay(world: World, events: Events) -> Events:
    return before(events, "Executed", rule(events, Kind.ISOLATE, 1, leasable=False, delay=600))


def executed_without_a_group(world: World, events: Events) -> Events:
    return before(events, "Executed", rule(events, Kind.ISOLATE, 1, groups=4))


def executed_while_paused(world: World, events: Events) -> Events:
    return before(events, "Executed", altered(find(events, "Paused"), pause=2))


def executed_in_a_frozen_zone(world: World, events: Events) -> Events:
    zone = find(events, "ZoneSet", name="dmz")
    now = events[-1].time
    return before(events, "Executed", altered(zone, rule=(100, 1, now - 99, now + 99, 0, 0)))


def executed_beyond_its_pool(world: World, events: Events) -> Events:
    pool = (target_key(Kind.ISOLATE, "pair"), "pair", 1, 1)
    made = asset(events, "web")
    return before(events, "Executed", _pool_set(made, *pool), struct(made, "entry", _2="pair"))


def _pool_set(like: Event, *values: Any) -> Event:
    named = dict(zip(("key", "name", "number", "keep"), values, strict=True))
    return altered(replace(like, name="PoolSet", args=named))


def proposed_by_no_agent(world: World, events: Events) -> Events:
    return [
        e
        for e in events
        if not (e.name == "RolesSet" and e.args["account"] == world.address("agent"))
    ]


def proposal_altered(world: World, events: Events) -> Events:
    return part(events, "Proposed", "proposal", 2, 7200)


def proposed_twice(world: World, events: Events) -> Events:
    return repeat(events, "Proposed")


def proposed_with_a_used_nonce(world: World, events: Events) -> Events:
    made = events[last(events, "Proposed")]
    other = replace(to_proposal(made.args["proposal"]), ttl=601)
    return [*events, altered(made, id=world.id(other), proposal=other.abi())]


def proposed_after_a_veto(world: World, events: Events) -> Events:
    made = events[last(events, "Proposed")]
    veto = altered(find(events, "Vetoed"), id=made.args["id"], nonce=world._nonce + 9)
    return before(events, "Proposed", veto)


def deadline_too_far(world: World, events: Events) -> Events:
    i = last(events, "Proposed")
    early = replace(events[i], time=events[i].time - 1000)
    return [*events[:i], early, *events[i + 1 :]]


def agent_is_operator(world: World, events: Events) -> Events:
    roles = find(events, "RolesSet", account=world.address("agent"))
    return [altered(e, roles=3) if e is roles else e for e in events]


def moved_while_it_counts(world: World, events: Events) -> Events:
    return [*events, struct(asset(events, "web"), "entry", _1="core")]


def removed_while_it_counts(world: World, events: Events) -> Events:
    like = asset(events, "web")
    named = {"key": like.args["key"], "kind": 1}
    return [*events, altered(replace(like, name="TargetRemoved", args=named))]


def veto_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "Vetoed", guardian=world.address("stranger"))


def veto_after_execution(world: World, events: Events) -> Events:
    case = events[last(events, "Executed")].args["id"]
    return [*events, altered(events[last(events, "Vetoed")], id=case)]


def veto_of_what_is_far(world: World, events: Events) -> Events:
    return [*events, altered(find(events, "Vetoed"), id=b"\x05" * 32, nonce=10_000)]


VOTES = [
    (forged_signature, "Approved .* the signature is not"),
    (stolen_signature, "Approved .* the signature is not"),
    (stranger_votes, "Approved .* was no operator"),
    (duplicated_vote, "Approved .* counted twice"),
    (vote_without_its_transaction, "Approved .* sent by .* counted for"),
    (vote_after_execution, "Approved .* it was LIVE"),
    (vote_after_withdrawal, "Approved .* had withdrawn"),
    (withdrawn_before_execution, "Executed .* 1 approvals of 2 needed"),
    (withdrawn_by_another, "Withdrawn .* sent by .* counted for"),
    (withdrawn_twice, "Withdrawn .* withdrew twice"),
    (missing_quorum, "Executed .* 1 approvals of 2 needed"),
    (nobody_signed, "Executed .* 0 approvals of 2 needed"),
    (rejected_all_the_same, "Executed .* 0 approvals of 2"),
    (executed_after_veto, "Executed .* after a veto"),
    (executed_twice, "Executed .* executed twice"),
    (executed_too_late, "Executed .* after the deadline"),
    (longer_ttl, "Executed .* lasts longer"),
    (inactive_model, "LeaseGranted .* model was not active"),
    (model_ended_before_execution, "Executed .* model was not active"),
    (agent_revoked_before_execution, "Executed .* agent was revoked"),
    (approver_revoked_before_execution, "Executed .* 1 approvals of 2 needed"),
    (protected_target, "Proposed .* PROTECTED_TARGET"),
    (protected_before_execution, "Executed .* PROTECTED_TARGET"),
    (protected_network, "Ordered .* PROTECTED_TARGET"),
    (over_budget, "Proposed .* BUDGET_SPENT"),
    (forbidden_before_execution, "Executed .* RULE_REFUSES"),
    (stricter_before_execution, "Executed .* 2 approvals of 3 needed"),
    (full_before_execution, "Executed .* LIVE_LIMIT"),
    (executed_before_its_delay, "Executed .* its delay had not passed"),
    (executed_without_a_group, "Executed .* no approval of group 2"),
    (executed_while_paused, "Executed .* PAUSED"),
    (executed_in_a_frozen_zone, "Executed .* 2 approvals of 3 needed"),
    (executed_beyond_its_pool, "Executed .* POOL_MINIMUM"),
    (proposed_by_no_agent, "LeaseGranted .* is no agent"),
    (proposal_altered, "Proposed .* id is not its content's hash"),
    (proposed_twice, "Proposed .* proposed twice"),
    (proposed_with_a_used_nonce, "Proposed .* its nonce was used"),
    (proposed_after_a_veto, "Proposed .* vetoed before"),
    (deadline_too_far, "Proposed .* deadline is out of range"),
    (agent_is_operator, "RolesSet .* agent holds another role"),
    (moved_while_it_counts, "AssetSet .* an order on it counted"),
    (removed_while_it_counts, "TargetRemoved .* an order on it counted"),
    (veto_by_a_stranger, "Vetoed .* was no guardian"),
    (veto_after_execution, "Vetoed .* it was LIVE"),
    (veto_of_what_is_far, "Vetoed .* not among the next"),
]
