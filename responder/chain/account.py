"""One account that calls one contract, a transaction at a time.

Between an attack and its answer every request counts. So what the next transaction needs from the
node is asked beforehand where `prepare` is called, and what a call of the same sort needed is taken
for what it needs, with as much again to spare.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_typing import ABI, ChecksumAddress, HexStr
from eth_utils.abi import function_abi_to_4byte_selector, get_abi_input_types
from web3 import Web3
from web3.exceptions import TimeExhausted
from web3.types import Nonce, TxParams, Wei

from responder.errors import Permanent, Temporary

__all__ = ["Account"]

_RECEIPT_SECONDS = 60
_MOST_GAS = 100_000_000  # of one call; no block takes more
_MOST_FEE = 10_000 * 10**9  # wei for one gas: more asks a node that wants the account's money
_FRESH_SECONDS = 10.0  # for which fees and nonces are taken for what they were; fees bear doubling


class Account:
    """Sends calls and waits until each is mined."""

    def __init__(
        self,
        w3: Web3,
        chain_id: int,
        key: LocalAccount,
        contract: ChecksumAddress,
        abi: ABI,
    ) -> None:
        self._w3, self._chain_id, self._key, self._contract = w3, chain_id, key, contract
        self._functions = {
            entry["name"]: (function_abi_to_4byte_selector(entry), get_abi_input_types(entry))
            for entry in abi
            if entry["type"] == "function"
        }
        self._gas: dict[str, int] = {}  # sort of call -> limit
        self._fees, self._fees_at = TxParams(), float("-inf")
        self._nonce, self._nonce_at = Nonce(0), float("-inf")

    def prepare(self) -> None:
        """Asks what will not be known any more when it is needed."""
        soon = time.monotonic() - _FRESH_SECONDS / 2
        if self._fees_at < soon:
            self._ask_fees()
        if self._nonce_at < soon:
            self._ask_nonce()

    def send(self, name: str, args: Sequence[Any], sort: str = "") -> bytes:
        """One call; its transaction's hash. With a `sort`, what an earlier call of this sort needed
        is enough, and the node is not asked whether the contract would take it.

        Raises ContractLogicError where the contract refuses it, Temporary where it is not mined,
        Permanent where the node asks what it must not.
        """
        fresh = time.monotonic() - _FRESH_SECONDS
        if self._fees_at < fresh:
            self._ask_fees()
        if self._nonce_at < fresh and not self._ask_nonce():
            raise Temporary(
                f"an earlier transaction of {self._key.address} still waits to be mined"
            )
        selector, types = self._functions[name]
        asked: TxParams = {
            "from": self._key.address,
            "to": self._contract,
            "data": HexStr("0x" + (selector + encode(types, args)).hex()),
            "nonce": self._nonce,
            "chainId": self._chain_id,
            "value": Wei(0),
            **self._fees,
        }
        self._nonce_at = float("-inf")  # who knows what becomes of this one
        gas = self._gas.pop(sort, None)  # known again once it was enough
        if gas is None:
            estimate = _sane("gas", self._w3.eth.estimate_gas(asked), _MOST_GAS)
            gas = estimate + estimate // 4  # it may cost more at the time when it is mined
        signed = self._key.sign_transaction(cast(dict[str, Any], asked | {"gas": gas}))
        sent = self._w3.eth.send_raw_transaction(signed.raw_transaction)
        try:
            receipt = self._w3.eth.wait_for_transaction_receipt(
                sent, timeout=_RECEIPT_SECONDS, poll_latency=0.02
            )
        except TimeExhausted as error:
            raise Temporary(f"{name} was not mined within {_RECEIPT_SECONDS} s") from error
        self._nonce, self._nonce_at = Nonce(self._nonce + 1), time.monotonic()
        if receipt["status"] != 1:
            self._w3.eth.estimate_gas(asked | {"nonce": self._nonce})  # says why, if it still is so
            raise Temporary(f"{name} was mined but reverted; the state changed in between")
        if sort:
            self._gas[sort] = max(gas, 2 * int(receipt["gasUsed"]))
        return bytes(sent)

    def _ask_fees(self) -> None:
        """As web3 would fill them in."""
        latest = self._w3.eth.get_block("latest")
        base = _sane("base fee", latest.get("baseFeePerGas", Wei(0)), _MOST_FEE)
        tip = _sane("tip", self._w3.eth.max_priority_fee, _MOST_FEE)
        self._fees = {"maxFeePerGas": Wei(2 * base + tip), "maxPriorityFeePerGas": Wei(tip)}
        self._fees_at = time.monotonic()

    def _ask_nonce(self) -> bool:
        """False while a transaction waits: what waits is not in the ledger, and would be sent
        again.
        """
        count, address = self._w3.eth.get_transaction_count, self._key.address
        mined = count(address, "latest")
        if count(address, "pending") > mined:
            return False
        self._nonce, self._nonce_at = mined, time.monotonic()
        return True


def _sane(name: str, said: int, most: int) -> int:
    """What a node says, which may be anything. Raises Permanent."""
    if not 0 <= said <= most:
        raise Permanent(f"the node says a {name} of {said}, which cannot be; ask another node")
    return said
