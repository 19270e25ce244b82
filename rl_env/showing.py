"""An episode to look at: in the terminal, as a video, or kept to be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from policies.network import LearnedPolicy
from policies.playbook import Playbook
from rl_env.playing import Nobody, Player, player_of
from rl_env.recording import Recording, record, replay
from rl_env.render import ansi, rgb
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.video import write_video

__all__ = ["defender", "film", "lived", "told"]


def defender(name: str) -> Player:
    """ "nothing", "playbook" or the folder of a model. Raises ModelError."""
    if name == "nothing":
        return Nobody()
    return player_of(Playbook() if name == "playbook" else LearnedPolicy.load(name))


def lived(
    scenario: Scenario, seed: int, kind: str, player: Player, minutes: int | None
) -> Recording:
    """An episode in which `player` defends. Raises ScenarioError or InventoryError."""
    simulation = Simulation(scenario, 1)
    return record(
        simulation, lambda *_: int(player.choose(simulation)[0]), seed, kind, minutes=minutes
    )


def told(recording: Recording, colours: bool) -> Iterator[str]:
    """Every minute as text. Raises RecordingError where it cannot be replayed."""
    for simulation in replay(recording, trace=1):
        state = simulation.state[0]
        yield ansi(state, simulation.sites[int(state.site)], colours=colours)


def film(recording: Recording, path: Path, tell: Callable[[], None]) -> int:
    """Writes a GIF or MP4, by the file's suffix; the number of its frames. Raises VideoError."""

    def frames() -> Iterator[NDArray[np.uint8]]:
        for simulation in replay(recording, trace=1):
            state = simulation.state[0]
            yield rgb(state, simulation.sites[int(state.site)])
            tell()

    return write_video(frames(), path)
