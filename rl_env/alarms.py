"""What a scenario may set about the sensors."""

# ruff: noqa: RUF009 - number, span, ... make fields

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rl_env.fields import (
    LOG,
    Group,
    Levels,
    Shares,
    Span,
    WholeSpan,
    levels,
    number,
    shares,
    span,
)
from rl_env.parameters import SORTS
from rl_env.threats import AIT, CHANCE, SHARE, WIDE

__all__ = ["Sensors"]

WINDOWED: Final[Any] = {"unit": "chance per 10 minutes", "least": 1e-6, "most": 1.0, "drawn": LOG}


@dataclass(frozen=True)
class Sensors(Group):
    """What sensors notice, how they word it, and what is usual at the site."""

    detection: Span = span(
        0.7,
        1.0,
        "that a rule which answers is heard",
        **CHANCE,
        source=WIDE,
    )
    loudness_spread: float = number(
        0.17,
        "how hosts differ in the number of rules that answer: sigma of the logarithm",
        unit="log",
        least=0.0,
        most=2.0,
        source=f"fitted to the {AIT}",
    )
    sorts: Shares = shares(
        SORTS,
        (0.4, 0.2, 0.4),
        "how many rules are signatures, thresholds (floods) and anomalies (no tactic)",
        source=f"{AIT}: of 66 types 26 are anomalies",
    )
    bursts: Levels = levels(
        (5.1, 12.9, 5.7),
        "logarithm of the most repetitions of an alert, of signatures, thresholds and anomalies",
        unit="log",
        least=0.0,
        most=14.0,
        source=f"{AIT}: in 10 minutes 164 of Suricata, 193,698 of Wazuh, 302 of AMiner (99 %)",
    )
    overlap: Span = span(
        0.05,
        0.45,
        "how many rules of one activity answer a related one, too",
        **SHARE,
        source=f"fitted to the {AIT}",
    )
    mislabelled: Span = span(
        0.0,
        0.2,
        "how many rules name a wrong tactic",
        **SHARE,
        source=WIDE,
    )
    unlabelled: Span = span(
        0.0,
        1.0,
        "how many rules name no tactic",
        **SHARE,
        source="sensors differ: signatures name one, anomaly detectors do not",
    )
    unlabelled_extreme: float = number(
        0.28,
        "that all rules or none name a tactic, whatever `unlabelled` says",
        **CHANCE,
        source="sites with one sensor",
    )
    remote: Span = span(
        0.0,
        1.0,
        "how many rules name both ends of a connection",
        **SHARE,
        source="network sensors do, host sensors do not",
    )
    remote_extreme: float = number(
        0.67,
        "that all rules or none name both ends, whatever `remote` says",
        **CHANCE,
        source="sites with one sensor",
    )
    delay_chance: Span = span(
        0.0,
        0.2,
        "that an alert comes late",
        **CHANCE,
        source=WIDE,
    )
    delay_minutes: WholeSpan = span(
        1,
        7,
        "how late a late alert comes",
        unit="minutes",
        least=1,
        most=7,
        source="collectors send in batches of minutes",
    )
    silent_chance: float = number(
        0.1,
        "that the sensors of one zone go silent for a while",
        unit="chance per episode",
        least=0.0,
        most=1.0,
        source="judgement",
    )
    silent_minutes: Span = span(
        10.0,
        120.0,
        "for how long they are silent",
        unit="minutes",
        least=1.0,
        most=2500.0,
        drawn=LOG,
        source="judgement",
    )
    noise_rules: WholeSpan = span(
        2,
        10,
        "rules that fire on a host by themselves",
        unit="rules",
        least=0,
        most=24,
        source=f"{AIT}: 4 to 21 types of alerts on a host in days",
    )
    noise_rate: Span = span(
        0.0015,
        0.5,
        "how often each of them does",
        **WINDOWED,
        source=f"{AIT}: 0.0014 to 0.26 (5 to 95 %)",
    )
    noise_partner_share: float = number(
        0.3,
        "how many of these alerts name a partner's address",
        **SHARE,
        source="judgement",
    )
    failed_login_hosts: float = number(
        0.15,
        "hosts at which log-ins fail every day",
        **SHARE,
        source=f"{AIT}: mail servers and VPN",
    )
    failed_login_rate: Span = span(
        0.0025,
        0.22,
        "how often, per rule",
        **WINDOWED,
        source=f"fitted to the {AIT}",
    )
    scan_rate: Span = span(
        0.00012,
        0.08,
        "how often a rule for scans fires on an exposed host by itself",
        **WINDOWED,
        source=f"fitted to the {AIT}",
    )
    scan_history: Span = span(
        4.5e-5,
        0.0067,
        "how often such a rule had fired while the site was learned, beside that",
        **WINDOWED,
        source="scans of the past are learned as usual",
    )
    upkeep: Span = span(
        0.02,
        0.6,
        "bouts of upkeep: rare events at once that harm nobody",
        unit="per host and day",
        least=0.0001,
        most=50.0,
        drawn=LOG,
        source=f"fitted to the {AIT}",
    )
    upkeep_parts: WholeSpan = span(
        1,
        5,
        "minutes in which a bout makes alerts, with pauses of up to 4 between them",
        unit="minutes",
        least=1,
        most=30,
        source="judgement",
    )
    upkeep_seen: Span = span(
        0.05,
        0.5,
        "how many of upkeep's rules answer a bout, on one host",
        **SHARE,
        source="judgement",
    )
    history: Span = span(
        60.0,
        1000.0,
        "how long the site was learned before the episode",
        unit="windows of 10 minutes",
        least=1.0,
        most=100000.0,
        drawn=LOG,
        source="from ten hours to a week",
    )
    young_chance: float = number(
        0.15,
        "that the site has just been set up",
        **CHANCE,
        source="judgement",
    )
    young_history: Span = span(
        1.0,
        60.0,
        "how long such a site was learned",
        unit="windows of 10 minutes",
        least=1.0,
        most=100000.0,
        drawn=LOG,
        source="up to ten hours",
    )
    youth_windows: float = number(
        150.0,
        "after how long a site's youth has faded to 1/e",
        unit="windows of 10 minutes",
        least=1.0,
        most=100000.0,
        source="a day",
    )
    youth_unseen: float = number(
        0.4,
        "how much of what is usual a site without history has not seen yet",
        **SHARE,
        source="judgement: rates of anomalies are high at first",
    )
    youth_upkeep: float = number(
        4.0,
        "how much more upkeep there is at a site without history",
        unit="factor",
        least=0.0,
        most=100.0,
        source="judgement: much is still to be set up",
    )
