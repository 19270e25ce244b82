"""SIGKILL while files rotate and senders push: every line comes into the picture exactly once."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from founding import INVENTORY, eve_line
from intakes import TOKEN, until
from world import World

from policies.picture import Picture
from responder.settings import FeedSettings
from responder.store import Cache

EACH = 80  # lines to each feed: together under the 256 kinds that one asset shows apart
ADDRESSES = ("10.0.1.10", "10.0.2.10", "10.0.3.10")
NAMES = ("web", "desk", "db")


class Site:
    """A responder that is killed and started again, and all that is written for it to read."""

    def __init__(self, world: World) -> None:
        home = world.settings.home
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (home / "token").write_text(TOKEN)
        (home / "logs").mkdir()
        feeds = [
            {"path": "eve.json", "format": "eve"},
            {"directory": "logs", "pattern": "*", "format": "eve"},
            {
                "listen": f"http://127.0.0.1:{self.port}/",
                "token_file": "token",
                "format": "eve",
            },
        ]
        world.settings.inventory.write_bytes(
            (world.settings.keys.resolve().parent / "inventory.yaml").read_bytes()
        )
        self.settings = replace(
            world.settings,
            policy="nothing",
            feeds=tuple(FeedSettings.from_entry(feed, home, "") for feed in feeds),
        )
        self.settings.dump()
        self.home = home
        self.time = world.now
        self.sending = threading.Lock()  # no request is cut in two: its sender would repeat it
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [sys.executable, "-m", "responder", "run", "--home", str(self.home)]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self._process is not None
        with self.sending:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        assert self._process.returncode == -signal.SIGKILL, (self.home / "log").read_text()

    def beat(self) -> dict[str, Any]:
        assert self._process is not None
        cache = Cache(self.settings.database)
        beat = cache.get("heartbeat")
        cache.close()
        return beat if beat and beat["pid"] == self._process.pid else {}

    def line(self, feed: int, n: int) -> bytes:
        return eve_line(self.time, 1000 * feed + n, dst=ADDRESSES[feed])

    def saved(self) -> tuple[dict[str, Any], int, dict[str, tuple[int, set[str]]]]:
        """The last checkpoint: heartbeat, alerts in all, and alerts and kinds of each entity."""
        cache = Cache(self.settings.database)
        beat, saved = cache.get("heartbeat"), cache.get("picture")
        cache.close()
        picture = Picture.from_json(INVENTORY, saved["picture"])
        traces = zip(picture.entities(), picture._traces, strict=True)
        return beat, saved["alerts"], {e.id: (t.alerts, t.types) for e, t in traces}

    # ------------------------------------------------------------ those who write

    def write_and_rotate(self, feed: int, path: Path, pause: float) -> None:
        for n in range(1, EACH):
            if n % 10 == 9:
                for old in range(8, 0, -1):
                    if (there := path.with_name(f"{path.name}.{old}")).exists():
                        os.rename(there, path.with_name(f"{path.name}.{old + 1}"))
                os.rename(path, path.with_name(f"{path.name}.1"))
            line = self.line(feed, n)
            with path.open("ab", buffering=0) as file:
                file.write(line[: n % 40])
                file.write(line[n % 40 :])
            time.sleep(pause)

    def begin(self) -> None:
        """The first line to each feed, read before anything rotates: a feed begins with the file
        that it finds.
        """
        until(self.beat)
        (self.home / "eve.json").write_bytes(self.line(0, 0))
        (self.home / "logs" / "a").write_bytes(self.line(1, 0))
        until(lambda: self.post(self.line(2, 0)))
        until(lambda: all(feed["alerts"] for feed in self.beat()["feeds"]))

    def push(self, feed: int, pause: float) -> None:
        for n in range(1, EACH):
            while not self.post(self.line(feed, n)):
                time.sleep(0.05)
            time.sleep(pause)

    def post(self, body: bytes) -> bool:
        with self.sending:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                connection.request("POST", "/", body, {"Authorization": f"Bearer {TOKEN}"})
                return connection.getresponse().status == 200
            except ConnectionRefusedError:
                return False
            finally:
                connection.close()


@contextmanager
def written(site: Site, pause: float) -> Iterator[list[threading.Thread]]:
    threads = [
        threading.Thread(target=site.write_and_rotate, args=(0, site.home / "eve.json", pause)),
        threading.Thread(target=site.write_and_rotate, args=(1, site.home / "logs" / "a", pause)),
        threading.Thread(target=site.push, args=(2, pause / 2)),
    ]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.join()


@pytest.fixture
def running_site(world: World) -> Iterator[Site]:
    found = Site(world)
    found.start()
    yield found
    found.kill()


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_every_line_counts_once(running_site: Site, kills: int) -> None:
    site, chance = running_site, random.Random(kills)
    site.begin()
    with written(site, pause=kills * 0.03) as threads:
        for _ in range(kills):
            seen = until(site.beat)["alerts"]
            until(lambda seen=seen: site.beat()["alerts"] > seen or not threads[0].is_alive())
            time.sleep(chance.uniform(0, 0.1))
            site.kill()
            site.start()
    until(lambda: site.beat().get("alerts", 0) >= 3 * EACH)
    assert site.post(site.line(2, EACH))  # after which a second reading of others would show
    until(lambda: site.beat()["alerts"] > 3 * EACH)
    beat, alerts, traces = site.saved()
    assert [feed["malformed"] + feed["lost"] for feed in beat["feeds"]] == [0, 0, 0]
    assert alerts == 3 * EACH + 1
    for feed, name in enumerate(NAMES):
        count = EACH + (feed == 2)
        assert traces[name] == (count, {f"suricata:{1000 * feed + n}" for n in range(count)})
