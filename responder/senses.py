"""The feeds, the picture that they make, and the watch over it: kept together, so that each line
counts once however often the process dies.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from policies.inventory import Inventory
from policies.picture import Picture
from policies.policy import Policy
from responder.phases import Phases
from responder.sensors import Feed
from responder.sensors.sources import open_feed
from responder.settings import Settings
from responder.store import Cache
from responder.watch import Authority, Watch

__all__ = ["Senses"]

log = logging.getLogger(__name__)

_SECONDS = 0.5  # that a feed may take of a read; what is left comes in the next
_LINES = 256  # at once
_BYTES = 1 << 20


class Senses:
    """Reads what the site's sensors say and lets the watch decide on it."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        policy: Policy,
        authority: Authority,
        cache: Cache,
        phases: Phases,
    ) -> None:
        """As they were at the last checkpoint in `cache`, or from the start."""
        self._settings, self._inventory, self._phases = settings, inventory, phases
        self._alerts = 0
        self._behind = False  # some feed has more than was read
        self._unsaved = False  # the picture took something in since the last checkpoint
        self._saved_feeds: dict[str, Any] = {}
        picture, self._feeds, recent = self._restore(cache)
        most = settings.proposals_per_tick
        self.watch = Watch(picture, policy, authority, settings.ttl, most, recent)

    @property
    def picture(self) -> Picture:
        return self.watch.picture

    def read(self, now: float) -> None:
        """What is new. A feed that cannot be read holds no other up, nor does one that is far
        behind; but until that one is through, time goes on by what it tells, not by the clock.
        """
        self._behind = False
        for feed in self._feeds.values():
            self._phases.run(f"feed {feed.name}", partial(self._read_feed, feed, now))
        if not self._behind:
            self.watch.advance(now, now)

    def waiting(self) -> bool:
        """Whether a feed may have more than when this was asked last; cheap."""
        return any([feed.waiting() for feed in self._feeds.values()])

    def _read_feed(self, feed: Feed, now: float) -> None:
        ends, before = time.monotonic() + _SECONDS, -1
        while before < feed.counters.lines:
            if time.monotonic() >= ends:
                self._behind = True
                break
            before = feed.counters.lines
            for alert in feed.read(_LINES, _BYTES, now):
                self._unsaved = True
                self._alerts += 1
                self.watch.take(alert, now)
        feed.check()

    # ------------------------------------------------------------ checkpoints

    def to_tell(self, now: float) -> dict[str, Any]:
        """For a heartbeat."""
        return {
            "alerts": self._alerts,
            "positions": [feed.state for feed in self._feeds.values()],
            "feeds": [feed.to_json(now) for feed in self._feeds.values()],
            "silent": list(self.picture.silent()),
            "unknown_assets": self.picture.unknown_assets,
        }

    def to_save(self) -> dict[str, Any]:
        """Documents for the cache, to be written together: the picture and where each feed was read
        to. Call `saved` once they are.
        """
        feeds = self._where()
        documents: dict[str, Any] = {} if feeds == self._saved_feeds else {"feeds": feeds}
        if self._unsaved:
            documents["picture"] = {
                "picture": self.picture.to_json(),
                "recent": list(self.watch.recent),
                "alerts": self._alerts,
            }
        return documents

    def saved(self) -> None:
        """What `to_save` gave last is in the cache."""
        self._unsaved, self._saved_feeds = False, self._where()
        for feed in self._feeds.values():
            feed.saved()

    def _where(self) -> dict[str, Any]:
        return {**self._saved_feeds, **{k: feed.to_save() for k, feed in self._feeds.items()}}

    def _restore(self, cache: Cache) -> tuple[Picture, dict[str, Feed], list[Mapping[str, Any]]]:
        saved, feeds = cache.get("picture"), cache.get("feeds")
        try:
            if feeds is not None:
                opened, recent = self._open(feeds), []
                picture = Picture(self._inventory)
                if saved is not None:
                    picture = Picture.from_json(self._inventory, saved["picture"])
                    recent, self._alerts = list(saved["recent"]), int(saved["alerts"])
                self._saved_feeds = feeds
                return picture, opened, recent
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("the cache is another version's; the feeds are read again from their start")
        return Picture(self._inventory), self._open({}), []

    def _open(self, saved: Mapping[str, Any]) -> dict[str, Feed]:
        """Those that are not in `saved` are new and begin at their start."""
        return {f.key: open_feed(f, saved.get(f.key)) for f in self._settings.feeds}

    def close(self) -> None:
        """Lets go of the feeds' files and sockets. What was acknowledged stays in their spools."""
        for feed in self._feeds.values():
            feed.close()
