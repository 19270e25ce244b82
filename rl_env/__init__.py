"""The simulated site: network, attackers, sensors and operators, the Gymnasium environment,
training and evaluation.

Importing this package registers `Countersign-v0` with Gymnasium, and a `Countersign-NAME-v0` for
each scenario that ships. Training alone needs torch.
"""

from pathlib import Path

from gymnasium.envs.registration import register

_SCENARIOS = sorted(path.stem for path in (Path(__file__).parent / "scenarios").glob("*.yaml"))

for _id, _kwargs in (
    ("Countersign-v0", {}),
    *((f"Countersign-{name}-v0", {"scenario": name}) for name in _SCENARIOS),
):
    register(
        id=_id,
        entry_point="rl_env.env:CountersignEnv",
        vector_entry_point="rl_env.vector:CountersignVectorEnv",
        kwargs=_kwargs,
    )
