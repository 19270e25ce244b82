"""Evidence: neighbours kept as totals rise and fade are those that all rows together give."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.columns import ENTITY_COLUMNS, KIND, SITE_MAX, TOTAL, ZONE_MAX
from policies.evidence import add, compare, fade, neighbours, rise

ZONES = np.array([0, 0, 1, 2, 1, 0], dtype=np.int32)  # of the assets; two rows more have none
ROWS, SITE = len(ZONES) + 2, 3


def empty() -> tuple[np.ndarray, np.ndarray]:
    table = np.zeros((len(ENTITY_COLUMNS), ROWS), dtype=np.float32)
    table[KIND + 1, : len(ZONES)] = table[KIND, len(ZONES) :] = 1.0
    return table, np.zeros((SITE + 1, 2), dtype=np.float32)


happenings = st.lists(
    st.one_of(
        st.just("minute"),
        st.tuples(st.integers(0, ROWS - 1), st.sampled_from([0.5, 1.0, 3.0, 3.0, 12.0])),
    ),
    max_size=60,
)


@given(happenings)
def test_totals_that_rise_and_fade_keep_their_ranks(happened: list) -> None:
    table, strongest = empty()
    for what in happened:
        if what == "minute":
            fade(table, strongest)
            continue
        r, nats = what
        before = table[TOTAL, r]
        add(table, r, 0, nats)
        rise(strongest, SITE, before, table[TOTAL, r])
        if r < len(ZONES):
            rise(strongest, ZONES[r], before, table[TOTAL, r])
    neighbours(table, ZONES, strongest, SITE)
    anew, ranks = table.copy(), np.ones_like(strongest)
    compare(anew, ZONES, ranks, SITE)
    assert ranks.tobytes() == strongest.tobytes()
    assert anew.tobytes() == table.tobytes()


def test_the_strongest_other_is_of_the_zone_or_of_the_site() -> None:
    table, strongest = empty()
    for r, nats in enumerate((1.0, 3.0, 6.0, 9.0, 12.0, 3.0, 12.0, 0.0)):
        table[TOTAL, r] = nats
    compare(table, ZONES, strongest, SITE)
    assert table[ZONE_MAX].tolist() == [3.0, 3.0, 12.0, 0.0, 6.0, 3.0, 0.0, 0.0]
    assert table[SITE_MAX].tolist() == [12.0] * ROWS  # two have it: each sees the other's
    table[TOTAL, 6] = 0.0
    compare(table, ZONES, strongest, SITE)
    assert table[SITE_MAX, 4] == 9.0 and table[SITE_MAX, 0] == 12.0
