"""A feed outlives its parser's defects: no line takes the others of its read with it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from policies.alerts import Alert
from responder.sensors import Feed, Tail


class Brittle:
    """A parser with defects."""

    def parse(self, line: bytes) -> Alert | None:
        if line == b"deep":
            raise RecursionError("too deep")
        if line == b"odd":
            raise KeyError("odd")
        return Alert(1.0, "test", line.decode())


def test_a_line_on_which_the_parser_fails_costs_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\ndeep\ntwo\ndeep\nodd\nthree\n")
    feed = Feed(Tail(log), Brittle())
    with caplog.at_level(logging.WARNING):
        assert [alert.type for alert in feed.read()] == ["one", "two", "three"]
    assert (feed.counters.lines, feed.counters.alerts, feed.counters.malformed) == (6, 3, 3)
    assert feed.counters.last_reason == "the parser failed with KeyError"
    kinds = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert kinds == [RecursionError, KeyError]  # each once, with its traceback
    assert len(caplog.records) == 2
