"""Releases, leases, models and pauses that cannot have happened."""

from __future__ import annotations

from dataclasses import replace

from forging import Events, before, change, drop, last, part, repeat
from world import World


def released_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "Released")].args["signatures"]
    return change(events, "Released", signatures=signatures[:1])


def released_by_one_twice(world: World, events: Events) -> Events:
    signatures = events[last(events, "Released")].args["signatures"]
    return change(events, "Released", signatures=[signatures[0], signatures[0]])


def released_by_a_forger(world: World, events: Events) -> Events:
    signatures = events[last(events, "Released")].args["signatures"]
    forged = (signatures[1][0], signatures[0][1])
    return change(events, "Released", signatures=[signatures[0], forged])


def released_what_was_not_live(world: World, events: Events) -> Events:
    return repeat(events, "Released")


def lease_ended_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "LeaseEnded", guardian=world.address("stranger"))


def lease_ended_twice(world: World, events: Events) -> Events:
    return repeat(events, "LeaseEnded")


def lease_altered(world: World, events: Events) -> Events:
    return part(events, "LeaseGranted", "lease", 2, 50)


def lease_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "LeaseGranted")].args["signatures"]
    return change(events, "LeaseGranted", signatures=signatures[:1])


def lease_never_granted(world: World, events: Events) -> Events:
    return drop(drop(events, "LeaseGranted"), "LeaseEnded")


def lease_granted_again(world: World, events: Events) -> Events:
    """The same signatures, a fresh budget."""
    return before(events, "LeaseEnded", events[last(events, "LeaseGranted")])


def lease_under_another_id(world: World, events: Events) -> Events:
    other = b"\x07" * 32
    events = change(events, "LeaseGranted", id=other)
    return change(events, "LeaseEnded", id=other)


def model_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "ModelActivated")].args["signatures"]
    return change(events, "ModelActivated", signatures=signatures[:1])


def model_by_a_forger(world: World, events: Events) -> Events:
    one, other, _ = events[last(events, "ModelActivated")].args["signatures"]
    return change(events, "ModelActivated", signatures=[one, (other[0], one[1])])


def model_with_another_card(world: World, events: Events) -> Events:
    return change(events, "ModelActivated", card=b"\x01" * 32)


def model_with_another_deadline(world: World, events: Events) -> Events:
    deadline = events[last(events, "ModelActivated")].args["deadline"]
    return change(events, "ModelActivated", deadline=deadline - 1)


def model_of_another_revision(world: World, events: Events) -> Events:
    return change(events, "ModelActivated", revision=7)


def model_too_late(world: World, events: Events) -> Events:
    i = last(events, "ModelActivated")
    late = replace(events[i], time=events[i].time + 601)
    return [*events[:i], late]


def model_ended_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "ModelDeactivated", guardian=world.address("stranger"))


def model_ended_twice(world: World, events: Events) -> Events:
    return before(events, "ModelActivated", events[last(events, "ModelDeactivated")])


def paused_by_a_stranger(world: World, events: Events) -> Events:
    return change(events, "Paused", guardian=world.address("stranger"))


def paused_twice(world: World, events: Events) -> Events:
    return before(events, "Resumed", events[last(events, "Paused")])


def resumed_by_one(world: World, events: Events) -> Events:
    signatures = events[last(events, "Resumed")].args["signatures"]
    return change(events, "Resumed", signatures=signatures[:1])


def resumed_by_a_forger(world: World, events: Events) -> Events:
    one, other = events[last(events, "Resumed")].args["signatures"]
    return change(events, "Resumed", signatures=[one, (other[0], one[1])])


def resumed_without_a_pause(world: World, events: Events) -> Events:
    return drop(events, "Paused")


POWERS = [
    (released_by_one, "Released .* 1 signatures of 2"),
    (released_by_one_twice, "Released .* counted twice"),
    (released_by_a_forger, "Released .* the signature is not"),
    (released_what_was_not_live, "Released .* it was RELEASED"),
    (lease_ended_by_a_stranger, "LeaseEnded .* was no guardian"),
    (lease_ended_twice, "LeaseEnded .* it was over"),
    (lease_altered, "LeaseGranted .* id is not its content's hash"),
    (lease_by_one, "LeaseGranted .* 1 signatures of 2"),
    (lease_never_granted, "Ordered .* no live lease covers it"),
    (lease_granted_again, "LeaseGranted .* granted twice"),
    (lease_under_another_id, "LeaseGranted .* id is not its content's hash"),
    (model_by_one, "ModelActivated .* 1 signatures of 2"),
    (model_by_a_forger, "ModelActivated .* the signature is not"),
    (model_with_another_card, "ModelActivated .* the signature is not"),
    (model_with_another_deadline, "ModelActivated .* the signature is not"),
    (model_of_another_revision, "ModelActivated .* revision 7 follows 2"),
    (model_too_late, "ModelActivated .* deadline is out of range"),
    (model_ended_by_a_stranger, "ModelDeactivated .* was no guardian"),
    (model_ended_twice, "ModelDeactivated .* it was not active"),
    (paused_by_a_stranger, "Paused .* was no guardian"),
    (paused_twice, "Paused .* it was paused"),
    (resumed_by_one, "Resumed .* 1 signatures of 2"),
    (resumed_by_a_forger, "Resumed .* the signature is not"),
    (resumed_without_a_pause, "Resumed .* pause 1 did not last"),
]
