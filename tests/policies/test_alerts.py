"""The alert record and what its tactics mean."""

from __future__ import annotations

from policies.alerts import TACTIC_IDS, Alert, Stage, Tactic


def test_every_tactic_has_an_id_of_its_own_and_a_stage() -> None:
    assert set(TACTIC_IDS) == set(Tactic)
    assert len(set(TACTIC_IDS.values())) == len(Tactic)
    assert {Stage.of(tactic) for tactic in Tactic} == set(Stage) - {Stage.UNKNOWN}


def test_no_tactic_is_the_unknown_stage() -> None:
    assert Stage.of(None) is Stage.UNKNOWN


def test_json_leaves_out_what_says_nothing() -> None:
    alert = Alert(5.0, "wazuh", "5402", tactic=Tactic.PRIVILEGE_ESCALATION, host="web")
    assert alert.to_json() == {
        "time": 5.0,
        "sensor": "wazuh",
        "type": "5402",
        "severity": 0.5,
        "tactic": "TA0004",
        "host": "web",
    }
