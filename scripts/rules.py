"""Changes rules or limits: in the deployment file, and by that on the chain.

    scripts/brownie run rules main FILE.yaml MANIFEST.json GOVERNOR CHANGE... [yes]

A CHANGE is the place in the file and the new value, like `guardrails.isolate.high.quorum=3`,
`guardrails.block.medium=refused`, `limits.window=1800` or `zones.dmz.share=20`. Like every change
of rules it waits for the governor's delay: run it again to carry it out.
"""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import yaml

from policies.inventory import Inventory, InventoryError
from responder.chain.deploy_config import DeployConfig
from responder.errors import Permanent
from responder.files import write_atomically
from scripts.administer import plain_errors, split_answer
from scripts.deploy import apply
from scripts.yaml_edit import set_value


def main(config: str, manifest: str, account: str, *args: str) -> None:
    with plain_errors():
        changes, answer = split_answer(args)
        text = new = Path(config).read_text("utf-8")
        for change in changes:
            place, equals, value = change.partition("=")
            if not equals or not place:
                raise Permanent(f"{change!r} is no change; write PLACE=VALUE")
            new = set_value(new, place.split("."), yaml.safe_load(value))
        change_file(config, text, new, manifest, account, answer)


def change_file(config: str, text: str, new: str, manifest: str, account: str, answer: str) -> None:
    """Makes the chain match the new text, if it is a valid deployment, and writes it once that is
    confirmed. Called by operators.py too.
    """
    document = yaml.safe_load(new)
    try:
        inventory = Inventory.load(Path(config).parent / document["inventory"])
    except (InventoryError, LookupError, TypeError) as error:
        raise Permanent(f"{config}: {error}") from error
    wanted = DeployConfig.from_mapping(document, inventory)
    print(
        *unified_diff(text.splitlines(), new.splitlines(), config, config, n=1, lineterm=""),
        sep="\n",
    )

    def write() -> None:
        if new != text:
            write_atomically(Path(config), new.encode())

    apply(wanted, manifest, account, answer, write)
    write()  # also where the chain has it already
