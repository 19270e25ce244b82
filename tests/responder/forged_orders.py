"""Orders in one transaction, batches and receipts that cannot have happened."""

from __future__ import annotations

from dataclasses import replace

from forging import Events, altered, asset, before, change, find, last, part, repeat, rule, struct
from world import World

from policies.actions import Kind
from responder.chain.proposal import target_key


def ordered_unsigned(world: World, events: Events) -> Events:
    return change(events, "Ordered", signatures=[])


def ordered_under_a_lease_that_leaves_it_out(world: World, events: Events) -> Events:
    """The lease covers blocks alone; this is an isolation."""
    kept = [e for e in events if e.name != "LeaseEnded"]
    order = kept[last(kept, "Proposed")]
    until = order.time + 600
    forged = altered(
        kept[last(kept, "Ordered")],
        id=order.args["id"],
        proposal=order.args["proposal"],
        until=until,
        signatures=[],
    )
    return before(kept, "Proposed", forged)


def ordered_by_a_forger(world: World, events: Events) -> Events:
    return change(events, "Ordered", signatures=[(b"\x22" * 32, b"\x33" * 32)] * 2)


def ordered_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "Ordered")].args["signatures"]
    return change(events, "Ordered", signatures=signatures[:1])


def ordered_by_one_twice(world: World, events: Events) -> Events:
    signatures = events[last(events, "Ordered")].args["signatures"]
    return change(events, "Ordered", signatures=[signatures[0], signatures[0]])


def ordered_after_withdrawal(world: World, events: Events) -> Events:
    order = events[last(events, "Ordered")].args["id"]
    return before(events, "Ordered", altered(find(events, "Withdrawn"), id=order))


def ordered_longer(world: World, events: Events) -> Events:
    until = events[last(events, "Ordered")].args["until"]
    return change(events, "Ordered", until=until + 1)


def ordered_beyond_what_may_live(world: World, events: Events) -> Events:
    return before(events, "Ordered", rule(events, Kind.BLOCK, 0, live=0))


def ordered_without_its_delay(world: World, events: Events) -> Events:
    return before(events, "Ordered", rule(events, Kind.BLOCK, 0, leasable=False, delay=60))


def ordered_without_a_group(world: World, events: Events) -> Events:
    return before(events, "Ordered", rule(events, Kind.BLOCK, 0, groups=3))


def leased_and_only_proposed(world: World, events: Events) -> Events:
    order = find(events, "Ordered")
    like = find(events, "Proposed")
    made = altered(like, id=order.args["id"], proposal=order.args["proposal"])
    made = replace(made, block=order.block, time=order.time)
    return [made if e is order else e for e in events]


def batch_altered(world: World, events: Events) -> Events:
    return part(events, "BatchOrdered", "batch", 4, 7200)


def batch_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "BatchOrdered")].args["signatures"]
    return change(events, "BatchOrdered", signatures=signatures[:1])


def batch_unsigned(world: World, events: Events) -> Events:
    return change(events, "BatchOrdered", signatures=[])


def batch_by_a_forger(world: World, events: Events) -> Events:
    return change(events, "BatchOrdered", signatures=[(b"\x22" * 32, b"\x33" * 32)] * 2)


def batch_twice(world: World, events: Events) -> Events:
    return repeat(events, "BatchOrdered")


def batch_of_the_protected(world: World, events: Events) -> Events:
    return before(events, "BatchOrdered", struct(asset(events, "web"), "entry", _4=True))


def batch_of_names_unknown(world: World, events: Events) -> Events:
    added = asset(events, "web-2")
    i = events.index(added)
    return [e for n, e in enumerate(events) if n < i or e.name != "PageSealed"]


def batch_beyond_its_rule(world: World, events: Events) -> Events:
    return before(events, "BatchOrdered", rule(events, Kind.ISOLATE, 1, max_ttl=5))


def batch_beyond_its_budget(world: World, events: Events) -> Events:
    return before(events, "BatchOrdered", rule(events, Kind.ISOLATE, 1, budget=3))


def batch_beyond_what_may_live(world: World, events: Events) -> Events:
    return before(events, "BatchOrdered", rule(events, Kind.ISOLATE, 1, live=1))


def batch_beyond_its_zone(world: World, events: Events) -> Events:
    zone = find(events, "ZoneSet", name="dmz")
    return before(events, "BatchOrdered", altered(zone, rule=(50, 0, 0, 0, 0, 0)))


def batch_without_its_delay(world: World, events: Events) -> Events:
    return before(events, "BatchOrdered", rule(events, Kind.ISOLATE, 1, leasable=False, delay=9))


def batch_while_paused(world: World, events: Events) -> Events:
    return before(events, "BatchOrdered", altered(find(events, "Paused"), pause=2))


def batch_released_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "BatchReleased")].args["signatures"]
    return change(events, "BatchReleased", signatures=signatures[:1])


def batch_released_twice(world: World, events: Events) -> Events:
    return repeat(events, "BatchReleased")


def settled_before_its_end(world: World, events: Events) -> Events:
    target = target_key(Kind.ISOLATE, "web")
    return [*events, altered(events[last(events, "Settled")], target=target, kind=1)]


def settled_twice(world: World, events: Events) -> Events:
    return repeat(events, "Settled")


def page_settled_before_its_end(world: World, events: Events) -> Events:
    i = last(events, "PageSettled")
    early = replace(events[i], time=events[i].time - 10)
    return [*events[:i], early, *events[i + 1 :]]


def page_settled_twice(world: World, events: Events) -> Events:
    return repeat(events, "PageSettled")


def receipt_by_a_stranger(world: World, events: Events) -> Events:
    return part(events, "ReceiptFiled", "receipt", 2, world.address("stranger"))


def receipt_for_what_never_executed(world: World, events: Events) -> Events:
    vetoed = events[last(events, "Vetoed")].args["id"][:20]
    events = part(events, "ReceiptFiled", "receipt", 0, vetoed)
    events = part(events, "ReceiptFiled", "receipt", 1, target_key(Kind.ISOLATE, "desk"))
    return change(events, "ReceiptFiled", order=vetoed)


def receipt_under_another_name(world: World, events: Events) -> Events:
    return change(events, "ReceiptFiled", order=b"\x01" * 20)


def receipt_out_of_scope(world: World, events: Events) -> Events:
    scope = find(events, "EnforcerScopeSet")
    return before(events, "ReceiptFiled", altered(scope, kinds=1))


def receipt_of_what_was_followed(world: World, events: Events) -> Events:
    """Of the first batch, after the second took its page."""
    shown = events[last(events, "ReceiptShown")]
    filed = events[last(events, "ReceiptFiled")]
    receipt = shown.args["receipt"]
    return [*events, altered(filed, order=shown.args["order"], receipt=receipt)]


def root_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "ReceiptsFiled", enforcer=world.address("stranger"))


def root_filed_twice(world: World, events: Events) -> Events:
    return repeat(events, "ReceiptsFiled")


def receipt_shown_under_no_root(world: World, events: Events) -> Events:
    return change(events, "ReceiptShown", root=b"\x04" * 32)


def missing_though_it_was_there(world: World, events: Events) -> Events:
    moved = events[last(events, "ReceiptMissed")]
    return [e for e in events if e is not moved] + [moved]


def missing_though_not_due(world: World, events: Events) -> Events:
    moved = events[last(events, "ReceiptMissed")]
    early = replace(moved, time=moved.time - 60)
    return [early if e is moved else e for e in events]


ORDERS = [
    (ordered_unsigned, "Ordered .* no live lease covers it"),
    (ordered_under_a_lease_that_leaves_it_out, "Ordered .* no live lease covers it"),
    (ordered_by_a_forger, "Ordered .* not an operator's"),
    (ordered_by_one, "Ordered .* 1 signatures of 2"),
    (ordered_by_one_twice, "Ordered .* counted twice"),
    (ordered_after_withdrawal, "Ordered .* a signer had withdrawn"),
    (ordered_longer, "Ordered .* lasts longer"),
    (ordered_beyond_what_may_live, "Ordered .* LIVE_LIMIT"),
    (ordered_without_its_delay, "Ordered .* delay of 60 s was not waited for"),
    (ordered_without_a_group, "Ordered .* no approval of group 1"),
    (leased_and_only_proposed, "Proposed .* a lease covered it"),
    (batch_altered, "BatchOrdered .* id is not its content's hash"),
    (batch_by_one, "BatchOrdered .* 1 signatures of 2"),
    (batch_unsigned, "BatchOrdered .* 0 signatures of 2"),
    (batch_by_a_forger, "BatchOrdered .* not an operator's"),
    (batch_twice, "BatchOrdered .* ordered twice"),
    (batch_of_the_protected, "BatchOrdered .* isolates what no batch may"),
    (batch_of_names_unknown, "BatchOrdered .* names of a page were not known"),
    (batch_beyond_its_rule, "BatchOrdered .* refuse it: its rule"),
    (batch_beyond_its_budget, "BatchOrdered .* BUDGET_SPENT"),
    (batch_beyond_what_may_live, "BatchOrdered .* LIVE_LIMIT"),
    (batch_beyond_its_zone, "BatchOrdered .* ZONE_SHARE"),
    (batch_without_its_delay, "BatchOrdered .* delay of 9 s was not waited for"),
    (batch_while_paused, "BatchOrdered .* PAUSED"),
    (batch_released_by_one, "BatchReleased .* 1 signatures of 2"),
    (batch_released_twice, "BatchReleased .* nothing of it was live"),
    (settled_before_its_end, "Settled .* it had not ended"),
    (settled_twice, "Settled .* it did not count"),
    (page_settled_before_its_end, "PageSettled .* it had not ended"),
    (page_settled_twice, "PageSettled .* it did not count"),
    (receipt_by_a_stranger, "ReceiptFiled .* was no enforcer"),
    (receipt_for_what_never_executed, "ReceiptFiled .* never executed"),
    (receipt_under_another_name, "ReceiptFiled .* about another order"),
    (receipt_out_of_scope, "ReceiptFiled .* out of its enforcer's scope"),
    (receipt_of_what_was_followed, "ReceiptFiled .* another order had followed"),
    (root_by_a_stranger, "ReceiptsFiled .* was no enforcer"),
    (root_filed_twice, "ReceiptsFiled .* filed twice"),
    (receipt_shown_under_no_root, "ReceiptShown .* no such root"),
    (missing_though_it_was_there, "ReceiptMissed .* a receipt was there"),
    (missing_though_not_due, "ReceiptMissed .* not due"),
]
