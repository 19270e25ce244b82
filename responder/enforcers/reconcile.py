"""One round of enforcement: read, plan, apply, read back, and say per subject what was found.

A subject is what one receipt is about: an order, or those on one page of a batch. Keeps nothing
between rounds. What was stated before about a subject comes from the caller, who has it from the
chain's receipts; so a restart, or another process taking over, changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from responder.enforcers.base import Actual, Command, Enforcer, Order, Subject
from responder.enforcers.planner import desired_elements, elements_of, holds, plan
from responder.errors import CountersignError, Permanent
from responder.evidence import digest

__all__ = ["Outcome", "Result", "reconcile"]

_log = logging.getLogger(__name__)


class Outcome(IntEnum):
    """What an enforcer states about a subject; the numbers are the contract's."""

    APPLIED = 0  # read back in force
    FAILED = 1  # refused here, or not (or still) there after trying
    DRIFTED = 2  # had been in force, was found missing, is in force again
    REVERTED = 3  # ended or released, and nothing of it is left


@dataclass(frozen=True, slots=True)
class Result:
    """One subject after one round."""

    subject: Subject
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
    known: Mapping[Subject, Outcome] | None = None,
) -> list[Result]:
    """Makes the enforcement point equal the live orders in `desired` at `now` (Unix seconds).

    `known` is what this enforcer stated last about each subject, ended ones included; without it
    nothing can be found DRIFTED or REVERTED. One result for each subject of live orders, in the
    order given, then one for each ended one not yet stated REVERTED. In a steady state nothing is
    applied and results repeat, digests included: state only those that differ from the last.

    Raises Temporary when the point cannot be read just now: nothing is known, nothing was changed.
    """
    known = known or {}
    live: dict[Subject, list[Order]] = {}
    for order in desired:
        if order.until > now:
            live.setdefault(order.subject, []).append(order)
    ended = [s for s, said in known.items() if s not in live and said is not Outcome.REVERTED]
    every = [order for orders in live.values() for order in orders]
    wanted, refused = desired_elements(every, enforcer.kinds, enforcer.management)
    try:
        before = enforcer.read(now)
    except Permanent as error:
        return [
            _result(enforcer, orders, Outcome.FAILED, None, str(error)) for orders in live.values()
        ]
    commands = plan(wanted, before)
    failure, after = "", before
    if commands:
        failure = _apply(enforcer, commands, now)
        after = enforcer.read(now)
    round_ = _Round(enforcer, before, after, refused, failure)
    results = [round_.judge(orders, known.get(subject)) for subject, orders in live.items()]
    clean = after.elements.keys() <= wanted.keys()
    return results + [_end(enforcer, subject, clean, failure) for subject in ended]


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


@dataclass(frozen=True, slots=True)
class _Round:
    """What was found before and after applying."""

    enforcer: Enforcer
    before: Actual
    after: Actual
    refused: Mapping[Order, str]
    failure: str

    def judge(self, orders: Sequence[Order], last: Outcome | None) -> Result:
        """One subject: all of its orders must be in force."""
        refusals = [self.refused[order] for order in orders if order in self.refused]
        if refusals:
            facts = None if len(refusals) == len(orders) else self.after
            return _result(self.enforcer, orders, Outcome.FAILED, facts, "; ".join(refusals))
        if not self._in_force(orders, self.after):
            detail = self.failure or "not there after applying it"
            return _result(self.enforcer, orders, Outcome.FAILED, self.after, detail)
        if last in (Outcome.APPLIED, Outcome.DRIFTED) and not self._in_force(orders, self.before):
            # The receipt states what was found; that it was mended is the next round's APPLIED.
            detail = "was missing or ended too early, put back"
            return _result(self.enforcer, orders, Outcome.DRIFTED, self.before, detail)
        return _result(self.enforcer, orders, Outcome.APPLIED, self.after, "in force")

    def _in_force(self, orders: Sequence[Order], facts: Actual) -> bool:
        return all(_held(self.enforcer, orders, facts).values())


def _held(enforcer: Enforcer, orders: Sequence[Order], facts: Actual) -> dict[str, bool]:
    """What of these orders the facts keep; of an order that is refused here, nothing."""
    found = {}
    for order in orders:
        try:
            elements = elements_of(order, enforcer.kinds, enforcer.management)
        except Permanent:
            found[order.target] = False
            continue
        found.update({f"{e.group} {e.value}": holds(e, order.until, facts) for e in elements})
    return found


def _result(
    enforcer: Enforcer,
    orders: Sequence[Order],
    outcome: Outcome,
    facts: Actual | None,
    detail: str,
) -> Result:
    """`facts` None: nothing was looked for, or nothing could be read."""
    subject = orders[0].subject
    readback = {**_about(enforcer, subject), "until": orders[0].until}
    if facts is not None:
        readback["in_force"] = _held(enforcer, orders, facts)
    return Result(subject, outcome, readback, detail)


def _end(enforcer: Enforcer, subject: Subject, clean: bool, failure: str) -> Result:
    readback = {**_about(enforcer, subject), "clean": clean}
    if clean:
        return Result(subject, Outcome.REVERTED, readback, "ended, nothing of it is left")
    return Result(subject, Outcome.FAILED, readback, failure or "ended, but something is left")


def _about(enforcer: Enforcer, subject: Subject) -> dict[str, Any]:
    return {
        "enforcer": enforcer.name,
        "order": "0x" + subject.order.hex(),
        "target": "0x" + subject.target.hex(),
    }
