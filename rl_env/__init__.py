"""The simulated site: network, attackers, sensors and operators, the Gymnasium environment,
training and evaluation.

Importing this package registers `Countersign-v0` with Gymnasium. Training alone needs torch.
"""

from gymnasium.envs.registration import register

register(id="Countersign-v0", entry_point="rl_env.env:CountersignEnv")
