"""The simulated sensors: what they say about quiet hours, housekeeping, scans and intrusions.

Magnitudes follow what the picture measures on recorded alerts of real test beds: quiet hosts stay
below 20 nats, housekeeping and mere scans bring 40 to 105, a taken-over server 130 to 230.
Everything is drawn anew per episode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from policies.alerts import Alert, Tactic
from policies.picture import WINDOW, Picture
from rl_env.network import Network

__all__ = ["SENSOR", "STEP", "Activity", "Report", "Rule", "Sensors"]

SENSOR = "suricata"
STEP = 60.0  # seconds per decision
Report = tuple[Alert, int]  # an alert and how many times it came
_T = Tactic


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that sensors notice. `fires`: how many of its rules answer, least and most."""

    title: str
    rules: int
    fires: tuple[int, int]
    tactics: tuple[Tactic, ...]
    borrows: tuple[str, ...] = ()  # activities whose rules answer here too
    burst: float = 1.0  # log of the largest repetition


ACTIVITIES: dict[str, Activity] = {
    "noise": Activity("Unusual value", 24, (1, 2), tuple(_T)),
    "upkeep": Activity(
        "Administration", 24, (4, 16), (_T.EXECUTION, _T.PERSISTENCE, _T.PRIVILEGE_ESCALATION)
    ),
    "logins": Activity("Failed login", 8, (2, 8), (_T.CREDENTIAL_ACCESS,), burst=3.0),
    "scan": Activity("Sweep", 16, (4, 10), (_T.RECONNAISSANCE,), ("noise",), 6.0),
    "probe": Activity(
        "Vulnerability probe", 26, (8, 20), (_T.RECONNAISSANCE, _T.INITIAL_ACCESS), ("scan",), 9.0
    ),
    "entry": Activity("Exploit", 8, (0, 5), (_T.INITIAL_ACCESS, _T.EXECUTION), ("probe",)),
    "escalate": Activity(
        "Escalation", 14, (3, 11), (_T.PRIVILEGE_ESCALATION, _T.DEFENSE_EVASION), ("upkeep",)
    ),
    "credential": Activity("Credential theft", 6, (1, 4), (_T.CREDENTIAL_ACCESS,), ("logins",)),
    "lateral": Activity(
        "Lateral movement", 14, (4, 12), (_T.LATERAL_MOVEMENT, _T.DISCOVERY), ("scan", "upkeep")
    ),
    "beacon": Activity("Command channel", 6, (1, 3), (_T.COMMAND_AND_CONTROL,)),
    "theft": Activity("Mass transfer", 8, (1, 5), (_T.EXFILTRATION, _T.COLLECTION, _T.IMPACT)),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A signature, threshold or anomaly detector. `remote`: it names both ends of a connection."""

    name: str
    title: str
    tactic: Tactic | None
    severity: float
    remote: bool


class Sensors:
    """Draws a site's rules and base rates once, then words what happens as alerts."""

    def __init__(self, rng: Generator, network: Network, *, always_remote: bool = False) -> None:
        self._rng = rng
        self._network = network
        self.rules: list[Rule] = []
        self._pools: dict[str, list[int]] = {}
        self._draw_rules(1.0 if always_remote else float(rng.choice((0.0, rng.random(), 1.0))))
        self._yield = np.exp(rng.normal(0.0, 0.17, network.size))  # how chatty each asset is
        self._draw_rates()

    # ------------------------------------------------------------ drawing a site

    def _draw_rules(self, remote_share: float) -> None:
        rng = self._rng
        unknown = float(np.clip(rng.uniform(-0.2, 1.2), 0.0, 1.0))
        mislabelled = rng.uniform(0.0, 0.2)
        overlap = rng.uniform(0.05, 0.45)
        for name, activity in ACTIVITIES.items():
            pool = []
            for i in range(activity.rules):
                pool.append(len(self.rules))
                tactic: Tactic | None = activity.tactics[int(rng.integers(len(activity.tactics)))]
                if rng.random() < mislabelled:
                    tactic = Tactic(int(rng.integers(len(Tactic))))
                if rng.random() < unknown:
                    tactic = None
                self.rules.append(
                    Rule(
                        name=str(9_000_000 + len(self.rules)),
                        title=f"SIM {'New value' if tactic is None else activity.title} {i + 1}",
                        tactic=tactic,
                        severity=float(rng.integers(1, 4)) / 3.0,
                        remote=bool(rng.random() < remote_share),
                    )
                )
            for other in activity.borrows:
                lent = [r for r in self._pools[other] if rng.random() < overlap]
                pool.extend(lent)
            self._pools[name] = pool

    def _draw_rates(self) -> None:
        """`live`: chance per window that a rule fires by itself; `past`: what history has seen."""
        rng, n = self._rng, self._network.size
        live = np.zeros((n, len(self.rules)))
        for asset in range(n):
            for rule in rng.choice(self._pools["noise"], int(rng.integers(2, 11)), replace=False):
                live[asset, rule] = np.exp(rng.uniform(np.log(0.002), 0.0))
        mail = rng.random(n) < 0.15
        logins, scans = np.array(self._pools["logins"]), np.array(self._pools["scan"])
        live[np.ix_(mail, logins)] = np.exp(rng.uniform(-6.0, -1.5))
        background = np.exp(rng.uniform(-9.0, -2.5))
        live[np.ix_(self._network.exposed, scans)] += background * rng.uniform(0.2, 1, len(scans))
        past = live.copy()
        self.upkeep_rate = float(np.exp(rng.uniform(np.log(2e-4), np.log(6e-3))))  # per minute
        share = rng.uniform(0.05, 0.5, (n, ACTIVITIES["upkeep"].rules))
        past[:, self._pools["upkeep"]] += self.upkeep_rate / n * WINDOW / STEP * share
        visited = np.exp(rng.uniform(-10.0, -5.0))
        past[np.ix_(self._network.exposed, scans)] += visited
        self._past = np.clip(past, 0.0, 0.98)
        self._sources = np.argwhere(live > 0)
        chance = live[live > 0]
        self._chance = 1.0 - (1.0 - np.clip(chance, 0.0, 0.98)) ** (STEP / WINDOW)

    # ------------------------------------------------------------ history

    def teach(self, picture: Picture, windows: int, now: float) -> None:
        """Gives the picture what it would have learned in `windows` windows that ended at `now`.

        At a young site much is still to be set up, and some of what is usual has not yet been seen.
        """
        rng = self._rng
        youth = math.exp(-windows / 150.0)
        self.upkeep_rate *= 1.0 + 4.0 * youth
        seen = rng.binomial(windows, self._past)
        seen[rng.random(seen.shape) < 0.4 * youth] = 0
        anywhere = rng.binomial(windows, 1.0 - np.prod(1.0 - self._past, axis=0))
        anywhere = np.clip(anywhere, seen.max(axis=0), np.minimum(seen.sum(axis=0), windows))
        keys = [f"{SENSOR}:{rule.name}" for rule in self.rules]
        picture.windows = windows
        picture.window_start = picture.time = now
        picture.site_rates = {keys[r]: int(anywhere[r]) for r in np.flatnonzero(anywhere)}
        picture.rates = {
            asset.id: {keys[r]: int(seen[i, r]) for r in np.flatnonzero(seen[i])}
            for i, asset in enumerate(self._network.inventory.assets)
        }

    # ------------------------------------------------------------ the present

    def background(self, now: float) -> list[Report]:
        """What fires by itself within the step that starts at `now`."""
        found: list[Report] = []
        for hit in np.flatnonzero(self._rng.random(len(self._chance)) < self._chance):
            asset, rule = self._sources[hit]
            peer = ""
            if self._rng.random() < 0.3:
                peer = self._network.partners[self._rng.integers(len(self._network.partners))]
            found.append(self._word(int(rule), int(asset), now, peer, "", 1))
        return found

    def report(
        self,
        activity: str,
        asset: int,
        now: float,
        *,
        peer: str = "",
        outward: bool = False,
        credential: str = "",
        share: float = 1.0,
    ) -> list[Report]:
        """What the sensors make of `activity` on `asset`, with `peer` at the other end of it.

        `outward`: the asset opened the connection. `share` scales how many rules answer.
        """
        rng, what = self._rng, ACTIVITIES[activity]
        pool = self._pools[activity]
        count = rng.integers(what.fires[0], what.fires[1] + 1) * self._yield[asset] * share
        count = min(len(pool), int(count + rng.random()))
        found: list[Report] = []
        for rule in rng.choice(pool, count, replace=False):
            times = int(np.exp(rng.uniform(0.0, what.burst)))
            found.append(self._word(int(rule), asset, now, peer, credential, times, outward))
        return found

    def _word(
        self,
        rule_index: int,
        asset: int,
        now: float,
        peer: str,
        credential: str,
        times: int,
        outward: bool = False,
    ) -> Report:
        rule = self.rules[rule_index]
        own = self._network.addresses[asset]
        other = peer if peer and rule.remote else own
        alert = Alert(
            time=now + STEP * self._rng.random(),
            sensor=SENSOR,
            type=rule.name,
            title=rule.title,
            severity=rule.severity,
            tactic=rule.tactic,
            src=own if outward else other,
            dst=other if outward else own,
            credential=credential,
        )
        return alert, times
