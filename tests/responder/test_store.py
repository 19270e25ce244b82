"""The cache: documents written together or not at all, and never the truth."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from responder.errors import Permanent
from responder.store import Cache


def test_a_document_comes_back_and_an_unknown_key_is_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "cache.sqlite")
    assert cache.get("picture") is None
    cache.put({"picture": {"a": [1, 2.5, None, "ä"]}})
    assert Cache(tmp_path / "new" / "cache.sqlite").get("picture") == {"a": [1, 2.5, None, "ä"]}
    cache.put({"picture": 1})
    assert cache.get("picture") == 1


def test_it_is_written_ahead_so_that_readers_never_wait(tmp_path: Path) -> None:
    cache, other = Cache(tmp_path / "c.sqlite"), Cache(tmp_path / "c.sqlite")
    cache.put({"a": 1})
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE state SET value = '2'")
        assert other.get("a") == 1  # the old one, at once
        connection.rollback()
    connection.close()


def test_documents_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    cache.put({"a": 1, "b": 1})
    with pytest.raises(TypeError):
        cache.put({"a": 2, "b": object()})
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        connection.execute(
            "CREATE TRIGGER stop BEFORE UPDATE ON state WHEN NEW.key = 'b' "
            "BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    connection.close()
    with pytest.raises(Permanent, match="cannot write the cache"):
        cache.put({"a": 2, "b": 2})
    assert (cache.get("a"), cache.get("b")) == (1, 1)


def test_a_corrupt_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(Permanent, match=r"c\.sqlite: .*delete it to rebuild"):
        Cache(tmp_path / "c.sqlite")


def test_a_file_that_becomes_corrupt_is_named(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    cache.put({"a": "x" * 100_000})
    cache.close()
    data = bytearray((tmp_path / "c.sqlite").read_bytes())
    data[100:] = b"\xff" * (len(data) - 100)
    (tmp_path / "c.sqlite").write_bytes(bytes(data))
    with pytest.raises(Permanent, match=r"c\.sqlite"):
        Cache(tmp_path / "c.sqlite").get("a")
