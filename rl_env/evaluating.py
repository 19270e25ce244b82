"""`countersign evaluate`: models against the baselines, as tables, plots and model cards."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policies.inventory import InventoryError
from policies.network import DEFAULT_MODEL, ModelError
from rl_env.scenario import ScenarioError

if TYPE_CHECKING:
    from rl_env.contest import Entrants

__all__ = ["evaluate"]

_folder = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option(
    "--model",
    "models",
    type=_folder,
    multiple=True,
    default=(DEFAULT_MODEL,),
    help="A model's folder; as many as you like. Those that differ by their training seed alone "
    "are told together, too.  [default: the shipped one]",
)
@click.option(
    "--scenario",
    help="A registered one, or a YAML file.  [default: what the first model was trained on]",
)
@click.option("--episodes", type=click.IntRange(1), default=1000, show_default=True)
@click.option(
    "--sweep",
    type=click.Choice(("size", "delay", "all")),
    help="Also by size of the network, or by how long operators take.",
)
@click.option(
    "--sweep-episodes",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="For each size or delay.",
)
@click.option("--plots", type=_folder, help="Folder for plots, as PNG files.")
@click.option(
    "--write", is_flag=True, help="Put the figures into the first model's manifest and card."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def evaluate(
    models: tuple[Path, ...],
    scenario: str | None,
    episodes: int,
    sweep: str | None,
    sweep_episodes: int,
    plots: Path | None,
    write: bool,
    as_json: bool,
) -> None:
    """Compare models with the baselines and an oracle on held-out episodes and networks.

    Normalised scores are 0 for doing nothing and 1 for the oracle. With --write the first model's
    hash changes, since its manifest is part of it: register it anew.

    \b
    Example: countersign evaluate --episodes 200
    countersign evaluate --model models/a --model models/b --sweep all --plots build/plots --write
    """
    import rliable  # noqa: F401 - told now if it is missing, not after all episodes

    from rl_env.card import publish
    from rl_env.contest import DELAYS, SIZES, Contest, Entrants
    from rl_env.plots import curve, draw

    try:
        entrants = Entrants.load(models)
        contest = Contest(
            entrants,
            scenario or _trained_on(entrants),
            episodes,
            SIZES if sweep in ("size", "all") else (),
            DELAYS if sweep in ("delay", "all") else (),
            sweep_episodes,
        )
        with click.progressbar(length=contest.length(), label="episodes", file=sys.stderr) as bar:
            found = contest.run(bar.update)
        if plots is not None:
            folders = zip(entrants.models, models, strict=True)
            curves = {name: told for name, folder in folders if (told := curve(folder))}
            for path in draw(found, curves, plots):
                click.echo(f"wrote {path}", err=True)
        if write:
            digest = publish(models[0], found)
            click.echo(f"wrote manifest and card of {models[0]}: now 0x{digest.hex()}", err=True)
    except (ModelError, ScenarioError, InventoryError, OSError) as error:
        raise click.ClickException(str(error)) from error
    _tell(found, as_json)


def _trained_on(entrants: Entrants) -> str:
    first = next(iter(entrants.models.values()))
    scenario = first.manifest.get("training", {}).get("scenario")
    if not isinstance(scenario, str):
        raise ModelError(f"{first.name}: its manifest names no scenario; give --scenario")
    return scenario


def _tell(found: dict[str, Any], as_json: bool) -> None:
    from rl_env.card import figures_table, score_tables

    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(figures_table(found))
    click.echo("\n" + score_tables(found))
