"""Where boxes and cells go: within each other, beside each other, and none left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_env.pictures.layout import arrange

AREA = (16, 144, 948, 530)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=16).filter(lambda n: sum(n) <= 2000))
@settings(max_examples=60, deadline=None)
def test_boxes_lie_in_their_area_and_cells_in_their_boxes(counts: list[int]) -> None:
    boxes = arrange(tuple(counts), AREA, 0.75)
    taken = np.zeros((800, 1280), dtype=np.int64)
    for box, count in zip(boxes, counts, strict=True):
        assert AREA[0] <= box.x and box.x + box.width <= AREA[0] + AREA[2]
        assert AREA[1] <= box.y and box.y + box.height <= AREA[1] + AREA[3]
        taken[box.y : box.y + box.height, box.x : box.x + box.width] += 1
        x, y = np.array([box.place(number) for number in range(count)]).T
        assert x.min() >= box.x and (x + box.cell[0]).max() <= box.x + box.width
        assert y.min() >= box.y and (y + box.cell[1]).max() <= box.y + box.height
        assert len(set(zip(x.tolist(), y.tolist(), strict=True))) == count
    assert taken.max() == 1


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="9000 cells do not fit into 100 x 100 pixels"):
        arrange((9000,), (0, 0, 100, 100), 0.75)
