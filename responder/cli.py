"""The `countersign` command: a group of sub-commands that each folder offers as entry points.

A sub-command is imported only when it is called, so the live side runs without the training side's
libraries, and `countersign --help` imports none of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from policies.inventory import InventoryError
from responder.errors import CountersignError

__all__ = ["COMMANDS", "LazyGroup", "main"]

COMMANDS = "countersign.commands"
OWN_PACKAGES = frozenset({"policies", "responder", "rl_env"})


class LazyGroup(click.Group):
    """A group whose sub-commands are the entry points of `COMMANDS`, loaded when called.

    Its `invoke` is the one place where errors become a line on stderr and exit code 1.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry_points(group=COMMANDS).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _entry(cmd_name)
        if entry is None:
            return None
        with _advising(lambda: entry):
            command = entry.load()
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.value} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(entry.name, _short_help(entry)) for entry in entry_points(group=COMMANDS)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(sorted(rows))

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.params["debug"]:
            return super().invoke(ctx)
        try:
            with _advising(lambda: _entry(ctx.invoked_subcommand or "")):
                return super().invoke(ctx)
        except (CountersignError, InventoryError) as error:
            raise click.ClickException(str(error)) from error


def _entry(name: str) -> EntryPoint | None:
    return next(iter(entry_points(group=COMMANDS, name=name)), None)


@contextmanager
def _advising(called: Callable[[], EntryPoint | None]) -> Iterator[None]:
    """Says which extra brings a missing library. A missing module of this project is a bug."""
    try:
        yield
    except ModuleNotFoundError as error:
        entry = called()
        if entry is None or error.name is None or error.name.split(".")[0] in OWN_PACKAGES:
            raise
        package = f"countersign[{','.join(entry.extras)}]" if entry.extras else "countersign"
        raise click.ClickException(
            f"`countersign {entry.name}` needs the module {error.name}: pip install '{package}'"
        ) from error


def _short_help(entry: EntryPoint) -> str:
    """First line of the command function's docstring, read from the source without importing it."""
    source = _source(entry.module)
    if source is None:
        return ""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return (ast.get_docstring(node) or "").partition("\n")[0].rstrip(".")
    return ""


def _source(module: str) -> Path | None:
    """Where `module` is written; only its top package is looked up, since that imports nothing."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return None
    base = Path(spec.submodule_search_locations[0], *rest)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="countersign")
def main(debug: bool) -> None:
    """An AI may propose. People countersign. The contract decides. The network obeys."""
