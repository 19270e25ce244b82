"""The timeline: what it tells, and that nothing hostile reaches the terminal."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from happenings import everything
from rich.console import Console
from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.chain.ledger import Ledger
from responder.chain.proposal import Proposal
from responder.evidence import EvidenceStore
from responder.view import Timeline, plain, progress, stamp, standing, summary

HOSTILE = "\x1b[2J\x1b[31mOWNED\x07\r\n\x9b5A\u202etxt.exe[/bold][red]x"


def bundle(world: World, title: str) -> bytes:
    alert = {"time": 1.0, "sensor": "suricata", "type": "1", "title": title, "src": "203.0.113.9"}
    reasons = [f"because of {title}"]
    return EvidenceStore(world.settings.evidence).put({"alerts": [alert], "reasons": reasons})


def told(world: World, terminal: bool = False, width: int = 200) -> str:
    """What the view shows of everything that happened since the deployment."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None)
    view = Timeline(console, EvidenceStore(world.settings.evidence))
    view.name({world.address(name): name for name in OPERATORS})
    gate = world.gate()
    ledger = Ledger(gate.domain, watch=lambda event: view.event(event, ledger))
    with view.showing():
        ledger.sync(gate)
        view.step(world.now, 7, ledger)
    return out.getvalue()


def whole_life(world: World) -> Proposal:
    world.lease()
    world.propose(Kind.BLOCK, "203.0.113.9", evidence=bundle(world, "a scan"))
    world.vote("Rejection", world.propose(target="db"), "operator-3")
    world.gate("guardian").veto(world.propose(target="desk"))
    order = world.order(evidence=bundle(world, "a web shell"), ttl=60)
    world.state(order, 0, b"\xab" * 32)
    world.vote("Release", world.order(target="db"), *OPERATORS[:2])
    world.wait(120)
    return order


def test_every_step_of_a_life_is_told(world: World) -> None:
    order = whole_life(world)
    text = " ".join(told(world).split())
    mark = f"[{world.id(order).hex()[:8]}]"
    for said in (
        "lease      5 blocks, 0 isolations, 0 revocations, signed by operator-1, operator-2",
        "proposal   BLOCK 203.0.113.9/32 for 10 min, under the lease",
        "alert      suricata: a web shell (203.0.113.9)",
        "proposal   ISOLATE web (zone dmz) for 1 min, needs 2 operators",
        "  because: because of a web shell",
        f"approval   operator-2 signed ISOLATE web (zone dmz) {mark}",
        f"order      ISOLATE web (zone dmz) {mark} until",
        f"receipt    applied: ISOLATE web (zone dmz) {mark}, read back abababab",
        f"expiry     ISOLATE web (zone dmz) {mark} ended by itself",
        "rejection  operator-3 refused ISOLATE db",
        "veto       ",
        "release    ISOLATE db",
        "evidence is not here",
    ):
        assert " ".join(said.split()) in text, said


def test_what_a_model_expects_is_told_in_a_line(world: World) -> None:
    why = {
        "gain": 3.0,
        "chance": 0.5,
        "gain_if_right": 12.0,
        "gain_if_wrong": -6.0,
        "runner_up": None,
        "runner_up_gain": 0.0,
        "columns": [],
    }
    made = {"alerts": [], "reasons": ["a web shell"], "explanation": why}
    world.propose(evidence=EvidenceStore(world.settings.evidence).put(made))
    expected = "because: a web shell .* the model: 50% likely to be right; if so, waiting costs"
    assert re.search(expected, " ".join(told(world).split()))


def test_what_stops_waits_or_comes_at_once_is_told(world: World) -> None:
    everything(world, bundle(world, "a web shell"))
    text = " ".join(told(world).split())
    short = [world.address(name)[:10] for name in ("guardian", "relayer")]
    for said in (
        "ISOLATE desk (zone dmz)".replace("dmz", "office"),
        "rejection operator-1 withdrew from REVOKE ssh:SHA256:alice",
        f"veto {short[0]} paused the gate",
        "lease resumed, signed by operator-1, operator-2",
        "order 2 x ISOLATE: web, web-2 until",
        "receipt applied: 2 x ISOLATE",
        "receipt failed: 2 x ISOLATE",
        "notice no receipt in time: 2 x ISOLATE",
        "release 2 x ISOLATE",
        "proposal BLOCK 203.0.113.7/32 for 10 min, signed by operator-1, operator-2",
        f"veto {short[0]} stopped model {Wants.hash.hex()[:8]}",
        f"lease model {Wants.hash.hex()[:8]} is active, signed by operator-1, operator-2",
    ):
        assert said in text, said


def test_what_waits_for_its_delay_says_until_when(world: World) -> None:
    world.rule(Kind.ISOLATE, 1, leasable=False, delay=600)
    proposal = world.propose(wait=900)
    world.vote("Approval", proposal, *OPERATORS[:2])
    case, ledger = world.case(proposal), world.ledger()
    text = " ".join(told(world).split())
    until = stamp(ledger.earliest(case, world.now))
    assert "needs 2 operators and 10 min" in text
    assert f"is approved, executes from {until}" in text
    assert text.count("is approved") == 1
    assert standing(ledger, case, world.now) == f"WAITING {case.approved_at + 600 - world.now} s"


def test_progress_names_the_groups_that_are_missing(world: World) -> None:
    world.rule(Kind.ISOLATE, 1, groups=5)
    proposal = world.propose()
    world.vote("Approval", proposal, "operator-1")
    case, ledger = world.case(proposal), world.ledger()
    assert progress(ledger, case, world.now) == "1 of 2, none of group 2"


def test_receipts_under_a_root_that_are_not_here_are_counted(world: World) -> None:
    world.gate("enforcer").file_receipts(b"\xab" * 32, 40)
    who = world.address("enforcer")[:10]
    assert f"receipt 40 by {who} under root abababab" in " ".join(told(world).split())


def test_on_a_terminal_the_same_is_shown_live(world: World) -> None:
    whole_life(world)
    text = told(world, terminal=True)
    assert "Countersign" in text and "7 alerts" in text and "a web shell" in text


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_hostile_reaches_the_terminal(world: World, terminal: bool) -> None:
    world.register("web" + HOSTILE, "dmz" + HOSTILE, 0, False)
    world.propose(target="web" + HOSTILE, evidence=bundle(world, HOSTILE))
    text = told(world, terminal)
    assert "OWNED" in text and "[red]" in text  # shown as it is, not obeyed
    for sign in ("\x1b[2J\x1b[31m", "\x1b[31m", "\x07", "\x9b", "\u202e", "OWNED\r"):
        assert sign not in text


def test_plain_keeps_words_and_replaces_the_rest() -> None:
    assert plain("Ünïcode, 猫 and spaces") == "Ünïcode, 猫 and spaces"
    assert plain("a\x1bb\nc\u202e") == "a\ufffdb\ufffdc\ufffd"


def test_quiet_says_nothing(world: World) -> None:
    out = io.StringIO()
    view = Timeline(Console(file=out), EvidenceStore(world.settings.evidence), quiet=True)
    view.notice(1.0, "hello")
    with view.showing():
        view.step(2.0, 3)
    assert (out.getvalue(), view.alerts) == ("", 3)


def test_the_summary_counts(capsys: Any) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(summary({"alerts": 12345, "audit": "ok", "ordered": [1]}))
    assert "12,345" in out.getvalue() and "ok" in out.getvalue()
    assert "ordered" not in out.getvalue()
