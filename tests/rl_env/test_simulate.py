"""Recorded episodes: alerts, inventory, truth."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from policies.inventory import Inventory
from responder.sensors import parser
from rl_env.scenario import Scenario
from rl_env.simulate import Recording, record, write
from rl_env.simulating import simulate

WITHOUT_TRAINING = """
import sys
for name in ("torch", "stable_baselines3", "sb3_contrib"):
    sys.modules[name] = None
from rl_env.simulating import simulate
simulate(["--out", sys.argv[1], "--minutes", "10", "--quiet-hours", "0"])
"""
SEED = 37  # of the demonstration


def recorded(seed: int = SEED, **said: object) -> Recording:
    return record(Scenario.load("company"), seed, **{"quiet_hours": 2, **said})  # type: ignore


@pytest.fixture(scope="module")
def recording() -> Recording:
    return recorded(quiet_hours=24)


@pytest.fixture(scope="module")
def folder(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "new"
    write(recording, path)
    return path


def test_lines_parse_back_to_the_same_alerts(recording: Recording, folder: Path) -> None:
    parse = parser("eve").parse
    lines = (folder / "alerts.eve.json").read_bytes().splitlines()
    assert [parse(line) for line in lines] == recording.alerts
    assert len(lines) > 300


def test_lines_come_as_they_were_heard(recording: Recording) -> None:
    times = [alert.time for alert in recording.alerts]
    late = sum(later < earlier for earlier, later in pairwise(times))
    assert 0 < late < len(times) / 5
    assert max(earlier - later for earlier, later in pairwise(times)) < 8 * 60


def test_inventory_reads_back_and_knows_every_own_address(
    recording: Recording, folder: Path
) -> None:
    inventory = Inventory.load(folder / "inventory.yaml")
    assert inventory == recording.inventory
    for line in (folder / "alerts.eve.json").read_text().splitlines():
        event = json.loads(line)
        ends = (event.get("src_ip", ""), event.get("dest_ip", ""))
        assert any(inventory.asset_index(end) is not None for end in ends)


def test_the_demonstration_tells_a_story(recording: Recording) -> None:
    """Somebody goes from host to host, slowly enough to be stopped, and comes from one address. If
    a change of the simulator ends that story, look for a seed with another in its truth.
    """
    truth = recording.truth
    times = sorted(truth["taken_over"].values())
    assert len(times) >= 4 and truth["stolen"]
    assert truth["live_from"] < truth["first_entry"] == times[0]
    assert times[2] - times[0] >= 600
    assert truth["lost_at"] is None or truth["lost_at"] - times[0] >= 2400
    [address] = truth["hostile"]
    assert any(alert.src == address for alert in recording.alerts)


def test_truth_is_told_apart(folder: Path) -> None:
    text = (folder / "alerts.eve.json").read_text() + (folder / "inventory.yaml").read_text()
    assert "taken_over" not in text and "hostile" not in text
    assert json.loads((folder / "truth.json").read_text())["taken_over"]


def test_quiet_hours_come_first_and_are_quiet(recording: Recording) -> None:
    truth = recording.truth
    before = [alert for alert in recording.alerts if alert.time < truth["live_from"]]
    assert before and before[0].time < truth["live_from"] - 80_000
    assert not {alert.src for alert in before} & set(truth["hostile"])


def test_quiet_hours_only_put_the_episode_off(recording: Recording) -> None:
    at_once, later = recorded(quiet_hours=0).truth, recording.truth
    assert at_once["until"] - at_once["live_from"] == later["until"] - later["live_from"] == 5400
    assert later["profile"] == at_once["profile"]


@pytest.mark.parametrize("kind", ["quiet", "scanned"])
def test_nobody_is_taken_over_where_nobody_attacks(kind: str) -> None:
    truth = recorded(kind=kind).truth
    assert truth["taken_over"] == {} and truth["hostile"] == []
    assert truth["first_entry"] is truth["profile"] is truth["lost_at"] is None
    assert truth["scanners"] or kind == "quiet"


def test_same_seed_same_recording() -> None:
    assert recorded(5, minutes=20).alerts == recorded(5, minutes=20).alerts
    assert recorded(5, minutes=20).alerts != recorded(6, minutes=20).alerts


def test_drawn_sites_differ_by_seed() -> None:
    said = {"minutes": 10, "quiet_hours": 0}
    scenario = Scenario.load("small-16")
    one, other = (record(scenario, seed, **said) for seed in (1, 2))  # type: ignore
    assert len(one.inventory.assets) == len(other.inventory.assets) == 16
    assert one.inventory != other.inventory


# ---------------------------------------------------------------- the command


def run(*arguments: object) -> str:
    done = CliRunner().invoke(simulate, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_command_says_what_it_wrote(tmp_path: Path) -> None:
    facts = json.loads(run("--out", tmp_path / "x", "--quiet-hours", 1, "--json"))
    lines = (tmp_path / "x" / "alerts.eve.json").read_text().splitlines()
    assert facts["alerts"] == len(lines)
    assert facts["taken_over"] and facts["seed"] == SEED


def test_wazuh_names_keys(tmp_path: Path) -> None:
    run("--out", tmp_path, "--quiet-hours", 0, "--format", "wazuh", "--seed", 9)
    lines = (tmp_path / "alerts.wazuh.json").read_bytes().splitlines()
    found = [parser("wazuh").parse(line) for line in lines]
    known = {key.id for key in Inventory.load(tmp_path / "inventory.yaml").credentials}
    assert {alert.credential for alert in found if alert is not None} - {""} <= known
    assert any(alert is not None and alert.credential for alert in found)
    assert all(alert is not None and alert.host for alert in found)


def test_a_scenario_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("network: {hosts: 5}\nepisode: {minutes: 12}\n")
    said = run("--out", tmp_path / "x", "--scenario", file, "--quiet-hours", 0, "--kind", "quiet")
    assert said.endswith("taken over: nothing\n")
    assert len(Inventory.load(tmp_path / "x" / "inventory.yaml").assets) == 5


def test_what_is_wrong_with_a_scenario_is_said(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("episode:\n  minutes: 3\n")
    for scenario, message in ((str(file), f"{file}:2: episode.minutes: 3"), ("x", "unknown scen")):
        done = CliRunner().invoke(simulate, ["--out", str(tmp_path / "x"), "--scenario", scenario])
        assert done.exit_code == 1
        assert message in done.output
        assert not (tmp_path / "x").exists()


def test_needs_no_library_of_training(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TRAINING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "alerts.eve.json").exists()
