"""The AIT alert data set as a site: an inventory made from its list of servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from policies.inventory import Asset, Inventory

# Zones by what the servers are for; everything is of medium criticality and nothing is protected,
# so that no proposal is prevented by anything but the policy's judgement.
_ZONES = ("attacker", "internet", "dmz", "intranet", "remote_employee", "internal_employee")


def inventory(servers: Path) -> Inventory:
    """Every server and workstation but the attacker's, known by name and by all its addresses."""
    data: dict[str, dict[str, Any]] = yaml.safe_load(servers.read_text("utf-8"))
    assets, taken = [], set()
    for name, entry in data.items():
        if "attacker" in entry["groups"]:
            continue
        addresses = [a for a in entry["ipv4_addresses"] if a not in taken]
        taken.update(addresses)
        names = {entry["hostname"], entry["hostname"].replace("-", "_")} - {name}
        zone = next((z for z in _ZONES if z in entry["groups"]), "default")
        assets.append(Asset(name, zone, 1, False, tuple(addresses), tuple(sorted(names))))
    return Inventory(tuple(assets))
