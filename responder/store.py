"""The cache: where each feed was read to, the picture at that place, and how far the responder has
come.

Only a cache. Proposals, approvals and orders live on the chain, evidence in its own store,
signatures in the inbox; deleting this file makes the responder read its feeds again from the start
and changes nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, Text, create_engine, event, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from responder.errors import Permanent

__all__ = ["Cache"]

_METADATA = MetaData()
_STATE = Table(
    "state",
    _METADATA,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)


class Cache:
    """A few named JSON documents in SQLite (WAL), written together or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(f"sqlite:///{path}")
        event.listen(self._engine, "connect", _set_pragmas)
        try:
            _METADATA.create_all(self._engine)
        except SQLAlchemyError as error:
            raise Permanent(
                f"cannot open the cache {path}: {_cause(error)}; delete it to rebuild"
            ) from error

    def get(self, key: str) -> Any:
        """The document under `key`, or None."""
        try:
            with self._engine.connect() as connection:
                text = connection.scalar(select(_STATE.c.value).where(_STATE.c.key == key))
        except SQLAlchemyError as error:
            raise Permanent(f"cannot read the cache {self._path}: {_cause(error)}") from error
        return None if text is None else json.loads(text)

    def put(self, documents: Mapping[str, Any]) -> None:
        """Writes all documents in one transaction."""
        rows = [
            {"key": k, "value": json.dumps(v, separators=(",", ":"))} for k, v in documents.items()
        ]
        statement = insert(_STATE)
        statement = statement.on_conflict_do_update(
            index_elements=["key"], set_={"value": statement.excluded.value}
        )
        try:
            with self._engine.begin() as connection:
                connection.execute(statement, rows)
        except SQLAlchemyError as error:
            raise Permanent(f"cannot write the cache {self._path}: {_cause(error)}") from error

    def close(self) -> None:
        self._engine.dispose()


def _cause(error: SQLAlchemyError) -> object:
    """What the database said, without what SQLAlchemy adds."""
    return getattr(error, "orig", None) or error


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=5000")
