"""Killed at the worst moments and started again, the responder ends where it would have ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.approvals import Inbox
from responder.audit import audit
from responder.chain.client import GateClient
from responder.chain.records import Status, Subject
from responder.enforcers.dryrun import DryRunEnforcer
from responder.evidence import EvidenceStore
from responder.loop import Responder
from responder.receipts import statements
from responder.sensors import Feed
from responder.store import Cache

TARGETS = ("web", "db", "203.0.113.9/32")
POINTS: list[tuple[type, str]] = [
    (Feed, "read"),
    (EvidenceStore, "put"),
    (GateClient, "propose"),
    (GateClient, "approve_by_sig"),
    (GateClient, "execute"),
    (GateClient, "file_receipt"),
    (GateClient, "file_receipts"),
    (GateClient, "settle"),
    (Inbox, "done"),
    (DryRunEnforcer, "apply"),
    (Cache, "put"),
]


class Killed(BaseException):
    """Passes every handler, as a signal would."""


def arm(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, nth: int, after: bool) -> None:
    """The n-th call of this method is the last thing the process does, or does not do any more."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and not after:
            raise Killed
        result = real(*args, **kwargs)
        if calls == nth:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, deadly)


def play(world: World) -> int:
    """An attack, two operators who sign, and the end of every order. Returns the deaths."""
    world.lease()
    responder, deaths = world.responder(Wants(*TARGETS)), 0
    world.alerts("10.0.1.10")
    for moment in range(8):
        if moment == 2:
            world.alerts("10.0.3.10", kinds=5)
        world.wait(5 if moment < 6 else 90_000)
        responder, died = step(world, responder)
        deaths += died
        sign(world)
    return deaths


def step(world: World, responder: Responder) -> tuple[Responder, int]:
    for _ in range(2):  # the rest of its work after a restart
        try:
            responder.tick()
        except Killed:
            responder = world.responder(Wants(*TARGETS))
            responder.tick()
            return responder, 1
    return responder, 0


def sign(world: World) -> None:
    ledger = world.ledger()
    for case in ledger.open_cases(ledger.block.time):
        if case.approvals:
            continue
        for name in OPERATORS[:2]:
            world.put(world.slip("Approval", case.proposal, name))


def check(world: World) -> None:
    ledger = world.ledger()
    cases = list(ledger.cases.values())
    told = statements(ledger, EvidenceStore(world.settings.evidence))
    assert sorted(case.words.target for case in cases) == sorted(TARGETS)
    for case in cases:
        assert ledger.status(case, ledger.block.time) is Status.EXPIRED
        stated = told[Subject(case.id, case.proposal.target)]
        assert [statement.receipt.outcome for statement in stated] == [0, 3]  # applied, reverted
        assert not ledger.counts(case.proposal.kind, case.proposal.target)
        leased = case.proposal.kind is Kind.BLOCK
        assert len(case.approvals) == (0 if leased else 2)
    assert Inbox(world.settings.inbox).slips() == []
    assert world.refused_slips() == {}
    report = audit(world.gate(), EvidenceStore(world.settings.evidence))
    assert (report.orders, report.receipts) == (3, 6)


def test_undisturbed(world: World) -> None:
    assert play(world) == 0
    check(world)


ONCE = "file_receipts"  # two orders at one tick
MOMENTS = [
    *((owner, name, 1) for owner, name in POINTS),
    *(
        pytest.param(owner, name, 2, marks=pytest.mark.slow)
        for owner, name in POINTS
        if name != ONCE
    ),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name", "nth"), MOMENTS)
def test_killed(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, after: bool, nth: int
) -> None:
    arm(monkeypatch, owner, name, nth, after)
    assert play(world) == 1
    check(world)


PROCESS = """
import os, sys
from pathlib import Path
from responder.chain.client import GateClient
from responder.settings import Settings
from responder.site import open_responder

real = GateClient.propose
def propose(self, proposal):
    real(self, proposal)
    os._exit(9)
GateClient.propose = propose
sys.path.insert(0, sys.argv[2])
import responder.site
from world import Wants
responder.site.load_policy = lambda *_: Wants("web")
open_responder(Settings.load(Path(sys.argv[1]))).tick()
"""


def test_a_process_that_ends_between_proposal_and_checkpoint(world: World) -> None:
    """The same with a real process, which leaves nothing but its files."""
    world.settings.inventory.write_bytes(
        (world.settings.keys.resolve().parent / "inventory.yaml").read_bytes()
    )
    world.alerts("10.0.1.10")
    here = str(__file__).rpartition("/")[0]
    argv = [sys.executable, "-c", PROCESS, str(world.settings.home), here]
    done = subprocess.run(argv, timeout=60, check=False, capture_output=True)
    assert done.returncode == 9, done.stderr
    assert world.targets() == ["web"]
    world.wait(5)
    responder = world.responder(Wants("web"))
    responder.tick()
    responder.tick()
    assert world.targets() == ["web"]
