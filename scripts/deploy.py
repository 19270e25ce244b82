"""Deploys and configures a gate with Brownie, or makes an existing one match a changed file.

    scripts/brownie networks add Countersign my-chain host=http://127.0.0.1:8545 chainid=31337
    scripts/brownie accounts new deployer
    scripts/brownie run deploy main FILE.yaml MANIFEST.json deployer --network my-chain

It prints what it will do and asks; a `yes` at the end answers beforehand. The account is one of
Brownie's keystore, or the number of an account that the node signs for. The first run deploys,
configures and hands over to the file's governor. Running it again changes nothing. After a change
of the file the governor runs it twice: once to schedule what differs, and after the delay to carry
it out. What is done and why is told in responder/chain/deployment.py.

The file is the one place where operators, rules and inventory are changed: what stands on the chain
alone, the next run would take back. scripts/operators.py and scripts/rules.py change a value of the
file and do what this script does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from brownie import Desk, Docket, Gate, Office, web3

from responder.chain.deploy_config import DeployConfig
from responder.chain.deploy_plan import Step
from responder.chain.deployment import deploy, load_config
from responder.chain.events import artifact
from responder.errors import Permanent
from scripts.administer import ask, plain_errors, sender


def main(config: str, manifest: str, account: str, answer: str = "") -> None:
    with plain_errors():
        apply(load_config(Path(config)), manifest, account, answer)


def apply(
    config: DeployConfig,
    manifest: str,
    account: str,
    answer: str,
    confirmed: Callable[[], None] = lambda: None,
) -> None:
    """Makes the chain match; `confirmed` is called before the first transaction."""
    for part in (Gate, Desk, Docket, Office):
        if "0x" + part.bytecode != artifact(part._name)["bytecode"]:
            raise Permanent("the shipped gate is stale; run python scripts/build_artifacts.py")
    path, new = Path(manifest), not Path(manifest).exists()

    def confirm(steps: Sequence[Step]) -> None:
        title = f"A new gate on chain {web3.eth.chain_id}, and then:" if new else "Changes:"
        ask([title, *(f"  {step}" for step in steps)], answer)
        confirmed()

    outcome = deploy(web3, config, sender(account), path, confirm)
    print(f"gate {outcome.manifest.gate} on chain {outcome.manifest.chain_id}")
    print(f"{outcome.sent} transactions sent, manifest in {manifest}")
    for step in outcome.waiting:
        print(f"scheduled, run again after the delay: {step}")
