"""Recordings of the AIT alert data set with their ground truth, and what is made of them to replay.

Landauer, Skopik, Wurzenberger: "Introducing a New Alert Data Set for Multi-Step Attack Analysis"
(CSET 2024). The labels stay here and in `replay_scores`: what is written for a replay has none.
"""

from __future__ import annotations

import csv
import lzma
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from replay_scores import Label, Truth

from policies.inventory import Inventory

__all__ = ["RECONNAISSANCE", "Renaming", "Row", "Windows", "load", "truth", "windows", "write"]

RECONNAISSANCE = frozenset({"service_scan", "dirb", "wpscan", "dns_scan"})  # labels of scans

Windows = dict[str, tuple[float, float]]  # steps of an attack -> start and end, Unix seconds


class Row(NamedTuple):
    """One alert of a recording. They are not in the order of time."""

    time: float  # Unix seconds
    text: str  # the columns time and name as they stand there
    address: str
    host: str
    type: str
    event: str  # the label of this alert; "-" is no part of the attack


def load(path: Path) -> list[Row]:
    """The rows of an xz-compressed CSV, in the file's order."""
    rows = []
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        next(file)
        for line in file:  # the csv module would take three times as long
            text, address, host, type, _, event = line.rstrip("\n").rsplit(",", 5)
            rows.append(Row(float(text.partition(",")[0]), text, address, host, type, event))
    return rows


def truth(rows: Iterable[Row], windows: Windows) -> Truth:
    """What the labels of a recording tell."""
    first: dict[tuple[str, str], float] = {}
    start, end = math.inf, -math.inf
    for row in rows:
        start, end = min(start, row.time), max(end, row.time)
        if row.event != "-":
            key = row.host, row.event
            first[key] = min(first.get(key, math.inf), row.time)
    labels = [Label(time, host, event) for (host, event), time in first.items()]
    return Truth(labels, windows, start, end)


def windows(path: Path) -> dict[str, Windows]:
    """The attack's steps by scenario."""
    found: dict[str, Windows] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            times = float(row["start"]), float(row["end"])
            found.setdefault(row["scenario"], {})[row["attack"]] = times
    return found


@dataclass(frozen=True)
class Renaming:
    """Other names and addresses for all hosts: theirs, dealt out anew, one to one."""

    names: Mapping[str, str]
    addresses: Mapping[str, str]

    @staticmethod
    def draw(site: Inventory, seed: int) -> Renaming:
        """Names with names, addresses with addresses of their family."""
        dice = random.Random(seed)
        names = [name for asset in site.assets for name in (asset.id, *asset.names)]
        own = [address for asset in site.assets for address in asset.addresses]
        by_family = ([a for a in own if ip_address(a).version == v] for v in (4, 6))
        addresses = [_dealt(family, dice) for family in by_family]
        return Renaming(_dealt(names, dice), addresses[0] | addresses[1])

    def site(self, site: Inventory) -> Inventory:
        """The same assets in the same order under the other names."""
        return Inventory(
            tuple(
                replace(
                    asset,
                    id=self.names[asset.id],
                    names=tuple(self.names[name] for name in asset.names),
                    addresses=tuple(self.addresses[address] for address in asset.addresses),
                )
                for asset in site.assets
            )
        )

    def row(self, row: Row) -> Row:
        """The same alert. Raises KeyError for a host that the site does not have."""
        return row._replace(host=self.names[row.host], address=self.addresses[row.address])


def _dealt(known: Sequence[str], dice: random.Random) -> dict[str, str]:
    return dict(zip(known, dice.sample(known, len(known)), strict=True))


def write(rows: Iterable[Row], path: Path) -> None:
    """The CSV without its labels."""
    with path.open("w", encoding="utf-8") as file:
        file.write("time,name,ip,host,short\n")
        file.writelines(f"{r.text},{r.address},{r.host},{r.type}\n" for r in rows)
