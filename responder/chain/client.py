"""The gate over JSON-RPC: final blocks, events, and transactions whose refusals come back in words.

Every answer is treated as possibly hostile: what matters is checked again by the ledger against the
gate's hash chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError, Web3Exception

from policies.actions import Kind
from responder.chain.account import Account
from responder.chain.events import Event, artifact, decode_log
from responder.chain.manifest import Manifest
from responder.chain.merkle import Receipt
from responder.chain.proposal import Batch, Domain, Lease, Proposal, compact
from responder.chain.reverts import custom_error
from responder.errors import Permanent, Temporary

__all__ = ["Block", "GateClient", "Refused", "for_each"]

_T = TypeVar("_T")

_LOG_RANGE = 5_000  # blocks per request; public nodes refuse much more
_REQUEST_SECONDS = 10

Signature = tuple[str, bytes]  # signer, signature
Names = Sequence[Sequence[bytes]]


class Refused(Permanent):
    """The gate said no; `error` is the name of its custom error."""

    def __init__(self, call: str, error: str, detail: str) -> None:
        super().__init__(f"the gate refused {call}: {error}{detail}")
        self.error = error


@dataclass(frozen=True, slots=True)
class Block:
    """Number and time (Unix seconds)."""

    number: int
    time: int


class GateClient:
    """One gate on one chain, seen through one endpoint, with one account to send from (or none, to
    look only).
    """

    def __init__(
        self,
        rpc: str,
        manifest: Manifest,
        account: LocalAccount | None = None,
        confirmations: int = 0,
    ) -> None:
        self._rpc = rpc
        timeout = {"timeout": _REQUEST_SECONDS}
        # Cached: the chain id alone, which web3 would ask for before every call.
        self._w3 = Web3(HTTPProvider(rpc, timeout, cache_allowed_requests=True))
        address, abi = Web3.to_checksum_address(manifest.gate), artifact("Gate")["abi"]
        self._gate = self._w3.eth.contract(address=address, abi=abi)
        self._account = (
            None if account is None else Account(self._w3, manifest.chain_id, account, address, abi)
        )
        self.address = "" if account is None else str(account.address)  # whom it sends as
        self._confirmations = confirmations
        self.sent = 0  # transactions that were mined
        self.domain = Domain(manifest.chain_id, self._gate.address)
        self.first_block = manifest.block

    # ------------------------------------------------------------ reading

    def check(self) -> None:
        """Raises unless this is the manifest's chain and a gate answers at its address."""
        with _Rpc(self._rpc):
            chain_id = self._w3.eth.chain_id
            if chain_id != self.domain.chain_id:
                raise Permanent(
                    f"{self._rpc} is chain {chain_id}, the manifest says {self.domain.chain_id}"
                )
            if not self._w3.eth.get_code(self._gate.address):
                raise Permanent(
                    f"no gate at {self._gate.address} on {self._rpc}; deploy it or fix the manifest"
                )

    def head(self) -> Block:
        """The newest block."""
        with _Rpc(self._rpc):
            block = self._w3.eth.get_block("latest")
            return Block(int(block["number"]), int(block["timestamp"]))

    def final(self) -> Block:
        """The newest block that counts: `confirmations` below the head."""
        if self._confirmations == 0:
            return self.head()
        with _Rpc(self._rpc):
            number = max(0, self._w3.eth.block_number - self._confirmations)
            block = self._w3.eth.get_block(number)
            return Block(number, int(block["timestamp"]))

    def events(self, start: int, end: int) -> Iterator[Event]:
        """Events of blocks `start` to `end`, both included, in order."""
        times: dict[int, int] = {}
        for low in range(start, end + 1, _LOG_RANGE):
            with _Rpc(self._rpc):
                logs = self._w3.eth.get_logs(
                    {
                        "address": self._gate.address,
                        "fromBlock": low,
                        "toBlock": min(low + _LOG_RANGE - 1, end),
                    }
                )
                for log in logs:
                    number = int(log["blockNumber"])
                    if number not in times:
                        times[number] = int(self._w3.eth.get_block(number)["timestamp"])
            for log in sorted(logs, key=lambda entry: (entry["blockNumber"], entry["logIndex"])):
                event = decode_log(log, times[int(log["blockNumber"])])
                if event is not None:
                    yield event

    def audit_head(self, block: int) -> bytes:
        """Head of the gate's hash chain as of a block."""
        with _Rpc(self._rpc):
            head = self._gate.functions.auditHead().call(block_identifier=block)
        return bytes(head)

    def sender_of(self, tx: bytes) -> str:
        """Who sent a transaction."""
        with _Rpc(self._rpc):
            return str(self._w3.eth.get_transaction(tx)["from"])  # type: ignore[arg-type]

    def is_contract(self, account: str, block: int) -> bool:
        """Whether an account had code as of a block."""
        address = Web3.to_checksum_address(account)
        with _Rpc(self._rpc):
            return bool(self._w3.eth.get_code(address, block_identifier=block))

    def model_of(self, model: bytes) -> tuple[bool, bytes, int, list[str]]:
        """Whether it is active, its card's hash, its revision, and who activated it last."""
        with _Rpc(self._rpc):
            active, card, revision, approvers = self._gate.functions.modelOf(model).call()
            return bool(active), bytes(card), int(revision), [str(a) for a in approvers]

    def is_valid_signature(self, signer: str, digest: bytes, signature: bytes, block: int) -> bool:
        """ERC-1271, for operators that are contracts: their answer as of a block."""
        abi = [
            {
                "type": "function",
                "name": "isValidSignature",
                "stateMutability": "view",
                "inputs": [{"type": "bytes32", "name": ""}, {"type": "bytes", "name": ""}],
                "outputs": [{"type": "bytes4", "name": ""}],
            }
        ]
        wallet = self._w3.eth.contract(address=Web3.to_checksum_address(signer), abi=abi)
        try:
            with _Rpc(self._rpc):
                answer = wallet.functions.isValidSignature(digest, signature).call(
                    block_identifier=block
                )
        except Permanent:
            return False
        return bytes(answer) == bytes.fromhex("1626ba7e")

    # ------------------------------------------------------------ writing: proposals and batches

    def propose(self, proposal: Proposal) -> bytes:
        return self._send("propose", proposal.abi(), sort=f"propose {proposal.kind.name}")

    def propose_approved(self, proposal: Proposal, signatures: Sequence[bytes]) -> bytes:
        """Proposed, approved and executed at once: signatures of 65 bytes, of operators' keys."""
        return self._send("proposeApproved", proposal.abi(), [compact(s) for s in signatures])

    def approve(self, proposal: Proposal) -> bytes:
        return self._send("approve", proposal.abi())

    def reject(self, proposal: Proposal) -> bytes:
        return self._send("reject", proposal.abi())

    def withdraw(self, proposal: Proposal) -> bytes:
        return self._send("withdraw", proposal.abi())

    def approve_by_sig(self, proposal: Proposal, signatures: Sequence[Signature]) -> bytes:
        return self._send("approveBySig", proposal.abi(), list(signatures))

    def reject_by_sig(self, proposal: Proposal, signatures: Sequence[Signature]) -> bytes:
        return self._send("rejectBySig", proposal.abi(), list(signatures))

    def execute(self, proposal: Proposal) -> bytes:
        return self._send("execute", proposal.abi())

    def release(self, proposal: Proposal, signatures: Sequence[Signature]) -> bytes:
        return self._send("release", proposal.abi(), list(signatures))

    def veto(self, proposal: Proposal) -> bytes:
        return self._send("veto", proposal.abi())

    def order_batch(self, batch: Batch, names: Names, signatures: Sequence[bytes]) -> bytes:
        """All live at once: `names` are the `page_words` of each page of assets."""
        compacted = [compact(s) for s in signatures]
        return self._send("orderBatch", batch.abi(), list(names), compacted)

    def withdraw_batch(self, batch: Batch) -> bytes:
        return self._send("withdrawBatch", batch.abi())

    def veto_batch(self, batch: Batch) -> bytes:
        return self._send("vetoBatch", batch.abi())

    def release_batch(self, batch: Batch, names: Names, signatures: Sequence[Signature]) -> bytes:
        return self._send("releaseBatch", batch.abi(), list(names), list(signatures))

    def settle(self, kind: Kind, targets: Sequence[bytes]) -> bytes:
        """These orders ended and count no more."""
        return self._send("settle", int(kind), list(targets))

    def settle_pages(self, zone: bytes, criticality: int, pages: Sequence[int]) -> bytes:
        return self._send("settlePages", zone, criticality, list(pages))

    def seal_page(self, zone: bytes, criticality: int, page: int, keys: Sequence[bytes]) -> bytes:
        """Makes the names of a page known to batches: keys of all its assets, by place."""
        return self._send("sealPage", zone, criticality, page, list(keys))

    # ------------------------------------------------------------ writing: leases, models, stopping

    def grant_lease(self, lease: Lease, signatures: Sequence[Signature]) -> bytes:
        return self._send("grantLease", lease.abi(), list(signatures))

    def end_lease(self, agent: str) -> bytes:
        return self._send("endLease", agent)

    def activate_model(
        self,
        model: bytes,
        card: bytes,
        revision: int,
        deadline: int,
        signatures: Sequence[Signature],
    ) -> bytes:
        args = (model, card, revision, deadline, list(signatures))
        return self._send("activateModel", *args)

    def deactivate_model(self, model: bytes) -> bytes:
        return self._send("deactivateModel", model)

    def pause(self) -> bytes:
        return self._send("pause")

    def resume(self, signatures: Sequence[Signature]) -> bytes:
        return self._send("resume", list(signatures))

    # ------------------------------------------------------------ writing: receipts

    def file_receipt(
        self, kind: Kind, target: bytes, order: bytes, outcome: int, digest: bytes
    ) -> bytes:
        """`order`: the first 20 bytes of the id of a proposal, or of a batch without pages."""
        return self._send("fileReceipt", int(kind), target, order, outcome, digest)

    def file_page_receipt(self, batch: Batch, page: int, outcome: int, digest: bytes) -> bytes:
        """`page`: index into the batch's targets."""
        return self._send("filePageReceipt", batch.abi(), page, outcome, digest)

    def file_receipts(self, root: bytes, count: int) -> bytes:
        return self._send("fileReceipts", root, count)

    def show_receipt(
        self, kind: Kind, receipt: Receipt, root: bytes, proof: Sequence[bytes]
    ) -> bytes:
        return self._send("showReceipt", int(kind), tuple(receipt), root, list(proof))

    def show_page_receipt(
        self, batch: Batch, receipt: Receipt, root: bytes, proof: Sequence[bytes]
    ) -> bytes:
        return self._send("showPageReceipt", batch.abi(), tuple(receipt), root, list(proof))

    def report_missing(self, proposal: Proposal) -> bytes:
        return self._send("reportMissing", proposal.abi())

    def report_missing_batch(self, batch: Batch, target: int) -> bytes:
        """`target`: index into the batch's targets."""
        return self._send("reportMissingBatch", batch.abi(), target)

    def prepare(self) -> None:
        """Asks beforehand what the next transaction needs, so that it need not wait for it."""
        if self._account is not None:
            with _Rpc(self._rpc):
                self._account.prepare()

    def _send(self, name: str, *args: Any, sort: str = "") -> bytes:
        """Sends one call and waits until it is mined. Raises Refused with the gate's reason."""
        if self._account is None:
            raise Permanent(f"no key to send {name} with; give a keystore")
        with _Rpc(self._rpc):
            try:
                sent = self._account.send(name, args, sort)
            except ContractLogicError as error:
                raise _refused(name, error) from error
        self.sent += 1
        return sent


class _Rpc:
    """Turns what the transport raises into Temporary, what the node refuses into Permanent."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, requests.RequestException | ConnectionError | TimeoutError):
            raise Temporary(
                f"cannot reach the chain at {self._url}; is the node running?"
            ) from error
        if isinstance(error, Web3Exception | ValueError | LookupError | TypeError | AttributeError):
            raise Permanent(f"the node at {self._url} answered with an error: {error}") from error


def for_each(items: Iterable[_T], work: Callable[[_T], object]) -> None:
    """Does the work for every item, though the gate refuses some; the first refusal is raised."""
    first: Refused | None = None
    for item in items:
        try:
            work(item)
        except Refused as error:
            first = first or error
    if first is not None:
        raise first


def _refused(call: str, error: ContractLogicError) -> Refused:
    named = custom_error(error.data)
    if named is None:
        return Refused(call, "revert", f" {error.message or ''}".rstrip())
    return Refused(call, *named)
