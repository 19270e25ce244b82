"""The errors of the live side; the text of each says what to do next."""

from __future__ import annotations

__all__ = ["CountersignError", "Permanent", "Temporary"]


class CountersignError(Exception):
    """Something went wrong that a person can understand; `str(error)` is written for them."""


class Temporary(CountersignError):
    """May succeed when tried again unchanged: an unreachable node, a busy kernel table."""


class Permanent(CountersignError):
    """Will not succeed until someone changes something."""
