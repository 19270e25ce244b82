"""Decisions: only what may be proposed is, and each can be replayed from its evidence alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import write_model
from numpy.typing import NDArray
from world import INVENTORY, OPERATORS, Wants, World

from policies.actions import Kind
from policies.alerts import Alert
from policies.columns import (
    BUDGET_LEFT,
    CONTEXT_COLUMNS,
    ENTITY_COLUMNS,
    LEASE_LEFT,
    OBSERVATION_VERSION,
    VERBS,
    WAITING,
)
from policies.observation import Observation
from policies.picture import Entity, Picture
from policies.playbook import Playbook
from policies.policy import DoNothing, Policy, Verb, choose
from responder.chain.records import Status
from responder.decision import Answers, Decision, answers, decide, entry, standings
from responder.evidence import EvidenceStore, canonical

TTL = (1800, 3600, 86400)
EVERYTHING = (
    "web",
    "db",
    "plant",
    "desk",
    "vault",
    "ssh:SHA256:alice",
    "ssh:SHA256:root",
    "203.0.113.9/32",
    "10.0.9.9/32",
)


def picture(now: float) -> Picture:
    """Evidence against everything there is."""
    made = Picture(INVENTORY)
    for window in range(30):
        made.advance(now - 600 * (30 - window))
    for n in range(4):
        for asset in INVENTORY.assets:
            for src in ("203.0.113.9", "10.0.9.9"):
                made.observe(Alert(now, "suricata", f"{n}", src=src, dst=asset.addresses[0]), now)
        for credential in INVENTORY.credentials:
            made.observe(Alert(now, "wazuh", f"{n}", credential=credential.id), now)
    return made


def decided(
    world: World, policy: Policy, most: int = 20, alerts: list[dict[str, Any]] | None = None
) -> list[Decision]:
    ledger, agent = world.ledger(), world.address("agent")
    now = ledger.block.time
    seen = picture(now)
    return decide(
        policy,
        seen,
        ledger.guardrails(agent, now),
        standings(ledger, seen.entities(), agent, now),
        answers(ledger),
        TTL,
        most,
        alerts or [],
        now,
    )


def targets(decisions: list[Decision]) -> set[str]:
    return {d.action.target for d in decisions}


ALLOWED = {"web", "db", "plant", "desk", "ssh:SHA256:alice", "203.0.113.9/32"}


def test_what_is_protected_is_never_proposed(world: World) -> None:
    assert targets(decided(world, Wants(*EVERYTHING))) == ALLOWED


@pytest.mark.parametrize(
    "how", ["pending", "waiting", "ready", "ordered", "rejected", "vetoed", "lapsed", "released"]
)
def test_what_is_under_way_or_was_refused_lately_is_not_proposed(world: World, how: str) -> None:
    if how == "waiting":
        world.rule(Kind.ISOLATE, 1, leasable=False, delay=300)
    executed = how in ("ordered", "released")
    proposal = world.order(ttl=3600) if executed else world.propose()
    if how in ("ready", "waiting"):
        world.vote("Approval", proposal, *OPERATORS[:2])
    elif how == "rejected":
        world.vote("Rejection", proposal, *OPERATORS[:2])
    elif how == "vetoed":
        world.gate("guardian").veto(proposal)
    elif how == "lapsed":
        world.wait(601)
    elif how == "released":
        world.vote("Release", proposal, *OPERATORS[:2])
    assert targets(decided(world, Wants(*EVERYTHING))) == ALLOWED - {"web"}


def test_what_a_batch_ordered_is_not_proposed(world: World) -> None:
    world.order_batch(world.batch(Kind.ISOLATE, "web"))
    world.order_batch(world.batch(Kind.BLOCK, "203.0.113.9", criticality=0, ttl=100))
    assert targets(decided(world, Wants(*EVERYTHING))) == ALLOWED - {"web", "203.0.113.9/32"}
    ledger = world.ledger()
    entity = Entity(Kind.BLOCK, "203.0.113.9/32")
    found = standings(ledger, [entity], world.address("agent"), ledger.block.time + 50)
    assert found[entity].ordered and found[entity].ordered_left == pytest.approx(0.5, abs=0.05)


def test_an_order_is_renewed_in_the_last_quarter_of_its_time(world: World) -> None:
    first = world.order(ttl=4000)
    world.wait(2900)
    assert targets(decided(world, Wants("web"))) == set()
    world.wait(150)
    [decision] = decided(world, Wants("web"))
    renewal = world.order(ttl=decision.action.ttl)
    assert world.status(first) is Status.SUPERSEDED
    assert world.status(renewal) is Status.LIVE
    assert world.case(renewal).until > world.case(first).until
    assert targets(decided(world, Wants("web"))) == set()


def test_a_renewal_that_waits_or_was_refused_is_not_asked_for_again(world: World) -> None:
    world.order(ttl=4000)
    world.wait(3050)
    asked = world.propose(wait=100)
    assert targets(decided(world, Wants("web"))) == set()
    world.vote("Rejection", asked, *OPERATORS[:2])
    assert targets(decided(world, Wants("web"))) == set()


def test_the_release_of_an_order_is_offered_until_people_were_asked(world: World) -> None:
    world.order(ttl=3600)
    ledger, agent = world.ledger(), world.address("agent")
    now, web = ledger.block.time, Entity(Kind.ISOLATE, "web")
    seen = picture(now)
    standing = standings(ledger, seen.entities(), agent, now)
    for asked in ((), {web}):
        guardrails = ledger.guardrails(agent, now)
        made = decide(Releases(), seen, guardrails, standing, Answers(), TTL, 9, [], now, asked)
        assert [(d.verb, d.action.target) for d in made] == [(Verb.RELEASE, "web")] * (not asked)
        for decision in made:
            assert decision.verdict.approvals == ledger.limits.release_quorum
            assert decision.evidence["verb"] == "RELEASE"
            assert (entry(decision)["kind"], entry(decision)["of"]) == ("RELEASE", "ISOLATE")


class Releases:
    """Gives up whatever is ordered."""

    name, hash = "releases", bytes(32)

    def scores(self, observation: Observation) -> NDArray[np.float32]:
        n = len(observation.ids)
        return np.array([0.0] + [-1.0] * n + [1.0] * n, dtype=np.float32)


def test_while_paused_nothing_is_proposed(world: World) -> None:
    world.gate("guardian").pause()
    assert decided(world, Wants(*EVERYTHING)) == []


@pytest.mark.parametrize("how", ["rejected", "expired"])
def test_after_a_while_it_may_be_asked_again(world: World, how: str) -> None:
    if how == "rejected":
        world.vote("Rejection", world.propose(), *OPERATORS[:2])
        world.wait(3700)
    else:
        world.order(ttl=600)
        world.wait(601)
    assert "web" in targets(decided(world, Wants(*EVERYTHING)))


def test_several_in_one_moment_stay_within_the_budget(world: World) -> None:
    world.rule(Kind.ISOLATE, 1, allowed=True, leasable=True, quorum=2, max_ttl=14400, budget=1)
    world.register("db", "core", 1, False)
    made = decided(world, Wants("web", "db"))
    assert targets(made) == {"web"}


def test_a_lease_covers_only_as_many_as_it_has_left(world: World) -> None:
    world.lease(blocks=1)
    other = "198.51.100.7"
    ledger, agent = world.ledger(), world.address("agent")
    now = ledger.block.time
    seen = picture(now)
    for n in range(4):
        seen.observe(Alert(now, "suricata", f"{n}", src=other, dst="10.0.1.10"), now)
    made = decide(
        Wants("203.0.113.9/32", f"{other}/32"),
        seen,
        ledger.guardrails(agent, now),
        {},
        Answers(),
        TTL,
        9,
        [],
        now,
    )
    assert [d.verdict.tier.name for d in made] == ["LEASE", "QUORUM"]


def test_at_most_so_many_best_first(world: World) -> None:
    made = decided(world, Wants("db", "web", "plant"), most=2)
    assert [d.action.target for d in made] == ["db", "web"]
    assert made[0].score > made[1].score > 0


def test_a_rule_shortens_the_time_to_live(world: World) -> None:
    world.rule(Kind.ISOLATE, 1, allowed=True, leasable=True, quorum=2, max_ttl=900, budget=10)
    made = {d.action.target: d.action.ttl for d in decided(world, Wants("web", "db"))}
    assert made == {"web": 900, "db": 3600}


def test_doing_nothing_proposes_nothing(world: World) -> None:
    assert decided(world, DoNothing()) == []


# ---------------------------------------------------------------- evidence


def observed(bundle: dict[str, Any]) -> Observation:
    stored = bundle["observation"]
    return Observation(
        np.array(stored["entities"], dtype=np.float32),
        np.array(stored["context"], dtype=np.float32),
        tuple(Entity(Kind[kind], name) for kind, name in stored["ids"]),
    )


@pytest.mark.parametrize("name", ["chance", "playbook", "wants"])
def test_a_stored_bundle_gives_the_same_scores_and_choice(
    world: World, tmp_path: Path, name: str
) -> None:
    policies: dict[str, Policy] = {
        "chance": write_model(tmp_path / "model"),
        "playbook": Playbook(),
        "wants": Wants(*EVERYTHING),
    }
    policy = policies[name]
    made = decided(world, policy)
    if not made:
        pytest.fail(f"{name} proposes nothing on evidence against everything")
    store = EvidenceStore(world.settings.evidence)
    for decision in made:
        bundle = store.get(store.put(decision.evidence))
        observation = observed(bundle)
        scores = policy.scores(observation)
        assert [float(s) for s in scores] == bundle["scores"]
        assert choose(scores, np.array(bundle["mask"])) == bundle["choice"]
        kind, target = bundle["observation"]["ids"][bundle["choice"] - 1]
        assert (kind, target) == (bundle["action"]["kind"], bundle["action"]["target"])
        assert target == decision.action.target


def test_a_bundle_is_complete(world: World) -> None:
    alerts = [
        Alert(1.0, "suricata", "1", src="203.0.113.9", dst="10.0.1.10").to_json(),
        Alert(2.0, "suricata", "2", src="203.0.113.9", dst="10.0.3.10").to_json(),
        Alert(3.0, "wazuh", "3", credential="ssh:SHA256:alice").to_json(),
    ]
    made = decided(world, Wants("web", "203.0.113.9/32", "ssh:SHA256:alice"), alerts=alerts)
    touched = {d.action.target: [a["type"] for a in d.evidence["alerts"]] for d in made}
    assert touched == {"web": ["1"], "203.0.113.9/32": ["1", "2"], "ssh:SHA256:alice": ["3"]}
    for decision in made:
        bundle = decision.evidence
        assert json.loads(canonical(bundle)) == bundle
        assert bundle["policy"] == {"name": "wants", "hash": Wants.hash.hex()}
        assert bundle["action"]["ttl"] == decision.action.ttl
        assert bundle["reasons"] == list(decision.reasons)
        assert bundle["observation"]["entity_columns"] == list(ENTITY_COLUMNS)
        assert bundle["observation"]["context_columns"] == list(CONTEXT_COLUMNS)
        rows = len(bundle["observation"]["ids"])
        assert len(bundle["mask"]) == len(bundle["scores"]) == 1 + VERBS * rows
        assert (bundle["version"], bundle["observation"]["version"]) == (3, OBSERVATION_VERSION)
        assert bundle["explanation"] == {}


def test_people_are_told_what_speaks_for_it(world: World) -> None:
    made = {d.action.target: d.reasons for d in decided(world, Wants("web", "203.0.113.9/32"))}
    assert made["203.0.113.9/32"][2] == "reached 5 assets: desk, web, db, plant, vault"
    told, mostly, strongest = made["web"]
    assert told.startswith("4 different surprising alert types in the last hour, ")
    assert mostly.startswith("mostly unknown (")
    assert strongest == "strongest: " + ", ".join(f"suricata:{n}" for n in range(4))


def test_people_are_told_nothing_that_is_long_past(world: World) -> None:
    ledger, agent = world.ledger(), world.address("agent")
    now = ledger.block.time
    guardrails = ledger.guardrails(agent, now)
    seen = picture(now - 4000)
    [decision] = decide(Wants("web"), seen, guardrails, {}, Answers(), TTL, 9, [], now)
    told, _ = decision.reasons
    assert told.startswith("0 different surprising alert types in the last hour, ")
    assert seen.time == now


def test_the_learned_policy_says_why(world: World, tmp_path: Path) -> None:
    policy = write_model(tmp_path / "model")
    made = decided(world, policy)
    assert targets(made) == ALLOWED
    assert made[-1].evidence["explanation"]["runner_up"] is None
    for decision in made[:-1]:
        bundle = decision.evidence
        why = bundle["explanation"]
        assert why["gain"] == pytest.approx(decision.score, abs=1e-5)
        parts = why["chance"], why["gain_if_right"], why["gain_if_wrong"]
        assert why["gain"] == pytest.approx(
            parts[0] * parts[1] + (1 - parts[0]) * parts[2], abs=1e-4
        )
        seen, choice = observed(bundle), bundle["choice"]
        others = [i for i, may in enumerate(bundle["mask"]) if may and i != choice]
        second = max(others, key=lambda i: bundle["scores"][i])
        kind, target = bundle["observation"]["ids"][second - 1]
        assert why["runner_up"] == {"verb": "ORDER", "kind": kind, "target": target}
        assert why["runner_up_gain"] == pytest.approx(bundle["scores"][second], abs=1e-5)
        for column, value, change in why["columns"]:
            entities, place = seen.entities.copy(), ENTITY_COLUMNS.index(column)
            assert value == entities[choice - 1, place]
            entities[choice - 1, place] = 0.0
            without = policy.scores(Observation(entities, seen.context, seen.ids))[choice]
            assert change == pytest.approx(why["gain"] - without, abs=1e-4)


def test_no_name_or_address_reaches_the_policy(world: World) -> None:
    """Other names, same scores."""
    policy = Playbook()
    for decision in decided(world, Wants("web")):
        observation = observed(decision.evidence)
        renamed = Observation(
            observation.entities,
            observation.context,
            tuple(Entity(e.kind, f"x{i}") for i, e in enumerate(observation.ids)),
        )
        assert (policy.scores(renamed) == policy.scores(observation)).all()


# ---------------------------------------------------------------- conditions


def context(decision: Decision) -> list[float]:
    found: list[float] = decision.evidence["observation"]["context"]
    return found


def test_how_operators_answered(world: World) -> None:
    assert answers(world.ledger()) == Answers()
    world.propose(Kind.BLOCK, "203.0.113.9")
    first = world.propose()
    world.wait(118)
    world.vote("Approval", first, "operator-1")
    world.vote("Rejection", first, "operator-2")
    found = answers(world.ledger())
    assert found.approved == 0.5
    assert found.minutes == pytest.approx(2.0, abs=0.1)
    [decision] = decided(world, Wants("db"))
    seen = dict(zip(CONTEXT_COLUMNS, context(decision), strict=True))
    assert seen["answer_time"] == pytest.approx(np.log1p(found.minutes) / 4)
    assert seen["approval_share"] == 0.5


def test_how_operators_answered_is_a_running_mean_from_the_first_answer_on(world: World) -> None:
    slow = world.propose(Kind.BLOCK, "203.0.113.9")
    quick = world.propose()
    world.wait(60)
    world.vote("Approval", quick, "operator-1")
    world.wait(300)
    world.vote("Rejection", slow, "operator-2")  # asked first, answered last
    found = answers(world.ledger())
    assert found.approved == pytest.approx(7 / 8)
    assert found.minutes == pytest.approx(1.0 + 5.0 / 8.0, abs=0.1)


def test_a_request_that_lapses_is_a_late_refusal(world: World) -> None:
    world.propose()
    assert answers(world.ledger()) == Answers()
    world.wait(601)
    found = answers(world.ledger())
    assert found.approved == 0.0
    assert found.minutes == pytest.approx(10.0, abs=0.1)


def test_what_is_left_of_the_lease(world: World) -> None:
    [decision] = decided(world, Wants("db"))
    assert context(decision)[LEASE_LEFT - 1 : BUDGET_LEFT] == [0, 0, 0, 0]
    world.lease(blocks=4)
    world.propose(Kind.BLOCK, "203.0.113.9")
    [decision] = decided(world, Wants("db"))
    assert context(decision)[LEASE_LEFT - 1 : BUDGET_LEFT] == [1, 0.75, 0, 0]


def test_each_proposal_of_a_moment_sees_what_those_before_it_left(world: World) -> None:
    for criticality in range(4):
        world.rule(Kind.ISOLATE, criticality, budget=1)
    wanted = ("desk", "web", "db", "plant", "ssh:SHA256:alice")
    made = decided(world, Wants(*wanted))
    assert [decision.action.target for decision in made] == list(wanted)
    isolations = [context(decision)[BUDGET_LEFT + Kind.ISOLATE] for decision in made]
    assert isolations == [1, 1, 1, 1, 0]  # the last finds no cell with any left
    waiting = [context(decision)[WAITING] for decision in made]
    assert waiting == pytest.approx([np.log1p(n) / 2 for n in range(5)])
