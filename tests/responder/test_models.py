"""Models: from a folder to the operators and the gate to proposals; refused at every other turn."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from calling import bad, good
from models import write_files, write_model
from world import OPERATORS, World

from policies.columns import OBSERVATION_VERSION
from policies.network import LearnedPolicy
from responder.approvals import Inbox
from responder.errors import Permanent
from responder.policy import card_hash, load_policy, register, registered
from responder.site import open_responder

EVALUATION = {
    "episodes": 1000,
    "policies": {"mine": {"mean_return": -9.8765, "interval": [-10, -9]}},
    "scores": {"mine": {"iqm": 0.81}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "mine", name="mine", evaluation=EVALUATION)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


# ---------------------------------------------------------------- the whole way


def test_a_model_goes_from_its_folder_to_the_gate_and_proposes(world: World, folder: Path) -> None:
    policy = LearnedPolicy.load(folder)
    digest, card = policy.hash.hex(), hashlib.sha256((folder / "card.md").read_bytes()).hexdigest()
    said = good(world, "model", "register", str(folder), env={"COLUMNS": "200"})
    for told in ("mine", digest, card, "-9.877", "0.81", "1000", "2 operators have to"):
        assert told in said, told
    assert Inbox(world.settings.inbox).slips() == []  # nobody has signed by that
    assert "Model mine waits for operators: `countersign model approve mine`" in good(
        world, "pending"
    )
    [listed] = [r for r in json.loads(good(world, "model", "list", "--json")) if r["name"]]
    assert (listed["name"], listed["model"], listed["active"]) == ("mine", digest, False)

    world.alerts("10.0.1.10", kinds=30)
    responder = world.responder(load_policy("mine", world.settings.models))
    responder.tick()
    assert world.ledger().cases == {}
    for name in OPERATORS[:2]:
        assert digest in good(world, "model", "approve", "mine", "--as", name, "--yes")
    responder.tick()
    entry = world.ledger().models[policy.hash]
    assert (entry.active, entry.card.hex()) == (True, card)
    responder.tick()
    cases = world.ledger().cases.values()
    assert cases and {case.proposal.model for case in cases} == {policy.hash}
    assert "What the model expects:" in good(world, "show", next(iter(cases)).id.hex())
    assert "Model mine waits" not in good(world, "pending")
    said = good(world, "model", "register", str(folder))
    assert "The gate takes its proposals already." in said


def test_registering_tells_it_all_in_json(world: World, folder: Path) -> None:
    record = json.loads(good(world, "model", "register", str(folder), "--json"))
    assert record == {
        "name": "mine",
        "model": LearnedPolicy.load(folder).hash.hex(),
        "card": card_hash(str(folder)).hex(),
        "observation_version": OBSERVATION_VERSION,
        "evaluation": EVALUATION,
        "active": False,
        "signatures_needed": 2,
    }


def test_a_stopped_model_does_not_wait_for_operators(world: World, folder: Path) -> None:
    good(world, "model", "register", str(folder))
    world.activate(LearnedPolicy.load(folder).hash)
    world.gate("guardian").deactivate_model(LearnedPolicy.load(folder).hash)
    assert "Model mine" not in good(world, "pending")
    [listed] = [r for r in json.loads(good(world, "model", "list", "--json")) if r["name"]]
    assert (listed["active"], listed["revision"]) == (False, 2)


# ---------------------------------------------------------------- what is kept


def test_what_is_kept_is_a_copy(folder: Path, tmp_path: Path) -> None:
    models, was = tmp_path / "models", snapshot(folder)
    policy = register(folder, models)
    assert snapshot(models / "mine") == was
    (folder / "model.safetensors").write_bytes(b"")
    assert load_policy("mine", models).hash == policy.hash
    assert [p.hash for p in registered(models)] == [policy.hash]
    assert [p.name for p in models.iterdir()] == ["mine"]


def test_registering_again_changes_nothing_but_the_card(folder: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first = register(folder, models)
    (folder / "card.md").write_text("another card")
    assert register(folder, models).hash == first.hash
    assert card_hash("mine", models) == hashlib.sha256(b"another card").digest()


def test_a_name_is_of_one_model(folder: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    was = register(folder, models)
    other = write_files(tmp_path / "other", seed=1, name="mine")
    with pytest.raises(Permanent, match="another model is registered as mine"):
        register(other, models)
    assert load_policy("mine", models).hash == was.hash


def test_a_damaged_copy_is_told_and_can_be_registered_again(world: World, folder: Path) -> None:
    models = world.settings.models
    good(world, "model", "register", str(folder))
    (models / "mine" / "model.safetensors").write_bytes(b"x")
    for command in (["pending"], ["model", "list"]):
        assert "Register that model again" in good(world, *command)
    said = bad(world, "model", "approve", "mine", "--as", "operator-1", "--yes")
    assert "its SHA-256 is not the one in the manifest" in said
    good(world, "model", "register", str(folder))
    assert "Model mine waits" in good(world, "pending")


@pytest.mark.parametrize(
    "name",
    ["playbook", "nothing", "../mine", ".mine", "a/b", "a b", "-x", "ab" * 32, "\u0430", "x" * 64],
)
def test_a_name_that_could_mislead_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_files(tmp_path / "folder", name=name)
    with pytest.raises(Permanent, match="needs a name of its own"):
        register(folder, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def no_card(folder: Path) -> None:
    (folder / "card.md").unlink()


def long_card(folder: Path) -> None:
    with (folder / "card.md").open("ab") as card:
        card.truncate((1 << 20) + 1)


def flipped(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)


def of_another_observation(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["observation_version"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (no_card, "people sign for a card"),
        (long_card, "people sign for a card"),
        (flipped, "its SHA-256 is not the one in the manifest"),
        (of_another_observation, f"this version needs {OBSERVATION_VERSION}"),
    ],
)
def test_a_folder_that_cannot_be_used_is_not_registered(
    world: World, folder: Path, spoil: Any, complaint: str
) -> None:
    spoil(folder)
    assert complaint in " ".join(bad(world, "model", "register", str(folder)).split())
    assert not world.settings.models.exists()
    assert "waits for operators" not in good(world, "pending")


def test_a_folder_that_is_not_there_is_told(world: World, tmp_path: Path) -> None:
    assert "cannot read" in bad(world, "model", "register", str(tmp_path / "nowhere"))


# ---------------------------------------------------------------- what the responder refuses


def started(world: World, policy: str) -> None:
    """As `countersign run` starts."""
    world.settings.inventory.write_bytes(
        (world.settings.keys.resolve().parent / "inventory.yaml").read_bytes()
    )
    open_responder(replace(world.settings, policy=policy)).tick()


def test_the_responder_does_not_start_by_another_observation(world: World, folder: Path) -> None:
    of_another_observation(folder)
    world.alerts("10.0.1.10", kinds=30)
    with pytest.raises(Permanent, match=f"this version needs {OBSERVATION_VERSION}"):
        started(world, str(folder))
    assert world.ledger().cases == {}


def test_a_model_proposes_only_while_it_is_active(
    world: World, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy = register(folder, world.settings.models)
    world.alerts("10.0.1.10", kinds=30)
    with caplog.at_level(logging.WARNING):
        started(world, "mine")
    assert world.ledger().cases == {}
    assert any("model mine" in m and "is not active on the gate" in m for m in caplog.messages)
    world.activate(policy.hash)
    started(world, "mine")
    cases = list(world.ledger().cases.values())
    assert cases and {case.proposal.model for case in cases} == {policy.hash}
    world.gate("guardian").deactivate_model(policy.hash)
    world.alerts("10.0.3.10")
    started(world, "mine")
    assert len(world.ledger().cases) == len(cases)


def test_one_bit_makes_another_model_which_is_not_active(world: World, tmp_path: Path) -> None:
    first = write_model(tmp_path / "a", name="mine")
    world.activate(first.hash)
    other = write_model(tmp_path / "b", name="mine", training={"seed": 1})
    assert world.ledger().is_active(first.hash)
    assert not world.ledger().is_active(other.hash)
    world.alerts("10.0.1.10", kinds=30)
    world.responder(other).tick()
    assert world.ledger().cases == {}
    world.responder(first).tick()
    assert world.ledger().cases


def test_an_unknown_policy_names_what_there_is(tmp_path: Path) -> None:
    for name in ("nowhere", "x" * 5000, "a\0b", "../.."):
        with pytest.raises(Permanent):
            load_policy(name, tmp_path)
