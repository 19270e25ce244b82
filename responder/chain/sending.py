"""Sends many transactions of one account without waiting for each: a deployment takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import Nonce, TxParams, TxReceipt, Wei

from responder.chain.reverts import custom_error
from responder.errors import Permanent, Temporary

__all__ = ["Call", "Sender", "address_of", "send_all"]

# An account whose key is here, or the address of one that the node signs for.
Sender = LocalAccount | str

_BATCH = 32  # in flight at once; nodes bound what they queue of one account
_RECEIPT_SECONDS = 120


class Call(NamedTuple):
    """One transaction."""

    to: str | None  # None creates a contract
    data: str  # hexadecimal
    what: str  # it is, for errors
    gas: int  # fixed: an estimate would have to wait for the call before


def address_of(sender: Sender) -> str:
    return sender if isinstance(sender, str) else str(sender.address)


def send_all(w3: Web3, sender: Sender, calls: Sequence[Call]) -> list[TxReceipt]:
    """Sends the calls in order and waits until all are mined.

    Raises Permanent naming the first that was refused, Temporary where one is not mined in time.
    """
    receipts: list[TxReceipt] = []
    for start in range(0, len(calls), _BATCH):
        batch = calls[start : start + _BATCH]
        txs = list(_transactions(w3, sender, batch))
        hashes = [_send(w3, sender, tx, call.what) for tx, call in zip(txs, batch, strict=True)]
        for sent, tx, call in zip(hashes, txs, batch, strict=True):
            receipts.append(_receipt(w3, sent, tx, call.what))
    return receipts


def _transactions(w3: Web3, sender: Sender, calls: Sequence[Call]) -> Iterator[TxParams]:
    address = Web3.to_checksum_address(address_of(sender))
    nonce = w3.eth.get_transaction_count(address, "pending")
    base = w3.eth.get_block("latest").get("baseFeePerGas", Wei(0))
    tip, chain_id = w3.eth.max_priority_fee, w3.eth.chain_id
    for offset, call in enumerate(calls):
        tx = TxParams(
            {
                "from": address,
                "nonce": Nonce(nonce + offset),
                "data": HexStr(call.data),
                "gas": call.gas,
                "maxFeePerGas": Wei(2 * base + tip),
                "maxPriorityFeePerGas": tip,
                "chainId": chain_id,
                "value": Wei(0),
            }
        )
        if call.to:
            tx["to"] = Web3.to_checksum_address(call.to)
        yield tx


def _send(w3: Web3, sender: Sender, tx: TxParams, what: str) -> HexBytes:
    try:
        if isinstance(sender, str):
            return w3.eth.send_transaction(tx)
        signed = sender.sign_transaction(cast(dict[str, Any], tx))
        return w3.eth.send_raw_transaction(signed.raw_transaction)
    except (Web3Exception, ValueError) as error:  # some nodes try a transaction first
        raise Permanent(f"{what} was refused: {_words(error)}") from error


def _receipt(w3: Web3, sent: HexBytes, tx: TxParams, what: str) -> TxReceipt:
    try:
        receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=_RECEIPT_SECONDS)
    except Web3Exception as error:
        raise Temporary(f"{what} ({sent.to_0x_hex()}) is not mined yet; run it again") from error
    if receipt["status"] != 1:
        raise Permanent(f"{what} was refused: {_why(w3, tx)}, transaction {sent.to_0x_hex()}")
    return receipt


def _why(w3: Web3, tx: TxParams) -> str:
    """What the contract says to the same call now."""
    asked = TxParams({"from": tx["from"], "data": tx["data"], "gas": tx["gas"]})
    if "to" in tx:
        asked["to"] = tx["to"]
    try:
        w3.eth.call(asked)
    except (Web3Exception, ValueError) as error:
        return _words(error)
    return "it reverted, and would not now; run it again"


def _words(error: Exception) -> str:
    """Of web3's exceptions, and of Brownie's, which hold the node's answer alone."""
    answer = getattr(error, "rpc_response", None) or {}
    told = answer.get("error") or next((a for a in error.args if isinstance(a, dict)), {})
    data = getattr(error, "data", None) or told.get("data")
    known = custom_error(data.get("data") if isinstance(data, dict) else data)
    message = told.get("message") or getattr(error, "message", None) or error
    return "".join(known) if known else str(message)
