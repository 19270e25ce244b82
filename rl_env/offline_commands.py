"""`countersign dataset` and `countersign train-offline`: what was lived as data, and learning from
it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policies.inventory import InventoryError
from policies.network import ModelError
from rl_env.scenario import ScenarioError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from rl_env.agent import EntityNetwork
    from rl_env.decisions import Decisions
    from rl_env.offline import OfflineConfig
    from rl_env.offline_model import Agreement, Learned

__all__ = ["dataset", "train_offline"]


@click.command()
@click.option("--out", "name", required=True, help="The data set's id, as countersign/mine-v0.")
@click.option("--episodes", type=click.IntRange(1), default=100, show_default=True)
@click.option(
    "--policy",
    default="playbook",
    show_default=True,
    help="nothing, random, playbook, oracle, or a model's folder.",
)
@click.option(
    "--scenario", default="small-16", show_default=True, help="A registered one, or a YAML file."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--from-audit",
    "record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Instead of playing: proposals as `countersign pending --all --json` writes them.",
)
@click.option(
    "--evidence",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --from-audit: the folder of their evidence bundles.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a sentence.")
def dataset(
    name: str,
    episodes: int,
    policy: str,
    scenario: str,
    seed: int,
    record: Path | None,
    evidence: Path | None,
    as_json: bool,
) -> None:
    """Make a Minari data set, of simulated episodes or of real operation.

    \b
    Example: countersign dataset --out countersign/mine-v0 --policy oracle --episodes 300
    Example: countersign pending --all --json > record.json
             countersign dataset --out countersign/real-v0 --from-audit record.json \\
                 --evidence .countersign/evidence
    """
    from rl_env.dataset import DatasetError

    if (record is None) != (evidence is None):
        raise click.UsageError("--from-audit and --evidence go together")
    try:
        if record is not None and evidence is not None:
            facts = _from_audit(name, record, evidence)
        else:
            facts = _played(name, policy, scenario, episodes, seed)
    except (DatasetError, ModelError, ScenarioError, InventoryError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(facts))
        return
    for reason, count in facts.get("left_out", {}).items():
        click.echo(f"left out {count}: {reason}", err=True)
    click.echo(f"wrote {facts['episodes']} episodes, {facts['decisions']} decisions: {name}")


def _played(name: str, policy: str, scenario: str, episodes: int, seed: int) -> dict[str, Any]:
    from rl_env.dataset import player_called, record

    player = player_called(policy)
    with click.progressbar(length=episodes, label="episodes", file=sys.stderr) as bar:
        made = record(name, player, scenario, episodes, seed, tell=bar.update)
    return {"id": name, "episodes": made.total_episodes, "decisions": made.total_steps}


def _from_audit(name: str, record: Path, evidence: Path) -> dict[str, Any]:
    from rl_env.operation import from_audit

    made, found = from_audit(name, record, evidence)
    return {
        "id": name,
        "episodes": made.total_episodes,
        "decisions": made.total_steps,
        "let_stand": sum(each.stood for each in found.proposed),
        "left_out": dict(found.left_out),
    }


@click.command("train-offline")
@click.option(
    "--dataset", "names", required=True, multiple=True, help="A data set's id; may be repeated."
)
@click.option(
    "--method",
    type=click.Choice(("bc", "cql")),
    default="bc",
    show_default=True,
    help="Behaviour cloning, or conservative Q-learning.",
)
@click.option("--name", default="mine", show_default=True, help="Folder of the model in --out.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option("--updates", type=click.IntRange(1), help="Improvements of the weights.")
@click.option("--seed", type=click.IntRange(0), help="Seed of weights and batches.")
@click.option(
    "--episodes",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Held-out ones to evaluate on, where the data is simulated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def train_offline(
    names: tuple[str, ...],
    method: str,
    name: str,
    out: Path,
    updates: int | None,
    seed: int | None,
    episodes: int,
    as_json: bool,
) -> None:
    """Train an agent from Minari data sets and write its model folder.

    Every tenth episode is held back, to tell how often the agent chooses as the record does. Of
    simulated data, it is evaluated on held-out episodes, too.

    Example: countersign train-offline --dataset countersign/mine-v0 --method cql
    """
    from rl_env.dataset import DatasetError
    from rl_env.decisions import load, scenario_of
    from rl_env.evaluate import table
    from rl_env.offline import OfflineConfig, held_back

    given: dict[str, Any] = {"method": method, "updates": updates, "seed": seed}
    config = OfflineConfig(**{k: v for k, v in given.items() if v is not None})
    try:
        decisions, found = load(names)
        scenario = scenario_of(found[0])
        known, held = held_back(decisions)
        network = _with_progress(known, config)
        learned = _written(network, config, names, held, scenario, episodes, out / name)
    except (DatasetError, ScenarioError, InventoryError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_facts(learned, out / name)))
        return
    if learned.summaries:
        click.echo(table(learned.summaries))
    click.echo(_agreement(learned.agreement))
    click.echo(f"wrote {out / name}")


def _with_progress(decisions: Decisions, config: OfflineConfig) -> EntityNetwork:
    from rl_env.offline import learn

    def show(loss: float | None) -> str | None:
        return None if loss is None else f"{loss:.3f}"

    bar: ProgressBar[float] = click.progressbar(
        length=config.updates, label="learning", item_show_func=show, file=sys.stderr
    )
    with bar:
        return learn(decisions, config, bar.update)


def _written(
    network: EntityNetwork,
    config: OfflineConfig,
    names: Sequence[str],
    held: Decisions,
    scenario: str | None,
    episodes: int,
    folder: Path,
) -> Learned:
    from rl_env.evaluate import players
    from rl_env.offline_model import write_model

    length = 0 if scenario is None else episodes * (len(players()) + 1)
    with click.progressbar(length=length, label="episodes", file=sys.stderr) as bar:
        return write_model(network, config, names, held, scenario, episodes, folder, bar.update)


def _facts(learned: Learned, folder: Path) -> dict[str, Any]:
    return {
        "model": str(folder),
        "agreement": asdict(learned.agreement),
        "policies": {s.name: s.to_json() for s in learned.summaries},
    }


def _agreement(agreed: Agreement) -> str:
    shares = [
        f"{share:.0%} of those to {what}"
        for share, what in ((agreed.acting, "act"), (agreed.waiting, "wait"))
        if share is not None
    ]
    same = " and ".join(shares) or "none"
    return f"of {agreed.decisions} decisions held back, it chooses the same in {same}"
