"""`countersign receipt`: what enforcers stated, and what they owe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from responder.chain.ledger import Ledger
from responder.chain.merkle import Tree
from responder.chain.records import Subject
from responder.commands.common import (
    home_option,
    json_option,
    open_ledger,
    password_option,
    unlock,
)
from responder.errors import Permanent
from responder.evidence import EvidenceStore
from responder.receipts import Statement, missing, report, show, statements
from responder.settings import Settings
from responder.site import client
from responder.view import OUTCOMES, plain, readable, stamp

__all__ = ["receipt"]

_send_option = click.option(
    "--as", "keystore", help="Keystore of whoever sends it to the gate; without it, look only."
)


@click.group()
def receipt() -> None:
    """Show what enforcers stated, and find the receipts that are missing."""


@receipt.command("show")
@click.argument("proposal_id")
@home_option
@json_option
@_send_option
@password_option
def show_receipts(
    proposal_id: str, home: Path, as_json: bool, keystore: str | None, password_file: Path | None
) -> None:
    """Show the receipts of a proposal, each under a root with its proof.

    With --as, the gate is shown those that stand under a root.

    Example: countersign receipt show 3f9a1c --json
    """
    settings = Settings.load(home)
    ledger, evidence = open_ledger(settings), EvidenceStore(settings.evidence)
    case = ledger.case(proposal_id)
    told = statements(ledger, evidence).get(Subject(case.id, case.proposal.target), [])
    if as_json:
        click.echo(json.dumps([_record(evidence, statement) for statement in told]))
    elif not told:
        click.echo("No receipt of it is here.")
    else:
        table = Table()
        for column in ("time", "outcome", "enforcer", "read back", "under root"):
            table.add_column(column)
        for time, made, root in told:
            outcome, digest = OUTCOMES[made.outcome], made.digest.hex()[:16]
            table.add_row(stamp(time), outcome, made.enforcer, digest, root.hex()[:16] or "-")
        Console().print(table)
    if keystore is not None:
        _prove(ledger, evidence, settings, told, keystore, password_file)


def _prove(
    ledger: Ledger,
    evidence: EvidenceStore,
    settings: Settings,
    told: list[Statement],
    keystore: str,
    password_file: Path | None,
) -> None:
    rooted = [statement for statement in told if statement.root]
    if not rooted:
        raise Permanent("none of its receipts stands under a root; they are on the chain already")
    show(client(settings, unlock(settings, keystore, password_file)), ledger, evidence, rooted[-1])
    click.echo("Shown.", err=True)


@receipt.command("missing")
@home_option
@json_option
@_send_option
@password_option
def list_missing(
    home: Path, as_json: bool, keystore: str | None, password_file: Path | None
) -> None:
    """List orders whose receipt is due and neither on the chain nor under a root at hand.

    With --as, they are reported to the gate.

    Example: countersign receipt missing --as relayer
    """
    settings = Settings.load(home)
    ledger, evidence = open_ledger(settings), EvidenceStore(settings.evidence)
    here = statements(ledger, evidence)
    late = [s for s in missing(ledger, ledger.block.time) if s not in here]
    if as_json:
        records = [{"order": s.order.hex(), "target": s.target.hex()} for s in late]
        click.echo(json.dumps(records))
    elif not late:
        click.echo("No receipt is missing.")
    for subject in () if as_json else late:
        click.echo(f"{subject.order.hex()[:12]}  {_what(ledger, subject)}")
    if keystore is not None and late:
        gate = client(settings, unlock(settings, keystore, password_file))
        for subject in late:
            report(gate, ledger, subject)
        click.echo("Reported.", err=True)


def _what(ledger: Ledger, subject: Subject) -> str:
    case = ledger.cases.get(subject.order)
    if case is not None:
        return plain(readable(case.proposal.kind, case.words))
    batch = ledger.batches[subject.order]
    return f"of a batch of {batch.size} x {batch.batch.kind.name}"


def _record(evidence: EvidenceStore, told: Statement) -> dict[str, Any]:
    made, proof = told.receipt, None
    if told.root:
        proof = [node.hex() for node in Tree(evidence.receipts_under(told.root)).proof(made)]
    return {
        "time": told.time,
        "order": made.order.hex(),
        "target": made.target.hex(),
        "enforcer": made.enforcer,
        "outcome": OUTCOMES[made.outcome],
        "digest": made.digest.hex(),
        "root": told.root.hex() or None,
        "proof": proof,
    }
