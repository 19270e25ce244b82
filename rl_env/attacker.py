"""What happens at a simulated site: intruders, harmless scanners and housekeeping.

Every actor is a generator that is resumed once a minute, so that a life reads as a story from top
to bottom. Actors know the truth; the agent only ever sees what the sensors report of it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.random import Generator as Rng

from rl_env.network import Network, external_addresses
from rl_env.sensors import Report, Sensors

__all__ = ["CLEAN", "FOOTHOLD", "KINDS", "OBJECTIVE", "ROOT", "Barriers", "Story", "Truth"]

CLEAN, FOOTHOLD, ROOT, OBJECTIVE = range(4)
KINDS = ("quiet", "scans", "attack")
_Life = Generator[None, None, None]
_Answer = Generator[None, None, bool]
_Find = Generator[None, None, int | None]


class Barriers(Protocol):
    """What containment stands in an actor's way."""

    def isolated(self, asset: int) -> bool: ...

    def blocked(self, address: str) -> bool: ...

    def revoked(self, credential: int) -> bool: ...


@dataclass
class Truth:
    """What really is so. `levels`: how far each asset is taken over."""

    levels: list[int]
    target: int | None = None  # the asset an intruder is working on
    stolen: set[int] = field(default_factory=set)  # credentials in the intruder's hands
    hostile: set[str] = field(default_factory=set)  # the intruder's addresses
    scanners: set[str] = field(default_factory=set)  # addresses that only look
    active: bool = True  # an intruder who gave up does no further harm
    first_entry: float | None = None  # Unix seconds
    objective: int | None = None  # the asset on which the intruder reached its goal


class Story:
    """Runs the actors of one episode and collects what sensors report."""

    def __init__(
        self,
        rng: Rng,
        network: Network,
        sensors: Sensors,
        barriers: Barriers,
        start: float,
        minutes: int,
        kind: str,
    ) -> None:
        self.truth = Truth([CLEAN] * network.size)
        self.kind = kind
        self._rng = rng
        self._network = network
        self._sensors = sensors
        self._barriers = barriers
        self._minutes = minutes
        self._now = start
        self._reports: list[Report] = []
        self._actors: list[_Life] = [self._upkeep()]
        scanners = rng.poisson(1.5) if kind == "scans" else rng.poisson(0.4)
        self._actors += [self._scanner() for _ in range(scanners)]
        if kind == "attack":
            self._actors.append(self._intrusion())

    def step(self, now: float) -> list[Report]:
        """Lives the minute that starts at `now`; returns its reports in order of time."""
        self._now = now
        self._reports = self._sensors.background(now)
        self._actors = [actor for actor in self._actors if _resume(actor)]
        return sorted(self._reports, key=lambda report: report[0].time)

    # ------------------------------------------------------------ harmless actors

    def _upkeep(self) -> _Life:
        """Administrators at work: bursts of rare events on one machine, over minutes."""
        rng = self._rng
        while True:
            yield
            if rng.random() >= self._sensors.upkeep_rate:
                continue
            asset = int(rng.integers(self._network.size))
            activity = "logins" if rng.random() < 0.25 else "upkeep"
            parts = int(rng.integers(1, 6))
            extent = rng.uniform(0.4, 1.3)
            for _ in range(parts):
                self._say(activity, asset, share=extent / parts)
                yield from _wait(int(rng.integers(0, 5)))

    def _scanner(self) -> _Life:
        """Somebody on the internet who looks at everything and goes away."""
        rng = self._rng
        yield from _wait(int(rng.integers(0, self._minutes)))
        address = self._new_address(self.truth.scanners)
        yield from self._sweep(address)
        exposed = np.flatnonzero(self._network.exposed)
        for _ in range(int(rng.integers(0, 3))):
            yield from _wait(int(rng.integers(0, 10)))
            target = int(rng.choice(exposed))
            if not self._barriers.blocked(address) and not self._barriers.isolated(target):
                self._say("probe", target, peer=address, share=rng.uniform(0.05, 0.25))
            yield

    # ------------------------------------------------------------ the intruder

    def _intrusion(self) -> _Life:
        yield from self._campaign()
        self.truth.active = False

    def _campaign(self) -> _Life:
        rng = self._rng
        yield from _wait(int(rng.integers(0, max(1, self._minutes // 3))))
        self._address = self._new_address(self.truth.hostile)
        asset = yield from self._enter()
        if asset is None:
            return
        self.truth.first_entry = self._now
        self._take(asset, FOOTHOLD)
        if rng.random() < 0.5:
            self._say("beacon", asset, peer=self._address, outward=True)
        hops = int(rng.integers(0, 3))
        for hop in range(hops + 1):
            yield from _wait(int(rng.integers(3, 45)) // (hop + 1))
            if not (yield from self._escalate(asset)):
                return
            if hop < hops:
                asset = yield from self._spread(asset)
            if asset is None:
                return
        yield from self._finish(asset)

    def _enter(self) -> _Find:
        """The first foothold; the asset, or None if every door stayed shut."""
        rng = self._rng
        exposed = np.flatnonzero(self._network.exposed)
        if rng.random() < 0.2:  # through a person or a known password: nothing was scanned
            yield from _wait(int(rng.integers(0, 20)))
            asset = int(rng.integers(self._network.size))
            self._say("entry", asset, peer=self._address)
            self._say("lateral", asset, peer=self._address, share=0.5)
            return asset
        if rng.random() < 0.85:
            yield from self._sweep(self._address)
            yield from _wait(int(rng.integers(0, 3)))
        asset = int(rng.choice(exposed))
        strength = rng.uniform(0.7, 1.3)
        self.truth.target = asset
        for _ in range(int(rng.integers(1, 4))):
            if not (yield from self._door(asset)):
                return None
            self._say("probe", asset, peer=self._address, share=strength)
            strength *= 0.4
            yield
        yield from _wait(int(rng.integers(0, 5)))
        if not (yield from self._door(asset)):
            return None
        self._say("entry", asset, peer=self._address)
        return asset

    def _escalate(self, asset: int) -> _Answer:
        """From foothold to root; False if the intruder lost the machine."""
        if not (yield from self._control(asset)):
            return False
        self._say("escalate", asset, share=self._rng.uniform(0.6, 1.3))
        self._take(asset, ROOT)
        opened = [c for c, who in enumerate(self._network.opens) if asset in who]
        if opened and self._rng.random() < 0.7:
            credential = int(self._rng.choice(opened))
            self._say("credential", asset, credential=self._key(credential))
            self.truth.stolen.add(credential)
        yield
        return True

    def _spread(self, asset: int) -> _Find:
        """To another machine, by a stolen key where there is one; the machine, or None."""
        rng = self._rng
        for _ in range(6):
            yield from _wait(int(rng.integers(1, 12)))
            if not (yield from self._control(asset)):
                return None
            targets = [t for t in np.flatnonzero(self._network.reach[asset]) if self._open(int(t))]
            if not targets:
                continue
            target = int(rng.choice(targets))
            keys = [
                c
                for c in sorted(self.truth.stolen)
                if target in self._network.opens[c] and not self._barriers.revoked(c)
            ]
            key = self._key(int(rng.choice(keys))) if keys else ""
            peer = self._network.addresses[asset]
            share = rng.uniform(0.4, 0.8) if key else rng.uniform(0.7, 1.4)
            self._say("lateral", target, peer=peer, credential=key, share=share)
            self.truth.target = target
            if key or rng.random() < 0.6:
                self._take(target, FOOTHOLD)
                return target
        return None

    def _finish(self, asset: int) -> _Life:
        rng = self._rng
        for _ in range(int(rng.integers(2, 8))):
            yield from _wait(int(rng.integers(0, 10)))
            if not (yield from self._control(asset)):
                return
            self._say("theft", asset, peer=self._address, outward=True, share=0.6)
            yield
        if (yield from self._control(asset)):
            self._take(asset, OBJECTIVE)
            self.truth.objective = asset

    # ------------------------------------------------------------ means

    def _sweep(self, address: str) -> _Life:
        """Looks at most exposed machines, once or in a few rounds."""
        rng = self._rng
        depth = rng.uniform(0.5, 1.1)
        exposed = [t for t in np.flatnonzero(self._network.exposed) if rng.random() < 0.9]
        if rng.random() < 0.45:  # what the firewall lets through reaches inner machines, too
            inner, share = np.flatnonzero(~self._network.exposed), rng.uniform(0.2, 1.0)
            exposed += [t for t in inner if rng.random() < share]
        for _ in range(int(rng.integers(1, 4))):
            if self._barriers.blocked(address):
                return
            for target in exposed:
                if not self._barriers.isolated(int(target)):
                    self._say("scan", int(target), peer=address, share=depth)
            depth *= 0.4
            yield from _wait(int(rng.integers(1, 6)))

    def _door(self, asset: int) -> _Answer:
        """Waits until the asset can be reached from outside; changes address when blocked."""
        for _ in range(30):
            if self._barriers.blocked(self._address):
                if self._rng.random() < 0.4:
                    return False
                yield from _wait(int(self._rng.integers(3, 15)))
                self._address = self._new_address(self.truth.hostile)
            elif self._barriers.isolated(asset):
                yield
            else:
                return True
        return False

    def _control(self, asset: int) -> _Answer:
        """Whether the intruder still commands the asset, once its channel is up again."""
        if not (yield from self._door(asset)) or self.truth.levels[asset] == CLEAN:
            return False
        if self._rng.random() < 0.3:
            self._say("beacon", asset, peer=self._address, outward=True)
        return True

    def _open(self, asset: int) -> bool:
        return self.truth.levels[asset] == CLEAN and not self._barriers.isolated(asset)

    def _take(self, asset: int, level: int) -> None:
        self.truth.levels[asset] = max(self.truth.levels[asset], level)

    def _key(self, credential: int) -> str:
        return self._network.inventory.credentials[credential].id

    def _new_address(self, into: set[str]) -> str:
        taken = (*self._network.partners, *self.truth.hostile, *self.truth.scanners)
        address = external_addresses(self._rng, 1, taken)[0]
        into.add(address)
        return address

    def _say(
        self,
        activity: str,
        asset: int,
        *,
        peer: str = "",
        outward: bool = False,
        credential: str = "",
        share: float = 1.0,
    ) -> None:
        self._reports += self._sensors.report(
            activity,
            asset,
            self._now,
            peer=peer,
            outward=outward,
            credential=credential,
            share=share,
        )


def _wait(minutes: int) -> _Life:
    for _ in range(minutes):
        yield


def _resume(actor: _Life) -> bool:
    return next(actor, actor) is None
