"""Attackers choose what alerts say: what they can bring about is bounded, and never touches what is
protected.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from founding import INVENTORY

from policies.actions import Kind
from policies.alerts import Alert, Tactic
from policies.picture import MAX_INDICATORS, Picture
from policies.playbook import Playbook
from responder.decision import Decision
from responder.imagined import Imagined
from responder.settings import TTL
from responder.site import new_guardrails
from responder.watch import Watch

HOUR = 3600.0
PROTECTED = {"vault", "ssh:SHA256:root"}
OWN = "10.0.9."  # the operators' network, which is protected


def quiet(hours: int) -> Iterator[Alert]:
    for n in range(hours * 6):
        yield Alert(600.0 * n, "suricata", "usual", src="10.0.2.10", dst="10.0.3.10")


def forged(count: int, seed: int, start: float) -> Iterator[Alert]:
    """Ever new rules of every tactic, against everything, from everywhere, as fast as can be."""
    rng = random.Random(seed)
    names = [asset.id for asset in INVENTORY.assets] + [f"ghost-{n}" for n in range(20_000)]
    keys = [credential.id for credential in INVENTORY.credentials]
    for n in range(count):
        outside = f"198.{rng.randrange(18, 20)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        yield Alert(
            time=start + n / 50,
            sensor=rng.choice(["suricata", "wazuh", f"x{rng.randrange(10_000)}"]),
            type=str(rng.randrange(100_000)),
            tactic=rng.choice(list(Tactic)),
            host=rng.choice(names[:5]) if rng.random() < 0.7 else rng.choice(names),
            src=rng.choice([outside, f"{OWN}{rng.randrange(256)}", "127.0.0.1", "::1", "0.0.0.0"]),
            dst=rng.choice(INVENTORY.assets).addresses[0],
            credential=rng.choice([*keys, ""]),
        )


def decided(alerts: Iterator[Alert]) -> tuple[list[Decision], Picture, Watch]:
    made: list[Decision] = []
    authority = Imagined(new_guardrails(INVENTORY), made.append)
    watch = Watch(Picture(INVENTORY), Playbook(), authority, TTL, 3)
    for alert in alerts:
        watch.advance(alert.time)
        watch.take(alert, alert.time)
    return made, watch.picture, watch


@pytest.fixture(scope="module")
def under_flood() -> tuple[list[Decision], Picture, Watch]:
    def both() -> Iterator[Alert]:
        yield from quiet(24)
        yield from forged(30_000, 7, 24 * HOUR)

    return decided(both())


def test_a_flood_of_forged_alerts_gets_no_more_than_the_budgets(
    under_flood: tuple[list[Decision], Picture, Watch],
) -> None:
    made, _, _ = under_flood
    assert made
    rules, limits = new_guardrails(INVENTORY).rules, new_guardrails(INVENTORY).limits
    criticality = {asset.id: asset.criticality for asset in INVENTORY.assets} | {
        known.id: known.criticality for known in INVENTORY.credentials
    }
    used = Counter(
        (d.action.kind, criticality.get(d.action.target, 0), d.time // limits.window)
        for d in made
        if d.verb.name == "ORDER"
    )
    for (kind, cell, _), count in used.items():
        assert count <= rules[kind, cell].budget


def test_what_is_protected_is_never_proposed(
    under_flood: tuple[list[Decision], Picture, Watch],
) -> None:
    made, _, _ = under_flood
    targets = {decision.action.target for decision in made}
    assert targets.isdisjoint(PROTECTED)
    assert not [target for target in targets if target.startswith((OWN, "127.", "0.", "::1"))]


def test_memory_is_bounded(under_flood: tuple[list[Decision], Picture, Watch]) -> None:
    _, picture, watch = under_flood
    assert len(picture.entities()) <= len(EVERYONE) + MAX_INDICATORS
    assert len(picture.site_rates) <= 4096 + 1
    assert len(picture.unknown_assets) <= 4096
    assert len(picture._routes) <= 16_384
    assert len(picture._hearing) <= 256 + 1
    assert all(len(trace.recent) <= 64 for trace in picture._traces)
    assert all(len(trace.types) <= 256 + 1 for trace in picture._traces)
    assert len(watch.recent) <= 400


EVERYONE = [*INVENTORY.assets, *INVENTORY.credentials]


def test_a_crown_jewel_is_not_cut_off_by_one_rule_however_loud() -> None:
    """A single rule, forged a hundred thousand times, is one fact."""

    def both() -> Iterator[Alert]:
        yield from quiet(24)
        for n in range(20_000):
            yield Alert(24 * HOUR + n / 100, "suricata", "forged", tactic=Tactic.IMPACT, host="db")

    made, picture, _ = decided(both())
    assert made == []
    assert len(picture._routes) < 10


def test_who_frames_every_host_gets_none_isolated() -> None:
    """All are as loud as each other: a scan, or a lie."""

    def both() -> Iterator[Alert]:
        yield from quiet(24)
        for n in range(40):
            for asset in INVENTORY.assets:
                when = 24 * HOUR + n
                yield Alert(when, "x", f"r{n}", tactic=Tactic.INITIAL_ACCESS, host=asset.id)

    made, _, _ = decided(both())
    assert not [d for d in made if d.action.kind is Kind.ISOLATE]
