"""A model as an ONNX graph scores as the model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from gymnasium import spaces

from policies.actions import Kind
from policies.columns import (
    CONTEXT_COLUMNS,
    ENTITY_COLUMNS,
    KIND,
    OBSERVATION_VERSION,
    ORDERED,
    PENDING,
    TOTAL,
)
from policies.network import SPEAKING, LearnedPolicy, speaking
from policies.observation import Observation
from rl_env.agent import EntityNetwork
from rl_env.agent import export as write_model
from rl_env.exchange import export, graph_of

SPACE = spaces.Dict(
    {
        "entities": spaces.Box(0.0, np.inf, (1, len(ENTITY_COLUMNS)), np.float32),
        "context": spaces.Box(0.0, np.inf, (len(CONTEXT_COLUMNS),), np.float32),
    }
)


@pytest.fixture(scope="module", params=[1, 16, 64])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(request.param)
    network = EntityNetwork(SPACE, hidden=request.param)
    network.caution.copy_(torch.rand(len(Kind)) * 4.0)
    folder = tmp_path_factory.mktemp("model")
    write_model(network, folder, "mine", {})
    return folder


@pytest.fixture(scope="module")
def session(folder: Path) -> onnxruntime.InferenceSession:
    data = graph_of(folder).SerializeToString()
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


def observation(n: int, seed: int, quiet: float) -> Observation:
    """Random entities, of which about a share `quiet` is silent, and some rows are empty."""
    rng = np.random.default_rng(seed)
    entities = (rng.random((n, len(ENTITY_COLUMNS))) * 3.0).astype(np.float32)
    entities[:, KIND : KIND + len(Kind)] = np.eye(len(Kind))[rng.integers(0, len(Kind), n)]
    for column in (ORDERED, PENDING):
        entities[:, column] = rng.random(n) < 0.2
    silent = rng.random(n) < quiet
    entities[silent, ORDERED] = entities[silent, PENDING] = 0.0
    entities[silent, TOTAL] = rng.random(silent.sum()) * SPEAKING * 0.99
    entities[rng.random(n) < 0.1] = 0.0
    return Observation(entities, rng.random(len(CONTEXT_COLUMNS), dtype=np.float32), ())


def run(session: onnxruntime.InferenceSession, seen: Observation) -> np.ndarray:
    inputs = {"entities": seen.entities, "context": seen.context}
    (scores,) = session.run(["scores"], inputs)
    assert isinstance(scores, np.ndarray) and scores.dtype == np.float32
    return scores


@pytest.mark.parametrize("quiet", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [0, 1, 2, 17, 1000])
def test_the_graph_scores_as_the_model_does(
    folder: Path, session: onnxruntime.InferenceSession, n: int, quiet: float
) -> None:
    policy = LearnedPolicy.load(folder)
    for seed in range(10):
        seen = observation(n, seed, quiet)
        scores = run(session, seen)
        assert scores.shape == (1 + 2 * n,)
        assert scores == pytest.approx(policy.scores(seen), abs=1e-5)


def test_both_silent_and_speaking_were_compared() -> None:
    share = speaking(observation(1000, 0, 0.5).entities).mean()
    assert 0.2 < share < 0.8
    assert not speaking(observation(1000, 0, 1.0).entities).any()


def test_the_smallest_evidence_that_counts_is_the_same(
    folder: Path, session: onnxruntime.InferenceSession
) -> None:
    policy, least = LearnedPolicy.load(folder), np.float32(SPEAKING)
    values = [np.nextafter(least, np.float32(side)) for side in (0.0, 1.0)]
    for value in (*values, least):
        entities = np.zeros((1, len(ENTITY_COLUMNS)), dtype=np.float32)
        entities[0, [KIND, TOTAL]] = 1.0, value
        seen = Observation(entities, np.zeros(len(CONTEXT_COLUMNS), dtype=np.float32), ())
        assert run(session, seen) == pytest.approx(policy.scores(seen), abs=1e-5)


def test_the_command_writes_a_checked_file_that_names_its_model(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine.onnx"
    done = CliRunner().invoke(export, [str(folder), "--onnx", str(out)])
    assert done.exit_code == 0, done.output
    assert str(out) in done.output
    onnx.checker.check_model(str(out), full_check=True)
    made = onnx.load(out)
    facts = {p.key: p.value for p in made.metadata_props}
    assert facts["hash"] == LearnedPolicy.load(folder).hash.hex()
    assert (facts["name"], facts["observation_version"]) == ("mine", str(OBSERVATION_VERSION))
    assert {node.domain for node in made.graph.node} == {""}  # nothing but standard operators


def test_what_cannot_be_read_or_written_is_told_in_a_line(folder: Path, tmp_path: Path) -> None:
    for arguments, said in (
        ([str(tmp_path), "--onnx", str(tmp_path / "x.onnx")], "cannot read"),
        ([str(folder), "--onnx", str(tmp_path / "no" / "x.onnx")], "cannot write"),
    ):
        done = CliRunner().invoke(export, arguments)
        assert done.exit_code == 1
        assert said in done.output
    assert list(tmp_path.iterdir()) == []
