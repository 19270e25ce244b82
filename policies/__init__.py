"""What both worlds share: alerts, picture, observation, actions, guardrails and policies.

The simulator (`rl_env`) and the live side (`responder`) import this package and never each other,
so that what an agent was trained on is what it meets. Nothing here imports web3, brownie, torch or
gymnasium.
"""
