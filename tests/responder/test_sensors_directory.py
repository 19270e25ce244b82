"""A folder of files that come, grow, rotate and go."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from responder.errors import Temporary
from responder.sensors import Position
from responder.sensors.directory import MAX_FILES, Directory
from responder.sensors.line import MAX_LINE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def append(path: Path, data: bytes) -> Path:
    with path.open("ab") as file:
        file.write(data)
    return path


def lines(source: Directory, most: int = 1000) -> list[bytes]:
    return sorted(line for line, _ in source.read(most, 8 << 20))


def again(source: Directory, pattern: str) -> Directory:
    source.close()
    state = json.loads(json.dumps(source.state()))
    folder = Path(source.name).parent
    return Directory(folder, pattern, {n: at and Position(**at) for n, at in state.items()})


def test_every_file_that_matches_is_read_once(folder: Path) -> None:
    append(folder / "a.json", b"a1\n")
    append(folder / "b.json", b"b1\n")
    append(folder / "notes.txt", b"no\n")
    (folder / "more.json").mkdir()
    source = Directory(folder, "*.json")
    assert lines(source) == [b"a1", b"b1"]
    append(folder / "a.json", b"a2\n")
    append(folder / "new.json", b"n1\n")
    assert lines(again(source, "*.json")) == [b"a2", b"n1"]
    assert source.trouble == ""


@pytest.mark.parametrize("pattern", ["*.json", "*"])
@pytest.mark.parametrize("rotated", ["eve.json.1", "eve.json-20261123"])
def test_a_rotated_file_is_not_read_again(folder: Path, pattern: str, rotated: str) -> None:
    log = append(folder / "eve.json", b"one\n")
    source = Directory(folder, pattern)
    assert lines(source) == [b"one"]
    append(log, b"two\n")
    log.rename(folder / rotated)
    assert lines(source) == [b"two"]
    append(folder / rotated, b"three\n")  # its writer has not noticed yet
    source = again(source, pattern)
    assert lines(source) == [b"three"]
    append(log, b"four\n")
    source = again(source, pattern)
    assert lines(source) == [b"four"]
    assert lines(source) == []


def test_a_file_that_went_may_come_again(folder: Path) -> None:
    log = append(folder / "a.json", b"one\n" + b"x" * (MAX_LINE + 1) + b"\n")
    source = Directory(folder, "*.json")
    assert lines(source) == [b"one"]
    log.unlink()
    assert lines(source) == [] and source.state() == {}
    assert source.oversized == 1
    append(log, b"one\n")
    assert lines(source) == [b"one"]


def test_a_file_that_cannot_be_read_holds_no_other_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(folder / "a.json", b"a\n")
    append(folder / "b.json", b"b\n")
    real = os.open

    def refuses(path: object, *args: int, **kwargs: int) -> int:
        if str(path).endswith("a.json"):
            raise PermissionError(13, os.strerror(13))
        return real(path, *args, **kwargs)  # type: ignore[call-overload,no-any-return]

    source = Directory(folder, "*.json")
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuses)
        assert lines(source) == [b"b"]
    assert "a.json: Permission denied" in source.trouble
    assert lines(source) == [b"a"] and source.trouble == ""


def test_a_flood_in_one_file_does_not_keep_the_others_waiting(folder: Path) -> None:
    append(folder / "a.json", b"a\n" * 1000)
    append(folder / "b.json", b"b\n" * 3)
    source = Directory(folder, "*.json")
    got = lines(source, 100) + lines(source, 100)
    assert len(got) == 200 and got.count(b"b") == 3


def test_a_missing_folder_is_temporary(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="cannot list"):
        Directory(tmp_path / "none", "*").read(1, 1)


def test_the_number_of_files_is_bounded_and_said(folder: Path) -> None:
    for n in range(MAX_FILES + 3):
        append(folder / f"{n:04}.json", b"%d\n" % n)
    source = Directory(folder, "*.json")
    assert len(lines(source)) == MAX_FILES
    assert f"more than {MAX_FILES} files match" in source.trouble
    for n in range(3):
        (folder / f"{n:04}.json").unlink()
    lines(source)
    assert lines(source) == [b"256", b"257", b"258"]
    assert source.trouble == ""
    source.close()


def test_each_files_header_comes_before_its_lines(folder: Path) -> None:
    """Else the rows of one Zeek log would be read by the columns of another."""
    for name in ("a", "b"):
        append(folder / f"{name}.log", f"#{name}\n{name} 1\n".encode())
    source, got = Directory(folder, "*.log"), []
    for n in range(6):
        if n == 3:
            source = again(source, "*.log")
        for name in ("a", "b")[n % 2 :]:
            append(folder / f"{name}.log", f"{name} more\n".encode())
        got += [line for line, _ in source.read(1000, 8 << 20)]
    header = b""
    for line in got:
        header = line if line.startswith(b"#") else header
        assert header[1:] == line.lstrip(b"#")[:1]
    assert sum(not line.startswith(b"#") for line in got) == 2 + 3 + 6
