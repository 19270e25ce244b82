"""Rounds of enforcement on the dry-run point: what is stated about each order, and when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from policies.actions import Kind
from responder.clock import ManualClock
from responder.enforcers.base import Actual, Command, Enforcer, Order, Subject
from responder.enforcers.dryrun import DryRunEnforcer
from responder.enforcers.reconcile import Outcome, Result, reconcile
from responder.errors import Permanent, Temporary
from responder.evidence import EvidenceStore

BLOCK = Order(Subject(b"\1" * 32, bytes(32)), Kind.BLOCK, "203.0.113.9/32", 2000.0)
ISOLATE = Order(
    Subject(b"\2" * 32, bytes(32)), Kind.ISOLATE, "web", 1500.0, ("10.0.0.5", "2001:db8::5")
)
REVOKE = Order(Subject(b"\3" * 32, bytes(32)), Kind.REVOKE, "ssh:SHA256:x", 1800.0)
ORDERS = [BLOCK, ISOLATE, REVOKE]


class Rounds:
    """A caller that remembers what was stated, as the chain's receipts do."""

    def __init__(self, enforcer: Enforcer) -> None:
        self.enforcer = enforcer
        self.clock = ManualClock(1000.0)
        self.known: dict[Subject, Outcome] = {}

    def __call__(self, *orders: Order) -> list[Result]:
        results = reconcile(self.enforcer, orders, self.clock.now(), self.known)
        self.known.update({r.subject: r.outcome for r in results})
        return results


class Faulty:
    """A point that fails as told."""

    name = "faulty"
    kinds = frozenset(Kind)
    management: Sequence[str] = ()

    def __init__(self, on_read: Exception | None = None, on_apply: Exception | None = None) -> None:
        self._on_read, self._on_apply = on_read, on_apply

    def read(self, now: float) -> Actual:
        if self._on_read:
            raise self._on_read
        return Actual()

    def apply(self, commands: Iterable[Command], now: float) -> None:
        if self._on_apply:
            raise self._on_apply


class Counting(DryRunEnforcer):
    """Counts how often something is changed."""

    applied = 0

    def apply(self, commands: Iterable[Command], now: float) -> None:
        self.applied += 1
        super().apply(commands, now)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "enforced.json"


@pytest.fixture
def rounds(state: Path) -> Rounds:
    return Rounds(DryRunEnforcer(state, management=("10.9.0.0/24",)))


def outcomes(results: Iterable[Result]) -> list[Outcome]:
    return [result.outcome for result in results]


def tamper(state: Path, value: str) -> None:
    stored = json.loads(state.read_bytes())
    stored["elements"] = [e for e in stored["elements"] if e[1] != value]
    state.write_text(json.dumps(stored))


def test_all_kinds_are_applied_and_read_back(rounds: Rounds, state: Path) -> None:
    results = rounds(*ORDERS)
    assert outcomes(results) == [Outcome.APPLIED] * 3
    assert results[1].readback == {
        "enforcer": "dry-run",
        "order": "0x" + "02" * 32,
        "target": "0x" + "00" * 32,
        "until": 1500.0,
        "in_force": {"isolated4 10.0.0.5": True, "isolated6 2001:db8::5": True},
    }
    assert json.loads(state.read_bytes())["elements"] == [
        ["blocked4", "203.0.113.9", 2000.0],
        ["isolated4", "10.0.0.5", 1500.0],
        ["isolated6", "2001:db8::5", 1500.0],
        ["revoked", "ssh:SHA256:x", 1800.0],
    ]


def test_steady_state_changes_nothing_and_repeats_itself(state: Path) -> None:
    enforcer = Counting(state)
    rounds = Rounds(enforcer)
    first = rounds(*ORDERS)
    rounds.clock.advance(60.0)
    second = rounds(*ORDERS)
    assert enforcer.applied == 1
    assert [r.digest for r in first] == [r.digest for r in second]
    assert outcomes(second) == [Outcome.APPLIED] * 3


def test_no_orders_touch_nothing(rounds: Rounds, state: Path) -> None:
    assert rounds() == []
    assert not state.exists()


def test_expired_order_is_reverted_once(rounds: Rounds) -> None:
    rounds(ISOLATE)
    rounds.clock.set(1500.0)
    [ended] = rounds(ISOLATE)  # the caller may still list it
    assert (ended.subject, ended.outcome) == (ISOLATE.subject, Outcome.REVERTED)
    assert rounds() == []


def test_elements_end_by_the_clock_alone(rounds: Rounds) -> None:
    rounds(BLOCK, ISOLATE)
    assert len(rounds.enforcer.read(1499.0).elements) == 3
    assert len(rounds.enforcer.read(1500.0).elements) == 1


def test_released_order_is_reverted_and_the_rest_stays(rounds: Rounds) -> None:
    rounds(*ORDERS)
    results = rounds(BLOCK, REVOKE)
    assert outcomes(results) == [Outcome.APPLIED, Outcome.APPLIED, Outcome.REVERTED]
    assert len(rounds.enforcer.read(1000.0).elements) == 2


def test_drift_is_stated_mended_and_over(rounds: Rounds, state: Path) -> None:
    rounds(BLOCK, ISOLATE)
    tamper(state, "10.0.0.5")
    block, drifted = rounds(BLOCK, ISOLATE)
    assert (block.outcome, drifted.outcome) == (Outcome.APPLIED, Outcome.DRIFTED)
    assert drifted.readback["in_force"] == {  # as found
        "isolated4 10.0.0.5": False,
        "isolated6 2001:db8::5": True,
    }
    assert outcomes(rounds(BLOCK, ISOLATE)) == [Outcome.APPLIED] * 2


def test_lost_state_is_drift(rounds: Rounds, state: Path) -> None:
    rounds(BLOCK)
    state.unlink()
    assert outcomes(rounds(BLOCK)) == [Outcome.DRIFTED]


def test_damaged_state_is_drift(
    rounds: Rounds, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rounds(BLOCK)
    state.write_text('{"elements": [["blocked4"]]}')
    assert outcomes(rounds(BLOCK)) == [Outcome.DRIFTED]
    assert "damaged" in caplog.text


def test_new_nested_network_is_no_drift_of_the_old(rounds: Rounds) -> None:
    wide = Order(Subject(b"\4" * 32, bytes(32)), Kind.BLOCK, "198.51.0.0/16", 1500.0)
    inner = Order(Subject(b"\5" * 32, bytes(32)), Kind.BLOCK, "198.51.7.0/24", 1900.0)
    rounds(wide)
    assert outcomes(rounds(wide, inner)) == [Outcome.APPLIED] * 2
    rounds.clock.set(1600.0)
    assert outcomes(rounds(inner)) == [Outcome.APPLIED, Outcome.REVERTED]


def test_restart_without_memory_finds_it_applied(rounds: Rounds, state: Path) -> None:
    [before] = rounds(BLOCK)
    [after] = Rounds(DryRunEnforcer(state))(BLOCK)
    assert (after.outcome, after.digest) == (Outcome.APPLIED, before.digest)


def test_management_network_is_refused_and_the_rest_applied(rounds: Rounds) -> None:
    cut = Order(Subject(b"\6" * 32, bytes(32)), Kind.BLOCK, "10.0.0.0/8", 2000.0)
    refused, applied = rounds(cut, BLOCK)
    assert (refused.outcome, applied.outcome) == (Outcome.FAILED, Outcome.APPLIED)
    assert "management network 10.9.0.0/24: never cut" in refused.detail
    assert "in_force" not in refused.readback
    assert len(rounds.enforcer.read(1000.0).elements) == 1


def test_read_back_can_be_kept_as_evidence(rounds: Rounds, tmp_path: Path) -> None:
    [result] = rounds(BLOCK)
    assert EvidenceStore(tmp_path / "evidence").put(result.readback) == result.digest


def page(*addresses: str) -> Order:
    """An asset of one page of a batch."""
    return Order(Subject(b"\7" * 32, b"\1" * 32), Kind.ISOLATE, addresses[0], 1500.0, addresses)


def test_what_shares_a_subject_is_stated_once(rounds: Rounds, state: Path) -> None:
    orders = [page("10.0.0.5"), page("10.0.0.6")]
    [result] = rounds(*orders)
    assert result.outcome is Outcome.APPLIED
    assert result.readback["in_force"] == {"isolated4 10.0.0.5": True, "isolated4 10.0.0.6": True}
    tamper(state, "10.0.0.6")
    assert outcomes(rounds(*orders)) == [Outcome.DRIFTED]
    assert outcomes(rounds()) == [Outcome.REVERTED]


def test_one_of_a_subject_that_is_refused_fails_it_and_the_others_are_applied(
    rounds: Rounds,
) -> None:
    [result] = rounds(page("10.0.0.5"), page("10.9.0.1"))
    assert result.outcome is Outcome.FAILED
    assert "management network" in result.detail
    assert result.readback["in_force"] == {"isolated4 10.0.0.5": True, "10.9.0.1": False}
    assert len(rounds.enforcer.read(1000.0).elements) == 1


def test_failing_apply_is_stated_per_order() -> None:
    rounds = Rounds(Faulty(on_apply=Temporary("nft failed: busy")))
    results = rounds(BLOCK, ISOLATE)
    assert outcomes(results) == [Outcome.FAILED] * 2
    assert {r.detail for r in results} == {"nft failed: busy"}
    assert results[0].readback["in_force"] == {"blocked4 203.0.113.9": False}


def test_apply_that_does_nothing_is_found_out() -> None:
    [result] = Rounds(Faulty())(BLOCK)
    assert (result.outcome, result.detail) == (Outcome.FAILED, "not there after applying it")


def test_unreadable_for_good_is_stated() -> None:
    [result] = Rounds(Faulty(on_read=Permanent("run as root")))(BLOCK)
    assert (result.outcome, result.detail) == (Outcome.FAILED, "run as root")
    assert "in_force" not in result.readback


def test_unreadable_for_now_states_nothing() -> None:
    with pytest.raises(Temporary):
        Rounds(Faulty(on_read=Temporary("busy")))(BLOCK)


def test_ended_order_that_cannot_be_removed_is_failed(state: Path) -> None:
    class Stuck(DryRunEnforcer):
        def apply(self, commands: Iterable[Command], now: float) -> None:
            if any(command.verb == "remove" for command in commands):
                raise Temporary("nft failed: busy")
            super().apply(commands, now)

    rounds = Rounds(Stuck(state))
    rounds(BLOCK)
    [result] = rounds()
    assert (result.outcome, result.detail) == (Outcome.FAILED, "nft failed: busy")
