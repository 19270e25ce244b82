"""Where a deployment is, and whether what stands there is what this version ships.

The gate is four parts, each of which delegates to the next what it does not know, and an
OpenZeppelin AccessManager that governs it; the manifest names each with the transaction that made
it and the hash of its code. Two things are compared: the code on the chain with that hash, and the
data of that transaction with the code that is shipped. The second also settles what a runtime code
cannot show: that nothing was in the gate's storage before its first event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_typing import HexStr
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import TransactionNotFound

from responder.chain.events import artifact
from responder.chain.sending import Call, Sender, address_of, send_all
from responder.errors import Permanent
from responder.files import write_atomically

__all__ = ["Manifest", "Part", "check", "contracts", "create"]

_MANAGER, _PARTS = "AccessManager", ("Office", "Docket", "Desk", "Gate")  # in order of creation
_CREATE_GAS = 10_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """One contract on the chain."""

    address: str  # with checksum
    tx: str  # that made it, 0x...
    code: str  # keccak256 of its code, 0x...


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a deployment is."""

    chain_id: int
    block: int  # no event is before it
    parts: Mapping[str, Part]  # by name of the contract

    @property
    def gate(self) -> str:
        return self.parts["Gate"].address

    @property
    def manager(self) -> str:
        return self.parts[_MANAGER].address

    @staticmethod
    def load(path: Path) -> Manifest:
        """Raises Permanent where the file is missing or is no manifest."""
        try:
            data = json.loads(path.read_text("utf-8"))
            parts = {name: Part(**data["parts"][name]) for name in (_MANAGER, *_PARTS)}
            for part in parts.values():
                Web3.to_checksum_address(part.address)
            return Manifest(int(data["chain_id"]), int(data["block"]), parts)
        except OSError as error:
            raise Permanent(
                f"cannot read manifest {path}: {error.strerror}; deploy first"
            ) from error
        except (ValueError, TypeError, LookupError) as error:
            raise Permanent(f"{path} is not a deployment manifest: {error}") from error

    def save(self, path: Path) -> None:
        write_atomically(path, (json.dumps(asdict(self), indent=1) + "\n").encode())


def contracts(w3: Web3, manifest: Manifest) -> dict[str, Contract]:
    """The "gate", with the functions of all its parts, and its "manager"."""
    return {
        "gate": w3.eth.contract(
            address=Web3.to_checksum_address(manifest.gate), abi=artifact("Gate")["abi"]
        ),
        "manager": w3.eth.contract(
            address=Web3.to_checksum_address(manifest.manager), abi=artifact(_MANAGER)["abi"]
        ),
    }


# ---------------------------------------------------------------- create


def create(w3: Web3, sender: Sender) -> Manifest:
    """Deploys manager and parts, `sender` the manager's admin for now: five transactions."""
    block = w3.eth.block_number
    manager = _create(w3, sender, _MANAGER, address_of(sender))
    parts = {_MANAGER: manager}
    arguments = [manager.address]
    for name in _PARTS:
        parts[name] = _create(w3, sender, name, *arguments)
        arguments = [manager.address, parts[name].address]
    return Manifest(w3.eth.chain_id, block, parts)


def _create(w3: Web3, sender: Sender, name: str, *arguments: str) -> Part:
    data = _creation(w3, name, *arguments)
    [receipt] = send_all(w3, sender, [Call(None, data.to_0x_hex(), name, _CREATE_GAS)])
    address = str(receipt["contractAddress"])
    code = w3.eth.get_code(Web3.to_checksum_address(address))
    return Part(address, Web3.to_hex(receipt["transactionHash"]), Web3.to_hex(Web3.keccak(code)))


def _creation(w3: Web3, name: str, *arguments: str) -> HexBytes:
    made = artifact(name)
    contract = w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    return HexBytes(contract.constructor(*arguments).data_in_transaction)


# ---------------------------------------------------------------- check


def check(w3: Web3, manifest: Manifest) -> None:
    """Raises Permanent unless the manifest is of this chain and its contracts are those that this
    version ships, linked as they must be.
    """
    if w3.eth.chain_id != manifest.chain_id:
        raise Permanent(
            f"the manifest is of chain {manifest.chain_id}, this is chain {w3.eth.chain_id}; "
            "give another manifest path"
        )
    # Who was its first admin is no matter: the members are read from its log.
    part, first_admin = manifest.parts[_MANAGER], Web3.to_checksum_address("0x" + "00" * 20)
    _check_part(w3, _MANAGER, part, _creation(w3, _MANAGER, first_admin)[:-32], tail=32)
    arguments = [manifest.manager]
    for name in _PARTS:
        part = manifest.parts[name]
        _check_part(w3, name, part, _creation(w3, name, *arguments))
        arguments = [manifest.manager, part.address]
    authority = contracts(w3, manifest)["gate"].functions.authority().call()
    if authority != manifest.manager:
        raise Permanent(
            f"the gate at {manifest.gate} is governed by {authority}, not by {manifest.manager}"
        )


def _check_part(w3: Web3, name: str, part: Part, creation: bytes, tail: int = 0) -> None:
    """`tail` bytes at the end of the creation are free."""
    code = w3.eth.get_code(Web3.to_checksum_address(part.address))
    if not code:
        raise Permanent(
            f"no {name} at {part.address}; was the chain reset? then remove the manifest"
        )
    if Web3.to_hex(Web3.keccak(code)) != part.code:
        raise Permanent(f"the code of {name} at {part.address} is not what the manifest says")
    tx, made = _transaction(w3, name, part)
    data = bytes(tx["input"])
    if made != part.address:
        raise Permanent(f"transaction {part.tx} did not make {name} at {part.address}")
    if data[: len(data) - tail] != creation or len(data) != len(creation) + tail:
        raise Permanent(
            f"{name} at {part.address} was made from other code than this version ships; "
            "use the version that made it, or deploy a new gate"
        )


def _transaction(w3: Web3, name: str, part: Part) -> tuple[Any, str]:
    try:
        tx = w3.eth.get_transaction(HexStr(part.tx))
        receipt = w3.eth.get_transaction_receipt(HexStr(part.tx))
    except TransactionNotFound as error:
        raise Permanent(
            f"the node does not know transaction {part.tx}, which made {name}; "
            "ask a node that keeps all transactions"
        ) from error
    return tx, str(receipt["contractAddress"])
