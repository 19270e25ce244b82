"""`Countersign-v0`: an agent that may only propose, on a simulated site under attack or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from policies.actions import Kind
from policies.observation import CONTEXT_COLUMNS, ENTITY_COLUMNS, Observation, encode
from policies.picture import Entity, Picture
from rl_env.attacker import CLEAN, FOOTHOLD, KINDS, OBJECTIVE, ROOT, Story
from rl_env.containment import Containment, random_guardrails
from rl_env.network import random_network
from rl_env.operators import Operators
from rl_env.sensors import STEP, Sensors

__all__ = ["ENVIRONMENT", "CountersignEnv", "Weights"]

ENVIRONMENT = "Countersign-v0"
_EPOCH = 1.7e9
_WARM_UP = 30  # steps of background before the first decision

Obs = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Weights:
    """What the reward's terms weigh, per minute unless said otherwise."""

    harm: tuple[float, ...] = (0.0, 0.03, 0.06, 0.06)  # by level of takeover, x (1 + criticality)
    loss: float = 12.0  # once, when the intruder reaches its goal
    loss_criticality: float = 8.0  # once, x criticality
    service: float = 0.25  # an isolated asset, x users x (1 + criticality)
    needed: float = 0.1  # share of `service` that a needed isolation costs
    address: float = 0.2  # a blocked address that users need
    credential: float = 0.1  # a revoked key nobody stole, x (1 + criticality)
    question: float = 0.5  # per approval asked for
    proposal: float = 0.05  # per proposal


@dataclass
class Tally:
    """Ground truth of one episode, for evaluation only; never part of an observation."""

    kind: str
    proposals: int = 0
    questions: int = 0
    isolations: int = 0
    false_isolations: int = 0
    blocks: int = 0
    false_blocks: int = 0
    revocations: int = 0
    false_revocations: int = 0
    minutes_compromised: int = 0
    lost: bool = False
    entered: bool = False
    contained_after: float | None = None  # minutes from first entry to its isolation
    terms: dict[str, float] = field(default_factory=dict)  # sums of the reward's terms


class CountersignEnv(gym.Env[Obs, np.int64]):
    """A defender proposes containment on a small network from alerts alone. One step is 60 seconds.

    ## Action Space

    `Discrete(1 + max_entities)`. 0 does nothing; i + 1 proposes the action of entity i: isolate an
    asset, revoke a credential, block an address. `action_masks()` and `info["action_mask"]` say
    what the guardrails would let through and is not already under way; a masked action does
    nothing.

    ## Observation Space

    `Dict`: `entities` float32 [max_entities, len(ENTITY_COLUMNS)], `context` float32
    [len(CONTEXT_COLUMNS)] as `policies.observation` defines them, `present` float32
    [max_entities], 1 where a row is an entity.

    ## Reward

    The sum of `info["terms"]`: `harm` (taken-over assets that are not isolated, by criticality, and
    once the intruder's goal), `service` (what users lose by isolations, blocks and revocations),
    `effort` (people's time per approval asked for).

    ## Starting State

    A random network of 6 to 24 assets, sensors with random rules and base rates, 1 to 1,000 windows
    of learned history, random guardrails, lease and operators. A quarter of the episodes is quiet,
    a quarter has scanners who harm nobody, half have an intruder.

    ## Episode End

    Terminates when the intruder reaches its goal; truncates after `minutes` steps.

    ## Version History

    v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it

    def __init__(
        self,
        minutes: int = 150,
        assets: tuple[int, int] = (6, 24),
        max_entities: int = 40,
        kinds: tuple[float, float, float] = (0.25, 0.25, 0.5),
        weights: Weights | None = None,
    ) -> None:
        """`kinds`: shares of quiet, merely scanned and attacked episodes."""
        self._minutes, self._assets, self._max = minutes, assets, max_entities
        self._kinds, self._weights = kinds, weights or Weights()
        self.action_space = spaces.Discrete(1 + max_entities)
        rows, columns = (max_entities, len(ENTITY_COLUMNS)), (len(CONTEXT_COLUMNS),)
        self.observation_space = spaces.Dict(  # type: ignore[assignment]
            {
                "entities": spaces.Box(0.0, 64.0, rows, np.float32),
                "context": spaces.Box(0.0, 64.0, columns, np.float32),
                "present": spaces.Box(0.0, 1.0, (max_entities,), np.float32),
            }
        )

    # ------------------------------------------------------------ Gymnasium

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, dict[str, Any]]:
        """`options={"kind": "quiet" | "scans" | "attack"}` fixes what happens."""
        super().reset(seed=seed)
        rng = self.np_random
        kind = (options or {}).get("kind") or str(rng.choice(KINDS, p=self._kinds))
        network = self._network = random_network(rng, self._assets)
        self._now = _EPOCH + float(rng.integers(0, 86400))
        self._steps = 0
        guardrails = random_guardrails(rng, network.inventory, self._now)
        self._containment = Containment(rng, network.inventory, guardrails, Operators(rng))
        sensors = Sensors(rng, network)
        self._picture = Picture(network.inventory)
        sensors.teach(self._picture, _history(rng), self._now - _WARM_UP * STEP)
        for i in range(_WARM_UP):
            for alert, times in sensors.background(self._now - (_WARM_UP - i) * STEP):
                self._picture.observe(alert, self._now, times)
        self._story = Story(
            rng, network, sensors, self._containment, self._now, self._minutes, kind
        )
        self._tally = Tally(kind)
        self._look()
        return self._observation(), self._info({})

    def step(self, action: np.int64) -> tuple[Obs, float, bool, bool, dict[str, Any]]:
        questions = self._act(int(action))
        self._end_orders()
        for alert, times in self._story.step(self._now):
            self._picture.observe(alert, self._now + STEP, times)
        self._now += STEP
        self._steps += 1
        self._picture.advance(self._now)
        terms = {"harm": self._harm(), "service": self._service(), "effort": questions}
        self._track(terms)
        self._look()
        terminated = self._story.truth.objective is not None
        truncated = self._steps >= self._minutes and not terminated
        return (
            self._observation(),
            sum(terms.values()),
            terminated,
            truncated,
            self._info(terms),
        )

    def action_masks(self) -> NDArray[np.bool_]:
        """bool [1 + max_entities]; "do nothing" is always permitted."""
        return self._mask.copy()

    def deserved(self) -> NDArray[np.bool_]:
        """bool [max_entities]: the truth about each row, for teachers and evaluation."""
        result = np.zeros(self._max, dtype=np.bool_)
        result[: len(self._seen.ids)] = [self._deserved(entity) for entity in self._seen.ids]
        return result

    @property
    def view(self) -> Observation:
        """The same observation as policies take it, without padding."""
        return self._seen

    # ------------------------------------------------------------ acting

    def _act(self, action: int) -> float:
        """Proposes; returns the reward's term for people's effort."""
        if action == 0 or not self._mask[action]:
            return 0.0
        entity = self._seen.ids[action - 1]
        right = self._deserved(entity)
        verdict = self._containment.propose(entity, right, self._now)
        tally = self._tally
        tally.proposals += 1
        name = {Kind.BLOCK: "blocks", Kind.ISOLATE: "isolations", Kind.REVOKE: "revocations"}
        setattr(tally, name[entity.kind], getattr(tally, name[entity.kind]) + 1)
        if not right:
            wrong = f"false_{name[entity.kind]}"
            setattr(tally, wrong, getattr(tally, wrong) + 1)
        tally.questions += verdict.approvals > 0
        return -self._weights.proposal - self._weights.question * verdict.approvals

    def _end_orders(self) -> None:
        """People clean an isolated machine before it comes back."""
        for entity in self._containment.advance(self._now):
            index = self._network.inventory.asset_index(entity.id)
            if entity.kind is Kind.ISOLATE and index is not None:
                truth = self._story.truth
                truth.levels[index] = CLEAN
                truth.target = None if truth.target == index else truth.target

    def _deserved(self, entity: Entity) -> bool:
        """An asset that is taken over or under an intruder's hands, a stolen key, a scanner."""
        truth = self._story.truth
        if entity.kind is Kind.BLOCK:
            return entity.id.partition("/")[0] in truth.hostile | truth.scanners
        if entity.kind is Kind.REVOKE:
            credentials = self._network.inventory.credentials
            return any(credentials[c].id == entity.id for c in truth.stolen)
        index = self._network.inventory.asset_index(entity.id)
        return index is not None and (truth.levels[index] > CLEAN or truth.target == index)

    # ------------------------------------------------------------ reward

    def _harm(self) -> float:
        truth, assets, weights = self._story.truth, self._network.inventory.assets, self._weights
        harm = 0.0
        if truth.active:
            for index, level in enumerate(truth.levels):
                if level != CLEAN and not self._containment.isolated(index):
                    harm -= weights.harm[level] * (1 + assets[index].criticality)
        if truth.objective is not None:
            worth = assets[truth.objective].criticality
            harm -= weights.loss + weights.loss_criticality * worth
        return harm

    def _service(self) -> float:
        weights, inventory = self._weights, self._network.inventory
        cost = 0.0
        for entity in self._containment.live():
            deserved = self._deserved(entity)
            if entity.kind is Kind.ISOLATE:
                index = inventory.asset_index(entity.id) or 0
                share = weights.needed if deserved else 1.0
                worth = self._network.users[index] * (1 + inventory.assets[index].criticality)
                cost += weights.service * worth * share
            elif entity.kind is Kind.BLOCK:
                needed = entity.id.partition("/")[0] in self._network.partners
                cost += weights.address * needed
            elif not deserved:
                index = [c.id for c in inventory.credentials].index(entity.id)
                cost += weights.credential * (1 + inventory.credentials[index].criticality)
        return -cost

    def _track(self, terms: dict[str, float]) -> None:
        truth, tally = self._story.truth, self._tally
        for name, value in terms.items():
            tally.terms[name] = tally.terms.get(name, 0.0) + value
        held = [i for i, level in enumerate(truth.levels) if level in (FOOTHOLD, ROOT, OBJECTIVE)]
        free = [i for i in held if not self._containment.isolated(i)]
        tally.minutes_compromised += len(free) if truth.active else 0
        tally.lost = truth.objective is not None
        tally.entered = truth.first_entry is not None
        if held and not free and tally.contained_after is None and truth.first_entry is not None:
            tally.contained_after = (self._now - truth.first_entry) / 60.0

    # ------------------------------------------------------------ observing

    def _look(self) -> None:
        containment, now = self._containment, self._now
        seen = encode(self._picture, containment.standings(now), containment.conditions(now), now)
        n = min(len(seen.ids), self._max)
        self._seen = Observation(seen.entities[:n], seen.context, seen.ids[:n])
        self._mask = np.zeros(1 + self._max, dtype=np.bool_)
        self._mask[0] = True
        self._mask[1 : n + 1] = containment.mask(self._seen.ids, now)

    def _observation(self) -> Obs:
        n = len(self._seen.ids)
        entities = np.zeros((self._max, len(ENTITY_COLUMNS)), dtype=np.float32)
        entities[:n] = np.minimum(self._seen.entities, 64.0)
        present = np.zeros(self._max, dtype=np.float32)
        present[:n] = 1.0
        return {"entities": entities, "context": self._seen.context.copy(), "present": present}

    def _info(self, terms: dict[str, float]) -> dict[str, Any]:
        return {"action_mask": self.action_masks(), "terms": terms, "truth": self._tally}


def _history(rng: np.random.Generator) -> int:
    """Windows learned: mostly days, sometimes only minutes."""
    if rng.random() < 0.15:
        return int(rng.integers(1, 60))
    return int(np.exp(rng.uniform(np.log(60), np.log(1000))))
