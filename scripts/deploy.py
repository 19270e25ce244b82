"""Deploys and configures a gate with Brownie, or makes an existing one match a changed file.

    scripts/brownie networks add Countersign my-chain host=http://127.0.0.1:8545 chainid=31337
    scripts/brownie accounts new deployer
    scripts/brownie run deploy main FILE.yaml MANIFEST.json deployer --network my-chain

The account is one of Brownie's keystore, or the number of an account that the node signs for. The
first run deploys, configures and hands over to the file's governor. Running it again changes
nothing. After a change of the file the governor runs it twice: once to schedule what differs, and
after the delay to carry it out. What is done and why is told in responder/chain/deployment.py.
"""

from __future__ import annotations

from pathlib import Path

from brownie import Gate, accounts, web3
from eth_account import Account

from responder.chain.deployment import deploy, load_config
from responder.chain.events import artifact
from responder.chain.sending import Sender
from responder.errors import Permanent


def main(config: str, manifest: str, account: str) -> None:
    if "0x" + Gate.bytecode != artifact("Gate")["bytecode"]:
        raise Permanent("the shipped gate is stale; run python scripts/build_artifacts.py")
    outcome = deploy(web3, load_config(Path(config)), _sender(account), Path(manifest))
    print(f"gate {outcome.manifest.gate} on chain {outcome.manifest.chain_id}")
    print(f"{outcome.sent} transactions sent, manifest in {manifest}")
    for step in outcome.waiting:
        print(f"scheduled, run again after the delay: {step.function}{step.args}")


def _sender(account: str) -> Sender:
    if account.isdecimal():
        return str(accounts[int(account)].address)
    return Account.from_key(accounts.load(account).private_key)
