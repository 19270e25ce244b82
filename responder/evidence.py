"""The evidence store: what a proposal's agent saw, kept under the hash that stands on the chain."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from responder.errors import Permanent
from responder.files import write_atomically

__all__ = ["EvidenceAltered", "EvidenceMissing", "EvidenceStore", "canonical", "digest"]


class EvidenceMissing(Permanent):
    """No bundle with this hash is in the store."""


class EvidenceAltered(Permanent):
    """The file under this hash is no longer what was stored."""


def canonical(value: Any) -> bytes:
    """The one JSON text of a plain value: sorted keys, no spaces, shortest floats, UTF-8.

    Raises Permanent for what JSON cannot say: NaN, infinities, lone surrogates, foreign types.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise Permanent(f"not plain JSON: {error}") from error


def digest(value: Any) -> bytes:
    """SHA-256 of the canonical text: 32 bytes, the bytes32 of proposals and receipts."""
    return hashlib.sha256(canonical(value)).digest()


class EvidenceStore:
    """Content-addressed JSON bundles, one file `<hash in hex>.json` each; several may write."""

    def __init__(self, directory: Path | str) -> None:
        self._directory = Path(directory)

    def put(self, bundle: dict[str, Any]) -> bytes:
        """Stores a bundle and returns its hash (32 bytes). Storing it again changes nothing.

        Raises Permanent when the bundle is not plain JSON or the disk does not take it.
        """
        data = canonical(bundle)
        key = hashlib.sha256(data).digest()
        if not self.verify(key):
            write_atomically(self._path(key), data)
        return key

    def get(self, key: bytes) -> dict[str, Any]:
        """The bundle with this hash, checked. Raises EvidenceMissing or EvidenceAltered."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise EvidenceMissing(f"evidence {key.hex()} is not in {self._directory}") from None
        except OSError as error:
            raise Permanent(f"cannot read evidence {path}: {error.strerror}") from error
        if hashlib.sha256(data).digest() != key:
            raise EvidenceAltered(f"evidence {path} was altered: its content has another hash")
        bundle: dict[str, Any] = json.loads(data)
        return bundle

    def verify(self, key: bytes) -> bool:
        """Whether the bundle is here and unaltered."""
        try:
            self.get(key)
        except (EvidenceMissing, EvidenceAltered):
            return False
        return True

    def _path(self, key: bytes) -> Path:
        if len(key) != 32:
            raise Permanent(f"an evidence hash has 32 bytes, not {len(key)}")
        return self._directory / f"{key.hex()}.json"
