"""Halmos over the specifications of this folder.

    python tests/proofs/symbolic.py                       prove all of them
    python tests/proofs/symbolic.py --mutants N --seed S  which of them notice which mutants

What is proven is the bytecode that ships (profile `shipped`); mutants are compiled as is quickest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from mutants import Mutant  # noqa: E402
from mutate import Sources  # noqa: E402

TOOLS = ROOT / ".venv-proofs" / "bin"
OUT = {"default": "build/forge", "shipped": "build/forge-shipped"}  # as foundry.toml has it
OPTIONS = (
    "--loop=40",  # the longest: all prefixes of an IPv4 network
    "--solver=z3",
    "--solver-timeout-branching=20",  # milliseconds; a path not seen to be dead is followed
    "--solver-timeout-assertion=120000",
    "--no-status",
)
SPECIFICATIONS = {
    f"{path.name.removesuffix('.t.sol')}Spec": re.findall(r"function (check_\w+)", path.read_text())
    for path in sorted(HERE.glob("*.t.sol"))
    if path.name != "Replay.t.sol"
}


class Outcome(IntEnum):
    """As Halmos numbers them."""

    PROVEN = 0
    COUNTEREXAMPLE = 1
    TIMEOUT = 2
    STUCK = 3
    ALL_REVERTED = 4
    FAILED = 5


@dataclass(frozen=True)
class Result:
    outcome: Outcome
    unexplored: int  # loops that were cut short
    seconds: float


def prove(
    names: Mapping[str, Iterable[str]], root: Path = ROOT, profile: str = "shipped"
) -> dict[str, Result]:
    """By specification, for these of each contract. Raises RuntimeError where a tool fails."""
    build(root, profile)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda item: _halmos(root, profile, item[0], item[1]), names.items())
        return {name: result for results in found for name, result in results.items()}


def build(root: Path, profile: str) -> None:
    _run(root, profile, str(ROOT / "node_modules" / ".bin" / "forge"), "build", "--ast")


def _halmos(root: Path, profile: str, contract: str, names: Iterable[str]) -> dict[str, Result]:
    names = list(names)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        told = _run(
            root,
            profile,
            str(TOOLS / "halmos"),
            f"--contract={contract}",
            f"--match-test=^({'|'.join(names)})\\(",
            f"--forge-build-out={OUT[profile]}",
            f"--json-output={answer}",
            *OPTIONS,
            fails=True,
        )
        if not answer.exists():
            raise RuntimeError(told)
        tests = json.loads(answer.read_text())["test_results"]
    results = {
        test["name"].split("(")[0]: Result(
            Outcome(test["exitcode"]), test["num_bounded_loops"] or 0, test["time"][0]
        )
        for found in tests.values()
        for test in found
    }
    if results.keys() != set(names):
        raise RuntimeError(told)
    return results


def _run(root: Path, profile: str, *command: str, fails: bool = False) -> str:
    """All that it says; RuntimeError with that where it fails and must not."""
    path = os.pathsep.join([str(TOOLS), str(ROOT / "node_modules" / ".bin"), os.environ["PATH"]])
    ran = subprocess.run(
        command,
        env={**os.environ, "PATH": path, "FOUNDRY_PROFILE": profile},
        capture_output=True,
        text=True,
        cwd=root,
    )
    if ran.returncode and not fails:
        raise RuntimeError(ran.stdout + ran.stderr)
    return ran.stdout + ran.stderr


def with_fault(project: Path, mutant: Mutant, contracts: Iterable[str]) -> Path:
    """A project in this folder whose contracts have this fault, with the specifications of these
    contracts.
    """
    for name in ("contracts", "scripts"):
        shutil.copytree(ROOT / name, project / name)
    (project / HERE.relative_to(ROOT)).mkdir(parents=True)
    for name in ("Scene.sol", "Vm.sol", *(f"{c.removesuffix('Spec')}.t.sol" for c in contracts)):
        shutil.copy(HERE / name, project / HERE.relative_to(ROOT))
    shutil.copy(ROOT / "foundry.toml", project)
    (project / "node_modules").symlink_to(ROOT / "node_modules")
    (project / mutant.path).write_text(mutant.source)
    return project


def noticed(mutant: Mutant, names: Mapping[str, Iterable[str]]) -> dict[str, Result] | None:
    """What becomes of these specifications with this fault; None where it does not compile."""
    with tempfile.TemporaryDirectory() as folder:
        project = with_fault(Path(folder), mutant, names)
        try:
            build(project, "default")
        except RuntimeError:
            return None
        return prove(names, project, "default")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, help="so many, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only mutants whose name has this in it")
    options = parser.parse_args()
    if options.mutants is None:
        for name, result in prove(SPECIFICATIONS).items():
            print(f"{result.outcome.name:15} {result.seconds:7.1f} s  {name}", flush=True)
        return 0
    chosen = [mutant for mutant in Sources().mutants() if options.only in mutant.name]
    count = min(options.mutants, len(chosen))
    unseen = {name for names in SPECIFICATIONS.values() for name in names}
    for mutant in random.Random(options.seed).sample(chosen, count):
        results = noticed(mutant, SPECIFICATIONS)
        seen = [n for n, r in (results or {}).items() if r.outcome is Outcome.COUNTEREXAMPLE]
        unseen -= set(seen)
        said = "does not compile" if results is None else ", ".join(seen) or "unnoticed"
        print(f"{mutant.name}: {said}", flush=True)
    print(f"noticed none of these: {', '.join(sorted(unseen)) or 'no one'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
