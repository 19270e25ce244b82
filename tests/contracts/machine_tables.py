"""Who and what there is in the machine's gate, at first."""

from __future__ import annotations

import ipaddress

from model_state import Limits, Network, PageId, Rule, ZoneRule
from scene import NOW, account

from policies.actions import Kind, network_key
from responder.chain.proposal import name_key

AGENTS = ("agent", "second agent")
OPERATORS = ("operator 0", "operator 1", "operator 2", "operator 3", "wallet")
GROUPS = {"operator 2": 1, "wallet": 1}  # else 0
ENFORCERS = ("enforcer", "dmz enforcer")
NAMES = (*AGENTS, *OPERATORS, "guardian", *ENFORCERS, "governor", "stranger")
CALLERS = tuple(name for name in NAMES if name != "wallet")  # a contract begins no transaction
KEYS = {name: account(name) for name in NAMES}

MODELS = (b"\x01" * 32, b"\x0a" * 32, b"\x0b" * 32)  # the last is not active at first
CARD, EVIDENCE = b"\x02" * 32, b"\x03" * 32

LIMITS = Limits(3600, 900, 86400, 120, 2, 2, 2)
RULES = {
    (Kind.BLOCK, 0): Rule(True, True, 2, 0, 0, 3600, 8, 3),
    (Kind.BLOCK, 1): Rule(True, False, 2, 0, 300, 3600, 5, 2),
    (Kind.BLOCK, 2): Rule(True, False, 3, 0, 0, 600, 2, 1),
    (Kind.ISOLATE, 0): Rule(True, True, 2, 0, 0, 3600, 600, 120),
    (Kind.ISOLATE, 1): Rule(True, False, 2, 0b11, 0, 3600, 6, 4),
    (Kind.ISOLATE, 2): Rule(True, False, 2, 0b10, 300, 3600, 4, 3),
    (Kind.REVOKE, 1): Rule(True, True, 2, 0, 0, 3600, 5, 2),
    (Kind.REVOKE, 2): Rule(True, False, 2, 0, 60, 3600, 5, 2),
}

FIRST_WINDOW = NOW % (7 * 86400) + 1200  # second of the week
ZONES = {
    "dmz": ZoneRule(80),
    "floor": ZoneRule(60, extra=1, frozen_from=NOW + 1800, frozen_until=NOW + 2400),
    "core": ZoneRule(100, extra=1, opens=FIRST_WINDOW, length=1200),
}
POOLS = {"dns": 2, "probes": 0}
ASSETS = {  # id: zone, pool, criticality, protected
    **{f"web-{i}": ("dmz", "", 0, False) for i in range(5)},
    **{f"pc-{i}": ("floor", "", 0, False) for i in range(130)},  # two pages
    "printer": ("floor", "", 1, False),
    **{f"ns-{i}": ("core", "dns", 1, False) for i in range(3)},
    "mail": ("core", "", 2, False),
    "erp": ("core", "", 2, False),
    "gateway": ("core", "", 0, True),
    "switch": ("core", "", 0, False),
}
SOME = [name for name in ASSETS if name[:3] != "pc-"]
SOME += [f"pc-{i}" for i in (0, 1, 2, 127, 128, 129)]
CREDENTIALS = {  # id: principal, criticality, protected
    "ssh:deploy": ("ops", 1, False),
    "ssh:build": ("ops", 1, False),
    "ssh:admin": ("admins", 2, False),
    "ssh:break-glass": ("admins", 1, True),
}
PAGES: list[PageId] = [
    (name_key(zone), criticality, number)
    for zone, criticality, number in (
        ("dmz", 0, 0),
        ("floor", 0, 0),
        ("floor", 0, 1),
        ("floor", 1, 0),
        ("core", 0, 0),
        ("core", 1, 0),
        ("core", 2, 0),
    )
]
RESOURCES = {"web-0:ssh": "web-0", "mail:imap": "mail", "pc-1:rdp": "pc-1"}
GRANTS = {("ops", "web-0:ssh"): NOW + 7200, ("admins", "mail:imap"): 1 << 39}
PROTECTED = ("198.51.100.0/24", "2001:db8:1::/48")
SCOPES = {"enforcer": (7, ""), "dmz enforcer": (6, "dmz")}

NETWORKS = (
    "203.0.113.9/32",
    "203.0.113.10/32",
    "203.0.113.0/24",
    "192.0.2.0/24",
    "203.0.0.0/16",
    "0.0.0.0/0",
    "198.51.100.7/32",
    "2001:db8:2::1/128",
    "2001:db8:2::/64",
    "2001:db8:1::/64",
    "::/0",
)
MANY_NETWORKS = tuple(f"10.0.{i}.0/24" for i in range(65))
MALFORMED = (4 << 136 | 24 << 128 | 0xCB007109, 7 << 136, 6 << 136 | 128 << 128 | 0xFFFF << 32)


def network(text: str) -> bytes:
    return network_key(text).to_bytes(32)


MEANINGS: dict[bytes, Network | None] = {
    **{network(t): ipaddress.ip_network(t) for t in (*NETWORKS, *PROTECTED, *MANY_NETWORKS)},
    **{key.to_bytes(32): None for key in MALFORMED},
}
TEXTS = {
    name_key(name): name
    for names in (ZONES, POOLS, ASSETS, CREDENTIALS, RESOURCES, ("ops", "admins", "unknown"))
    for name in names
}

TARGETS = [
    *((Kind.BLOCK, network(text)) for text in NETWORKS),
    *((Kind.BLOCK, key.to_bytes(32)) for key in MALFORMED),
    *((Kind.ISOLATE, name_key(name)) for name in (*SOME, "unknown")),
    *((Kind.REVOKE, name_key(name)) for name in (*CREDENTIALS, "unknown")),
]
LEASABLE = [
    (Kind.ISOLATE, name_key("web-0"), 600),
    (Kind.ISOLATE, name_key("web-1"), 60),
    (Kind.ISOLATE, name_key("pc-1"), 600),
    (Kind.BLOCK, network("203.0.113.9/32"), 600),
    (Kind.BLOCK, network("2001:db8:2::1/128"), 60),
    (Kind.REVOKE, name_key("ssh:deploy"), 600),
]
USUAL = [
    *LEASABLE,
    (Kind.ISOLATE, name_key("web-2"), 3600),
    (Kind.ISOLATE, name_key("ns-0"), 600),
    (Kind.ISOLATE, name_key("ns-1"), 600),
    (Kind.ISOLATE, name_key("mail"), 600),
    (Kind.ISOLATE, name_key("printer"), 600),
    (Kind.BLOCK, network("192.0.2.0/24"), 3600),
    (Kind.REVOKE, name_key("ssh:admin"), 60),
]
