"""Events as a dishonest endpoint tells them: other arguments, encoded as the gate would have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import event_abi_to_log_topic, get_abi_input_types

from responder.chain.events import Event, artifact


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
