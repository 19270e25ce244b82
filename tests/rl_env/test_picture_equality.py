"""What the simulator shows is what the live side would show: the alerts that the simulated sensors
write, fed to the responder's own picture, guardrails and decisions, give the simulator's
observation and mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from live_side import MODEL, beginning, guardrails_of, rows_of, standings_of, ttl_of
from numpy.typing import NDArray

from policies.columns import (
    APPROVALS,
    CONTEXT_COLUMNS,
    CRITICALITY,
    DELAYED,
    ENTITY_COLUMNS,
    KIND,
    LEASED,
    ORDERED,
    ORDERED_LEFT,
    PENDING,
    PROTECTED,
    REFUSED,
    VERBS,
)
from policies.observation import Observation
from policies.picture import Picture
from responder.decision import Answers, decide
from rl_env.blueprint import Blueprint
from rl_env.export import reports
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation

# A hundred roundings of float32: the two fade in another order. The live side also drops what is
# fainter than 1e-6.
CLOSE = {"rtol": 2e-5, "atol": 2e-6}
EVIDENCE = [*range(KIND, CRITICALITY + 1), PROTECTED]
STANDING = [ORDERED, ORDERED_LEFT, PENDING, REFUSED, LEASED, APPROVALS, DELAYED]

Chooser = Callable[[NDArray[np.bool_]], int]


def scenario(hosts: int = 16, **groups: dict[str, Any]) -> Scenario:
    base: dict[str, Any] = {"network": {"hosts": hosts, "sites": 2}, "episode": {"minutes": 150}}
    for name, said in groups.items():
        base[name] = {**base.get(name, {}), **said}
    return Scenario.from_mapping(base)


def nothing(mask: NDArray[np.bool_]) -> int:
    return 0


class Seen:
    """What an episode brought about, so that a test knows that it tested something."""

    def __init__(self) -> None:
        self.alerts = self.late = self.flood = self.keys = self.silenced = 0
        self.addresses: set[str] = set()
        self.standing = np.zeros(len(ENTITY_COLUMNS))  # greatest value of each column
        self.open = 0  # choices that the mask offered


class Both:
    """An episode of a simulation, and the live side that reads its alerts."""

    def __init__(self, simulation: Simulation, seed: int, kind: str | None = None) -> None:
        simulation.seed(seed)
        simulation.reset(kind=kind)
        self.simulation, self.seen = simulation, Seen()
        self.site: Blueprint = simulation.sites[int(self.state.site)]
        self.picture: Picture = beginning(self.state, self.site)

    @property
    def state(self) -> Any:
        return self.simulation.state[0]

    @property
    def now(self) -> float:
        return float(self.state.epoch + 60 * self.state.minute)

    def play(self, choose: Chooser, *checks: Callable[[Both], None]) -> Seen:
        """To its end, with all checks at every minute."""
        while True:
            self.listen()
            for check in checks:
                check(self)
            if self.simulation.terminated[0] or self.simulation.truncated[0]:
                return self.seen
            chosen = choose(self.simulation.mask[0])
            self.simulation.step(np.array([chosen], dtype=np.int64))

    def listen(self) -> None:
        """The alerts of the last minute, as the responder's loop takes them in."""
        seen, epoch = self.seen, int(self.state.epoch)
        for alert, times, heard in reports(self.state, self.site, "wazuh"):
            self.picture.advance(epoch + (heard - epoch) // 60 * 60)  # a tick of the loop
            self.picture.observe(alert, heard, times)
            seen.alerts += 1
            seen.flood = max(seen.flood, times)
            seen.keys += alert.credential != ""
            seen.late += (heard - epoch) // 600 > (alert.time - epoch) // 600
            seen.addresses |= {alert.src, alert.dst}
        self.picture.advance(self.now)


def same_evidence(both: Both) -> None:
    rows = rows_of(both.state, both.site)
    assert both.picture.entities() == tuple(rows)
    assert both.picture.windows == both.state.windows
    live, simulated = both.picture.table(), both.simulation.entities[0][list(rows.values())]
    _assert_columns(simulated, live, EVIDENCE, both)


class Recorder:
    """A policy that wants everything, and keeps what it was shown."""

    name, hash = "recorder", MODEL

    def __init__(self) -> None:
        self.shown: Observation | None = None

    def scores(self, observation: Observation) -> NDArray[np.float32]:
        self.shown = observation
        scores = np.ones(1 + VERBS * len(observation.ids), dtype=np.float32)
        scores[0] = 0.0
        return scores


def same_observation_and_mask(both: Both) -> None:
    """As `decide` has them, of the same state."""
    s, site, recorder = both.state, both.site, Recorder()
    rows = rows_of(s, site)
    made = decide(
        recorder,
        both.picture,
        guardrails_of(s, site),
        standings_of(s, site),
        Answers(float(s.answer_minutes), float(s.approval_share)),
        ttl_of(s),
        1,
        [],
        both.now,
    )
    assert recorder.shown is not None and recorder.shown.ids == tuple(rows)
    simulated = both.simulation.entities[0][list(rows.values())]
    _assert_columns(simulated, recorder.shown.entities, STANDING, both)
    for column, name in enumerate(CONTEXT_COLUMNS):
        live, here = recorder.shown.context[column], both.simulation.context[0][column]
        assert here == pytest.approx(live, rel=1e-6, abs=1e-6), (name, int(s.minute))
    n, offered = len(rows), both.simulation.mask[0]
    live_mask = made[0].evidence["mask"] if made else [True] + [False] * VERBS * n
    places = np.array(list(rows.values()), dtype=np.int64)
    orders, releases = offered[1 + places], offered[1 + both.simulation.rows + places]
    assert orders.tolist() == live_mask[1 : 1 + n], int(s.minute)
    assert releases.tolist() == live_mask[1 + n :], int(s.minute)
    assert offered[1 : 1 + both.simulation.rows].sum() == orders.sum()  # none for absent rows
    both.seen.open += int(orders.sum())
    both.seen.standing = np.maximum(both.seen.standing, simulated.max(axis=0))


def _assert_columns(
    simulated: NDArray[np.float32], live: NDArray[np.float32], columns: list[int], both: Both
) -> None:
    for column in columns:
        np.testing.assert_allclose(
            simulated[:, column],
            live[:, column],
            **CLOSE,
            err_msg=f"{ENTITY_COLUMNS[column]} at minute {both.state.minute}",
        )


@pytest.fixture
def as_few_indicators_as_simulated(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda count: monkeypatch.setattr("policies.picture.MAX_INDICATORS", count)


# ---------------------------------------------------------------- what alerts say


@pytest.mark.parametrize("seed", range(6))
def test_small_sites(as_few_indicators_as_simulated: Any, seed: int) -> None:
    as_few_indicators_as_simulated(16)
    seen = Both(Simulation(scenario(), 1, 4096), seed).play(nothing, same_evidence)
    assert seen.alerts > 20


@pytest.mark.parametrize("seed", range(3))
def test_large_sites(as_few_indicators_as_simulated: Any, seed: int) -> None:
    as_few_indicators_as_simulated(32)
    said = {"episode": {"minutes": 60}}
    both = Both(Simulation(scenario(150, **said), 1, 16384), seed, "attacked")
    assert both.play(nothing, same_evidence).alerts > 150


def test_floods(as_few_indicators_as_simulated: Any) -> None:
    as_few_indicators_as_simulated(16)
    said = {"sensors": {"sorts": {"threshold": 1}, "remote": 1.0, "remote_extreme": 0.0}}
    seen = Both(Simulation(scenario(**said), 1, 4096), 2, "scanned").play(nothing, same_evidence)
    assert seen.flood > 100_000


def test_late_alerts_count_when_they_are_heard(as_few_indicators_as_simulated: Any) -> None:
    as_few_indicators_as_simulated(16)
    said = {"sensors": {"delay_chance": 0.5}}
    seen = Both(Simulation(scenario(**said), 1, 4096), 2, "attacked").play(nothing, same_evidence)
    assert seen.late > 10


def test_silent_sensors(as_few_indicators_as_simulated: Any) -> None:
    as_few_indicators_as_simulated(16)
    said = {"sensors": {"silent_chance": 1.0, "silent_minutes": 120.0}}
    both = Both(Simulation(scenario(**said), 1, 4096), 3, "attacked")
    assert both.state.silent_until > both.state.silent_from
    both.play(nothing, same_evidence)


@pytest.mark.parametrize("seed", range(3))
def test_weak_indicators_make_room(as_few_indicators_as_simulated: Any, seed: int) -> None:
    as_few_indicators_as_simulated(16)
    said = {
        "attackers": {"scanners_when_scanned": 30.0},
        "sensors": {"remote": 1.0, "remote_extreme": 0.0},
    }
    both = Both(Simulation(scenario(**said), 1, 4096), seed, "scanned")
    seen = both.play(nothing, same_evidence)
    own = {asset.addresses[0] for asset in both.site.inventory.assets}
    assert len(seen.addresses - own - {""}) > 20


# ---------------------------------------------------------------- what is under way


def at_random(seed: int, eagerness: float, verbs: int) -> Chooser:
    """Something that the mask offers, of the first so many verbs, in some of the minutes."""
    dice = np.random.default_rng(seed)

    def choose(mask: NDArray[np.bool_]) -> int:
        last = 1 + (len(mask) - 1) * verbs // VERBS
        offered = np.flatnonzero(mask[:last])
        return int(dice.choice(offered)) if dice.random() < eagerness else 0

    return choose


@pytest.mark.parametrize("seed", range(8))
def test_standing_context_and_mask(as_few_indicators_as_simulated: Any, seed: int) -> None:
    as_few_indicators_as_simulated(16)
    both = Both(Simulation(scenario(), 1, 4096), seed)
    seen = both.play(at_random(seed, 0.5, 2), same_evidence, same_observation_and_mask)
    assert seen.open > 0


def test_every_standing_was_met(as_few_indicators_as_simulated: Any) -> None:
    as_few_indicators_as_simulated(16)
    simulation = Simulation(scenario(guardrails={"delayed": [0.5, 0.5, 0.5, 0.5]}), 1, 4096)
    seen = [
        Both(simulation, seed).play(at_random(seed, 0.7, 2), same_observation_and_mask)
        for seed in range(20, 24)
    ]
    most = np.max([each.standing for each in seen], axis=0)
    assert [ENTITY_COLUMNS[column] for column in STANDING if most[column] == 0] == []


@pytest.mark.parametrize(
    "guardrails",
    [
        {"allowed": [0.5, 0.5, 0.5, 0.5]},
        {"window": 7, "budget": 2},
        {"lease_chance": 1.0, "lease_minutes": [30, 60]},
        {"live": 2, "lease_chance": 0.0},
        {"time_to_live": [13, 30, 41], "max_ttl": [20, 60]},
    ],
    ids=lambda g: "-".join(g),
)
@pytest.mark.parametrize("seed", range(3))
def test_guardrails_of_all_kinds(
    as_few_indicators_as_simulated: Any, guardrails: dict[str, Any], seed: int
) -> None:
    as_few_indicators_as_simulated(16)
    both = Both(Simulation(scenario(guardrails=guardrails), 1, 4096), 40 + seed)
    both.play(at_random(seed, 0.1 if "window" in guardrails else 0.5, 2), same_observation_and_mask)


def test_frozen_zones_and_change_windows(as_few_indicators_as_simulated: Any) -> None:
    as_few_indicators_as_simulated(16)
    network = {
        "hosts": 20,
        "sites": 8,
        "zone_frozen_chance": 1.0,
        "zone_frozen_minutes": [60.0, 120.0],
        "zone_window_chance": 1.0,
        "zone_window_minutes": [4000, 6000],
    }
    said = {"network": network, "guardrails": {"delayed": [1, 1, 1, 1]}}
    simulation = Simulation(scenario(**said), 1, 4096)
    for seed in range(60, 66):
        Both(simulation, seed).play(at_random(seed, 0.5, 2), same_observation_and_mask)
