"""Replay, shadow mode and the live side decide the same on the same alerts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from founding import INVENTORY, eve_line
from world import World

from policies.actions import Action, Kind
from policies.alerts import Alert
from policies.picture import Picture
from policies.playbook import Playbook
from policies.policy import Policy, Verb
from responder.clock import ManualClock
from responder.decision import Decision, entry
from responder.feeds import FeedSettings
from responder.imagined import Imagined
from responder.replay import Recorded, replay
from responder.settings import Settings
from responder.shadow import Shadow
from responder.site import new_guardrails
from responder.store import Cache
from responder.watch import Watch

ATTACK = 40 * 600 + 7  # seconds after the first alert; not on a whole minute
ADDRESS = "203.0.113.9"
Line = tuple[int, bytes]  # when, and what


def attack(start: int) -> list[Line]:
    """A quiet site, a scan of all of it, a break-in at the web server, and hours of quiet."""

    def said(after: int, signature: int, title: str, dst: str = "10.0.1.10") -> Line:
        time = start + after
        return time, eve_line(time, signature, ADDRESS, dst, title)

    quiet = [
        (start + n, eve_line(start + n, 1, "10.0.2.10", "10.0.3.10", "ET INFO Usual"))
        for n in range(0, ATTACK + 12_000, 200)
    ]
    scan = [
        said(ATTACK + n, 100 + n, "ET SCAN Something", asset.addresses[0])
        for n in range(3)
        for asset in INVENTORY.assets
    ]
    entered = [said(ATTACK + 60 + 5 * n, 200 + n, "ET EXPLOIT Something") for n in range(12)]
    return sorted(quiet + scan + entered, key=lambda line: line[0])


def replayed(folder: Path, lines: Iterable[Line], policy: Policy | None = None) -> list[Decision]:
    path, made = folder / "alerts.json", list[Decision]()
    path.write_bytes(b"".join(line for _, line in lines))
    replay(Recorded.load(path, "eve"), INVENTORY, policy or Playbook(), made.append)
    return made


def shadowed(home: Path, lines: Sequence[Line], every: int, die: bool = False) -> list[Any]:
    """Decisions of shadow mode that reads so many lines a tick, and may die after each."""
    home.mkdir()
    feed = FeedSettings(home / "feed.log", "eve")
    settings = Settings(home, "", home / "manifest.json", home / "inventory.yaml", (feed,))
    clock = ManualClock()

    def opened() -> Shadow:
        return Shadow(settings, INVENTORY, new_guardrails(INVENTORY), Playbook(), clock)

    shadow = opened()
    for first in range(0, len(lines), every):
        some = lines[first : first + every]
        with feed.path.open("ab") as file:
            file.writelines(line for _, line in some)
        clock.set(some[-1][0])
        shadow.tick()
        if die:
            shadow.close()
            shadow = opened()
    shadow.close()
    written = (settings.shadow / "decisions.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in written]
    for each in found:
        assert (settings.shadow / "evidence" / f"{each.pop('evidence')}.json").is_file()
    return found


def test_before_the_first_alert_no_time_passes(tmp_path: Path) -> None:
    """So that a day begins with its first alert, whoever watched before."""
    lines = attack(1_700_000_000)
    nothing = [(lines[0][0] - seconds, b"") for seconds in (907, 300, 17)]
    made = shadowed(tmp_path / "site", [*nothing, *lines], every=1)
    assert made == [entry(decision) for decision in replayed(tmp_path, lines)]


def test_a_replay_tells_the_story(tmp_path: Path) -> None:
    made = replayed(tmp_path, attack(1_700_000_000))
    said = [(d.verb, d.action.kind.name, d.action.target) for d in made]
    assert said[:2] == [
        (Verb.ORDER, "BLOCK", f"{ADDRESS}/32"),
        (Verb.ORDER, "ISOLATE", "web"),
    ]
    assert said[-1] == (Verb.RELEASE, "ISOLATE", "web")
    assert not [target for _, kind, target in said if kind == "ISOLATE" and target != "web"]


def test_same_alerts_same_bytes(tmp_path: Path) -> None:
    lines = attack(1_700_000_000)
    one, other = replayed(tmp_path, lines), replayed(tmp_path, lines)
    assert [d.evidence for d in one] == [d.evidence for d in other]
    assert one == other


@pytest.mark.parametrize(("every", "die"), [(1, False), (1, True)])
def test_shadow_mode_decides_as_the_replay(tmp_path: Path, every: int, die: bool) -> None:
    lines = attack(1_700_000_000)
    expected = [entry(decision) for decision in replayed(tmp_path, lines)]
    assert shadowed(tmp_path / "site", lines, every, die) == expected


def test_what_shadow_mode_cannot_write_it_writes_later(tmp_path: Path) -> None:
    home = tmp_path / "site"
    blocked = home / "shadow" / "decisions.jsonl"
    blocked.mkdir(parents=True)  # no file can be written there
    lines = attack(1_700_000_000)
    expected = [entry(decision) for decision in replayed(tmp_path, lines)]
    feed = FeedSettings(home / "feed.log", "eve")
    settings = Settings(home, "", home / "manifest.json", home / "inventory.yaml", (feed,))
    clock = ManualClock()
    shadow = Shadow(settings, INVENTORY, new_guardrails(INVENTORY), Playbook(), clock)
    for time, line in lines:
        with feed.path.open("ab") as file:
            file.write(line)
        clock.set(time)
        shadow.tick()
    assert Cache(settings.shadow / "cache.sqlite").get("heartbeat")["time"] < lines[-1][0]
    blocked.rmdir()
    shadow.tick()
    written = [json.loads(line) for line in blocked.read_text("utf-8").splitlines()]
    assert [each["time"] for each in written] == [each["time"] for each in expected]
    assert Cache(settings.shadow / "cache.sqlite").get("heartbeat")["time"] == lines[-1][0]
    shadow.close()


def test_what_it_would_have_said_long_ago_it_says_for_now(tmp_path: Path) -> None:
    """As after hours in which it did not run."""
    lines = attack(1_700_000_000)[:-50]
    [*_, last] = lines
    made = shadowed(tmp_path / "site", lines, every=len(lines))
    assert all(last[0] - decision["time"] <= 300 for decision in made)


def test_the_live_side_decides_as_the_replay(world: World, tmp_path: Path) -> None:
    """On a chain, under a lease that covers what the replay takes for approved."""
    policy = Playbook()
    world.activate(policy.hash)
    world.lease(50, 50, model=policy.hash, max_ttl=14_400)
    world.settings = replace(world.settings, proposals_per_tick=3)
    lines = attack(world.now + 1000)
    responder = world.responder(policy)
    for time, line in lines:
        if time > world.now:
            world.devnet.mine_at(time)
        world.feed(line)
        responder.tick()
    bundles = [
        responder._proposer._evidence.get(case.proposal.evidence)
        for case in world.ledger().cases.values()
    ]
    expected = [d for d in replayed(tmp_path, lines) if d.verb is Verb.ORDER]
    assert [(b["action"], b["time"], b["reasons"]) for b in bundles] == [
        (d.evidence["action"], d.time, list(d.reasons)) for d in expected
    ]
    [suggested] = responder._proposer.suggestions
    assert (suggested["kind"], suggested["target"]) == ("ISOLATE", "web")


def test_what_was_held_back_is_decided_once_it_may_be(tmp_path: Path) -> None:
    lines = attack(1_700_000_000)
    [isolation] = [d for d in replayed(tmp_path, lines) if d.action.target == "web"][:1]
    made: list[Decision] = []
    authority = Imagined(new_guardrails(INVENTORY), made.append)
    watch = Watch(Picture(INVENTORY), Playbook(), authority, (1800, 3600, 3600), 3)
    watch.holding = True
    for alert in Recorded.load(tmp_path / "alerts.json", "eve").alerts:
        if alert.time > isolation.time + 60:
            break
        watch.take(alert, alert.time)
    assert made == []
    watch.holding = False
    watch.advance(alert.time, alert.time)
    assert "web" in {decision.action.target for decision in made}


def test_when_every_sensor_is_silent_nothing_is_decided() -> None:
    picture = Picture(INVENTORY)
    for window in range(50):
        picture.observe(Alert(600.0 * window, "eve", "x", host="web"), 600.0 * window)
    assert (picture.silent(), picture.stale()) == ((), False)
    picture.observe(Alert(30_100.0, "rare", "x", host="web"), 30_100.0)
    picture.advance(32_000.0)
    assert (picture.silent(), picture.stale()) == (("eve",), True)
    kept = Picture.from_json(INVENTORY, json.loads(json.dumps(picture.to_json())))
    assert kept.silent() == ("eve",)
    picture.observe(Alert(32_000.0, "eve", "x", host="web"), 32_000.0)
    assert not picture.stale()


def heard(picture: Picture, windows: int, sensor: str = "eve") -> None:
    """Once in each window, from when the picture is."""
    begins = max(picture.time, 0.0)
    for n in range(1, windows + 1):
        time = begins + 600.0 * n
        picture.observe(Alert(time, sensor, "x", host="web"), time)


@pytest.mark.parametrize("steps", [1, 3, 5000])
def test_while_everyone_is_silent_nothing_is_learned_however_long(steps: int) -> None:
    picture = Picture(INVENTORY)
    heard(picture, 50)
    windows, since = picture.windows, picture.time
    for step in range(1, steps + 1):
        picture.advance(since + 30 * 86_400 * step / steps)
    assert picture.stale()
    assert picture.windows == windows + 3
    heard(picture, 1)
    assert not picture.stale()


def test_where_nobody_speaks_all_the_time_silence_is_learned_from() -> None:
    picture = Picture(INVENTORY)
    heard(picture, 40)
    for day in range(3):
        time = 24_600.0 + 40_000 * (day + 1)
        picture.observe(Alert(time, "eve", "x", host="web"), time)
    windows = picture.windows
    picture.advance(picture.time + 50_000)
    assert picture.windows > windows + 80
    picture.advance(picture.time + 30 * 86_400)
    assert picture.windows <= windows + 145


def test_one_alert_of_long_ago_is_no_history() -> None:
    picture = Picture(INVENTORY)
    picture.observe(Alert(0.0, "eve", "x", host="web"), 1_700_000_000.0)
    picture.observe(Alert(1_700_000_000.0, "eve", "x", host="web"), 1_700_000_000.0)
    assert picture.windows <= 3


def test_a_sensor_that_others_replaced_holds_nothing_up_for_long() -> None:
    picture = Picture(INVENTORY)
    heard(picture, 2000, "old")
    heard(picture, 140, "new")
    assert picture.stale()
    heard(picture, 10, "new")
    assert (picture.silent(), picture.stale()) == ((), False)


def test_a_restart_gives_shadow_mode_no_new_budget() -> None:
    rules = new_guardrails(INVENTORY)
    authority = Imagined(rules, [].append)
    authority.guardrails(5000.0).propose(Action(Kind.BLOCK, "203.0.113.9", 600), b"", 5000.0)
    fresh = new_guardrails(INVENTORY)
    Imagined(fresh, [].append, json.loads(json.dumps(authority.to_json())))
    assert rules.used(Kind.BLOCK, 0, 5000.0) == fresh.used(Kind.BLOCK, 0, 5000.0) == 1
