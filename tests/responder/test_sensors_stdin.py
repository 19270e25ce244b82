"""Lines piped in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from intakes import running, until

from responder.sensors.line import MAX_LINE
from responder.sensors.stdin import Stdin


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end to write to; a test closes it."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield writing


def test_lines_come_as_they_are_piped(tmp_path: Path, pipe: int) -> None:
    with running(tmp_path, Stdin()) as site:
        os.write(pipe, b"one\ntw")
        assert site.wait_for(1) == [b"one"]
        os.write(pipe, b"o\nthree")
        assert site.wait_for(1) == [b"two"]
        assert site.intake.trouble == ""
        os.close(pipe)
        assert site.wait_for(1) == [b"three"]
        until(lambda: site.intake.trouble.startswith("standard input has ended"))


def test_a_full_spool_makes_the_writer_wait(tmp_path: Path, pipe: int) -> None:
    with running(tmp_path, Stdin(), segment=4) as site:
        for n in range(5):
            os.write(pipe, b"line %d\n" % n)
            if n < 2:
                until(lambda n=n: site.spool.last_line() == b"line %d" % n)
        until(lambda: "is full" in site.intake.trouble)
        got = site.read()
        site.intake.saved()
        assert got + site.wait_for(3) == [b"line %d" % n for n in range(5)]
        os.close(pipe)


def test_a_line_too_long_is_counted(tmp_path: Path, pipe: int) -> None:
    with running(tmp_path, Stdin()) as site:
        with os.fdopen(pipe, "wb") as file:
            file.write(b"x" * (MAX_LINE + 1) + b"\nlast\n")
        assert site.wait_for(1) == [b"last"]
        until(lambda: site.intake.oversized == 1)


def test_it_can_be_closed_while_nothing_comes(tmp_path: Path, pipe: int) -> None:
    with running(tmp_path, Stdin()) as site:
        assert site.read() == []
    os.close(pipe)
