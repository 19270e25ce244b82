"""Plots of an evaluation, as PNG files: matplotlib without a display."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from policies.network import ModelError
from rl_env.oracle import Oracle
from rl_env.playing import Chance, Nobody

__all__ = ["Curve", "curve", "draw"]

Curve = tuple[list[float], list[float]]  # decisions, mean returns on validation episodes
Entry = Mapping[str, Any]
Points = list[tuple[float, Sequence[float]]]  # places and estimates

_ENDS = (Nobody.name, Oracle.name)  # of the normalised scale: always 0 and 1
_DOTS = 150  # per inch


def curve(folder: Path) -> Curve | None:
    """What `learning.csv` of a model folder tells; None where there is none. Raises ModelError."""
    path = folder / "learning.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        decisions = [float(row["decisions"]) for row in rows]
        return decisions, [float(row["validation_return"]) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        reason = "expected numbers in columns decisions and validation_return"
        raise ModelError(f"{path}: {reason}") from error


def draw(evaluation: Entry, curves: Mapping[str, Curve], folder: Path) -> list[Path]:
    """Plots what there is of an evaluation (`rl_env.contest.Contest.run`) and of learning curves,
    by model, into the folder; returns the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = [_false_isolations(evaluation), _load(evaluation), _size(evaluation)]
    if curves:
        made.append(_learning(curves))
    if evaluation["delays"]:
        made.append(_delay(evaluation))
    paths = []
    for name, figure in made:
        paths.append(folder / f"{name}.png")
        FigureCanvasAgg(figure)
        figure.savefig(paths[-1], dpi=_DOTS)
    return paths


# ---------------------------------------------------------------- one by one


def _learning(curves: Mapping[str, Curve]) -> tuple[str, Figure]:
    figure, (axes,) = _figure(1)
    for name, (decisions, returns) in curves.items():
        axes.plot(decisions, returns, label=name)
    _label(axes, "decisions", "mean return on validation episodes")
    return "learning", figure


def _size(evaluation: Entry) -> tuple[str, Figure]:
    """By task, and beyond by the sweep."""
    figure, (axes,) = _figure(1)
    for name, its in _contestants(evaluation["scores"]):
        points = [
            (evaluation["tasks"][task]["hosts"], estimate)
            for task, estimate in its["tasks"].items()
        ]
        points += [(e["hosts"], e["ratio"][name]) for e in evaluation["sizes"]]
        _line(axes, name, points)
    _logarithmic(axes, [e["hosts"] for e in (*evaluation["tasks"].values(), *evaluation["sizes"])])
    _label(axes, "hosts of the network", "normalised score")
    return "size", figure


def _delay(evaluation: Entry) -> tuple[str, Figure]:
    """Scores of those who act, and harm of all, in colours of their own."""
    figure, (scores, harm) = _figure(2)
    swept = evaluation["delays"]
    contestants = [name for name, _ in _contestants(swept[0]["ratio"])]
    for name in contestants:
        _line(scores, name, [(e["minutes"], e["ratio"][name]) for e in swept])
    for name in (*contestants, *_ENDS):
        _line(harm, name, [(e["minutes"], e["harm"][name]) for e in swept])
    for axes, what in ((scores, "normalised score"), (harm, "harm per episode")):
        _logarithmic(axes, [e["minutes"] for e in swept])
        _label(axes, "median minutes to an answer", what)
    return "delay", figure


def _false_isolations(evaluation: Entry) -> tuple[str, Figure]:
    figure, (axes,) = _figure(1)
    shown = _acting(evaluation)
    values = [100 * p["attack_free_false_isolations"] for p in shown.values()]
    ends = [[100 * end for end in p["attack_free_interval"]] for p in shown.values()]
    reach = [
        [max(0.0, v - low) for v, (low, _) in zip(values, ends, strict=True)],
        [max(0.0, high - v) for v, (_, high) in zip(values, ends, strict=True)],
    ]
    axes.barh(list(shown), values, xerr=reach, capsize=3)
    axes.axvline(1.0, linestyle=":", color="grey")
    _label(axes, "attack-free episodes with a false isolation, %; dotted: 1 %", "")
    return "false_isolations", figure


def _load(evaluation: Entry) -> tuple[str, Figure]:
    figure, (axes,) = _figure(1)
    shown = _acting(evaluation)
    places = range(len(shown))
    for shift, key, label in (
        (-0.2, "approvals_per_incident", "per incident (median)"),
        (0.2, "approvals_asked", "per episode (mean)"),
    ):
        values = [policy[key] or 0.0 for policy in shown.values()]
        axes.barh([place + shift for place in places], values, height=0.4, label=label)
    axes.set_yticks(list(places), list(shown))
    _label(axes, "approvals asked of operators", "")
    return "load", figure


# ---------------------------------------------------------------- parts


def _contestants(scores: Entry) -> list[tuple[str, Any]]:
    """Without the ends of the scale, and without acting at random, which is far below it."""
    return [(name, its) for name, its in scores.items() if name not in (*_ENDS, Chance.name)]


def _acting(evaluation: Entry) -> dict[str, Any]:
    """Whose figures fit on one scale: acting at random is out of all proportion."""
    policies = evaluation["policies"]
    return {name: p for name, p in policies.items() if name not in (Nobody.name, Chance.name)}


def _figure(panels: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(6.4 * panels, 4.2), layout="constrained")
    return figure, [figure.add_subplot(1, panels, 1 + panel) for panel in range(panels)]


def _line(axes: Axes, name: str, points: Points) -> None:
    """Estimates, by place, with their intervals; without those that there are none of."""
    kept = sorted((place, estimate) for place, estimate in points if estimate is not None)
    if not kept:
        return
    places = [place for place, _ in kept]
    values, lows, highs = zip(*(estimate for _, estimate in kept), strict=True)
    (line,) = axes.plot(places, values, marker="o", markersize=3, label=name)
    axes.fill_between(places, lows, highs, alpha=0.15, color=line.get_color(), linewidth=0)


def _logarithmic(axes: Axes, places: Sequence[float]) -> None:
    """With a tick at each place that is not too close to the one before."""
    ticks: list[float] = []
    for place in sorted(places):
        if not ticks or place > 1.4 * ticks[-1]:
            ticks.append(place)
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:.0f}" if tick >= 10 else f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")
