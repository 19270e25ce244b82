"""What all checks of the audit share: the report, and how signatures are looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from eth_account.messages import SignableMessage
from eth_utils.address import to_checksum_address

from responder.approvals import signed_by
from responder.chain.events import Event
from responder.chain.ledger import Ledger, Source
from responder.chain.proposal import message_digest, signer_of
from responder.chain.records import Role
from responder.errors import CountersignError, Permanent
from responder.evidence import EvidenceStore

__all__ = ["AuditFailed", "AuditReport", "AuditSource", "Checker"]


class AuditFailed(Permanent):
    """Something on the chain or in the evidence is not as it must be."""


@dataclass
class AuditReport:
    """What was checked."""

    events: int = 0
    proposals: int = 0  # and batches
    signatures: int = 0
    orders: int = 0  # each action of a batch
    receipts: int = 0  # by themselves, and under roots whose leaves are at hand
    missing: int = 0  # receipts that were due and are neither on the chain nor at hand
    evidence: int = 0
    models: int = 0
    head: str = ""
    block: int = 0


class AuditSource(Source, Protocol):
    """What an audit asks the chain besides events."""

    def sender_of(self, tx: bytes) -> str: ...

    def is_contract(self, account: str, block: int) -> bool: ...

    def is_valid_signature(
        self, signer: str, digest: bytes, signature: bytes, block: int
    ) -> bool: ...


class Checker:
    """Looks at each event before it is folded in: `_on_<event>` says whether it was allowed to
    happen.
    """

    def __init__(self, source: AuditSource, evidence: EvidenceStore | None) -> None:
        self._source, self._evidence = source, evidence
        self._ledger = Ledger(source.domain, watch=self._check)
        self._report = AuditReport()

    def _check(self, event: Event) -> None:
        check: Callable[[Event, Any], None] | None = getattr(self, f"_on_{event.name}", None)
        if check is None:
            return
        try:
            check(event, tuple(event.args.values()))
        except AuditFailed:
            raise
        except (CountersignError, LookupError, ValueError, StopIteration) as error:
            self._fail(event, f"{type(error).__name__}: {error}")

    def _fail(self, event: Event, what: str) -> NoReturn:
        raise AuditFailed(
            f"{event.name} in block {event.block} (transaction {event.tx.hex()}): {what}"
        )

    def _require(self, event: Event, holds: bool, what: str) -> None:
        if not holds:
            self._fail(event, what)

    # ------------------------------------------------------------ who did it

    def _role(self, event: Event, account: str, role: Role) -> None:
        there = self._ledger.has_role(account, role)
        self._require(event, there, f"{account} was no {role.name.lower()}")

    def _sent_by(self, event: Event, account: str) -> None:
        """By its own transaction, or by that of someone who has a wallet contract do it."""
        sender = to_checksum_address(self._source.sender_of(event.tx))
        own = sender == account or self._source.is_contract(account, event.block)
        self._require(event, own, f"sent by {sender}, counted for {account}")

    def _signature(
        self, event: Event, signer: str, message: SignableMessage, signature: bytes
    ) -> None:
        digest = message_digest(message)
        holds = signed_by(signer, message, signature) or self._source.is_valid_signature(
            signer, digest, signature, event.block
        )
        self._require(event, holds, f"the signature is not {signer}'s over these fields")
        self._report.signatures += 1

    def _quorum(
        self, event: Event, signatures: Sequence[Any], message: SignableMessage, needed: int
    ) -> None:
        """Signed by so many different operators."""
        signers = [to_checksum_address(s) for s, _ in signatures]
        self._enough(event, signers, needed)
        for signer, (_, signature) in zip(signers, signatures, strict=True):
            self._role(event, signer, Role.OPERATOR)
            self._signature(event, signer, message, signature)

    def _recovered(
        self, event: Event, signatures: Sequence[Any], message: SignableMessage, needed: int
    ) -> set[int]:
        """The same of compact signatures; seats of the signers."""
        signers = []
        for r, vs in signatures:
            signer = signer_of(message, r + vs)
            if signer is None or not self._ledger.has_role(signer, Role.OPERATOR):
                self._fail(event, "a signature is not an operator's over these fields")
            signers.append(signer)
        self._enough(event, signers, needed)
        self._report.signatures += len(signers)
        return {self._ledger.seats[signer] for signer in signers}

    def _enough(self, event: Event, signers: Sequence[str], needed: int) -> None:
        self._require(event, len(set(signers)) == len(signers), "a signer counted twice")
        self._require(
            event, len(signers) >= max(1, needed), f"{len(signers)} signatures of {needed} needed"
        )

    def _of_every_group(self, event: Event, groups: int, seats: Iterable[int]) -> None:
        missing = self._ledger.missing_groups(groups, seats)
        self._require(event, not missing, f"no approval of group {', '.join(map(str, missing))}")

    def _kept(self, digest: bytes) -> None:
        """Evidence must be there and unaltered. Raises where it is not."""
        if self._evidence is not None:
            self._evidence.get(digest)
