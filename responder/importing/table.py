"""A table of hosts as CSV, its columns named by a header."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.documents import EntryError, one_of
from responder.errors import Permanent
from responder.importing.gathering import Gathered

__all__ = ["COLUMNS", "read_table"]

COLUMNS = ("id", "zone", "criticality", "protected", "addresses", "names", "pool")
_LISTS = ("addresses", "names")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_table(path: Path) -> Gathered:
    """One host a row, columns in any order; only `id` must be there.

    An empty cell says what a missing key of an inventory says. Several addresses or names are
    separated by semicolons. Raises Permanent with the line of what is wrong.
    """
    gathered, line = Gathered(path), 1
    header: list[str] = []
    try:
        for line, row in _rows(path, gathered.content()):
            if not any(row):
                continue
            if header:
                gathered.add(f"line {line}", _entry(header, row))
            else:
                header = _header(row)
        if not header:
            raise EntryError("", f"no header; it names the columns: {','.join(COLUMNS)}")
    except EntryError as error:
        raise Permanent(f"{path}:{line}: {error}") from error
    return gathered


def _rows(path: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Rows with the lines on which they begin; cells without the blanks around them."""
    line = 1
    try:
        text = data.decode("utf-8-sig")  # spreadsheets begin with a byte order mark
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for row in reader:
            yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Permanent(f"{path}:{line}: not UTF-8") from error
    except csv.Error as error:
        raise Permanent(f"{path}:{line}: not CSV: {error}") from error


def _header(row: list[str]) -> list[str]:
    names = [cell.lower() for cell in row]
    for name in names:
        one_of(name, list(COLUMNS), "header", "column")
        if names.count(name) > 1:
            raise EntryError("header", f"two columns are called {name}")
    if "id" not in names:
        raise EntryError("header", "no column is called id")
    return names


def _entry(header: list[str], row: list[str]) -> dict[str, Any]:
    if len(row) != len(header):
        raise EntryError("", f"{len(row)} cells under a header of {len(header)}")
    cells = dict(zip(header, row, strict=True))
    entry: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
    for name in _LISTS:
        parts = (part.strip() for part in cells.get(name, "").split(";"))
        entry[name] = [part for part in parts if part]
    if criticality := entry.get("criticality"):
        entry["criticality"] = criticality.lower()
    if protected := entry.get("protected"):
        entry["protected"] = _FLAGS.get(protected.lower(), protected)
    return entry
