"""Mutation testing of the contracts: does some test fail for every fault put into them?

    python scripts/mutate.py [--sample N --seed S] [--only TEXT]

Each mutant is compiled (without optimizer: quick, and the same meaning) and meets the tests of
tests/contracts that can reach it, in a process forked for it, up to the first failure. Exit status
1 if one survives that tests/contracts/equivalent_mutants.yaml does not name, or if that file names
too much. All of them take about an hour on two cores.
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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from build_artifacts import PARTS, SHIPPED  # noqa: E402
from mutants import Mutant, entrances, mutants, selectors_in  # noqa: E402

from responder.chain.events import artifact  # noqa: E402

EQUIVALENT = ROOT / "tests" / "contracts" / "equivalent_mutants.yaml"
REPORT = ROOT / "build" / "mutation.json"
PATIENCE = 300  # seconds a mutant may keep the tests busy; more counts as killed
COMPILERS = 2  # at work at once
FORKS = 2
NOT_RUN = (  # these look at what ships, or go where chance takes them
    "test_artifacts.py",
    "test_gas.py",
    "test_gate_machine.py",
    "test_guardrails_mirror.py",
)
LEFT_OUT = "not each_part_fits and not each_function_is_in_one_part"  # nor these, of what ships

Code = dict[str, str]  # creation code by part, hex


class Solc:
    """A compiler that stays up: ask, do something else, then fetch the answer."""

    def __init__(self) -> None:
        compiler = yaml.safe_load((ROOT / "brownie-config.yaml").read_text())["compiler"]
        self._settings = {
            "evmVersion": compiler["evm_version"],
            "optimizer": {"enabled": False},
            "debug": {"debugInfo": []},
            "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
            "remappings": compiler["solc"]["remappings"],
        }
        self._parts: tuple[str, ...] = ()
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

    def fileno(self) -> int:
        assert self._process.stdout
        return self._process.stdout.fileno()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def ask_parts(self, parts: Iterable[str], changed: dict[str, str]) -> None:
        self._parts = tuple(parts)
        sources = {SHIPPED[part]: (ROOT / SHIPPED[part]).read_text() for part in self._parts}
        wanted = {SHIPPED[part]: {part: ["evm.bytecode.object"]} for part in self._parts}
        self.ask(sources | changed, wanted)

    def parts(self) -> Code | str:
        """Those asked for last; the compiler's words where the sources do not compile."""
        answer = self.answer()
        for error in answer.get("errors", []):
            if error["severity"] == "error":
                return str(error["formattedMessage"])
        made = {part: answer["contracts"][SHIPPED[part]][part] for part in self._parts}
        return {part: "0x" + made[part]["evm"]["bytecode"]["object"] for part in self._parts}

    def close(self) -> None:
        self._process.communicate()


class Suite:
    """The contract tests, as a pytest plugin: collected once, run once here on the contracts as
    they are, then in a fork for every mutant.
    """

    def __init__(self, code: Code, selectors: set[bytes], work: Callable[[Suite], None]) -> None:
        """Calls `work` after the tests passed with this `code`, of functions of `selectors`."""
        self._code, self._known, self._work = code, selectors, work
        self._called: defaultdict[str, set[bytes]] = defaultdict(set)  # by test or fixture
        self._current = ""
        self._kills: Counter[tuple[str, str]] = Counter()  # (see _around, test)
        self._seconds: defaultdict[str, float] = defaultdict(float)  # by test
        self._failed: str | None = None

    def run(self) -> None:
        """Raises SystemExit where a test fails without any mutant."""
        folder = ROOT / "tests" / "contracts"
        files = [str(p) for p in sorted(folder.glob("test_*.py")) if p.name not in NOT_RUN]
        plugins = ("cacheprovider", "pytest-brownie", "terminal")
        options = ["-o", "addopts=", "--import-mode=importlib", "-m", "not slow", "-s"]
        options += ["-k", LEFT_OUT]
        options += [word for name in plugins for word in ("-p", f"no:{name}")]
        status = pytest.main([*options, *files], plugins=[self])
        if self._failed or status != pytest.ExitCode.OK:
            raise SystemExit(f"without any mutant: {self._failed or status!r}")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = session.items
        session.config.option.tbstyle = "native"  # quickly made
        with pytest.MonkeyPatch.context() as patch:
            self._note_calls(patch)
            failed = self._first_failure(self._code, self._items)
        if failed is None:
            self._work(self)
        return True

    def _note_calls(self, patch: pytest.MonkeyPatch) -> None:
        evm = sys.modules["evm"]  # of the tests
        call = evm.Evm.call

        def noted(chain: Any, sender: str, to: str, data: bytes, *args: Any, **more: Any) -> bytes:
            # Anywhere in it: a wallet or the manager may be asked to pass it on.
            self._called[self._current] |= {one for one in self._known if one in data}
            return bytes(call(chain, sender, to, data, *args, **more))

        patch.setattr(evm.Evm, "call", noted)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        outer, self._current = self._current, fixturedef.argname
        yield
        self._current = outer

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self._current = item.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failed = report.nodeid

    def start(self, code: Code, place: str, entrances: set[bytes] | None) -> Trial:
        """The tests that call one of these functions, or all; apart, so that nothing of it stays.

        Those that failed for an earlier fault at this place come first, then the quick ones.
        """
        items = list(self._items)
        if entrances is not None:
            items = [item for item in items if self._calls_of(item) & entrances]
        items.sort(key=lambda item: self._rank(item.nodeid, place))
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, json.dumps(self._first_failure(code, items)).encode())
            os._exit(0)
        os.close(write)
        return Trial(child, read, time.monotonic() + PATIENCE)

    def _calls_of(self, item: pytest.Item) -> set[bytes]:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        return set().union(*(self._called[name] for name in (item.nodeid, *fixtures)))

    def note(self, place: str, killer: str | None) -> None:
        if killer:
            for where in _around(place):
                self._kills[where, killer] += 1

    def _first_failure(self, code: Code, items: list[pytest.Item]) -> str | None:
        for part, bytecode in code.items():
            artifact(part)["bytecode"] = bytecode
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return self._failed
        return None

    def _rank(self, test: str, place: str) -> tuple[float, ...]:
        return *(-self._kills[where, test] for where in _around(place)), self._seconds[test]


def _around(place: str) -> tuple[str, str, str]:
    """The function, its contract, everything."""
    return place, place.partition(".")[0], ""


@dataclass(eq=False)
class Trial:
    """The tests at work on a mutant in a process of their own."""

    _child: int
    _pipe: int
    _ends: float

    def fileno(self) -> int:
        return self._pipe

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self._ends

    def killer(self) -> str | None:
        """Name of a test that failed, None where all passed. A mutant that hangs fails."""
        if self.is_late:
            os.kill(self._child, signal.SIGKILL)
        with os.fdopen(self._pipe) as pipe:
            text = pipe.read()
        os.waitpid(self._child, 0)
        return json.loads(text) if text else "no answer in time"


@dataclass
class Result:
    mutant: Mutant
    verdict: str = ""  # killed, survived, equivalent, same code, does not compile
    killer: str | None = None
    twin: Result | None = None  # an earlier one with the same code


class Sources:
    """The contracts as they are."""

    def __init__(self) -> None:
        paths = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "contracts").glob("*.sol"))
        self._texts = {path: (ROOT / path).read_text() for path in paths}
        solc = Solc()
        solc.ask(self._texts, {"*": {"": ["ast"]}})
        told = solc.answer()["sources"]
        self._trees = {path: told[path]["ast"] for path in paths}
        solc.close()
        self._entrances = entrances(list(self._trees.values()))
        self._selectors = {
            part: set().union(*map(selectors_in, self._imported_trees(SHIPPED[part])))
            for part in PARTS
        }

    def entrances(self, mutant: Mutant) -> set[bytes] | None:
        """Selectors of the functions that may come there; None: all, or whatever is called."""
        return self._entrances.get(mutant.place.partition(".")[2]) or None

    @property
    def selectors(self) -> set[bytes]:
        return set.union(*self._selectors.values())

    def mutants(self) -> list[Mutant]:
        """Of every contract of the project, in a fixed order."""
        return [
            m for path, text in self._texts.items() for m in mutants(path, text, self._trees[path])
        ]

    def parts_with(self, mutant: Mutant) -> list[str]:
        """Parts that may do something else with this mutant."""
        entrances = self.entrances(mutant)
        return [
            part
            for part in PARTS
            if mutant.path in self._imported(SHIPPED[part])
            and (entrances is None or entrances & self._selectors[part])
        ]

    def _imported_trees(self, path: str) -> list[dict[str, Any]]:
        return [self._trees[p] for p in self._imported(path) & set(self._trees)]

    def _imported(self, path: str) -> set[str]:
        found = {path}
        for node in self._trees.get(path, {"nodes": []})["nodes"]:
            if node["nodeType"] == "ImportDirective":
                found |= self._imported(node["absolutePath"])
        return found


def baseline(solc: Solc) -> Code:
    solc.ask_parts(PARTS, {})
    code = solc.parts()
    if isinstance(code, str):
        raise SystemExit(f"{code}\nMutants are compiled by solc's old code generator, for speed.")
    return code


class Trials:
    """Compilers and tests side by side; what is compiled waits here for the tests."""

    def __init__(self, sources: Sources, code: Code, suite: Suite) -> None:
        self._sources, self._code, self._suite = sources, code, suite
        self._compiling: dict[Solc, Result] = {}
        self._ready: list[tuple[Result, Code]] = []
        self._testing: dict[Trial, Result] = {}
        self._seen: dict[tuple[tuple[str, str], ...], Result] = {}

    def run(self, chosen: list[Mutant]) -> Iterator[Result]:
        """In the order in which they are done."""
        free = [Solc() for _ in range(COMPILERS)]
        left = [Result(mutant) for mutant in reversed(chosen)]
        while left or self._compiling or self._ready or self._testing:
            while free and left and len(self._ready) < FORKS:
                self._compile(free.pop(), left.pop())
            while self._ready and len(self._testing) < FORKS:
                self._test(*self._ready.pop(0))
            waiting: list[Solc | Trial] = [*self._compiling, *self._testing]
            done = select.select(waiting, [], [], PATIENCE)[0] if waiting else []
            for worker in done or [trial for trial in self._testing if trial.is_late]:
                if isinstance(worker, Solc):
                    free.append(worker)
                    yield from self._compiled(worker)
                else:
                    yield self._tested(worker)
        for solc in free:
            solc.close()

    def _compile(self, solc: Solc, result: Result) -> None:
        mutant = result.mutant
        solc.ask_parts(self._sources.parts_with(mutant), {mutant.path: mutant.source})
        self._compiling[solc] = result

    def _compiled(self, solc: Solc) -> Iterator[Result]:
        result, made = self._compiling.pop(solc), solc.parts()
        if isinstance(made, str):
            result.verdict = "does not compile"
            yield result
            return
        key = tuple(sorted(made.items()))
        if key in self._seen or all(self._code[part] == text for part, text in key):
            result.verdict, result.twin = "same code", self._seen.get(key)
            yield result
            return
        self._seen[key] = result
        self._ready.append((result, made))

    def _test(self, result: Result, code: Code) -> None:
        mutant = result.mutant
        trial = self._suite.start(code, mutant.place, self._sources.entrances(mutant))
        self._testing[trial] = result

    def _tested(self, trial: Trial) -> Result:
        result = self._testing.pop(trial)
        result.killer = trial.killer()
        result.verdict = "killed" if result.killer else "survived"
        self._suite.note(result.mutant.place, result.killer)
        return result


def spread(chosen: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many, evenly over all contracts and their functions."""
    if count >= len(chosen):
        return chosen
    start = random.Random(seed).random()
    return [chosen[int((start + i) * len(chosen) / count)] for i in range(count)]


def judge(results: list[Result], there_are: set[str]) -> list[str]:
    """Marks the named equivalents; complaints about survivors and about the list itself."""
    named = {entry["mutant"]: entry["reason"] for entry in yaml.safe_load(EQUIVALENT.read_text())}
    complaints = []
    for result in results:
        if result.twin and result.twin.verdict in ("survived", "equivalent"):
            result.verdict = "survived"  # a sample may meet this one alone
        if result.mutant.name in named:
            if result.verdict == "killed":
                complaints.append(f"named equivalent, yet killed: {result.mutant.name}")
            elif result.verdict == "survived":
                result.verdict = "equivalent"
        elif result.verdict == "survived":
            where = f"{result.mutant.path}:{result.mutant.line}"
            complaints.append(f"survived: {where} {result.mutant.name}")
    gone = sorted(set(named) - there_are)
    return complaints + [f"named equivalent, but there is no such mutant: {one}" for one in gone]


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
    parser.add_argument("--sample", type=int, help="only so many, evenly spread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only mutants whose name has this in it")
    options = parser.parse_args()
    started = time.monotonic()
    sources = Sources()
    first = Solc()
    code = baseline(first)
    first.close()
    everything = sources.mutants()
    chosen = [mutant for mutant in everything if options.only in mutant.name]
    if options.sample is not None:
        chosen = spread(chosen, options.sample, options.seed)
    results: list[Result] = []

    def work(suite: Suite) -> None:
        for result in Trials(sources, code, suite).run(chosen):
            results.append(result)
            if result.verdict == "survived":
                print(f"{len(results)}/{len(chosen)} survived: {result.mutant.name}", flush=True)

    Suite(code, sources.selectors, work).run()
    complaints = judge(results, {mutant.name for mutant in everything})
    print(json.dumps(write_report(results, time.monotonic() - started), indent=1))
    print("\n".join(complaints), file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
