"""Halmos over the specifications of this folder.

    python tests/proofs/symbolic.py [--only TEXT]                   prove all of them
    python tests/proofs/symbolic.py --mutant TEXT [--only TEXT]     which of them notice this fault

What is proven is the bytecode that ships. Of a fault, the parts it is in are compiled as is
quickest; the others are those that ship.
"""

from __future__ import annotations

import argparse
import json
import os
import re
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

from build_artifacts import ARTIFACTS, SHIPPED, compile_contracts  # noqa: E402
from mutants import Mutant  # noqa: E402
from mutate import Solc, Sources  # noqa: E402

TOOLS = ROOT / ".venv-proofs" / "bin"
BIN = ROOT / "node_modules" / ".bin"
PORT = {"NetworksPort": "tests/proofs/NetworksPort.sol"}
CREATED = {**SHIPPED, **PORT}  # what specifications may ask for
OPTIONS = (
    "--forge-build-out=build/forge",  # as foundry.toml has it
    "--loop=40",  # the longest: all prefixes of an IPv4 network
    "--solver=z3",
    "--solver-timeout-branching=20",  # milliseconds; a path not seen to be dead is followed
    "--solver-timeout-assertion=300000",
    "--no-status",
)
Code = Mapping[str, str]  # creation code by contract, hex


def _specifications() -> dict[str, list[str]]:
    texts = {path: path.read_text() for path in sorted(HERE.glob("*.t.sol"))}
    found = {p: re.findall(r"function (check_\w+)", text) for p, text in texts.items()}
    return {f"{p.name.removesuffix('.t.sol')}Spec": names for p, names in found.items() if names}


SPECIFICATIONS = _specifications()  # names by contract
CONTRACT_OF = {name: contract for contract, names in SPECIFICATIONS.items() for name in names}


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


# ============ Code ============


def shipped() -> Code:
    """What is in `responder/chain/artifacts`, and the port compiled as those were."""
    code = {name: json.loads((ARTIFACTS / f"{name}.json").read_text()) for name in SHIPPED}
    made = compile_contracts(PORT.values())["contracts"]
    ports = {name: made[path][name]["evm"]["bytecode"]["object"] for name, path in PORT.items()}
    return {name: artifact["bytecode"] for name, artifact in code.items()} | ports


def with_fault(mutant: Mutant, sources: Sources, code: Code) -> Code | None:
    """None where it does not compile."""
    names = [*sources.parts_with(mutant), *PORT]
    wanted = {CREATED[name]: (ROOT / CREATED[name]).read_text() for name in names}
    solc = Solc()
    solc.ask(
        wanted | {mutant.path: mutant.source},
        {CREATED[name]: {name: ["evm.bytecode.object"]} for name in names},
    )
    answer = solc.answer()
    solc.close()
    if any(error["severity"] == "error" for error in answer.get("errors", [])):
        return None
    made = answer["contracts"]
    return dict(code) | {
        name: made[CREATED[name]][name]["evm"]["bytecode"]["object"] for name in names
    }


# ============ Halmos ============


def build() -> None:
    """The specifications. Raises RuntimeError where they do not compile."""
    ran = _run([str(BIN / "forge"), "build", "--ast"], {})
    if ran.returncode:
        raise RuntimeError(ran.stdout + ran.stderr)


def prove(code: Code, names: Iterable[str], *options: str) -> dict[str, Result]:
    """By specification. Raises RuntimeError with Halmos' words where it tells of no result."""
    found: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        for name, text in code.items():
            text = "0x" + text.removeprefix("0x")
            (Path(folder) / f"{name}.json").write_text(json.dumps({"bytecode": {"object": text}}))
        for contract, together in _by_contract(names).items():
            found |= _halmos(contract, together, folder, options)
    return found


def prove_all(code: Code, names: Iterable[str]) -> dict[str, Result]:
    """The same on all cores."""
    build()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        groups = sorted(_by_contract(names).values(), key=len, reverse=True)
        found = pool.map(lambda group: prove(code, group), groups)
        return {name: result for results in found for name, result in results.items()}


def _by_contract(names: Iterable[str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name in names:
        grouped.setdefault(CONTRACT_OF[name], []).append(name)
    return grouped


def _halmos(
    contract: str, names: list[str], code: str, options: Iterable[str]
) -> dict[str, Result]:
    answer = Path(code) / "answer.json"
    ran = _run(
        [
            str(TOOLS / "halmos"),
            f"--contract={contract}",
            f"--match-test=^({'|'.join(names)})\\(",
            f"--json-output={answer}",
            *OPTIONS,
            *options,
        ],
        {"CODE": os.path.relpath(code, ROOT)},
    )
    tests = json.loads(answer.read_text())["test_results"] if answer.exists() else {}
    results = {
        test["name"].split("(")[0]: Result(
            Outcome(test["exitcode"]), test["num_bounded_loops"] or 0, (test["time"] or [0.0])[0]
        )
        for found in tests.values()
        for test in found
    }
    if results.keys() != set(names):
        raise RuntimeError(ran.stdout + ran.stderr)
    answer.unlink()
    return results


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(TOOLS), str(BIN), os.environ["PATH"]])
    return subprocess.run(
        command,
        env={**os.environ, "PATH": path, "FOUNDRY_PROFILE": "default", **environment},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only specifications whose name has this in it")
    parser.add_argument("--mutant", help="with each fault whose name has this in it")
    options = parser.parse_args()
    names = [name for name in CONTRACT_OF if options.only in name]
    code = shipped()
    if options.mutant is None:
        for name, result in prove_all(code, names).items():
            print(f"{result.outcome.name:15} {result.seconds:7.1f} s  {name}")
        return 0
    build()
    sources = Sources()
    for mutant in sources.mutants():
        if options.mutant not in mutant.name:
            continue
        faulty = with_fault(mutant, sources, code)
        results = prove(faulty, names, "--early-exit") if faulty else {}
        seen = [name for name, r in results.items() if r.outcome is Outcome.COUNTEREXAMPLE]
        print(f"{mutant.name}: {', '.join(seen) if faulty else 'does not compile'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
