"""Recordings: they replay to the bit, and what was altered is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from rl_env.network import blueprints
from rl_env.recording import Recording, RecordingError, Step, play, record, replay
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

MINUTES = 25


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    usual = Scenario.load("small-16")
    return replace(usual, episode=replace(usual.episode, minutes=MINUTES))


@pytest.fixture(scope="module")
def recording(scenario: Scenario) -> Recording:
    return record(Simulation(scenario, 1), anything(3), 11, "attacked")


@pytest.fixture
def file(recording: Recording, tmp_path: Path) -> Path:
    recording.save(tmp_path / "episode.jsonl")
    return tmp_path / "episode.jsonl"


def anything(seed: int) -> Callable[..., int]:
    """Permitted choices by chance, as often as not."""
    rng = np.random.default_rng(seed)

    def choose(_: NDArray[Any], __: NDArray[Any], mask: NDArray[np.bool_]) -> int:
        return int(rng.choice(np.flatnonzero(mask))) if rng.random() < 0.5 else 0

    return choose


def shown(simulation: Simulation) -> tuple[bytes, ...]:
    arrays = simulation.entities, simulation.context, simulation.mask, simulation.terms
    return tuple(np.ascontiguousarray(array[0]).tobytes() for array in arrays)


def altered(file: Path, line: int, **fields: Any) -> Path:
    """The file with fields of a line (from 1) set to something else."""
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[line - 1] = json.dumps(json.loads(lines[line - 1]) | fields)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


# ---------------------------------------------------------------- replay


def test_a_recording_has_every_minute_of_the_episode(recording: Recording) -> None:
    assert len(recording.steps) == MINUTES
    assert any(step.action for step in recording.steps)
    assert len({recording.digest, *(step.digest for step in recording.steps)}) == MINUTES + 1


def test_what_was_saved_is_what_is_loaded(recording: Recording, file: Path) -> None:
    assert Recording.load(file) == recording


def test_replay_shows_bit_by_bit_what_was_lived(scenario: Scenario) -> None:
    lived: list[tuple[bytes, ...]] = []
    simulation, choose = Simulation(scenario, 1), anything(5)

    def watched(*seen: NDArray[Any]) -> int:
        lived.append(shown(simulation))
        return choose(*seen)

    recording = record(simulation, watched, 4, "attacked")
    lived.append(shown(simulation))
    assert [shown(each) for each in replay(recording)] == lived


def test_environment_i_of_a_batch_is_recorded_as_the_seeds_own(scenario: Scenario) -> None:
    alone = record(Simulation(scenario, 1), anything(1), 6, minutes=10)
    assert record(Simulation(scenario, 3), anything(1), 6, minutes=10) == alone
    assert len(alone.steps) == 10


def test_later_episodes_of_a_seed_are_others_and_replay(scenario: Scenario) -> None:
    simulation = Simulation(scenario, 1)
    first, third = (record(simulation, anything(1), 6, None, number, 5) for number in (0, 2))
    assert first.digest != third.digest
    assert sum(1 for _ in replay(third)) == 6


def test_a_recording_has_the_inventory_in_it(scenario: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    drawn = blueprints(replace(scenario.network, hosts=(6, 6), sites=1))[0]
    path.write_text(yaml.safe_dump(drawn.inventory.to_mapping()), encoding="utf-8")
    mine = replace(scenario, network=replace(scenario.network, inventory=str(path)))
    recording = record(Simulation(mine, 1), anything(2), 9, minutes=5)
    recording.save(tmp_path / "episode.jsonl")
    path.unlink()
    assert str(tmp_path) not in (tmp_path / "episode.jsonl").read_text(encoding="utf-8")
    seen = list(replay(Recording.load(tmp_path / "episode.jsonl")))
    assert len(seen) == 6
    assert seen[0].sites[0].inventory.assets == drawn.inventory.assets


def test_play_lives_the_same_episode(scenario: Scenario, recording: Recording) -> None:
    played = [shown(each) for each in play(scenario, 11, "attacked", anything(3))]
    assert played == [shown(each) for each in replay(recording)]


def test_play_stops_after_its_minutes(scenario: Scenario) -> None:
    assert sum(1 for _ in play(scenario, 1, "quiet", anything(0), minutes=7)) == 8


# ---------------------------------------------------------------- what is refused


def test_an_altered_digest_is_refused_at_its_step(file: Path) -> None:
    steps = replay(Recording.load(altered(file, 5, digest="0" * 32)))
    assert [next(steps) for _ in range(4)]
    with pytest.raises(RecordingError, match=r"step 4: .* another version of the simulator"):
        next(steps)


def test_an_altered_choice_is_refused(recording: Recording) -> None:
    number = next(k for k, step in enumerate(recording.steps) if step.action)
    steps = list(recording.steps)
    steps[number] = Step(0, steps[number].digest)
    with pytest.raises(RecordingError, match=f"step {number + 1}: what follows differs"):
        list(replay(replace(recording, steps=tuple(steps))))


def test_another_seed_is_refused_at_once(recording: Recording) -> None:
    with pytest.raises(RecordingError, match="the beginning: "):
        list(replay(replace(recording, seed=12)))


def test_a_choice_that_there_is_not_is_refused(recording: Recording) -> None:
    step = replace(recording.steps[0], action=100_000)
    with pytest.raises(RecordingError, match="step 1: there is no choice 100000"):
        list(replay(replace(recording, steps=(step,))))


@pytest.mark.parametrize(
    ("line", "fields", "message"),
    [
        (1, {"format": "other"}, r"episode.jsonl:1: is no recording"),
        (1, {"version": 2}, r"episode.jsonl:1: version: expected 1, got 2; record the episode"),
        (1, {"observation": 1}, r"episode.jsonl:1: observation: recorded with 1"),
        (1, {"kind": "calm"}, r"episode.jsonl:1: kind: expected null or one of quiet"),
        (1, {"seed": -1}, r"episode.jsonl:1: seed: expected 0 to "),
        (1, {"seed": "7"}, r"episode.jsonl:1: seed: missing, or not of its type"),
        (1, {"episode": True}, r"episode.jsonl:1: episode: missing, or not of its type"),
        (1, {"digest": "12"}, r"episode.jsonl:1: digest: expected 32 hexadecimal digits"),
        (1, {"extra": 1}, r"episode.jsonl:1: extra: unknown field"),
        (1, {"scenario": {"network": {"host": 3}}}, r"jsonl:1: scenario.network.host: unknown"),
        (1, {"inventory": {"assets": 3}}, r"jsonl:1: inventory.assets: expected a list"),
        (1, {"steps": 24}, r"episode.jsonl:26: 24 steps were recorded, 25 are there"),
        (7, {"action": 1.5}, r"episode.jsonl:7: action: missing, or not of its type"),
        (7, {"digest": None}, r"episode.jsonl:7: digest: missing, or not of its type"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    file: Path, line: int, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecordingError, match=message):
        Recording.load(altered(file, line, **fields))


def test_a_file_that_was_cut_is_refused(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text("\n".join(text.splitlines()[:-3]), encoding="utf-8")
    with pytest.raises(RecordingError, match="25 steps were recorded, 22 are there"):
        Recording.load(file)
    file.write_text(text[:-20], encoding="utf-8")
    with pytest.raises(RecordingError, match=r"episode.jsonl:26: is not JSON"):
        Recording.load(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "is no recording: not UTF-8"),
        (b"[1, 2]\n", ":1: expected a mapping"),
        (b"hello\n", ":1: is not JSON"),
    ],
)
def test_other_files_are_no_recordings(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        Recording.load(path)


def test_files_that_are_not_there_are_told(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read: No such file"):
        Recording.load(tmp_path / "none.jsonl")
    with pytest.raises(RecordingError, match="cannot be written: No such file"):
        recording.save(tmp_path / "none" / "episode.jsonl")
