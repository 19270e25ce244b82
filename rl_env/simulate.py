"""A recorded episode as real Suricata EVE lines: quiet hours to learn base rates from, then what
happens.

Nothing answers here: the recording goes on as if nobody contained anything. `truth.json` is for
scoring alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from policies.alerts import TACTIC_IDS, Alert
from policies.inventory import Asset, Credential, Inventory
from rl_env.attacker import CLEAN, Story
from rl_env.network import from_inventory
from rl_env.sensors import STEP, Report, Sensors

__all__ = ["Recording", "record", "site", "write"]

_START = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
_MOST_COPIES = 12  # lines that one repeated alert becomes


class NoBarriers:
    """Containment that never stands in the way."""

    def isolated(self, asset: int) -> bool:
        return False

    def blocked(self, address: str) -> bool:
        return False

    def revoked(self, credential: int) -> bool:
        return False


@dataclass(frozen=True)
class Recording:
    """`alerts` in order of time; `truth`: who was taken over when (Unix seconds), and by whom."""

    inventory: Inventory
    alerts: list[Alert]
    truth: dict[str, Any]


def site() -> Inventory:
    """A small company: three zones, one protected machine, two SSH keys; of its two shop fronts one
    must stay reachable.
    """
    rows = (
        ("web", "dmz", 1, False, "10.20.0.10"),
        ("shop", "dmz", 2, False, "10.20.0.11"),
        ("mail", "dmz", 2, False, "10.20.0.12"),
        ("vpn", "dmz", 2, False, "10.20.0.13"),
        ("files", "servers", 1, False, "10.30.0.10"),
        ("database", "servers", 2, False, "10.30.0.11"),
        ("directory", "servers", 3, False, "10.30.0.12"),
        ("build", "servers", 1, False, "10.30.0.13"),
        ("console", "servers", 3, True, "10.30.0.14"),
        ("laptop-1", "office", 0, False, "10.40.0.10"),
        ("laptop-2", "office", 0, False, "10.40.0.11"),
        ("laptop-3", "office", 0, False, "10.40.0.12"),
    )
    pools = dict.fromkeys(("web", "shop"), "storefront")
    keys = ("ssh:SHA256:" + c * 43 for c in "aB")
    return Inventory(
        tuple(
            Asset(name, zone, worth, held, (ip,), pool=pools.get(name, ""))
            for name, zone, worth, held, ip in rows
        ),
        tuple(Credential(key) for key in keys),
        ("10.30.0.14/32",),
    )


def record(seed: int, minutes: int = 90, quiet_hours: int = 24) -> Recording:
    """Quiet hours, then `minutes` with an intruder in them. Same seed, same recording."""
    rng = np.random.default_rng(seed)
    inventory = site()
    network = from_inventory(inventory, rng)
    sensors = Sensors(rng, network, always_remote=True)
    reports: list[Report] = []
    live = _START + quiet_hours * 3600
    for i in range(quiet_hours * 60):
        reports += sensors.background(_START + i * STEP)
    story = Story(rng, network, sensors, NoBarriers(), live, minutes, "attack")
    taken: dict[str, float] = {}
    for i in range(minutes):
        reports += story.step(live + i * STEP)
        for asset, level in zip(inventory.assets, story.truth.levels, strict=True):
            if level != CLEAN:
                taken.setdefault(asset.id, live + i * STEP)
    alerts = sorted((a for r in reports for a in _copies(r)), key=lambda alert: alert.time)
    truth = {
        "seed": seed,
        "live_from": live,
        "until": live + minutes * STEP,
        "first_entry": story.truth.first_entry,
        "taken_over": taken,
        "hostile": sorted(story.truth.hostile),
        "scanners": sorted(story.truth.scanners),
    }
    return Recording(inventory, alerts, truth)


def write(recording: Recording, folder: Path) -> None:
    """Writes alerts.eve.json, inventory.yaml and truth.json; the folder is created."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "alerts.eve.json").open("w", encoding="utf-8") as file:
        for flow, alert in enumerate(recording.alerts):
            file.write(json.dumps(event(alert, flow), separators=(",", ":")) + "\n")
    text = yaml.safe_dump(recording.inventory.to_mapping(), sort_keys=False)
    (folder / "inventory.yaml").write_text(text, encoding="utf-8")
    truth = json.dumps(recording.truth, indent=2)
    (folder / "truth.json").write_text(truth + "\n", encoding="utf-8")


def event(alert: Alert, flow: int) -> dict[str, Any]:
    """The alert as Suricata would log it."""
    metadata = {} if alert.tactic is None else {"mitre_tactic_id": [TACTIC_IDS[alert.tactic]]}
    return {
        "timestamp": datetime.fromtimestamp(alert.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f%z"),
        "flow_id": flow + 1,
        "event_type": "alert",
        "src_ip": alert.src,
        "src_port": 40000 + flow % 20000,
        "dest_ip": alert.dst,
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


def _copies(report: Report) -> Iterator[Alert]:
    """A repeated alert as lines: EVE has no count. EVE knows no credentials either."""
    alert, times = report
    for i in range(min(times, _MOST_COPIES)):
        yield Alert(
            time=round(alert.time + i * 0.01, 6),
            sensor=alert.sensor,
            type=alert.type,
            title=alert.title,
            severity=alert.severity,
            tactic=alert.tactic,
            src=alert.src,
            dst=alert.dst,
        )
