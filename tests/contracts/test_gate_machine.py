"""Random histories of the whole gate, against a plain model and against its guarantees.

The machine drives gate and model side by side: each call must succeed in both, or be refused in
both for the same reason, and every view must agree after each step that changed anything. `Witness`
then judges the gate by its raw log and the calls alone, without the model's idea of what is next.

A machine whose calls are all refused proves nothing, so it is counted what they came to.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from machine_batches import Batches
from machine_governance import Governance
from machine_proposals import Proposals
from machine_signed import Signed
from machine_stage import worlds
from scene import REASON, STATUS

from responder.chain.events import artifact

# Errors that no call of the machine can meet.
ELSEWHERE = {
    "AccessManagedInvalidAuthority",
    "AccessManagedRequiredDelay",  # the governor of these tests has none
    "InvalidShortString",  # of OpenZeppelin's EIP-712, at deployment
    "StringTooLong",
    "SharedNoCode",
    "RegistryAuthorityFixed",
}


class GateMachine(Proposals, Batches, Signed, Governance):
    """All rules; what each is about is in its file."""


def _run(examples: int, steps: int, random: bool) -> Counter[tuple[str, str]]:
    """What calls came to, in the world that the rules are about."""
    world = worlds()[0]
    world.tally.clear()
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not random,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(GateMachine, settings=profile)
    return world.tally


def _reached(tally: Counter[tuple[str, str]]) -> Counter[str]:
    """How often each function was taken, each event told, each status and each reason seen."""
    abi = artifact("Gate")["abi"]
    kinds = {
        **{e["name"]: "" for e in abi if e.get("stateMutability") == "nonpayable" and "name" in e},
        "propose": "under a lease",
    }
    reached = {f"{name}()": tally[name, outcome] for name, outcome in kinds.items()}
    told = {e["name"] for e in abi if e["type"] == "event"}
    told -= {"AuthorityUpdated", "EIP712DomainChanged"}
    reached |= {f"event {name}": tally["event", name] for name in told}
    reached |= {f"status {name}": tally["status", name] for name in STATUS}
    return Counter(reached | {f"reason {name}": tally["GateRefused", name] for name in REASON[1:]})


def test_random_histories_of_the_gate() -> None:
    reached = _reached(_run(110, 70, random=False))
    assert not {what: often for what, often in reached.items() if often < 2}


@pytest.mark.slow
def test_many_random_histories_of_the_gate() -> None:
    tally = _run(900, 80, random=True)
    assert not {what: often for what, often in _reached(tally).items() if often < 20}
    errors = {e["name"] for e in artifact("Gate")["abi"] if e["type"] == "error"} - ELSEWHERE
    assert not errors - {error for _, error in tally}
