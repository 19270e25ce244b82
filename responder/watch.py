"""When to decide: one rule for the live side, for shadow mode and for recorded alerts.

A decision is due at every whole minute, since evidence fades and orders end, and at once when an
alert surprises. Both follow from the alerts and their times alone, so the same alerts give the same
decisions, however they were cut into ticks. An alert that comes late counts from when it came.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from policies.alerts import Alert
from policies.evidence import MINUTE
from policies.guardrails import Guardrails
from policies.observation import Standing
from policies.picture import Entity, Picture
from policies.policy import Policy
from responder.decision import Answers, Decision, decide

__all__ = ["Authority", "Watch"]

log = logging.getLogger(__name__)

_RECENT_ALERTS = 400  # kept for evidence bundles
_LATE = 300.0  # seconds after which a moment is past: what it would have said is said for now
_AHEAD = 60.0  # seconds that the picture may be ahead of the clock; clocks are set by less


class Authority(Protocol):
    """What makes orders of decisions: the gate and its people, or what stands in for them."""

    def guardrails(self, now: float) -> Guardrails:
        """The rules and what is used of them, for `decide` to count in."""
        ...

    def standings(self, entities: Collection[Entity], now: float) -> Mapping[Entity, Standing]:
        """What is under way; entities for which nothing is are left out."""
        ...

    def answers(self) -> Answers: ...

    def asked(self, now: float) -> Collection[Entity]:
        """Whose release people were asked for."""
        ...

    def take(self, decision: Decision) -> None:
        """Does with it what is done with decisions."""
        ...


class Watch:
    """Alerts in, decisions out, to the authority."""

    def __init__(
        self,
        picture: Picture,
        policy: Policy,
        authority: Authority,
        ttl: Sequence[int],
        most: int,
        recent: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`ttl` is in seconds by Kind; at most so many decisions at once. `recent`: the latest
        alerts as JSON, where an earlier watch left off.
        """
        self.picture, self._policy, self._authority = picture, policy, authority
        self._ttl, self._most = ttl, most
        self.recent: deque[Mapping[str, Any]] = deque(recent, maxlen=_RECENT_ALERTS)
        self._next = self._after(picture.time)  # the next whole minute
        self._soon = picture.start is not None  # who knows what came of what was decided
        self._hurried = -math.inf  # when a decision was last brought forward
        self.holding = False  # while this is so, alerts are taken in and nothing is decided

    def soon(self) -> None:
        """Decide at the next chance: what was decided last was not heard. Once a minute at most,
        so that where nobody hears anything no evidence piles up.
        """
        if self.picture.time - self._hurried >= MINUTE:
            self._soon, self._hurried = True, self.picture.time

    def take(self, alert: Alert, now: float) -> None:
        """One alert, heard at `now`, and what is decided on it."""
        self._mind_the_clock(now)
        time = max(self.picture.time, min(now, alert.time))
        if time >= self._next:
            self.advance(time, now)
        nats = self.picture.observe(alert, now)
        if nats > 0.0:
            self.recent.append(alert.to_json())
            if now - time <= _LATE:
                self._decide(time)

    def advance(self, time: float, now: float | None = None) -> None:
        """Time passes until `time`. Of what is long past when it is `now` nothing is decided."""
        if self.picture.start is None:  # what happens is dated from the first alert on
            return
        if now is not None:
            self._mind_the_clock(now)
            if now - self._next > _LATE:  # we were away
                self._next = self._after(now - _LATE)
        while self._next <= time and self._decide(self._next):
            self._next += MINUTE
        self.picture.advance(time)
        self._next = self._after(self.picture.time)
        late = now is not None and now - self.picture.time > _LATE
        if self._soon and not self.holding and not late:
            self._soon = False
            self._decide(self.picture.time)

    def _mind_the_clock(self, now: float) -> None:
        """Where it was ahead and is right again, time goes on from now: decided for a time to come,
        what is live would look as if it had ended.
        """
        ahead = self.picture.time - now
        if ahead > _AHEAD:
            log.warning("the clock went back by %.0f s; the picture goes on from there", ahead)
            self.picture.rewind(now)
            self._next = self._after(now)

    def _after(self, time: float) -> float:
        """The next whole minute, as evidence fades by; long past before the first alert."""
        if self.picture.start is None:
            return time
        return self.picture.start + ((time - self.picture.start) // MINUTE + 1) * MINUTE

    def _decide(self, time: float) -> bool:
        """False where there is nothing to decide on, nor will be before the next alert. Where the
        sensors that usually speak are silent, the picture is old, and nothing is decided on it.
        """
        if self.holding:
            self._soon = True
            return True
        entities, authority = self.picture.entities(), self._authority
        standing = authority.standings(entities, time)
        if not standing and not self.picture.speaks():
            return False
        self.picture.advance(time)
        if self.picture.stale():
            return True
        for decision in decide(
            self._policy,
            self.picture,
            authority.guardrails(time),
            standing,
            authority.answers(),
            self._ttl,
            self._most,
            self.recent,
            time,
            authority.asked(time),
        ):
            authority.take(decision)
        return True
