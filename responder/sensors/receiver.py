"""What fills a spool: a thread of its own, so that nothing outside can hold the loop up.

`Intake` is the source that the loop reads: a spool, and the receiver that fills it.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from responder.errors import CountersignError, Permanent, Temporary
from responder.sensors.spool import Spool
from responder.sensors.tail import Position

__all__ = ["Intake", "LimitedServer", "Receiver", "listening"]

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_PERMANENT_SECONDS = 60.0  # until someone may have changed something
_JOIN_SECONDS = 5.0
_POLL_SECONDS = 0.25


class Receiver:
    """Runs `work` in a thread until it returns; what goes wrong there is said, and tried again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.trouble = ""
        self.stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, spool: Spool) -> None:
        """Raises Temporary or Permanent where it cannot even begin."""
        self.stopping.clear()
        self.trouble = ""
        self.open(spool)
        self._thread = threading.Thread(
            target=self._run, args=(spool,), name=f"intake {self.name}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Takes nothing more; returns once the thread is gone."""
        self.stopping.set()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)
        self._thread = None
        self.shut()

    def open(self, spool: Spool) -> None:
        """What must be had before the thread starts."""

    def shut(self) -> None:
        """Gives back what `open` got."""

    def work(self, spool: Spool) -> None:
        """Fills the spool until there is nothing more or, soon after, `stopping` is set."""
        raise NotImplementedError

    def _run(self, spool: Spool) -> None:
        while not self.stopping.is_set():
            try:
                self.work(spool)
                return
            except Permanent as error:
                self.trouble = str(error)
                self.stopping.wait(_PERMANENT_SECONDS)
            except CountersignError as error:
                self.trouble = str(error)
            except Exception:  # the thread's edge: it must not end in silence
                _log.exception("%s failed unexpectedly", self.name)
                self.trouble = f"{self.name} failed unexpectedly; see the log"
            self.stopping.wait(_RETRY_SECONDS)

    def put(self, spool: Spool, lines: list[bytes], kept: bool = False) -> bool:
        """Spools lines of a sender that can wait, however long that takes; False when told to stop
        meanwhile. Then they are lost, unless they are `kept` where they come from.
        """
        while True:
            try:
                spool.append(lines)
                return True
            except Temporary:  # the spool says why
                if self.stopping.wait(_RETRY_SECONDS / 4):
                    spool.count(lost=0 if kept else len(lines))
                    return False


class Intake:
    """A source whose lines are pushed or polled: begins to receive at the first read."""

    def __init__(self, spool: Spool, receiver: Receiver) -> None:
        self.name = receiver.name
        self._spool, self._receiver = spool, receiver
        self._started = False
        self._trouble = ""

    @property
    def oversized(self) -> int:
        return self._spool.oversized

    @property
    def lost(self) -> int:
        return self._spool.lost

    @property
    def trouble(self) -> str:
        return self._trouble or self._spool.trouble or self._receiver.trouble

    def read(self, max_lines: int, max_bytes: int) -> list[tuple[bytes, Position]]:
        if not self._started:
            self._start()
        return self._spool.read(max_lines, max_bytes)

    def waiting(self) -> bool:
        return self._spool.waiting()

    def state(self) -> dict[str, Any] | None:
        position = self._spool.position
        return None if position is None else asdict(position)

    def saved(self) -> None:
        self._spool.release()

    def close(self) -> None:
        self._receiver.close()
        self._spool.close()
        self._started = False

    def _start(self) -> None:
        try:
            self._receiver.start(self._spool)
            self._started, self._trouble = True, ""
        except CountersignError as error:  # what is spooled already can be read all the same
            self._trouble = str(error)


# ---------------------------------------------------------------- sockets


def listening(name: str, address: tuple[str, int], kind: socket.SocketKind) -> socket.socket:
    """A bound socket; raises Temporary saying why there is none."""
    bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, kind)
    try:
        if kind is socket.SOCK_STREAM:  # else a restart would have to wait for old connections
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise Temporary(f"cannot listen on {name}: {error.strerror}") from error
    return bound


class LimitedServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread for each connection, and no more than so many."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        bound: socket.socket,
        handler: Callable[[Any, Any, socketserver.BaseServer], socketserver.BaseRequestHandler],
        connections: int,
        refusal: bytes = b"",
    ) -> None:
        """`bound` comes from `listening`; `refusal` is what one connection too many is told."""
        socketserver.BaseServer.__init__(self, bound.getsockname(), handler)
        self.socket = bound
        self.socket.listen(self.request_queue_size)
        self._most, self._refusal = connections, refusal
        self._open: set[socket.socket] = set()
        self._guard = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            admitted = len(self._open) < self._most
            if admitted:
                self._open.add(request)
        if admitted:
            super().process_request(request, client_address)
            return
        request.settimeout(0.0)
        try:
            request.send(self._refusal)
        except OSError:
            _log.debug("a connection too many went away by itself")
        super().shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
            self._guard.notify_all()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # else the other end went away
            _log.exception("a connection failed unexpectedly")

    def serve(self, stopping: threading.Event) -> None:
        """Takes connections until told to stop."""
        self.timeout = _POLL_SECONDS
        while not stopping.is_set():
            self.handle_request()

    def end(self) -> None:
        """Closes the socket and every connection, and lets what came over them be taken in."""
        self.server_close()
        with self._guard:
            for connection in list(self._open):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it is gone already
            self._guard.wait_for(lambda: not self._open, _JOIN_SECONDS)
