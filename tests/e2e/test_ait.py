"""Recorded real alerts through the whole system, with the policy that is the default."""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from installed import assert_never_twice_at_once, run

from responder.importing import read_inventory

TAKEN_OVER = "intranet_server"


def labelled(alerts: Path, event: str) -> Iterator[float]:
    """Times of the alerts with this label on the taken-over server. For scoring only."""
    with lzma.open(alerts, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["event_label"] == event and row["host"] == TAKEN_OVER:
                yield float(row["time"])


def test_the_taken_over_server_is_isolated_in_time_and_nothing_else(
    shared_data: Path, tmp_path: Path
) -> None:
    data = shared_data / "ait-ads"
    alerts = data / "russellmitchell_alerts.csv.xz"
    inventory = tmp_path / "inventory.yaml"
    site = read_inventory(data / "russellmitchell_servers.yaml", "kyoushi").inventory
    inventory.write_text(yaml.safe_dump(site.to_mapping()), "utf-8")
    result = run("demo", "--json", "--alerts", alerts, "--format", "ait", "--inventory", inventory)
    assert result["audit"] == "ok"
    orders = [o for o in result["ordered"] if o["kind"] == "ISOLATE"]
    assert {o["target"] for o in orders} == {TAKEN_OVER}
    attack, root = (
        min(labelled(alerts, "service_scan")),
        min(labelled(alerts, "escalated_sudo_command")),
    )
    assert attack < orders[0]["from"] < root
    assert_never_twice_at_once(result)


def test_labels_reach_no_decision(shared_data: Path) -> None:
    """The parser gives the same alerts whatever the label columns say."""
    from responder.sensors import parser, recorded_lines

    parse = parser("ait").parse
    lines = list(recorded_lines(shared_data / "ait-ads" / "russellmitchell_alerts.csv.xz"))[1:2000]
    for line in lines:
        assert parse(line) == parse(line.rsplit(b",", 2)[0])


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["fox", "santos", "shaw"])
def test_other_recordings_run_through(shared_data: Path, tmp_path: Path, scenario: str) -> None:
    data = shared_data / "ait-ads"
    inventory = tmp_path / "inventory.yaml"
    site = read_inventory(data / f"{scenario}_servers.yaml", "kyoushi").inventory
    inventory.write_text(yaml.safe_dump(site.to_mapping()), "utf-8")
    alerts = data / f"{scenario}_alerts.csv.xz"
    result = run(
        "demo",
        "--json",
        "--alerts",
        alerts,
        "--format",
        "ait",
        "--inventory",
        inventory,
        "--speed",
        "100000",
    )
    assert result["audit"] == "ok"
