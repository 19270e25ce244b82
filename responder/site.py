"""A site: one home folder with keys, deployment, settings and everything that the services of one
gate keep.

`countersign up` and `countersign demo` make one on an embedded devnet; the services and the
operators' commands open it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import yaml
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from policies.guardrails import Guardrails, Target
from policies.inventory import Inventory
from responder.approvals import load_key, new_key, sign
from responder.chain.client import GateClient
from responder.chain.deploy_config import DeployConfig
from responder.chain.deployment import deploy, load_config
from responder.chain.devnet import Devnet
from responder.chain.manifest import Manifest
from responder.chain.proposal import Lease, lease_message, model_message
from responder.clock import Clock, SystemClock
from responder.enforcers.base import Enforcer
from responder.enforcers.dryrun import DryRunEnforcer
from responder.enforcers.nftables import NftablesEnforcer
from responder.loop import Clients, Responder
from responder.policy import card_hash, load_policy
from responder.settings import Settings
from responder.shadow import Shadow
from responder.store import Cache

__all__ = [
    "OPERATORS",
    "PLAN",
    "activate_model",
    "client",
    "grant_lease",
    "new_deployment",
    "new_guardrails",
    "open_responder",
    "open_shadow",
    "prepare",
]

PLAN = "deployment.yaml"  # what is deployed, in the site's folder
OPERATORS = ("operator-1", "operator-2", "operator-3")
_SENDERS = ("deployer", "agent", "relayer", "enforcer", "guardian", *OPERATORS)
_TEN_ETHER = 10**19
_SIGNED_SECONDS = 600  # until when an activation must be on the chain
_ZONE_SHARE = 50  # percent of a new site's zones that may be isolated at once


def prepare(settings: Settings, devnet: Devnet, inventory: Inventory) -> Settings:
    """Keys, deployment and settings on a running devnet. Repeating it changes nothing that is
    there.
    """
    home = settings.home
    keys = {
        name: new_key(settings.keys / f"{name}.json")
        for name in dict.fromkeys(("governor", *_SENDERS))
    }
    for name in _SENDERS:
        devnet.fund(keys[name], _TEN_ETHER)
    settings.inventory.write_text(yaml.safe_dump(inventory.to_mapping(), sort_keys=False), "utf-8")
    plan = home / PLAN
    if not plan.exists():
        document = new_deployment(keys, inventory)
        document["inventory"] = settings.inventory.name
        plan.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    w3 = Web3(HTTPProvider(settings.rpc))
    deploy(w3, load_config(plan), load_key(settings.keys / "deployer.json"), settings.manifest)
    activate_model(
        settings,
        load_policy(settings.policy, settings.models).hash,
        card_hash(settings.policy, settings.models),
    )
    settings.dump()
    return settings


def activate_model(settings: Settings, model: bytes, card: bytes) -> None:
    """The site's operators sign that the gate takes proposals of this model; nothing where it does
    so already.
    """
    relayer = client(settings, load_key(settings.keys / "relayer.json"))
    active, known, revision, _ = relayer.model_of(model)
    if active and known == card:
        return
    deadline = relayer.head().time + _SIGNED_SECONDS
    message = model_message(model, card, revision + 1, deadline, relayer.domain)
    signers = [load_key(settings.keys / f"{name}.json") for name in OPERATORS]
    signatures = [(str(signer.address), sign(signer, message)) for signer in signers]
    relayer.activate_model(model, card, revision + 1, deadline, signatures)


def new_deployment(keys: Mapping[str, str], inventory: Inventory) -> dict[str, Any]:
    """What a new site deploys, as its deployment.yaml says it; `keys` are addresses by name."""
    defaults = yaml.safe_load((files("responder") / "defaults.yaml").read_text("utf-8"))
    assets = inventory.assets
    return {
        "governor": {"address": keys["governor"], "delay": 86400},
        "agents": [keys["agent"]],
        "operators": [keys[name] for name in OPERATORS],
        "guardians": [keys["guardian"]],
        "enforcers": [keys["enforcer"]],
        **defaults,
        "zones": {zone: {"share": _ZONE_SHARE} for zone in sorted({a.zone for a in assets})},
        "pools": {pool: {"keep": 1} for pool in sorted({a.pool for a in assets if a.pool})},
    }


def new_guardrails(inventory: Inventory) -> Guardrails:
    """The rules of a new site with this inventory, before anything was ordered."""
    names = ("governor", *_SENDERS)
    keys = {name: f"0x{number:040x}" for number, name in enumerate(names, start=1)}
    return _guardrails(DeployConfig.from_mapping(new_deployment(keys, inventory), inventory))


def _guardrails(config: DeployConfig) -> Guardrails:
    inventory = config.inventory
    return Guardrails(
        config.rules,
        config.limits,
        {a.id: Target(a.criticality, a.protected, a.zone, a.pool) for a in inventory.assets},
        {c.id: Target(c.criticality, c.protected) for c in inventory.credentials},
        inventory.protected_networks,
        config.zones,
        config.pools,
    )


def client(
    settings: Settings, account: LocalAccount | None = None, final: bool = False
) -> GateClient:
    """The site's gate: its head, or with `final` only what is confirmed."""
    manifest = Manifest.load(settings.manifest)
    return GateClient(settings.rpc, manifest, account, settings.confirmations if final else 0)


def grant_lease(settings: Settings, signers: Sequence[LocalAccount], lease: Lease) -> bytes:
    """Puts an autonomy lease on the chain, signed by these operators."""
    relayer = client(settings, load_key(settings.keys / "relayer.json"))
    message = lease_message(lease, relayer.domain)
    return relayer.grant_lease(lease, [(str(s.address), sign(s, message)) for s in signers])


def open_responder(settings: Settings) -> Responder:
    """Everything one responder process needs, from the site's folder."""
    inventory = Inventory.load(settings.inventory)
    agent, relayer, enforcer = (
        load_key(settings.keys / f"{name}.json") for name in ("agent", "relayer", "enforcer")
    )
    clients = Clients(
        agent=client(settings, agent),
        relayer=client(settings, relayer),
        enforcer=client(settings, enforcer, final=True),
    )
    clock: Clock | None = SystemClock() if settings.clock == "system" else None
    return Responder(
        settings,
        inventory,
        load_policy(settings.policy, settings.models),
        clients,
        _enforcer(settings),
        Cache(settings.database),
        clock,
    )


def open_shadow(settings: Settings) -> Shadow:
    """The same that only watches, under the rules of the site's deployment.yaml where it has one,
    else of a new site.
    """
    inventory = Inventory.load(settings.inventory)
    plan = settings.home / PLAN
    config = load_config(plan) if plan.exists() else None
    return Shadow(
        settings,
        inventory,
        _guardrails(config) if config else new_guardrails(inventory),
        load_policy(settings.policy, settings.models),
        SystemClock(),
    )


def _enforcer(settings: Settings) -> Enforcer:
    if settings.enforcement == "nftables":
        return NftablesEnforcer(management=settings.management)
    return DryRunEnforcer(settings.home / "enforced.json", management=settings.management)
