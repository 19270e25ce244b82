"""Sensors: lines of foreign formats in, `Alert` records out.

The decision loop reads one `Feed` per file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from responder.errors import Permanent
from responder.sensors.ait import AitParser
from responder.sensors.eve import EveParser
from responder.sensors.feed import Counters, Feed
from responder.sensors.line import MalformedLine, Parser
from responder.sensors.recorded import recorded_lines
from responder.sensors.tail import Position, Tail
from responder.sensors.wazuh import WazuhParser

__all__ = [
    "FORMATS",
    "Counters",
    "Feed",
    "MalformedLine",
    "Parser",
    "Position",
    "Tail",
    "detect",
    "parser",
    "recorded_lines",
]

_PARSERS: dict[str, Callable[[], Parser]] = {
    "eve": EveParser,
    "wazuh": WazuhParser,
    "ait": AitParser,
}
FORMATS: tuple[str, ...] = tuple(_PARSERS)


def parser(format: str) -> Parser:
    """The parser of a format. Raises Permanent naming the known ones."""
    if format not in _PARSERS:
        raise Permanent(f"unknown alert format {format!r}; known are {', '.join(FORMATS)}")
    return _PARSERS[format]()


def detect(first_lines: Iterable[bytes]) -> str | None:
    """The format whose parser takes the first telling line; None where no line tells."""
    for line in first_lines:
        if not line.strip():
            continue
        for name in FORMATS:
            try:
                parser(name).parse(line)
            except MalformedLine:
                continue
            return name
    return None
