"""How a proposal may stand, and how it comes to that."""

from __future__ import annotations

from collections.abc import Callable

from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.chain.proposal import Proposal
from responder.chain.records import Status

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
