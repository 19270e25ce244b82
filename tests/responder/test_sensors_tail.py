"""A file that is written, rotated, truncated and abused while it is read."""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from responder.errors import Permanent, Temporary
from responder.sensors import Feed, Position, Tail, parser, recorded_lines
from responder.sensors.line import MAX_LINE

ALERT = b"1642993260,Wazuh: Successful sudo to ROOT executed.,10.143.2.4,intranet,W-Aut-Sud\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "eve.json"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def lines(tail: Tail, **limits: int) -> list[bytes]:
    return [line for line, _ in tail.read(**limits)]


def test_file_may_appear_later(log: Path) -> None:
    tail = Tail(log)
    assert tail.read() == [] and tail.position is None
    append(log, b"one\n")
    assert lines(tail) == [b"one"]
    assert lines(tail) == []


def test_partial_line_waits_for_its_newline(log: Path) -> None:
    tail = Tail(log)
    append(log, b"one\ntw")
    assert lines(tail) == [b"one"]
    append(log, b"o\n")
    assert lines(tail) == [b"two"]


def test_position_survives_a_restart(log: Path) -> None:
    append(log, b"one\ntwo\nthree\n")
    [(_, first), *_] = Tail(log).read()
    stored = asdict(first)
    assert lines(Tail(log, Position(**stored))) == [b"two", b"three"]


def test_limits_are_kept_and_nothing_lost(log: Path) -> None:
    append(log, b"".join(b"%d\n" % n for n in range(10)))
    tail = Tail(log)
    assert lines(tail, max_lines=3) == [b"0", b"1", b"2"]
    assert lines(tail, max_bytes=1)[0] == b"3"
    rest = Tail(log, tail.position)
    assert lines(rest) == lines(tail)


def test_rotation_finishes_the_old_file_first(log: Path) -> None:
    append(log, b"one\n")
    tail = Tail(log)
    assert lines(tail) == [b"one"]
    append(log, b"two\n")
    log.rename(log.with_name("eve.json.1"))
    append(log, b"three\n")
    assert lines(tail) == [b"two", b"three"]


def test_writer_may_still_be_in_the_rotated_file(log: Path) -> None:
    append(log, b"one\n")
    tail = Tail(log)
    lines(tail)
    old = log.rename(log.with_name("eve.json.1"))
    log.touch()  # as logrotate's `create` does, before it tells the writer
    append(old, b"two\n")
    assert lines(tail) == [b"two"]
    append(log, b"three\n")
    assert lines(tail) == [b"three"]


def test_last_line_of_a_rotated_file_needs_no_newline(log: Path) -> None:
    append(log, b"one\ntwo")
    tail = Tail(log)
    assert lines(tail) == [b"one"]
    log.rename(log.with_name("eve.json.1"))
    append(log, b"three\n")
    assert lines(tail) == [b"two", b"three"]


def test_rotation_while_we_were_down(log: Path) -> None:
    append(log, b"one\ntwo\n")
    [(_, first), *_] = Tail(log).read()
    log.rename(log.with_name("eve.json.1"))
    append(log, b"three\n")
    assert lines(Tail(log, first)) == [b"two", b"three"]


def test_rotated_file_out_of_reach_is_said(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(log, b"one\n")
    keep = os.open(log, os.O_RDONLY)  # else the new file may get the same inode
    [(_, first)] = Tail(log).read()
    log.unlink()
    append(log, b"two\n")
    assert lines(Tail(log, first)) == [b"two"]
    assert "rotated away before it was read" in caplog.text
    os.close(keep)


def test_truncation_starts_again(log: Path) -> None:
    append(log, b"one\ntwo\n")
    tail = Tail(log)
    lines(tail)
    log.write_bytes(b"3\n")
    assert lines(tail) == [b"3"]


def rotate(log: Path, data: bytes, time: int, kept: int = 5) -> None:
    """Writes a file at this time, with those before it under one number more."""
    for old in range(kept, 0, -1):
        if (there := log.with_name(f"{log.name}.{old}")).exists():
            there.rename(log.with_name(f"{log.name}.{old + 1}"))
    if log.exists():
        log.rename(log.with_name(f"{log.name}.1"))
    append(log, data)
    os.utime(log, (time, time))


def test_several_rotations_while_we_were_down(log: Path) -> None:
    rotate(log, b"zero\n", 1)
    rotate(log, b"one\ntwo\n", 2)
    tail = Tail(log)
    assert lines(tail, max_lines=1) == [b"one"]
    for n, data in enumerate((b"three\n", b"four\nfi", b"six\n")):
        rotate(log, data, 3 + n)
    append(log.with_name("eve.json.2.gz"), b"compressed\n")
    wanted = [b"two", b"three", b"four", b"fi", b"six"]
    assert lines(Tail(log, tail.position)) == wanted
    assert lines(tail) == wanted  # also with the old file still open


def test_names_that_change_while_they_are_listed_wait_for_the_next_read(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate(log, b"one\n", 1)
    tail = Tail(log)
    lines(tail)
    for n in range(3):
        rotate(log, b"%d\n" % n, 2 + n)
    real, calls = os.scandir, 0

    def racing(path: Path) -> AbstractContextManager[Any]:
        nonlocal calls
        calls += 1
        entries = real(path)
        return nullcontext([e for e in entries if calls > 1 or not e.name.endswith(".2")])

    monkeypatch.setattr(os, "scandir", racing)
    assert lines(tail) == []
    assert lines(tail) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("inode", ["", "eve.json", "eve.json.2.gz"])
@pytest.mark.parametrize("known", [True, False], ids=["mtime", "an older state"])
def test_rotations_after_a_file_that_is_gone_are_read(log: Path, inode: str, known: bool) -> None:
    """As `compress` and `delaycompress` leave them after two rotations while we were down; another
    file may have the inode now.
    """
    rotate(log, b"old\n", 1)
    rotate(log, b"one\n" * 9, 2)
    tail = Tail(log)
    assert len(lines(tail)) == 9
    tail.close()
    stored = tail.state()
    assert stored is not None
    if not known:
        stored.pop("mtime", None)
    rotate(log, b"two\nthree\n", 3)
    rotate(log, b"four\n", 4)
    ours = log.with_name("eve.json.2")
    if inode == "eve.json":
        ours.write_bytes(log.read_bytes())
        ours.replace(log)
        os.utime(log, (4, 4))
    elif inode:
        ours.write_bytes(b"not to be read\n" * 9)
        ours.rename(log.with_name(inode))
    else:
        (log.parent / "elsewhere").mkdir()
        ours.rename(log.parent / "elsewhere" / "old")
    again = Tail(log, Position(**stored))
    assert lines(again) == ([b"two", b"three", b"four"] if known else [b"four"])
    assert lines(again) == []


def test_a_copied_and_truncated_file_is_not_read_again(log: Path) -> None:
    append(log, b"one\ntwo\n")
    os.utime(log, (1, 1))
    tail = Tail(log)
    assert len(lines(tail)) == 2
    copy = log.with_name("eve.json.1")
    copy.write_bytes(log.read_bytes())
    os.utime(copy, (2, 2))
    log.write_bytes(b"")
    os.utime(log, (3, 3))
    assert lines(tail) == []
    append(log, b"three\n")
    assert lines(tail) == [b"three"]


@pytest.mark.parametrize("target", ["/nonexistent", "eve.json.latest", "eve.json/below"])
@pytest.mark.parametrize("name", ["eve.json.latest", "eve.json.9"])
def test_a_link_that_leads_nowhere_stops_nothing(log: Path, name: str, target: str) -> None:
    rotate(log, b"one\n", 1)
    tail = Tail(log)
    assert lines(tail) == [b"one"]
    log.with_name(name).symlink_to(target if target != "eve.json.latest" else name)
    rotate(log, b"two\n", 2)
    assert lines(Tail(log, tail.position)) == [b"two"]
    assert lines(tail) == [b"two"]


def test_a_rotated_file_may_have_any_name_while_it_is_read(log: Path) -> None:
    append(log, b"one\ntwo\n")
    tail = Tail(log)
    assert lines(tail, max_lines=1) == [b"one"]
    log.rename(log.with_name("eve.json.old"))
    append(log, b"three\n")
    assert lines(Tail(log, tail.position)) == [b"two", b"three"]


def test_complete_rotations_need_not_wait_for_the_newest_to_be_written(log: Path) -> None:
    rotate(log, b"one\n", 1)
    tail = Tail(log)
    assert lines(tail) == [b"one"]
    rotate(log, b"two\n", 2)
    rotate(log, b"three\n", 3)
    rotate(log, b"", 4)
    assert lines(tail) == [b"two", b"three"]
    append(log.with_name("eve.json.1"), b"four\n")  # where its writer still is
    assert lines(tail) == [b"four"]
    append(log, b"five\n")
    assert lines(tail) == [b"five"]


def test_a_file_that_never_was_is_said_until_it_is_there(log: Path) -> None:
    tail = Tail(log)
    tail.read()
    assert tail.trouble == f"{log} does not exist yet; check `path` in settings.yaml"
    append(log, b"one\n")
    assert lines(tail) == [b"one"] and tail.trouble == ""
    log.rename(log.with_name("eve.json.1"))  # between a rotation and the next line
    assert lines(tail) == [] and tail.trouble == ""
    again = Tail(log, tail.position)
    assert lines(again) == [] and again.trouble == ""


@pytest.mark.parametrize("size", [3, 300])
def test_truncation_is_known_by_the_beginning(log: Path, size: int) -> None:
    """Also where a line of the new content happens to end where we were."""
    append(log, b"a" * size + b"\n" + b"b" * 9 + b"\n")
    tail = Tail(log)
    assert len(lines(tail)) == 2
    stored = tail.state()
    log.write_bytes(b"c" * size + b"\n" + b"d" * 9 + b"\nmore\n")
    expected = [b"c" * size, b"d" * 9, b"more"]
    assert lines(Tail(log, Position(**stored))) == expected
    assert lines(tail) == expected


def test_a_header_comes_again_where_reading_goes_on(log: Path) -> None:
    """Else the rows of a Zeek log could not be read after a restart."""
    append(log, b"#separator \\x09\n#fields\ta\n1\n#close\n")
    tail = Tail(log)
    assert lines(tail) == [b"#separator \\x09", b"#fields\ta", b"1", b"#close"]
    again = Tail(log, tail.position)
    assert lines(again) == []
    append(log, b"2\n")
    log.rename(log.with_name("eve.json.1"))
    append(log, b"#fields\tb\n3\n")
    header = [b"#separator \\x09", b"#fields\ta"]
    assert lines(again) == [*header, b"2", b"#fields\tb", b"3"]
    assert lines(tail) == [b"2", b"#fields\tb", b"3"]
    append(log, b"4\n")
    assert lines(again) == [b"4"]


def test_position_inside_a_line_is_another_files(log: Path) -> None:
    append(log, b"something longer\n")
    assert lines(Tail(log, Position(log.stat().st_ino, 4))) == [b"something longer"]


def test_oversized_line_is_skipped_and_counted(log: Path) -> None:
    tail = Tail(log)
    append(log, b"one\n" + b"x" * (3 * MAX_LINE))
    assert lines(tail) == [b"one"]
    before = tail.position
    assert lines(tail) == [] and tail.position == before  # a restart would see it whole
    append(log, b"x\ntwo\n")
    assert lines(tail) == [b"two"]
    assert tail.oversized == 1


@pytest.mark.parametrize(("length", "kept"), [(MAX_LINE, True), (MAX_LINE + 1, False)])
def test_the_longest_line(log: Path, length: int, kept: bool) -> None:
    append(log, b"x" * length + b"\nlast\n")
    tail = Tail(log)
    assert [len(line) for line in lines(tail)] == ([length, 4] if kept else [4])
    assert tail.oversized == (0 if kept else 1)


def test_truncation_inside_an_oversized_line(log: Path) -> None:
    append(log, b"x" * (2 * MAX_LINE))
    tail = Tail(log)
    assert lines(tail) == []
    log.write_bytes(b"one\n")
    assert lines(tail) == [b"one"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="not a regular file"):
        Tail(tmp_path).read()


def test_a_pipe_is_refused_without_waiting(log: Path) -> None:
    os.mkfifo(log)
    with pytest.raises(Permanent, match="not a regular file"):
        Tail(log).read()


def test_path_through_a_file_is_temporary(log: Path) -> None:
    log.touch()
    with pytest.raises(Temporary, match="cannot read"):
        Tail(log / "below").read()


def test_trouble_after_some_lines_does_not_lose_them(log: Path) -> None:
    append(log, b"one\n")
    tail = Tail(log)
    lines(tail)
    append(log, b"two\n")
    log.rename(log.with_name("eve.json.1"))
    log.mkdir()
    (log / "file").touch()
    assert lines(tail) == [b"two"]
    with pytest.raises(Permanent):
        tail.read()


# ---------------------------------------------------------------- feed


def test_feed_counts_everything(log: Path) -> None:
    feed = Feed(Tail(log), parser("ait"))
    append(log, b"time,name,ip,host,short\n" + ALERT + b"garbage\n\xff\n" + b"x" * (MAX_LINE + 9))
    append(log, b"\n" + ALERT)
    assert [alert.type for alert in feed.read()] == ["W-Aut-Sud", "W-Aut-Sud"]
    counters = feed.counters
    assert (counters.lines, counters.alerts, counters.ignored) == (5, 2, 1)
    assert (counters.malformed, counters.oversized) == (2, 1)
    assert counters.last_reason == "not UTF-8"
    assert Position(**feed.state) == Position(log.stat().st_ino, log.stat().st_size)


def test_feed_logs_each_reason_once_and_no_content(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed(Tail(log), parser("eve"))
    append(log, b"secret\n" * 500 + b"[]\n")
    with caplog.at_level(logging.WARNING):
        feed.read()
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "not JSON (line 1 since start, before byte 7); further such lines are only counted",
        "not a JSON object (line 501 since start, before byte 3503); further such lines are only"
        " counted",
    ]
    assert "secret" not in caplog.text
    assert feed.counters.malformed == 501


# ---------------------------------------------------------------- recorded files


def test_recorded_line_too_long_is_cut_but_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_bytes(b"x" * (3 * MAX_LINE) + b"\none\ntwo")
    assert [len(line) for line in recorded_lines(path)] == [MAX_LINE + 1, 3, 3]


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_damaged_archive_is_a_clear_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"alerts{suffix}"
    path.write_bytes(b"no archive at all, whatever its name")
    with pytest.raises(Permanent, match="damaged"):
        list(recorded_lines(path))


def test_missing_recording_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="No such file"):
        list(recorded_lines(tmp_path / "none.csv"))
