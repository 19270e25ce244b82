"""What hosts are for, and what follows from it: names, services, worth, who reaches whom.

The tables are judgement unless a source is named: they say what is usual at enterprises, and every
site deviates from them by chance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = [
    "CRITICALITY",
    "OFFERS",
    "PREFIX",
    "PROTECTED",
    "REACHES",
    "guess_role",
    "kind_of_zone",
]

# What hosts of a role are called at drawn sites.
PREFIX: Final = {
    "workstation": "pc",
    "server": "srv",
    "database": "db",
    "directory": "dc",
    "gateway": "gw",
    "controller": "plc",
}

# How often each criticality, low to critical.
CRITICALITY: Final[Mapping[str, tuple[float, ...]]] = {
    "workstation": (0.75, 0.22, 0.03, 0.0),
    "server": (0.1, 0.5, 0.3, 0.1),
    "database": (0.0, 0.15, 0.5, 0.35),
    "directory": (0.0, 0.0, 0.3, 0.7),
    "gateway": (0.0, 0.3, 0.5, 0.2),
    "controller": (0.0, 0.2, 0.4, 0.4),
}

# How often it must not be isolated, whoever signs.
PROTECTED: Final[Mapping[str, float]] = {
    "workstation": 0.01,
    "server": 0.04,
    "database": 0.05,
    "directory": 0.15,
    "gateway": 0.3,
    "controller": 0.2,
}

# Services that listen, and how often; the first does where none else would.
OFFERS: Final[Mapping[str, Mapping[str, float]]] = {
    "workstation": {"rpc": 0.5, "files": 0.3, "rdp": 0.25},
    "server": {"ssh": 0.7, "web": 0.5, "api": 0.3, "files": 0.25, "rpc": 0.2, "mail": 0.1},
    "database": {"sql": 1.0, "ssh": 0.6, "backup": 0.3},
    "directory": {"ldap": 1.0, "kerberos": 1.0, "dns": 0.8, "rpc": 0.5},
    "gateway": {"vpn": 0.7, "admin": 0.6, "ssh": 0.4, "dns": 0.2},
    "controller": {"modbus": 0.9, "admin": 0.4},
}

# How often a zone reaches another, by kind. Screened subnets and firewalls between them: NIST SP
# 800-41; plants apart from offices: NIST SP 800-82.
REACHES: Final[Mapping[str, Mapping[str, float]]] = {
    "dmz": {"dmz": 0.5, "servers": 0.8, "data": 0.3, "office": 0.1},
    "servers": {"dmz": 0.6, "servers": 0.9, "data": 0.9, "office": 0.4, "plant": 0.3, "lab": 0.3},
    "data": {"servers": 0.6, "data": 0.9, "office": 0.1},
    "office": {
        "dmz": 0.9,
        "servers": 0.95,
        "data": 0.4,
        "office": 0.3,
        "management": 0.1,
        "plant": 0.1,
        "lab": 0.3,
    },
    "management": dict.fromkeys(("dmz", "servers", "data", "office", "plant", "lab"), 0.95),
    "plant": {"plant": 0.5, "servers": 0.4, "data": 0.2, "management": 0.1},
    "lab": {"dmz": 0.5, "servers": 0.5, "office": 0.3, "lab": 0.5},
}

_ROLE_WORDS: Final = {
    "workstation": "pc laptop notebook desktop workstation client ws kiosk",
    "database": "db sql postgres postgresql mysql mariadb oracle mongo erp sap warehouse",
    "directory": "dc ad ldap directory idp sso kerberos",
    "gateway": "gw gateway fw firewall vpn proxy router lb bastion",
    "controller": "plc hmi scada controller rtu",
    "server": "srv server web www mail files share app api build shop dns node host",
}
_ZONE_WORDS: Final = {
    "dmz": "dmz edge perimeter public internet extern external",
    "office": "office offices client clients lan user users desk workstations",
    "management": "management mgmt admin operations",
    "plant": "plant factory ot ics scada production",
    "data": "data db databases core",
    "lab": "lab labs test research",
    "servers": "server servers datacenter intranet",
}
_USUAL: Final = {"workstation": "office", "controller": "plant"}


def guess_role(words: str, zone: str, criticality: int) -> str:
    """The role of an asset that says none: by the words in its names, else by zone and worth."""
    found = _matched(words, _ROLE_WORDS)
    if found:
        return found
    kind = _matched(zone, _ZONE_WORDS)
    if kind == "plant":
        return "controller"
    if kind == "office" and criticality < 2:
        return "workstation"
    return "database" if criticality == 3 else "server"


def kind_of_zone(zone: str, roles: list[str]) -> str:
    """A key of REACHES: by the zone's name, else by what most of its hosts are for."""
    most = max(sorted(set(roles)), key=roles.count)
    return _matched(zone, _ZONE_WORDS) or _USUAL.get(most, "servers")


def _matched(text: str, table: Mapping[str, str]) -> str:
    words = set(re.findall(r"[a-z]+", text.lower()))
    return next((key for key, known in table.items() if words & set(known.split())), "")
