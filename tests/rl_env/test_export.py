"""Lines that the simulator writes, read by the responder's parsers, are the same alerts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies.alerts import Alert, Tactic
from responder.sensors import Tactics, detect, parser
from rl_env.export import FORMATS, Report, copies, line, reports
from rl_env.rules import ACTIVITIES
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

THIEVES: dict[str, Any] = {"profiles": {"insider": 1}, "pace": 0.5, "dwell": 3.0, "hops": 8}
ALERT = Alert(1_767_571_200.5, "wazuh", "100007", severity=1 / 3, host="web", address="10.0.0.1")
FINGERPRINT = "SHA256:" + "aB3/+" * 8 + "xyz"


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """Intruders with keys, sensors that are often late."""
    said = {
        "network": {"hosts": 16, "sites": 4},
        "attackers": THIEVES,
        "sensors": {"delay_chance": 0.3, "remote": 0.5, "remote_extreme": 0.0},
    }
    return Simulation(Scenario.from_mapping(said), 1, trace=4096)


def heard(simulation: Simulation, format: str, seed: int = 1) -> list[Report]:
    """Of two hours."""
    simulation.seed(seed)
    simulation.reset(kind="attacked")
    found = []
    for _ in range(120):
        state = simulation.state[0]
        found += reports(state, simulation.sites[int(state.site)], format)
        simulation.step(np.zeros(1, dtype=np.int64))
    return found


@pytest.mark.parametrize("format", FORMATS)
def test_a_round_trip_gives_the_same_alerts(simulation: Simulation, format: str) -> None:
    parse, logins, tactics = parser(format).parse, 0, set()
    found = [alert for seed in range(6) for alert, _, _ in heard(simulation, format, seed)]
    for number, alert in enumerate(found):
        if not alert.credential.startswith("ssh:"):  # no line of sshd names it
            alert = replace(alert, credential="")
        logins += alert.credential != ""
        tactics.add(alert.tactic)
        assert parse(line(alert, format, number).encode()) == alert
    assert len(found) > 200 and len(tactics) > 8
    assert logins > 0 or format == "eve"


@pytest.mark.parametrize("tactic", [None, *Tactic])
@pytest.mark.parametrize("format", FORMATS)
def test_tactic_and_severity_survive(format: str, tactic: Tactic | None) -> None:
    for thirds in range(4):
        sensor = {"eve": "suricata", "wazuh": "wazuh"}[format]
        said = {"host": "web", "address": "10.0.0.1"} if format == "wazuh" else {"dst": "10.0.0.1"}
        alert = Alert(1e9, sensor, "100001", "SIM Sweep 1", thirds / 3, tactic, **said)
        assert parser(format).parse(line(alert, format, 1).encode()) == alert


def test_titles_state_no_tactic(simulation: Simulation) -> None:
    """The parsers would believe them; but rules are mislabelled, and many name no tactic."""
    found = [report for seed in range(6) for report in heard(simulation, "eve", seed)]
    titles = {report.alert.title for report in found}
    assert len({title.rpartition(" ")[0] for title in titles}) >= ACTIVITIES // 2
    state = Tactics.shipped()
    assert [title for title in titles if state.of("suricata", "1", title) is not None] == []


@pytest.mark.parametrize("format", FORMATS)
def test_lines_are_recognised(simulation: Simulation, format: str) -> None:
    alert = heard(simulation, format)[0].alert
    assert detect([line(alert, format, 1).encode()]) == format


def test_a_rule_keeps_its_name_and_both_formats_tell_the_same(simulation: Simulation) -> None:
    by_suricata, by_wazuh = heard(simulation, "eve"), heard(simulation, "wazuh")
    assert len(by_suricata) == len(by_wazuh)
    for one, other in zip(by_suricata, by_wazuh, strict=True):
        assert int(one.alert.type) - 1_000_000 == int(other.alert.type) - 100_000
        assert one.alert.time == other.alert.time
        assert one[1:] == other[1:]
        ends = {other.alert.address, other.alert.src, other.alert.dst} - {""}
        assert {one.alert.src, one.alert.dst} - {""} == ends
        assert not one.alert.credential and not one.alert.host


def test_alerts_are_told_in_order_within_their_minute(simulation: Simulation) -> None:
    found = heard(simulation, "wazuh")
    times = [report.heard for report in found]
    assert times == sorted(times)
    delays = {round(report.heard - report.alert.time) for report in found}
    assert delays <= {60 * minutes for minutes in range(8)} and len(delays) > 2
    inside = [report.heard % 60 for report in found]
    assert min(inside) >= 0 and len({round(second) for second in inside}) > 20


def test_reading_along_changes_nothing(simulation: Simulation) -> None:
    heard(simulation, "eve")
    read = simulation.state[0].copy()
    simulation.seed(1)
    simulation.reset(kind="attacked")
    for _ in range(120):
        simulation.step(np.zeros(1, dtype=np.int64))
    for name in read.dtype.names:
        assert np.array_equal(simulation.state[0][name], read[name]), name


def test_what_was_not_kept_is_an_error() -> None:
    scenario = Scenario.from_mapping({"network": {"hosts": 16}})
    simulation = Simulation(scenario, 1, trace=2)
    simulation.seed(1)
    simulation.reset()
    with pytest.raises(ValueError, match="keep more of them"):
        reports(simulation.state[0], simulation.sites[int(simulation.state[0].site)], "eve")


@pytest.mark.parametrize(("times", "lines"), [(1, 1), (2, 2), (12, 12), (262_144, 12)])
def test_a_flood_is_a_bounded_number_of_lines(times: int, lines: int) -> None:
    made = list(copies(Report(ALERT, times, ALERT.time + 60)))
    assert len(made) == lines
    assert {replace(copy.alert, time=0.0) for copy in made} == {replace(ALERT, time=0.0)}
    assert [round(copy.alert.time - ALERT.time, 3) for copy in made] == [
        round(k / 100, 3) for k in range(lines)
    ]
    assert all(copy.times == 1 and copy.heard > copy.alert.time for copy in made)


@pytest.mark.parametrize("host", ["web", "the web [1] sshd[7]: Accepted", "ä b"])
def test_a_key_is_named_whatever_the_host_is_called(host: str) -> None:
    alert = replace(ALERT, host=host, credential=f"ssh:{FINGERPRINT}", src="10.0.0.9")
    assert parser("wazuh").parse(line(alert, "wazuh", 3).encode()) == alert


def test_a_key_that_is_no_ssh_key_is_left_out() -> None:
    for key in (f"api:{FINGERPRINT}", "ssh:SHA256:short", f"ssh:{FINGERPRINT} and more"):
        said = line(replace(ALERT, credential=key), "wazuh", 1)
        assert "SHA256" not in said
        assert json.loads(said)["decoder"]["name"] == "simulated"
