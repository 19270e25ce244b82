"""One frozen settings object, read from `settings.yaml` in the home folder and validated once at
start.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from responder.errors import Permanent
from responder.feeds import FeedSettings

__all__ = ["DEFAULT_HOME", "TTL", "FeedSettings", "Settings"]

DEFAULT_HOME = Path(".countersign")
# Seconds by Kind; rules may shorten it. What was isolated is looked into by people, which takes
# hours, so it does not come back by itself before them.
TTL = (1800, 14_400, 86_400)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the live side is told. Paths are absolute; secrets are files, never values."""

    home: Path
    rpc: str
    manifest: Path
    inventory: Path
    feeds: tuple[FeedSettings, ...]
    policy: str = "playbook"  # or "nothing", or name or folder of a model
    confirmations: int = 0  # blocks on top of the one that is obeyed
    tick: float = 1.0  # seconds between ticks
    clock: str = "system"  # "system", or "chain" where a devnet replays a recording
    proposals_per_tick: int = 3
    pending_seconds: int = 900  # how long a proposal waits for approvals
    ttl: tuple[int, int, int] = TTL
    enforcement: str = "dry-run"  # or "nftables"
    management: tuple[str, ...] = ()  # networks that are never cut

    @property
    def database(self) -> Path:
        return self.home / "cache.sqlite"

    @property
    def evidence(self) -> Path:
        return self.home / "evidence"

    @property
    def shadow(self) -> Path:
        """Of what only watches."""
        return self.home / "shadow"

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def models(self) -> Path:
        """Copies of what `countersign model register` put to the operators, by name."""
        return self.home / "models"

    @staticmethod
    def load(home: Path) -> Settings:
        """Reads `home/settings.yaml`. Raises Permanent with the entry at fault."""
        path = home / "settings.yaml"
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise Permanent(
                f"no settings at {path}; `countersign up` makes them, or give --home"
            ) from error
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise Permanent(f"cannot read {path}: {error}") from error
        return Settings.from_mapping(data, home.resolve(), where=str(path))

    @staticmethod
    def from_mapping(data: Any, home: Path, where: str = "settings") -> Settings:
        """Validates a parsed document; relative paths start at `home`."""
        if not isinstance(data, Mapping):
            raise Permanent(f"{where}: expected a mapping")
        known = set(Settings.__dataclass_fields__) - {"home"}
        unknown = {str(k) for k in data} - known
        if unknown:
            raise Permanent(f"{where}: unknown keys {sorted(unknown)}; known are {sorted(known)}")
        missing = {"rpc", "manifest", "inventory", "feeds"} - set(data)
        if missing:
            raise Permanent(f"{where}: missing {sorted(missing)}")
        values: dict[str, Any] = dict(data)
        for key in ("rpc", "policy", "manifest", "inventory"):
            if key in values:
                _typed(values[key], str, f"{where}: {key}")
        for key in ("manifest", "inventory"):
            values[key] = home / values[key]
        feeds = _typed(values["feeds"], list, f"{where}: feeds")
        values["feeds"] = _feeds(feeds, home, f"{where}: feeds")
        if "ttl" in values:
            values["ttl"] = _ttl(values["ttl"], where)
        networks = _typed(values.get("management", []), list, f"{where}: management")
        values["management"] = tuple(_network(n, f"{where}: management") for n in networks)
        settings = Settings(home=home, **values)
        _check(settings, where)
        return settings

    def dump(self) -> None:
        """Writes `home/settings.yaml`."""
        data: dict[str, Any] = {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name != "home"
        }
        for key in ("manifest", "inventory"):
            data[key] = self._relative(data[key])
        data["feeds"] = [feed.to_entry(self.home) for feed in self.feeds]
        data["ttl"] = {"block": self.ttl[0], "isolate": self.ttl[1], "revoke": self.ttl[2]}
        data["management"] = list(self.management)
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "settings.yaml").write_text(yaml.safe_dump(data, sort_keys=False), "utf-8")

    def _relative(self, path: Path) -> str:
        inside = path.is_relative_to(self.home)
        return str(path.relative_to(self.home) if inside else path)


def _check(settings: Settings, where: str) -> None:
    numbers: list[tuple[str, float, float, float]] = [
        ("confirmations", settings.confirmations, 0, 10_000),
        ("tick", settings.tick, 0.01, 3600),
        ("proposals_per_tick", settings.proposals_per_tick, 1, 100),
        ("pending_seconds", settings.pending_seconds, 10, 7 * 86400),
    ]
    for name, value, low, high in numbers:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise Permanent(f"{where}: {name} must lie between {low} and {high}, got {value!r}")
        if name != "tick" and not isinstance(value, int):
            raise Permanent(f"{where}: {name} must be a whole number, got {value!r}")
    for name, choice, allowed in (
        ("clock", settings.clock, ("system", "chain")),
        ("enforcement", settings.enforcement, ("dry-run", "nftables")),
    ):
        if choice not in allowed:
            raise Permanent(f"{where}: {name} must be one of {list(allowed)}, got {choice!r}")


def _typed(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise Permanent(f"{where}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def _feeds(entries: list[Any], home: Path, where: str) -> tuple[FeedSettings, ...]:
    feeds = tuple(FeedSettings.from_entry(entry, home, where) for entry in entries)
    for n, feed in enumerate(feeds):
        if any(feed.key == other.key for other in feeds[:n]) or (
            feed.source and any(feed.path == other.path for other in feeds[:n])
        ):
            raise Permanent(f"{where}: {feed.source or feed.path} is there twice")
    return feeds


def _ttl(value: Any, where: str) -> tuple[int, int, int]:
    names = ("block", "isolate", "revoke")
    if not isinstance(value, Mapping) or set(value) != set(names):
        raise Permanent(f"{where}: `ttl` needs exactly {list(names)}, in seconds")
    seconds = [value[name] for name in names]
    if not all(isinstance(s, int) and not isinstance(s, bool) and s > 0 for s in seconds):
        raise Permanent(f"{where}: `ttl` values must be whole seconds above zero")
    return (seconds[0], seconds[1], seconds[2])


def _network(value: Any, where: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except (ValueError, TypeError) as error:
        raise Permanent(f"{where}: {error}") from error
