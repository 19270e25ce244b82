"""BatchPPO is MaskablePPO: the same update, the same rollouts, the same files; only faster."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from rl_env.agent import EntityPolicy
from rl_env.ppo import BatchPPO, _drawn, _masked
from rl_env.sb3 import CountersignVecEnv
from rl_env.scenario import Scenario

SHORT = Scenario.from_mapping({"network": {"hosts": 16}, "episode": {"minutes": 12, "warm_up": 2}})
SETTINGS: dict[str, Any] = {"n_steps": 16, "batch_size": 24, "n_epochs": 3, "device": "cpu"}


def learner(policy: Any = "MultiInputPolicy", **settings: Any) -> BatchPPO:
    return BatchPPO(policy, CountersignVecEnv(3, SHORT), **{"seed": 5, **SETTINGS, **settings})


class Stop(BaseCallback):
    """Ends learning after so many decisions."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def _on_step(self) -> bool:
        return self.num_timesteps < self._steps


class Tape(BaseCallback):
    """What the callback of a user can see of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.rewards: list[np.ndarray] = []
        self.rollouts = 0

    def _on_step(self) -> bool:
        self.rewards.append(self.locals["rewards"].copy())
        assert len(self.locals["infos"]) == len(self.locals["dones"]) == 3
        return True

    def _on_rollout_end(self) -> None:
        self.rollouts += 1


def rolled_out(**settings: Any) -> BatchPPO:
    """With one rollout collected and no update made."""
    made = learner(**settings)
    _, callback = made._setup_learn(10_000)
    made.collect_rollouts(made.env, callback, made.rollout_buffer, made.n_steps)
    return made


def weights(of: MaskablePPO) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in of.policy.parameters()]).detach()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"policy": EntityPolicy},
        {"ent_coef": 0.02, "clip_range_vf": 0.1, "normalize_advantage": False},
        {"target_kl": 1e-6, "learning_rate": 0.01},
        {"policy_kwargs": {"share_features_extractor": False}, "max_grad_norm": 0.01},
        {"batch_size": 20, "clip_range": 0.01},
    ],
)
def test_an_update_is_that_of_maskable_ppo(settings: dict[str, Any]) -> None:
    made = rolled_out(**settings)
    twin = rolled_out(**settings)
    twin.rollout_buffer = copy.deepcopy(made.rollout_buffer)
    before = weights(made)
    assert torch.equal(before, weights(twin))
    for each, train in ((made, BatchPPO.train), (twin, MaskablePPO.train)):
        each.set_logger(Logger(None, []))
        np.random.seed(3)
        train(each)
    assert (weights(made) - before).abs().max() > 1e-4
    assert torch.allclose(weights(made), weights(twin), rtol=1e-4, atol=1e-6)
    told, expected = made.logger.name_to_value, twin.logger.name_to_value
    assert told.keys() == expected.keys()
    for name, value in expected.items():
        assert told[name] == pytest.approx(value, rel=1e-3, abs=1e-6), name


def test_gradients_are_those_of_maskable_ppo() -> None:
    made, rate = rolled_out(n_epochs=1, batch_size=48), 0.5
    twin = rolled_out(n_epochs=1, batch_size=48)
    twin.rollout_buffer = copy.deepcopy(made.rollout_buffer)
    for each, train in ((made, BatchPPO.train), (twin, MaskablePPO.train)):
        each.max_grad_norm = 1e9
        each.policy.optimizer = torch.optim.SGD(each.policy.parameters(), lr=rate)
        each.set_logger(Logger(None, []))
        train(each)
    for (name, one), other in zip(
        made.policy.named_parameters(), twin.policy.parameters(), strict=True
    ):
        assert one.grad is not None and one.grad.abs().max() > 0, name
        assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-7), name


def test_a_rollout_is_what_happened() -> None:
    made = rolled_out()
    buffer, env = made.rollout_buffer, CountersignVecEnv(3, SHORT)
    env.seed(5)
    seen, cut = env.reset(), 0
    starts = np.ones(3, dtype=bool)
    for step in range(made.n_steps):
        masks = env.action_masks()
        actions = buffer.actions[step, :, 0]
        assert all(np.array_equal(buffer.observations[key][step], seen[key]) for key in seen)
        assert np.array_equal(buffer.action_masks[step], masks)
        assert masks[np.arange(3), actions].all()
        assert np.array_equal(buffer.episode_starts[step], starts)
        shown = made.policy.obs_to_tensor(seen)[0]
        with torch.no_grad():
            values, log_probs, _ = made.policy.evaluate_actions(
                shown, torch.from_numpy(actions), torch.from_numpy(masks)
            )
        assert buffer.values[step] == pytest.approx(values.numpy()[:, 0], abs=1e-5)
        assert buffer.log_probs[step] == pytest.approx(log_probs.numpy(), abs=1e-5)
        seen, rewards, starts, infos = env.step(actions)
        for i in np.flatnonzero(starts):
            if infos[i]["TimeLimit.truncated"]:
                last = made.policy.obs_to_tensor(infos[i]["terminal_observation"])[0]
                rewards[i] += made.gamma * made.policy.predict_values(last).item()
                cut += 1
        assert buffer.rewards[step] == pytest.approx(rewards, abs=1e-5)
    assert cut > 0
    assert len(made.ep_info_buffer or ()) >= 3


def test_advantages_are_the_discounted_sums_of_surprises() -> None:
    made = rolled_out()
    buffer, (steps, envs) = made.rollout_buffer, made.rollout_buffer.rewards.shape
    with torch.no_grad():
        shown = made.policy.obs_to_tensor(made._last_obs)[0]
        after = np.vstack([buffer.values[1:], made.policy.predict_values(shown).numpy().T])
    live = 1.0 - np.vstack([buffer.episode_starts[1:], made._last_episode_starts[None]])
    surprise = buffer.rewards + made.gamma * live * after - buffer.values
    for env in range(envs):
        for step in range(steps):
            weight, total = 1.0, 0.0
            for later in range(step, steps):
                total += weight * surprise[later, env]
                weight *= made.gamma * made.gae_lambda * live[later, env]
            assert buffer.advantages[step, env] == pytest.approx(total, abs=1e-4)
    assert buffer.returns == pytest.approx(buffer.advantages + buffer.values)


def test_choices_come_in_proportion_and_only_permitted_ones() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([[9.0, 0.0, 1.0, -2.0, 3.0]])
    masks = torch.tensor([[0.0, 1.0, 1.0, 1.0, 0.0]])
    masked, draws = _masked(logits, masks), 200_000
    counts = torch.bincount(_drawn(masked.expand(draws, -1)), minlength=5)
    expected = torch.tensor([0.0, 1.0, np.e, np.exp(-2.0), 0.0])
    expected = expected / expected.sum()
    assert counts[0] == counts[4] == 0
    sigma = (expected * (1 - expected) / draws).sqrt()
    assert ((counts / draws - expected).abs() <= 5 * sigma).all()


def test_highest_number_drawn_is_still_a_permitted_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand_like", torch.ones_like)  # no draw is that high
    masks = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.0]])
    assert _drawn(_masked(torch.zeros(1, 5), masks)).tolist() == [2]


def test_same_seed_same_weights() -> None:
    one, same, other = (learner(seed=seed).learn(96) for seed in (2, 2, 3))
    assert torch.equal(weights(one), weights(same))
    assert not torch.equal(weights(one), weights(other))


@pytest.mark.parametrize("policy", ["MultiInputPolicy", EntityPolicy])
def test_maskable_ppo_opens_what_is_saved(policy: Any, tmp_path: Path) -> None:
    made = learner(policy).learn(96)
    made.save(tmp_path / "made.zip")
    env = CountersignVecEnv(3, SHORT)
    loaded = MaskablePPO.load(tmp_path / "made.zip", env=env, device="cpu")
    assert type(loaded) is MaskablePPO
    seen = env.reset()
    for _ in range(12):
        masks = get_action_masks(env)
        chosen, _ = loaded.predict(seen, deterministic=True, action_masks=masks)
        expected, _ = made.predict(seen, deterministic=True, action_masks=masks)
        assert np.array_equal(chosen, expected)
        seen, *_ = env.step(chosen)
    before = weights(loaded)
    loaded.learn(48)
    assert not torch.equal(weights(loaded), before)


def test_it_goes_on_after_loading(tmp_path: Path) -> None:
    made = learner().learn(48)
    made.save(tmp_path / "made.zip")
    loaded = BatchPPO.load(tmp_path / "made.zip", env=CountersignVecEnv(3, SHORT), device="cpu")
    assert torch.equal(weights(loaded), weights(made))
    loaded.learn(96, reset_num_timesteps=False)
    assert loaded.num_timesteps == 48 + 96


def test_callbacks_see_every_step_and_may_end_it() -> None:
    tape = Tape()
    learner().learn(96, callback=tape)
    assert len(tape.rewards) == 32 and tape.rollouts == 2
    made = learner()
    before = weights(made)
    made.learn(96, callback=Stop(steps=15))
    assert made.num_timesteps == 15
    assert torch.equal(weights(made), before)


def test_without_masks_everything_is_chosen() -> None:
    made = learner()
    made.learn(48, use_masking=False)
    assert (made.rollout_buffer.action_masks == 1.0).all()
    permitted = made.env.action_masks().sum(axis=1).max()
    assert len(np.unique(made.rollout_buffer.actions)) > permitted


def test_environments_without_masks_are_refused() -> None:
    env = DummyVecEnv([Plain])
    with pytest.raises(ValueError, match="ActionMasker"):
        BatchPPO("MultiInputPolicy", env, **SETTINGS).learn(16)


def test_other_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match="Dict"):
        BatchPPO("MlpPolicy", DummyVecEnv([lambda: gym.make("CartPole-v1")]), **SETTINGS)


class Plain(gym.Env[Any, Any]):
    """The right spaces, and no masks."""

    observation_space = gym.spaces.Dict({"seen": gym.spaces.Box(0.0, 1.0, (2,), np.float32)})
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return {"seen": np.zeros(2, dtype=np.float32)}, {}

    def step(self, action: Any) -> Any:
        return {"seen": np.zeros(2, dtype=np.float32)}, 0.0, False, False, {}
