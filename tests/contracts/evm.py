"""An Ethereum in the test's own process (revm), and contracts on it that speak in names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyrevm
from eth_abi.abi import decode, encode
from eth_utils.abi import (
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    get_abi_input_types,
    get_abi_output_types,
)
from eth_utils.address import to_checksum_address

CHAIN_ID = 31337
GAS = 30_000_000  # of one call: what loops without end fails, and does not hang
CODE_SIZE = 1 << 17  # bytes; mutants are compiled without optimizer (what ships has a test)


_ACCOUNT = re.compile(
    r"(0x[0-9a-f]{40}): Account \{ info: AccountInfo \{ balance: (\d+).*?storage: \{(.*?)\}, status"
)
_WORD = re.compile(r"(\d+): StorageSlot \{[^}]*present_value: (\d+) \}")


class Reverted(Exception):
    """A custom error of the contract by name, with its arguments."""

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        super().__init__(name, args)
        self.name, self.values = name, args


@dataclass(frozen=True)
class Emitted:
    name: str
    args: dict[str, Any]  # in order of declaration
    types: tuple[str, ...]
    selector: bytes
    raw: bytes  # the log itself: topics and data


class Evm:
    """One chain; time stands still until `advance` is called."""

    def __init__(self, now: int, chain_id: int = CHAIN_ID) -> None:
        self.now, self.chain_id = now, chain_id
        block = pyrevm.BlockEnv(timestamp=now)
        cfg = pyrevm.CfgEnv(chain_id=chain_id, limit_contract_code_size=CODE_SIZE)
        env = pyrevm.Env(cfg=cfg, block=block)
        self._evm = pyrevm.EVM(env=env, spec_id="CANCUN")

    def advance(self, seconds: int) -> None:
        self.now += seconds
        self._evm.set_block_env(pyrevm.BlockEnv(timestamp=self.now))

    def deploy(self, artifact: Mapping[str, Any], *args: Any, sender: str) -> Contract:
        """Reverted where the constructor refuses by an error of its own."""
        constructor = [entry for entry in artifact["abi"] if entry["type"] == "constructor"]
        types = get_abi_input_types(constructor[0]) if constructor else []
        code = bytes.fromhex(artifact["bytecode"][2:]) + encode(types, args)
        try:
            address = to_checksum_address(self._evm.deploy(sender, code))
        except RuntimeError as error:
            raise _reverted(str(error), _errors(artifact["abi"])) from error
        return Contract(self, address, artifact["abi"])

    def call(
        self, sender: str, to: str, data: bytes, static: bool = False, value: int = 0
    ) -> bytes:
        answer = self._evm.message_call(
            sender, to, calldata=data, value=value, gas=GAS, is_static=static
        )
        return bytes(answer)

    def snapshot(self) -> Any:
        return self._evm.snapshot()

    def revert(self, snapshot: Any) -> None:
        """Back to it, once; the time stays."""
        self._evm.revert(snapshot)

    def balance(self, address: str) -> int:
        return int(self._evm.get_balance(address))

    def fund(self, address: str, wei: int) -> None:
        self._evm.set_balance(address, wei)

    def word(self, address: str, slot: int) -> int:
        return int(self._evm.storage(address, slot))

    def poke(self, address: str, slot: int, value: int) -> None:
        """Writes a word of storage: a state that would take too many calls to reach."""
        self._evm.insert_account_storage(address, slot, value)

    def split(self, chain_id: int) -> Evm:
        """Another chain with all that is on this one."""
        other = Evm(self.now, chain_id)
        for address, (balance, words) in self.state().items():
            info = pyrevm.AccountInfo(balance=int(balance), code=self.code(address))
            other._evm.insert_account_info(address, info)
            for slot, word in words.items():
                other.poke(address, int(slot), int(word))
        return other

    def state(self) -> dict[str, tuple[str, dict[str, str]]]:
        """By address: balance, and all words of storage that are not zero."""
        found = {}
        for entry in _ACCOUNT.finditer(self._evm.journal_str):
            words = {slot: word for slot, word in _WORD.findall(entry[3]) if word != "0"}
            if words or entry[2] != "0":
                found[entry[1]] = (entry[2], words)
        return found

    def code(self, address: str) -> bytes:
        return bytes(self._evm.get_code(address) or b"")

    @property
    def gas_used(self) -> int:
        return int(self._evm.result.gas_used)

    @property
    def logs(self) -> list[tuple[str, list[bytes], bytes]]:
        """Address in small letters, topics, data."""
        return [
            (log.address.lower(), list(log.data[0]), bytes(log.data[1]))
            for log in self._evm.result.logs
        ]


@dataclass
class Contract:
    """`events` gathers what the contract emitted since it was made."""

    evm: Evm
    address: str  # checksum
    abi: list[dict[str, Any]]
    events: list[Emitted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._functions = {e["name"]: _coded(e) for e in self.abi if e["type"] == "function"}
        self._errors = _errors(self.abi)
        self._topics = {event_abi_to_log_topic(e): e for e in self.abi if e["type"] == "event"}

    def data(self, function: str, *args: Any) -> bytes:
        selector, types, _ = self._functions[function]
        return selector + encode(types, args)

    def send(self, function: str, *args: Any, sender: str) -> Any:
        """A transaction; what it emitted is appended to `events`."""
        value = self._call(function, args, sender, static=False)
        for address, topics, data in self.evm.logs:
            if address == self.address.lower():
                self.events.append(self._decode(topics, data))
        return value

    def view(self, function: str, *args: Any) -> Any:
        return self._call(function, args, "0x" + "00" * 20, static=True)

    def _call(self, function: str, args: tuple[Any, ...], sender: str, static: bool) -> Any:
        data = self.data(function, *args)
        try:
            answer = self.evm.call(sender, self.address, data, static)
        except RuntimeError as error:
            raise _reverted(str(error), self._errors) from error
        values = decode(self._functions[function][2], answer)
        return values[0] if len(values) == 1 else values

    def _decode(self, topics: list[bytes], data: bytes) -> Emitted:
        entry = self._topics[topics[0]]
        types = get_abi_input_types(entry)
        pairs = list(zip(entry["inputs"], types, strict=True))
        indexed = iter(topics[1:])
        plain_types = [kind for field, kind in pairs if not field["indexed"]]
        values = decode(plain_types, data)
        assert encode(plain_types, values) == data, f"{entry['name']}: not as the ABI has it"
        plain = iter(values)
        args = {
            field["name"]: decode([kind], next(indexed))[0] if field["indexed"] else next(plain)
            for field, kind in pairs
        }
        return Emitted(entry["name"], args, tuple(types), topics[0], b"".join(topics) + data)


def _coded(entry: dict[str, Any]) -> tuple[bytes, list[str], list[str]]:
    """Selector, types of the arguments, types of the answer: worked out once, not at every call."""
    selector = function_abi_to_4byte_selector(entry)  # type: ignore[arg-type]
    return selector, get_abi_input_types(entry), get_abi_output_types(entry)  # type: ignore[arg-type]


def _errors(abi: list[dict[str, Any]]) -> dict[bytes, dict[str, Any]]:
    return {
        function_abi_to_4byte_selector({**entry, "type": "function"}): entry
        for entry in abi
        if entry["type"] == "error"
    }


def _reverted(text: str, errors: Mapping[bytes, dict[str, Any]]) -> Exception:
    """The contract's own error in what revm says of a call, or a plain one."""
    found = re.search(r"output: 0x([0-9a-f]*)", text)
    output = bytes.fromhex(found.group(1)) if found else b""
    entry = errors.get(output[:4])
    if entry is None:
        return RuntimeError(f"reverted without an error of the contract: {text}")
    return Reverted(entry["name"], decode(get_abi_input_types(entry), output[4:]))
