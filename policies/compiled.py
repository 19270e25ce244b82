"""Functions that numba compiles where it is installed.

Elsewhere, and with NUMBA_DISABLE_JIT=1, they run as they are written, with the same results to the
bit: they do without fast math, and their dice are integers. The live side is installed without it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["compiled"]

_Function = TypeVar("_Function", bound=Callable[..., object])


def _cache() -> Path:
    """A folder for exactly this source: numba itself does not notice when a function changed that
    another calls.
    """
    top = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for source in sorted(p for name in ("policies", "rl_env") for p in (top / name).glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "countersign" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only home: compiled anew in every process
        return Path(tempfile.mkdtemp(prefix="countersign-"))
    return folder


try:
    import numba
except ImportError:

    def compiled(function: _Function) -> _Function:
        """The function as it is."""
        return function

else:
    from numba import types

    if not numba.config.CACHE_DIR:
        numba.config.CACHE_DIR = str(_cache())

    def compiled(function: _Function) -> _Function:
        """The function, compiled at its first call and kept on disk."""
        dispatcher = numba.njit(cache=True, error_model="numpy")(function)
        if not numba.config.DISABLE_JIT:
            _widen(dispatcher)
        return dispatcher  # type: ignore[no-any-return]

    def _widen(dispatcher: Any) -> None:
        """Compiled callers share one version for all integers: by itself numba makes one for every
        constant and width, which takes four times as long.
        """
        template = dispatcher.get_call_template

        def widened(args: Sequence[Any], kws: Mapping[str, Any]) -> Any:
            return template([_wide(arg) for arg in args], kws)

        dispatcher.get_call_template = widened

    def _wide(kind: Any) -> Any:
        kind = types.unliteral(kind)
        return types.int64 if kind in types.signed_domain or kind == types.uint8 else kind
