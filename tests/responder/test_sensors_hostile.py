"""Whatever the bytes: an alert, nothing, or MalformedLine. And alerts are bounded."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.alerts import Alert
from responder.sensors import FORMATS, MalformedLine, parser

formats = pytest.mark.parametrize("format", FORMATS)

_KEYS = [
    "event_type",
    "timestamp",
    "@timestamp",
    "src_ip",
    "dest_ip",
    "direction",
    "flow",
    "alert",
    "signature",
    "signature_id",
    "severity",
    "category",
    "metadata",
    "mitre_tactic_id",
    "rule",
    "id",
    "description",
    "level",
    "groups",
    "mitre",
    "tactic",
    "agent",
    "ip",
    "name",
    "predecoder",
    "hostname",
    "data",
    "srcip",
    "dstip",
    "decoder",
    "full_log",
]
_leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=300),
    st.sampled_from(["alert", "sshd", "10.0.0.1", "to_client", "2022-01-15T06:53:50Z", "1e999"]),
)
_value = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(_KEYS), inner, max_size=8)
    ),
    max_leaves=12,
)
_object = st.dictionaries(st.sampled_from(_KEYS), _value, max_size=10)


def survives(format: str, line: bytes) -> None:
    try:
        alert = parser(format).parse(line)
    except MalformedLine as error:
        assert error.reason.isprintable() and len(error.reason) < 60
        return
    if alert is not None:
        bounded(alert)


def bounded(alert: Alert) -> None:
    assert math.isfinite(alert.time) and 0 <= alert.severity <= 1
    assert alert.type and alert.sensor
    for field in (alert.type, alert.title, alert.host, alert.address, alert.src, alert.dst):
        assert len(field) <= 200 and field.isprintable()
    json.dumps(alert.to_json()).encode()


@formats
@given(line=st.binary(max_size=400))
def test_any_bytes(format: str, line: bytes) -> None:
    survives(format, line)


@formats
@given(event=_object)
def test_any_json_with_familiar_keys(format: str, event: dict[str, Any]) -> None:
    survives(format, json.dumps(event).encode())


@given(event=_object)
def test_any_fields_of_an_eve_alert(event: dict[str, Any]) -> None:
    survives("eve", json.dumps({**event, "event_type": "alert"}).encode())


@given(rule=_object, data=_object, event=_object)
def test_any_fields_of_a_wazuh_alert(
    rule: dict[str, Any], data: dict[str, Any], event: dict[str, Any]
) -> None:
    rule["id"] = "1"
    survives("wazuh", json.dumps({**event, "rule": rule, "data": data}).encode())


@given(row=st.lists(st.text(max_size=300), min_size=4, max_size=8))
def test_any_ait_row(row: list[str]) -> None:
    survives("ait", ",".join(["1642993260", *row]).encode("utf-8", "surrogatepass"))


@formats
@pytest.mark.parametrize(
    "line",
    [
        b'{"event_type":' * 100_000,
        b"[" * 500_000,
        b'{"event_type":"alert","timestamp":1e999}',
        b'{"event_type":"alert","alert":{"signature_id":1},"timestamp":NaN}',
        b'{"event_type":"alert","alert":{"signature_id":' + b"9" * 10_000 + b"}}",
        b'{"event_type":"\\ud800"}',
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"\x00\x00",
        b"\xff\xfe",
        b"x" * 10_000_000,
        b'{"event_type":"' + b"x" * 10_000_000 + b'"}',
    ],
    ids=lambda line: f"{line[:24]!r}-{len(line)}",
)
def test_known_traps_are_malformed(format: str, line: bytes) -> None:
    with pytest.raises(MalformedLine):
        parser(format).parse(line)
