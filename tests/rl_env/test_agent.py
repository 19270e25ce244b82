"""Torch and numpy compute one network, which stable-baselines3 takes as a policy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import MaskablePPO

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, VERBS
from policies.network import LearnedPolicy
from policies.observation import Observation
from rl_env.agent import EntityNetwork, EntityPolicy, export
from rl_env.sb3 import CountersignVecEnv
from rl_env.scenario import Scenario

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
    network = EntityNetwork(SPACE, hidden=16)
    network.caution[:] = torch.tensor([0.5, 3.0, 1.5])
    return network


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
    entities[0, rows[rng.random(n) < 0.3], len(Kind) :] = 0.0  # those are silent
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
