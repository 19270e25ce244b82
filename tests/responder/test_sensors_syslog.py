"""Syslog as RFC 5424 and RFC 3164 have it, over real sockets."""

from __future__ import annotations

import errno
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intakes import PATIENCE, running, until

from responder.sensors import syslog
from responder.sensors.line import MAX_LINE
from responder.sensors.spool import Spool
from responder.sensors.syslog import SyslogTcp, SyslogUdp, line_of, message_of

EVENT = b'{"event_type":"alert","a":"b: c"}'
BSD = b"<133>Nov 23 17:22:51 web suricata[812]: "
NEW = b"<165>1 2026-11-23T17:22:51.003Z web suricata 812 ID47 "
SSHD = b"Failed password for root from 203.0.113.9 port 4022 ssh2"


@pytest.mark.parametrize(
    "frame",
    [
        EVENT,
        b"<133>" + EVENT,
        BSD + EVENT,
        BSD + b"@cee: " + EVENT,
        b"<133>Nov 23 17:22:51 web suricata " + EVENT,
        BSD + EVENT + b"\n",
        BSD + EVENT + b"\0",
        b"<132>Nov  3 07:02:01 manager ossec: " + EVENT,
        b"<133>2026-11-23T17:22:51.003+01:00 web suricata: " + EVENT,
        NEW + b"- " + EVENT,
        NEW + b"- \xef\xbb\xbf" + EVENT,
        NEW + b'[x@32473 i="3" s="a \\] \\" ] b"][y@1 z="1"] ' + EVENT,
        b"<165>1 - - - - - - " + EVENT,
    ],
)
def test_the_message_is_what_the_program_said(frame: bytes) -> None:
    assert message_of(frame) == EVENT


def test_a_message_of_several_lines_is_one_line() -> None:
    assert message_of(BSD + b'{\n"a": 1\n}\n') == b'{ "a": 1 }'
    forged = line_of(b"<38>Nov 23 17:22:51 web sshd[9]: bad user x\nNov 23 17:22:51 web sshd[9]: y")
    assert forged == b"Nov 23 17:22:51 web sshd[9]: bad user x Nov 23 17:22:51 web sshd[9]: y"


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (
            b"<38>Nov 23 17:22:51 web sshd[812]: " + SSHD,
            b"Nov 23 17:22:51 web sshd[812]: " + SSHD,
        ),
        (
            b"<38>1 2026-11-23T17:22:51Z web sshd 812 - - " + SSHD,
            b"2026-11-23T17:22:51Z web sshd[812]: " + SSHD,
        ),
        (b"<86>1 2026-11-23T17:22:51Z web su - - - x", b"2026-11-23T17:22:51Z web su: x"),
        (b"whatever", b"whatever"),
    ],
)
def test_the_whole_line_is_what_a_log_file_has(frame: bytes, line: bytes) -> None:
    assert line_of(frame) == line


@given(st.binary(max_size=300))
def test_any_frame_becomes_one_line(frame: bytes) -> None:
    for made in (message_of(frame), line_of(frame), message_of(NEW + frame), line_of(BSD + frame)):
        assert b"\n" not in made


@pytest.mark.parametrize("start", [b"<1>1 ", NEW + b"[a ", BSD, b'<1>1 a b c d e [x="'])
def test_a_long_frame_is_read_in_linear_time(start: bytes) -> None:
    for filling in (b"a", b" ", b'"', b"\\", b"] [", b"<", b":"):
        frame = start + filling * (MAX_LINE // len(filling))
        assert len(message_of(frame)) <= len(frame) >= len(line_of(frame))


# ---------------------------------------------------------------- UDP


def send_udp(port: int, *frames: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for frame in frames:
            sender.sendto(frame, ("127.0.0.1", port))


def test_datagrams_come_in(tmp_path: Path) -> None:
    receiver = SyslogUdp("udp", "127.0.0.1", 0, whole=False)
    with running(tmp_path, receiver) as site:
        send_udp(receiver.port, BSD + EVENT, b"", NEW + b"- " + EVENT, b"<1>")
        assert site.wait_for(2) == [EVENT, EVENT]
        assert site.intake.lost == 0


def test_a_datagram_without_room_is_counted(tmp_path: Path) -> None:
    receiver = SyslogUdp("udp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver, segment=4) as site:
        send_udp(receiver.port, b"line 0")
        until(lambda: site.spool.last_line() == b"line 0")
        send_udp(receiver.port, b"line 1")
        until(lambda: site.spool.last_line() == b"line 1")
        send_udp(receiver.port, b"line 2", b"line 3")
        until(lambda: site.intake.lost == 2)
        assert "full" in site.intake.trouble
        assert site.read() == [b"line 0", b"line 1"]
        site.intake.saved()
        send_udp(receiver.port, b"line 4")
        assert site.wait_for(1) == [b"line 4"]


def test_what_the_kernel_dropped_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "_KERNEL_BUFFER", 1)  # the kernel takes its least
    receiver = SyslogUdp("udp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver) as site:
        with site.spool._lock:  # the thread waits with what it has
            send_udp(receiver.port, b"first")
            send_udp(receiver.port, *(b"x" * 900 for _ in range(500)))
        send_udp(receiver.port, b"last")  # may find no room either; the next will
        got: list[bytes] = []

        def accounted() -> bool:
            got.extend(site.read())
            send_udp(receiver.port, b"probe")
            taken = [line for line in got if line not in (b"probe", b"last", b"first")]
            return site.intake.lost >= 500 - len(taken) > 0

        until(accounted)


def test_a_datagram_is_handed_over_without_waiting_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "_POLL_SECONDS", 3 * PATIENCE)
    receiver = SyslogUdp("udp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver) as site:
        send_udp(receiver.port, b"one")
        assert site.wait_for(1) == [b"one"]
        receiver.stopping.set()
        send_udp(receiver.port, b"")  # else the end would wait for the timeout


class Wire:
    """A socket that has ever another datagram, until `end` comes in the place of the third."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end, self._received = end, 0

    def settimeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass

    def recvmsg(self, *_: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        self._received += 1
        if self._received == 3:
            self._end()
        return b"line %d" % self._received, [], 0, None


def closed() -> None:
    raise OSError(errno.EBADF, "closed under the thread")


def test_what_was_received_before_the_socket_went_is_kept(tmp_path: Path) -> None:
    receiver, spool = SyslogUdp("udp", "", 0, whole=True), Spool(tmp_path / "spool")
    receiver._socket = cast(socket.socket, Wire(closed))
    assert receiver._receive(spool) == [b"line 1", b"line 2"]


def test_a_stop_keeps_what_was_received_and_takes_no_more(tmp_path: Path) -> None:
    receiver, spool = SyslogUdp("udp", "", 0, whole=True), Spool(tmp_path / "spool")
    receiver._socket = cast(socket.socket, Wire(receiver.stopping.set))
    receiver.work(spool)
    assert [line for line, _ in spool.read(9, 999)] == [b"line 1", b"line 2", b"line 3"]


# ---------------------------------------------------------------- TCP


def send_tcp(port: int, *pieces: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sender:
        for piece in pieces:
            sender.sendall(piece)


def test_both_framings_on_one_connection(tmp_path: Path) -> None:
    receiver = SyslogTcp("tcp", "127.0.0.1", 0, whole=False)
    with running(tmp_path, receiver) as site:
        first, second = BSD + EVENT, NEW + b"- " + EVENT
        stream = b"%d %b" % (len(first), first) + second + b"\n" + first + b"\n"
        send_tcp(receiver.port, stream[:20], stream[20:90], stream[90:])
        assert site.wait_for(3) == [EVENT] * 3


def test_the_last_line_of_a_connection_needs_no_newline(tmp_path: Path) -> None:
    receiver = SyslogTcp("tcp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver) as site:
        send_tcp(receiver.port, b"<1>one\n<1>two")
        assert site.wait_for(2) == [b"one", b"two"]


def test_a_sender_that_is_none_is_cut_off(tmp_path: Path) -> None:
    receiver = SyslogTcp("tcp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver) as site:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=PATIENCE) as sender:
            sender.sendall(b"<1>one\n12x")
            assert sender.recv(1) == b""
        assert site.intake.trouble == "a sender was cut off: no frame length"
        send_tcp(receiver.port, b"<1>two\n")
        assert site.wait_for(2) == [b"one", b"two"] and site.intake.lost == 1


def test_a_full_spool_makes_the_sender_wait_and_loses_nothing(tmp_path: Path) -> None:
    receiver = SyslogTcp("tcp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver, segment=1000) as site:
        sent = [b"line %d" % n for n in range(2000)]
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=PATIENCE) as sender:
            for line in sent:
                sender.sendall(b"<1>" + line + b"\n")
        got: list[bytes] = []

        def all_came() -> bool:
            got.extend(site.read())
            site.intake.saved()
            return len(got) >= len(sent)

        until(all_came)
        assert got == sent and site.intake.lost == 0


@pytest.mark.parametrize(
    ("stream", "seconds"),
    [(b"\n" * 5000, 5.0), (b"<1>\n" * 5000, 5.0), (b"0 " * 5000, 5.0), (b"5 <1>a\n\n" * 900, 0.0)],
)
def test_empty_frames_make_their_sender_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bytes, seconds: float
) -> None:
    receiver, waits = SyslogTcp("tcp", "127.0.0.1", 0, whole=True), list[float]()
    with running(tmp_path, receiver) as site:
        monkeypatch.setattr(receiver.stopping, "wait", waits.append)
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=PATIENCE) as sender:
            sender.sendall(stream)
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(1) == b""  # all was read
        assert sum(waits) == pytest.approx(seconds, abs=0.01)
        assert site.intake.lost == 0


def test_half_a_frame_does_not_hold_a_connection_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog, "_FRAME_SECONDS", 0.1)
    receiver = SyslogTcp("tcp", "127.0.0.1", 0, whole=True)
    with (
        running(tmp_path, receiver),
        socket.create_connection(("127.0.0.1", receiver.port), timeout=PATIENCE) as sender,
    ):
        sender.sendall(b"<1>hal")
        assert sender.recv(1) == b""


def test_connections_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "_CONNECTIONS", 2)
    receiver = SyslogTcp("tcp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver) as site:
        where = ("127.0.0.1", receiver.port)
        held = [socket.create_connection(where, timeout=PATIENCE) for _ in range(3)]
        assert held[2].recv(1) == b""
        held[0].sendall(b"<1>one\n")
        assert site.wait_for(1) == [b"one"]
        for connection in held:
            connection.close()


# ---------------------------------------------------------------- a real sender


@pytest.mark.skipif(shutil.which("logger") is None, reason="needs util-linux's logger")
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("form", ["--rfc5424", "--rfc3164"])
def test_loggers_messages_come_in(tmp_path: Path, protocol: str, form: str) -> None:
    kind = SyslogUdp if protocol == "udp" else SyslogTcp
    receiver = kind(protocol, "127.0.0.1", 0, whole=False)
    with running(tmp_path, receiver) as site:
        for options in ([], ["--octet-count"] if protocol == "tcp" else []):
            address = ["--server", "127.0.0.1", "--port", str(receiver.port), f"--{protocol}"]
            argv = ["logger", *address, form, *options, "--tag", "suricata", "--id=7", EVENT]
            subprocess.run(argv, check=True, timeout=PATIENCE)
        assert site.wait_for(2) == [EVENT, EVENT]
