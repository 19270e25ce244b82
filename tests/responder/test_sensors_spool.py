"""What is acknowledged is on disk; neither crash nor full disk repeats or loses any of it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.errors import Temporary
from responder.sensors import Position
from responder.sensors.line import MAX_LINE
from responder.sensors.spool import Full, Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "feed.ndjson"


def lines(spool: Spool, most: int = 1000) -> list[bytes]:
    return [line for line, _ in spool.read(most, 8 << 20)]


def again(spool: Spool, segment: int = 1 << 20) -> Spool:
    """As after a restart, with the position that a checkpoint kept."""
    spool.close()
    kept = spool.position
    return Spool(spool.path, kept and Position(**asdict(kept)), segment)


def test_what_is_appended_is_read_once(path: Path) -> None:
    spool = Spool(path)
    spool.append([b"one", b"two"])
    assert lines(spool) == [b"one", b"two"]
    spool.append([b"three"])
    assert lines(again(spool)) == [b"three"]


def test_nothing_is_there_before_the_first_line(path: Path) -> None:
    spool = Spool(path)
    spool.append([])
    assert lines(spool) == [] and spool.last_line() is None and spool.position is None


def test_without_a_checkpoint_both_files_are_read(path: Path) -> None:
    spool = Spool(path, segment=8)
    spool.append([b"first one"])
    spool.append([b"second one"])
    assert lines(Spool(path)) == [b"first one", b"second one"]


def test_nobody_read_before_the_first_rotation(path: Path) -> None:
    spool = Spool(path, segment=8)
    spool.append([b"first one"])
    spool.append([b"second one"])
    assert lines(spool) == [b"first one", b"second one"]


def test_a_full_spool_takes_nothing_until_a_checkpoint_says_it_was_read(path: Path) -> None:
    spool = Spool(path, segment=8)
    spool.append([b"first one"])
    spool.append([b"second one"])
    for _ in range(2):
        with pytest.raises(Full, match="full"):
            spool.append([b"third one"])
    assert "full" in spool.trouble
    assert lines(spool) == [b"first one", b"second one"]
    with pytest.raises(Full):  # read, but a crash now would read it again
        spool.append([b"third one"])
    spool.release()
    spool.append([b"third one"])
    assert spool.trouble == ""
    assert lines(spool) == [b"third one"]


def test_it_is_bounded(path: Path) -> None:
    spool = Spool(path, segment=100)
    with pytest.raises(Full):
        for _ in range(100):
            spool.append([b"x" * 9])
    assert sum(file.stat().st_size for file in path.parent.iterdir()) == 200


def test_a_line_that_a_crash_cut_off_is_gone(path: Path) -> None:
    spool = Spool(path)
    spool.append([b"one"])
    spool.close()
    with path.open("ab") as file:
        file.write(b"tw")
    spool = again(spool)
    spool.append([b"three"])
    assert lines(spool) == [b"one", b"three"]


def test_only_half_a_line_is_there(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"x" * (MAX_LINE + 9))
    spool = Spool(path)
    spool.append([b"one"])
    assert path.read_bytes() == b"one\n" and lines(spool) == [b"one"]


def short_of_space(room: int) -> Callable[[int, Any], int]:
    real, left = os.write, room

    def write(file: int, data: Any) -> int:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(file, bytes(data[:left]))
        left -= written
        return written

    return write


def test_a_full_disk_leaves_no_part_of_what_was_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(path)
    spool.append([b"one"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", short_of_space(10))
        with pytest.raises(Temporary, match="No space left on device; nothing is taken in"):
            spool.append([b"two", b"three", b"four"])
    assert lines(spool) == [b"one"] and "No space left" in spool.trouble
    spool.append([b"two", b"three", b"four"])
    assert lines(spool) == [b"two", b"three", b"four"] and spool.trouble == ""


def test_a_disk_that_cannot_sync_acknowledges_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    spool = Spool(path)
    spool.append([b"one"])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        with pytest.raises(Temporary, match="Input/output error"):
            spool.append([b"two"])
    assert lines(spool) == [b"one"]


def test_a_folder_that_is_none_is_temporary(path: Path) -> None:
    path.parent.write_bytes(b"")
    with pytest.raises(Temporary, match=r"Not a directory|File exists"):
        Spool(path).append([b"one"])


def test_a_deleted_spool_is_made_anew(path: Path) -> None:
    spool = Spool(path)
    spool.append([b"one"])
    assert lines(spool) == [b"one"]
    keep = os.open(path, os.O_RDONLY)  # else the new file may get the same inode
    path.unlink()
    spool.append([b"two"])
    assert lines(again(spool)) == [b"two"]
    os.close(keep)


def test_the_newest_line_is_known_after_a_restart(path: Path) -> None:
    spool = Spool(path, segment=8)
    spool.append([b"first one"])
    assert Spool(path).last_line() == b"first one"
    spool.append([b"second one", b"y" * MAX_LINE])
    assert Spool(path).last_line() == b"y" * MAX_LINE


def test_many_writers_and_a_reader(path: Path) -> None:
    spool, wanted, got = Spool(path, segment=2000), set(), []

    def write(who: int) -> None:
        for n in range(50):
            while True:
                try:
                    spool.append([b"%d-%d" % (who, n), b"%d-%d again" % (who, n)])
                    break
                except Full:
                    continue

    for who in range(6):
        wanted |= {b"%d-%d%b" % (who, n, end) for n in range(50) for end in (b"", b" again")}
    threads = [threading.Thread(target=write, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    while len(got) < len(wanted) and any(thread.is_alive() for thread in threads):
        got += lines(spool, 7)
        spool.release()
    for thread in threads:
        thread.join()
    while more := lines(spool):
        got += more
    assert len(got) == len(wanted) and set(got) == wanted


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 4)),
        st.tuples(st.just("read"), st.integers(1, 6)),
        st.tuples(st.just("checkpoint"), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 5)),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_each_acknowledged_line_counts_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("spool") / "feed.ndjson"
    spool = Spool(path, segment=40)
    acknowledged: list[bytes] = []
    kept: tuple[Position | None, list[bytes]] = (None, [])  # a checkpoint: position and picture
    seen: list[bytes] = []
    for step, n in [*steps, ("crash", 0), ("read", 1000)]:
        if step == "append":
            new = [b"line %d" % (len(acknowledged) + i) for i in range(n)]
            try:
                spool.append(new)
            except Full:
                continue
            acknowledged += new
        elif step == "read":
            seen = seen + lines(spool, n)
        elif step == "checkpoint":
            kept = (spool.position, seen)
            spool.release()
        else:
            spool.close()
            with path.open("ab") as file:
                file.write(b"x" * n)  # a write that was cut off, never acknowledged
            spool, seen = Spool(path, kept[0], segment=40), kept[1]
    assert seen == acknowledged
    spool.close()
