"""The VecEnv is the vector environment under another interface, and MaskablePPO runs on it."""

from __future__ import annotations

import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported

from rl_env.sb3 import CountersignVecEnv
from rl_env.scenario import Scenario
from rl_env.simulation import METRICS, TERMS
from rl_env.vector import CountersignVectorEnv

SHORT = Scenario.from_mapping({"network": {"hosts": 16}, "episode": {"minutes": 12, "warm_up": 2}})


@pytest.fixture
def env() -> CountersignVecEnv:
    return CountersignVecEnv(3, SHORT)


def chance(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A permitted action for each."""
    return (rng.random(masks.shape) * masks).argmax(axis=1)


def test_same_trajectories_as_the_vector_environment(env: CountersignVecEnv) -> None:
    other, rng = CountersignVectorEnv(3, SHORT), np.random.default_rng(0)
    env.seed(7)
    seen = env.reset()
    expected, told = other.reset(seed=7)
    ended = 0
    for _ in range(30):
        for key in expected:
            assert np.array_equal(seen[key], expected[key])
        assert np.array_equal(get_action_masks(env), told["action_mask"])
        actions = chance(told["action_mask"], rng)
        seen, rewards, dones, infos = env.step(actions)
        expected, values, terminated, truncated, told = other.step(actions)
        assert rewards == pytest.approx(values)
        assert np.array_equal(dones, terminated | truncated)
        for k, i in enumerate(np.flatnonzero(dones)):
            last = infos[i]["terminal_observation"]
            assert all(np.array_equal(last[key], told["final_obs"][key][k]) for key in last)
            assert infos[i]["TimeLimit.truncated"] == truncated[i]
            for name, value in infos[i]["metrics"].items():
                assert value == told["final_info"]["metrics"][name][k]
        assert all(not infos[i] for i in np.flatnonzero(~dones))
        ended += int(dones.sum())
    assert ended >= 6


def test_what_ended_is_told_in_full(env: CountersignVecEnv) -> None:
    env.reset()
    told = 0
    for _ in range(25):
        _, _, dones, infos = env.step(np.zeros(3, dtype=np.int64))
        for i in np.flatnonzero(dones):
            assert set(infos[i]["metrics"]) == set(METRICS)
            assert set(infos[i]["terms"]) == set(TERMS)
            assert set(infos[i]["episode"]) == {"r", "l", "t"}
            told += 1
    assert told >= 6


def test_true_return_is_told(env: CountersignVecEnv) -> None:
    env.reset()
    total, rng = np.zeros(3), np.random.default_rng(1)
    for _ in range(12):
        _, rewards, dones, infos = env.step(chance(env.action_masks(), rng))
        total += rewards
    assert dones.all()
    assert [info["episode"]["r"] for info in infos] == pytest.approx(total, abs=1e-4)
    assert [info["episode"]["l"] for info in infos] == [12, 12, 12]


def test_environments_differ_and_seeds_bring_them_back(env: CountersignVecEnv) -> None:
    first = env.reset()["entities"]
    assert not np.array_equal(first[0], first[1])
    env.seed(3)
    one = env.reset()["entities"]
    following = env.reset()["entities"]
    env.seed(3)
    assert np.array_equal(one, env.reset()["entities"])
    assert not np.array_equal(one, following)


def test_options_fix_what_happens_once(env: CountersignVecEnv) -> None:
    env.set_options([{"kind": "quiet"}, {"kind": "attacked"}, {"kind": "scanned"}])
    env.reset()
    assert env.simulation.state["story"].tolist() == [0, 2, 1]


def test_learners_find_the_masks(env: CountersignVecEnv) -> None:
    env.reset()
    assert is_masking_supported(env)
    assert env.env_method("action_masks", indices=[2])[0].tolist() == env.action_masks()[2].tolist()
    with pytest.raises(AttributeError, match="no method jump"):
        env.env_method("jump")
    with pytest.raises(AttributeError, match="scenario"):
        env.set_attr("minutes", 3)
    assert not env.has_attr("jump")


def test_observations_are_not_overwritten_by_the_next_step(env: CountersignVecEnv) -> None:
    seen = env.reset()
    before = {key: value.copy() for key, value in seen.items()}
    for _ in range(11):
        env.step(np.zeros(3, dtype=np.int64))
    assert all(np.array_equal(seen[key], before[key]) for key in seen)
    assert not np.array_equal(seen["entities"], env._observations()["entities"])


def test_maskable_ppo_learns_on_it(env: CountersignVecEnv) -> None:
    learner = MaskablePPO("MultiInputPolicy", env, n_steps=16, batch_size=24, n_epochs=1, seed=0)
    learner.learn(96)
    assert learner.num_timesteps == 96
    assert len(learner.ep_info_buffer or ()) >= 6
    mask = env.action_masks()
    mask[:, 0] = False
    seen = env.reset()
    chosen, _ = learner.predict(seen, action_masks=mask)
    assert mask[np.arange(3), chosen].all()
