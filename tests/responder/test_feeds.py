"""What `feeds` in the settings may say, and that one feed's trouble is no other's."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from founding import eve_line
from intakes import TOKEN
from world import Wants, World

from policies.actions import Kind
from policies.picture import Entity
from responder.commands.feeds import feeds
from responder.errors import Permanent
from responder.feeds import FeedSettings
from responder.sensors.sources import open_feed
from responder.settings import Settings
from responder.store import Cache

GOOD: list[dict[str, Any]] = [
    {"format": "eve", "path": "/var/log/suricata/eve.json"},
    {"format": "wazuh", "path": "alerts.json"},
    {"format": "eve", "directory": "logs", "pattern": "eve-*.json"},
    {"format": "eve", "stdin": True},
    {"format": "eve", "listen": "http://127.0.0.1:8514/alerts", "token_file": "token"},
    {"format": "eve", "listen": "http://[::1]:8514/", "token_file": "/run/token"},
    {
        "format": "eve",
        "listen": "http://0.0.0.0:8514/",
        "token_file": "token",
        "beyond_loopback": True,
    },
    {"format": "eve", "listen": "syslog+udp://127.0.0.1:5514"},
    {"format": "eve", "listen": "syslog+tcp://192.0.2.7:5514", "beyond_loopback": True},
    {"format": "eve", "crowdsec": "http://localhost:8080", "credentials_file": "machine.yaml"},
    {"format": "eve", "crowdsec": "https://lapi.example", "credentials_file": "machine.yaml"},
]

HTTP = {"format": "eve", "listen": "http://127.0.0.1:8514/", "token_file": "token"}
LAPI = {"format": "eve", "crowdsec": "http://127.0.0.1:8080", "credentials_file": "machine.yaml"}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"format": "eve"}, "exactly one of"),
    ({"format": "eve", "path": "a", "stdin": True}, "exactly one of"),
    ({"format": 5, "path": "a"}, "format: expected str, got int"),
    ({"format": "csv", "path": "a"}, "unknown alert format 'csv'; known are eve"),
    (
        {"format": "eve", "path": "a", "pattern": "*"},
        r"`path` takes \['format', 'tactics', 'zone'\], not",
    ),
    ({"format": "eve", "path": "eve.json.1.gz"}, "use `countersign replay` for a recorded one"),
    ({"format": "eve", "path": "/var/log/a.xz"}, "a.xz is compressed, but a feed follows"),
    ({"format": "eve", "directory": "a"}, "needs a `pattern` of file names"),
    ({"format": "eve", "directory": "a", "pattern": "b/*"}, "needs a `pattern` of file names"),
    ({"format": "eve", "stdin": False}, "`stdin` is true or left out"),
    ({**HTTP, "token": "x"}, r"not \['token'\]"),
    ({"format": "eve", "listen": "http://127.0.0.1:8514/"}, "needs a `token_file`"),
    ({**HTTP, "listen": "http://0.0.0.0:8514/"}, "say `beyond_loopback: true` if that is meant"),
    ({**HTTP, "listen": "http://[::]:8514/"}, "can be reached from other hosts"),
    ({**HTTP, "listen": "http://localhost:8514/"}, "takes an address, not a name"),
    ({**HTTP, "listen": "http://127.0.0.1/"}, "says no port"),
    ({**HTTP, "listen": "http://127.0.0.1:x/"}, "no URL with an address and a port"),
    ({**HTTP, "listen": "http://me:secret@127.0.0.1:8514/"}, "a URL holds no secrets here"),
    ({**HTTP, "listen": "https://127.0.0.1:8514/"}, "is none of .'http://ADDRESS:PORT'"),
    ({**HTTP, "listen": "syslog+udp://127.0.0.1:5514"}, "syslog knows no token"),
    ({**HTTP, "beyond_loopback": "yes"}, "`beyond_loopback` is true or false"),
    ({"format": "eve", "crowdsec": "http://127.0.0.1:8080"}, "as `cscli machines add` writes it"),
    ({**LAPI, "crowdsec": "http://192.0.2.7:8080"}, "would send the credentials in the clear"),
    ({**LAPI, "crowdsec": 8080}, "crowdsec: expected str, got int"),
]


@pytest.mark.parametrize("entry", GOOD, ids=str)
def test_what_is_written_is_read_back(tmp_path: Path, entry: dict[str, Any]) -> None:
    feed = FeedSettings.from_entry(entry, tmp_path, "")
    assert feed.to_entry(tmp_path) == entry
    assert FeedSettings.from_entry(feed.to_entry(tmp_path), tmp_path, "") == feed


def test_each_has_a_key_and_a_spool_of_its_own(tmp_path: Path) -> None:
    feeds = [FeedSettings.from_entry(entry, tmp_path, "") for entry in GOOD]
    assert len({feed.key for feed in feeds}) == len({feed.path for feed in feeds}) == len(GOOD)


def test_a_mapping_file_is_a_format(tmp_path: Path) -> None:
    feed = FeedSettings.from_entry({"format": "falco.yaml", "path": "a"}, tmp_path, "")
    assert feed.format == str(tmp_path / "falco.yaml")


@pytest.mark.parametrize(("entry", "said"), BAD, ids=str)
def test_a_bad_entry_is_named(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    with pytest.raises(Permanent, match=said) as error:
        FeedSettings.from_entry(entry, tmp_path, "settings: feeds")
    assert str(error.value).startswith("settings: feeds: ") and "secret@" not in str(error.value)


def test_one_source_is_no_two_feeds(tmp_path: Path) -> None:
    data = {"rpc": "http://x", "manifest": "m", "inventory": "i"}
    for pair in ([HTTP, {**HTTP, "format": "wazuh"}], [GOOD[0], GOOD[0]]):
        with pytest.raises(Permanent, match="is there twice"):
            Settings.from_mapping({**data, "feeds": pair}, tmp_path)
    both = [GOOD[0], {**GOOD[0], "format": "wazuh"}]
    assert len(Settings.from_mapping({**data, "feeds": both}, tmp_path).feeds) == 2


def test_the_secret_is_not_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    feed = FeedSettings.from_entry({**HTTP, "listen": "http://127.0.0.1:0/"}, tmp_path, "")
    opened = open_feed(feed)
    opened.read()
    assert TOKEN not in repr(feed) + repr(opened) + json.dumps(opened.to_json(0.0))
    opened.close()


# ---------------------------------------------------------------- in the loop


def with_feeds(world: World, *entries: dict[str, Any]) -> World:
    home = world.settings.home
    feeds = tuple(FeedSettings.from_entry(entry, home, "") for entry in entries)
    return replace(world, settings=replace(world.settings, feeds=feeds))


def heartbeat(world: World) -> dict[str, Any]:
    cache = Cache(world.settings.database)
    beat: dict[str, Any] = cache.get("heartbeat")
    cache.close()
    return beat


def write(world: World, name: str, *lines: bytes) -> Path:
    path = world.settings.home / name
    with path.open("ab") as file:
        file.writelines(lines)
    return path


def test_a_feed_that_cannot_be_read_holds_no_other_up(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (world.settings.home / "folder").mkdir()
    world = with_feeds(
        world, {"format": "eve", "path": "folder"}, {"format": "eve", "path": "good.json"}
    )
    write(world, "good.json", *(eve_line(world.now, n) for n in range(9)))
    responder = world.responder(Wants("web"))
    responder.tick()
    responder.tick()
    assert world.targets() == ["web"]
    [(name, complaint)] = heartbeat(world)["complaints"].items()
    assert name == f"feed {world.settings.home}/folder" and "not a regular file" in complaint
    said = [r for r in caplog.records if "regular file" in r.message and r.levelno > logging.INFO]
    assert len(said) == 1  # once, not every tick
    responder.close()


def test_the_heartbeat_tells_of_each_feed(world: World) -> None:
    world = with_feeds(
        world, {"format": "eve", "path": "a.json"}, {"format": "eve", "path": "b.json"}
    )
    flow = b'{"event_type":"flow"}\n'
    write(world, "a.json", eve_line(world.now), flow, flow, b"nonsense\n")
    responder = world.responder(Wants())
    responder.tick()
    world.wait(50)
    responder.tick()
    a, b = heartbeat(world)["feeds"]
    assert a["name"] == str(world.settings.home / "a.json")
    assert [a[key] for key in ("lines", "alerts", "ignored", "malformed")] == [4, 1, 2, 1]
    assert (a["oversized"], a["lost"], a["last_reason"]) == (0, 0, "not JSON")
    assert a["silent_for"] == 50 and a["last_line"] == world.now - 50
    assert (b["lines"], b["last_line"], b["silent_for"]) == (0, None, None)
    again = world.responder(Wants())
    again.tick()
    assert heartbeat(world)["feeds"][0]["silent_for"] == 50  # also after a restart


def observed(world: World) -> tuple[int, float]:
    responder = world.responder(Wants())
    responder.tick()
    entity = Entity(Kind.ISOLATE, "web")
    return heartbeat(world)["alerts"], responder.picture.evidence(entity).total


def test_a_new_feed_starts_no_other_anew(world: World) -> None:
    one = {"format": "eve", "path": "a.json"}
    write(world, "a.json", eve_line(world.now, 1))
    write(world, "b.json", eve_line(world.now, 2))
    assert observed(with_feeds(world, one))[0] == 1
    both = with_feeds(world, {"format": "eve", "path": "b.json"}, one)
    assert observed(both)[0] == 2
    assert observed(with_feeds(world))[0] == 2
    assert observed(both)[0] == 2  # its place was kept meanwhile


def test_lines_that_are_no_alerts_are_not_read_again(world: World) -> None:
    world = with_feeds(world, {"format": "eve", "path": "a.json"})
    write(world, "a.json", b'{"event_type":"flow"}\n' * 5)
    for lines in (5, 0):
        responder = world.responder(Wants())
        responder.tick()
        assert heartbeat(world)["feeds"][0]["lines"] == lines


def test_a_file_that_does_not_exist_is_a_note_until_it_is_there(world: World) -> None:
    world = with_feeds(world, {"format": "eve", "path": "a.jsno"})
    responder = world.responder(Wants())
    responder.tick()
    [complaint] = heartbeat(world)["complaints"].values()
    assert "a.jsno does not exist yet; check `path` in settings.yaml" in complaint
    write(world, "a.jsno", eve_line(world.now))
    responder.tick()
    assert heartbeat(world)["complaints"] == {} and heartbeat(world)["alerts"] == 1


def test_a_checkpoint_that_failed_is_made_up_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else positions could be kept without the picture of what was before them."""
    world = with_feeds(world, {"format": "eve", "path": "a.json"})
    responder = world.responder(Wants())
    write(world, "a.json", eve_line(world.now, 1))

    def fails(self: Cache, documents: object) -> None:
        raise Permanent("no room")

    with monkeypatch.context() as patched:
        patched.setattr(Cache, "put", fails)
        responder.tick()
    responder.tick()
    alerts, total = observed(world)
    assert alerts == 1 and total > 0


def test_a_full_disk_under_the_spool_is_said(world: World) -> None:
    home = world.settings.home
    (home / "spool").write_bytes(b"")  # no folder can be made here
    (home / "token").write_text(TOKEN)
    world = with_feeds(world, {**HTTP, "listen": "http://127.0.0.1:0/"})
    responder = world.responder(Wants())
    responder.tick()
    [complaint] = heartbeat(world)["complaints"].values()
    assert "cannot" in complaint and str(home / "spool") in complaint
    os.unlink(home / "spool")
    responder.tick()
    assert heartbeat(world)["complaints"] == {}
    responder.close()


# ---------------------------------------------------------------- for people


def shown(world: World, *options: str) -> str:
    world.settings.dump()
    done = CliRunner().invoke(feeds, ["--home", str(world.settings.home), *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_feeds_are_shown(world: World) -> None:
    world = with_feeds(
        world, {"format": "eve", "path": "a.json"}, {"format": "eve", "path": "keys"}
    )
    assert "start it with `countersign run`" in shown(world)
    write(world, "a.json", eve_line(world.now), b"nonsense\n")
    world.responder(Wants()).tick()
    a, keys = json.loads(shown(world, "--json"))["feeds"]
    assert (a["alerts"], a["malformed"], a["last_reason"], a["complaint"]) == (1, 1, "not JSON", "")
    assert "not a regular file" in keys["complaint"] and keys["silent_for"] is None
    assert "alerts" in shown(world)


def test_a_feed_may_have_rules_and_a_zone_of_its_own(tmp_path: Path) -> None:
    rules = "rules:\n  - {title: odd login, tactic: lateral movement, source: ours}\n"
    (tmp_path / "ours.yaml").write_text(rules, "utf-8")
    (tmp_path / "auth.log").write_text(
        "Jan  5 12:00:00 web sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n"
    )
    entry = {"format": "auth", "path": "auth.log", "tactics": "ours.yaml", "zone": "Asia/Tokyo"}
    settings = FeedSettings.from_entry(entry, tmp_path, "feeds")
    assert settings.to_entry(tmp_path) == entry
    [alert] = open_feed(settings).read()
    assert time.gmtime(alert.time).tm_hour == 3
    with pytest.raises(Permanent, match="zone"):
        open_feed(replace(settings, zone="Mars/Base"))
