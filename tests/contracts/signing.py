"""Signatures as people give them, and as others would like to: what the gate has to tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from scene import Gate

from policies.actions import Kind, network_criticality
from responder.chain.proposal import (
    Lease,
    Proposal,
    Words,
    decision_message,
    lease_message,
    network_text,
)

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # secp256k1's n
Signed = list[tuple[str, bool]]  # who is said to have signed, and whether that is so
OTHER_MEANING = {"Approval": "Rejection", "Rejection": "Release", "Release": "Approval"}
FORMS = (
    "compact",  # ERC-2098
    "stranger's",
    "other meaning",
    "other content",
    "other gate",
    "other chain",
    "flipped",
    "short",
    "long",
    "empty",
    "zeros",
    "high s",
    "v from zero",
)


def compact(signature: bytes) -> bytes:
    """ERC-2098: the recovery bit in the highest bit of s."""
    s = int.from_bytes(signature[32:64]) | (signature[64] - 27) << 255
    return signature[:32] + s.to_bytes(32)


def high_s(signature: bytes) -> bytes:
    """The twin that the curve also accepts, and that would let one signature count as two."""
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


class Signer:
    """Signs what the registry says now; `assets` and `credentials` are (name, zone, criticality)
    by key.
    """

    def __init__(
        self, gate: Gate, keys: Mapping[str, LocalAccount], addresses: Mapping[str, str]
    ) -> None:
        self._gate, self._keys, self._addresses = gate, keys, addresses
        self.assets: dict[bytes, tuple[str, str, int]] = {}
        self.credentials: dict[bytes, tuple[str, str, int]] = {}

    def decisions(
        self, decision: Any, proposal: Proposal, signed: list[tuple[str, str]]
    ) -> tuple[list[tuple[str, bytes]], Signed]:
        """What goes into the call, and what it is worth."""

        def message(form: str) -> SignableMessage:
            meant = OTHER_MEANING[decision] if form == "other meaning" else decision
            nonce = proposal.nonce + (form == "other content")
            about = replace(proposal, nonce=nonce)
            return decision_message(meant, about, self._words(proposal), self._domain(form))

        return self._all(message, signed)

    def compact(self, proposal: Proposal, names: list[str]) -> list[tuple[bytes, bytes]]:
        """Good approvals as `proposeApproved` takes them."""
        sent, _ = self.decisions("Approval", proposal, [(name, "compact") for name in names])
        return [(data[:32], data[32:]) for _, data in sent]

    def lease(
        self, lease: Lease, signed: list[tuple[str, str]]
    ) -> tuple[list[tuple[str, bytes]], Signed]:
        def message(form: str) -> SignableMessage:
            changed = form in ("other content", "other meaning")
            about = replace(lease, nonce=lease.nonce + 1) if changed else lease
            return lease_message(about, self._domain(form))

        return self._all(message, signed)

    def _all(self, message: Any, signed: list[tuple[str, str]]) -> Any:
        sent, meant = [], []
        for name, form in signed:
            key = self._keys["stranger" if form == "stranger's" else name]
            data = shaped(bytes(key.sign_message(message(form)).signature), form)
            good = form == "good" or (form == "compact" and name != "wallet")
            good |= form == "stranger's" and name == "stranger"
            sent.append((self._addresses[name], data))
            meant.append((self._addresses[name], good))
        return sent, meant

    def _domain(self, form: str) -> Any:
        domain = self._gate.domain
        if form == "other chain":
            return replace(domain, chain_id=domain.chain_id + 1)
        return replace(domain, gate=self._gate.manager.address) if form == "other gate" else domain

    def _words(self, proposal: Proposal) -> Words:
        if proposal.kind is Kind.BLOCK:
            key = int.from_bytes(proposal.target)
            return Words(network_text(proposal.target), "", network_criticality(key))
        table = self.assets if proposal.kind is Kind.ISOLATE else self.credentials
        return Words(*table[proposal.target])


def shaped(signature: bytes, form: str) -> bytes:
    """The signature in one of the forms above that is about its bytes; else as it is."""
    makers = {
        "compact": lambda: compact(signature),
        "flipped": lambda: signature[:40] + bytes([signature[40] ^ 1]) + signature[41:],
        "short": lambda: signature[:-2],
        "long": lambda: signature + b"\x00",
        "empty": lambda: b"",
        "zeros": lambda: bytes(65),
        "high s": lambda: high_s(signature),
        "v from zero": lambda: signature[:64] + bytes([signature[64] - 27]),
    }
    return makers[form]() if form in makers else signature
