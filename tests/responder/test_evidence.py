"""What is stored comes back unaltered, or is refused."""

from __future__ import annotations

import hashlib
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.errors import Permanent
from responder.evidence import EvidenceAltered, EvidenceMissing, EvidenceStore, canonical, digest

BUNDLE = {"scores": [0.1, 1e-7, 3], "alerts": [{"title": "größer", "host": None}], "a": True}
_finite = st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | _finite,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence")


@contextmanager
def small_files_only() -> Iterator[None]:
    """The kernel refuses to let any file grow beyond 64 bytes, as on a full disk.

    Any file: where output goes to one, nothing may be written to it meanwhile.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_canonical_text_is_fixed() -> None:
    assert canonical(BUNDLE) == (
        '{"a":true,"alerts":[{"host":null,"title":"größer"}],"scores":[0.1,1e-07,3]}'.encode()
    )


def test_put_returns_the_sha256_of_the_canonical_text(store: EvidenceStore) -> None:
    key = store.put(BUNDLE)
    assert key == digest(BUNDLE) == hashlib.sha256(canonical(BUNDLE)).digest()
    assert store.get(key) == BUNDLE
    assert store.verify(key)


@given(value=_json)
def test_canonical_text_reads_back_the_same(value: Any) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


def test_put_twice_keeps_the_file(store: EvidenceStore, tmp_path: Path) -> None:
    key = store.put(BUNDLE)
    path = tmp_path / "evidence" / f"{key.hex()}.json"
    inode = path.stat().st_ino
    assert store.put(dict(reversed(BUNDLE.items()))) == key
    assert path.stat().st_ino == inode
    assert os.listdir(path.parent) == [path.name]


def test_missing(store: EvidenceStore) -> None:
    with pytest.raises(EvidenceMissing):
        store.get(b"\0" * 32)
    assert not store.verify(b"\0" * 32)


def test_altered_is_noticed_and_mended_by_storing_again(
    store: EvidenceStore, tmp_path: Path
) -> None:
    key = store.put(BUNDLE)
    path = tmp_path / "evidence" / f"{key.hex()}.json"
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.2"))
    with pytest.raises(EvidenceAltered, match="altered"):
        store.get(key)
    assert not store.verify(key)
    store.put(BUNDLE)
    assert store.get(key) == BUNDLE


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}, b"bytes"])
def test_what_json_cannot_say_is_refused(store: EvidenceStore, value: Any) -> None:
    with pytest.raises(Permanent, match="not plain JSON"):
        store.put({"value": value})


def test_wrong_length_of_hash(store: EvidenceStore) -> None:
    with pytest.raises(Permanent, match="32 bytes"):
        store.get(b"short")


def test_full_disk_is_clear_and_leaves_nothing(store: EvidenceStore, tmp_path: Path) -> None:
    with small_files_only(), pytest.raises(Permanent, match="Free space"):
        store.put(BUNDLE)
    assert os.listdir(tmp_path / "evidence") == []
