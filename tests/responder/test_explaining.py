"""Why a model proposes something: what the bundle keeps, and what people read of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import write_model

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, KIND, ORDERED, TOTAL
from policies.network import LearnedPolicy
from policies.observation import Observation
from policies.picture import Entity
from policies.playbook import Playbook
from responder.evidence import canonical
from responder.explaining import explanation, in_words

WHY: dict[str, Any] = {
    "gain": 9.0,
    "chance": 0.78,
    "gain_if_right": 12.0,
    "gain_if_wrong": -5.0,
    "runner_up": {"verb": "ORDER", "kind": "ISOLATE", "target": "db"},
    "runner_up_gain": 6.0,
    "columns": [
        ["is_asset", 1.0, 19.0],
        ["evidence_total", 1.0, 19.0],
        ["evidence_spread", 0.5, 6.0],
        ["criticality", 1.0, -2.0],
        ["variety_1h", 1.0, 1.0],
        ["recency", 1.0, 0.1],
    ],
}


@pytest.fixture
def policy(tmp_path: Path) -> LearnedPolicy:
    return write_model(tmp_path / "model")


def seen(n: int = 3) -> Observation:
    rng = np.random.default_rng(0)
    entities = rng.random((n, len(ENTITY_COLUMNS)), dtype=np.float32)
    entities[:, KIND : KIND + len(Kind)] = 0.0
    entities[:, KIND + Kind.ISOLATE] = entities[:, TOTAL] = entities[:, ORDERED] = 1.0
    context = rng.random(len(CONTEXT_COLUMNS), dtype=np.float32)
    return Observation(entities, context, tuple(Entity(Kind.ISOLATE, f"h{i}") for i in range(n)))


@pytest.mark.parametrize(
    ("permitted", "runner_up"),
    [
        ((0, 2), None),
        ((0, 2, 3), {"verb": "ORDER", "kind": "ISOLATE", "target": "h2"}),
        ((0, 2, 4), {"verb": "RELEASE", "kind": "ISOLATE", "target": "h0"}),
        ((0, 2, 6), {"verb": "RELEASE", "kind": "ISOLATE", "target": "h2"}),
    ],
)
def test_the_runner_up_is_named_be_it_an_order_a_release_or_waiting(
    policy: LearnedPolicy, permitted: tuple[int, ...], runner_up: dict[str, str] | None
) -> None:
    mask = np.zeros(7, dtype=np.bool_)
    mask[list(permitted)] = True
    why = explanation(policy, seen(), 2, mask)
    assert why["runner_up"] == runner_up
    second = permitted[-1] if runner_up else 0
    assert why["runner_up_gain"] == pytest.approx(policy.scores(seen())[second], abs=1e-5)


def test_what_is_kept_is_plain_json_with_the_same_names_always(policy: LearnedPolicy) -> None:
    why = explanation(policy, seen(), 1, np.ones(7, dtype=np.bool_))
    assert canonical(why)
    assert set(why) == set(WHY)
    assert {column for column, _, _ in why["columns"]} <= set(ENTITY_COLUMNS)
    assert in_words(why)


def test_a_playbook_explains_nothing() -> None:
    assert explanation(Playbook(), seen(), 1, np.ones(7, dtype=np.bool_)) == {}
    assert in_words({}) == []


def test_an_explanation_of_an_older_bundle_is_not_shown() -> None:
    assert in_words({"lead": 1.0, "runner_up": "db", "runner_up_lead": 0.5, "columns": []}) == []


def test_people_read_the_chance_what_waiting_costs_why_and_what_else() -> None:
    assert in_words(WHY) == [
        "78% likely to be right; if so, waiting costs about 48 min of one person's work; if not, "
        "acting costs about 20 min",
        "speaks for it: alerts of spread, different alerts in an hour",
        "speaks against it: its criticality",
        "next best: ISOLATE db, about 12 min worse",
    ]


@pytest.mark.parametrize(
    ("changes", "line", "said"),
    [
        ({"chance": 0.9999}, 0, "more than 99% likely to be right"),
        ({"chance": 1e-9}, 0, "less than 1% likely to be right"),
        ({"gain_if_right": 45.0}, 0, "waiting costs about 3 h of one person's work"),
        ({"gain_if_right": -1.0}, 0, "acting costs about 4 min of one person's work"),
        ({"gain_if_wrong": 0.01}, 0, "if not, waiting costs less than 1 min"),
        ({"runner_up": None, "runner_up_gain": 0.0}, -1, "next best: to wait, about 36 min worse"),
        (
            {"runner_up": {"verb": "RELEASE", "kind": "ISOLATE", "target": "db"}},
            -1,
            "next best: the release of ISOLATE db, about 12 min worse",
        ),
    ],
)
def test_every_case_has_its_words(changes: dict[str, Any], line: int, said: str) -> None:
    assert said in in_words({**WHY, **changes})[line]


def test_what_moves_nothing_is_not_named() -> None:
    assert len(in_words({**WHY, "columns": [["recency", 1.0, 0.1]]})) == 2
