"""Work that must not stop other work: each phase fails by itself, and says so once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from responder.errors import CountersignError, Temporary

__all__ = ["Phases"]

log = logging.getLogger(__name__)


class Phases:
    """Runs phases by name and keeps what each complains of, until it works again."""

    def __init__(self) -> None:
        self.complaints: dict[str, str] = {}

    def run(self, name: str, work: Callable[[], object]) -> bool:
        """Whether it worked. Never raises what a later tick could mend."""
        try:
            work()
        except Temporary as error:
            self._complain(name, logging.WARNING, f"{error}; trying again")
            return False
        except CountersignError as error:
            self._complain(name, logging.ERROR, str(error))
            return False
        except Exception:  # the loop's edge: one bad phase must not stop the others
            log.exception("%s failed unexpectedly", name)
            return False
        if self.complaints.pop(name, None):
            log.info("%s works again", name)
        return True

    def _complain(self, name: str, level: int, message: str) -> None:
        if self.complaints.get(name) != message:  # once, not every tick
            self.complaints[name] = message
            log.log(level, "%s: %s", name, message)
