"""The fold is the gate's state, and a source that lies is noticed before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from forging import altered
from situations import SITUATIONS, lapsed, live, pending, released
from world import OPERATORS, Wants, World

from policies.actions import Action, Kind
from responder.chain.client import Block, GateClient
from responder.chain.events import Event
from responder.chain.ledger import Ledger
from responder.chain.proposal import Proposal, target_key
from responder.chain.records import Status
from responder.errors import Permanent


@pytest.mark.parametrize(
    ("arrange", "expected"), SITUATIONS, ids=lambda v: getattr(v, "__name__", "")
)
def test_status_votes_and_end_are_the_gates(
    world: World, arrange: Callable[[World], Proposal], expected: Status
) -> None:
    proposal = arrange(world)
    ledger = world.ledger()
    case = ledger.cases[world.id(proposal)]
    now = ledger.block.time
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
    view = world.contract.functions.stateOf(proposal.abi())
    assert derived == tuple(view.call(block_identifier=ledger.block.number))
    assert derived[0] is expected
    until = world.contract.functions.orderedUntil(int(proposal.kind), proposal.target)
    ordered = until.call(block_identifier=ledger.block.number)
    hold = ledger.live_hold(proposal.kind, proposal.target, now)
    assert (hold.until if hold else 0) == ordered
    mine = [order.until for order in ledger.containment(now) if order.key == proposal.target]
    assert max(mine, default=0) == ordered


def test_lease_and_what_is_spent_of_it_are_the_gates(world: World) -> None:
    lease = world.lease(blocks=2, isolations=1)
    world.propose(Kind.BLOCK, "203.0.113.9")
    world.propose(Kind.ISOLATE, "web")
    ledger = world.ledger()
    entry = ledger.live_lease(world.address("agent"), ledger.block.time)
    view = world.contract.functions.leaseOf(world.address("agent")).call()
    assert entry is not None
    assert [entry.id, lease.expires, list(lease.budgets), entry.spent] == list(
        map(lambda v: list(v) if isinstance(v, tuple | list) else v, view)
    )
    assert entry.spent == [1, 1, 0]


@pytest.mark.parametrize("end", ["ended", "expired", "signer gone"])
def test_a_lease_that_is_over_covers_nothing(world: World, end: str) -> None:
    world.lease()
    if end == "ended":
        world.gate("guardian").end_lease(world.address("agent"))
    elif end == "expired":
        world.wait(86_400)
    else:
        world.govern("setRoles", world.address("operator-2"), 0, 0)
    ledger = world.ledger()
    assert ledger.live_lease(world.address("agent"), ledger.block.time) is None
    assert world.contract.functions.leaseOf(world.address("agent")).call()[0] == bytes(32)


def test_mirror_of_the_guardrails_says_what_the_gate_says(world: World) -> None:
    world.lease(blocks=1)
    world.propose(Kind.BLOCK, "203.0.113.9")
    for _ in range(5):
        world.propose(target="db")
    ledger, agent = world.ledger(), world.address("agent")
    now = ledger.block.time
    asked = [
        Action(Kind.BLOCK, "203.0.113.10/32", 600),
        Action(Kind.BLOCK, "10.0.9.7/32", 600),
        Action(Kind.BLOCK, "10.0.0.0/8", 600),
        Action(Kind.ISOLATE, "web", 600),
        Action(Kind.ISOLATE, "web", 14_401),
        Action(Kind.ISOLATE, "db", 600),
        Action(Kind.ISOLATE, "vault", 600),
        Action(Kind.ISOLATE, "nowhere", 600),
        Action(Kind.REVOKE, "ssh:SHA256:root", 600),
    ]
    mirror = ledger.guardrails(agent, now)
    view = world.contract.functions.verdict
    for action in asked:
        target = target_key(action.kind, action.target)
        said = view(agent, int(action.kind), target, action.ttl, Wants.hash).call()
        assert tuple(mirror.verdict(action, Wants.hash, now)) == tuple(said), action


def test_syncing_step_by_step_gives_what_one_sync_gives(world: World) -> None:
    gate = world.gate()
    followed = Ledger(gate.domain)
    for step in (pending, live, released, lapsed):
        step(world)
        followed.sync(gate)
    at_once = Ledger(gate.domain)
    at_once.sync(gate)
    assert (followed.head, followed.count) == (at_once.head, at_once.count)
    assert followed.cases == at_once.cases
    agent, now = world.address("agent"), at_once.block.time
    assert followed.used(agent, now) == at_once.used(agent, now) != {}


def test_a_second_sync_changes_nothing(world: World) -> None:
    world.order()
    ledger = world.ledger()
    before = (ledger.head, ledger.count, dict(ledger.cases))
    ledger.sync(world.gate())
    assert (ledger.head, ledger.count, ledger.cases) == before


# ---------------------------------------------------------------- sources that lie


class Lying:
    """A real gate whose endpoint tells another story from some block on."""

    def __init__(self, gate: GateClient, story: Callable[[list[Event]], list[Event]]) -> None:
        self._gate, self._story = gate, story
        self.domain, self.first_block = gate.domain, gate.first_block

    def final(self) -> Block:
        return self._gate.final()

    def audit_head(self, block: int) -> bytes:
        return self._gate.audit_head(block)

    def events(self, start: int, end: int) -> Iterator[Event]:
        return iter(self._story(list(self._gate.events(start, end))))


def hide(events: list[Event]) -> list[Event]:
    return [e for e in events if e.name != "Rejected"]


def invent(events: list[Event]) -> list[Event]:
    return [*events, events[-1]]


def reorder(events: list[Event]) -> list[Event]:
    return [*events[:-2], events[-1], events[-2]]


def alter(events: list[Event]) -> list[Event]:
    return [
        *events[:-1],
        altered(events[-1], operator="0x" + "11" * 20),
    ]


def withhold(events: list[Event]) -> list[Event]:
    return []


@pytest.mark.parametrize("story", [hide, invent, reorder, alter, withhold])
def test_a_source_that_lies_is_noticed_and_nothing_of_it_is_kept(
    world: World, story: Callable[[list[Event]], list[Event]]
) -> None:
    proposal = world.propose()
    world.vote("Approval", proposal, "operator-1")
    world.vote("Rejection", proposal, "operator-2")
    gate = world.gate()
    ledger = Ledger(gate.domain)
    with pytest.raises(Permanent, match=r"disagree|unknown id"):
        ledger.sync(Lying(gate, story))
    assert (ledger.cases, ledger.roles, ledger.count) == ({}, {}, 0)
    ledger.sync(gate)
    assert world.id(proposal) in ledger.cases


@pytest.mark.parametrize("args", [{"until": 1}, {"id": b"\x09" * 32}])
def test_an_event_that_the_gate_could_not_have_emitted_is_refused(
    world: World, args: dict[str, object]
) -> None:
    world.order(Kind.BLOCK, "203.0.113.9")

    def story(events: list[Event]) -> list[Event]:
        return [*events[:-1], altered(events[-1], **args)]

    gate = world.gate()
    ledger = Ledger(gate.domain)
    with pytest.raises(Permanent):
        ledger.sync(Lying(gate, story))
    assert ledger.count == 0


def test_a_target_that_was_never_registered_has_no_words(world: World) -> None:
    with pytest.raises(Permanent, match="never registered"):
        world.ledger().words_of(Kind.ISOLATE, target_key(Kind.ISOLATE, "nowhere"))


def test_a_lie_later_on_leaves_the_last_good_state(world: World) -> None:
    order, gate = world.order(), world.gate()
    ledger = Ledger(gate.domain)
    ledger.sync(gate)
    world.vote("Release", order, *OPERATORS[:2])
    for _ in range(2):
        with pytest.raises(Permanent, match="disagree"):
            ledger.sync(Lying(gate, withhold))
        assert [c.id for c in ledger.containment(world.now)] == [world.id(order)]
    ledger.sync(gate)
    assert ledger.containment(world.now) == []


# ---------------------------------------------------------------- by id


def test_a_case_is_found_by_a_prefix_of_its_id(world: World) -> None:
    proposal = world.propose()
    ledger, wanted = world.ledger(), world.id(proposal)
    for prefix in (wanted.hex(), "0x" + wanted.hex()[:8].upper()):
        assert ledger.case(prefix).id == wanted


@pytest.mark.parametrize("prefix", ["", "0x", "zz", "00000000"])
def test_an_unknown_id_says_where_ids_are(world: World, prefix: str) -> None:
    world.propose()
    with pytest.raises(
        Permanent, match=r"no proposal has an id starting with .* `countersign pending --all`"
    ):
        world.ledger().case(prefix)


def test_an_ambiguous_id_is_refused(world: World) -> None:
    ids: dict[str, int] = {}
    for _ in range(9):
        first = world.id(world.propose(target="web")).hex()[0]
        ids[first] = ids.get(first, 0) + 1
        if ids[first] > 1:
            break
    else:
        for _ in range(9):
            first = world.id(world.propose(Kind.BLOCK, "203.0.113.9")).hex()[0]
            ids[first] = ids.get(first, 0) + 1
    double = next(first for first, count in ids.items() if count > 1)
    with pytest.raises(Permanent, match=f"proposals have an id starting with '{double}'"):
        world.ledger().case(double)
