"""Makes a chain match a deployment file; called by `countersign up`, the demo, scripts/deploy.py.

Two contracts: the gate, and an OpenZeppelin AccessManager that governs it. The deploying account
starts as the manager's admin without delay and sets everything up. Then it hands over: every
governed function of the gate goes to the governor role, the governor becomes its member and the
manager's admin, both with the file's delay, and the deploying account renounces. From then on the
same call, made by the governor with a changed file, schedules what differs and, made again after
the delay, executes it.

Level-triggered: state is read by view calls (and, for accounts and models that the file no longer
names, from the gate's log), `plan` subtracts it from the file, and nothing to do is an answer. A
run that was interrupted is simply repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from eth_utils.abi import function_abi_to_4byte_selector
from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract

from policies.actions import Kind, network_key
from policies.guardrails import Limits, Rule
from responder.chain.deploy_config import DeployConfig, load_config
from responder.chain.events import artifact
from responder.chain.sending import Sender, address_of, send_all
from responder.errors import Permanent

__all__ = [
    "DeployConfig",
    "Manifest",
    "Outcome",
    "State",
    "Step",
    "apply",
    "create",
    "deploy",
    "load_config",
    "plan",
    "read_state",
]

ADMIN_ROLE, GOVERNOR_ROLE = 0, 1
GOVERNED = (
    "setRoles",
    "setAsset",
    "setCredential",
    "setProtectedNetwork",
    "setModel",
    "setRule",
    "setLimits",
)
_LOG_RANGE = 5_000  # blocks per request; public nodes refuse much more


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a deployment is."""

    chain_id: int
    gate: str  # checksum addresses
    manager: str
    block: int  # that has the gate's first event
    tx: str  # that made the gate, 0x...

    @staticmethod
    def load(path: Path) -> Manifest:
        """Raises Permanent where the file is missing or is no manifest."""
        try:
            return Manifest(**json.loads(path.read_text("utf-8")))
        except OSError as error:
            raise Permanent(
                f"cannot read manifest {path}: {error.strerror}; deploy first"
            ) from error
        except (ValueError, TypeError) as error:
            raise Permanent(f"{path} is not a deployment manifest: {error}") from error

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")


@dataclass(frozen=True, slots=True)
class Step:
    """One call that brings the chain closer to the file."""

    contract: Literal["gate", "manager"]
    function: str
    args: tuple[Any, ...]


@dataclass(frozen=True)
class State:
    """What the chain says now, as far as a deployment file speaks of it."""

    sender_is_admin: bool  # without delay: the handover has not happened
    roles: Mapping[str, int]
    models: Mapping[bytes, bool]
    assets: Mapping[str, tuple[bytes, int, bool, bool]]  # zone, criticality, known, protected
    credentials: Mapping[str, tuple[int, bool, bool]]
    networks: frozenset[int]
    rules: Mapping[tuple[Kind, int], Rule]
    limits: Limits
    function_roles: Mapping[str, int]  # by name of the gate's governed functions
    governor_delays: Mapping[int, int | None]  # by role; None: no member


@dataclass(frozen=True, slots=True)
class Outcome:
    manifest: Manifest
    sent: int  # transactions
    waiting: tuple[Step, ...]  # scheduled, the governor's delay still runs


def deploy(w3: Web3, config: DeployConfig, sender: Sender, manifest_path: Path) -> Outcome:
    """Makes the chain match `config`; the manifest is written before anything is configured."""
    if manifest_path.exists():
        manifest = Manifest.load(manifest_path)
        sent = 0
    else:
        manifest = create(w3, sender)
        manifest.save(manifest_path)
        sent = 2
    _check(w3, manifest)
    steps = plan(config, read_state(w3, config, manifest, sender), address_of(sender))
    done, waiting = apply(w3, steps, sender, manifest)
    return Outcome(manifest, sent + done, waiting)


def create(w3: Web3, sender: Sender) -> Manifest:
    """Deploys both contracts, `sender` the manager's admin for now."""
    made = artifact("AccessManager")
    manager = w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    data = manager.constructor(address_of(sender)).data_in_transaction
    [receipt] = send_all(w3, sender, [(None, data, "AccessManager")])
    manager_address = str(receipt["contractAddress"])
    made = artifact("Gate")
    gate = w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    data = gate.constructor(manager_address).data_in_transaction
    [receipt] = send_all(w3, sender, [(None, data, "Gate")])
    return Manifest(
        chain_id=w3.eth.chain_id,
        gate=str(receipt["contractAddress"]),
        manager=manager_address,
        block=int(receipt["blockNumber"]),
        tx=Web3.to_hex(receipt["transactionHash"]),
    )


# ---------------------------------------------------------------- plan


def plan(config: DeployConfig, state: State, sender: str) -> list[Step]:
    """What is desired less what is there; empty where nothing is to do. Pure.

    Raises Permanent where the deploying account would hand over to itself.
    """
    if state.sender_is_admin and sender == config.governor:
        raise Permanent("governor.address: deploy from another account than the governor's")
    return [*_registry_steps(config, state), *_governance_steps(config, state, sender)]


def _registry_steps(config: DeployConfig, state: State) -> Iterator[Step]:
    if config.limits != state.limits:
        yield Step("gate", "setLimits", (_values(config.limits),))
    for (kind, criticality), rule in config.rules.items():
        if rule != state.rules[kind, criticality]:
            yield Step("gate", "setRule", (int(kind), criticality, _values(rule)))
    # Whom the file no longer names loses its roles first.
    for account in sorted(state.roles.keys() | config.roles.keys(), key=config.roles.__contains__):
        roles = config.roles.get(account, 0)
        if roles != state.roles.get(account, 0):
            yield Step("gate", "setRoles", (account, roles))
    for model in sorted(state.models.keys() | config.models.keys()):
        if (model in config.models) != state.models.get(model, False):
            card = config.models.get(model, bytes(32))
            yield Step("gate", "setModel", (model, card, model in config.models))
    yield from _inventory_steps(config, state)


def _inventory_steps(config: DeployConfig, state: State) -> Iterator[Step]:
    for a in config.inventory.assets:
        if state.assets[a.id] != (keccak(text=a.zone), a.criticality, True, a.protected):
            yield Step("gate", "setAsset", (a.id, a.zone, a.criticality, a.protected))
    for c in config.inventory.credentials:
        if state.credentials[c.id] != (c.criticality, True, c.protected):
            yield Step("gate", "setCredential", (c.id, c.criticality, c.protected))
    wanted = {network_key(text) for text in config.inventory.protected_networks}
    for network in sorted(state.networks - wanted):
        yield Step("gate", "setProtectedNetwork", (network.to_bytes(32), False))
    for network in sorted(wanted - state.networks):
        yield Step("gate", "setProtectedNetwork", (network.to_bytes(32), True))


def _governance_steps(config: DeployConfig, state: State, sender: str) -> Iterator[Step]:
    functions = [name for name in GOVERNED if state.function_roles[name] != GOVERNOR_ROLE]
    if functions:
        yield Step("manager", "setTargetFunctionRole", (tuple(functions), GOVERNOR_ROLE))
    for role in (GOVERNOR_ROLE, ADMIN_ROLE):
        if state.governor_delays[role] != config.delay:
            yield Step("manager", "grantRole", (role, config.governor, config.delay))
    if state.sender_is_admin:
        yield Step("manager", "renounceRole", (ADMIN_ROLE, sender))


def _values(record: Rule | Limits) -> tuple[Any, ...]:
    return tuple(asdict(record).values())


# ---------------------------------------------------------------- apply


def apply(
    w3: Web3, steps: Iterable[Step], sender: Sender, manifest: Manifest
) -> tuple[int, tuple[Step, ...]]:
    """Sends the steps, or schedules those that `sender` may only do after a delay.

    Returns how many transactions were sent, and the steps still waiting for their delay. Raises
    Permanent, before anything is sent, where `sender` may not do a step.
    """
    contracts = _contracts(w3, manifest)
    manager, address = contracts["manager"], address_of(sender)
    delays = _delays(contracts, address)
    now = w3.eth.get_block("latest")["timestamp"]
    calls, waiting = [], []
    for step in steps:
        target = contracts[step.contract].address
        data = _encode(contracts, step)
        delay = delays[step.contract]
        if delay is None:
            raise Permanent(f"{address} may not {step.function}; send it as the governor")
        if delay:
            operation = manager.functions.hashOperation(address, target, data).call()
            due = manager.functions.getSchedule(operation).call()
            if not 0 < due <= now:
                waiting.append(step)
                if due:
                    continue
                data = manager.encode_abi("schedule", [target, data, 0])
                target = manager.address
        calls.append((target, data, step.function))
    return len(send_all(w3, sender, calls)), tuple(waiting)


def _encode(contracts: Mapping[str, Contract], step: Step) -> str:
    args = list(step.args)
    if step.function == "setTargetFunctionRole":
        gate = contracts["gate"]
        args = [gate.address, [_selector(gate, name) for name in args[0]], args[1]]
    return str(contracts[step.contract].encode_abi(step.function, args))


def _delays(contracts: Mapping[str, Contract], account: str) -> dict[str, int | None]:
    """Seconds `account` must wait to govern each contract; None where it may not at all."""
    gate, manager = contracts["gate"], contracts["manager"]
    selector = _selector(gate, GOVERNED[0])
    role = manager.functions.getTargetFunctionRole(gate.address, selector).call()
    return {
        "gate": _member_delay(manager, role, account),
        "manager": _member_delay(manager, ADMIN_ROLE, account),
    }


# ---------------------------------------------------------------- state


def read_state(w3: Web3, config: DeployConfig, manifest: Manifest, sender: Sender) -> State:
    """The part of the chain's state that `config` speaks of."""
    contracts = _contracts(w3, manifest)
    gate, manager = contracts["gate"], contracts["manager"]
    view, inventory = gate.functions, config.inventory
    accounts = {*config.roles, *_logged(gate, "RolesSet", "account", manifest)}
    models = {*config.models, *_logged(gate, "ModelSet", "model", manifest)}
    cells = [(kind, criticality) for kind in Kind for criticality in range(4)]
    return State(
        sender_is_admin=_member_delay(manager, ADMIN_ROLE, address_of(sender)) == 0,
        roles={account: view.rolesOf(account).call() for account in accounts},
        models={model: view.isModelActive(model).call() for model in models},
        assets={a.id: tuple(view.assetOf(keccak(text=a.id)).call()) for a in inventory.assets},
        credentials={
            c.id: tuple(view.credentialOf(keccak(text=c.id)).call()) for c in inventory.credentials
        },
        networks=frozenset(int.from_bytes(n) for n in view.protectedNetworks().call()),
        rules={(kind, c): Rule(*view.ruleOf(int(kind), c).call()) for kind, c in cells},
        limits=Limits(*view.limits().call()),
        function_roles={name: _function_role(contracts, name) for name in GOVERNED},
        governor_delays={
            role: _member_delay(manager, role, config.governor)
            for role in (GOVERNOR_ROLE, ADMIN_ROLE)
        },
    )


def _function_role(contracts: Mapping[str, Contract], name: str) -> int:
    gate = contracts["gate"]
    view = contracts["manager"].functions
    return int(view.getTargetFunctionRole(gate.address, _selector(gate, name)).call())


def _selector(contract: Contract, name: str) -> bytes:
    return function_abi_to_4byte_selector(contract.get_function_by_name(name).abi)


def _member_delay(manager: Contract, role: int, account: str) -> int | None:
    """The delay that counts or, where a change of it is under way, will count."""
    since, delay, pending, effect = manager.functions.getAccess(role, account).call()
    if not since:
        return None
    return int(pending if effect else delay)


def _logged(gate: Contract, event: str, arg: str, manifest: Manifest) -> set[Any]:
    latest = gate.w3.eth.block_number
    logs: set[Any] = set()
    for first in range(manifest.block, latest + 1, _LOG_RANGE):
        last = min(first + _LOG_RANGE - 1, latest)
        found = gate.events[event].get_logs(from_block=first, to_block=last)
        logs.update(log["args"][arg] for log in found)
    return logs


def _contracts(w3: Web3, manifest: Manifest) -> dict[str, Contract]:
    return {
        "gate": w3.eth.contract(
            address=Web3.to_checksum_address(manifest.gate), abi=artifact("Gate")["abi"]
        ),
        "manager": w3.eth.contract(
            address=Web3.to_checksum_address(manifest.manager), abi=artifact("AccessManager")["abi"]
        ),
    }


def _check(w3: Web3, manifest: Manifest) -> None:
    if w3.eth.chain_id != manifest.chain_id:
        raise Permanent(
            f"the manifest is of chain {manifest.chain_id}, this is chain {w3.eth.chain_id}; "
            "give another manifest path"
        )
    gate, manager = (Web3.to_checksum_address(a) for a in (manifest.gate, manifest.manager))
    if not w3.eth.get_code(gate):
        raise Permanent(f"no gate at {gate}; was the chain reset? then remove the manifest")
    authority = _contracts(w3, manifest)["gate"].functions.authority().call()
    if authority != manager:
        raise Permanent(f"the gate at {gate} is governed by {authority}, not by {manager}")
