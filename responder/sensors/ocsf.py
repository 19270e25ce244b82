"""OCSF 1.x Detection Findings (class_uid 2004). Other classes are fine and ignored, as are findings
that were closed.
"""

from __future__ import annotations

from typing import Any

from policies.alerts import Alert
from responder.sensors.line import (
    MalformedLine,
    address,
    entries,
    number,
    record,
    seconds,
    section,
    text,
    tidy,
)
from responder.sensors.tactics import Tactics

__all__ = ["OcsfParser"]

_DETECTION_FINDING = 2004
_CLOSE = 3  # activity_id
_SEVERITIES = {1: 0.0, 2: 0.25, 3: 0.5, 4: 0.75, 5: 1.0, 6: 1.0}  # informational .. fatal


class OcsfParser:
    """One finding a line."""

    def __init__(self, tactics: Tactics) -> None:
        self._tactics = tactics

    def parse(self, line: bytes) -> Alert | None:
        event = record(line)
        if event is None:
            return None
        if "class_uid" not in event:
            raise MalformedLine("no class_uid")
        if number(event, "class_uid", 0) != _DETECTION_FINDING:
            return None
        if number(event, "activity_id", 0) == _CLOSE:
            return None
        finding = section(event, "finding_info")
        analytic = section(finding, "analytic")
        title = text(finding, "title")
        kind = text(analytic, "uid") or text(analytic, "name") or title
        if not kind:
            raise MalformedLine("no finding_info.title or analytic")
        product = section(section(event, "metadata"), "product")
        sensor = tidy(text(product, "name").lower()) or "ocsf"
        host, own = _affected(event)
        src, dst = _ends(event)
        return Alert(
            time=seconds(str(number(event, "time", -1.0) / 1000)),
            sensor=sensor,
            type=kind,
            title=title,
            severity=_SEVERITIES.get(int(number(event, "severity_id", 0)), 0.5),
            tactic=self._tactics.of(sensor, kind, title, named=_tactics(event, finding)),
            host=host,
            address=own,
            src=src,
            dst=dst,
            agent=text(section(event, "device"), "uid"),
        )


def _tactics(event: dict[str, Any], finding: dict[str, Any]) -> list[str]:
    """Ids, or names where there is none, of all tactics: `tactic`, and up to 1.1 `tactics`."""
    named = []
    for holder in (finding, event):
        for attack in entries(holder, "attacks"):
            for tactic in (section(attack, "tactic"), *entries(attack, "tactics")):
                named.append(text(tactic, "uid") or text(tactic, "name"))
    return named


def _affected(event: dict[str, Any]) -> tuple[str, str]:
    """Name and own address of the host: the device, else the first resource that has either."""
    for thing in (section(event, "device"), *entries(event, "resources")):
        host = text(thing, "hostname") or text(thing, "name")
        own = address(text(thing, "ip"))
        if host or own:
            return host, own
    return "", ""


def _ends(event: dict[str, Any]) -> tuple[str, str]:
    """The first evidence that tells of a connection."""
    for evidence in entries(event, "evidences"):
        src = address(text(section(evidence, "src_endpoint"), "ip"))
        dst = address(text(section(evidence, "dst_endpoint"), "ip"))
        if src or dst:
            return src, dst
    return "", ""
