"""Settings: every bad entry is named, and what is written is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from responder.errors import Permanent
from responder.settings import FeedSettings, Settings

MINIMAL: dict[str, Any] = {
    "rpc": "http://127.0.0.1:8545",
    "manifest": "manifest.json",
    "inventory": "inventory.yaml",
    "feeds": [{"path": "eve.json", "format": "eve"}],
}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"surprise": 1}, r"unknown keys \['surprise'\]; known are .*'rpc'"),
    ({5: 1}, r"unknown keys \['5'\]"),
    ({"rpc": 8545}, "rpc: expected str, got int"),
    ({"manifest": None}, "manifest: expected str, got NoneType"),
    ({"inventory": ["a"]}, "inventory: expected str, got list"),
    ({"policy": 5}, "policy: expected str, got int"),
    ({"feeds": "eve.json"}, "feeds: expected list, got str"),
    ({"feeds": ["eve.json"]}, "each of `feeds` needs a `format`"),
    ({"feeds": [{"path": "x"}]}, "each of `feeds` needs a `format`"),
    ({"feeds": [{"format": "eve"}]}, "exactly one of .'path', 'directory', 'listen', 'stdin'"),
    ({"feeds": [{"path": "x", "format": "eve", "more": 1}]}, r"not \['more'\]"),
    ({"feeds": [{"path": "x", "format": "csv"}]}, "unknown alert format 'csv'; known are eve"),
    ({"feeds": [{"path": 5, "format": "eve"}]}, "expected str, got int"),
    ({"ttl": 600}, r"`ttl` needs exactly \['block', 'isolate', 'revoke'\], in seconds"),
    ({"ttl": {"block": 1, "isolate": 1}}, "`ttl` needs exactly"),
    ({"ttl": {"block": 0, "isolate": 1, "revoke": 1}}, "whole seconds above zero"),
    ({"ttl": {"block": 1.5, "isolate": 1, "revoke": 1}}, "whole seconds above zero"),
    ({"ttl": {"block": True, "isolate": 1, "revoke": 1}}, "whole seconds above zero"),
    ({"management": ["10.0.0.1/8"]}, "management: .* has host bits set"),
    ({"management": "10.0.0.0/8"}, "management: expected list, got str"),
    ({"management": None}, "management: expected list, got NoneType"),
    ({"management": [[]]}, "management: "),
    ({"confirmations": -1}, "confirmations must lie between 0 and 10000, got -1"),
    ({"confirmations": 1.5}, "confirmations must be a whole number"),
    ({"confirmations": "1"}, "confirmations must"),
    ({"tick": 0}, "tick must lie between 0.01 and 3600, got 0"),
    ({"tick": float("nan")}, "tick must lie between"),
    ({"tick": True}, "tick must lie between"),
    ({"proposals_per_tick": 0}, "proposals_per_tick must lie between 1 and 100"),
    ({"proposals_per_tick": 2.5}, "proposals_per_tick must be a whole number"),
    ({"pending_seconds": 9}, "pending_seconds must lie between 10 and 604800"),
    ({"pending_seconds": 60.5}, "pending_seconds must be a whole number"),
    ({"clock": "sundial"}, r"clock must be one of \['system', 'chain'\], got 'sundial'"),
    ({"enforcement": ["dry-run"]}, r"enforcement must be one of \['dry-run', 'nftables'\]"),
]


@pytest.mark.parametrize(("entry", "said"), BAD, ids=[str(entry) for entry, _ in BAD])
def test_a_bad_entry_is_named(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    with pytest.raises(Permanent, match=said):
        Settings.from_mapping({**MINIMAL, **entry}, tmp_path)


@pytest.mark.parametrize("key", MINIMAL)
def test_a_missing_entry_is_named(tmp_path: Path, key: str) -> None:
    data = {k: v for k, v in MINIMAL.items() if k != key}
    with pytest.raises(Permanent, match=rf"missing \['{key}'\]"):
        Settings.from_mapping(data, tmp_path)


@pytest.mark.parametrize("data", [None, [], "x", 5])
def test_what_is_no_mapping_is_refused(tmp_path: Path, data: Any) -> None:
    with pytest.raises(Permanent, match="expected a mapping"):
        Settings.from_mapping(data, tmp_path)


def test_without_a_file_the_way_to_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="`countersign up` makes them, or give --home"):
        Settings.load(tmp_path)


@pytest.mark.parametrize("text", [b"rpc: [", b"\xff\xfe", b"a: !!python/object:os.system {}"])
def test_an_unreadable_file_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "settings.yaml").write_bytes(text)
    with pytest.raises(Permanent, match="cannot read"):
        Settings.load(tmp_path)


def test_relative_paths_start_at_home(tmp_path: Path) -> None:
    settings = Settings.from_mapping(MINIMAL, tmp_path)
    assert settings.manifest == tmp_path / "manifest.json"
    assert settings.feeds == (FeedSettings(tmp_path / "eve.json", "eve"),)
    assert settings.database.parent == settings.evidence.parent == settings.inbox.parent == tmp_path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    settings = Settings.from_mapping(
        {
            **MINIMAL,
            "feeds": [
                {"path": "/var/log/suricata/eve.json", "format": "eve"},
                {"path": "sub/alerts.json", "format": "wazuh"},
            ],
            "policy": "playbook",
            "confirmations": 12,
            "tick": 0.5,
            "clock": "chain",
            "proposals_per_tick": 1,
            "pending_seconds": 60,
            "ttl": {"block": 1, "isolate": 2, "revoke": 3},
            "enforcement": "nftables",
            "management": ["10.0.0.0/8", "2001:db8::/32"],
        },
        tmp_path.resolve(),
    )
    settings.dump()
    assert Settings.load(tmp_path) == settings
    moved = replace(settings, tick=1.0)
    moved.dump()
    assert Settings.load(tmp_path) == moved
