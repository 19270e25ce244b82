"""What every enforcer shares: orders in, facts and commands between, and the protocol itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from policies.actions import Kind
from responder.chain.records import Subject
from responder.errors import Permanent

__all__ = ["TOLERANCE", "Actual", "Command", "Element", "Enforcer", "Order", "Subject"]

TOLERANCE = 2.0  # seconds; kernels count whole ones, so ends read back differ by up to one


@dataclass(frozen=True, slots=True)
class Order:
    """What the network must obey until a moment."""

    subject: Subject  # what its receipt is about; orders that share it are stated together
    kind: Kind
    target: str  # network text (BLOCK), asset id (ISOLATE) or credential id (REVOKE)
    until: float  # Unix seconds
    addresses: tuple[str, ...] = ()  # ISOLATE: the asset's own

    def __post_init__(self) -> None:
        if any(len(part) != 32 for part in self.subject) or not math.isfinite(self.until):
            raise Permanent("an order needs a subject of 32 bytes each and a finite end")


class Element(NamedTuple):
    """One thing that an enforcement point can hold."""

    group: str  # "blocked4", "networks6", "isolated4", "revoked", ...
    value: str  # an address, a canonical network or a credential id


@dataclass(frozen=True, slots=True)
class Actual:
    """Facts read back from an enforcement point."""

    elements: Mapping[Element, float] = field(default_factory=dict)  # end in Unix seconds
    intact: bool = True  # False: whatever makes the elements effective is missing or was changed


_NOTHING = Element("", "")


@dataclass(frozen=True, slots=True)
class Command:
    """One step towards the containment.

    "rebuild" starts from nothing, "clear" empties a group, "add" makes an element present with
    exactly this end, "remove" makes it absent; the last two are fine where that is so already.
    """

    verb: Literal["rebuild", "clear", "add", "remove"]
    element: Element = _NOTHING
    until: float = 0.0

    def __str__(self) -> str:
        """For people and logs."""
        group, value = self.element
        if self.verb == "add":
            end = datetime.fromtimestamp(self.until, UTC)
            return f"add {value} to {group} until {end:%Y-%m-%d %H:%M:%SZ}"
        if self.verb == "remove":
            return f"remove {value} from {group}"
        return f"clear {group}" if self.verb == "clear" else "rebuild everything"


class Enforcer(Protocol):
    """One enforcement point. What to do is planned elsewhere; this only reads and applies."""

    @property
    def name(self) -> str:
        """As it appears in receipts."""
        ...

    @property
    def kinds(self) -> frozenset[Kind]:
        """The orders that this point can obey."""
        ...

    @property
    def management(self) -> Sequence[str]:
        """Networks that must stay reachable: orders that overlap them are refused."""
        ...

    def read(self, now: float) -> Actual:
        """What the point holds at `now` (Unix seconds). Raises Temporary or Permanent."""
        ...

    def apply(self, commands: Iterable[Command], now: float) -> None:
        """All of the commands or none. Raises Temporary or Permanent."""
        ...
