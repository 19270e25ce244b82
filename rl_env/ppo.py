"""MaskablePPO of sb3-contrib, its loop written for a batch that lives in arrays.

The algorithm, its settings, its callbacks and its log stay those of `MaskablePPO`, which opens what
`BatchPPO` saves. What is gone is work that grows with the number of environments or has nothing to
do with learning: objects for distributions and their checks, copies between arrays, and Python that
goes from one environment to the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.buffers import (
    MaskableDictRolloutBuffer,
    MaskableDictRolloutBufferSamples,
)
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from torch.nn import functional

__all__ = ["BatchPPO"]

_NEVER = 1e8  # taken from the logit of what is not permitted, as sb3-contrib does

Facts = dict[str, float]


class BatchPPO(MaskablePPO):
    """`MaskablePPO` for observations of several parts (`Dict`) and one choice (`Discrete`).

    Any policy of sb3-contrib will do. The rollout is `MaskableDictRolloutBuffer`, written in place.
    """

    def _setup_model(self) -> None:
        """Raises ValueError for other spaces."""
        if not (
            isinstance(self.observation_space, spaces.Dict)
            and isinstance(self.action_space, spaces.Discrete)
        ):
            raise ValueError(
                "BatchPPO needs observations of type Dict and actions of type Discrete; "
                "MaskablePPO takes others"
            )
        super()._setup_model()
        if isinstance(self.policy.optimizer, torch.optim.Adam):  # the same step in one go
            for group in self.policy.optimizer.param_groups:
                group.update(fused=True, foreach=False)

    # ------------------------------------------------------------ rollouts

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
        use_masking: bool = True,
    ) -> bool:
        """As `MaskablePPO` does; False where the callback ended it. Raises ValueError where masks
        are wanted and the environments have none.
        """
        assert isinstance(rollout_buffer, MaskableDictRolloutBuffer)
        if use_masking and not is_masking_supported(env):
            raise ValueError("the environments have no method action_masks: use ActionMasker")
        self.policy.set_training_mode(False)
        rollout_buffer.pos, rollout_buffer.full = 0, False
        rollout_buffer.generator_ready = False
        rollout_buffer.action_masks[:] = 1.0
        callback.on_rollout_start()
        for step in range(n_rollout_steps):
            if use_masking:
                rollout_buffer.action_masks[step] = _masks_of(env)
            actions = self._act(rollout_buffer, step)
            new_obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            if dones.any():
                self._finish(rewards, dones, infos)
            rollout_buffer.rewards[step] = rewards
            assert isinstance(new_obs, dict)
            self._last_obs, self._last_episode_starts = new_obs, dones
        assert isinstance(self._last_obs, dict)
        with torch.inference_mode():
            last_values = self.policy.predict_values(obs_as_tensor(self._last_obs, self.device))
        rollout_buffer.compute_returns_and_advantage(last_values, dones)
        rollout_buffer.pos, rollout_buffer.full = n_rollout_steps, True
        callback.on_rollout_end()
        return True

    def _act(self, buffer: MaskableDictRolloutBuffer, step: int) -> NDArray[np.int64]:
        """Chooses for all environments, and writes down what it saw, chose and expected."""
        assert isinstance(self._last_obs, dict)
        for key, seen in self._last_obs.items():
            buffer.observations[key][step] = seen
        buffer.episode_starts[step] = self._last_episode_starts
        with torch.inference_mode():
            shown = {key: self._tensor(array[step]) for key, array in buffer.observations.items()}
            logits, values = self._heads(shown)
            masked = _masked(logits, self._tensor(buffer.action_masks[step]))
            actions = _drawn(masked)
            log_probs = _chosen(torch.log_softmax(masked, 1), actions)
        buffer.values[step] = values.cpu().numpy()
        buffer.log_probs[step] = log_probs.cpu().numpy()
        buffer.actions[step, :, 0] = actions.cpu().numpy()
        return buffer.actions[step, :, 0]

    def _finish(
        self, rewards: NDArray[np.float32], dones: NDArray[np.bool_], infos: list[dict[str, Any]]
    ) -> None:
        """Counts ended episodes; where time alone ended one, its last state's value is added to the
        reward, as in `MaskablePPO`.
        """
        ended = np.flatnonzero(dones)
        self._update_info_buffer([infos[i] for i in ended], dones[ended])
        cut = [i for i in ended if infos[i].get("TimeLimit.truncated", False)]
        if not cut:
            return
        last = [infos[i]["terminal_observation"] for i in cut]
        shown = {key: self._tensor(np.stack([each[key] for each in last])) for key in last[0]}
        with torch.inference_mode():
            rewards[cut] += self.gamma * self.policy.predict_values(shown).cpu().numpy()[:, 0]

    # ------------------------------------------------------------ updates

    def train(self) -> None:
        """The update of `MaskablePPO`, with the same frames in the same minibatches."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        frames = self._frames()
        told: dict[str, list[float]] = defaultdict(list)
        for _ in range(self.n_epochs):
            told["approx_kl"].clear()
            finished = self._epoch(frames, told)
            self._n_updates += 1
            if not finished:
                break
        self._log(told)

    def _epoch(
        self, frames: MaskableDictRolloutBufferSamples, told: dict[str, list[float]]
    ) -> bool:
        """Whether it went to its end: the policy moved no further than `target_kl` allows."""
        optimizer = self.policy.optimizer
        for some in _shuffled(frames, self.n_steps, self.n_envs, self.batch_size):
            loss, facts = self._loss(some)
            for name, value in facts.items():
                told[name].append(value)
            if self.target_kl is not None and facts["approx_kl"] > 1.5 * self.target_kl:
                return False
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            optimizer.step()
        return True

    def _loss(self, some: MaskableDictRolloutBufferSamples) -> tuple[Tensor, Facts]:
        """The loss of a minibatch, and what the log tells of it."""
        logits, values = self._heads(some.observations)
        masked = _masked(logits, some.action_masks)
        logs = torch.log_softmax(masked, 1)
        advantages = some.advantages
        if self.normalize_advantage:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        clip = self._now(self.clip_range)
        log_ratio = _chosen(logs, some.actions) - some.old_log_prob
        ratio = log_ratio.exp()
        bounded = ratio.clamp(1 - clip, 1 + clip)
        policy_loss = -torch.min(advantages * ratio, advantages * bounded).mean()
        if self.clip_range_vf is not None:
            most = self._now(self.clip_range_vf)
            values = some.old_values + (values - some.old_values).clamp(-most, most)
        value_loss = functional.mse_loss(some.returns, values)
        with torch.set_grad_enabled(self.ent_coef != 0):
            # `logs.exp()` would be the same, and slow where it underflows.
            entropy_loss = (torch.softmax(masked, 1) * logs).sum(1).mean()
        loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
        with torch.no_grad():
            return loss, {
                "entropy_loss": entropy_loss.item(),
                "policy_gradient_loss": policy_loss.item(),
                "value_loss": value_loss.item(),
                "approx_kl": (ratio - 1 - log_ratio).mean().item(),
                "clip_fraction": ((ratio - 1).abs() > clip).float().mean().item(),
                "loss": loss.item(),
            }

    def _log(self, told: dict[str, list[float]]) -> None:
        buffer, record = self.rollout_buffer, self.logger.record
        for name, values in told.items():
            record(f"train/{name}", values[-1] if name == "loss" else float(np.mean(values)))
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        record("train/explained_variance", explained)
        record("train/n_updates", self._n_updates, exclude="tensorboard")
        record("train/clip_range", self._now(self.clip_range))
        if self.clip_range_vf is not None:
            record("train/clip_range_vf", self._now(self.clip_range_vf))

    # ------------------------------------------------------------ parts

    def _heads(self, observations: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits [batch, choices] and values [batch], without an object for the distribution."""
        policy = self.policy
        features = policy.extract_features(observations)
        if policy.share_features_extractor:
            actor, critic = policy.mlp_extractor(features)
        else:
            actor = policy.mlp_extractor.forward_actor(features[0])
            critic = policy.mlp_extractor.forward_critic(features[1])
        return policy.action_net(actor), policy.value_net(critic).flatten()

    def _frames(self) -> MaskableDictRolloutBufferSamples:
        """The whole rollout, [steps * environments, ...] each, without a copy."""
        buffer = self.rollout_buffer
        assert isinstance(buffer, MaskableDictRolloutBuffer)
        return MaskableDictRolloutBufferSamples(
            {key: self._tensor(array).flatten(0, 1) for key, array in buffer.observations.items()},
            actions=self._tensor(buffer.actions).flatten(),
            old_values=self._tensor(buffer.values).flatten(),
            old_log_prob=self._tensor(buffer.log_probs).flatten(),
            advantages=self._tensor(buffer.advantages).flatten(),
            returns=self._tensor(buffer.returns).flatten(),
            action_masks=self._tensor(buffer.action_masks).flatten(0, 1),
        )

    def _now(self, schedule: Any) -> float:
        return float(schedule(self._current_progress_remaining))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _masks_of(env: VecEnv) -> NDArray[np.bool_]:
    """bool [batch, choices]; at once where the environments are one object."""
    at_once = getattr(env, "action_masks", None)
    return at_once() if at_once else get_action_masks(env)


def _masked(logits: Tensor, masks: Tensor) -> Tensor:
    """Logits [batch, choices]; masks are 1 for what is permitted and else 0."""
    return torch.add(logits, masks - 1.0, alpha=_NEVER)


def _chosen(logs: Tensor, actions: Tensor) -> Tensor:
    """[batch, choices], [batch] -> [batch]."""
    return logs.gather(1, actions.unsqueeze(1)).squeeze(1)


def _drawn(masked: Tensor) -> Tensor:
    """A choice for each, int64 [batch]: where a number below the sum of all probabilities falls
    among their running sums.
    """
    sums = torch.softmax(masked, 1).cumsum(1)
    total = sums[:, -1:]
    # Rounding may bring the product up to the sum, above which nothing is.
    below = torch.nextafter(total, torch.zeros_like(total))
    drawn = torch.minimum(torch.rand_like(total) * total, below)
    return torch.searchsorted(sums, drawn, right=True).squeeze(1)


def _shuffled(
    frames: MaskableDictRolloutBufferSamples, steps: int, envs: int, size: int | None
) -> Iterator[MaskableDictRolloutBufferSamples]:
    """Minibatches. stable-baselines3 counts frames by environment, here they lie by step."""
    counted = np.random.permutation(steps * envs)
    order = torch.from_numpy(counted % steps * envs + counted // steps)
    observations, *rest = frames
    for which in order.to(frames.actions.device).split(size or len(order)):
        yield MaskableDictRolloutBufferSamples(
            {key: tensor.index_select(0, which) for key, tensor in observations.items()},
            *(tensor.index_select(0, which) for tensor in rest),
        )
