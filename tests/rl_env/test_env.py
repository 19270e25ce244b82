"""`Countersign-v0`, alone and many times over, keeps Gymnasium's contract and pays as it says."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

import rl_env
from policies.columns import KIND, VERBS
from rl_env.env import CountersignEnv
from rl_env.scenario import registered
from rl_env.simulation import TERMS
from rl_env.vector import CountersignVectorEnv


def any_permitted(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return lambda mask: int(rng.choice(np.flatnonzero(mask))) if rng.random() < 0.3 else 0


def play(env: CountersignEnv, seed: int, steps: int, choose: Any = lambda mask: 0) -> list[Any]:
    """What comes back from a reset and so many steps, stopping at the episode's end."""
    observation, info = env.reset(seed=seed)
    seen = [(observation, 0.0, False, False, info)]
    for _ in range(steps):
        seen.append(env.step(np.int64(choose(env.action_masks()))))
        if seen[-1][2] or seen[-1][3]:
            break
    return seen


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[key], other[key]) for key in one)


def test_gymnasium_makes_and_checks_it() -> None:
    made = gym.make("Countersign-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped, skip_render_check=True)


def test_stable_baselines3_checks_it(env: CountersignEnv) -> None:
    check_env_of_sb3(env, warn=False)


def test_each_scenario_is_registered() -> None:
    assert rl_env.__name__ == "rl_env"  # importing it registers
    for name in registered():
        assert gym.spec(f"Countersign-{name}-v0").kwargs == {"scenario": name}


@pytest.mark.parametrize("environment", [CountersignEnv, CountersignVectorEnv])
def test_docstrings_say_what_is_what(environment: type) -> None:
    text = environment.__doc__ or ""
    if environment is CountersignEnv:
        for section in (
            "Description",
            "Action Space",
            "Observation Space",
            "Rewards",
            "Starting State",
            "Episode End",
            "Arguments",
            "Version History",
        ):
            assert f"## {section}" in text
    assert "infos" in text or "info" in text


def test_same_seed_same_episode(env: CountersignEnv) -> None:
    first = play(env, 3, 80, any_permitted(0))
    second = play(CountersignEnv(), 3, 80, any_permitted(0))
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert same(one[0], other[0]) and one[1:4] == other[1:4]


def test_the_reward_is_the_sum_of_its_terms(env: CountersignEnv) -> None:
    for _, reward, _, _, info in play(env, 5, 150, any_permitted(1))[1:]:
        assert set(info["terms"]) == set(TERMS)
        assert reward == sum(info["terms"].values())
        assert all(value <= 0.0 for value in info["terms"].values())


def test_what_was_handed_out_stays_as_it_was(env: CountersignEnv) -> None:
    seen = play(env, 5, 3)
    kept = copy.deepcopy(seen)
    for _ in range(20):
        env.step(np.int64(0))
    assert all(same(a[0], b[0]) for a, b in zip(seen, kept, strict=True))


def test_actions_come_in_two_verbs(env: CountersignEnv) -> None:
    """The mask has a place for each row and verb; rows of nothing are never permitted."""
    for observation, *_ in play(env, 8, 60, any_permitted(2)):
        rows = observation["entities"]
        absent = ~rows[:, KIND : KIND + 3].any(axis=1)
        assert not rows[absent].any()
    mask = env.action_masks()
    assert mask.shape == (1 + VERBS * len(rows),) and mask[0]
    assert not mask[1 : 1 + len(rows)][absent].any()
    assert not mask[1 + len(rows) :][absent].any()


@pytest.mark.parametrize("kind", ["quiet", "scanned", "attacked"])
def test_what_happens_can_be_chosen(env: CountersignEnv, kind: str) -> None:
    env.reset(seed=1, options={"kind": kind})
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(np.int64(0))
        over = terminated or truncated
    assert (info["metrics"]["hosts_taken"] > 0) == (kind == "attacked")


def test_a_kind_that_is_none_is_refused(env: CountersignEnv) -> None:
    with pytest.raises(ValueError, match="war"):
        env.reset(seed=1, options={"kind": "war"})


def test_it_shows_itself() -> None:
    for mode in ("ansi", "rgb_array"):
        env = gym.make("Countersign-v0", render_mode=mode)
        env.reset(seed=1)
        shown = env.render()
        if mode == "ansi":
            assert isinstance(shown, str) and "dmz" in shown
        else:
            assert isinstance(shown, np.ndarray)
            assert shown.dtype == np.uint8 and shown.shape[2] == 3


# ---------------------------------------------------------------- many


def test_gymnasium_makes_many() -> None:
    many = gym.make_vec("Countersign-v0", num_envs=3, vectorization_mode="vector_entry_point")
    assert many.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observations, infos = many.reset(seed=4)
    assert many.observation_space.contains(observations)
    assert infos["action_mask"].shape == (3, many.single_action_space.n)


@pytest.mark.parametrize("handed_out", [True, False])
def test_each_of_many_is_the_single_one_with_its_seed(handed_out: bool) -> None:
    many = CountersignVectorEnv(4, copy=handed_out)
    singles = [CountersignEnv() for _ in range(4)]
    observations, infos = many.reset(seed=30)
    alone = [single.reset(seed=30 + i)[0] for i, single in enumerate(singles)]
    choose, ended = any_permitted(3), 0
    for _ in range(330):
        for i, single in enumerate(singles):
            assert same(alone[i], {k: v[i] for k, v in observations.items()})
            assert np.array_equal(infos["action_mask"][i], single.action_masks())
        actions = np.array([choose(mask) for mask in infos["action_mask"]])
        observations, rewards, terminated, truncated, infos = many.step(actions)
        for i, single in enumerate(singles):
            alone[i], reward, over, late, info = single.step(actions[i])
            assert (reward, over, late) == (rewards[i], terminated[i], truncated[i])
            if over or late:
                ended += 1
                where = int(np.flatnonzero(np.flatnonzero(infos["_final_obs"]) == i)[0])
                last = {k: v[where] for k, v in infos["final_obs"].items()}
                assert same(alone[i], last)
                told = {k: v[where] for k, v in infos["final_info"]["metrics"].items()}
                assert told == info["metrics"]
                alone[i], _ = single.reset()
    assert ended >= 8


def test_copies_stay_and_views_change() -> None:
    for handed_out in (True, False):
        many = CountersignVectorEnv(2, copy=handed_out)
        observations, _ = many.reset(seed=1)
        before = observations["context"].copy()
        for _ in range(25):
            many.step(np.zeros(2, dtype=np.int64))
        assert np.array_equal(observations["context"], before) == handed_out
