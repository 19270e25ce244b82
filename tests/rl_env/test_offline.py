"""What is learned from data sets is what they say, within what was permitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from click.testing import CliRunner

minari = pytest.importorskip("minari", reason="minari is not installed: it comes with the extra")
pytest.importorskip("torchrl", reason="torchrl is not installed: it comes with the extra")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from policies.actions import Kind  # noqa: E402
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, KIND, TOTAL, VERBS  # noqa: E402
from policies.network import LearnedPolicy  # noqa: E402
from rl_env.agent import EntityNetwork, export  # noqa: E402
from rl_env.dataset import DatasetError, player_called, record  # noqa: E402
from rl_env.decisions import Decisions, load, spread  # noqa: E402
from rl_env.offline import (  # noqa: E402
    Method,
    OfflineConfig,
    ahead_of,
    held_back,
    learn,
    objective_of,
    transitions,
    wanted,
)
from rl_env.offline_commands import train_offline  # noqa: E402
from rl_env.offline_model import agreement  # noqa: E402
from rl_env.playing import Chance  # noqa: E402


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets of a test are its own."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "short.yaml"
    path.write_text("network: {hosts: 16}\nepisode: {minutes: 25, warm_up: 5}\n")
    return str(path)


def moments(count: int, seed: int, relative: bool = False) -> Decisions:
    """Episodes of one minute on two hosts, of which one at most has much evidence against it. The
    record acts on either by the toss of a coin; it is right to act on much evidence alone.
    """
    rng = np.random.default_rng(seed)
    entities = np.zeros((2 * count, 2, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[:, :, KIND + Kind.ISOLATE] = 1.0
    entities[:, :, TOTAL] = rng.uniform(0.2, 0.6, (2 * count, 2))
    guilty = rng.integers(0, 3, 2 * count)  # 0: neither
    entities[guilty > 0, guilty[guilty > 0] - 1, TOTAL] += 1.0
    open_ = np.zeros((2 * count, 1 + 2 * VERBS), dtype=np.bool_)
    open_[:, :3] = True  # no release
    at = 2 * np.arange(count)
    choice = rng.integers(0, 3, count)
    reward = np.where(choice == 0, 0.0, np.where(choice == guilty[at], 2.0, -3.0))
    return Decisions(
        entities=entities,
        context=rng.random((2 * count, len(CONTEXT_COLUMNS)), dtype=np.float32),
        open=open_,
        at=at,
        choice=choice,
        reward=reward,
        over=np.ones(count, dtype=np.bool_),
        episode=np.arange(count),
        relative=relative,
    )


def rightly(decisions: Decisions) -> np.ndarray:
    """What is right in each moment of `moments`."""
    strong = decisions.entities[decisions.at][:, :, TOTAL] > 0.9
    return np.where(strong.any(axis=1), 1 + strong.argmax(axis=1), 0)


def chosen(network: EntityNetwork, decisions: Decisions) -> np.ndarray:
    seen = {
        "entities": torch.as_tensor(decisions.entities[decisions.at]),
        "context": torch.as_tensor(decisions.context[decisions.at]),
    }
    with torch.no_grad():
        scores = network(seen)[:, : network.choices].numpy()
    return np.where(decisions.open[decisions.at], scores, -np.inf).argmax(axis=1)


def brief(method: Method, **changes: float) -> OfflineConfig:
    return OfflineConfig(**{"method": method, "updates": 300, "hidden": 16, **changes})


# ---------------------------------------------------------------- what was recorded


def test_decisions_are_those_of_the_data_set(scenario: str) -> None:
    record("test/chance-v0", Chance(), scenario, episodes=6, seed=7)
    found, [data] = load(["test/chance-v0"])
    acted = decided = 0
    for number, episode in enumerate(data.iterate_episodes()):
        for t, action in enumerate(episode.actions):
            state, choice = found.at[decided], found.choice[decided]
            entities, mask = episode.observations["entities"][t], episode.infos["action_mask"][t]
            kept = [r for r in range(len(entities)) if entities[r].any() and entities[r, TOTAL] > 0]
            rows = [r for r in range(found.rows) if found.entities[state, r].any()]
            assert len(rows) <= len(kept)
            if choice > 0:
                verb, row = divmod(int(choice) - 1, found.rows)
                was, whole = divmod(int(action) - 1, len(entities))
                assert verb == was
                assert np.array_equal(found.entities[state, row], entities[whole])
                assert found.open[state, choice] and mask[action]
                acted += 1
            elif choice == 0:
                assert action == 0
            assert np.array_equal(found.context[state], episode.observations["context"][t])
            assert found.reward[decided] == pytest.approx(episode.rewards[t])
            assert found.over[decided] == episode.terminations[t]
            assert found.episode[decided] == number
            decided += 1
    assert acted and decided == len(found.at)
    assert len(found.context) == decided + 6


def test_a_network_scores_the_whole_site_as_what_was_kept_of_it(
    scenario: str, tmp_path: Path
) -> None:
    record("test/chance-v0", Chance(), scenario, episodes=4, seed=7)
    found, [data] = load(["test/chance-v0"])
    network = learn(found, brief("bc", updates=20))
    export(network, tmp_path / "model", "model", {})
    policy = LearnedPolicy.load(tmp_path / "model")
    whole = next(iter(data.iterate_episodes())).observations
    scores = policy.scores_of_many(whole["entities"], whole["context"])
    with torch.no_grad():
        kept = {k: torch.as_tensor(getattr(found, k)[: len(scores)]) for k in whole}
        own = network(kept)[:, : network.choices].numpy()
    compared = 0
    for t, row in np.argwhere(found.entities[: len(scores)].any(axis=2)):
        same = (whole["entities"][t] == found.entities[t, row]).all(axis=1)
        for place in np.flatnonzero(same):
            assert scores[t, 1 + place] == pytest.approx(own[t, 1 + row], abs=1e-4)
            compared += 1
    assert compared


def test_choices_keep_their_meaning_among_more() -> None:
    assert spread(np.array([-1, 0, 1, 3, 4, 6]), 3, 5).tolist() == [-1, 0, 1, 3, 6, 8]


def test_data_of_another_observation_version_is_refused(scenario: str) -> None:
    made = record("test/old-v0", Chance(), scenario, 1, 1)
    made.storage.update_metadata({"observation_version": 1})
    with pytest.raises(DatasetError, match="version 1"):
        load(["test/old-v0"])


def test_operation_and_simulator_are_not_mixed(scenario: str) -> None:
    for name in ("test/one-v0", "test/other-v0"):
        made = record(name, Chance(), scenario, 1, 1)
    made.storage.update_metadata({"relative": True})
    with pytest.raises(DatasetError, match="of one kind"):
        load(["test/one-v0", "test/other-v0"])


def test_data_that_is_not_there_is_said_so() -> None:
    with pytest.raises(DatasetError, match="test/none-v0"):
        load(["test/none-v0"])


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("method", ["bc", "cql"])
def test_same_seed_same_weights(method: Literal["bc", "cql"]) -> None:
    data = moments(200, seed=0)
    first, again, other = (
        learn(data, brief(method, updates=30, seed=seed)).tensors() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_cloning_learns_what_the_record_does() -> None:
    data, held = moments(600, seed=1), moments(200, seed=2)
    taught = Decisions(**{**vars_of(data), "choice": rightly(data)})
    judged = Decisions(**{**vars_of(held), "choice": rightly(held)})
    network = learn(taught, brief("bc"))
    found = agreement(network, judged)
    assert found.decisions == 200
    assert found.acting is not None and found.acting > 0.9
    assert found.waiting is not None and found.waiting > 0.9


@pytest.mark.parametrize("relative", [False, True])
def test_q_learning_tells_right_from_wrong_where_the_record_does_not(relative: bool) -> None:
    data, held = moments(2000, seed=1, relative=relative), moments(300, seed=2)
    if relative:  # operation records what was proposed alone
        data = data.of(data.choice > 0)
    network = learn(data, brief("cql", learning_rate=0.01))
    assert (chosen(network, held) == rightly(held)).mean() > 0.9
    if not relative:
        cloned = learn(data, brief("bc"))
        assert (chosen(cloned, held) == rightly(held)).mean() < 0.7


def test_a_verdict_against_a_choice_speaks_for_doing_nothing() -> None:
    data = moments(50, seed=3, relative=True)
    assert np.array_equal(wanted(data), np.where(data.reward > 0, data.choice, 0))
    assert np.array_equal(wanted(moments(50, seed=3)), data.choice)


class _Told(nn.Module):
    """Values as they stand in the context's first columns, plus a weight to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, entities: Tensor, context: Tensor) -> Tensor:
        return context[:, :5] + self.shift


def test_what_is_not_permitted_counts_nowhere() -> None:
    data = moments(1, seed=0)
    data.context[0, :5], data.context[1, :5] = (1.0, 2.0, 3.0, 99.0, 99.0), (4.0, 5.0, 99.0, 0, 0)
    data.open[1, 2] = data.open[1, 3] = data.open[1, 4] = False
    data.choice[0], data.reward[0], data.over[0] = 1, 7.0, False
    objective, _ = objective_of(_Told(), 5, gamma=0.5, drift=0.01)
    losses = objective(transitions(data, ahead_of(data, 0.5, 1), np.array([0])))
    assert losses["loss_cql"].item() == pytest.approx(np.log(np.exp([1, 2, 3]).sum()) - 2.0)
    assert losses["loss_qvalue"].item() == pytest.approx(0.5 * (2.0 - (7.0 + 0.5 * 5.0)) ** 2)


def test_rewards_ahead_end_with_the_episode() -> None:
    data = moments(5, seed=0)
    at = np.array([0, 1, 2, 4, 5])  # an episode of three decisions, then one of two
    episode = np.array([0, 0, 0, 1, 1])
    over = np.array([False, False, False, False, True])
    reward = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    changed = {"at": at, "episode": episode, "over": over, "reward": reward}
    ahead = ahead_of(Decisions(**{**vars_of(data), **changed}), gamma=0.5, steps=2)
    assert ahead.reward.tolist() == [2.0, 4.0, 4.0, 16.0, 16.0]
    assert ahead.minutes.tolist() == [2, 2, 1, 2, 1]
    assert ahead.over.tolist() == [False, False, False, True, True]


def test_every_tenth_episode_is_held_back() -> None:
    known, held = held_back(moments(100, seed=0))
    assert set(held.episode) == set(range(9, 100, 10))
    assert len(known.at) == 90


def test_a_method_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="bc, cql"):
        OfflineConfig(method="sarsa")  # type: ignore[arg-type]


def vars_of(decisions: Decisions) -> dict[str, object]:
    return {name: getattr(decisions, name) for name in Decisions.__dataclass_fields__}


# ---------------------------------------------------------------- the command


def test_the_command_writes_a_model_that_plays(scenario: str, tmp_path: Path) -> None:
    record("test/played-v0", player_called("playbook"), scenario, 10, 1)
    arguments = ["--dataset", "test/played-v0", "--method", "cql", "--updates", "20"]
    arguments += ["--episodes", "64", "--out", str(tmp_path), "--name", "tried", "--json"]
    done = CliRunner().invoke(train_offline, arguments)
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    policy = LearnedPolicy.load(tmp_path / "tried")
    assert policy.manifest["training"]["datasets"] == ["test/played-v0"]
    assert policy.manifest["training"]["method"] == "cql"
    assert facts["policies"].keys() == policy.manifest["evaluation"]["policies"].keys()
    assert {"nothing", "tried", "oracle"} <= facts["policies"].keys()
    assert (
        facts["agreement"]["decisions"] == policy.manifest["evaluation"]["agreement"]["decisions"]
    )
    assert "conservative Q-learning" in (tmp_path / "tried" / "card.md").read_text()


def test_the_command_says_what_is_wrong() -> None:
    done = CliRunner().invoke(train_offline, ["--dataset", "test/none-v0"])
    assert done.exit_code == 1
    assert "no data set test/none-v0" in done.output
