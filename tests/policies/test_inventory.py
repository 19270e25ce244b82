"""The inventory reads what it wrote and says what is wrong with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.inventory import (
    Asset,
    Credential,
    Grant,
    Inventory,
    InventoryError,
    Resource,
    moment,
)
from policies.simulation import Host, Simulation, User

SITE = Inventory(
    (
        Asset("web", "dmz", 2, False, ("10.0.0.1", "2001:db8::1"), ("www.example",)),
        Asset("console", "servers", 3, True, pool="consoles"),
    ),
    (Credential("ssh:SHA256:abc", 1, True), Credential("ssh:SHA256:def", principal="build")),
    ("10.9.0.0/16",),
    (Resource("https://console", "console"),),
    (Grant("build", "https://console", 1_893_456_000),),
    Simulation(
        {"web": Host("server", True, ("web", "ssh"), False), "console": Host(jewel=True)},
        (User("anna", "console", ("web",), "192.0.2.7"), User("ben", "web")),
        {"dmz": ("servers",), "servers": ()},
        ("192.0.2.7",),
    ),
)


def test_round_trip_through_yaml(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(yaml.safe_dump(SITE.to_mapping()), encoding="utf-8")
    assert Inventory.load(path) == SITE


def test_a_credential_stands_for_itself_unless_it_names_a_principal() -> None:
    assert [c.owner for c in SITE.credentials] == ["ssh:SHA256:abc", "build"]


@pytest.mark.parametrize(
    "text",
    [
        "2030-01-01",
        "2030-01-01T00:00:00Z",
        "2030-01-01 01:00:00+01:00",
        "'2030-01-01T00:00:00'",
        "2030-01-01 00:00:00",
    ],
)
def test_a_time_without_an_offset_is_utc(text: str) -> None:
    assert moment(yaml.safe_load(text), "until") == 1_893_456_000


@pytest.mark.parametrize("name", ["web", "WEB", "10.0.0.1", "2001:db8::1", "www.EXAMPLE"])
def test_found_by_id_name_and_address(name: str) -> None:
    assert SITE.asset_index(name) == 0


def test_unknown_name_is_no_asset() -> None:
    assert SITE.asset_index("10.0.0.2") is None


A = {"assets": [{"id": "a", "zone": "z"}]}


def simulated(**section: Any) -> dict[str, Any]:
    return {**A, "simulation": section}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "expected a mapping, got a list"),
        (None, "expected a mapping, got nothing"),
        (
            {"asets": []},
            "asets: unknown key 'asets'; did you mean 'assets'? known are assets, credentials, "
            "protected_networks, resources, grants, simulation",
        ),
        ({"assets": {"id": "a"}}, "assets: expected a list, got a mapping"),
        ({"assets": [{}]}, "assets[0].id: expected a printable name of 1 to 200 characters"),
        (
            {"assets": [{"id": "a", "protected": "x" * 1000}]},
            f"assets[0].protected: expected true or false, got '{'x' * 76}...",
        ),
        ({"assets": [{"id": "a\n"}]}, "assets[0].id: expected a printable name"),
        ({"assets": [{"id": "a", "\n": 1}]}, r"assets[0]: unknown key '\n'"),
        (
            {"assets": [{"id": "a", "criticality": 7}]},
            "assets[0].criticality: 7 is not one of low, medium, high, critical",
        ),
        (
            {"assets": [{"id": "a", "protected": "no"}]},
            "assets[0].protected: expected true or false, got 'no'",
        ),
        (
            {"assets": [{"id": "a", "addresses": ["10.0.0.1", "10.0.0.300"]}]},
            "assets[0].addresses[1]: '10.0.0.300' does not appear to be",
        ),
        ({"assets": [{"id": "a", "addresses": [5]}]}, "assets[0].addresses[0]: expected a"),
        ({"assets": [{"id": "a"}, {"id": "A"}]}, "assets[1]: 'A' belongs to both 'a' and 'A'"),
        (
            {"assets": [{"id": "a"}, {"id": "b", "names": ["a"]}]},
            "assets[1]: 'a' belongs to both 'a' and 'b'",
        ),
        ({"assets": [{"id": "a", "pool": 3}]}, "assets[0].pool: expected a printable name"),
        ({"protected_networks": ["10.0.0.1/8"]}, "protected_networks[0]: 10.0.0.1/8 has host bits"),
        ({"credentials": [{"id": ""}]}, "credentials[0].id: expected a printable name"),
        (
            {"credentials": [{"id": "a"}, {"id": "a"}]},
            "credentials[1]: 'a' is listed twice",
        ),
        (
            {"credentials": [{"id": "a", "principal": "\n"}]},
            "credentials[0].principal: expected a printable name",
        ),
        ({"resources": [{"id": "r", "asset": "a"}]}, "resources[0].asset: no asset 'a'"),
        ({"resources": [{"id": "r"}]}, "resources[0].asset: expected a printable name"),
        (
            {"grants": [{"principal": "p", "resource": "r", "until": "2030-01-01"}]},
            "grants[0].resource: no resource 'r'",
        ),
        (
            {"grants": [{"principal": "p", "resource": "r", "until": 1_893_456_000}]},
            "grants[0].until: expected a time like",
        ),
        (simulated(user=[]), "simulation.user: unknown key 'user'; did you mean 'users'?"),
        (
            simulated(assets={"a": {"role": "servr"}}),
            "simulation.assets.a.role: unknown role 'servr'; did you mean 'server'?",
        ),
        (simulated(assets={"b": {}}), "simulation.assets.b: unknown asset 'b'; known are a"),
        (
            simulated(assets={"a": {"services": ["web", "wbe"]}}),
            "simulation.assets.a.services[1]: unknown service 'wbe'; did you mean 'web'?",
        ),
        (simulated(assets={"a": {"jewel": 1}}), "simulation.assets.a.jewel: expected true"),
        (
            simulated(users=[{"id": "u", "asset": "b"}]),
            "simulation.users[0].asset: unknown asset 'b'",
        ),
        (
            simulated(users=[{"id": "u", "asset": "a", "needs": ["a", "b"]}]),
            "simulation.users[0].needs: unknown asset 'b'",
        ),
        (
            simulated(users=[{"id": "u", "asset": "a", "needs": ["a"] * 5}]),
            "simulation.users[0].needs: 5 servers, a user needs 4 at most",
        ),
        (
            simulated(users=[{"id": "u", "asset": "a"}] * 2),
            "simulation.users[1]: 'u' is listed twice",
        ),
        (
            simulated(users=[{"id": "u", "asset": "a", "partner": "192.0.2.1"}]),
            "simulation.users[0].partner: 192.0.2.1 is not among the partners",
        ),
        (simulated(partners=["2001:db8::1"]), "simulation.partners[0]: expected an IPv4 address"),
        (simulated(reach={"z": ["y"]}), "simulation.reach.z: unknown zone 'y'; known are z"),
        (simulated(reach={"y": []}), "simulation.reach.y: unknown zone 'y'"),
    ],
)
def test_bad_document_is_refused_by_place_and_reason(document: Any, complaint: str) -> None:
    with pytest.raises(InventoryError) as error:
        Inventory.from_mapping(document)
    assert str(error.value).startswith(complaint)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("assets: [", "1: not valid YAML: "),
        ("assets: [{id: 3}]", "1: assets[0].id: expected a printable name"),
        ("assets:\n- id: a\n- id: b\n  zone: 4\n", "4: assets[1].zone: expected a printable"),
        ("assets:\n- id: a\n- zone: b\n", "3: assets[1].id: expected a printable name"),
        ("assets:\n- id: a\n\n- {id: b,\n   names: [x,\n     y, a]}", "4: assets[1]: 'a' belongs"),
        ("assets:\n- id: a\n  zone: x\n  id: b\n", "4: 'id' is named twice, first on line 2"),
        ("# nothing\n", "1: expected a mapping, got nothing"),
        ("assets: []\nassetz: []\n", "2: assetz: unknown key 'assetz'; did you mean 'assets'?"),
    ],
)
def test_line_at_fault_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InventoryError) as error:
        Inventory.load(path)
    assert str(error.value).startswith(f"{path}:{complaint}")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"site\.yaml: cannot be read: No such file"):
        Inventory.load(tmp_path / "site.yaml")


def test_example_inventory_is_read() -> None:
    example = Path(__file__).parents[2] / "contracts" / "inventory.example.yaml"
    assert Inventory.load(example).asset_index("192.0.2.53") == 1
