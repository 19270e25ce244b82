"""Write down every transaction of the contract tests for Replay.t.sol to do again.

    python tests/proofs/recorder.py FILE

`forge coverage` sees what Solidity tests do; so the Python tests become one, step by step.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, ClassVar

import pytest
from eth_abi.abi import encode
from eth_utils.abi import get_abi_input_types

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "contracts")]

import evm  # noqa: E402
from build_artifacts import SHIPPED  # noqa: E402

from responder.chain.events import artifact  # noqa: E402

STEP = "(uint8,uint256,uint256,address,address,uint256,string,bytes,bool,bytes)"  # as in Replay
NOBODY = "0x" + "00" * 20
LEFT_OUT = "not slow"
NOT_RUN = (  # which look at what ships, or go where chance takes them
    "test_artifacts.py",
    "test_gas.py",
    "test_gate_machine.py",
    "test_guardrails_mirror.py",
)


class Kind(IntEnum):
    """As in Replay."""

    CREATE = 0
    CALL = 1
    ASK = 2
    STORE = 3
    FUND = 4
    SNAPSHOT = 5
    REVERT = 6


class Recorded(evm.Evm):
    """Keeps what was done in it, and what came of it."""

    made: ClassVar[list[Recorded]] = []  # every one there is
    names: ClassVar[dict[str, str]] = {
        artifact(name)["bytecode"]: f"{Path(path).name}:{name}" for name, path in SHIPPED.items()
    }

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.steps: list[bytes] = []
        self._snapshots: list[Any] = []
        Recorded.made.append(self)

    def deploy(self, artifact: Mapping[str, Any], *args: Any, sender: str) -> evm.Contract:
        nonce = self._evm.basic(sender).nonce
        constructor = [entry for entry in artifact["abi"] if entry["type"] == "constructor"]
        data = encode(get_abi_input_types(constructor[0]) if constructor else [], args)
        name = self.names.get(artifact["bytecode"], "")
        if not name:
            data = bytes.fromhex(artifact["bytecode"][2:]) + data
        at = NOBODY
        try:
            contract = super().deploy(artifact, *args, sender=sender)
            at = contract.address
        finally:
            self._add(Kind.CREATE, sender, at, nonce, data, name=name)
        return contract

    def call(
        self, sender: str, to: str, data: bytes, static: bool = False, value: int = 0
    ) -> bytes:
        kind = Kind.ASK if static else Kind.CALL
        try:
            answer = super().call(sender, to, data, static, value)
        except RuntimeError as error:
            told = re.search(r"output: 0x([0-9a-f]*)", str(error))
            output = bytes.fromhex(told.group(1)) if told else b""
            self._add(kind, sender, to, value, data, succeeds=False, answer=output)
            raise
        self._add(kind, sender, to, value, data, answer=answer)
        return answer

    def snapshot(self) -> Any:
        self._add(Kind.SNAPSHOT, number=len(self._snapshots))
        self._snapshots.append(super().snapshot())
        return self._snapshots[-1]

    def revert(self, snapshot: Any) -> None:
        super().revert(snapshot)
        self._add(Kind.REVERT, number=self._snapshots.index(snapshot))

    def fund(self, address: str, wei: int) -> None:
        super().fund(address, wei)
        self._add(Kind.FUND, to=address, number=wei)

    def poke(self, address: str, slot: int, value: int) -> None:
        super().poke(address, slot, value)
        self._add(Kind.STORE, to=address, number=slot, data=value.to_bytes(32))

    def split(self, chain_id: int) -> evm.Evm:
        """The other chain is left out: what it starts with took no transactions."""
        other = super().split(chain_id)
        Recorded.made.remove(other)  # type: ignore[arg-type]
        return other

    def _add(
        self,
        kind: Kind,
        sender: str = NOBODY,
        to: str = NOBODY,
        number: int = 0,
        data: bytes = b"",
        name: str = "",
        succeeds: bool = True,
        answer: bytes = b"",
    ) -> None:
        step = (kind, self.now, self.chain_id, sender, to, number, name, data, succeeds, answer)
        self.steps.append(encode([STEP], [step]))


def main() -> int:
    evm.Evm = Recorded  # type: ignore[misc]  # before the tests take it from there
    tests = sorted((ROOT / "tests" / "contracts").glob("test_*.py"))
    files = [str(path) for path in tests if path.name not in NOT_RUN]
    status = pytest.main(["-q", "-m", LEFT_OUT, *sys.argv[2:], *files])
    chains = ["\n".join(step.hex() for step in made.steps) for made in Recorded.made]
    Path(sys.argv[1]).write_text("\n\n".join(chains) + "\n")  # an empty line between two chains
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
