"""nftables with a real kernel, in two network namespaces of our own.

`guard` stands for the protected host; `peer` has two addresses from which it talks to the guard.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from policies.actions import Kind
from responder.clock import SystemClock
from responder.enforcers.base import Order, Subject
from responder.enforcers.nftables import NftablesEnforcer
from responder.enforcers.reconcile import Outcome, Result, reconcile
from responder.enforcers.runner import SubprocessRunner

GUARD, BAD, GOOD = "10.99.7.1", "10.99.7.2", "10.99.7.3"
PORT = 4711
clock = SystemClock()

SERVER = f"""
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
socketserver.ThreadingTCPServer.daemon_threads = True
with socketserver.ThreadingTCPServer(("{GUARD}", {PORT}), Echo) as server:
    print("ready", flush=True)
    server.serve_forever()
"""
# Connects from argv[1]; then for each line of input says whether an echo came back in time.
CLIENT = f"""
import socket, sys
try:
    link = socket.create_connection(("{GUARD}", {PORT}), 1, (sys.argv[1], 0))
except OSError:
    print("refused", flush=True)
    sys.exit()
print("connected", flush=True)
for line in sys.stdin:
    link.settimeout(1)
    link.sendall(line.encode())
    try:
        link.recv(100)
        print("echo", flush=True)
    except TimeoutError:
        print("silence", flush=True)
"""

pytestmark = pytest.mark.root


def ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, check=False, timeout=30
    )


def in_namespace(name: str, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["ip", "netns", "exec", name, sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def names() -> Iterator[tuple[str, str]]:
    """Two namespaces joined by a cable, gone afterwards."""
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        pytest.skip("needs root, nft and ip")
    unique = uuid.uuid4().hex[:6]
    guard, peer = f"csg{unique}", f"csp{unique}"
    try:
        if any(ip("netns", "add", name).returncode for name in (guard, peer)):
            pytest.skip("network namespaces are not allowed here")
        cable = ip("link", "add", f"vg{unique}", "netns", guard, "type", "veth",
                   "peer", "name", f"vp{unique}", "netns", peer)  # fmt: skip
        if cable.returncode:
            pytest.skip(f"no veth here: {cable.stderr.strip()}")
        for name, device, addresses in (
            (guard, f"vg{unique}", [GUARD]),
            (peer, f"vp{unique}", [BAD, GOOD]),
        ):
            for address in addresses:
                ip("-n", name, "address", "add", f"{address}/24", "dev", device)
            ip("-n", name, "link", "set", device, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield guard, peer
    finally:
        for name in (guard, peer):
            ip("netns", "delete", name)


@pytest.fixture(scope="module")
def server(names: tuple[str, str]) -> Iterator[None]:
    process = in_namespace(names[0], SERVER)
    assert said(process) == "ready"
    yield
    end(process)


@pytest.fixture
def runner(names: tuple[str, str]) -> Iterator[SubprocessRunner]:
    runner = SubprocessRunner(prefix=("ip", "netns", "exec", names[0]))
    yield runner
    runner.run(["nft", "flush", "ruleset"])


@pytest.fixture
def enforcer(runner: SubprocessRunner) -> NftablesEnforcer:
    return NftablesEnforcer(management=(f"{GUARD}/32",), runner=runner)


@pytest.fixture
def connects(names: tuple[str, str], server: None) -> Callable[[str], bool]:
    def connects(source: str) -> bool:
        process = in_namespace(names[1], CLIENT, source)
        answer = said(process)
        end(process)
        return answer == "connected"

    return connects


def order(kind: Kind, target: str, *addresses: str, lasts: float = 600.0, n: int = 1) -> Order:
    return Order(Subject(bytes([n]) * 32, bytes(32)), kind, target, clock.now() + lasts, addresses)


def outcomes(results: list[Result]) -> list[Outcome]:
    return [result.outcome for result in results]


@pytest.mark.parametrize(
    ("kind", "target", "addresses"),
    [
        (Kind.BLOCK, f"{BAD}/32", ()),
        (Kind.BLOCK, "10.99.7.2/31", ()),
        (Kind.ISOLATE, "laptop", (BAD,)),
    ],
)
def test_order_blocks_and_release_frees(
    enforcer: NftablesEnforcer,
    connects: Callable[[str], bool],
    kind: Kind,
    target: str,
    addresses: tuple[str, ...],
) -> None:
    assert connects(BAD)
    given = order(kind, target, *addresses)
    assert outcomes(reconcile(enforcer, [given], clock.now())) == [Outcome.APPLIED]
    assert not connects(BAD)
    assert connects(GOOD) is (target != "10.99.7.2/31")
    known = {given.subject: Outcome.APPLIED}
    assert outcomes(reconcile(enforcer, [], clock.now(), known)) == [Outcome.REVERTED]
    assert connects(BAD)


def test_established_flow_is_cut(
    enforcer: NftablesEnforcer, runner: SubprocessRunner, names: tuple[str, str], server: None
) -> None:
    other = (  # the host's own firewall, of the usual kind
        "add table inet host; add chain inet host in "
        "{ type filter hook input priority 0; policy accept; }; "
        "add rule inet host in ct state established accept"
    )
    assert runner.run(["nft", "-f", "-"], other.encode()).status == 0
    process = in_namespace(names[1], CLIENT, BAD)
    assert process.stdin is not None
    assert said(process) == "connected"
    for expected in ("echo", "silence"):
        process.stdin.write("hello\n")
        process.stdin.flush()
        assert said(process) == expected
        reconcile(enforcer, [order(Kind.BLOCK, f"{BAD}/32")], clock.now())
    end(process)


def test_kernel_ends_an_order_when_no_process_is_left(
    enforcer: NftablesEnforcer, connects: Callable[[str], bool]
) -> None:
    one = order(Kind.BLOCK, f"{BAD}/32", lasts=3.0)
    two = order(Kind.BLOCK, "192.0.2.0/24", lasts=3.0, n=2)
    known = {r.subject: r.outcome for r in reconcile(enforcer, [one, two], clock.now())}
    assert set(known.values()) == {Outcome.APPLIED}
    deadline = time.monotonic() + 60  # only so that a failure ends
    while enforcer.read(clock.now()).elements and time.monotonic() < deadline:
        time.sleep(0.1)
    assert connects(BAD)
    results = reconcile(enforcer, [one, two], two.until, known)
    assert outcomes(results) == [Outcome.REVERTED] * 2


def test_second_round_leaves_timeouts_alone(enforcer: NftablesEnforcer) -> None:
    given = [order(Kind.BLOCK, f"{BAD}/32"), order(Kind.BLOCK, "192.0.2.0/24", n=2)]
    first = reconcile(enforcer, given, clock.now())
    before = enforcer.read(0.0).elements
    second = reconcile(enforcer, given, clock.now())
    after = enforcer.read(0.0).elements
    assert all(after[element] <= before[element] for element in before)
    assert [r.digest for r in first] == [r.digest for r in second]


@pytest.mark.parametrize(
    "tampering",
    [
        ["delete", "element", "inet", "countersign", "blocked4", f"{{ {BAD} }}"],
        ["flush", "chain", "inet", "countersign", "forward"],
        ["insert", "rule", "inet", "countersign", "contain", "accept"],
        ["delete", "table", "inet", "countersign"],
        ["flush", "ruleset"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_drift_is_found_and_mended(
    enforcer: NftablesEnforcer,
    runner: SubprocessRunner,
    connects: Callable[[str], bool],
    tampering: list[str],
) -> None:
    given = [order(Kind.BLOCK, f"{BAD}/32"), order(Kind.BLOCK, "192.0.2.0/24", n=2)]
    [one, two] = reconcile(enforcer, given, clock.now())
    known = {one.subject: one.outcome, two.subject: two.outcome}
    assert runner.run(["nft", *tampering]).status == 0
    drifted = reconcile(enforcer, given, clock.now(), known)
    assert drifted[0].outcome is Outcome.DRIFTED
    assert not connects(BAD)
    mended = reconcile(enforcer, given, clock.now(), known)
    assert [r.digest for r in mended] == [one.digest, two.digest]
    assert outcomes(mended) == [Outcome.APPLIED] * 2


def test_element_without_end_is_given_one(
    enforcer: NftablesEnforcer, runner: SubprocessRunner
) -> None:
    given = order(Kind.BLOCK, f"{BAD}/32")
    reconcile(enforcer, [given], clock.now())
    element = ["inet", "countersign", "blocked4", f"{{ {BAD} }}"]
    runner.run(["nft", "delete", "element", *element])
    runner.run(["nft", "add", "element", *element])
    reconcile(enforcer, [given], clock.now())
    [end] = enforcer.read(clock.now()).elements.values()
    assert abs(end - given.until) <= 2


def test_changes_of_every_sort_in_one_table(enforcer: NftablesEnforcer) -> None:
    v6 = order(Kind.ISOLATE, "web", "10.0.0.5", "2001:db8::5", n=1)
    wide = order(Kind.BLOCK, "198.51.0.0/16", lasts=100, n=2)
    inner = order(Kind.BLOCK, "198.51.7.0/24", lasts=500, n=3)
    net6 = order(Kind.BLOCK, "2001:db8:7::/48", n=4)
    host = order(Kind.BLOCK, f"{GOOD}/32", n=5)
    steps = [[v6], [v6, wide], [v6, wide, inner, net6], [wide, net6, host], [inner], [wide, inner]]
    known: dict[Subject, Outcome] = {}
    for step in steps:
        results = reconcile(enforcer, step, clock.now(), known)
        found = {r.subject: r.outcome for r in results}
        assert all(found[given.subject] is Outcome.APPLIED for given in step)
        assert set(found.values()) <= {Outcome.APPLIED, Outcome.REVERTED}
        known.update(found)


def test_management_is_never_cut(
    enforcer: NftablesEnforcer, connects: Callable[[str], bool]
) -> None:
    [result] = reconcile(enforcer, [order(Kind.BLOCK, "10.99.7.0/24")], clock.now())
    assert result.outcome is Outcome.FAILED and "never cut" in result.detail
    assert connects(BAD)


def test_without_the_right_it_says_so() -> None:
    if not shutil.which("nft") or not shutil.which("setpriv") or os.geteuid() != 0:
        pytest.skip("needs root, nft and setpriv")
    powerless = SubprocessRunner(prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    enforcer = NftablesEnforcer(runner=powerless)
    [result] = reconcile(enforcer, [order(Kind.BLOCK, "203.0.113.9/32")], clock.now())
    assert result.outcome is Outcome.FAILED
    assert "CAP_NET_ADMIN" in result.detail
