"""Pausing and resuming, models and receipts, by command."""

from __future__ import annotations

import json

import pytest
from calling import bad, good
from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.approvals import Inbox
from responder.policy import card_hash, load_policy

# ---------------------------------------------------------------- pause and resume


def test_a_guardian_pauses_and_operators_sign_that_it_end(world: World) -> None:
    said = good(world, "pause", "--as", "guardian", "--yes")
    assert "It takes 2 operators to `countersign resume`." in said
    assert "A guardian paused the gate" in good(world, "pending")
    assert "is paused already" in bad(world, "pause", "--as", "guardian", "--yes")
    assert "Signed, 1 of 2" in good(world, "resume", "--as", "operator-1", "--yes")
    assert "Signed, 2 of 2" in good(world, "resume", "--as", "operator-2", "--yes")
    assert world.ledger().paused
    world.responder(Wants()).tick()
    assert not world.ledger().paused
    assert "nothing to resume" in bad(world, "resume", "--as", "operator-1", "--yes")


@pytest.mark.parametrize(("command", "who"), [("pause", "operator-1"), ("resume", "guardian")])
def test_whoever_may_not_stop_or_go_on_is_told_so(world: World, command: str, who: str) -> None:
    if command == "resume":
        world.gate("guardian").pause()
    said = bad(world, command, "--as", who, "--yes")
    assert "is not a current" in said
    assert Inbox(world.settings.inbox).slips() == []


# ---------------------------------------------------------------- models


def test_a_model_is_approved_by_several_activated_listed_and_stopped(world: World) -> None:
    name, card = "77" * 32, "88" * 32
    approve = ["model", "approve", name, "--card", card, "--yes", "--as"]
    said = good(world, *approve, "operator-1")
    assert "Signed, 1 of 2" in said and name in said and card in said
    assert "1 of 2 signatures are here" in bad(world, "model", "activate", name)
    world.wait(5)
    assert "Signed, 2 of 2" in good(world, *approve, "operator-2")
    listed = {r["model"]: r for r in json.loads(good(world, "model", "list", "--json"))}
    people = sorted(world.address(n) for n in OPERATORS[:2])
    assert (listed[name]["active"], listed[name]["signed"]) == (False, people)
    good(world, "model", "activate", name)
    entry = world.ledger().models[bytes.fromhex(name)]
    assert (entry.active, entry.card.hex(), sorted(entry.approvers)) == (True, card, people)
    assert "is active already" in bad(world, *approve, "operator-3")
    assert "is not a current guardian" in bad(
        world, "model", "deactivate", name, "--as", "operator-1", "--yes"
    )
    good(world, "model", "deactivate", name, "--as", "guardian", "--yes")
    assert not world.ledger().is_active(bytes.fromhex(name))
    assert "is not active; see `countersign model list`" in bad(
        world, "model", "deactivate", name, "--as", "guardian", "--yes"
    )
    assert "no" in good(world, "model", "list")


def test_a_shipped_model_is_known_by_its_name(world: World) -> None:
    for name in OPERATORS[:2]:
        good(world, "model", "approve", "default", "--as", name, "--yes")
    world.responder(Wants()).tick()
    entry = world.ledger().models[load_policy("default").hash]
    assert (entry.active, entry.card) == (True, card_hash("default"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["approve", "99" * 32, "--as", "operator-1"], "give --card"),
        (["approve", "99" * 32, "--card", "12", "--as", "operator-1"], "32 bytes in hexadecimal"),
        (["approve", "zz" * 32, "--card", "88" * 32, "--as", "operator-1"], "not a hash"),
        (["approve", "nowhere", "--as", "operator-1"], "no policy 'nowhere'"),
        (["approve", "nothing", "--as", "guardian"], "is not a current operator"),
    ],
)
def test_a_model_that_cannot_be_signed_for_is_refused(
    world: World, arguments: list[str], said: str
) -> None:
    assert said in bad(world, "model", *arguments, "--yes")
    assert Inbox(world.settings.inbox).slips() == []


# ---------------------------------------------------------------- receipts


def test_receipts_are_shown_with_their_proof_and_to_the_gate(world: World) -> None:
    order = world.order()
    world.order(Kind.BLOCK, "203.0.113.9")
    world.responder(Wants()).tick()
    case = world.id(order).hex()
    [record] = json.loads(good(world, "receipt", "show", case, "--json"))
    assert (record["outcome"], record["order"]) == ("APPLIED", case[:40])
    assert len(record["proof"]) == 1 and record["root"]
    assert "APPLIED" in good(world, "receipt", "show", case, env={"COLUMNS": "200"})
    assert world.case(order).receipts == []
    good(world, "receipt", "show", case, "--as", "relayer")
    assert [r.outcome for r in world.case(order).receipts] == [0]
    shown = json.loads(good(world, "show", case, "--json"))
    assert shown["receipts"] == ["APPLIED"]


def test_missing_receipts_are_listed_and_reported(world: World) -> None:
    order = world.order()
    assert "No receipt is missing." in good(world, "receipt", "missing")
    assert "No receipt of it is here." in good(world, "receipt", "show", world.id(order).hex())
    world.wait(300)
    [record] = json.loads(good(world, "receipt", "missing", "--json"))
    assert record["order"] == world.id(order).hex()
    assert "ISOLATE web" in good(world, "receipt", "missing", "--as", "relayer")
    assert list(world.ledger().missed.values()) == [world.address("relayer")]
    assert "No receipt is missing." in good(world, "receipt", "missing")


def test_a_receipt_of_its_own_has_no_root_to_show(world: World) -> None:
    order = world.order()
    world.responder(Wants()).tick()
    said = bad(world, "receipt", "show", world.id(order).hex(), "--as", "relayer")
    assert "none of its receipts stands under a root" in said
