"""Suricata EVE JSON: the `alert` events."""

from __future__ import annotations

from typing import Any

from policies.alerts import Alert, Tactic
from responder.sensors.line import (
    MAX_TEXT,
    MalformedLine,
    end,
    instant,
    number,
    record,
    section,
    text,
    words,
)
from responder.sensors.tactics import Tactics

__all__ = ["EveAlerts", "EveParser"]

_MAX_KNOWN = 4096  # signatures
_MAX_NAMED = 8  # tactics of a signature that is remembered

_Key = tuple[int, int, str, str, tuple[str, ...]]  # id, priority, title, category, tactics
_Signature = tuple[str, str, float, Tactic | None]  # type, title, severity, tactic


class EveParser:
    """One EVE record a line. Events other than alerts are fine and ignored."""

    def __init__(self, tactics: Tactics) -> None:
        self._alerts = EveAlerts(tactics)

    def parse(self, line: bytes) -> Alert | None:
        event = record(line)
        if event is None:
            return None
        kind = event.get("event_type")
        if not isinstance(kind, str):
            raise MalformedLine("no event_type")
        return self._alerts.alert(event) if kind == "alert" else None


class EveAlerts:
    """Alerts of parsed EVE records, wherever those were found.

    What a signature says of itself is the same in each of its alerts and is read once: most of the
    time that a line takes then goes into decoding its JSON and making its record.
    """

    def __init__(self, tactics: Tactics) -> None:
        self._tactics = tactics
        self._known: dict[_Key, _Signature] = {}

    def alert(self, event: dict[str, Any]) -> Alert:
        """Raises MalformedLine."""
        said = event.get("alert")
        if type(said) is not dict:
            said = section(event, "alert")
        kind, title, severity, tactic = self._signature(said)
        src, dst = _ends(event)
        time = instant(event, "timestamp")
        target = _target(said) if "target" in said else ""
        return Alert(time, "suricata", kind, title, severity, tactic, "", target, src, dst)

    def _signature(self, said: dict[str, Any]) -> _Signature:
        identifier, title = said.get("signature_id"), said.get("signature")
        category, severity = said.get("category"), said.get("severity")
        named = _named(said) if "metadata" in said else ()
        if not (
            type(identifier) is int  # True equals 1, and must not be taken for it
            and type(severity) is int
            and type(title) is str
            and type(category) is str
        ):
            return self._read(said, named)
        key = (identifier, severity, title, category, named)
        known = self._known.get(key)
        if known is None:
            known = self._read(said, named)
            self._remember(key, known)
        return known

    def _remember(self, key: _Key, known: _Signature) -> None:
        """In bounded memory, whatever the line."""
        _, _, title, category, named = key
        if len(title) <= MAX_TEXT and len(category) <= MAX_TEXT and len(named) <= _MAX_NAMED:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = known

    def _read(self, said: dict[str, Any], named: tuple[str, ...]) -> _Signature:
        kind, title = text(said, "signature_id"), text(said, "signature")
        if not kind:
            raise MalformedLine("no signature_id")
        tactic = self._tactics.of(
            "suricata", kind, title, category=text(said, "category"), named=named
        )
        return kind, title, _severity(number(said, "severity", 2.5)), tactic


def _named(said: dict[str, Any]) -> tuple[str, ...]:
    """Tactics by which the signature's author classified it."""
    metadata = section(said, "metadata")
    return (*words(metadata, "mitre_tactic_id"), *words(metadata, "mitre_tactic_name"))


def _severity(priority: float) -> float:
    """Suricata counts down: 1 is the worst, 4 is information."""
    return min(max((4.0 - priority) / 3.0, 0.0), 1.0)


def _ends(event: dict[str, Any]) -> tuple[str, str]:
    """Initiator and responder. The event's own are one packet's, which may be the answer."""
    if "flow" in event:
        flow = section(event, "flow")
        if "src_ip" in flow and "dest_ip" in flow:  # Suricata 7
            return end(flow, "src_ip"), end(flow, "dest_ip")
    src, dst = end(event, "src_ip"), end(event, "dest_ip")  # absent for events below IP
    return (dst, src) if event.get("direction") == "to_client" else (src, dst)


def _target(said: dict[str, Any]) -> str:
    """The end that is attacked, which rules with the keyword `target` tell."""
    return end(section(said, "target"), "ip")
