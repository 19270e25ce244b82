"""The live side: sensors, decision loop, chain client, approvals, enforcers, audit and command line.

Imports `policies`, never `rl_env`, and needs neither torch, Brownie nor Gymnasium.
"""
