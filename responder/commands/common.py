"""What the operators' commands share: options, the ledger as of now, and keys."""

from __future__ import annotations

from pathlib import Path

import click
from eth_account.signers.local import LocalAccount

from responder.approvals import load_key
from responder.chain.ledger import Ledger
from responder.chain.records import Role
from responder.errors import Permanent
from responder.policy import registered
from responder.settings import DEFAULT_HOME, Settings
from responder.site import client

__all__ = [
    "as_option",
    "home_option",
    "json_option",
    "models_here",
    "open_ledger",
    "password_option",
    "unlock",
    "unlock_as",
    "yes_option",
]

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


def open_ledger(settings: Settings) -> Ledger:
    """The site's gate as of now."""
    gate = client(settings)
    gate.check()
    ledger = Ledger(gate.domain)
    ledger.sync(gate)
    return ledger


def models_here(settings: Settings) -> dict[bytes, str]:
    """Names by hash of the models that were registered here; says so where one is damaged."""
    try:
        return {policy.hash: policy.name for policy in registered(settings.models)}
    except Permanent as error:
        click.echo(f"{error}. Register that model again.", err=True)
        return {}


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


def unlock_as(
    role: Role, ledger: Ledger, settings: Settings, name: str, password_file: Path | None
) -> LocalAccount:
    """The same, of someone who has this role on the gate."""
    account = unlock(settings, name, password_file)
    if not ledger.has_role(str(account.address), role):
        raise Permanent(f"{account.address} is not a current {role.name.lower()} of this gate")
    return account
