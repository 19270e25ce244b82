"""The alert record: what every sensor, real or simulated, says in the same words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

__all__ = ["TACTIC_IDS", "Alert", "Stage", "Tactic"]


class Tactic(IntEnum):
    """MITRE ATT&CK Enterprise tactics, in the order of the public matrix."""

    RECONNAISSANCE = 0
    RESOURCE_DEVELOPMENT = 1
    INITIAL_ACCESS = 2
    EXECUTION = 3
    PERSISTENCE = 4
    PRIVILEGE_ESCALATION = 5
    DEFENSE_EVASION = 6
    CREDENTIAL_ACCESS = 7
    DISCOVERY = 8
    LATERAL_MOVEMENT = 9
    COLLECTION = 10
    COMMAND_AND_CONTROL = 11
    EXFILTRATION = 12
    IMPACT = 13


TACTIC_IDS: dict[Tactic, str] = {
    Tactic.RECONNAISSANCE: "TA0043",
    Tactic.RESOURCE_DEVELOPMENT: "TA0042",
    Tactic.INITIAL_ACCESS: "TA0001",
    Tactic.EXECUTION: "TA0002",
    Tactic.PERSISTENCE: "TA0003",
    Tactic.PRIVILEGE_ESCALATION: "TA0004",
    Tactic.DEFENSE_EVASION: "TA0005",
    Tactic.CREDENTIAL_ACCESS: "TA0006",
    Tactic.DISCOVERY: "TA0007",
    Tactic.LATERAL_MOVEMENT: "TA0008",
    Tactic.COLLECTION: "TA0009",
    Tactic.COMMAND_AND_CONTROL: "TA0011",
    Tactic.EXFILTRATION: "TA0010",
    Tactic.IMPACT: "TA0040",
}


class Stage(IntEnum):
    """Tactics grouped by what they mean for containment; the policy sees stages, not products."""

    RECON = 0
    ENTRY = 1
    FOOTHOLD = 2
    CREDENTIALS = 3
    SPREAD = 4
    IMPACT = 5
    UNKNOWN = 6  # no tactic known: plain novelty

    @staticmethod
    def of(tactic: Tactic | None) -> Stage:
        """The stage of a tactic; UNKNOWN without one."""
        return Stage.UNKNOWN if tactic is None else _STAGES[tactic]


_STAGES: dict[Tactic, Stage] = {
    Tactic.RECONNAISSANCE: Stage.RECON,
    Tactic.RESOURCE_DEVELOPMENT: Stage.RECON,
    Tactic.DISCOVERY: Stage.RECON,
    Tactic.INITIAL_ACCESS: Stage.ENTRY,
    Tactic.EXECUTION: Stage.ENTRY,
    Tactic.PERSISTENCE: Stage.FOOTHOLD,
    Tactic.PRIVILEGE_ESCALATION: Stage.FOOTHOLD,
    Tactic.DEFENSE_EVASION: Stage.FOOTHOLD,
    Tactic.CREDENTIAL_ACCESS: Stage.CREDENTIALS,
    Tactic.LATERAL_MOVEMENT: Stage.SPREAD,
    Tactic.COMMAND_AND_CONTROL: Stage.SPREAD,
    Tactic.COLLECTION: Stage.IMPACT,
    Tactic.EXFILTRATION: Stage.IMPACT,
    Tactic.IMPACT: Stage.IMPACT,
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One statement of one sensor.

    `type` names the rule or signature and is stable within its sensor; base rates are learned per
    (sensor, type). A sensor fills what it knows: the affected host by name or own address, the two
    ends of a connection, a credential.
    """

    time: float  # Unix seconds
    sensor: str  # "suricata", "wazuh", "aminer", ...
    type: str
    title: str = ""
    severity: float = 0.5  # 0 information .. 1 critical
    tactic: Tactic | None = None
    host: str = ""  # name of the affected host
    address: str = ""  # own address of the affected host
    src: str = ""  # address of the connection's initiator
    dst: str = ""  # address of its responder
    agent: str = ""  # by which the sensor knows the affected host, as Wazuh's "017"
    credential: str = ""  # id as in the inventory, e.g. "ssh:SHA256:..."

    def to_json(self) -> dict[str, Any]:
        """A plain mapping; fields that say nothing are left out."""
        record = {k: v for k, v in asdict(self).items() if v not in ("", None)}
        if self.tactic is not None:
            record["tactic"] = TACTIC_IDS[self.tactic]
        return record
