"""Wazuh 4 alerts (`alerts.json`), among them the Suricata alerts that agents forward."""

from __future__ import annotations

import re
from typing import Any

from policies.alerts import Alert, Tactic
from responder.sensors import tactics
from responder.sensors.eve import alert_from_event
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

__all__ = ["WazuhParser"]

_TOP_LEVEL = 15.0

# Possession of the key was proven. "Failed publickey" is not read: anyone can offer somebody else's
# public key, and would get it revoked. No "[" before the program's own: a user name is the
# attacker's and must not pass for a log line.
_ACCEPTED_KEY = re.compile(
    r"[^\[]{0,200}\bsshd(?:-session)?\[\d+\]: Accepted publickey for \S+ from \S+ port \d+ "
    r"ssh2: \S+ SHA256:(?P<fingerprint>[A-Za-z0-9+/]{43})(?:\s|$)"
)


class WazuhParser:
    """One Wazuh alert a line."""

    def parse(self, line: bytes) -> Alert | None:
        event = record(line)
        if event is None:
            return None
        rule, data = section(event, "rule"), section(event, "data")
        identifier = text(rule, "id")
        if not identifier:
            raise MalformedLine("no rule.id")
        if data.get("event_type") == "alert" and "alert" in data:
            # The agent is only where Suricata listens; the ends of the connection say who is
            # affected.
            return alert_from_event(data)
        title = text(rule, "description")
        agent = section(event, "agent")
        return Alert(
            time=instant(event, "timestamp" if "timestamp" in event else "@timestamp"),
            sensor="wazuh",
            type=identifier,
            title=title,
            severity=min(max(number(rule, "level", _TOP_LEVEL / 2) / _TOP_LEVEL, 0.0), 1.0),
            tactic=_tactic(rule, title),
            host=text(section(event, "predecoder"), "hostname") or text(agent, "name"),
            address=address(text(agent, "ip")),
            src=address(text(data, "srcip") or text(data, "src_ip")),
            dst=address(text(data, "dstip") or text(data, "dest_ip")),
            credential=_credential(event),
        )


def _tactic(rule: dict[str, Any], title: str) -> Tactic | None:
    tactic = tactics.from_title(title)
    if tactic is None:
        tactic = tactics.from_groups(words(rule, "groups"))
    if tactic is not None:
        return tactic
    named = words(section(rule, "mitre"), "tactic")
    return tactics.from_names(named)


def _credential(event: dict[str, Any]) -> str:
    log = event.get("full_log")
    if text(section(event, "decoder"), "name") != "sshd" or not isinstance(log, str):
        return ""
    found = _ACCEPTED_KEY.match(log)
    return f"ssh:SHA256:{found['fingerprint']}" if found else ""
