"""Operators' keys and signatures: encrypted keystores, and the inbox in which signatures wait to be
relayed.

The inbox is a folder, not a table of the cache: a signature stays a file until the chain shows it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_checksum_address, to_checksum_address

from responder.chain.proposal import Decision, signer_of
from responder.errors import Permanent
from responder.files import write_atomically

__all__ = ["Inbox", "Slip", "load_key", "new_key", "sign", "signed_by"]

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
class Slip:
    """One operator's signed decision on one proposal, on its way to the chain."""

    decision: Decision
    proposal: str  # id, hex
    operator: str
    signature: str  # hex

    @property
    def name(self) -> str:
        return f"{self.proposal}-{self.decision}-{self.operator}.json"

    @property
    def signature_bytes(self) -> bytes:
        return bytes.fromhex(self.signature)


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
        if slip.decision not in get_args(Decision):
            raise ValueError("unknown decision")
        if not is_checksum_address(slip.operator):
            raise ValueError("its operator is not a checksummed address")
        if len(bytes.fromhex(slip.proposal)) != 32 or not slip.signature_bytes:
            raise ValueError("bad id or signature")
        if slip.name != path.name:
            raise ValueError("its name does not fit its content")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Permanent(f"{path.name} is not a signed decision: {error}") from error
    return slip
