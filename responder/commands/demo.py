"""`countersign demo` and `countersign up`: the whole system on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from policies.inventory import Inventory
from responder.approvals import keystore_address
from responder.audit import AuditFailed, audit
from responder.chain.ledger import Ledger
from responder.chain.records import Status
from responder.demo import Conductor, Recording
from responder.errors import Permanent
from responder.evidence import EvidenceStore
from responder.sensors import format_of
from responder.settings import DEFAULT_HOME
from responder.site import OPERATORS, client
from responder.view import Timeline, orders, summary

__all__ = ["demo", "up"]

_SIMULATED_MINUTES = 90
_SIMULATED_SPEED = 300.0
_RECORDED_SPEED = 6000.0


def _feed_options(command: Any) -> Any:
    for option in (
        click.option("--policy", default="playbook", show_default=True, help="Model or baseline."),
        click.option("--seed", default=37, show_default=True, help="Of the simulated network."),
        click.option("--speed", type=click.FloatRange(min=1), help="Seconds of alerts per second."),
        click.option(
            "--format",
            "format_",
            help="Of the alerts, or a mapping file; found out from their first lines without it.",
        ),
        click.option("--inventory", type=click.Path(path_type=Path, exists=True)),
        click.option(
            "--alerts",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="Recorded alerts (also .gz, .xz); a simulated network without it.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@_feed_options
@click.option("--home", type=click.Path(path_type=Path), help="Keep the site here afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def demo(
    alerts: Path | None,
    inventory: Path | None,
    format_: str | None,
    speed: float | None,
    seed: int,
    policy: str,
    home: Path | None,
    as_json: bool,
) -> None:
    """Show the whole loop: alerts, proposals, signatures, orders, receipts, audit.

    Starts a devnet, deploys, runs the responder on an alert feed, lets scripted operators sign with
    real keys, and enforces in dry-run. Without --alerts the feed is a simulated network that is
    attacked.

    \b
    Examples:
      countersign demo
      countersign demo --alerts alerts.csv.xz --format ait --inventory site.yaml --speed 6000
    """
    started = time.monotonic()
    with _home(home) as place:
        recording, site = _recording(place, alerts, inventory, format_, seed, as_json)
        timeline = Timeline(Console(), EvidenceStore(place / "evidence"), quiet=as_json)
        pace = speed or (_SIMULATED_SPEED if alerts is None else _RECORDED_SPEED)
        ledger, verdict = _perform(place, site, recording, pace, policy, timeline)
        result = _result(ledger, timeline, verdict, time.monotonic() - started)
    if as_json:
        click.echo(json.dumps(result))
    else:
        Console().print(orders(result["ordered"]), summary(result), sep="\n")
    if verdict != "ok":
        raise SystemExit(1)


@click.command()
@_feed_options
@click.option("--home", type=click.Path(path_type=Path), default=DEFAULT_HOME, show_default=True)
def up(
    alerts: Path | None,
    inventory: Path | None,
    format_: str | None,
    speed: float | None,
    seed: int,
    policy: str,
    home: Path,
) -> None:
    """Run the same services until interrupted, with you as the operators.

    While a proposal waits, time runs at its own pace. In another terminal: countersign pending,
    show, approve, reject. Each start is a fresh devnet; --home is emptied of the last one.

    Example: countersign up --speed 60
    """
    for old in ("manifest.json", "deployment.yaml", "cache.sqlite", "feed.log", "enforced.json"):
        (home / old).unlink(missing_ok=True)
    for old in ("evidence", "inbox"):
        shutil.rmtree(home / old, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    recording, site = _recording(home, alerts, inventory, format_, seed, quiet=False)
    timeline = Timeline(Console(), EvidenceStore(home / "evidence"))
    click.echo(f"Operators' keys: {', '.join(OPERATORS)} in {home / 'keys'}. Ctrl-C ends it.")
    click.echo(f"In another terminal: countersign pending --home {home}")
    conductor = _conductor(home, site, recording, speed or 60.0, policy, timeline, scripted=False)
    try:
        conductor.run(forever=True)
    except KeyboardInterrupt:
        click.echo("Stopped.")


# ---------------------------------------------------------------- parts


@contextmanager
def _home(home: Path | None) -> Iterator[Path]:
    if home is not None:
        if home.exists() and any(home.iterdir()):
            raise Permanent(f"{home} is not empty; give a new folder for --home")
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="countersign-demo-") as folder:
        yield Path(folder)


def _recording(
    home: Path,
    alerts: Path | None,
    inventory: Path | None,
    format_: str | None,
    seed: int,
    quiet: bool,
) -> tuple[Recording, Inventory]:
    if alerts is not None:
        if inventory is None:
            raise Permanent("recorded alerts need --inventory, the site they were recorded at")
        site = Inventory.load(inventory)
        return Recording.load(alerts, format_ or format_of(alerts)), site
    folder = home / "simulated"
    argv = [sys.executable, "-m", "responder", "simulate", "--out", str(folder)]
    argv += ["--seed", str(seed), "--minutes", str(_SIMULATED_MINUTES)]
    plain = {**os.environ, "NUMBA_DISABLE_JIT": "1"}  # compiling takes longer than one episode
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=plain)
    if done.returncode != 0:
        raise Permanent(f"the simulated network failed: {done.stderr.strip()[-500:]}")
    recording = Recording.load(folder / "alerts.eve.json", "eve", _SIMULATED_MINUTES * 60)
    return recording, Inventory.load(inventory or folder / "inventory.yaml")


def _conductor(
    home: Path,
    site: Inventory,
    recording: Recording,
    speed: float,
    policy: str,
    timeline: Timeline,
    scripted: bool,
) -> Conductor:
    return Conductor(
        home,
        site,
        recording,
        speed=speed,
        scripted=scripted,
        policy=policy,
        on_event=timeline.event,
        on_step=timeline.step,
        on_notice=timeline.notice,
        on_ready=lambda settings: timeline.name(
            {keystore_address(settings.keys / f"{name}.json"): name for name in OPERATORS}
        ),
    )


def _perform(
    home: Path,
    site: Inventory,
    recording: Recording,
    speed: float,
    policy: str,
    timeline: Timeline,
) -> tuple[Ledger, str]:
    verdict = "ok"
    conductor = _conductor(home, site, recording, speed, policy, timeline, scripted=True)

    def check() -> None:
        nonlocal verdict
        try:
            audit(client(conductor.settings), EvidenceStore(conductor.settings.evidence))
        except AuditFailed as error:
            verdict = str(error)

    with timeline.showing():
        ledger = conductor.run(at_end=check)
    return ledger, verdict


def _result(ledger: Ledger, timeline: Timeline, verdict: str, seconds: float) -> dict[str, Any]:
    cases = list(ledger.cases.values())
    executed = [case for case in cases if case.executed_at is not None]
    return {
        "alerts": timeline.alerts,
        "proposals": len(cases),
        "approvals": sum(len(case.approvals) for case in cases),
        "orders": len(executed),
        "receipts": sum(not receipt.root for receipt in ledger.receipts)
        + sum(root.count for root in ledger.roots.values()),
        "audit": verdict,
        "seconds": round(seconds, 1),
        "ordered": [
            {
                "kind": case.proposal.kind.name,
                "target": case.words.target,
                "from": case.executed_at,
                "until": case.ended_at,
                "status": ledger.status(case, ledger.block.time).name,
                "authority": "lease"
                if case.lease != bytes(32)
                else f"{len(case.approvals)} signed",
            }
            for case in executed
        ],
        "refused": [
            {"kind": case.proposal.kind.name, "target": case.words.target}
            for case in cases
            if ledger.status(case, ledger.block.time) in (Status.REJECTED, Status.VETOED)
        ],
    }
