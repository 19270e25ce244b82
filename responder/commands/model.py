"""`countersign model`: which models the gate takes proposals of, by several operators' decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from responder.approvals import Activation, Inbox, Slip
from responder.chain.ledger import Ledger
from responder.chain.records import Role
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
from responder.errors import Permanent
from responder.policy import card_hash, load_policy, register
from responder.settings import Settings
from responder.site import client
from responder.view import plain, stamp

__all__ = ["model"]

_SIGNED_SECONDS = 86_400  # until when an activation must be on the chain


@click.group()
def model() -> None:
    """Register, list, activate or deactivate the models whose proposals the gate takes."""


@model.command("register")
@click.argument("folder", type=click.Path(path_type=Path))
@home_option
@json_option
def register_model(folder: Path, home: Path, as_json: bool) -> None:
    """Check a model folder wholly and put it to the operators.

    It is copied to the site's models, where `countersign pending` and `countersign model list` show
    it. The gate takes its proposals once enough operators `countersign model approve` it, and the
    responder proposes by it once the settings name it.

    Example: countersign model register models/mine
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    policy = register(folder, settings.models)
    active, needed = ledger.is_active(policy.hash), ledger.limits.model_quorum
    record = {
        "name": policy.name,
        "model": policy.hash.hex(),
        "card": card_hash(policy.name, settings.models).hex(),
        "observation_version": policy.manifest["observation_version"],
        "evaluation": policy.manifest.get("evaluation"),
        "active": active,
        "signatures_needed": needed,
    }
    if as_json:
        click.echo(json.dumps(record))
        return
    table = Table(show_header=False, title="What operators are asked for", title_justify="left")
    shown = {k: record[k] for k in ("name", "model", "card", "observation_version")}
    for key, value in {**shown, **_figures(record["evaluation"])}.items():
        table.add_row(Text(plain(key)), Text(plain(str(value))))
    Console().print(table)
    ask = f"{needed} operators have to `countersign model approve {policy.name}`."
    click.echo("The gate takes its proposals already." if active else ask)


@model.command("list")
@home_option
@json_option
def list_models(home: Path, as_json: bool) -> None:
    """List models that are or were active, and those that wait for operators.

    Example: countersign model list --json
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    records = _records(ledger, Inbox(settings.inbox).slips(), models_here(settings))
    if as_json:
        click.echo(json.dumps(records))
        return
    table = Table()
    columns = ("name", "model", "active", "revision", "approved by", "signed for the next")
    for column in columns:
        table.add_column(column)
    for record in records:
        table.add_row(
            Text(record["name"] or "-"),
            record["model"][:16],
            "yes" if record["active"] else "no",
            str(record["revision"]),
            ", ".join(who[:10] for who in record["approvers"]),
            f"{len(record['signed'])} of {ledger.limits.model_quorum}",
        )
    Console().print(table)


@model.command()
@click.argument("name")
@home_option
@as_option
@password_option
@yes_option
@click.option("--card", help="SHA-256 of the model card, for a model given by its hash.")
def approve(
    name: str, home: Path, keystore: str, password_file: Path | None, yes: bool, card: str | None
) -> None:
    """Sign that the gate take a model's proposals.

    NAME is that of a registered or shipped model, a folder, or a hash with --card. The responder
    carries the signatures to the gate once enough operators have signed; `countersign model
    activate` does so at once.

    Example: countersign model approve default --as operator-1
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    inbox = Inbox(settings.inbox)
    model_hash, card_digest = _hashes(name, card, settings)
    known = ledger.models.get(model_hash)
    if known and known.active and known.card == card_digest:
        raise Permanent(f"{name} is active already, with this card")
    terms = _terms(ledger, inbox, model_hash, card_digest)
    _print_terms(terms)
    account = unlock_as(Role.OPERATOR, ledger, settings, keystore, password_file)
    if not yes:
        click.confirm(f"Sign this with {account.address}?", abort=True)
    slip = Slip.on(terms, account, ledger.domain)
    inbox.put(slip)
    signed = sum(other.subject == slip.subject for other in inbox.slips())
    click.echo(f"Signed, {signed} of {ledger.limits.model_quorum}; the responder carries it.")


@model.command()
@click.argument("name")
@home_option
@click.option("--as", "keystore", default="relayer", show_default=True, help="Who pays for it.")
@password_option
def activate(name: str, home: Path, keystore: str, password_file: Path | None) -> None:
    """Send the signatures that were gathered for a model, without waiting for the responder.

    Example: countersign model activate default
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    model_hash, _ = _hashes(name, None, settings)
    groups: dict[Activation, list[Slip]] = {}
    for slip in Inbox(settings.inbox).slips():
        terms = slip.about()
        if isinstance(terms, Activation) and terms.model == model_hash:
            groups.setdefault(terms, []).append(slip)
    needed = ledger.limits.model_quorum
    ready = [terms for terms, slips in groups.items() if len(slips) >= needed]
    if not ready:
        most = max(map(len, groups.values()), default=0)
        raise Permanent(
            f"{most} of {needed} signatures are here; operators `countersign model approve {name}`"
        )
    terms = ready[0]
    signatures = [(slip.operator, slip.signature_bytes) for slip in groups[terms]]
    gate = client(settings, unlock(settings, keystore, password_file))
    gate.activate_model(terms.model, terms.card, terms.revision, terms.deadline, signatures)
    click.echo("Active: the gate takes its proposals.")


@model.command()
@click.argument("name")
@home_option
@as_option
@password_option
@yes_option
def deactivate(name: str, home: Path, keystore: str, password_file: Path | None, yes: bool) -> None:
    """Let the gate take no more proposals of a model, nor execute those that wait (guardians).

    Example: countersign model deactivate default --as guardian
    """
    settings = Settings.load(home)
    ledger = open_ledger(settings)
    model_hash, _ = _hashes(name, None, settings)
    if not ledger.is_active(model_hash):
        raise Permanent(f"{name} is not active; see `countersign model list`")
    account = unlock_as(Role.GUARDIAN, ledger, settings, keystore, password_file)
    if yes or click.confirm(f"Deactivate {name} ({model_hash.hex()[:16]}...)?", abort=True):
        client(settings, account).deactivate_model(model_hash)
    click.echo("Deactivated.")


# ---------------------------------------------------------------- parts


def _hashes(name: str, card: str | None, settings: Settings) -> tuple[bytes, bytes]:
    """Of the model and its card; a hash without a card has an empty one."""
    digits = name.removeprefix("0x")
    if len(digits) != 64:
        return load_policy(name, settings.models).hash, card_hash(name, settings.models)
    try:
        made = bytes.fromhex(digits), bytes.fromhex((card or "").removeprefix("0x"))
    except ValueError as error:
        raise Permanent(f"{name}: not a hash in hexadecimal") from error
    if card is not None and len(made[1]) != 32:
        raise Permanent("--card: expected 32 bytes in hexadecimal")
    return made


def _terms(ledger: Ledger, inbox: Inbox, model_hash: bytes, card: bytes) -> Activation:
    """What others have signed already, as long as it can count; else new terms."""
    if len(card) != 32:
        raise Permanent("give --card, the SHA-256 of the model card, with a model's hash")
    known = ledger.models.get(model_hash)
    revision, now = (known.revision if known else 0) + 1, ledger.block.time
    for slip in inbox.slips():
        terms = slip.about()
        if not isinstance(terms, Activation) or terms.deadline <= now:
            continue
        if (terms.model, terms.card, terms.revision) == (model_hash, card, revision):
            return terms
    wait = min(_SIGNED_SECONDS, ledger.limits.max_lease - ledger.limits.max_lease // 10)
    return Activation(model_hash, card, revision, now + wait)


def _records(ledger: Ledger, slips: list[Slip], names: dict[bytes, str]) -> list[dict[str, Any]]:
    signed: dict[bytes, list[str]] = {}
    for slip in slips:
        terms = slip.about()
        if isinstance(terms, Activation):
            signed.setdefault(terms.model, []).append(slip.operator)
    records = []
    for model_hash in dict.fromkeys((*ledger.models, *signed, *names)):
        known = ledger.models.get(model_hash)
        records.append(
            {
                "name": names.get(model_hash),
                "model": model_hash.hex(),
                "active": bool(known and known.active),
                "card": known.card.hex() if known else None,
                "revision": known.revision if known else 0,
                "approvers": list(known.approvers) if known else [],
                "signed": sorted(signed.get(model_hash, [])),
            }
        )
    return records


def _figures(evaluation: Any) -> dict[str, Any]:
    """What a manifest claims of the model's evaluation, as far as it fits a short table: plain
    values, and of each policy that took part its mean return and its normalised score.
    """
    if not isinstance(evaluation, dict):
        return {"evaluation": "none"}
    found = {k: v for k, v in evaluation.items() if isinstance(v, str | int | float)}
    for part, figure in (("policies", "mean_return"), ("scores", "iqm")):
        by_policy = evaluation.get(part)
        for name, figures in by_policy.items() if isinstance(by_policy, dict) else ():
            if isinstance(figures, dict) and isinstance(figures.get(figure), int | float):
                found[f"{figure} of {name}"] = round(figures[figure], 3)
    return found


def _print_terms(terms: Activation) -> None:
    table = Table(show_header=False, title="What you sign", title_justify="left")
    for name, value in (
        ("model", terms.model.hex()),
        ("card", terms.card.hex()),
        ("revision", str(terms.revision)),
        ("deadline", f"{terms.deadline} ({stamp(terms.deadline)} UTC)"),
    ):
        table.add_row(name, value)
    Console().print(table)
