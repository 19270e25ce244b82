"""The live terminal view of a run: a timeline of what happened, and the summary at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from eth_utils.address import to_checksum_address
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from policies.actions import Kind
from responder.chain.events import Event
from responder.chain.ledger import Case, Ledger, Status
from responder.chain.proposal import Words
from responder.errors import CountersignError
from responder.evidence import EvidenceStore

__all__ = [
    "OUTCOMES",
    "STYLES",
    "Timeline",
    "orders",
    "plain",
    "readable",
    "sentence",
    "stamp",
    "summary",
]

OUTCOMES = ("APPLIED", "FAILED", "DRIFTED", "REVERTED")
STYLES = {
    "alert": "yellow",
    "proposal": "cyan",
    "approval": "green",
    "rejection": "red",
    "order": "bold magenta",
    "receipt": "blue",
    "expiry": "dim",
    "release": "dim",
    "veto": "bold red",
    "lease": "white",
    "notice": "bold red",
}
_ROWS = 24


def stamp(seconds: float) -> str:
    """Month, day and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%m-%d %H:%M:%S")


def plain(text: str) -> str:
    """Text from elsewhere without what moves a terminal's cursor or turns its text around."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def readable(kind: Kind, words: Words) -> str:
    """What an action does, in words."""
    return f"{kind.name} {words.target}" + (f" (zone {words.zone})" if words.zone else "")


def sentence(alert: Mapping[str, Any]) -> str:
    """One alert in a line: sensor, what, and whom it concerns."""
    ends = [alert.get("host") or alert.get("src", ""), alert.get("dst", "")]
    where = " -> ".join(end for end in ends if end)
    title = alert.get("title") or alert["type"]
    return f"{alert['sensor']}: {title}" + (f" ({where})" if where else "")


class Timeline:
    """Collects what happens; shows it live on a terminal, line by line elsewhere, not at all when
    `quiet`.
    """

    def __init__(self, console: Console, evidence: EvidenceStore, quiet: bool = False) -> None:
        self._console, self._evidence, self._quiet = console, evidence, quiet
        self._rows: list[tuple[float, str, str]] = []
        self._now, self.alerts = 0.0, 0
        self._ended: set[bytes] = set()
        self._live: Live | None = None
        self._names: dict[str, str] = {}

    def showing(self) -> AbstractContextManager[object]:
        """While this is entered, the view is live."""
        if self._quiet or not self._console.is_terminal:
            return nullcontext()
        self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=8)
        return self._live

    def name(self, labels: Mapping[str, str]) -> None:
        """Shows these accounts under labels."""
        self._names.update(labels)

    # ------------------------------------------------------------ what happens

    def step(self, now: float, alerts: int, ledger: Ledger | None = None) -> None:
        """Time has moved on."""
        self._now, self.alerts = now, alerts
        for case in ledger.cases.values() if ledger else ():
            ended = case.executed_at is not None and case.id not in self._ended
            if ended and ledger and ledger.status(case, now) is Status.EXPIRED:
                self._ended.add(case.id)
                self._add(float(case.until), "expiry", self._what(case) + " ended by itself")

    def notice(self, now: float, text: str) -> None:
        self._add(now, "notice", text)

    def event(self, event: Event, ledger: Ledger) -> None:
        """One event of the gate, before the ledger folds it in."""
        handler = getattr(self, f"_on_{event.name}", None)
        if handler is not None:
            handler(event, ledger, *event.args.values())

    def _on_LeaseGranted(self, event: Event, ledger: Ledger, _: Any, lease: Any, by: Any) -> None:
        blocks, isolations, revocations = lease[2:5]
        text = f"{blocks} blocks, {isolations} isolations, {revocations} revocations, signed by "
        self._add(event.time, "lease", text + ", ".join(self._who(s) for s, _ in by))

    def _on_Proposed(self, event: Event, ledger: Ledger, _: Any, values: Any, quorum: int) -> None:
        words = ledger.words_of(Kind(values[0]), values[1])
        what = readable(Kind(values[0]), words)
        try:
            bundle = self._evidence.get(values[4])
        except CountersignError:
            bundle = {"alerts": [], "reasons": ["evidence is not here"]}
        for alert in bundle["alerts"][-2:]:
            self._add(alert["time"], "alert", sentence(alert))
        minutes = values[2] // 60
        needs = f"needs {quorum} operators" if quorum else "under the lease"
        self._add(event.time, "proposal", f"{what} for {minutes} min, {needs}")
        self._add(event.time, "proposal", f"  because: {bundle['reasons'][0]}")

    def _on_Approved(self, event: Event, ledger: Ledger, case: bytes, who: str, _: Any) -> None:
        self._add(event.time, "approval", f"{self._who(who)} signed {self._case(ledger, case)}")

    def _on_Rejected(self, event: Event, ledger: Ledger, case: bytes, who: str, _: Any) -> None:
        self._add(event.time, "rejection", f"{self._who(who)} refused {self._case(ledger, case)}")

    def _on_Vetoed(self, event: Event, ledger: Ledger, case: bytes, who: str) -> None:
        self._add(event.time, "veto", f"{self._who(who)} stopped {self._case(ledger, case)}")

    def _on_Executed(
        self, event: Event, ledger: Ledger, case: bytes, _k: int, _t: bytes, until: int, _l: bool
    ) -> None:
        self._add(event.time, "order", f"{self._case(ledger, case)} until {stamp(until)}")

    def _on_Released(self, event: Event, ledger: Ledger, case: bytes, _: Any) -> None:
        self._add(event.time, "release", self._case(ledger, case))

    def _on_ReceiptFiled(
        self, event: Event, ledger: Ledger, case: bytes, who: str, outcome: int, digest: bytes
    ) -> None:
        text = (
            f"{OUTCOMES[outcome].lower()}: {self._case(ledger, case)}, read back {digest.hex()[:8]}"
        )
        self._add(event.time, "receipt", text)

    # ------------------------------------------------------------ drawing

    def _case(self, ledger: Ledger, case: bytes) -> str:
        return self._what(ledger.cases[case])

    def _what(self, case: Case) -> str:
        return f"{readable(case.proposal.kind, case.words)} [{case.id.hex()[:8]}]"

    def _who(self, account: str) -> str:
        return self._names.get(to_checksum_address(account), account[:10])

    def _add(self, when: float, kind: str, text: str) -> None:
        text = plain(text)
        self._rows.append((when, kind, text))
        if not self._quiet and self._live is None:
            line = f"{stamp(when)}  {kind:<9} {escape(text)}"
            self._console.print(line, highlight=False, soft_wrap=True)

    def _render(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for when, kind, text in self._rows[-_ROWS:]:
            style = STYLES[kind]
            table.add_row(stamp(when), Text(kind, style), Text(text, style))
        title = f"Countersign   {stamp(self._now)} UTC   {self.alerts:,} alerts"
        return Group(Panel(table, title=title, border_style="cyan", height=_ROWS + 2))


def summary(counts: Mapping[str, Any]) -> Table:
    """The closing table of counts; lists are left to `orders`."""
    table = Table(title="Summary", title_justify="left", show_header=False)
    for key, value in counts.items():
        if not isinstance(value, list):
            table.add_row(key, f"{value:,}" if isinstance(value, int) else str(value))
    return table


def orders(records: Sequence[Mapping[str, Any]]) -> Table:
    """What was ordered, on whose authority, and what became of it."""
    table = Table(title="Orders", title_justify="left")
    for column in ("order", "authority", "from", "to", "status"):
        table.add_column(column)
    for record in records:
        table.add_row(
            f"{record['kind']} {escape(plain(record['target']))}",
            record["authority"],
            stamp(record["from"]),
            stamp(record["until"]),
            record["status"].lower(),
        )
    return table
