"""Syslog over UDP and TCP, in the forms of RFC 5424 and RFC 3164.

Neither says that a message arrived. Over TCP a full spool makes the sender wait; over UDP what
finds no room is counted as lost, by us and, before us, by the kernel.
"""

from __future__ import annotations

import re
import socket
import socketserver
import struct
from functools import partial
from typing import Any

from responder.errors import Temporary
from responder.sensors.framing import Frames
from responder.sensors.line import STRUCTURED_DATA
from responder.sensors.receiver import LimitedServer, Receiver, listening
from responder.sensors.spool import Spool

__all__ = ["SyslogTcp", "SyslogUdp", "line_of", "message_of"]

_CONNECTIONS = 64
_FRAME_SECONDS = 30.0  # for the rest of a frame that has begun
_IDLE_SECONDS = 3600.0  # between frames: senders keep a connection for long, and lose what they
# write into a closed one
_EMPTY_FRAMES = 1000.0  # a second that a connection may send
_POLL_SECONDS = 0.25
_CHUNK = 1 << 16
_BATCH = 500  # datagrams to one write
_KERNEL_BUFFER = 4 << 20
_SO_RXQ_OVFL = 40  # Linux: tell with each datagram how many the kernel dropped before it

_PRI = re.compile(rb"<\d{1,3}>")
# VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID, then structured data or "-" (RFC 5424, 6)
_HEADER = re.compile(rb"1 (\S+) (\S+) (\S+) (\S+) \S+ ")
_DATA = re.compile(STRUCTURED_DATA.encode())
_BOM = b"\xef\xbb\xbf"
# TIMESTAMP HOSTNAME TAG: (RFC 3164, 4.1), with the timestamp of RFC 3339 that many send instead;
# before JSON the colon may be missing
_BSD = re.compile(
    rb"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ "
    rb"[^\s:{]{1,256}(?::\s*|\s+(?=\{|@cee:))"
)
_COOKIE = b"@cee:"  # before JSON, by the lumberjack convention


def message_of(frame: bytes) -> bytes:
    """The message part of a frame, on one line: what a program handed to syslog."""
    return _without_header(_one_line(frame))


def line_of(frame: bytes) -> bytes:
    """The frame as a log file has it, without its priority: "TIMESTAMP HOST APP[PID]: MESSAGE"."""
    text = _one_line(frame)
    rest = text[_pri(text) :]
    header = _HEADER.match(rest)
    if header is None:
        return rest
    time, host, program, process = header.groups()
    number = b"" if process == b"-" else b"[" + process + b"]"
    return b"%b %b %b%b: %b" % (time, host, program, number, _without_header(text))


def _one_line(frame: bytes) -> bytes:
    """A newline inside is nobody's to forge a second line with; in JSON it is a blank like any."""
    return frame.rstrip(b"\r\n\0").replace(b"\n", b" ")


def _pri(text: bytes) -> int:
    found = _PRI.match(text)
    return found.end() if found else 0


def _without_header(text: bytes) -> bytes:
    start = _pri(text)
    if header := _HEADER.match(text, start):
        data = _DATA.match(text, header.end())
        start = data.end() if data else header.end()
    elif bsd := _BSD.match(text, start):
        start = bsd.end()
    return text[start:].lstrip().removeprefix(_BOM).removeprefix(_COOKIE).lstrip()


# ---------------------------------------------------------------- UDP


class SyslogUdp(Receiver):
    """Datagrams, one message each."""

    def __init__(self, name: str, host: str, port: int, whole: bool) -> None:
        """With `whole` the parser gets the line as a log file has it, else the message alone."""
        super().__init__(name)
        self._address = (host, port)
        self._line = line_of if whole else message_of
        self._socket: socket.socket | None = None
        self._dropped = 0  # by the kernel

    @property
    def port(self) -> int:
        """Where it listens, if the system was to choose."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def open(self, spool: Spool) -> None:
        bound = listening(self.name, self._address, socket.SOCK_DGRAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)
        bound.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        self._socket, self._dropped = bound, 0

    def shut(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def work(self, spool: Spool) -> None:
        while not self.stopping.is_set():
            frames = self._receive(spool)
            lines = [line for frame in frames if (line := self._line(frame))]
            try:
                spool.append(lines)
            except Temporary:  # the spool says why
                spool.count(lost=len(lines))

    def _receive(self, spool: Spool) -> list[bytes]:
        """What is there; waits a moment for the first and for no other: what is held here can be
        lost.
        """
        assert self._socket is not None
        frames: list[bytes] = []
        self._socket.settimeout(_POLL_SECONDS)
        while len(frames) < _BATCH and not self.stopping.is_set():
            try:
                frame, extra, _, _ = self._socket.recvmsg(_CHUNK, socket.CMSG_SPACE(4))
            except (TimeoutError, BlockingIOError):
                break
            except OSError:
                if not frames:  # else they come first; the next call meets this again
                    raise
                break
            self._count_dropped(extra, spool)
            frames.append(frame)
            self._socket.settimeout(0.0)  # MSG_DONTWAIT would wait as long as the timeout says
        return frames

    def _count_dropped(self, extra: list[tuple[int, int, bytes]], spool: Spool) -> None:
        for level, kind, data in extra:
            if (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                (dropped,) = struct.unpack("I", data)
                spool.count(lost=(dropped - self._dropped) % (1 << 32))
                self._dropped = dropped


# ---------------------------------------------------------------- TCP


class SyslogTcp(Receiver):
    """Streams of frames (RFC 6587)."""

    def __init__(self, name: str, host: str, port: int, whole: bool) -> None:
        """With `whole` the parser gets the line as a log file has it, else the message alone."""
        super().__init__(name)
        self._address = (host, port)
        self._line = line_of if whole else message_of
        self._server: LimitedServer | None = None

    @property
    def port(self) -> int:
        """Where it listens, if the system was to choose."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def open(self, spool: Spool) -> None:
        bound = listening(self.name, self._address, socket.SOCK_STREAM)
        self._server = LimitedServer(bound, partial(_Stream, self, spool), _CONNECTIONS)

    def shut(self) -> None:
        if self._server is not None:
            self._server.end()

    def work(self, spool: Spool) -> None:
        assert self._server is not None
        self._server.serve(self.stopping)

    def lines(self, frames: list[bytes]) -> list[bytes]:
        """What the parser gets of these frames."""
        return [line for frame in frames if (line := self._line(frame))]


class _Stream(socketserver.BaseRequestHandler):
    """One connection."""

    def __init__(self, receiver: SyslogTcp, spool: Spool, *args: Any) -> None:
        self._receiver, self._spool = receiver, spool
        self._frames = Frames()
        super().__init__(*args)

    def setup(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def handle(self) -> None:
        while not self._receiver.stopping.is_set():
            self.request.settimeout(_FRAME_SECONDS if self._frames.pending else _IDLE_SECONDS)
            try:
                data = self.request.recv(_CHUNK)
            except TimeoutError:
                return
            before = self._frames.oversized
            frames = self._frames.feed(data) if data else self._frames.end()
            self._spool.count(oversized=self._frames.oversized - before)
            lines = self._receiver.lines(frames)
            if not self._receiver.put(self._spool, lines) or not data:
                return
            self._receiver.trouble = ""
            empty = len(frames) - 2 * len(lines)  # an empty line after each message is usual
            if empty > 0:  # no full spool ever holds these up
                self._receiver.stopping.wait(empty / _EMPTY_FRAMES)
            if self._frames.broken:
                self._receiver.trouble = f"a sender was cut off: {self._frames.broken}"
                self._spool.count(lost=1)
                return
