"""`countersign inventory`: what a site consists of."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
import yaml

from policies.inventory import Inventory, InventoryError
from responder.commands.common import json_option
from responder.errors import Permanent
from responder.files import write_atomically
from responder.importing import FORMATS, Imported, read_inventory
from responder.view import plain

__all__ = ["inventory"]

_TOLD = 20  # lines about what was left out
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@click.group()
def inventory() -> None:
    """Make the inventory of a site."""


@inventory.command("import")
@click.option(
    "--from",
    "format",
    type=click.Choice(FORMATS),
    required=True,
    help="What FILE is: a Kyoushi testbed's servers.yaml, a table, or the XML of a scan.",
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the inventory; may be left out with --json.",
)
@click.option("--force", is_flag=True, help="Write over an existing file.")
@json_option
def import_inventory(
    format: str, file: Path, output: Path | None, force: bool, as_json: bool
) -> None:
    """Make an inventory from what a site has already.

    kyoushi: every server and workstation but the attacker's, with zones by group. csv: a header
    with the column id, and any of zone, criticality, protected, addresses, names and pool; several
    addresses or names in a cell are separated by semicolons. nmap: the hosts that are up, as
    written by -oX, all in the zone "default".

    Where two hosts have the same name or address, the first keeps it, and stderr tells. Look
    through the file before use: but for a table, nothing says what is critical or must never be cut
    off, and what an earlier inventory said of that is not taken over.

    Example: countersign inventory import --from nmap scan.xml -o inventory.yaml
    """
    if output is None and not as_json:
        raise click.UsageError("say where to write with -o, or print with --json")
    if output is not None and output.exists() and not force:
        raise Permanent(f"{output} exists; give another name, or --force to write over it")
    imported = read_inventory(file, format)
    if output is not None:
        write_atomically(output, _document(imported.inventory, file.name))
    if as_json:
        click.echo(json.dumps(_record(imported)))
    _tell(imported)
    if output is not None:
        click.echo(f"{len(imported.inventory.assets)} assets written to {output}", err=as_json)


def _document(made: Inventory, origin: str) -> bytes:
    """The YAML. Raises Permanent if it is more than can be read again."""
    data = {key: value for key, value in made.to_mapping().items() if value}
    head = f"# From {plain(origin)}, by countersign inventory import.\n"
    text = head + yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    document = text.encode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inventory.yaml"
        path.write_bytes(document)
        try:
            again = Inventory.load(path)
        except InventoryError as error:
            reason = f"what {origin} says is too much for one inventory: {error.reason}"
            raise Permanent(f"{plain(reason)}; import it in parts") from error
    if again != made:
        raise Permanent(f"the inventory of {plain(origin)} does not read as it was written")
    return document


def _record(imported: Imported) -> dict[str, Any]:
    left_out = [{"where": e.where, "what": e.what, "why": e.why} for e in imported.left_out]
    return {"inventory": imported.inventory.to_mapping(), "left_out": left_out}


def _tell(imported: Imported) -> None:
    for entry in imported.left_out[:_TOLD]:
        click.echo(f"left out, {entry.where}: {entry.what} ({entry.why})", err=True)
    if len(imported.left_out) > _TOLD:
        click.echo(f"and {len(imported.left_out) - _TOLD} more; --json has them all", err=True)
