"""From a feed's settings to what the loop reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from responder.errors import Permanent
from responder.feeds import FeedSettings
from responder.sensors import parser
from responder.sensors.crowdsec_api import CrowdSec
from responder.sensors.directory import Directory
from responder.sensors.feed import Feed, Source
from responder.sensors.http_intake import HttpIntake
from responder.sensors.receiver import Intake, Receiver
from responder.sensors.spool import Spool
from responder.sensors.stdin import Stdin
from responder.sensors.syslog import SyslogTcp, SyslogUdp
from responder.sensors.tactics import Tactics
from responder.sensors.tail import Position, Tail

__all__ = ["open_feed"]


def open_feed(settings: FeedSettings, saved: Any = None) -> Feed:
    """A feed that goes on after `saved`, what its `to_save` gave; without it, from the beginning.

    Raises Permanent where the settings cannot work, and KeyError, TypeError or ValueError for what
    `to_save` did not give. Sockets are opened at the first read.
    """
    state, last_line = (saved["state"], saved["last_line"]) if saved else (None, None)
    tactics = Tactics.load(settings.tactics) if settings.tactics else None
    return Feed(
        _source(settings, state), parser(settings.format, tactics, settings.zone), last_line
    )


def _source(settings: FeedSettings, state: Any) -> Source:
    if settings.pattern:
        positions = {str(name): _position(at) for name, at in (state or {}).items()}
        return Directory(settings.path, settings.pattern, positions)
    if settings.source:
        return Intake(Spool(settings.path, _position(state)), _receiver(settings))
    return Tail(settings.path, _position(state))


def _position(state: Any) -> Position | None:
    return state and Position(**state)


def _receiver(settings: FeedSettings) -> Receiver:
    if settings.source == "stdin":
        return Stdin()
    url = urlsplit(settings.source)
    where, name = (url.hostname or "", url.port or 0), settings.source
    whole = settings.format == "auth"  # a log file's line; the others read what is in a message
    if url.scheme == "syslog+udp":
        return SyslogUdp(name, *where, whole)
    if url.scheme == "syslog+tcp":
        return SyslogTcp(name, *where, whole)
    secret = _secret(settings)
    if settings.polled:
        return CrowdSec(name, settings.source, secret)
    return HttpIntake(name, *where, url.path or "/", secret)


def _secret(settings: FeedSettings) -> Path:
    if settings.secret is None:
        raise Permanent(f"the feed {settings.source} needs a file with its secret")
    return settings.secret
