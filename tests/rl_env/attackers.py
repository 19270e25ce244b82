"""Intruders for the tests, plugged in by class path."""

from __future__ import annotations

import numpy as np

from rl_env.adversary import COLUMNS, View
from rl_env.techniques import TECHNIQUES

_HELD, _JEWEL = COLUMNS.index("held"), COLUMNS.index("jewel")


class Sleeper:
    """Waits."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, view: View) -> tuple[int, int]:
        return TECHNIQUES.index("wait"), 0


class Greedy:
    """The move that leads furthest, of those that are possible."""

    _ORDER = (
        "exfiltrate",
        "move_by_key",
        "steal_keys",
        "escalate",
        "move_by_exploit",
        "exploit",
        "phish",
        "change_address",
    )

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def act(self, view: View) -> tuple[int, int]:
        fresh = view.hosts[:, _HELD] == 0
        for name in self._ORDER:
            technique = TECHNIQUES.index(name)
            wanted = view.possible[technique]
            if name.startswith(("move", "exploit", "phish")):
                wanted = wanted & fresh
            if name == "exfiltrate":
                wanted = wanted & (view.hosts[:, _JEWEL] > 0)
            if wanted.any():
                return technique, int(self._rng.choice(np.flatnonzero(wanted)))
        return TECHNIQUES.index("wait"), 0


class Deaf:
    """Cannot act."""

    def reset(self, seed: int) -> None:
        pass
