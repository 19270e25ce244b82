"""Standard input as a source: `sensor | countersign run`."""

from __future__ import annotations

import os
import select
import sys

from responder.sensors.framing import Lines
from responder.sensors.receiver import Receiver
from responder.sensors.spool import Spool

__all__ = ["Stdin"]

_CHUNK = 1 << 16
_POLL_SECONDS = 0.25


class Stdin(Receiver):
    """Reads until the end. A pipe cannot be asked again: what it holds when we are killed stays
    with whoever fills it, less the piece that was being read.
    """

    def __init__(self) -> None:
        super().__init__("standard input")

    def work(self, spool: Spool) -> None:
        pipe, lines = sys.stdin.fileno(), Lines()
        while not self.stopping.is_set():
            if not select.select([pipe], [], [], _POLL_SECONDS)[0]:
                continue
            data, before = os.read(pipe, _CHUNK), lines.oversized
            complete = lines.feed(data) if data else lines.end()
            spool.count(oversized=lines.oversized - before)
            if not self.put(spool, complete):
                return
            if not data:
                self.trouble = "standard input has ended; nothing more comes from it"
                return
