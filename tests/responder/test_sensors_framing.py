"""Streams cut into lines and frames, wherever the pieces end."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.sensors.framing import Frames, Lines
from responder.sensors.line import MAX_LINE


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


@given(
    st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=8),
    st.lists(st.integers(0, 1000), max_size=8),
)
def test_lines_do_not_depend_on_the_pieces(wanted: list[bytes], cuts: list[int]) -> None:
    cutter, got = Lines(), []
    for piece in pieces(b"".join(line + b"\n" for line in wanted), cuts):
        got += cutter.feed(piece)
    assert got == wanted and not cutter.pending and cutter.end() == []


def test_the_last_line_needs_no_newline() -> None:
    cutter = Lines()
    assert cutter.feed(b"one\ntw") == [b"one"] and cutter.pending
    assert cutter.feed(b"o") == [] and cutter.end() == [b"two"]


@pytest.mark.parametrize("size", [MAX_LINE, MAX_LINE + 1, 5 * MAX_LINE])
def test_the_longest_line(size: int) -> None:
    cutter, got = Lines(), []
    for piece in pieces(b"a\n" + b"x" * size + b"\nb\n", list(range(7, 6 * MAX_LINE, 65_537))):
        got += cutter.feed(piece)
    fits = size <= MAX_LINE
    assert [len(line) for line in got] == ([1, size, 1] if fits else [1, 1])
    assert cutter.oversized == (0 if fits else 1)


FRAMES = st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.booleans()), max_size=6)


@given(FRAMES, st.lists(st.integers(0, 1000), max_size=8))
def test_frames_do_not_depend_on_the_pieces(
    wanted: list[tuple[bytes, bool]], cuts: list[int]
) -> None:
    sent, expected = b"", []
    for body, counted in wanted:
        if not counted:  # what begins with a digit would be a length, what holds a newline two
            body = b"<" + body.replace(b"\n", b"")
        sent += b"%d %b" % (len(body), body) if counted else body + b"\n"
        expected.append(body)
    cutter, got = Frames(), []
    for piece in pieces(sent, cuts):
        got += cutter.feed(piece)
    assert got == expected and not cutter.pending


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_frames_take_anything(data: list[bytes]) -> None:
    cutter = Frames()
    for piece in data:
        assert all(len(frame) <= MAX_LINE for frame in cutter.feed(piece))
    assert cutter.broken in ("", "no frame length", "frame over 64 MiB")


@pytest.mark.parametrize("start", [b"%d " % (2 * MAX_LINE), b"<"])
def test_a_frame_too_long_is_skipped(start: bytes) -> None:
    cutter, got = Frames(), []
    counted = start[:1].isdigit()
    body = b"x" * (2 * MAX_LINE)
    for piece in pieces(start + body + (b"" if counted else b"\n") + b"<1>next\n", [9, 99_999]):
        got += cutter.feed(piece)
    assert got == [b"<1>next"] and cutter.oversized == 1


@pytest.mark.parametrize("data", [b"12x", b"99999999999", b"67108865 "])
def test_what_can_be_no_length_ends_the_stream(data: bytes) -> None:
    cutter = Frames()
    assert cutter.feed(b"<1>one\n" + data + b"<1>two\n") == [b"<1>one"]
    assert cutter.broken and cutter.feed(b"<1>three\n") == []


def test_empty_frames() -> None:
    cutter = Frames()
    got = cutter.feed(b"0 3 abc\n\n0 <1>x\n2 yz0 ")
    assert got == [b"", b"abc", b"", b"", b"", b"<1>x", b"yz", b""] and not cutter.pending


@pytest.mark.parametrize("flood", [b"\n", b"<1>\n", b"a\n"])
def test_a_run_of_lines_is_cut_at_once(flood: bytes) -> None:
    """Not line by line: whoever can connect must not be able to keep us busy."""
    cutter, calls = Frames(), []
    data = flood * 20_000
    sys.setprofile(lambda frame, event, _: calls.append(event) if event == "call" else None)
    try:
        got = cutter.feed(data)
    finally:
        sys.setprofile(None)
    assert got == [flood[:-1]] * 20_000 and len(calls) < 20


@given(st.lists(st.sampled_from([b"\n", b"0 ", b"1 a", b"3 <1>", b"<1>b\n"]), max_size=20))
def test_nothing_is_taken_for_another_frame(parts: list[bytes]) -> None:
    wanted = {b"\n": b"", b"0 ": b"", b"1 a": b"a", b"3 <1>": b"<1>", b"<1>b\n": b"<1>b"}
    assert Frames().feed(b"".join(parts)) == [wanted[part] for part in parts]
