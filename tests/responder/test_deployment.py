"""Deployment: the file is checked, the plan is what differs, and twice is once, on real nodes."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from eth_account import Account
from nodes import NODES
from web3 import HTTPProvider, Web3

from policies.actions import Kind, network_key
from policies.guardrails import Limits, Rule
from policies.inventory import Asset, Inventory
from responder.chain.deploy_config import DeployConfig
from responder.chain.deployment import (
    ADMIN_ROLE,
    GOVERNED,
    GOVERNOR_ROLE,
    Manifest,
    State,
    Step,
    apply,
    create,
    deploy,
    load_config,
    plan,
    read_state,
)
from responder.chain.events import artifact
from responder.errors import Permanent

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "contracts" / "deployment.example.yaml"
DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"  # every node of ours signs for it
MODEL, CARD = b"\x01" * 32, b"\x02" * 32


@pytest.fixture
def document() -> dict[str, Any]:
    return yaml.safe_load(EXAMPLE.read_text())


def read(document: Any, inventory: Inventory | None = None) -> DeployConfig:
    return DeployConfig.from_mapping(document, inventory or Inventory())


# ---------------------------------------------------------------- the file


def test_the_example_is_valid() -> None:
    config = load_config(EXAMPLE)
    assert config.rules[Kind.ISOLATE, 3].quorum == 3
    assert not config.rules[Kind.BLOCK, 3].allowed
    assert len(config.inventory.assets) == 4


A, B = "0x" + "aa" * 20, "0x" + "bb" * 20
BROKEN = [
    (("extra",), 1, "unknown keys ['extra']"),
    (("limits", "windows"), 1, "unknown keys ['windows']"),
    (("limits",), {}, "limits: missing keys"),
    (("limits", "window"), 0, "limits.window: expected a whole number from 1"),
    (("limits", "window"), True, "limits.window"),
    (("limits", "lease_quorum"), 4, "limits.lease_quorum: 4 approvals can never come from 3"),
    (("guardrails", "isolate", "low", "quorum"), 4, "guardrails.isolate.low.quorum"),
    (("guardrails", "isolate", "low", "leasable"), "yes please", "true or false"),
    (("guardrails", "isolate", "low"), "allowed", "guardrails.isolate.low: expected `refused`"),
    (("guardrails", "isolate"), {}, "guardrails.isolate: missing keys"),
    (("operators",), ["0x12"], "operators[0]: '0x12' is not an address"),
    (("operators",), [0x1234], "operators[0]: 4660 is not an address"),
    (("operators",), "0x12", "operators: expected a list"),
    (("operators",), ["0x" + "00" * 20], "zero address"),
    (("operators",), [A, A, B], "operators[1]"),
    (("guardians",), ["0x70997970c51812dc3A010C7d01b50e0d17dc79C8"], "checksum"),
    (("agents",), ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"], "has another role"),
    (("agents",), ["0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"], "must not govern"),
    (("governor", "delay"), 0, "governor.delay"),
    (("models",), [{"hash": "0x12", "card": "0x" + "00" * 32}], "models[0].hash: expected 32"),
    (("models",), [{"hash": "0x" + "00" * 32}], "models[0]: missing keys ['card']"),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_a_broken_file_says_what_to_change(
    document: dict[str, Any], path: tuple[str, ...], value: Any, message: str
) -> None:
    broken = copy.deepcopy(document)
    inner = broken
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(Permanent) as raised:
        read(broken)
    assert message in str(raised.value)


def test_what_the_gate_could_not_take_is_refused_before(document: dict[str, Any]) -> None:
    with pytest.raises(Permanent, match="longer than 256 bytes"):
        read(document, Inventory(assets=(Asset("ü" * 129, "zone"),)))
    networks = tuple(f"10.{i}.0.0/16" for i in range(65))
    with pytest.raises(Permanent, match="65 protected networks"):
        read(document, Inventory(protected_networks=networks))


@pytest.mark.parametrize("text", ["{", "[]", "inventory: missing.yaml"])
def test_an_unreadable_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(text)
    with pytest.raises(Permanent, match=str(path)):
        load_config(path)
    with pytest.raises(Permanent, match="cannot read"):
        load_config(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("text", ["{", "{}", '{"gate": 1}'])
def test_a_broken_manifest_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(Permanent, match="is not a deployment manifest"):
        Manifest.load(path)


# ---------------------------------------------------------------- the plan

GOVERNOR = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"


def settled(config: DeployConfig) -> State:
    """The state in which nothing is to do."""
    return State(
        sender_is_admin=False,
        roles=dict(config.roles),
        models=dict.fromkeys(config.models, True),
        assets={},
        credentials={},
        networks=frozenset(),
        rules=dict(config.rules),
        limits=config.limits,
        function_roles=dict.fromkeys(GOVERNED, GOVERNOR_ROLE),
        governor_delays=dict.fromkeys((ADMIN_ROLE, GOVERNOR_ROLE), config.delay),
    )


@pytest.fixture
def config(document: dict[str, Any]) -> DeployConfig:
    return read(document)


def test_nothing_to_do_is_an_answer(config: DeployConfig) -> None:
    assert plan(config, settled(config), DEPLOYER) == []


CHANGES: list[tuple[dict[str, Any], list[tuple[str, tuple[Any, ...]]]]] = [
    ({"limits": Limits(1, 1, 1, 1, 1)}, [("setLimits", ((3600, 900, 2, 2, 86400),))]),
    ({"roles": {A: 2}}, [("setRoles", (A, 0))]),
    ({"models": {MODEL: True}}, [("setModel", (MODEL, bytes(32), False))]),
    (
        {"networks": frozenset({network_key("10.0.0.0/8")})},
        [("setProtectedNetwork", (network_key("10.0.0.0/8").to_bytes(32), False))],
    ),
    ({"sender_is_admin": True}, [("renounceRole", (0, DEPLOYER))]),
    (
        {"governor_delays": {ADMIN_ROLE: None, GOVERNOR_ROLE: 172800}},
        [("grantRole", (0, GOVERNOR, 172800))],
    ),
    (
        {"function_roles": {**dict.fromkeys(GOVERNED, 1), "setRule": 0}},
        [("setTargetFunctionRole", (("setRule",), 1))],
    ),
]


@pytest.mark.parametrize(("change", "steps"), CHANGES)
def test_the_plan_is_what_differs(
    config: DeployConfig, change: dict[str, Any], steps: list[tuple[str, tuple[Any, ...]]]
) -> None:
    base = settled(config)
    if "roles" in change:
        change = {"roles": {**base.roles, **change["roles"]}}
    planned = plan(config, replace(base, **change), DEPLOYER)
    assert [(step.function, step.args) for step in planned] == steps


def test_a_changed_cell_is_one_step(config: DeployConfig) -> None:
    state = settled(config)
    rules = {**state.rules, (Kind.REVOKE, 1): Rule(allowed=False)}
    assert plan(config, replace(state, rules=rules), DEPLOYER) == [
        Step("gate", "setRule", (2, 1, (True, True, 2, 86400, 20)))
    ]


def test_roles_are_taken_before_they_are_given(config: DeployConfig) -> None:
    roles = dict(config.roles)
    operator = next(a for a, bits in roles.items() if bits == 2)
    del roles[operator]
    steps = plan(config, replace(settled(config), roles={**roles, A: 2}), DEPLOYER)
    assert [step.args for step in steps] == [(A, 0), (operator, 2)]


def test_the_deployer_cannot_hand_over_to_itself(config: DeployConfig) -> None:
    state = replace(settled(config), sender_is_admin=True)
    with pytest.raises(Permanent, match="deploy from another account"):
        plan(config, state, config.governor)


# ---------------------------------------------------------------- the chain


@pytest.fixture(scope="module", params=NODES)
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The RPC url of a node that the module's tests share; each deploys a gate of its own."""
    with NODES[request.param](tmp_path_factory.mktemp(request.param)) as url:
        assert Web3(HTTPProvider(url)).client_version.lower().startswith(request.param)
        yield url


@pytest.fixture
def w3(node: str) -> Web3:
    return Web3(HTTPProvider(node))


def fund(w3: Web3, address: str) -> None:
    w3.provider.make_request("hardhat_setBalance", [address, hex(10**20)])  # type: ignore[arg-type]


def test_twice_is_once_and_the_file_is_what_holds(w3: Web3, tmp_path: Path) -> None:
    config, path = load_config(EXAMPLE), tmp_path / "manifest.json"
    deployer = Account.create()
    fund(w3, deployer.address)
    first = deploy(w3, config, deployer, path)
    block = w3.eth.block_number
    again = deploy(w3, config, deployer, path)
    assert first.manifest == again.manifest == Manifest.load(path)
    assert (again.sent, again.waiting, w3.eth.block_number) == (0, (), block)
    gate = w3.eth.contract(address=first.manifest.gate, abi=artifact("Gate")["abi"]).functions
    assert {a: gate.rolesOf(a).call() for a in config.roles} == config.roles
    assert {key: Rule(*gate.ruleOf(*key).call()) for key in config.rules} == config.rules
    assert len(gate.protectedNetworks().call()) == 2


def test_an_interrupted_deployment_is_finished_by_the_next_run(w3: Web3, tmp_path: Path) -> None:
    config, path = load_config(EXAMPLE), tmp_path / "manifest.json"
    network = Inventory(protected_networks=("10.0.0.0/8",))
    half = replace(config, inventory=network, models={MODEL: CARD})
    manifest = create(w3, DEPLOYER)
    manifest.save(path)
    steps = plan(half, read_state(w3, half, manifest, DEPLOYER), DEPLOYER)
    apply(w3, steps[:7], DEPLOYER, manifest)
    finished = deploy(w3, config, DEPLOYER, path)
    assert finished.manifest == manifest
    assert deploy(w3, config, DEPLOYER, path).sent == 0


def test_after_the_handover_only_the_governor_changes_rules_and_waits(
    w3: Web3, tmp_path: Path
) -> None:
    path, governor = tmp_path / "manifest.json", Account.create()
    fund(w3, governor.address)
    config = replace(load_config(EXAMPLE), governor=governor.address)
    manifest = deploy(w3, config, DEPLOYER, path).manifest
    operator = next(a for a, bits in config.roles.items() if bits == 2)
    changed = replace(config, roles={a: r for a, r in config.roles.items() if a != operator})

    with pytest.raises(Permanent, match="may not setRoles; send it as the governor"):
        deploy(w3, changed, DEPLOYER, path)
    scheduled = deploy(w3, changed, governor, path)
    assert [step.args for step in scheduled.waiting] == [(operator, 0)]
    assert deploy(w3, changed, governor, path).sent == 0  # still waiting
    view = w3.eth.contract(address=manifest.gate, abi=artifact("Gate")["abi"]).functions
    assert view.rolesOf(operator).call() == 2

    w3.provider.make_request("evm_increaseTime", [config.delay])  # type: ignore[arg-type]
    w3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
    assert deploy(w3, changed, governor, path).waiting == ()
    assert view.rolesOf(operator).call() == 0
    assert deploy(w3, changed, governor, path).sent == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("chain_id", 1, "manifest is of chain 1"),
        ("gate", A, "no gate at"),
        ("manager", A, "is governed by"),
    ],
)
def test_a_manifest_of_elsewhere_is_refused(
    w3: Web3, tmp_path: Path, field: str, value: Any, message: str
) -> None:
    path = tmp_path / "manifest.json"
    config = load_config(EXAMPLE)
    deploy(w3, config, DEPLOYER, path)
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(Permanent, match=message):
        deploy(w3, config, DEPLOYER, path)


# ---------------------------------------------------------------- the script


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


@pytest.fixture
def network(node: str) -> Iterator[str]:
    """The name by which Brownie knows the node; of the node it knows the RPC url alone."""
    name = "countersign-deployment-test"
    if name in brownie("networks", "list"):  # left by a run that was killed
        brownie("networks", "delete", name)
    brownie("networks", "add", "Countersign", name, f"host={node}", "chainid=31337")
    yield name
    brownie("networks", "delete", name)


def test_brownie_deploys_by_rpc_url_with_a_key_the_node_does_not_have(
    w3: Web3, network: str, tmp_path: Path
) -> None:
    path, keystore, deployer = tmp_path / "manifest.json", tmp_path / "key.json", Account.create()
    keystore.write_text(json.dumps(deployer.encrypt("secret", kdf="pbkdf2", iterations=1)))
    fund(w3, deployer.address)
    command = ["run", "deploy", "main", str(EXAMPLE), str(path), str(keystore)]
    command += ["--network", network]
    brownie(*command, typed="secret\n")
    block = w3.eth.block_number
    assert w3.eth.get_transaction_count(deployer.address) > 2
    assert deploy(w3, load_config(EXAMPLE), deployer, path).sent == 0  # all of the file is there

    assert "\n0 transactions sent" in brownie(*command, typed="secret\n")
    assert w3.eth.block_number == block
