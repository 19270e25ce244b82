"""A bit of all that can happen at a gate."""

from __future__ import annotations

from dataclasses import replace

from world import OPERATORS, Wants, World

from policies.actions import Kind
from responder.chain.merkle import Receipt, Tree
from responder.chain.proposal import Batch, Proposal
from responder.evidence import EvidenceStore


def everything(world: World, evidence: bytes = bytes(32), readback: bytes = bytes(32)) -> Proposal:
    """Ends with an order by two signatures and its receipt. Its proposals name `evidence`, its
    receipts `readback`.
    """
    agent, guardian, relayer = (world.gate(name) for name in ("agent", "guardian", "relayer"))
    leased = _decided(world, evidence)
    guardian.end_lease(agent.address)
    guardian.pause()
    world.resume()
    _batch_with_receipts(world, evidence, readback)
    relayer.settle(Kind.BLOCK, [leased.target])
    short = world.order_batch(replace(world.pair(), evidence=evidence, ttl=10))
    world.wait(10)
    relayer.settle_pages(short.zone, short.criticality, [0])
    world.propose_approved(Kind.BLOCK, "203.0.113.7", evidence=evidence)
    guardian.deactivate_model(Wants.hash)
    world.activate(Wants.hash)
    order = world.order(evidence=evidence)
    world.state(order, 0, readback)
    return order


def _decided(world: World, evidence: bytes) -> Proposal:
    """Under a lease (this is returned), rejected, vetoed, withdrawn from, executed, released."""
    world.lease()
    leased = world.propose(Kind.BLOCK, "203.0.113.9", ttl=60, evidence=evidence)
    world.vote("Rejection", world.propose(target="db", evidence=evidence), *OPERATORS[:2])
    world.gate("guardian").veto(world.propose(target="desk", evidence=evidence))
    direct = world.propose(Kind.REVOKE, "ssh:SHA256:alice", evidence=evidence)
    for name in OPERATORS:
        world.gate(name).approve(direct)
    world.gate("operator-1").withdraw(direct)
    world.gate("stranger").execute(direct)
    world.vote("Release", direct, *OPERATORS[:2])
    return leased


def _batch_with_receipts(world: World, evidence: bytes, readback: bytes) -> None:
    """Reported missing, filed under a root, shown; then the batch is released."""
    batch = world.order_batch(replace(world.pair(), evidence=evidence))
    world.wait(300)
    world.gate("relayer").report_missing_batch(batch, 0)
    shown, other = (_receipt(world, batch, readback, outcome) for outcome in (0, 1))
    root = EvidenceStore(world.settings.evidence).put_receipts([shown, other])
    world.gate("enforcer").file_receipts(root, 2)
    proof = Tree([shown, other]).proof(shown)
    world.gate("relayer").show_page_receipt(batch, shown, root, proof)
    world.release_batch(batch)


def _receipt(world: World, batch: Batch, digest: bytes, outcome: int) -> Receipt:
    start, target = batch.id(world.gate().domain)[:20], batch.targets[0].to_bytes(32)
    return Receipt(start, target, world.address("enforcer"), outcome, digest)
