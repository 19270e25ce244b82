"""A mapping file reads any JSON, and is refused with its place where it is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import responder.sensors
from policies.alerts import Alert, Tactic
from responder.errors import Permanent
from responder.sensors import MalformedLine, is_mapping, parser

README = Path(responder.sensors.__file__).with_name("README.md").read_text()
LEAST = "time: t\nsensor: {default: x}\ntype: rule\n"
EVENT = {"t": "2026-02-03T04:05:06Z", "rule": "r1"}


def read(tmp_path: Path, mapping: str, event: dict[str, Any]) -> Alert | None:
    path = tmp_path / "acme.yaml"
    path.write_text(mapping)
    return parser(str(path)).parse(json.dumps(event).encode())


def alert(tmp_path: Path, more: str = "", **event: Any) -> Alert:
    found = read(tmp_path, LEAST + more, {**EVENT, **event})
    assert found is not None
    return found


def test_the_manuals_example(tmp_path: Path) -> None:
    mapping = next(b for b in re.findall(r"```yaml\n(.*?)```", README, re.S) if "only:" in b)
    line = re.search(r"^    (\{.*?)\n\nit may say", README, re.S | re.M)
    assert line is not None
    assert read(tmp_path, mapping, json.loads(line[1])) == Alert(
        time=1770091506.0,
        sensor="acme",
        type="17",
        title="Odd login",
        severity=0.8,
        tactic=Tactic.LATERAL_MOVEMENT,
        host="web-1",
        src="203.0.113.9",
    )


def test_a_path_stands_for_a_mapping() -> None:
    assert is_mapping("a/acme.yaml") and is_mapping(Path("acme.yml")) and not is_mapping("eve")


def test_a_line_that_only_refuses_is_no_alert(tmp_path: Path) -> None:
    only = "only: {kind: [alert, 7], live: true}\n"
    assert read(tmp_path, LEAST + only, {**EVENT, "kind": "alert", "live": True}) is not None
    assert read(tmp_path, LEAST + only, {**EVENT, "kind": 7, "live": True}) is not None
    assert read(tmp_path, LEAST + only, {**EVENT, "kind": ["x", "alert"], "live": True})
    assert read(tmp_path, LEAST + only, {**EVENT, "kind": "alert", "live": 1}) is None
    assert read(tmp_path, LEAST + only, EVENT) is None


@pytest.mark.parametrize(
    ("time", "given", "expected"),
    [
        ("t", "2026-02-03T05:05:06+01:00", 1770091506.0),
        ("{path: t, format: seconds}", 1770091506.5, 1770091506.5),
        ("{path: t, format: seconds}", "1770091506.5", 1770091506.5),
        ("{path: t, format: milliseconds}", 1770091506500, 1770091506.5),
        ("{path: t, format: nanoseconds}", 1770091506500000000, 1770091506.5),
        ("{path: t, zone: Europe/Berlin}", "2026-02-03 05:05:06", 1770091506.0),
        (
            "{path: t, format: '%d.%m.%Y %H:%M:%S', zone: UTC}",
            "03.02.2026 04:05:06",
            1770091506.0,
        ),
        ("{path: t, format: '%Y-%m-%d %H:%M:%S %z'}", "2026-02-03 05:05:06 +0100", 1770091506.0),
    ],
)
def test_times(tmp_path: Path, time: str, given: Any, expected: float) -> None:
    mapping = f"time: {time}\nsensor: {{default: x}}\ntype: rule\n"
    found = read(tmp_path, mapping, {**EVENT, "t": given})
    assert found is not None and found.time == expected


@pytest.mark.parametrize(
    ("severity", "given", "expected"),
    [
        ("{path: s, range: [0, 15]}", 3, 0.2),
        ("{path: s, range: [4, 1]}", "1", 1.0),
        ("{path: s, range: [4, 1]}", 9, 0.0),
        ("{path: s, values: {high: 0.8, 3: 0.3}}", "high", 0.8),
        ("{path: s, values: {high: 0.8, 3: 0.3}}", 3, 0.3),
        ("{path: s, values: {high: 0.8}, default: 0.1}", "odd", 0.1),
        ("{path: s, values: {high: 0.8}}", ["odd"], 0.5),
        ("s", None, 0.5),
    ],
)
def test_severities(tmp_path: Path, severity: str, given: Any, expected: float) -> None:
    found = alert(tmp_path, f"severity: {severity}\n", s=given)
    assert found.severity == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tactic", "given", "expected"),
    [
        ("m", "lateral movement", Tactic.LATERAL_MOVEMENT),
        ("m", ["TA0008", "Lateral-Movement"], Tactic.LATERAL_MOVEMENT),
        ("m", ["TA0008", "TA0001"], Tactic.CREDENTIAL_ACCESS),  # the title decides
        ("{path: m, values: {lm: TA0008}}", "lm", Tactic.LATERAL_MOVEMENT),
        ("{default: impact}", None, Tactic.IMPACT),
        ("m", {"no": "text"}, Tactic.CREDENTIAL_ACCESS),
    ],
)
def test_tactics(tmp_path: Path, tactic: str, given: Any, expected: Tactic) -> None:
    more = f"title: name\ntactic: {tactic}\n"
    assert alert(tmp_path, more, m=given, name="Brute force").tactic is expected


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("a.b", {"a": {"b": "web"}}),
        ("a.b", {"a.b": "web"}),
        ("a.b.c", {"a": {"b.c": "web"}}),
        ("a.1.b", {"a": [0, {"b": "web"}]}),
        ("[x, a]", {"a": "web"}),
        ("[x, a]", {"x": "", "a": "web"}),
        ("{path: a, values: {1: web}}", {"a": 1}),
        ("{path: a, values: {true: web}}", {"a": True}),
        ("{path: a.0, default: web}", {"a": []}),
    ],
)
def test_paths(tmp_path: Path, path: str, event: dict[str, Any]) -> None:
    assert alert(tmp_path, f"host: {path}\n", **event).host == "web"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "no time"),
        ({"t": "soon"}, "time is not an ISO 8601 time"),
        ({"t": "2026-02-03T04:05:06"}, "time has no offset from UTC"),
        ({"rule": None}, "no type"),
        ({"rule": 1.5}, "type is not text"),
        ({"h": ["web"]}, "host is not text"),
    ],
)
def test_malformed_lines(tmp_path: Path, event: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        read(tmp_path, LEAST + "host: h\n", {**EVENT, **event} if event else {"rule": "r"})
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("[]", "acme.yaml:1: expected a mapping"),
        ("time: t\nsensor: s\n", "acme.yaml:1: `type` is missing"),
        (LEAST + "hots: h\n", r"acme.yaml:4: hots: unknown key 'hots'; did you mean 'host'\?"),
        (LEAST + "host: {paht: h}\n", r"unknown key 'paht'; did you mean 'path'\?"),
        (LEAST + "host: 7\n", "expected a printable name"),
        (LEAST + "host: {values: {a: b}}\n", "acme.yaml:4: host: neither `path` nor `default`"),
        (LEAST + "host: {path: h, values: {a: 1}}\n", "expected a printable name"),
        (LEAST + "severity: {path: s, default: 7}\n", "expected a number from 0 to 1, got 7"),
        (LEAST + "severity: {path: s, range: [1, 1]}\n", "its two numbers are the same"),
        (LEAST + "severity: {path: s, range: [0, x]}\n", "expected a number, got 'x'"),
        (LEAST + "severity: {path: s, values: {a: b}}\n", "expected a number, got 'b'"),
        (LEAST + "tactic: {path: m, values: {a: b}}\n", "'b' is no ATT&CK tactic"),
        (LEAST + "only: [a]\n", "acme.yaml:4: only: expected a mapping"),
        (LEAST + "only: {a: 1.5}\n", "expected a text, a whole number"),
        ("time: {default: 1}\nsensor: s\ntype: r\n", "needs a `path`"),
        ("time: {path: t, format: secs}\nsensor: s\ntype: r\n", "unknown format 'secs'"),
        ("time: {path: t, format: '%H:%M'}\nsensor: s\ntype: r\n", "has no year"),
        ("time: {path: t, format: '%Y%Q'}\nsensor: s\ntype: r\n", "bad directive"),
        ("time: {path: t, zone: Mars}\nsensor: s\ntype: r\n", "no time zone 'Mars'"),
        ("time: t: t\n", "not valid YAML"),
    ],
)
def test_wrong_mappings_are_refused_with_their_place(
    tmp_path: Path, mapping: str, message: str
) -> None:
    with pytest.raises(Permanent, match=message):
        read(tmp_path, mapping, EVENT)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"none\.yaml: cannot be read"):
        parser(tmp_path / "none.yaml")
