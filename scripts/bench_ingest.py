"""How fast alerts become decisions: lines parsed into the picture, a recording replayed, and an
alert on its way to a transaction. Prints one JSON object as its last line.

Reads ../shared/data; says what it does on stderr. Everything runs on one core but the chain.
"""

from __future__ import annotations

import gzip
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np
import yaml

from policies.inventory import Asset, Inventory
from policies.picture import Picture
from policies.playbook import Playbook
from responder.approvals import load_key
from responder.chain.devnet import Devnet
from responder.chain.proposal import Lease
from responder.feeds import FeedSettings
from responder.importing import read_inventory
from responder.loop import Responder, run
from responder.sensors import parser
from responder.settings import TTL, Settings
from responder.site import OPERATORS, client, grant_lease, open_responder, prepare

DATA = Path(__file__).parents[2] / "shared" / "data"
SCENARIO = "fox"  # the longest
_ADDRESSES = 100
_ALERTS_EACH = 6  # different ones, against an address
_QUIET = 40  # windows that the picture learns beforehand
_LONGEST = 20.0  # seconds
_PAUSE = 1.0  # seconds between alerts, on average, so that they meet every moment of a tick


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Of each; medians are told.")
@click.option("--data", type=click.Path(path_type=Path, exists=True), default=DATA)
@click.option("--lines", default=100_000, show_default=True, help="EVE lines a round.")
def main(rounds: int, data: Path, lines: int) -> None:
    """Time what becomes of alerts.

    Example: python scripts/bench_ingest.py --rounds 1
    """
    _say(f"{lines:,} EVE lines, {rounds} times")
    eve = [_eve(data / "alerts" / "cptc2017_team5_eve.ndjson.gz", lines) for _ in range(rounds)]
    with tempfile.TemporaryDirectory() as folder:
        _say(f"replay of {SCENARIO}, {rounds} times")
        replays = [_replay(data / "ait-ads", Path(folder)) for _ in range(rounds)]
        _say(f"alerts to transactions, {_ADDRESSES} addresses")
        latencies = _alert_to_transaction(Path(folder) / "site")
    result = {
        "eve_lines_per_s": round(statistics.median(eve)),
        "replay_s": round(statistics.median(seconds for seconds, *_ in replays), 2),
        "replay_alerts": replays[0][1],
        "rss_mib": round(max(mib for *_, mib in replays), 1),
        "alert_to_tx_p50_ms": round(float(np.percentile(latencies, 50)), 1),
        "alert_to_tx_p95_ms": round(float(np.percentile(latencies, 95)), 1),
        "alert_to_tx_count": len(latencies),
        "rounds": rounds,
    }
    click.echo(json.dumps(result))


def _say(text: str) -> None:
    click.echo(text, err=True)


# ---------------------------------------------------------------- lines


def _eve(path: Path, count: int) -> float:
    """Lines a second, of CPU time, parsed and taken into the picture of a site."""
    recorded = gzip.decompress(path.read_bytes()).splitlines()
    times = -(-count // len(recorded))
    assets = [
        Asset(f"host-{a}-{b}", "lan", 1, addresses=(f"10.0.{a}.{b}",))
        for a in (0, 99)
        for b in range(1, 255)
    ]
    picture, parse = Picture(Inventory(tuple(assets))), parser("eve").parse
    began = time.process_time()
    for _ in range(times):
        for line in recorded:
            alert = parse(line)
            if alert is not None:
                picture.observe(alert, alert.time)
    return times * len(recorded) / (time.process_time() - began)


# ---------------------------------------------------------------- replay


def _replay(data: Path, folder: Path) -> tuple[float, int, float]:
    """Seconds from reading the file to the last decision, alerts, and MiB of the process."""
    inventory = folder / "inventory.yaml"
    if not inventory.exists():
        site = read_inventory(data / f"{SCENARIO}_servers.yaml", "kyoushi").inventory
        inventory.write_text(yaml.safe_dump(site.to_mapping()), "utf-8")
    argv = [sys.executable, "-m", "responder", "replay", "--json", "--format", "ait"]
    argv += ["--inventory", str(inventory), "--out", str(folder / "decisions.jsonl")]
    argv += [str(data / f"{SCENARIO}_alerts.csv.xz")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return found["seconds"], found["alerts"], kib / 1024


# ---------------------------------------------------------------- alert to transaction


def _alert_to_transaction(home: Path) -> Sequence[float]:
    """Milliseconds from the write of alerts against an address, enough to block it, to the mined
    transaction with its proposal, address after address, on a running responder under a lease.
    """
    home.mkdir()
    feed = FeedSettings(home / "feed.log", "eve")
    site = Inventory((Asset("web", "dmz", 1, addresses=("10.0.1.10",)),))
    with Devnet(home / "anvil.log") as devnet:
        settings = Settings(
            home, devnet.url, home / "manifest.json", home / "inventory.yaml", (feed,)
        )
        settings = prepare(settings, devnet, site)
        agent = load_key(settings.keys / "agent.json")
        expires = client(settings).head().time + 3600
        lease = Lease(
            agent.address, Playbook().hash, _ADDRESSES + 1, 0, 0, 0, TTL[0], expires, nonce=1
        )
        operators = [load_key(settings.keys / f"{name}.json") for name in OPERATORS]
        grant_lease(settings, operators, lease)
        now = time.time()
        past = [now - 600 * (_QUIET - window) for window in range(_QUIET)]
        _write(feed.path, *(_line(when, 1, "10.0.1.10") for when in past))
        responder, stop = open_responder(settings), threading.Event()
        loop = threading.Thread(
            target=run, args=(responder, settings.tick, lambda: not stop.is_set())
        )
        loop.start()
        try:
            # The first is slower: what is loaded once is loaded.
            return [_strike(responder, feed.path, n) for n in range(_ADDRESSES + 1)][1:]
        finally:
            stop.set()
            loop.join(timeout=30)


def _strike(responder: Responder, feed: Path, number: int) -> float:
    """Milliseconds until the node has taken one more transaction and mined it."""
    address = f"198.51.{100 + number // 250}.{1 + number % 250}"
    before = len(responder.ledger.cases)
    began = time.perf_counter()
    _write(feed, *(_line(time.time(), 10 + n, address) for n in range(_ALERTS_EACH)))
    while time.perf_counter() - began < _LONGEST:
        if responder.proposed > number:
            took = time.perf_counter() - began
            _until_seen(responder, before + 1)
            return 1000 * took
        time.sleep(0.0005)
    raise click.ClickException(f"no proposal against {address} within {_LONGEST:g} s")


def _until_seen(responder: Responder, cases: int) -> None:
    """Waits until the responder has its own proposal back from the chain, so that nothing of this
    alert is left to do when the next comes.
    """
    deadline = time.perf_counter() + _LONGEST
    while len(responder.ledger.cases) < cases and time.perf_counter() < deadline:
        time.sleep(0.01)
    time.sleep(2 * _PAUSE * random.random())


def _line(when: float, signature: int, src: str) -> bytes:
    event = {
        "timestamp": datetime.fromtimestamp(when, UTC).isoformat(),
        "event_type": "alert",
        "src_ip": src,
        "dest_ip": "10.0.1.10",
        "alert": {
            "signature_id": signature,
            "signature": f"ET EXPLOIT Bench {signature}",
            "severity": 1,
        },
    }
    return json.dumps(event).encode() + b"\n"


def _write(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(lines)


if __name__ == "__main__":
    main()
