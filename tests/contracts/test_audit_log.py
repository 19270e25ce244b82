"""The hash chain over every event, recomputed from the log alone."""

from __future__ import annotations

import re
from pathlib import Path

from eth_abi import encode
from eth_utils import keccak
from scene import Gate, People

from policies.actions import Kind


def recompute(gate: Gate) -> bytes:
    head = bytes(32)
    for event in gate.contract.events:
        values = [head, event.selector, *event.args.values()]
        head = keccak(encode(["bytes32", "bytes32", *event.types], values))
    return head


def live_through_everything(gate: Gate, people: People) -> None:
    gate.grant()
    first = gate.propose(Kind.BLOCK, "203.0.113.9/32")
    gate.send("fileReceipt", first.abi(), 0, b"\x05" * 32, sender=people.enforcer)
    gate.send("endLease", people.agent.address, sender=people.guardian)
    second = gate.propose(Kind.ISOLATE, "web")
    signatures = gate.sign("Approval", second, *people.operators[:2])
    gate.send("approveBySig", second.abi(), signatures, sender=people.stranger)
    gate.send("execute", second.abi(), sender=people.stranger)
    signatures = gate.sign("Release", second, *people.operators[:3])
    gate.send("release", second.abi(), signatures, sender=people.stranger)
    third = gate.propose(Kind.REVOKE, "ssh:deploy")
    signatures = gate.sign("Rejection", third, people.operators[0])
    gate.send("rejectBySig", third.abi(), signatures, sender=people.stranger)
    gate.send("approve", third.abi(), sender=people.operators[1])
    gate.send("veto", third.abi(), sender=people.guardian)
    gate.propose_approved(Kind.ISOLATE, "web")
    gate.govern("setProtectedNetwork", (4 << 136).to_bytes(32), False)


def test_every_event_extends_the_chain(gate: Gate, people: People) -> None:
    live_through_everything(gate, people)
    told = {event.name for event in gate.contract.events}
    declared = {entry["name"] for entry in gate.contract.abi if entry["type"] == "event"}
    assert declared - told == {"AuthorityUpdated", "EIP712DomainChanged"}  # before; never
    assert gate.view("auditHead") == recompute(gate)


def test_each_call_extends_it_by_its_events(gate: Gate, people: People) -> None:
    before = gate.view("auditHead")
    assert before == recompute(gate)
    gate.propose(Kind.ISOLATE, "web")
    after = gate.view("auditHead")
    assert after != before
    assert after == recompute(gate)


def test_a_fresh_gate_has_an_empty_chain(bare_gate: Gate) -> None:
    assert bare_gate.view("auditHead") == bytes(32)


def test_every_error_of_the_gate_is_met_in_these_tests() -> None:
    """A declared error that no test expects would be dead code or an untested rule."""
    folder = Path(__file__).parent
    interfaces = folder.parents[1] / "contracts" / "interfaces"
    declared = {
        name
        for path in interfaces.glob("*.sol")
        for name in re.findall(r"error (\w+)\(", path.read_text())
    }
    tests = "".join(path.read_text() for path in folder.glob("test_*.py"))
    assert {name for name in declared if f'"{name}"' not in tests} == set()
