"""What decisions on a recorded attack are worth."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replay_scores import LEAK, SERVER, SHARE, Decision, Label, Score, Truth, blocks, score

HOUR, DAY = 3600.0, 86_400.0
SCAN, SHELL, ROOT = 3 * DAY, 3 * DAY + 200, 3 * DAY + 2000
LEAKS = 1 * DAY  # from the very start; the window is the hour after it stopped
TRUTH = Truth(
    labels=[
        Label(SCAN, SERVER, "service_scan"),
        Label(SCAN - 10, "mail", "service_scan"),
        Label(SHELL, SERVER, "webshell_cmd"),
        Label(SHELL + 50, "firewall", "online_cracking"),
        Label(SHELL + 60, "monitoring", "crack_passwords"),
        Label(ROOT, SERVER, "escalated_sudo_command"),
        Label(0.0, SHARE, LEAK),
        Label(0.0, "firewall", LEAK),
    ],
    windows={
        "network_scans": (SCAN - HOUR, SCAN),
        "service_scans": (SCAN, SHELL),
        "webshell": (SHELL, ROOT),
        "privilege_escalation": (ROOT, ROOT + 100),
        "service_stop": (LEAKS, LEAKS + 2),
        LEAK: (LEAKS + 2, LEAKS + HOUR),
    },
    start=0.0,
    end=4 * DAY,
)


def isolate(time: float, target: str = SERVER) -> Decision:
    return Decision(time, "ISOLATE", target)


def scored(*decisions: Decision) -> Score:
    return score(decisions, TRUTH)


def test_leads_are_of_the_first_isolation_after_the_first_alert() -> None:
    done = scored(isolate(SHELL + 100), isolate(SHELL + 40), isolate(SCAN - 60))
    assert done.isolated
    assert done.after_first_alert_s == 240
    assert done.before_web_shell_s == -40
    assert done.before_root_s == 1760
    assert done.early == 1
    assert not done.false


def test_a_server_that_is_never_isolated_has_no_leads() -> None:
    done = scored(Decision(SCAN + 1, "BLOCK", SERVER), isolate(SCAN - 60))
    assert not done.isolated
    assert done.after_first_alert_s is done.before_web_shell_s is done.before_root_s is None


@pytest.mark.parametrize("host", ["mail", "firewall", "monitoring", "printer"])
def test_a_host_that_is_scanned_or_passed_was_not_entered(host: str) -> None:
    assert scored(isolate(SHELL + 100, host)).false == ((72.08, host, "never entered"),)


@pytest.mark.parametrize("time", [HOUR, LEAKS + 10, SCAN - HOUR - 1])
def test_the_server_is_isolated_falsely_before_the_attack_on_it(time: float) -> None:
    assert [why for _, _, why in scored(isolate(time)).false] == ["outside the attack"]


def test_isolating_again_what_nobody_cleaned_is_kept() -> None:
    done = scored(isolate(SHELL), isolate(SHELL + HOUR), isolate(SHELL + 2 * HOUR))
    assert (done.kept, done.false) == (2, ())


def test_the_share_leaks_before_its_window_too() -> None:
    while_leaking, in_window = scored(isolate(HOUR, SHARE)), scored(isolate(LEAKS + 60, SHARE))
    assert (while_leaking.share_while_leaking, while_leaking.share_in_window) == (True, False)
    assert (in_window.share_while_leaking, in_window.share_in_window) == (True, True)
    assert not while_leaking.false
    late = scored(isolate(SCAN, SHARE))
    assert (late.share_while_leaking, late.share_in_window) == (False, False)


def test_a_share_without_a_trace_of_a_leak_was_not_entered() -> None:
    truth = replace(TRUTH, labels=[x for x in TRUTH.labels if x.host != SHARE])
    done = score([isolate(LEAKS + 60, SHARE)], truth)
    assert [why for _, _, why in done.false] == ["never entered"]
    assert not done.share_while_leaking


def test_quiet_time_is_what_no_window_covers() -> None:
    attacked = HOUR + 2000 + 100 + HOUR  # windows that touch count once
    assert scored().quiet_days == pytest.approx(4 - attacked / DAY)
    overlapping = replace(TRUTH, windows={"a": (0, DAY), "b": (DAY / 2, 2 * DAY), LEAK: (0, 9)})
    assert overlapping.quiet_days == pytest.approx(2)


def test_quiet_proposals_are_counted_by_kind_and_releases_apart() -> None:
    done = scored(
        Decision(HOUR, "BLOCK", "192.0.2.1/32"),
        Decision(HOUR, "REVOKE", "ssh:x"),
        Decision(2 * HOUR, "RELEASE", "mail"),
        isolate(LEAKS + 10, "mail"),
        Decision(SHELL, "BLOCK", "192.0.2.2/32"),
    )
    assert done.quiet == {"BLOCK": 1, "RELEASE": 1, "REVOKE": 1}
    assert done.quiet_per_day == pytest.approx(2 / TRUTH.quiet_days)


times = st.integers(0, int(4 * DAY)).map(float)
decisions = st.lists(
    st.builds(
        Decision,
        times,
        st.sampled_from(["BLOCK", "ISOLATE", "REVOKE", "RELEASE"]),
        st.sampled_from([SERVER, SHARE, "mail"]),
    ),
    max_size=12,
)


@given(made=decisions)
def test_each_isolation_is_false_or_in_the_attack_or_kept(made: list[Decision]) -> None:
    done = score(made, TRUTH)
    right = [
        d
        for d in made
        if d.kind == "ISOLATE" and d.target != "mail" and TRUTH.attacked_in(d.target, d.time)
    ]
    isolations = sum(d.kind == "ISOLATE" for d in made)
    assert len(done.false) + done.kept + len(right) == isolations
    assert sum(done.quiet.values()) == sum(not TRUTH.attacked(d.time) for d in made)


@given(made=decisions, shift=st.integers(-(10**6), 10**9))
def test_only_time_differences_count(made: list[Decision], shift: int) -> None:
    moved = Truth(
        [x._replace(time=x.time + shift) for x in TRUTH.labels],
        {k: (a + shift, b + shift) for k, (a, b) in TRUTH.windows.items()},
        TRUTH.start + shift,
        TRUTH.end + shift,
    )
    assert score([d._replace(time=d.time + shift) for d in made], moved) == score(made, TRUTH)


def test_blocks_are_counted_by_address() -> None:
    made = [
        Decision(1.0, "BLOCK", "192.0.2.1/32"),
        Decision(2.0, "BLOCK", "192.0.2.1/32"),
        Decision(3.0, "BLOCK", "192.0.2.9/32"),
        Decision(4.0, "ISOLATE", "192.0.2.2"),
    ]
    assert blocks(made, {"192.0.2.1", "192.0.2.2"}) == {
        "proposed": 2,
        "attackers_proposed": 1,
        "attackers": 2,
        "precision": 0.5,
        "others": ["192.0.2.9"],
    }
    assert blocks([], {"192.0.2.1"})["precision"] is None
