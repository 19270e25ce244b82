"""What the administration scripts share: the gate of a manifest, accounts, and asking first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brownie import accounts, web3
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3.contract import Contract

from responder.approvals import Activation, Inbox, Slip, signed_by
from responder.chain.client import GateClient
from responder.chain.ledger import Ledger
from responder.chain.manifest import Manifest, check, contracts
from responder.chain.proposal import resume_message
from responder.chain.sending import Call, Sender, send_all
from responder.errors import CountersignError, Permanent

__all__ = ["Gate", "ask", "key", "plain_errors", "sender", "split_answer"]

_GAS = 2_000_000


class Gate:
    """The gate of a manifest: its code is what ships, its ledger is whole."""

    def __init__(self, manifest: str) -> None:
        self.manifest = Manifest.load(Path(manifest))
        check(web3, self.manifest)
        self._client = GateClient(str(web3.provider.endpoint_uri), self.manifest)
        self.ledger = Ledger(self._client.domain)
        self.ledger.sync(self._client)

    @property
    def contract(self) -> Contract:
        return contracts(web3, self.manifest)["gate"]

    @property
    def now(self) -> int:
        """Unix seconds of the last block."""
        return self.ledger.block.time

    def send(self, account: str, function: str, *args: Any) -> None:
        """Raises Permanent with the gate's reason where it refuses."""
        data = self.contract.encode_abi(function, list(args))
        send_all(web3, sender(account), [Call(self.manifest.gate, data, function, _GAS)])

    def sign(self, terms: Activation | int, inbox: str, who: Iterable[str]) -> None:
        """Puts a signature of each account into the folder: of a model's activation, or of the end
        of the pause of this number.
        """
        signers = [key(account) for account in who]
        for signer in signers:
            if str(signer.address) not in self.ledger.operators():
                raise Permanent(f"{signer.address} is no operator of this gate")
        for signer in signers:
            Inbox(Path(inbox)).put(Slip.on(terms, signer, self._client.domain))

    def signatures(self, terms: Activation | int, inbox: str) -> list[tuple[str, bytes]]:
        """Those in the folder that are over exactly this, of current operators, by operator."""
        domain = self._client.domain
        pause = isinstance(terms, int)
        message = resume_message(terms, domain) if pause else terms.message(domain)
        found = {
            slip.operator: slip.signature_bytes
            for slip in Inbox(Path(inbox)).slips()
            if slip.about() == terms and signed_by(slip.operator, message, slip.signature_bytes)
        }
        return sorted((who, data) for who, data in found.items() if who in self.ledger.operators())


@contextmanager
def plain_errors() -> Iterator[None]:
    """An error that is written for people ends the script with its words alone."""
    try:
        yield
    except CountersignError as error:
        raise SystemExit(str(error)) from error


def ask(lines: Iterable[str], answer: str) -> None:
    """Prints what will be done and goes on if told to: by `yes` as an argument, or typed."""
    print(*lines, sep="\n")
    if answer == "yes":
        return
    try:
        typed = input("Go on? [y/N] ")
    except EOFError:
        typed = ""
    if typed.strip().lower() not in ("y", "yes"):
        raise SystemExit("Nothing was sent.")


def split_answer(args: tuple[str, ...]) -> tuple[list[str], str]:
    """A list of arguments, and `yes` where it ends them."""
    return (list(args[:-1]), "yes") if args and args[-1] == "yes" else (list(args), "")


def sender(account: str) -> Sender:
    """An account of Brownie's keystore by name or path, or the number of one the node signs for."""
    if account.isdecimal():
        return str(accounts[int(account)].address)
    return key(account)


def key(account: str) -> LocalAccount:
    """One of Brownie's keystore, by name or path; it asks for the password."""
    try:
        return Account.from_key(accounts.load(account).private_key)
    except (FileNotFoundError, ValueError) as error:
        raise Permanent(f"cannot open the keystore {account!r}: {error}") from error
