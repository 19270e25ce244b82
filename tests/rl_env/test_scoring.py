"""Normalised scores are 0 for doing nothing, 1 for the oracle, and their intervals are honest."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rliable")

from rl_env.scoring import STRATA, interquartile, ratio, share, strata

EPISODES = 600


def returns(share: float, seed: int = 0, spread: float = 4.0) -> tuple[np.ndarray, ...]:
    """One who gains this share of what the oracle gains, on average; nothing; the oracle."""
    rng = np.random.default_rng(seed)
    nothing = -rng.exponential(15.0, EPISODES)
    oracle = nothing * rng.uniform(0.1, 0.6, EPISODES)
    gain = share * (oracle - nothing) + rng.normal(0.0, spread, EPISODES)
    return nothing + gain, nothing, oracle


def parts(count: int) -> list[np.ndarray]:
    return np.array_split(np.arange(EPISODES), count)


def test_ends_of_the_scale() -> None:
    _, nothing, oracle = returns(0.5)
    for who, expected in ((nothing, 0.0), (oracle, 1.0)):
        assert ratio(who[None], nothing, oracle) == pytest.approx((expected,) * 3)
        assert interquartile(who[None], nothing, oracle, parts(3)) == pytest.approx((expected,) * 3)


def test_both_figures_find_the_share_that_was_gained() -> None:
    mine, nothing, oracle = returns(0.7)
    for found in (
        ratio(mine[None], nothing, oracle),
        interquartile(mine[None], nothing, oracle, parts(4)),
    ):
        assert found is not None
        assert found.low < found.value < found.high
        assert found.low < 0.7 < found.high
        assert 0.02 < found.high - found.low < 0.3


def test_intervals_cover_what_they_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rl_env.scoring._RESAMPLES", 200)
    covered = [0, 0]
    for seed in range(40):
        mine, nothing, oracle = returns(0.5, seed)
        for which, found in enumerate(
            (
                ratio(mine[None], nothing, oracle),
                interquartile(mine[None], nothing, oracle, parts(2)),
            )
        ):
            assert found is not None
            covered[which] += found.low <= 0.5 <= found.high
    assert min(covered) >= 33  # of 40; with 95 %, fewer than one time in a thousand


def test_training_seeds_that_differ_widen_the_intervals() -> None:
    (worse, nothing, oracle), (better, _, _) = returns(0.4, spread=1.0), returns(0.8, spread=1.0)
    alike, unlike = np.stack([worse, worse, worse]), np.stack([worse, worse, better])
    for one, other in (
        (ratio(alike, nothing, oracle), ratio(unlike, nothing, oracle)),
        (
            interquartile(alike, nothing, oracle, parts(3)),
            interquartile(unlike, nothing, oracle, parts(3)),
        ),
    ):
        assert one is not None and other is not None
        assert other.high - other.low > 2.0 * (one.high - one.low)


def test_the_same_model_three_times_is_no_more_certain() -> None:
    mine, nothing, oracle = returns(0.6)
    once = interquartile(mine[None], nothing, oracle, parts(3))
    thrice = interquartile(np.stack([mine] * 3), nothing, oracle, parts(3))
    assert once is not None and thrice is not None
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.15)


def test_one_episode_gone_wrong_hardly_moves_the_interquartile_mean() -> None:
    mine, nothing, oracle = returns(0.6)
    spoiled = mine.copy()
    spoiled[0] -= 5000.0
    before, after = (
        interquartile(each[None], nothing, oracle, parts(3)) for each in (mine, spoiled)
    )
    assert before is not None and after is not None
    assert after.value == pytest.approx(before.value, abs=0.05)
    plain = ratio(spoiled[None], nothing, oracle)
    assert plain is not None and plain.value < 0.0


def test_no_score_where_there_is_nothing_to_gain_or_too_little_to_tell() -> None:
    mine, nothing, oracle = returns(0.6)
    assert ratio(mine[None], nothing, nothing) is None
    assert interquartile(mine[None], nothing, nothing, parts(3)) is None
    assert interquartile(mine[None], nothing, oracle, []) is None
    assert interquartile(mine[None], nothing, oracle, [np.arange(74), np.arange(74, 600)]) is None


def test_same_figures_again_whatever_was_drawn_before() -> None:
    mine, nothing, oracle = returns(0.6)
    one = interquartile(mine[None], nothing, oracle, parts(3))
    np.random.seed(9)
    kept = np.random.get_state()[1].copy()  # type: ignore[union-attr]
    assert interquartile(mine[None], nothing, oracle, parts(3)) == one
    assert (np.random.get_state()[1] == kept).all()  # and nobody else's dice were touched


def test_strata_part_the_sizes() -> None:
    assert [low for low, _ in STRATA[1:]] == [high + 1 for _, high in STRATA[:-1]]
    hosts = np.repeat([10, 16, 24, 50, 1000], [80, 80, 80, 80, 74])
    found = strata(hosts)
    assert list(found) == ["10-16", "24", "50"]  # too few of 1,000 hosts
    assert (found["24"] == np.arange(160, 240)).all()


def test_share_is_uncertain_where_none_is_set() -> None:
    assert share(np.zeros(500, dtype=np.bool_)) == pytest.approx((0.0, 0.0, 0.0076), abs=1e-4)
    value, low, high = share(np.arange(500) < 10)
    assert (value, low, high) == pytest.approx((0.02, 0.0109, 0.0364), abs=1e-4)
    assert share(np.zeros(0, dtype=np.bool_)) == (0.0, 0.0, 1.0)
