"""Lines over HTTP: taken with the token and only once they are on disk; nobody can hold us up."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from intakes import PATIENCE, TOKEN, Running, running, until

from responder.errors import Permanent
from responder.sensors import http_intake
from responder.sensors.http_intake import MAX_BODY, HttpIntake, read_token
from responder.sensors.line import MAX_LINE
from responder.sensors.receiver import Intake
from responder.sensors.spool import Spool

AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}


def receiver(home: Path) -> HttpIntake:
    file = home / "token"
    file.write_text(TOKEN + "\n")
    return HttpIntake("http://127.0.0.1:0/alerts", "127.0.0.1", 0, "/alerts", file)


@pytest.fixture
def http_receiver(tmp_path: Path) -> HttpIntake:
    return receiver(tmp_path)


@pytest.fixture
def site(tmp_path: Path, http_receiver: HttpIntake) -> Iterator[Running]:
    with running(tmp_path, http_receiver) as found:
        yield found


def ask(
    port: int,
    body: bytes | None = b"{}\n",
    headers: dict[str, str] | None = None,
    path: str = "/alerts",
    method: str = "POST",
) -> tuple[int, dict[str, str], dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, body, AUTHORISED if headers is None else headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, dict(answer.headers), json.loads(text) if text else {}


def raw(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_lines_are_taken(site: Running, http_receiver: HttpIntake) -> None:
    status, _, said = ask(http_receiver.port, b'{"a":1}\r\n\n{"b":2}')
    assert (status, said) == (200, {"lines": 2, "oversized": 0})
    assert site.read() == [b'{"a":1}', b'{"b":2}']


def test_several_bodies_on_one_connection(site: Running, http_receiver: HttpIntake) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", http_receiver.port, timeout=PATIENCE)
    for n in range(5):
        connection.request("POST", "/alerts", b"%d\n" % n, AUTHORISED)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"lines": 1, "oversized": 0}\n')
    connection.close()
    assert site.read() == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer \xe9"},
    ],
)
def test_without_the_token_nothing_is_taken(
    site: Running, http_receiver: HttpIntake, headers: dict[str, str]
) -> None:
    status, answered, said = ask(http_receiver.port, headers=headers)
    assert (status, answered["WWW-Authenticate"]) == (401, "Bearer")
    assert answered["Connection"] == "close"
    assert TOKEN not in json.dumps(said)
    assert site.read() == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /other HTTP/1.1\r\nA: {auth}\r\nContent-Length: 2\r\n\r\n{}", 404),
        (b"GET /alerts HTTP/1.1\r\nA: {auth}\r\n\r\n", 405),
        (b"BREW /alerts HTTP/1.1\r\nA: {auth}\r\nContent-Length: 2\r\n\r\n{}", 501),
        (b"POST /alerts HTTP/1.1\r\nA: {auth}\r\n\r\n", 411),
        (b"POST /alerts HTTP/1.1\r\nA: {auth}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /alerts HTTP/1.1\r\nA: {auth}\r\nContent-Length: -2\r\n\r\n{}", 400),
        (b"POST /alerts HTTP/1.1\r\nA: {auth}\r\nContent-Length: \xb2\r\n\r\n{}", 400),
        (
            b"POST /alerts HTTP/1.1\r\nA: {auth}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n"
            b"{}",
            400,
        ),
        (b"POST /alerts HTTP/1.1\r\nA: {auth}\r\nContent-Length: 4194305\r\n\r\n", 413),
        (b"nonsense\r\n\r\n", 400),
        (b"GET " + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /alerts HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (
            b"POST /alerts HTTP/1.1\r\n" + b"X: ".ljust(40_958, b"y") + b"\r\nX: " + b"y" * 40_934,
            431,
        ),
    ],
)
def test_other_requests_are_refused(
    site: Running, http_receiver: HttpIntake, data: bytes, status: int
) -> None:
    data = data.replace(b"A: {auth}", f"Authorization: Bearer {TOKEN}".encode())
    answer = raw(http_receiver.port, data)
    assert b" %d " % status in answer.split(b"\r\n")[0]
    assert site.read() == []


def test_each_request_of_a_connection_may_have_a_long_head(
    site: Running, http_receiver: HttpIntake
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", http_receiver.port, timeout=PATIENCE)
    for n in range(3):
        body = b"%d\n" % n * 100_000
        connection.request("POST", "/alerts", body, {**AUTHORISED, "X-Long": "x" * 60_000})
        answer = connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read())["lines"] == 100_000
    connection.close()


def test_a_stranger_is_not_told_to_go_on(site: Running, http_receiver: HttpIntake) -> None:
    head = b"POST /alerts HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
    assert raw(http_receiver.port, head + b"\r\n").startswith(b"HTTP/1.1 401 ")
    known = head + f"Connection: close\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    answer = raw(http_receiver.port, known + b"{}")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert site.read() == [b"{}"]


def test_an_oversized_line_takes_no_other_with_it(site: Running, http_receiver: HttpIntake) -> None:
    body = b"one\n" + b"x" * (MAX_LINE + 1) + b"\n" + b"y" * MAX_LINE + b"\n"
    assert ask(http_receiver.port, body)[2] == {"lines": 2, "oversized": 1}
    assert [len(line) for line in site.read()] == [3, MAX_LINE]
    assert site.intake.oversized == 1


def test_the_largest_body(site: Running, http_receiver: HttpIntake) -> None:
    assert ask(http_receiver.port, b"x" * 99 + b"\n" + b"\n" * (MAX_BODY - 100))[0] == 200
    assert site.read() == [b"x" * 99]


def test_a_body_that_breaks_off_is_not_taken(site: Running, http_receiver: HttpIntake) -> None:
    head = f"POST /alerts HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", http_receiver.port)) as connection:
        connection.sendall(head.encode() + b"one\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(99) == b""
    assert site.read() == []


def test_a_full_spool_says_when_to_come_again(tmp_path: Path, http_receiver: HttpIntake) -> None:
    with running(tmp_path, http_receiver, segment=4) as site:
        for line in (b"first\n", b"second\n"):
            assert ask(http_receiver.port, line)[0] == 200
        status, headers, said = ask(http_receiver.port, b"third\n")
        assert (status, headers["Retry-After"]) == (503, "5")
        assert said == {"error": "no room just now; nothing was taken"}
        assert "is full" in site.intake.trouble
        assert site.read() == [b"first", b"second"]
        site.intake.saved()
        assert ask(http_receiver.port, b"third\n")[0] == 200
        assert site.read() == [b"third"] and site.intake.trouble == ""


def test_who_trickles_is_cut_off_and_holds_nobody_up(
    site: Running, http_receiver: HttpIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_intake, "_HEAD_SECONDS", 0.3)
    ended = threading.Event()

    def trickle() -> None:
        with socket.create_connection(("127.0.0.1", http_receiver.port)) as connection:
            connection.settimeout(0.02)
            for byte in b"POST /alerts HTTP/1.1\r\nX-Long: " + b"x" * 100_000:
                try:
                    connection.send(bytes([byte]))
                    if connection.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            ended.set()

    thread = threading.Thread(target=trickle)
    thread.start()
    assert ask(http_receiver.port)[0] == 200
    assert site.read() == [b"{}"]
    assert ended.wait(PATIENCE)
    thread.join()


def test_connections_are_limited(site: Running, http_receiver: HttpIntake) -> None:
    idle = [
        socket.create_connection(("127.0.0.1", http_receiver.port), timeout=PATIENCE)
        for _ in range(33)
    ]
    assert idle[-1].recv(99).startswith(b"HTTP/1.1 503 ")
    for connection in idle:
        connection.close()
    assert until(lambda: ask(http_receiver.port)[0] == 200)


def test_bodies_read_at_once_are_limited(site: Running, http_receiver: HttpIntake) -> None:
    head = f"POST /alerts HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n"
    go_on = head.encode() + b"Expect: 100-continue\r\n\r\n"
    held = [
        socket.create_connection(("127.0.0.1", http_receiver.port), timeout=PATIENCE)
        for _ in range(8)
    ]
    for connection in held:
        connection.sendall(go_on)
        assert connection.recv(99) == b"HTTP/1.1 100 Continue\r\n\r\n"
    until(lambda: ask(http_receiver.port)[0] == 503)  # once the last of them waits for its body
    for connection in held:
        connection.sendall(b"{}")
        assert connection.recv(99).startswith(b"HTTP/1.1 200 ")
        connection.close()
    assert len(site.read()) >= 8


def test_it_can_be_closed_and_opened_again(site: Running, http_receiver: HttpIntake) -> None:
    waiting = socket.create_connection(("127.0.0.1", http_receiver.port), timeout=PATIENCE)
    waiting.sendall(b"POST ")
    port = http_receiver.port
    site.intake.close()
    assert waiting.recv(9) == b""
    waiting.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    site.read()
    assert ask(http_receiver.port)[0] == 200
    assert site.read() == [b"{}"]


def test_a_taken_port_is_said_and_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        http_receiver = receiver(tmp_path)
        http_receiver = HttpIntake("the intake", "127.0.0.1", port, "/alerts", tmp_path / "token")
        intake = Intake(Spool(tmp_path / "spool" / "a.ndjson"), http_receiver)
        assert intake.read(1, 1) == []
        assert intake.trouble == "cannot listen on the intake: Address already in use"
    intake.read(1, 1)
    assert intake.trouble == "" and ask(port)[0] == 200
    intake.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read the token file"),
        (b"short\n", "shorter than 16"),
        (b"", "shorter"),
        ("schl\u00fcssel-schl\u00fcssel".encode(), "ASCII letters, digits and signs"),
        (b"two tokens\nin one file", "may hold ASCII"),
    ],
)
def test_a_token_worth_the_name_is_needed(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Permanent, match=said):
        read_token(path)


@pytest.mark.parametrize("header", ["", "Bearer \udcff", "Bearer \ud800\udfff", "\x00 \x00"])
def test_any_header_can_be_compared(http_receiver: HttpIntake, header: str) -> None:
    assert not http_receiver.knows(header)


def test_the_token_is_nowhere_to_be_seen(
    site: Running, http_receiver: HttpIntake, caplog: pytest.LogCaptureFixture
) -> None:
    ask(http_receiver.port)
    ask(http_receiver.port, headers={"Authorization": f"Bearer {TOKEN}x"})
    assert TOKEN not in caplog.text + repr(http_receiver) + repr(site.intake)
