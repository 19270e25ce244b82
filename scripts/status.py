"""Prints how a gate stands: who may do what, which rules hold, what is ordered and what waits.

    scripts/brownie run status main MANIFEST.json [FILE.yaml] --network my-chain

It changes nothing. Everything shown is read from events that the gate's hash chain proves whole.
With a deployment file it also says what differs from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from brownie import web3

from policies.actions import Kind
from policies.guardrails import Limits, Rule
from policies.inventory import CRITICALITIES
from responder.chain.deploy_plan import plan
from responder.chain.deploy_words import MANAGER_ROLES, role_words
from responder.chain.deployment import load_config, read_state, scheduled
from responder.chain.ledger import Ledger
from responder.chain.proposal import name_key
from responder.view import plain, progress, readable, standing
from scripts.administer import Gate, plain_errors


def main(manifest: str, config: str = "") -> None:
    with plain_errors():
        gate = Gate(manifest)
        ledger, now = gate.ledger, gate.now
        state = read_state(web3, gate.manifest)
        _print("gate", _gate(gate))
        _print(
            "governors",
            (f"{MANAGER_ROLES[r]} {who}, delay {d} s" for (r, who), d in state.members.items()),
        )
        _print("scheduled", _scheduled(gate))
        _print("accounts", _accounts(ledger))
        _print("limits", [_fields(ledger.limits)])
        _print("rules", _rules(ledger))
        _print("zones", _zones(gate))
        _print("pools", _pools(gate))
        _print("models", _models(ledger))
        _print("leases", _leases(ledger, now))
        _print("open proposals", _open(ledger, now))
        _print("live orders", _live(ledger, now))
        if config:
            governor = next((who for _, who in state.members), "")
            steps = plan(load_config(Path(config)), state, governor)
            _print(f"differs from {config}", map(str, steps))


def _print(title: str, lines: Iterable[str]) -> None:
    print(f"{title}:")
    for line in list(lines) or ["none"]:
        print(*(f"  {plain(part)}" for part in line.split("\n")), sep="\n")


def _gate(gate: Gate) -> Iterator[str]:
    ledger = gate.ledger
    yield f"{gate.manifest.gate} on chain {gate.manifest.chain_id}, block {ledger.block.number}"
    yield f"governed by the manager {gate.manifest.manager}"
    yield f"code of all {len(gate.manifest.parts)} parts is what this version ships"
    yield f"{ledger.count} events, hash chain whole, head 0x{ledger.head.hex()}"
    yield f"PAUSED by pause {ledger.pauses}" if ledger.paused else "not paused"


def _scheduled(gate: Gate) -> Iterator[str]:
    for due, caller, words in scheduled(web3, gate.manifest):
        yield f"from {_stamp(due)} by {caller}: {words}"


def _accounts(ledger: Ledger) -> Iterator[str]:
    for account, bits in sorted(ledger.roles.items(), key=lambda entry: (entry[1], entry[0])):
        line = f"{account} {role_words(bits)}"
        if account in ledger.seats:
            line += f", group {ledger.group_of(account)}"
        scope = ledger.scope_of(account)
        if scope.kinds:
            kinds = "+".join(kind.name for kind in Kind if scope.kinds >> kind & 1)
            line += f", {kinds} in {scope.zone or 'every zone'}"
        if bits:
            yield line


def _rules(ledger: Ledger) -> Iterator[str]:
    for (kind, criticality), rule in sorted(ledger.rules.items()):
        live = ledger.live(kind, criticality)
        name = f"{kind.name} {CRITICALITIES[criticality]}"
        yield f"{name}: {live} live, {_fields(rule)}" if rule.allowed else f"{name}: refused"


def _zones(gate: Gate) -> Iterator[str]:
    for name, rule in sorted(gate.ledger.zones.values()):
        _, assets, isolated = gate.contract.functions.zoneOf(name_key(name)).call()
        line = f"{name}: {isolated} of {assets} isolated, share {rule.share} %"
        if rule.is_frozen(gate.now):
            line += f", FROZEN until {_stamp(rule.frozen_until)}, {rule.extra} approvals more"
        yield line + (", change window open" if rule.is_open(gate.now) else "")


def _pools(gate: Gate) -> Iterator[str]:
    for name, keep in sorted(gate.ledger.pools.values()):
        members, isolated, _ = gate.contract.functions.poolOf(name_key(name)).call()
        yield f"{name}: {isolated} of {members} isolated, {keep} must stay reachable"


def _models(ledger: Ledger) -> Iterator[str]:
    for model, entry in ledger.models.items():
        state = "active" if entry.active else "not active"
        yield f"0x{model.hex()} {state}, revision {entry.revision}, by {_all(entry.approvers)}"


def _leases(ledger: Ledger, now: int) -> Iterator[str]:
    for agent in ledger.lease_by_agent:
        entry = ledger.live_lease(agent, now)
        if entry is not None:
            spent = ", ".join(
                f"{used} of {budget} {kind.name}"
                for kind, used, budget in zip(Kind, entry.spent, entry.lease.budgets, strict=True)
            )
            yield f"{agent} until {_stamp(entry.lease.expires)}: {spent}"


def _open(ledger: Ledger, now: int) -> Iterator[str]:
    for case in ledger.open_cases(now):
        what = readable(case.proposal.kind, case.words)
        ends = _stamp(case.proposal.deadline)
        state = f"{standing(ledger, case, now)}, {progress(ledger, case, now)} approvals"
        yield f"0x{case.id.hex()[:16]} {what}: {state}, until {ends}"


def _live(ledger: Ledger, now: int) -> Iterator[str]:
    for order in ledger.containment(now):
        yield f"{readable(order.kind, order.words)} until {_stamp(order.until)}"


def _fields(record: Limits | Rule) -> str:
    values = asdict(record)
    if "groups" in values:
        values["groups"] = "+".join(str(g) for g in range(4) if values["groups"] >> g & 1) or "any"
    return " ".join(f"{name}={value}" for name, value in values.items() if name != "allowed")


def _all(accounts: Iterable[str]) -> str:
    return ", ".join(accounts) or "no one"


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
