"""The live side: sensors, decision loop, chain client, approvals, enforcers, audit, commands.

Imports `policies`, never `rl_env`, and needs neither torch, Brownie nor Gymnasium.
"""
