"""Training runs, can be stopped and resumed, and writes a model that loads."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from policies.network import LearnedPolicy, model_hash
from rl_env.agent import EntityNetwork
from rl_env.checkpoints import CheckpointError
from rl_env.evaluate import VALIDATION, outcomes
from rl_env.playing import Chance, Nobody, player_of
from rl_env.scenario import Scenario
from rl_env.sweep import grid, sweep
from rl_env.train import Progress, TrainConfig, train
from rl_env.training import train as train_command


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Some seconds of training."""
    scenario = tmp_path_factory.mktemp("scenario") / "tiny.yaml"
    scenario.write_text("network: {hosts: 16}\nepisode: {minutes: 20, warm_up: 5}\n")
    return TrainConfig(
        scenario=str(scenario), lessons=1000, rounds=2, moments=80, kept=1, passes=1.0,
        lesson_passes=1.0, hidden=8, validation=8,
    )  # fmt: skip


def tensors(network: EntityNetwork) -> list[np.ndarray]:
    return [tensor.numpy() for tensor in network.tensors().values()]


def same(one: EntityNetwork, other: EntityNetwork) -> bool:
    pairs = zip(tensors(one), tensors(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def trained(tiny: TrainConfig) -> EntityNetwork:
    return train(tiny, workers=2)


def test_same_configuration_same_weights(tiny: TrainConfig, trained: EntityNetwork) -> None:
    """Whatever the number of processes."""
    assert same(train(tiny, workers=1), trained)
    assert not same(train(replace(tiny, seed=2), workers=1), trained)


def test_progress_is_told_of_all_the_work(tiny: TrainConfig) -> None:
    told: list[int] = []
    reports: list[Progress] = []
    config = replace(tiny, steps=64 * 128)
    train(config, told.append, reports.append, workers=1)
    assert sum(told) == config.work
    assert [each.round for each in reports] == [0, 1, 2]
    assert all(each.validation_return < 0.0 < each.loss for each in reports)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", [0, 1])
def test_a_stopped_run_goes_on(
    tiny: TrainConfig, trained: EntityNetwork, tmp_path: Path, after: int
) -> None:
    def stop(progress: Progress) -> None:
        if progress.round > after:
            raise Stopped

    with pytest.raises(Stopped):
        train(tiny, report=stop, checkpoints=tmp_path, workers=1)
    reports: list[Progress] = []
    told: list[int] = []
    resumed = train(tiny, told.append, reports.append, tmp_path, workers=1)
    assert [each.round for each in reports] == list(range(after + 1, 3))
    assert sum(told) == tiny.work
    assert same(resumed, trained)


def test_a_run_with_other_settings_is_not_gone_on_with(tiny: TrainConfig, tmp_path: Path) -> None:
    train(replace(tiny, rounds=0), checkpoints=tmp_path, workers=1)
    with pytest.raises(CheckpointError, match="other settings"):
        train(tiny, checkpoints=tmp_path, workers=1)


def test_configuration_is_checked() -> None:
    with pytest.raises(ValueError, match="held out"):
        TrainConfig(seed=1000)
    with pytest.raises(ValueError, match="moments"):
        TrainConfig(moments=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_little_training_beats_chance_and_doing_nothing(seed: int) -> None:
    config = TrainConfig(
        scenario="small-16", seed=seed, lessons=40_000, lesson_passes=6.0, rounds=0, hidden=32,
        validation=64,
    )  # fmt: skip
    network = train(config, workers=1)
    weights = {name: tensor.numpy() for name, tensor in network.tensors().items()}
    learned, nobody, chance = (
        outcomes(each, Scenario.load("small-16"), 256, VALIDATION + 1000).returns
        for each in (
            player_of(LearnedPolicy({"name": "learned"}, weights, bytes(32))),
            Nobody(),
            Chance(),
        )
    )
    gain = learned - nobody
    assert gain.mean() > 2.0 * gain.std() / len(gain) ** 0.5
    assert learned.mean() > chance.mean() + 10.0


# ---------------------------------------------------------------- commands


@pytest.fixture
def settings(tiny: TrainConfig, tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(asdict(tiny)))
    return path


def test_command_trains_a_model(tiny: TrainConfig, settings: Path, tmp_path: Path) -> None:
    arguments = [
        "--name", "tiny", "--out", str(tmp_path), "--config", str(settings), "--episodes", "2",
        "--rounds", "1", "--workers", "1", "--tensorboard", str(tmp_path / "logs"),
    ]  # fmt: skip
    done = CliRunner().invoke(train_command, arguments)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "tiny"
    policy = LearnedPolicy.load(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert policy.hash == model_hash(manifest, (folder / "model.safetensors").read_bytes())
    assert manifest["training"] == {**asdict(tiny), "rounds": 1}
    assert manifest["environment"] == "Countersign-v0"
    assert "| tiny |" in (folder / "card.md").read_text()
    with (folder / "learning.csv").open(newline="") as file:
        assert [row["decisions"] for row in csv.DictReader(file)] == ["1000", "1080"]
    assert list((tmp_path / "logs" / "tiny").glob("events*"))
    assert not (folder / "checkpoints").exists()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("epochs: 3", "no such setting"), ("rounds: many", "expected int"), ("seed: 1000", "held")],
)
def test_command_names_what_it_cannot_use(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(line + "\n")
    done = CliRunner().invoke(train_command, ["--config", str(path), "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert complaint in done.output


@pytest.mark.slow
def test_sweep_trains_all_combinations_on_a_cluster(tiny: TrainConfig) -> None:
    """Ray on this machine, and the same weights' figures as without it."""
    base = replace(tiny, rounds=1)
    changes = grid(base, {"seed": [1, 2], "hidden": [8]})
    results = sweep(base, changes)
    assert [result.changed for result in results] == changes
    reports: list[Progress] = []
    train(replace(base, **changes[1]), report=reports.append, workers=1)
    assert results[1].rounds == tuple(each._asdict() for each in reports)
    with pytest.raises(ValueError, match="no such setting"):
        grid(base, {"epochs": [1]})
