"""Scenarios: documented, checked, and the same in numbers."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import yaml

from rl_env.costs import Reward
from rl_env.parameters import PLACES, PROFILES, Parameters, flat
from rl_env.people import Operators
from rl_env.scenario import Scenario, ScenarioError, registered
from rl_env.threats import Attackers, Network

ROOT = Path(__file__).parents[2]


# ---------------------------------------------------------------- documentation


@pytest.mark.parametrize("row", Scenario.table(), ids=lambda row: row.path)
def test_parameter_is_documented(row: Any) -> None:
    assert row.doc and row.unit and row.source
    assert row.bounds or row.unit in ("share", "path")
    assert row.drawn in ("", "uniform", "log-uniform", "one of them")


def test_table_has_every_parameter_once() -> None:
    paths = [row.path for row in Scenario.table()]
    said = Scenario().to_mapping()
    assert paths == [
        f"{g}.{key}" for g, group in said.items() if g != "description" for key in group
    ]


def test_log_uniform_ends_are_above_zero() -> None:
    """Their logarithms are taken."""
    for row in Scenario.table():
        if row.drawn == "log-uniform":
            assert float(row.bounds.split(" to ")[0]) > 0, row.path


# ---------------------------------------------------------------- numbers


def test_numbers_have_the_types_that_compiled_code_expects() -> None:
    numbers = Scenario().parameters()
    for name, hint in get_type_hints(Parameters).items():
        value = getattr(numbers, name)
        if hint in (int, float):
            assert type(value) is hint, name
        else:
            assert value.dtype == np.float64 and value.ndim == 1, name


@pytest.mark.parametrize("name", registered())
def test_types_do_not_depend_on_the_scenario(name: str) -> None:
    default, numbers = Scenario().parameters(), Scenario.load(name).parameters()
    assert [type(v) for v in numbers] == [type(v) for v in default]


def test_the_table_of_parameters_is_up_to_date() -> None:
    code = (ROOT / "scripts" / "write_parameters.py").read_text("utf-8")
    found: dict[str, Any] = {"__name__": "told", "__file__": str(ROOT / "scripts" / "x.py")}
    exec(compile(code, "write_parameters.py", "exec"), found)
    written = (ROOT / "rl_env" / "PARAMETERS.md").read_text("utf-8")
    assert written == found["document"](), "run python scripts/write_parameters.py"


def test_default_numbers_are_stable() -> None:
    """Whoever changes a default changes what models were trained on: say so in the changelog."""
    said = json.dumps(Scenario().to_mapping(), sort_keys=True)
    assert hashlib.sha256(said.encode()).hexdigest() == DEFAULTS


def test_numbers_are_those_of_the_scenario() -> None:
    scenario = Scenario.from_mapping(
        {
            "attackers": {"pace": [0.5, 3], "profiles": {"insider": 3, "broad": 1}},
            "operators": {"fatigue": 0.25},
            "guardrails": {"max_ttl": [60]},
            "reward": {"harm": [0, 1, 2, 3]},
        }
    )
    numbers = scenario.parameters()
    assert (numbers.attackers_pace_low, numbers.attackers_pace_high) == (0.5, 3.0)
    assert numbers.attackers_profiles[PROFILES.index("insider")] == 0.75
    assert numbers.attackers_profiles.sum() == 1.0
    assert numbers.operators_fatigue_low == numbers.operators_fatigue_high == 0.25
    assert numbers.guardrails_max_ttl.tolist() == [60.0]
    assert numbers.reward_harm.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_places_are_those_of_the_flat_numbers() -> None:
    numbers = Scenario().parameters()
    dials = flat(numbers)
    for name, place in PLACES._asdict().items():
        value = np.atleast_1d(getattr(numbers, name))
        assert dials[place : place + len(value)].tolist() == value.tolist(), name


def test_episodes_draw_as_it_is_documented() -> None:
    """`spread` draws log-uniformly, `between` and `whole` uniformly."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "rl_env").glob("*.py"))
    drawn = {row.path.replace(".", "_"): row.drawn for row in Scenario.table()}
    found = re.findall(r"\b(spread|between|whole)\(\s*s,\s*AT\.(\w+)_low", sources)
    assert len(found) > 30
    for how, name in found:
        assert drawn[name] == ("log-uniform" if how == "spread" else "uniform"), name


def test_gas_is_what_the_contracts_were_measured_to_take() -> None:
    measured, reward = json.loads((ROOT / "gas-snapshot.json").read_text()), Reward()
    assert reward.gas_order == measured["order_2of3_warm"]
    assert reward.gas_lease_order == measured["order_lease"]
    assert reward.gas_renewal == measured["order_2of3_renewed"]
    assert reward.gas_receipt == measured["receipt"]


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", registered())
def test_registered_scenario_loads_and_survives_its_mapping(name: str, tmp_path: Path) -> None:
    scenario = Scenario.load(name)
    assert scenario.description
    path = tmp_path / "copy.yaml"
    path.write_text(yaml.safe_dump(scenario.to_mapping()), encoding="utf-8")
    assert Scenario.load(path) == scenario


def test_sizes_and_situations_are_registered() -> None:
    expected = {"small-16", "medium-100", "large-1000", "insider", "ransomware", "quiet"}
    assert expected <= set(registered())
    assert Scenario.load("large-1000").network.hosts == (1000, 1000)


def test_empty_file_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# as it comes\n", encoding="utf-8")
    assert Scenario.load(path) == Scenario()


def test_inventory_is_found_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("network: {inventory: site.yaml}\n", encoding="utf-8")
    assert Scenario.load(str(path)).network.inventory == str(tmp_path / "site.yaml")


BAD = [
    ("network: {hosts: [5, 2001]}", "1: network.hosts[1]: 2001 is not within 5 to 2000 (hosts)"),
    (
        "network:\n  hosts: [20, 10]",
        "2: network.hosts: its low end 20 is above its high end 10",
    ),
    (
        "network:\n  hosts: 12.5",
        "2: network.hosts: expected a whole number, got 12.5",
    ),
    (
        "network:\n  hosts: [5, 6, 7]",
        "2: network.hosts: expected [low, high] or one number, got [5, 6, 7]",
    ),
    (
        "network:\n  hosts:",
        "2: network.hosts: expected [low, high] or one number, got None",
    ),
    ("network:\n  inventory: 7", "2: network.inventory: expected a line of text, got 7"),
    ("episode: {minutes: true}", "1: episode.minutes: expected a whole number, got True"),
    (
        "episode:\n  minutes: 5\n",
        "2: episode.minutes: 5 is not within 10 to 2500 (minutes)",
    ),
    (
        "episode:\n  kinds: {attack: 1}",
        "2: episode.kinds.attack: unknown key 'attack'; did you mean 'attacked'? "
        "known are quiet, scanned, attacked",
    ),
    (
        "episode:\n  kinds: {quiet: 0}",
        "2: episode.kinds: one weight at least must be above zero",
    ),
    (
        "episode:\n  kinds:\n    quiet: -1",
        "3: episode.kinds.quiet: -1 is not within 0 to 1000 (weight)",
    ),
    ("episode:\n  kinds: [1, 2, 3]", "2: episode.kinds: expected a mapping, got a list"),
    (
        "operators:\n  fatige: 1",
        "2: operators.fatige: unknown key 'fatige'; did you mean 'fatigue'? "
        "known are answer_minutes, answer_spread, ",
    ),
    (
        "operator: {}",
        "1: operator: unknown key 'operator'; did you mean 'operators'? known are description, "
        "network, episode, attackers, sensors, operators, guardrails, users, reward",
    ),
    (
        "attackers:\n  exploit_chance: [0.5, 1.5]",
        "2: attackers.exploit_chance[1]: 1.5 is not within 0 to 1 (chance)",
    ),
    (
        "attackers:\n  pace: [0.0, 1]",
        "2: attackers.pace[0]: 0 is not within 0.05 to 20 (factor)",
    ),
    ("attackers:\n  pace: .nan", "2: attackers.pace: expected a number, got nan"),
    (
        "attackers:\n  pace: fast",
        "2: attackers.pace: expected [low, high] or one number, got 'fast'",
    ),
    ("attackers: [1]", "1: attackers: expected a mapping, got a list"),
    ("reward:\n  harm: [0, 1]", "2: reward.harm: expected a list of 4 numbers, got [0, 1]"),
    (
        "reward:\n  harm: [0, 1, 2,\n    -3]",
        "3: reward.harm[3]: -3 is not within 0 to 1000 (per minute)",
    ),
    (
        "guardrails:\n  max_ttl: []",
        "2: guardrails.max_ttl: expected a list of 1 to 4 numbers, got []",
    ),
    (
        "guardrails:\n  max_ttl: [60, 0]",
        "2: guardrails.max_ttl[1]: 0 is not within 1 to 10080 (minutes)",
    ),
    ("description: [a]", "1: description: expected a line of text, got ['a']"),
    ("users: {server: 0.5}\nusers: {}", "2: 'users' is named twice, first on line 1"),
    ("- a", "1: expected a mapping, got a list"),
    ("a: [", "1: not valid YAML: did not find expected node content"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_file_is_refused_with_line_and_reason(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as error:
        Scenario.load(path)
    complaint = str(error.value)
    assert complaint == f"{path}:{message}" or (
        message.endswith(", ") and complaint.startswith(f"{path}:{message}")
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smal-16", "unknown scenario 'smal-16'; did you mean 'small-16'? known are "),
        ("nowhere.yaml", "nowhere.yaml: cannot be read: No such file or directory"),
    ],
)
def test_unknown_name_is_refused(name: str, message: str) -> None:
    with pytest.raises(ScenarioError) as error:
        Scenario.load(name)
    assert str(error.value).startswith(message)


# ---------------------------------------------------------------- in Python


def test_values_given_in_python_are_checked_too() -> None:
    with pytest.raises(ValueError, match=r"operators\.fatigue\[1\]: 9 is not within 0 to 5"):
        Operators(fatigue=(0.1, 9.0))
    with pytest.raises(ValueError, match=r"network\.seed: expected a whole number, got '0'"):
        replace(Scenario().network, seed="0")


def test_whole_numbers_serve_where_fractions_do() -> None:
    assert Attackers(pace=(1, 2)).pace == (1.0, 2.0)
    assert type(Attackers(pace=(1, 2)).pace[0]) is float
    assert [f.name for f in fields(Network)][:2] == ["hosts", "sites"]


DEFAULTS = "87a84f94a87e279c23574518123d2825a949d0ee126f0c3479f994263f646b8e"
