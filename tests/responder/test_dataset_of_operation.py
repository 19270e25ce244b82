"""What people made of real proposals becomes a data set, and an agent learns from it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from calling import good
from click.testing import CliRunner

minari = pytest.importorskip("minari", reason="minari is not installed: it comes with the extra")
pytest.importorskip("torchrl", reason="torchrl is not installed: it comes with the extra")

from world import INVENTORY, OPERATORS, Wants, World  # noqa: E402

from policies.actions import Kind  # noqa: E402
from policies.alerts import Alert  # noqa: E402
from policies.columns import KIND, TOTAL  # noqa: E402
from policies.network import LearnedPolicy  # noqa: E402
from policies.picture import Picture  # noqa: E402
from responder.chain.proposal import Proposal  # noqa: E402
from responder.decision import Decision, answers, decide, standings  # noqa: E402
from responder.evidence import EvidenceStore  # noqa: E402
from rl_env.dataset import DatasetError  # noqa: E402
from rl_env.decisions import load  # noqa: E402
from rl_env.offline_commands import dataset as dataset_command  # noqa: E402
from rl_env.offline_commands import train_offline  # noqa: E402
from rl_env.operation import from_audit, read  # noqa: E402

TTL = (1800, 3600, 86400)
ADDRESS = "203.0.113.9/32"


@dataclass(frozen=True)
class Operated:
    """A history as the live side leaves it behind."""

    record: Path
    evidence: Path


def seen_by(now: float, sources: int) -> Picture:
    """Evidence against everything there is, and so many outside addresses."""
    made = Picture(INVENTORY)
    for window in range(30):
        made.advance(now - 600 * (30 - window))
    for n in range(4):
        for asset in INVENTORY.assets:
            for last in range(sources):
                src = f"203.0.113.{9 + last}"
                made.observe(Alert(now, "suricata", f"{n}", src=src, dst=asset.addresses[0]), now)
        for credential in INVENTORY.credentials:
            made.observe(Alert(now, "wazuh", f"{n}", credential=credential.id), now)
    return made


def proposed(world: World, target: str, sources: int = 1) -> tuple[Proposal, Decision]:
    """As the responder's loop does it: decided, evidence stored, proposed."""
    ledger, agent = world.ledger(), world.address("agent")
    now = ledger.block.time
    seen = seen_by(now, sources)
    under_way = standings(ledger, seen.entities(), agent, now)
    mirror = ledger.guardrails(agent, now)
    [made] = decide(Wants(target), seen, mirror, under_way, answers(ledger), TTL, 1, [], now)
    key = EvidenceStore(world.settings.evidence).put(made.evidence)
    action = made.action
    return world.propose(action.kind, action.target, ttl=action.ttl, evidence=key), made


def voters(decision: Decision) -> tuple[str, ...]:
    return OPERATORS[: decision.verdict.approvals]


@pytest.fixture(scope="module")
def operated(module_world: World, tmp_path_factory: pytest.TempPathFactory) -> Operated:
    """Lapsed, executed, rejected, vetoed, released, under the lease, and one that waits."""
    world = module_world
    proposed(world, "desk")
    world.wait(4000)
    stood, decision = proposed(world, "web")
    world.vote("Approval", stood, *voters(decision))
    world.gate("relayer").execute(stood)
    rejected, decision = proposed(world, "db", sources=3)
    world.vote("Rejection", rejected, *voters(decision))
    vetoed, _ = proposed(world, "plant")
    world.gate("guardian").veto(vetoed)
    released, decision = proposed(world, "ssh:SHA256:alice")
    world.vote("Approval", released, *voters(decision))
    world.gate("relayer").execute(released)
    world.vote("Release", released, *OPERATORS[:2])
    world.lease()
    proposed(world, ADDRESS)
    proposed(world, "desk")
    record = tmp_path_factory.mktemp("operated") / "record.json"
    record.write_text(good(world, "pending", "--all", "--json"), "utf-8")
    assert "ok" in good(world, "audit", "verify", "--json")
    return Operated(record, world.settings.evidence)


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets of a test are its own."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))


@pytest.fixture
def copied(operated: Operated, tmp_path: Path) -> Operated:
    """To be altered."""
    shutil.copytree(operated.evidence, tmp_path / "evidence")
    return Operated(shutil.copy(operated.record, tmp_path / "record.json"), tmp_path / "evidence")


def bundle_of(operated: Operated, target: str) -> Path:
    entries = json.loads(operated.record.read_bytes())
    [digest] = [e["evidence"] for e in entries if e["target"] == target and e["kind"] != "NONE"]
    return operated.evidence / f"{digest}.json"


def test_people_s_verdict_is_the_reward(operated: Operated) -> None:
    found = read(operated.record, operated.evidence)
    assert found.left_out == {"not decided yet": 1}
    # desk lapsed, web stood, db rejected, plant vetoed, alice released, the address stood
    assert [each.stood for each in found.proposed] == [False, True, False, False, False, True]
    harm, service, effort, chain = np.transpose([each.terms for each in found.proposed])
    assert harm.tolist() == [0.0, 12.0, 0.0, 0.0, 0.0, 12.0]
    assert service.tolist() == [-15.0, 0.0, -15.0, -15.0, -15.0, 0.0]
    assert effort[-1] == pytest.approx(-0.05)  # under the lease no one is asked
    assert effort[1] == pytest.approx(-0.05 - 2 * 0.5)
    assert not chain.any()


def test_the_data_set_holds_what_the_bundles_say(operated: Operated) -> None:
    made, found = from_audit("test/real-v0", operated.record, operated.evidence)
    widest = max(len(each.entities) for each in found.proposed)
    assert len({len(each.entities) for each in found.proposed}) > 1
    kinds = [Kind.ISOLATE] * 4 + [Kind.REVOKE, Kind.BLOCK]
    for episode, each, kind in zip(made.iterate_episodes(), found.proposed, kinds, strict=True):
        entities, mask = episode.observations["entities"], episode.infos["action_mask"]
        assert entities.shape[:2] == (2, widest)
        assert np.array_equal(entities[0, : len(each.entities)], each.entities)
        assert not entities[0, len(each.entities) :].any()
        [action] = episode.actions
        assert entities[0, action - 1, KIND + kind] == 1.0 and entities[0, action - 1, TOTAL] > 0
        assert np.array_equal(entities[0, action - 1], each.entities[each.choice - 1])
        assert mask[0, action] and mask[0].sum() == each.mask.sum()
        assert mask[1].tolist() == [True] + [False] * (2 * widest)
        assert episode.rewards.tolist() == pytest.approx([sum(each.terms)])
        assert episode.terminations.tolist() == [True]
    assert "verdict" in made.storage.metadata["description"]


def test_nothing_is_left_out_silently(copied: Operated) -> None:
    bundle_of(copied, "web").unlink()
    path = bundle_of(copied, "db")
    path.write_bytes(path.read_bytes().replace(b'"choice":', b'"choice": '))
    entries = json.loads(copied.record.read_bytes())
    for entry in entries:
        if entry["target"] == "plant":
            entry["target"] = "vault"
        if entry["target"] == "ssh:SHA256:alice":
            other = b'{"alerts":[],"reasons":["by hand"]}'
            entry["evidence"] = hashlib.sha256(other).hexdigest()
            (copied.evidence / f"{entry['evidence']}.json").write_bytes(other)
    copied.record.write_text(json.dumps(entries), "utf-8")
    found = read(copied.record, copied.evidence)
    assert found.left_out == {
        "not decided yet": 1,
        "its bundle is missing": 1,
        "its bundle was altered: it has another hash": 1,
        "its bundle speaks of another action or model": 1,
        "its bundle is none of a decision": 1,
    }
    assert len(found.proposed) + sum(found.left_out.values()) == len(entries)


def test_observations_of_another_version_are_left_out(copied: Operated) -> None:
    bundle = json.loads(bundle_of(copied, "web").read_bytes())
    bundle["observation"]["version"] = 1
    key = EvidenceStore(copied.evidence).put(bundle)
    entries = [e for e in json.loads(copied.record.read_bytes()) if e["target"] == "web"]
    copied.record.write_text(json.dumps([{**entries[0], "evidence": key.hex()}]), "utf-8")
    with pytest.raises(DatasetError, match="1 its observation is of another version"):
        from_audit("test/real-v0", copied.record, copied.evidence)


@pytest.mark.parametrize("text", ["", "{}x", "[3]", '[{"evidence": "00"}]', '{"a": 1}'])
def test_what_is_no_record_is_refused(copied: Operated, text: str) -> None:
    copied.record.write_text(text, "utf-8")
    with pytest.raises(DatasetError, match="pending --all --json"):
        read(copied.record, copied.evidence)


def test_from_the_record_to_a_model(operated: Operated, tmp_path: Path) -> None:
    """It wants what people let stand, and not what they did not."""
    arguments = ["--out", "test/real-v0", "--from-audit", str(operated.record)]
    done = CliRunner().invoke(dataset_command, [*arguments, "--evidence", str(operated.evidence)])
    assert done.exit_code == 0, done.output
    assert "left out 1: not decided yet" in done.stderr
    assert "wrote 6 episodes, 6 decisions: test/real-v0" in done.stdout
    decisions, _ = load(["test/real-v0"])
    assert decisions.relative and (decisions.choice > 0).all()
    for method in ("bc", "cql"):
        arguments = ["--dataset", "test/real-v0", "--method", method, "--updates", "400"]
        arguments += ["--out", str(tmp_path), "--name", method]
        done = CliRunner().invoke(train_offline, arguments)
        assert done.exit_code == 0, done.output
        policy = LearnedPolicy.load(tmp_path / method)
        scores = policy.scores_of_many(
            decisions.entities[decisions.at], decisions.context[decisions.at]
        )
        gains = np.take_along_axis(scores, decisions.choice[:, None], axis=1)[:, 0] - scores[:, 0]
        assert np.array_equal(gains > 0, decisions.reward > 0), method


def test_record_and_evidence_go_together(operated: Operated) -> None:
    arguments = ["--out", "test/real-v0", "--from-audit", str(operated.record)]
    done = CliRunner().invoke(dataset_command, arguments)
    assert done.exit_code == 2
    assert "go together" in done.output
