"""The people who countersign: how long they take, what they refuse, how they tire."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from numpy.random import Generator

__all__ = ["Answer", "Operators"]

MAX_WAIT = 900.0  # seconds after which a proposal lapses
_REMEMBERED = 8  # answers that "lately" means
_REST = 1800.0  # seconds in which tiredness halves


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a question, and when (Unix seconds)."""

    time: float
    approved: bool


class Operators:
    """A shift, drawn per episode. They look before they sign, more or less, and tire of being
    asked.
    """

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        self._median = float(rng.uniform(60.0, 600.0))  # seconds to answer
        self._agree_right = float(rng.uniform(0.85, 1.0))  # approve what is needed
        self._agree_wrong = float(rng.uniform(0.1, 0.7))  # approve what is not: rubber stamps
        self._lapse = float(rng.uniform(0.0, 0.1))
        self._tired = 0.0
        self._asked_at = 0.0
        self._delays: deque[float] = deque([self._median], maxlen=_REMEMBERED)
        self._approved: deque[bool] = deque([True], maxlen=_REMEMBERED)

    @property
    def answer_minutes(self) -> float:
        """Mean minutes of the latest answers."""
        return sum(self._delays) / len(self._delays) / 60.0

    @property
    def approval_share(self) -> float:
        """Share of the latest answers that were approvals."""
        return sum(self._approved) / len(self._approved)

    def ask(self, right: bool, quorum: int, now: float) -> Answer:
        """Puts one question. `right`: the target deserves it; `quorum`: signatures needed."""
        rng = self._rng
        self._tired = self._tired * 0.5 ** ((now - self._asked_at) / _REST) + 1.0
        self._asked_at = now
        slower = (1.0 + 0.15 * self._tired) * (1.0 + 0.2 * quorum)
        delay = float(self._median * slower * rng.lognormal(0.0, 0.6))
        if delay > MAX_WAIT or rng.random() < self._lapse:
            return Answer(now + MAX_WAIT, approved=False)
        agree = self._agree_right if right else self._agree_wrong
        return Answer(now + delay, approved=bool(rng.random() < agree))

    def note(self, asked: float, answer: Answer) -> None:
        """Remembers an answer that has been given."""
        self._delays.append(answer.time - asked)
        self._approved.append(answer.approved)
