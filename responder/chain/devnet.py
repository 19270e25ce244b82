"""Anvil as embedded devnet: started on a free port, waited for, stopped, never left running."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from web3 import HTTPProvider, Web3

from responder.errors import Permanent, Temporary
from responder.processes import start, stop

__all__ = ["Devnet", "find_anvil"]

_START_SECONDS = 20.0


def find_anvil() -> Path:
    """The anvil of the project's node_modules, or the one on PATH. Raises Permanent with what to
    do.
    """
    places = [Path.cwd(), *Path(__file__).resolve().parents]
    for place in places:
        candidate = place / "node_modules" / ".bin" / "anvil"
        if candidate.exists():
            return candidate.resolve()
    found = shutil.which("anvil")
    if found is None:
        raise Permanent("anvil is not installed; run `npm ci` in the project's folder")
    return Path(found)


class Devnet:
    """One anvil process. Blocks are mined per transaction, one second of chain time apart.

    `genesis` (Unix seconds) sets the first block's time, so that a recording can be replayed in its
    own time. With `state`, the chain is kept in that file between runs.
    """

    def __init__(
        self,
        log: Path,
        *,
        genesis: int | None = None,
        state: Path | None = None,
        chain_id: int = 31337,
        port: int | None = None,
    ) -> None:
        self._log, self._genesis, self._state = log, genesis, state
        self._chain_id = chain_id
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        argv = [
            str(find_anvil()),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--chain-id", str(self._chain_id), "--accounts", "1", "--silent"),
        ]
        if self._genesis is not None:
            argv += ["--timestamp", str(self._genesis)]
        if self._state is not None:
            argv += ["--state", str(self._state), "--state-interval", "5"]
        self._process = start(argv, self._log)
        self._wait_ready()
        if self._genesis is not None:
            self._rpc("anvil_setBlockTimestampInterval", [1])

    def stop(self) -> None:
        process, self._process = self._process, None
        stop(process)

    def mine_at(self, timestamp: int) -> None:
        """Mines one empty block with this time, which must lie after the last block's."""
        self._rpc("evm_setNextBlockTimestamp", [timestamp])
        self._rpc("evm_mine", [])

    def fund(self, address: str, wei: int) -> None:
        self._rpc("anvil_setBalance", [address, hex(wei)])

    def __enter__(self) -> Devnet:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise Permanent(f"anvil stopped at start; its log is {self._log}")
            with contextlib.suppress(Exception):  # any failure to answer means: not yet
                if Web3(HTTPProvider(self.url)).eth.chain_id == self._chain_id:
                    return
            time.sleep(0.02)
        self.stop()
        raise Temporary(f"anvil did not answer within {_START_SECONDS:.0f} s; see {self._log}")

    def _rpc(self, method: str, params: list[object]) -> None:
        answer = Web3(HTTPProvider(self.url)).provider.make_request(method, params)  # type: ignore[arg-type]
        if "error" in answer:
            raise Temporary(f"devnet refused {method}: {answer['error']}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
