"""Torch and numpy compute one network; training runs and writes a model that loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from gymnasium import spaces
from sb3_contrib import MaskablePPO

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, VERBS
from policies.network import LearnedPolicy, model_hash
from policies.observation import Observation
from policies.policy import Verb
from rl_env.agent import EntityNetwork, EntityPolicy, export
from rl_env.commands import evaluate as evaluate_command
from rl_env.commands import train as train_command
from rl_env.evaluate import VALIDATION, outcomes
from rl_env.playing import Chance, Nobody, player_of
from rl_env.sb3 import CountersignVecEnv
from rl_env.scenario import Scenario
from rl_env.teacher import Lesson, Lessons, teach
from rl_env.train import TrainConfig, train

ROWS = 36
SPACE = spaces.Dict(
    {
        "entities": spaces.Box(0.0, np.inf, (ROWS, len(ENTITY_COLUMNS)), np.float32),
        "context": spaces.Box(0.0, np.inf, (len(CONTEXT_COLUMNS),), np.float32),
    }
)
SHORT = Scenario.from_mapping(
    {"network": {"hosts": 16}, "episode": {"minutes": 30, "kinds": {"attacked": 1}}}
)


@pytest.fixture
def network() -> EntityNetwork:
    torch.manual_seed(0)
    return EntityNetwork(SPACE, hidden=16)


@pytest.fixture
def tiny(tmp_path: Path) -> TrainConfig:
    """Some seconds of training."""
    scenario = tmp_path / "tiny.yaml"
    scenario.write_text("network: {hosts: 16}\nepisode: {minutes: 20, warm_up: 5}\n")
    return TrainConfig(
        scenario=str(scenario), lessons=160, lesson=4, steps=256, validation=2, envs=4,
        rollout=32, batch=64, hidden=16, check_every=1,
    )  # fmt: skip


def padded(n: int, seed: int) -> tuple[dict[str, torch.Tensor], Observation, np.ndarray]:
    """The same random observation as the learner and as a policy sees it, and which rows of the
    one are the other's.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(ROWS)[:n])
    entities = np.zeros((1, ROWS, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[0, rows] = rng.random((n, len(ENTITY_COLUMNS))) * 3
    entities[0, :, : len(Kind)] = 0.0
    entities[0, rows, rng.integers(0, len(Kind), n)] = 1.0
    context = rng.random((1, len(CONTEXT_COLUMNS))).astype(np.float32)
    tensors = {"entities": torch.as_tensor(entities), "context": torch.as_tensor(context)}
    return tensors, Observation(entities[0, rows], context[0], ()), rows


def of_rows(logits: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of the padded choices, those of these rows."""
    by_verb = logits[1 : 1 + VERBS * ROWS].reshape(VERBS, ROWS)
    return np.concatenate([logits[:1], by_verb[:, rows].ravel()])


@pytest.mark.parametrize("n", [0, 1, 5, ROWS])
def test_numpy_equals_torch(network: EntityNetwork, tmp_path: Path, n: int) -> None:
    export(network, tmp_path, "test", {})
    policy = LearnedPolicy.load(tmp_path)
    for seed in range(20):
        tensors, seen, rows = padded(n, seed)
        with torch.no_grad():
            logits = of_rows(network(tensors)[0].numpy(), rows)
        assert policy.scores(seen) == pytest.approx(logits, abs=1e-5)
        many = policy.scores_of_many(tensors["entities"].numpy(), tensors["context"].numpy())
        assert of_rows(many[0], rows) == pytest.approx(logits, abs=1e-5)


def test_batch_mates_change_nothing(network: EntityNetwork) -> None:
    samples = [padded(n, n)[0] for n in (3, 0, 30, 1)]
    both = {key: torch.cat([sample[key] for sample in samples]) for key in samples[0]}
    with torch.no_grad():
        beside = network(both)
        for i, sample in enumerate(samples):
            assert torch.allclose(network(sample)[0], beside[i], atol=1e-5)


def test_permuting_the_rows_permutes_the_scores(network: EntityNetwork) -> None:
    tensors, _, _ = padded(12, 4)
    order = torch.randperm(ROWS)
    with torch.no_grad():
        plain = network(tensors)[0]
        moved = network({**tensors, "entities": tensors["entities"][:, order]})[0]
    for verb in range(VERBS):
        place = slice(1 + verb * ROWS, 1 + (verb + 1) * ROWS)
        assert torch.allclose(plain[place][order], moved[place], atol=1e-5)
    assert torch.allclose(plain[[0]], moved[[0]], atol=1e-5)


def test_gradients_reach_every_weight(network: EntityNetwork) -> None:
    network(padded(9, 2)[0]).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_masked_choices_are_never_taken() -> None:
    env = CountersignVecEnv(5, SHORT)
    learner = MaskablePPO(EntityPolicy, env, policy_kwargs={"hidden": 8})
    seen, mask = env.reset(), env.action_masks()
    mask[:, 0] = False
    actions, _ = learner.predict(seen, action_masks=mask)
    assert mask[np.arange(5), actions].all()


def test_saved_and_loaded_it_chooses_the_same(tmp_path: Path) -> None:
    env = CountersignVecEnv(4, SHORT)
    learner = MaskablePPO(EntityPolicy, env, policy_kwargs={"hidden": 8}, seed=1)
    learner.save(tmp_path / "agent")
    loaded = MaskablePPO.load(tmp_path / "agent")
    seen, masks = env.reset(), env.action_masks()
    masks[:, 0] = False
    one, _ = learner.predict(seen, action_masks=masks, deterministic=True)
    other, _ = loaded.predict(seen, action_masks=masks, deterministic=True)
    assert np.array_equal(one, other)


def test_export_refuses_weights_that_are_not_finite(network: EntityNetwork, tmp_path: Path) -> None:
    with torch.no_grad():
        network.encoder[0].bias[0] = float("nan")
    with pytest.raises(ValueError, match="diverged"):
        export(network, tmp_path, "test", {})
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- lessons


@pytest.fixture
def lesson() -> Lesson:
    return next(iter(Lessons(SHORT, batch=48, seed=500, gamma=0.9, scale=0.5)))


def rows_of(lesson: Lesson) -> int:
    return lesson.observations["entities"].shape[1]


def test_lessons_are_whole_episodes(lesson: Lesson) -> None:
    decisions = len(lesson.returns)
    assert 0 < decisions <= 48 * 30
    assert {len(v) for v in lesson.observations.values()} == {decisions}
    assert lesson.right.shape == lesson.open.shape == (decisions, VERBS * rows_of(lesson))
    assert (lesson.returns <= 0.0).all() and (lesson.returns < 0.0).any()


def test_lessons_say_what_is_worth_it(lesson: Lesson) -> None:
    rows = rows_of(lesson)
    orders, releases = lesson.right[:, :rows], lesson.right[:, rows:]
    assert not (orders & releases).any()
    assert (orders & lesson.open[:, :rows]).any()
    ordered = lesson.observations["entities"][:, :, ENTITY_COLUMNS.index("ordered")] > 0
    assert (ordered & releases).any() and (ordered & ~releases).any()
    assert not (lesson.open[:, rows * Verb.RELEASE :] & ~ordered).any()


def test_lessons_follow_from_their_seed() -> None:
    def first(seed: int) -> np.ndarray:
        return next(iter(Lessons(SHORT, 2, seed, 0.9, 0.5))).observations["entities"]

    assert np.array_equal(first(3), first(3))
    assert not np.array_equal(first(3), first(4))


def test_the_taught_tell_right_from_wrong(lesson: Lesson) -> None:
    """On episodes that were not in their lessons."""
    env = CountersignVecEnv(1, SHORT)
    learner = MaskablePPO(EntityPolicy, env, policy_kwargs={"hidden": 16}, seed=0)
    decisions: list[int] = []
    teach(
        learner, Lessons(SHORT, 32, 5000, 0.99, 0.1), 20, caution=1.5, seed=0,
        tell=lambda more, loss: decisions.append(more),
    )  # fmt: skip
    assert len(decisions) == 20
    seen = {key: torch.as_tensor(value) for key, value in lesson.observations.items()}
    with torch.no_grad():
        logits = learner.policy.features_extractor(seen).numpy()
    rows = rows_of(lesson)
    leads = logits[:, 1 : 1 + rows] - logits[:, :1]
    right, permitted = lesson.right[:, :rows], lesson.open[:, :rows]
    apart = leads[right & permitted].mean() - leads[~right & permitted].mean()
    assert apart > leads[permitted].std()


# ---------------------------------------------------------------- training


def test_same_configuration_same_weights(tiny: TrainConfig) -> None:
    def weights(config: TrainConfig) -> list[np.ndarray]:
        tensors = train(config).policy.features_extractor.tensors()
        return [tensor.numpy() for tensor in tensors.values()]

    one, two, other = weights(tiny), weights(tiny), weights(replace(tiny, seed=2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_progress_is_told_of_every_decision(tiny: TrainConfig) -> None:
    told: list[int] = []
    train(tiny, lambda decisions, value: told.append(decisions))
    assert sum(told[-2:]) == tiny.steps
    assert 0.8 * tiny.lessons <= sum(told[:-2]) <= tiny.lessons


@pytest.mark.slow
def test_a_minute_of_training_beats_doing_nothing() -> None:
    config = TrainConfig(
        lessons=80_000, lesson=16, steps=20_480, envs=32, batch=1024, hidden=32, validation=64
    )
    network = train(config).policy.features_extractor
    weights = {name: tensor.numpy() for name, tensor in network.tensors().items()}
    player = player_of(LearnedPolicy({"name": "learned"}, weights, bytes(32)))
    scenario = Scenario.load(config.scenario)
    learned, nobody, chance = (
        outcomes(each, scenario, 256, VALIDATION + 1000).returns
        for each in (player, Nobody(), Chance())
    )
    gain = learned - nobody
    assert gain.mean() > 2.0 * gain.std() / len(gain) ** 0.5
    assert learned.mean() > chance.mean() + 10.0


def test_configuration_is_checked() -> None:
    with pytest.raises(ValueError, match="held out"):
        TrainConfig(seed=1000)
    with pytest.raises(ValueError, match="seed"):
        TrainConfig(envs=501)


def test_commands_train_a_model_and_evaluate_it(
    tmp_path: Path, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl_env.train.TrainConfig", lambda **given: replace(tiny, **given))
    arguments = ["--name", "tiny", "--out", str(tmp_path), "--episodes", "2"]
    done = CliRunner().invoke(train_command, arguments)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "tiny"
    policy = LearnedPolicy.load(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert policy.hash == model_hash(manifest, (folder / "model.safetensors").read_bytes())
    assert manifest["training"]["hidden"] == tiny.hidden
    assert "| tiny |" in (folder / "card.md").read_text()

    asked = ["--model", str(folder), "--episodes", "2", "--json", "--scenario", tiny.scenario]
    done = CliRunner().invoke(evaluate_command, asked)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert set(result["policies"]) == {"nothing", "random", "playbook", "tiny", "oracle"}
    assert result["policies"] == manifest["evaluation"]["policies"]


def test_evaluate_names_what_it_cannot_use(tmp_path: Path) -> None:
    done = CliRunner().invoke(evaluate_command, ["--model", str(tmp_path / "none")])
    assert done.exit_code == 1
    assert "cannot read" in done.output
    done = CliRunner().invoke(evaluate_command, ["--scenario", "smal-16"])
    assert done.exit_code == 1
    assert "small-16" in done.output
