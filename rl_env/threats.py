"""What a scenario may set about the network, its episodes and its attackers."""

# ruff: noqa: RUF009 - number, span, ... make fields

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rl_env.fields import (
    LOG,
    Group,
    Shares,
    Span,
    WholeSpan,
    number,
    shares,
    span,
    text,
)
from rl_env.parameters import KINDS, PROFILES

__all__ = ["AIT", "DEPLOYED", "WIDE", "Attackers", "Episode", "Network"]

AIT: Final = "AIT Alert Data Set (Landauer, Skopik, Wurzenberger; CSET 2024)"
DEPLOYED: Final = "the example of a deployment, contracts/deployment.example.yaml"
WIDE: Final = "judgement, wide on purpose: sites differ, and no policy shall count on it"
CROWDSTRIKE: Final = (
    "CrowdStrike Global Threat Report: mean minutes from entry to the next host, 98 in 2021, 48 in "
    "2024, 29 in 2025"
)
SPLUNK: Final = (
    "Splunk SURGe 2022: 100,000 files are encrypted in a median of 43 minutes, by the fastest "
    "sample in 4"
)
FORTRA: Final = "Fortra phishing benchmark 2023: 10 % click, and 65 % of them enter a password"
CHANCE: Final[Any] = {"unit": "chance", "least": 0.0, "most": 1.0}
SHARE: Final[Any] = {"unit": "share", "least": 0.0, "most": 1.0}


@dataclass(frozen=True)
class Network(Group):
    """Which sites an episode may take place at."""

    hosts: WholeSpan = span(
        12,
        16,
        "how many hosts a site has",
        unit="hosts",
        least=5,
        most=2000,
        source="sizes of the figures that the project states",
    )
    sites: int = number(
        0,
        "how many different sites are drawn; an episode takes one. 0: 64 up to 100 hosts, fewer "
        "above",
        unit="sites",
        least=0,
        most=4096,
        source="measured: 64 of 100 hosts take 0.4 MiB, 0.6 s",
    )
    inventory: str = text(
        "",
        "an inventory to simulate in place of drawn sites, relative to the scenario's file",
        unit="path",
        source="the format that the responder reads",
    )
    seed: int = number(
        0,
        "of the drawn sites, and of what an inventory leaves out",
        unit="seed",
        least=0,
        most=2**31 - 1,
        source="any number",
    )
    zone_share: WholeSpan = span(
        30,
        100,
        "how much of a zone may be isolated at once",
        unit="percent",
        least=1,
        most=100,
        source=DEPLOYED,
    )
    zone_frozen_chance: float = number(
        0.05,
        "that a zone is frozen at some time about the episode: no lease, more approvals",
        **CHANCE,
        source="judgement: ends of years, launches",
    )
    zone_frozen_extra: WholeSpan = span(
        0,
        2,
        "approvals more while it is frozen",
        unit="approvals",
        least=0,
        most=15,
        source=WIDE,
    )
    zone_frozen_minutes: Span = span(
        60.0,
        2880.0,
        "how long it is frozen",
        unit="minutes",
        least=1.0,
        most=100000.0,
        drawn=LOG,
        source="judgement",
    )
    zone_window_chance: float = number(
        0.3,
        "that a zone has a weekly change window, within which no delay is waited for",
        **CHANCE,
        source="judgement",
    )
    zone_window_minutes: WholeSpan = span(
        120,
        480,
        "how long the change window is",
        unit="minutes",
        least=1,
        most=10080,
        source=DEPLOYED,
    )


@dataclass(frozen=True)
class Episode(Group):
    """How long an episode lasts, and what happens in it."""

    minutes: int = number(
        150,
        "steps after which the episode is cut off",
        unit="minutes",
        least=10,
        most=2500,
        source=f"{AIT}: intrusions take 44 to 97 minutes",
    )
    warm_up: int = number(
        10,
        "minutes of background before the first decision",
        unit="minutes",
        least=0,
        most=120,
        source="one window of the picture",
    )
    kinds: Shares = shares(
        KINDS,
        (0.25, 0.25, 0.5),
        "how often nothing happens, somebody scans and goes away, somebody attacks",
        source="judgement: rarer attacks teach a policy little, rarer quiet teaches it to cry wolf",
    )
    start_hour: Span = span(
        0.0,
        24.0,
        "hour of the day (UTC) at which it begins; the day of the week is any",
        unit="hour",
        least=0.0,
        most=24.0,
        source="attacks come at any hour",
    )


@dataclass(frozen=True)
class Attackers(Group):
    """Who attacks, how fast and how well."""

    profiles: Shares = shares(
        PROFILES,
        (0.2, 0.15, 0.15, 0.15, 0.15, 0.1, 0.1),
        "how often an attacker is of each profile",
        source="judgement; each is a way through the tactics of MITRE ATT&CK",
    )
    first_move: Span = span(
        0.0,
        0.33,
        "when the attacker begins, of the episode's minutes",
        **SHARE,
        source="judgement: the rest suffices for most attacks to end",
    )
    pace: Span = span(
        0.5,
        2.0,
        "every wait of an attacker, x this: below one is faster",
        unit="factor",
        least=0.05,
        most=20.0,
        drawn=LOG,
        source=WIDE,
    )
    dwell: Span = span(
        3.0,
        45.0,
        "an attacker's wait between two steps on the way, before the profile's pace",
        unit="minutes",
        least=1.0,
        most=1440.0,
        drawn=LOG,
        source=CROWDSTRIKE,
    )
    noise: Span = span(
        0.6,
        1.5,
        "how many rules answer an attacker's doings, x this",
        unit="factor",
        least=0.01,
        most=5.0,
        drawn=LOG,
        source=WIDE,
    )
    hops: WholeSpan = span(
        0,
        3,
        "hosts taken over between the first and the one where the goal is",
        unit="hosts",
        least=0,
        most=20,
        source="judgement: the way from a door to a jewel",
    )
    theft_minutes: WholeSpan = span(
        5,
        60,
        "how long theft takes at the goal, until it is lost",
        unit="minutes",
        least=1,
        most=1440,
        source=f"{AIT}: 55 to 60 minutes, by DNS",
    )
    destruction_minutes: WholeSpan = span(
        4,
        43,
        "how long destruction takes at the goal, until it is lost",
        unit="minutes",
        least=1,
        most=1440,
        source=SPLUNK,
    )
    exploit_chance: Span = span(
        0.3,
        0.9,
        "that an exploit opens the host, per attempt",
        **CHANCE,
        source=WIDE,
    )
    phishing_chance: Span = span(
        0.05,
        0.3,
        "that somebody falls for a lure, per lure",
        **CHANCE,
        source=FORTRA,
    )
    key_theft_chance: Span = span(
        0.4,
        0.9,
        "that a host with root yields a key that it holds",
        **CHANCE,
        source=WIDE,
    )
    patience: Span = span(
        30.0,
        600.0,
        "how long an attacker goes on without getting further",
        unit="minutes",
        least=1.0,
        most=10000.0,
        drawn=LOG,
        source=WIDE,
    )
    address_change_chance: Span = span(
        0.3,
        0.9,
        "that an attacker whose address is blocked moves to another",
        **CHANCE,
        source=WIDE,
    )
    address_change_minutes: WholeSpan = span(
        3,
        15,
        "how long moving to another address takes",
        unit="minutes",
        least=1,
        most=1440,
        source="judgement: addresses are rented by script",
    )
    return_chance: Span = span(
        0.0,
        0.6,
        "that an attacker who lost every host begins anew",
        **CHANCE,
        source=WIDE,
    )
    beacon_chance: Span = span(
        0.02,
        0.3,
        "that a held host calls its master, per minute",
        unit="chance per minute",
        least=0.0,
        most=1.0,
        source="common command frameworks sleep 1 minute, and with jitter longer",
    )
    scanners: Span = span(
        0.05,
        0.3,
        "harmless scanners of the internet, in quiet and attacked episodes",
        unit="per hour",
        least=0.001,
        most=60.0,
        drawn=LOG,
        source=WIDE,
    )
    scanners_when_scanned: Span = span(
        0.4,
        3.0,
        "harmless scanners of the internet, in scanned episodes",
        unit="per hour",
        least=0.001,
        most=60.0,
        drawn=LOG,
        source=WIDE,
    )
