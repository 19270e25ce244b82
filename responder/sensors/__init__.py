"""Sensors: lines of foreign formats in, `Alert` records out.

The decision loop reads one `Feed` per file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import tzinfo
from itertools import islice
from pathlib import Path

from responder.clock import Clock, SystemClock
from responder.errors import Permanent
from responder.sensors.ait import AitParser
from responder.sensors.auth import AuthParser
from responder.sensors.crowdsec import CrowdsecParser
from responder.sensors.eve import EveParser
from responder.sensors.feed import Counters, Feed
from responder.sensors.line import MalformedLine, Parser
from responder.sensors.mapping import MappedParser, zone_named
from responder.sensors.ocsf import OcsfParser
from responder.sensors.recorded import recorded_lines
from responder.sensors.tactics import Tactics
from responder.sensors.tail import Position, Tail
from responder.sensors.wazuh import WazuhParser
from responder.sensors.zeek import ZeekParser

__all__ = [
    "FORMATS",
    "Counters",
    "Feed",
    "MalformedLine",
    "Parser",
    "Position",
    "Tactics",
    "Tail",
    "detect",
    "format_of",
    "is_mapping",
    "parser",
    "recorded_lines",
]

_LINES_TO_DETECT = 50
_PARSERS: dict[str, Callable[[Tactics], Parser]] = {
    "eve": EveParser,
    "wazuh": WazuhParser,
    "ait": AitParser,
    "zeek": ZeekParser,
    "crowdsec": CrowdsecParser,
    "ocsf": OcsfParser,
}
FORMATS: tuple[str, ...] = (*_PARSERS, "auth")


def parser(
    format: str | Path,
    tactics: Tactics | None = None,
    zone: str = "UTC",
    clock: Clock | None = None,
) -> Parser:
    """The parser of a format, one of FORMATS, or of the JSON that a mapping file describes.

    `tactics`: the shipped table unless given. `zone` and `clock` (the machine's unless given) are
    for stamps without an offset or a year, which only `auth` knows. Keep one parser for each file:
    what a header says holds for the lines below it. Raises Permanent naming the known formats, or
    what is wrong with the mapping.
    """
    table = Tactics.shipped() if tactics is None else tactics
    if is_mapping(format):
        return MappedParser.load(format, table)
    if format == "auth":
        return AuthParser(table, _zone(zone), clock or SystemClock())
    if format not in _PARSERS:
        raise Permanent(
            f"unknown alert format {str(format)!r}; known are {', '.join(FORMATS)}, and mapping"
            " files, which end in .yaml"
        )
    return _PARSERS[str(format)](table)


def _zone(name: str) -> tzinfo:
    try:
        return zone_named(name)
    except ValueError as error:
        raise Permanent(str(error)) from error


def is_mapping(format: str | Path) -> bool:
    """Whether this stands for a mapping file, not for one of FORMATS."""
    return str(format).endswith((".yaml", ".yml"))


def detect(first_lines: Iterable[bytes]) -> str | None:
    """The format whose parser takes the first telling line; None where no line tells."""
    parsers = {name: parser(name) for name in FORMATS}
    for line in first_lines:
        if not line.strip():
            continue
        for name, reader in parsers.items():
            try:
                reader.parse(line)
            except MalformedLine:
                continue
            return name
    return None


def format_of(path: Path) -> str:
    """The format of a recorded file. Raises Permanent where its first lines do not tell."""
    found = detect(islice(recorded_lines(path), _LINES_TO_DETECT))
    if found is None:
        raise Permanent(f"{path} looks like none of {', '.join(FORMATS)}; give --format")
    return found
