"""Deployment: twice is once, and what ships is what stands there; on real nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from deploying import DEPLOYER, EXAMPLE, GOVERNOR, OPERATOR, A, an_operator, without
from eth_account import Account
from eth_account.signers.local import LocalAccount
from nodes import NODES
from web3 import HTTPProvider, Web3

from policies.guardrails import Limits, Rule, ZoneRule
from policies.inventory import Asset, Grant, Inventory, Resource
from responder.chain.deploy_config import DeployConfig
from responder.chain.deploy_plan import Step, plan
from responder.chain.deployment import (
    Manifest,
    Outcome,
    apply,
    deploy,
    load_config,
    read_state,
    scheduled,
)
from responder.chain.manifest import check, contracts, create
from responder.chain.proposal import name_key
from responder.chain.sending import Call, Sender, address_of, send_all
from responder.errors import Permanent


@pytest.fixture
def config() -> DeployConfig:
    return load_config(EXAMPLE)


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"chain_id": 1, "block": 0, "parts": {}}'])
def test_a_broken_manifest_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(Permanent, match="is not a deployment manifest"):
        Manifest.load(path)


# ---------------------------------------------------------------- the chain


@pytest.fixture(scope="module", params=NODES)
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The RPC url of a node that the module's tests share; each deploys a gate of its own."""
    with NODES[request.param](tmp_path_factory.mktemp(request.param)) as url:
        assert Web3(HTTPProvider(url)).client_version.lower().startswith(request.param)
        yield url


@dataclass(frozen=True)
class Site:
    """A gate that a test may change: what it does to the chain is undone."""

    w3: Web3
    config: DeployConfig
    deployer: LocalAccount
    governor: LocalAccount
    path: Path  # of the manifest

    @property
    def manifest(self) -> Manifest:
        return Manifest.load(self.path)

    @property
    def view(self) -> Any:
        return contracts(self.w3, self.manifest)["gate"].functions

    def deploy(self, config: DeployConfig, sender: Sender | None = None) -> Outcome:
        return deploy(self.w3, config, sender or self.governor, self.path)

    def wait(self) -> None:
        """Until the governor's delay is over."""
        ask(self.w3, "evm_increaseTime", self.config.delay)
        ask(self.w3, "evm_mine")


def ask(w3: Web3, method: str, *args: Any) -> Any:
    return w3.provider.make_request(method, list(args))["result"]  # type: ignore[arg-type]


def funded(w3: Web3) -> LocalAccount:
    account = Account.create()
    ask(w3, "hardhat_setBalance", account.address, hex(10**20))
    return account


@pytest.fixture(scope="module")
def deployed(node: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    w3 = Web3(HTTPProvider(node))
    deployer, governor = funded(w3), funded(w3)
    path = tmp_path_factory.mktemp("deployed") / "manifest.json"
    config = replace(load_config(EXAMPLE), governor=governor.address)
    deploy(w3, config, deployer, path)
    return Site(w3, config, deployer, governor, path)


@pytest.fixture
def site(deployed: Site) -> Iterator[Site]:
    snapshot = ask(deployed.w3, "evm_snapshot")
    yield deployed
    assert ask(deployed.w3, "evm_revert", snapshot)


def test_the_file_is_what_holds(site: Site) -> None:
    config, gate = site.config, site.view
    assert {a: tuple(gate.rolesOf(a).call()) for a in config.roles} == config.roles
    assert Limits(*gate.limits().call()) == config.limits
    assert {key: Rule(*gate.ruleOf(*key).call()[0]) for key in config.rules} == config.rules
    zones = {name: ZoneRule(*gate.zoneOf(name_key(name)).call()[0]) for name in config.zones}
    assert zones == config.zones
    assert gate.poolOf(name_key("dns")).call() == [2, 0, 1]
    for enforcer, scope in config.scopes.items():
        zone = name_key(scope.zone) if scope.zone else bytes(32)
        assert gate.enforcerScopeOf(enforcer).call() == [scope.kinds, zone]
    assert len(gate.protectedNetworks().call()) == 2
    key, resource = name_key("api:SHA256:deploy"), name_key("https://erp.example")
    assert gate.isAuthorized(key, resource).call()


@pytest.mark.parametrize("by", ["deployer", "governor"])
def test_twice_is_once(site: Site, by: str) -> None:
    block, manifest = site.w3.eth.block_number, site.manifest
    again = site.deploy(site.config, getattr(site, by))
    assert again == Outcome(manifest, 0, ())
    assert site.w3.eth.block_number == block


def test_more_than_fits_one_call_goes_in_several_and_batches_may_name_all(
    site: Site, tmp_path: Path
) -> None:
    assets = tuple(Asset(f"host-{i}", "dmz") for i in range(140))
    many = replace(site.config, inventory=Inventory(assets), scopes={}, pools={})
    many = replace(many, zones={"dmz": ZoneRule(50)})
    seen: list[Step] = []
    path = tmp_path / "manifest.json"
    manifest = deploy(site.w3, many, DEPLOYER, path, seen.extend).manifest
    assert [len(s.args[0]) for s in seen if s.function == "setAssets"] == [32, 32, 32, 32, 12]
    gate = contracts(site.w3, manifest)["gate"].functions
    pages = [gate.pageOf(name_key("dmz"), 1, number).call() for number in (0, 1)]
    assert [(m.bit_count(), known) for m, _, _, known in pages] == [(128, True), (12, True)]
    assert deploy(site.w3, many, DEPLOYER, path).sent == 0


def test_an_interrupted_deployment_is_finished_by_the_next_run(
    site: Site, config: DeployConfig, tmp_path: Path
) -> None:
    w3, path = site.w3, tmp_path / "manifest.json"
    manifest = create(w3, DEPLOYER)
    manifest.save(path)
    other = replace(config, governor=A)
    steps = plan(other, read_state(w3, manifest), DEPLOYER)
    apply(w3, steps[:-1], DEPLOYER, manifest)  # all but the last of the handover
    assert deploy(w3, config, DEPLOYER, path).manifest == manifest
    assert read_state(w3, manifest).members == dict.fromkeys([(0, GOVERNOR), (1, GOVERNOR)], 172800)
    assert deploy(w3, config, DEPLOYER, path).sent == 0


def test_nothing_is_sent_before_it_is_confirmed(site: Site, tmp_path: Path) -> None:
    class No(Exception):
        pass

    def no(steps: Sequence[Step]) -> None:
        assert Step("gate", "setPool", ("dns", 2)) in steps
        raise No

    block, path = site.w3.eth.block_number, tmp_path / "manifest.json"
    changed = replace(site.config, pools={"dns": 2})
    for manifest, sender in ((path, site.deployer), (site.path, site.governor)):
        with pytest.raises(No):
            deploy(site.w3, changed, sender, manifest, no)
    assert (site.w3.eth.block_number, path.exists()) == (block, False)


def test_after_the_handover_only_the_governor_changes_rules_and_waits(site: Site) -> None:
    operator = an_operator(site.config)
    changed = without(site.config, operator)
    with pytest.raises(Permanent, match="may not setRoles; send it as the governor"):
        site.deploy(changed, site.deployer)
    assert [step.args for step in site.deploy(changed).waiting] == [(operator, 0, 0)]
    assert site.deploy(changed).sent == 0  # still waiting
    assert site.view.rolesOf(operator).call() == [OPERATOR, 0]

    site.wait()
    assert site.deploy(changed).waiting == ()
    assert site.view.rolesOf(operator).call() == [0, 0]
    assert site.deploy(changed).sent == 0


def test_an_asset_the_governor_adds_is_sealed_once_it_is_there(site: Site) -> None:
    inventory = site.config.inventory
    more = replace(inventory, assets=(*inventory.assets[1:], Asset("new", "dmz")))
    changed = replace(site.config, inventory=more)
    assert len(site.deploy(changed).waiting) == 2
    site.wait()
    assert site.deploy(changed).sent == 3  # new, gone, sealed
    members, _, _, known = site.view.pageOf(name_key("dmz"), 1, 0).call()
    assert (members, known) == (0b1000, True)  # of web-1, dns-1, dns-2, new
    assert site.deploy(changed).sent == 0


def test_resources_move_and_grants_end(site: Site) -> None:
    inventory = replace(
        site.config.inventory,
        resources=(Resource("https://erp.example", "files-1"),),
        grants=(Grant("ops", "https://erp.example", 2_000_000_000),),
    )
    changed = replace(site.config, inventory=inventory)
    site.deploy(changed)
    site.wait()
    assert site.deploy(changed).waiting == ()
    gate, resource = site.view, name_key("https://erp.example")
    assert gate.resourceOf(resource).call() == name_key("files-1")
    assert gate.grantOf(name_key("build"), resource).call() == 0
    assert gate.grantOf(name_key("ops"), resource).call() == 2_000_000_000
    assert site.deploy(changed).sent == 0


def test_a_former_governor_governs_no_more(site: Site) -> None:
    old, new = site.governor, funded(site.w3)
    changed = replace(site.config, governor=new.address)
    assert len(site.deploy(changed, old).waiting) == 4
    site.wait()
    assert site.deploy(changed, old).waiting == ()
    delay = site.config.delay
    members = {(0, new.address): delay, (1, new.address): delay}
    assert read_state(site.w3, site.manifest).members == members
    assert site.deploy(changed, new).sent == 0

    changed = without(changed, an_operator(changed))
    with pytest.raises(Permanent, match="may not setRoles"):
        site.deploy(changed, old)
    assert len(site.deploy(changed, new).waiting) == 1


def test_what_is_scheduled_is_shown_in_words_or_as_it_is(site: Site) -> None:
    """A stolen governor's key schedules what it likes: the delay helps those who see it."""
    on_chain, operator = contracts(site.w3, site.manifest), an_operator(site.config)
    site.deploy(without(site.config, operator))
    bad_rule = on_chain["gate"].encode_abi("setRule", [0, 9, (False,) * 2 + (0,) * 6])
    for target, data in ((A, "0x12345678"), (site.manifest.gate, bad_rule)):
        call = on_chain["manager"].encode_abi("schedule", [target, data, 0])
        send_all(site.w3, site.governor, [Call(site.manifest.manager, call, "schedule", 500_000)])
    now, governor = site.w3.eth.get_block("latest")["timestamp"], site.governor.address
    removal = f"setRoles account={operator} roles=none group=0"
    raw = {f"call of {A} with 0x12345678", f"call of {site.manifest.gate} with {bad_rule}"}
    found = scheduled(site.w3, site.manifest)
    assert {words for _, _, words in found} == raw | {removal}
    assert all(due > now and caller == governor for due, caller, _ in found)
    site.wait()
    site.deploy(without(site.config, operator))
    assert {words for _, _, words in scheduled(site.w3, site.manifest)} == raw


@pytest.mark.parametrize("by", ["node", "deployer"])
def test_what_is_refused_is_named_with_the_reason(site: Site, by: str) -> None:
    sender = DEPLOYER if by == "node" else site.deployer
    gate = contracts(site.w3, site.manifest)["gate"]
    caller = address_of(sender).lower()
    for function, args, why in (
        ("setPool", ["dns", 2], f"AccessManagedUnauthorized(caller={caller})"),
        ("sealPage", [name_key("dmz"), 1, 7, []], "RegistryBadPage(page=7)"),
    ):
        call = Call(gate.address, gate.encode_abi(function, args), function, 500_000)
        with pytest.raises(Permanent, match=re.escape(f"{function} was refused: {why}")):
            send_all(site.w3, sender, [call])


# ---------------------------------------------------------------- what stands there


@pytest.fixture(scope="module")
def other(node: str) -> Manifest:
    """Another gate, not configured."""
    return create(Web3(HTTPProvider(node)), DEPLOYER)


def altered(site: Site, part: str, **changes: str) -> Manifest:
    manifest = site.manifest
    changed = replace(manifest.parts[part], **changes)
    return replace(manifest, parts={**manifest.parts, part: changed})


def test_what_was_deployed_is_what_ships(deployed: Site) -> None:
    check(deployed.w3, deployed.manifest)


def test_a_manifest_of_another_chain_is_refused(deployed: Site) -> None:
    with pytest.raises(Permanent, match="manifest is of chain 1, this is chain 31337"):
        check(deployed.w3, replace(deployed.manifest, chain_id=1))


PARTS = ["AccessManager", "Office", "Docket", "Desk", "Gate"]


@pytest.mark.parametrize("part", PARTS)
def test_no_part_may_be_missing_or_unknown(deployed: Site, other: Manifest, part: str) -> None:
    for changes, message in (
        ({"address": A}, f"no {part} at {A}; was the chain reset"),
        ({"code": "0x" + "00" * 32}, "is not what the manifest says"),
        ({"tx": other.parts[part].tx}, f"did not make {part} at"),
        ({"tx": "0x" + "12" * 32}, "ask a node that keeps all transactions"),
    ):
        with pytest.raises(Permanent, match=re.escape(message)):
            check(deployed.w3, altered(deployed, part, **changes))


@pytest.mark.parametrize("part", PARTS[:-1])
def test_no_part_may_be_another_gates(deployed: Site, other: Manifest, part: str) -> None:
    """Say, a manager under which an attacker governs: the parts name the one they were made for."""
    with pytest.raises(Permanent, match="was made from other code than this version ships"):
        check(deployed.w3, altered(deployed, part, **asdict(other.parts[part])))


def test_a_gate_that_wrote_its_storage_first_is_refused(deployed: Site) -> None:
    """Though the code that stands there is the very one that ships."""
    w3, gate = deployed.w3, Web3.to_checksum_address(deployed.manifest.gate)
    code = bytes(w3.eth.get_code(gate))
    # PUSH1 1, PUSH0, SSTORE; then the code, which begins after these 16 bytes, is returned
    creation = bytes.fromhex("60015f55") + b"\x61" + len(code).to_bytes(2)
    creation += bytes.fromhex("8060105f395ff300") + bytes(1) + code
    [receipt] = send_all(w3, DEPLOYER, [Call(None, "0x" + creation.hex(), "it", 10_000_000)])
    made = Web3.to_checksum_address(str(receipt["contractAddress"]))
    assert (bytes(w3.eth.get_code(made)), int.from_bytes(w3.eth.get_storage_at(made, 0))) == (
        code,
        1,
    )
    changes = {"address": made, "tx": Web3.to_hex(receipt["transactionHash"])}
    with pytest.raises(Permanent, match="was made from other code than this version ships"):
        check(w3, altered(deployed, "Gate", **changes))
