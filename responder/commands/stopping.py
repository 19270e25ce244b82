"""`countersign pause` and `countersign resume`: any guardian stops everything, several operators
let it go on.
"""

from __future__ import annotations

from pathlib import Path

import click

from responder.approvals import Inbox, Slip
from responder.chain.records import Role
from responder.commands.common import (
    as_option,
    home_option,
    open_ledger,
    password_option,
    unlock_as,
    yes_option,
)
from responder.errors import Permanent
from responder.settings import Settings
from responder.site import client

__all__ = ["pause", "resume"]


@click.command()
@home_option
@as_option
@password_option
@yes_option
def pause(home: Path, keystore: str, password_file: Path | None, yes: bool) -> None:
    """Let nothing be proposed or executed until operators resume (guardians).

    What is ordered stays ordered and ends by itself.

    Example: countersign pause --as guardian
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    if ledger.paused:
        raise Permanent("the gate is paused already; operators `countersign resume` it")
    account = unlock_as(Role.GUARDIAN, ledger, settings, keystore, password_file)
    if yes or click.confirm("Pause the gate, also for what is approved?", abort=True):
        client(settings, account).pause()
    needed = ledger.limits.release_quorum
    click.echo(f"Paused. It takes {needed} operators to `countersign resume`.")


@click.command()
@home_option
@as_option
@password_option
@yes_option
def resume(home: Path, keystore: str, password_file: Path | None, yes: bool) -> None:
    """Sign that a pause end.

    The responder carries the signatures to the gate once enough operators have signed.

    Example: countersign resume --as operator-1
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    if not ledger.paused:
        raise Permanent("the gate is not paused; there is nothing to resume")
    account = unlock_as(Role.OPERATOR, ledger, settings, keystore, password_file)
    if not yes:
        click.confirm(f"Sign with {account.address} that pause {ledger.pauses} end?", abort=True)
    inbox = Inbox(settings.inbox)
    slip = Slip.on(ledger.pauses, account, ledger.domain)
    inbox.put(slip)
    signed = sum(other.subject == slip.subject for other in inbox.slips())
    click.echo(f"Signed, {signed} of {ledger.limits.release_quorum}; the responder carries it.")
