"""Pictures of one environment, for people: the truth beside what the agent sees.

    ansi(simulation.state[i], simulation.sites[simulation.state[i].site])

shows it as text, `rgb` as an image. Both read the record and change nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl_env.blueprint import Blueprint
from rl_env.pictures.scene import see
from rl_env.pictures.text import write

__all__ = ["ansi", "rgb"]


def ansi(state: Any, site: Blueprint, columns: int = 100, colours: bool = False) -> str:
    """The picture as lines of at most `columns` columns, without escape codes unless `colours`."""
    return write(see(state, site), columns, colours)


def rgb(state: Any, site: Blueprint) -> NDArray[np.uint8]:
    """The picture, uint8 [800, 1280, 3], whatever the scenario; of one layout for each site.

    Raises gymnasium.error.DependencyNotInstalled without Pillow.
    """
    from rl_env.pictures.page import draw

    return draw(see(state, site), len(state.indicator))
