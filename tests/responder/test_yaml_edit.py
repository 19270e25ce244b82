"""A value of a YAML file changes, and nothing else of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from responder.errors import Permanent
from scripts.yaml_edit import add_item, remove_item, set_value

EXAMPLE = (Path(__file__).parents[2] / "contracts" / "deployment.example.yaml").read_text("utf-8")
A = "0x" + "aA" * 20

TEXT = """\
# head
rules:                  # of all
  one: {quorum: 2, live: 3}   # flow
  two:
    quorum: 2           # block
    # between
    live: 4

  three: refused
empty: []
flow: [a, "b", c]       # letters
block:
  - a                   # first
  - "b"
  # before the last
  - c
other:
- x
last: 1
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("rules.one.quorum", 3, "{quorum: 2, live: 3}", "{quorum: 3, live: 3}"),
        ("rules.one.delay", 60, "live: 3}", "live: 3, delay: 60}"),
        ("rules.one.groups", ["a", "b"], "live: 3}", "live: 3, groups: [a, b]}"),
        ("rules.one", "refused", "{quorum: 2, live: 3}", "refused"),
        ("rules.two.quorum", 9, "quorum: 2           #", "quorum: 9           #"),
        ("rules.two.delay", 60, "    live: 4\n", "    live: 4\n    delay: 60\n"),
        ("rules.three", {"quorum": 2}, "refused", "{quorum: 2}"),
        ("last", A, "last: 1", f"last: '{A}'"),
        ("new", "x", "last: 1\n", "last: 1\nnew: x\n"),
    ],
)
def test_a_value_is_set_where_it_stands(path: str, value: Any, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert set_value(TEXT, path.split("."), value) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("empty", "[]", f"['{A}']"),
        ("flow", '"b", c]', f"\"b\", c, '{A}']"),
        ("block", "  - c\n", f"  - c\n  - '{A}'\n"),
        ("other", "- x\n", f"- x\n- '{A}'\n"),
    ],
)
def test_an_item_is_added_at_the_end(path: str, old: str, new: str) -> None:
    assert add_item(TEXT, [path], A) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("path", "index", "old", "new"),
    [
        ("flow", 0, '[a, "b", c]', '["b", c]'),
        ("flow", 1, '[a, "b", c]', "[a, c]"),
        ("flow", 2, '[a, "b", c]', '[a, "b"]'),
        ("block", 0, "  - a                   # first\n", ""),
        ("block", 1, '  - "b"\n', ""),
        ("block", 2, "  - c\n", ""),
    ],
)
def test_an_item_is_removed_with_its_line(path: str, index: int, old: str, new: str) -> None:
    assert remove_item(TEXT, [path], index) == TEXT.replace(old, new)


def test_the_example_keeps_its_comments() -> None:
    changed = set_value(EXAMPLE, ["guardrails", "isolate", "high", "quorum"], 3)
    changed = add_item(changed, ["operators", "operations"], A)
    changed = remove_item(changed, ["operators", "security"], 1)
    assert changed.count("#") == EXAMPLE.count("#")
    document = yaml.safe_load(changed)
    assert [len(group) for group in document["operators"].values()] == [1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: set_value(TEXT, ["rules", "four", "quorum"], 1), "the file has no rules.four"),
        (lambda: set_value(TEXT, ["flow", "x"], 1), "flow is no mapping"),
        (lambda: add_item(TEXT, ["rules"], 1), "rules is no list"),
        (lambda: remove_item(TEXT, ["other"], 0), "only a person can change"),  # none would be left
        (lambda: set_value("a: &x 1\nb: *x\n", ["b"], 2), "only a person can change"),
    ],
)
def test_what_cannot_be_changed_safely_is_left(change: Any, message: str) -> None:
    with pytest.raises(Permanent, match=message):
        change()
