"""Random steps through the simulator, told by digests; run with and without compilation.

    python trajectories.py BATCH SEED STEPS

prints one JSON object: for each environment the digest of its whole state after every 500 steps,
and the profiles of the intruders that were met.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np

from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.world import INTRUDER, PROFILE

SCENARIO = {
    "network": {"hosts": [5, 9], "sites": 8},
    "episode": {"minutes": 90, "warm_up": 10, "kinds": {"attacked": 0.8, "scanned": 0.2}},
}
_EVERY = 500


def walk(batch: int, seed: int, steps: int) -> dict[str, Any]:
    """`steps` random permitted choices in each of `batch` environments."""
    simulation = Simulation(Scenario.from_mapping(SCENARIO), batch)
    simulation.seed(seed)
    simulation.reset()
    profiles: set[int] = set()
    digests: list[list[str]] = [[] for _ in range(batch)]
    for step in range(1, steps + 1):
        actions = [_choose(mask, seed + i, step) for i, mask in enumerate(simulation.mask)]
        simulation.step(np.array(actions, dtype=np.int64))
        over = simulation.terminated | simulation.truncated
        if over.any():
            profiles |= {int(p) for p in simulation.state["actor"][over, INTRUDER, PROFILE]}
            simulation.reset(over)
        if step % _EVERY == 0:
            for i in range(batch):
                data = simulation.state[i].tobytes()
                digests[i].append(hashlib.sha256(data).hexdigest()[:16])
    return {"digests": digests, "profiles": sorted(profiles)}


def _choose(mask: np.ndarray, seed: int, step: int) -> int:
    """The same in every batch: it hangs on the environment's seed and step alone."""
    luck = (seed * 1_000_003 + step) * 2_654_435_761 % (1 << 32)
    permitted = np.flatnonzero(mask)
    return int(permitted[luck % len(permitted)]) if luck % 5 == 0 else 0


if __name__ == "__main__":
    np.seterr(over="ignore")
    print(json.dumps(walk(*map(int, sys.argv[1:]))))
