"""Signatures as people give them, and as others would like to: what the gate has to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from evm import Evm

from responder.chain.proposal import Domain, message_digest

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # secp256k1's n
GENERATOR_X = 0x79BE667E_F9DCBBAC_55A06295_CE870B07_029BFCDB_2DCE28D9_59F2815B_16F81798
NOBODY = "0x" + "00" * 20
ECRECOVER = "0x" + "00" * 19 + "01"

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
# What of these still has two halves, and so a place where only compact signatures are taken.
COMPACT_FORMS = (
    "stranger's",
    "other meaning",
    "other content",
    "other gate",
    "other chain",
    "zeros",
)

Signed = Sequence[tuple[str, str]]  # who signs by name, and in which form
Recover = Callable[[bytes, bytes], str | None]


def sign(account: LocalAccount, digest: bytes) -> bytes:
    """65 bytes. The curve's secret number is 1: quick in plain Python, and no one keeps a secret
    by these keys.
    """
    s = (int.from_bytes(digest) + GENERATOR_X * int.from_bytes(account.key)) % ORDER
    v = 27
    if s > ORDER // 2:
        s, v = ORDER - s, 28
    return GENERATOR_X.to_bytes(32) + s.to_bytes(32) + bytes([v])


def compact(signature: bytes) -> bytes:
    """ERC-2098: the recovery bit in the highest bit of s."""
    s = int.from_bytes(signature[32:64]) | (signature[64] - 27) << 255
    return signature[:32] + s.to_bytes(32)


def high_s(signature: bytes) -> bytes:
    """The twin that the curve also accepts, and that would let one signature count as two."""
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


def recoverer(evm: Evm) -> Recover:
    """Tells whose signature of a digest this is, by the chain's own precompile; None: malformed."""

    def recover(digest: bytes, data: bytes) -> str | None:
        if len(data) == 64:
            word = int.from_bytes(data[32:])
            s, v = word & (1 << 255) - 1, 27 + (word >> 255)
        elif len(data) == 65:
            s, v = int.from_bytes(data[32:64]), data[64]
        else:
            return None
        if s > ORDER // 2 or v not in (27, 28):
            return None
        words = digest, v.to_bytes(32), data[:32], s.to_bytes(32)
        answer = evm.call(NOBODY, ECRECOVER, b"".join(words), static=True)
        return "0x" + answer[12:].hex() if answer else None

    return recover


class Signer:
    """Signs typed data in every form; `keys` by name, the wallet's is its owner's."""

    def __init__(self, keys: dict[str, LocalAccount], addresses: dict[str, str]) -> None:
        self._keys, self._addresses = keys, addresses

    def all(self, digest_of: Callable[[str], bytes], signed: Signed) -> list[tuple[str, bytes]]:
        """`Signature`s. `digest_of` tells what is signed in this form."""
        return [(self._addresses[name], self._one(digest_of, name, form)) for name, form in signed]

    def halves(
        self, digest_of: Callable[[str], bytes], signed: Signed
    ) -> list[tuple[bytes, bytes]]:
        """`CompactSignature`s; what has no two halves is signed well."""
        made = []
        for name, form in signed:
            data = self._one(digest_of, name, form if form in COMPACT_FORMS else "good")
            data = data[:64] if form == "zeros" else compact(data)
            made.append((data[:32], data[32:]))
        return made

    def _one(self, digest_of: Callable[[str], bytes], name: str, form: str) -> bytes:
        key = self._keys["stranger" if form == "stranger's" else name]
        return shaped(sign(key, digest_of(form)), form)


def digest_in(
    form: str, domain: Domain, message: Callable[[Domain, str], SignableMessage]
) -> bytes:
    """The digest of `message(domain, form)` where the form says another gate or another chain."""
    if form == "other chain":
        domain = replace(domain, chain_id=domain.chain_id + 1)
    if form == "other gate":
        domain = replace(domain, gate="0x" + keccak(text="gate")[:20].hex())
    return message_digest(message(domain, form))


def shaped(signature: bytes, form: str) -> bytes:
    """The signature in one of the forms above that is about its bytes; else as it is."""
    makers: dict[str, Any] = {
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
