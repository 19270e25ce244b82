"""The simulated site: networks, sensors' history, operators, orders."""

from __future__ import annotations

import numpy as np
import pytest

from policies.actions import Kind
from policies.guardrails import Rule, Tier, ZoneRule
from policies.inventory import Asset, Inventory
from policies.picture import Entity, Picture
from rl_env.containment import Containment, random_guardrails
from rl_env.network import external_addresses, from_inventory, random_network
from rl_env.operators import MAX_WAIT, Answer, Operators
from rl_env.sensors import ACTIVITIES, Sensors
from rl_env.simulate import site

NOW = 1.7e9


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_keep_their_size_and_have_a_door(seed: int) -> None:
    network = random_network(np.random.default_rng(seed), (6, 24))
    assert 6 <= network.size <= 24
    assert network.exposed.any()
    assert len(set(network.addresses)) == network.size
    assert not network.reach.diagonal().any()


def test_asset_without_address_cannot_be_simulated() -> None:
    with pytest.raises(ValueError, match="'a' needs an address"):
        from_inventory(Inventory((Asset("a", "dmz"),)), np.random.default_rng(0))


def test_external_addresses_differ_from_each_other_and_from_those_taken() -> None:
    rng = np.random.default_rng(0)
    first = external_addresses(rng, 50, ())
    second = external_addresses(rng, 50, first)
    assert len({*first, *second}) == 100


@pytest.mark.parametrize("windows", [1, 10, 600])
@pytest.mark.parametrize("seed", range(3))
def test_history_is_consistent(windows: int, seed: int) -> None:
    """No type was seen more often than there were windows, nor on an asset more than anywhere."""
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    picture = Picture(network.inventory)
    Sensors(rng, network).teach(picture, windows, NOW)
    assert picture.windows == windows
    assert picture.window_start == NOW
    for kind, anywhere in picture.site_rates.items():
        each = [rates.get(kind, 0) for rates in picture.rates.values()]
        assert max(each) <= anywhere <= min(windows, sum(each))


def test_reports_stay_within_their_activity() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng)
    sensors = Sensors(rng, network, always_remote=True)
    for activity, what in ACTIVITIES.items():
        for _ in range(20):
            found = sensors.report(activity, 0, NOW, peer="203.0.113.9")
            kinds = [alert.type for alert, _ in found]
            assert len(kinds) == len(set(kinds)) <= 3 * what.fires[1]
            for alert, times in found:
                assert NOW <= alert.time < NOW + 60
                assert times >= 1
                assert (alert.src, alert.dst) == ("203.0.113.9", network.addresses[0])


class Desk:
    """A containment over the demo's site, with a lease or without."""

    def __init__(self, seed: int, leased: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.inventory = site()
        guardrails = random_guardrails(self.rng, self.inventory, NOW)
        if not leased:
            guardrails.lease = None
        self.guardrails = guardrails
        self.box = Containment(self.rng, self.inventory, guardrails, Operators(self.rng))


def test_protected_asset_is_refused() -> None:
    desk = Desk(0, leased=False)
    entity = Entity(Kind.ISOLATE, "console")
    assert not desk.box.mask([entity], NOW)[0]
    assert desk.box.propose(entity, True, NOW).tier is Tier.REFUSED
    assert not desk.box.live()


def test_without_lease_people_are_asked_and_orders_end_by_themselves() -> None:
    outcomes = set()
    for seed in range(30):
        desk, entity = Desk(seed, leased=False), Entity(Kind.ISOLATE, "web")
        if not desk.box.mask([entity], NOW)[0]:
            continue
        assert desk.box.propose(entity, True, NOW).tier is Tier.QUORUM
        assert desk.box.standings(NOW)[entity].pending
        desk.box.advance(NOW)
        assert not desk.box.isolated(0)
        for minute in range(1, 18):
            desk.box.advance(NOW + minute * 60)
        later = NOW + 17 * 60
        assert later - NOW > MAX_WAIT
        standing = desk.box.standings(later)[entity]
        assert standing.ordered != standing.refused
        assert not desk.box.mask([entity], later)[0]
        outcomes.add(standing.ordered)
        if standing.ordered:
            assert desk.box.isolated(0)
            assert desk.box.advance(NOW + 9000) == [entity]
            assert not desk.box.isolated(0)
    assert outcomes == {True, False}


def test_under_a_lease_orders_come_at_once_until_it_is_spent() -> None:
    found = False
    for seed in range(40):
        desk = Desk(seed, leased=True)
        entities = [Entity(Kind.BLOCK, f"203.0.113.{i}/32") for i in range(30)]
        tiers = [desk.box.propose(entity, True, NOW).tier for entity in entities]
        lease = desk.guardrails.lease
        leased = tiers.count(Tier.LEASE)
        if lease is None or not leased:
            continue
        assert leased <= lease.budgets[Kind.BLOCK]
        assert desk.box.standings(NOW)[entities[0]].ordered
        assert desk.box.conditions(NOW).lease_left[Kind.BLOCK] == pytest.approx(
            1 - leased / lease.budgets[Kind.BLOCK]
        )
        found = True
    assert found


class Prompt(Operators):
    """Approve everything after a minute."""

    def ask(self, right: bool, quorum: int, now: float) -> Answer:
        return Answer(now + 60.0, approved=True)


def ruled(seed: int = 0, **fields: int) -> tuple[Desk, Containment]:
    """A desk where one rule holds for all, no lease, and people are prompt."""
    desk = Desk(seed, leased=False)
    rule = Rule(allowed=True, **{"quorum": 1, "max_ttl": 86400, "budget": 50, "live": 50} | fields)
    desk.guardrails.rules = {(kind, c): rule for kind in Kind for c in range(4)}
    people = Prompt(desk.rng)
    return desk, Containment(desk.rng, desk.inventory, desk.guardrails, people)


def test_an_order_counts_until_it_ends() -> None:
    desk, box = ruled(live=1)
    laptops = [Entity(Kind.ISOLATE, f"laptop-{i}") for i in (1, 2)]
    box.propose(laptops[0], True, NOW)
    assert box.mask(laptops[1:], NOW)[0]  # what only waits does not count
    box.advance(NOW + 60)
    assert desk.guardrails.counted == {(Kind.ISOLATE, "laptop-1")}
    assert not box.mask(laptops[1:], NOW + 60)[0]
    assert box.advance(NOW + 60 + 7200) == laptops[:1]
    assert not desk.guardrails.counted
    assert box.mask(laptops, NOW + 60 + 7200).all()


def test_the_share_of_a_zone_masks_the_rest_of_it() -> None:
    desk, box = ruled()
    desk.guardrails.zones = {"office": ZoneRule(share=67)}  # of three laptops
    laptops = [Entity(Kind.ISOLATE, f"laptop-{i}") for i in (1, 2, 3)]
    for laptop in laptops[:2]:
        box.propose(laptop, True, NOW)
    box.advance(NOW + 60)
    assert not box.mask(laptops[2:], NOW + 60)[0]
    assert box.mask([Entity(Kind.ISOLATE, "files")], NOW + 60)[0]


def test_a_delay_is_waited_for() -> None:
    _, box = ruled(delay=240)
    web = Entity(Kind.ISOLATE, "web")
    verdict = box.propose(web, True, NOW)
    assert (verdict.tier, verdict.delay) == (Tier.DELAYED, 240)
    for minute in range(1, 5):
        box.advance(NOW + minute * 60)
        assert box.standings(NOW + minute * 60)[web].pending
        assert not box.mask([web], NOW + minute * 60)[0]
    box.advance(NOW + 300)
    assert box.standings(NOW + 300)[web].ordered


def test_a_delay_beyond_the_deadline_lets_it_lapse() -> None:
    _, box = ruled(delay=int(MAX_WAIT))
    web = Entity(Kind.ISOLATE, "web")
    box.propose(web, True, NOW)
    for minute in range(1, 15):
        box.advance(NOW + minute * 60)
    assert box.standings(NOW + 840)[web].pending
    box.advance(NOW + MAX_WAIT)
    assert box.standings(NOW + MAX_WAIT)[web].refused


def test_what_is_approved_waits_until_the_limits_let_it_through_or_lapses() -> None:
    desk, box = ruled(live=1)
    laptops = [Entity(Kind.ISOLATE, f"laptop-{i}") for i in (1, 2)]
    for laptop in laptops:
        box.propose(laptop, True, NOW)
    box.advance(NOW + 60)
    standing = box.standings(NOW + 60)
    assert standing[laptops[0]].ordered and standing[laptops[1]].pending
    desk.guardrails.uncount(Kind.ISOLATE, "laptop-1")  # as if people had released it
    box.advance(NOW + 120)
    assert box.standings(NOW + 120)[laptops[1]].ordered
    _, box = ruled(live=1)
    for laptop in laptops:
        box.propose(laptop, True, NOW)
    for minute in range(1, 16):
        box.advance(NOW + minute * 60)
    assert box.standings(NOW + MAX_WAIT)[laptops[1]].refused


def test_operators_mostly_see_the_difference_and_tire() -> None:
    right, wrong, fresh, tired = [], [], [], []
    for seed in range(200):
        people = Operators(np.random.default_rng(seed))
        right.append(people.ask(True, 2, NOW).approved)
        wrong.append(Operators(np.random.default_rng(seed)).ask(False, 2, NOW).approved)
        fresh.append(Operators(np.random.default_rng(seed)).ask(True, 2, NOW).time - NOW)
        for _ in range(20):
            last = people.ask(True, 2, NOW)
        tired.append(last.time - NOW)
    assert np.mean(right) > np.mean(wrong) + 0.2
    assert np.mean(tired) > np.mean(fresh)
