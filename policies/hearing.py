"""Which sensors usually speak, and which fell silent: a picture that nobody feeds is old."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policies.evidence import WINDOW

__all__ = ["Hearing"]

_MAX_SENSORS = 256  # whose silence is noticed; later ones share one name
_OTHER = "other"
_USUAL = 0.9  # share of the windows in which a sensor speaks that is never silent for long
_KNOWN = 36  # windows from which it is known which do
_SILENT = 3 * WINDOW  # seconds
_DAY = 86_400  # seconds


class Hearing:
    """When each sensor was heard last, and in how many windows. In constant memory.

    Windows are counted by the caller, as `learned`: those in which somebody listened.
    """

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}  # sensor -> when last, Unix seconds
        self._spoke: dict[str, int] = {}  # sensor -> windows
        self._last: dict[str, int] = {}  # sensor -> number of the last of these

    def __len__(self) -> int:
        return len(self._heard)

    def name(self, sensor: str) -> str:
        """The name that it is heard under."""
        return sensor if sensor in self._heard or len(self._heard) < _MAX_SENSORS else _OTHER

    def hear(self, name: str, now: float) -> None:
        self._heard[name] = now

    def close(self, opened: float, windows: int, learned: int) -> int:
        """The window that `opened` then is over, and maybe some more in which nothing came. How
        many of them say what is normal: where everyone falls silent who never is, nobody listens.
        """
        for name, heard in self._heard.items():
            if heard >= opened:
                self._spoke[name] = self._spoke.get(name, 0) + 1
                self._last[name] = learned + 1
        latest, count = max(self._heard.values(), default=opened), 0
        while count < windows:
            quiet = opened + (count + 1) * WINDOW - latest
            so_far = learned + count
            if quiet > (_DAY if so_far >= _KNOWN and not self.usual(so_far) else _SILENT):
                break
            count += 1
        return count

    def usual(self, learned: int) -> list[str]:
        """Those that spoke in nearly all windows, and did not leave while others went on."""
        if learned < _KNOWN:
            return []
        since = learned - _DAY // WINDOW
        return [
            name
            for name, count in self._spoke.items()
            if count >= _USUAL * learned and self._last[name] >= since
        ]

    def rewind(self, now: float) -> None:
        """The clock was ahead: nobody was heard later than now."""
        self._heard = {name: min(heard, now) for name, heard in self._heard.items()}

    def is_silent(self, name: str, now: float) -> bool:
        return now - self._heard[name] > _SILENT

    def to_json(self) -> list[list[Any]]:
        return [
            [name, heard, self._spoke.get(name, 0), self._last.get(name, 0)]
            for name, heard in self._heard.items()
        ]

    @staticmethod
    def from_json(saved: Iterable[Any]) -> Hearing:
        """Raises TypeError or ValueError for what `to_json` did not make."""
        hearing = Hearing()
        for name, heard, spoke, last in saved:
            hearing._heard[name] = float(heard)
            hearing._spoke[name], hearing._last[name] = int(spoke), int(last)
        return hearing
