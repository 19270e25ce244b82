"""The peer learns from other sites' labels, and isolates what looks like them."""

from __future__ import annotations

import math
from pathlib import Path

import ait
import pytest
from ait import Row
from peers import naive_bayes
from peers.naive_bayes import NaiveBayes, Rising
from replay_scores import LEAK, SERVER, Decision, score

WINDOW = naive_bayes.WINDOW


def row(window: int, host: str, type: str, event: str = "-", after: float = 1.0) -> Row:
    return Row(window * WINDOW + after, "", "", host, type, event)


def site(noise: str) -> naive_bayes.Case:
    """Ten quiet windows of two hosts, then an attack on the server."""
    rows = [row(w, host, noise) for w in range(10) for host in (SERVER, "mail")]
    rows += [
        row(10, "mail", "scan", "service_scan", 5.0),
        row(10, SERVER, "scan", "service_scan", 6.0),
        row(10, SERVER, "shell", "webshell_cmd", 7.0),
        row(10, SERVER, "sudo", "escalated_sudo_command", 300.0),
        row(10, "mail", noise, after=400.0),
    ]
    windows = {"webshell": (10.0 * WINDOW, 11.0 * WINDOW), LEAK: (0.0, 0.0)}
    return naive_bayes.case(rows, ait.truth(rows, windows))


def test_a_window_is_attacked_by_any_label_but_the_leak() -> None:
    rows = [row(3, "a", "x", "dirb"), row(3, "b", "x"), row(4, "c", "x", LEAK)]
    truth = ait.truth(rows, {})
    assert naive_bayes.case(rows, truth).attacked == {(3, "a")}


def test_only_a_types_first_alert_in_a_window_is_seen() -> None:
    rows = [row(1, "a", "x", after=9.0), row(1, "a", "x", after=3.0), row(1, "a", "y", after=5.0)]
    seen = naive_bayes.case(rows, ait.truth(rows, {})).seen
    assert [(s.time - WINDOW, s.type) for s in seen] == [(3.0, "x"), (5.0, "y")]


def test_a_type_speaks_for_an_attack_where_it_came_with_one() -> None:
    model = NaiveBayes.fit([site("hum")])
    assert model.weights["shell"] > 0 > model.weights["hum"]
    assert model.weights["scan"] > model.weights["shell"]  # of both attacked hosts


def test_the_posterior_is_bayes() -> None:
    """Of a window with `x` alone: two of three such windows were attacked, of four in all."""
    rows = [row(0, "a", "x", "dirb"), row(1, "a", "x", "dirb"), row(2, "a", "x"), row(3, "a", "y")]
    case = naive_bayes.case(rows, ait.truth(rows, {}))
    model = NaiveBayes.fit([case])
    (first, *_) = model.rising(case)
    odds = 1.0 * ((2.5 / 3) / (1.5 / 3)) * ((1 - 0.5 / 3) / (1 - 1.5 / 3))
    assert first.odds == pytest.approx(math.log(odds))


def test_an_isolation_holds_for_an_hour() -> None:
    rising = [Rising(t, "a", 5.0) for t in (0.0, 10.0, 3599.0, 3600.0)] + [Rising(5.0, "b", 4.9)]
    made = naive_bayes.decisions(rising, 5.0)
    assert made == [Decision(0.0, "ISOLATE", "a"), Decision(3600.0, "ISOLATE", "a")]


def test_the_server_of_another_site_is_isolated_before_root() -> None:
    model, bar = naive_bayes.train([site("hum"), site("hiss")])
    unseen = site("buzz")
    done = score(naive_bayes.decisions(model.rising(unseen), bar), unseen.truth)
    assert done.isolated
    assert (done.before_root_s or 0) > 0
    assert not done.false


@pytest.mark.slow
def test_recorded_servers_are_isolated_as_the_peer_is_known_to(shared_data: Path) -> None:
    folder = shared_data / "ait-ads"
    windows = ait.windows(folder / "attack_windows.csv")
    cases = {}
    for name, own in windows.items():
        rows = ait.load(folder / f"{name}_alerts.csv.xz")
        cases[name] = naive_bayes.case(rows, ait.truth(rows, own))
    for name, unseen in cases.items():
        others = [case for other, case in cases.items() if other != name]
        model, bar = naive_bayes.train(others)
        done = score(naive_bayes.decisions(model.rising(unseen), bar), unseen.truth)
        assert done.isolated
        assert (done.before_web_shell_s or 0) >= 0
        assert not done.false
