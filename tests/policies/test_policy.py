"""Choices: doing nothing first, then a verb's score for every entity, then the other's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.actions import Kind
from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, VERBS
from policies.observation import Observation
from policies.picture import Entity
from policies.policy import NOTHING, DoNothing, Verb, choose, may_order, meaning


def test_there_are_as_many_verbs_as_the_columns_say() -> None:
    assert [int(verb) for verb in Verb] == list(range(VERBS))


@given(st.integers(1, 50))
def test_each_choice_means_one_verb_for_one_entity(n: int) -> None:
    meant = [meaning(choice, n) for choice in range(1, 1 + VERBS * n)]
    assert meant == [(verb, entity) for verb in Verb for entity in range(n)]


@given(
    st.lists(st.tuples(st.floats(-9, 9, width=32), st.booleans()), min_size=1, max_size=30),
)
def test_the_best_permitted_choice_wins(offers: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in offers], dtype=np.float32)
    mask = np.array([permitted for _, permitted in offers])
    chosen = choose(scores, mask)
    assert chosen == NOTHING or mask[chosen]
    assert scores[chosen] == max(scores[mask | (np.arange(len(mask)) == NOTHING)])


def test_doing_nothing_is_always_permitted_and_wins_ties() -> None:
    scores = np.array([1.0, 1.0, 2.0], dtype=np.float32)
    assert choose(scores, np.array([False, True, False])) == NOTHING
    assert choose(scores, np.zeros(3, dtype=np.bool_)) == NOTHING


@pytest.mark.parametrize(
    ("ordered", "left", "pending", "refused", "offered"),
    [
        (False, 0.0, False, False, True),
        (False, 0.0, True, False, False),
        (False, 0.0, False, True, False),
        (True, 0.26, False, False, False),
        (True, 0.25, False, False, True),
        (True, 0.24, True, False, False),
        (True, 0.24, False, True, False),
    ],
)
def test_what_is_free_may_be_ordered_and_what_is_about_to_end_renewed(
    ordered: bool, left: float, pending: bool, refused: bool, offered: bool
) -> None:
    assert may_order(ordered, left, pending, refused) is offered


@pytest.mark.parametrize("n", [0, 1, 9])
def test_the_baseline_does_nothing(n: int) -> None:
    seen = Observation(
        np.ones((n, len(ENTITY_COLUMNS)), dtype=np.float32),
        np.ones(len(CONTEXT_COLUMNS), dtype=np.float32),
        tuple(Entity(Kind.ISOLATE, str(i)) for i in range(n)),
    )
    scores = DoNothing().scores(seen)
    assert scores.shape == (1 + VERBS * n,)
    assert choose(scores, np.ones(len(scores), dtype=np.bool_)) == NOTHING
