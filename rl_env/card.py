"""The model card: what a manifest says, for people. `countersign evaluate --write` makes it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from policies.network import LearnedPolicy
from rl_env.evaluate import VALIDATION, Summary, table
from rl_env.oracle import Oracle
from rl_env.playing import Nobody

__all__ = ["card", "figures_table", "publish", "score_tables"]

_MEANT = """**Meant for** proposing, under guardrails and people's signatures. **Not meant for**
acting alone. It knows only what sensors report, and can be misled by whoever can forge alerts."""

_ENDS = (Nobody.name, Oracle.name)  # of the normalised scale: always 0 and 1

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
    parts = [
        _what(manifest),
        _training(manifest),
        _evaluation(evaluation),
        figures_table(evaluation),
        score_tables(evaluation),
        "**Not tested:**",
        "\n".join(_paragraph(f"- {each}") for each in _untested(manifest)),
        _MEANT,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


# ---------------------------------------------------------------- parts


def _what(manifest: Entry) -> str:
    shape = ", ".join(f"{key} {value}" for key, value in sorted(manifest["architecture"].items()))
    text = (
        "**What it is.** A policy over assets, credentials and addresses that proposes isolation, "
        f"revocation or blocking from alerts alone, for any number of them ({shape}; observations "
        f"of version {manifest['observation_version']}). Its hash is over `manifest.json` and "
        "`model.safetensors`, see `policies/network.py`."
    )
    return f"# Model card: {manifest['name']}\n\n{_paragraph(text)}"


def _training(manifest: Entry) -> str:
    training = manifest["training"]
    settings = ", ".join(f"{key} {value}" for key, value in sorted(training.items()))
    return _paragraph(
        f"**Trained on** `{manifest['environment']}`, scenario `{training['scenario']}`, seed "
        f"{training['seed']}. Of the weights on the way, those were kept that did best on "
        f"validation episodes, seeds from {VALIDATION} on, at the networks of training. All "
        f"settings: {settings}."
    )


def _evaluation(evaluation: Entry) -> str:
    where = "at its own inventory" if evaluation.get("inventory") else "on networks held out, too"
    return _paragraph(
        f"**Evaluated** in scenario `{evaluation['scenario']}`, {evaluation['episodes']} episodes "
        f"with seeds from {evaluation['first_seed']} on, which training never uses, {where}; the "
        "same for all policies. Brackets: 95 % intervals. Normalised scores: 0 is doing nothing, "
        "1 the oracle, who is told the truth and bounds what any policy can reach."
    )


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def figures_table(evaluation: Entry) -> str:
    """All policies, the best last."""
    figures = [Summary(**each) for each in evaluation["policies"].values()]
    return table(sorted(figures, key=lambda each: (each.mean_return, each.name)))


def score_tables(evaluation: Entry) -> str:
    """Normalised scores by policy: over all, by task, and of sweeps, as far as there are any."""
    if "scores" not in evaluation:
        return ""
    sizes, delays = evaluation["sizes"], evaluation["delays"]
    tasks = sorted(evaluation["tasks"], key=lambda task: evaluation["tasks"][task]["hosts"])
    rows = {
        name: [its["iqm"], its["ratio"], *(its["tasks"][task] for task in tasks)]
        for name, its in sorted(evaluation["scores"].items())
    }
    heads = ["interquartile mean", "ratio of means", *(f"{task} hosts" for task in tasks)]
    parts = ["Normalised scores, the last columns by task:", _grid(heads, rows)]
    if sizes:
        heads = [f"{each['hosts']} hosts" for each in sizes]
        ratios = _across([each["ratio"] for each in sizes])
        parts += [f"By size, {sizes[0]['episodes']} episodes each:", _grid(heads, ratios)]
    if delays:
        heads = [f"{each['minutes']:g} min" for each in delays]
        ratios = _across([each["ratio"] for each in delays])
        told = f"{delays[0]['episodes']} episodes each, a fifth of what is right refused"
        parts += [f"By the median time to an answer, {told}:", _grid(heads, ratios)]
        harm = _across([each["harm"] for each in delays])
        parts += ["Harm per episode in the same:", _grid(heads, harm, ())]
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


def _across(columns: Sequence[Entry]) -> dict[str, list[Any]]:
    """Rows by name, of columns that have all the same names."""
    return {name: [column[name] for column in columns] for name in sorted(columns[0])}


def _grid(
    heads: Sequence[str], rows: Mapping[str, Sequence[Any]], left_out: Sequence[str] = _ENDS
) -> str:
    lines = [f"| policy | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, row in rows.items():
        if name not in left_out:
            lines.append(f"| {name} | {' | '.join(_estimate(each) for each in row)} |")
    return "\n".join(lines)


def _estimate(estimate: Sequence[float] | None) -> str:
    if estimate is None:
        return "-"
    value, low, high = estimate
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"
