"""A folder of files that come, grow, rotate and go."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from responder.errors import Temporary
from responder.sensors import Position
from responder.sensors.directory import MAX_FILES, MAX_KNOWN, Directory
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
    assert lines(source) == []
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


@pytest.mark.parametrize("restarted", [False, True])
def test_a_folder_that_was_empty_for_a_while_is_not_read_again(
    folder: Path, restarted: bool
) -> None:
    """As when the responder starts before the log volume is mounted."""
    append(folder / "a.json", b"a1\n")
    append(folder / "eve.json.1", b"eve 1\n")
    append(folder / "eve.json", b"eve 2\n")
    source = Directory(folder, "*.json")
    assert len(lines(source)) == 2
    volume = folder.rename(folder.with_name("volume"))
    folder.mkdir()
    for _ in range(2):
        source = again(source, "*.json") if restarted else source
        assert lines(source) == []
    folder.rmdir()
    volume.rename(folder)
    source = again(source, "*.json") if restarted else source
    append(folder / "a.json", b"a2\n")
    (folder / "eve.json").rename(folder / "eve.json.0")
    append(folder / "eve.json.0", b"eve 3\n")
    assert lines(source) == [b"a2", b"eve 3"]


def write(folder: Path, day: int) -> bytes:
    """Another day's file, with the time of that day."""
    path = append(folder / f"{day:04}.json", b"%d\n" % day)
    os.utime(path, (day, day))
    return b"%d" % day


def all_of(source: Directory) -> list[bytes]:
    """Until nothing came twice."""
    got: list[bytes] = []
    idle = 0
    while idle < 2:
        read = lines(source)
        got += read
        idle = 0 if read else idle + 1
    return got


@pytest.mark.parametrize("already", [MAX_FILES, MAX_KNOWN])
def test_the_newest_file_is_read_however_many_there_are(folder: Path, already: int) -> None:
    """One file a day; each line once, also after a restart."""
    source = Directory(folder, "*.json")
    for day in range(1, already - 5):
        write(folder, day)
    assert len(all_of(source)) == already - 6
    for day in range(already - 5, already + 5):
        wanted = write(folder, day)
        assert all_of(source) == [wanted]
        if day % 3 == 0:
            source = again(source, "*.json")
    source.close()


def test_files_that_made_room_are_read_on_where_they_were(folder: Path) -> None:
    written = [write(folder, day) for day in range(1, MAX_FILES + 21)]
    source = Directory(folder, "*.json")
    first = lines(source)
    assert sorted(first) == sorted(written[-MAX_FILES:])
    assert sorted(first + all_of(source)) == sorted(written)
    source = again(source, "*.json")
    assert all_of(source) == [] and source.trouble == ""
    for day in (1, 2, MAX_FILES, MAX_FILES + 20):
        write(folder, day)
    assert all_of(source) == [b"1", b"2", b"256", b"276"]
    source.close()


def test_more_files_than_can_be_known_are_said_and_not_read_in_turns(folder: Path) -> None:
    written = [write(folder, day) for day in range(1, MAX_KNOWN + 21)]
    source = Directory(folder, "*.json")
    assert sorted(all_of(source)) == sorted(written[20:])
    assert f"more than {MAX_KNOWN} files match" in source.trouble
    for _ in range(2):
        source = again(source, "*.json")
        assert all_of(source) == []
    assert len(source.state()) == MAX_KNOWN
    for day in range(1, 21):
        (folder / f"{day:04}.json").unlink()
    assert lines(source) == [] and source.trouble == ""
    source.close()


def test_files_with_much_to_read_keep_their_turn_and_that_is_said(folder: Path) -> None:
    for n in range(MAX_FILES + 1):
        append(folder / f"{n:04}.json", b"%d\n" % n * 3)
    source = Directory(folder, "*.json")
    assert lines(source, MAX_FILES) and lines(source, 1)
    assert f"more than {MAX_FILES} files match" in source.trouble
    rest = all_of(source)
    assert len(rest) == 3 * (MAX_FILES + 1) - MAX_FILES - 1 and source.trouble == ""
    source.close()


def test_a_link_to_itself_holds_no_other_up(folder: Path) -> None:
    (folder / "loop.json").symlink_to("loop.json")
    append(folder / "a.json", b"a\n")
    assert lines(Directory(folder, "*.json")) == [b"a"]


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
