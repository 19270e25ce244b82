"""One address, four parts: each function in one, over the same storage, and no way in beside."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from build_artifacts import PARTS
from calls import FUNCTIONS, GOVERNED, call_of
from eth_utils import function_abi_to_4byte_selector
from eth_utils.abi import get_abi_input_types
from evm import Contract, Reverted
from layout import interface, storage_layouts
from scene import Gate, People, make_gate, refused

from policies.actions import Kind
from responder.chain.events import artifact
from responder.chain.proposal import name_key

CODE_LIMIT = 24_576  # bytes, EIP-170
INIT_LIMIT = 49_152  # bytes, EIP-3860
SENTINEL = bytes.fromhex("deadbeef")
# OpenZeppelin's AccessManaged and EIP712: every part inherits them with their storage.
INHERITED = {"authority", "eip712Domain", "isConsumingScheduledOp", "setAuthority"}
BEHIND = [part for part in PARTS if part != "Gate"]


def functions(abi: list[dict[str, Any]]) -> dict[bytes, dict[str, Any]]:
    """By selector."""
    return {
        bytes(function_abi_to_4byte_selector(entry)): entry
        for entry in abi
        if entry["type"] == "function"
    }


def dead_end() -> dict[str, Any]:
    """The artifact of a contract that answers everything by reverting with the sentinel."""
    runtime = b"\x63" + SENTINEL + bytes.fromhex("5f526004601cfd")
    init = b"\x6b" + runtime + bytes.fromhex("5f52600c6014f3")
    return {"abi": [], "bytecode": "0x" + init.hex()}


def answered_by(gate: Gate, part: str) -> set[str]:
    """Functions of IGate that a part does not hand on to the next."""
    governor = gate.people.governor.address
    end = gate.evm.deploy(dead_end(), sender=governor)
    tried = gate.evm.deploy(artifact(part), gate.manager.address, end.address, sender=governor)
    found = set()
    for selector, entry in functions(interface()).items():
        try:
            gate.evm.call(governor, tried.address, selector, static=True)
        except RuntimeError as error:
            if f"output: 0x{SENTINEL.hex()}" in str(error):
                continue
        found.add(entry["name"])
    return found


def test_each_function_is_in_one_part(bare_gate: Gate) -> None:
    """Each part is asked itself, with a dead end behind it; the last has nothing behind it."""
    office = {entry["name"] for entry in functions(artifact("Office")["abi"]).values()} - INHERITED
    parts = [answered_by(bare_gate, part) for part in PARTS[:-1]] + [office]
    assert sum(len(part) for part in parts) == len(set().union(*parts))
    assert set().union(*parts) == {entry["name"] for entry in functions(interface()).values()}


def test_the_gates_abi_is_the_interface_and_no_more() -> None:
    whole = functions(artifact("Gate")["abi"])
    wanted = functions(interface())
    assert {entry["name"] for key, entry in whole.items() if key not in wanted} == INHERITED
    assert set(wanted) <= set(whole)


def test_no_two_functions_share_a_selector() -> None:
    """solc tells so within a part alone; here the first part would hide the other's."""
    entries = {}
    for part in PARTS:
        for entry in artifact(part)["abi"]:
            if entry["type"] == "function":
                signature = f"{entry['name']}({','.join(get_abi_input_types(entry))})"
                entries[signature] = bytes(function_abi_to_4byte_selector(entry))
    assert len(set(entries.values())) == len(entries)


def test_all_parts_see_the_same_storage() -> None:
    keys = ("label", "slot", "offset", "type")  # a type's name has its declaration's number
    words = {
        part: [[entry[key] for key in keys] for entry in layout["storage"]]
        for part, layout in storage_layouts().items()
    }
    assert words["Gate"][0][0] == "_head"
    assert len(words["Gate"]) > 20
    assert all(words[part] == words["Gate"] for part in PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_fits_into_a_contract(bare_gate: Gate, part: str) -> None:
    assert 0 < len(bare_gate.evm.code(bare_gate.parts[part].address)) <= CODE_LIMIT
    arguments = 2 * 32
    assert len(artifact(part)["bytecode"]) // 2 + arguments <= INIT_LIMIT


# ---------------------------------------------------------------- no way in beside


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("part", BEHIND)
def test_a_part_by_its_own_address_lets_no_one_in(many: Gate, part: str, function: str) -> None:
    """It sees but its own storage, where no one has a role and nothing is set."""
    sender, args = call_of(many, function)
    data = many.contract.data(function, *args)
    before = many.evm.state()
    address = many.parts[part].address
    if function not in GOVERNED:
        with pytest.raises(RuntimeError):
            many.evm.call(sender.address, address, data)
        assert many.evm.state() == before
        return
    with suppress(RuntimeError):  # the governor may write there, where the gate never reads
        many.evm.call(sender.address, address, data)
    after = many.evm.state()
    for state in (before, after):
        state.pop(address.lower())
    assert after == before


@pytest.mark.parametrize("part", BEHIND)
def test_a_part_by_its_own_address_knows_nothing_of_the_gate(many: Gate, part: str) -> None:
    nobody = "0x" + "00" * 20
    many.order(Kind.ISOLATE, "web")
    many.order(Kind.REVOKE, "ssh:deploy")
    for function, key in (("isIsolated", "web"), ("isRevoked", "ssh:deploy")):
        assert many.view(function, name_key(key))
        data = many.contract.data(function, name_key(key))
        try:
            answer = many.evm.call(nobody, many.parts[part].address, data, static=True)
        except RuntimeError:
            continue
        assert int.from_bytes(answer) == 0


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xff\xff", b"\xff" * 4, b"\xff" * 400])
@pytest.mark.parametrize("part", PARTS)
def test_what_no_part_knows_reverts(many: Gate, people: People, part: str, data: bytes) -> None:
    before = many.evm.state()
    for static in (False, True):
        with pytest.raises(RuntimeError, match=r"Revert .* output: 0x }"):  # with no word
            many.evm.call(people.stranger.address, many.parts[part].address, data, static=static)
    assert many.evm.state() == before


@pytest.mark.parametrize("function", ["", *FUNCTIONS])
def test_no_ether_is_taken(people: People, function: str) -> None:
    gate = make_gate(people)
    gate.evm.fund(people.stranger.address, 10)
    data = b""
    if function:
        entry = next(e for e in interface() if e.get("name") == function)
        data = bytes(function_abi_to_4byte_selector(entry))
    for part in gate.parts.values():
        with pytest.raises(RuntimeError, match="Revert"):
            gate.evm.call(people.stranger.address, part.address, data, value=1)
    assert gate.evm.balance(people.stranger.address) == 10


@pytest.mark.parametrize("part", ["Gate", "Desk", "Docket"])
def test_a_next_part_without_code_is_refused(bare_gate: Gate, people: People, part: str) -> None:
    empty = people.stranger.address
    governor = people.governor.address
    with refused("SharedNoCode", empty):
        bare_gate.evm.deploy(artifact(part), bare_gate.manager.address, empty, sender=governor)
    args = (bare_gate.manager.address, bare_gate.parts["Office"].address)
    made = bare_gate.evm.deploy(artifact(part), *args, sender=governor)
    abi = bare_gate.contract.abi
    assert Contract(bare_gate.evm, made.address, abi).view("auditHead") == bytes(32)


def test_parts_of_another_manager_change_nothing_of_who_governs(people: People) -> None:
    """The authority lies in the gate's own storage, whatever its parts were made with."""
    gate = make_gate(people)
    evm, stranger = gate.evm, people.stranger.address
    theirs = evm.deploy(artifact("AccessManager"), stranger, sender=stranger)
    office = evm.deploy(artifact("Office"), theirs.address, sender=stranger)
    docket = evm.deploy(artifact("Docket"), theirs.address, office.address, sender=stranger)
    desk = evm.deploy(artifact("Desk"), theirs.address, docket.address, sender=stranger)
    ours = evm.deploy(artifact("Gate"), gate.manager.address, desk.address, sender=stranger)
    with refused("AccessManagedUnauthorized", stranger):
        ours.send("setRoles", stranger, 2, 0, sender=stranger)
    ours.send("setRoles", stranger, 2, 0, sender=people.governor.address)
    assert ours.view("authority") == gate.manager.address.lower()


def test_every_view_of_the_gate_answers(many: Gate) -> None:
    """Through all the parts before the one that has it: with a value, or an error of its own."""
    many.order(Kind.ISOLATE, "web")
    for entry in functions(interface()).values():
        if entry["stateMutability"] == "nonpayable":
            continue
        given = [zero(argument) for argument in entry["inputs"]]
        try:
            many.view(entry["name"], *given)
        except Reverted as error:
            assert entry["name"] in ("isBlocked", "isAuthorizedFrom"), error


def zero(argument: dict[str, Any]) -> Any:
    kind = argument["type"]
    if kind.endswith("[]"):
        return []
    if kind == "tuple":
        return tuple(zero(component) for component in argument["components"])
    if kind.startswith("bytes"):
        return bytes(int(kind[5:]))
    return {"address": "0x" + "00" * 20, "string": "", "bool": False}.get(kind, 0)
