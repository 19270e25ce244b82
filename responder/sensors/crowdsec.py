"""CrowdSec alerts, one object a line, as its local API's `GET /v1/alerts` gives them in an array.

An alert says that a scenario overflowed for a source. What came with the community's or another
block list is no observation of this site, and gives no alert.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from policies.alerts import Alert
from responder.sensors.line import MalformedLine, address, entries, instant, record, section, text
from responder.sensors.tactics import Tactics

__all__ = ["CrowdsecParser"]

_GO = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,9})? ([+-]\d{4}) [A-Z+\-\d]{1,9}(?: m=.{1,30})?",
    re.ASCII,
)
_LISTS = ("capi", "lists", "cscli-import")  # origins of decisions that no scenario made


class CrowdsecParser:
    """One alert a line."""

    def __init__(self, tactics: Tactics) -> None:
        self._tactics = tactics

    def parse(self, line: bytes) -> Alert | None:
        event = record(line)
        if event is None:
            return None
        scenario = text(event, "scenario")
        if not scenario or "source" not in event:
            raise MalformedLine("no scenario or no source")
        source = section(event, "source")
        origin = next((text(decision, "origin") for decision in entries(event, "decisions")), "")
        if origin.lower() in _LISTS:
            return None
        return Alert(
            time=_time(event),
            sensor="crowdsec",
            type=scenario,
            title=scenario,  # the message differs with every source
            tactic=self._tactics.of("crowdsec", scenario, scenario),
            host=_machine(event) or text(event, "machine_id"),
            src=_address(source),
        )


def _time(event: dict[str, Any]) -> float:
    """When it was over. CrowdSec writes Go's own form, "2026-11-23 17:00:09.25 +0000 UTC"."""
    key = "stop_at" if event.get("stop_at") else "start_at"
    given = event.get(key)
    found = _GO.fullmatch(given[:64]) if isinstance(given, str) else None
    if found is None:
        return instant(event, key)
    day, clock, fraction, offset = found.groups()
    said = f"{day}T{clock}{(fraction or '')[:7]}{offset}"  # microseconds at most
    return instant({key: said}, key)


def _address(source: dict[str, Any]) -> str:
    """The source's address; empty for networks, countries, users and what else a scope may be."""
    given = text(source, "ip")
    if not given and text(source, "scope").lower() in ("ip", "range"):
        given = text(source, "value")
    if "/" in given:
        try:
            network = ipaddress.ip_network(given)
        except ValueError:
            return ""
        given = str(network.network_address) if network.num_addresses == 1 else ""
    return address(given)


def _machine(event: dict[str, Any]) -> str:
    """The host whose log it was, which the parsers of syslog lines note with each event."""
    for said in entries(event, "events"):
        for meta in entries(said, "meta"):
            if meta.get("key") == "machine":
                return text(meta, "value")
    return ""
