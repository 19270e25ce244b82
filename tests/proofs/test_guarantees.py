"""What contracts/README.md names as the tests and proofs of a guarantee is there, and nothing that
is proven goes unnamed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODELS = {path.stem for path in (HERE / "models").glob("*.sol")}
SPECIFICATIONS = {
    name
    for path in HERE.glob("*.t.sol")
    for name in re.findall(r"function check_(\w+)", path.read_text())
}


def rows() -> Iterator[tuple[str, list[str], list[str]]]:
    """Of the table of guarantees: what is guaranteed, and what is named as its tests and proofs."""
    text = (ROOT / "contracts" / "README.md").read_text()
    table = text.split("\n| guarantee |", 1)[1].split("\n\n", 1)[0]
    for line in table.splitlines()[2:]:
        _, guarantee, tests, proofs, _ = line.split("|")
        yield guarantee.strip(), re.findall(r"`(.+?)`", tests), re.findall(r"`(.+?)`", proofs)


def test_every_guarantee_has_tests_that_exist() -> None:
    for guarantee, tests, _ in rows():
        paths = [name if "/" in name else f"tests/contracts/{name}.py" for name in tests]
        assert paths, guarantee
        assert [path for path in paths if not any(ROOT.glob(path))] == [], guarantee


def test_each_of_the_ten_is_proven_in_part_at_least() -> None:
    numbered = [(guarantee, proofs) for guarantee, _, proofs in rows() if guarantee[0].isdigit()]
    assert [guarantee.split(".")[0] for guarantee, _ in numbered] == [str(n) for n in range(1, 11)]
    assert [guarantee for guarantee, proofs in numbered if not proofs] == []


def test_what_is_named_as_a_proof_is_one_and_none_goes_unnamed() -> None:
    assert {name for _, _, proofs in rows() for name in proofs} == SPECIFICATIONS | MODELS


def test_every_specification_has_a_fault_to_notice() -> None:
    faults = yaml.safe_load((HERE / "faults.yaml").read_text())
    noticed = {name for fault in faults for name in fault["by"]}
    assert noticed == {f"check_{name}" for name in SPECIFICATIONS}
