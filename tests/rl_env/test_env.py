"""`Countersign-v0` keeps Gymnasium's contract, tells no secrets and pays as it says."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from policies.actions import Kind
from policies.guardrails import Tier
from rl_env.attacker import CLEAN
from rl_env.env import CountersignEnv


def play(env: CountersignEnv, seed: int, steps: int, choose: Any = lambda mask: 0) -> list[Any]:
    """What comes back from a reset and so many steps, stopping at the episode's end."""
    observation, info = env.reset(seed=seed)
    seen = [(observation, 0.0, False, False, info)]
    for _ in range(steps):
        seen.append(env.step(np.int64(choose(env.action_masks()))))
        if seen[-1][2] or seen[-1][3]:
            break
    return seen


def any_permitted(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return lambda mask: rng.choice(np.flatnonzero(mask))


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[key], other[key]) for key in one)


def test_gymnasium_makes_and_checks_it() -> None:
    made = gym.make("Countersign-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)


def test_docstring_has_gymnasium_sections() -> None:
    text = CountersignEnv.__doc__ or ""
    for section in (
        "Action Space",
        "Observation Space",
        "Reward",
        "Starting State",
        "Episode End",
        "Version History",
    ):
        assert f"## {section}" in text


def test_same_seed_same_episode() -> None:
    one = play(CountersignEnv(), 5, 60, any_permitted(1))
    other = play(CountersignEnv(), 5, 60, any_permitted(1))
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert same(a[0], b[0])
        assert a[1:4] == b[1:4]


def test_other_seed_other_episode() -> None:
    assert not same(play(CountersignEnv(), 5, 3)[-1][0], play(CountersignEnv(), 6, 3)[-1][0])


def test_global_random_state_is_neither_used_nor_changed(env: CountersignEnv) -> None:
    np.random.seed(1)
    before = copy.deepcopy(np.random.get_state()[1])
    first = play(env, 5, 20)[-1][0]
    assert np.array_equal(before, np.random.get_state()[1])
    np.random.seed(2)
    assert same(first, play(env, 5, 20)[-1][0])


def test_truth_is_not_in_the_observation(env: CountersignEnv) -> None:
    """A takeover that no sensor reports changes the reward and nothing that the agent sees."""
    other = CountersignEnv()
    options = {"kind": "quiet"}
    env.reset(seed=3, options=options)
    other.reset(seed=3, options=options)
    other._story.truth.levels[:] = [2] * len(other._story.truth.levels)
    for _ in range(20):
        calm, calm_reward, *_ = env.step(np.int64(0))
        taken, taken_reward, *_ = other.step(np.int64(0))
        assert same(calm, taken)
        assert taken_reward < calm_reward


def test_mask_is_what_the_guardrails_say(env: CountersignEnv) -> None:
    refused = allowed = 0
    for seed in range(5):
        env.reset(seed=seed)
        mask = env.action_masks()
        for i, entity in enumerate(env.view.ids):
            verdict = env._containment._verdict(entity, env._now)
            assert mask[i + 1] == (verdict.tier is not Tier.REFUSED)
            refused += verdict.tier is Tier.REFUSED
            allowed += verdict.tier is not Tier.REFUSED
    assert refused and allowed


def test_protected_assets_and_padding_are_never_offered(env: CountersignEnv) -> None:
    found = 0
    for seed in range(10):
        env.reset(seed=seed)
        mask = env.action_masks()
        assert not mask[1 + len(env.view.ids) :].any()
        for i, asset in enumerate(env._network.inventory.assets):
            found += asset.protected
            assert not (asset.protected and mask[i + 1])
    assert found


def test_what_was_proposed_is_not_offered_again(env: CountersignEnv) -> None:
    env.reset(seed=1)
    action = int(np.flatnonzero(env.action_masks())[1])
    _, _, _, _, info = env.step(np.int64(action))
    assert info["truth"].proposals == 1
    assert not info["action_mask"][action]


def test_masked_action_does_nothing(env: CountersignEnv) -> None:
    env.reset(seed=1)
    masked = int(np.flatnonzero(~env.action_masks())[0])
    _, _, _, _, info = env.step(np.int64(masked))
    assert info["truth"].proposals == 0
    assert info["terms"]["effort"] == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_reward_is_the_sum_of_its_named_terms(env: CountersignEnv, seed: int) -> None:
    seen = play(env, seed, 150, any_permitted(seed))
    for _, reward, _, _, info in seen[1:]:
        assert set(info["terms"]) == {"harm", "service", "effort"}
        assert reward == pytest.approx(sum(info["terms"].values()))
        assert all(value <= 0.0 for value in info["terms"].values())
    total = sum(reward for _, reward, *_ in seen)
    assert total == pytest.approx(sum(seen[-1][4]["truth"].terms.values()))


def test_acting_at_random_is_worse_than_doing_nothing(env: CountersignEnv) -> None:
    def mean(choose: Any) -> float:
        totals = [sum(s[1] for s in play(env, seed, 150, choose)) for seed in range(8)]
        return float(np.mean(totals))

    assert mean(any_permitted(0)) < mean(lambda mask: 0) - 10.0


def test_isolating_what_is_taken_over_ends_its_harm(env: CountersignEnv) -> None:
    """With leave to act at once, the one right isolation stops the losses."""
    saved = 0.0
    for seed in range(12):
        env.reset(seed=seed, options={"kind": "attack"})
        over, total = False, 0.0
        while not over:
            choices = env.deserved() & env.action_masks()[1:]
            action = int(np.flatnonzero(choices)[0]) + 1 if choices.any() else 0
            _, reward, terminated, truncated, _ = env.step(np.int64(action))
            total, over = total + reward, terminated or truncated
        env.reset(seed=seed, options={"kind": "attack"})
        over, idle = False, 0.0
        while not over:
            _, reward, terminated, truncated, _ = env.step(np.int64(0))
            idle, over = idle + reward, terminated or truncated
        saved += total - idle
    assert saved > 0.0


def test_quiet_episodes_have_no_intruder(env: CountersignEnv) -> None:
    for kind in ("quiet", "scans"):
        env.reset(seed=2, options={"kind": kind})
        for _ in range(150):
            env.step(np.int64(0))
            assert set(env._story.truth.levels) == {CLEAN}


def test_ends_after_its_minutes() -> None:
    seen = play(CountersignEnv(minutes=20, kinds=(1.0, 0.0, 0.0)), 0, 100)
    assert len(seen) == 21
    assert seen[-1][2:4] == (False, True)


def test_more_entities_than_rows_are_cut_off_at_the_end() -> None:
    small = CountersignEnv(max_entities=8)
    observation, _ = small.reset(seed=0)
    assert observation["present"].sum() == 8
    assert small.observation_space.contains(observation)


def test_blocked_addresses_are_hostile_or_not(env: CountersignEnv) -> None:
    """Scanners deserve a block, the users' partners do not."""
    deserved = {True: 0, False: 0}
    for seed in range(6):
        play(env, seed, 100)
        for entity, right in zip(env.view.ids, env.deserved(), strict=False):
            if entity.kind is Kind.BLOCK:
                address = entity.id.partition("/")[0]
                assert not (right and address in env._network.partners)
                deserved[bool(right)] += 1
    assert deserved[True] and deserved[False]
