"""Alerts polled from CrowdSec come once each, the oldest first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from crowdsec_lapi import LOGIN, PASSWORD, Lapi
from intakes import Running, running, until

from responder.errors import Permanent
from responder.sensors import crowdsec_api
from responder.sensors.crowdsec_api import CrowdSec
from responder.sensors.line import MAX_LINE
from responder.sensors.receiver import Intake
from responder.sensors.spool import Spool


@pytest.fixture
def lapi() -> Iterator[Lapi]:
    with Lapi() as found:
        yield found


@contextmanager
def polling(home: Path, lapi: Lapi, password: str = PASSWORD) -> Iterator[Running]:
    file = home / "credentials.yaml"
    file.write_text(json.dumps({"url": lapi.url, "login": LOGIN, "password": password}))
    with running(home, CrowdSec("CrowdSec", lapi.url, file, poll=0.02)) as site:
        yield site


def numbers(site: Running, count: int) -> list[int]:
    return [json.loads(line)["id"] for line in site.wait_for(count)]


def polled(lapi: Lapi) -> None:
    """Two more rounds of polling, so that one of them began after the call."""
    wanted = len(lapi.queries) + 5
    until(lambda: len(lapi.queries) >= wanted)


def test_each_alert_comes_once(tmp_path: Path, lapi: Lapi) -> None:
    lapi.add(2)
    lapi.add(decided=True)
    lapi.later()
    with polling(tmp_path, lapi) as site:
        assert numbers(site, 3) == [1, 2, 3]
        lapi.add(decided=True)
        lapi.add()
        polled(lapi)
        assert site.read() == []  # another may be on its way with a lower number
        lapi.later()
        assert numbers(site, 2) == [4, 5]
        polled(lapi)
        assert site.read() == []


def test_a_restart_goes_on_where_it_was(tmp_path: Path, lapi: Lapi) -> None:
    lapi.add(3)
    lapi.later()
    with polling(tmp_path, lapi) as site:
        until(lambda: b'"id":3' in (site.spool.last_line() or b""))
    lapi.add(2)
    lapi.later()
    with polling(tmp_path, lapi) as site:
        assert numbers(site, 5) == [1, 2, 3, 4, 5]  # what was spooled, then what is new


def test_many_at_once(tmp_path: Path, lapi: Lapi) -> None:
    lapi.add(130)
    lapi.add(70, decided=True)
    lapi.later()
    with polling(tmp_path, lapi) as site:
        assert numbers(site, 200) == list(range(1, 201))
        lapi.add(60)
        lapi.later()
        assert numbers(site, 60) == list(range(201, 261))


def test_a_new_database_begins_its_numbers_again(tmp_path: Path, lapi: Lapi) -> None:
    lapi.add(5)
    lapi.later()
    with polling(tmp_path, lapi) as site:
        assert numbers(site, 5) == [1, 2, 3, 4, 5]
        lapi.alerts.clear()
        lapi.add(2)
        lapi.later()
        assert numbers(site, 2) == [1, 2]
        polled(lapi)
        assert site.read() == []


def test_a_token_that_ended_is_got_anew(tmp_path: Path, lapi: Lapi) -> None:
    with polling(tmp_path, lapi) as site:
        polled(lapi)
        lapi.tokens += 1
        lapi.add()
        lapi.later()
        assert numbers(site, 1) == [1]
        assert lapi.tokens == 3 and site.intake.trouble == ""


def test_an_alert_too_long_is_counted(tmp_path: Path, lapi: Lapi) -> None:
    lapi.add(message="x" * MAX_LINE)
    lapi.add()
    lapi.later()
    with polling(tmp_path, lapi) as site:
        assert numbers(site, 1) == [2]
        until(lambda: site.intake.oversized == 1)


def test_an_alert_nested_too_deep_to_be_written_holds_no_other_up(
    tmp_path: Path, lapi: Lapi
) -> None:
    deep: Any = None
    for _ in range(600):
        deep = [deep]
    lapi.add(events=deep)
    lapi.add()
    lapi.later()
    with polling(tmp_path, lapi) as site:
        assert numbers(site, 1) == [2]
        until(lambda: site.intake.oversized == 1)


def test_more_than_can_be_held_is_said(
    tmp_path: Path, lapi: Lapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowdsec_api, "_MAX_ANSWER", 1 << 18)
    lapi.add(300, message="x" * 2000)
    lapi.later()
    with polling(tmp_path, lapi) as site:
        assert numbers(site, 50) == list(range(251, 301))
        lapi.add()
        lapi.later()
        assert numbers(site, 1) == [301]


@pytest.mark.parametrize(
    ("password", "status", "said"),
    [
        ("Xq7!", 200, "CrowdSec refuses the machine in .*; look at `cscli machines list`"),
        (PASSWORD, 500, "CrowdSec answers 500 when asked for alerts"),
    ],
    ids=["refused", "failing"],
)
def test_what_goes_wrong_is_said_without_the_password(
    tmp_path: Path,
    lapi: Lapi,
    password: str,
    status: int,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lapi.status = status
    with polling(tmp_path, lapi, password) as site:
        until(lambda: re.search(said, site.intake.trouble))
        assert password not in site.intake.trouble + caplog.text + repr(site.intake)
        if password == PASSWORD:
            lapi.status = 200
            until(lambda: site.intake.trouble == "")


def test_who_is_not_there_is_asked_again(tmp_path: Path) -> None:
    with Lapi() as lapi:
        pass
    with polling(tmp_path, lapi) as site:
        until(lambda: site.intake.trouble == "cannot reach CrowdSec: ConnectionError")


@pytest.mark.parametrize("text", [None, "", "login: x", "[", "- password"])
def test_a_credentials_file_is_needed(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "credentials.yaml"
    if text is not None:
        file.write_text(text)
    intake = Intake(Spool(tmp_path / "spool"), CrowdSec("CrowdSec", "http://127.0.0.1:1", file))
    assert intake.read(1, 1) == []
    assert "write it with `cscli machines add`" in intake.trouble
    with pytest.raises(Permanent):
        crowdsec_api._credentials(file)


def test_a_spool_of_something_else_is_said(tmp_path: Path, lapi: Lapi) -> None:
    file = tmp_path / "credentials.yaml"
    file.write_text(json.dumps({"login": LOGIN, "password": PASSWORD}))
    spool = Spool(tmp_path / "spool.ndjson")
    spool.append([b"nonsense"])
    intake = Intake(spool, CrowdSec("CrowdSec", lapi.url, file))
    assert [line for line, _ in intake.read(10, 1000)] == [b"nonsense"]
    assert "does not end with an alert of CrowdSec; move it away" in intake.trouble
