"""A good call of every function that changes something: who makes it, and its arguments.

For a gate with the fleet (see `batching`) and a resource `wiki`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batching import NETWORKS, bits, make_batch, names_of, put_batch, sign_batch
from eth_abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from scene import (
    AGENT,
    CARD,
    ENFORCER,
    GUARDIAN,
    LIMITS,
    MODEL,
    OPEN,
    OPERATOR,
    Gate,
    asset_entry,
    halves,
)

from policies.actions import Kind
from responder.chain.proposal import Batch, Proposal, model_message, name_key, resume_message

__all__ = [
    "BY_ANYONE",
    "BY_ROLE",
    "BY_SIGNATURE",
    "FUNCTIONS",
    "GOVERNED",
    "HOLDER",
    "Arguments",
    "batched",
    "call_of",
]

DIGEST = b"\x05" * 32
Arguments = tuple[Any, ...]


# ---------------------------------------------------------------- by the caller's role


def of_pages(gate: Gate) -> Batch:
    return make_batch(gate, Kind.ISOLATE, {0: bits(1, 2)}, "fleet")


def waiting(gate: Gate) -> Arguments:
    return (gate.propose(Kind.ISOLATE, "web").abi(),)


def approved_at_once(gate: Gate) -> Arguments:
    proposal = gate.proposal(Kind.ISOLATE, "web")
    return (proposal.abi(), gate.compact(proposal, *gate.people.operators[:2]))


def batch_approved(gate: Gate) -> Arguments:
    batch = of_pages(gate)
    signatures = sign_batch(gate, "BatchApproval", batch, *gate.people.operators[:2])
    return (batch.abi(), names_of(gate, batch), halves(signatures))


def live_lease(gate: Gate) -> Arguments:
    gate.grant()
    return (gate.people.agent.address,)


def ordered(gate: Gate) -> Proposal:
    return gate.order(Kind.ISOLATE, "web", ttl=60)


def batched(gate: Gate) -> Batch:
    batch = of_pages(gate)
    put_batch(gate, batch, *gate.people.operators[:2])
    return batch


def receipt(gate: Gate) -> Arguments:
    order = ordered(gate)
    return (int(order.kind), order.target, gate.id(order)[:20], 0, DIGEST)


HOLDER = {AGENT: "agent", OPERATOR: "operator", GUARDIAN: "guardian", ENFORCER: "enforcer"}
BY_ROLE: dict[str, tuple[int, Callable[[Gate], Arguments]]] = {
    "propose": (AGENT, lambda g: (g.proposal(Kind.ISOLATE, "web").abi(),)),
    "proposeApproved": (AGENT, approved_at_once),
    "orderBatch": (AGENT, batch_approved),
    "approve": (OPERATOR, waiting),
    "reject": (OPERATOR, waiting),
    "withdraw": (OPERATOR, waiting),
    "withdrawBatch": (OPERATOR, lambda g: (of_pages(g).abi(),)),
    "veto": (GUARDIAN, waiting),
    "vetoBatch": (GUARDIAN, lambda g: (of_pages(g).abi(),)),
    "pause": (GUARDIAN, lambda _: ()),
    "endLease": (GUARDIAN, live_lease),
    "deactivateModel": (GUARDIAN, lambda _: (MODEL,)),
    "fileReceipt": (ENFORCER, receipt),
    "filePageReceipt": (ENFORCER, lambda g: (batched(g).abi(), 0, 0, DIGEST)),
    "fileReceipts": (ENFORCER, lambda _: (b"\x07" * 32, 1)),
}


# ---------------------------------------------------------------- by what others signed


def votes(decision: str) -> Callable[..., Arguments]:
    def made(gate: Gate, *signers: LocalAccount) -> Arguments:
        proposal = gate.propose(Kind.ISOLATE, "web")
        return (proposal.abi(), gate.sign(decision, proposal, *signers))

    return made


def released(gate: Gate, *signers: LocalAccount) -> Arguments:
    order = ordered(gate)
    return (order.abi(), gate.sign("Release", order, *signers))


def batch_released(gate: Gate, *signers: LocalAccount) -> Arguments:
    batch = batched(gate)
    return (batch.abi(), names_of(gate, batch), sign_batch(gate, "BatchRelease", batch, *signers))


def leased(gate: Gate, *signers: LocalAccount) -> Arguments:
    lease = gate.lease()
    return (lease.abi(), gate.sign_lease(lease, *signers))


def activated(gate: Gate, *signers: LocalAccount) -> Arguments:
    deadline = gate.evm.now + 60
    message = model_message(b"\x08" * 32, CARD, 1, deadline, gate.domain)
    signatures = [(s.address, bytes(s.sign_message(message).signature)) for s in signers]
    return (b"\x08" * 32, CARD, 1, deadline, signatures)


def resumed(gate: Gate, *signers: LocalAccount) -> Arguments:
    gate.send("pause", sender=gate.people.guardian)
    message = resume_message(1, gate.domain)
    return ([(s.address, bytes(s.sign_message(message).signature)) for s in signers],)


BY_SIGNATURE: dict[str, Callable[..., Arguments]] = {
    "approveBySig": votes("Approval"),
    "rejectBySig": votes("Rejection"),
    "release": released,
    "releaseBatch": batch_released,
    "grantLease": leased,
    "activateModel": activated,
    "resume": resumed,
}


# ---------------------------------------------------------------- by anyone


def ready(gate: Gate) -> Arguments:
    proposal = gate.propose(Kind.ISOLATE, "web")
    for operator in gate.people.operators[:2]:
        gate.send("approve", proposal.abi(), sender=operator)
    return (proposal.abi(),)


def ended(gate: Gate) -> Arguments:
    order = ordered(gate)
    gate.evm.advance(60)
    return (int(order.kind), [order.target])


def ended_page(gate: Gate) -> Arguments:
    batch = batched(gate)
    gate.evm.advance(batch.ttl)
    return (batch.zone, 0, [0])


def under_a_root(gate: Gate, order: Proposal | Batch, target: bytes) -> tuple[Any, bytes]:
    """A receipt, and the root that it alone makes."""
    made = (order.id(gate.domain)[:20], target, gate.people.enforcer.address, 0, DIGEST)
    encoded = encode(["(bytes20,bytes32,address,uint8,bytes32)"], [made])
    root = bytes(keccak(keccak(encoded)))
    gate.send("fileReceipts", root, 1, sender=gate.people.enforcer)
    return made, root


def shown(gate: Gate) -> Arguments:
    order = ordered(gate)
    return (int(order.kind), *under_a_root(gate, order, order.target), [])


def page_shown(gate: Gate) -> Arguments:
    batch = batched(gate)
    return (batch.abi(), *under_a_root(gate, batch, batch.targets[0].to_bytes(32)), [])


def overdue(gate: Gate) -> Arguments:
    order = ordered(gate)
    gate.evm.advance(120)
    return (order.abi(),)


def batch_overdue(gate: Gate) -> Arguments:
    batch = make_batch(gate, Kind.BLOCK, NETWORKS[:1])
    put_batch(gate, batch, *gate.people.operators[:2])
    gate.evm.advance(120)
    return (batch.abi(), 0)


BY_ANYONE: dict[str, Callable[[Gate], Arguments]] = {
    "execute": ready,
    "settle": ended,
    "settlePages": ended_page,
    "sealPage": lambda g: (name_key("dmz"), 0, 0, [name_key("web")]),
    "showReceipt": shown,
    "showPageReceipt": page_shown,
    "reportMissing": overdue,
    "reportMissingBatch": batch_overdue,
}


# ---------------------------------------------------------------- by governance

GOVERNED: dict[str, Arguments] = {
    "setRoles": ("0x" + "11" * 20, OPERATOR, 1),
    "setEnforcerScope": ("0x" + "11" * 20, 7, ""),
    "setZone": ("x", OPEN),
    "setPool": ("x", 1),
    "setAssets": ([asset_entry("x", "dmz", 0, False)],),
    "setCredentials": ([("x", "y", 0, False)],),
    "removeTarget": (int(Kind.ISOLATE), name_key("web")),
    "setResource": ("x", "web"),
    "setGrants": ([("ops", "wiki", 0)],),
    "setProtectedNetworks": ([(4 << 136).to_bytes(32)], True),
    "setRule": (0, 3, (True, False, 1, 0, 0, 60, 1, 1)),
    "setLimits": (LIMITS,),
}


def call_of(gate: Gate, function: str) -> tuple[LocalAccount, Arguments]:
    """By whom it is for, and its arguments."""
    people = gate.people
    if function in GOVERNED:
        return people.governor, GOVERNED[function]
    if function in BY_SIGNATURE:
        return people.stranger, BY_SIGNATURE[function](gate, *people.operators[:2])
    if function in BY_ANYONE:
        return people.stranger, BY_ANYONE[function](gate)
    role, arguments = BY_ROLE[function]
    holder = HOLDER[role]
    sender = people.operators[0] if holder == "operator" else getattr(people, holder)
    return sender, arguments(gate)


FUNCTIONS = (*BY_ROLE, *BY_SIGNATURE, *BY_ANYONE, *GOVERNED)
