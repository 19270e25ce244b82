"""An alert of any format finds the asset it is about, and says nothing of the others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lines import EVENTS, MAPPING, spoiled

from policies.actions import Kind
from policies.inventory import Asset, Inventory
from policies.picture import Entity, Picture
from responder.sensors import parser

BY_NAME = Asset("web", "dmz", names=("web-1",))
BY_ADDRESS = Asset("db", "dmz", addresses=("10.0.0.9",))
OTHER = Asset("other", "dmz", names=("probe-1",), addresses=("10.0.0.8",))


def touched(format: str, line: bytes) -> list[str]:
    picture = Picture(Inventory(assets=(BY_NAME, BY_ADDRESS, OTHER)))
    alert = parser(format).parse(line)
    assert alert is not None
    picture.observe(alert, alert.time)
    found = (a.id for a in picture.inventory.assets)
    return [a for a in found if picture.evidence(Entity(Kind.ISOLATE, a)).total > 0]


@pytest.mark.parametrize(
    ("format", "path", "value", "asset"),
    [
        ("eve", ("flow", "dest_ip"), "10.0.0.9", "db"),
        ("eve", ("flow", "src_ip"), "10.0.0.9", "db"),
        ("eve", ("alert", "target", "ip"), "10.0.0.9", "db"),
        ("wazuh", ("predecoder", "hostname"), "web-1", "web"),
        ("wazuh", ("predecoder",), None, ""),
        ("wazuh", ("agent", "ip"), "10.0.0.9", "db"),
        ("wazuh", ("data", "dstip"), "10.0.0.9", "db"),
        ("zeek", ("dst",), "10.0.0.9", "db"),
        ("crowdsec", ("events", 0, "meta", 0, "value"), "web-1", "web"),
        ("crowdsec", ("source", "ip"), "10.0.0.9", "db"),
        ("ocsf", ("device", "hostname"), "web-1", "web"),
        ("ocsf", ("device", "ip"), "10.0.0.9", "db"),
        ("ocsf", ("resources", 0, "name"), "web-1", "web"),
        ("ocsf", ("evidences", 0, "dst_endpoint", "ip"), "10.0.0.9", "db"),
        (MAPPING, ("net", 0, "to"), "::ffff:10.0.0.9", "db"),
        (MAPPING, ("agent", "name"), "WEB-1", "web"),
    ],
)
def test_an_event_finds_its_asset(
    format: str, path: tuple[str | int, ...], value: Any, asset: str
) -> None:
    line = json.dumps(spoiled(EVENTS[format], path, value)).encode()
    assert touched(format, line) == ([asset] if asset else [])


@pytest.mark.parametrize(
    ("format", "line", "asset"),
    [
        ("auth", b"2026-01-15T06:53:50Z web-1 sudo: a : 1 incorrect password attempt ; x", "web"),
        ("ait", b"1642993260,Wazuh: x,10.0.0.9,unheard,W-X", "db"),
        ("ait", b"1642993260,Wazuh: x,,web-1,W-X", "web"),
    ],
)
def test_a_line_finds_its_asset(format: str, line: bytes, asset: str) -> None:
    assert touched(format, line) == [asset]


def test_where_suricata_listens_is_not_affected() -> None:
    probe = {**EVENTS["eve"], "host": "probe-1", "xff": "10.0.0.8"}
    assert touched("eve", json.dumps(probe).encode()) == []
    forwarded = {**EVENTS["wazuh"], "data": EVENTS["eve"], "agent": {"ip": "10.0.0.8"}}
    assert touched("wazuh", json.dumps(forwarded).encode()) == []
