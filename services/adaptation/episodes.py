"""Episodes of interaction as a caller gave them, made into what a policy is adapted from. Pure.

On the wire an episode is one run in an environment; from here on it is a trajectory, because an episode
there is a support and query draw.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.spec import BoxSpace, DiscreteSpace, Signature
from services.adaptation.limits import Limits
from services.adaptation.records import Array as Numbers
from services.adaptation.records import EpisodeInput, Inputs
from services.engine.messages import Array, TrajectorySupport
from services.errors import Invalid

EPISODES = "/support/episodes"

# How many times its steps a support may grow by padding all episodes to the longest.
_PADDING = 8


def prepare_episodes(
    given: Sequence[EpisodeInput], signature: Signature, limits: Limits
) -> TrajectorySupport:
    """Check episodes against a policy. Raises Invalid with the place of the fault."""
    space = signature.actions
    if space is None:
        raise Invalid.at(EPISODES, "episodes; this model learns from inputs and targets")
    _check_sizes(given, limits)
    width = signature.inputs.example_shape[0]
    observations, actions, rewards, log_probs = [], [], [], []
    for number, episode in enumerate(given):
        place = f"{EPISODES}/{number}"
        steps = len(episode.observations)
        seen = _columns(episode.observations, width, f"{place}/observations", "an observation")
        observations.append(seen)
        actions.append(_actions(episode.actions, space, steps, f"{place}/actions"))
        rewards.append(_numbers(episode.rewards, steps, f"{place}/rewards", "reward"))
        log_probs.append(
            np.zeros(steps, np.float32)
            if episode.log_probs is None
            else _numbers(episode.log_probs, steps, f"{place}/log_probs", "log_prob")
        )
    kind = np.float32 if isinstance(space, BoxSpace) else np.int64
    no_actions = np.zeros((0, space.width) if isinstance(space, BoxSpace) else (0,), kind)
    nothing = np.zeros(0, np.float32)
    return TrajectorySupport(
        lengths=Array.of(np.array([len(seen) for seen in observations], np.int64)),
        observations=Array.of(np.concatenate([np.zeros((0, width), np.float32), *observations])),
        actions=Array.of(np.concatenate([no_actions, *actions])),
        rewards=Array.of(np.concatenate([nothing, *rewards])),
        log_probs=Array.of(np.concatenate([nothing, *log_probs])),
        known=Array.of(np.array([one.log_probs is not None for one in given], np.float32)),
        terminated=Array.of(np.array([one.terminated for one in given], np.float32)),
    )


def _check_sizes(given: Sequence[EpisodeInput], limits: Limits) -> None:
    if len(given) > limits.support_examples:
        raise Invalid.at(EPISODES, f"{len(given)} episodes; at most {limits.support_examples} are taken")
    steps, longest = 0, 0
    for number, episode in enumerate(given):
        length = len(episode.observations)
        if length == 0:
            raise Invalid.at(f"{EPISODES}/{number}/observations", "an episode without a step")
        if length > limits.episode_steps:
            detail = f"{length} steps; an episode has at most {limits.episode_steps}"
            raise Invalid.at(f"{EPISODES}/{number}/observations", detail)
        steps, longest = steps + length, max(longest, length)
    if steps > limits.support_steps:
        raise Invalid.at(EPISODES, f"{steps} steps; at most {limits.support_steps} are taken together")
    if len(given) * longest > _PADDING * limits.support_steps:
        raise Invalid.at(
            EPISODES, f"{len(given)} episodes beside one of {longest} steps: send fewer at a time"
        )


def _columns(raw: Inputs, width: int, pointer: str, name: str) -> Numbers:
    """Float32 [E, width]."""
    if isinstance(raw, list):
        raise Invalid.at(pointer, f"{name} is {_numbered(width)}")
    if raw.ndim == 1 and width == 1:
        raw = raw[:, None]
    if raw.ndim != 2 or raw.shape[1] != width:
        raise Invalid.at(
            pointer, f"{name} of shape {list(raw.shape[1:])}; this policy has {_numbered(width)}"
        )
    return raw.astype(np.float32, copy=False)


def _actions(raw: Any, space: BoxSpace | DiscreteSpace, steps: int, pointer: str) -> Numbers:
    if len(raw) != steps:
        raise Invalid.at(pointer, f"{len(raw)} actions for {steps} observations")
    if isinstance(space, BoxSpace):
        values = np.array(raw, np.float32) if isinstance(raw, list) and not isinstance(raw[0], str) else raw
        return _columns(values, space.width, pointer, "an action")
    if not isinstance(raw, list) or not all(type(action) is int for action in raw):
        raise Invalid.at(pointer, f"an action is a whole number from 0 to {space.n - 1}")
    for number, action in enumerate(raw):
        if not 0 <= action < space.n:
            detail = f"{action} is outside the space: actions are 0 to {space.n - 1}"
            raise Invalid.at(f"{pointer}/{number}", detail)
    return np.array(raw, np.int64)


def _numbers(raw: Inputs, steps: int, pointer: str, name: str) -> Numbers:
    """Float32 [E]."""
    if isinstance(raw, list):
        raise Invalid.at(pointer, f"a {name} is a number")
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim != 1:
        raise Invalid.at(pointer, f"a {name} of shape {list(raw.shape[1:])}; it is a number")
    if len(raw) != steps:
        raise Invalid.at(pointer, f"{len(raw)} {name}s for {steps} observations")
    return raw.astype(np.float32, copy=False)


def _numbered(width: int) -> str:
    return "a number" if width == 1 else f"{width} numbers"
