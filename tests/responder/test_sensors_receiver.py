"""What a receiver does with lines when it is told to stop, and with what keeps going wrong."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from intakes import PATIENCE, running, until

from responder.errors import CountersignError, Permanent, Temporary
from responder.sensors.receiver import Receiver
from responder.sensors.spool import Spool
from responder.sensors.syslog import SyslogTcp


def stopped() -> Receiver:
    receiver = Receiver("test")
    receiver.stopping.set()
    return receiver


def test_lines_taken_off_a_sender_are_spooled_although_it_is_to_stop(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert stopped().put(spool, [b"one"])
    assert spool.last_line() == b"one" and spool.lost == 0


@pytest.mark.parametrize(("kept", "lost"), [(False, 2), (True, 0)])
def test_what_finds_no_room_before_the_stop_is_counted(
    tmp_path: Path, kept: bool, lost: int
) -> None:
    spool = Spool(tmp_path / "spool", segment=1)
    spool.append([b"one"])
    spool.append([b"two"])
    assert not stopped().put(spool, [b"three", b"four"], kept=kept)
    assert spool.lost == lost and spool.last_line() == b"two"


def test_a_stop_accounts_for_every_line_of_a_tcp_sender(tmp_path: Path) -> None:
    receiver = SyslogTcp("tcp", "127.0.0.1", 0, whole=True)
    with running(tmp_path, receiver, segment=4) as site:
        where = ("127.0.0.1", receiver.port)
        with socket.create_connection(where, timeout=PATIENCE) as sender:
            sender.sendall(b"one\n")
            until(lambda: site.spool.last_line() == b"one")
            sender.sendall(b"two\n")
            until(lambda: site.spool.last_line() == b"two")
            sender.sendall(b"late 1\nlate 2\n")
            until(lambda: "is full" in site.intake.trouble)
            site.intake.close()
        assert site.intake.lost == 2


class Waits(threading.Event):
    """Set by the first wait, which it tells."""

    seconds: float | None = None

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds = self.seconds or timeout
        self.set()
        return True


class Failing(Receiver):
    def __init__(self, error: CountersignError) -> None:
        super().__init__("test")
        self._error = error

    def work(self, spool: Spool) -> None:
        raise self._error


def first_wait(home: Path, error: CountersignError) -> float:
    receiver, waits = Failing(error), Waits()
    receiver.stopping = waits
    receiver._run(Spool(home / "spool"))
    assert receiver.trouble == str(error) and waits.seconds
    return waits.seconds


def test_what_only_a_person_can_mend_is_not_tried_every_second(tmp_path: Path) -> None:
    assert first_wait(tmp_path, Permanent("wrong password")) == 60
    assert first_wait(tmp_path, Temporary("not there")) == 1
