"""The AIT alert data set's CSV: time,name,ip,host,short and, where published, labels.

The labels are the ground truth. They are never read: nothing that decides may see them.
"""

from __future__ import annotations

import csv

from policies.alerts import Alert, Tactic
from responder.sensors.line import MAX_LINE, MalformedLine, address, seconds, tidy
from responder.sensors.tactics import Tactics

__all__ = ["AitParser"]

_COLUMNS = ["time", "name", "ip", "host", "short"]
_MAX_KNOWN = 16_384  # pairs of a rule and a host
_MAX_REMEMBERED = 1024  # bytes of a line

_Said = tuple[str, str, str, Tactic | None, str, str]  # sensor, type, title, tactic, host, address


class AitParser:
    """One alert a line; the header, if there is one, is fine and ignored."""

    def __init__(self, tactics: Tactics) -> None:
        self._tactics = tactics
        self._known: dict[tuple[str, ...], _Said] = {}

    def parse(self, line: bytes) -> Alert | None:
        row = _row(line)
        if not row or row == _COLUMNS:
            return None
        if len(row) < len(_COLUMNS):
            raise MalformedLine("fewer than five columns")
        when, *rest = row
        key = tuple(rest)
        said = self._known.get(key)
        if said is None:
            said = self._read(*rest)
            if len(line) <= _MAX_REMEMBERED:  # in bounded memory, whatever the lines
                if len(self._known) >= _MAX_KNOWN:
                    self._known.clear()
                self._known[key] = said
        sensor, kind, title, tactic, host, own = said
        return Alert(seconds(when), sensor, kind, title, 0.5, tactic, host, own)

    def _read(self, name: str, ip: str, host: str, short: str) -> _Said:
        """What is the same in each alert of a rule on a host."""
        sensor, _, title = name.partition(": ")
        title = tidy(title.removeprefix("Alert - "))
        sensor, kind = tidy(sensor.lower()), tidy(short)
        if not (sensor and title and kind):
            raise MalformedLine("no sensor, title or type")
        tactic = self._tactics.of(sensor, kind, title)
        return sensor, kind, title, tactic, tidy(host), address(ip[:64])


def _row(line: bytes) -> list[str]:
    if len(line) > MAX_LINE:
        raise MalformedLine("line over 1 MiB")
    try:
        if b'"' not in line and b"\r" not in line:  # as csv reads it, in a tenth of the time
            text = line.decode("utf-8").strip()
            return text.split(",")[: len(_COLUMNS)] if text else []
        rows = list(csv.reader([line.decode("utf-8").strip()], strict=True))
    except UnicodeDecodeError:
        raise MalformedLine("not UTF-8") from None
    except csv.Error:
        raise MalformedLine("not CSV") from None
    return rows[0][: len(_COLUMNS)] if rows else []
