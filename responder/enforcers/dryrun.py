"""The default enforcer: changes nothing but a file that says what would be in force.

Planned, read back and compared like a real one, so drift and receipts work without root.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from policies.actions import Kind
from responder.enforcers.base import Actual, Command, Element
from responder.errors import Permanent
from responder.evidence import canonical
from responder.files import write_atomically

__all__ = ["DryRunEnforcer"]

_log = logging.getLogger(__name__)


class DryRunEnforcer:
    """The would-be state in one JSON file, whose entries end by the clock like a kernel's."""

    name = "dry-run"
    kinds = frozenset(Kind)

    def __init__(self, path: Path | str, management: Sequence[str] = ()) -> None:
        self._path = Path(path)
        self.management = tuple(management)

    def read(self, now: float) -> Actual:
        try:
            stored = json.loads(self._path.read_bytes())["elements"]
            elements = {Element(str(g), str(v)): _finite(end) for g, v, end in stored}
        except FileNotFoundError:
            return Actual(intact=False)
        except OSError as error:
            raise Permanent(f"cannot read {self._path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, RecursionError):
            _log.warning("%s is damaged and will be written anew", self._path)
            return Actual(intact=False)
        return Actual({element: end for element, end in elements.items() if end > now})

    def apply(self, commands: Iterable[Command], now: float) -> None:
        elements = dict(self.read(now).elements)
        for command in commands:
            group = command.element.group
            if command.verb == "rebuild":
                elements = {}
            elif command.verb == "clear":
                elements = {e: end for e, end in elements.items() if e.group != group}
            elif command.verb == "remove":
                elements.pop(command.element, None)
            else:
                elements[command.element] = command.until
        stored = [[group, value, end] for (group, value), end in sorted(elements.items())]
        write_atomically(self._path, canonical({"elements": stored}))


def _finite(end: float) -> float:
    if not math.isfinite(end):
        raise ValueError("not a time")
    return float(end)
