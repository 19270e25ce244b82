"""Adds or removes an operator: in the deployment file, and by that on the chain.

    scripts/brownie run operators add FILE.yaml MANIFEST.json GOVERNOR 0xOPERATOR [GROUP] [yes]
    scripts/brownie run operators remove FILE.yaml MANIFEST.json GOVERNOR 0xOPERATOR [yes]

GROUP is the name of an approver group, where the file has any. Like every change of rules it waits
for the governor's delay: run it again to carry it out. If a key was stolen, a guardian pauses the
gate meanwhile (scripts/pause.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from responder.chain.deploy_values import address
from responder.errors import Permanent
from scripts.administer import plain_errors, split_answer
from scripts.rules import change_file
from scripts.yaml_edit import add_item, remove_item


def add(config: str, manifest: str, account: str, operator: str, *args: str) -> None:
    with plain_errors():
        groups, answer = split_answer(args)
        text, wanted = Path(config).read_text("utf-8"), address(operator, "operator")
        lists = _lists(text)
        if len(groups) > 1 or (not groups and len(lists) > 1):
            raise Permanent(f"name one approver group of {[path[-1] for path in lists]}")
        path = ("operators", *groups)
        if path not in lists:
            raise Permanent(f"the file has no {'.'.join(path)}; it has {_names(lists)}")
        listed = {known for entries in lists.values() for known in entries}
        new = text if wanted in listed else add_item(text, path, wanted)
        change_file(config, text, new, manifest, account, answer)


def remove(config: str, manifest: str, account: str, operator: str, answer: str = "") -> None:
    with plain_errors():
        text, wanted = Path(config).read_text("utf-8"), address(operator, "operator")
        new = text
        for path, entries in _lists(text).items():
            if wanted in entries:
                new = remove_item(text, path, entries.index(wanted))
        change_file(config, text, new, manifest, account, answer)


def _lists(text: str) -> dict[tuple[str, ...], list[str]]:
    """Operators by the path of their list in the file."""
    section: Any = yaml.safe_load(text)["operators"]
    named = section.items() if isinstance(section, dict) else [("", section)]
    return {
        ("operators", name) if name else ("operators",): [
            address(entry, "operators") for entry in entries
        ]
        for name, entries in named
    }


def _names(lists: dict[tuple[str, ...], list[str]]) -> list[str]:
    return [".".join(path) for path in lists]
