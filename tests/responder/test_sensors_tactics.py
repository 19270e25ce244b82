"""Only what a sensor's words say becomes a tactic; users' words go before ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import responder.sensors
from policies.alerts import Tactic
from responder.errors import Permanent
from responder.sensors import Tactics, parser

README = Path(responder.sensors.__file__).with_name("README.md").read_text()
SHIPPED = Tactics.shipped()


def load(tmp_path: Path, text: str) -> Tactics:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return Tactics.load(path)


@pytest.mark.parametrize(
    ("title", "tactic"),
    [
        # Suricata
        ("ET SCAN Potential SSH Scan", Tactic.RECONNAISSANCE),
        ("ET SCAN LibSSH Based Frequent SSH Connections Likely BruteForce Attack", 7),
        ("ET EXPLOIT Apache HTTP Server - Path Traversal", Tactic.INITIAL_ACCESS),
        ("ET EXPLOIT_KIT Landing Page", Tactic.INITIAL_ACCESS),
        ("ET PHISHING Generic Login Page", Tactic.INITIAL_ACCESS),
        ("ET MALWARE Cobalt Strike Beacon Observed", Tactic.COMMAND_AND_CONTROL),
        ("ET INFO Observed DNS Query to .biz TLD", Tactic.COMMAND_AND_CONTROL),
        ("ET INFO DNS Query for Suspicious .ga Domain", Tactic.COMMAND_AND_CONTROL),
        ("ET DNS Query to a *.pw domain - Likely Hostile", Tactic.COMMAND_AND_CONTROL),
        ("ET INFO DNS Query to Alibaba Cloud CDN Domain", None),
        ("ET COINMINER XMR CoinMiner Usage", Tactic.IMPACT),
        ("ET POLICY GNU/Linux APT User-Agent Outbound", None),
        ("ET ATTACK_RESPONSE id check returned root", None),
        ("ET CINS Active Threat Intelligence Poor Reputation IP group 89", None),
        # Wazuh
        ("sshd: insecure connection attempt (scan).", Tactic.RECONNAISSANCE),
        ("Successful sudo to ROOT executed.", Tactic.PRIVILEGE_ESCALATION),
        ("XSS (Cross Site Scripting) attempt.", Tactic.INITIAL_ACCESS),
        ("Web server 400 error code.", None),
        ("PAM: Login session opened.", None),
        # AMiner says what is unusual, not what it is for
        ("New event type.", None),
        ("High entropy in DNS domain.", None),
        ("Unusual occurrence frequencies of Apache Access logs.", None),
        # CrowdSec
        ("crowdsecurity/ssh-bf", Tactic.CREDENTIAL_ACCESS),
        ("crowdsecurity/ssh-bf_user-enum", Tactic.RECONNAISSANCE),
        ("crowdsecurity/http-bf-wordpress_bf", Tactic.CREDENTIAL_ACCESS),
        ("crowdsecurity/http-probing", Tactic.RECONNAISSANCE),
        ("crowdsecurity/http-sqli-probbing-detection", Tactic.RECONNAISSANCE),
        ("crowdsecurity/iptables-scan-multi_ports", Tactic.RECONNAISSANCE),
        ("crowdsecurity/http-crawl-non_statics", Tactic.RECONNAISSANCE),
        ("crowdsecurity/vpatch-CVE-2021-22941", Tactic.INITIAL_ACCESS),
        ("crowdsecurity/http-cve-2021-41773", Tactic.INITIAL_ACCESS),
        ("aidalinfo/tcpudp-flood-traefik", Tactic.IMPACT),
        ("crowdsecurity/postfix-spam", None),
        ("crowdsecurity/dovecot-spam", None),
    ],
)
def test_titles(title: str, tactic: Tactic | None) -> None:
    assert SHIPPED.of("any", "1", title) == tactic


@pytest.mark.parametrize(
    ("kind", "tactic"),
    [
        ("Scan::Address_Scan", Tactic.RECONNAISSANCE),
        ("FTP::Bruteforcing", Tactic.CREDENTIAL_ACCESS),
        ("ATTACK::Lateral_Movement_Extracted_File", Tactic.LATERAL_MOVEMENT),
        ("ATTACK::Lateral_Movement_and_Execution", None),
        ("SSL::Invalid_Server_Cert", None),
        ("Heartbleed::SSL_Heartbeat_Attack", None),  # "attack or scan"
    ],
)
def test_zeek_notices(kind: str, tactic: Tactic | None) -> None:
    assert SHIPPED.of("zeek", kind) == tactic


def test_categories_and_groups_decide_where_the_title_says_nothing() -> None:
    assert SHIPPED.of("x", "1", "A", category="Detection of a Network Scan") == 0
    assert SHIPPED.of("x", "1", "A", groups=["web", "Recon"]) == 0
    assert SHIPPED.of("x", "1", "A", groups=["recon", "sudo"]) is None


def test_the_authors_word_goes_before_ours_and_a_loose_one_after() -> None:
    assert SHIPPED.of("x", "1", "nmap", named=["TA0008"]) is Tactic.LATERAL_MOVEMENT
    assert SHIPPED.of("x", "1", "nmap", named=["TA0008", "TA0001"]) is Tactic.RECONNAISSANCE
    assert SHIPPED.of("x", "1", "nmap", hinted=["TA0008"]) is Tactic.RECONNAISSANCE
    assert SHIPPED.of("x", "1", "A", hinted=["lateral movement"]) is Tactic.LATERAL_MOVEMENT


def test_the_manuals_example(tmp_path: Path) -> None:
    text = next(b for b in re.findall(r"```yaml\n(.*?)```", README, re.S) if "rules:" in b)
    own = load(tmp_path, text)
    assert own.of("wazuh", "100201", "nmap") is Tactic.LATERAL_MOVEMENT
    assert own.of("wazuh", "100202", "acme weekly BEACON") is Tactic.COMMAND_AND_CONTROL
    assert own.of("wazuh", "1", "A", groups=["acme_scan"]) is Tactic.RECONNAISSANCE
    assert own.of("wazuh", "1", "A web shell") is Tactic.PERSISTENCE  # ours


def test_users_words_go_before_all_others(tmp_path: Path) -> None:
    own = load(tmp_path, "rules: [{title: nmap, tactic: TA0007, source: our own inventory scan}]")
    assert own.of("x", "1", "nmap", named=["TA0008"]) is Tactic.DISCOVERY
    line = b"1642993260,Wazuh: nmap seen,10.0.0.1,web,W-X"
    alert = parser("ait", own).parse(line)
    assert alert is not None and alert.tactic is Tactic.DISCOVERY


def test_many_titles_are_not_all_remembered(tmp_path: Path) -> None:
    table = load(tmp_path, "rules: [{title: nmap, tactic: TA0007, source: here}]")
    for number in range(10_000):
        assert table.of("x", "1", f"nmap {number}") is Tactic.DISCOVERY
    assert len(table._own._remembered) <= 4096  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: {}", "own.yaml:1: rules: expected a list"),
        ("rule: []", r"unknown key 'rule'; did you mean 'rules'\?"),
        ("rules:\n- {title: x, tactic: TA0001}", r"own.yaml:2: rules\[0\]: `source` is missing"),
        (
            "rules:\n- {title: x, tactic: war, source: s}",
            "'war' is no ATT&CK tactic; known are rec",
        ),
        ("rules:\n- {title: x, source: s}", "None is no ATT&CK tactic"),
        ("rules:\n- {tactic: TA0001, source: s}", "expected one of id, title, category, group"),
        ("rules:\n- {id: 'a:b', title: x, tactic: TA0001, source: s}", "expected one of .*, got 2"),
        ("rules:\n- {title: '(', tactic: TA0001, source: s}", r"rules\[0\]\.title: no regular"),
        ("rules:\n- {id: x, tactic: TA0001, source: s}", 'expected "sensor:type"'),
        ("rules:\n- {group: [], tactic: TA0001, source: s}", "an empty list"),
        ("rules:\n- {group: 7, tactic: TA0001, source: s}", "expected a printable name"),
        (
            "rules:\n- {group: a, tactic: TA0001, source: s}\n"
            "- {group: A, tactic: TA0002, source: s}",
            r"own.yaml:3: rules\[1\]\.group: 'A' has another tactic further up",
        ),
    ],
)
def test_wrong_files_are_refused_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Permanent, match=message):
        load(tmp_path, text)
