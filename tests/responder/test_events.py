"""Raw logs become events or a clear error; nothing in between."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak
from happenings import everything
from world import World

from policies.actions import Kind
from responder.chain.events import artifact, decode_log, link
from responder.chain.proposal import target_key
from responder.errors import Permanent


def logs(world: World) -> list[dict[str, Any]]:
    gate = world.contract
    return [dict(log) for log in world.w3.eth.get_logs({"address": gate.address, "fromBlock": 0})]


@pytest.fixture
def busy(world: World) -> World:
    """Something of every kind has happened."""
    everything(world)
    world.govern("setPool", "pair", 1)
    world.govern("setResource", "intranet", "web")
    world.govern("setGrants", [("alice", "intranet", world.now + 10)])
    world.govern("removeTarget", 2, target_key(Kind.REVOKE, "ssh:SHA256:alice"))
    return world


def test_every_event_of_the_gate_decodes_and_links_to_its_head(busy: World) -> None:
    events = [decode_log(log, 7) for log in logs(busy)]
    known = [event for event in events if event is not None]
    assert {e.name for e in known} == {
        e["name"] for e in artifact("Gate")["abi"] if e["type"] == "event"
    } - {"AuthorityUpdated", "EIP712DomainChanged"}
    head = bytes(32)
    for event in known:
        head = link(head, event)
    gate = busy.gate()
    assert gate.audit_head(gate.head().number) == head


def test_an_event_keeps_order_types_and_place(world: World) -> None:
    proposal = world.propose(Kind.ISOLATE, "web")
    log = logs(world)[-1]
    event = decode_log(log, 1234)
    assert event is not None
    assert (event.name, list(event.args)) == ("Proposed", ["id", "proposal"])
    assert event.args["id"] == world.id(proposal)
    assert (event.time, event.block, event.tx) == (
        1234,
        log["blockNumber"],
        bytes(log["transactionHash"]),
    )


def test_the_one_event_outside_the_hash_chain_is_passed_over(world: World) -> None:
    names = [decode_log(log, 0) for log in logs(world)]
    assert names.count(None) == 1


def test_an_unknown_log_is_refused(world: World) -> None:
    log = {**logs(world)[-1], "topics": [keccak(text="Surprise()")]}
    with pytest.raises(Permanent, match="does not emit"):
        decode_log(log, 0)


def test_a_log_without_topics_is_refused(world: World) -> None:
    with pytest.raises(Permanent, match="does not emit"):
        decode_log({**logs(world)[-1], "topics": []}, 0)


def rules_log(world: World, name: str) -> dict[str, Any]:
    return next(log for log in logs(world) if getattr(decode_log(log, 0), "name", "") == name)


@pytest.mark.parametrize("data", [b"", b"\xff" * 31, b"\xff" * 320])
@pytest.mark.parametrize("name", ["Proposed", "AssetSet", "RuleSet", "ModelActivated"])
def test_malformed_data_is_refused(world: World, name: str, data: bytes) -> None:
    world.propose()
    with pytest.raises(Permanent, match=f"malformed {name} log"):
        decode_log({**rules_log(world, name), "data": data}, 0)


def test_missing_topics_are_refused(world: World) -> None:
    log = rules_log(world, "RolesSet")
    with pytest.raises(Permanent, match="malformed RolesSet"):
        decode_log({**log, "topics": log["topics"][:1]}, 0)


def test_text_that_is_not_utf8_is_refused(world: World) -> None:
    log = rules_log(world, "AssetSet")
    data = bytes(log["data"]).replace(b"desk", b"\xff\xfe\xfd\xfc")
    with pytest.raises(Permanent, match="malformed AssetSet"):
        decode_log({**log, "data": data}, 0)
