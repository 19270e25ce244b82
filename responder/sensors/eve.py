"""Suricata EVE JSON: the `alert` events."""

from __future__ import annotations

from typing import Any

from policies.alerts import Alert, Tactic
from responder.sensors import tactics
from responder.sensors.line import (
    MalformedLine,
    address,
    instant,
    number,
    record,
    section,
    text,
    words,
)

__all__ = ["EveParser", "alert_from_event"]


class EveParser:
    """One EVE record a line. Events other than alerts are fine and ignored."""

    def parse(self, line: bytes) -> Alert | None:
        event = record(line)
        if event is None:
            return None
        kind = event.get("event_type")
        if not isinstance(kind, str):
            raise MalformedLine("no event_type")
        return alert_from_event(event) if kind == "alert" else None


def alert_from_event(event: dict[str, Any]) -> Alert:
    """The alert in a parsed EVE record, wherever that was found."""
    said = section(event, "alert")
    signature = text(said, "signature_id")
    if not signature:
        raise MalformedLine("no signature_id")
    src, dst = _ends(event)
    title = text(said, "signature")
    return Alert(
        time=instant(event, "timestamp"),
        sensor="suricata",
        type=signature,
        title=title,
        severity=_severity(number(said, "severity", 2.5)),
        tactic=_tactic(said, title),
        src=src,
        dst=dst,
    )


def _severity(priority: float) -> float:
    """Suricata counts down: 1 is the worst, 4 is information."""
    return min(max((4.0 - priority) / 3.0, 0.0), 1.0)


def _tactic(said: dict[str, Any], title: str) -> Tactic | None:
    metadata = section(said, "metadata")
    named = tactics.from_names(words(metadata, "mitre_tactic_id"))
    if named is None:
        named = tactics.from_names(words(metadata, "mitre_tactic_name"))
    if named is None:
        named = tactics.from_title(title)
    return named if named is not None else tactics.from_category(text(said, "category"))


def _ends(event: dict[str, Any]) -> tuple[str, str]:
    """Initiator and responder. The event's own are one packet's, which may be the answer."""
    flow = section(event, "flow")
    if "src_ip" in flow and "dest_ip" in flow:  # Suricata 7
        return _end(flow, "src_ip"), _end(flow, "dest_ip")
    src, dst = _end(event, "src_ip"), _end(event, "dest_ip")
    return (dst, src) if event.get("direction") == "to_client" else (src, dst)


def _end(data: dict[str, Any], key: str) -> str:
    given = text(data, key)  # absent for events below IP
    found = address(given)
    if given and not found:
        raise MalformedLine(f"{key} is not an address")
    return found
