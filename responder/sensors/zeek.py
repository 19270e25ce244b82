"""Zeek's logs, as JSON or as TSV with its `#fields` header: the notices in them.

A notice is what a script of Zeek's found worth telling. A connection is not: every site has
refused, half-open and long ones all day, and what makes a few of them a scan or a tunnel is what
Zeek's own scripts count before they raise a notice. So `conn.log` and Zeek's other logs are read,
checked and give no alert.
"""

from __future__ import annotations

import re
from typing import Any

from policies.alerts import Alert
from responder.sensors.line import (
    MAX_LINE,
    MalformedLine,
    end,
    instant,
    number,
    record,
    seconds,
    text,
    tidy,
)
from responder.sensors.tactics import Tactics

__all__ = ["ZeekParser"]

_MAX_FIELDS = 256
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_VICTIM = "HTTP::SQL_Injection_Victim"  # up to Zeek 8.0 it gives the victim, alone, as `src`


class ZeekParser:
    """One record a line. A parser for each file: TSV is read by the header that came last."""

    def __init__(self, tactics: Tactics) -> None:
        self._tactics = tactics
        self._table = _Table()

    def parse(self, line: bytes) -> Alert | None:
        if len(line) > MAX_LINE:
            raise MalformedLine("line over 1 MiB")
        event = record(line) if line.lstrip()[:1] in (b"{", b"") else self._table.row(line)
        if event is None:
            return None
        moment = _time(event)
        kind = text(event, "note")
        if not kind:
            return None
        src, dst = end(event, "src"), end(event, "dst")
        victim = ""
        if not src and not dst:
            src, dst = end(event, "id.orig_h"), end(event, "id.resp_h")
        elif kind == _VICTIM and not dst:
            src, victim = "", src
        message = text(event, "msg")
        return Alert(
            time=moment,
            sensor="zeek",
            type=kind,
            title=tidy(f"{kind}: {message}" if message else kind),
            tactic=self._tactics.of("zeek", kind, _words(kind)),
            address=victim,
            src=src,
            dst=dst,
        )


class _Table:
    """The columns of a TSV log."""

    def __init__(self) -> None:
        self._separator = "\t"
        self._unset, self._empty = "-", "(empty)"
        self._fields: list[str] = []

    def row(self, line: bytes) -> dict[str, str] | None:
        """The fields that are set; None for a line of the header."""
        try:
            given = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise MalformedLine("not UTF-8") from None
        if given.startswith("#"):
            self._header(given)
            return None
        if not self._fields:
            raise MalformedLine("neither JSON nor a row below a #fields header")
        values = given.split(self._separator, _MAX_FIELDS)
        if len(values) != len(self._fields):
            raise MalformedLine("not as many columns as #fields names")
        row = zip(self._fields, values, strict=True)
        nothing = ("", self._unset, self._empty)
        return {name: _unescaped(value) for name, value in row if value not in nothing}

    def _header(self, line: str) -> None:
        if line.startswith("#separator "):
            separator = _unescaped(line.removeprefix("#separator ").strip())
            if len(separator) != 1 or separator in "#\\":
                raise MalformedLine("#separator is not one character")
            self._separator = separator
            return
        name, *values = line.split(self._separator, _MAX_FIELDS + 1)
        if name == "#fields":
            if len(values) > _MAX_FIELDS or len(set(values)) < len(values):
                raise MalformedLine("#fields names too many or one twice")
            self._fields = [tidy(value) for value in values]
        elif name == "#unset_field" and values:
            self._unset = tidy(values[0])
        elif name == "#empty_field" and values:
            self._empty = tidy(values[0])


def _time(event: dict[str, Any]) -> float:
    """Seconds since 1970, or ISO 8601 where Zeek is told to write JSON stamps so."""
    given = event.get("ts")
    if isinstance(given, str):
        return instant(event, "ts") if "T" in given else seconds(given)
    if given is None:
        raise MalformedLine("no ts")
    return seconds(str(number(event, "ts", 0.0)))


def _words(kind: str) -> str:
    """A notice's name as words. The message quotes what came over the wire: it names no tactic."""
    return kind.replace("::", " ").replace("_", " ")


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "\\x" in value else value
