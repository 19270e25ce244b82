"""Documents are plain, bounded data, and every entry of theirs has a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies import documents
from policies.documents import EntryError

LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
)
MERGED = "\n".join(
    ["a0: &a0 {x: 1, y: 2}"]
    + [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9)]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document.yaml"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [1,\nb: 2", ":2: not valid YAML: "),
        ("a: 1\n--- b", ":2: not valid YAML: but found another document"),
        ("a: !!python/name:os.system x", ":1: not valid YAML: could not determine a constructor"),
        ("a: 1\nb: 2026-02-31", ":2: not valid YAML: '2026-02-31': "),
        ("a: !!bool perhaps", ":1: not valid YAML: 'perhaps': "),
        ("a: !!timestamp noon", ":1: not valid YAML: 'noon': "),
        ("? [a]\n: b", ":1: not valid YAML: found unhashable key"),
        ("a: \x01", ": not valid YAML: "),
        ("a: 1\nb: {c: 1,\n  c: 2}", ":3: 'c' is named twice, first on line 2"),
        ("a:\n  &a\n  - [*a]", ":3: nested more than 32 deep"),
        ("[" * 100_000, ":1: nested more than 32 deep"),
        (LAUGHS, ": more than 1000000 entries"),
        (MERGED, ": more than 1000000 entries"),
        ("a: 0x" + "f" * 100, ":1: a number or time of more than 100 characters"),
        ("a:\n  " + "x" * 5000, ":2: an entry of more than 4096 characters"),
    ],
)
def test_document_out_of_bounds_is_refused(path: Path, text: str, complaint: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(EntryError) as error:
        documents.load(path)
    place, _, reason = complaint.partition(": ")
    assert str(error.value).startswith(f"{path}{place}")
    assert reason in str(error.value)


def test_file_of_other_bytes_is_refused(path: Path) -> None:
    path.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(EntryError, match=r"document\.yaml:2: not valid YAML: not UTF-8"):
        documents.load(path)


def test_large_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 1 << 20)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(EntryError, match=r"document\.yaml: larger than 1 MiB"):
        documents.load(path)


def test_aliases_and_merged_keys_are_followed(path: Path) -> None:
    path.write_text("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n", encoding="utf-8")
    document = documents.load(path)
    assert document.data == {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}}
    assert document.at("y.b") == f"{path}:4: y.b"
    assert document.at("y.a") == f"{path}:1: y.a"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("", 1),
        ("assets", 1),
        ("assets[0]", 2),
        ("assets[1].zone", 4),
        ("assets[1].names[1]", 6),
        ("assets[1].id", 3),  # missing: where it is missing from
        ("assets[7].id", 1),
        ("by.dotted.name.role", 8),
        ("nothing", 1),
    ],
)
def test_place_has_a_line(path: Path, place: str, line: int) -> None:
    path.write_text(
        "assets:\n- id: a\n- names: 1\n  zone: x\n".replace("names: 1", "pool: p")
        + "  names: [x,\n   y]\nby:\n  dotted.name: {role: server}\n",
        encoding="utf-8",
    )
    expected = f"{path}:{line}: {place}" if place else f"{path}:{line}"
    assert documents.load(path).at(place) == expected


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc: -#'\n", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc.[0", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_plain_data_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, data
) -> None:
    path = tmp_path_factory.mktemp("plain") / "document.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert documents.load(path).data == data
