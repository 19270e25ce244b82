"""The recorder writes what a real EVE parser reads back as the same alerts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from policies.inventory import Inventory
from responder.sensors import parser
from rl_env.commands import simulate
from rl_env.simulate import record, write

WITHOUT_TRAINING = """
import sys
for name in ("torch", "stable_baselines3", "sb3_contrib"):
    sys.modules[name] = None
from rl_env.commands import simulate
simulate(["--out", sys.argv[1], "--minutes", "10"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated")
    write(record(3, quiet_hours=2), path)
    return path


def test_lines_parse_back_to_the_same_alerts_in_order_of_time(folder: Path) -> None:
    parse = parser("eve").parse
    lines = (folder / "alerts.eve.json").read_bytes().splitlines()
    found = [parse(line) for line in lines]
    written = record(3, quiet_hours=2).alerts
    assert len(found) == len(written) > 100
    for read, alert in zip(found, written, strict=True):
        assert read is not None
        assert read.time == pytest.approx(alert.time, abs=1e-5)
        assert read.severity == pytest.approx(alert.severity)
        for name in ("sensor", "type", "title", "tactic", "host", "src", "dst"):
            assert getattr(read, name) == getattr(alert, name)
    times = [alert.time for alert in found if alert is not None]
    assert times == sorted(times)


def test_inventory_reads_back_and_knows_every_own_address(folder: Path) -> None:
    inventory = Inventory.load(folder / "inventory.yaml")
    assert inventory == record(3, quiet_hours=2).inventory
    for line in (folder / "alerts.eve.json").read_text().splitlines():
        event = json.loads(line)
        ends = (event["src_ip"], event["dest_ip"])
        assert any(inventory.asset_index(end) is not None for end in ends)


def test_truth_is_told_apart(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["live_from"] <= truth["first_entry"] < truth["until"]
    assert truth["taken_over"]
    assert truth["hostile"]
    text = (folder / "alerts.eve.json").read_text() + (folder / "inventory.yaml").read_text()
    assert "taken_over" not in text


def test_quiet_hours_come_first_and_are_quiet(folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    recording = record(3, quiet_hours=2)
    before = [alert for alert in recording.alerts if alert.time < truth["live_from"]]
    assert before
    assert not {alert.src for alert in before} & set(truth["hostile"])


def test_same_seed_same_recording() -> None:
    assert record(5, 20, 1).alerts == record(5, 20, 1).alerts
    assert record(5, 20, 1).alerts != record(6, 20, 1).alerts


def test_command_says_what_it_wrote(tmp_path: Path) -> None:
    done = CliRunner().invoke(simulate, ["--out", str(tmp_path / "new" / "x"), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    lines = (tmp_path / "new" / "x" / "alerts.eve.json").read_text().splitlines()
    assert facts["alerts"] == len(lines)
    assert facts["taken_over"]


def test_needs_no_library_of_training(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TRAINING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "alerts.eve.json").exists()
