"""Learning the entity network from what was recorded, without a simulator.

Behaviour cloning learns to choose as the record does. Conservative Q-learning (Kumar et al., 2020,
https://arxiv.org/abs/2006.04779; the loss is TorchRL's) learns from its rewards what each choice
gains over doing nothing, and stays with choices that the record knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.data import Categorical
from torchrl.modules import QValueActor
from torchrl.objectives import DiscreteCQLLoss, SoftUpdate, ValueEstimators

from policies.policy import NOTHING
from rl_env.agent import EntityNetwork
from rl_env.dataset import DatasetError
from rl_env.decisions import Decisions

__all__ = [
    "Method",
    "OfflineConfig",
    "ahead_of",
    "held_back",
    "learn",
    "objective_of",
    "permitted",
    "transitions",
    "wanted",
]

Method = Literal["bc", "cql"]
Tell = Callable[[int, float], None]  # updates since the last time; the loss

_APART = 10  # of so many episodes one is held back
_TOLD = 50  # updates from one telling to the next

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OfflineConfig:
    """Everything that decides a run, beside the data."""

    method: Method = "bc"
    seed: int = 1
    updates: int = 3000
    batch: int = 256  # decisions of an update
    learning_rate: float = 1e-3  # falls to a tenth
    hidden: int = 64
    gamma: float = 0.99  # cql, as all that follows
    steps: int = 20  # minutes of reward before the target network's word is taken
    caution: float = 0.3  # weight of staying with what the record knows
    acting: float = 0.25  # share of an update's decisions that act, which hardly one in 50 does
    drift: float = 0.01  # of the target network, at each update

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"method must be one of {', '.join(get_args(Method))}")


def held_back(decisions: Decisions) -> tuple[Decisions, Decisions]:
    """What to learn from, and every tenth episode to be judged by."""
    apart = decisions.episode % _APART == _APART - 1
    return decisions.of(~apart), decisions.of(apart)


def learn(
    decisions: Decisions, config: OfflineConfig, tell: Tell = lambda updates, loss: None
) -> EntityNetwork:
    """Same decisions, same configuration, same machine: same weights.

    Raises DatasetError where there was never anything to choose.
    """
    if not len(decisions.made().at):
        raise DatasetError("in these data sets there was never anything to choose: add episodes")
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    network = _network(decisions, config.hidden)
    if config.method == "bc":
        _imitate(network, decisions, config, tell)
    else:
        _value(network, decisions, config, tell)
    return network


def _network(decisions: Decisions, hidden: int) -> EntityNetwork:
    shapes = {"entities": decisions.entities.shape[1:], "context": decisions.context.shape[1:]}
    space = spaces.Dict({k: spaces.Box(0.0, np.inf, v, np.float32) for k, v in shapes.items()})
    network = EntityNetwork(space, hidden)
    network.hesitate()
    return network


# ---------------------------------------------------------------- behaviour cloning


def _imitate(
    network: EntityNetwork, decisions: Decisions, config: OfflineConfig, tell: Tell
) -> None:
    """Cross-entropy of the record's choices, of the moments in which there was one."""
    made = decisions.made()
    right = torch.as_tensor(wanted(made))

    def loss(some: Indices) -> Tensor:
        scores = permitted(network, decisions, made.at[some])
        return nn.functional.cross_entropy(scores, right[some])

    rng = np.random.default_rng(config.seed)
    batches = (rng.integers(len(right), size=config.batch) for _ in range(config.updates))
    _improve(network, batches, config, loss, lambda: None, tell)


def wanted(decisions: Decisions) -> Indices:
    """The choice that the record speaks for. Where rewards are told against doing nothing, it
    speaks against a choice that was worth less.
    """
    if not decisions.relative:
        return decisions.choice
    return np.where(decisions.reward > 0.0, decisions.choice, NOTHING)


def permitted(network: EntityNetwork, decisions: Decisions, at: Indices) -> Tensor:
    """Scores [n, choices], minus infinity where the choice was not permitted."""
    seen = {
        "entities": torch.as_tensor(decisions.entities[at]),
        "context": torch.as_tensor(decisions.context[at]),
    }
    scores = network(seen)[:, : network.choices]
    return torch.where(torch.as_tensor(decisions.open[at]), scores, -torch.inf)


# ---------------------------------------------------------------- conservative Q-learning


class _Values(nn.Module):
    """What each choice is worth: the score, and what the state is worth with nothing done, unless
    that is zero everywhere.
    """

    def __init__(self, network: EntityNetwork, usual: float | None) -> None:
        """`usual`: what a state is worth on average, where learning begins: else the scores of what
        was chosen would first be taken for it. None: zero everywhere.
        """
        super().__init__()
        self.network = network
        self.state = None
        if usual is not None:
            last = nn.Linear(network.hidden, 1)
            nn.init.constant_(last.bias, usual)
            first = nn.Linear(network.summary, network.hidden)
            self.state = nn.Sequential(first, nn.ReLU(), last)

    def forward(self, entities: Tensor, context: Tensor) -> Tensor:
        features = self.network({"entities": entities, "context": context})
        scores = features[:, : self.network.choices]
        scores = scores - scores[:, :1]
        if self.state is None:
            return scores
        return scores + self.state(features[:, self.network.choices :])


def _value(network: EntityNetwork, decisions: Decisions, config: OfflineConfig, tell: Tell) -> None:
    ahead = ahead_of(decisions, config.gamma, config.steps)
    values = _Values(network, None if decisions.relative else _usual(decisions, config.gamma))
    objective, target = objective_of(values, network.choices, config.gamma, config.drift)

    def loss(some: Indices) -> Tensor:
        losses = objective(transitions(decisions, ahead, some))
        total: Tensor = losses["loss_qvalue"] + config.caution * losses["loss_cql"]
        return total

    _improve(objective, _batches(decisions, config), config, loss, target.step, tell)


def _usual(decisions: Decisions, gamma: float) -> float:
    """Mean discounted return of all the rests of episodes."""
    longest = int(np.bincount(decisions.episode).max())
    return float(ahead_of(decisions, gamma, longest).reward.mean())


def objective_of(
    values: nn.Module, choices: int, gamma: float, drift: float
) -> tuple[DiscreteCQLLoss, SoftUpdate]:
    """The loss of what `values` makes of entities and context, [batch, choices], and what moves its
    target network. Choices that are not permitted count neither as the best nor in the log-sum-exp.
    """
    actor = QValueActor(
        TensorDictModule(values, ["entities", "context"], ["action_value"]),
        spec=Categorical(choices),
        action_space="categorical",
        action_mask_key="action_mask",
    )
    objective = DiscreteCQLLoss(actor, action_space="categorical")
    objective.make_value_estimator(ValueEstimators.TD0, gamma=gamma)
    return objective, SoftUpdate(objective, tau=drift)


def _batches(decisions: Decisions, config: OfflineConfig) -> Iterator[Indices]:
    """Decisions to act are drawn more often than there are: what a choice gains is told by them
    alone.
    """
    rng = np.random.default_rng(config.seed)
    usable, acting = np.flatnonzero(decisions.choice >= 0), np.flatnonzero(decisions.choice > 0)
    often = int(config.acting * config.batch) if len(acting) else 0
    for _ in range(config.updates):
        any_of_them = rng.choice(usable, config.batch - often)
        yield np.concatenate([any_of_them, rng.choice(acting, often)]) if often else any_of_them


class Ahead(NamedTuple):
    """Of each decision, what came of it in the next minutes; [decisions] each."""

    reward: NDArray[np.float64]  # discounted sum
    minutes: Indices  # until the state whose value counts then
    over: NDArray[np.bool_]  # there is none


def ahead_of(decisions: Decisions, gamma: float, steps: int) -> Ahead:
    """Up to so many minutes ahead, at most to the end of the episode."""
    count = len(decisions.at)
    reward, minutes = np.zeros(count), np.zeros(count, dtype=np.int64)
    going, at = np.ones(count, dtype=np.bool_), np.arange(count)
    last = np.append(decisions.episode[1:] != decisions.episode[:-1], True)
    for step in range(steps):
        reward[going] += gamma**step * decisions.reward[at[going]]
        minutes[going] += 1
        going &= ~last[at]
        at = np.where(going, at + 1, at)
    return Ahead(reward, minutes, decisions.over[np.arange(count) + minutes - 1])


def transitions(decisions: Decisions, ahead: Ahead, which: Indices) -> TensorDict:
    """These decisions as TorchRL wants them."""
    at = decisions.at[which]
    now, then = _state(decisions, at), _state(decisions, at + ahead.minutes[which])
    over = torch.as_tensor(ahead.over[which])[:, None]
    reward = torch.as_tensor(ahead.reward[which], dtype=torch.float32)[:, None]
    then.update({"reward": reward, "done": over, "terminated": over.clone()})
    now.update(
        {
            "action": torch.as_tensor(decisions.choice[which]),
            "steps_to_next_obs": torch.as_tensor(ahead.minutes[which])[:, None],
            "next": then,
        }
    )
    return now


def _state(decisions: Decisions, at: Indices) -> TensorDict:
    parts = {
        "entities": torch.as_tensor(decisions.entities[at]),
        "context": torch.as_tensor(decisions.context[at]),
        "action_mask": torch.as_tensor(decisions.open[at]),
    }
    return TensorDict(parts, batch_size=[len(at)])


# ---------------------------------------------------------------- both


def _improve(
    module: nn.Module,
    batches: Iterable[Indices],
    config: OfflineConfig,
    loss: Callable[[Indices], Tensor],
    after: Callable[[], None],
    tell: Tell,
) -> None:
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, config.updates)
    for number, some in enumerate(batches, 1):
        value = loss(some)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        after()
        if number % _TOLD == 0 or number == config.updates:
            tell((number - 1) % _TOLD + 1, float(value.detach()))
