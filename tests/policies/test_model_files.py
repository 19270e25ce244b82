"""A model file that is not wholly as expected is refused with a clear error, and nothing in it is
executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.actions import Kind
from policies.columns import (
    CONTEXT_COLUMNS,
    ENTITY_COLUMNS,
    KIND,
    OBSERVATION_VERSION,
    TOTAL,
)
from policies.network import FORMAT, LearnedPolicy, ModelError, tensor_shapes
from policies.observation import Observation

HIDDEN = 4
MANIFEST, WEIGHTS = "manifest.json", "model.safetensors"
Tensors = dict[str, np.ndarray]

# One folder serves all examples: each writes it anew.
reusing = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def weights(seed: int = 0) -> Tensors:
    rng = np.random.default_rng(seed)
    return {k: rng.normal(0, 0.5, s).astype(np.float32) for k, s in tensor_shapes(HIDDEN).items()}


def claims(data: bytes) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": "test",
        "observation_version": OBSERVATION_VERSION,
        "entity_columns": list(ENTITY_COLUMNS),
        "context_columns": list(CONTEXT_COLUMNS),
        "architecture": {"hidden": HIDDEN},
        "weights_sha256": hashlib.sha256(data).hexdigest(),
        "evaluation": {"score": 0.8125},
    }


def write(folder: Path, data: bytes, **changes: Any) -> Path:
    """Weights that are what the manifest says, whatever they are."""
    folder.mkdir(exist_ok=True)
    (folder / WEIGHTS).write_bytes(data)
    (folder / MANIFEST).write_text(json.dumps(claims(data) | changes), encoding="utf-8")
    return folder


GOOD = safetensors.numpy.save(weights())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "model", GOOD)


def refused(folder: Path, complaint: str | None = None) -> str:
    """Refused in a line that names the file; returns it."""
    with pytest.raises(ModelError, match=complaint) as caught:
        LearnedPolicy.load(folder)
    said = str(caught.value)
    assert str(folder) in said
    assert len(said) < 1000
    assert said.isprintable()
    return said


# ---------------------------------------------------------------- bytes


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS])
def test_every_truncation_is_refused(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    for length in {*range(0, len(data), 7), *range(64), *range(len(data) - 16, len(data))}:
        (folder / name).write_bytes(data[:length])
        refused(folder)


@reusing
@given(place=st.integers(0, 8 * len(GOOD) - 1))
def test_every_flipped_bit_of_the_weights_is_refused(folder: Path, place: int) -> None:
    data = bytearray(GOOD)
    data[place // 8] ^= 1 << place % 8
    (folder / WEIGHTS).write_bytes(data)
    refused(folder, "SHA-256 is not the one in the manifest")


@reusing
@given(st.data())
def test_a_flipped_bit_of_the_manifest_is_refused_or_makes_another_model(
    folder: Path, data: st.DataObject
) -> None:
    write(folder, GOOD)
    was = LearnedPolicy.load(folder)
    text = bytearray((folder / MANIFEST).read_bytes())
    place = data.draw(st.integers(0, 8 * len(text) - 1))
    text[place // 8] ^= 1 << place % 8
    (folder / MANIFEST).write_bytes(text)
    try:
        policy = LearnedPolicy.load(folder)
    except ModelError as error:
        assert str(folder) in str(error)
    else:
        assert policy.hash != was.hash  # which is active nowhere


@reusing
@given(data=st.binary(max_size=400))
def test_what_is_no_model_is_refused(folder: Path, data: bytes) -> None:
    write(folder, data)
    refused(folder)
    (folder / MANIFEST).write_bytes(data)
    refused(folder)


@reusing
@given(st.data())
def test_weights_damaged_before_they_were_signed_for_are_refused_or_harmless(
    folder: Path, data: st.DataObject
) -> None:
    """The manifest fits the damaged file, so that safetensors' own checks have to hold."""
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        header = 8 + int.from_bytes(GOOD[:8], "little")
        place = data.draw(st.integers(0, header - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    write(folder, bytes(damaged))
    try:
        policy = LearnedPolicy.load(folder)
    except ModelError as error:
        assert str(folder) in str(error)
    else:
        assert np.isfinite(policy.scores(observation())).all()


@pytest.mark.parametrize(
    ("name", "size"), [(MANIFEST, (1 << 20) + 1), (WEIGHTS, (1 << 26) + 1), (WEIGHTS, 1 << 40)]
)
def test_oversized_files_are_refused_unread(folder: Path, name: str, size: int) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(size)  # sparse
    refused(folder, "larger than")


# ---------------------------------------------------------------- safetensors' header


def lying(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The same weights behind a header that was changed."""
    size = int.from_bytes(GOOD[:8], "little")
    header = json.loads(GOOD[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + GOOD[8 + size :]


def entry(**changes: Any) -> bytes:
    return lying(lambda header: header["chance.0.bias"].update(changes))


HEADERS = {
    "no length": b"",
    "half a length": GOOD[:5],
    "a length of nothing": bytes(8),
    "a length beyond the file": struct.pack("<Q", len(GOOD)) + GOOD[8:],
    "the longest length": b"\xff" * 8 + GOOD[8:],
    "a negative length": struct.pack("<q", -1) + GOOD[8:],
    "a length that ends early": struct.pack("<Q", 10) + GOOD[8:],
    "no JSON": struct.pack("<Q", 8) + b"{{{{{{{{",
    "a list": struct.pack("<Q", 2) + b"[]",
    "deep JSON": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "deep metadata": lying(lambda h: h.update(__metadata__={"a": {"b": "c"}})),
    "nothing": struct.pack("<Q", 2) + b"{}",
    "bytes left over": GOOD + bytes(4),
    "overlapping tensors": entry(data_offsets=[0, 4 * HIDDEN]),
    "offsets backwards": entry(data_offsets=[16, 0]),
    "offsets beyond the file": entry(data_offsets=[1 << 40, (1 << 40) + 16]),
    "negative offsets": entry(data_offsets=[-16, 0]),
    "an unknown type": entry(dtype="OBJECT"),
    "a type of numpy's": entry(dtype="O"),
    "half floats": entry(dtype="F16"),
    "brain floats": entry(dtype="BF16", shape=[2 * HIDDEN]),
    "eight bits": entry(dtype="F8_E4M3", shape=[4 * HIDDEN]),
    "whole numbers": entry(dtype="I32"),
    "truth": entry(dtype="BOOL", shape=[4 * HIDDEN]),
    "another shape": entry(shape=[HIDDEN, 1]),
    "a shape too large": entry(shape=[1 << 62, 1 << 62]),
    "a negative shape": entry(shape=[-HIDDEN]),
    "a shape of nothing": entry(shape=[0]),
    "a shape in words": entry(shape=["4"]),
    "no shape": lying(lambda h: h["chance.0.bias"].pop("shape")),
    "a name too many": lying(lambda h: h.update({"x\x1b[2J" * 9999: {"dtype": "F32"}})),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_lies_is_refused(folder: Path, case: str) -> None:
    refused(write(folder, HEADERS[case]))


class Opened(Exception):
    """Something in a file was executed."""


class Bomb:
    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> None:
    raise Opened


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS])
def test_a_pickle_is_refused_and_not_opened(folder: Path, protocol: int, name: str) -> None:
    data = pickle.dumps(Bomb(), protocol)
    with pytest.raises(Opened):
        pickle.loads(data)
    write(folder, data)
    if name == MANIFEST:
        (folder / MANIFEST).write_bytes(data)
    refused(folder)


def test_an_archive_of_numpy_with_objects_is_refused(folder: Path) -> None:
    path = folder.parent / "bomb.npz"
    np.savez(path, x=np.array([Bomb()], dtype=object))
    refused(write(folder, path.read_bytes()), "not a safetensors file")


# ---------------------------------------------------------------- tensors


def changed(change: Callable[[Tensors], Any]) -> bytes:
    tensors = weights()
    change(tensors)
    return safetensors.numpy.save(tensors)


def filled(name: str, value: float) -> bytes:
    return changed(lambda t: t[name].flat.__setitem__(-1, value))


TENSORS = {
    **{
        f"{value} in {name}": (filled(name, value), f"{name} must be finite")
        for name in tensor_shapes(HIDDEN)
        for value in (np.nan, np.inf, -np.inf, 3e38, -1001.0)
    },
    **{
        f"no {name}": (changed(lambda t, name=name: t.pop(name)), "tensors missing")
        for name in tensor_shapes(HIDDEN)
    },
    **{
        f"doubles in {name}": (
            changed(lambda t, name=name: t.update({name: t[name].astype(np.float64)})),
            f"{name} must be float32",
        )
        for name in tensor_shapes(HIDDEN)
    },
    "another name": (changed(lambda t: t.update(x=t.pop("caution"))), "unknown .'x'"),
    "one too many": (changed(lambda t: t.update(x=np.zeros(1, np.float32))), "unknown .'x'"),
    "many too many": (
        changed(lambda t: t.update({f"\x1b{i}": np.zeros(1, np.float32) for i in range(9999)})),
        "unknown",
    ),
    "turned": (
        changed(lambda t: t.update({"encoder.0.weight": t["encoder.0.weight"].T.copy()})),
        "encoder.0.weight must be float32",
    ),
    "empty": (
        changed(lambda t: t.update({"caution": np.zeros(0, np.float32)})),
        "caution must be float32",
    ),
    "of another size": (
        safetensors.numpy.save({k: np.zeros(s, np.float32) for k, s in tensor_shapes(5).items()}),
        "must be float32",
    ),
}


@pytest.mark.parametrize("case", TENSORS)
def test_tensors_that_are_not_as_expected_are_refused(folder: Path, case: str) -> None:
    data, complaint = TENSORS[case]
    refused(write(folder, data), complaint)


@pytest.mark.parametrize("size", [999.0, -999.0])
def test_the_largest_weights_give_finite_scores(folder: Path, size: float) -> None:
    every = {k: np.full(s, size, np.float32) for k, s in tensor_shapes(HIDDEN).items()}
    policy = LearnedPolicy.load(write(folder, safetensors.numpy.save(every)))
    with np.errstate(over="ignore"):
        assert np.isfinite(policy.scores(observation())).all()


def observation(n: int = 5) -> Observation:
    entities = np.ones((n, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[:, KIND : KIND + len(Kind)] = np.eye(len(Kind), dtype=np.float32)[0]
    entities[:, TOTAL] = 20.0
    return Observation(entities, np.ones(len(CONTEXT_COLUMNS), dtype=np.float32), ())


# ---------------------------------------------------------------- the manifest

NAME = "name must be 1 to 100 printable characters"
CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "another format": ({"format": "pickle"}, "format is 'pickle'"),
    "an older format": ({"format": "countersign-entity-policy-2"}, "needs 'counter.*-3'"),
    "a long format": ({"format": "\x1b" * 10**5}, "format is .*[.][.][.], this version"),
    "another observation": ({"observation_version": 99}, "observation_version is 99"),
    "an observation in words": ({"observation_version": "2"}, "observation_version is '2'"),
    "other columns": ({"entity_columns": ["x"]}, "entity_columns"),
    "columns in another order": ({"entity_columns": list(ENTITY_COLUMNS)[::-1]}, "entity_columns"),
    "other context": ({"context_columns": None}, "context_columns is None"),
    "no name": ({"name": None}, "name is missing"),
    "an empty name": ({"name": ""}, NAME),
    "a name that moves the cursor": ({"name": "a\x1b[2J"}, NAME),
    "a name in two lines": ({"name": "a\nb"}, NAME),
    "a name that turns around": ({"name": "a\u202eb"}, NAME),
    "a huge name": ({"name": "a" * 10**5}, NAME),
    "half a character": ({"name": "\ud800"}, "not valid JSON"),
    "half a character elsewhere": ({"evaluation": {"\udfff": 1}}, "not valid JSON"),
    "not a number": ({"evaluation": float("nan")}, "not valid JSON"),
    "no end": ({"evaluation": float("inf")}, "not valid JSON"),
    "no hash": ({"weights_sha256": None}, "weights_sha256 is missing"),
    "another hash": ({"weights_sha256": "0" * 64}, "SHA-256"),
    "no architecture": ({"architecture": None}, "architecture.hidden"),
    "a list for an architecture": ({"architecture": [HIDDEN]}, "architecture.hidden"),
    "no size": ({"architecture": {}}, "architecture.hidden"),
    "no width": ({"architecture": {"hidden": 0}}, "architecture.hidden"),
    "a negative size": ({"architecture": {"hidden": -1}}, "architecture.hidden"),
    "an absurd size": ({"architecture": {"hidden": 10**9}}, "architecture.hidden"),
    "a size that is true": ({"architecture": {"hidden": True}}, "architecture.hidden"),
    "a size in parts": ({"architecture": {"hidden": 4.0}}, "architecture.hidden"),
    "another size": ({"architecture": {"hidden": 5}}, "must be float32"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_manifest_of_something_else_is_refused(folder: Path, case: str) -> None:
    changes, complaint = CLAIMS[case]
    refused(write(folder, GOOD, **changes), complaint)


TEXTS = {
    "nothing": b"",
    "half": b"{",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "not UTF-8": b'{"a": "\xff"}',
    "a number too long": b"9" * 100_000,
    "a number too large": b'{"a": 1e999}',
    "two values": b"{} {}",
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_manifest_that_is_no_json_is_refused(folder: Path, case: str) -> None:
    (folder / MANIFEST).write_bytes(TEXTS[case])
    refused(folder, "not valid JSON")


@pytest.mark.parametrize("text", [b"[]", b"null", b'"a"', b"7", b"true"])
def test_a_manifest_that_is_no_object_is_refused(folder: Path, text: bytes) -> None:
    (folder / MANIFEST).write_bytes(text)
    refused(folder, "expected an object")


@pytest.mark.parametrize("key", ["name", "format", "evaluation"])
def test_two_values_under_one_name_are_refused(folder: Path, key: str) -> None:
    text = (folder / MANIFEST).read_text()
    for doubled in (f'{{"{key}": 1, {text[1:]}', text[:-1] + f', "{key}": 1}}'):
        (folder / MANIFEST).write_text(doubled)
        refused(folder, "a name comes twice")


def test_two_values_deep_inside_are_refused(folder: Path) -> None:
    text = (folder / MANIFEST).read_text().replace('"hidden": 4', '"hidden": 9, "hidden": 4')
    (folder / MANIFEST).write_text(text)
    refused(folder, "a name comes twice")


# ---------------------------------------------------------------- files


def loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS])
@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: None, "cannot read .*No such file"),
        (loop, "cannot read .*symbolic links"),
        (Path.mkdir, "cannot read .*directory"),
        (os.mkfifo, "not a plain file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a plain file"),
        (lambda path: path.symlink_to("nowhere"), "cannot read .*No such file"),
    ],
    ids=["missing", "loop", "folder", "pipe", "device", "dangling"],
)
def test_what_is_no_plain_file_is_refused(
    folder: Path, name: str, make: Callable[[Path], Any], complaint: str
) -> None:
    (folder / name).unlink()
    make(folder / name)
    refused(folder, complaint)


def test_a_folder_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="cannot read"):
        LearnedPolicy.load(folder / WEIGHTS)
    with pytest.raises(ModelError, match="cannot read"):
        LearnedPolicy.load(folder.parent / "nowhere")


def test_a_link_to_a_model_is_followed(folder: Path) -> None:
    moved = folder.parent / "moved.safetensors"
    (folder / WEIGHTS).rename(moved)
    (folder / WEIGHTS).symlink_to(moved)
    assert LearnedPolicy.load(folder).name == "test"


def test_a_model_for_another_observation_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="this version needs 99"):
        LearnedPolicy.load(folder, observation_version=99)
