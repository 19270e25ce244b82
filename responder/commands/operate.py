"""Operators at the command line: see what waits, read all of what they sign, and sign it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from responder.approvals import Inbox, Slip, sign
from responder.chain.ledger import Ledger
from responder.chain.proposal import Decision, decision_message
from responder.chain.records import OPEN, Case, Role, Status, Subject
from responder.commands.common import (
    as_option,
    home_option,
    json_option,
    models_here,
    open_ledger,
    password_option,
    unlock,
    unlock_as,
    yes_option,
)
from responder.errors import CountersignError, Permanent
from responder.evidence import EvidenceStore
from responder.explaining import in_words
from responder.proposer import SUGGESTIONS
from responder.receipts import Statement, statements
from responder.settings import Settings
from responder.site import client
from responder.store import Cache
from responder.view import OUTCOMES, plain, progress, readable, sentence, stamp, standing

__all__ = ["approve", "pending", "reject", "release", "show", "veto", "withdraw"]


@click.command()
@home_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Also what is decided already.")
def pending(home: Path, as_json: bool, everything: bool) -> None:
    """List proposals that wait for operators, and orders that the responder would release.

    Example: countersign pending --json
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    now = ledger.block.time
    cases = list(ledger.cases.values()) if everything else ledger.open_cases(now)
    if as_json:
        told = statements(ledger, EvidenceStore(settings.evidence))
        click.echo(json.dumps([_record(ledger, case, told) for case in cases]))
        return
    if ledger.paused:
        click.echo("A guardian paused the gate; operators `countersign resume` it.")
    for model, name in models_here(settings).items():
        if model not in ledger.models:
            click.echo(f"Model {name} waits for operators: `countersign model approve {name}`.")
    for suggestion in _suggestions(settings, ledger, now):
        what = plain(f"{suggestion['kind']} {suggestion['target']}")
        because = plain(suggestion["reasons"][0])
        click.echo(
            f"{what} could be released ({because}): `countersign release {suggestion['id']}`."
        )
    if not cases:
        click.echo("Nothing waits for approval.")
        return
    table = Table()
    for column in ("id", "action", "for", "approvals", "status", "time left"):
        table.add_column(column)
    for case in cases:
        votes, status = progress(ledger, case, now), standing(ledger, case, now)
        left = f"{max(0, case.proposal.deadline - now)} s"
        what = readable(case.proposal.kind, case.words)
        ttl = f"{case.proposal.ttl // 60} min"
        table.add_row(case.id.hex()[:12], Text(plain(what)), ttl, votes, status, left)
    Console().print(table)


def _suggestions(settings: Settings, ledger: Ledger, now: float) -> list[dict[str, Any]]:
    """Releases that the responder suggests, of orders that still stand."""
    found = Cache(settings.database).get(SUGGESTIONS) if settings.database.exists() else []
    live = {order.id.hex() for order in ledger.containment(now)}
    return [{**each, "id": each["order"][:12]} for each in found or [] if each["order"] in live]


@click.command()
@click.argument("proposal_id")
@home_option
@json_option
def show(proposal_id: str, home: Path, as_json: bool) -> None:
    """Show every field of a proposal, why it was made and what happened to it.

    Example: countersign show 3f9a1c
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    case = ledger.case(proposal_id)
    evidence = _evidence(settings, case)
    told = statements(ledger, EvidenceStore(settings.evidence))
    if as_json:
        click.echo(json.dumps({**_record(ledger, case, told), "evidence_bundle": evidence}))
        return
    _print_fields(ledger, case)
    _print_reasons(evidence)
    _print_history(ledger, case, told.get(_subject(case), []))


@click.command()
@click.argument("proposal_id")
@home_option
@as_option
@password_option
@yes_option
@click.option("--direct", is_flag=True, help="Send your own transaction instead of a signature.")
def approve(
    proposal_id: str,
    home: Path,
    keystore: str,
    password_file: Path | None,
    yes: bool,
    direct: bool,
) -> None:
    """Sign a proposal after reading all of it.

    The signature goes to the site's inbox, from which the responder carries it to the gate.

    Example: countersign approve 3f9a1c --as operator-1
    """
    _decide("Approval", proposal_id, home, keystore, password_file, yes, direct)


@click.command()
@click.argument("proposal_id")
@home_option
@as_option
@password_option
@yes_option
@click.option("--direct", is_flag=True, help="Send your own transaction instead of a signature.")
def reject(
    proposal_id: str,
    home: Path,
    keystore: str,
    password_file: Path | None,
    yes: bool,
    direct: bool,
) -> None:
    """Sign against a proposal.

    Example: countersign reject 3f9a1c --as operator-2
    """
    _decide("Rejection", proposal_id, home, keystore, password_file, yes, direct)


@click.command()
@click.argument("proposal_id")
@home_option
@as_option
@password_option
@yes_option
def release(
    proposal_id: str, home: Path, keystore: str, password_file: Path | None, yes: bool
) -> None:
    """Sign that a live order end now.

    It ends once enough operators have signed; otherwise it ends by itself at its time to live.

    Example: countersign release 3f9a1c --as operator-1
    """
    _decide("Release", proposal_id, home, keystore, password_file, yes, direct=False)


@click.command()
@click.argument("proposal_id")
@home_option
@as_option
@password_option
@yes_option
def veto(
    proposal_id: str, home: Path, keystore: str, password_file: Path | None, yes: bool
) -> None:
    """Stop a proposal that has not executed (guardians).

    Example: countersign veto 3f9a1c --as guardian
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    case = ledger.case(proposal_id)
    _print_fields(ledger, case)
    account = unlock(settings, keystore, password_file)
    if not ledger.has_role(str(account.address), Role.GUARDIAN):
        raise Permanent(f"{account.address} is not a guardian; ask one, or reject as an operator")
    if yes or click.confirm("Stop this proposal?", abort=True):
        client(settings, account).veto(case.proposal)
    click.echo("Stopped.")


@click.command()
@click.argument("proposal_id")
@home_option
@as_option
@password_option
@yes_option
def withdraw(
    proposal_id: str, home: Path, keystore: str, password_file: Path | None, yes: bool
) -> None:
    """Take back your vote on a proposal for good, by your own transaction.

    What you signed on it counts no more, nor does anything that you sign on it later; a signature
    of yours that is not on the chain yet comes too late.

    Example: countersign withdraw 3f9a1c --as operator-1
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    case = _undecided(ledger, proposal_id)
    _print_fields(ledger, case)
    account = unlock_as(Role.OPERATOR, ledger, settings, keystore, password_file)
    if yes or click.confirm("Withdraw from this proposal for good?", abort=True):
        client(settings, account).withdraw(case.proposal)
    click.echo("Withdrawn: your vote on it counts no more, nor can you vote on it again.")


# ---------------------------------------------------------------- shared


def _undecided(ledger: Ledger, proposal_id: str) -> Case:
    case = ledger.case(proposal_id)
    status = ledger.status(case, ledger.block.time)
    if status not in OPEN:
        raise Permanent(f"the proposal is {status.name}; there is nothing left to decide")
    return case


def _decide(
    decision: Decision,
    proposal_id: str,
    home: Path,
    keystore: str,
    password_file: Path | None,
    yes: bool,
    direct: bool,
) -> None:
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    case = ledger.case(proposal_id)
    status = ledger.status(case, ledger.block.time)
    wanted = {Status.LIVE} if decision == "Release" else OPEN
    if status not in wanted:
        raise Permanent(f"the proposal is {status.name}; there is nothing left to sign")
    _print_fields(ledger, case)
    _print_reasons(_evidence(settings, case))
    account = unlock_as(Role.OPERATOR, ledger, settings, keystore, password_file)
    address = str(account.address)
    if decision != "Release" and address in ledger.withdrawn.get(case.id, ()):
        raise Permanent(f"{address} withdrew from this proposal; ask another operator")
    if not yes:
        click.confirm(f"Sign this as {decision.lower()} with {address}?", abort=True)
    if direct:
        gate = client(settings, account)
        (gate.approve if decision == "Approval" else gate.reject)(case.proposal)
        click.echo("Sent.")
        return
    message = decision_message(decision, case.proposal, case.words, ledger.domain)
    slip = Slip(decision, case.id.hex(), address, sign(account, message).hex())
    Inbox(settings.inbox).put(slip)
    click.echo("Signed; the responder carries it to the gate.")


def _evidence(settings: Settings, case: Case) -> dict[str, Any] | None:
    try:
        return EvidenceStore(settings.evidence).get(case.proposal.evidence)
    except CountersignError:
        return None


def _subject(case: Case) -> Subject:
    return Subject(case.id, case.proposal.target)


def _record(
    ledger: Ledger, case: Case, told: Mapping[Subject, Sequence[Statement]]
) -> dict[str, Any]:
    proposal, words, now = case.proposal, case.words, ledger.block.time
    waiting = ledger.status(case, now) is Status.WAITING
    return {
        "id": case.id.hex(),
        "status": ledger.status(case, now).name,
        "kind": proposal.kind.name,
        "target": words.target,
        "zone": words.zone,
        "criticality": words.criticality,
        "ttl": proposal.ttl,
        "model": proposal.model.hex(),
        "evidence": proposal.evidence.hex(),
        "agent": proposal.agent,
        "deadline": proposal.deadline,
        "proposed_at": case.proposed_at,
        "approvals": sorted(case.approvals),
        "rejections": sorted(case.rejections),
        "withdrawn": sorted(ledger.withdrawn.get(case.id, ())),
        "needed": ledger.needed(case, now),
        "groups_missing": list(ledger.groups_missing(case)),
        "delay": ledger.delay(case, now),
        "executes_from": ledger.earliest(case, now) if waiting else None,
        "until": case.until or None,
        "receipts": [OUTCOMES[s.receipt.outcome] for s in told.get(_subject(case), ())],
    }


def _print_fields(ledger: Ledger, case: Case) -> None:
    """Every field of the typed data, in the order in which the wallet shows it."""
    proposal, words = case.proposal, case.words
    table = Table(show_header=False, title="What you sign", title_justify="left")
    for name, value in (
        ("proposal", case.id.hex()),
        ("action", proposal.kind.name),
        ("target", words.target),
        ("zone", words.zone or "-"),
        ("criticality", str(words.criticality)),
        ("ttl", f"{proposal.ttl} s ({proposal.ttl // 60} min)"),
        ("model", proposal.model.hex()),
        ("evidence", proposal.evidence.hex()),
        ("agent", proposal.agent),
        ("deadline", f"{proposal.deadline} ({stamp(proposal.deadline)} UTC)"),
        ("gate", f"{ledger.domain.gate} on chain {ledger.domain.chain_id}"),
    ):
        table.add_row(name, Text(plain(value)))
    Console().print(table)


def _print_reasons(bundle: dict[str, Any] | None) -> None:
    if bundle is None:
        Console().print("[red]The evidence is not here or was altered: do not sign blindly.[/]")
        return
    console = Console()
    expected = in_words(bundle.get("explanation", {}))
    for title, lines in (("Why:", bundle["reasons"]), ("What the model expects:", expected)):
        if lines:
            console.print(title)
        for line in lines:
            console.print(f"  - {plain(line)}", markup=False, highlight=False)
    for alert in bundle["alerts"][-5:]:
        line = f"  {stamp(alert['time'])}  {sentence(alert)}"
        console.print(plain(line), markup=False, highlight=False)


def _print_history(ledger: Ledger, case: Case, told: Sequence[Statement]) -> None:
    now = ledger.block.time
    click.echo(f"Status: {standing(ledger, case, now)}, {progress(ledger, case, now)} approvals")
    for word, votes in (("approved", case.approvals), ("rejected", case.rejections)):
        for vote in votes.values():
            click.echo(f"  {stamp(vote.time)}  {word} by {vote.operator}")
    for operator in ledger.withdrawn.get(case.id, ()):
        click.echo(f"  withdrawn by {operator}")
    if case.executed_at is not None:
        click.echo(f"  {stamp(case.executed_at)}  order until {stamp(case.until)}")
    for time, receipt, _ in told:
        click.echo(f"  {stamp(time)}  receipt {OUTCOMES[receipt.outcome]}")
