"""One round of enforcement: read, plan, apply, read back, and say per order what was found.

Keeps nothing between rounds. What was stated before about an order comes from the caller, who has
it from the chain's receipts; so a restart, or another process taking over, changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from responder.enforcers.base import Actual, Command, Enforcer, Order
from responder.enforcers.planner import desired_elements, elements_of, holds, plan
from responder.errors import CountersignError, Permanent
from responder.evidence import digest

__all__ = ["Outcome", "Result", "reconcile"]

_log = logging.getLogger(__name__)


class Outcome(IntEnum):
    """What an enforcer states about an order; the numbers are the contract's."""

    APPLIED = 0  # read back in force
    FAILED = 1  # refused here, or not (or still) there after trying
    DRIFTED = 2  # had been in force, was found missing, is in force again
    REVERTED = 3  # ended or released, and nothing of it is left


@dataclass(frozen=True, slots=True)
class Result:
    """One order after one round."""

    order_id: bytes
    outcome: Outcome
    readback: dict[str, Any]  # plain JSON: what was read; keep it and a receipt can be checked
    detail: str  # for people

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical read-back, 32 bytes; equal facts have equal digests."""
        return digest(self.readback)


def reconcile(
    enforcer: Enforcer,
    desired: Collection[Order],
    now: float,
    known: Mapping[bytes, Outcome] | None = None,
) -> list[Result]:
    """Makes the enforcement point equal the live orders in `desired` at `now` (Unix seconds).

    `known` is what this enforcer stated last about each order, ended ones included; without it
    nothing can be found DRIFTED or REVERTED. One result for each live order, in the order given,
    then one for each ended order not yet stated REVERTED. In a steady state nothing is applied and
    results repeat, digests included: state only those that differ from the last.

    Raises Temporary when the point cannot be read just now: nothing is known, nothing was changed.
    """
    known = known or {}
    live = [order for order in desired if order.until > now]
    ended = _ended(known, live)
    wanted, refused = desired_elements(live, enforcer.kinds, enforcer.management)
    try:
        before = enforcer.read(now)
    except Permanent as error:
        return [_result(enforcer, order, Outcome.FAILED, None, str(error)) for order in live]
    commands = plan(wanted, before)
    failure, after = "", before
    if commands:
        failure = _apply(enforcer, commands, now)
        after = enforcer.read(now)
    results = []
    for order in live:
        if order.id in refused:
            results.append(_result(enforcer, order, Outcome.FAILED, None, refused[order.id]))
        else:
            results.append(_judge(enforcer, order, before, after, known.get(order.id), failure))
    clean = after.elements.keys() <= wanted.keys()
    return results + [_end(enforcer, order_id, clean, failure) for order_id in ended]


def _ended(known: Mapping[bytes, Outcome], live: Collection[Order]) -> list[bytes]:
    still = {order.id for order in live}
    return [i for i, said in known.items() if i not in still and said is not Outcome.REVERTED]


def _apply(enforcer: Enforcer, commands: list[Command], now: float) -> str:
    """Why it failed; empty when it did not."""
    try:
        enforcer.apply(commands, now)
    except CountersignError as error:
        _log.warning("%s: %s", enforcer.name, error)
        return str(error)
    for command in commands:
        _log.info("%s: %s", enforcer.name, command)
    return ""


def _judge(
    enforcer: Enforcer,
    order: Order,
    before: Actual,
    after: Actual,
    last: Outcome | None,
    failure: str,
) -> Result:
    if not _in_force(enforcer, order, after):
        detail = failure or "not there after applying it"
        return _result(enforcer, order, Outcome.FAILED, after, detail)
    if last in (Outcome.APPLIED, Outcome.DRIFTED) and not _in_force(enforcer, order, before):
        # The receipt states what was found; that it was mended is the next round's APPLIED.
        detail = "was missing or ended too early, put back"
        return _result(enforcer, order, Outcome.DRIFTED, before, detail)
    return _result(enforcer, order, Outcome.APPLIED, after, "in force")


def _in_force(enforcer: Enforcer, order: Order, facts: Actual) -> bool:
    elements = elements_of(order, enforcer.kinds, enforcer.management)
    return all(holds(element, order.until, facts) for element in elements)


def _result(
    enforcer: Enforcer, order: Order, outcome: Outcome, facts: Actual | None, detail: str
) -> Result:
    """`facts` None: nothing was looked for, or nothing could be read."""
    readback: dict[str, Any] = {
        "enforcer": enforcer.name,
        "order": "0x" + order.id.hex(),
        "until": order.until,
    }
    if facts is not None:
        elements = elements_of(order, enforcer.kinds, enforcer.management)
        readback["in_force"] = {
            f"{e.group} {e.value}": holds(e, order.until, facts) for e in elements
        }
    return Result(order.id, outcome, readback, detail)


def _end(enforcer: Enforcer, order_id: bytes, clean: bool, failure: str) -> Result:
    readback = {"enforcer": enforcer.name, "order": "0x" + order_id.hex(), "clean": clean}
    if clean:
        return Result(order_id, Outcome.REVERTED, readback, "ended, nothing of it is left")
    return Result(order_id, Outcome.FAILED, readback, failure or "ended, but something is left")
