"""`countersign simulate`: an episode as files that the live side reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from policies.documents import EntryError
from rl_env.export import FORMATS
from rl_env.parameters import KINDS

__all__ = ["simulate"]


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
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
    out: Path,
    scenario: str,
    seed: int,
    minutes: int | None,
    kind: str,
    format_: str,
    quiet_hours: int,
    as_json: bool,
) -> None:
    """Record an episode of a simulated network as the alerts that its sensors write.

    Writes alerts.eve.json (or alerts.wazuh.json), inventory.yaml and truth.json into --out. Nobody
    contains anything meanwhile.
    """
    from rl_env.scenario import Scenario
    from rl_env.simulate import record, write

    try:
        chosen = Scenario.load(scenario)
        length = 60 * quiet_hours + (minutes or chosen.episode.minutes)
        with click.progressbar(length=length, label="minutes", file=sys.stderr) as bar:
            recording = record(
                chosen,
                seed,
                minutes=minutes,
                quiet_hours=quiet_hours,
                kind=kind,
                format=format_,
                tell=lambda: bar.update(1),
            )
        write(recording, out)
    except (EntryError, OSError) as error:
        raise click.ClickException(str(error)) from error
    facts = {"out": str(out), "alerts": len(recording.alerts), **recording.truth}
    if as_json:
        click.echo(json.dumps(facts))
    else:
        taken = ", ".join(facts["taken_over"]) or "nothing"
        click.echo(f"wrote {len(recording.alerts)} alerts to {out}; taken over: {taken}")
