"""`countersign simulate`: an episode as files that the live side reads, or to look at."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policies.documents import EntryError
from policies.network import ModelError
from rl_env.export import FORMATS
from rl_env.parameters import KINDS
from rl_env.video import VideoError

if TYPE_CHECKING:
    from rl_env.scenario import Scenario

__all__ = ["simulate"]

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the alerts, the inventory and the truth.",
)
@click.option("--render", is_flag=True, help="Show every minute in the terminal.")
@click.option("--video", type=_file, help="Write the episode as a .gif or .mp4.")
@click.option("--record", "kept", type=_file, help="Keep the episode, to be replayed.")
@click.option("--replay", "replayed", type=_file, help="Show or film a kept episode.")
@click.option(
    "--defender",
    default="nothing",
    show_default=True,
    help="Who defends what is shown: nothing, playbook, or a model's folder.",
)
@click.option(
    "--scenario",
    default="company",
    show_default=True,
    help="A registered scenario, or a YAML file with one.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=37, show_default=True)
@click.option(
    "--minutes", type=click.IntRange(10, 2500), help="Of the episode; else as the scenario has it."
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="attacked",
    show_default=True,
    help="What happens: nothing, scanners who go away, or an intruder.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(tuple(FORMATS)),
    default="eve",
    show_default=True,
    help="Suricata's EVE JSON or Wazuh's alerts, which can name a key.",
)
@click.option(
    "--quiet-hours",
    type=click.IntRange(0, 168),
    default=24,
    show_default=True,
    help="Before the episode, to learn base rates from.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a sentence.")
def simulate(
    out: Path | None,
    render: bool,
    video: Path | None,
    kept: Path | None,
    replayed: Path | None,
    defender: str,
    scenario: str,
    seed: int,
    minutes: int | None,
    kind: str,
    format_: str,
    quiet_hours: int,
    as_json: bool,
) -> None:
    """Simulate an episode: as alerts for the live side, or to look at.

    With --out, writes alerts.eve.json (or alerts.wazuh.json), inventory.yaml and truth.json there;
    nobody contains anything meanwhile. With --render, --video or --record, --defender plays.

    \b
    countersign simulate --out episode --kind scanned
    countersign simulate --video attack.gif --defender playbook --scenario small-16
    countersign simulate --record attack.jsonl; countersign simulate --replay attack.jsonl --render
    """
    from rl_env.scenario import Scenario

    looked_at = render or video is not None or kept is not None
    if out is None and not looked_at:
        raise click.UsageError("give --out, --render, --video or --record: what shall it make?")
    try:
        chosen = Scenario.load(scenario)
        if looked_at:
            _show(chosen, seed, kind, minutes, defender, replayed, render, video, kept)
        if out is not None:
            _write(chosen, seed, kind, minutes, quiet_hours, format_, out, as_json)
    except (EntryError, ModelError, VideoError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _show(
    scenario: Scenario,
    seed: int,
    kind: str,
    minutes: int | None,
    defender: str,
    replayed: Path | None,
    render: bool,
    video: Path | None,
    kept: Path | None,
) -> None:
    from rl_env import showing
    from rl_env.recording import Recording

    if replayed is not None:
        recording = Recording.load(replayed)
    else:
        recording = showing.lived(scenario, seed, kind, showing.defender(defender), minutes)
    if kept is not None:
        recording.save(kept)
        click.echo(f"kept {len(recording.steps)} minutes in {kept}", err=True)
    if render:
        for text in showing.told(recording, colours=sys.stdout.isatty()):
            click.echo(text)
    if video is not None:
        length = len(recording.steps) + 1
        with click.progressbar(length=length, label="frames", file=sys.stderr) as bar:
            frames = showing.film(recording, video, lambda: bar.update(1))
        click.echo(f"wrote {frames} frames to {video}", err=True)


def _write(
    scenario: Scenario,
    seed: int,
    kind: str,
    minutes: int | None,
    quiet_hours: int,
    format_: str,
    out: Path,
    as_json: bool,
) -> None:
    from rl_env.simulate import record, write

    length = 60 * quiet_hours + (minutes or scenario.episode.minutes)
    with click.progressbar(length=length, label="minutes", file=sys.stderr) as bar:
        recording = record(
            scenario,
            seed,
            minutes=minutes,
            quiet_hours=quiet_hours,
            kind=kind,
            format=format_,
            tell=lambda: bar.update(1),
        )
    write(recording, out)
    facts = {"out": str(out), "alerts": len(recording.alerts), **recording.truth}
    if as_json:
        click.echo(json.dumps(facts))
    else:
        taken = ", ".join(facts["taken_over"]) or "nothing"
        click.echo(f"wrote {len(recording.alerts)} alerts to {out}; taken over: {taken}")
