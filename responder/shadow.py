"""Shadow mode: the site's feeds, picture and policy, and nobody who hears of it.

Decisions go to a file, with the same evidence, as though people had approved each at once. Nothing
is proposed, relayed or enforced; no key is opened and no chain is asked.
"""

from __future__ import annotations

import os
from typing import Any

from policies.guardrails import Guardrails
from policies.inventory import Inventory
from policies.policy import Policy
from responder.clock import Clock
from responder.decision import Decision, entry
from responder.errors import Permanent
from responder.evidence import EvidenceStore, canonical
from responder.imagined import Imagined
from responder.phases import Phases
from responder.senses import Senses
from responder.settings import Settings
from responder.store import Cache

__all__ = ["Shadow"]


class Shadow:
    """A responder that only watches. Call `tick` on a schedule.

    Keeps everything in `settings.shadow`, so that it can run beside the real one.
    """

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        guardrails: Guardrails,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._evidence = EvidenceStore(settings.shadow / "evidence")
        self._cache = Cache(settings.shadow / "cache.sqlite")
        self._phases = Phases()
        self._made: list[Decision] = []  # and not written yet
        saved = self._cache.get("imagined")
        authority = Imagined(guardrails, self._made.append, saved)
        self._authority = authority
        self.senses = Senses(settings, inventory, policy, authority, self._cache, self._phases)

    def tick(self) -> None:
        """One step. Never raises what a later tick could mend."""
        self.hear()
        if not self._made:  # else it would be forgotten if this process died
            now = self._clock.now()
            self._phases.run("checkpoint", lambda: self._checkpoint(now))

    def hear(self) -> None:
        """Between two ticks: what the sensors say just now."""
        now = self._clock.now()
        self._phases.run("feeds", lambda: self.senses.read(now))
        self._phases.run("write", self._write)

    def close(self) -> None:
        self.senses.close()

    def _write(self) -> None:
        """Raises Permanent where the disk does not take it; then it is tried again."""
        path = self._settings.shadow / "decisions.jsonl"
        while self._made:
            decision = self._made[0]
            evidence = self._evidence.put(decision.evidence)
            line = canonical({**entry(decision), "evidence": evidence.hex()}) + b"\n"
            try:
                with path.open("ab") as file:
                    file.write(line)
            except OSError as error:
                raise Permanent(f"cannot write {path}: {error.strerror}") from error
            del self._made[0]

    def _checkpoint(self, now: float) -> None:
        documents: dict[str, Any] = {
            "heartbeat": {
                "time": now,
                "pid": os.getpid(),
                "complaints": self._phases.complaints,
                **self.senses.to_tell(now),
            },
            "imagined": self._authority.to_json(),
            **self.senses.to_save(),
        }
        self._cache.put(documents)
        self.senses.saved()
