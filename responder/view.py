"""The live terminal view of a run: a timeline of what happened, and the summary at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from policies.actions import Action, Kind
from responder.chain.events import Event
from responder.chain.ledger import Ledger
from responder.chain.proposal import Proposal, Words, decision_message, signer_of
from responder.chain.records import Case, Status, to_batch, to_proposal
from responder.errors import CountersignError
from responder.evidence import EvidenceStore
from responder.explaining import in_words

__all__ = [
    "OUTCOMES",
    "STYLES",
    "Timeline",
    "orders",
    "plain",
    "progress",
    "readable",
    "sentence",
    "stamp",
    "standing",
    "summary",
]

OUTCOMES = ("APPLIED", "FAILED", "DRIFTED", "REVERTED")
STYLES = {
    "alert": "yellow",
    "proposal": "cyan",
    "approval": "green",
    "waiting": "yellow",
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
_NAMES = 5  # of a batch


def stamp(seconds: float) -> str:
    """Month, day and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%m-%d %H:%M:%S")


def plain(text: str) -> str:
    """Text from elsewhere without what moves a terminal's cursor or turns its text around."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def readable(kind: Kind, words: Words) -> str:
    """What an action does, in words."""
    return f"{kind.name} {words.target}" + (f" (zone {words.zone})" if words.zone else "")


def progress(ledger: Ledger, case: Case, now: float) -> str:
    """How far its approvals are: how many of how many, and which groups are missing."""
    text = f"{len(ledger.approving(case))} of {ledger.needed(case, now)}"
    missing = ledger.groups_missing(case)
    return text + (f", none of group {', '.join(map(str, missing))}" if missing else "")


def standing(ledger: Ledger, case: Case, now: float) -> str:
    """Its status, and of one that waits for its delay how long still."""
    status = ledger.status(case, now)
    left = f" {max(0, ledger.earliest(case, now) - int(now))} s"
    return status.name + (left if status is Status.WAITING else "")


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
        self._waiting: set[bytes] = set()
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
        self._names.update({account.lower(): label for account, label in labels.items()})

    # ------------------------------------------------------------ what happens

    def step(self, now: float, alerts: int, ledger: Ledger | None = None) -> None:
        """Time has moved on."""
        self._now, self.alerts = now, alerts
        for case in ledger.cases.values() if ledger else ():
            if case.executed_at is None and case.approved_at and case.id not in self._waiting:
                self._wait(case, now, ledger)
            ended = case.executed_at is not None and case.id not in self._ended
            if ended and ledger and ledger.status(case, now) is Status.EXPIRED:
                self._ended.add(case.id)
                self._add(float(case.until), "expiry", self._what(case) + " ended by itself")

    def _wait(self, case: Case, now: float, ledger: Ledger | None) -> None:
        if ledger and ledger.status(case, now) is Status.WAITING:
            self._waiting.add(case.id)
            until = stamp(ledger.earliest(case, now))
            self._add(now, "waiting", f"{self._what(case)} is approved, executes from {until}")

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
        self._add(event.time, "lease", text + self._all(s for s, _ in by))

    def _on_Proposed(self, event: Event, ledger: Ledger, _: Any, values: Any) -> None:
        proposal = to_proposal(values)
        words = ledger.words_of(proposal.kind, proposal.target)
        action = Action(proposal.kind, words.target, proposal.ttl)
        mirror = ledger.guardrails(proposal.agent, event.time)
        verdict = mirror.execution(action, event.time)
        needs = f"needs {verdict.approvals} operators"
        if verdict.delay:
            needs += f" and {verdict.delay // 60} min"
        self._proposal(event, proposal, words, needs)

    def _on_Ordered(
        self, event: Event, ledger: Ledger, case: bytes, values: Any, until: int, by: Any
    ) -> None:
        proposal = to_proposal(values)
        words = ledger.words_of(proposal.kind, proposal.target)
        message = decision_message("Approval", proposal, words, ledger.domain)
        signers = self._all(signer_of(message, r + vs) or "?" for r, vs in by)
        needs = f"signed by {signers}" if by else "under the lease"
        self._proposal(event, proposal, words, needs)
        text = f"{readable(proposal.kind, words)} [{case.hex()[:8]}] until {stamp(until)}"
        self._add(event.time, "order", text)

    def _proposal(self, event: Event, proposal: Proposal, words: Words, needs: str) -> None:
        try:
            bundle = self._evidence.get(proposal.evidence)
        except CountersignError:
            bundle = {"alerts": [], "reasons": ["evidence is not here"]}
        for alert in bundle["alerts"][-2:]:
            self._add(alert["time"], "alert", sentence(alert))
        what = readable(proposal.kind, words)
        self._add(event.time, "proposal", f"{what} for {proposal.ttl // 60} min, {needs}")
        self._add(event.time, "proposal", f"  because: {bundle['reasons'][0]}")
        for line in in_words(bundle.get("explanation", {}))[:1]:
            self._add(event.time, "proposal", f"  the model: {line}")

    def _on_BatchOrdered(
        self, event: Event, ledger: Ledger, _: bytes, values: Any, by: Any
    ) -> None:
        batch = to_batch(values)
        names = [name for group in ledger.names_of(batch) for name in group]
        shown = ", ".join(names[:_NAMES]) + (", ..." if len(names) > _NAMES else "")
        until = stamp(event.time + batch.ttl)
        text = f"{len(names)} x {batch.kind.name}: {shown} until {until}, {len(by)} signed"
        self._add(event.time, "order", text)

    def _on_Approved(self, event: Event, ledger: Ledger, case: bytes, who: str, _: Any) -> None:
        self._add(event.time, "approval", f"{self._who(who)} signed {self._case(ledger, case)}")

    def _on_Rejected(self, event: Event, ledger: Ledger, case: bytes, who: str, _: Any) -> None:
        self._add(event.time, "rejection", f"{self._who(who)} refused {self._case(ledger, case)}")

    def _on_Withdrawn(self, event: Event, ledger: Ledger, subject: bytes, who: str) -> None:
        what = self._subject(ledger, subject)
        self._add(event.time, "rejection", f"{self._who(who)} withdrew from {what}")

    def _on_Vetoed(
        self, event: Event, ledger: Ledger, subject: bytes, who: str, _a: str, _n: int
    ) -> None:
        self._add(event.time, "veto", f"{self._who(who)} stopped {self._subject(ledger, subject)}")

    def _on_Executed(self, event: Event, ledger: Ledger, case: bytes, until: int) -> None:
        self._add(event.time, "order", f"{self._case(ledger, case)} until {stamp(until)}")

    def _on_Released(self, event: Event, ledger: Ledger, case: bytes, _: Any) -> None:
        self._add(event.time, "release", self._case(ledger, case))

    def _on_BatchReleased(self, event: Event, ledger: Ledger, batch: bytes, _: Any) -> None:
        self._add(event.time, "release", self._subject(ledger, batch))

    def _on_Paused(self, event: Event, ledger: Ledger, who: str, _: int) -> None:
        self._add(event.time, "veto", f"{self._who(who)} paused the gate")

    def _on_Resumed(self, event: Event, ledger: Ledger, _: int, by: Any) -> None:
        self._add(event.time, "lease", "resumed, signed by " + self._all(s for s, _ in by))

    def _on_ModelActivated(
        self, event: Event, ledger: Ledger, model: bytes, _c: bytes, _r: int, _d: int, by: Any
    ) -> None:
        text = f"model {model.hex()[:8]} is active, signed by " + self._all(s for s, _ in by)
        self._add(event.time, "lease", text)

    def _on_ModelDeactivated(
        self, event: Event, ledger: Ledger, model: bytes, _: int, who: str
    ) -> None:
        self._add(event.time, "veto", f"{self._who(who)} stopped model {model.hex()[:8]}")

    def _on_ReceiptFiled(self, event: Event, ledger: Ledger, _: bytes, receipt: Any) -> None:
        self._receipt(event, ledger, *receipt)

    def _on_ReceiptsFiled(
        self, event: Event, ledger: Ledger, root: bytes, who: str, count: int
    ) -> None:
        try:
            leaves = self._evidence.receipts_under(root)
        except CountersignError:
            text = f"{count} by {self._who(who)} under root {root.hex()[:8]}"
            self._add(event.time, "receipt", text)
            return
        for leaf in leaves:
            with suppress(KeyError):  # under a root there may be anything
                self._receipt(event, ledger, *leaf)

    def _receipt(
        self,
        event: Event,
        ledger: Ledger,
        start: bytes,
        target: bytes,
        _: str,
        outcome: int,
        digest: bytes,
    ) -> None:
        what = self._subject(ledger, ledger.subject_of(start, target).order)
        text = f"{OUTCOMES[outcome].lower()}: {what}, read back {digest.hex()[:8]}"
        self._add(event.time, "receipt", text)

    def _on_ReceiptMissed(
        self, event: Event, ledger: Ledger, subject: bytes, _t: bytes, _r: str
    ) -> None:
        text = f"no receipt in time: {self._subject(ledger, subject)}"
        self._add(event.time, "notice", text)

    # ------------------------------------------------------------ drawing

    def _case(self, ledger: Ledger, case: bytes) -> str:
        return self._what(ledger.cases[case])

    def _subject(self, ledger: Ledger, subject: bytes) -> str:
        """A proposal or batch, be it on the chain or not."""
        if subject in ledger.cases:
            return self._case(ledger, subject)
        batch = ledger.batches.get(subject)
        what = f"{batch.size} x {batch.batch.kind.name}" if batch else "what is not proposed"
        return f"{what} [{subject.hex()[:8]}]"

    def _all(self, accounts: Iterable[str]) -> str:
        return ", ".join(self._who(account) for account in accounts)

    def _what(self, case: Case) -> str:
        return f"{readable(case.proposal.kind, case.words)} [{case.id.hex()[:8]}]"

    def _who(self, account: str) -> str:
        return self._names.get(account.lower(), account[:10])

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
