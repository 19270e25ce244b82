"""Lines over HTTP: POST a body of lines with a token; 200 says that they are on disk.

Plain HTTP: beyond loopback it belongs behind a proxy that does TLS. A sender that gets no answer
sends again; what was answered with 200 it need not, whatever happens to us.
"""

from __future__ import annotations

import hmac
import io
import json
import re
import socket
import threading
import time
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from responder.errors import Permanent, Temporary
from responder.sensors.line import MAX_LINE
from responder.sensors.receiver import LimitedServer, Receiver, listening
from responder.sensors.spool import Spool

__all__ = ["MAX_BODY", "HttpIntake", "read_token"]

MAX_BODY = 4 << 20
_CONNECTIONS = 32
_BODIES = 8  # read at once: what bounds our memory
_HEAD_SECONDS = 15.0  # for a request's head, and for a connection between requests
_BODY_SECONDS = 30.0
_HEAD_BYTES = 80 << 10  # a little more than the longest first line that http.server answers
_RETRY_SECONDS = 5
_SHORTEST_TOKEN = 16
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


def read_token(path: Path) -> bytes:
    """The token in a file; raises Permanent where there is none worth the name."""
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise Permanent(
            f"cannot read the token file {path}: {error.strerror}; make one with "
            "`openssl rand -hex 32`"
        ) from error
    if len(token) < _SHORTEST_TOKEN:
        raise Permanent(
            f"the token in {path} is shorter than {_SHORTEST_TOKEN} characters; make one with "
            "`openssl rand -hex 32`"
        )
    if not re.fullmatch(rb"[!-~]+", token):
        raise Permanent(
            f"the token in {path} may hold ASCII letters, digits and signs, and no blanks: a "
            "header carries nothing else unchanged; make one with `openssl rand -hex 32`"
        )
    return token


class HttpIntake(Receiver):
    """Listens on one path of one address."""

    def __init__(self, name: str, host: str, port: int, path: str, token_file: Path) -> None:
        super().__init__(name)
        self.path = path
        self.bodies = threading.BoundedSemaphore(_BODIES)
        self._address = (host, port)
        self._token_file = token_file
        self._token = b""
        self._server: LimitedServer | None = None

    @property
    def port(self) -> int:
        """Where it listens, if the system was to choose."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def open(self, spool: Spool) -> None:
        self._token = read_token(self._token_file)
        bound = listening(self.name, self._address, socket.SOCK_STREAM)
        self._server = LimitedServer(bound, partial(_Handler, self, spool), _CONNECTIONS, _REFUSAL)

    def shut(self) -> None:
        if self._server is not None:
            self._server.end()

    def work(self, spool: Spool) -> None:
        assert self._server is not None
        self._server.serve(self.stopping)

    def knows(self, authorization: str) -> bool:
        """Whether a header carries the token; takes as long whatever it carries."""
        scheme, _, said = authorization.partition(" ")
        token = said.strip().encode("utf-8", "surrogatepass")  # fails for no text
        return hmac.compare_digest(token, self._token) and scheme.lower() == "bearer"


class _Handler(BaseHTTPRequestHandler):
    """One connection, request by request. `intake` and `spool` are bound by the server."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "countersign", ""
    disable_nagle_algorithm = True

    def __init__(self, intake: HttpIntake, spool: Spool, *args: Any) -> None:
        self._intake, self._spool = intake, spool
        super().__init__(*args)

    def setup(self) -> None:
        super().setup()
        self._patience = _Patience(self.connection)
        self.rfile.close()
        self.rfile = io.BufferedReader(self._patience)

    def handle_one_request(self) -> None:
        self._patience.until(_HEAD_SECONDS, _HEAD_BYTES)
        super().handle_one_request()

    def handle_expect_100(self) -> bool:
        return self._admitted() and super().handle_expect_100()

    def do_POST(self) -> None:
        if not self._admitted():
            return
        if not self._intake.bodies.acquire(blocking=False):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many bodies at once")
            return
        try:
            self._take(int(self.headers["Content-Length"]))
        finally:
            self._intake.bodies.release()

    def _admitted(self) -> bool:
        """Whether the body is worth reading; else answers, and ends the connection."""
        if self.path != self._intake.path:
            self._answer(HTTPStatus.NOT_FOUND, "no such path")
        elif self.command != "POST":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "POST lines here")
        elif not self._intake.knows(self.headers.get("Authorization", "")):
            self._answer(HTTPStatus.UNAUTHORIZED, "give the token as `Authorization: Bearer ...`")
        else:
            return self._measured()
        return False

    def _measured(self) -> bool:
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or not lengths:
            self._answer(HTTPStatus.LENGTH_REQUIRED, "Content-Length is required")
        elif len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,18}", lengths[0]):
            self._answer(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
        elif int(lengths[0]) > MAX_BODY:
            text = f"send at most {MAX_BODY} bytes at once"
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
        else:
            return True
        return False

    def _take(self, length: int) -> None:
        self._patience.until(_BODY_SECONDS, length)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True  # the sender went away in the middle and knows it
            return
        given = [line.rstrip(b"\r") for line in body.split(b"\n")]
        lines = [line for line in given if 0 < len(line) <= MAX_LINE]
        oversized = sum(len(line) > MAX_LINE for line in given)
        try:
            self._spool.append(lines)
        except Temporary:  # why is for our own people, not for the sender
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "no room just now; nothing was taken")
            return
        self._spool.count(oversized=oversized)
        self._say(HTTPStatus.OK, {"lines": len(lines), "oversized": oversized})

    def _answer(self, status: HTTPStatus, why: str) -> None:
        """An error; what may follow on this connection is not read."""
        self.close_connection = True
        self._say(status, {"error": why})

    def _say(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", str(_RETRY_SECONDS))
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: whoever can connect must not be able to fill our log."""


class _Patience(io.RawIOBase):
    """Reads a socket until a moment, however slowly it trickles, and so many bytes at most."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._end, self._most = 0.0, 0

    def until(self, seconds: float, most: int) -> None:
        """From now on."""
        self._end, self._most = time.monotonic() + seconds, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("too slow")
        if not self._most:
            raise HTTPException("too long")  # which http.server answers
        self._connection.settimeout(left)
        received = self._connection.recv_into(buffer, min(len(buffer), self._most))
        self._most -= received
        return received
