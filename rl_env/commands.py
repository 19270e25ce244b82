"""Commands of this package; `countersign` finds them as entry points and imports one only when it
is called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policies.inventory import InventoryError
from policies.network import ModelError
from rl_env.scenario import ScenarioError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar
    from sb3_contrib import MaskablePPO

    from rl_env.train import TrainConfig

__all__ = ["dataset", "train"]


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
@click.option("--out", "name", required=True, help="The data set's id, as countersign/mine-v0.")
@click.option("--episodes", type=click.IntRange(1), default=100, show_default=True)
@click.option(
    "--policy",
    default="playbook",
    show_default=True,
    help="nothing, random, playbook, or a model's folder.",
)
@_scenario
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def dataset(name: str, episodes: int, policy: str, scenario: str, seed: int) -> None:
    """Record episodes as a Minari data set, for offline reinforcement learning."""
    from rl_env.dataset import DatasetError, player_called, record

    with _told(DatasetError, ModelError, ScenarioError, InventoryError):
        player = player_called(policy)
        with click.progressbar(length=episodes, label="episodes", file=sys.stderr) as bar:
            made = record(name, player, scenario, episodes, seed, tell=bar.update)
    click.echo(f"wrote {made.total_episodes} episodes, {made.total_steps} decisions: {made.id}")


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
