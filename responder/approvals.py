"""Operators' keys and signatures: encrypted keystores, and the inbox in which signatures wait to be
relayed.

The inbox is a folder, not a table of the cache: a signature stays a file until the chain shows it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_checksum_address, to_checksum_address

from responder.chain.proposal import (
    Domain,
    message_digest,
    model_message,
    resume_message,
    signer_of,
)
from responder.errors import Permanent
from responder.files import write_atomically

__all__ = ["Activation", "Inbox", "Slip", "load_key", "new_key", "sign", "signed_by"]

SlipDecision = Literal["Approval", "Rejection", "Release", "ModelActivation", "Resume"]

_MAX_SLIP = 20_000  # bytes


# ---------------------------------------------------------------- keys


def new_key(path: Path, password: str | None = None) -> str:
    """Makes a key, encrypted under `password`; without one, under a random one kept beside it
    (readable by its owner alone) for services.

    Returns the address. An existing keystore is left as it is.
    """
    if path.exists():
        return keystore_address(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    account = Account.create()
    # A random 256-bit password needs no stretching; a person's does.
    work = {} if password is not None else {"kdf": "pbkdf2", "iterations": 1}
    if password is None:
        password = secrets.token_hex(32)
        write_atomically(path.with_suffix(".password"), password.encode())
    keystore = account.encrypt(password, **work)
    write_atomically(path, json.dumps(keystore).encode())
    return str(account.address)


def keystore_address(path: Path) -> str:
    """The address a keystore names."""
    try:
        return str(to_checksum_address(json.loads(path.read_text("utf-8"))["address"]))
    except FileNotFoundError as error:
        raise Permanent(f"no keystore at {path}; `countersign key new` makes one") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Permanent(f"{path} is not a keystore (Web3 Secret Storage)") from error


def load_key(path: Path, password: str | None = None) -> LocalAccount:
    """Decrypts a keystore; without a password, with the one kept beside it."""
    keystore_address(path)
    if password is None:
        beside = path.with_suffix(".password")
        try:
            password = beside.read_text("utf-8").strip()
        except OSError as error:
            raise Permanent(f"no password for {path}; give one or put it in {beside}") from error
    try:
        key = Account.decrypt(path.read_text("utf-8"), password)
    except Exception as error:  # a damaged keystore raises whatever its pieces raise
        raise Permanent(f"cannot decrypt {path}: wrong password?") from error
    account: LocalAccount = Account.from_key(key)
    return account


def sign(account: LocalAccount, message: SignableMessage) -> bytes:
    """A 65-byte ECDSA signature."""
    return bytes(account.sign_message(message).signature)


def signed_by(signer: str, message: SignableMessage, signature: bytes) -> bool:
    """Does this ECDSA signature, of 65 bytes or compact (ERC-2098), come from this address?"""
    return signer_of(message, signature) == signer


# ---------------------------------------------------------------- inbox


@dataclass(frozen=True, slots=True)
class Activation:
    """What operators sign to make the gate take a model's proposals."""

    model: bytes
    card: bytes  # SHA-256 of the model card
    revision: int  # one more than the model's last
    deadline: int  # Unix seconds

    def message(self, domain: Domain) -> SignableMessage:
        return model_message(self.model, self.card, self.revision, self.deadline, domain)


@dataclass(frozen=True, slots=True)
class Slip:
    """One operator's signed decision, on its way to the chain."""

    decision: SlipDecision
    subject: str  # hex: id of the proposal; of other decisions the digest that was signed
    operator: str
    signature: str  # hex
    terms: Mapping[str, Any] = field(default_factory=dict)  # of other decisions: what is signed

    @staticmethod
    def on(terms: Activation | int, account: LocalAccount, domain: Domain) -> Slip:
        """Signs the activation of a model, or the end of a pause by its number."""
        decision: SlipDecision
        if isinstance(terms, Activation):
            decision, message = "ModelActivation", terms.message(domain)
            stored = {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(terms).items()}
        else:
            decision, message, stored = "Resume", resume_message(terms, domain), {"pause": terms}
        subject, signature = message_digest(message).hex(), sign(account, message).hex()
        return Slip(decision, subject, str(account.address), signature, stored)

    @property
    def name(self) -> str:
        return f"{self.subject}-{self.decision}-{self.operator}.json"

    @property
    def signature_bytes(self) -> bytes:
        return bytes.fromhex(self.signature)

    def about(self) -> Activation | int | None:
        """What is signed besides proposals: a model's activation, or the end of a pause by its
        number. Raises ValueError, KeyError, TypeError or AttributeError for malformed terms.
        """
        if self.decision == "Resume":
            return _whole(self.terms["pause"])
        if self.decision != "ModelActivation":
            if self.terms:
                raise ValueError("a decision on a proposal has no terms")
            return None
        model, card = (bytes.fromhex(self.terms[name]) for name in ("model", "card"))
        if len(model) != 32 or len(card) != 32:
            raise ValueError("model and card have 32 bytes each")
        return Activation(
            model, card, _whole(self.terms["revision"]), _whole(self.terms["deadline"])
        )


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 32:
        raise ValueError(f"{value!r} is no number of 32 bits")
    return value


class Inbox:
    """A folder of slips; `refused/` beside them keeps what could not be used, with the reason."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, slip: Slip) -> None:
        write_atomically(self._folder / slip.name, json.dumps(asdict(slip)).encode())

    def slips(self) -> list[Slip]:
        """All usable slips, in a stable order; unusable files are set aside."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(_read(path))
            except Permanent as error:
                self._set_aside(path, str(error))
        return found

    def done(self, slip: Slip) -> None:
        """The chain shows it."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / slip.name).unlink()

    def refuse(self, slip: Slip, reason: str) -> None:
        """It will never count; keep it for the operator to look at."""
        self._set_aside(self._folder / slip.name, reason)

    def _set_aside(self, path: Path, reason: str) -> None:
        aside = self._folder / "refused"
        aside.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.replace(aside / path.name)
        write_atomically(aside / f"{path.name}.reason", reason.encode())


def _read(path: Path) -> Slip:
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("not a plain file")
        if found.st_size > _MAX_SLIP:
            raise ValueError("too large")
        data = json.loads(path.read_text("utf-8"))
        slip = Slip(**data)
        if slip.decision not in get_args(SlipDecision):
            raise ValueError("unknown decision")
        slip.about()
        if not is_checksum_address(slip.operator):
            raise ValueError("its operator is not a checksummed address")
        if len(bytes.fromhex(slip.subject)) != 32 or not slip.signature_bytes:
            raise ValueError("bad id or signature")
        if slip.name != path.name:
            raise ValueError("its name does not fit its content")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Permanent(f"{path.name} is not a signed decision: {error}") from error
    return slip
