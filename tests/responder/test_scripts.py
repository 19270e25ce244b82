"""Brownie's scripts on two nodes: each tells what it will do, asks, and is safe to repeat."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from eth_account import Account
from eth_account.signers.local import LocalAccount
from nodes import NODES
from web3 import HTTPProvider, Web3

from responder.chain.deployment import load_config, read_state
from responder.chain.manifest import Manifest, contracts

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "contracts"
NETWORK = "countersign-scripts-test"
PEOPLE = ("deployer", "governor", "one", "two", "three", "newcomer", "guardian")


def brownie(*args: str, typed: str = "") -> str:
    done = subprocess.run(
        [str(ROOT / "scripts" / "brownie"), *args],
        env={**os.environ, "BROWNIE": str(Path(sys.executable).with_name("brownie"))},
        start_new_session=True,  # without a terminal a password is read from stdin
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Site:
    """A folder with keystores and a deployment file, and a node that Brownie knows by its URL."""

    url: str
    folder: Path
    people: dict[str, LocalAccount]

    @property
    def file(self) -> Path:
        return self.folder / "deployment.yaml"

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    def key(self, name: str) -> str:
        return str(self.folder / f"{name}.json")

    def address(self, name: str) -> str:
        return str(self.people[name].address)


# What is sent is sent alike to both: test_deployment.py.
PARAMS = ["anvil", pytest.param("hardhat", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=PARAMS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    people = {name: Account.create() for name in PEOPLE}
    for name, account in people.items():
        keystore = account.encrypt("secret", kdf="pbkdf2", iterations=1)
        (folder / f"{name}.json").write_text(json.dumps(keystore))
    shutil.copy(CONTRACTS / "inventory.example.yaml", folder)
    with NODES[request.param](folder) as url:
        site = Site(url, folder, people)
        ask = Web3(HTTPProvider(url)).provider.make_request
        for account in people.values():
            ask("hardhat_setBalance", [account.address, hex(10**20)])  # type: ignore[arg-type]
        site.file.write_text(deployment(site))
        if NETWORK in brownie("networks", "list"):  # left by a run that was killed
            brownie("networks", "delete", NETWORK)
        brownie("networks", "add", "Countersign", NETWORK, f"host={url}", "chainid=31337")
        yield site
        brownie("networks", "delete", NETWORK)


def deployment(site: Site) -> str:
    """The example with the site's people, and a delay that the test can wait for."""
    text = (CONTRACTS / "deployment.example.yaml").read_text()
    document = yaml.safe_load(text)
    security, operations = document["operators"].values()
    replaced = {
        document["governor"]["address"]: "governor",
        security[0]: "one",
        security[1]: "two",
        operations[0]: "three",
        document["guardians"][0]: "guardian",
    }
    for old, name in replaced.items():
        text = text.replace(old, site.address(name))
    return text.replace("delay: 172800", "delay: 1")


CHANGES = ("guardrails.isolate.low.quorum=3", "limits.window=1800")

Answers = dict[str, tuple[str, str | None]]


@pytest.fixture(scope="module")
def answers(site: Site) -> Answers:
    """Of every call, by name, in this order."""
    file, manifest = str(site.file), str(site.manifest)
    here, there = (str(site.folder / name) for name in ("here", "there"))
    deployer, governor, guardian = (site.key(n) for n in ("deployer", "governor", "guardian"))
    newcomer = site.address("newcomer")
    deploy = ("deploy", "main", file, manifest, deployer)
    activate = ("models", "activate", manifest, "playbook", here, "0", "yes")
    pause = ("pause", "main", manifest, guardian, "yes")
    resume = ("pause", "resume", manifest, here, "0", "yes")
    add = ("operators", "add", file, manifest, governor, newcomer)
    remove = ("operators", "remove", file, manifest, governor, newcomer, "yes")
    rules = ("rules", "main", file, manifest, governor, *CHANGES, "yes")
    calls: dict[str, tuple[tuple[str, ...], str]] = {  # and what is typed
        "no": (deploy, "secret\nn\n"),
        "deployed": ((*deploy, "yes"), "secret\n"),
        "deployed again": ((*deploy, "yes"), "secret\n"),
        "stranger signs": (
            ("models", "sign", manifest, "playbook", here, deployer, "yes"),
            "secret\n",
        ),
        "signed": (
            ("models", "sign", manifest, "playbook", here, site.key("one"), "yes"),
            "secret\n",
        ),
        "too few": (activate, ""),
        "sent": (("copy", here, there), ""),
        "signed there": (
            ("models", "sign", manifest, "playbook", there, site.key("two"), "yes"),
            "secret\n",
        ),
        "sent back": (("copy", there, here), ""),
        "active": (activate, ""),
        "active again": (activate, ""),
        "no group": ((*add, "yes"), ""),
        "scheduled": ((*add, "operations", "yes"), "secret\n"),
        "status": (("status", "main", manifest, file), ""),
        "paused": (pause, "secret\n"),
        "paused again": (pause, ""),
        "resumed too early": (resume, ""),
        "resume signed": (
            ("pause", "sign", manifest, here, site.key("one"), site.key("three"), "yes"),
            "secret\n" * 2,
        ),
        "resumed": (resume, ""),
        "resumed again": (resume, ""),
        "added": ((*add, "operations", "yes"), "secret\n"),
        "added again": ((*add, "operations", "yes"), "secret\n"),
        "rules": (rules, "secret\n"),
        "broken rules": (
            ("rules", "main", file, manifest, governor, "limits.lease_quorum=9", "yes"),
            "",
        ),
        "deactivated by an operator": (
            ("models", "deactivate", manifest, "playbook", site.key("one"), "yes"),
            "secret\n",
        ),
        "deactivated": (
            ("models", "deactivate", manifest, "playbook", guardian, "yes"),
            "secret\n",
        ),
        "deactivated again": (
            ("models", "deactivate", manifest, "playbook", guardian, "yes"),
            "",
        ),
        "later": (("later", "2"), ""),  # than the delay, however quick all this was
        "rules again": (rules, "secret\n"),
        "remove": (remove, "secret\n"),
    }
    asked, got = site.folder / "calls.json", site.folder / "answers.json"
    asked.write_text(json.dumps([call for call, _ in calls.values()]))
    driver = str(Path(__file__).with_name("brownie_calls.py"))
    typed = "".join(typed for _, typed in calls.values())
    brownie("run", driver, "main", str(asked), str(got), "--network", NETWORK, typed=typed)
    return dict(zip(calls, map(tuple, json.loads(got.read_text())), strict=True))


def test_it_asks_first(answers: Answers) -> None:
    printed, end = answers["no"]
    assert "A new gate on chain 31337, and then:" in printed
    assert "setPool name='dns' keep=1" in printed
    assert end == "Nothing was sent."


def test_twice_is_once(answers: Answers) -> None:
    assert answers["deployed"][1] is None
    assert "42 transactions sent" in answers["deployed"][0]
    assert "\n0 transactions sent" in answers["deployed again"][0]


def test_a_model_is_activated_by_signatures_from_two_machines(answers: Answers) -> None:
    assert str(answers["stranger signs"][1]).endswith("is no operator of this gate")
    assert "1 of 2 signatures in" in answers["signed"][0]
    assert str(answers["too few"][1]).startswith("1 of 2 operators signed")
    assert "2 of 2 signatures in" in answers["signed there"][0]
    assert answers["active"][0].endswith("Active.\n")
    assert "is active already" in answers["active again"][0]


def test_a_guardian_deactivates_it(answers: Answers, site: Site) -> None:
    missing = f"GateMissingRole(account={site.address('one').lower()}, role=4)"
    assert f"deactivateModel was refused: {missing}" in str(
        answers["deactivated by an operator"][1]
    )
    assert answers["deactivated"][0].endswith("Deactivated.\n")
    assert "is not active" in answers["deactivated again"][0]


def test_a_guardian_pauses_and_operators_resume(answers: Answers) -> None:
    assert answers["paused"][0].endswith("Paused.\n")
    assert "paused already, by pause 1" in answers["paused again"][0]
    assert str(answers["resumed too early"][1]).startswith("0 of 2 operators signed")
    assert "2 of 2 signatures" in answers["resume signed"][0]
    assert answers["resumed"][0].endswith("Resumed.\n")
    assert "The gate is not paused" in answers["resumed again"][0]


def test_an_operator_is_added_by_the_file_after_the_delay(answers: Answers, site: Site) -> None:
    newcomer = site.address("newcomer")
    step = f"setRoles account={newcomer} roles=operator group=1"
    assert "name one approver group of ['security', 'operations']" in str(answers["no group"][1])
    printed, _ = answers["scheduled"]
    assert f"+    - '{newcomer}'" in printed
    assert f"scheduled, run again after the delay: {step}" in printed
    assert "scheduled" not in answers["added"][0]
    assert "1 transactions sent" in answers["added"][0]
    assert "0 transactions sent" in answers["added again"][0]


def test_rules_change_by_the_file_after_the_delay(answers: Answers, site: Site) -> None:
    printed, _ = answers["rules"]
    assert "-  window: 3600                  # budgets" in printed
    assert "+  window: 1800                  # budgets" in printed
    assert printed.count("scheduled, run again after the delay: set") == 2
    assert "9 approvals can never come from 4 operators" in str(answers["broken rules"][1])
    assert "2 transactions sent" in answers["rules again"][0]


def test_the_file_is_what_holds_but_for_what_is_scheduled(answers: Answers, site: Site) -> None:
    """The last call removed the newcomer, whose delay still runs."""
    newcomer = site.address("newcomer")
    assert f"setRoles account={newcomer} roles=none group=0" in answers["remove"][0]
    assert newcomer not in site.file.read_text()
    assert site.file.read_text().count("#") == (
        CONTRACTS / "deployment.example.yaml"
    ).read_text().count("#")
    w3 = Web3(HTTPProvider(site.url))
    manifest, config = Manifest.load(site.manifest), load_config(site.file)
    registry = read_state(w3, manifest).registry
    assert (registry.limits, dict(registry.rules)) == (
        config.limits,
        {cell: rule for cell, rule in config.rules.items() if cell in registry.rules},
    )
    gate = contracts(w3, manifest)["gate"].functions
    assert len(gate.operators().call()) == 4


def test_status_shows_how_the_gate_stands(answers: Answers, site: Site) -> None:
    printed, end = answers["status"]
    assert end is None
    newcomer = f"setRoles account={site.address('newcomer')} roles=operator group=1"
    for line in (
        "code of all 5 parts is what this version ships",
        "not paused",
        f"governor {site.address('governor')}, delay 1 s",
        f"by {site.address('governor')}: {newcomer}",
        f"{site.address('three')} operator, group 1",
        f"{site.address('guardian')} guardian",
        "enforcer, ISOLATE in dmz",
        "ISOLATE critical: 0 live, leasable=False quorum=3 groups=0+1 delay=300",
        "core: 0 of 2 isolated, share 50 %",
        "dns: 0 of 2 isolated, 1 must stay reachable",
        f"active, revision 1, by {', '.join(sorted(site.address(n) for n in ('one', 'two')))}",
        f"differs from {site.file}:\n  {newcomer}",
    ):
        assert line in printed


def test_by_the_command_line(site: Site, answers: Answers) -> None:
    command = ("run", "pause", "main", str(site.manifest), site.key("guardian"), "yes")
    assert "Paused." in brownie(*command, "--network", NETWORK, typed="secret\n")
