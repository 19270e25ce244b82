"""The list of servers of a testbed that Kyoushi set up, as the AIT data sets carry it (Landauer et
al., "Have it Your Way", IEEE Transactions on Reliability, 2021): a YAML mapping by host name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from policies import documents
from policies.documents import EntryError, joined, mapping, optional_name, sequence
from responder.errors import Permanent
from responder.importing.gathering import Gathered

__all__ = ["read_kyoushi"]

_ATTACKERS = "attacker"
_ZONES = ("internet", "dmz", "intranet", "remote_employee", "internal_employee")


def read_kyoushi(path: Path) -> Gathered:
    """Every server and workstation but the attacker's, in the zone of the first group that is one.

    Raises Permanent with the line of what is wrong.
    """
    try:
        document = documents.load(path)
    except EntryError as error:
        raise Permanent(str(error)) from error
    try:
        return _gather(path, document.data)
    except EntryError as error:
        raise Permanent(f"{document.at(error.place)}: {error.reason}") from error


def _gather(path: Path, data: Any) -> Gathered:
    gathered = Gathered(path)
    for key, value in mapping(data, "").items():
        place = str(key)
        host = mapping(value, place)
        groups = sequence(host, "groups", place)
        if _ATTACKERS in groups:
            gathered.leave_out(place, place, "of the attacker's")
            continue
        hostname = optional_name(host, "hostname", place)
        # Logs write a host's name with either.
        spelled = {hostname, hostname.replace("-", "_")} - {"", place}
        entry = {
            "id": place,
            "zone": next((zone for zone in _ZONES if zone in groups), "default"),
            "addresses": sequence(host, "ipv4_addresses", place)
            + sequence(host, "ipv6_addresses", place),
            "names": sorted(spelled) + sequence(host, "fqdns", place),
        }
        try:
            gathered.add(place, entry)
        except EntryError as error:
            where = joined(place, error.place) if error.place else place
            raise EntryError(where, error.reason) from error
    return gathered
