"""Functions that numba compiles where it is installed.

Elsewhere, and with NUMBA_DISABLE_JIT=1, they run as they are written, with the same results to the
bit: they do without fast math, and their dice are integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["compiled"]

_Function = TypeVar("_Function", bound=Callable[..., object])

try:
    from numba import njit
except ImportError:

    def compiled(function: _Function) -> _Function:
        """The function as it is."""
        return function

else:

    def compiled(function: _Function) -> _Function:
        """The function, compiled at its first call and kept on disk."""
        return njit(cache=True, error_model="numpy")(function)  # type: ignore[no-any-return]
