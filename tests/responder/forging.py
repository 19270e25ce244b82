"""Events as a dishonest endpoint tells them: other arguments, encoded as the gate would have, in
another order, or not at all.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import event_abi_to_log_topic, get_abi_input_types

from policies.actions import Kind
from policies.guardrails import Rule
from responder.chain.events import Event, artifact
from responder.chain.proposal import target_key

Events = list[Event]


def altered(event: Event, **args: Any) -> Event:
    """The same event with other arguments."""
    assert set(args) <= set(event.args)
    values = {**event.args, **args}
    entry: Any = next(
        e for e in artifact("Gate")["abi"] if e["type"] == "event" and e["name"] == event.name
    )
    inputs = list(zip(entry["inputs"], get_abi_input_types(entry), strict=True))
    topics = [kind for field, kind in inputs if field["indexed"]]
    others = [kind for field, kind in inputs if not field["indexed"]]
    named = list(values.values())
    raw = event_abi_to_log_topic(entry) + encode(topics, named[: len(topics)])
    return replace(event, args=values, raw=raw + encode(others, named[len(topics) :]))


def last(events: Events, name: str) -> int:
    return max(i for i, e in enumerate(events) if e.name == name)


def change(events: Events, name: str, **args: Any) -> Events:
    """The last event of this name with other arguments."""
    i = last(events, name)
    return [*events[:i], altered(events[i], **args), *events[i + 1 :]]


def drop(events: Events, name: str) -> Events:
    i = last(events, name)
    return [*events[:i], *events[i + 1 :]]


def repeat(events: Events, name: str) -> Events:
    return [*events, events[last(events, name)]]


def part(events: Events, name: str, arg: str, index: int, value: Any) -> Events:
    """The last event of this name with another value in one of its structs."""
    values = list(events[last(events, name)].args[arg])
    values[index] = value
    return change(events, name, **{arg: tuple(values)})


def before(events: Events, name: str, *new: Event) -> Events:
    i = last(events, name)
    return [
        *events[:i],
        *(replace(e, block=events[i].block, time=events[i].time) for e in new),
        *events[i:],
    ]


def find(events: Events, name: str, /, **args: Any) -> Event:
    return next(
        e for e in events if e.name == name and all(e.args[k] == v for k, v in args.items())
    )


def struct(event: Event, arg: str, **places: Any) -> Event:
    """The same event with other values at places of one of its structs."""
    values = list(event.args[arg])
    for place, value in places.items():
        values[int(place[1:])] = value
    return altered(event, **{arg: tuple(values)})


def asset(events: Events, name: str) -> Event:
    return find(events, "AssetSet", key=target_key(Kind.ISOLATE, name))


def rule(events: Events, kind: Kind, criticality: int, **changes: Any) -> Event:
    """This cell's rule with changes."""
    found = find(events, "RuleSet", kind=int(kind), criticality=criticality)
    return altered(found, rule=astuple(replace(Rule(*found.args["rule"]), **changes)))
