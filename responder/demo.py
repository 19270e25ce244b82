"""The conductor: replays a recording through the whole system on a devnet, in the recording's own
time.

The devnet's block time is the clock of everything. Per step the conductor mines a block at the next
moment, appends the alerts up to it to the file that the responder tails, lets scripted operators
read and sign what waits, and goes on once the responder (a process of its own) reports that it has
dealt with all of it. If the responder dies it is started again.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from policies.actions import Kind
from policies.inventory import Inventory
from responder.approvals import Inbox, Slip, keystore_address, load_key, sign
from responder.chain.devnet import Devnet
from responder.chain.events import Event
from responder.chain.ledger import Ledger
from responder.chain.proposal import Lease, decision_message
from responder.chain.records import Status
from responder.errors import Permanent, Temporary
from responder.policy import load_policy
from responder.processes import start, stop
from responder.sensors import MalformedLine, is_mapping, parser, recorded_lines
from responder.settings import FeedSettings, Settings
from responder.site import OPERATORS, client, grant_lease, prepare
from responder.store import Cache

__all__ = ["Conductor", "Recording", "ScriptedOperator"]

_STALL_SECONDS = 60.0  # wall time without any progress of the responder
_MAX_RESTARTS = 20
_SETUP_SECONDS = 3600  # chain time before the first alert, for deployment
_LEASED_BLOCKS = 20
_LEASE_SECONDS = 604_000  # just under the longest that the default limits allow
_TAIL_SECONDS = 1800  # chain time after the last alert, for orders to end in
_OPEN_STEP = 15.0  # seconds of chain time per step while a proposal waits
_LONGEST_STEP = 300.0
_STEPS_PER_SECOND = 20  # wall


@dataclass(frozen=True)
class Recording:
    """Alert lines in time order. Those before `live_from` lie in the file when the responder
    starts.
    """

    format: str
    lines: Sequence[tuple[float, bytes]]
    live_from: float

    @staticmethod
    def load(path: Path, format: str, live_seconds: float | None = None) -> Recording:
        """Reads a file (also .gz and .xz) in a known format, or by a mapping file. Lines that no
        parser takes keep the time of the line before.

        With `live_seconds`, only so much at the end is played; what comes before is history.
        """
        parse = parser(format).parse
        lines: list[tuple[float, bytes]] = []
        last = 0.0
        for line in recorded_lines(path):
            with contextlib.suppress(MalformedLine):
                alert = parse(line)
                last = alert.time if alert is not None else last
            lines.append((last, line))
        lines.sort(key=lambda entry: entry[0])
        if not lines or lines[-1][0] <= 0:
            raise Permanent(f"{path} holds no alerts in format {format!r}")
        first = next(t for t, _ in lines if t > 0)
        lines = [(max(t, first), line) for t, line in lines]
        start = first if live_seconds is None else max(first, lines[-1][0] - live_seconds)
        # The responder looks for mapping files from another folder.
        return Recording(
            str(Path(format).resolve()) if is_mapping(format) else format, lines, start
        )


@dataclass(frozen=True)
class ScriptedOperator:
    """Approves what waits, after reading it for some time."""

    name: str
    account: LocalAccount = field(repr=False)
    reading_seconds: float  # of chain time


class Conductor:
    """Runs devnet, deployment, feed, operators and the responder process; `run` returns when all is
    over.
    """

    def __init__(
        self,
        home: Path,
        inventory: Inventory,
        recording: Recording,
        *,
        speed: float,
        scripted: bool = True,
        policy: str = "playbook",
        on_event: Callable[[Event, Ledger], None] = lambda event, ledger: None,
        on_step: Callable[[float, int, Ledger], None] = lambda now, alerts, ledger: None,
        on_notice: Callable[[float, str], None] = lambda now, text: None,
        on_ready: Callable[[Settings], object] = lambda settings: None,
    ) -> None:
        """`speed` is seconds of the recording per second; time passes in steps of a twentieth of
        that.

        Without `scripted` operators, time runs at its own pace while a proposal waits for people.
        """
        self._inventory, self._recording, self._speed = inventory, recording, speed
        self._on_event, self._on_step, self._on_notice = on_event, on_step, on_notice
        self._on_ready = on_ready
        self._scripted = scripted
        home.mkdir(parents=True, exist_ok=True)
        genesis = int(recording.live_from) - _SETUP_SECONDS
        self._devnet = Devnet(home / "devnet.log", genesis=genesis)
        self.settings = Settings(
            home=home.resolve(),
            rpc=self._devnet.url,
            manifest=home.resolve() / "manifest.json",
            inventory=home.resolve() / "inventory.yaml",
            feeds=(FeedSettings(home.resolve() / "feed.log", recording.format),),
            policy=policy,
            tick=0.02,
            clock="chain",
            management=inventory.protected_networks,
        )
        self._responder: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._fed = self._written = 0
        self._now = float(genesis)
        self._operators: list[ScriptedOperator] = []

    def run(self, at_end: Callable[[], None] = lambda: None, forever: bool = False) -> Ledger:
        """Plays the recording and half an hour more, or `forever`. Returns the ledger.

        `at_end` is called while the devnet still answers.
        """
        with self._running() as ledger:
            self._play(ledger, forever)
            at_end()
        return ledger

    @contextlib.contextmanager
    def _running(self) -> Iterator[Ledger]:
        try:
            self._devnet.start()
            prepare(self.settings, self._devnet, self._inventory)
            self._on_ready(self.settings)
            keys = self.settings.keys
            accounts = [load_key(keys / f"{name}.json") for name in OPERATORS]
            grant_lease(self.settings, accounts[:2], self._lease())
            if self._scripted:
                self._operators = [
                    ScriptedOperator(name, account, reading)
                    for name, account, reading in zip(
                        OPERATORS, accounts, (20, 45, 90), strict=True
                    )
                ]
            self._gate = client(self.settings)
            self._inbox = Inbox(self.settings.inbox)
            self._cache = Cache(self.settings.database)
            ledger = Ledger(self._gate.domain, watch=lambda event: self._on_event(event, ledger))
            self._append(self._recording.live_from)
            self._start_responder()
            yield ledger
        finally:
            stop(self._responder)
            self._devnet.stop()

    def _lease(self) -> Lease:
        """The agent may block single addresses on its own; all else it must ask for."""
        return Lease(
            agent=keystore_address(self.settings.keys / "agent.json"),
            model=load_policy(self.settings.policy, self.settings.models).hash,
            blocks=_LEASED_BLOCKS,
            isolations=0,
            revocations=0,
            max_criticality=0,
            max_ttl=self.settings.ttl[Kind.BLOCK],
            expires=client(self.settings).head().time + _LEASE_SECONDS,
            nonce=0,
        )

    # ------------------------------------------------------------ time

    def _play(self, ledger: Ledger, forever: bool) -> None:
        lines = self._recording.lines
        end = lines[-1][0] + _TAIL_SECONDS
        self._now = self._recording.live_from
        while True:
            started = time.monotonic()
            ledger.sync(self._gate)
            waiting = ledger.open_cases(self._now)
            busy = bool(waiting or ledger.containment(self._now))
            if self._now >= end and not waiting and not forever:
                return
            self._now = max(self._now + self._step(bool(waiting)), ledger.block.time + 1.0)
            if not busy and self._fed < len(lines):  # nothing happens before the next alert
                self._now = max(self._now, lines[self._fed][0])
            self._devnet.mine_at(int(self._now))
            self._append(self._now)
            self._settle(ledger)
            self._on_step(self._now, self._fed, ledger)
            self._pace(started, bool(waiting))

    def _step(self, waiting: bool) -> float:
        if waiting and not self._scripted:
            return 1.0
        step = min(max(1.0, self._speed / _STEPS_PER_SECOND), _LONGEST_STEP)
        return min(step, _OPEN_STEP) if waiting else step

    def _pace(self, started: float, waiting: bool) -> None:
        wanted = 1.0 if waiting and not self._scripted else self._step(waiting) / self._speed
        time.sleep(max(0.0, started + wanted - time.monotonic()))

    def _append(self, now: float) -> None:
        lines = self._recording.lines
        batch = bytearray()
        while self._fed < len(lines) and lines[self._fed][0] <= now:
            batch += lines[self._fed][1] + b"\n"
            self._fed += 1
        if batch or not self._written:
            with self.settings.feeds[0].path.open("ab") as feed:
                feed.write(batch)
            self._written += len(batch)

    # ------------------------------------------------------------ others

    def _settle(self, ledger: Ledger) -> None:
        """Waits until the responder has dealt with all up to now, operators signing meanwhile."""
        progress, seen = time.monotonic(), None
        while True:
            self._revive_responder()
            beat = self._cache.get("heartbeat")
            if beat != seen:
                progress, seen = time.monotonic(), beat
            if beat is not None and self._caught_up(beat):
                ledger.sync(self._gate)
                if not self._operators_act(ledger):
                    return
                progress = time.monotonic()
            if time.monotonic() - progress > _STALL_SECONDS:
                why = "; ".join((beat or {}).get("complaints", {}).values()) or "no heartbeat"
                log = self.settings.home / "responder.log"
                raise Temporary(f"the responder makes no progress ({why}); see {log}")
            time.sleep(0.004)

    def _caught_up(self, beat: dict[str, Any]) -> bool:
        position = beat["positions"][0]
        offset = position["offset"] if position else 0
        return (
            beat["time"] >= int(self._now)
            and offset >= self._written
            and beat["idle"]
            and not self._inbox.slips()
        )

    def _operators_act(self, ledger: Ledger) -> bool:
        """Scripted operators sign what they have read long enough. True if anyone did."""
        acted = False
        for case in ledger.open_cases(self._now):
            if ledger.status(case, self._now) is not Status.PENDING:
                continue
            for operator in self._operators:
                address = str(operator.account.address)
                read = self._now - case.proposed_at >= operator.reading_seconds
                if not read or address in case.approvals:
                    continue
                message = decision_message("Approval", case.proposal, case.words, ledger.domain)
                signature = sign(operator.account, message).hex()
                self._inbox.put(Slip("Approval", case.id.hex(), address, signature))
                acted = True
        return acted

    def _start_responder(self) -> None:
        argv = [sys.executable, "-m", "responder", "run", "--home", str(self.settings.home)]
        self._responder = start(argv, self.settings.home / "responder.log")
        pid = str(self._responder.pid)
        (self.settings.home / "responder.pid").write_text(pid, "ascii")

    def _revive_responder(self) -> None:
        if self._responder is None or self._responder.poll() is None:
            return
        if self._restarts >= _MAX_RESTARTS:
            raise Permanent(
                f"the responder died {self._restarts} times; see {self.settings.home}/responder.log"
            )
        self._restarts += 1
        self._on_notice(self._now, f"responder died ({self._responder.returncode}); started again")
        self._start_responder()
