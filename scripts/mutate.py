"""Mutation testing of the contracts: does some test fail for every fault put into them?

    python scripts/mutate.py [--sample N --seed S] [--only TEXT]

Each mutant is compiled (without optimizer: quick, and the same meaning) and meets the tests of
tests/contracts in a process forked for it, up to the first failure. Exit status 1 if one survives
that tests/contracts/equivalent_mutants.yaml does not name, or if that file names too much.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from mutants import Mutant, mutants  # noqa: E402

from responder.chain.events import artifact  # noqa: E402

EQUIVALENT = ROOT / "tests" / "contracts" / "equivalent_mutants.yaml"
REPORT = ROOT / "build" / "mutation.json"
GATE = "contracts/Gate.sol"
PATIENCE = 120  # seconds a mutant may keep the tests busy; more counts as killed
NOT_RUN = ("test_artifacts.py", "test_gate_machine.py")  # the first looks at what ships


class Solc:
    """A compiler that stays up: ask, do something else, then fetch the answer."""

    def __init__(self, via_ir: bool = False) -> None:
        compiler = yaml.safe_load((ROOT / "brownie-config.yaml").read_text())["compiler"]
        self._settings = {
            "evmVersion": compiler["evm_version"],
            "optimizer": {"enabled": False},
            "viaIR": via_ir,
            "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
            "remappings": compiler["solc"]["remappings"],
        }
        self._process = subprocess.Popen(
            [str(ROOT / "scripts" / "solc"), "--standard-json-lines"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def ask(self, sources: dict[str, str], selection: dict[str, Any]) -> None:
        """`sources` by path; what they import is read from the project."""
        request = {
            "language": "Solidity",
            "sources": {path: {"content": text} for path, text in sources.items()},
            "settings": {**self._settings, "outputSelection": selection},
        }
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def ask_gate(self, changed: dict[str, str]) -> None:
        sources = {GATE: (ROOT / GATE).read_text()} | changed
        self.ask(sources, {GATE: {"Gate": ["evm.bytecode.object"]}})

    def gate(self) -> str | None:
        """Creation code, None where the sources do not compile."""
        answer = self.answer()
        if any(error["severity"] == "error" for error in answer.get("errors", [])):
            return None
        return "0x" + answer["contracts"][GATE]["Gate"]["evm"]["bytecode"]["object"]

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class Suite:
    """The contract tests, as a pytest plugin: collected once, run once here on the gate as it is,
    then in a fork for every mutant.
    """

    def __init__(self, code: str, work: Callable[[Suite], None]) -> None:
        """Calls `work` after the tests of the gate with this `code` have passed."""
        self._code, self._work = code, work
        self._kills: Counter[tuple[str, str]] = Counter()  # (place or "", test)
        self._failed: str | None = None

    def run(self) -> None:
        """Raises SystemExit where a test fails without any mutant."""
        folder = ROOT / "tests" / "contracts"
        files = [str(p) for p in sorted(folder.glob("test_*.py")) if p.name not in NOT_RUN]
        plugins = ("cacheprovider", "pytest-brownie", "terminal")
        options = ["-o", "addopts=", "--import-mode=importlib", "-m", "not slow"]
        options += [word for name in plugins for word in ("-p", f"no:{name}")]
        status = pytest.main([*options, *files], plugins=[self])
        if self._failed or status != pytest.ExitCode.OK:
            raise SystemExit(f"without any mutant: {self._failed or status!r}")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = session.items
        if self._first_failure(self._code, "") is None:
            self._work(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid

    def first_failure(self, code: str, place: str) -> str | None:
        """Name of a test that fails on the gate with this creation code, None where all pass.

        Tests that failed for an earlier fault at this place come first. Runs apart, so that
        nothing of it stays; a mutant that hangs fails.
        """
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            answer = self._first_failure(code, place)
            os.write(write, json.dumps(answer).encode())
            os._exit(0)
        os.close(write)
        answer = self._wait(child, read)
        if answer:
            self._kills[place, answer] += 1
            self._kills["", answer] += 1
        return answer

    def _first_failure(self, code: str, place: str) -> str | None:
        artifact("Gate")["bytecode"] = code
        items = sorted(self._items, key=lambda item: self._rank(item.nodeid, place))
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed
        return None

    def _rank(self, test: str, place: str) -> tuple[int, int]:
        return -self._kills[place, test], -self._kills["", test]

    def _wait(self, child: int, read: int) -> str | None:
        with os.fdopen(read) as pipe:
            if not select.select([pipe], [], [], PATIENCE)[0]:
                os.kill(child, signal.SIGKILL)
            text = pipe.read()
        os.waitpid(child, 0)
        return json.loads(text) if text else "no answer in time"


@dataclass
class Result:
    mutant: Mutant
    verdict: str  # killed, survived, equivalent, same code, does not compile
    killer: str | None = None


def all_mutants(solc: Solc) -> list[Mutant]:
    """Of every contract of the project, in a fixed order."""
    paths = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "contracts").glob("*.sol"))
    sources = {path: (ROOT / path).read_text() for path in paths}
    solc.ask(sources, {"*": {"": ["ast"]}})
    trees = solc.answer()["sources"]
    return [m for path in paths for m in mutants(path, sources[path], trees[path]["ast"])]


def baseline() -> tuple[Solc, str]:
    """A compiler that takes the contracts as they are, and the gate's code."""
    for via_ir in (False, True):  # the old code generator is ten times as quick, where it can
        solc = Solc(via_ir)
        solc.ask_gate({})
        code = solc.gate()
        if code is not None:
            return solc, code
        solc.close()
    raise SystemExit("the contracts do not compile: see python scripts/build_artifacts.py")


def trials(solc: Solc, chosen: list[Mutant], code: str, suite: Suite) -> Iterator[Result]:
    """The next mutant compiles while the tests run on this one."""
    seen = {code}
    for position, mutant in enumerate(chosen):
        if position == 0:
            solc.ask_gate({mutant.path: mutant.source})
        made = solc.gate()
        if position + 1 < len(chosen):
            following = chosen[position + 1]
            solc.ask_gate({following.path: following.source})
        if made is None:
            yield Result(mutant, "does not compile")
        elif made in seen:
            yield Result(mutant, "same code")  # as the original's or an earlier mutant's
        else:
            seen.add(made)
            killer = suite.first_failure(made, mutant.place)
            yield Result(mutant, "killed" if killer else "survived", killer)


def judge(results: list[Result], complete: bool) -> list[str]:
    """Marks the named equivalents; complaints about survivors and about the list itself."""
    named = {entry["mutant"]: entry["reason"] for entry in yaml.safe_load(EQUIVALENT.read_text())}
    complaints = []
    for result in results:
        if result.mutant.name in named:
            if result.verdict == "killed":
                complaints.append(f"named equivalent, yet killed: {result.mutant.name}")
            elif result.verdict == "survived":
                result.verdict = "equivalent"
        elif result.verdict == "survived":
            where = f"{result.mutant.path}:{result.mutant.line}"
            complaints.append(f"survived: {where} {result.mutant.name}")
    if complete:
        gone = set(named) - {result.mutant.name for result in results}
        complaints += [f"named equivalent, but there is no such mutant: {name}" for name in gone]
    return complaints


def write_report(results: list[Result], seconds: float) -> dict[str, Any]:
    counts = Counter(result.verdict for result in results)
    by_file = {
        path: dict(Counter(r.verdict for r in results if r.mutant.path == path))
        for path in sorted({result.mutant.path for result in results})
    }
    summary = {"seconds": round(seconds), **counts, "files": by_file}
    mutants_told = [
        {"mutant": r.mutant.name, "line": r.mutant.line, "verdict": r.verdict, "by": r.killer}
        for r in results
    ]
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({**summary, "mutants": mutants_told}, indent=1) + "\n")
    return summary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, help="only so many, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only mutants whose name has this in it")
    options = parser.parse_args()
    started = time.monotonic()
    solc, code = baseline()
    chosen = [m for m in all_mutants(solc) if options.only in m.name]
    complete = options.sample is None and not options.only
    if options.sample is not None:
        chosen = random.Random(options.seed).sample(chosen, options.sample)
    results: list[Result] = []
    Suite(code, lambda suite: results.extend(trials(solc, chosen, code, suite))).run()
    solc.close()
    complaints = judge(results, complete)
    print(json.dumps(write_report(results, time.monotonic() - started), indent=1))
    print("\n".join(complaints), file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
