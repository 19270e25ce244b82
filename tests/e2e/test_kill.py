"""SIGKILL at any moment, and the demo ends in the same state."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from installed import COMMAND, LONGEST, Demo, assert_never_twice_at_once, ordered, processes

from responder.errors import CountersignError
from responder.store import Cache

KILLS = 4


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_in_the_same_state(
    demo: Demo, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    home = tmp_path / "site"
    moments = sorted(chance.uniform(0.02, 0.95) * demo.result["alerts"] for _ in range(KILLS))
    argv = [str(COMMAND), "demo", "--json", "--home", str(home)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        killed: list[int] = []
        for moment in moments:
            killed.append(_kill_at(home, moment, chance, process, killed))
        output, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 0
    result = json.loads(output)
    assert len(set(killed)) == KILLS  # each time another process died
    assert result["audit"] == "ok"
    assert ordered(result) == ordered(demo.result)
    assert_never_twice_at_once(result)
    assert processes(home) == []


def _kill_at(
    home: Path,
    alerts: float,
    chance: random.Random,
    demo: subprocess.Popen[str],
    killed: list[int],
) -> int:
    """Kills the responder once it has read so many alerts, a moment of chance later."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline and demo.poll() is None:
        time.sleep(0.01)
        beat = _heartbeat(home)
        if beat is not None and beat["alerts"] >= alerts:
            time.sleep(chance.uniform(0, 0.1))
            pid = int((home / "responder.pid").read_text("ascii"))
            if pid != beat["pid"] or pid in killed:
                continue  # the last one is still coming back
            os.kill(pid, signal.SIGKILL)
            return pid
    raise AssertionError("the demo never came so far")


def _heartbeat(home: Path) -> dict[str, float] | None:
    if not (home / "responder.pid").exists():
        return None
    try:
        cache = Cache(home / "cache.sqlite")
        beat: dict[str, float] | None = cache.get("heartbeat")
        cache.close()
    except CountersignError:
        return None
    return beat


def test_when_the_demo_itself_is_killed_nothing_is_left_running(tmp_path: Path) -> None:
    home = tmp_path / "site"
    argv = [str(COMMAND), "demo", "--json", "--home", str(home)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + LONGEST
        while _heartbeat(home) is None and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        assert len(processes(home)) >= 2  # the devnet and the responder
        process.kill()
    while processes(home) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes(home) == []
