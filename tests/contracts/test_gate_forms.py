"""Signatures as wallets give them, and as others would like them, wherever any are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from calls import BY_ROLE, BY_SIGNATURE
from eth_account.datastructures import SignedMessage
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from evm import Reverted
from scene import OPERATOR, Gate, People, halves, refused

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141  # secp256k1's n


def compact(signature: bytes) -> bytes:
    """ERC-2098, in one piece."""
    return b"".join(halves([("", signature)])[0])


def high_s(signature: bytes) -> bytes:
    """The twin that the curve also accepts, and that would let one signature count as two."""
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


def flipped(byte: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:byte] + bytes([data[byte] ^ 1]) + data[byte + 1 :]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "high s": high_s,
    "r": flipped(0),
    "s": flipped(63),
    "v": lambda data: data[:64] + bytes([55 - data[64]]),
    "v from zero": lambda data: data[:64] + bytes([data[64] - 27]),
    "v of nothing": lambda data: data[:64] + b"\x1d",
    "r of zero": lambda data: bytes(32) + data[32:],
    "s of zero": lambda data: data[:32] + bytes(32) + data[64:],
    "zeros": lambda _: bytes(65),
    "compact zeros": lambda _: bytes(64),
    "short": lambda data: data[:-2],
    "long": lambda data: data + b"\x00",
    "long compact": lambda data: compact(data) + b"\x00\x00",
    "empty": lambda _: b"",
    "a word": lambda data: data[:32],
}


@dataclass(frozen=True)
class ByWallet:
    """A wallet contract, for which its owner's key signs."""

    address: str
    owner: LocalAccount

    def sign_message(self, message: SignableMessage) -> SignedMessage:
        return self.owner.sign_message(message)


@pytest.fixture
def wallet(many: Gate, people: People, wallet_artifact: dict[str, Any]) -> ByWallet:
    """An operator that is a contract, owned by the stranger's key."""
    owner = people.stranger
    deployed = many.evm.deploy(wallet_artifact, owner.address, sender=owner.address)
    many.govern("setRoles", deployed.address, OPERATOR, 0)
    return ByWallet(deployed.address, owner)


@pytest.mark.parametrize("form", [bytes, compact], ids=["65 bytes", "compact"])
@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_keys_and_wallets_sign(
    many: Gate, people: People, wallet: ByWallet, function: str, form: Callable[[bytes], bytes]
) -> None:
    *args, signatures = BY_SIGNATURE[function](many, people.operators[0], wallet)
    key, [address, by_wallet] = (list(signature) for signature in signatures)
    shaped = [(key[0], form(key[1])), (address, by_wallet)]
    head = many.view("auditHead")
    many.send(function, *args, shaped, sender=people.guardian)
    assert many.view("auditHead") != head


@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_a_wallet_that_disowns_a_signature_is_not_believed(
    many: Gate, people: People, wallet: ByWallet, function: str
) -> None:
    *args, signatures = BY_SIGNATURE[function](many, people.operators[0], wallet)
    _, other = signatures[0]
    with refused("GateBadSignature", wallet.address):  # another's, in the wallet's name
        forged = [signatures[0], (wallet.address, other)]
        many.send(function, *args, forged, sender=people.guardian)


@pytest.mark.parametrize("form", BROKEN)
@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_what_is_no_signature_of_the_signer_is_refused(
    many: Gate, people: People, function: str, form: str
) -> None:
    *args, (good, (signer, data)) = BY_SIGNATURE[function](many, *people.operators[:2])
    before = many.evm.state()
    with refused("GateBadSignature", signer):
        broken = [good, (signer, BROKEN[form](data))]
        many.send(function, *args, broken, sender=people.guardian)
    assert many.evm.state() == before


@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_one_signature_is_not_anothers(many: Gate, people: People, function: str) -> None:
    *args, (first, second) = BY_SIGNATURE[function](many, *people.operators[:2])
    with refused("GateBadSignature", first[0]):
        swapped = [(first[0], second[1]), (second[0], first[1])]
        many.send(function, *args, swapped, sender=people.guardian)


@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_two_forms_of_a_signature_are_one_signer(many: Gate, people: People, function: str) -> None:
    *args, (good, _) = BY_SIGNATURE[function](many, *people.operators[:2])
    before = many.evm.state()
    with pytest.raises(Reverted) as raised:
        twice = [good, (good[0], compact(good[1]))]
        many.send(function, *args, twice, sender=people.guardian)
    assert raised.value.name in ("GateDuplicateSigner", "GateAlreadyVoted")
    assert raised.value.values[-1] == good[0].lower()
    assert many.evm.state() == before


@pytest.mark.parametrize("signer", ["0x" + "00" * 20, "0x" + "00" * 19 + "01"])
@pytest.mark.parametrize("function", BY_SIGNATURE)
def test_no_one_signs_as_nobody(many: Gate, people: People, function: str, signer: str) -> None:
    """Not even where governance made an operator of the zero address or of a precompile."""
    *args, (good, _) = BY_SIGNATURE[function](many, *people.operators[:2])
    many.govern("setRoles", signer, OPERATOR, 0)
    for data in (b"", bytes(64), bytes(65), good[1]):
        with refused("GateBadSignature", signer):
            many.send(function, *args, [good, (signer, data)], sender=people.guardian)


@pytest.mark.parametrize("form", ["r", "s", "v", "r of zero", "s of zero", "zeros"])
@pytest.mark.parametrize("function", ["proposeApproved", "orderBatch"])
def test_what_recovers_no_operator_is_refused(
    many: Gate, people: People, function: str, form: str
) -> None:
    """Compact signatures name no signer: what is broken is a stranger's, or nobody's."""
    *args, signatures = BY_ROLE[function][1](many)
    r, vs = signatures[1]
    full = r + (int.from_bytes(vs) & (1 << 255) - 1).to_bytes(32) + bytes([27 + (vs[0] >> 7)])
    broken = BROKEN[form](full)
    made = (bytes(32), bytes(32)) if form == "zeros" else halves([("", broken)])[0]
    before = many.evm.state()
    with pytest.raises(Reverted) as raised:
        many.send(function, *args, [signatures[0], made], sender=people.agent)
    assert raised.value.name in ("GateBadSignature", "GateMissingRole")
    assert many.evm.state() == before


@pytest.mark.parametrize("function", ["proposeApproved", "orderBatch"])
def test_nobodys_signature_is_no_operators(many: Gate, people: People, function: str) -> None:
    """Nor where the zero address is an operator."""
    *args, signatures = BY_ROLE[function][1](many)
    nobody = "0x" + "00" * 20
    many.govern("setRoles", nobody, OPERATOR, 0)
    with refused("GateBadSignature", nobody):
        broken = [signatures[0], (bytes(32), bytes(32))]
        many.send(function, *args, broken, sender=people.agent)
