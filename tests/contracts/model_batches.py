"""The plain model's batches."""

from __future__ import annotations

from model_orders import Orders
from model_state import PAGE, Compact, Entry, Order, PageId, PageOrder, Refused, Signatures
from scene import GUARDIAN

from policies.actions import Kind
from responder.chain.proposal import Batch


class Batches(Orders):
    def order_batch(
        self, sender: str, batch: Batch, names: list[list[bytes]], signatures: Compact
    ) -> bytes:
        self.check_agent(sender, batch.agent, batch.model, batch.nonce)
        zone = batch.zone if batch.kind is Kind.ISOLATE else None
        if batch.criticality > 3:
            raise Refused("GateBadBatch")
        if batch.zone not in self.zones if zone else any(batch.zone):
            raise Refused("GateBadBatch")
        rule = self.rule(batch.kind, batch.criticality)
        self.check_deadline(batch.deadline, self.bounds.max_pending)
        if reason := self.rule_refusal(rule, batch.ttl):
            raise Refused("GateRefused", reason)
        if delay := self.delay(rule, zone):
            raise Refused("GateTooEarly", self.now + delay)
        self.spend(sender, (batch.kind, batch.criticality), _size(batch))
        id_, digest = batch.id(self.domain), self.batch_approval_digest(batch, names)
        self.collect_compact(id_, digest, signatures, self.quorum(rule, zone), rule.groups)
        self.nonces.setdefault(sender, set()).add(batch.nonce)
        if zone:
            self._order_pages(id_, batch)
        else:
            self._order_each(id_, batch)
        return id_

    def _order_each(self, id_: bytes, batch: Batch) -> None:
        before = self.live(batch.kind, batch.criticality)
        for target in batch.targets:
            key = target.to_bytes(32)
            if reason := self.target_refusal(batch.kind, key):
                raise Refused("GateRefused", reason)
            if self.criticality(batch.kind, key) != batch.criticality:
                raise Refused("GateBadBatch")
            self.order(id_, batch.kind, key, batch.ttl)
        self._check_live(batch, before)

    def _check_live(self, batch: Batch, before: int) -> None:
        live = self.live(batch.kind, batch.criticality)
        if before < live > self.rule(batch.kind, batch.criticality).live:
            raise Refused("GateRefused", "LIVE_LIMIT")

    def _order_pages(self, id_: bytes, batch: Batch) -> None:
        until, before = self.now + batch.ttl, self.live(batch.kind, batch.criticality)
        isolated = self.isolated(batch.zone)
        for target in batch.targets:
            page, places = self.page_number(batch, target), _places(target)
            if not places or not places <= self._members(page):
                raise Refused("GateRefused", "PROTECTED_TARGET")
            last = self.pages.get(page)
            if last and self.is_live(last) and (last.places - places or until < last.until):
                raise Refused("GatePageTaken", page[2])
            self.pages[page] = PageOrder(id_, until, places=places)
        self._check_live(batch, before)
        after = self.isolated(batch.zone)
        if after > isolated and self.is_over_share(batch.zone, after):
            raise Refused("GateRefused", "ZONE_SHARE")

    def _members(self, page: PageId) -> set[int]:
        """Places of assets that a batch may isolate."""
        free = [a for a in self.assets.values() if not a.protected and a.pool is None]
        return {asset.place % PAGE for asset in free if self.page_id(asset) == page}

    def withdraw_batch(self, sender: str, batch: Batch) -> None:
        if self.is_used(batch.agent, batch.nonce):
            raise Refused("GateBadNonce", batch.nonce, self.last_nonce(batch.agent))
        self.check_deadline(batch.deadline, self.bounds.max_pending)
        self.withdraw_vote(sender, batch.id(self.domain))

    def veto_batch(self, sender: str, batch: Batch) -> None:
        self.need(sender, GUARDIAN)
        self.burn(batch.agent, batch.nonce)
        self.entries.setdefault(batch.id(self.domain), Entry()).vetoed = True

    def release_batch(
        self, _: str, batch: Batch, names: list[list[bytes]], signatures: Signatures
    ) -> None:
        digest = self.batch_release_digest(batch, names)
        self.collect(digest, signatures, self.bounds.release_quorum)
        id_, released = batch.id(self.domain), 0
        for target in batch.targets:
            order = self.order_of(batch, target)
            if order is None or order.id != id_ or not self.is_live(order):
                continue
            order.released, order.counts = True, False
            if isinstance(order, PageOrder):
                order.places = set()
            released += 1
        if not released:
            raise Refused("GateWrongStatus", id_, "EXPIRED")

    def settle_pages(self, _: str, zone: bytes, criticality: int, numbers: list[int]) -> None:
        for number in numbers:
            page = self.pages.get((zone, criticality, number))
            if page is None or not page.places or self.now < page.until:
                raise Refused("GateNotEnded", number.to_bytes(32))
            page.places = set()

    def order_of(self, batch: Batch, target: int) -> Order | None:
        """The last on a target of this batch, whoever's it is."""
        if batch.kind is Kind.ISOLATE:
            return self.pages.get(self.page_number(batch, target))
        return self.orders.get((batch.kind, target.to_bytes(32)))

    # ---------------------------------------------------------------- views

    def batch_id_of(self, batch: Batch) -> bytes:
        return batch.id(self.domain)

    def batch_approval_digest(self, batch: Batch, names: list[list[bytes]]) -> bytes:
        return self.batch_digest("BatchApproval", batch, names)

    def batch_release_digest(self, batch: Batch, names: list[list[bytes]]) -> bytes:
        return self.batch_digest("BatchRelease", batch, names)

    def page_of(self, zone: bytes, criticality: int, number: int) -> tuple[int, int, int, bool]:
        id_ = zone, criticality, number
        page = self.pages.get(id_)
        ordered = _bits(page.places) if page else 0
        until = page.until if page and not page.released else 0
        return _bits(self._members(id_)), ordered, until, id_ in self.sealed


def _size(batch: Batch) -> int:
    pages = batch.kind is Kind.ISOLATE
    keys = [target >> PAGE if pages else target for target in batch.targets]
    if not keys or keys != sorted(set(keys)):
        raise Refused("GateBadBatch")
    return sum(len(_places(target)) for target in batch.targets) if pages else len(keys)


def _places(target: int) -> set[int]:
    return {place for place in range(PAGE) if target >> place & 1}


def _bits(places: set[int]) -> int:
    return sum(1 << place for place in places)
