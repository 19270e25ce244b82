"""The README's commands do what it says; `make demo` and `make test` are what CI runs."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", README, re.S)]
_UP_SECONDS = 120


def argv(line: str, folder: Path) -> list[str]:
    """A README line as it runs here: this interpreter's command, files in a folder of the test."""
    words = shlex.split(line.split(" #")[0])
    assert words[0] == ".venv/bin/countersign", line
    places = [w.replace("build/", f"{folder}/") for w in words[1:]]
    return [sys.executable, "-m", "responder", *places]


def run(line: str, folder: Path, answer: str = "") -> str:
    done = subprocess.run(
        argv(line, folder), cwd=ROOT, input=answer, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def commands(start: str) -> list[str]:
    """The lines of the block whose first line starts so."""
    return next(block for block in BLOCKS if block[0].startswith(f".venv/bin/countersign {start}"))


def test_first_lines_say_what_it_is_and_the_two_commands() -> None:
    head = "\n".join(README.splitlines()[:25])
    assert "make demo" in head and "make test" in head and "docs/demo.svg" in head
    assert "propose" in head and "sign" in head
    assert (ROOT / "docs" / "demo.svg").is_file()


def test_make_targets_exist_and_ci_runs_them() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert {line.split()[1] for block in BLOCKS for line in block if line[:4] == "make"} <= targets
    ci = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert "make demo" in ci and "make test" in ci


def test_record_and_replay(tmp_path: Path) -> None:
    record, replay = commands("simulate")
    run(record, tmp_path)
    result = json.loads(run(replay, tmp_path))
    assert result["audit"] == "ok"
    assert result["orders"] > 0


def test_evaluate(tmp_path: Path) -> None:
    assert "playbook" in run(commands("evaluate")[0], tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """`countersign up` from the README, running."""
    with (tmp_path / "up.log").open("wb") as log:
        process = subprocess.Popen(
            argv(commands("up")[0], tmp_path), cwd=ROOT, stdout=log, stderr=log
        )
        try:
            yield tmp_path
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def test_play_operator(site: Path) -> None:
    pending, *rest = commands("pending")
    waiting = _first_waiting(pending, site)
    for line in rest:
        run(line.replace("ID", waiting), site, answer="y\n")
    shown = run(f".venv/bin/countersign show {waiting} --home build/up --json", site)
    case = json.loads(shown)
    assert len(case["approvals"]) + case["status"].count("LIVE") >= 1


def _first_waiting(pending: str, site: Path) -> str:
    deadline = time.monotonic() + _UP_SECONDS
    while time.monotonic() < deadline:
        done = subprocess.run(
            [*argv(pending, site), "--json"], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        waiting = json.loads(done.stdout) if done.returncode == 0 else []
        if waiting:
            return str(waiting[0]["id"])
        time.sleep(0.5)
    pytest.fail("nothing came to wait for approval: " + (site / "up.log").read_text("utf-8"))
