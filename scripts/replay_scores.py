"""What decisions on a recorded attack are worth, by its ground truth: pure functions, no files.

Which assets the attacker entered is read off the labels' names. On `intranet_server` it runs
commands through a web shell (`webshell_cmd`), tries and cracks passwords (`online_cracking`,
`crack_passwords`), changes the user by a reverse shell (`attacker_change_user`) and becomes root
(`escalated_sudo_command`); from `internal_share` data leaks (`dnsteal`). The same labels elsewhere
mark a firewall that the traffic passes and a monitor that measures the server; the labels of scans
mark targets. Nobody entered those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

__all__ = ["LEAK", "SERVER", "SHARE", "Decision", "Label", "Score", "Truth", "blocks", "score"]

SERVER, SHARE = "intranet_server", "internal_share"
LEAK = "dnsteal"
WEB_SHELL, ROOT = "webshell_cmd", "escalated_sudo_command"
_SHELL = {WEB_SHELL, "online_cracking", "crack_passwords", "attacker_change_user", ROOT}
ENTERED: Mapping[str, frozenset[str]] = {SERVER: frozenset(_SHELL), SHARE: frozenset({LEAK})}
_LEAKING = {"service_stop", LEAK}  # windows; all others are about the server
_DAY = 86_400.0


class Decision(NamedTuple):
    """One proposal."""

    time: float  # Unix seconds
    kind: str  # "BLOCK", "ISOLATE", "REVOKE", or "RELEASE", which is no order
    target: str


class Label(NamedTuple):
    """The first alert that a step of the attack left on a host."""

    time: float
    host: str
    event: str


@dataclass(frozen=True)
class Truth:
    """What happened in a recording."""

    labels: Sequence[Label]
    windows: Mapping[str, tuple[float, float]]  # steps -> start and end
    start: float  # of the recording
    end: float

    def first(self, host: str, events: Collection[str]) -> float | None:
        """When the first of these events left an alert on this host."""
        times = (at for at, where, event in self.labels if where == host and event in events)
        return min(times, default=None)

    @property
    def first_alert(self) -> float:
        """Of the attack on the server. Raises ValueError where there was none."""
        return min(at for at, where, event in self.labels if where == SERVER and event != LEAK)

    def entered(self, host: str) -> float | None:
        """When the attacker was first seen in this host, None if never."""
        return self.first(host, ENTERED.get(host, ()))

    def leaking(self, time: float) -> bool:
        """From the leak's first alert on the share to the end of its window. The set's leaks run
        from a recording's start, and its windows follow their stop.
        """
        first = self.first(SHARE, {LEAK})
        return first is not None and first <= time <= self.windows[LEAK][1]

    def attacked_in(self, host: str, time: float) -> bool:
        """Within one of the windows of the attack on this host: the leak's, or all the others."""
        return any(
            start <= time <= end
            for step, (start, end) in self.windows.items()
            if (step in _LEAKING) == (host == SHARE)
        )

    def attacked(self, time: float) -> bool:
        """Within one of the attack's windows."""
        return any(start <= time <= end for start, end in self.windows.values())

    @property
    def quiet_days(self) -> float:
        """Days of the recording outside the attack's windows."""
        attacked, until = 0.0, self.start
        for start, end in sorted(self.windows.values()):
            attacked += max(min(end, self.end) - max(start, until), 0.0)
            until = max(until, end)
        return (self.end - self.start - attacked) / _DAY


@dataclass(frozen=True)
class Score:
    """How one recording went. Seconds are positive where the proposal came in time."""

    isolated: bool  # the server, at or after the attack's first alert on it
    after_first_alert_s: float | None
    before_web_shell_s: float | None
    before_root_s: float | None
    early: int  # proposals to isolate the server within the attack on it, before an alert of it
    share_while_leaking: bool
    share_in_window: bool
    false: tuple[tuple[float, str, str], ...]  # hours since the start, asset, why
    kept: int  # isolations of an asset once it was entered, outside the windows: nobody cleaned it
    quiet: dict[str, int]  # proposals outside all the attack's windows, by kind
    quiet_days: float
    quiet_per_day: float  # proposals of orders

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def score(decisions: Iterable[Decision], truth: Truth) -> Score:
    """How these decisions did."""
    decisions = sorted(decisions)
    isolations = [(time, target) for time, kind, target in decisions if kind == "ISOLATE"]
    times = [time for time, target in isolations if target == SERVER]
    share = [time for time, target in isolations if target == SHARE]
    at = min((time for time in times if time >= truth.first_alert), default=None)
    judged = [(time, target, _fault(time, target, truth)) for time, target in isolations]
    quiet = Counter(kind for time, kind, _ in decisions if not truth.attacked(time))
    return Score(
        isolated=at is not None,
        after_first_alert_s=None if at is None else at - truth.first_alert,
        before_web_shell_s=_lead(at, truth.first(SERVER, {WEB_SHELL})),
        before_root_s=_lead(at, truth.first(SERVER, {ROOT})),
        early=sum(truth.attacked_in(SERVER, t) and t < truth.first_alert for t in times),
        share_while_leaking=any(truth.leaking(time) for time in share),
        share_in_window=any(truth.attacked_in(SHARE, time) for time in share),
        false=tuple((_hours(time, truth), target, why) for time, target, why in judged if why),
        kept=sum(not why and not truth.attacked_in(target, t) for t, target, why in judged),
        quiet=dict(sorted(quiet.items())),
        quiet_days=truth.quiet_days,
        quiet_per_day=(quiet.total() - quiet["RELEASE"]) / truth.quiet_days,
    )


def _lead(at: float | None, event: float | None) -> float | None:
    return None if at is None or event is None else event - at


def _fault(time: float, target: str, truth: Truth) -> str:
    """Why this isolation is a false one; empty if it is not."""
    entered = truth.entered(target)
    if entered is None:
        return "never entered"
    outside = time < entered and not truth.attacked_in(target, time)
    return "outside the attack" if outside else ""


def _hours(time: float, truth: Truth) -> float:
    return round((time - truth.start) / 3600.0, 2)


def blocks(decisions: Iterable[Decision], attackers: Collection[str]) -> dict[str, Any]:
    """How many of the addresses proposed for blocking are attackers, and how many of them are
    proposed at all.
    """
    proposed = {target.partition("/")[0] for _, kind, target in decisions if kind == "BLOCK"}
    right = proposed & set(attackers)
    return {
        "proposed": len(proposed),
        "attackers_proposed": len(right),
        "attackers": len(attackers),
        "precision": len(right) / len(proposed) if proposed else None,
        "others": sorted(proposed - right),
    }
