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

SITE = Inventory(
    (
        Asset("web", "dmz", 2, False, ("10.0.0.1", "2001:db8::1"), ("www.example",)),
        Asset("console", "servers", 3, True, pool="consoles"),
    ),
    (Credential("ssh:SHA256:abc", 1, True), Credential("ssh:SHA256:def", principal="build")),
    ("10.9.0.0/16",),
    (Resource("https://console", "console"),),
    (Grant("build", "https://console", 1_893_456_000),),
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


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "expected a mapping"),
        ({"asets": []}, "unknown keys"),
        ({"assets": {}}, None),
        ({"assets": {"id": "a"}}, "expected a list"),
        ({"assets": [{}]}, r"assets\[0\].id"),
        ({"assets": [{"id": "a\n"}]}, "printable"),
        ({"assets": [{"id": "a", "criticality": 7}]}, "criticality 7"),
        ({"assets": [{"id": "a", "protected": "no"}]}, "true or false"),
        ({"assets": [{"id": "a", "addresses": ["10.0.0.300"]}]}, "addresses"),
        ({"assets": [{"id": "a"}, {"id": "A"}]}, "belongs to both"),
        ({"assets": [{"id": "a"}, {"id": "b", "names": ["a"]}]}, "belongs to both"),
        ({"protected_networks": ["10.0.0.1/8"]}, "host bits"),
        ({"credentials": [{"id": ""}]}, r"credentials\[0\].id"),
        ({"credentials": [{"id": "a"}, {"id": "a"}]}, "credential 'a' is listed twice"),
        ({"credentials": [{"id": "a", "principal": "\n"}]}, r"credentials\[0\].principal"),
        ({"assets": [{"id": "a", "pool": 3}]}, r"assets\[0\].pool"),
        ({"resources": [{"id": "r", "asset": "a"}]}, "resource 'r': no asset 'a'"),
        ({"resources": [{"id": "r"}]}, r"resources\[0\].asset"),
        (
            {"grants": [{"principal": "p", "resource": "r", "until": "2030-01-01"}]},
            "grant of 'p': no resource 'r'",
        ),
        (
            {"grants": [{"principal": "p", "resource": "r", "until": 1_893_456_000}]},
            r"grants\[0\].until: expected a time like",
        ),
    ],
)
def test_bad_document_is_refused_by_name(document: Any, complaint: str | None) -> None:
    if complaint is None:
        assert Inventory.from_mapping(document) == Inventory()
        return
    with pytest.raises(InventoryError, match=complaint):
        Inventory.from_mapping(document)


def test_file_at_fault_is_named(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    with pytest.raises(InventoryError, match="cannot read"):
        Inventory.load(path)
    path.write_text("assets: [", encoding="utf-8")
    with pytest.raises(InventoryError, match=r"site\.yaml is not valid YAML"):
        Inventory.load(path)
    path.write_text("assets: [{id: 3}]", encoding="utf-8")
    with pytest.raises(InventoryError, match=r"site\.yaml: assets\[0\]\.id"):
        Inventory.load(path)
