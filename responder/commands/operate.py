"""Operators at the command line: see what waits, read all of what they sign, and sign it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from eth_account.signers.local import LocalAccount
from rich.console import Console
from rich.table import Table
from rich.text import Text

from responder.approvals import Inbox, Slip, load_key, sign
from responder.chain.ledger import Case, Ledger, Role, Status
from responder.chain.proposal import Decision, decision_message
from responder.errors import CountersignError, Permanent
from responder.evidence import EvidenceStore
from responder.settings import DEFAULT_HOME, Settings
from responder.site import client
from responder.view import OUTCOMES, plain, readable, sentence, stamp

__all__ = ["approve", "open_ledger", "pending", "reject", "release", "show", "unlock", "veto"]

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=DEFAULT_HOME,
    show_default=True,
    help="Folder of the site.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
as_option = click.option(
    "--as",
    "keystore",
    required=True,
    help="Your keystore: a file, or a name in the site's keys folder.",
)
password_option = click.option(
    "--password-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Where the keystore's password is; you are asked without it.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask again.")


@click.command()
@home_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Also what is decided already.")
def pending(home: Path, as_json: bool, everything: bool) -> None:
    """List proposals that wait for operators.

    Example: countersign pending --json
    """
    ledger = open_ledger(Settings.load(home))
    now = ledger.block.time
    cases = list(ledger.cases.values()) if everything else ledger.open_cases(now)
    if as_json:
        click.echo(json.dumps([_record(ledger, case) for case in cases]))
        return
    if not cases:
        click.echo("Nothing waits for approval.")
        return
    table = Table()
    for column in ("id", "action", "for", "approvals", "status", "time left"):
        table.add_column(column)
    for case in cases:
        votes = f"{ledger.current(case.approvals)} of {ledger.needed(case)}"
        left = f"{max(0, case.proposal.deadline - now)} s"
        what = readable(case.proposal.kind, case.words)
        status = ledger.status(case, now).name
        ttl = f"{case.proposal.ttl // 60} min"
        table.add_row(case.id.hex()[:12], Text(plain(what)), ttl, votes, status, left)
    Console().print(table)


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
    if as_json:
        click.echo(json.dumps({**_record(ledger, case), "evidence_bundle": evidence}))
        return
    _print_fields(ledger, case)
    _print_reasons(evidence)
    _print_history(ledger, case)


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


# ---------------------------------------------------------------- shared


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
    wanted = {Status.LIVE} if decision == "Release" else {Status.PENDING, Status.READY}
    if status not in wanted:
        raise Permanent(f"the proposal is {status.name}; there is nothing left to sign")
    _print_fields(ledger, case)
    _print_reasons(_evidence(settings, case))
    account = unlock(settings, keystore, password_file)
    address = str(account.address)
    if not ledger.has_role(address, Role.OPERATOR):
        raise Permanent(f"{address} is not a current operator of this gate")
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


def open_ledger(settings: Settings) -> Ledger:
    """The site's gate as of now."""
    gate = client(settings)
    gate.check()
    ledger = Ledger(gate.domain)
    ledger.sync(gate)
    return ledger


def unlock(settings: Settings, name: str, password_file: Path | None) -> LocalAccount:
    """Decrypts a keystore given by path, or by its name in the site's keys folder."""
    return load_key(_keystore(settings, name), _password(settings, name, password_file))


def _keystore(settings: Settings, name: str) -> Path:
    in_site = settings.keys / f"{name}.json"
    return in_site if in_site.exists() else Path(name)


def _password(settings: Settings, name: str, password_file: Path | None) -> str | None:
    if password_file is not None:
        return password_file.read_text("utf-8").strip()
    if _keystore(settings, name).with_suffix(".password").exists():
        return None  # the one beside it
    answer: str = click.prompt("Password", hide_input=True)
    return answer


def _evidence(settings: Settings, case: Case) -> dict[str, Any] | None:
    try:
        return EvidenceStore(settings.evidence).get(case.proposal.evidence)
    except CountersignError:
        return None


def _record(ledger: Ledger, case: Case) -> dict[str, Any]:
    proposal, words = case.proposal, case.words
    return {
        "id": case.id.hex(),
        "status": ledger.status(case, ledger.block.time).name,
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
        "needed": ledger.needed(case),
        "until": case.until or None,
        "receipts": [OUTCOMES[r.outcome] for r in case.receipts],
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
    console.print("Why:")
    for reason in bundle["reasons"]:
        console.print(f"  - {plain(reason)}", markup=False, highlight=False)
    for alert in bundle["alerts"][-5:]:
        line = f"  {stamp(alert['time'])}  {sentence(alert)}"
        console.print(plain(line), markup=False, highlight=False)


def _print_history(ledger: Ledger, case: Case) -> None:
    status = ledger.status(case, ledger.block.time)
    click.echo(f"Status: {status.name}, {len(case.approvals)} of {ledger.needed(case)} approvals")
    for word, votes in (("approved", case.approvals), ("rejected", case.rejections)):
        for vote in votes.values():
            click.echo(f"  {stamp(vote.time)}  {word} by {vote.operator}")
    if case.executed_at is not None:
        click.echo(f"  {stamp(case.executed_at)}  order until {stamp(case.until)}")
    for receipt in case.receipts:
        click.echo(f"  {stamp(receipt.time)}  receipt {OUTCOMES[receipt.outcome]}")
