"""`countersign replay`: what would have been proposed on recorded alerts."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from policies.inventory import Inventory, InventoryError
from policies.picture import Picture
from policies.policy import Policy, Verb
from responder.decision import Decision, entry
from responder.errors import Permanent
from responder.evidence import canonical
from responder.policy import load_policy
from responder.replay import Recorded, replay
from responder.sensors import format_of
from responder.sensors.tactics import Tactics
from responder.view import plain, stamp

__all__ = ["replay_command"]

_NAMED = 5  # targets, in the table
_DAY = 86400.0


@click.command("replay")
@click.argument("alerts", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--inventory", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True
)
@click.option("--format", "format_", help="Found out from the first lines without it.")
@click.option(
    "--tactics",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Rules of your own that say what alerts mean, before the shipped ones.",
)
@click.option("--policy", default="playbook", show_default=True, help="Model or baseline.")
@click.option("--compare", multiple=True, metavar="POLICY", help="Another, beside it.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the decisions, one JSON object a line; without it they are printed.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
def replay_command(
    alerts: Path,
    inventory: Path,
    format_: str | None,
    tactics: Path | None,
    policy: str,
    compare: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Run recorded alerts through picture and policy, without a chain.

    Says what would have been proposed had people approved everything at once. Nothing is enforced.
    Same alerts, inventory and policy: same decisions, byte for byte.

    \b
    Examples:
      countersign replay alerts.csv.xz --format ait --inventory site.yaml --out decisions.jsonl
      countersign replay eve.json --inventory site.yaml --compare default
    """
    try:
        site = Inventory.load(inventory)
        policies = _policies([policy, *compare])
        began = time.monotonic()
        with ExitStack() as stack:
            file = stack.enter_context(out.open("w", encoding="utf-8")) if out else sys.stdout
            recorded = _load(alerts, format_ or format_of(alerts), tactics)
            summaries = [
                _run(recorded, site, each, file, compared=bool(compare)) for each in policies
            ]
    except InventoryError as error:
        raise Permanent(str(error)) from error
    except OSError as error:
        raise Permanent(f"cannot write {out}: {error.strerror}") from error
    result = _result(recorded, summaries, time.monotonic() - began)
    if as_json:
        click.echo(json.dumps(result))
    else:
        _show(result)


def _policies(names: Sequence[str]) -> list[Policy]:
    found = [load_policy(name) for name in names]
    if len({policy.name for policy in found}) < len(found):
        raise Permanent("--compare: two of the policies have one name, so nothing tells them apart")
    return found


def _load(alerts: Path, format: str, tactics: Path | None) -> Recorded:
    rules = Tactics.load(tactics) if tactics else None
    with click.progressbar(
        length=0, label="reading", file=sys.stderr, show_eta=False, show_percent=False
    ) as bar:
        return Recorded.load(alerts, format, bar.update, rules)


def _run(
    recorded: Recorded, site: Inventory, policy: Policy, file: TextIO, compared: bool
) -> dict[str, Any]:
    """Replays with one policy, writes its decisions and sums them up."""
    made: list[Decision] = []

    def hear(decision: Decision) -> None:
        made.append(decision)
        said = entry(decision)
        if compared:
            said["policy"] = policy.name
        file.write(canonical(said).decode() + "\n")

    with click.progressbar(length=len(recorded.alerts), label=policy.name, file=sys.stderr) as bar:
        picture = replay(recorded, site, policy, hear, bar.update)
    return _summary(policy, made, picture)


def _summary(policy: Policy, made: Sequence[Decision], picture: Picture) -> dict[str, Any]:
    ordered = [d for d in made if d.verb is Verb.ORDER]
    return {
        "policy": policy.name,
        "hash": policy.hash.hex(),
        "proposals": dict(Counter(d.action.kind.name for d in ordered)),
        "releases": len(made) - len(ordered),
        "targets": {
            kind: list(
                dict.fromkeys(d.action.target for d in ordered if d.action.kind.name == kind)
            )
            for kind in sorted({d.action.kind.name for d in ordered})
        },
        "unknown_assets": picture.unknown_assets,
    }


def _result(recorded: Recorded, summaries: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    counters, first, last = recorded.counters, recorded.alerts[0].time, recorded.alerts[-1].time
    return {
        "lines": counters.lines,
        "alerts": counters.alerts,
        "ignored": counters.ignored,
        "malformed": counters.malformed,
        "last_reason": counters.last_reason,
        "first": first,
        "last": last,
        "seconds": round(seconds, 2),
        "policies": summaries,
    }


def _show(result: dict[str, Any]) -> None:
    days = (result["last"] - result["first"]) / _DAY
    console = Console()
    console.print(
        f"{result['alerts']:,} alerts of {days:.1f} days, {stamp(result['first'])} to "
        f"{stamp(result['last'])} UTC, in {result['seconds']:.1f} s",
        highlight=False,
    )
    if result["malformed"]:
        console.print(f"{result['malformed']:,} malformed lines, such as: {result['last_reason']}")
    table = Table()
    for column in ("policy", "kind", "proposals", "a day", "targets"):
        table.add_column(column)
    for summary in result["policies"]:
        for kind, count in summary["proposals"].items():
            targets = summary["targets"][kind]
            named = ", ".join(targets[:_NAMED]) + (", ..." if len(targets) > _NAMED else "")
            a_day = f"{count / max(days, 1.0):.1f}"
            table.add_row(summary["policy"], kind, f"{count:,}", a_day, escape(plain(named)))
        if not summary["proposals"]:
            table.add_row(summary["policy"], "-", "0", "0", "nothing is proposed")
        if summary["releases"]:
            table.add_row(summary["policy"], "release", f"{summary['releases']:,}", "", "")
    console.print(table)
    unknown = result["policies"][0]["unknown_assets"]
    if unknown:
        most = sorted(unknown, key=lambda name: -unknown[name])
        names = ", ".join(plain(name) for name in most[:_NAMED])
        console.print(
            f"{len(unknown):,} hosts are in no inventory, the loudest: {escape(names)}",
            highlight=False,
        )
