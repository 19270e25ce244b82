"""Calldata that no one meant: bytes, broken calls, made-up ones never move what they must not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from calls import BY_ANYONE, BY_ROLE, BY_SIGNATURE, FUNCTIONS, GOVERNED, HOLDER, call_of
from eth_account.signers.local import LocalAccount
from eth_utils import function_abi_to_4byte_selector
from scene import AGENT, MODEL, OPERATOR, Gate, account

from policies.actions import Kind, network_key
from responder.chain.proposal import name_key

# A changed call of these is another call that its sender may make just as well.
HIS_OWN_WORD = {
    "propose",
    "withdraw",
    "withdrawBatch",
    "veto",
    "vetoBatch",
    "fileReceipt",
    "filePageReceipt",
    "fileReceipts",
    *GOVERNED,
}
PERSONS = ("agent", "operator", "guardian", "enforcer", "governor", "stranger")
REVOKED = ("revoked operator", "revoked agent")


def senders(gate: Gate) -> dict[str, LocalAccount]:
    """Everyone by name, and two whose roles are gone."""
    people = gate.people
    found = {name: getattr(people, name) for name in PERSONS if name != "operator"}
    found["operator"] = people.operators[0]
    for name, role in zip(REVOKED, (OPERATOR, AGENT), strict=True):
        found[name] = account(name)
        for roles in (role, 0):
            gate.govern("setRoles", found[name].address, roles, 0)
    return found


def may(function: str, name: str) -> bool:
    """Whether this person may change anything by this function."""
    if function in BY_ROLE:
        return HOLDER[BY_ROLE[function][0]] == name
    return name == "governor" if function in GOVERNED else True


@contextmanager
def undone(gate: Gate) -> Iterator[None]:
    before, now = gate.evm.snapshot(), gate.evm.now
    yield
    gate.evm.revert(before)
    gate.evm.advance(now - gate.evm.now)


def went_through(gate: Gate, sender: LocalAccount, data: bytes) -> bool:
    try:
        gate.evm.call(sender.address, gate.contract.address, data)
    except RuntimeError:  # and so changed nothing
        return False
    return True


# ---------------------------------------------------------------- broken calls


def broken(chance: random.Random, data: bytes) -> bytes:
    """One good call's calldata, and something wrong with it."""
    made = bytearray(data)
    if len(made) == 4:
        return data + chance.randbytes(40)
    words = (len(data) - 4) // 32
    here, there = (slice(4 + 32 * i, 36 + 32 * i) for i in chance.choices(range(words), k=2))
    match chance.randrange(8):
        case 0:
            made[chance.randrange(4, len(made))] ^= 1 << chance.randrange(8)
        case 1:
            made[here] = chance.randbytes(32)
        case 2:
            value = chance.choice((0, 1, 2, 31, 32, 64, 2**32, 2**64 - 1, 2**255, 2**256 - 1))
            made[here] = value.to_bytes(32)
        case 3:
            made[here], made[there] = made[there], made[here]
        case 4:
            del made[chance.randrange(4, len(made) + 1) :]
        case 5:
            made[here.start] ^= 0x80
        case 6:
            value = int.from_bytes(made[here]) + chance.choice((-32, -1, 1, 32))
            made[here] = (value % 2**256).to_bytes(32)
        case 7:
            made[here.start : here.start] = made[there]
    return bytes(made)


def good_call(gate: Gate, function: str) -> tuple[LocalAccount, bytes]:
    sender, args = call_of(gate, function)
    if function in ("approveBySig", "rejectBySig"):  # where fewer signatures are a call as good
        args = BY_SIGNATURE[function](gate, gate.people.operators[0])
    return sender, gate.contract.data(function, *args)


def break_calls(gate: Gate, function: str, seed: int, count: int) -> None:
    chance = random.Random(f"{function} {seed}")
    everyone = senders(gate)
    sender, data = good_call(gate, function)
    before = gate.evm.state()
    with undone(gate):
        assert went_through(gate, sender, data)
        after = gate.evm.state()
    for _ in range(count):
        other = broken(chance, data)
        name = chance.choice([*everyone, None])
        who = sender if name is None else everyone[name]
        with undone(gate):
            if not went_through(gate, who, other) or (state := gate.evm.state()) == before:
                continue
            holder = name is None or may(function, name)
            assert holder and state.keys() == before.keys(), (function, name, other.hex())
            assert [balance for balance, _ in state.values()] == [b for b, _ in before.values()]
            if function in BY_ANYONE or function in BY_SIGNATURE:
                # Changed where nothing is read, or sent by another: told otherwise, but the same.
                assert kept(gate, function, state) == kept(gate, function, after), other.hex()
            elif function not in HIS_OWN_WORD:
                assert state == after, other.hex()
    assert gate.evm.state() == before


def kept(gate: Gate, function: str, state: dict[str, Any]) -> Any:
    """What the gate keeps beside the head of its chain, which is the first word."""
    words = state[gate.contract.address.lower()][1]
    kept = {slot: word for slot, word in words.items() if slot != "0"}
    # Who activated a model is listed as the signatures came, which anyone may turn around.
    return sorted(kept.values()) if function == "activateModel" else kept


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_broken_call_does_nothing_that_a_good_one_would_not(many: Gate, function: str) -> None:
    break_calls(many, function, 0, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_great_many_broken_calls(many: Gate, function: str, seed: int) -> None:
    break_calls(many, function, seed, 1000)


# ---------------------------------------------------------------- bytes


def send_bytes(gate: Gate, seed: int, count: int) -> None:
    chance = random.Random(seed)
    everyone = senders(gate)
    selectors = {
        entry["name"]: bytes(function_abi_to_4byte_selector(entry))
        for entry in gate.contract.abi
        if entry.get("name") in FUNCTIONS
    }
    before = gate.evm.state()
    for _ in range(count):
        function = chance.choice([*selectors, None])
        start = selectors[function] if function else chance.randbytes(chance.randrange(5))
        data = start + chance.randbytes(chance.choice((0, 1, 31, 32, 33, 64, 256, 600)))
        name = chance.choice([*everyone])
        with undone(gate):
            changed = went_through(gate, everyone[name], data) and gate.evm.state() != before
        if changed:  # what takes no more than a word is somebody's to say
            assert function in {"pause", "fileReceipts"} and may(function, name), (name, data.hex())
    assert gate.evm.state() == before


def test_bytes_move_nothing(many: Gate) -> None:
    send_bytes(many, 0, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_a_great_many_bytes(many: Gate, seed: int) -> None:
    send_bytes(many, seed, 20_000)


# ---------------------------------------------------------------- made-up calls


class Maker:
    """Values of any type of the abi, mostly of things that there are."""

    def __init__(
        self, gate: Gate, chance: random.Random, everyone: dict[str, LocalAccount]
    ) -> None:
        self._chance = chance
        names = ("web", "files", "gateway", "ssh:deploy", "dmz", "fleet", "ops", "wiki", "nobody")
        networks = ("203.0.113.9/32", "198.51.100.0/24", "2001:db8:2::/64")
        self._words = [name_key(name) for name in names]
        self._words += [network_key(text).to_bytes(32) for text in networks]
        self._words += [MODEL, bytes(32), b"\xff" * 32]
        self._texts = [*names, "", "x" * 257]
        self._addresses = [who.address for who in everyone.values()] + ["0x" + "00" * 20]
        now = gate.evm.now
        self._numbers = [0, 1, 2, 3, 4, 7, 15, 16, 60, 600, 3600, now, now + 1, now + 600]

    def make(self, argument: dict[str, Any]) -> Any:
        kind, chance = argument["type"], self._chance
        if kind.endswith("[]"):
            inner = {**argument, "type": kind[:-2]}
            return [self.make(inner) for _ in range(chance.randrange(4))]
        if kind == "tuple":
            return tuple(self.make(component) for component in argument["components"])
        if kind.startswith("uint"):
            most = 2 ** int(kind[4:])
            return chance.choice((*self._numbers, most - 1, chance.randrange(most))) % most
        if kind == "bytes":
            return chance.randbytes(chance.choice((0, 64, 65)))
        if kind.startswith("bytes"):
            return chance.choice(self._words)[: int(kind[5:])]
        table = {"address": self._addresses, "string": self._texts, "bool": [False, True]}
        return chance.choice(table[kind])


def make_up(gate: Gate, seed: int, count: int) -> int:
    """How many of so many calls changed something."""
    chance = random.Random(seed)
    everyone = senders(gate)
    gate.propose(Kind.ISOLATE, "web")
    gate.order(Kind.ISOLATE, "files")
    gate.grant()
    maker = Maker(gate, chance, everyone)
    entries = {e["name"]: e["inputs"] for e in gate.contract.abi if e["type"] == "function"}
    before, balances = gate.evm.state(), sorted(gate.evm.state())
    moved = 0
    for _ in range(count):
        function, name = chance.choice(FUNCTIONS), chance.choice([*everyone])
        data = gate.contract.data(function, *(maker.make(i) for i in entries[function]))
        with undone(gate):
            if not went_through(gate, everyone[name], data) or gate.evm.state() == before:
                continue
            assert function in {*BY_ROLE, *GOVERNED} and may(function, name), (name, data.hex())
            assert sorted(gate.evm.state()) == balances
            moved += 1
    assert gate.evm.state() == before
    return moved


def test_who_moves_anything_moves_it_by_a_function_of_his_role(many: Gate) -> None:
    assert make_up(many, 0, 4000) > 10  # or the made-up calls would show nothing


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_a_great_many_made_up_calls(many: Gate, seed: int) -> None:
    assert make_up(many, seed, 30_000) > 100


# ---------------------------------------------------------------- bits beyond a field's width


@pytest.mark.parametrize("field", [0, 2, 5, 6], ids=["kind", "ttl", "deadline", "agent"])
@pytest.mark.parametrize(
    "function",
    [
        "propose",
        "proposeApproved",
        "approve",
        "approveBySig",
        "reject",
        "rejectBySig",
        "execute",
        "release",
        "reportMissing",
    ],
)
def test_bits_beyond_a_fields_width_are_not_overlooked(
    many: Gate, function: str, field: int
) -> None:
    """The id is of the bytes as they came, so no two ids may stand for one proposal."""
    sender, data = good_call(many, function)
    for bit in (0x80, 0x01):
        changed = bytearray(data)
        changed[4 + 32 * field] ^= bit
        assert not went_through(many, sender, bytes(changed))
    assert went_through(many, sender, data)
