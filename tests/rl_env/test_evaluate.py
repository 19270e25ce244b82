"""Every policy plays the same held-out episodes, and the intervals say how sure the figures are."""

from __future__ import annotations

import numpy as np
import pytest

from policies.policy import DoNothing
from rl_env.env import CountersignEnv
from rl_env.evaluate import HELD_OUT, RandomPolicy, bootstrap, evaluate, play, table


def test_same_seed_same_result() -> None:
    one, other = (play(CountersignEnv(), RandomPolicy(3), HELD_OUT) for _ in range(2))
    assert one == other


def test_doing_nothing_asks_and_isolates_nothing() -> None:
    summary = evaluate(DoNothing(), 6)
    assert summary.proposals == summary.approvals_asked == summary.false_isolations == 0.0
    assert summary.contained == 0.0
    assert summary.mean_return <= 0.0


def test_acting_at_random_isolates_the_innocent() -> None:
    summary = evaluate(RandomPolicy(), 6)
    assert summary.false_isolations > 0.5
    assert summary.mean_return < evaluate(DoNothing(), 6).mean_return


def test_bootstrap_interval_covers_the_mean_and_shrinks() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2.0 / 20, rel=0.2)
    few = bootstrap(values[:25])
    assert few[1] - few[0] > 2 * (high - low)


def test_table_has_a_line_per_policy() -> None:
    lines = table([evaluate(DoNothing(), 2)]).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| nothing | ")
