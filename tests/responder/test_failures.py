"""What may go wrong outside: each time a clear message, no crash, no order that should not be."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from founding import GENESIS, eve_line, found
from world import OPERATORS, Wants, World

from policies.actions import Kind
from policies.alerts import Alert
from policies.picture import Entity
from responder.approvals import Slip, sign
from responder.chain.client import Refused
from responder.chain.devnet import Devnet
from responder.chain.proposal import Proposal, decision_message
from responder.chain.records import Status
from responder.clock import ManualClock
from responder.errors import Permanent, Temporary
from responder.loop import Responder

WEB = "10.0.1.10"


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        r.getMessage()
        for r in caplog.records
        if r.levelno >= logging.WARNING and r.name.startswith("responder")
    ]


def unexpected(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [m for m in warnings(caplog) if "unexpectedly" in m]


def ticks(responder: Responder, world: World, times: int = 3) -> None:
    for _ in range(times):
        world.wait(5)
        responder.tick()


# ---------------------------------------------------------------- alerts


MALFORMED = [
    b"",
    b"\n",
    b"{",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"null",
    b'{"event_type": 5}',
    b'{"event_type":"alert"}',
    b'{"event_type":"alert","timestamp":"soon","alert":{}}',
    b'{"event_type":"alert","alert":{"signature_id":1},"timestamp":"9999-12-31T23:59:59"}',
    b"x" * (1 << 20) * 2,
]


def test_malformed_alert_lines_are_counted_and_the_rest_is_read(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.feed(*(line + b"\n" for line in MALFORMED))
    responder = world.responder(Wants("web", "db"))
    ticks(responder, world)
    assert world.ledger().cases == {}
    assert any("further such lines are only counted" in m for m in warnings(caplog))
    world.alerts(WEB)
    ticks(responder, world)
    assert world.targets() == ["web"]
    assert unexpected(caplog) == []


def test_an_unknown_asset_is_never_proposed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.alerts("10.0.7.7", "10.0.7.8")
    responder = world.responder(Wants("10.0.7.7", "nowhere"))
    ticks(responder, world)
    assert world.ledger().cases == {}
    assert set(responder.picture.unknown_assets) >= {"10.0.7.7"}
    assert unexpected(caplog) == []


def test_an_asset_the_gate_does_not_know_is_never_proposed(world: World) -> None:
    stray = replace(world.inventory.assets[0], id="stray", addresses=("10.0.5.5",))
    world.inventory = replace(world.inventory, assets=(*world.inventory.assets, stray))
    world.alerts("10.0.5.5", WEB)
    ticks(world.responder(Wants("stray", "web")), world)
    assert world.targets() == ["web"]


# ---------------------------------------------------------------- signatures


def wrong_slips(world: World, case: str) -> tuple[Slip, str]:
    """A slip that must not count, and what is said of it."""
    proposal = world.propose()
    good = world.slip("Approval", proposal, "operator-1")
    if case == "other fields":
        ledger = world.ledger()
        words = replace(ledger.words_of(Kind.ISOLATE, proposal.target), target="db")
        message = decision_message("Approval", proposal, words, ledger.domain)
        return replace(good, signature=sign(world.key("operator-1"), message).hex()), "fields"
    if case == "other proposal":
        return replace(
            good, signature=world.slip("Approval", world.propose(), "operator-1").signature
        ), "fields"
    if case == "other decision":
        return replace(
            good, signature=world.slip("Rejection", proposal, "operator-1").signature
        ), "fields"
    if case == "other gate":
        ledger = world.ledger()
        words = ledger.words_of(Kind.ISOLATE, proposal.target)
        domain = replace(ledger.domain, gate=world.address("stranger"))
        message = decision_message("Approval", proposal, words, domain)
        return replace(good, signature=sign(world.key("operator-1"), message).hex()), "fields"
    if case == "other signer":
        return replace(
            good, signature=world.slip("Approval", proposal, "operator-2").signature
        ), "fields"
    if case == "no operator":
        return world.slip("Approval", proposal, "stranger"), "is not an operator"
    if case == "the agent":
        return world.slip("Approval", proposal, "agent"), "is not an operator"
    if case == "malleated":  # the twin that ECDSA allows and the gate refuses
        raw = good.signature_bytes
        order = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
        twin = (order - int.from_bytes(raw[32:64])).to_bytes(32)
        return replace(good, signature=(raw[:32] + twin + bytes([55 - raw[64]])).hex()), "fields"
    if case == "v from zero":
        raw = good.signature_bytes
        return replace(good, signature=(raw[:64] + bytes([raw[64] - 27])).hex()), "fields"
    return replace(good, signature="00" * 65), "fields"


WRONG = [
    "other fields",
    "other proposal",
    "other decision",
    "other gate",
    "other signer",
    "no operator",
    "the agent",
    "malleated",
    "v from zero",
    "nonsense",
]


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_signature_is_set_aside_and_holds_nobody_up(
    world: World, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, said = wrong_slips(world, case)
    other = world.propose(target="db")
    world.put(wrong, *(world.slip("Approval", other, name) for name in OPERATORS[:2]))
    ticks(world.responder(Wants()), world)
    assert [said in reason for reason in world.refused_slips().values()] == [True]
    assert any("set aside" in m for m in warnings(caplog))
    ledger = world.ledger()
    case_of = ledger.cases[bytes.fromhex(wrong.subject)]
    assert (case_of.approvals, case_of.executed_at) == ({}, None)
    assert world.status(other) is Status.LIVE


def test_a_signature_too_late_is_set_aside(world: World, caplog: pytest.LogCaptureFixture) -> None:
    proposal = world.propose()
    world.put(world.slip("Approval", proposal, "operator-1"))
    world.wait(700)
    world.responder(Wants()).tick()
    assert "too late: the proposal is LAPSED" in next(iter(world.refused_slips().values()))


def test_a_slip_for_an_unknown_proposal_waits_and_holds_nobody_up(world: World) -> None:
    later, now = world.proposal(), world.propose(target="db")
    world.put(
        world.slip("Approval", later, "operator-1"),
        *(world.slip("Approval", now, name) for name in OPERATORS[:2]),
    )
    responder = world.responder(Wants())
    ticks(responder, world)
    assert world.status(now) is Status.LIVE
    world.gate("agent").propose(later)
    ticks(responder, world)
    assert list(world.case(later).approvals) == [world.address("operator-1")]


# ---------------------------------------------------------------- models


def test_a_model_that_is_not_registered_proposes_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    policy = Wants("web")
    policy.hash = bytes(keccak(text="another model"))
    world.alerts(WEB)
    responder = world.responder(policy)
    ticks(responder, world, 4)
    assert world.ledger().cases == {}
    said = [m for m in warnings(caplog) if "is not active on the gate" in m]
    assert len(said) == 1
    assert "wants" in said[0] and "`countersign model approve` it" in said[0]


def test_a_model_whose_registration_ends_stops_at_once(world: World) -> None:
    world.alerts(WEB)
    responder = world.responder(Wants("web", "db"))
    ticks(responder, world)
    proposal = next(iter(world.ledger().cases.values()))
    world.gate("guardian").deactivate_model(Wants.hash)
    world.put(
        *(
            Slip("Approval", proposal.id.hex(), *_signed(world, proposal.id, name))
            for name in OPERATORS[:2]
        )
    )
    world.alerts("10.0.3.10")
    ticks(responder, world)
    assert world.targets() == ["web"]
    assert world.ledger().containment(world.now) == []


def _signed(world: World, case_id: bytes, name: str) -> tuple[str, str]:
    address, signature = world.signature("Approval", world.ledger().cases[case_id].proposal, name)
    return address, signature.hex()


# ---------------------------------------------------------------- the chain away


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    """A site on a devnet that the test may take down: it keeps its state."""
    home = tmp_path / "home"
    home.mkdir()
    devnet = Devnet(tmp_path / "anvil.log", genesis=GENESIS, state=tmp_path / "state.json")
    with devnet:
        site = found(home, devnet)
        yield World(site, devnet)


def test_without_a_chain_feeds_are_read_orders_kept_and_nothing_is_proposed(
    own: World, caplog: pytest.LogCaptureFixture
) -> None:
    order = own.order(ttl=600)
    until, clock = own.case(order).until, ManualClock(own.now)
    responder = own.responder(Wants("web", "db"), clock=clock)
    responder.tick()
    responder.tick()
    assert own.enforced() == [WEB]
    own.alerts("10.0.3.10")
    before = dict(own.ledger().cases)
    own.devnet.stop()
    for _ in range(3):
        clock.advance(1)
        responder.tick()
    assert responder.picture.evidence(Entity(Kind.ISOLATE, "db")).total > 0  # its alerts were read
    assert own.enforced() == [WEB]
    assert responder._enforcer.read(clock.now()).elements
    said = [m for m in warnings(caplog) if "cannot reach the chain" in m]
    assert len(said) == 1 and "trying again" in said[0]
    clock.set(until + 1)
    responder.tick()
    assert not responder._enforcer.read(clock.now()).elements  # ends by itself
    assert unexpected(caplog) == []
    _restart(own, until + 10)
    assert set(own.ledger().cases) == set(before)
    own.alerts("10.0.3.10", kinds=4)
    clock.set(own.now)
    responder.tick()
    assert "db" in own.targets()
    assert any("chain works again" in r.getMessage() for r in caplog.records)


def _restart(own: World, time: int) -> None:
    """The same chain on the same port, going on at this time."""
    own.devnet._genesis = time
    own.devnet.start()
    own._ledger = None


def test_a_responder_that_starts_without_a_chain_leaves_the_containment_alone(
    own: World, caplog: pytest.LogCaptureFixture
) -> None:
    own.order(ttl=600)
    first = own.responder(Wants())
    first.tick()
    assert own.enforced() == [WEB]
    clock = ManualClock(own.now)
    own.devnet.stop()
    second = own.responder(Wants(), clock=clock)
    second.tick()
    second.tick()
    assert own.enforced() == [WEB]
    assert any("cannot reach the chain" in m for m in warnings(caplog))


def test_the_other_chain_behind_the_address_is_refused(
    own: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own.order(ttl=600)
    responder = own.responder(Wants("db"), clock=ManualClock(own.now))
    responder.tick()
    own.alerts("10.0.3.10")
    own.devnet.stop()
    own.devnet._state = None
    own.devnet.start()  # an empty chain
    responder.tick()
    assert own.enforced() == [WEB]
    assert any("it lags, or it is another chain" in m for m in warnings(caplog))
    assert not any("proposed" in r.getMessage() for r in caplog.records)


def test_an_endpoint_that_lies_changes_nothing_on_the_network(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.order(ttl=600)
    clients = world.clients()
    responder = world.responder(Wants("db"), clients=clients)
    responder.tick()
    assert world.enforced() == [WEB]
    receipts = sum(len(c.receipts) for c in world.ledger().cases.values())
    honest = clients.agent.events
    clients.agent.events = lambda start, end: iter(())  # type: ignore[method-assign]
    world.alerts("10.0.3.10")
    world.propose()
    ticks(responder, world, 3)
    assert world.enforced() == [WEB]
    assert [m for m in warnings(caplog) if "disagree" in m]
    assert "db" not in world.targets()
    clients.agent.events = honest  # type: ignore[method-assign]
    ticks(responder, world, 3)
    assert "db" in world.targets()
    assert sum(len(c.receipts) for c in world.ledger().cases.values()) == receipts


# ---------------------------------------------------------------- the cache away


def test_deleting_the_cache_loses_nothing(world: World) -> None:
    world.lease()
    world.alerts(WEB)
    first = world.responder(Wants("web", "203.0.113.9/32"))
    ticks(first, world)
    proposal = next(c for c in world.ledger().cases.values() if c.words.target == "web")
    for name in OPERATORS[:2]:
        world.put(Slip("Approval", proposal.id.hex(), *_signed(world, proposal.id, name)))
    ticks(first, world)
    before = _state(world)
    assert sorted(world.enforced()) == [WEB, "203.0.113.9"]
    for path in world.settings.home.glob("cache.sqlite*"):
        path.unlink()
    second = world.responder(Wants("web", "203.0.113.9/32"))
    ticks(second, world)
    assert _state(world) == before
    assert second.picture.evidence(Entity(Kind.ISOLATE, "web")).total > 0
    assert sorted(world.enforced()) == [WEB, "203.0.113.9"]


def _state(world: World) -> list[tuple[bytes, int, tuple[str, ...], int]]:
    return [
        (c.id, c.until, tuple(c.approvals), len(c.receipts)) for c in world.ledger().cases.values()
    ]


@pytest.mark.parametrize("document", [{}, {"feeds": ["eve:?"]}, [], "x", {"picture": 1}])
def test_a_cache_of_another_version_is_left_aside(world: World, document: object) -> None:
    from responder.store import Cache

    saved = document
    if isinstance(document, dict) and "picture" in document:
        saved = {
            "feeds": [f"eve:{world.settings.feeds[0].path}"],
            "recent": [],
            "alerts": 0,
            "positions": [None],
            "picture": {"version": document["picture"]},
        }
    Cache(world.settings.database).put({"picture": saved})
    world.alerts(WEB)
    ticks(world.responder(Wants("web")), world)
    assert world.targets() == ["web"]


# ---------------------------------------------------------------- proposals the gate refuses


def test_a_proposal_that_the_gate_refuses_holds_no_other_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Mirror and gate agree except where the chain moves on in between."""
    world.alerts(WEB, "10.0.3.10")
    responder = world.responder(Wants("web", "db"))
    responder._sync()
    world.register("web", "dmz", 1, True)  # after the sync, before the decision
    responder._proposer.refresh(world.now, responder.picture)
    responder.senses.read(world.now)
    with pytest.raises(Refused, match="GateRefused"):
        responder._propose(world.now)
    assert world.targets() == ["db"]
    ticks(responder, world)
    assert world.targets() == ["db"]


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_clock_that_differs_from_the_chains_does_no_harm(world: World, seconds: int) -> None:
    world.alerts(WEB)
    responder = world.responder(Wants("web"), clock=ManualClock(world.now + seconds))
    responder.tick()
    assert world.targets() == ["web"]


def test_alerts_from_the_future_wait_for_no_one(world: World) -> None:
    world.feed(*(eve_line(world.now + 10**8, n) for n in range(9)))
    responder = world.responder(Wants("web"))
    ticks(responder, world)
    assert world.targets() == ["web"]
    assert responder.picture.time <= world.now


def test_a_clock_that_was_ahead_proposes_nothing_twice(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.lease(9, 9)
    world.alerts(WEB)
    clock = ManualClock(world.now + 7200)
    responder = world.responder(Wants("web"), clock=clock)
    responder.tick()
    for _ in range(5):
        world.wait(30)
        clock.set(world.now)
        world.alerts(WEB, kinds=12)
        responder.tick()
    assert world.targets() == ["web"]
    assert any("the clock went back" in message for message in warnings(caplog))
    assert responder.picture.time == pytest.approx(world.now, abs=60)


# ---------------------------------------------------------------- a node that lags or will not say


def test_a_node_behind_its_own_receipts_makes_nothing_said_twice(world: World) -> None:
    world.alerts(WEB)
    responder = world.responder(Wants("web"))
    responder._sync()
    behind = responder.ledger
    behind.sync = lambda client: None  # type: ignore[method-assign]
    for kinds in range(10, 14):
        world.alerts(WEB, kinds=kinds)
        responder.tick()
    assert world.targets() == ["web"]
    del behind.sync
    ticks(responder, world)
    assert world.targets() == ["web"]
    assert responder._proposer._said == {}


def test_what_the_next_transaction_needs_stops_nothing_where_it_cannot_be_asked(
    world: World,
) -> None:
    world.order()
    clients = world.clients()
    responder = world.responder(Wants(), clients=clients)

    def refuses() -> None:
        raise Permanent("the node does not say")

    clients.agent.prepare = refuses  # type: ignore[method-assign]
    responder.tick()
    assert world.enforced() == ["10.0.1.10"]
    assert responder._phases.complaints["prepare"] == "the node does not say"


# ---------------------------------------------------------------- much at once, and much of nothing


def test_what_lies_in_the_feed_for_long_is_dated_as_it_was(world: World) -> None:
    """However many reads it takes."""
    end = world.now - 7200
    world.feed(*(eve_line(end - 3000 + n, n % 7, dst=WEB) for n in range(3000)))
    responder = world.responder(Wants("web"))
    senses, reads = responder.senses, 0
    responder._sync()
    while senses.picture.time < world.now and reads < 1000:
        reads += 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("responder.senses._SECONDS", 0.0)
            senses.read(world.now)
            assert senses.picture.time <= end
        responder.senses._read_feed(next(iter(senses._feeds.values())), world.now)
        if senses.picture.time >= end - 1:
            senses.read(world.now)
    assert senses.picture.time == world.now
    assert world.targets() == []


def test_what_nobody_hears_is_not_said_again_at_each_tick(world: World) -> None:
    world.alerts(WEB)
    responder = world.responder(Wants("web"))
    responder._clients.agent.propose = unheard  # type: ignore[method-assign]
    ticks(responder, world, 8)  # in 40 seconds
    assert len(list(world.settings.evidence.glob("*.json"))) <= 3


def unheard(proposal: Proposal) -> bytes:
    raise Temporary("nobody listens")


def test_a_suggested_release_is_taken_back_when_the_attack_goes_on(world: World) -> None:
    world.order()
    responder = world.responder(Wants())
    responder.tick()
    [order] = responder.ledger.containment(world.now)
    suggestion = {"order": order.id.hex(), "kind": "ISOLATE", "target": "web", "time": 0.0}
    responder._proposer._suggested = {order.id.hex(): suggestion}
    ticks(responder, world)
    assert responder._proposer.suggestions == [suggestion]
    picture = responder.picture
    for n in range(60):
        picture.observe(Alert(world.now + n, "eve", "usual", host="web"), world.now + n)
        picture.windows = 300
    for kind in "abc":
        picture.observe(Alert(world.now + 60, "eve", kind, host="web"), world.now + 60)
    responder._proposer.refresh(world.now, picture)
    assert responder._proposer.suggestions == []
