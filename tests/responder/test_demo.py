"""Recordings: lines in time order, whatever is in them."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from founding import GENESIS, eve_line

from responder.demo import Recording
from responder.errors import Permanent


def recorded(tmp_path: Path, *lines: bytes, name: str = "alerts.json") -> Path:
    path = tmp_path / name
    data = b"".join(lines)
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(data))
    return path


def at(seconds: float) -> bytes:
    return eve_line(GENESIS + seconds)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.json.xz"])
def test_lines_come_in_time_order_without_their_newline(tmp_path: Path, name: str) -> None:
    path = recorded(tmp_path, at(5), at(1), at(3), name=name)
    recording = Recording.load(path, "eve")
    assert [t - GENESIS for t, _ in recording.lines] == [1, 3, 5]
    assert recording.lines[0][1] + b"\n" == at(1)
    assert recording.live_from == GENESIS + 1


def test_a_line_that_no_parser_takes_keeps_its_neighbours_time(tmp_path: Path) -> None:
    broken = b"{ not JSON\n"
    recording = Recording.load(recorded(tmp_path, broken, at(1), broken, at(3)), "eve")
    assert [
        (t - GENESIS, line[:1] == b"{" and b"not JSON" in line) for t, line in recording.lines
    ] == [(1, True), (1, False), (1, True), (3, False)]


def test_only_the_end_is_played_and_the_rest_is_history(tmp_path: Path) -> None:
    path = recorded(tmp_path, at(0), at(1000), at(2000))
    assert Recording.load(path, "eve", 600).live_from == GENESIS + 1400
    assert Recording.load(path, "eve", 10**6).live_from == GENESIS


@pytest.mark.parametrize("lines", [[], [b"\n"], [b"nothing\n", b"of the kind\n"]])
def test_a_file_without_alerts_is_refused(tmp_path: Path, lines: list[bytes]) -> None:
    path = recorded(tmp_path, *lines)
    with pytest.raises(Permanent, match="holds no alerts in format 'eve'"):
        Recording.load(path, "eve")


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="unknown alert format 'csv'"):
        Recording.load(recorded(tmp_path, at(0)), "csv")


def test_a_mapping_file_is_named_so_that_it_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(
        "{time: {path: when, format: seconds}, sensor: {default: acme}, type: rule}"
    )
    alerts = recorded(tmp_path, *(b'{"when": %d, "rule": "r"}\n' % (GENESIS + s) for s in (2, 1)))
    recording = Recording.load(alerts, "own.yaml")
    assert recording.format == str(tmp_path / "own.yaml")
    assert [t - GENESIS for t, _ in recording.lines] == [1, 2]
