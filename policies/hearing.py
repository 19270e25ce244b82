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


class Hearing:
    """When each sensor was heard last, and in how many windows. In constant memory."""

    def __init__(self) -> None:
        self._heard: dict[str, float] = {}  # sensor -> when last, Unix seconds
        self._spoke: dict[str, int] = {}  # sensor -> windows

    def __len__(self) -> int:
        return len(self._heard)

    def name(self, sensor: str) -> str:
        """The name that it is heard under."""
        return sensor if sensor in self._heard or len(self._heard) < _MAX_SENSORS else _OTHER

    def hear(self, name: str, now: float) -> None:
        self._heard[name] = now

    def close(self, opened: float) -> None:
        """The window that `opened` then is over."""
        for name, heard in self._heard.items():
            if heard >= opened:
                self._spoke[name] = self._spoke.get(name, 0) + 1

    def usual(self, windows: int) -> list[str]:
        """Those that spoke in nearly all of so many windows."""
        if windows < _KNOWN:
            return []
        return [name for name, count in self._spoke.items() if count >= _USUAL * windows]

    def is_silent(self, name: str, now: float) -> bool:
        return now - self._heard[name] > _SILENT

    def to_json(self) -> list[list[Any]]:
        return [[name, heard, self._spoke.get(name, 0)] for name, heard in self._heard.items()]

    @staticmethod
    def from_json(saved: Iterable[Any]) -> Hearing:
        """Raises TypeError or ValueError for what `to_json` did not make."""
        hearing = Hearing()
        for name, heard, spoke in saved:
            hearing._heard[name], hearing._spoke[name] = float(heard), int(spoke)
        return hearing
