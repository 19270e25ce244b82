"""Wazuh 4 alerts (`alerts.json`), among them the Suricata alerts that agents forward.

Which host is affected: the log's own host name where a decoder found one, else the agent's name;
and the agent's address. An agent that only collects has no address of the host: for what the
manager itself receives by syslog (agent "000", which has no address), `location` is the sender.
"""

from __future__ import annotations

from typing import Any

from policies.alerts import Alert
from responder.sensors.auth import proven_key
from responder.sensors.eve import EveAlerts
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
from responder.sensors.tactics import Tactics

__all__ = ["WazuhParser"]

_TOP_LEVEL = 15.0

# Where decoders put the ends of a connection; Windows' own names are those of its event channel.
_SOURCES = ("srcip", "src_ip")
_DESTINATIONS = ("dstip", "dest_ip")
_WINDOWS_SOURCES = ("ipAddress", "sourceIp")
_WINDOWS_DESTINATIONS = ("destinationIp",)


class WazuhParser:
    """One Wazuh alert a line."""

    def __init__(self, tactics: Tactics) -> None:
        self._tactics = tactics
        self._suricata = EveAlerts(tactics)

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
            return self._suricata.alert(data)
        title = text(rule, "description")
        agent = section(event, "agent")
        windows = section(section(data, "win"), "eventdata")
        return Alert(
            time=instant(event, "timestamp" if "timestamp" in event else "@timestamp"),
            sensor="wazuh",
            type=identifier,
            title=title,
            severity=min(max(number(rule, "level", _TOP_LEVEL / 2) / _TOP_LEVEL, 0.0), 1.0),
            tactic=self._tactics.of(
                "wazuh",
                identifier,
                title,
                groups=words(rule, "groups"),
                hinted=words(section(rule, "mitre"), "tactic"),
            ),
            host=text(section(event, "predecoder"), "hostname") or text(agent, "name"),
            address=_first(agent, ("ip",)) or _first(event, ("location",)),
            src=_first(data, _SOURCES) or _first(windows, _WINDOWS_SOURCES),
            dst=_first(data, _DESTINATIONS) or _first(windows, _WINDOWS_DESTINATIONS),
            agent=text(agent, "id"),
            credential=_credential(event),
        )


def _first(data: dict[str, Any], keys: tuple[str, ...]) -> str:
    """The first of these that is an address; many hold "any", a name or a path."""
    return next((found for key in keys if (found := address(text(data, key)))), "")


def _credential(event: dict[str, Any]) -> str:
    log = event.get("full_log")
    if text(section(event, "decoder"), "name") != "sshd" or not isinstance(log, str):
        return ""
    return proven_key(log)
