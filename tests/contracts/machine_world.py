"""A gate and the model beside it: every call and every view of the one must equal the other's."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import machine_tables as tables
from eth_abi.abi import decode
from eth_utils.abi import get_abi_output_types
from evm import CHAIN_ID, Contract, Evm, Reverted
from gate_model import GateModel, Refused
from scene import (
    AGENT,
    ENFORCER,
    GUARDIAN,
    NOW,
    OPERATOR,
    REASON,
    STATUS,
    compiled_wallet,
    plain,
)
from signing import NOBODY, recoverer, sign

from policies.actions import Kind
from responder.chain.events import artifact
from responder.chain.proposal import Domain

# What the model may refuse half-way.
HALFWAY = {
    "proposeApproved",
    "approveBySig",
    "rejectBySig",
    "orderBatch",
    "settle",
    "settlePages",
    "setAssets",
    "setCredentials",
    "setGrants",
    "setProtectedNetworks",
}
Hear = Callable[["Call", list[Any], bytes], None]  # logs; head after it
MANY = 5000  # questions whose answers are kept
UNORDERED = {"operators", "protectedNetworks"}


@dataclass(frozen=True)
class Call:
    """A transaction as it was sent."""

    sender: str
    function: str
    args: tuple[Any, ...]


class World:
    """`tally` counts outcomes by function, and by error where there is one."""

    def __init__(self, chain_id: int = CHAIN_ID, spare_gates: int = 0) -> None:
        """`spare_gates`: deployed before, so that this one has another address."""
        self.evm = Evm(NOW, chain_id)
        self.addresses = {name: key.address.lower() for name, key in tables.KEYS.items()}
        governor = self.addresses["governor"]
        for _ in range(spare_gates):
            self._deploy(governor)
        self.contract = self._deploy(governor)
        owner = self.addresses["wallet"]
        wallet = self.evm.deploy(compiled_wallet(), owner, sender=owner)
        self.addresses["wallet"] = wallet.address.lower()
        self.domain = Domain(chain_id, self.contract.address.lower())
        self.recover = recoverer(self.evm)
        self.wallets = {self.addresses["wallet"]: owner}
        self.tally: Counter[tuple[str, str]] = Counter()
        self.taken: list[Call] = []
        self.history: list[tuple[Call, list[Any], bytes]] = []  # until someone else listens
        self.heard: Hear = lambda *heard: self.history.append(heard)
        self.model = self._new_model()
        self._answers = _answer_types(self.contract)
        self._asked: dict[Any, bytes] = {}
        self._seen: dict[Any, tuple[bytes, Any]] = {}  # on what gate and model agreed
        self._told: dict[Any, tuple[bytes, Any]] = {}
        self._configure()
        self._first, self._checkpoint = self._copy(), self.evm.snapshot()

    def _deploy(self, governor: str) -> Contract:
        manager = self.evm.deploy(artifact("AccessManager"), governor, sender=governor).address
        part: tuple[str, ...] = ()
        for name in ("Office", "Docket", "Desk"):
            part = (self.evm.deploy(artifact(name), manager, *part, sender=governor).address,)
        return self.evm.deploy(artifact("Gate"), manager, *part, sender=governor)

    def _new_model(self) -> GateModel:
        return GateModel(
            now=NOW,
            domain=self.domain,
            governor=self.addresses["governor"],
            recover=self.recover,
            wallets=self.wallets,
            texts=tables.TEXTS,
            networks=tables.MEANINGS,
        )

    def begin(self) -> None:
        """As at first."""
        self.evm.revert(self._checkpoint)
        self._checkpoint = self.evm.snapshot()
        self.evm.advance(NOW - self.evm.now)
        self.model, self._first = self._first, self._copy(self._first)
        self.taken.clear()
        if len(self._asked) > MANY:
            for known in (self._asked, self._seen, self._told):
                known.clear()

    def advance(self, seconds: int) -> None:
        self.evm.advance(seconds)
        self.model.now = self.evm.now

    # ---------------------------------------------------------------- calls and views

    def send(self, function: str, sender: str, *args: Any) -> bool:
        """Whether it was taken; fails where gate and model differ."""
        return self.repeat(Call(self.addresses.get(sender, sender), function, args))

    def repeat(self, call: Call) -> bool:
        expected, got = self._predict(call), self._transact(call)
        assert got == expected, f"gate: {got}, model: {expected}, of {call}"
        self.tally[call.function, got[0]] += 1
        if got[0] == "GateRefused":
            self.tally["GateRefused", REASON[got[1][0]]] += 1
        if got[0] == "":
            self.taken.append(call)
            leased = call.function == "propose" and STATUS[got[1][1]] == "LIVE"
            self.tally["propose", "under a lease"] += leased
        return got[0] == ""

    def _predict(self, call: Call) -> tuple[str, Any]:
        before = self._copy() if call.function in HALFWAY else self.model
        method = getattr(self.model, _snake(call.function))
        try:
            answer = method(call.sender, *call.args)
        except Refused as error:
            self.model = before
            return error.name, _numbered(error)
        return "", () if answer is None else plain(answer)

    def _transact(self, call: Call) -> tuple[str, Any]:
        logs: list[Any] = []
        try:
            args = [_abi(arg) for arg in call.args]
            answer = self.contract.send(call.function, *args, sender=call.sender)
            logs = self.evm.logs
            self.tally.update(("event", event.name) for event in self.contract.events)
        except Reverted as error:
            return error.name, error.values
        finally:
            self.contract.events.clear()
            self.heard(call, logs, self.raw("auditHead"))
        return "", plain(answer)

    def agree(self, function: str, *args: Any) -> None:
        """This view says the same of both."""
        expected = plain(getattr(self.model, _snake(function))(*args))
        if function == "stateOf":
            self.tally["status", STATUS[expected[0]]] += 1
        raw, before = self.raw(function, *args), self._seen.get((function, args))
        if before == (raw, expected):
            return
        got, wanted = self._decoded(function, raw), expected
        if function in UNORDERED:
            got, wanted = sorted(got), sorted(expected)
        assert got == wanted, f"gate: {got}, model: {wanted}, of {function}{args}"
        self._seen[function, args] = raw, expected

    def calldata(self, call: Call) -> bytes:
        return self.contract.data(call.function, *(_abi(arg) for arg in call.args))

    def view(self, function: str, *args: Any) -> Any:
        """The gate's answer."""
        raw, before = self.raw(function, *args), self._told.get((function, args), (b"", None))
        if raw != before[0]:
            before = self._told[function, args] = raw, self._decoded(function, raw)
        return before[1]

    def raw(self, function: str, *args: Any) -> bytes:
        key = function, args
        if key not in self._asked:
            self._asked[key] = self.contract.data(function, *(_abi(arg) for arg in args))
        return self.evm.call(NOBODY, self.contract.address, self._asked[key], static=True)

    def _decoded(self, function: str, raw: bytes) -> Any:
        values = decode(self._answers[function], raw)
        return values[0] if len(values) == 1 else values

    def _copy(self, model: GateModel | None = None) -> GateModel:
        model = model or self.model
        never_change = (model.wallets, model.texts, model.networks, *model.assets.values())
        return copy.deepcopy(model, {id(one): one for one in never_change})

    # ---------------------------------------------------------------- governance at first

    def _configure(self) -> None:
        self.govern("setLimits", tuple(tables.LIMITS))
        for name in tables.NAMES:
            self.restore_role(name)
        for (kind, criticality), rule in tables.RULES.items():
            self.govern("setRule", int(kind), criticality, tuple(rule))
        for name, zone in tables.ZONES.items():
            self.govern("setZone", name, tuple(zone))
        for name, scope in tables.SCOPES.items():
            self.govern("setEnforcerScope", self.addresses[name], *scope)
        for name, keep in tables.POOLS.items():
            self.govern("setPool", name, keep)
        self.govern("setAssets", [asset_entry(name) for name in tables.ASSETS])
        self.govern("setCredentials", [(n, *values) for n, values in tables.CREDENTIALS.items()])
        for name, asset in tables.RESOURCES.items():
            self.govern("setResource", name, asset)
        self.govern("setGrants", [(*who, until) for who, until in tables.GRANTS.items()])
        self.govern("setProtectedNetworks", [tables.network(t) for t in tables.PROTECTED], True)
        for model in tables.MODELS[:2]:
            assert self.activate(model)
        for page in tables.PAGES:
            assert self.send("sealPage", "stranger", *page, self.model.page_keys(page))

    def govern(self, function: str, *args: Any) -> None:
        assert self.send(function, "governor", *args)

    def restore_role(self, name: str) -> bool:
        """Whether governance could give it back: a seat may rest."""
        return self.send("setRoles", "governor", self.addresses[name], *first_role(name))

    def activate(self, model: bytes) -> bool:
        """By two operators."""
        revision, deadline = self.model.model_of(model)[2] + 1, self.evm.now + 600
        digest = self.model.model_digest(model, tables.CARD, revision, deadline)
        signed = [(self.addresses[n], sign(tables.KEYS[n], digest)) for n in tables.OPERATORS[:2]]
        call = ("activateModel", "stranger", model, tables.CARD, revision, deadline, signed)
        return self.send(*call)


def first_role(name: str) -> tuple[int, int]:
    """Roles and group."""
    if name in tables.OPERATORS:
        return OPERATOR, tables.GROUPS.get(name, 0)
    roles = {"guardian": GUARDIAN, **dict.fromkeys(tables.AGENTS, AGENT)}
    roles |= dict.fromkeys(tables.ENFORCERS, ENFORCER)
    return roles.get(name, 0), 0


def asset_entry(name: str) -> tuple[str, str, str, int, bool]:
    """IRegistry.AssetEntry as at first."""
    return (name, *tables.ASSETS[name])


def _answer_types(contract: Contract) -> dict[str, list[str]]:
    functions = [entry for entry in contract.abi if entry["type"] == "function"]
    return {entry["name"]: get_abi_output_types(entry) for entry in functions}  # type: ignore[arg-type]


@cache
def _snake(name: str) -> str:
    return re.sub("([A-Z])", lambda match: "_" + match[1].lower(), name)


def _abi(value: Any) -> Any:
    if isinstance(value, Kind):
        return int(value)
    return value.abi() if hasattr(value, "abi") else value


def _numbered(error: Refused) -> tuple[Any, ...]:
    """Arguments with numbers for the names of enums."""
    names = {"GateRefused": REASON, "GateWrongStatus": STATUS}.get(error.name, ())
    return tuple(
        names.index(value) if isinstance(value, str) and value in names else plain(value)
        for value in error.values
    )
