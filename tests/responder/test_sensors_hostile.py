"""Whatever the bytes: an alert, nothing, or MalformedLine. And alerts are bounded."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import ALL_FORMATS, EVENTS, TEXTS, bounded, paths, spoiled, survives

from responder.sensors import MalformedLine, parser
from responder.sensors.line import _ENDS

formats = pytest.mark.parametrize("format", ALL_FORMATS, ids=lambda f: f.rpartition("/")[2])
events = pytest.mark.parametrize("format", EVENTS, ids=lambda f: f.rpartition("/")[2])
texts = pytest.mark.parametrize("format", TEXTS)


@events
def test_the_good_lines_are_alerts(format: str) -> None:
    alert = parser(format).parse(json.dumps(EVENTS[format]).encode())
    assert alert is not None
    bounded(alert)


# ---------------------------------------------------------------- one field at a time

_WRONG: list[Any] = [
    None,
    True,
    -1,
    1.5,
    1e308,
    2**63,
    10**400,
    "",
    "\x1b[2J\u202e\x00",
    "\u0130" * 300,
    "9" * 5000,
    "10.0.0.1%" + "x" * 5000,
    "x" * 100_000,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-02-03T04:05:06.5",
    [],
    [[]],
    [None],
    ["x" * 5000] * 200,
    {},
    {"a": {}},
]


@events
@pytest.mark.parametrize("wrong", _WRONG, ids=lambda value: repr(value)[:24])
def test_any_field_may_hold_anything(format: str, wrong: Any) -> None:
    for path in paths(EVENTS[format]):
        line = json.dumps(spoiled(EVENTS[format], path, wrong)).encode()
        survives(parser(format), line)


@events
def test_any_field_may_be_nested_as_deep_as_json_may_be(format: str) -> None:
    """Deep enough that even showing it as text would fail."""
    for path in paths(EVENTS[format]):
        line = json.dumps(spoiled(EVENTS[format], path, "deep")).encode()
        deep = b"[" * 1010 + b"]" * 1010
        survives(parser(format), line.replace(b'"deep"', deep))


@events
def test_any_field_may_be_missing(format: str) -> None:
    for path in paths(EVENTS[format]):
        event = copy.deepcopy(EVENTS[format])
        place: Any = event
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        survives(parser(format), json.dumps(event).encode())


# ---------------------------------------------------------------- properties

_scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=300),
    st.sampled_from(["alert", "10.0.0.1", "::1%x", "2022-01-15T06:53:50Z", "TA0001", "1e999"]),
    st.datetimes().map(str),
)
_anything = st.recursive(
    _scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)


@formats
@given(line=st.binary(max_size=400))
def test_any_bytes(format: str, line: bytes) -> None:
    survives(parser(format), line)


@events
@given(data=st.data())
def test_several_fields_that_hold_anything(format: str, data: st.DataObject) -> None:
    event = EVENTS[format]
    for _ in range(data.draw(st.integers(1, 4))):
        event = spoiled(event, data.draw(st.sampled_from(list(paths(event)))), data.draw(_anything))
    survives(parser(format), json.dumps(event).encode())


@texts
@given(data=st.data())
def test_any_damage_to_lines_of_text(format: str, data: st.DataObject) -> None:
    """In one parser, since headers change what it expects."""
    reader = parser(format)
    for line in data.draw(st.lists(st.sampled_from(TEXTS[format]), min_size=1, max_size=6)):
        start = data.draw(st.integers(0, len(line)))
        end = data.draw(st.integers(start, min(start + 8, len(line))))
        survives(reader, line[:start] + data.draw(st.binary(max_size=12)) + line[end:])


@given(row=st.lists(st.text(max_size=300), min_size=4, max_size=8))
def test_any_ait_row(row: list[str]) -> None:
    survives(parser("ait"), ",".join(["1642993260", *row]).encode("utf-8", "surrogatepass"))


@given(message=st.text(max_size=300), program=st.sampled_from(["sshd", "sudo", "su", "ftp"]))
def test_any_message_of_a_program(message: str, program: str) -> None:
    line = f"Jan 15 06:53:50 mail {program}[1]: {message}"
    survives(parser("auth"), line.encode("utf-8", "surrogatepass"))


# ---------------------------------------------------------------- traps

_TRAPS = [
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
    b"#" + b"\t" * 10_000_000,
    b"Jan 15 06:53:50 mail sshd[9]: " + b"x" * 10_000_000,
]


def named(value: object) -> str:
    return f"{value[:24]!r}-{len(value)}" if isinstance(value, bytes) else str(value)[-12:]


@pytest.mark.parametrize("format", ALL_FORMATS, ids=named)
@pytest.mark.parametrize("line", _TRAPS, ids=named)
def test_known_traps_are_no_alerts(format: str, line: bytes) -> None:
    reader = parser(format)
    if line.startswith(b'{"event_type') and format.endswith(".yaml") and len(line) < 10**6:
        return survives(reader, line)  # a mapping knows no such field: JSON of something else
    with pytest.raises(MalformedLine):
        reader.parse(line)


@pytest.mark.parametrize("program", ["sshd", "sudo", "su", "ftp"])
@pytest.mark.parametrize(
    "filling", [" from", " ; ", "a ", "from 1 port 1 ", "rhost=1 ", "[ ", "USER= ; "]
)
def test_patterns_take_no_time_to_fail(program: str, filling: str) -> None:
    """They look at a bounded beginning only: this would take hours where it does not hold."""
    for start in ("", "Failed password for ", "a : ", "pam_x(y): authentication failure; "):
        line = f"Jan 15 06:53:50 mail {program}[1]: {start}{filling * 50_000}"
        survives(parser("auth"), line.encode())


@pytest.mark.parametrize("filling", ["[", "[]", '[""', '[a b="', '"', "\\", '\\"', "[a]["])
def test_structured_data_takes_no_time_to_fail(filling: str) -> None:
    line = f"<38>1 2026-01-15T06:53:50Z mail sshd 9 - [{filling * 50_000}"
    survives(parser("auth"), line.encode())


def test_what_is_remembered_is_bounded() -> None:
    reader = parser("eve")
    for number in range(9000):
        event = spoiled(EVENTS["eve"], ("alert", "signature"), f"rule {number}")
        if number % 2:
            event["alert"]["category"] = "x" * 5000
        event["flow"] = None
        event["src_ip"] = f"2001:db8::{number:x}%{'z' * (number % 2 * 5000)}"
        survives(reader, json.dumps(event).encode())
    known = vars(reader)["_alerts"]._known
    assert 0 < len(known) <= 4096 and not any(len(category) > 200 for *_, category, _ in known)
    assert len(_ENDS) <= 4096 and max(map(len, _ENDS)) <= 64


def test_true_is_not_taken_for_a_signature_that_was_seen() -> None:
    reader = parser("eve")
    assert reader.parse(json.dumps(spoiled(EVENTS["eve"], ("alert", "signature_id"), 1)).encode())
    with pytest.raises(MalformedLine, match="signature_id is not text"):
        reader.parse(json.dumps(spoiled(EVENTS["eve"], ("alert", "signature_id"), True)).encode())
