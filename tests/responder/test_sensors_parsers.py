"""Each format's fields end up in the right place of the alert."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from policies.alerts import Alert, Tactic
from responder.errors import Permanent
from responder.sensors import FORMATS, MalformedLine, detect, parser
from responder.sensors.line import address, tidy

EVE: dict[str, Any] = {
    "timestamp": "2017-11-04T13:20:24.289881+0000",
    "event_type": "alert",
    "src_ip": "10.0.254.32",
    "dest_ip": "10.0.0.52",
    "host": "probe-1",
    "alert": {
        "signature_id": 2001569,
        "signature": "ET SCAN Behavioral Unusual Port 445 traffic Potential Scan or Infection",
        "category": "Misc activity",
        "severity": 3,
    },
}
FINGERPRINT = "8wFbiaYPevKS/wYKnePO20v0iymTcrRh4Kr+1uRS1UM"
ACCEPTED = (
    "Jan 15 06:53:50 mail sshd[9296]: Accepted publickey for phopkins from 10.35.35.202 "
    f"port 55218 ssh2: RSA SHA256:{FINGERPRINT}"
)
WAZUH: dict[str, Any] = {
    "predecoder": {"hostname": "mail", "program_name": "sshd"},
    "agent": {"ip": "172.17.131.81", "name": "wazuh-client", "id": "18"},
    "data": {"srcip": "10.35.35.202", "dstuser": "phopkins"},
    "rule": {
        "level": 3,
        "description": "sshd: authentication success.",
        "groups": ["syslog", "sshd", "authentication_success"],
        "mitre": {"tactic": ["Defense Evasion", "Persistence", "Initial Access"]},
        "id": "5715",
    },
    "decoder": {"parent": "sshd", "name": "sshd"},
    "full_log": ACCEPTED,
    "@timestamp": "2022-01-15T06:53:50.000000Z",
}
AIT_HEADER = b"time,name,ip,host,short,time_label,event_label"


def changed(base: dict[str, Any], **changes: Any) -> bytes:
    """The line with `a__b=value` set at ["a"]["b"]; None removes."""
    event = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = event
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return json.dumps(event).encode()


def read(format: str, line: bytes) -> Alert:
    alert = parser(format).parse(line)
    assert alert is not None
    return alert


# ---------------------------------------------------------------- Suricata


def test_eve_alert() -> None:
    assert read("eve", changed(EVE)) == Alert(
        time=1509801624.289881,
        sensor="suricata",
        type="2001569",
        title="ET SCAN Behavioral Unusual Port 445 traffic Potential Scan or Infection",
        severity=pytest.approx(1 / 3),
        tactic=Tactic.RECONNAISSANCE,
        src="10.0.254.32",
        dst="10.0.0.52",
    )


def test_eve_other_events_are_ignored() -> None:
    assert parser("eve").parse(changed(EVE, event_type="flow", alert=None)) is None


@pytest.mark.parametrize(("priority", "severity"), [(1, 1.0), (4, 0.0), (255, 0.0), (-7, 1.0)])
def test_eve_severity_counts_down(priority: int, severity: float) -> None:
    assert read("eve", changed(EVE, alert__severity=priority)).severity == severity


@pytest.mark.parametrize(
    ("metadata", "tactic"),
    [
        ({"mitre_tactic_id": ["TA0008"]}, Tactic.LATERAL_MOVEMENT),
        ({"mitre_tactic_name": ["Command_And_Control"]}, Tactic.COMMAND_AND_CONTROL),
        ({"mitre_tactic_id": ["TA0008", "TA0011"]}, Tactic.RECONNAISSANCE),  # the title decides
        ({"mitre_tactic_id": ["TA9999"]}, Tactic.RECONNAISSANCE),
    ],
)
def test_eve_tactic_is_the_rule_authors(metadata: dict[str, Any], tactic: Tactic) -> None:
    assert read("eve", changed(EVE, alert__metadata=metadata)).tactic is tactic


def test_eve_category_decides_where_the_title_says_nothing() -> None:
    line = changed(
        EVE, alert__signature="Local rule 7", alert__category="A Network Trojan was detected"
    )
    assert read("eve", line).tactic is Tactic.COMMAND_AND_CONTROL


def test_eve_answer_packet_is_turned_round() -> None:
    alert = read("eve", changed(EVE, direction="to_client"))
    assert (alert.src, alert.dst) == ("10.0.0.52", "10.0.254.32")


def test_eve_flow_knows_the_initiator() -> None:
    line = changed(EVE, flow__src_ip="10.0.0.52", flow__dest_ip="10.0.254.32")
    assert (read("eve", line).src, read("eve", line).dst) == ("10.0.0.52", "10.0.254.32")


def test_eve_target_is_who_is_affected() -> None:
    alert = read("eve", changed(EVE, alert__target={"ip": "10.0.0.52", "port": 445}))
    assert alert.address == "10.0.0.52"


def test_eve_signature_seen_before_is_read_the_same() -> None:
    reader = parser("eve")
    plain, tagged = changed(EVE), changed(EVE, alert__metadata={"mitre_tactic_id": ["TA0008"]})
    found = [reader.parse(line) for line in (plain, tagged, plain, tagged)]
    assert found[0] == found[2] == read("eve", plain)
    assert found[1] == found[3] == read("eve", tagged) != found[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"timestamp": None}, "no timestamp"),
        ({"timestamp": "yesterday"}, "timestamp is not an ISO 8601 time"),
        ({"timestamp": "2017-11-04T13:20:24"}, "timestamp has no offset from UTC"),
        ({"timestamp": "1901-11-04T13:20:24Z"}, "timestamp is out of range"),
        ({"src_ip": "not-an-address"}, "src_ip is not an address"),
        ({"src_ip": ["10.0.0.1"]}, "src_ip is not text"),
        ({"alert": "x"}, "alert is not an object"),
        ({"alert__signature_id": None}, "no signature_id"),
        ({"alert__signature_id": True}, "signature_id is not text"),
        ({"alert__severity": "high"}, "severity is not a number"),
        ({"alert__metadata": {"mitre_tactic_id": [1]}}, "mitre_tactic_id is not a list of texts"),
        ({"event_type": None}, "no event_type"),
    ],
)
def test_eve_malformed(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        parser("eve").parse(changed(EVE, **changes))
    assert caught.value.reason == reason


# ---------------------------------------------------------------- Wazuh


def test_wazuh_accepted_key() -> None:
    assert read("wazuh", changed(WAZUH)) == Alert(
        time=1642229630.0,
        sensor="wazuh",
        type="5715",
        title="sshd: authentication success.",
        severity=pytest.approx(0.2),
        tactic=None,  # three tactics named for a plain login: none said
        host="mail",
        address="172.17.131.81",
        src="10.35.35.202",
        agent="18",
        credential=f"ssh:SHA256:{FINGERPRINT}",
    )


def test_wazuh_host_falls_back_to_the_agents_name() -> None:
    assert read("wazuh", changed(WAZUH, predecoder=None)).host == "wazuh-client"


@pytest.mark.parametrize(
    "log",
    [
        ACCEPTED.replace("Accepted", "Failed"),  # the key was only shown, anyone can
        f"Jan 15 06:53:50 mail sshd[1]: Invalid user x {ACCEPTED} from 10.0.0.9",
        ACCEPTED[:-1],
        "",
    ],
)
def test_wazuh_no_credential_without_proof(log: str) -> None:
    assert read("wazuh", changed(WAZUH, full_log=log)).credential == ""


def test_wazuh_credential_only_from_sshd() -> None:
    assert read("wazuh", changed(WAZUH, decoder__name="web-accesslog")).credential == ""


@pytest.mark.parametrize(
    ("changes", "tactic"),
    [
        ({"rule__mitre": {"tactic": ["Lateral Movement"]}}, Tactic.LATERAL_MOVEMENT),
        ({"rule__groups": ["web", "recon"]}, Tactic.RECONNAISSANCE),
        ({"rule__groups": ["web", "accesslog", "attack"]}, None),
        ({"rule__groups": ["recon", "sudo"], "rule__mitre": None}, None),
        (
            {
                "rule__description": "sshd: insecure connection attempt (scan).",
                "rule__mitre": {"tactic": ["Lateral Movement"]},
            },
            Tactic.RECONNAISSANCE,
        ),
    ],
)
def test_wazuh_tactic_only_when_unambiguous(changes: dict[str, Any], tactic: Tactic | None) -> None:
    assert read("wazuh", changed(WAZUH, **changes)).tactic is tactic


def test_wazuh_forwarded_suricata_alert_is_suricatas() -> None:
    inner = {**EVE, "alert": {**EVE["alert"], "signature_id": "2001569", "severity": "3"}}
    assert read("wazuh", changed(WAZUH, data=inner)) == read("eve", changed(EVE))


def test_wazuh_source_that_is_no_address_is_left_out() -> None:
    assert read("wazuh", changed(WAZUH, data__srcip="ws-17.example")).src == ""


@pytest.mark.parametrize(
    ("ip", "location", "address"),
    [
        ("172.17.131.81", "10.0.0.5", "172.17.131.81"),
        ("any", "10.0.0.5", "10.0.0.5"),
        (None, "10.0.0.5", "10.0.0.5"),  # syslog that the manager received itself
        (None, "/var/log/auth.log", ""),
    ],
)
def test_wazuh_address_of_the_host(ip: str | None, location: str, address: str) -> None:
    assert read("wazuh", changed(WAZUH, agent__ip=ip, location=location)).address == address


def test_wazuh_ends_as_windows_names_them() -> None:
    said = {"eventdata": {"ipAddress": "-", "sourceIp": "10.0.0.1", "destinationIp": "10.0.0.2"}}
    alert = read("wazuh", changed(WAZUH, data={"win": said}))
    assert (alert.src, alert.dst) == ("10.0.0.1", "10.0.0.2")


def test_wazuh_without_rule_is_malformed() -> None:
    with pytest.raises(MalformedLine, match=r"no rule\.id"):
        parser("wazuh").parse(changed(WAZUH, rule=None))


# ---------------------------------------------------------------- AIT


def test_ait_line_without_labels() -> None:
    line = b"1642993260,Wazuh: Successful sudo to ROOT executed.,10.143.2.4,intranet,W-Aut-Sud\n"
    assert read("ait", line) == Alert(
        time=1642993260.0,
        sensor="wazuh",
        type="W-Aut-Sud",
        title="Successful sudo to ROOT executed.",
        tactic=Tactic.PRIVILEGE_ESCALATION,
        host="intranet",
        address="10.143.2.4",
    )


def test_ait_labels_change_nothing() -> None:
    plain = b"1642993260,AMiner: New event type.,10.143.2.4,intranet_server,A-All-Evt"
    labelled = plain + b",webshell,escalated_sudo_command"
    assert read("ait", plain) == read("ait", labelled)


def test_ait_sensor_stays_short_in_small_letters() -> None:
    line = f"1,{chr(0x130) * 300}: x,10.0.0.1,h,W-X".encode()
    assert len(read("ait", line).sensor) <= 200  # in small letters each is two


def test_ait_header_is_no_alert() -> None:
    assert parser("ait").parse(AIT_HEADER) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1642993260,Wazuh: x,10.0.0.1,h", "fewer than five columns"),
        (b"soon,Wazuh: x,10.0.0.1,h,W-X", "time is not Unix seconds"),
        (b"1,Wazuh: x,10.0.0.1,h,\x00", "no sensor, title or type"),
        (b"nan,Wazuh: x,10.0.0.1,h,W-X", "time is not Unix seconds"),
        (b"1e999,Wazuh: x,10.0.0.1,h,W-X", "time is not Unix seconds"),
        (b"1642993260,x,10.0.0.1,h,W-X", "no sensor, title or type"),
        (b"1642993260,\xff: x,10.0.0.1,h,W-X", "not UTF-8"),
        (b'1642993260,"Wazuh: x,10.0.0.1,h,W-X', "not CSV"),
    ],
)
def test_ait_malformed(line: bytes, reason: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        parser("ait").parse(line)
    assert caught.value.reason == reason


# ---------------------------------------------------------------- all


@pytest.mark.parametrize(
    ("lines", "format"),
    [
        ([b"", changed(EVE, event_type="stats", alert=None)], "eve"),
        ([changed(WAZUH)], "wazuh"),
        ([AIT_HEADER], "ait"),
        ([b"1642993260,Wazuh: x,10.0.0.1,h,W-X"], "ait"),
        ([b"#separator \\x09"], "zeek"),
        ([b'{"ts":1.5,"uid":"C1","conn_state":"SF"}'], "zeek"),
        ([b'{"scenario":"a/b","source":{},"start_at":"2026-02-03T04:05:06Z"}'], "crowdsec"),
        ([b'{"class_uid":4001,"time":0}'], "ocsf"),
        ([b"Jan 15 06:53:50 mail CRON[1]: x"], "auth"),
        ([b"garbage", changed(EVE)], "eve"),
        ([b"garbage"], None),
        ([], None),
    ],
)
def test_detect(lines: list[bytes], format: str | None) -> None:
    assert detect(lines) == format


def test_unknown_format_names_the_known() -> None:
    with pytest.raises(Permanent, match="known are eve, wazuh, ait, zeek"):
        parser("nonsense")


@pytest.mark.parametrize("format", FORMATS)
def test_blank_line_is_no_alert(format: str) -> None:
    assert parser(format).parse(b"  \r\n") is None


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:0DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("203.0.113.009", ""),
        ("any", ""),
    ],
)
def test_addresses_are_canonical(given: str, canonical: str) -> None:
    assert address(given) == canonical


def test_text_cannot_steer_a_terminal() -> None:
    assert tidy("a\x1b[2Jb\r\n\u202ec" + "d" * 500) == "a[2Jbc" + "d" * (200 - 10)
