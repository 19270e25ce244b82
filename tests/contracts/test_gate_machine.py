"""Random histories of the whole gate, against a plain model and against its guarantees.

The machine drives gate and model side by side: each call must succeed in both, or be refused in
both for the same reason, and every view must agree after each step. `Witness` then judges the gate
by its raw log and the calls alone, without the model's idea of what comes next.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from machine_base import worlds
from machine_batches import Batches
from machine_governance import Governance
from machine_proposals import Proposals
from machine_signed import Signed


class GateMachine(Proposals, Batches, Signed, Governance):
    pass


def _run(examples: int, steps: int, random: bool) -> Counter[tuple[str, str]]:
    """Outcomes by function and error, of the gate the rules are about."""
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


def test_random_histories_of_the_gate() -> None:
    _run(60, 50, random=False)


@pytest.mark.slow
def test_many_random_histories_of_the_gate() -> None:
    _run(600, 80, random=True)
