"""The AIT alert data set's CSV: time,name,ip,host,short and, where published, labels.

The labels are the ground truth. They are never read: nothing that decides may see them.
"""

from __future__ import annotations

import csv

from policies.alerts import Alert
from responder.sensors.line import MAX_LINE, MalformedLine, address, seconds, tidy
from responder.sensors.tactics import Tactics

__all__ = ["AitParser"]

_COLUMNS = ["time", "name", "ip", "host", "short"]


class AitParser:
    """One alert a line; the header, if there is one, is fine and ignored."""

    def __init__(self, tactics: Tactics) -> None:
        self._tactics = tactics

    def parse(self, line: bytes) -> Alert | None:
        row = _row(line)
        if not row or row == _COLUMNS:
            return None
        if len(row) < len(_COLUMNS):
            raise MalformedLine("fewer than five columns")
        when, name, ip, host, short = row
        sensor, _, title = name.partition(": ")
        title = tidy(title.removeprefix("Alert - "))
        sensor, kind = tidy(sensor.lower()), tidy(short)
        if not (sensor and title and kind):
            raise MalformedLine("no sensor, title or type")
        return Alert(
            time=seconds(when),
            sensor=sensor,
            type=kind,
            title=title,
            tactic=self._tactics.of(sensor, kind, title),
            host=tidy(host),
            address=address(ip[:64]),
        )


def _row(line: bytes) -> list[str]:
    if len(line) > MAX_LINE:
        raise MalformedLine("line over 1 MiB")
    try:
        rows = list(csv.reader([line.decode("utf-8").strip()], strict=True))
    except UnicodeDecodeError:
        raise MalformedLine("not UTF-8") from None
    except csv.Error:
        raise MalformedLine("not CSV") from None
    return rows[0][: len(_COLUMNS)] if rows else []
