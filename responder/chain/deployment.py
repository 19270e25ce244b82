"""Makes a chain match a deployment file; called by `countersign up`, the demo, scripts/deploy.py.

The gate, in four parts, and an OpenZeppelin AccessManager that governs it are created by
responder.chain.manifest. The deploying account starts as the manager's admin without delay and sets
everything up. Then it hands over: every governed function of the gate goes to the governor role,
the governor becomes its member and the manager's admin, both with the file's delay, and whoever
else held these roles loses them. From then on the same call, made by the governor with a changed
file, schedules what differs and, made again after the delay, executes it.

Level-triggered: what governance has set is read from the ledger, which its hash chain proves whole,
and who governs from the manager; `plan` subtracts it from the file, and nothing to do is an answer.
A run that was interrupted is simply repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_abi_to_4byte_selector
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import Web3Exception
from web3.types import EventData

from responder.chain.client import GateClient
from responder.chain.deploy_config import DeployConfig, load_config
from responder.chain.deploy_plan import (
    ADMIN_ROLE,
    GOVERNED,
    GOVERNOR_ROLE,
    State,
    Step,
    plan,
    seals,
)
from responder.chain.deploy_words import call_words
from responder.chain.events import Event
from responder.chain.ledger import Ledger
from responder.chain.manifest import Manifest, check, contracts, create
from responder.chain.sending import Call, Sender, address_of, send_all
from responder.errors import Permanent

__all__ = [
    "DeployConfig",
    "Manifest",
    "Outcome",
    "State",
    "Step",
    "apply",
    "deploy",
    "load_config",
    "plan",
    "read_state",
    "scheduled",
]

_GAS, _GAS_ENTRY = 700_000, 120_000  # limits; names of any length fit
_LOG_RANGE = 5_000  # blocks per request; public nodes refuse much more


@dataclass(frozen=True, slots=True)
class Outcome:
    manifest: Manifest
    sent: int  # transactions
    waiting: tuple[Step, ...]  # scheduled, the governor's delay still runs


def deploy(
    w3: Web3,
    config: DeployConfig,
    sender: Sender,
    manifest_path: Path,
    confirm: Callable[[Sequence[Step]], None] = lambda steps: None,
) -> Outcome:
    """Makes the chain match `config`; the manifest is written before anything is configured.

    `confirm` is called with all steps before the first transaction; what it raises stops it.
    """
    address, sent = address_of(sender), 0
    fresh = not manifest_path.exists()
    if fresh:
        confirm(plan(config, State.new(address), address))
        manifest = create(w3, sender)
        manifest.save(manifest_path)
        sent = len(manifest.parts)
    else:
        manifest = Manifest.load(manifest_path)
    check(w3, manifest)
    state = read_state(w3, manifest)
    steps = plan(config, state, address)
    if not fresh and steps:
        confirm(steps)
    done, waiting = apply(w3, steps, sender, manifest)
    there = _follow(w3, manifest)[0] if done else state.registry
    sealed, _ = apply(w3, seals(there), sender, manifest)
    return Outcome(manifest, sent + done + sealed, waiting)


# ---------------------------------------------------------------- apply


def apply(
    w3: Web3, steps: Iterable[Step], sender: Sender, manifest: Manifest
) -> tuple[int, tuple[Step, ...]]:
    """Sends the steps, or schedules those that `sender` may only do after a delay.

    Returns how many transactions were sent, and the steps still waiting for their delay. Raises
    Permanent, before anything is sent, where `sender` may not do a step.
    """
    on_chain = contracts(w3, manifest)
    manager, address = on_chain["manager"], address_of(sender)
    delays = _delays(on_chain, address)
    now = w3.eth.get_block("latest")["timestamp"]
    calls, waiting = [], []
    for step in steps:
        target = on_chain[step.contract].address
        data = _encode(on_chain, step)
        open_to_all = step.contract == "gate" and step.function not in GOVERNED
        delay = 0 if open_to_all else delays[step.contract]
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
        calls.append(Call(target, data, step.function, _gas(step)))
    return len(send_all(w3, sender, calls)), tuple(waiting)


def _encode(on_chain: Mapping[str, Contract], step: Step) -> str:
    args = list(step.args)
    if step.function == "setTargetFunctionRole":
        gate = on_chain["gate"]
        args = [gate.address, [_selector(gate, name) for name in args[0]], args[1]]
    return str(on_chain[step.contract].encode_abi(step.function, args))


def _gas(step: Step) -> int:
    """Fixed: an estimate would have to wait for the steps before."""
    entries = step.args[0] if isinstance(step.args[0], tuple) else ()
    return _GAS + _GAS_ENTRY * len(entries)


def _delays(on_chain: Mapping[str, Contract], account: str) -> dict[str, int | None]:
    """Seconds `account` must wait to govern each contract; None where it may not at all."""
    gate, manager = on_chain["gate"], on_chain["manager"]
    selector = _selector(gate, GOVERNED[0])
    role = manager.functions.getTargetFunctionRole(gate.address, selector).call()
    return {
        "gate": _member_delay(manager, role, account),
        "manager": _member_delay(manager, ADMIN_ROLE, account),
    }


# ---------------------------------------------------------------- state


def read_state(w3: Web3, manifest: Manifest) -> State:
    """The part of the chain's state that a deployment file speaks of.

    Raises Permanent where the gate's events and its storage disagree.
    """
    on_chain = contracts(w3, manifest)
    view = on_chain["manager"].functions
    ledger, names = _follow(w3, manifest)
    return State(
        registry=ledger,
        resources=names.resources,
        grants=names.grants,
        function_roles={name: _function_role(on_chain, name) for name in GOVERNED},
        members=_members(on_chain["manager"], manifest),
        keepers={
            "setRoleAdmin": int(view.getRoleAdmin(GOVERNOR_ROLE).call()),
            "setRoleGuardian": int(view.getRoleGuardian(GOVERNOR_ROLE).call()),
        },
    )


def _follow(w3: Web3, manifest: Manifest) -> tuple[Ledger, _Names]:
    names, endpoint = _Names(), str(getattr(w3.provider, "endpoint_uri", ""))
    if not endpoint.startswith("http"):
        raise Permanent(f"{endpoint or 'this network'} is no HTTP endpoint; give the node's")
    client = GateClient(endpoint, manifest)
    ledger = Ledger(client.domain, names.watch)
    ledger.sync(client)
    return ledger, names


class _Names:
    """Of resources and grants, which the ledger knows by key alone."""

    def __init__(self) -> None:
        self.resources: dict[str, str] = {}
        self.grants: dict[tuple[str, str], int] = {}

    def watch(self, event: Event) -> None:
        if event.name == "ResourceSet":
            self.resources[event.args["name"]] = event.args["asset"]
        if event.name == "GrantSet":
            principal, resource, until = event.args["grant"]
            self.grants[principal, resource] = until


def _function_role(on_chain: Mapping[str, Contract], name: str) -> int:
    gate = on_chain["gate"]
    view = on_chain["manager"].functions
    return int(view.getTargetFunctionRole(gate.address, _selector(gate, name)).call())


def _selector(contract: Contract, name: str) -> bytes:
    return function_abi_to_4byte_selector(contract.get_function_by_name(name).abi)


def _members(manager: Contract, manifest: Manifest) -> dict[tuple[int, str], int]:
    """Of the two roles, by the log; delays as the manager says."""
    granted = {
        (log["args"]["roleId"], log["args"]["account"])
        for log in _logs(manager, "RoleGranted", manifest)
    }
    delays = {
        (role, account): _member_delay(manager, role, account)
        for role, account in granted
        if role in (ADMIN_ROLE, GOVERNOR_ROLE)
    }
    return {member: delay for member, delay in delays.items() if delay is not None}


def _logs(contract: Contract, event: str, manifest: Manifest) -> Iterator[EventData]:
    latest = contract.w3.eth.block_number
    for first in range(manifest.block, latest + 1, _LOG_RANGE):
        last = min(first + _LOG_RANGE - 1, latest)
        yield from contract.events[event].get_logs(from_block=first, to_block=last)


def scheduled(w3: Web3, manifest: Manifest) -> list[tuple[int, str, str]]:
    """What waits for a governor's delay, or may be executed since: due time in Unix seconds, who
    scheduled it, and the call in words.
    """
    on_chain = contracts(w3, manifest)
    manager, found = on_chain["manager"], {}
    for log in _logs(manager, "OperationScheduled", manifest):
        call = log["args"]
        due = manager.functions.getSchedule(call["operationId"]).call()
        if due:
            words = _words(on_chain, call["target"], call["data"])
            found[call["operationId"]] = (int(due), str(call["caller"]), words)
    return sorted(found.values())


def _words(on_chain: Mapping[str, Contract], target: str, data: bytes) -> str:
    for contract in on_chain.values():
        if contract.address == target:
            with suppress(ValueError, LookupError, OverflowError, Web3Exception, DecodingError):
                function, values = contract.decode_function_input(HexBytes(data))
                return call_words(function.fn_name, list(values.values()))
    return f"call of {target} with 0x{data.hex()}"


def _member_delay(manager: Contract, role: int, account: str) -> int | None:
    """The delay that counts or, where a change of it is under way, will count."""
    since, delay, pending, effect = manager.functions.getAccess(role, account).call()
    if not since:
        return None
    return int(pending if effect else delay)
