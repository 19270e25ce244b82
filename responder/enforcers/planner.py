"""The pure half of enforcement: orders and facts in, commands out, none where all is well.

Single addresses live in hash sets, networks in small interval sets that must not overlap. Where two
ordered networks nest, the wider one is cut into pieces, so that each address ends when its last
order does even if no process is left to look after it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping

from policies.actions import Kind, canonical_network
from responder.enforcers.base import TOLERANCE, Actual, Command, Element, Order
from responder.errors import Permanent

__all__ = ["INTERVALS", "desired_elements", "elements_of", "holds", "plan"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

INTERVALS = ("networks4", "networks6")  # groups whose elements must not overlap
_LOOPBACK = ("127.0.0.0/8", "::1/128")  # the enforcer itself
_MAX_ADDRESSES = 64  # per asset


def elements_of(
    order: Order, kinds: Collection[Kind], management: Iterable[str]
) -> tuple[Element, ...]:
    """What an enforcement point must hold for this order.

    Raises Permanent, saying why, where the order cannot or must not be enforced here.
    """
    if order.kind not in kinds:
        raise Permanent(f"this enforcer cannot {order.kind.name}; run one that can")
    if order.kind is Kind.REVOKE:
        return (Element("revoked", order.target),)
    if order.kind is Kind.BLOCK:
        targets = [_network(order.target)]
    else:
        targets = [_network(address) for address in order.addresses]
        if not targets or len(targets) > _MAX_ADDRESSES:
            raise Permanent(
                f"{order.target} has {len(targets)} addresses in the inventory; give it 1 to "
                f"{_MAX_ADDRESSES}"
            )
    for network in targets:
        _spare_management(network, management)
    return tuple(_element(network, order.kind) for network in targets)


def desired_elements(
    orders: Iterable[Order], kinds: Collection[Kind], management: Collection[str]
) -> tuple[dict[Element, float], dict[Order, str]]:
    """Elements with their ends for these live orders, and the refused orders with the reason.

    Where several orders want an element the latest end counts.
    """
    ends: dict[Element, float] = {}
    refused: dict[Order, str] = {}
    for order in orders:
        try:
            elements = elements_of(order, kinds, management)
        except Permanent as error:
            refused[order] = str(error)
            continue
        for element in elements:
            ends[element] = max(ends.get(element, order.until), order.until)
    for group in INTERVALS:
        networks = {_parsed(e.value): ends.pop(e) for e in list(ends) if e.group == group}
        ends.update({Element(group, str(n)): end for n, end in _disjoint(networks).items()})
    return ends, refused


def plan(desired: Mapping[Element, float], actual: Actual) -> list[Command]:
    """The commands that make the facts equal the desired elements; empty when they are."""
    if not actual.intact:
        if not desired and not actual.elements:
            return []
        return [Command("rebuild"), *_adds(desired)]
    commands = []
    for group in sorted({element.group for element in (*desired, *actual.elements)}):
        want = {e: end for e, end in desired.items() if e.group == group}
        have = {e: end for e, end in actual.elements.items() if e.group == group}
        gone = sorted(have.keys() - want.keys())
        # Only what differs: adding again restarts a kernel's timeout.
        wrong = {e: end for e, end in want.items() if not _same_end(have.get(e), end)}
        if not gone and not wrong:
            continue
        if group in INTERVALS:  # nft sees overlaps even with what the same transaction deletes
            commands += [Command("clear", Element(group, "")), *_adds(want)]
        else:
            commands += [*(Command("remove", element) for element in gone), *_adds(wrong)]
    return commands


def holds(element: Element, until: float, actual: Actual) -> bool:
    """Whether the facts keep this element, or all of this network, to its end at least."""
    if not actual.intact:
        return False
    if element.group not in INTERVALS:
        return actual.elements.get(element, 0.0) >= until - TOLERANCE
    network = _parsed(element.value)
    lasting = (
        _parsed(e.value)
        for e, end in actual.elements.items()
        if e.group == element.group and end >= until - TOLERANCE
    )
    joined = ipaddress.collapse_addresses(lasting)  # type: ignore[type-var]  # one family a group
    return any(_within(network, whole) for whole in joined)


# ---------------------------------------------------------------- internals


def _adds(ends: Mapping[Element, float]) -> list[Command]:
    return [Command("add", element, end) for element, end in sorted(ends.items())]


def _same_end(have: float | None, want: float) -> bool:
    return have is not None and abs(have - want) <= TOLERANCE


def _network(text: str) -> Network:
    try:
        return _parsed(canonical_network(text))
    except ValueError as error:
        raise Permanent(f"not a network: {error}") from error


def _parsed(canonical: str) -> Network:
    return ipaddress.ip_network(canonical)


def _within(inner: Network, outer: Network) -> bool:
    """`subnet_of`, but False instead of an error across families."""
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and inner.network_address in outer
    )


def _spare_management(network: Network, management: Iterable[str]) -> None:
    for text in (*_LOOPBACK, *management):
        spared = _network(text)
        if _within(network, spared) or _within(spared, network):
            raise Permanent(f"{network} overlaps the management network {spared}: never cut")


def _element(network: Network, kind: Kind) -> Element:
    single = network.prefixlen == network.max_prefixlen
    block = "blocked" if single else "networks"
    group = "isolated" if kind is Kind.ISOLATE else block
    value = str(network.network_address) if single else str(network)
    return Element(f"{group}{network.version}", value)


def _disjoint(ends: Mapping[Network, float]) -> dict[Network, float]:
    """The same addresses with the same latest ends, as networks that do not overlap."""
    result: dict[Network, float] = {}
    for network in sorted(ends, key=lambda n: n.prefixlen):  # so that only earlier ones contain it
        cover = next((wider for wider in result if _within(network, wider)), None)
        if cover is None:
            result[network] = ends[network]
        elif result[cover] < ends[network]:
            rest = result.pop(cover)
            pieces = cover.address_exclude(network)  # type: ignore[arg-type]  # one family a group
            result.update(dict.fromkeys(pieces, rest))
            result[network] = ends[network]
    return result
