"""nftables without a kernel: the JSON sent, and what answers mean."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from responder.enforcers.base import Actual, Command, Element
from responder.enforcers.nftables import NftablesEnforcer, statements
from responder.enforcers.runner import Completed, RecordingRunner, SubprocessRunner
from responder.errors import Permanent, Temporary

A = Element("blocked4", "203.0.113.9")
WIDE = Element("networks6", "2001:db8::/32")


def entry(name: str, value: Any, timeout: int | None = None) -> dict[str, Any]:
    element = {"val": value} if timeout is None else {"val": value, "timeout": timeout}
    elem = [{"elem": element}]
    return {"element": {"family": "inet", "table": "countersign", "name": name, "elem": elem}}


def listing(*extra: dict[str, Any], **elements: list[Any]) -> Completed:
    """What `nft -j list table` says after a rebuild, made from what a rebuild sends."""
    items = [{"metainfo": {"json_schema_version": 1}}]
    for handle, statement in enumerate(statements([Command("rebuild")], 0.0)[2:]):
        [(kind, body)] = statement["add"].items()
        found = {**body, "handle": handle}
        if kind == "set" and body["name"] in elements:
            found["elem"] = elements[body["name"]]
        items.append({kind: found})
    return Completed(output=json.dumps({"nftables": [*items, *extra]}).encode())


def read(answer: Completed, now: float = 1000.0) -> Actual:
    return NftablesEnforcer(runner=RecordingRunner([answer])).read(now)


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        (
            Command("add", A, 1060.2),
            [
                {"add": entry("blocked4", "203.0.113.9")},
                {"delete": entry("blocked4", "203.0.113.9")},
                {"add": entry("blocked4", "203.0.113.9", 61)},
            ],
        ),
        (
            Command("remove", A),
            [
                {"add": entry("blocked4", "203.0.113.9")},
                {"delete": entry("blocked4", "203.0.113.9")},
            ],
        ),
        (
            Command("add", WIDE, 1060.0),
            [{"add": entry("networks6", {"prefix": {"addr": "2001:db8::", "len": 32}}, 60)}],
        ),
        (
            Command("clear", Element("networks6", "")),
            [{"flush": {"set": {"family": "inet", "table": "countersign", "name": "networks6"}}}],
        ),
        (
            Command("add", WIDE, 999.0),  # ended just now: a timeout of 0 would mean none
            [{"add": entry("networks6", {"prefix": {"addr": "2001:db8::", "len": 32}}, 1)}],
        ),
    ],
)
def test_statements(command: Command, sent: list[dict[str, Any]]) -> None:
    assert statements([command], 1000.0) == sent


def test_rules_drop_both_directions_before_filter_whatever_the_connections_state() -> None:
    added = [s["add"] for s in statements([Command("rebuild")], 0.0) if "add" in s]
    hooks = {c["chain"]["hook"]: c["chain"] for c in added if "hook" in c.get("chain", {})}
    assert set(hooks) == {"input", "forward", "output"}
    assert all(chain["prio"] < 0 for chain in hooks.values())
    rules = [a["rule"]["expr"] for a in added if "rule" in a]
    drops = [rule for rule in rules if "match" in rule[0]]
    assert len(drops) == 2 * 2 * 3  # directions, families, groups
    assert "ct" not in json.dumps(rules) and "accept" not in json.dumps(rules)


def test_one_transaction_by_arguments_and_stdin() -> None:
    runner = RecordingRunner()
    NftablesEnforcer(runner=runner).apply([Command("add", A, 1060.0), Command("remove", A)], 1000.0)
    [(argv, stdin)] = runner.runs
    assert argv == ("nft", "-j", "-f", "-")
    assert len(json.loads(stdin)["nftables"]) == 5


def test_facts_of_an_intact_table() -> None:
    answer = listing(
        blocked4=[{"elem": {"val": "203.0.113.9", "timeout": 60, "expires": 42}}],
        networks6=[
            {"elem": {"val": {"prefix": {"addr": "2001:db8::", "len": 32}}, "expires": 7}},
        ],
        isolated4=["10.0.0.5"],
    )
    assert read(answer) == Actual(
        {A: 1042.0, WIDE: 1007.0, Element("isolated4", "10.0.0.5"): math.inf}, intact=True
    )


@pytest.mark.parametrize(
    "extra",
    [
        {"rule": {"chain": "contain", "expr": [{"accept": None}]}},
        {"chain": {"name": "extra"}},
        {"map": {"name": "extra"}},
    ],
)
def test_anything_added_is_noticed(extra: dict[str, Any]) -> None:
    assert not read(listing(extra)).intact


def test_anything_removed_is_noticed() -> None:
    items = json.loads(listing().output)["nftables"]
    removable = [n for n, item in enumerate(items) if not {"metainfo", "table"} & item.keys()]
    assert len(removable) == 4 + 3 + 6 + 12  # chains, jumps, sets, drops
    for index in removable:
        kept = items[:index] + items[index + 1 :]
        assert not read(Completed(output=json.dumps({"nftables": kept}).encode())).intact


def test_no_table_is_a_fact() -> None:
    answer = Completed(1, errors=b"Error: No such file or directory\nlist table inet countersign")
    assert read(answer) == Actual(intact=False)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (Completed(1, errors=b"Operation not permitted (you must be root)"), Permanent, "as root"),
        (Completed(1, errors=b"Error: Device or resource busy\nmore"), Temporary, "busy$"),
        (Completed(3), Temporary, "status 3"),
        (Completed(output=b"table inet countersign {"), Permanent, "not understood"),
        (Completed(output=b'{"nftables": [{"set": 1}]}'), Permanent, "not understood"),
    ],
)
def test_failures_are_clear(answer: Completed, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        read(answer)


def test_missing_program_is_permanent() -> None:
    with pytest.raises(Permanent, match="not installed"):
        SubprocessRunner().run(["countersign-no-such-program"])


def test_program_that_hangs_is_temporary() -> None:
    with pytest.raises(Temporary, match="did not end"):
        SubprocessRunner(timeout=0.05).run(["sleep", "30"])


def test_runner_uses_no_shell_and_passes_stdin() -> None:
    done = SubprocessRunner(prefix=("env",)).run(["cat", "-"], b"$(id)")
    assert done == Completed(0, b"$(id)", b"")
