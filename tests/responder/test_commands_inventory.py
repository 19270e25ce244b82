"""`countersign inventory import`: what it writes, prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policies.inventory import Inventory
from responder.commands.inventory import inventory
from responder.errors import Permanent
from responder.importing import read_inventory

TABLE = """\
id,zone,addresses
web-1,dmz,203.0.113.5
db-1,,203.0.113.5
"""


def call(*arguments: object) -> Result:
    return CliRunner().invoke(inventory, ["import", *map(str, arguments)])


@pytest.fixture()
def table(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.csv"
    path.write_text(TABLE)
    return path


def test_what_is_written_loads(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "inventory.yaml"
    done = call("--from", "csv", table, "-o", out)
    assert done.exit_code == 0
    assert done.stdout == f"2 assets written to {out}\n"
    told = "left out, line 3: 203.0.113.5 (web-1 has it already, so db-1 does without)\n"
    assert done.stderr == told
    assert Inventory.load(out) == read_inventory(table, "csv").inventory


def test_json_has_the_inventory_and_what_is_missing(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "inventory.yaml"
    done = call("--from", "csv", table, "-o", out, "--json")
    record = json.loads(done.stdout)
    assert Inventory.from_mapping(record["inventory"]) == Inventory.load(out)
    (missing,) = record["left_out"]
    assert missing["where"] == "line 3"
    assert missing["what"] == "203.0.113.5"
    assert json.loads(call("--from", "csv", table, "--json").stdout) == record


def test_an_existing_file_stays_unless_forced(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "inventory.yaml"
    out.write_text("assets: []")
    done = call("--from", "csv", table, "-o", out)
    assert "exists; give another name, or --force" in str(done.exception)
    assert out.read_text() == "assets: []"
    assert call("--from", "csv", table, "-o", out, "--force").exit_code == 0
    assert len(Inventory.load(out).assets) == 2


def test_nothing_is_written_of_a_file_that_is_refused(tmp_path: Path) -> None:
    source, out = tmp_path / "hosts.csv", tmp_path / "inventory.yaml"
    source.write_text("id\n\x07\n")
    assert isinstance(call("--from", "csv", source, "-o", out).exception, Permanent)
    assert not out.exists()


def test_more_than_can_be_read_again_is_not_written(tmp_path: Path) -> None:
    source, out = tmp_path / "hosts.csv", tmp_path / "inventory.yaml"
    names = ";".join("x" * 195 + f"{i:05}" for i in range(600))  # of a cell at most 128 KiB
    rows = (f"{i},{names.replace('x' * 6, f'{i:06}')}\n" for i in range(150))
    source.write_text("id,names\n" + "".join(rows))
    assert "larger than 16 MiB" in str(call("--from", "csv", source, "-o", out).exception)
    assert not out.exists()


def test_somewhere_to_write_is_asked_for(table: Path) -> None:
    done = call("--from", "csv", table)
    assert done.exit_code == 2
    assert "say where to write with -o" in done.stderr


def test_a_long_list_of_what_is_missing_is_cut(tmp_path: Path) -> None:
    source = tmp_path / "hosts.csv"
    source.write_text("id\n" + "a\n" * 31)
    done = call("--from", "csv", source, "-o", tmp_path / "inventory.yaml")
    assert done.stderr.count("left out, line") == 20
    assert "and 10 more; --json has them all" in done.stderr


def test_help_has_an_example() -> None:
    assert "Example: countersign inventory import" in call("--help").stdout
