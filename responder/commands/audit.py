"""`countersign audit`: check the record."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from responder.audit import AuditFailed
from responder.audit import audit as run_audit
from responder.evidence import EvidenceStore
from responder.settings import DEFAULT_HOME, Settings
from responder.site import client
from responder.view import summary

__all__ = ["audit"]


@click.group()
def audit() -> None:
    """Check the on-chain record and the evidence behind it."""


@audit.command()
@click.option("--home", type=click.Path(path_type=Path), default=DEFAULT_HOME, show_default=True)
@click.option("--chain-only", is_flag=True, help="Do not look at the evidence store.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def verify(home: Path, chain_only: bool, as_json: bool) -> None:
    """Re-check hash chain, signatures, quorums, guardrails, models, receipts and evidence.

    Exits with 1 and names the first thing that is wrong.

    Example: countersign audit verify --json
    """
    settings = Settings.load(home)
    gate = client(settings)
    gate.check()
    try:
        report = run_audit(gate, None if chain_only else EvidenceStore(settings.evidence))
    except AuditFailed as error:
        if as_json:
            click.echo(json.dumps({"audit": "failed", "first": str(error)}))
        else:
            click.secho(f"audit failed: {error}", fg="red", err=True)
        raise SystemExit(1) from error
    record = {"audit": "ok", **asdict(report)}
    if as_json:
        click.echo(json.dumps(record))
    else:
        from rich.console import Console

        Console().print(summary(record))
