"""auth.log, /var/log/secure and `journalctl`: what sshd, sudo, su and PAM say about logins.

Lines as syslog daemons and journald write them: an old stamp ("Jan 15 06:53:50", `short`,
`short-precise`), an ISO 8601 one (`short-iso`, rsyslog's file format, RFC 5424) or Unix seconds
(`short-unix`), then host, program and message.

Users choose what stands in a message: names may hold spaces and whole log lines. So patterns are
anchored at both ends and take the last address, which is sshd's own.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from policies.alerts import Alert
from responder.clock import Clock
from responder.sensors.line import LATEST, MAX_LINE, STRUCTURED_DATA, MalformedLine, address, tidy
from responder.sensors.tactics import Tactics

__all__ = ["AuthParser", "proven_key"]

_MAX_READ = 4096  # bytes of a line; sshd cuts a name at 100 characters
_DAY = 86_400.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_HEADER = re.compile(
    r"(?:<\d{1,3}>(?P<rfc5424>1 )?)?"
    r"(?:(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d)(?:\.\d{1,9})?"
    r"|(?P<iso>\d{4}-\d\d-\d\dT[0-9:.,]{5,18}(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<unix>\d{9,12}(?:\.\d{1,9})?))"
    r" (?P<host>\S{1,255}) (?P<rest>\S.*)",
    re.ASCII | re.DOTALL,
)
_PROGRAM = re.compile(r"(?P<program>[\w./-]{1,64})(?:\[\d{1,10}\])?: (?P<message>.*)", re.DOTALL)
# APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]
_RFC5424 = re.compile(
    r"(?P<program>\S{1,64}) \S{1,128} \S{1,32} "
    + STRUCTURED_DATA
    + r"(?: \ufeff?|\Z)(?P<message>.*)",
    re.DOTALL,
)
_REPEATED = re.compile(r"message repeated \d{1,9} times: \[ (.*)\]", re.DOTALL)

_FROM = r" from (?P<src>\S{2,45})(?: port \d{1,5})?"
_END = r"(?: ssh2)?(?: \[preauth\])?"
_SUDO_AS = r"\S+ : (?:(?!COMMAND=)[^;]* ; )*?USER="
_KEY = r"(?:: \S{1,40} SHA256:(?P<fingerprint>[A-Za-z0-9+/]{43})(?:\s.*)?)?"

_Event = tuple[str, str, float, re.Pattern[str]]  # type, title, severity, pattern


def _event(kind: str, title: str, severity: float, pattern: str) -> _Event:
    return kind, title, severity, re.compile(pattern, re.DOTALL)


_SSHD = (
    _event(
        "sshd.accepted-key",
        "sshd: accepted public key",
        0.2,
        r"Accepted publickey for \S+" + _FROM + r" ssh2" + _KEY,
    ),
    _event(
        "sshd.accepted",
        "sshd: accepted login",
        0.2,
        r"Accepted [\w/-]{1,64} for \S+" + _FROM + r"(?: ssh2)?",
    ),
    _event("sshd.invalid-user", "sshd: invalid user", 0.4, r"Invalid user .*" + _FROM + _END),
    _event(
        "sshd.invalid-user",
        "sshd: invalid user",
        0.4,
        r"Failed [\w/-]{1,64} for invalid user .*" + _FROM + _END,
    ),
    # Clients try one key after the other, and anyone may offer anybody's: no sign of guessing.
    _event(
        "sshd.failed-key",
        "sshd: public key not accepted",
        0.2,
        r"Failed publickey for .*" + _FROM + r"(?: ssh2.*)?",
    ),
    _event(
        "sshd.failed-password",
        "sshd: failed login",
        0.4,
        r"Failed [\w/-]{1,64} for .*" + _FROM + _END,
    ),
    _event(
        "sshd.too-many-failures",
        "sshd: maximum authentication attempts exceeded",
        0.5,
        r"(?:error: )?maximum authentication attempts exceeded for .*" + _FROM + _END,
    ),
    _event(
        "sshd.no-identification",
        "sshd: no or a bad identification",
        0.3,
        r"(?:error: )?(?:Did not receive identification string|Bad protocol version"
        r" identification .*)" + _FROM,
    ),
)
_SUDO = (
    _event(
        "sudo.failed", "sudo: wrong password", 0.5, r"\S+ : \d+ incorrect password attempts? ; .*"
    ),
    _event(
        "sudo.denied",
        "sudo: not allowed",
        0.6,
        r"\S+ : (?:user NOT in sudoers|user NOT authorized on host|command not allowed) ; .*",
    ),
    _event("sudo.root", "sudo: command as root", 0.3, _SUDO_AS + r"root ; .*"),
    _event("sudo.user", "sudo: command as another user", 0.2, _SUDO_AS + r"\S+ ; .*"),
)
_SU = (
    _event(
        "su.failed", "su: failed", 0.5, r"FAILED (?:SU \(to \S+\)|su for \S+ by) .*|- \S+ \S+:\S+"
    ),
    _event(
        "su.root",
        "su: changed to root",
        0.3,
        r"Successful su for root by \S+|\(to root\) \S+ on \S+|\+ \S+ \S+:root",
    ),
    _event(
        "su.user",
        "su: changed to another user",
        0.2,
        r"Successful su for \S+ by \S+|\(to \S+\) \S+ on \S+|\+ \S+ \S+:\S+",
    ),
)
_PROGRAMS = {"sshd": _SSHD, "sshd-session": _SSHD, "sudo": _SUDO, "su": _SU}
_PAM = _event(
    "pam.failed",
    "PAM: authentication failure",
    0.4,
    r"pam_\w{1,32}\([\w:.-]{1,64}\): authentication failure; .*",
)
_REMOTE = re.compile(r"\brhost=(\S{2,45})")


class AuthParser:
    """One log line a line; those that tell of no login are fine and ignored.

    An old stamp has neither year nor offset: it is taken as the latest time that is not more than
    a day ahead of `clock`, in `zone`. So such a log is read as it was meant for a year.
    """

    def __init__(self, tactics: Tactics, zone: tzinfo, clock: Clock) -> None:
        self._tactics = tactics
        self._zone = zone
        self._clock = clock

    def parse(self, line: bytes) -> Alert | None:
        header = _header(line)
        if header is None:
            return None
        moment = self._moment(header)
        said = (_RFC5424 if header["rfc5424"] else _PROGRAM).fullmatch(header["rest"])
        if said is None and header["rfc5424"]:
            raise MalformedLine("not an RFC 5424 line")
        if said is None:
            return None  # the kernel, and programs without a name
        message = said["message"].strip()  # sudo pads its names
        repeated = _REPEATED.fullmatch(message)
        found = _recognise(_name(said["program"]), repeated[1] if repeated else message)
        if found is None:
            return None
        (kind, title, severity, _), match = found
        fields = match.groupdict()
        fingerprint = fields.get("fingerprint")
        remote = fields["src"] if "src" in fields else _remote(message)
        return Alert(
            time=moment,
            sensor="auth",
            type=kind,
            title=title,
            severity=severity,
            tactic=self._tactics.of("auth", kind, title),
            host=tidy(header["host"]),
            src=address(remote),
            credential=f"ssh:SHA256:{fingerprint}" if fingerprint else "",
        )

    def _moment(self, header: re.Match[str]) -> float:
        if header["unix"]:
            result = float(header["unix"])
        elif header["iso"]:
            try:
                result = datetime.fromisoformat(header["iso"]).timestamp()
            except ValueError:
                raise MalformedLine("time is not ISO 8601") from None
        else:
            result = self._latest(header["month"], header["day"], header["clock"])
        if not 0 <= result < LATEST:
            raise MalformedLine("time is out of range")
        return result

    def _latest(self, month: str, day: str, clock: str) -> float:
        if month not in _MONTHS:
            raise MalformedLine("no such month")
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        if seconds > 60:
            raise MalformedLine("no such day or time")
        limit = self._clock.now() + _DAY
        year = datetime.fromtimestamp(limit, self._zone).year
        for candidate in range(year, year - 9, -1):  # the 29th of February: every eighth at worst
            try:
                moment = datetime(
                    candidate, _MONTHS.index(month) + 1, int(day), hours, minutes, tzinfo=self._zone
                )
            except ValueError:
                continue
            result = (moment + timedelta(seconds=seconds)).timestamp()  # 60 is a leap second
            if result <= limit:
                return result
        raise MalformedLine("no such day or time")


def proven_key(log: str) -> str:
    """The id of the key that a login proved to hold, "ssh:SHA256:...", in a line of sshd's.

    Empty for anything else: "Failed publickey" is not read, since anyone can offer somebody else's
    public key, and would get it revoked.
    """
    header = _HEADER.fullmatch(log[:_MAX_READ])
    said = _PROGRAM.fullmatch(header["rest"]) if header else None
    if said is None or _PROGRAMS.get(_name(said["program"])) is not _SSHD:
        return ""
    found = _SSHD[0][3].fullmatch(said["message"].strip())
    return f"ssh:SHA256:{found['fingerprint']}" if found and found["fingerprint"] else ""


def _header(line: bytes) -> re.Match[str] | None:
    if len(line) > MAX_LINE:
        raise MalformedLine("line over 1 MiB")
    if not line.strip():
        return None
    # Replaced, not refused: bytes that are no UTF-8 must not hide a line.
    header = _HEADER.fullmatch(line[:_MAX_READ].decode("utf-8", "replace").rstrip())
    if header is None:
        raise MalformedLine("not a syslog line")
    return header


def _name(program: str) -> str:
    """Without its path, which some daemons write."""
    return program.rpartition("/")[2]


def _recognise(program: str, message: str) -> tuple[_Event, re.Match[str]] | None:
    for event in _PROGRAMS.get(program, (_PAM,)):
        if match := event[3].fullmatch(message):
            return event, match
    return None


def _remote(message: str) -> str:
    """PAM's remote host. It stands between two names that users choose."""
    found = _REMOTE.findall(message)
    return found[0] if len(found) == 1 else ""
