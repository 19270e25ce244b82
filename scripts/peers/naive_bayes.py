"""A peer to compare with: naive Bayes that has seen the labels of other sites.

It knows which types of alerts came on attacked hosts elsewhere, window by window, and isolates the
host that looks most like them. That is what makes it a peer and no part of Countersign, which sees
no label and no other site.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ait import Row
from replay_scores import LEAK, Decision, Truth, score

__all__ = ["Case", "NaiveBayes", "Rising", "Seen", "case", "decisions", "train"]

WINDOW = 600  # seconds
_ISOLATED = 3600.0  # seconds for which an isolation holds
_BARS = 300  # tried, from the highest down


class Seen(NamedTuple):
    """A type's first alert on a host in a window."""

    window: int
    time: float
    host: str
    type: str


@dataclass(frozen=True)
class Case:
    """A recording as the peer sees it, in the order of time, and its truth."""

    seen: Sequence[Seen]
    attacked: frozenset[tuple[int, str]]  # windows of hosts with an alert of the attack
    truth: Truth


def case(rows: Iterable[Row], truth: Truth) -> Case:
    """The leak is no example of an attack: it lasts for days, on the firewall too."""
    first: dict[tuple[int, str, str], float] = {}
    attacked = set()
    for row in rows:
        window = int(row.time // WINDOW)
        key = (window, row.host, row.type)
        first[key] = min(first.get(key, math.inf), row.time)
        if row.event not in ("-", LEAK):
            attacked.add((window, row.host))
    ordered = sorted(Seen(w, time, host, type) for (w, host, type), time in first.items())
    return Case(ordered, frozenset(attacked), truth)


class Rising(NamedTuple):
    """A host looks more like an attacked one than any other does."""

    time: float
    host: str
    odds: float  # logarithm


@dataclass(frozen=True)
class NaiveBayes:
    """Bernoulli naive Bayes over the types that are present in a host's window."""

    base: float  # log-odds of an attack in a window without any type
    weights: dict[str, float]  # what a type's presence adds

    @staticmethod
    def fit(cases: Iterable[Case]) -> NaiveBayes:
        """By counts, each begun at one half (Jeffreys' prior)."""
        windows: Counter[bool] = Counter()
        present: dict[str, Counter[bool]] = defaultdict(Counter)
        for each in cases:
            there = {(s.window, s.host) for s in each.seen}
            windows.update(key in each.attacked for key in there)
            for s in each.seen:
                present[s.type][(s.window, s.host) in each.attacked] += 1
        base = math.log((windows[True] + 0.5) / (windows[False] + 0.5))
        weights = {}
        for type, came in present.items():
            with_attack = (came[True] + 0.5) / (windows[True] + 1.0)
            without = (came[False] + 0.5) / (windows[False] + 1.0)
            absent = math.log1p(-with_attack) - math.log1p(-without)
            base += absent
            weights[type] = math.log(with_attack) - math.log(without) - absent
        return NaiveBayes(base, weights)

    def rising(self, case: Case) -> Iterator[Rising]:
        """Each time that a host's log-odds have changed and are the highest of all in its window;
        types that no training site had say nothing.
        """
        window = -1
        odds: dict[str, float] = {}
        for s in case.seen:
            if s.window != window:
                window, odds = s.window, {}
            odds[s.host] = odds.get(s.host, self.base) + self.weights.get(s.type, 0.0)
            if odds[s.host] == max(odds.values()):
                yield Rising(s.time, s.host, odds[s.host])


def decisions(rising: Iterable[Rising], bar: float) -> list[Decision]:
    """Isolates the host with the highest log-odds where they pass the bar, and again when that has
    run out.
    """
    made: list[Decision] = []
    until: dict[str, float] = {}
    for time, host, odds in rising:
        if odds >= bar and time >= until.get(host, 0.0):
            until[host] = time + _ISOLATED
            made.append(Decision(time, "ISOLATE", host))
    return made


def train(cases: Sequence[Case]) -> tuple[NaiveBayes, float]:
    """The model of these recordings, and the bar that did best on them."""
    model = NaiveBayes.fit(cases)
    risings = [list(model.rising(case)) for case in cases]
    odds = sorted({each.odds for rising in risings for each in rising})
    bars = [(low + high) / 2.0 for low, high in pairwise(odds)][-_BARS:]
    worths = [
        sum(_worth(case, decisions(r, bar)) for case, r in zip(cases, risings, strict=True))
        for bar in bars
    ]
    best = [bar for bar, worth in zip(bars, worths, strict=True) if worth == max(worths)]
    return model, best[len(best) // 2]


def _worth(case: Case, made: list[Decision]) -> int:
    """One for the server isolated before the step to root, less one for each false isolation."""
    done = score(made, case.truth)
    in_time = done.before_root_s is not None and done.before_root_s > 0
    return in_time - len(done.false)
