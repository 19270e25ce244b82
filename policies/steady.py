"""What calls out day and night: base rates take for normal what never changes, and a leak or an
implant that calls home never does.

People sleep and jobs end; so where one kind of alert that says "out" comes from one machine in
every window for two days and nights, that is news, however well it is known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from policies.alerts import Stage
from policies.evidence import MAX_SURPRISE, WINDOW
from policies.inventory import Asset

__all__ = ["OUTWARD", "STEADY", "Steady"]

OUTWARD = frozenset({Stage.SPREAD, Stage.IMPACT})  # command and control, exfiltration
STEADY = 2 * MAX_SURPRISE  # nats in each window: no single new kind of alert says as much
_LONG = 2 * 86_400 // WINDOW  # windows without a break; a job that takes a night is over by then


class Steady:
    """For how many windows on end each outward type has come from each asset. Constant memory, as
    the types of a window are.
    """

    def __init__(self, assets: Sequence[Asset]) -> None:
        self._assets = assets
        self._gateway = [_is_gateway(asset) for asset in assets]
        self._runs: dict[int, dict[str, int]] = {}  # number of an asset -> type -> windows

    def close(self, windows: int, outward: Mapping[int, Iterable[str]]) -> list[tuple[int, str]]:
        """So many windows are over, in the first of which these types came from these assets.
        Who is to be looked at for what: machines alone with a type that has come for long. Gateways
        are left out, since they pass on what others ask; what several do is the site's way.
        """
        before, self._runs = self._runs, {}
        if windows > 1:
            return []
        long: dict[str, list[int]] = {}
        for asset, kinds in outward.items():
            known = before.get(asset, {})
            self._runs[asset] = runs = {kind: known.get(kind, 0) + 1 for kind in sorted(kinds)}
            for kind, run in runs.items():
                if run >= _LONG and not self._gateway[asset]:
                    long.setdefault(kind, []).append(asset)
        return [(assets[0], kind) for kind, assets in long.items() if len(assets) == 1]

    def to_json(self) -> dict[str, dict[str, int]]:
        return {self._assets[asset].id: runs for asset, runs in self._runs.items()}

    @staticmethod
    def from_json(assets: Sequence[Asset], saved: Mapping[str, Any]) -> Steady:
        """Assets that left the inventory are forgotten. Raises AttributeError, TypeError or
        ValueError for what `to_json` did not make.
        """
        steady = Steady(assets)
        for number, asset in enumerate(assets):
            if asset.id in saved:
                runs = {str(kind): int(run) for kind, run in saved[asset.id].items()}
                steady._runs[number] = runs
        return steady


def _is_gateway(asset: Asset) -> bool:
    """Whether it has addresses in several networks (/24 or /64), link-local ones aside."""
    networks: dict[int, set[Any]] = {4: set(), 6: set()}
    for text in asset.addresses:
        address = ipaddress.ip_address(text)
        if not address.is_link_local:
            bits = 24 if address.version == 4 else 64
            networks[address.version].add(ipaddress.ip_network((address, bits), strict=False))
    return any(len(each) > 1 for each in networks.values())
