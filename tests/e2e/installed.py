"""The installed command, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("countersign")
LONGEST = 280  # seconds of waiting for one whole run before it counts as hung


@dataclass(frozen=True)
class Demo:
    """A demo that came to its end."""

    home: Path
    result: dict[str, Any]


def run(*arguments: str | Path) -> dict[str, Any]:
    """Runs the command to its end, which must be a good one; returns the JSON it printed."""
    argv = [str(COMMAND), *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def ordered(result: dict[str, Any]) -> set[tuple[str, str]]:
    """What was ordered, kind and target."""
    return {(order["kind"], order["target"]) for order in result["ordered"]}


def assert_never_twice_at_once(result: dict[str, Any]) -> None:
    """No target had two orders at the same time."""
    ends: dict[tuple[str, str], int] = {}
    for order in sorted(result["ordered"], key=lambda o: o["from"]):
        key = (order["kind"], order["target"])
        assert order["from"] >= ends.get(key, 0), f"{key} was ordered again while ordered"
        ends[key] = order["until"]


def processes(home: Path) -> list[str]:
    """Command lines of everything that runs for this home: its responder and its devnet."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            # The devnet keeps its log open there.
            opened = [os.readlink(link) for link in (entry / "fd").iterdir()]
        except OSError:
            continue
        if int(entry.name) != os.getpid() and (
            str(home).encode() in words or any(o.startswith(f"{home}/") for o in opened)
        ):
            found.append(b" ".join(words).decode("utf-8", "replace"))
    return found
