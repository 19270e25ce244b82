"""Two implementations of an Ethereum node, for what must hold on any.

Both mine each transaction at once, keep time by `evm_increaseTime` and `evm_mine`, take balances by
`hardhat_setBalance`, and sign for 0xf39F...2266.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from responder.chain.devnet import Devnet
from responder.processes import start, stop

__all__ = ["NODES"]

_HARDHAT = Path(__file__).parents[2] / "node_modules" / ".bin" / "hardhat"
_CONFIG = Path(__file__).with_name("hardhat.config.js")
_START_SECONDS = 60.0


@contextmanager
def _anvil(folder: Path) -> Iterator[str]:
    with Devnet(folder / "anvil.log") as devnet:
        yield devnet.url


@contextmanager
def _hardhat(folder: Path) -> Iterator[str]:
    # An environment of its own: Hardhat writes settings and an analytics id below HOME, and asks
    # there whether it may send telemetry.
    environment = (f"PATH={os.environ['PATH']}", f"HOME={folder}")
    command = (str(_HARDHAT), "--config", str(_CONFIG), "node")
    log = folder / "hardhat.log"
    process = start(
        ["env", "-i", *environment, *command, "--hostname", "127.0.0.1", "--port", "0"], log
    )
    try:
        yield _announced_url(process, log)
    finally:
        stop(process)


def _announced_url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"JSON-RPC server at (http://127\.0\.0\.1:\d+)/", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"hardhat did not start; was `npm ci` run?\n{log.read_text()}")


# By name: starts a node that keeps its files in the given folder, and gives its RPC url.
NODES: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "anvil": _anvil,
    "hardhat": _hardhat,
}
