"""Moments, lessons, and what choices gain when they are played out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from policies.columns import KIND, VERBS
from policies.network import LearnedPolicy, speaking
from policies.policy import NOTHING, Verb
from rl_env.agent import EntityNetwork
from rl_env.env import space_of
from rl_env.fitting import fit_chances, fit_gains
from rl_env.moments import Moments, glance
from rl_env.oracle import worths
from rl_env.rollouts import explore
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.teacher import lessons


def scenario(**episode: object) -> Scenario:
    return Scenario.from_mapping(
        {"network": {"hosts": 16}, "episode": {"minutes": 30, "kinds": {"attacked": 1}, **episode}}
    )


SHORT = scenario()


def policy(network: EntityNetwork) -> LearnedPolicy:
    weights = {name: tensor.numpy() for name, tensor in network.tensors().items()}
    return LearnedPolicy({"name": "test"}, weights, bytes(32))


@pytest.fixture
def network() -> EntityNetwork:
    torch.manual_seed(0)
    network = EntityNetwork(space_of(Simulation(SHORT, 1)), hidden=16)
    network.hesitate()
    return network


@pytest.fixture(scope="module")
def lesson() -> Moments:
    return lessons(SHORT, 4000, 500)


def same(one: Moments, other: Moments) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("rows", "right", "begins", "context", "tried", "gains")
    )


# ---------------------------------------------------------------- moments


def test_a_moment_is_what_the_simulation_shows() -> None:
    simulation = Simulation(SHORT, 8)
    simulation.seed(3)
    simulation.reset()
    for _ in range(20):
        simulation.step(np.zeros(8, dtype=np.int64))
    which = np.array([5, 2])
    entities = simulation.entities[which]
    sample, row = speaking(entities).nonzero()
    choices = np.array([[1 + row[0], NOTHING], [NOTHING, 1 + simulation.rows + row[-1]]])
    seen = glance(simulation, which, choices)
    assert np.array_equal(seen.rows, entities[sample, row])
    assert np.array_equal(np.diff(seen.begins), np.bincount(sample, minlength=2))
    right = worths(simulation)[which].reshape(2, VERBS, -1) > 0.0
    assert np.array_equal(seen.right, right[sample, :, row])
    assert seen.tried.tolist() == [
        [Verb.ORDER, -1],
        [-1, VERBS * (len(row) - 1) + Verb.RELEASE],
    ]


def test_some_of_all_are_the_same_moments(lesson: Moments) -> None:
    which = np.array([7, 0, 7, len(lesson) - 1])
    some = lesson.some(which)
    assert len(some) == 4
    for place, number in enumerate(which):
        its = slice(*lesson.begins[number : number + 2])
        assert np.array_equal(some.rows[slice(*some.begins[place : place + 2])], lesson.rows[its])
        assert np.array_equal(some.context[place], lesson.context[number])
    assert same(Moments.joined([some, lesson]).some(np.arange(4)), some)


# ---------------------------------------------------------------- lessons


def test_lessons_say_what_is_right(lesson: Moments) -> None:
    assert len(lesson) >= 4000
    orders, releases = lesson.right[:, Verb.ORDER], lesson.right[:, Verb.RELEASE]
    assert orders.any() and releases.any()
    assert not (orders & releases).any()
    assert (lesson.tried == -1).all()


def test_lessons_follow_from_their_seed(lesson: Moments) -> None:
    assert same(lessons(SHORT, 4000, 500), lesson)
    assert not same(lessons(SHORT, 4000, 501), lesson)


def test_the_taught_tell_right_from_wrong(network: EntityNetwork, lesson: Moments) -> None:
    """On episodes that were not in their lessons."""
    fit_chances(network, lessons(SHORT, 20_000, 7), passes=16.0, rate=5e-3, seed=0)
    counts = torch.as_tensor(np.diff(lesson.begins))
    sample = torch.repeat_interleave(torch.arange(len(counts)), counts)
    with torch.no_grad():
        outcomes, _ = network.outcomes(
            torch.as_tensor(lesson.rows), sample, torch.as_tensor(lesson.context)
        )
    logits, right = outcomes[:, Verb.ORDER, 0].numpy(), lesson.right[:, Verb.ORDER]
    apart = logits[right].mean() - logits[~right].mean()
    assert apart > 2.0 * logits[~right].std()


# ---------------------------------------------------------------- rollouts


def test_explored_moments_follow_from_their_seed(network: EntityNetwork) -> None:
    one, two, other = (explore(SHORT, policy(network), 60, seed) for seed in (3, 3, 4))
    assert same(one, two)
    assert not same(one, other)


def test_all_moments_are_played_out(network: EntityNetwork) -> None:
    found = explore(SHORT, policy(network), 100, 1)
    assert len(found) >= 100
    assert (found.tried[:, 0] >= 0).all()
    assert (found.gains[found.tried < 0] == 0.0).all()
    assert found.gains.any()


def test_gains_are_learned_without_touching_chances(network: EntityNetwork) -> None:
    found = explore(SHORT, policy(network), 400, 1)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    losses = [fit_gains(network, found, passes=20.0, rate=5e-3, seed=k) for k in range(2)]
    assert losses[1] < losses[0]
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]) != name.startswith("gains")


def test_in_quiet_times_no_order_gains(network: EntityNetwork) -> None:
    """Where nothing is attacked, whatever is done costs, to a policy that else does nothing."""
    with torch.no_grad():
        network.chance[1].bias[:] = -4.0
    quiet = scenario(kinds={"quiet": 1}, minutes=60)
    found = explore(quiet, policy(network), 300, 2)
    places = found.tried[found.tried >= 0]
    orders = places % VERBS == Verb.ORDER
    assert not found.right.ravel()[places[orders]].any()
    gains = found.gains[found.tried >= 0][orders]
    assert gains.mean() < -0.5
    assert (gains <= 0.0).all()


def test_containing_what_is_taken_over_gains(network: EntityNetwork) -> None:
    found = explore(scenario(minutes=90), policy(network), 1500, 2)
    places = found.tried[found.tried >= 0]
    right = found.right.ravel()[places]
    isolations = found.rows[places // VERBS, KIND + 1] > 0
    orders = (places % VERBS == Verb.ORDER) & isolations
    gains = found.gains[found.tried >= 0]
    assert gains[orders & right].mean() > gains[orders & ~right].mean() + 2.0
