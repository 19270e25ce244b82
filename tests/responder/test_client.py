"""The gate over JSON-RPC: refusals in words, one transaction at a time, no trust."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from world import CARD, OPERATORS, Wants, World

from policies.actions import Kind
from responder.chain.client import GateClient, Refused
from responder.chain.manifest import Manifest
from responder.errors import Permanent, Temporary


def test_a_refusal_names_the_gates_error_and_its_values(world: World) -> None:
    proposal = world.propose()
    with pytest.raises(Refused, match=r"refused execute: GateQuorumNotMet\(got=0, needed=2\)"):
        world.gate("stranger").execute(proposal)
    with pytest.raises(Refused, match="GateMissingRole") as caught:
        world.gate("stranger").veto(proposal)
    assert caught.value.error == "GateMissingRole"


@pytest.mark.parametrize("call", ["propose", "approve", "reject", "veto", "execute"])
def test_without_a_key_nothing_is_sent(world: World, call: str) -> None:
    with pytest.raises(Permanent, match="no key to send"):
        getattr(world.gate(), call)(world.proposal())


def test_a_model_is_what_the_gate_says_of_it(world: World) -> None:
    gate, people = world.gate(), [world.address(name) for name in OPERATORS]
    assert gate.model_of(Wants.hash) == (True, CARD, 1, people)
    assert gate.model_of(b"\x01" * 32) == (False, bytes(32), 0, [])


def test_what_was_sent_is_counted(world: World) -> None:
    agent = world.gate("agent")
    assert agent.sent == 0
    agent.propose(world.proposal())
    with pytest.raises(Refused):
        agent.veto(world.proposal())
    assert agent.sent == 1


def requests(gate: GateClient) -> list[str]:
    """The methods that a fresh client asks the node for, but the chain's id, which it remembers."""
    provider: Any = gate._w3.provider
    asked: list[str] = []
    honest = provider.make_request

    def ask(method: str, params: Any) -> Any:
        if method != "eth_chainId":
            asked.append(method)
        return honest(method, params)

    provider.make_request = ask
    return asked


def test_a_prepared_proposal_is_sent_and_awaited_and_nothing_else(world: World) -> None:
    agent = world.gate("agent")
    asked = requests(agent)
    agent.propose(world.proposal())
    asked.clear()
    agent.prepare()
    agent.propose(world.proposal(target="db"))
    assert asked == ["eth_sendRawTransaction", "eth_getTransactionReceipt"]


def test_prepared_is_what_would_not_be_known_in_time(world: World) -> None:
    agent = world.gate("agent")
    asked = requests(agent)
    agent.prepare()
    assert asked
    asked.clear()
    agent.prepare()
    assert asked == []
    agent.propose(world.proposal())
    assert asked[0] == "eth_estimateGas"


def test_a_refusal_has_words_where_the_node_was_not_asked_before(world: World) -> None:
    agent = world.gate("agent")
    agent.propose(world.proposal())
    world.gate("guardian").pause()
    with pytest.raises(Refused, match="refused propose: GateRefused"):
        agent.propose(world.proposal(target="db"))
    world.resume()
    agent.propose(world.proposal(target="db"))
    assert sorted(world.targets()) == ["db", "web"]


@pytest.mark.parametrize("said", [-1, 10**12])
@pytest.mark.parametrize("method", ["eth_estimateGas", "eth_maxPriorityFeePerGas"])
def test_a_node_that_asks_for_what_cannot_be_is_not_paid(
    world: World, method: str, said: int
) -> None:
    agent = world.gate("agent")
    Hostile(agent, method, hex(said * (1 if method == "eth_estimateGas" else 10**9)))
    with pytest.raises(Permanent, match="which cannot be; ask another node"):
        agent.propose(world.proposal())
    assert world.targets() == []


def test_a_limit_that_the_node_does_not_take_is_asked_for_anew(world: World) -> None:
    agent = world.gate("agent")
    agent.propose(world.proposal())
    account: Any = agent._account
    account._gas = {"propose ISOLATE": 90_000_000}  # more than a block holds
    with pytest.raises(Permanent):
        agent.propose(world.proposal(target="db"))
    agent.propose(world.proposal(target="db"))
    assert sorted(world.targets()) == ["db", "web"]


def test_a_nonce_that_another_process_used_is_asked_for_anew(world: World) -> None:
    one, other = world.gate("agent"), world.gate("agent")
    one.prepare()
    other.propose(world.proposal())
    with pytest.raises(Permanent, match="nonce too low"):
        one.propose(world.proposal(target="db"))
    one.propose(world.proposal(target="db"))
    assert sorted(world.targets()) == ["db", "web"]


def test_a_batch_is_stopped_and_taken_back_before_it_is_sent(world: World) -> None:
    batch = world.batch(Kind.BLOCK, "203.0.113.9", criticality=0)
    world.gate("operator-1").withdraw_batch(batch)
    with pytest.raises(Refused, match="GateAlreadyVoted"):
        world.order_batch(batch)
    world.gate("guardian").veto_batch(batch)
    with pytest.raises(Refused, match="GateBadNonce"):
        world.order_batch(batch)


def test_final_lies_so_many_blocks_below_the_head(world: World) -> None:
    gate = GateClient(world.settings.rpc, Manifest.load(world.settings.manifest), None, 5)
    world.wait(1)
    assert gate.final().number == gate.head().number - 5
    assert gate.final().time < gate.head().time


def test_what_is_unconfirmed_is_not_obeyed(world: World) -> None:
    world.settings = replace(world.settings, confirmations=3)
    world.order()
    responder = world.responder()
    responder.tick()
    assert world.enforced() == []
    for _ in range(3):
        world.wait(1)
    responder.tick()
    assert world.enforced() == ["10.0.1.10"]


def test_while_a_transaction_waits_no_second_one_is_sent(world: World) -> None:
    """Else a slow chain would get the same wish again and again."""
    ask = world.w3.provider.make_request
    proposal = world.proposal()
    ask("evm_setAutomine", [False])
    try:
        agent = world.key("agent")
        call = world.contract.functions.propose(proposal.abi())
        fields: Any = {
            "from": agent.address,
            "nonce": world.w3.eth.get_transaction_count(agent.address),
        }
        signed = agent.sign_transaction(call.build_transaction(fields))
        world.w3.eth.send_raw_transaction(signed.raw_transaction)
        with pytest.raises(Temporary, match="still waits to be mined"):
            world.gate("agent").propose(world.proposal(target="db"))
    finally:
        ask("evm_setAutomine", [True])
    world.wait(1)
    assert world.targets() == ["web"]


# ---------------------------------------------------------------- a hostile endpoint


HOSTILE: list[tuple[str, Any]] = [
    ("eth_getBlockByNumber", None),
    ("eth_getBlockByNumber", {}),
    ("eth_getBlockByNumber", {"number": "0xzz", "timestamp": "0x1"}),
    ("eth_getBlockByNumber", []),
    ("eth_getLogs", None),
    ("eth_getLogs", {}),
    ("eth_getLogs", [None]),
    ("eth_getLogs", [{}]),
    ("eth_getLogs", [{"blockNumber": None, "logIndex": None, "topics": [], "data": "0x"}]),
    ("eth_call", "0x"),
    ("eth_call", "0x1234"),
    ("eth_call", None),
    ("eth_call", "nonsense"),
]


class Hostile:
    """Answers one method with something else."""

    def __init__(self, client: GateClient, method: str, result: Any) -> None:
        provider: Any = client._w3.provider
        honest = provider.make_request

        def answer(asked: str, params: Any) -> Any:
            if asked == method:
                return {"jsonrpc": "2.0", "id": 1, "result": result}
            return honest(asked, params)

        provider.make_request = answer


@pytest.fixture
def quiet(world: World) -> Iterator[World]:
    world.propose(Kind.BLOCK, "203.0.113.9")
    yield world


@pytest.mark.parametrize(("method", "result"), HOSTILE, ids=lambda v: str(v)[:24])
def test_a_hostile_answer_is_an_error_for_people(
    quiet: World, method: str, result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clients = quiet.clients()
    responder = quiet.responder(clients=clients)
    Hostile(clients.agent, method, result)
    responder.tick()
    said = [r.getMessage() for r in caplog.records if r.name == "responder.phases"]
    assert any(message.startswith("chain: ") for message in said), said
    assert not any("unexpectedly" in message for message in said)
