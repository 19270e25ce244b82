"""What was played is what a Minari data set gives back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

minari = pytest.importorskip("minari", reason="minari is not installed: it comes with the extra")

from rl_env.dataset import DatasetError, player_called, record  # noqa: E402
from rl_env.env import CountersignEnv  # noqa: E402
from rl_env.evaluate import HELD_OUT  # noqa: E402
from rl_env.offline_commands import dataset as dataset_command  # noqa: E402
from rl_env.playing import Chance  # noqa: E402


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data sets of a test are its own."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    return tmp_path / "sets"


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "short.yaml"
    path.write_text("network: {hosts: 16}\nepisode: {minutes: 25, warm_up: 5}\n")
    return str(path)


def test_read_back_it_is_what_the_environment_plays(scenario: str) -> None:
    record("test/chance-v0", Chance(), scenario, episodes=3, seed=40)
    found = minari.load_dataset("test/chance-v0")
    env = CountersignEnv(scenario)
    assert found.total_episodes == 3
    assert found.observation_space == env.observation_space
    assert found.action_space == env.action_space
    acted = 0
    for episode in found.iterate_episodes():
        seen, info = env.reset(seed=40 + int(episode.id))
        for t, action in enumerate(episode.actions):
            assert all(np.array_equal(episode.observations[key][t], seen[key]) for key in seen)
            assert np.array_equal(episode.infos["action_mask"][t], info["action_mask"])
            assert episode.infos["action_mask"][t][action]
            seen, reward, terminated, truncated, info = env.step(action)
            assert episode.rewards[t] == pytest.approx(reward)
            assert episode.infos["terms"][t + 1].tolist() == list(info["terms"].values())
            assert episode.terminations[t] == terminated
            assert episode.truncations[t] == truncated
            acted += action > 0
        assert terminated or truncated
        assert all(np.array_equal(episode.observations[key][-1], seen[key]) for key in seen)
        assert len(episode.observations["context"]) == len(episode.actions) + 1
    assert acted


def test_it_knows_its_environment(scenario: str) -> None:
    made = record("test/known-v0", Chance(), scenario, episodes=1, seed=1)
    assert made.storage.metadata["algorithm_name"] == "random"
    again = made.recover_environment()
    assert again.unwrapped.simulation.scenario.episode.minutes == 25


def test_more_episodes_than_are_played_at_a_time(scenario: str) -> None:
    told: list[int] = []
    made = record("test/many-v0", Chance(), scenario, 20, 1, told.append)
    assert made.total_episodes == sum(told) == 20
    assert made.total_steps == sum(len(episode) for episode in made.iterate_episodes())


def test_ids_that_are_taken_or_none_are_refused(scenario: str, kept_in: Path) -> None:
    record("test/one-v0", Chance(), scenario, 1, 1)
    for name, reason in (
        ("test/one-v0", "already"),
        ("test/one", "one-v0"),
        ("../out-v0", "Malformed"),
    ):
        with pytest.raises(DatasetError, match=reason):
            record(name, Chance(), scenario, 1, 1)
    assert [path.name for path in kept_in.parent.iterdir() if path.is_dir()] == ["sets"]


def test_held_out_seeds_stay_out(scenario: str) -> None:
    with pytest.raises(DatasetError, match="evaluation"):
        record("test/held-v0", Chance(), scenario, 2, HELD_OUT - 1)


def test_policies_by_name() -> None:
    names = ["nothing", "random", "playbook", "oracle"]
    assert [player_called(name).name for name in names] == names


def test_command_records(scenario: str) -> None:
    arguments = ["--out", "test/made-v0", "--episodes", "2", "--scenario", scenario]
    done = CliRunner().invoke(dataset_command, [*arguments, "--policy", "nothing"])
    assert done.exit_code == 0, done.output
    assert "wrote 2 episodes" in done.stdout and "test/made-v0" in done.stdout
    assert minari.load_dataset("test/made-v0").total_episodes == 2
    done = CliRunner().invoke(dataset_command, arguments)
    assert done.exit_code == 1
    assert "already" in done.output
    done = CliRunner().invoke(dataset_command, [*arguments, "--policy", "playbok"])
    assert done.exit_code == 1
    assert "playbok" in done.output
