"""A proposal's identity and what a wallet signs of it: the mirror of the gate's hashing."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any, Literal

from eth_abi.abi import encode
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.constants import SECPK1_N
from eth_keys.datatypes import Signature
from eth_utils.crypto import keccak

from policies.actions import Kind, network_key

__all__ = [
    "BATCH_TYPE",
    "GROUP",
    "LEASE_TYPE",
    "PAGE",
    "PROPOSAL_TYPE",
    "Batch",
    "Domain",
    "Lease",
    "Proposal",
    "Words",
    "batch_message",
    "compact",
    "decision_message",
    "lease_message",
    "message_digest",
    "model_message",
    "name_key",
    "network_text",
    "page_groups",
    "page_words",
    "resume_message",
    "signer_of",
    "target_key",
]

PROPOSAL_TYPE = "(uint8,bytes32,uint32,bytes32,bytes32,uint64,address,uint256)"
BATCH_TYPE = "(uint8,bytes32,uint8,uint256[],uint32,bytes32,bytes32,uint64,address,uint256)"
LEASE_TYPE = "(address,bytes32,uint32,uint32,uint32,uint8,uint32,uint64,uint256)"

PAGE = 128  # places of a page of assets
GROUP = 8  # of them, whose names are hashed together

Decision = Literal["Approval", "Rejection", "Release"]
BatchDecision = Literal["BatchApproval", "BatchRelease"]


def name_key(name: str) -> bytes:
    """Key of an asset, credential or zone on the chain; also how EIP-712 encodes the string."""
    return bytes(keccak(text=name))


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one gate on one chain."""

    chain_id: int
    gate: str  # checksum address

    def eip712(self) -> dict[str, Any]:
        return {
            "name": "Countersign",
            "version": "1",
            "chainId": self.chain_id,
            "verifyingContract": self.gate,
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """IGate.Proposal, field by field."""

    kind: Kind
    target: bytes  # 32 bytes: key of an asset or credential, or a packed network
    ttl: int  # seconds
    model: bytes
    evidence: bytes
    deadline: int  # Unix seconds
    agent: str  # checksum address
    nonce: int

    def abi(self) -> tuple[Any, ...]:
        """The tuple that web3 and eth_abi take."""
        return (int(self.kind), *astuple(self)[1:])

    def id(self, domain: Domain) -> bytes:
        """keccak256(abi.encode(chain id, gate, proposal))."""
        types = ["uint256", "address", PROPOSAL_TYPE]
        return bytes(keccak(encode(types, [domain.chain_id, domain.gate, self.abi()])))


@dataclass(frozen=True, slots=True)
class Batch:
    """IGate.Batch, field by field: many actions of one kind and criticality."""

    kind: Kind
    zone: bytes  # ISOLATE: key of the zone of all; else 32 zero bytes
    criticality: int
    targets: tuple[int, ...]  # networks, keys, or pages of assets: number << 32 | bits; ascending
    ttl: int  # seconds
    model: bytes
    evidence: bytes
    deadline: int  # Unix seconds
    agent: str  # checksum address
    nonce: int

    def abi(self) -> tuple[Any, ...]:
        """The tuple that web3 and eth_abi take."""
        return (int(self.kind), *astuple(self)[1:])

    def id(self, domain: Domain) -> bytes:
        """keccak256(abi.encode(chain id, gate, batch))."""
        types = ["uint256", "address", BATCH_TYPE]
        return bytes(keccak(encode(types, [domain.chain_id, domain.gate, self.abi()])))


@dataclass(frozen=True, slots=True)
class Lease:
    """IGate.Lease, field by field."""

    agent: str
    model: bytes
    blocks: int
    isolations: int
    revocations: int
    max_criticality: int
    max_ttl: int  # seconds
    expires: int  # Unix seconds
    nonce: int

    def abi(self) -> tuple[Any, ...]:
        return astuple(self)

    @property
    def budgets(self) -> tuple[int, int, int]:
        """By Kind."""
        return (self.blocks, self.isolations, self.revocations)


@dataclass(frozen=True, slots=True)
class Words:
    """The readable side of a target, as registered: what the operator judges."""

    target: str
    zone: str
    criticality: int


def network_text(key: bytes) -> str:
    """The text of a packed network as it stands in signatures: IPv6 in eight full groups."""
    packed = int.from_bytes(key)
    family, prefix = packed >> 136, (packed >> 128) & 0xFF
    address = packed & ((1 << 128) - 1)
    if family == 4 and address < 1 << 32:
        return f"{ipaddress.IPv4Address(address)}/{prefix}"
    if family == 6:
        return f"{ipaddress.IPv6Address(address).exploded}/{prefix}"
    raise ValueError(f"not a packed network: {key.hex()}")


_DECISION_FIELDS = [
    {"name": "proposal", "type": "bytes32"},
    {"name": "action", "type": "string"},
    {"name": "target", "type": "string"},
    {"name": "zone", "type": "string"},
    {"name": "criticality", "type": "uint8"},
    {"name": "ttl", "type": "uint32"},
    {"name": "model", "type": "bytes32"},
    {"name": "evidence", "type": "bytes32"},
    {"name": "agent", "type": "address"},
    {"name": "deadline", "type": "uint64"},
]

_LEASE_FIELDS = [
    {"name": "agent", "type": "address"},
    {"name": "model", "type": "bytes32"},
    {"name": "blocks", "type": "uint32"},
    {"name": "isolations", "type": "uint32"},
    {"name": "revocations", "type": "uint32"},
    {"name": "maxCriticality", "type": "uint8"},
    {"name": "maxTtl", "type": "uint32"},
    {"name": "expires", "type": "uint64"},
    {"name": "nonce", "type": "uint256"},
]


def decision_message(
    decision: Decision, proposal: Proposal, words: Words, domain: Domain
) -> SignableMessage:
    """The EIP-712 message of an approval, rejection or release."""
    return encode_typed_data(
        domain.eip712(),
        {decision: _DECISION_FIELDS},
        {
            "proposal": proposal.id(domain),
            "action": proposal.kind.name,
            "target": words.target,
            "zone": words.zone,
            "criticality": words.criticality,
            "ttl": proposal.ttl,
            "model": proposal.model,
            "evidence": proposal.evidence,
            "agent": proposal.agent,
            "deadline": proposal.deadline,
        },
    )


def lease_message(lease: Lease, domain: Domain) -> SignableMessage:
    """The EIP-712 message of an autonomy lease."""
    names = [field["name"] for field in _LEASE_FIELDS]
    return encode_typed_data(
        domain.eip712(),
        {"Lease": _LEASE_FIELDS},
        dict(zip(names, lease.abi(), strict=True)),
    )


def batch_message(
    decision: BatchDecision,
    batch: Batch,
    names: Sequence[Sequence[str]],
    zone: str,
    domain: Domain,
) -> SignableMessage:
    """The EIP-712 message of a batch's approval or release.

    `names` lists what is ordered: `page_groups` of each page of assets one after the other, or one
    group of networks' texts or of credentials' ids; `zone` is the name of the assets' zone, else
    empty.
    """
    fields = [{"name": "batch", "type": "bytes32"}, *_DECISION_FIELDS[1:]]
    fields[2] = {"name": "targets", "type": "string[][]"}
    return encode_typed_data(
        domain.eip712(),
        {decision: fields},
        {
            "batch": batch.id(domain),
            "action": batch.kind.name,
            "targets": [list(group) for group in names],
            "zone": zone,
            "criticality": batch.criticality,
            "ttl": batch.ttl,
            "model": batch.model,
            "evidence": batch.evidence,
            "agent": batch.agent,
            "deadline": batch.deadline,
        },
    )


def page_groups(names: Sequence[str], bits: int) -> list[list[str]]:
    """What a batch's message lists of one page: all its names, or the chosen ones of each group
    that has any. `names` are those of all its places.
    """
    if bits == (1 << len(names)) - 1:
        return [list(names)]
    parts = [(names[i : i + GROUP], bits >> i) for i in range(0, len(names), GROUP)]
    chosen = [[n for i, n in enumerate(part) if wanted >> i & 1] for part, wanted in parts]
    return [part for part in chosen if part]


def page_words(keys: Sequence[bytes], bits: int) -> list[bytes]:
    """What `orderBatch` is told of one page to know its names. `keys` are of all its places."""
    flat = bytes(keccak(b"".join(keys)))
    if bits == (1 << len(keys)) - 1:
        return [flat, _root(keys, 0, PAGE)]
    return [flat, *_proof(keys, bits, 0, PAGE)]


def _root(keys: Sequence[bytes], first: int, last: int) -> bytes:
    """The hash of a part of the page's tree; zero where it has no place."""
    if first >= len(keys):
        return bytes(32)
    if last - first == GROUP:
        return bytes(keccak(b"".join(keys[first:last])))
    middle = (first + last) // 2
    return bytes(keccak(_root(keys, first, middle) + _root(keys, middle, last)))


def _proof(keys: Sequence[bytes], bits: int, first: int, last: int) -> list[bytes]:
    """What a walk through the tree must be told, from left to right."""
    if first >= len(keys):
        return []
    wanted = bits >> first & (1 << last - first) - 1
    group = keys[first:last] if last - first == GROUP else ()
    if not wanted or (group and wanted == (1 << len(group)) - 1):
        return [_root(keys, first, last)]
    if group:
        return list(group)
    middle = (first + last) // 2
    return _proof(keys, bits, first, middle) + _proof(keys, bits, middle, last)


def model_message(
    model: bytes, card: bytes, revision: int, deadline: int, domain: Domain
) -> SignableMessage:
    """The EIP-712 message by which operators activate a model."""
    fields = [
        {"name": "model", "type": "bytes32"},
        {"name": "card", "type": "bytes32"},
        {"name": "revision", "type": "uint32"},
        {"name": "deadline", "type": "uint64"},
    ]
    values = {"model": model, "card": card, "revision": revision, "deadline": deadline}
    return encode_typed_data(domain.eip712(), {"ModelActivation": fields}, values)


def resume_message(pause: int, domain: Domain) -> SignableMessage:
    """The EIP-712 message by which operators end a pause."""
    fields = [{"name": "pause", "type": "uint32"}]
    return encode_typed_data(domain.eip712(), {"Resume": fields}, {"pause": pause})


def message_digest(message: SignableMessage) -> bytes:
    """The 32 bytes that are signed: keccak256(0x19, version, domain, struct)."""
    return bytes(keccak(b"\x19" + message.version + message.header + message.body))


def compact(signature: bytes) -> tuple[bytes, bytes]:
    """r and vs of ERC-2098: the recovery bit in the highest bit of s. Takes 65 bytes."""
    s = int.from_bytes(signature[32:64]) | (signature[64] - 27) << 255
    return signature[:32], s.to_bytes(32)


def signer_of(message: SignableMessage, signature: bytes) -> str | None:
    """Whose ECDSA signature this is, of 65 bytes or compact (ERC-2098); None if no one's.

    Like the gate, takes neither a signature's mirrored twin (high s) nor a v other than 27 and 28.
    """
    if len(signature) == 64:
        parity = signature[32] >> 7
        signature = bytes([*signature[:32], signature[32] & 0x7F, *signature[33:], 27 + parity])
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64]) > SECPK1_N // 2:
        return None
    return _recover(message_digest(message), signature)


@lru_cache(maxsize=4096)  # ledger, audit and views look at the same signatures
def _recover(digest: bytes, signature: bytes) -> str | None:
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    try:
        made = Signature(vrs=(signature[64] - 27, r, s))
        return str(made.recover_public_key_from_msg_hash(digest).to_checksum_address())
    except Exception:  # eth_keys raises many kinds on malformed points; all mean no one
        return None


def target_key(kind: Kind, target: str) -> bytes:
    """32 bytes by which the gate knows a target: an asset's or credential's id, or a network.
    ValueError if malformed.
    """
    return network_key(target).to_bytes(32) if kind is Kind.BLOCK else name_key(target)
