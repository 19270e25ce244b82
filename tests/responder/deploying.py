"""The example deployment, for tests of what it would do and of what it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from web3 import Web3

from responder.chain.deploy_config import DeployConfig

EXAMPLE = Path(__file__).parents[2] / "contracts" / "deployment.example.yaml"
DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"  # every node of ours signs for it
GOVERNOR = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
A, B = Web3.to_checksum_address("0x" + "aa" * 20), Web3.to_checksum_address("0x" + "bb" * 20)
OPERATOR = 2


def without(config: DeployConfig, operator: str) -> DeployConfig:
    return replace(config, roles={a: r for a, r in config.roles.items() if a != operator})


def an_operator(config: DeployConfig) -> str:
    return next(a for a, (bits, _) in config.roles.items() if bits == OPERATOR)
