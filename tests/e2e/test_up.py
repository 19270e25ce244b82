"""`countersign up`: the same services, with people as the operators."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from installed import COMMAND, LONGEST, processes


def call(home: Path, *arguments: str) -> str:
    argv = [str(COMMAND), *arguments, "--home", str(home)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cases(home: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call(home, "pending", "--all", "--json"))
    return found


def until(service: subprocess.Popen[str], true: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        assert service.poll() is None
        value = true()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError("it never came so far")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [str(COMMAND), "up", "--home", str(tmp_path / "site"), "--speed", "600"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process
        process.kill()


def test_two_operators_approve_an_order_appears_and_ctrl_c_ends_it_all(
    service: subprocess.Popen[str], tmp_path: Path
) -> None:
    home = tmp_path / "site"
    until(service, (home / "responder.pid").exists)
    waiting = until(service, lambda: [c for c in cases(home) if c["status"] == "PENDING"])[0]
    for operator in ("operator-1", "operator-2"):
        said = call(home, "approve", waiting["id"], "--as", operator, "--yes")
        assert "Signed" in said
    live = until(
        service, lambda: [c for c in cases(home) if c["id"] == waiting["id"] and c["receipts"]]
    )[0]
    assert live["status"] == "LIVE"
    assert live["receipts"] == ["APPLIED"]
    assert len(live["approvals"]) == 2
    assert "order until" in call(home, "show", waiting["id"])
    assert json.loads(call(home, "audit", "verify", "--json"))["audit"] == "ok"
    service.send_signal(signal.SIGINT)
    output, _ = service.communicate(timeout=LONGEST)
    assert service.returncode == 0
    assert "Stopped." in output
    assert "Traceback" not in output
    assert processes(home) == []
