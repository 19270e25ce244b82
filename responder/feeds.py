"""What `feeds` in settings.yaml may say: where alerts come from, and in which format."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from responder.errors import Permanent
from responder.sensors import FORMATS

__all__ = ["FeedSettings"]

_SOURCES = ("path", "directory", "listen", "stdin", "crowdsec")
_COMMON = {"format", "tactics", "zone"}
_SCHEMES = ("http", "syslog+udp", "syslog+tcp")
_OPTIONS: dict[str, set[str]] = {
    "path": set(),
    "directory": {"pattern"},
    "listen": {"token_file", "beyond_loopback"},
    "stdin": set(),
    "crowdsec": {"credentials_file", "beyond_loopback"},
}


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """One source of alert lines: what is read, and who fills it."""

    path: Path  # a file, a folder, or the spool of what is pushed or polled
    format: str  # one of FORMATS, or the path of a mapping file
    pattern: str = ""  # of names in the folder
    source: str = ""  # who fills the spool: "stdin", or the URL that is listened on or polled
    polled: bool = False  # the URL is CrowdSec's
    secret: Path | None = None  # the file with the token or the credentials
    beyond_loopback: bool = False
    tactics: Path | None = None  # rules of the user's own, which go before the shipped ones
    zone: str = "UTC"  # of stamps without an offset

    @property
    def key(self) -> str:
        """By which its position is kept: another format reads it anew."""
        return f"{self.format}:{self.path / self.pattern if self.pattern else self.path}"

    @staticmethod
    def from_entry(entry: Any, home: Path, where: str) -> FeedSettings:
        """Reads one of `feeds`; relative paths start at `home`. Raises Permanent."""
        if not isinstance(entry, Mapping) or "format" not in entry:
            raise Permanent(f"{where}: each of `feeds` needs a `format`")
        named = [name for name in _SOURCES if name in entry]
        if len(named) != 1:
            raise Permanent(f"{where}: each of `feeds` needs exactly one of {list(_SOURCES)}")
        unknown = {str(key) for key in entry} - _OPTIONS[named[0]] - {*_COMMON, named[0]}
        if unknown:
            raise Permanent(
                f"{where}: a feed with `{named[0]}` takes "
                f"{sorted(_OPTIONS[named[0]] | _COMMON)}, not {sorted(unknown)}"
            )
        read = _Entry(entry, home, where)
        return replace(read.settings(named[0]), **read.common())

    def to_entry(self, home: Path) -> dict[str, Any]:
        """What `from_entry` reads."""

        def shown(path: Path) -> str:
            return str(path.relative_to(home) if path.is_relative_to(home) else path)

        entry: dict[str, Any] = {"format": self.format}
        if self.pattern:
            entry |= {"directory": shown(self.path), "pattern": self.pattern}
        elif self.source == "stdin":
            entry["stdin"] = True
        elif self.source:
            entry["crowdsec" if self.polled else "listen"] = self.source
        else:
            entry["path"] = shown(self.path)
        if self.secret is not None:
            entry["credentials_file" if self.polled else "token_file"] = shown(self.secret)
        if self.beyond_loopback:
            entry["beyond_loopback"] = True
        if self.tactics is not None:
            entry["tactics"] = shown(self.tactics)
        if self.zone != "UTC":
            entry["zone"] = self.zone
        return entry


class _Entry:
    """One entry as it was written."""

    def __init__(self, entry: Mapping[Any, Any], home: Path, where: str) -> None:
        self._entry, self._home, self._where = entry, home, where

    def common(self) -> dict[str, Any]:
        """What any feed may say beside its source and format."""
        said: dict[str, Any] = {}
        if "tactics" in self._entry:
            said["tactics"] = self._path("tactics")
        if "zone" in self._entry:
            said["zone"] = self._text("zone")
        return said

    def settings(self, source: str) -> FeedSettings:
        if source == "path":
            return FeedSettings(self._growing(), self._format())
        if source == "directory":
            return FeedSettings(self._path("directory"), self._format(), self._pattern())
        if source == "stdin":
            if self._entry["stdin"] is not True:
                raise self._wrong("`stdin` is true or left out")
            return FeedSettings(self._spool("stdin"), self._format(), source="stdin")
        url = self._text(source)
        return self._listener(url) if source == "listen" else self._crowdsec(url)

    def _listener(self, url: str) -> FeedSettings:
        scheme, host, port = self._parts(url, _SCHEMES)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise self._wrong(f"`listen` takes an address, not a name: {url}") from None
        if not _is_loopback(host) and not self._beyond_loopback():
            raise self._wrong(
                f"{url} can be reached from other hosts; say `beyond_loopback: true` if that is "
                "meant, and put a proxy that does TLS before HTTP"
            )
        if scheme == "http" and "token_file" not in self._entry:
            raise self._wrong("listening for HTTP needs a `token_file`")
        if scheme != "http" and "token_file" in self._entry:
            raise self._wrong("syslog knows no token: leave `token_file` out")
        return FeedSettings(
            self._spool(f"{scheme}-{host}-{port}"),
            self._format(),
            source=url,
            secret=self._path("token_file") if scheme == "http" else None,
            beyond_loopback=self._beyond_loopback(),
        )

    def _crowdsec(self, url: str) -> FeedSettings:
        scheme, host, port = self._parts(url, ("http", "https"))
        if "credentials_file" not in self._entry:
            raise self._wrong(
                "`crowdsec` needs a `credentials_file`, as `cscli machines add` writes it (an API "
                "key of a bouncer may not read alerts)"
            )
        if scheme == "http" and not _is_loopback(host) and not self._beyond_loopback():
            raise self._wrong(
                f"{url} would send the credentials in the clear; use https, or say "
                "`beyond_loopback: true` if that is meant"
            )
        return FeedSettings(
            self._spool(f"crowdsec-{host}-{port}"),
            self._format(),
            source=url,
            polled=True,
            secret=self._path("credentials_file"),
            beyond_loopback=self._beyond_loopback(),
        )

    def _beyond_loopback(self) -> bool:
        value = self._entry.get("beyond_loopback", False)
        if not isinstance(value, bool):
            raise self._wrong("`beyond_loopback` is true or false")
        return value

    def _parts(self, url: str, schemes: tuple[str, ...]) -> tuple[str, str, int]:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise self._wrong("no URL with an address and a port") from None
        if parts.username is not None or parts.password is not None:
            raise self._wrong("a URL holds no secrets here; they are in a file")
        if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
            raise self._wrong(f"{url} is none of {[f'{name}://ADDRESS:PORT' for name in schemes]}")
        if port is None and parts.scheme == "https":
            port = 443
        if port is None:
            raise self._wrong(f"{url} says no port")
        return parts.scheme, parts.hostname, port

    def _format(self) -> str:
        name = self._text("format")
        if name.endswith((".yaml", ".yml")):
            return str(self._home / name)
        if name not in FORMATS:
            known = ", ".join(FORMATS)
            raise self._wrong(f"unknown alert format {name!r}; known are {known}")
        return name

    def _pattern(self) -> str:
        pattern = self._text("pattern") if "pattern" in self._entry else ""
        if not pattern or "/" in pattern:
            raise self._wrong("`directory` needs a `pattern` of file names, such as `*.json`")
        return pattern

    def _spool(self, name: str) -> Path:
        return self._home / "spool" / (re.sub(r"[^a-z0-9.+-]", "_", name.lower()) + ".ndjson")

    def _growing(self) -> Path:
        path = self._path("path")
        if path.suffix in (".gz", ".xz"):
            raise self._wrong(
                f"{path} is compressed, but a feed follows a growing file: name the one that is "
                "written, or use `countersign replay` for a recorded one"
            )
        return path

    def _path(self, key: str) -> Path:
        return self._home / self._text(key)

    def _text(self, key: str) -> str:
        value = self._entry[key]
        if not isinstance(value, str):
            raise self._wrong(f"{key}: expected str, got {type(value).__name__}")
        return value

    def _wrong(self, why: str) -> Permanent:
        return Permanent(f"{self._where}: {why}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
