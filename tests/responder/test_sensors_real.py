"""Real alerts, every line of them."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import pytest

from policies.alerts import Alert, Tactic
from responder.sensors import FORMATS, MalformedLine, detect, parser, recorded_lines

FILES = [
    ("alerts/cptc2017_team5_eve.ndjson.gz", "eve", 1912),
    ("alerts/slips_test6_malicious_eve.json.gz", "eve", 745),
    ("alerts/ait_wazuh_attack_lines.ndjson", "wazuh", 100),
    ("alerts/ait_wazuh_no_attack_lines.ndjson", "wazuh", 100),
    ("alerts/wrccdc2018_zeek_notice.json.gz", "zeek", 207),
    ("alerts/ctu_sme11_conn.log.labeled.gz", "zeek", 0),
    ("ait-ads/russellmitchell_alerts.csv.xz", "ait", 45_544),
]


def alerts(path: Path, format: str) -> list[Alert]:
    parse = parser(format).parse
    return [alert for line in recorded_lines(path) if (alert := parse(line)) is not None]


@pytest.mark.parametrize(("name", "format", "count"), FILES)
def test_every_line_parses(shared_data: Path, name: str, format: str, count: int) -> None:
    assert detect(recorded_lines(shared_data / name)) == format
    assert len(alerts(shared_data / name, format)) == count


def test_cptc_attackers_scan_and_guess(shared_data: Path) -> None:
    found = alerts(shared_data / "alerts/cptc2017_team5_eve.ndjson.gz", "eve")
    tactics = Counter(alert.tactic for alert in found)
    assert tactics[Tactic.RECONNAISSANCE] > 1000
    assert tactics[Tactic.CREDENTIAL_ACCESS] == 30 + 4 * 7  # login failures, rapid mail logins
    assert tactics[Tactic.INITIAL_ACCESS] == 0  # "ET SCAN" in category "Web Application Attack"
    scanners = {a.src for a in found if a.title == "ET SCAN Potential SSH Scan"}
    assert scanners <= {f"10.0.254.{n}" for n in range(30, 36)}


def test_wazuh_login_has_its_key(shared_data: Path) -> None:
    found = alerts(shared_data / "alerts/ait_wazuh_no_attack_lines.ndjson", "wazuh")
    logins = [alert for alert in found if alert.type == "5715"]
    assert logins
    for login in logins:
        assert login.credential.startswith("ssh:SHA256:") and login.tactic is None


def test_ait_keeps_its_sensors_apart(shared_data: Path) -> None:
    found = alerts(shared_data / "ait-ads/russellmitchell_alerts.csv.xz", "ait")
    assert {alert.sensor for alert in found} == {"wazuh", "suricata", "aminer"}
    assert {a.tactic for a in found if a.type == "W-Aut-Sud"} == {Tactic.PRIVILEGE_ESCALATION}
    assert {a.tactic for a in found if a.type == "W-Acc-400"} == {None}


def test_every_file_of_real_alerts_is_read(shared_data: Path) -> None:
    """Whatever the format: what is no such line is refused, never worse."""
    for path in sorted((shared_data / "alerts").iterdir()):
        for reader in map(parser, FORMATS):
            for line in recorded_lines(path):
                with contextlib.suppress(MalformedLine):
                    reader.parse(line)
