"""Rules about batches of orders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import machine_tables as tables
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from machine_base import (
    Base,
    agents,
    callers,
    guardians,
    key_signers,
    models,
    numbers,
    signers,
    voters,
    waits,
)
from machine_stage import page_of
from machine_tables import AGENTS, OPERATORS, PAGES, TARGETS
from model_state import PAGE, PageId

from policies.actions import Kind
from responder.chain.proposal import Batch, name_key, page_words

LISTS = {  # kind and criticality of what may well be listed
    (Kind.BLOCK, 0): ["203.0.113.9/32", "203.0.113.10/32", "2001:db8:2::1/128"],
    (Kind.BLOCK, 1): ["203.0.113.0/24", "192.0.2.0/24"],
    (Kind.REVOKE, 1): ["ssh:deploy", "ssh:build"],
    (Kind.REVOKE, 2): ["ssh:admin"],
}
KEYS_OF = {
    cell: sorted(tables.network(t) if cell[0] is Kind.BLOCK else name_key(t) for t in texts)
    for cell, texts in LISTS.items()
}
batch_ttls = st.sampled_from((600,) * 12 + (60, 3600, 3600, 0, 3601))
cells = st.sampled_from([*sorted(LISTS), (Kind.BLOCK, 0), (Kind.REVOKE, 1), (Kind.REVOKE, 1)])
pages = st.sampled_from(PAGES[:1] * 3 + PAGES[1:3] * 5 + PAGES)
masks = st.builds(  # few places, or most
    lambda one, other, few: one & other if few else one | other,
    st.integers(0, (1 << PAGE) - 1),
    st.integers(0, (1 << PAGE) - 1),
    st.integers(0, 4),
)


class Batches(Base):
    # ---------------------------------------------------------------- ordering

    @rule(
        agent=st.sampled_from(AGENTS),
        cell=cells,
        count=st.integers(1, 3),
        signed=key_signers,
        ttl=batch_ttls,
    )
    def list_well(self, agent: str, cell: Any, count: int, signed: Any, ttl: int) -> None:
        keys = KEYS_OF[cell][:count]
        self._order(agent, self._batch(agent, *cell, keys, ttl=ttl), signed)

    @rule(
        caller=agents,
        kind=st.sampled_from((Kind.BLOCK, Kind.REVOKE)),
        criticality=st.integers(0, 4),
        numbers_=st.lists(st.integers(0, 40), max_size=4),
        model=models,
        wait=waits,
        signed=key_signers,
        ordered=st.integers(0, 5),
    )
    def list_anything(
        self,
        caller: str,
        kind: Kind,
        criticality: int,
        numbers_: list[int],
        model: bytes,
        wait: int,
        signed: Any,
        ordered: int,
    ) -> None:
        known = [key for what, key in TARGETS if what is kind]
        keys = [known[number % len(known)] for number in numbers_]
        if ordered:
            keys = sorted(set(keys))
        made = self._batch(caller, kind, criticality, keys, model=model)
        made = replace(made, deadline=self.now + wait)
        if ordered == 5:
            made = replace(made, zone=name_key("dmz"))
        self._order(caller, made, signed)

    @rule(
        agent=st.sampled_from(AGENTS),
        some=st.lists(st.tuples(pages, masks), min_size=1, max_size=3),
        members=st.sampled_from((1,) * 7 + (0,)),
        signed=key_signers,
        ttl=batch_ttls,
        names=st.sampled_from(("good",) * 8 + ("reversed", "short", "long", "none")),
    )
    def isolate_pages(
        self, agent: str, some: Any, members: int, signed: Any, ttl: int, names: str
    ) -> None:
        zone, criticality, _ = some[0][0]
        chosen = {page: mask for page, mask in some if page[:2] == (zone, criticality)}
        targets = []
        for page, mask in sorted(chosen.items(), key=lambda item: item[0][2]):
            bits = mask & self.model.page_of(*page)[0] if members else mask
            targets.append(page[2] << PAGE | (bits or 1))
        made = self._batch(agent, Kind.ISOLATE, criticality, targets, zone=zone, ttl=ttl)
        if ttl != 60:
            self._seal([page_of(made, target) for target in made.targets])
        self._order(agent, made, signed, names)

    @rule(
        agent=st.sampled_from(AGENTS),
        page=pages,
        whole=st.booleans(),
        signed=key_signers,
        ttl=st.sampled_from((600, 3600)),
    )
    def isolate_more_of_a_page(
        self, agent: str, page: PageId, whole: bool, signed: Any, ttl: int
    ) -> None:
        """What is live on it and one more, or all."""
        members, ordered, *_ = self.model.page_of(*page)
        free = members & ~ordered
        bits = members if whole else ordered | (free & -free)
        target = page[2] << PAGE | (bits or 1)
        made = self._batch(agent, Kind.ISOLATE, page[1], [target], zone=page[0], ttl=ttl)
        self._seal([page])
        self._order(agent, made, signed)

    @rule(
        agent=st.sampled_from(AGENTS),
        zone=st.sampled_from((*tables.ZONES, "unknown")),
        criticality=st.integers(0, 4),
        number=st.sampled_from((0, 1, 2, 2047, 65_535, 65_536, 65_537, 1 << 24, 2 << 24 | 1)),
        signed=key_signers,
    )
    def isolate_a_page_of_nowhere(
        self, agent: str, zone: str, criticality: int, number: int, signed: Any
    ) -> None:
        """Also one whose number would reach another zone's or criticality's."""
        targets = [number << PAGE | 1]
        zone_ = name_key(zone)
        made = self._batch(agent, Kind.ISOLATE, criticality, targets, zone=zone_)
        self._order(agent, made, signed, "stolen")

    @precondition(lambda self: self.batches)
    @rule(number=numbers, signed=key_signers)
    def order_one_made_before(self, number: int, signed: Any) -> None:
        batch = self.pick_batch(number)
        name = next(n for n, a in self.world.addresses.items() if a == batch.agent)
        self._order(name, batch, signed)

    @rule(agent=st.sampled_from(AGENTS), cell=cells)
    def draft_a_batch(self, agent: str, cell: Any) -> None:
        self.batches.append(self._batch(agent, *cell, KEYS_OF[cell][:2]))

    def _batch(
        self, agent: str, kind: Kind, criticality: int, targets: list[Any], **other: Any
    ) -> Batch:
        made = Batch(
            kind=kind,
            zone=bytes(32),
            criticality=criticality,
            targets=tuple(t if isinstance(t, int) else int.from_bytes(t) for t in targets),
            ttl=600,
            model=tables.MODELS[0],
            evidence=tables.EVIDENCE,
            deadline=self.now + 900,
            agent=self.address(agent),
            nonce=self.nonce(agent),
        )
        return replace(made, **other)

    def _order(self, name: str, batch: Batch, signed: Any, names: str = "good") -> None:
        signatures = self.halves(self.decided_batch("BatchApproval", batch), signed)
        done = self.send("orderBatch", name, batch, self._given(batch, names), signatures)
        if done and batch not in self.batches:
            self.batches.append(batch)

    def _given(self, batch: Batch, form: str = "good") -> list[list[bytes]]:
        if batch.kind is not Kind.ISOLATE:
            return [[b"\x01" * 32]] if form == "short" else []
        if form == "none":
            return []
        if form == "stolen":  # of the page that the number would reach if it ran over
            return [page_words(self.model.page_keys(PAGES[3]), 1) for _ in batch.targets]
        words = [
            page_words(self.model.page_keys(page_of(batch, target)), target)
            for target in batch.targets
        ]
        changes = {
            "reversed": lambda page: page[::-1],
            "short": lambda page: page[:-1],
            "long": lambda page: [*page, bytes(32)],
        }
        return [changes.get(form, list)(page) for page in words]

    # ---------------------------------------------------------------- stopping and ending

    @precondition(lambda self: self.batches)
    @rule(number=numbers, name=voters)
    def withdraw_from_a_batch(self, number: int, name: str) -> None:
        self.send("withdrawBatch", name, self.pick_batch(number))

    @precondition(lambda self: self.batches)
    @rule(number=numbers, name=guardians)
    def veto_a_batch(self, number: int, name: str) -> None:
        self.send("vetoBatch", name, self.pick_batch(number))

    @precondition(lambda self: self.batches)
    @rule(
        number=numbers,
        signed=signers,
        names=st.sampled_from(("good",) * 7 + ("reversed",)),
        changed=st.sampled_from(("",) * 12 + ("ttl", "nonce", "evidence")),
    )
    def release_a_batch(self, number: int, signed: Any, names: str, changed: str) -> None:
        live = [batch for batch in self.batches if self.live(batch)]
        if number % 8 and not live:
            keys = KEYS_OF[Kind.BLOCK, 0][:1]
            live = [self._batch(AGENTS[0], Kind.BLOCK, 0, keys)]
            self._order(AGENTS[0], live[0], [(name, "good") for name in OPERATORS[:3]])
        batch = live[number % len(live)] if live and number % 8 else self.pick_batch(number)
        if number % 5 and batch.kind is Kind.ISOLATE:
            self._seal([page_of(batch, target) for target in batch.targets])
        changes = {
            "ttl": batch.ttl + 1,
            "nonce": batch.nonce + (1 << 32),  # the same in 32 bits
            "evidence": bytes(31) + b"\x09",
        }
        if changed:
            batch = replace(batch, **{changed: changes[changed]})
        signatures = self.sign(self.decided_batch("BatchRelease", batch), signed)
        self.send("releaseBatch", "stranger", batch, self._given(batch, names), signatures)

    @rule(page=pages, more=pages, ended=st.sampled_from((1, 1, 1, 0)), number=numbers)
    def settle_pages(self, page: PageId, more: PageId, ended: int, number: int) -> None:
        self.wait_for_an_end([o for o in self.model.pages.values() if o.places], number)
        over = [
            id_
            for id_, order in self.model.pages.items()
            if order.places and self.now >= order.until
        ]
        first = over[0] if over and ended else page
        all_ = [id_[2] for id_ in (*over, more) if id_[:2] == first[:2]] if ended else [first[2]]
        self.send("settlePages", "stranger", *first[:2], all_[:2] or [first[2]])

    @rule(
        page=pages, form=st.sampled_from(("whole", "whole", "short", "other", "none")), by=callers
    )
    def seal_a_page(self, page: PageId, form: str, by: str) -> None:
        keys = self.model.page_keys(page)
        given = {"whole": keys, "short": keys[:-1], "other": keys[::-1], "none": []}[form]
        self.send("sealPage", by, *page, given)

    def _seal(self, pages: list[PageId]) -> None:
        for page in pages:
            if page not in self.model.sealed and self.model.page_keys(page):
                self.send("sealPage", "stranger", *page, self.model.page_keys(page))
