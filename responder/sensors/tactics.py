"""From a sensor's own words to an ATT&CK tactic, only where the words say it.

No tactic is better than a wrong one: an alert without keeps its weight as plain novelty. So rules
here read what the rule's author wrote and never guess from an address, a port or a bare protocol
name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from policies.alerts import TACTIC_IDS, Tactic

__all__ = ["from_category", "from_groups", "from_names", "from_title"]


def _rule(pattern: str, tactic: Tactic) -> tuple[re.Pattern[str], Tactic]:
    return re.compile(pattern, re.IGNORECASE), tactic


# First match wins: password guessing is often filed under "ET SCAN", scanners under "ET
# WEB_SERVER".
_TITLES: tuple[tuple[re.Pattern[str], Tactic], ...] = (
    # ATT&CK T1110 Brute Force, T1003 Credential Dumping; Wazuh group authentication_failed
    _rule(
        r"brute.?force|login fail(ed|ures?)|failed logins?|authentication fail(ed|ures?)|"
        r"invalid user login|password (spray|guess|crack)|credential (dump|theft)",
        Tactic.CREDENTIAL_ACCESS,
    ),
    # ATT&CK T1570 Lateral Tool Transfer, S0029 PsExec
    _rule(r"lateral (movement|tool)|\bpsexec\b", Tactic.LATERAL_MOVEMENT),
    # ATT&CK T1595 Active Scanning; ET category SCAN; Wazuh rules 5706 "(scan)", 31151 group
    # web_scan
    _rule(
        r"\b(ET|ETPRO|GPL) SCAN\b|\(scan\)|\b(port|network|vulnerability) ?scan|\bscanner\b|"
        r"\b(nmap|masscan|zmap|dirb|gobuster|nikto|wpscan)\b|multiple web server 400 error codes",
        Tactic.RECONNAISSANCE,
    ),
    # ATT&CK T1505.003 Web Shell
    _rule(r"\bweb ?shell\b", Tactic.PERSISTENCE),
    # ATT&CK T1548 Abuse Elevation Control, T1068; Wazuh rules 5402, 5403 (sudo), 5304 (su)
    _rule(r"\bsudo\b|changed UID|privilege escalation|\bpriv esc\b", Tactic.PRIVILEGE_ESCALATION),
    # ATT&CK tactic TA0011; ET categories MALWARE (formerly TROJAN), CNC, BOTCC
    _rule(
        r"\b(ET|ETPRO|GPL) (MALWARE|TROJAN|CNC|BOTCC|MOBILE_MALWARE)\b|\bCnC\b|\bC2\b|"
        r"command and control|\bbeacon(ing)?\b",
        Tactic.COMMAND_AND_CONTROL,
    ),
    # ATT&CK tactic TA0010; T1048 names DNS tunnels, a high entropy alone does not
    _rule(r"\bexfil|DNS tunnel", Tactic.EXFILTRATION),
    # ATT&CK T1498, T1499, T1496, T1486; ET categories DOS, COINMINER
    _rule(
        r"\b(ET|ETPRO|GPL) (DOS|COINMINER)\b|denial of service|ransomware",
        Tactic.IMPACT,
    ),
    # ATT&CK T1190 Exploit Public-Facing Application; ET categories EXPLOIT, WEB_SERVER,
    # WEB_SPECIFIC_APPS; Wazuh rules 31103-31106
    _rule(
        r"\b(ET|ETPRO|GPL) (EXPLOIT|WEB_SERVER|WEB_SPECIFIC_APPS)\b|web attack|SQL.?injection|"
        r"\bXSS\b|cross.?site scripting|path traversal|directory traversal|shellshock|\blog4j\b",
        Tactic.INITIAL_ACCESS,
    ),
)

# Descriptions in Suricata's classification.config.
_CATEGORIES: dict[str, Tactic] = {
    "detection of a network scan": Tactic.RECONNAISSANCE,
    "web application attack": Tactic.INITIAL_ACCESS,
    "exploit kit activity detected": Tactic.INITIAL_ACCESS,
    "successful credential theft detected": Tactic.CREDENTIAL_ACCESS,
    "an attempted login using a suspicious username was detected": Tactic.CREDENTIAL_ACCESS,
    "successful administrator privilege gain": Tactic.PRIVILEGE_ESCALATION,
    "successful user privilege gain": Tactic.PRIVILEGE_ESCALATION,
    "a network trojan was detected": Tactic.COMMAND_AND_CONTROL,
    "malware command and control activity detected": Tactic.COMMAND_AND_CONTROL,
    "domain observed used for c2 detected": Tactic.COMMAND_AND_CONTROL,
    "attempted denial of service": Tactic.IMPACT,
    "denial of service": Tactic.IMPACT,
    "detection of a denial of service attack": Tactic.IMPACT,
    "crypto currency mining activity detected": Tactic.IMPACT,
}

# Groups of Wazuh's default ruleset. Its "attack" marks every HTTP error and "virus" every database
# update: not here.
_GROUPS: dict[str, Tactic] = {
    "recon": Tactic.RECONNAISSANCE,
    "web_scan": Tactic.RECONNAISSANCE,
    "authentication_failed": Tactic.CREDENTIAL_ACCESS,
    "authentication_failures": Tactic.CREDENTIAL_ACCESS,
    "sql_injection": Tactic.INITIAL_ACCESS,
    "exploit_attempt": Tactic.INITIAL_ACCESS,
    "sudo": Tactic.PRIVILEGE_ESCALATION,
}

_NAMED: dict[str, Tactic] = {
    **{identifier: tactic for tactic, identifier in TACTIC_IDS.items()},
    **{tactic.name: tactic for tactic in Tactic},
}


def from_title(title: str) -> Tactic | None:
    """The tactic that a signature's or rule's own title states."""
    return next((tactic for pattern, tactic in _TITLES if pattern.search(title)), None)


def from_category(category: str) -> Tactic | None:
    """The tactic that a Suricata classification states."""
    return _CATEGORIES.get(category.lower())


def from_groups(groups: Iterable[str]) -> Tactic | None:
    """The one tactic that a Wazuh rule's groups state; None where they state several."""
    return _only(_GROUPS.get(group.lower()) for group in groups)


def from_names(names: Iterable[str]) -> Tactic | None:
    """The tactic named by id ("TA0008") or name; None where several are named.

    Wazuh tags a plain successful login with the four tactics of "Valid Accounts": that says
    nothing.
    """
    return _only(_NAMED.get(re.sub(r"[ -]", "_", name.strip()).upper()) for name in names)


def _only(tactics: Iterable[Tactic | None]) -> Tactic | None:
    found = {tactic for tactic in tactics if tactic is not None}
    return found.pop() if len(found) == 1 else None
