"""What sshd, sudo, su and PAM say about logins, whatever writes the lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policies.alerts import Alert, Tactic
from responder.clock import ManualClock
from responder.errors import Permanent
from responder.sensors import MalformedLine, parser

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
KEY = "8wFbiaYPevKS/wYKnePO20v0iymTcrRh4Kr+1uRS1UM"
FAILED = "Failed password for root from 203.0.113.9 port 22 ssh2"


def read(message: str, head: str = "2026-02-03T04:05:06Z mail sshd[9]: ") -> Alert | None:
    return parser("auth", clock=ManualClock(NOW)).parse((head + message).encode())


def told(message: str, program: str = "sshd") -> str:
    alert = read(message, f"2026-02-03T04:05:06Z mail {program}[9]: ")
    return alert.type if alert else ""


def test_a_proven_key() -> None:
    message = f"Accepted publickey for alice from 10.0.0.7 port 55218 ssh2: ED25519 SHA256:{KEY}"
    assert read(message) == Alert(
        time=1770091506.0,
        sensor="auth",
        type="sshd.accepted-key",
        title="sshd: accepted public key",
        severity=0.2,
        host="mail",
        src="10.0.0.7",
        credential=f"ssh:SHA256:{KEY}",
    )


@pytest.mark.parametrize(
    ("program", "message", "kind"),
    [
        ("sshd", "Accepted password for alice from 10.0.0.7 port 5 ssh2", "sshd.accepted"),
        ("sshd-session", FAILED, "sshd.failed-password"),
        ("/usr/sbin/sshd", FAILED, "sshd.failed-password"),
        ("sshd", f"message repeated 2 times: [ {FAILED}]", "sshd.failed-password"),
        (
            "sshd",
            f"Failed publickey for a from ::1 port 2 ssh2: RSA SHA256:{KEY}",
            "sshd.failed-key",
        ),
        ("sshd", "Failed none for invalid user a b from 10.0.0.7 port 2 ssh2", "sshd.invalid-user"),
        ("sshd", "Invalid user  from 10.0.0.7 port 2", "sshd.invalid-user"),
        ("sshd", "Invalid user admin from 10.0.0.7", "sshd.invalid-user"),
        (
            "sshd",
            "error: maximum authentication attempts exceeded for root from 10.0.0.7 port 2 ssh2"
            " [preauth]",
            "sshd.too-many-failures",
        ),
        (
            "sshd",
            "Did not receive identification string from 10.0.0.7 port 2",
            "sshd.no-identification",
        ),
        ("sshd", "Connection closed by 10.0.0.7 port 2 [preauth]", ""),
        ("sudo", "   al : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo.root"),
        ("sudo", "al : PWD=/ ; USER=www ; COMMAND=/bin/echo ; USER=root ; x", "sudo.user"),
        (
            "sudo",
            "al : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            "sudo.failed",
        ),
        ("sudo", "al : user NOT in sudoers ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo.denied"),
        ("sudo", "pam_unix(sudo:session): session closed for user root", ""),
        ("su", "Successful su for root by alice", "su.root"),
        ("su", "(to www-data) alice on pts/1", "su.user"),
        ("su", "+ /dev/pts/0 alice:root", "su.root"),
        ("su", "FAILED SU (to root) alice on pts/1", "su.failed"),
        (
            "vsftpd",
            "pam_unix(vsftpd:auth): authentication failure; ruser=a rhost=::1",
            "pam.failed",
        ),
        ("sshd", "pam_unix(sshd:auth): authentication failure; rhost=10.0.0.7", ""),  # sshd says it
        ("CRON", FAILED, ""),
    ],
)
def test_messages(program: str, message: str, kind: str) -> None:
    assert told(message, program) == kind


@pytest.mark.parametrize(
    ("message", "source"),
    [
        ("Failed password for root from 9.9.9.9 port 1 ssh2 from 10.0.0.5 port 4 ssh2", "10.0.0.5"),
        ("Invalid user a from 9.9.9.9 port 1 from 10.0.0.5 port 4", "10.0.0.5"),
        ("Bad protocol version identification 'x from 9.9.9.9 port 1' from 10.0.0.5", "10.0.0.5"),
        ("Failed password for root from host.example.com port 4 ssh2", ""),
    ],
)
def test_a_name_cannot_frame_an_address(message: str, source: str) -> None:
    alert = read(message)
    assert alert is not None and alert.src == source


def test_a_name_cannot_frame_pams_address() -> None:
    message = "pam_unix(ftp:auth): authentication failure; ruser=a rhost=9.9.9.9 rhost=10.0.0.5"
    alert = read(message, "2026-02-03T04:05:06Z mail ftp: ")
    assert alert is not None and alert.src == ""


def test_a_name_cannot_prove_a_key() -> None:
    login = f"Accepted publickey for a from 10.0.0.7 port 1 ssh2: RSA SHA256:{KEY}"
    alert = read(f"Invalid user {login} from 10.0.0.5 port 4")
    assert alert is not None and (alert.type, alert.credential) == ("sshd.invalid-user", "")


@pytest.mark.parametrize(
    ("head", "moment"),
    [
        ("Mar  1 11:59:00 ", "2026-03-01T11:59:00+00:00"),
        ("Mar  2 11:59:00.123456 ", "2026-03-02T11:59:00+00:00"),  # a clock that is ahead
        ("Mar  3 11:59:00 ", "2025-03-03T11:59:00+00:00"),
        ("Dec 31 23:59:60 ", "2026-01-01T00:00:00+00:00"),
        ("Feb 29 00:00:00 ", "2024-02-29T00:00:00+00:00"),
        ("<38>Jan 15 06:53:50 ", "2026-01-15T06:53:50+00:00"),
        ("2026-01-15T06:53:50+0100 ", "2026-01-15T05:53:50+00:00"),
        ("2026-01-15T06:53:50.250000-05:30 ", "2026-01-15T12:23:50.25+00:00"),
        ("1768460030.5 ", "2026-01-15T06:53:50.5+00:00"),
    ],
)
def test_stamps(head: str, moment: str) -> None:
    alert = read(FAILED, f"{head}mail sshd[9]: ")
    assert alert is not None and alert.host == "mail"
    assert datetime.fromtimestamp(alert.time, UTC) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "data",
    [
        "-",
        "[a b=1]",
        '[timeQuality tzKnown="1"]',
        '[timeQuality tzKnown="1"][meta sequenceId="2"]',
        '[meta x="a\\]b"]',
        '[meta x="a\\" ] b"][y@1 z="]"]',
        f'[meta x="{"y" * 2000}"]',
    ],
    ids=lambda data: data[:24],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_rfc_5424(data: str, mark: str) -> None:
    alert = read(FAILED, f"<38>1 2026-01-15T06:53:50Z mail sshd 9 - {data} {mark}")
    assert alert is not None and alert.type == "sshd.failed-password"
    assert alert.src == "203.0.113.9"


def test_rfc_5424_needs_no_message() -> None:
    assert read("", "<38>1 2026-01-15T06:53:50Z mail sshd 9 - -") is None


@pytest.mark.parametrize(
    "data", ['[a b="1" ', "no data ", '[a b="1"]x ', "[" * 9000], ids=lambda data: data[:9]
)
def test_a_line_that_is_not_as_rfc_5424_has_it_is_said(data: str) -> None:
    with pytest.raises(MalformedLine, match="not an RFC 5424 line"):
        read(FAILED, f"<38>1 2026-01-15T06:53:50Z mail sshd 9 - {data}")


def test_stamps_of_a_zone() -> None:
    line = f"Jan 15 06:53:50 mail sshd[9]: {FAILED}".encode()
    here, there = parser("auth").parse(line), parser("auth", zone="Europe/Berlin").parse(line)
    assert here is not None and there is not None and here.time - there.time == 3600


def test_an_unknown_zone_is_a_clear_error() -> None:
    with pytest.raises(Permanent, match=r"no time zone 'Nowhere/Town'; expected one like"):
        parser("auth", zone="Nowhere/Town")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"no log line", "not a syslog line"),
        (b"Foo 15 06:53:50 mail sshd[9]: x", "no such month"),
        (b"Feb 30 06:53:50 mail sshd[9]: x", "no such day or time"),
        (b"Jan 15 06:53:61 mail sshd[9]: x", "no such day or time"),
        (b"2026-13-15T06:53:50Z mail sshd[9]: x", "time is not ISO 8601"),
        (b"1026-01-15T06:53:50Z mail sshd[9]: x", "time is out of range"),
    ],
)
def test_malformed(line: bytes, reason: str) -> None:
    with pytest.raises(MalformedLine) as caught:
        parser("auth").parse(line)
    assert caught.value.reason == reason


def test_bytes_that_are_no_utf_8_hide_nothing() -> None:
    line = b"Jan 15 06:53:50 mail sshd[9]: Invalid user \xff\xfe from 10.0.0.5 port 4"
    alert = parser("auth").parse(line)
    assert alert is not None and alert.src == "10.0.0.5"


def test_tactics() -> None:
    guess, login = read(FAILED), read("Accepted password for a from 10.0.0.7 port 5 ssh2")
    assert guess is not None and guess.tactic is Tactic.CREDENTIAL_ACCESS
    assert login is not None and login.tactic is None
