"""A good line or two of each format, to be spoiled by tests, and what any line may become."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.alerts import Alert
from responder.sensors import FORMATS, MalformedLine, Parser

Way = tuple[str | int, ...]  # to a part of an event

MAPPING = str(Path(__file__).with_name("mapping.yaml"))
SPOILED = b"\x01"  # an input of the fuzzer that starts so says how to spoil an event
ALL_FORMATS = (*FORMATS, MAPPING)

EVENTS: dict[str, dict[str, Any]] = {
    "eve": {
        "timestamp": "2017-11-04T13:20:24.289881+0000",
        "event_type": "alert",
        "src_ip": "10.0.254.32",
        "dest_ip": "10.0.0.52",
        "direction": "to_client",
        "flow": {"src_ip": "10.0.254.32", "dest_ip": "10.0.0.52"},
        "alert": {
            "signature_id": 2001569,
            "signature": "ET SCAN Behavioral Unusual Port 445 traffic",
            "category": "Misc activity",
            "severity": 3,
            "target": {"ip": "10.0.0.52"},
            "metadata": {"mitre_tactic_id": ["TA0008"], "mitre_tactic_name": ["x"]},
        },
    },
    "wazuh": {
        "predecoder": {"hostname": "mail", "program_name": "sshd"},
        "agent": {"ip": "172.17.131.81", "name": "wazuh-client", "id": "18"},
        "location": "10.0.0.1",
        "data": {
            "srcip": "10.35.35.202",
            "dstip": "10.35.35.203",
            "win": {"eventdata": {"ipAddress": "10.0.0.1", "destinationIp": "10.0.0.2"}},
        },
        "rule": {
            "level": 3,
            "description": "sshd: authentication success.",
            "groups": ["syslog", "sshd"],
            "mitre": {"tactic": ["Defense Evasion", "Persistence"]},
            "id": "5715",
        },
        "decoder": {"parent": "sshd", "name": "sshd"},
        "full_log": "Jan 15 06:53:50 mail sshd[9296]: Accepted publickey for p from 10.35.35.202"
        " port 55218 ssh2: RSA SHA256:8wFbiaYPevKS/wYKnePO20v0iymTcrRh4Kr+1uRS1UM",
        "@timestamp": "2022-01-15T06:53:50.000000Z",
    },
    "zeek": {
        "ts": 1521911720.5,
        "note": "SSH::Password_Guessing",
        "msg": "guessing",
        "src": "10.164.94.120",
        "dst": "10.164.94.121",
        "id.orig_h": "10.164.94.120",
        "id.resp_h": "10.164.94.121",
    },
    "crowdsec": {
        "scenario": "crowdsecurity/ssh-bf",
        "machine_id": "gate-agent",
        "start_at": "2026-02-03T04:05:04.123456789Z",
        "stop_at": "2026-02-03T04:05:06Z",
        "source": {"scope": "Range", "value": "203.0.113.9/32", "ip": ""},
        "events": [{"meta": [{"key": "machine", "value": "mail"}]}],
        "decisions": [{"origin": "crowdsec"}],
    },
    "ocsf": {
        "class_uid": 2004,
        "activity_id": 1,
        "time": 1770091506250,
        "severity_id": 4,
        "metadata": {"product": {"name": "Some EDR"}},
        "finding_info": {
            "title": "Credential dump",
            "analytic": {"uid": "edr-17", "name": "LSASS read"},
            "attacks": [{"tactic": {"uid": "TA0008"}, "tactics": [{"name": "Impact"}]}],
        },
        "attacks": [{"tactic": {"uid": "TA0008"}}],
        "device": {"hostname": "", "name": "", "ip": ""},
        "resources": [{"name": "ws-17", "ip": "10.0.0.17"}],
        "evidences": [{"src_endpoint": {"ip": "10.0.0.5"}, "dst_endpoint": {"ip": "10.0.0.17"}}],
    },
    MAPPING: {
        "kind": "alert",
        "t": 1770091506250,
        "by": "acme",
        "rule": {"id": 17, "name": "Odd login"},
        "level": "high",
        "tactics": ["TA0008"],
        "agent": {"name": "ws-3", "ip": "10.0.0.1"},
        "net": [{"from": "203.0.113.9", "to": "10.0.0.1"}],
        "key": "ssh:x",
    },
}

TEXTS: dict[str, list[bytes]] = {
    "ait": [b"1642993260,Wazuh: Successful sudo to ROOT executed.,10.143.2.4,web,W-Aut-Sud,-,-"],
    "zeek": [b"#separator \\x09", b"#fields\tts\tnote\tmsg\tsrc", b"1.5\tA::B\t\\x41\t10.0.0.1"],
    "auth": [
        b"Jan 15 06:53:50 mail sshd[9]: Failed password for root from 10.0.0.1 port 2 ssh2",
        b"2026-01-15T06:53:50.250+01:00 mail sudo:  al : PWD=/ ; USER=root ; COMMAND=/bin/sh",
        b"<38>1 2026-01-15T06:53:50Z mail ftp 9 - - pam_unix(ftp:auth): authentication failure;"
        b" ruser=a rhost=10.0.0.5",
    ],
}


def paths(value: Any, above: Way = ()) -> Iterator[Way]:
    """Of everything in a JSON value but the whole."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, part in value.items() if isinstance(value, dict) else ():
        yield (*above, key)
        yield from paths(part, (*above, key))


def spoiled(event: dict[str, Any], path: Way, value: Any) -> dict[str, Any]:
    event = copy.deepcopy(event)
    place: Any = event
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return event


def survives(reader: Parser, line: bytes) -> None:
    try:
        alert = reader.parse(line)
    except MalformedLine as error:
        assert error.reason.isprintable() and len(error.reason) < 60
        return
    if alert is not None:
        bounded(alert)


def bounded(alert: Alert) -> None:
    assert math.isfinite(alert.time) and 0 <= alert.time < 253_402_300_800
    assert 0 <= alert.severity <= 1
    assert alert.type and alert.sensor
    for field in ("sensor", "type", "title", "host", "address", "src", "dst", "credential"):
        said = getattr(alert, field)
        assert len(said) <= 200 and said.isprintable()
    json.dumps(alert.to_json()).encode()
