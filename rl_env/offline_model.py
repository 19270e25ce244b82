"""What an agent that was learned offline is worth, and its model folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from policies.policy import NOTHING
from rl_env.agent import EntityNetwork, export
from rl_env.decisions import Decisions
from rl_env.env import ENVIRONMENT
from rl_env.evaluate import HELD_OUT, Summary, compare, players, table
from rl_env.offline import OfflineConfig, permitted, wanted
from rl_env.scenario import Scenario

__all__ = ["Agreement", "Learned", "agreement", "write_model"]

_PART = 4096  # decisions at a time


@dataclass(frozen=True)
class Agreement:
    """How often a network chooses as a record speaks for, of decisions that it did not learn from;
    None where there is none.
    """

    decisions: int
    acting: float | None  # of those to act, share in which it chooses the same
    waiting: float | None  # of those to do nothing though more was open, share in which it does


def agreement(network: EntityNetwork, decisions: Decisions) -> Agreement:
    made = decisions.made()
    chosen = np.zeros(len(made.at), dtype=np.int64)
    with torch.no_grad():
        for begin in range(0, len(chosen), _PART):
            part = slice(begin, begin + _PART)
            chosen[part] = permitted(network, decisions, made.at[part]).argmax(dim=1).numpy()
    right = wanted(made)
    same, acts = chosen == right, right != NOTHING
    return Agreement(len(chosen), _share(same[acts]), _share(same[~acts]))


def _share(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if len(flags) else None


class Learned(NamedTuple):
    """How good a model is: by what was held back, and of simulated data by playing."""

    agreement: Agreement
    summaries: list[Summary]


def write_model(
    network: EntityNetwork,
    config: OfflineConfig,
    names: Sequence[str],
    held: Decisions,
    scenario: str | None,
    episodes: int,
    folder: Path,
    tell: Callable[[int], None] = lambda episodes: None,
) -> Learned:
    """Exports the model and its card. With a scenario, the exported files are evaluated in it on
    held-out seeds, beside the baselines. Raises ScenarioError or InventoryError.
    """
    agreed = agreement(network, held)
    facts: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "training": {**asdict(config), "datasets": list(names)},
        "libraries": {each: version(each) for each in ("torch", "torchrl")},
        "evaluation": {"agreement": asdict(agreed)},
    }
    export(network, folder, folder.name, facts)
    summaries: list[Summary] = []
    if scenario is not None:
        summaries = compare(players(folder), Scenario.load(scenario), episodes, tell)
        facts["evaluation"] |= {
            "episodes": episodes,
            "first_seed": HELD_OUT,
            "scenario": scenario,
            "policies": {s.name: s.to_json() for s in summaries},
        }
        export(network, folder, folder.name, facts)
    card = _card(folder.name, config, names, agreed, summaries)
    (folder / "card.md").write_text(card, encoding="utf-8")
    return Learned(agreed, summaries)


def _card(
    name: str,
    config: OfflineConfig,
    names: Sequence[str],
    agreed: Agreement,
    summaries: list[Summary],
) -> str:
    how = "behaviour cloning" if config.method == "bc" else "conservative Q-learning"
    scores = "log-odds of" if config.method == "bc" else "gains, in the unit of the reward, of"
    played = table(summaries) if summaries else "It was not played: the data is of real operation."
    return f"""# Model card: {name}

**What it is.** A policy over assets, credentials and addresses that proposes isolation, revocation
or blocking from alerts alone, learned without a simulator. Its scores are {scores} each choice
over doing nothing. Only they were learned: the chance and the gains that its explanations split a
score into mean nothing by themselves.

**Learned from** {", ".join(names)} by {how}: {config.updates:,} updates of {config.batch}
decisions, seed {config.seed}; all settings are in `manifest.json`.

**Agreement** on {agreed.decisions:,} decisions of episodes that it did not learn from: where the
record acts, it chooses the same in {_percent(agreed.acting)}; where it waits, in
{_percent(agreed.waiting)}.

**Evaluated** on held-out seeds, from {HELD_OUT} on. Brackets: 95 % bootstrap intervals.

{played}

**Meant for** proposing, under guardrails and people's signatures. **Not meant for** acting alone.
It knows what the record shows and nothing beyond it.
"""


def _percent(share: float | None) -> str:
    return "no case to tell" if share is None else f"{share:.0%}"
