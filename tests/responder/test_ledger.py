"""The fold is the gate's state, and a source that lies is noticed before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from forging import altered
from world import OPERATORS, Wants, World

from policies.actions import Action, Kind
from responder.chain.client import Block, GateClient
from responder.chain.events import Event
from responder.chain.ledger import Ledger
from responder.chain.proposal import Proposal, target_key
from responder.chain.records import Status
from responder.errors import Permanent

OPERATOR, AGENT = 2, 1


def pending(world: World) -> Proposal:
    return world.propose()


def half(world: World) -> Proposal:
    proposal = world.propose()
    world.gate("operator-1").approve(proposal)
    return proposal


def ready(world: World) -> Proposal:
    proposal = world.propose()
    world.vote("Approval", proposal, *OPERATORS[:2])
    return proposal


def lapsed(world: World) -> Proposal:
    proposal = ready(world)
    world.wait(601)
    return proposal


def last_second(world: World) -> Proposal:
    proposal = ready(world)
    world.wait(proposal.deadline - 1 - world.now)
    return proposal


def rejected(world: World) -> Proposal:
    proposal = half(world)
    world.vote("Rejection", proposal, "operator-2", "operator-3")
    return proposal


def vetoed(world: World) -> Proposal:
    proposal = ready(world)
    world.gate("guardian").veto(proposal)
    return proposal


def live(world: World) -> Proposal:
    return world.order()


def leased(world: World) -> Proposal:
    world.lease()
    return world.propose(Kind.BLOCK, "203.0.113.9")


def expired(world: World) -> Proposal:
    proposal = world.order()
    world.wait(600)
    return proposal


def released(world: World) -> Proposal:
    proposal = world.order()
    world.vote("Release", proposal, *OPERATORS[:2])
    return proposal


def approved_beforehand(world: World) -> Proposal:
    return world.propose_approved()


def expired_and_followed(world: World) -> Proposal:
    first = world.order(ttl=60)
    world.wait(60)
    world.order()
    return first


def superseded(world: World) -> Proposal:
    first = world.order()
    world.order()
    return first


def superseded_and_over(world: World) -> Proposal:
    first = superseded(world)
    world.wait(700)
    return first


def superseding_a_longer_one(world: World) -> Proposal:
    world.order(ttl=3600)
    return world.order(ttl=60)


def ready_then_an_operator_goes(world: World) -> Proposal:
    proposal = ready(world)
    world.govern("setRoles", world.address("operator-1"), 0, 0)
    return proposal


def ready_then_he_comes_back(world: World) -> Proposal:
    proposal = ready_then_an_operator_goes(world)
    world.govern("setRoles", world.address("operator-1"), OPERATOR, 0)
    return proposal


def waiting(world: World) -> Proposal:
    world.rule(Kind.ISOLATE, 1, leasable=False, delay=120)
    proposal = half(world)
    world.wait(60)
    world.vote("Approval", proposal, "operator-2")
    world.wait(100)
    return proposal


def waited(world: World) -> Proposal:
    proposal = waiting(world)
    world.wait(20)
    return proposal


def waiting_from_the_approval_that_was_needed(world: World) -> Proposal:
    proposal = waiting(world)
    world.gate("operator-3").approve(proposal)
    world.wait(20)
    return proposal


def waiting_in_an_open_window(world: World) -> Proposal:
    proposal = waiting(world)
    opens = world.now % (7 * 86400)
    world.govern("setZone", "dmz", (100, 0, 0, 0, opens, 3600))
    return proposal


def approved_in_a_frozen_zone(world: World) -> Proposal:
    proposal = ready(world)
    world.govern("setZone", "dmz", (100, 1, world.now, world.now + 3600, 0, 0))
    return proposal


def approved_by_one_group(world: World) -> Proposal:
    world.rule(Kind.ISOLATE, 1, groups=3)
    return ready(world)


def approved_by_both_groups(world: World) -> Proposal:
    proposal = approved_by_one_group(world)
    world.govern("setRoles", world.address("guardian"), OPERATOR | 4, 1)
    world.gate("guardian").approve(proposal)
    return proposal


def approved_and_withdrawn(world: World) -> Proposal:
    proposal = ready(world)
    world.gate("operator-2").withdraw(proposal)
    return proposal


def withdrawn_beforehand(world: World) -> Proposal:
    proposal = world.proposal()
    world.gate("operator-2").withdraw(proposal)
    world.gate("agent").propose(proposal)
    world.vote("Approval", proposal, "operator-1")
    return proposal


def ready_then_paused(world: World) -> Proposal:
    proposal = ready(world)
    world.gate("guardian").pause()
    return proposal


def ready_and_resumed(world: World) -> Proposal:
    proposal = ready_then_paused(world)
    world.resume()
    return proposal


def ready_with_as_many_live_as_may_be(world: World) -> Proposal:
    proposal = ready(world)
    world.rule(Kind.ISOLATE, 1, live=1)
    world.order_batch(world.pair_but("web-2"))
    return proposal


def ready_with_an_ended_one_that_counts(world: World) -> Proposal:
    proposal = ready_with_as_many_live_as_may_be(world)
    world.wait(120)
    return proposal


def ready_with_an_ended_one_settled(world: World) -> Proposal:
    proposal = ready_with_an_ended_one_that_counts(world)
    zone, criticality, number = next(iter(world.ledger().pages))
    world.gate("stranger").settle_pages(zone, criticality, [number])
    return proposal


def superseded_by_a_batch(world: World) -> Proposal:
    first = world.order(Kind.BLOCK, "203.0.113.9")
    batch = world.batch(Kind.BLOCK, "203.0.113.9", "203.0.113.10", criticality=0)
    world.order_batch(batch)
    return first


def ordered_beside_a_batch(world: World) -> Proposal:
    first = world.order(ttl=60)
    world.order_batch(world.pair_but("web"))
    return first


def removed(world: World) -> Proposal:
    proposal = ready(world)
    world.govern("removeTarget", 1, proposal.target)
    return proposal


def ready_then_the_agent_goes(world: World) -> Proposal:
    proposal = ready(world)
    world.govern("setRoles", world.address("agent"), 0, 0)
    return proposal


def ready_then_the_model_goes(world: World) -> Proposal:
    proposal = ready(world)
    world.gate("guardian").deactivate_model(Wants.hash)
    return proposal


def ready_then_protected(world: World) -> Proposal:
    proposal = ready(world)
    world.register("web", "dmz", 1, True)
    return proposal


def ready_then_a_stricter_rule(world: World) -> Proposal:
    proposal = ready(world)
    world.rule(Kind.ISOLATE, 1, allowed=True, leasable=False, quorum=3, max_ttl=14400, budget=10)
    return proposal


def ready_then_a_shorter_rule(world: World) -> Proposal:
    proposal = ready(world)
    world.rule(Kind.ISOLATE, 1, allowed=True, leasable=False, quorum=2, max_ttl=599, budget=10)
    return proposal


def ready_then_forbidden(world: World) -> Proposal:
    proposal = ready(world)
    world.rule(Kind.ISOLATE, 1, allowed=False, leasable=False)
    return proposal


def rejected_once_then_forbidden(world: World) -> Proposal:
    proposal = world.propose()
    world.vote("Rejection", proposal, "operator-1")
    world.rule(Kind.ISOLATE, 1, allowed=False, leasable=False, quorum=0)
    return proposal


def ready_with_the_budget_spent(world: World) -> Proposal:
    proposal = world.propose(target="db")
    for _ in range(4):
        world.propose(target="db")
    world.vote("Approval", proposal, *OPERATORS[:2])
    return proposal


def ready_then_more_critical(world: World) -> Proposal:
    proposal = ready(world)
    world.register("web", "core", 3, False)
    return proposal


def rejected_then_a_rejecter_goes(world: World) -> Proposal:
    proposal = rejected(world)
    world.govern("setRoles", world.address("operator-3"), 0, 0)
    return proposal


SITUATIONS: list[tuple[Callable[[World], Proposal], Status]] = [
    (pending, Status.PENDING),
    (half, Status.PENDING),
    (ready, Status.READY),
    (lapsed, Status.LAPSED),
    (last_second, Status.READY),
    (rejected, Status.REJECTED),
    (vetoed, Status.VETOED),
    (live, Status.LIVE),
    (leased, Status.LIVE),
    (approved_beforehand, Status.LIVE),
    (expired_and_followed, Status.SUPERSEDED),
    (expired, Status.EXPIRED),
    (released, Status.RELEASED),
    (superseded, Status.SUPERSEDED),
    (superseded_and_over, Status.SUPERSEDED),
    (superseding_a_longer_one, Status.LIVE),
    (ready_then_an_operator_goes, Status.PENDING),
    (ready_then_he_comes_back, Status.READY),
    (waiting, Status.WAITING),
    (waited, Status.READY),
    (waiting_from_the_approval_that_was_needed, Status.READY),
    (waiting_in_an_open_window, Status.READY),
    (approved_in_a_frozen_zone, Status.PENDING),
    (approved_by_one_group, Status.PENDING),
    (approved_by_both_groups, Status.READY),
    (approved_and_withdrawn, Status.PENDING),
    (withdrawn_beforehand, Status.PENDING),
    (ready_then_paused, Status.PENDING),
    (ready_and_resumed, Status.READY),
    (ready_with_as_many_live_as_may_be, Status.PENDING),
    (ready_with_an_ended_one_that_counts, Status.PENDING),
    (ready_with_an_ended_one_settled, Status.READY),
    (superseded_by_a_batch, Status.SUPERSEDED),
    (ordered_beside_a_batch, Status.LIVE),
    (removed, Status.PENDING),
    (ready_then_the_agent_goes, Status.PENDING),
    (ready_then_the_model_goes, Status.PENDING),
    (ready_then_protected, Status.PENDING),
    (ready_then_a_stricter_rule, Status.PENDING),
    (ready_then_a_shorter_rule, Status.PENDING),
    (ready_then_forbidden, Status.PENDING),
    (rejected_once_then_forbidden, Status.REJECTED),
    (ready_with_the_budget_spent, Status.READY),
    (ready_then_more_critical, Status.PENDING),
    (rejected_then_a_rejecter_goes, Status.PENDING),
]


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
