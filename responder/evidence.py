"""The evidence store: what a proposal's agent saw, kept under the hash that stands on the chain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eth_abi.exceptions import EncodingError

from responder.chain.merkle import Receipt, Tree
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
        self._trees: dict[bytes, list[Receipt]] = {}  # once read and checked

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

    def put_receipts(self, receipts: Sequence[Receipt]) -> bytes:
        """Stores the leaves of a Merkle tree and returns its root, under which they are found."""
        root = Tree(receipts).root
        leaves = [
            [r.order.hex(), r.target.hex(), r.enforcer, r.outcome, r.digest.hex()] for r in receipts
        ]
        write_atomically(self._leaves(root), canonical({"receipts": leaves}))
        return root

    def receipts_under(self, root: bytes) -> list[Receipt]:
        """The leaves under a root, checked. Raises EvidenceMissing or EvidenceAltered."""
        if root in self._trees:
            return self._trees[root]
        path = self._leaves(root)
        try:
            stored = json.loads(path.read_bytes())["receipts"]
            receipts = [_receipt(*fields) for fields in stored]
            whole = bool(receipts) and Tree(receipts).root == root
        except FileNotFoundError:
            where = self._directory
            raise EvidenceMissing(f"receipts under {root.hex()} are not in {where}") from None
        except OSError as error:
            raise Permanent(f"cannot read receipts {path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError, EncodingError):
            whole = False
        if not whole:
            raise EvidenceAltered(f"receipts {path} were altered: they have another root")
        self._trees[root] = receipts
        return receipts

    def verify(self, key: bytes) -> bool:
        """Whether the bundle is here and unaltered."""
        try:
            self.get(key)
        except (EvidenceMissing, EvidenceAltered):
            return False
        return True

    def _leaves(self, root: bytes) -> Path:
        return self._directory / f"{root.hex()}.receipts.json"

    def _path(self, key: bytes) -> Path:
        if len(key) != 32:
            raise Permanent(f"an evidence hash has 32 bytes, not {len(key)}")
        return self._directory / f"{key.hex()}.json"


def _receipt(order: str, target: str, enforcer: str, outcome: int, digest: str) -> Receipt:
    parts = (bytes.fromhex(order), bytes.fromhex(target), enforcer, outcome, bytes.fromhex(digest))
    return Receipt(*parts)
