"""The learned policy: equal under permutation, and strict about its files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, OBSERVATION_VERSION
from policies.network import DEFAULT_MODEL, FORMAT, LearnedPolicy, ModelError, tensor_shapes
from policies.observation import Observation
from policies.picture import Entity
from policies.policy import choose

HIDDEN = 8


def observation(n: int, seed: int = 0) -> Observation:
    rng = np.random.default_rng(seed)
    return Observation(
        rng.random((n, len(ENTITY_COLUMNS)), dtype=np.float32),
        rng.random(len(CONTEXT_COLUMNS), dtype=np.float32),
        tuple(Entity(Kind.ISOLATE, str(i)) for i in range(n)),
    )


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {k: rng.normal(0, 0.5, s).astype(np.float32) for k, s in tensor_shapes(HIDDEN).items()}


def write(folder: Path, tensors: dict[str, np.ndarray], **changes: Any) -> Path:
    data = safetensors.numpy.save(tensors)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": "test",
        "observation_version": OBSERVATION_VERSION,
        "entity_columns": list(ENTITY_COLUMNS),
        "context_columns": list(CONTEXT_COLUMNS),
        "architecture": {"hidden": HIDDEN},
        "weights_sha256": hashlib.sha256(data).hexdigest(),
    }
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest | changes), encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "model", weights())


@pytest.fixture
def policy(folder: Path) -> LearnedPolicy:
    return LearnedPolicy.load(folder)


@pytest.mark.parametrize("n", [0, 1, 7, 300])
def test_scores_any_number_of_entities(policy: LearnedPolicy, n: int) -> None:
    scores = policy.scores(observation(n))
    assert scores.shape == (1 + 2 * n,)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("seed", range(5))
def test_permuting_entities_permutes_scores(policy: LearnedPolicy, seed: int) -> None:
    seen = observation(12, seed)
    order = np.random.default_rng(seed).permutation(12)
    shuffled = Observation(seen.entities[order], seen.context, tuple(seen.ids[i] for i in order))
    scores, moved = policy.scores(seen), policy.scores(shuffled)
    assert moved[0] == pytest.approx(scores[0], abs=1e-5)
    for first in (1, 13):
        permuted = scores[first : first + 12][order]
        assert moved[first : first + 12] == pytest.approx(permuted, abs=1e-5)


def test_the_second_half_of_the_scores_is_of_releases(folder: Path, policy: LearnedPolicy) -> None:
    seen, changed = observation(5), weights()
    before = policy.scores(seen)
    changed["entity.1.bias"] += np.array([0.0, 10.0], dtype=np.float32)
    moved = LearnedPolicy.load(write(folder, changed)).scores(seen) - before
    assert moved == pytest.approx([0.0] * 6 + [10.0] * 5, abs=1e-4)


@pytest.mark.parametrize(("index", "row"), [(3, 2), (9, 2), (12, 5)])
def test_explanation_is_exact_occlusion(policy: LearnedPolicy, index: int, row: int) -> None:
    seen = observation(6)
    scores = policy.scores(seen)
    why = policy.explain(seen, index, np.ones(13, dtype=np.bool_), top=len(ENTITY_COLUMNS))
    assert why.lead == pytest.approx(scores[index] - scores[0], abs=1e-5)
    sizes = [abs(moved) for _, _, moved in why.columns]
    assert sizes == sorted(sizes, reverse=True)
    for name, value, moved in why.columns:
        entities = seen.entities.copy()
        column = ENTITY_COLUMNS.index(name)
        assert value == entities[row, column]
        entities[row, column] = 0.0
        without = policy.scores(Observation(entities, seen.context, seen.ids))
        assert moved == pytest.approx(why.lead - (without[index] - without[0]), abs=1e-4)


@pytest.mark.parametrize("permitted", [range(13), range(7), (0, 2, 5, 11), (0,)])
def test_the_runner_up_is_the_best_other_permitted_choice(
    policy: LearnedPolicy, permitted: Iterable[int]
) -> None:
    seen, mask = observation(6), np.zeros(13, dtype=np.bool_)
    mask[list(permitted)] = True
    scores = policy.scores(seen)
    why = policy.explain(seen, 5, mask)
    others = [i for i in permitted if i != 5]
    assert why.runner_up == max(others, key=lambda i: scores[i])
    assert why.runner_up_lead == pytest.approx(scores[why.runner_up] - scores[0], abs=1e-5)


@pytest.mark.parametrize("index", [0, 13, -1])
def test_explanation_needs_an_entity(policy: LearnedPolicy, index: int) -> None:
    with pytest.raises(IndexError):
        policy.explain(observation(6), index, np.ones(13, dtype=np.bool_))


def test_hash_is_over_manifest_and_weights(folder: Path, policy: LearnedPolicy) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    data = (folder / "model.safetensors").read_bytes()
    assert policy.hash == hashlib.sha256(canonical.encode() + b"\n" + data).digest()


def test_hash_changes_with_claims_and_with_weights_but_not_with_layout(tmp_path: Path) -> None:
    base = LearnedPolicy.load(write(tmp_path / "a", weights())).hash
    claims = LearnedPolicy.load(write(tmp_path / "b", weights(), evaluation={"x": 1})).hash
    other = LearnedPolicy.load(write(tmp_path / "c", weights(1))).hash
    assert len({base, claims, other}) == 3
    path = tmp_path / "a" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4))
    assert LearnedPolicy.load(tmp_path / "a").hash == base


def test_same_observation_same_scores_after_reload(folder: Path) -> None:
    one, two = LearnedPolicy.load(folder), LearnedPolicy.load(folder)
    assert np.array_equal(one.scores(observation(9)), two.scores(observation(9)))


def spoil(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return apply


def remake(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: write(folder, weights(), **changes) and None


def tensors(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        changed = weights()
        change(changed)
        write(folder, changed)

    return apply


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "cannot read"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "cannot read"),
    "a flipped bit": (spoil("model.safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1])), "SHA-256"),
    "truncated": (spoil("model.safetensors", lambda b: b[:-7]), "SHA-256"),
    "oversized": (spoil("model.safetensors", lambda b: b + bytes(1 << 26)), "larger than"),
    "oversized manifest": (spoil("manifest.json", lambda b: b + b" " * (1 << 20)), "larger than"),
    "not JSON": (spoil("manifest.json", lambda b: b"{"), "not valid JSON"),
    "deep JSON": (spoil("manifest.json", lambda b: b"[" * 100_000), "not valid JSON"),
    "not UTF-8": (spoil("manifest.json", lambda b: b'{"a": "\xff"}'), "not valid JSON"),
    "a list": (spoil("manifest.json", lambda b: b"[]"), "expected an object"),
    "other format": (remake(format="pickle"), "format is 'pickle'"),
    "one verb": (remake(format="countersign-entity-policy-1"), "this version needs 'counter.*-2'"),
    "other observation": (remake(observation_version=99), "observation_version is 99"),
    "other columns": (remake(entity_columns=["x"]), "entity_columns"),
    "no name": (remake(name=None), "name is missing"),
    "absurd size": (remake(architecture={"hidden": 10**9}), "architecture.hidden"),
    "size is true": (remake(architecture={"hidden": True}), "architecture.hidden"),
    "other size": (remake(architecture={"hidden": 9}), "must be finite"),
    "scores of one verb": (
        tensors(lambda t: t.update({"entity.1.bias": np.zeros(1, np.float32)})),
        "must be finite float32",
    ),
    "missing tensor": (tensors(lambda t: t.pop("entity.0.bias")), "tensors"),
    "extra tensor": (tensors(lambda t: t.update(x=np.zeros(1, np.float32))), "tensors"),
    "not a number": (tensors(lambda t: t["entity.0.bias"].fill(np.nan)), "must be finite"),
    "doubles": (
        tensors(lambda t: t.update({"entity.0.bias": np.zeros(HIDDEN)})),
        "must be finite float32",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_model_is_refused_with_its_file(folder: Path, case: str) -> None:
    spoiling, complaint = SPOILED[case]
    spoiling(folder)
    with pytest.raises(ModelError, match=complaint) as caught:
        LearnedPolicy.load(folder)
    assert str(folder) in str(caught.value)


def test_weights_that_are_no_safetensors_are_refused(folder: Path) -> None:
    data = b"\x80\x04pickle"
    (folder / "model.safetensors").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["weights_sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="not a safetensors file"):
        LearnedPolicy.load(folder)


def test_model_for_another_observation_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="this version needs 3"):
        LearnedPolicy.load(folder, observation_version=3)


@pytest.fixture(scope="module")
def shipped() -> LearnedPolicy:
    """What is in policies/models/default."""
    return LearnedPolicy.load(DEFAULT_MODEL)


def test_shipped_model_does_nothing_where_nothing_happens(shipped: LearnedPolicy) -> None:
    entities = np.zeros((10, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[:, ENTITY_COLUMNS.index("is_asset")] = 1.0
    context = np.zeros(len(CONTEXT_COLUMNS), dtype=np.float32)
    context[CONTEXT_COLUMNS.index("learned")] = 1.0
    ids = tuple(Entity(Kind.ISOLATE, str(i)) for i in range(10))
    scores = shipped.scores(Observation(entities, context, ids))
    assert choose(scores, np.arange(21) <= 10) == 0


def test_card_and_manifest_tell_the_same_figures(shipped: LearnedPolicy) -> None:
    card = (DEFAULT_MODEL / "card.md").read_text(encoding="utf-8")
    for name, values in shipped.manifest["evaluation"]["policies"].items():
        assert f"| {name} | {values['mean_return']:.1f} [" in card


def test_shipped_model_beats_nothing_and_playbook(shipped: LearnedPolicy) -> None:
    evaluation = shipped.manifest["evaluation"]
    assert evaluation["episodes"] >= 100
    figures = evaluation["policies"]
    for other in ("nothing", "playbook"):
        lead = figures[shipped.name]["mean_return"] - figures[other]["mean_return"]
        assert lead > math.hypot(_half(figures[shipped.name]), _half(figures[other]))


def _half(figure: dict[str, Any]) -> float:
    """Half of the interval of 95 %: of a difference, the hypotenuse of both."""
    low, high = figure["interval"]
    return float(high - low) / 2.0
