"""Why a learned policy proposes something: as a bundle keeps it, and as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.alerts import Stage
from policies.network import LearnedPolicy
from policies.observation import Observation
from policies.policy import NOTHING, Mask, Policy, Verb, meaning

__all__ = ["explanation", "in_words"]

_MINUTES = 4.0  # of one person's work in a unit of reward; see `reward.service` of the simulator
_KEPT = 8  # columns in a bundle, strongest first
_NAMED = 3  # of those that people are told of, for it and against it

# Without its kind or its total an entity is not looked at: that says nothing, so it has no words.
_WORDS = {
    **{f"evidence_{stage.name.lower()}": f"alerts of {stage.name.lower()}" for stage in Stage},
    "evidence_unknown": "alerts of unknown meaning",
    "zone_max": "what goes on in its zone",
    "site_max": "what goes on elsewhere",
    "alerts": "how many alerts there are",
    "variety_10min": "different alerts in 10 minutes",
    "recency": "how fresh they are",
    "variety_1h": "different alerts in an hour",
    "touched": "how many assets it reached",
    "criticality": "its criticality",
    "ordered": "that it is ordered already",
    "ordered_left": "how long its order lasts still",
    "refused": "that people refused it lately",
    "leased": "that the lease covers it",
    "approvals": "how many approvals it takes",
    "delayed": "that it waits once approved",
}


def explanation(
    policy: Policy, observation: Observation, choice: int, mask: Mask
) -> dict[str, Any]:
    """Why this choice, as plain JSON for a bundle; empty for policies that do not learn.

    Gains are in units of the simulator's reward, over waiting for news. `runner_up` is null where
    the next best is to wait. `columns`: name, value, and how much the gain changes without it.
    """
    if not isinstance(policy, LearnedPolicy):
        return {}
    why = policy.explain(observation, choice, mask, top=_KEPT)
    return {
        "gain": why.gain,
        "chance": why.chance,
        "gain_if_right": why.gain_if_right,
        "gain_if_wrong": why.gain_if_wrong,
        "runner_up": _named(observation, why.runner_up),
        "runner_up_gain": why.runner_up_gain,
        "columns": [[column, value, change] for column, value, change in why.columns],
    }


def _named(observation: Observation, choice: int) -> dict[str, str] | None:
    if choice == NOTHING:
        return None
    verb, row = meaning(choice, len(observation.ids))
    entity = observation.ids[row]
    return {"verb": verb.name, "kind": entity.kind.name, "target": entity.id}


def in_words(why: Mapping[str, Any]) -> list[str]:
    """Lines for operators, the most telling first; none for a bundle without an explanation, or
    with one of another version.
    """
    if "chance" not in why:
        return []
    lines = [
        f"{_percent(why['chance'])} likely to be right; if so, {_cost(why['gain_if_right'])} of "
        f"one person's work; if not, {_cost(why['gain_if_wrong'])}"
    ]
    telling = [(column, moved) for column, _, moved in why["columns"] if column in _WORDS]
    for title, sign in (("speaks for it", 1.0), ("speaks against it", -1.0)):
        named = [_WORDS[column] for column, moved in telling if _minutes(sign * moved) >= 1.0]
        if named:
            lines.append(f"{title}: {', '.join(named[:_NAMED])}")
    behind = why["gain"] - why["runner_up_gain"]
    lines.append(f"next best: {_next(why['runner_up'])}, {_work(behind)} worse")
    return lines


def _next(choice: Mapping[str, str] | None) -> str:
    if choice is None:
        return "to wait"
    action = f"{choice['kind']} {choice['target']}"
    return f"the release of {action}" if choice["verb"] == Verb.RELEASE.name else action


def _percent(chance: float) -> str:
    """Never certain."""
    if chance >= 0.99:
        return "more than 99%"
    return "less than 1%" if chance < 0.01 else f"{chance:.0%}"


def _cost(gain: float) -> str:
    """Of acting over waiting."""
    return f"{'waiting' if gain >= 0.0 else 'acting'} costs {_work(abs(gain))}"


def _work(gain: float) -> str:
    minutes = _minutes(gain)
    if minutes < 1.0:
        return "less than 1 min"
    return f"about {minutes:.0f} min" if minutes < 120.0 else f"about {minutes / 60.0:.0f} h"


def _minutes(gain: float) -> float:
    return gain * _MINUTES
