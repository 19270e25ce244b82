"""`countersign run`: the responder as a service."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from types import FrameType

import click

from responder.loop import run as run_loop
from responder.settings import DEFAULT_HOME, Settings
from responder.site import open_responder, open_shadow

__all__ = ["run"]


@click.command()
@click.option("--home", type=click.Path(path_type=Path), default=DEFAULT_HOME, show_default=True)
@click.option(
    "--observe-only",
    is_flag=True,
    help="Only say what would be proposed, in HOME/shadow/decisions.jsonl; asks no chain.",
)
def run(home: Path, observe_only: bool) -> None:
    """Run the responder of a site until interrupted.

    Reads the site's feeds, proposes, relays signatures, enforces (dry-run unless settings.yaml says
    nftables) and files receipts. It may be killed at any moment and started again.

    \b
    Examples:
      countersign run --home /var/lib/countersign
      countersign run --observe-only
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("apscheduler", "urllib3", "web3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    settings = Settings.load(home)
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    service = open_shadow(settings) if observe_only else open_responder(settings)
    run_loop(service, settings.tick, lambda: not stopping)
