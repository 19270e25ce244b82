"""The site that the tests of the live side stand on: its inventory, its guardrails, its feed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from policies.columns import TOTAL, VERBS
from policies.inventory import Asset, Credential, Inventory
from policies.observation import Observation
from policies.policy import NOTHING, Scores
from responder.approvals import new_key
from responder.chain.devnet import Devnet
from responder.settings import FeedSettings, Settings
from responder.site import OPERATORS, activate_model, prepare

GENESIS = 1_800_000_000
CARD = bytes(32)
SENDERS = ("deployer", "agent", "relayer", "enforcer", "guardian", *OPERATORS)
INVENTORY = Inventory(
    assets=(
        Asset("desk", "office", 0, addresses=("10.0.2.10",)),
        Asset("web", "dmz", 1, addresses=("10.0.1.10",)),
        Asset("db", "core", 2, addresses=("10.0.3.10",)),
        Asset("plant", "core", 3, addresses=("10.0.3.20",)),
        Asset("vault", "core", 1, protected=True, addresses=("10.0.3.30",)),
    ),
    credentials=(Credential("ssh:SHA256:alice", 1), Credential("ssh:SHA256:root", 1, True)),
    protected_networks=("10.0.9.0/24",),
)


class Wants:
    """A policy that wants what it is told, of what there is evidence against."""

    name = "wants"
    hash = hashlib.sha256(b"wants").digest()

    def __init__(self, *targets: str) -> None:
        self.targets = list(targets)

    def scores(self, observation: Observation) -> Scores:
        scores = np.full(1 + VERBS * len(observation.ids), -1.0, dtype=np.float32)
        scores[NOTHING] = 0.0
        for i, entity in enumerate(observation.ids):
            if entity.id in self.targets and observation.entities[i, TOTAL] > 0.001:
                scores[i + 1] = len(self.targets) - self.targets.index(entity.id)
        return scores


def eve_line(
    time: float,
    signature: int = 1,
    src: str = "203.0.113.9",
    dst: str = "10.0.1.10",
    title: str = "ET EXPLOIT Something",
) -> bytes:
    """One alert as Suricata writes it."""
    record = {
        "timestamp": datetime.fromtimestamp(time, UTC).isoformat(),
        "event_type": "alert",
        "src_ip": src,
        "dest_ip": dst,
        "alert": {"signature_id": signature, "signature": title, "severity": 1},
    }
    return json.dumps(record).encode() + b"\n"


def deployment(keys: dict[str, str], delay: int = 1) -> dict[str, Any]:
    """The default guardrails, under a governor whose delay tests can wait for."""
    defaults = yaml.safe_load((files("responder") / "defaults.yaml").read_text("utf-8"))
    return {
        "governor": {"address": keys["governor"], "delay": delay},
        "agents": [keys["agent"]],
        "operators": [keys[name] for name in OPERATORS],
        "guardians": [keys["guardian"]],
        "enforcers": [keys["enforcer"]],
        **defaults,
        "zones": {zone: {"share": 100} for zone in ("office", "dmz", "core")},
        "inventory": "inventory.yaml",
    }


def found(home: Path, devnet: Devnet, inventory: Inventory = INVENTORY) -> Settings:
    """Deploys a gate with its people and rules on a running devnet."""
    settings = Settings(
        home=home,
        rpc=devnet.url,
        manifest=home / "manifest.json",
        inventory=home / "inventory.yaml",
        feeds=(FeedSettings(home / "feed.log", "eve"),),
        policy="playbook",
        tick=0.02,
        clock="chain",
    )
    names = ("governor", "stranger", *SENDERS)
    keys = {name: new_key(settings.keys / f"{name}.json") for name in names}
    for name in ("governor", "stranger"):
        devnet.fund(keys[name], 10**19)
    plan = yaml.safe_dump(deployment(keys), sort_keys=False)
    (home / "deployment.yaml").write_text(plan, "utf-8")
    prepare(settings, devnet, inventory)
    activate_model(settings, Wants.hash, CARD)
    return settings
