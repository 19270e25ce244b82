"""Sites, drawn or of an inventory: sound, repeatable, and the same in names and in numbers."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.inventory import Asset, Credential, Grant, Inventory, InventoryError, Resource
from policies.simulation import ROLES, SERVICES, Host, Simulation, User
from rl_env import site
from rl_env.network import Blueprint, blueprints, draw_sites, from_inventory, pack
from rl_env.threats import Network

ROOT = Path(__file__).parents[2]
SEEDS = st.integers(0, 10_000)
SMALL = settings(max_examples=50, deadline=None)


def drawn(size: int, seed: int) -> Blueprint:
    return draw_sites(1, (size, size), seed)[0]


def reached(blueprint: Blueprint) -> set[int]:
    """Rows that an intruder gets to from the exposed hosts, by services alone."""
    numbers = pack([blueprint])
    host, zones, zone = numbers.host[0], numbers.zones[0], numbers.zone[0]
    found = set(np.flatnonzero(host[:, site.EXPOSED]).tolist())
    frontier = list(found)
    for row in frontier:
        for other in range(len(blueprint)):
            near = zone[zones[row], site.REACH] >> zones[other] & 1
            if near and host[other, site.SERVICES] and other not in found:
                found.add(other)
                frontier.append(other)
    return found


# ---------------------------------------------------------------- drawn sites


@SMALL
@given(st.integers(5, 60), st.integers(0, 40), SEEDS)
def test_sizes_hold(least: int, more: int, seed: int) -> None:
    for blueprint in draw_sites(3, (least, least + more), seed):
        assert least <= len(blueprint) <= least + more
        assert 2 <= len(blueprint.inventory.simulation.users or ()) <= max(4, len(blueprint) // 2)
        assert 1 <= len(blueprint.inventory.credentials) <= max(4, len(blueprint) // 8)


@SMALL
@given(st.integers(5, 100), SEEDS)
def test_same_seed_draws_the_same_site(size: int, seed: int) -> None:
    one, other = drawn(size, seed), drawn(size, seed)
    assert one == other
    assert all(np.array_equal(a, b) for a, b in zip(pack([one]), pack([other]), strict=True))


def test_seeds_and_sites_differ() -> None:
    sites = [*draw_sites(8, (16, 16), 0), *draw_sites(8, (16, 16), 1)]
    assert len({repr(s.inventory) for s in sites}) == 16


@SMALL
@given(st.integers(5, 120), SEEDS)
def test_an_attacker_can_get_from_a_door_to_a_jewel(size: int, seed: int) -> None:
    blueprint = drawn(size, seed)
    jewels = np.flatnonzero(pack([blueprint]).host[0, :, site.JEWEL])
    assert 1 <= len(jewels) <= 3
    assert reached(blueprint) & set(jewels.tolist())


@SMALL
@given(st.integers(5, 120), SEEDS)
def test_users_have_a_host_and_servers(size: int, seed: int) -> None:
    said = drawn(size, seed).inventory.simulation
    for user in said.users or ():
        assert said.assets[user.asset].role == "workstation"
        assert 1 <= len(user.needs) <= 4
        assert user.asset not in user.needs
        assert {said.assets[need].role for need in user.needs} <= {
            "server",
            "database",
            "directory",
        }
        assert not user.partner or user.partner in (said.partners or ())


@SMALL
@given(st.integers(5, 120), SEEDS)
def test_pools_have_members_to_spare(size: int, seed: int) -> None:
    numbers = pack([drawn(size, seed)])
    members = Counter(row[site.POOL] for row in numbers.host[0] if row[site.POOL] >= 0)
    for pool, count in members.items():
        assert numbers.pool[0, pool, site.MEMBERS] == count >= 2
        assert 1 <= numbers.pool[0, pool, site.KEEP] < count


@SMALL
@given(st.integers(5, 120), SEEDS)
def test_keys_open_two_to_sixteen_hosts(size: int, seed: int) -> None:
    for rows in drawn(size, seed).opens:
        assert 2 <= len(rows) <= site.OPENS
        assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("size", [100, 1000, 2000])
@pytest.mark.parametrize("seed", range(3))
def test_large_sites_look_like_enterprises(size: int, seed: int) -> None:
    blueprint = drawn(size, seed)
    said, assets = blueprint.inventory.simulation, blueprint.inventory.assets
    roles = Counter(host.role for host in said.assets.values())
    zones = Counter(asset.zone for asset in assets)
    assert 0.6 <= roles["workstation"] / size <= 0.85
    assert 0.005 <= roles["directory"] / size <= 0.035
    assert len(blueprint.zones) <= 16 and len(blueprint.pools) <= 16
    assert all(zones[zone] <= 250 for zone in zones if zone.startswith("office"))
    assert "management" in zones
    if size >= 1000:
        assert sum(zone.startswith("office") for zone in zones) >= 4
    assert all(host.services or host.role == "workstation" for host in said.assets.values())
    assert {a.zone for a in assets if said.assets[a.id].exposed} == {"dmz"}


@SMALL
@given(st.integers(5, 100), SEEDS)
def test_addresses_are_the_sites_own_and_those_set_aside(size: int, seed: int) -> None:
    inventory = drawn(size, seed).inventory
    inside = [ipaddress.IPv4Address(a.addresses[0]) for a in inventory.assets]
    assert len(set(inside)) == size and all(a in ipaddress.ip_network("10.0.0.0/8") for a in inside)
    free = [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    partners = [ipaddress.ip_address(p) for p in inventory.simulation.partners or ()]
    assert 1 <= len(set(partners)) == len(partners) <= 8
    assert all(any(p in network for network in free) for p in partners)


def test_zone_rules_follow_the_scenario() -> None:
    network = Network(
        zone_share=(40, 40),
        zone_frozen_chance=1.0,
        zone_frozen_extra=(2, 2),
        zone_frozen_minutes=(100.0, 100.0),
        zone_window_chance=1.0,
        zone_window_minutes=(60, 60),
    )
    for rule in draw_sites(1, (30, 30), 0, network)[0].rules:
        assert (rule.share, rule.extra, rule.open_for) == (40, 2, 3600)
        assert rule.frozen_until - rule.frozen_from == 100
        assert 0 <= rule.opens_at < 7 * 86400
    calm = replace(network, zone_frozen_chance=0.0, zone_window_chance=0.0)
    assert {rule[1:] for rule in draw_sites(1, (30, 30), 0, calm)[0].rules} == {(0, 0, 0, 0, 0)}


# ---------------------------------------------------------------- numbers


@SMALL
@given(st.lists(st.integers(5, 60), min_size=1, max_size=4), SEEDS)
def test_numbers_are_the_blueprints(sizes: list[int], seed: int) -> None:
    sites = [drawn(size, seed + i) for i, size in enumerate(sizes)]
    numbers = pack(sites)
    assert numbers.zones.shape[0] == len(sites)
    assert max(sizes) <= numbers.zones.shape[1] == numbers.host.shape[1] <= 64
    for k, blueprint in enumerate(sites):
        inventory, said = blueprint.inventory, blueprint.inventory.simulation
        users, partners = said.users or (), said.partners or ()
        expected = [len(blueprint), len(inventory.credentials), len(users), len(blueprint.zones)]
        assert numbers.size[k].tolist() == [*expected, len(partners), len(blueprint.shields)]
        for row, asset in enumerate(inventory.assets):
            host, read = said.assets[asset.id], numbers.host[k, row]
            assert blueprint.zones[numbers.zones[k, row]] == asset.zone
            assert (read[site.CRITICALITY], read[site.PROTECTED]) == (
                asset.criticality,
                asset.protected,
            )
            assert ROLES[read[site.ROLE]] == host.role
            assert (read[site.EXPOSED], read[site.JEWEL]) == (host.exposed, host.jewel)
            assert (blueprint.pools[read[site.POOL]] if read[site.POOL] >= 0 else "") == asset.pool
            services = [s for i, s in enumerate(SERVICES) if read[site.SERVICES] >> i & 1]
            assert services == list(host.services or ())
        for row, key in enumerate(inventory.credentials):
            read = numbers.credential[k, row]
            assert (read[site.WORTH], read[site.GUARDED]) == (key.criticality, key.protected)
            assert (users[read[site.OWNER]].id if read[site.OWNER] >= 0 else None) in (
                key.principal,
                None,
            )
            assert tuple(h for h in read[site.OPENED :] if h >= 0) == blueprint.opens[row]
        for row, user in enumerate(users):
            read = numbers.user[k, row]
            assert inventory.assets[read[site.HOST]].id == user.asset
            named = [inventory.assets[h].id for h in read[site.NEEDED :] if h >= 0]
            assert named == list(user.needs)
            assert (partners[read[site.PARTNER]] if read[site.PARTNER] >= 0 else "") == user.partner
        for number, zone in enumerate(blueprint.zones):
            read = numbers.zone[k, number]
            others = {z for i, z in enumerate(blueprint.zones) if read[site.REACH] >> i & 1}
            assert others == {zone, *(said.reach or {})[zone]}
            assert read[site.ASSETS] == sum(a.zone == zone for a in inventory.assets)
            assert tuple(read[site.MAX_SHARE :]) == blueprint.rules[number]
        read = [str(ipaddress.IPv4Address(int(p))) for p in numbers.partner[k] if p]
        assert read == list(partners)
        assert [tuple(s) for s in numbers.shield[k] if s[1]] == list(blueprint.shields)


def test_padding_is_nothing() -> None:
    numbers = pack([drawn(5, 0), drawn(40, 0)])
    assert (numbers.host[0, 5:, site.POOL] == -1).all()
    assert (numbers.host[0, 5:, site.CRITICALITY] == 0).all()
    users = numbers.size[0, site.USERS]
    assert (numbers.user[0, users:] == -1).all()
    keys = numbers.size[0, site.CREDENTIALS]
    assert (numbers.credential[0, keys:, site.OWNER :] == -1).all()


def test_numbers_have_the_types_that_compiled_code_expects() -> None:
    numbers = pack([drawn(16, 0)])
    for name, array in numbers._asdict().items():
        assert array.dtype == (np.int64 if name in ("partner", "shield") else np.int32)
        assert array.flags.c_contiguous and array.ndim >= 2


# ---------------------------------------------------------------- inventories


@SMALL
@given(st.integers(5, 60), SEEDS, SEEDS)
def test_drawn_site_survives_its_yaml(
    tmp_path_factory: pytest.TempPathFactory, size: int, seed: int, other: int
) -> None:
    """Its inventory leaves nothing open: what is read is the same site, whatever the seed."""
    blueprint = drawn(size, seed)
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(yaml.safe_dump(blueprint.inventory.to_mapping()), encoding="utf-8")
    assert Inventory.load(path) == blueprint.inventory
    again = from_inventory(Inventory.load(path), other)
    assert again.inventory == blueprint.inventory


def small(*, count: int = 5, **changes: object) -> Inventory:
    names = ("web-1", "erp", "pc-1", "pc-2", "firewall", *(f"pc-{i}" for i in range(3, 2000)))
    zones = ("dmz", "core", "office", "office", "core", *("office",) * 2000)
    inventory = Inventory(
        tuple(
            Asset(names[i], zones[i], 3 if names[i] == "erp" else 1, addresses=(f"10.0.{i}.1",))
            for i in range(count)
        ),
        (Credential("ssh:a", principal="anna"), Credential("ssh:b")),
    )
    return replace(inventory, **changes)  # type: ignore[arg-type]


def test_roles_are_guessed_from_names_zones_and_worth() -> None:
    said = from_inventory(small(), 0).inventory.simulation.assets
    assert [host.role for host in said.values()] == [
        "server",
        "database",
        "workstation",
        "workstation",
        "gateway",
    ]
    assert [name for name, host in said.items() if host.exposed] == ["web-1"]
    assert [name for name, host in said.items() if host.jewel] == ["erp"]


def test_what_is_said_is_kept_and_changes_nothing_else() -> None:
    said = Simulation(
        {"erp": Host(role="controller", services=("modbus",)), "pc-1": Host(exposed=True)},
        partners=("192.0.2.7",),
    )
    before = from_inventory(small(), 3).inventory.simulation
    after = from_inventory(small(simulation=said), 3).inventory.simulation
    assert after.assets["erp"] == Host("controller", False, ("modbus",), True)
    assert after.assets["pc-1"].exposed
    assert after.partners == ("192.0.2.7",)
    assert after.assets["pc-2"] == before.assets["pc-2"]
    assert after.reach == before.reach


def test_credentials_open_what_their_principal_was_granted() -> None:
    inventory = small(
        resources=(Resource("https://erp", "erp"), Resource("ssh://web", "web-1")),
        grants=(Grant("anna", "https://erp", 2**31), Grant("anna", "ssh://web", 2**31)),
        simulation=Simulation(users=(User("anna", "pc-1", ("erp",)),)),
    )
    blueprint = from_inventory(inventory, 0)
    assert blueprint.opens[0] == (0, 1)
    assert len(blueprint.opens[1]) >= 2  # drawn
    assert pack([blueprint]).credential[0, :3, site.OWNER].tolist() == [0, -1, -1]


@pytest.mark.parametrize(
    ("inventory", "complaint"),
    [
        (small(count=4), "assets: 4 of them; 5 to 2000 can be simulated"),
        (
            small(assets=(*small().assets, Asset("nas", "core"))),
            "assets[5].addresses: 'nas' needs an address to be simulated",
        ),
        (
            small(
                assets=tuple(Asset(f"a{i}", f"z{i}", addresses=(f"10.0.0.{i}",)) for i in range(17))
            ),
            "assets: 17 zones; the simulator has room for 16",
        ),
        (
            small(
                assets=tuple(
                    Asset(f"a{i}", "z", addresses=(f"10.0.0.{i}",), pool=f"p{i}") for i in range(17)
                )
            ),
            "assets: 17 pools; the simulator has room for 16",
        ),
        (
            small(protected_networks=tuple(f"10.{2 * i}.0.0/16" for i in range(9))),
            "protected_networks: 9 protected IPv4 networks; the simulator has room for 8",
        ),
        (
            small(simulation=Simulation(partners=tuple(f"192.0.2.{i}" for i in range(9)))),
            "simulation.partners: 9 partners; the simulator has room for 8",
        ),
        (
            small(simulation=Simulation(users=tuple(User(f"u{i}", "pc-1") for i in range(5)))),
            "simulation.users: 5 users; the simulator has room for 4",
        ),
        (
            small(
                count=20,
                resources=tuple(Resource(a.id, a.id) for a in small(count=20).assets),
                grants=tuple(Grant("anna", a.id, 2**31) for a in small(count=20).assets),
            ),
            "credentials[0]: 20 assets that it opens; the simulator has room for 16",
        ),
    ],
)
def test_inventory_that_does_not_fit_is_refused(inventory: Inventory, complaint: str) -> None:
    with pytest.raises(InventoryError) as error:
        from_inventory(inventory, 0)
    assert str(error.value) == complaint


def test_networks_that_touch_are_one_shield() -> None:
    blueprint = from_inventory(small(protected_networks=("10.0.0.0/25", "10.0.0.128/25")), 0)
    first = int(ipaddress.IPv4Address("10.0.0.0"))
    assert blueprint.shields == ((first, first + 255),)


# ---------------------------------------------------------------- scenarios


def test_sites_of_a_scenario_are_as_many_as_it_says() -> None:
    assert len(blueprints(Network(hosts=(5, 8), sites=3))) == 3
    assert len(blueprints(Network(hosts=(5, 8)))) == 64
    assert len(blueprints(Network(hosts=(1600, 1600)))) == 4


def test_inventory_of_a_scenario_is_simulated() -> None:
    example = ROOT / "contracts" / "inventory.example.yaml"
    (blueprint,) = blueprints(Network(inventory=str(example)))
    assert [a.id for a in blueprint.inventory.assets][:2] == ["web-1", "dns-1"]
    assert blueprint.inventory.simulation.assets["web-1"].exposed


def test_entry_at_fault_is_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    entries = "".join(f"- {{id: a{i}, addresses: [10.0.0.{i}]}}\n" for i in range(5))
    path.write_text(f"assets:\n{entries}- id: bare\n", encoding="utf-8")
    with pytest.raises(InventoryError) as error:
        blueprints(Network(inventory=str(path)))
    complaint = "assets[5].addresses: 'bare' needs an address to be simulated"
    assert str(error.value) == f"{path}:7: {complaint}"
