"""Recorded alerts through picture and policy, at full speed and without a chain: what would have
been proposed, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from policies.alerts import Alert
from policies.inventory import Inventory
from policies.picture import Picture
from policies.policy import Policy
from responder.decision import Decision
from responder.errors import Permanent
from responder.imagined import Imagined
from responder.sensors import Counters, MalformedLine, parser, recorded_lines
from responder.sensors.tactics import Tactics
from responder.settings import TTL
from responder.site import new_guardrails
from responder.watch import Watch

__all__ = ["MOST_AT_ONCE", "Recorded", "replay"]

MOST_AT_ONCE = 3  # proposals, as the settings have it by default


@dataclass(frozen=True)
class Recorded:
    """All alerts of a file, in the order of time."""

    alerts: Sequence[Alert]
    counters: Counters

    @staticmethod
    def load(
        path: Path,
        format: str,
        tell: Callable[[int], None] = lambda lines: None,
        tactics: Tactics | None = None,
    ) -> Recorded:
        """Reads a file (also .gz and .xz); `tell` hears of lines read. What no parser takes is
        counted. Raises Permanent where there is no alert in it.
        """
        parse, counters, alerts = parser(format, tactics).parse, Counters(), []
        for line in recorded_lines(path):
            counters.lines += 1
            if counters.lines % 10_000 == 0:
                tell(10_000)
            try:
                alert = parse(line)
            except MalformedLine as error:
                counters.malformed += 1
                counters.last_reason = error.reason
                continue
            if alert is None:
                counters.ignored += 1
            else:
                alerts.append(alert)
        if not alerts:
            why = f": {counters.last_reason}" if counters.malformed else ""
            raise Permanent(f"{path} holds no alerts in format {format!r}{why}")
        counters.alerts = len(alerts)
        alerts.sort(key=lambda alert: alert.time)
        return Recorded(alerts, counters)


def replay(
    recorded: Recorded,
    inventory: Inventory,
    policy: Policy,
    hear: Callable[[Decision], None],
    tell: Callable[[int], None] = lambda alerts: None,
) -> Picture:
    """`hear` hears of each decision, as though people had approved all before it at once; `tell`
    of alerts taken in. Returns the picture at the end.

    The rules are those of a new site with this inventory. Same alerts, same decisions.
    """
    picture = Picture(inventory)
    authority = Imagined(new_guardrails(inventory), hear)
    watch = Watch(picture, policy, authority, TTL, MOST_AT_ONCE)
    for number, alert in enumerate(recorded.alerts, start=1):
        watch.advance(alert.time)
        watch.take(alert, alert.time)
        if number % 10_000 == 0:
            tell(10_000)
    tell(len(recorded.alerts) % 10_000)
    return picture
