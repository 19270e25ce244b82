"""Commands of this package; `countersign` finds them as entry points and imports one only when it
is called.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policies.inventory import InventoryError
from policies.network import DEFAULT_MODEL, ModelError
from rl_env.scenario import Scenario, ScenarioError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar
    from sb3_contrib import MaskablePPO

    from rl_env.train import TrainConfig

__all__ = ["evaluate", "train"]


_scenario = click.option(
    "--scenario", default="small-16", show_default=True, help="A registered one, or a YAML file."
)


@click.command()
@click.option("--name", default="mine", show_default=True, help="Folder of the model in --out.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option("--scenario", help="A registered one, or a YAML file.")
@click.option("--steps", type=click.IntRange(1), help="Decisions to train for.")
@click.option("--seed", type=click.IntRange(0, 999), help="Seed of weights and episodes.")
@click.option("--episodes", type=click.IntRange(1), default=1000, show_default=True)
def train(
    name: str, out: Path, scenario: str | None, steps: int | None, seed: int | None, episodes: int
) -> None:
    """Train an agent and write its model folder."""
    from rl_env.evaluate import table
    from rl_env.train import TrainConfig, write_model
    from rl_env.train import train as learn

    given: dict[str, Any] = {"scenario": scenario, "steps": steps, "seed": seed}
    config = TrainConfig(**{k: v for k, v in given.items() if v is not None})
    with _told(ScenarioError, InventoryError):
        learner = _with_progress(config, learn)
    click.echo(f"evaluating on {episodes} held-out episodes ...", err=True)
    summaries = write_model(learner, config, out / name, name, episodes)
    click.echo(table(summaries))
    click.echo(f"wrote {out / name}")


@click.command()
@click.option("--model", type=click.Path(path_type=Path), default=DEFAULT_MODEL)
@_scenario
@click.option("--episodes", type=click.IntRange(1), default=200, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def evaluate(model: Path, scenario: str, episodes: int, as_json: bool) -> None:
    """Compare a model with the baselines and an oracle on held-out episodes."""
    from rl_env.evaluate import HELD_OUT, compare, players, table

    with _told(ModelError, ScenarioError, InventoryError):
        played_in, compared = Scenario.load(scenario), players(model)
        with click.progressbar(
            length=len(compared) * episodes, label="episodes", file=sys.stderr
        ) as bar:
            summaries = compare(compared, played_in, episodes, tell=bar.update)
    if as_json:
        result = {
            "model": str(model),
            "scenario": scenario,
            "episodes": episodes,
            "first_seed": HELD_OUT,
            "policies": {s.name: s.to_json() for s in summaries},
        }
        click.echo(json.dumps(result))
    else:
        click.echo(table(summaries))


@contextmanager
def _told(*errors: type[Exception]) -> Iterator[None]:
    """These are told in a line; all others are bugs."""
    try:
        yield
    except errors as error:
        raise click.ClickException(str(error)) from error


def _with_progress(
    config: TrainConfig, learn: Callable[[TrainConfig, Callable[[int, float], None]], MaskablePPO]
) -> MaskablePPO:
    def show(value: float | None) -> str | None:
        return None if value is None else f"{value:.2f}"

    bar: ProgressBar[float] = click.progressbar(
        length=config.lessons + config.steps, label="training", item_show_func=show, file=sys.stderr
    )
    with bar:
        return learn(config, bar.update)
