"""The learned policy: numpy computes what torch does, permuted entities permute the scores, and
each explanation adds up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.actions import Kind
from policies.columns import (
    CONTEXT_COLUMNS,
    ENTITY_COLUMNS,
    KIND,
    NATS,
    ORDERED,
    PENDING,
    TOTAL,
    VERBS,
)
from policies.network import (
    DEFAULT_MODEL,
    SILENT,
    SPEAKING,
    LearnedPolicy,
    model_hash,
    speaking,
)
from policies.observation import Observation
from policies.picture import Entity
from policies.policy import NOTHING, Verb, choose, meaning
from rl_env.agent import EntityNetwork, export

MOST = 60  # entities
SPACE = spaces.Dict(
    {
        "entities": spaces.Box(0.0, np.inf, (MOST, len(ENTITY_COLUMNS)), np.float32),
        "context": spaces.Box(0.0, np.inf, (len(CONTEXT_COLUMNS),), np.float32),
    }
)
MODELS = st.tuples(st.integers(0, 3), st.sampled_from([1, 8, 33]))  # seed and width
SIZES = st.integers(0, MOST)
SEEDS = st.integers(0, 2**31)
some = settings(max_examples=50)


@cache
def network(seed: int, hidden: int) -> EntityNetwork:
    """Random weights, none of them zero, and any caution."""
    torch.manual_seed(seed)
    made = EntityNetwork(SPACE, hidden=hidden)
    made.caution.copy_(torch.rand(len(Kind)) * 4.0)
    return made


@cache
def policy_of(seed: int, hidden: int) -> LearnedPolicy:
    """The same in numpy."""
    weights = {name: tensor.numpy() for name, tensor in network(seed, hidden).tensors().items()}
    return LearnedPolicy({"name": "test"}, weights, bytes(32))


def observation(n: int, seed: int, quiet: float = 0.4) -> Observation:
    """Random entities of each kind, of which about a share `quiet` is silent."""
    rng = np.random.default_rng(seed)
    entities = (rng.random((n, len(ENTITY_COLUMNS))) * 3.0).astype(np.float32)
    kinds = rng.integers(0, len(Kind), n)
    entities[:, KIND : KIND + len(Kind)] = np.eye(len(Kind))[kinds]
    for column in (ORDERED, PENDING):
        entities[:, column] = rng.random(n) < 0.2
    silent = rng.random(n) < quiet
    entities[silent, ORDERED] = entities[silent, PENDING] = 0.0
    entities[silent, TOTAL] = rng.random(silent.sum()) * SPEAKING * 0.99
    context = rng.random(len(CONTEXT_COLUMNS), dtype=np.float32)
    ids = tuple(Entity(Kind(kind), str(i)) for i, kind in enumerate(kinds))
    return Observation(entities, context, ids)


def by_verb(scores: np.ndarray) -> np.ndarray:
    """[..., 1 + VERBS * n] -> [..., VERBS, n]."""
    return scores[..., 1:].reshape(*scores.shape[:-1], VERBS, -1)


@pytest.fixture
def policy() -> LearnedPolicy:
    return policy_of(0, 8)


# ---------------------------------------------------------------- equal to torch


@some
@given(model=MODELS, n=SIZES, seed=SEEDS, quiet=st.sampled_from([0.0, 0.4, 1.0]))
def test_numpy_equals_torch(model: tuple[int, int], n: int, seed: int, quiet: float) -> None:
    seen = observation(n, seed, quiet)
    entities = np.zeros((1, MOST, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[0, :n] = seen.entities
    expected = torch_scores(model, entities, seen.context[None])[0]
    scores = policy_of(*model).scores(seen)
    assert scores.dtype == np.float32
    assert scores[NOTHING] == expected[NOTHING] == 0.0
    assert by_verb(scores) == pytest.approx(by_verb(expected)[:, :n], abs=1e-5)


@some
@given(model=MODELS, sizes=st.lists(SIZES, min_size=1, max_size=6), seed=SEEDS)
def test_numpy_equals_torch_in_batches_of_any_sizes(
    model: tuple[int, int], sizes: list[int], seed: int
) -> None:
    entities, context = ragged(sizes, seed)
    scores = policy_of(*model).scores_of_many(entities, context)
    assert scores == pytest.approx(torch_scores(model, entities, context), abs=1e-5)


@some
@given(model=MODELS, sizes=st.lists(SIZES, min_size=1, max_size=6), seed=SEEDS)
def test_a_batch_scores_as_its_parts_do(
    model: tuple[int, int], sizes: list[int], seed: int
) -> None:
    entities, context = ragged(sizes, seed)
    many = policy_of(*model).scores_of_many(entities, context)
    for i, scores in enumerate(many):
        rows = entities[i].any(axis=1)
        alone = policy_of(*model).scores(Observation(entities[i, rows], context[i], ()))
        assert by_verb(scores)[:, rows] == pytest.approx(by_verb(alone), abs=1e-5)
        assert (by_verb(scores)[:, ~rows] == SILENT).all()


def torch_scores(model: tuple[int, int], entities: np.ndarray, context: np.ndarray) -> np.ndarray:
    made = network(*model)
    with torch.no_grad():
        tensors = {"entities": torch.as_tensor(entities), "context": torch.as_tensor(context)}
        return made(tensors)[:, : made.choices].numpy()


def ragged(sizes: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A padded batch; entities lie anywhere among the rows."""
    rng = np.random.default_rng(seed)
    entities = np.zeros((len(sizes), MOST, len(ENTITY_COLUMNS)), dtype=np.float32)
    context = np.zeros((len(sizes), len(CONTEXT_COLUMNS)), dtype=np.float32)
    for i, n in enumerate(sizes):
        seen = observation(n, seed + i)
        entities[i, rng.permutation(MOST)[:n]] = seen.entities
        context[i] = seen.context
    return entities, context


# ---------------------------------------------------------------- any number, in any order


@pytest.mark.parametrize("n", [0, 1, 7, 1000])
def test_scores_any_number_of_entities(policy: LearnedPolicy, n: int) -> None:
    scores = policy.scores(observation(n, seed=n))
    assert scores.shape == (1 + VERBS * n,)
    assert np.isfinite(scores).all()


@some
@given(model=MODELS, n=SIZES, seed=SEEDS)
def test_permuting_entities_permutes_scores(model: tuple[int, int], n: int, seed: int) -> None:
    policy, seen = policy_of(*model), observation(n, seed)
    order = np.random.default_rng(seed).permutation(n)
    ids = tuple(seen.ids[i] for i in order)
    moved = policy.scores(Observation(seen.entities[order], seen.context, ids))
    assert by_verb(moved) == pytest.approx(by_verb(policy.scores(seen))[:, order], abs=1e-5)


@some
@given(model=MODELS, n=SIZES, more=SIZES, seed=SEEDS)
def test_silent_entities_change_nothing(
    model: tuple[int, int], n: int, more: int, seed: int
) -> None:
    policy, seen, others = policy_of(*model), observation(n, seed), observation(more, seed + 1, 1.0)
    both = np.concatenate([seen.entities, others.entities])
    scores = by_verb(policy.scores(Observation(both, seen.context, seen.ids + others.ids)))
    assert scores[:, :n] == pytest.approx(by_verb(policy.scores(seen)), abs=1e-5)
    assert (scores[:, n:] == SILENT).all()


@some
@given(model=MODELS, n=SIZES, seed=SEEDS)
def test_who_is_silent_scores_so_whatever_the_weights(
    model: tuple[int, int], n: int, seed: int
) -> None:
    seen = observation(n, seed)
    silent = ~speaking(seen.entities)
    scores = by_verb(policy_of(*model).scores(seen))
    assert (scores[:, silent] == SILENT).all()
    assert (scores[:, ~silent] != SILENT).all()


@pytest.mark.parametrize(
    ("column", "value", "speaks"),
    [
        (TOTAL, SPEAKING, True),
        (TOTAL, SPEAKING * 0.999, False),
        (ORDERED, 1.0, True),
        (PENDING, 1.0, True),
        (ENTITY_COLUMNS.index("criticality"), 9.0, False),
    ],
)
def test_who_is_looked_at(column: int, value: float, speaks: bool) -> None:
    entity = np.zeros((1, len(ENTITY_COLUMNS)), dtype=np.float32)
    entity[0, column] = value
    assert not speaking(entity)[0]  # nobody is there
    entity[0, KIND + Kind.REVOKE] = 1.0
    assert speaking(entity)[0] == speaks


def test_entities_look_at_each_other(policy: LearnedPolicy) -> None:
    seen = observation(6, seed=1, quiet=0.0)
    less = Observation(seen.entities[:5], seen.context, seen.ids[:5])
    moved = by_verb(policy.scores(seen))[:, :5] - by_verb(policy.scores(less))
    assert (np.abs(moved) > 1e-4).any()


# ---------------------------------------------------------------- explanations


@some
@given(model=MODELS, n=st.integers(1, 12), seed=SEEDS, data=st.data())
def test_an_explanation_adds_up(
    model: tuple[int, int], n: int, seed: int, data: st.DataObject
) -> None:
    policy, seen = policy_of(*model), observation(n, seed)
    index = data.draw(st.integers(1, VERBS * n))
    scores = policy.scores(seen)
    why = policy.explain(seen, index, np.ones(1 + VERBS * n, dtype=np.bool_))
    assert why.gain == pytest.approx(scores[index], abs=1e-5)
    verb, row = meaning(index, n)
    if not speaking(seen.entities)[row]:
        assert (why.gain, why.chance, why.gain_if_right, why.gain_if_wrong) == (SILENT, 0, 0, 0)
        return
    assert 0.0 < why.chance < 1.0
    caution = network(*model).caution[seen.ids[row].kind].item() if verb is Verb.ORDER else 1.0
    expected = why.chance * why.gain_if_right + (1 - why.chance) * caution * why.gain_if_wrong
    assert why.gain == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("index", "row"), [(3, 2), (9, 2), (12, 5)])
def test_an_explanation_is_exact_occlusion(policy: LearnedPolicy, index: int, row: int) -> None:
    seen = observation(6, seed=3, quiet=0.0)
    why = policy.explain(seen, index, np.ones(13, dtype=np.bool_), top=len(ENTITY_COLUMNS))
    assert len(why.columns) == np.count_nonzero(seen.entities[row])
    sizes = [abs(moved) for _, _, moved in why.columns]
    assert sizes == sorted(sizes, reverse=True)
    for name, value, moved in why.columns:
        entities = seen.entities.copy()
        column = ENTITY_COLUMNS.index(name)
        assert value == entities[row, column]
        entities[row, column] = 0.0
        without = policy.scores(Observation(entities, seen.context, seen.ids))
        assert moved == pytest.approx(why.gain - without[index], abs=1e-4)


@pytest.mark.parametrize("permitted", [range(13), range(7), (0, 2, 5, 11), (0,)])
def test_the_runner_up_is_the_best_other_permitted_choice(
    policy: LearnedPolicy, permitted: Iterable[int]
) -> None:
    seen, mask = observation(6, seed=0, quiet=0.0), np.zeros(13, dtype=np.bool_)
    mask[list(permitted)] = True
    scores = policy.scores(seen)
    why = policy.explain(seen, 5, mask)
    assert why.runner_up == max((i for i in permitted if i != 5), key=lambda i: scores[i])
    assert why.runner_up_gain == pytest.approx(scores[why.runner_up], abs=1e-5)


@pytest.mark.parametrize("index", [0, 13, -1])
def test_an_explanation_needs_an_entity(policy: LearnedPolicy, index: int) -> None:
    with pytest.raises(IndexError):
        policy.explain(observation(6, seed=0), index, np.ones(13, dtype=np.bool_))


# ---------------------------------------------------------------- files, where all is well


def test_what_is_exported_computes_the_same_and_is_known_by_its_hash(tmp_path: Path) -> None:
    manifest = export(network(0, 8), tmp_path, "mine", {"training": {"seed": 0}})
    loaded, seen = LearnedPolicy.load(tmp_path), observation(9, seed=0)
    assert (loaded.name, loaded.manifest) == ("mine", manifest)
    assert loaded.hash == model_hash(manifest, (tmp_path / "model.safetensors").read_bytes())
    assert np.array_equal(loaded.scores(seen), policy_of(0, 8).scores(seen))


def test_the_hash_changes_with_claims_and_weights_but_not_with_layout(tmp_path: Path) -> None:
    hashes = set()
    for folder, seed, facts in (("a", 0, {}), ("b", 0, {"evaluation": {"x": 1}}), ("c", 1, {})):
        export(network(seed, 8), tmp_path / folder, "mine", facts)
        hashes.add(LearnedPolicy.load(tmp_path / folder).hash)
    assert len(hashes) == 3
    path = tmp_path / "a" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())), "utf-8")
    assert LearnedPolicy.load(tmp_path / "a").hash in hashes


# ---------------------------------------------------------------- the shipped model


@pytest.fixture(scope="module")
def shipped() -> LearnedPolicy:
    """What is in policies/models/default."""
    return LearnedPolicy.load(DEFAULT_MODEL)


def test_shipped_model_does_nothing_about_a_little_noise(shipped: LearnedPolicy) -> None:
    entities = np.zeros((10, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[:, ENTITY_COLUMNS.index("is_asset")] = 1.0
    for column in ("evidence_unknown", "evidence_total", "zone_max", "site_max"):
        entities[:, ENTITY_COLUMNS.index(column)] = 8.0 / NATS
    context = np.zeros(len(CONTEXT_COLUMNS), dtype=np.float32)
    context[CONTEXT_COLUMNS.index("learned")] = 1.0
    ids = tuple(Entity(Kind.ISOLATE, str(i)) for i in range(10))
    scores = shipped.scores(Observation(entities, context, ids))
    assert (scores[1:] > SILENT).all()
    assert choose(scores, np.arange(21) <= 10) == 0


def test_card_and_manifest_tell_the_same_figures(shipped: LearnedPolicy) -> None:
    card = (DEFAULT_MODEL / "card.md").read_text(encoding="utf-8")
    for name, values in shipped.manifest["evaluation"]["policies"].items():
        assert f"| {name} | {values['mean_return']:.1f} [" in card


def test_shipped_model_is_better_than_the_playbook(shipped: LearnedPolicy) -> None:
    """Without overlap of the intervals, seldom wrong, and without asking much of people."""
    evaluation = shipped.manifest["evaluation"]
    assert evaluation["episodes"] >= 1000
    figures = evaluation["policies"]
    learned, playbook = figures[shipped.name], figures["playbook"]
    assert learned["interval"][0] > playbook["interval"][1]
    assert learned["score_interval"][0] > playbook["score_interval"][1]
    assert learned["attack_free_false_isolations"] < 0.01
    assert learned["approvals_per_incident"] <= 3
