"""What happens by chance at a pair of gate and mirror."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import astuple, replace

import chance
from batching import PAGE, bits, roster
from eth_account.signers.local import LocalAccount
from mirrored import AGENTS, GROUPS, OTHER_MODEL, Pair, asset_of, credential_of
from scene import MODEL

from policies.actions import Action, Kind, canonical_network, network_key
from policies.guardrails import Tier
from responder.chain.proposal import name_key

Happening = Callable[[Pair, random.Random], None]


def happen(pair: Pair, rng: random.Random) -> None:
    """One thing, unless it is one that cannot be now."""
    rng.choices(_HAPPENINGS, _CHANCES)[0](pair, rng)


def ask(pair: Pair, rng: random.Random) -> None:
    pair.ask(_agent(rng), chance.an_action(rng), _model(rng))


def _agent(rng: random.Random) -> LocalAccount:
    return AGENTS[rng.random() < 0.25]


def _model(rng: random.Random) -> bytes:
    return OTHER_MODEL if rng.random() < 0.1 else MODEL


# ---------------------------------------------------------------- proposals and orders


def _wait(pair: Pair, rng: random.Random) -> None:
    pair.gate.evm.advance(rng.choice((1, 1, 59, 60, 60, 600, 1200, 3600, 86400)))


def _propose(pair: Pair, rng: random.Random) -> None:
    pair.propose(_agent(rng), chance.an_action(rng), _model(rng))


def _approve(pair: Pair, rng: random.Random) -> None:
    open_ = [w for w in pair.waiting if pair.now < w.proposal.deadline and not w.approvals]
    if open_:
        operators = sorted(pair.operators)
        most = rng.choice((1, len(operators), len(operators)))
        pair.approve(rng.choice(open_), rng.sample(operators, most))


def _execute(pair: Pair, rng: random.Random) -> None:
    pair.waiting = [w for w in pair.waiting if pair.now < w.proposal.deadline]
    approved = [w for w in pair.waiting if w.approvals]
    if approved or pair.waiting:
        pair.execute(rng.choice(approved or pair.waiting))


def _order(pair: Pair, rng: random.Random) -> None:
    """All at once, by all operators, where the guardrails let it."""
    before = len(pair.waiting)
    _propose(pair, rng)
    if len(pair.waiting) > before:
        pair.approve(pair.waiting[-1], sorted(pair.operators))
        pair.execute(pair.waiting[-1])


def _release(pair: Pair, rng: random.Random) -> None:
    live = [key for key, (proposal, until) in pair.orders.items() if proposal and pair.now < until]
    if live:
        pair.release(rng.choice(live))


def _settle(pair: Pair, rng: random.Random) -> None:
    over = [key for key in sorted(pair.mirror.counted) if pair.orders[key][1] <= pair.now]
    for key in over[: rng.randint(1, 3)]:
        pair.settle(key)
    for page in [page for page, (_, until) in pair.pages.items() if until <= pair.now][:1]:
        pair.settle_page(page)


def _batch(pair: Pair, rng: random.Random) -> None:
    kind = rng.choice((Kind.BLOCK, Kind.ISOLATE, Kind.ISOLATE, Kind.REVOKE))
    if kind is Kind.ISOLATE:
        return _batch_of_assets(pair, rng)
    if kind is Kind.BLOCK:
        names = [f"203.0.113.{i}/32" for i in rng.sample(range(1, 5), 2)]
        criticality = 0
    else:
        criticality = rng.randrange(4)
        names = [n for n, c in pair.site.credentials.items() if c.criticality == criticality]
    if names and _is_ready(pair, kind, names[0]):
        pair.order_batch(kind, names, names, 60)


def _batch_of_assets(pair: Pair, rng: random.Random) -> None:
    zone, criticality = rng.choice(chance.ZONES), rng.randrange(2)
    places = roster(pair.gate, zone, criticality)
    free = [p for p in places if p < PAGE and _stands_there(pair, zone, criticality, places[p])]
    chosen = rng.sample(free, min(len(free), rng.randint(1, 3)))
    names = [places[place] for place in chosen]
    if names and _is_ready(pair, Kind.ISOLATE, names[0]):
        pair.order_batch(Kind.ISOLATE, {0: bits(*chosen)}, names, 60)


def _stands_there(pair: Pair, zone: str, criticality: int, name: str) -> bool:
    asset = pair.site.assets.get(name)
    return asset is not None and (asset.zone, asset.criticality) == (zone, criticality)


def _is_ready(pair: Pair, kind: Kind, name: str) -> bool:
    """Whether signatures are all that this lacks, so that it is worth making some."""
    return pair.mirror.execution(Action(kind, name, 60), pair.now).tier is Tier.QUORUM


# ---------------------------------------------------------------- leases and pauses


def _lease(pair: Pair, rng: random.Random) -> None:
    agent = _agent(rng)
    quorum = pair.site.limits.lease_quorum
    if pair.has_lease(agent) or len(pair.operators) < quorum:
        return
    expires = rng.choice(((pair.now // 600 + 1) * 600, (pair.now // 21600 + 1) * 21600))
    pair.grant(agent, expires=expires, **rng.choice(_TERMS))


def _end_lease(pair: Pair, rng: random.Random) -> None:
    agent = _agent(rng)
    lease = pair.leases.get(agent.address)
    if lease and pair.now < lease[0].expires:
        pair.end_lease(agent)


def _pause(pair: Pair, rng: random.Random) -> None:
    if pair.mirror.paused:
        pair.resume()
    else:
        pair.pause()


def _resume(pair: Pair, rng: random.Random) -> None:
    if pair.mirror.paused:
        pair.resume()


# ---------------------------------------------------------------- governance


def _set_rule(pair: Pair, rng: random.Random) -> None:
    kind, criticality = rng.choice(list(Kind)), rng.randrange(4)
    rule = pair.site.rules[kind, criticality] = chance.a_rule(rng)
    pair.govern("setRule", int(kind), criticality, astuple(rule))


def _set_limits(pair: Pair, rng: random.Random) -> None:
    """The window only grows, so that what was counted before means nothing any more."""
    limits = pair.site.limits
    window = limits.window * rng.choice((1, 1, 2))
    pair.site.limits = replace(limits, window=window, lease_quorum=rng.randint(1, 3))
    pair.govern("setLimits", astuple(pair.site.limits))


def _set_zone(pair: Pair, rng: random.Random) -> None:
    name = rng.choice(chance.ZONES)
    pair.site.zones[name] = chance.a_zone(rng, pair.now)
    pair.govern("setZone", name, astuple(pair.site.zones[name]))


def _set_pool(pair: Pair, rng: random.Random) -> None:
    name = rng.choice(chance.POOLS)
    pair.site.pools[name] = rng.randrange(4)
    pair.govern("setPool", name, pair.site.pools[name])


def _set_asset(pair: Pair, rng: random.Random) -> None:
    """Where an order on it counts, only its protection may change."""
    name, asset = rng.choice(chance.HOSTS), chance.an_asset(rng)
    if _counts(pair, Kind.ISOLATE, name):
        asset = replace(pair.site.assets[name], protected=asset.protected)
    pair.site.assets[name] = asset
    pair.govern("setAssets", [asset_of(name, asset)])


def _set_credential(pair: Pair, rng: random.Random) -> None:
    name, credential = rng.choice(chance.KEYS), chance.a_credential(rng)
    if _counts(pair, Kind.REVOKE, name):
        credential = replace(pair.site.credentials[name], protected=credential.protected)
    pair.site.credentials[name] = credential
    pair.govern("setCredentials", [credential_of(name, credential)])


def _remove(pair: Pair, rng: random.Random) -> None:
    kind = rng.choice((Kind.ISOLATE, Kind.REVOKE))
    known = pair.site.assets if kind is Kind.ISOLATE else pair.site.credentials
    name = rng.choice(list(known))
    if not _counts(pair, kind, name) and len(known) > 1:
        del known[name]
        pair.govern("removeTarget", int(kind), name_key(name))


def _protect(pair: Pair, rng: random.Random) -> None:
    networks = pair.site.networks
    if len(networks) > 2 and rng.random() < 0.5:
        return _protect_one(pair, networks.pop(), False)
    network = canonical_network(rng.choice((chance.a_network(rng), *chance.ADDRESSES)))
    if network not in networks:
        networks.append(network)
    _protect_one(pair, network, True)


def _protect_one(pair: Pair, network: str, protected: bool) -> None:
    pair.govern("setProtectedNetworks", [network_key(network).to_bytes(32)], protected)


def _set_operator(pair: Pair, rng: random.Random) -> None:
    operator = rng.randrange(len(GROUPS))
    if operator not in pair.operators:
        pair.set_operator(operator, True)
    elif len(pair.operators) > 2:
        pair.set_operator(operator, False)


def _counts(pair: Pair, kind: Kind, name: str) -> bool:
    mirror = pair.mirror
    return (kind, name) in mirror.counted or (kind is Kind.ISOLATE and name in mirror.batched)


# Few, for a signature takes longer than all else.
_TERMS = (
    dict(blocks=9, isolations=9, revocations=9, max_criticality=3, max_ttl=3600),
    dict(blocks=1, isolations=1, revocations=9, max_criticality=3, max_ttl=60),
    dict(blocks=9, isolations=2, revocations=0, max_criticality=1, max_ttl=600),
    dict(blocks=0, isolations=9, revocations=1, max_criticality=0, max_ttl=600),
)
_HAPPENINGS: tuple[Happening, ...] = (
    *(_wait, _propose, _approve, _execute, _order, _release, _settle, _batch),
    *(_lease, _end_lease, _pause, _resume),
    *(_set_rule, _set_limits, _set_zone, _set_pool, _set_asset, _set_credential, _remove),
    *(_protect, _set_operator),
)
_CHANCES = (10, 12, 8, 12, 34, 2, 6, 3, 8, 1, 1, 6, 4, 1, 3, 1, 3, 2, 1, 2, 2)
