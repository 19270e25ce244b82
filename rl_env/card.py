"""The model card: what a manifest says, for people. `countersign evaluate --write` makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from policies.network import LearnedPolicy
from rl_env.evaluate import VALIDATION, Summary, table

__all__ = ["card", "publish", "score_tables"]

_MEANT = """**Meant for** proposing, under guardrails and people's signatures. **Not meant for**
acting alone. It knows only what sensors report, and can be misled by whoever can forge alerts."""

Entry = Mapping[str, Any]  # of a manifest; its evaluation is of `rl_env.contest.Contest.run`


def publish(folder: Path, evaluation: Entry) -> bytes:
    """Puts the evaluation into the model's manifest and writes its card; returns the new hash: the
    manifest is part of it, so the model has to be registered anew. Raises ModelError.
    """
    manifest = {**LearnedPolicy.load(folder).manifest, "evaluation": evaluation}
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
    (folder / "card.md").write_text(card(manifest), encoding="utf-8")
    return LearnedPolicy.load(folder).hash


def card(manifest: Entry) -> str:
    """Markdown, from the manifest alone."""
    evaluation = manifest["evaluation"]
    figures = [Summary(**each) for each in evaluation["policies"].values()]
    parts = [
        _what(manifest),
        _training(manifest),
        _evaluation(evaluation),
        table(figures),
        "The oracle is told the truth, and bounds what any policy can reach.",
        score_tables(evaluation),
        "**Not tested:**",
        "\n".join(f"- {each}" for each in _untested(manifest)),
        _MEANT,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


# ---------------------------------------------------------------- parts


def _what(manifest: Entry) -> str:
    shape = ", ".join(f"{key} {value}" for key, value in manifest["architecture"].items())
    return f"""# Model card: {manifest["name"]}

**What it is.** A policy over assets, credentials and addresses that proposes isolation, revocation
or blocking from alerts alone, for any number of them ({shape}; observations of version
{manifest["observation_version"]}). Its hash is over `manifest.json` and `model.safetensors`, see
`policies/network.py`."""


def _training(manifest: Entry) -> str:
    training = manifest["training"]
    settings = ", ".join(f"{key} {value}" for key, value in training.items())
    return (
        f"**Trained on** `{manifest['environment']}`, scenario `{training['scenario']}`, seed "
        f"{training['seed']}. Of the weights on the way, those were kept that did best on\n"
        f"validation episodes, seeds from {VALIDATION} on, at the networks of training. All "
        f"settings:\n{settings}."
    )


def _evaluation(evaluation: Entry) -> str:
    where = "at its own inventory" if evaluation.get("inventory") else "on networks held out, too"
    return (
        f"**Evaluated** in scenario `{evaluation['scenario']}`, {evaluation['episodes']} episodes "
        f"with seeds from {evaluation['first_seed']} on,\nwhich training never uses, {where}; the "
        "same for all policies. Brackets: 95 % intervals. Normalised\nscores: 0 is doing nothing, "
        "1 the oracle."
    )


def score_tables(evaluation: Entry) -> str:
    """Normalised scores by policy: over all, by task, and of sweeps, as far as there are any."""
    if "scores" not in evaluation:
        return ""
    tasks, sizes, delays = evaluation["tasks"], evaluation["sizes"], evaluation["delays"]
    rows = {
        name: [its["iqm"], its["ratio"], *(its["tasks"][task] for task in tasks)]
        for name, its in evaluation["scores"].items()
    }
    heads = ["interquartile mean", "ratio of means", *(f"{task} hosts" for task in tasks)]
    parts = ["Normalised scores, the last columns by task:", _grid(heads, rows)]
    if sizes:
        heads = [f"{each['hosts']} hosts" for each in sizes]
        ratios = _across([_ratios(each["scores"]) for each in sizes])
        parts += [f"By size, {sizes[0]['episodes']} episodes each:", _grid(heads, ratios)]
    if delays:
        heads = [f"{each['minutes']:g} min" for each in delays]
        ratios = _across([_ratios(each["scores"]) for each in delays])
        told = f"By the median time to an answer, {delays[0]['episodes']} episodes each, a fifth of"
        parts += [f"{told}\nwhat is right refused:", _grid(heads, ratios)]
        harm = _across([each["harm"] for each in delays])
        parts += ["Harm per episode in the same:", _grid(heads, harm)]
    return "\n\n".join(parts)


def _untested(manifest: Entry) -> Iterator[str]:
    evaluation = manifest["evaluation"]
    fewest, most = evaluation.get("hosts", ("those", "that the scenario draws"))
    yield "Real alerts: all figures are of simulated sensors, users and intruders."
    yield f"Networks of fewer than {fewest} or more than {most} hosts."
    yield (
        f"Observations of another version than {manifest['observation_version']}: the responder "
        "refuses the model there."
    )
    yield (
        "Intruders who learn: those here follow written profiles, some of which react to what is "
        "done to them; none was trained against this model or knows its weights."
    )
    yield "Forged alerts; the guardrails' budgets bound what they can cost."
    if evaluation.get("inventory"):
        yield "Networks other than the inventory's own."
    if not evaluation.get("delays"):
        yield "Operators who are slower or stricter than the scenario's: there was no sweep."
    if max(evaluation.get("seeds", {"": 1}).values()) < 2:
        yield "Other training seeds: how far chance in training decides."


# ---------------------------------------------------------------- tables


def _ratios(scores: Entry) -> dict[str, Any]:
    return {name: its["ratio"] for name, its in scores.items()}


def _across(columns: Sequence[Entry]) -> dict[str, list[Any]]:
    """Rows by name, of columns that have all the same names."""
    return {name: [column[name] for column in columns] for name in columns[0]}


def _grid(heads: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> str:
    lines = [f"| policy | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(_estimate(each) for each in row)} |")
    return "\n".join(lines)


def _estimate(estimate: Sequence[float] | None) -> str:
    if estimate is None:
        return "-"
    value, low, high = estimate
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"
