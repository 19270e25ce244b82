"""The simulated site: networks, sensors' history, operators, orders."""

from __future__ import annotations

import numpy as np
import pytest

from policies.actions import Kind
from policies.guardrails import Tier
from policies.inventory import Asset, Inventory
from policies.picture import Entity, Picture
from rl_env.containment import Containment, random_guardrails
from rl_env.network import external_addresses, from_inventory, random_network
from rl_env.operators import MAX_WAIT, Operators
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
