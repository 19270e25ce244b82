"""Inventories from what a site has already: a testbed's list, a table, a network scan.

`countersign inventory import` is the caller. Nobody vouches for the files: readers bound what they
take in, and what the formats have in common is in `responder.importing.gathering`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from responder.importing.gathering import Gathered, Imported, LeftOut
from responder.importing.kyoushi import read_kyoushi
from responder.importing.nmap import read_nmap
from responder.importing.table import read_table

__all__ = ["FORMATS", "Imported", "LeftOut", "read_inventory"]

_READERS: dict[str, Callable[[Path], Gathered]] = {
    "kyoushi": read_kyoushi,
    "csv": read_table,
    "nmap": read_nmap,
}
FORMATS: tuple[str, ...] = tuple(_READERS)


def read_inventory(path: Path, format: str) -> Imported:
    """The inventory in a file of one of FORMATS, and what of the file is not in it.

    Raises Permanent, as "FILE:LINE: what is wrong", for a file that cannot be used.
    """
    return _READERS[format](path).imported()
