"""`countersign replay`, on recordings."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from founding import INVENTORY, eve_line

from responder.commands.replay import replay_command
from responder.errors import Permanent
from responder.importing import read_inventory

SCENARIO = "russellmitchell"  # of the AIT alert data set, the shortest
TAKEN_OVER = "intranet_server"
FIELDS = {"time", "kind", "target", "score", "reasons", "tier", "ttl"}


def replay(alerts: Path, inventory: Path, *options: str) -> Result:
    arguments = [str(alerts), "--inventory", str(inventory), *options]
    result = CliRunner().invoke(replay_command, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def recorded(shared_data: Path) -> Path:
    return shared_data / "ait-ads" / f"{SCENARIO}_alerts.csv.xz"


@pytest.fixture
def site(shared_data: Path, tmp_path: Path) -> Path:
    servers = shared_data / "ait-ads" / f"{SCENARIO}_servers.yaml"
    path = tmp_path / "site.yaml"
    inventory = read_inventory(servers, "kyoushi").inventory
    path.write_text(yaml.safe_dump(inventory.to_mapping()), "utf-8")
    return path


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """A handful of alerts, and a site."""
    alerts, site = tmp_path / "eve.json", tmp_path / "site.yaml"
    alerts.write_bytes(b"".join(eve_line(1_700_000_000 + n, n) for n in range(5)) + b"{\n")
    site.write_text(yaml.safe_dump(INVENTORY.to_mapping()), "utf-8")
    return alerts, site


def decisions(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def test_the_taken_over_server_is_proposed_when_it_answers_the_web_shell(
    recorded: Path, site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "decisions.jsonl"
    result = replay(recorded, site, "--format", "ait", "--out", str(out), "--json")
    summary = json.loads(result.stdout)
    assert summary["alerts"] > 45_000 and not summary["malformed"]
    made = decisions(out)
    isolated = [d for d in made if d["kind"] == "ISOLATE"]
    assert [d["target"] for d in isolated] == [TAKEN_OVER]
    assert isolated[0].keys() == FIELDS
    [first] = [t for t, host, event in labels(recorded) if event == "webshell_cmd"][:1]
    assert isolated[0]["time"] == first
    [release] = [d for d in made if d["kind"] == "RELEASE"]
    assert (release["of"], release["target"]) == ("ISOLATE", TAKEN_OVER)


def labels(recorded: Path) -> list[tuple[float, str, str]]:
    """Times, hosts and events, in the order of time. For scoring only."""
    with lzma.open(recorded, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(",") for line in file][1:]
    return sorted((float(row[0]), row[-4], row[-1]) for row in rows)


def test_without_labels_the_same_bytes(recorded: Path, site: Path, tmp_path: Path) -> None:
    bare, outs = tmp_path / "bare.csv", [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    with lzma.open(recorded, "rt", encoding="utf-8") as file:
        bare.write_text("".join(line.rsplit(",", 2)[0] + "\n" for line in file), "utf-8")
    for alerts, out in zip((recorded, bare), outs, strict=True):
        replay(alerts, site, "--format", "ait", "--out", str(out))
    assert outs[0].read_bytes() == outs[1].read_bytes() != b""


def test_policies_side_by_side(small: tuple[Path, Path]) -> None:
    result = replay(*small, "--compare", "nothing", "--json")
    summary = json.loads(result.stdout.splitlines()[-1])
    assert [each["policy"] for each in summary["policies"]] == ["playbook", "nothing"]
    assert (summary["alerts"], summary["malformed"]) == (5, 1)
    shown = replay(*small, "--compare", "nothing")
    assert "nothing is proposed" in shown.stdout and "malformed" in shown.stdout
    with pytest.raises(Permanent, match="one name"):
        replay(*small, "--compare", "playbook")


def test_a_file_without_alerts_is_an_error(small: tuple[Path, Path], tmp_path: Path) -> None:
    _, site = small
    empty = tmp_path / "empty.json"
    empty.write_bytes(b"{}\n" * 3)
    with pytest.raises(Permanent, match="looks like none of"):
        replay(empty, site)
    with pytest.raises(Permanent, match="no alerts in format 'eve'"):
        replay(empty, site, "--format", "eve")
    with pytest.raises(Permanent, match="unknown alert format"):
        replay(empty, site, "--format", "what")
