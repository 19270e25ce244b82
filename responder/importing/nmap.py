"""What a scan by nmap found: its XML, as `nmap -oX FILE` writes it (nmap.org/book/output-formats).

Whoever answers the scan, or its reverse DNS, has a say in the file. So nothing in it is expanded: a
document that declares entities is refused, and what its document type names is never fetched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from policies.documents import EntryError, name
from responder.errors import Permanent
from responder.importing.gathering import Gathered
from responder.sensors.line import address

__all__ = ["read_nmap"]

_MAX_DEPTH = 64
_FAMILIES = ("ipv4", "ipv6")  # and not "mac"


def read_nmap(path: Path) -> Gathered:
    """Every host that is up and has an address; its id is its first name, or else address, that no
    host before it has.

    Raises Permanent with the line of what is wrong.
    """
    gathered = Gathered(path)
    data = gathered.content()
    parser = expat.ParserCreate()
    scan = _Scan(gathered, parser)
    try:
        # At once: older versions of expat scan a long token again for each piece of it.
        parser.Parse(data, True)
        if not scan.finished:
            raise EntryError("", "no nmaprun")
    except EntryError as error:
        raise Permanent(f"{path}:{parser.CurrentLineNumber}: {error}") from error
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise Permanent(f"{path}:{error.lineno}: not XML: {reason}; scan with -oX") from error
    except (LookupError, ValueError) as error:  # of the encoding that it names
        raise Permanent(f"{path}:1: not XML: {error}; scan with -oX") from error
    return gathered


@dataclass
class _Host:
    where: str
    up: bool = False
    addresses: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


class _Scan:
    """Handlers that gather hosts as their elements end."""

    def __init__(self, gathered: Gathered, parser: expat.XMLParserType) -> None:
        self.finished = False
        self._gathered, self._parser = gathered, parser
        self._open: list[str] = []  # elements
        self._host: _Host | None = None
        self._claimed: set[str] = set()  # names and addresses of hosts so far
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse
        parser.StartDoctypeDeclHandler = self._document_type

    def _refuse(self, *declared: Any) -> None:
        raise EntryError("", "declares entities, as nmap never does")

    def _document_type(self, name: str, system: Any, public: Any, internal: int) -> None:
        if internal:
            self._refuse()

    def _start(self, element: str, said: dict[str, str]) -> None:
        self._open.append(element)
        if len(self._open) > _MAX_DEPTH:
            raise EntryError("", f"nested more than {_MAX_DEPTH} deep")
        if self._open[0] != "nmaprun":
            raise EntryError("", f"begins with {element[:80]!r}, not with nmaprun; scan with -oX")
        inside = self._open[1:]
        if inside == ["host"]:
            self._host = _Host(f"line {self._parser.CurrentLineNumber}")
        elif self._host is None:
            return
        elif inside == ["host", "status"]:
            self._host.up = said.get("state") == "up"
        elif inside == ["host", "address"] and said.get("addrtype") in _FAMILIES:
            self._address(self._host, said.get("addr", ""))
        elif inside == ["host", "hostnames", "hostname"]:
            self._name(self._host, said.get("name", ""))

    def _end(self, element: str) -> None:
        self._open.pop()
        self.finished = not self._open
        if len(self._open) == 1 and self._host is not None:
            host, self._host = self._host, None
            if host.up:
                self._add(host)

    def _address(self, host: _Host, given: str) -> None:
        found = address(given)
        if not found:
            raise EntryError("", f"{given[:80]!r} is not an address")
        host.addresses.append(found)

    def _name(self, host: _Host, given: str) -> None:
        try:
            known = name(given, "")
        except EntryError as error:
            self._gathered.leave_out(host.where, given, str(error))
            return
        if address(known):  # it would take the place of the host that has it
            self._gathered.leave_out(host.where, known, "an address where a name should be")
        else:
            host.names.append(known)

    def _add(self, host: _Host) -> None:
        if not host.addresses:
            self._gathered.leave_out(host.where, ", ".join(host.names), "a host without address")
            return
        known = [*host.names, *host.addresses]
        free = [k for k in known if k.lower() not in self._claimed]
        if not free:
            self._gathered.leave_out(host.where, known[0], "all of it is other hosts' already")
            return
        self._claimed.update(k.lower() for k in known)
        names = [n for n in host.names if n != free[0]]
        self._gathered.add(host.where, {"id": free[0], "addresses": host.addresses, "names": names})
