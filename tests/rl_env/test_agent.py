"""Torch and numpy compute one network; training runs and writes a model that loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv

from policies.network import LearnedPolicy, model_hash
from policies.observation import Observation
from rl_env.agent import EntityNetwork, EntityPolicy, export
from rl_env.commands import evaluate as evaluate_command
from rl_env.commands import train as train_command
from rl_env.env import CountersignEnv
from rl_env.train import TrainConfig, train

TINY = TrainConfig(lessons=300, steps=128, validation=2, envs=2, rollout=64, batch=64, hidden=16)


@pytest.fixture
def network() -> EntityNetwork:
    torch.manual_seed(0)
    return EntityNetwork(CountersignEnv().observation_space, hidden=16)


def padded(n: int, seed: int) -> tuple[dict[str, torch.Tensor], Observation]:
    """The same random observation as the environment and as a policy sees it."""
    rng = np.random.default_rng(seed)
    space = CountersignEnv().observation_space
    entities = np.zeros((1, *space["entities"].shape), dtype=np.float32)
    entities[0, :n] = rng.random((n, entities.shape[2])) * 3
    context = rng.random((1, *space["context"].shape)).astype(np.float32)
    present = np.zeros((1, entities.shape[1]), dtype=np.float32)
    present[0, :n] = 1.0
    tensors = {"entities": entities, "context": context, "present": present}
    seen = Observation(entities[0, :n], context[0], ())
    return {key: torch.as_tensor(value) for key, value in tensors.items()}, seen


@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_numpy_equals_torch(network: EntityNetwork, tmp_path: Path, n: int) -> None:
    export(network, tmp_path, "test", {})
    policy = LearnedPolicy.load(tmp_path)
    for seed in range(20):
        tensors, seen = padded(n, seed)
        with torch.no_grad():
            logits = network(tensors)[0, : n + 1].numpy()
        assert policy.scores(seen) == pytest.approx(logits, abs=1e-5)


def test_padding_changes_nothing(network: EntityNetwork) -> None:
    """A batch-mate with more entities leaves the scores of a smaller one as they were."""
    small, _ = padded(3, 0)
    large, _ = padded(30, 1)
    both = {key: torch.cat([small[key], large[key]]) for key in small}
    with torch.no_grad():
        alone, beside = network(small), network(both)
    assert torch.allclose(alone[0, :4], beside[0, :4], atol=1e-5)
    assert torch.allclose(alone[0, network.choices :], beside[0, network.choices :], atol=1e-5)


def test_masked_choices_are_never_taken() -> None:
    learner = MaskablePPO(EntityPolicy, DummyVecEnv([CountersignEnv]), policy_kwargs={"hidden": 8})
    env = CountersignEnv()
    for seed in range(5):
        seen, info = env.reset(seed=seed)
        mask = info["action_mask"].copy()
        mask[0] = False
        action, _ = learner.predict(seen, action_masks=mask)
        assert mask[int(action)]


def test_export_refuses_weights_that_are_not_finite(network: EntityNetwork, tmp_path: Path) -> None:
    with torch.no_grad():
        network.encoder[0].bias[0] = float("nan")
    with pytest.raises(ValueError, match="diverged"):
        export(network, tmp_path, "test", {})
    assert not list(tmp_path.iterdir())


def test_same_configuration_same_weights() -> None:
    def weights(config: TrainConfig) -> list[np.ndarray]:
        tensors = train(config).policy.features_extractor.tensors()
        return [tensor.numpy() for tensor in tensors.values()]

    one, two, other = weights(TINY), weights(TINY), weights(replace(TINY, seed=2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_seeds_of_training_stay_below_the_held_out_ones() -> None:
    with pytest.raises(ValueError, match="held out"):
        TrainConfig(seed=1000)


def test_commands_train_a_model_and_evaluate_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl_env.train.TrainConfig", lambda **given: replace(TINY, **given))
    arguments = ["--name", "tiny", "--out", str(tmp_path), "--episodes", "2"]
    done = CliRunner().invoke(train_command, arguments)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "tiny"
    policy = LearnedPolicy.load(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert policy.hash == model_hash(manifest, (folder / "model.safetensors").read_bytes())
    assert manifest["training"]["hidden"] == TINY.hidden
    assert "| tiny |" in (folder / "card.md").read_text()

    asked = ["--model", str(folder), "--episodes", "2", "--json"]
    done = CliRunner().invoke(evaluate_command, asked)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert set(result["policies"]) == {"nothing", "random", "playbook", "tiny"}
    assert result["policies"] == manifest["evaluation"]["policies"]


def test_evaluate_names_a_model_it_cannot_use(tmp_path: Path) -> None:
    done = CliRunner().invoke(evaluate_command, ["--model", str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "cannot read" in done.output
