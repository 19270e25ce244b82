"""Every policy plays the same held-out episodes, and the intervals say how sure the figures are."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS
from policies.network import LearnedPolicy, tensor_shapes
from policies.observation import Observation
from policies.playbook import Playbook
from policies.policy import DoNothing, Policy, Scores, Verb, meaning
from rl_env.evaluate import (
    HELD_OUT,
    Summary,
    bootstrap,
    compare,
    evaluate,
    held_out,
    outcomes,
    table,
)
from rl_env.oracle import Oracle
from rl_env.playing import Chance, Nobody, Player, play, player_of
from rl_env.scenario import Scenario
from rl_env.simulation import Simulation
from rl_env.world import (
    APPROVALS_ASKED,
    ATTACKED,
    FALSE_ISOLATIONS,
    PROPOSALS,
    QUIET,
    SCANNED,
)

SMALL = Scenario.from_mapping({"network": {"hosts": 16}, "episode": {"minutes": 40, "warm_up": 10}})


def learned(seed: int = 0) -> LearnedPolicy:
    """An untrained one, that acts whenever it may."""
    rng = np.random.default_rng(seed)
    weights = {
        name: (rng.normal(0.0, 0.4, shape)).astype(np.float32)
        for name, shape in tensor_shapes(8).items()
    }
    weights["gains.1.weight"][:] = 0.0
    weights["gains.1.bias"][:] = 9.0
    weights["caution"][:] = 1.0
    return LearnedPolicy({"name": "learned"}, weights, bytes(32))


class OneByOne:
    """A policy that does not offer to be asked for many at once."""

    name, hash = "one", bytes(32)

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def scores(self, observation: Observation) -> Scores:
        return self._policy.scores(observation)


def played(player: Player, seed: int = HELD_OUT, batch: int = 6) -> list[list[int]]:
    """Each environment's actions."""
    simulation = Simulation(SMALL, batch)
    minutes = list(play(simulation, player, seed))
    return [[int(m.actions[e]) for m in minutes if m.alive[e]] for e in range(simulation.batch)]


def test_same_seed_same_result() -> None:
    one, other = (evaluate(Chance(), SMALL, 5) for _ in range(2))
    assert one == other
    assert one != evaluate(Chance(), SMALL, 5, HELD_OUT + 100)


@pytest.mark.parametrize("player", [Chance(), Oracle(), player_of(learned())])
def test_an_episode_does_not_hang_on_the_batch(player: Player) -> None:
    together = played(player)
    assert [played(player, HELD_OUT + e, 1)[0] for e in range(6)] == together
    assert any(action for actions in together for action in actions)


def test_one_by_one_or_all_at_once_a_model_chooses_the_same() -> None:
    """So the choices among entities there are, and among rows of the batch, mean the same."""
    policy = learned(3)
    together = played(player_of(policy))
    assert played(player_of(OneByOne(policy))) == together
    assert any(action for actions in together for action in actions)


def test_a_policy_sees_the_entities_there_are_and_its_choice_reaches_them() -> None:
    class Last:
        """Wants the release of what is ordered, and else an order on the last it can have."""

        name, hash = "last", bytes(32)
        seen: Observation

        def scores(self, observation: Observation) -> Scores:
            self.seen = observation
            return np.arange(1 + 2 * len(observation.ids), dtype=np.float32)

    simulation, policy = Simulation(SMALL, 1), Last()
    meant = set()
    for minute in itertools.chain(*(play(simulation, player_of(policy), e) for e in range(8))):
        seen = policy.seen
        assert seen.entities.shape == (len(seen.ids), len(ENTITY_COLUMNS))
        assert seen.context.shape == (len(CONTEXT_COLUMNS),)
        assert (seen.entities[:, :3].sum(axis=1) == 1.0).all()
        for entity, row in zip(seen.ids, seen.entities, strict=True):
            assert row[entity.kind] == 1.0
        if minute.actions[0]:
            verb, row_of_batch = meaning(int(minute.actions[0]), simulation.rows)
            assert str(row_of_batch) in {entity.id for entity in seen.ids}
            meant.add(verb)
    assert meant == {Verb.ORDER, Verb.RELEASE}


def test_actions_are_permitted() -> None:
    for player in (Nobody(), Chance(), Oracle(), player_of(Playbook()), player_of(learned())):
        simulation = Simulation(SMALL, 4)

        class Checked:
            name = player.name

            def choose(self, simulation: Simulation, player: Player = player) -> np.ndarray:
                actions = player.choose(simulation)
                assert simulation.mask[np.arange(4), actions].all()
                return actions

        for _ in play(simulation, Checked(), 9):
            pass


def test_doing_nothing_asks_and_isolates_nothing() -> None:
    for player in (Nobody(), player_of(DoNothing())):
        summary = evaluate(player, SMALL, 6)
        assert summary.proposals == summary.approvals_asked == summary.false_isolations == 0.0
        assert summary.contained == 0.0
        assert summary.mean_return == pytest.approx(summary.terms["harm"])


def test_acting_at_random_isolates_the_innocent() -> None:
    chance, nobody = evaluate(Chance(), SMALL, 12), evaluate(Nobody(), SMALL, 12)
    assert chance.false_isolations > 0.5
    assert chance.mean_return < nobody.mean_return


def test_summary_is_of_the_episodes() -> None:
    found, summary = outcomes(Chance(), SMALL, 24), evaluate(Chance(), SMALL, 24)
    assert found.returns == pytest.approx(found.terms.sum(axis=1))
    assert summary.mean_return == pytest.approx(found.returns.mean())
    assert summary.proposals == summary.metrics["proposals"] == found.metrics[:, PROPOSALS].mean()
    assert set(found.story) <= {QUIET, SCANNED, ATTACKED}
    quiet = found.metrics[found.story == QUIET, FALSE_ISOLATIONS]
    assert summary.quiet_false_isolations == pytest.approx((quiet > 0).mean())
    attacked = found.story == ATTACKED
    wronged = found.metrics[~attacked, FALSE_ISOLATIONS] > 0
    assert summary.attack_free_false_isolations == pytest.approx(wronged.mean())
    low, high = summary.attack_free_interval
    assert 0.0 < low < wronged.mean() <= high <= 1.0
    asked = found.metrics[attacked, APPROVALS_ASKED]
    assert summary.approvals_per_incident == np.median(asked) > 0.0
    assert (found.hosts == 16).all()


def test_summary_comes_back_from_json() -> None:
    summary = evaluate(Chance(), SMALL, 4)
    told = json.loads(json.dumps(summary.to_json()))
    assert Summary(**told).to_json() == told
    assert told["name"] == "random" and told["score"] is None


def test_compared_at_held_out_sites_on_one_scale() -> None:
    few = Scenario.from_mapping({**SMALL.to_mapping(), "network": {"hosts": 16, "sites": 4}})
    nobody, chance, oracle = compare([Nobody(), Chance(), Oracle()], few, 32)
    assert replace(chance, score=None, score_interval=None) == evaluate(Chance(), held_out(few), 32)
    assert chance.mean_return != evaluate(Chance(), few, 32).mean_return
    assert nobody.score == 0.0 and oracle.score == 1.0
    gained = oracle.mean_return - nobody.mean_return
    assert chance.score == pytest.approx((chance.mean_return - nobody.mean_return) / gained)
    assert chance.score_interval is not None
    assert chance.score_interval[0] < chance.score < chance.score_interval[1] < 0.0


def test_what_never_happened_has_no_time() -> None:
    calm = Scenario.from_mapping({**SMALL.to_mapping(), "episode": {"kinds": {"quiet": 1}}})
    summary = evaluate(Nobody(), calm, 2)
    assert summary.metrics["entered_at"] is None
    assert summary.contained_minutes is None
    assert summary.approvals_per_incident is None


def test_bootstrap_interval_covers_the_mean_and_shrinks() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2.0 / 20, rel=0.2)
    few = bootstrap(values[:25])
    assert few[1] - few[0] > 2 * (high - low)


def test_table_has_a_line_per_policy() -> None:
    summaries: list[Summary] = [evaluate(Nobody(), SMALL, 2)]
    lines = table(summaries).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| nothing | ")
