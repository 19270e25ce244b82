"""`countersign train`: from a configuration to a model folder with figures and a card."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from policies import documents
from policies.documents import EntryError
from policies.inventory import InventoryError
from policies.network import ModelError
from rl_env.scenario import ScenarioError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from rl_env.agent import EntityNetwork
    from rl_env.train import Progress, TrainConfig

__all__ = ["sweep", "train"]

_COLUMNS = ("decisions", "seconds", "validation_return", "false_isolations", "loss")

_settings = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML with any of TrainConfig's fields.",
)


@click.command()
@click.option("--name", default="mine", show_default=True, help="Folder of the model in --out.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@_settings
@click.option("--scenario", help="A registered one, or a YAML file.")
@click.option("--seed", type=click.IntRange(0, 999), help="Seed of weights and episodes.")
@click.option("--rounds", type=click.IntRange(0), help="Rounds of policy iteration.")
@click.option("--steps", type=click.IntRange(0), help="Decisions of MaskablePPO after them.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per core]")
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for TensorBoard's logs.",
)
@click.option(
    "--episodes",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Held-out ones that the result is evaluated on.",
)
def train(
    name: str,
    out: Path,
    file: Path | None,
    workers: int | None,
    tensorboard: Path | None,
    episodes: int,
    **given: Any,
) -> None:
    """Train an agent and write its model folder, with figures and a card.

    A run that was stopped goes on where it was when the same command is given again.

    \b
    Example: countersign train --name mine --seed 7
    countersign train --config small.yaml --tensorboard runs
    """
    from rl_env.checkpoints import CheckpointError
    from rl_env.train import train as learn

    folder = out / name
    try:
        config = _config(file, given)
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            bar: ProgressBar[int] = stack.enter_context(
                click.progressbar(length=config.work, label="training", file=sys.stderr)
            )
            report = _reports(stack, folder, config, tensorboard)
            network = learn(config, bar.update, report, folder / "checkpoints", workers)
        _write(network, config, folder, name)
        _evaluate(folder, episodes)
    except (CheckpointError, EntryError, ScenarioError, InventoryError, ModelError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error}; give the command again to go on") from error
    shutil.rmtree(folder / "checkpoints")
    click.echo(f"wrote {folder}")


def _config(file: Path | None, given: dict[str, Any]) -> TrainConfig:
    """What the options say, over what the file says, over the defaults. Raises EntryError."""
    from rl_env.train import TrainConfig

    told: dict[str, Any] = {}
    if file is not None:
        document = documents.load(file)
        kinds = {field.name: type(field.default) for field in fields(TrainConfig)}
        for key, value in documents.mapping(document.data, "").items():
            if key not in kinds:
                raise EntryError(document.at(key), f"there is no such setting; {sorted(kinds)}")
            if type(value) is not kinds[key] and (type(value), kinds[key]) != (int, float):
                raise EntryError(document.at(key), f"expected {kinds[key].__name__}")
            told[key] = value
    told.update({key: value for key, value in given.items() if value is not None})
    try:
        return TrainConfig(**told)
    except ValueError as error:
        raise EntryError(str(file or "options"), str(error)) from error


def _reports(
    stack: ExitStack, folder: Path, config: TrainConfig, tensorboard: Path | None
) -> Callable[[Progress], None]:
    """Writes each round's figures into learning.csv, and for TensorBoard."""
    path = folder / "learning.csv"
    began = time.monotonic() - _seconds_before(path, folder / "checkpoints")
    writer = None
    if tensorboard is not None:
        from torch.utils.tensorboard import SummaryWriter

        writer = stack.enter_context(SummaryWriter(str(tensorboard / folder.name)))

    def report(progress: Progress) -> None:
        learned = config.lessons + progress.round * config.moments
        with path.open("w" if progress.round == 0 else "a", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            if progress.round == 0:
                rows.writerow(_COLUMNS)
            seconds = round(time.monotonic() - began)
            figures = progress.validation_return, progress.false_isolations, progress.loss
            rows.writerow((learned, seconds, *(round(figure, 4) for figure in figures)))
        if writer is not None:
            for tag, value in progress._asdict().items():
                if tag != "round":
                    writer.add_scalar(tag, value, learned)

    return report


def _seconds_before(path: Path, checkpoints: Path) -> float:
    """That a stopped run took up to its last round."""
    if not checkpoints.exists() or not path.exists():
        return 0.0
    with path.open(newline="", encoding="utf-8") as file:
        return max((float(row["seconds"]) for row in csv.DictReader(file)), default=0.0)


def _write(network: EntityNetwork, config: TrainConfig, folder: Path, name: str) -> None:
    from rl_env.agent import export
    from rl_env.env import ENVIRONMENT

    libraries = ("numpy", "torch", "stable-baselines3", "sb3-contrib")
    facts = {
        "environment": ENVIRONMENT,
        "training": asdict(config),
        "commit": _commit(),
        "libraries": {each: version(each).partition("+")[0] for each in libraries},
    }
    export(network, folder, name, facts)


def _commit() -> str | None:
    """Of the sources that trained it, with a plus where they differ from it; None without git."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def _evaluate(folder: Path, episodes: int) -> None:
    from rl_env.card import publish
    from rl_env.contest import Contest, Entrants
    from rl_env.evaluate import Summary, table

    entrants = Entrants.load([folder])
    scenario = next(iter(entrants.models.values())).manifest["training"]["scenario"]
    contest = Contest(entrants, scenario, episodes)
    with click.progressbar(length=contest.length(), label="evaluation", file=sys.stderr) as bar:
        found = contest.run(bar.update)
    publish(folder, found)
    click.echo(table(Summary(**each) for each in found["policies"].values()))


@click.command()
@click.option(
    "--set",
    "changes",
    multiple=True,
    required=True,
    metavar="NAME=VALUE,VALUE",
    help="Values of a setting; all combinations are trained.",
)
@_settings
@click.option("--address", help="Of a Ray cluster, as ray://head:10001.  [default: this machine]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per run.")
def sweep(changes: tuple[str, ...], file: Path | None, address: str | None, as_json: bool) -> None:
    """Train many configurations, on every machine of a Ray cluster.

    \b
    Example: countersign sweep --set seed=1,2,3 --set hidden=32,64
    """
    from rl_env.sweep import Result, grid
    from rl_env.sweep import sweep as run

    def told(result: Result) -> None:
        last = result.rounds[-1]
        if as_json:
            click.echo(json.dumps({"changed": result.changed, "rounds": result.rounds}))
        else:
            which = ", ".join(f"{key} {value}" for key, value in result.changed.items())
            wrong = f"false isolations {last['false_isolations']:.2%}"
            click.echo(f"{which}: validation return {result.score:.2f}, {wrong}")

    try:
        base = _config(file, {})
        run(base, grid(base, _values(changes)), address, told)
    except (EntryError, ScenarioError, InventoryError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _values(changes: tuple[str, ...]) -> dict[str, list[Any]]:
    """Of "name=value,value": values are YAML."""
    found: dict[str, list[Any]] = {}
    for change in changes:
        name, equals, values = change.partition("=")
        if not equals:
            raise click.ClickException(f"{change}: give values, as in seed=1,2,3")
        found[name] = [yaml.safe_load(value) for value in values.split(",")]
    return found
