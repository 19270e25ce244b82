"""Formats are told apart; fields of Zeek, CrowdSec and OCSF end up in the right place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lines import EVENTS, MAPPING, TEXTS

from policies.alerts import Alert, Tactic
from responder.sensors import FORMATS, MalformedLine, detect, parser

# ---------------------------------------------------------------- telling them apart


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_is_recognised(format: str) -> None:
    lines = TEXTS.get(format, [])[:2]  # the third of Zeek's needs those before it
    events = [json.dumps(EVENTS[format]).encode()] if format in EVENTS else []
    assert [detect([b"", b"garbage", line]) for line in (*lines, *events)] == [format] * (
        len(lines) + len(events)
    )


def test_a_forwarded_alert_is_wazuhs_and_other_json_is_nobodys() -> None:
    forwarded = {**EVENTS["wazuh"], "data": EVENTS["eve"]}
    assert detect([json.dumps(forwarded).encode()]) == "wazuh"
    assert detect([json.dumps(EVENTS[MAPPING]).encode(), b"1.5\tA::B\tx\t10.0.0.1"]) is None


# ---------------------------------------------------------------- Zeek

NOTICE: dict[str, Any] = {
    "ts": 1521911720.5,
    "note": "SSH::Password_Guessing",
    "msg": "10.164.94.120 appears to be guessing SSH passwords (seen in 30 connections).",
    "src": "10.164.94.120",
    "actions": ["Notice::ACTION_LOG"],
}
HEADER = [
    b"#separator \\x09",
    b"#unset_field\t-",
    b"#path\tnotice",
    b"#fields\tts\tnote\tmsg\tsrc\tdst",
]


def zeek(*lines: bytes) -> Alert | None:
    reader = parser("zeek")
    return [reader.parse(line) for line in lines][-1]


def notice(**changes: Any) -> Alert:
    alert = zeek(json.dumps({**NOTICE, **changes}).encode())
    assert alert is not None
    return alert


def test_zeek_notice() -> None:
    assert notice() == Alert(
        time=1521911720.5,
        sensor="zeek",
        type="SSH::Password_Guessing",
        title=f"SSH::Password_Guessing: {NOTICE['msg']}",
        tactic=Tactic.CREDENTIAL_ACCESS,
        src="10.164.94.120",
    )


def test_zeek_iso_stamp() -> None:
    assert notice(ts="2018-03-24T17:15:20.500000Z").time == 1521911720.5


def test_zeek_ends_of_the_connection_where_the_notice_names_none() -> None:
    ends = {"src": None, "id.orig_h": "10.0.0.1", "id.resp_h": "10.0.0.2"}
    alert = notice(**ends)
    assert (alert.src, alert.dst) == ("10.0.0.1", "10.0.0.2")
    assert notice(**{**ends, "src": "10.0.0.3"}).dst == ""


def test_zeek_victim_is_no_source() -> None:
    alert = notice(note="HTTP::SQL_Injection_Victim")
    assert (alert.address, alert.src) == ("10.164.94.120", "")
    alert = notice(note="HTTP::SQL_Injection_Victim", dst="10.0.0.2")  # from Zeek 8.1 on
    assert (alert.address, alert.src, alert.dst) == ("", "10.164.94.120", "10.0.0.2")


def test_zeek_message_states_no_tactic() -> None:
    alert = notice(note="Intel::Notice", msg="seen nmap, sqlmap and ransomware in http://x/")
    assert alert.tactic is None


def test_zeek_unknown_notice_is_kept() -> None:
    alert = notice(note="Local::Whatever", msg=None)
    assert (alert.type, alert.title, alert.tactic) == ("Local::Whatever", "Local::Whatever", None)


def test_zeek_tsv() -> None:
    row = b"1521911720.500000\tScan::Port_Scan\tscanned \\x5cx\xc3\xa9\t10.0.0.1\t-"
    alert = zeek(*HEADER, row)
    assert alert is not None and alert.tactic is Tactic.RECONNAISSANCE
    assert (alert.time, alert.src, alert.dst) == (1521911720.5, "10.0.0.1", "")
    assert alert.title == "Scan::Port_Scan: scanned \\xé"


def test_zeek_tsv_of_another_separator() -> None:
    header = [line.replace(b"x09", b"x2c").replace(b"\t", b",") for line in HEADER]
    assert zeek(*header, b"1,Scan::Port_Scan,-,10.0.0.1,-") is not None


def test_zeek_new_header_holds_from_there() -> None:
    alert = zeek(*HEADER, b"#close\t2018", b"#fields\tnote\tts", b"A::B\t7")
    assert alert is not None and (alert.type, alert.time) == ("A::B", 7.0)


def test_zeek_labels_change_nothing() -> None:
    row = b"1.5\tA::B\t-\t10.0.0.1\t-"
    labelled = [*HEADER[:-1], HEADER[-1] + b"\tlabel\tdetailedlabel", row + b"\tMalicious\tC2"]
    assert zeek(*HEADER, row) == zeek(*labelled)


def test_zeek_connections_are_no_alerts() -> None:
    event = {"ts": 1.0, "uid": "C1", "id.orig_h": "10.0.0.1", "conn_state": "REJ"}
    assert zeek(json.dumps(event).encode()) is None


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([b"1\tA::B"], "neither JSON nor a row below a #fields header"),
        ([*HEADER, b"1\tA::B"], "not as many columns as #fields names"),
        ([*HEADER, b"x\tA::B\t-\t-\t-"], "time is not Unix seconds"),
        ([*HEADER, b"-\tA::B\t-\t-\t-"], "no ts"),
        ([*HEADER, b"1\tA::B\t-\tx\t-"], "src is not an address"),
        ([*HEADER, b"1\tA::B\t\xff\t-\t-"], "not UTF-8"),
        ([b"#separator \\x0909"], "#separator is not one character"),
        ([b"#fields" + b"\tx" * 300], "#fields names too many or one twice"),
        ([b'{"note":"A::B"}'], "no ts"),
        ([b'{"ts":[1]}'], "ts is not a number"),
    ],
)
def test_zeek_malformed(lines: list[bytes], reason: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        zeek(*lines)
    assert caught.value.reason == reason


# ---------------------------------------------------------------- CrowdSec

CROWDSEC: dict[str, Any] = {
    "id": 7,
    "scenario": "crowdsecurity/ssh-bf",
    "message": "Ip 203.0.113.9 performed 'crowdsecurity/ssh-bf' (6 events over 2s)",
    "machine_id": "gate-agent",
    "start_at": "2026-02-03T04:05:04.123456789Z",
    "stop_at": "2026-02-03T04:05:06Z",
    "source": {"scope": "Ip", "value": "203.0.113.9", "ip": "203.0.113.9", "cn": "ZZ"},
    "events": [{"meta": [{"key": "user", "value": "x"}, {"key": "machine", "value": "mail"}]}],
    "decisions": [{"origin": "crowdsec", "type": "ban", "value": "203.0.113.9"}],
}


def crowdsec(**changes: Any) -> Alert | None:
    return parser("crowdsec").parse(json.dumps({**CROWDSEC, **changes}).encode())


def test_crowdsec_alert() -> None:
    assert crowdsec() == Alert(
        time=1770091506.0,
        sensor="crowdsec",
        type="crowdsecurity/ssh-bf",
        title="crowdsecurity/ssh-bf",
        tactic=Tactic.CREDENTIAL_ACCESS,
        host="mail",
        src="203.0.113.9",
    )


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ({"scope": "Range", "value": "203.0.113.0/24"}, ""),
        ({"scope": "Range", "value": "203.0.113.9/32"}, "203.0.113.9"),
        ({"scope": "Range", "value": "203.0.113.9/24"}, ""),
        ({"scope": "Country", "value": "203.0.113.9"}, ""),
        ({"scope": "ip", "value": "2001:DB8::1"}, "2001:db8::1"),
        ({}, ""),
    ],
)
def test_crowdsec_sources(source: dict[str, Any], address: str) -> None:
    alert = crowdsec(source=source)
    assert alert is not None and alert.src == address


@pytest.mark.parametrize("origin", ["CAPI", "lists", "cscli-import"])
def test_crowdsec_block_lists_are_no_alerts(origin: str) -> None:
    assert crowdsec(decisions=[{"origin": origin}] * 1000) is None


def test_crowdsec_without_the_log_s_host_the_agent() -> None:
    alert = crowdsec(events=None, decisions=None, stop_at=None)
    assert alert is not None and alert.host == "gate-agent"
    assert alert.time == pytest.approx(1770091504.123456)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scenario": None}, "no scenario or no source"),
        ({"source": "x"}, "source is not an object"),
        ({"events": {}}, "events is not a list of objects"),
        ({"events": [1]}, "events is not a list of objects"),
        ({"events": [{"meta": [{"key": "machine", "value": []}]}]}, "value is not text"),
        ({"stop_at": "soon"}, "stop_at is not an ISO 8601 time"),
    ],
)
def test_crowdsec_malformed(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        crowdsec(**changes)
    assert caught.value.reason == reason


# ---------------------------------------------------------------- OCSF

OCSF: dict[str, Any] = {
    "class_uid": 2004,
    "activity_id": 1,
    "time": 1770091506250,
    "severity_id": 4,
    "metadata": {"product": {"name": "Some EDR", "vendor_name": "Some"}},
    "finding_info": {
        "uid": "0001",
        "title": "Credential dump",
        "analytic": {"uid": "edr-17", "name": "LSASS read"},
        "attacks": [{"tactic": {"uid": "TA0008", "name": "Lateral Movement"}}],
    },
    "device": {"hostname": "ws-17", "ip": "10.0.0.17"},
    "evidences": [
        {"process": {"name": "x"}},
        {"src_endpoint": {"ip": "10.0.0.5"}, "dst_endpoint": {"ip": "10.0.0.17"}},
    ],
}


def ocsf(**changes: Any) -> Alert | None:
    return parser("ocsf").parse(json.dumps({**OCSF, **changes}).encode())


def test_ocsf_finding() -> None:
    assert ocsf() == Alert(
        time=1770091506.25,
        sensor="some edr",
        type="edr-17",
        title="Credential dump",
        severity=0.75,
        tactic=Tactic.LATERAL_MOVEMENT,  # its own word goes before the title's
        host="ws-17",
        address="10.0.0.17",
        src="10.0.0.5",
        dst="10.0.0.17",
    )


@pytest.mark.parametrize(
    ("attacks", "tactic"),
    [
        ([{"tactics": [{"name": "Impact"}]}], Tactic.IMPACT),  # OCSF 1.0
        ([{"tactic": {"uid": "TA0001"}}, {"tactic": {"uid": "TA0002"}}], Tactic.CREDENTIAL_ACCESS),
        ([], Tactic.CREDENTIAL_ACCESS),  # the title's
    ],
)
def test_ocsf_tactics(attacks: list[Any], tactic: Tactic) -> None:
    alert = ocsf(finding_info={**OCSF["finding_info"], "attacks": []}, attacks=attacks)
    assert alert is not None and alert.tactic is tactic


def test_ocsf_resource_where_there_is_no_device() -> None:
    alert = ocsf(device=None, resources=[{"uid": "x"}, {"name": "db-1", "ip": "10.0.0.9"}])
    assert alert is not None and (alert.host, alert.address) == ("db-1", "10.0.0.9")


def test_ocsf_unknown_severity_is_the_middle() -> None:
    alert = ocsf(severity_id=99)
    assert alert is not None and alert.severity == 0.5


@pytest.mark.parametrize("changes", [{"class_uid": 4001}, {"activity_id": 3}])
def test_ocsf_other_classes_and_closed_findings(changes: dict[str, Any]) -> None:
    assert ocsf(**changes) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time": None}, "time is not Unix seconds"),
        ({"time": 1e300}, "time is not Unix seconds"),
        ({"finding_info": {}}, "no finding_info.title or analytic"),
        ({"device": []}, "device is not an object"),
        ({"evidences": "x"}, "evidences is not a list of objects"),
        ({"severity_id": "high"}, "severity_id is not a number"),
    ],
)
def test_ocsf_malformed(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        ocsf(**changes)
    assert caught.value.reason == reason


def test_ocsf_of_no_class_is_malformed() -> None:
    with pytest.raises(MalformedLine, match="no class_uid"):
        parser("ocsf").parse(b"{}")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("2026-11-23 17:00:09 +0000 UTC", 1_795_453_209.0),
        ("2026-11-23 17:00:09.25 +0000 UTC", 1_795_453_209.25),
        ("2026-11-23 18:00:09.123456789 +0100 CET", 1_795_453_209.123456),
        ("2026-11-23T17:00:09Z", 1_795_453_209.0),
    ],
)
def test_crowdsec_writes_times_as_go_does(said: str, seconds: float) -> None:
    event = {"scenario": "x/ssh-bf", "source": {"ip": "203.0.113.9"}, "stop_at": said}
    alert = parser("crowdsec").parse(json.dumps(event).encode())
    assert alert is not None and alert.time == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "said", ["2026-11-23 17:00:09", "2026-13-23 17:00:09 +0000 UTC", "x", "9" * 70]
)
def test_crowdsec_without_a_time_is_refused(said: str) -> None:
    event = {"scenario": "x/ssh-bf", "source": {"ip": "203.0.113.9"}, "stop_at": said}
    with pytest.raises(MalformedLine):
        parser("crowdsec").parse(json.dumps(event).encode())
