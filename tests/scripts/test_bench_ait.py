"""What is replayed of recordings, and what is read off a replay."""

from __future__ import annotations

import io
import json
import lzma
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ait
import bench_ait
import pytest
from ait import Renaming
from bench_ait import Replayed
from hypothesis import given
from hypothesis import strategies as st
from replay_scores import SERVER, Decision, Label, Truth, score
from rich.console import Console

from policies.inventory import Asset, Inventory
from responder.sensors import parser, recorded_lines

RECORDING = """\
time,name,ip,host,short,time_label,event_label
30,"Wazuh: Web, 400",10.0.0.1,web,W-Acc-400,dirb,dirb
10,AMiner: New event type.,10.0.0.2,db,A-All-Evt,false_positive,-
20,Suricata: Alert - ET SCAN,10.0.0.1,web,S-Flw-Nmp,service_scans,service_scan
40,Wazuh: Shell,10.0.0.1,web,W-X,webshell,webshell_cmd
50,Wazuh: Shell,10.0.0.1,web,W-X,webshell,webshell_cmd
"""
SITE = Inventory(
    (
        Asset("web", "dmz", addresses=("10.0.0.1", "fe80::1"), names=("www",)),
        Asset("db", "core", addresses=("10.0.0.2", "fe80::2", "fe80::3")),
        Asset("pc", "office", addresses=("10.0.0.3",), names=("desk", "pc.example")),
    )
)


@pytest.fixture()
def rows(tmp_path: Path) -> list[ait.Row]:
    path = tmp_path / "recording.csv.xz"
    with lzma.open(path, "wt", encoding="utf-8") as file:
        file.write(RECORDING)
    return ait.load(path)


def test_what_is_written_is_what_was_read_less_the_labels(
    rows: list[ait.Row], tmp_path: Path
) -> None:
    path = tmp_path / "replayed.csv"
    ait.write(rows, path)
    lines = RECORDING.splitlines()
    assert path.read_text().splitlines() == [line.rsplit(",", 2)[0] for line in lines]


def test_the_truth_is_the_first_of_each_label_and_host(rows: list[ait.Row]) -> None:
    truth = ait.truth(rows, {})
    assert (truth.start, truth.end) == (10.0, 50.0)
    assert {tuple(label) for label in truth.labels} == {
        (30.0, "web", "dirb"),
        (20.0, "web", "service_scan"),
        (40.0, "web", "webshell_cmd"),
    }


def test_windows_are_by_scenario(tmp_path: Path) -> None:
    path = tmp_path / "windows.csv"
    path.write_text("scenario,attack,start,end\na,dirb,1.0,2.5\nb,dirb,3.0,4.0\na,webshell,2.5,3\n")
    assert ait.windows(path) == {
        "a": {"dirb": (1.0, 2.5), "webshell": (2.5, 3.0)},
        "b": {"dirb": (3.0, 4.0)},
    }


@given(seed=st.integers(0, 10_000))
def test_a_renaming_deals_out_the_same_names_one_to_one(seed: int) -> None:
    renaming = Renaming.draw(SITE, seed)
    other = renaming.site(SITE)
    for before, after in zip(SITE.assets, other.assets, strict=True):
        assert (before.zone, before.criticality) == (after.zone, after.criticality)
        assert [":" in a for a in before.addresses] == [":" in a for a in after.addresses]
    assert names(other) == names(SITE)
    assert Renaming.draw(SITE, seed) == renaming


def names(site: Inventory) -> list[str]:
    return sorted(n for a in site.assets for n in (a.id, *a.names, *a.addresses))


def test_a_renamed_alert_is_of_the_same_asset(rows: list[ait.Row]) -> None:
    renaming = Renaming.draw(SITE, 1)
    other = renaming.site(SITE)
    for row in rows:
        renamed = renaming.row(row)
        index = SITE.asset_index(row.host)
        assert other.asset_index(renamed.host) == other.asset_index(renamed.address) == index
        assert (renamed.time, renamed.type) == (row.time, row.type)
    assert any(renaming.row(row).host != row.host for row in rows)


def test_decisions_are_the_same_up_to_the_names() -> None:
    renaming = Renaming(names={"web": "db", "db": "web"}, addresses={})

    def decided(*targets: str, why: str = "", score: float = 1.0) -> Replayed:
        said = {"time": 1.0, "kind": "ISOLATE", "score": score, "reasons": [why]}
        return Replayed(tuple({**said, "target": target} for target in targets), 0.1)

    assert bench_ait.same(decided("web", "db"), decided("db", "web", why="web"), renaming)
    assert not bench_ait.same(decided("web", "db"), decided("web", "db"), renaming)
    assert not bench_ait.same(decided("web"), decided("db", "web"), renaming)
    assert not bench_ait.same(decided("web"), decided("db", score=1.1), renaming)
    assert bench_ait.same(decided(), decided(), renaming)


def test_own_hosts_are_private_and_not_the_red_team() -> None:
    events = [
        {"dest_ip": "10.0.0.9"},
        {"dest_ip": "10.0.99.1"},
        {"dest_ip": "10.0.0.9", "src_ip": "10.0.0.77"},
        {"dest_ip": "10.0.254.31"},
        {"dest_ip": "8.8.8.8"},
        {"event_type": "stats"},
    ]
    assert [a.addresses for a in bench_ait.own_hosts(events).assets] == [
        ("10.0.0.9",),
        ("10.0.99.1",),
    ]


def result(lead: float | None, stealth: float | None, false: int = 0) -> dict[str, Any]:
    def one(before_root: float | None) -> dict[str, Any]:
        return {"before_root_s": before_root, "false": [0] * false, "quiet_per_day": 0.25}

    return {
        "recorded": one(lead),
        "stealth": one(stealth),
        "renamed_same": True,
        "replay_s": {"recorded": 2.0, "renamed": 3.0},
    }


def test_what_is_asked_is_counted() -> None:
    scenarios = {
        "a": result(60.0, 0.1),
        "b": result(59.9, 0.0),
        "c": result(None, None, false=2),
    }
    wanted = bench_ait.asked(scenarios, {"precision": 1.0, "attackers_proposed": 5})
    assert wanted == {
        "scenarios": 3,
        "isolated_in_time": 1,
        "false": 2,
        "most_quiet_per_day": 0.25,
        "stealth_in_time": 1,
        "stealth_false": 2,
        "renamed_same": True,
        "slowest_replay_s": 3.0,
        "cptc_precision": 1.0,
        "cptc_attackers": 5,
    }


def test_the_table_shows_us_beside_the_peer() -> None:
    windows = {"webshell": (20.0, 40.0), "dnsteal": (0.0, 1.0)}
    truth = Truth([Label(35.0, SERVER, "webshell_cmd")], windows, 0.0, 86_440.0)
    made = [Decision(36.0, "ISOLATE", SERVER), Decision(7200.0, "ISOLATE", "db")]
    ours, theirs = score(made, truth).to_json(), score([], truth).to_json()
    shown = bench_ait.table(
        {
            "a": {
                "renamed_same": False,
                "recorded": ours,
                "stealth": theirs,
                "naive_bayes": {"recorded": theirs, "stealth": theirs},
            }
        }
    )
    console = Console(width=180, record=True, file=io.StringIO())
    console.print(shown)
    us, peer, *_ = (line for line in console.export_text().splitlines() if "recorded" in line)
    cells = [cell.strip() for cell in us.strip("│").split("│")]
    assert cells == [
        *("a", "recorded", "Countersign", "1 s", "-1 s", "-", "db h 2", "0", "no"),
        *("1.00 (1 ISOLATE)", "DIFFERS"),
    ]
    assert "naive Bayes" in peer


def test_the_replayed_alerts_are_the_recorded_ones(shared_data: Path, tmp_path: Path) -> None:
    """For the sensor, too."""
    recording, replayed = shared_data / "ait-ads" / "shaw_alerts.csv.xz", tmp_path / "shaw.csv"
    ait.write(ait.load(recording), replayed)

    def parsed(path: Path) -> Iterator[Any]:
        return map(parser("ait").parse, list(recorded_lines(path))[1:])

    assert all(a == b for a, b in zip(parsed(recording), parsed(replayed), strict=True))


@pytest.mark.slow
def test_recorded_attacks_are_answered(shared_data: Path) -> None:
    """By the policy that is the default, with nothing tuned to any of them."""
    argv = [sys.executable, str(Path(bench_ait.__file__)), "--json", "--data", str(shared_data)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=1200, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["scenarios"]["santos"]["recorded"]["share_while_leaking"]
    figures = result["asked"]
    assert figures["isolated_in_time"] == figures["scenarios"] >= 4
    assert figures["stealth_in_time"] >= 3
    assert (figures["false"], figures["stealth_false"]) == (0, 0)
    assert figures["most_quiet_per_day"] <= 1.0
    assert figures["renamed_same"]
    assert figures["cptc_precision"] >= 0.9
    assert figures["cptc_attackers"] >= 5
