"""Whatever happens to a gate, the ledger folded from its log is the gate's state, view by view, and
the audit has nothing to say against it.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import astuple
from typing import Any

import pytest
from histories import (
    ASSETS,
    CREDENTIALS,
    NETWORKS,
    OPERATORS,
    OTHER_MODEL,
    PEOPLE,
    TARGETS,
    ZONES,
    History,
    fresh,
    key_of,
)
from scene import MODEL, Gate
from shown import Shown

from policies.actions import Action, Kind
from policies.guardrails import Rule, ZoneRule
from responder.audit import audit
from responder.chain.proposal import name_key
from responder.chain.records import Status
from responder.chain.registry import Scope

STEPS, EVERY = 120, 12


@pytest.fixture(scope="module")
def made() -> Gate:
    return fresh()


def lived(made: Gate, seed: int) -> Counter[str]:
    """One history on a gate that is as new again afterwards; what happened in it."""
    start, told, snapshot = made.evm.now, len(made.contract.events), made.evm.snapshot()
    try:
        history = History(made, seed)
        for step in range(STEPS):
            history.step()
            if step % EVERY == 0:
                compare(history)
        compare(history)
        check_audit(history)
        return Counter(history.happened)
    finally:
        made.evm.revert(snapshot)
        made.evm.advance(start - made.evm.now)
        del made.contract.events[told:]


@pytest.mark.parametrize("seed", range(12))
def test_the_ledger_is_the_gates_state(made: Gate, seed: int) -> None:
    lived(made, seed)


@pytest.mark.slow
def test_the_ledger_is_the_gates_state_in_many_histories(made: Gate) -> None:
    happened: Counter[str] = Counter()
    for seed in range(1000, 1250):
        happened += lived(made, seed)
    few = {name for name, count in happened.items() if count < 10}
    assert not few, happened


def check_audit(history: History) -> None:
    report = audit(Shown(history))
    ledger = history.ledger
    assert (report.events, report.head) == (len(history.events), ledger.head.hex())
    assert report.proposals == len(ledger.cases) + len(ledger.batches)
    batched = sum(batch.size for batch in ledger.batches.values())
    executed = sum(case.executed_at is not None for case in ledger.cases.values())
    assert report.orders == executed + batched


# ---------------------------------------------------------------- view by view


def compare(history: History) -> None:
    ledger, view = history.ledger, history.gate.view
    assert ledger.head == view("auditHead")
    compare_people(history)
    compare_rules(history)
    compare_targets(history)
    compare_proposals(history)
    compare_powers(history)
    compare_verdicts(history)


def compare_people(history: History) -> None:
    ledger, view = history.ledger, history.gate.view
    assert sorted(a.lower() for a in ledger.operators()) == sorted(view("operators"))
    for person in (*OPERATORS, PEOPLE.agent, PEOPLE.guardian, PEOPLE.enforcer, PEOPLE.stranger):
        who = person.address
        group = ledger.group_of(who) if who in ledger.seats else 0
        assert (ledger.roles.get(who, 0), group) == view("rolesOf", who)
    scope = ledger.scope_of(PEOPLE.enforcer.address)
    kinds, zone = view("enforcerScopeOf", PEOPLE.enforcer.address)
    assert scope == Scope(kinds, next((z for z in ZONES if name_key(z) == zone), ""))


def compare_rules(history: History) -> None:
    ledger, view = history.ledger, history.gate.view
    assert astuple(ledger.limits) == view("limits")
    assert sorted(ledger.networks) == sorted(view("protectedNetworks"))
    for kind in Kind:
        for criticality in range(4):
            rule, live = view("ruleOf", int(kind), criticality)
            assert astuple(ledger.rules.get((kind, criticality), Rule(False))) == rule
            assert ledger.live(kind, criticality) == live
    for zone in ZONES:
        rule, assets, isolated = view("zoneOf", name_key(zone))
        assert astuple(ledger.zone_rule(zone)) == rule == astuple(ZoneRule(*rule))
        assert sum(a.known and a.zone == zone for a in ledger.assets.values()) == assets
        assert ledger.isolated(zone) == isolated
    members, isolated, keep = view("poolOf", name_key("dns"))
    pool = {k for k, a in ledger.assets.items() if a.known and a.pool == "dns"}
    counted = sum(bool(ledger.holds[Kind.ISOLATE, k].bits) for k in pool if _held(history, k))
    assert (len(pool), counted, ledger.pools[name_key("dns")][1]) == (members, isolated, keep)


def _held(history: History, key: bytes) -> bool:
    return (Kind.ISOLATE, key) in history.ledger.holds


def compare_targets(history: History) -> None:
    ledger, view, now = history.ledger, history.gate.view, history.now
    for kind, names in TARGETS.items():
        for name in names:
            key = key_of(kind, name)
            hold = ledger.live_hold(kind, key, now)
            assert (hold.until if hold else 0) == view("orderedUntil", int(kind), key)
    ordered = {(o.kind, o.words.target): o.until for o in ledger.containment(now)}
    for name in ASSETS:
        key, known = name_key(name), ledger.assets.get(name_key(name))
        zone, criticality, there, protected, _, place = view("assetOf", key)
        assert there == bool(known and known.known)
        if known and there:
            told = (name_key(known.zone), known.criticality, known.protected, known.place)
            assert told == (zone, criticality, protected, place)
        assert view("isIsolated", key) == bool(there and (Kind.ISOLATE, name) in ordered)
    for name in CREDENTIALS:
        known_ = ledger.credentials.get(name_key(name))
        principal, criticality, there, protected = view("credentialOf", name_key(name))
        assert there == bool(known_ and known_.known)
        if known_ and there:
            told_ = (name_key(known_.principal), known_.criticality, known_.protected)
            assert told_ == (principal, criticality, protected)
        assert view("isAuthorized", name_key(name), name_key("intranet")) == authorized(
            history, name
        )
    for name in NETWORKS:
        blocked = [
            ipaddress.ip_network(o.words.target)
            for o in ledger.containment(now)
            if o.kind is Kind.BLOCK
        ]
        assert view("isBlocked", key_of(Kind.BLOCK, name)) == any(
            net.version == ipaddress.ip_network(name).version
            and ipaddress.ip_network(name).subnet_of(net)  # type: ignore[arg-type]
            for net in blocked
        )
    compare_pages(history)


def authorized(history: History, name: str) -> bool:
    ledger, now = history.ledger, history.now
    credential = ledger.credentials.get(name_key(name))
    if credential is None or not credential.known:
        return False
    resource = name_key("intranet")
    until = ledger.grants.get((name_key(credential.principal), resource), 0)
    asset = ledger.resources[resource]
    revoked = ledger.live_hold(Kind.REVOKE, name_key(name), now)
    isolated = ledger.live_hold(Kind.ISOLATE, asset, now)
    return now < until and ledger.assets[asset].known and not revoked and not isolated


def compare_pages(history: History) -> None:
    ledger = history.ledger
    for zone in ZONES:
        for criticality in range(4):
            page = (name_key(zone), criticality, 0)
            hold = ledger.pages.get(page)
            told = (
                ledger.members_of(page),
                hold.bits if hold else 0,
                hold.until if hold else 0,
                page in ledger.sealed,
            )
            assert told == history.gate.view("pageOf", *page)


def compare_proposals(history: History) -> None:
    ledger, now = history.ledger, history.now
    for case in ledger.cases.values():
        status = ledger.status(case, now)
        executed = case.executed_at is not None  # the gate forgets who approved
        ends = {Status.LIVE: case.until, Status.EXPIRED: case.until}
        ends[Status.WAITING] = ledger.earliest(case, now)
        derived = (
            status,
            0 if executed else len(ledger.approving(case)),
            ledger.needed(case, now),
            ends.get(status, 0),
        )
        assert derived == history.gate.view("stateOf", case.proposal.abi())
    for proposal in history.proposals:
        id_ = proposal.id(history.gate.domain)
        if id_ not in ledger.cases:
            status, *_ = history.gate.view("stateOf", proposal.abi())
            used = ledger.is_used(proposal.agent, proposal.nonce)
            unheard = Status.SUPERSEDED if used else Status.NONE
            assert status == (Status.VETOED if id_ in ledger.vetoed else unheard)


def compare_powers(history: History) -> None:
    ledger, view, now = history.ledger, history.gate.view, history.now
    assert (ledger.pauses if ledger.paused else 0) == view("pausedNow")
    for model in (MODEL, OTHER_MODEL):
        known = ledger.models.get(model)
        told: Any = (False, bytes(32), 0, ())
        if known:
            approvers = tuple(a.lower() for a in known.approvers)
            told = (known.active, known.card, known.revision, approvers)
        assert told == view("modelOf", model)
    agent = PEOPLE.agent.address
    entry = ledger.live_lease(agent, now)
    live: Any = (bytes(32), 0, (0, 0, 0), (0, 0, 0))
    if entry:
        live = (entry.id, entry.lease.expires, entry.lease.budgets, tuple(entry.spent))
    assert live == view("leaseOf", agent)


def compare_verdicts(history: History) -> None:
    agent, now = PEOPLE.agent.address, history.now
    mirror = history.ledger.guardrails(agent, now)
    for kind, names in TARGETS.items():
        for name in names:
            for model in (MODEL, OTHER_MODEL):
                said = history.gate.view(
                    "verdict", agent, int(kind), key_of(kind, name), 300, model
                )
                assert tuple(mirror.verdict(Action(kind, name, 300), model, now)) == said, name
