"""The hash chain over every event, from the log alone; and that no error or event goes untested."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from calls import FUNCTIONS, call_of
from eth_utils import keccak
from scene import Emitted, Gate, People

from policies.actions import Kind

# OpenZeppelin's: at deployment or never; and of names too long, which ours are not.
UNMET = {"AuthorityUpdated", "EIP712DomainChanged"}
NEVER = {
    "AccessManagedInvalidAuthority",
    "AccessManagedRequiredDelay",
    "InvalidShortString",
    "StringTooLong",
}


def chain(events: list[Emitted], head: bytes = bytes(32)) -> bytes:
    for event in events:
        head = bytes(keccak(head + event.raw))
    return head


def call(gate: Gate, function: str) -> None:
    sender, args = call_of(gate, function)
    gate.send(function, *args, sender=sender)


def test_a_fresh_gate_has_an_empty_chain(bare_gate: Gate) -> None:
    assert bare_gate.view("auditHead") == bytes(32)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_call_extends_the_chain_by_its_events(many: Gate, function: str) -> None:
    call(many, function)
    assert many.view("auditHead") == chain(many.contract.events)


def test_what_reads_extends_nothing(many: Gate) -> None:
    head = many.view("auditHead")
    many.send("auditHead", sender=many.people.stranger)
    many.send("operators", sender=many.people.stranger)
    assert many.view("auditHead") == head


def test_every_event_of_the_gate_is_told_by_these_calls(many: Gate) -> None:
    told = set()
    for function in FUNCTIONS:
        before, now = many.evm.snapshot(), many.evm.now
        call(many, function)
        told |= {event.name for event in many.contract.events}
        many.evm.revert(before)
        many.evm.advance(now - many.evm.now)
    waiting = many.propose(Kind.ISOLATE, "web")
    many.execute(waiting)
    told |= {event.name for event in many.contract.events}
    declared = {entry["name"] for entry in many.contract.abi if entry["type"] == "event"}
    assert declared - told == UNMET


def test_no_event_can_be_left_out_or_changed(gate: Gate, people: People) -> None:
    gate.order(Kind.ISOLATE, "web")
    gate.send("pause", sender=people.guardian)
    events, head = gate.contract.events, gate.view("auditHead")
    assert chain(events) == head
    for i, event in enumerate(events):
        before, after = events[:i], events[i + 1 :]
        assert chain([*before, *after]) != head
        if after:
            assert chain([*before, after[0], event, *after[1:]]) != head
        for byte in (0, 40, len(event.raw) - 1):
            changed = bytearray(event.raw)
            changed[byte] ^= 1
            assert chain([*before, replace(event, raw=bytes(changed)), *after]) != head


def test_the_first_argument_alone_is_indexed(gate: Gate) -> None:
    """As `link` and every fold of the log take it."""
    for entry in gate.contract.abi:
        if entry["type"] == "event" and entry["name"] not in UNMET:
            assert [i["indexed"] for i in entry["inputs"]][:2] in ([True, False], [True])
            assert sum(i["indexed"] for i in entry["inputs"]) == 1
            assert not entry.get("anonymous")


# ---------------------------------------------------------------- what these tests assert


def asserted(function: str) -> Iterator[ast.Call]:
    """Calls `function("Name", ...)` in the tests of the contracts."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                called = node.func
                name = (
                    called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                )
                if name == function and isinstance(node.args[0], ast.Constant):
                    yield node


def declared(gate: Gate, kind: str) -> dict[str, list[str]]:
    """Names of the arguments by name."""
    entries = [entry for entry in gate.contract.abi if entry["type"] == kind]
    return {entry["name"]: [i["name"] for i in entry["inputs"]] for entry in entries}


def test_every_error_is_asserted_with_its_arguments(gate: Gate) -> None:
    """A declared error that no test expects would be dead code or an untested rule."""
    met = {(call.args[0].value, len(call.args) - 1) for call in asserted("refused")}  # type: ignore[attr-defined]
    errors = declared(gate, "error")
    assert {name for name, args in errors.items() if (name, len(args)) not in met} == NEVER


def test_every_event_is_asserted_with_its_arguments(gate: Gate) -> None:
    met: dict[str, list[set[Any]]] = {}
    for call in asserted("told"):
        given = {keyword.arg for keyword in call.keywords}  # None: `**`
        met.setdefault(call.args[0].value, []).append(given)  # type: ignore[attr-defined]
    missing = {
        name
        for name, args in declared(gate, "event").items()
        if not any(set(args) == given or None in given for given in met.get(name, []))
    }
    assert missing == UNMET
