"""What the responder carries to the gate: signatures, what is ready, what ended."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from world import CARD, OPERATORS, Wants, World

from policies.actions import Kind
from responder.approvals import Activation, Inbox, Slip
from responder.chain.records import Status
from responder.loop import Responder

NEW = b"\x05" * 32


@pytest.fixture
def responder(world: World) -> Responder:
    return world.responder(Wants())


def ticks(world: World, responder: Responder, times: int = 2) -> None:
    for _ in range(times):
        world.wait(1)
        responder.tick()


def sign_resume(world: World, *names: str) -> None:
    pauses = world.ledger().pauses
    world.put(*(Slip.on(pauses, world.key(n), world.gate().domain) for n in names))


def activation(world: World, revision: int = 1, seconds: int = 600) -> Activation:
    return Activation(NEW, CARD, revision, world.now + seconds)


def sign_model(world: World, terms: Activation, *names: str) -> None:
    world.put(*(Slip.on(terms, world.key(n), world.gate().domain) for n in names))


# ---------------------------------------------------------------- delays and groups


def test_what_must_wait_is_executed_when_its_delay_has_passed(
    world: World, responder: Responder
) -> None:
    world.rule(Kind.ISOLATE, 1, leasable=False, delay=100)
    proposal = world.propose()
    world.put(*(world.slip("Approval", proposal, name) for name in OPERATORS[:2]))
    ticks(world, responder)
    assert world.status(proposal) is Status.WAITING
    world.wait(90)
    ticks(world, responder)
    assert world.status(proposal) is Status.WAITING
    world.wait(20)
    ticks(world, responder)
    assert world.status(proposal) is Status.LIVE


def test_what_lacks_a_group_is_executed_when_one_of_it_approves(
    world: World, responder: Responder
) -> None:
    world.rule(Kind.ISOLATE, 1, groups=2)
    world.govern("setRoles", world.address("guardian"), 2 | 4, 1)
    proposal = world.propose()
    world.put(*(world.slip("Approval", proposal, name) for name in OPERATORS[:2]))
    ticks(world, responder)
    assert world.status(proposal) is Status.PENDING
    world.put(world.slip("Approval", proposal, "guardian"))
    ticks(world, responder, 1)
    assert world.status(proposal) is Status.LIVE


def test_a_signature_of_who_withdrew_is_set_aside(world: World, responder: Responder) -> None:
    proposal = world.propose()
    world.gate("operator-1").withdraw(proposal)
    world.put(*(world.slip("Approval", proposal, name) for name in OPERATORS[:2]))
    ticks(world, responder)
    assert "withdrew from this proposal" in next(iter(world.refused_slips().values()))
    assert list(world.case(proposal).approvals) == [world.address("operator-2")]


# ---------------------------------------------------------------- pauses


def test_while_paused_nothing_is_proposed_or_executed(
    world: World, responder: Responder, caplog: pytest.LogCaptureFixture
) -> None:
    proposal = world.propose(target="db")
    world.gate("guardian").pause()
    world.put(*(world.slip("Approval", proposal, name) for name in OPERATORS[:2]))
    world.alerts("10.0.1.10")
    wanting = world.responder(Wants("web"))
    ticks(world, wanting, 3)
    assert world.targets() == ["db"]
    assert len(world.case(proposal).approvals) == 2  # people may go on deciding
    said = [r.getMessage() for r in caplog.records if "paused the gate" in r.getMessage()]
    assert len(said) == 1 and "`countersign resume`" in said[0]
    sign_resume(world, *OPERATORS[:2])
    ticks(world, wanting, 3)
    assert world.status(proposal) is Status.LIVE
    assert "web" in world.targets()


def test_one_signature_resumes_nothing_and_waits(world: World, responder: Responder) -> None:
    world.gate("guardian").pause()
    sign_resume(world, "operator-1")
    ticks(world, responder)
    assert world.ledger().paused
    assert len(Inbox(world.settings.inbox).slips()) == 1
    sign_resume(world, "operator-3")
    ticks(world, responder)
    assert not world.ledger().paused
    assert Inbox(world.settings.inbox).slips() == []


def test_signatures_of_an_earlier_pause_end_no_later_one(
    world: World, responder: Responder
) -> None:
    world.gate("guardian").pause()
    sign_resume(world, "operator-3")
    world.resume()
    world.gate("guardian").pause()
    sign_resume(world, "operator-1")
    ticks(world, responder)
    assert world.ledger().paused
    assert [slip.operator for slip in Inbox(world.settings.inbox).slips()] == [
        world.address("operator-1")
    ]


def test_a_stranger_resumes_nothing(world: World, responder: Responder) -> None:
    world.gate("guardian").pause()
    sign_resume(world, "stranger", "guardian")
    ticks(world, responder)
    assert world.ledger().paused
    assert all("is not an operator" in reason for reason in world.refused_slips().values())
    assert len(world.refused_slips()) == 2


# ---------------------------------------------------------------- models


def test_enough_signatures_activate_a_model(world: World, responder: Responder) -> None:
    terms = activation(world)
    sign_model(world, terms, "operator-1")
    ticks(world, responder)
    assert not world.ledger().is_active(NEW)
    sign_model(world, terms, "operator-2")
    ticks(world, responder)
    entry = world.ledger().models[NEW]
    assert (entry.active, entry.card, entry.revision) == (True, CARD, 1)
    assert set(entry.approvers) == {world.address(name) for name in OPERATORS[:2]}
    assert Inbox(world.settings.inbox).slips() == []


def test_signatures_over_different_terms_do_not_add_up(world: World, responder: Responder) -> None:
    sign_model(world, activation(world), "operator-1")
    sign_model(world, activation(world, seconds=500), "operator-2")
    ticks(world, responder)
    assert not world.ledger().is_active(NEW)
    assert len(Inbox(world.settings.inbox).slips()) == 2


@pytest.mark.parametrize(
    ("revision", "seconds", "said"),
    [(2, 600, "the model's next is 1; sign anew"), (1, 0, "its deadline passed; sign anew")],
)
def test_terms_that_cannot_count_are_set_aside(
    world: World, responder: Responder, revision: int, seconds: int, said: str
) -> None:
    sign_model(world, activation(world, revision, seconds), *OPERATORS[:2])
    ticks(world, responder)
    assert not world.ledger().is_active(NEW)
    assert [said in reason for reason in world.refused_slips().values()] == [True] * 2


def test_a_signature_over_other_terms_than_it_says_is_set_aside(
    world: World, responder: Responder
) -> None:
    terms, domain = activation(world), world.gate().domain
    slip = Slip.on(terms, world.key("operator-1"), domain)
    forged = replace(slip, terms={**slip.terms, "card": "07" * 32})
    world.put(forged, Slip.on(terms, world.key("operator-2"), domain))
    ticks(world, responder)
    assert not world.ledger().is_active(NEW)
    assert ["over these fields" in reason for reason in world.refused_slips().values()] == [True]


# ---------------------------------------------------------------- settling


def test_orders_that_ended_are_settled_together_after_a_while(
    world: World, responder: Responder
) -> None:
    orders = [world.order(Kind.BLOCK, f"203.0.113.{n}", ttl=60) for n in (1, 2)]
    world.order_batch(world.batch(Kind.ISOLATE, "web", ttl=60))
    ticks(world, responder)
    world.wait(70)
    ticks(world, responder)
    assert world.ledger().live(Kind.BLOCK, 0) == 2  # ended, but not long ago
    before = len(list(world.gate().events(0, world.gate().head().number)))
    sent = responder._clients.relayer.sent
    world.wait(60)
    ticks(world, responder)
    ledger = world.ledger()
    assert not any(ledger.counts(Kind.BLOCK, order.target) for order in orders)
    assert ledger.live(Kind.BLOCK, 0) == ledger.live(Kind.ISOLATE, 1) == 0
    assert responder._clients.relayer.sent == sent + 2  # one for all targets, one for the page
    told = list(world.gate().events(0, world.gate().head().number))[before:]
    assert [e.name for e in told if "Settled" in e.name] == ["Settled", "Settled", "PageSettled"]


def test_what_is_live_is_not_settled(
    world: World, responder: Responder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.order(ttl=600)
    ticks(world, responder, 3)
    world.wait(300)
    ticks(world, responder)
    assert world.ledger().live(Kind.ISOLATE, 1) == 1
    assert not [r for r in caplog.records if "settle:" in r.getMessage()]
