"""`countersign feeds`: what comes in from where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from responder.commands.common import home_option, json_option
from responder.settings import Settings
from responder.store import Cache
from responder.view import plain

__all__ = ["feeds"]

_NAMED = 8  # hosts that are in no inventory, the loudest
_COUNTED = ("lines", "alerts", "ignored", "malformed", "oversized", "lost")


@click.command()
@home_option
@json_option
def feeds(home: Path, as_json: bool) -> None:
    """Show what each feed brought since the responder started, and what is wrong with it; which
    sensors fell silent, and which hosts no inventory knows.

    Example: countersign feeds --json
    """
    settings = Settings.load(home)
    cache = Cache(settings.database)
    beat = cache.get("heartbeat") or {}
    cache.close()
    silent, unknown = beat.get("silent", []), beat.get("unknown_assets", {})
    found = [_with_complaint(feed, beat["complaints"]) for feed in beat.get("feeds", [])]
    if as_json:
        told = {"feeds": found, "silent_sensors": silent, "unknown_assets": unknown}
        click.echo(json.dumps(told))
        return
    if not found:
        click.echo("The responder has read nothing yet; start it with `countersign run`.")
        return
    table = Table()
    for column in ("feed", *_COUNTED, "silent for", "note"):
        table.add_column(column)
    for feed in found:
        counted = (f"{feed[name]:,}" for name in _COUNTED)
        silent = "-" if feed["silent_for"] is None else f"{feed['silent_for']:.0f} s"
        note = feed["complaint"] or feed["last_reason"]
        table.add_row(Text(plain(feed["name"])), *counted, silent, Text(plain(note)))
    Console().print(table)
    if silent:
        click.echo(f"Usually heard and silent now: {plain(', '.join(silent))}.")
    if unknown:
        loudest = sorted(unknown, key=lambda name: -unknown[name])[:_NAMED]
        click.echo(f"{len(unknown)} hosts are in no inventory: {plain(', '.join(loudest))}.")


def _with_complaint(feed: dict[str, Any], complaints: dict[str, str]) -> dict[str, Any]:
    return {**feed, "complaint": complaints.get(f"feed {feed['name']}", "")}
