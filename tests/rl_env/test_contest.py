"""Models against the baselines: names, training seeds, sweeps, manifest, card and plots."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

pytest.importorskip("rliable")
pytest.importorskip("matplotlib")

from click.testing import CliRunner, Result

from policies.columns import CONTEXT_COLUMNS, ENTITY_COLUMNS, OBSERVATION_VERSION
from policies.network import FORMAT, LearnedPolicy, ModelError, tensor_shapes
from rl_env.card import card, publish
from rl_env.contest import DELAYS, SIZES, Contest, Entrants, delayed, sized
from rl_env.evaluate import HELD_OUT, held_out
from rl_env.evaluating import evaluate
from rl_env.plots import curve
from rl_env.scenario import Scenario, ScenarioError
from rl_env.simulation import Simulation

YAML = """
network: {hosts: 16}
episode: {minutes: 50, warm_up: 10, kinds: {attacked: 0.8, quiet: 0.2}}
"""
BASELINES = {"nothing", "random", "thresholds", "playbook", "oracle"}


def write_model(folder: Path, name: str, scenario: str, seed: int, **training: Any) -> Path:
    """An untrained model that acts now and then."""
    rng = np.random.default_rng(seed)
    weights = {
        key: rng.normal(0.0, 0.3, shape).astype(np.float32)
        for key, shape in tensor_shapes(8).items()
    }
    data = safetensors.numpy.save(weights)
    manifest = {
        "format": FORMAT,
        "name": name,
        "observation_version": OBSERVATION_VERSION,
        "entity_columns": list(ENTITY_COLUMNS),
        "context_columns": list(CONTEXT_COLUMNS),
        "architecture": {"kind": "test", "hidden": 8},
        "environment": "Countersign-v0",
        "training": {"scenario": scenario, "seed": seed, **training},
        "weights_sha256": hashlib.sha256(data).hexdigest(),
    }
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("scenario") / "tiny.yaml"
    path.write_text(YAML, encoding="utf-8")
    return str(path)


@pytest.fixture
def model(tmp_path: Path, scenario: str) -> Path:
    return write_model(tmp_path / "one", "one", scenario, 1)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


# ---------------------------------------------------------------- who plays what


def test_held_out_sites_are_others_and_nothing_else_differs() -> None:
    plain = Scenario.load("small-16")
    apart = held_out(plain)
    sites, others = (
        {str(site.inventory.to_mapping()) for site in Simulation(each, 1).sites}
        for each in (plain, apart)
    )
    assert len(others) == 256 and not sites & others
    assert held_out(apart) == apart
    assert {**apart.to_mapping(), "network": None} == {**plain.to_mapping(), "network": None}
    company = Scenario.load("company")
    assert held_out(company) == company


def test_models_that_differ_by_seed_alone_are_told_together(tmp_path: Path, scenario: str) -> None:
    folders = [
        write_model(tmp_path / "a", "mine", scenario, 1, hidden=8),
        write_model(tmp_path / "b", "mine", scenario, 2, hidden=8),
        write_model(tmp_path / "c", "blind", scenario, 2, hidden=16),
    ]
    entrants = Entrants.load(folders)
    assert list(entrants.models) == ["mine", "mine, seed 2", "blind"]
    assert entrants.together == {"mine, 2 seeds": ["mine", "mine, seed 2"]}
    assert list(entrants.players()) == [
        "nothing", "random", "thresholds", "playbook", "mine", "mine, seed 2", "blind", "oracle",
    ]  # fmt: skip
    found = Contest(entrants, scenario, 60).run()
    scores, policies = found["scores"], found["policies"]
    assert found["seeds"]["mine, 2 seeds"] == 2
    assert set(policies) == BASELINES | set(entrants.models)
    halves = [policies[name]["score"] for name in entrants.together["mine, 2 seeds"]]
    assert scores["mine, 2 seeds"]["ratio"][0] == pytest.approx(np.mean(halves), abs=1e-3)


def test_names_that_cannot_be_told_apart_are_refused(tmp_path: Path, scenario: str) -> None:
    one = write_model(tmp_path / "a", "mine", scenario, 1)
    with pytest.raises(ModelError, match="given twice"):
        Entrants.load([one, one])
    other = [write_model(tmp_path / f"{i}", "mine", scenario, 2, hidden=i) for i in (8, 16)]
    with pytest.raises(ModelError, match="another policy is called 'mine, seed 2'"):
        Entrants.load([one, *other])
    with pytest.raises(ModelError, match="another policy is called 'playbook'"):
        Entrants.load([write_model(tmp_path / "b", "playbook", scenario, 1)])


def test_sweeps_change_what_they_say_and_no_more() -> None:
    plain = Scenario.load("small-16")
    assert sized(plain, 50).network.hosts == (50, 50)
    with pytest.raises(ScenarioError, match="inventory"):
        sized(Scenario.load("company"), 50)
    slow = delayed(plain, 5.0)
    assert slow.operators.answer_minutes == (5.0, 5.0)
    assert slow.operators.approve_right == (0.8, 0.8)
    assert slow.operators.max_pending == plain.operators.max_pending
    assert {**slow.to_mapping(), "operators": None} == {**plain.to_mapping(), "operators": None}


def test_longer_answers_do_more_harm(model: Path, scenario: str) -> None:
    long = Path(scenario).with_name("long.yaml")
    long.write_text(
        "network: {hosts: 16}\nepisode: {kinds: {attacked: 1}}\nguardrails: {lease_chance: 0}\n",
        encoding="utf-8",
    )
    contest = Contest(Entrants.load([model]), str(long), 2, delays=(0.2, 30.0), sweep_episodes=96)
    told: list[int] = []
    soon, late = contest.run(told.append)["delays"]
    assert sum(told) == contest.length() == 6 * 2 + 2 * 5 * 96
    assert late["harm"]["oracle"][1] > soon["harm"]["oracle"][2]
    assert late["harm"]["nothing"] == soon["harm"]["nothing"]
    assert soon["ratio"]["oracle"] == [1.0, 1.0, 1.0]


# ---------------------------------------------------------------- the command


def test_tables_and_json_tell_the_same(model: Path) -> None:
    done = run("--model", model, "--episodes", 80)
    assert done.exit_code == 0, done.output
    told = json.loads(run("--model", model, "--episodes", 80, "--json").stdout)
    assert set(told["policies"]) == BASELINES | {"one"}
    assert (told["episodes"], told["first_seed"]) == (80, HELD_OUT)
    assert told["hosts"] == [16, 16]
    for name, figures in told["policies"].items():
        low, high = figures["interval"]
        assert f"| {name} | {figures['mean_return']:.1f} [{low:.1f}, {high:.1f}] |" in done.stdout
    iqm = told["scores"]["one"]["iqm"]
    assert f"| one | {iqm[0]:.2f} [{iqm[1]:.2f}, {iqm[2]:.2f}] |" in done.stdout


def test_write_puts_the_same_figures_into_manifest_and_card(model: Path, scenario: str) -> None:
    before = LearnedPolicy.load(model)
    done = run("--model", model, "--episodes", 60, "--write", "--json")
    assert done.exit_code == 0, done.output
    after = LearnedPolicy.load(model)
    assert after.manifest == {**before.manifest, "evaluation": json.loads(done.stdout)}
    assert after.hash != before.hash and after.hash.hex() in done.stderr
    text = (model / "card.md").read_text(encoding="utf-8")
    assert text == card(after.manifest)
    assert "# Model card: one" in text
    assert f"scenario `{scenario}`, seed 1" in " ".join(text.split())
    for name, figures in after.manifest["evaluation"]["policies"].items():
        assert f"| {name} | {figures['mean_return']:.1f} [" in text


def test_card_says_what_was_not_tested(model: Path, scenario: str) -> None:
    entrants = Entrants.load([model])
    plain = Contest(entrants, scenario, 4).run()
    publish(model, plain)
    text = " ".join((model / "card.md").read_text(encoding="utf-8").split())
    for what in (
        "Real alerts", "fewer than 16 or more than 16 hosts", "another version than 2",
        "Intruders who learn", "Forged alerts", "there was no sweep", "Other training seeds",
    ):  # fmt: skip
        assert what in text
    swept = Contest(entrants, scenario, 4, sizes=(15,), delays=(1.0,), sweep_episodes=4).run()
    publish(model, swept)
    text = " ".join((model / "card.md").read_text(encoding="utf-8").split())
    assert "fewer than 15 or more than 16 hosts" in text and "there was no sweep" not in text
    assert "| policy | 15 hosts |" in text and "| policy | 1 min |" in text


def test_plots_of_everything_there_is(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl_env.contest.SIZES", (16,))
    monkeypatch.setattr("rl_env.contest.DELAYS", (1.0, 5.0))
    with (model / "learning.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["decisions", "seconds", "validation_return"])
        rows.writerows([[1000, 1.5, -14.0], [2000, 3.0, -11.5]])
    assert curve(model) == ([1000.0, 2000.0], [-14.0, -11.5])
    out = tmp_path / "plots"
    asked = ["--sweep", "all", "--sweep-episodes", 8, "--plots", out]
    done = run("--model", model, "--episodes", 60, *asked)
    assert done.exit_code == 0, done.output
    made = sorted(path.name for path in out.iterdir())
    assert made == ["delay.png", "false_isolations.png", "learning.png", "load.png", "size.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in out.iterdir())


def test_no_learning_curve_is_no_mistake_but_another_file_is(model: Path) -> None:
    assert curve(model) is None
    (model / "learning.csv").write_text("decisions,loss\n1,2\n", encoding="utf-8")
    with pytest.raises(ModelError, match="validation_return"):
        curve(model)


def test_names_what_it_cannot_use(tmp_path: Path, model: Path) -> None:
    done = run("--model", tmp_path / "none")
    assert done.exit_code == 1 and "cannot read" in done.output
    done = run("--model", model, "--scenario", "smal-16")
    assert done.exit_code == 1 and "small-16" in done.output
    done = run("--model", model, "--scenario", "company", "--sweep", "size", "--episodes", 1)
    assert done.exit_code == 1 and "sweep over sizes" in done.output


def test_sweeps_reach_the_figures_that_are_stated() -> None:
    assert {200, 1000} <= set(SIZES) and 5.0 in DELAYS
