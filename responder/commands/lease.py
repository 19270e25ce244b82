"""`countersign lease` and `countersign key`: autonomy signed in advance, and keys to sign with."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from policies.inventory import CRITICALITIES
from responder.approvals import load_key, new_key
from responder.chain.proposal import Lease
from responder.chain.records import Role
from responder.commands.common import (
    as_option,
    home_option,
    json_option,
    open_ledger,
    password_option,
    unlock,
    yes_option,
)
from responder.errors import Permanent
from responder.policy import load_policy
from responder.settings import Settings
from responder.site import client, grant_lease
from responder.view import stamp

__all__ = ["key", "lease"]


@click.group()
def lease() -> None:
    """Grant, show or end the agent's autonomy lease."""


@lease.command()
@home_option
@click.option("--as", "keystores", required=True, multiple=True, help="Each signer's keystore.")
@click.option("--blocks", type=click.IntRange(0), default=0, help="Blocks it may order at once.")
@click.option("--isolations", type=click.IntRange(0), default=0)
@click.option("--revocations", type=click.IntRange(0), default=0)
@click.option("--max-criticality", type=click.Choice(CRITICALITIES), default="low")
@click.option("--max-ttl", type=click.IntRange(1), default=1800, help="Seconds an order may last.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=24.0)
@yes_option
def grant(
    home: Path,
    keystores: tuple[str, ...],
    blocks: int,
    isolations: int,
    revocations: int,
    max_criticality: str,
    max_ttl: int,
    hours: float,
    yes: bool,
) -> None:
    """Let the agent order within a budget without asking, signed by as many operators as it takes.

    It ends by itself; any guardian can end it at once.

    Example: countersign lease grant --as operator-1 --as operator-2 --blocks 20 --hours 8
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    now = ledger.block.time
    terms = Lease(
        agent=str(load_key(settings.keys / "agent.json").address),
        model=load_policy(settings.policy, settings.models).hash,
        blocks=blocks,
        isolations=isolations,
        revocations=revocations,
        max_criticality=CRITICALITIES.index(max_criticality),
        max_ttl=max_ttl,
        expires=now + int(hours * 3600),
        nonce=ledger.block.number,
    )
    _print_terms(terms)
    if not yes:
        click.confirm(f"Sign this with {', '.join(keystores)}?", abort=True)
    signers = [unlock(settings, name, None) for name in keystores]
    for signer in signers:
        if not ledger.has_role(str(signer.address), Role.OPERATOR):
            raise Permanent(f"{signer.address} is not a current operator of this gate")
    grant_lease(settings, signers, terms)
    click.echo("Granted.")


@lease.command("show")
@home_option
@json_option
def show_lease(home: Path, as_json: bool) -> None:
    """Show the live lease and what is left of it."""
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    agent = str(load_key(settings.keys / "agent.json").address)
    entry = ledger.live_lease(agent, ledger.block.time)
    if as_json:
        record = entry and {
            "id": entry.id.hex(),
            "expires": entry.lease.expires,
            "budgets": list(entry.lease.budgets),
            "spent": entry.spent,
            "signers": list(entry.signers),
        }
        click.echo(json.dumps(record))
    elif entry is None:
        click.echo("No lease is live: every proposal needs operators.")
    else:
        _print_terms(entry.lease)
        click.echo(f"Spent (blocks, isolations, revocations): {entry.spent}")


@lease.command()
@home_option
@as_option
@password_option
def end(home: Path, keystore: str, password_file: Path | None) -> None:
    """End the agent's lease at once (guardians).

    Example: countersign lease end --as guardian
    """
    settings = Settings.load(home)
    agent = str(load_key(settings.keys / "agent.json").address)
    client(settings, unlock(settings, keystore, password_file)).end_lease(agent)
    click.echo("Ended: every proposal needs operators now.")


@click.group()
def key() -> None:
    """Make an operator's key."""


@key.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.password_option(help="Asked for when not given.")
def new(path: Path, password: str) -> None:
    """Make a key in an encrypted keystore (Web3 Secret Storage) and print its address.

    Example: countersign key new alice.json
    """
    if path.exists():
        raise Permanent(f"{path} exists; a key is never overwritten")
    click.echo(new_key(path, password))


def _print_terms(terms: Lease) -> None:
    table = Table(show_header=False, title="Lease", title_justify="left")
    for name, value in (
        ("agent", terms.agent),
        ("model", terms.model.hex()),
        ("blocks", str(terms.blocks)),
        ("isolations", str(terms.isolations)),
        ("revocations", str(terms.revocations)),
        ("maxCriticality", f"{terms.max_criticality} ({CRITICALITIES[terms.max_criticality]})"),
        ("maxTtl", f"{terms.max_ttl} s"),
        ("expires", f"{terms.expires} ({stamp(terms.expires)} UTC)"),
        ("nonce", str(terms.nonce)),
    ):
        table.add_row(name, value)
    Console().print(table)
