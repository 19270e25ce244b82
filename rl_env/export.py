"""What the simulated sensors say, in the words of the live side: `Alert` records, and the lines of
Suricata and Wazuh that its parsers read back as the same records.

Nothing here draws from an environment's dice: who reads along changes nothing.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from policies.alerts import TACTIC_IDS, Alert, Stage, Tactic
from rl_env.blueprint import Blueprint
from rl_env.rules import FIRST, NO_TACTIC, activity_of
from rl_env.seeing import HOSTILE_BIT
from rl_env.sensors import DUE_AT, HOST, KEY, OUTWARD, PEER, RULE, SAID_AT, TIMES
from rl_env.world import REMOTE, TACTIC, State

__all__ = ["FORMATS", "Report", "copies", "line", "reports"]

_MOST_COPIES: Final = 12  # lines that one repeated alert becomes: both formats know no count
_BETWEEN: Final = 0.01  # seconds between two of them
_GOLDEN: Final = 0.6180339887498949

# By activity, in words that state no tactic: a rule may be mislabelled, or name none.
_TITLES: Final = (
    "Unusual value",
    "Administration",
    "Login refused",
    "Sweep",
    "Probe",
    "Exploit",
    "Malicious document",
    "Escalation",
    "Keys were read",
    "Login from an unusual host",
    "Regular calls to the outside",
    "Mass transfer",
    "Destruction",
)
_SEVERITIES: Final = {  # in thirds, which both formats can say
    Stage.RECON: 1 / 3,
    Stage.ENTRY: 2 / 3,
    Stage.FOOTHOLD: 2 / 3,
    Stage.CREDENTIALS: 2 / 3,
    Stage.SPREAD: 1.0,
    Stage.IMPACT: 1.0,
    Stage.UNKNOWN: 1 / 3,
}


class Report(NamedTuple):
    """An alert that came so many `times`, and when it was heard (Unix seconds): later than the
    alert's own time where it was under way for minutes.
    """

    alert: Alert
    times: int
    heard: float


class _Place(NamedTuple):
    """Where an alert comes from; what it does not name is empty."""

    host: str
    own: str  # address of the host
    src: str
    dst: str
    credential: str


def reports(s: State, site: Blueprint, format: str) -> list[Report]:
    """What was heard of environment `s` in its last minute (after a reset: while it warmed up), in
    that order, in what a sensor of this format can say (but for keys that are not SSH's, which a
    line of Wazuh leaves out).

    The environment must keep alerts (`trace` of `rl_env.simulation.Simulation`). Raises ValueError
    where it kept fewer than there were.
    """
    told = s.journal[: s.told]
    if len(told) == len(s.journal):
        raise ValueError(f"more than {len(told)} alerts in a minute; keep more of them (trace)")
    found: list[Report] = []
    for minute in np.unique(told[:, DUE_AT]):
        entries = told[told[:, DUE_AT] == minute]
        for k, entry in enumerate(entries):
            offset = _milliseconds(int(minute), k, len(entries)) / 1000
            said = round(int(s.epoch) + 60 * int(entry[SAID_AT]) + offset, 3)
            heard = round(int(s.epoch) + 60 * int(minute) + offset, 3)
            alert = _alert(s, site, entry, said, format)
            found.append(Report(alert, int(entry[TIMES]), heard))
    return found


def _milliseconds(minute: int, k: int, count: int) -> int:
    """Within the minute, of the k-th of so many: in order, though not evenly."""
    return int(60_000 * (k + _GOLDEN * (minute + k) % 1.0) / count)


def _alert(s: State, site: Blueprint, entry: Any, time: float, format: str) -> Alert:
    rule = int(entry[RULE])
    activity = activity_of(rule)
    tactic = None if s.rule[rule, TACTIC] == NO_TACTIC else Tactic(s.rule[rule, TACTIC])
    return FORMATS[format].alert(
        _place(site, entry, bool(s.rule[rule, REMOTE])),
        time=time,
        rule=rule,
        title=f"SIM {_TITLES[activity]} {rule - FIRST[activity] + 1}",
        severity=_SEVERITIES[Stage.of(tactic)],
        tactic=tactic,
    )


def _place(site: Blueprint, entry: Any, remote: bool) -> _Place:
    host, peer, key = int(entry[HOST]), int(entry[PEER]), int(entry[KEY])
    assets, credentials = site.inventory.assets, site.inventory.credentials
    own, other = assets[host].addresses[0], ""
    if remote and peer > 0:
        other = str(ipaddress.IPv4Address(peer & ~HOSTILE_BIT))
    elif remote and peer < 0 and -1 - peer != host:
        other = assets[-1 - peer].addresses[0]
    src, dst = (own, other) if entry[OUTWARD] else (other, own)
    return _Place(assets[host].id, own, src, dst, credentials[key].id if key >= 0 else "")


def copies(report: Report) -> Iterator[Report]:
    """A repeated alert as so many single ones, 12 at most."""
    alert, times, heard = report
    for k in range(min(times, _MOST_COPIES)):
        later = round(k * _BETWEEN, 3)
        moved = Alert(
            **{name: getattr(alert, name) for name in Alert.__slots__ if name != "time"},
            time=round(alert.time + later, 3),
        )
        yield Report(moved, 1, round(heard + later, 3))


def line(alert: Alert, format: str, number: int) -> str:
    """The alert as a line of this format, without its end; `number` counts lines."""
    return json.dumps(FORMATS[format].event(alert, number), separators=(",", ":"))


# ---------------------------------------------------------------- Suricata


def _by_suricata(place: _Place, rule: int, **rest: Any) -> Alert:
    """It listens to the network: it knows addresses, and no keys."""
    kind = str(_FIRST_SID + rule)
    return Alert(sensor="suricata", type=kind, src=place.src, dst=place.dst, **rest)


_FIRST_SID: Final = 1_000_000  # of the range for local rules


def _eve(alert: Alert, number: int) -> dict[str, Any]:
    metadata = {} if alert.tactic is None else {"mitre_tactic_id": [TACTIC_IDS[alert.tactic]]}
    ends = {"src_ip": alert.src, "dest_ip": alert.dst}
    return {
        "timestamp": _stamp(alert.time, "%Y-%m-%dT%H:%M:%S.%f%z"),
        "flow_id": number,
        "in_iface": "eth0",
        "event_type": "alert",
        **{name: address for name, address in ends.items() if address},
        "src_port": 40_000 + number % 20_000,
        "dest_port": 443,
        "proto": "TCP",
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": int(alert.type),
            "rev": 1,
            "signature": alert.title,
            "category": "Misc activity",
            "severity": round(4 - 3 * alert.severity),
            "metadata": metadata,
        },
    }


# ---------------------------------------------------------------- Wazuh


def _by_wazuh(place: _Place, rule: int, **rest: Any) -> Alert:
    """It sits on the host: it names it, the other end, and the key of a login."""
    return Alert(
        sensor="wazuh",
        type=str(_FIRST_ID + rule),
        host=place.host,
        address=place.own,
        src="" if place.src == place.own else place.src,
        dst="" if place.dst == place.own else place.dst,
        credential=place.credential,
        **rest,
    )


_FIRST_ID: Final = 100_000  # of the range for local rules
_KEY: Final = re.compile(r"ssh:(SHA256:[A-Za-z0-9+/]{43})")
_NO_WORD: Final = re.compile(r"[^\w.-]+")


def _wazuh(alert: Alert, number: int) -> dict[str, Any]:
    tactics = [] if alert.tactic is None else [alert.tactic.name.replace("_", " ").title()]
    ends = {"srcip": alert.src, "dstip": alert.dst}
    event = {
        "timestamp": _stamp(alert.time, "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
        "rule": {
            "level": round(15 * alert.severity),
            "description": alert.title,
            "id": alert.type,
            "firedtimes": 1,
            "mail": False,
            "groups": ["simulated"],
            "mitre": {"id": [], "tactic": tactics, "technique": []},
        },
        "agent": {"name": alert.host, "ip": alert.address},
        "manager": {"name": "wazuh.manager"},
        "id": f"{int(alert.time)}.{number}",
        "decoder": {"name": "simulated"},
        "data": {name: address for name, address in ends.items() if address},
        "location": "simulated",
    }
    key = _KEY.fullmatch(alert.credential)
    if key:  # Wazuh has no field for it; the log line of sshd names it
        event |= {"decoder": {"name": "sshd"}, "full_log": _login(alert, key[1], number)}
    return event


def _login(alert: Alert, fingerprint: str, number: int) -> str:
    return (
        f"{_stamp(alert.time, '%b %d %H:%M:%S')} {_NO_WORD.sub('-', alert.host)} "
        f"sshd[{1000 + number % 30_000}]: Accepted publickey for root from "
        f"{alert.src or alert.address} port {40_000 + number % 20_000} ssh2: ED25519 {fingerprint}"
    )


def _stamp(time: float, pattern: str) -> str:
    return datetime.fromtimestamp(time, UTC).strftime(pattern)


class _Format(NamedTuple):
    """A sensor's own words."""

    alert: Callable[..., Alert]
    event: Callable[[Alert, int], dict[str, Any]]


FORMATS: Final = {"eve": _Format(_by_suricata, _eve), "wazuh": _Format(_by_wazuh, _wazuh)}
