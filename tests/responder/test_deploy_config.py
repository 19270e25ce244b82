"""The deployment file: what it may say, what it means where it says nothing, and what is wrong."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.actions import Kind
from policies.guardrails import ZoneRule
from policies.inventory import Asset, Inventory
from responder.chain.deploy_config import DeployConfig, load_config
from responder.chain.registry import Scope
from responder.errors import Permanent

EXAMPLE = Path(__file__).parents[2] / "contracts" / "deployment.example.yaml"
INVENTORY = Inventory.load(EXAMPLE.with_name("inventory.example.yaml"))
A, B = "0x" + "aa" * 20, "0x" + "bb" * 20


@pytest.fixture
def document() -> dict[str, Any]:
    return yaml.safe_load(EXAMPLE.read_text())


def read(document: Any, inventory: Inventory = INVENTORY) -> DeployConfig:
    return DeployConfig.from_mapping(document, inventory)


def test_the_example_is_valid() -> None:
    config = load_config(EXAMPLE)
    assert config.rules[Kind.ISOLATE, 3].quorum == 3
    assert not config.rules[Kind.BLOCK, 3].allowed
    assert len(config.inventory.assets) == 6


def test_groups_are_numbered_in_order(document: dict[str, Any]) -> None:
    config = read(document)
    assert config.groups == ("security", "operations")
    assert sorted(config.roles.values()) == [(1, 0), (2, 0), (2, 0), (2, 1), (4, 0), (8, 0), (8, 0)]
    assert config.rules[Kind.ISOLATE, 2].groups == 0b11
    assert config.rules[Kind.ISOLATE, 1].groups == 0


def test_operators_without_groups_are_one(document: dict[str, Any]) -> None:
    document["operators"] = [o for group in document["operators"].values() for o in group]
    for row in ("high", "critical"):
        del document["guardrails"]["isolate"][row]["groups"]
    assert {group for bits, group in read(document).roles.values() if bits == 2} == {0}


def test_enforcers_cover_everything_unless_they_have_a_scope(document: dict[str, Any]) -> None:
    assert list(read(document).scopes.values()) == [Scope(0b111, ""), Scope(0b010, "dmz")]


def test_zones_say_when_and_how_much(document: dict[str, Any]) -> None:
    zones = read(document).zones
    assert zones["core"] == ZoneRule(50, 0, 1798070400, 1798848000, 252_000, 14_400)
    saturday = 1_796_508_000  # 2026-12-05, 22:00 UTC
    assert zones["core"].is_open(saturday) and not zones["core"].is_open(saturday - 1)
    assert zones["dmz"] == ZoneRule(share=30)


def test_what_is_left_out_is_safe(document: dict[str, Any]) -> None:
    del document["zones"], document["pools"]
    config = read(document)
    assert set(config.zones.values()) == {ZoneRule(share=50)}
    assert config.pools == {"dns": 1}


BROKEN = [
    (("extra",), 1, "unknown keys ['extra']"),
    (("models",), [], "unknown keys ['models']"),
    (("limits", "windows"), 1, "unknown keys ['windows']"),
    (("limits",), {}, "limits: missing keys"),
    (("limits", "window"), 0, "limits.window: expected a whole number from 1"),
    (("limits", "window"), True, "limits.window"),
    (("limits", "max_lease"), 2_592_001, "limits.max_lease: expected a whole number from 1 to"),
    (("limits", "lease_quorum"), 4, "limits.lease_quorum: 4 approvals can never come from 3"),
    (("limits", "model_quorum"), 4, "limits.model_quorum: 4 approvals can never come from 3"),
    (("guardrails", "isolate", "low", "quorum"), 4, "guardrails.isolate.low.quorum"),
    (("guardrails", "isolate", "low", "leasable"), "yes please", "true or false"),
    (("guardrails", "isolate", "low", "live"), 65_536, "guardrails.isolate.low.live"),
    (("guardrails", "isolate", "low", "delay"), 60, "cannot wait; drop one of the two"),
    (("guardrails", "isolate", "high", "delay"), 900, "see limits.max_pending"),
    (("guardrails", "isolate", "high", "groups"), ["legal"], "'legal' is not one of"),
    (("guardrails", "isolate", "high", "quorum"), 1, "1 approvals cannot be of 2 groups"),
    (("guardrails", "isolate", "low"), "allowed", "guardrails.isolate.low: expected `refused`"),
    (("guardrails", "isolate"), {}, "guardrails.isolate: missing keys"),
    (("operators",), ["0x12"], "operators[0]: '0x12' is not an address"),
    (("operators",), [0x1234], "operators[0]: 4660 is not an address"),
    (("operators",), "0x12", "operators: expected a list"),
    (("operators",), ["0x" + "00" * 20], "zero address"),
    (("operators",), [A, A, B], "operators[1]"),
    (("operators",), {"a": [A], "b": [B, A]}, "operators.b[1]: 0x"),
    (("operators",), {c: [] for c in "abcde"}, "5 approver groups, the gate takes 4"),
    (("operators",), {"a": [f"0x{n:040x}" for n in range(1, 18)]}, "17 operators, a group seats"),
    (("operators", "operations"), [], "3 approvals can never come from 2"),
    (("guardians",), ["0x70997970c51812dc3A010C7d01b50e0d17dc79C8"], "checksum"),
    (("agents",), ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"], "has another role"),
    (("agents",), ["0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"], "must not govern"),
    (("enforcers",), [{"address": A, "kinds": ["deny"]}], "enforcers[0].kinds: 'deny' is not one"),
    (("enforcers",), [{"address": A, "kinds": []}], "enforcers[0].kinds: name at least one"),
    (("enforcers",), [{"address": A, "zone": "moon"}], "no asset of the inventory is in 'moon'"),
    (("enforcers",), [{"kinds": ["block"]}], "enforcers[0]: missing keys ['address']"),
    (("zones", "moon"), {"share": 10}, "zones.moon: no asset of the inventory names it"),
    (("zones",), ["dmz"], "zones: expected a mapping"),
    (("zones", "dmz", "share"), 101, "zones.dmz.share: expected a whole number from 1 to 100"),
    (("zones", "dmz", "window"), {"opens": "Sat 22:00"}, "zones.dmz.window: missing keys"),
    (("zones", "core", "window", "opens"), "Sat 24:00", "like \"Sat 22:00\", got 'Sat 24:00'"),
    (("zones", "core", "window", "opens"), "Samedi", "zones.core.window.opens"),
    (("zones", "core", "window", "length"), 604_801, "zones.core.window.length"),
    (("zones", "core", "frozen", "until"), "2026-12-24", "zones.core.frozen.until: ends before"),
    (("zones", "core", "frozen", "from"), "soon", "zones.core.frozen.from: expected a time like"),
    (("zones", "core", "frozen", "extra"), 1, "3 + 1 approvals for 'erp' can never come from 3"),
    (("pools", "web"), {"keep": 1}, "pools.web: no asset of the inventory names it"),
    (("pools", "dns"), {"keep": 0}, "pools.dns.keep: expected a whole number from 1"),
    (("governor", "delay"), 0, "governor.delay"),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_a_broken_file_says_what_to_change(
    document: dict[str, Any], path: tuple[str, ...], value: Any, message: str
) -> None:
    broken = copy.deepcopy(document)
    inner = broken
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(Permanent) as raised:
        read(broken)
    assert message in str(raised.value)


def test_a_rule_names_no_group_that_is_empty(document: dict[str, Any]) -> None:
    document["operators"]["legal"] = []
    document["guardrails"]["block"]["high"]["groups"] = ["legal"]
    with pytest.raises(Permanent, match=r"guardrails\.block\.high\.groups: no operator is in 'leg"):
        read(document)


def test_what_the_gate_could_not_take_is_refused_before(document: dict[str, Any]) -> None:
    del document["zones"], document["pools"]
    document["enforcers"] = document["enforcers"][:1]
    with pytest.raises(Permanent, match="longer than 256 bytes"):
        read(document, Inventory(assets=(Asset("ü" * 129, "zone"),)))
    networks = tuple(f"10.{i}.0.0/16" for i in range(65))
    with pytest.raises(Permanent, match="65 protected networks"):
        read(document, Inventory(protected_networks=networks))
    pools = tuple(Asset(f"a{i}", "zone", pool=f"p{i}") for i in range(256))
    with pytest.raises(Permanent, match="256 pools, the gate takes 255"):
        read(document, Inventory(assets=pools))


@pytest.mark.parametrize("text", ["{", "[]", "inventory: missing.yaml"])
def test_an_unreadable_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(text)
    with pytest.raises(Permanent, match=str(path)):
        load_config(path)
    with pytest.raises(Permanent, match="cannot read"):
        load_config(tmp_path / "nowhere.yaml")
