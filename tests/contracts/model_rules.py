"""The guardrails of the plain model, and the digests that operators sign by its registry."""

from __future__ import annotations

from typing import Any

from eth_abi.abi import encode
from eth_utils import keccak
from model_registry import Registry
from model_state import NAMES, PAGE, WEEK, Cell, Grant, Network, PageId, Refused, Rule, ZoneRule
from scene import AGENT, REASON

from policies.actions import Kind
from responder.chain.proposal import LEASE_TYPE, Batch, Lease, Proposal

FIELDS = (
    "string action,string target,string zone,uint8 criticality,uint32 ttl,"
    "bytes32 model,bytes32 evidence,address agent,uint64 deadline)"
)
TYPES = {
    **{name: f"{name}(bytes32 proposal,{FIELDS}" for name in ("Approval", "Rejection", "Release")},
    **{
        name: f"{name}(bytes32 batch,{FIELDS.replace('string target', 'string[][] targets')}"
        for name in ("BatchApproval", "BatchRelease")
    },
    "Lease": "Lease(address agent,bytes32 model,uint32 blocks,uint32 isolations,uint32 revocations,"
    "uint8 maxCriticality,uint32 maxTtl,uint64 expires,uint256 nonce)",
    "Model": "ModelActivation(bytes32 model,bytes32 card,uint32 revision,uint64 deadline)",
    "Resume": "Resume(uint32 pause)",
}
DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


class Rules(Registry):
    # ---------------------------------------------------------------- what is asked

    def rule(self, kind: int, criticality: int) -> Rule:
        return self.rules.get((kind, criticality), Rule())

    def is_frozen(self, zone: bytes | None) -> bool:
        rule = self.zones.get(zone or b"", ZoneRule())
        return rule.frozen_from <= self.now < rule.frozen_until

    def quorum(self, rule: Rule, zone: bytes | None) -> int:
        return rule.quorum + (self.zones[zone].extra if zone and self.is_frozen(zone) else 0)

    def delay(self, rule: Rule, zone: bytes | None) -> int:
        window = self.zones.get(zone or b"", ZoneRule())
        return 0 if (self.now - window.opens) % WEEK < window.length else rule.delay

    def rule_for(self, kind: Kind, key: bytes) -> tuple[Rule, int, int]:
        """With quorum and delay of now."""
        rule, zone = self.rule(kind, self.criticality(kind, key)), self.zone_key(kind, key)
        return rule, self.quorum(rule, zone), self.delay(rule, zone)

    def verdict(
        self, agent: str, kind: int, key: bytes, ttl: int, model: bytes
    ) -> tuple[int, int, int, int]:
        """Tier, reason, approvals, delay."""
        what = Kind(kind)
        reason = self.refusal(what, key, ttl)
        rule, quorum, delay = self.rule_for(what, key)
        if not reason and self.used_by(agent, (kind, self.criticality(what, key))) >= rule.budget:
            reason = "BUDGET_SPENT"
        if reason:
            return 0, REASON.index(reason), 0, 0
        if self.lease_covers(agent, what, key, ttl, model):
            return 1, 0, 0, 0
        return (3 if delay else 2), 0, quorum, delay

    def refusal(self, kind: Kind, key: bytes, ttl: int) -> str:
        """Empty where nothing but a budget could refuse."""
        rule = self.rule(kind, self.criticality(kind, key))
        return (
            self.target_refusal(kind, key)
            or self.rule_refusal(rule, ttl)
            or self._limit_refusal(kind, key, rule)
        )

    def rule_refusal(self, rule: Rule, ttl: int) -> str:
        if self.paused:
            return "PAUSED"
        if not rule.allowed:
            return "RULE_REFUSES"
        return "" if 0 < ttl <= rule.max_ttl else "TTL_OUT_OF_RANGE"

    def target_refusal(self, kind: Kind, key: bytes) -> str:
        if kind is Kind.BLOCK:
            network = self.networks[key]
            if network is None:
                return "MALFORMED_TARGET"
            safe = any(_overlap(network, self.networks[other]) for other in self.protected)
        else:
            known = self.known(kind, key)
            if known is None:
                return "UNKNOWN_TARGET"
            safe = known.protected
        return "PROTECTED_TARGET" if safe else ""

    def _limit_refusal(self, kind: Kind, key: bytes, rule: Rule) -> str:
        order = self.orders.get((kind, key))
        if order and order.counts:
            return ""
        if self.live(kind, self.criticality(kind, key)) >= rule.live:
            return "LIVE_LIMIT"
        asset = self.assets.get(key)
        if kind is not Kind.ISOLATE or asset is None:
            return ""
        if self.is_over_share(asset.zone, self.isolated(asset.zone) + 1):
            return "ZONE_SHARE"
        if asset.pool is None:
            return ""
        members, isolated, keep = self.pool_of(asset.pool)
        return "POOL_MINIMUM" if members - isolated - 1 < keep else ""

    # ---------------------------------------------------------------- what counts

    def live(self, kind: int, criticality: int) -> int:
        own = sum(
            order.counts and (what, self.criticality(what, key)) == (kind, criticality)
            for (what, key), order in self.orders.items()
        )
        pages = (page for id_, page in self.pages.items() if id_[1] == criticality)
        return own + (sum(len(page.places) for page in pages) if kind == Kind.ISOLATE else 0)

    def isolated(self, zone: bytes) -> int:
        own = sum(self.assets[key].zone == zone for key in self._isolating())
        return own + sum(len(page.places) for id_, page in self.pages.items() if id_[0] == zone)

    def _isolating(self) -> list[bytes]:
        return [key for (kind, key), o in self.orders.items() if kind is Kind.ISOLATE and o.counts]

    def is_over_share(self, zone: bytes, isolated: int) -> bool:
        return isolated > 1 and isolated * 100 > self._size(zone) * self.zones[zone].share

    def _size(self, zone: bytes) -> int:
        return sum(asset.zone == zone for asset in self.assets.values())

    def used_by(self, agent: str, cell: Cell) -> int:
        window, used = self.used.get(agent, (-1, {}))
        return used.get(cell, 0) if window == self._window() else 0

    def _window(self) -> int:
        return self.now // self.bounds.window % (1 << 16)

    def spend(self, agent: str, cell: Cell, count: int) -> None:
        window = self._window()
        before, used = self.used.get(agent, (-1, {}))
        used = used if before == window else {}
        if used.get(cell, 0) + count > self.rule(*cell).budget:
            raise Refused("GateRefused", "BUDGET_SPENT")
        self.used[agent] = window, {**used, cell: used.get(cell, 0) + count}

    # ---------------------------------------------------------------- leases

    def live_lease(self, agent: str) -> Grant | None:
        grant = self.leases.get(agent)
        if grant is None or self.now >= grant.lease.expires:
            return None
        enough = len(self.current(grant.seats)) >= self.bounds.lease_quorum
        return grant if enough else None

    def lease_covers(self, agent: str, kind: Kind, key: bytes, ttl: int, model: bytes) -> bool:
        rule, grant = self.rule_for(kind, key)[0], self.live_lease(agent)
        if grant is None or not rule.leasable or self.is_frozen(self.zone_key(kind, key)):
            return False
        lease = grant.lease
        return (
            lease.model == model
            and self.criticality(kind, key) <= lease.max_criticality
            and ttl <= lease.max_ttl
            and grant.spent[kind] < lease.budgets[kind]
        )

    # ---------------------------------------------------------------- proposing

    def check_agent(self, sender: str, agent: str, model: bytes, nonce: int) -> None:
        if self.role(sender) != AGENT:
            raise Refused("GateMissingRole", sender, AGENT)
        if sender != agent:
            raise Refused("GateNotProposer", sender, agent)
        self.need_model(model)
        if nonce >= 1 << 32 or self.is_used(agent, nonce):
            raise Refused("GateBadNonce", nonce, self.last_nonce(agent))

    def check_deadline(self, deadline: int, wait: int) -> None:
        if not self.now < deadline <= self.now + wait:
            raise Refused("GateBadDeadline", deadline, self.now + 1, self.now + wait)

    def need_model(self, model: bytes) -> None:
        if model not in self.models or not self.models[model].active:
            raise Refused("GateModelNotActive", model)

    def last_nonce(self, agent: str) -> int:
        return max(self.nonces.get(agent, set()), default=0)

    def is_used(self, agent: str, nonce: int) -> bool:
        """Or out of reach: 32 or more behind the highest."""
        return nonce in self.nonces.get(agent, set()) or nonce <= self.last_nonce(agent) - 24

    # ---------------------------------------------------------------- digests

    def digest(self, type_: str, types: list[str], values: list[Any]) -> bytes:
        domain = [keccak(text=DOMAIN), keccak(text="Countersign"), keccak(text="1")]
        domain_types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        own = encode(domain_types, [*domain, self.domain.chain_id, self.domain.gate])
        struct = keccak(encode(["bytes32", *types], [keccak(text=TYPES[type_]), *values]))
        return bytes(keccak(b"\x19\x01" + keccak(own) + struct))

    def decision_digest(self, decision: str, proposal: Proposal) -> bytes:
        kind, key = proposal.kind, proposal.target
        zone = self.zone_key(kind, key)
        names = keccak(text=kind.name), keccak(text=self.text(key)), keccak(b"")
        if kind is not Kind.BLOCK:
            names = names[0], key, zone or (bytes(32) if kind is Kind.ISOLATE else keccak(b""))
        criticality = self.criticality(kind, key)
        return self._decided(decision, proposal, names, criticality, proposal.id(self.domain))

    def batch_digest(self, decision: str, batch: Batch, names: list[list[bytes]]) -> bytes:
        targets = self._targets(batch, names)
        zone = batch.zone if batch.kind is Kind.ISOLATE else keccak(b"")
        words = keccak(text=batch.kind.name), targets, zone
        return self._decided(decision, batch, words, batch.criticality, batch.id(self.domain))

    def _decided(
        self, decision: str, what: Proposal | Batch, names: Any, criticality: int, id_: bytes
    ) -> bytes:
        values = [id_, *names, criticality, what.ttl, what.model, what.evidence]
        types = ["bytes32"] * 4 + ["uint8", "uint32", "bytes32", "bytes32", "address", "uint64"]
        return self.digest(decision, types, [*values, what.agent, what.deadline])

    def _targets(self, batch: Batch, names: list[list[bytes]]) -> bytes:
        is_pages = batch.kind is Kind.ISOLATE
        if len(names) != (len(batch.targets) if is_pages else 0):
            raise Refused("GateBadBatch")
        if is_pages:
            pages = zip(batch.targets, names, strict=True)
            groups = [self._groups(batch, target, words) for target, words in pages]
            return bytes(keccak(b"".join(hashed for page in groups for hashed in page)))
        keys = [target.to_bytes(32) for target in batch.targets]
        if batch.kind is Kind.BLOCK:
            keys = [keccak(text=self.text(key)) for key in keys]
        return keccak(keccak(b"".join(keys)))

    def _groups(self, batch: Batch, target: int, given: list[bytes]) -> list[bytes]:
        """Hashes of the names that the batch has of a page, group by group."""
        id_ = self.page_number(batch, target)
        keys, bits = self.page_keys(id_), target & (1 << PAGE) - 1
        flat = _hash(*keys)
        words, hashes = _walk(keys, bits, 0, PAGE)
        if bits == (1 << len(keys)) - 1:
            words, hashes = [_root(keys, 0, PAGE)], [flat]
        if id_ not in self.sealed or list(given) != [flat, *words]:
            raise Refused("GateBadNames", target >> PAGE)
        return hashes

    @staticmethod
    def page_number(batch: Batch, target: int) -> PageId:
        if target >> PAGE > 65_535:
            raise Refused("GateBadBatch")
        return batch.zone, batch.criticality, target >> PAGE

    def lease_digest(self, lease: Lease) -> bytes:
        return self.digest("Lease", [LEASE_TYPE], [lease.abi()])

    def model_digest(self, model: bytes, card: bytes, revision: int, deadline: int) -> bytes:
        types = ["bytes32", "bytes32", "uint32", "uint64"]
        return self.digest("Model", types, [model, card, revision, deadline])

    def resume_digest(self) -> bytes:
        return self.digest("Resume", ["uint32"], [self.pauses])

    # ---------------------------------------------------------------- views

    def zone_of(self, key: bytes) -> tuple[Any, ...]:
        if key not in self.zones:
            return tuple(ZoneRule()), 0, 0
        return tuple(self.zones[key]), self._size(key), self.isolated(key)

    def pool_of(self, key: bytes) -> tuple[int, int, int]:
        members = [asset.pool == key for asset in self.assets.values()]
        isolated = [self.assets[name].pool == key for name in self._isolating()]
        return sum(members), sum(isolated), self.pools.get(key, 0)

    def rule_of(self, kind: int, criticality: int) -> tuple[Any, ...]:
        return tuple(self.rule(kind, criticality)), self.live(kind, criticality)

    def ordered_until(self, kind: int, key: bytes) -> int:
        return self.live_until(Kind(kind), key)


def _overlap(one: Network, other: Network | None) -> bool:
    return other is not None and one.version == other.version and one.overlaps(other)  # type: ignore[arg-type]


def _hash(*words: bytes) -> bytes:
    return bytes(keccak(b"".join(words)))


def _root(keys: list[bytes], first: int, last: int) -> bytes:
    """Hash of the part of a page's tree from one place to another; zero where no asset is."""
    if first >= len(keys):
        return bytes(32)
    if last - first == NAMES:
        return _hash(*keys[first:last])
    middle = (first + last) // 2
    return _hash(_root(keys, first, middle), _root(keys, middle, last))


def _walk(keys: list[bytes], bits: int, first: int, last: int) -> tuple[list[bytes], list[bytes]]:
    """What has to be told of this part, and the hashes of the chosen names of its groups."""
    part = keys[first:last]
    if not part:
        return [], []
    if not bits >> first & (1 << (last - first)) - 1:
        return [_root(keys, first, last)], []
    if last - first > NAMES:
        middle = (first + last) // 2
        left, right = _walk(keys, bits, first, middle), _walk(keys, bits, middle, last)
        return left[0] + right[0], left[1] + right[1]
    chosen = [key for place, key in enumerate(part, first) if bits >> place & 1]
    if chosen == part:
        return [_hash(*part)], [_hash(*part)]
    return part, [_hash(*chosen)] if chosen else []
