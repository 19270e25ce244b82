"""Sends many transactions of one account without waiting for each: a deployment takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import Nonce, TxParams, TxReceipt, Wei

from responder.errors import Permanent, Temporary

__all__ = ["Call", "Sender", "address_of", "send_all"]

# An account whose key is here, or the address of one that the node signs for.
Sender = LocalAccount | str
Call = tuple[str | None, str, str]  # to (None creates a contract), data in hexadecimal, what it is

_BATCH = 32  # in flight at once; nodes bound what they queue of one account
_GAS_CREATE, _GAS_CALL = 10_000_000, 600_000  # fixed: an estimate would have to wait for the last
_RECEIPT_SECONDS = 120


def address_of(sender: Sender) -> str:
    return sender if isinstance(sender, str) else str(sender.address)


def send_all(w3: Web3, sender: Sender, calls: Sequence[Call]) -> list[TxReceipt]:
    """Sends the calls in order and waits until all are mined.

    Raises Permanent naming the first that reverted, Temporary where one is not mined in time.
    """
    receipts: list[TxReceipt] = []
    for start in range(0, len(calls), _BATCH):
        batch = calls[start : start + _BATCH]
        hashes = [_send(w3, sender, tx) for tx in _transactions(w3, sender, batch)]
        for sent, (_, _, what) in zip(hashes, batch, strict=True):
            receipts.append(_receipt(w3, sent, what))
    return receipts


def _transactions(w3: Web3, sender: Sender, calls: Sequence[Call]) -> Iterator[TxParams]:
    address = Web3.to_checksum_address(address_of(sender))
    nonce = w3.eth.get_transaction_count(address, "pending")
    base = w3.eth.get_block("latest").get("baseFeePerGas", Wei(0))
    tip, chain_id = w3.eth.max_priority_fee, w3.eth.chain_id
    for offset, (to, data, _) in enumerate(calls):
        tx = TxParams(
            {
                "from": address,
                "nonce": Nonce(nonce + offset),
                "data": HexStr(data),
                "gas": _GAS_CALL if to else _GAS_CREATE,
                "maxFeePerGas": Wei(2 * base + tip),
                "maxPriorityFeePerGas": tip,
                "chainId": chain_id,
                "value": Wei(0),
            }
        )
        if to:
            tx["to"] = Web3.to_checksum_address(to)
        yield tx


def _send(w3: Web3, sender: Sender, tx: TxParams) -> HexBytes:
    if isinstance(sender, str):
        return w3.eth.send_transaction(tx)
    signed = sender.sign_transaction(cast(dict[str, Any], tx))
    return w3.eth.send_raw_transaction(signed.raw_transaction)


def _receipt(w3: Web3, sent: HexBytes, what: str) -> TxReceipt:
    try:
        receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=_RECEIPT_SECONDS)
    except Web3Exception as error:
        raise Temporary(f"{what} ({sent.to_0x_hex()}) is not mined yet; run it again") from error
    if receipt["status"] != 1:
        raise Permanent(f"{what} was refused by the contract, transaction {sent.to_0x_hex()}")
    return receipt
