"""Actions drawn from what a policy answers. Pure: one seed draws the same actions for the same observations."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from services.adaptation.records import PredictionBatch
from services.errors import Invalid

Mode = Literal["sample", "greedy"]
_LARGEST_SEED = 2**63 - 1


class ActionOptions(NamedTuple):
    """How to act: a draw, or the likeliest action. `seed` None draws differently each time."""

    mode: Mode = "sample"
    seed: int | None = None


GREEDY = ActionOptions("greedy")


def action_options(options: Mapping[str, Any]) -> tuple[ActionOptions, dict[str, Any]]:
    """What of a query's options is about acting, and the rest. Raises Invalid."""
    mode, seed = options.get("mode", "sample"), options.get("seed")
    if mode not in ("sample", "greedy"):
        raise Invalid.at("/options/mode", "mode is 'sample' or 'greedy'")
    if seed is not None and (type(seed) is not int or not 0 <= seed <= _LARGEST_SEED):
        raise Invalid.at("/options/seed", f"seed is a whole number from 0 to {_LARGEST_SEED}")
    rest = {name: value for name, value in options.items() if name not in ("mode", "seed")}
    return ActionOptions(mode, seed), rest


def with_actions(batch: PredictionBatch, options: ActionOptions) -> PredictionBatch:
    """The batch with an action for each observation, and its log-probability (density) as the policy has it.

    A box's action is not clipped to it: the environment does that, and the log-probability is of the action before.
    """
    random = np.random.default_rng(options.seed)
    if batch.probabilities is not None:
        choices = batch.probabilities.astype(np.float64)
        sums = choices.cumsum(-1)
        drawn = (random.random((len(choices), 1)) * sums[:, -1:] >= sums[:, :-1]).sum(-1)
        actions = drawn if options.mode == "sample" else choices.argmax(-1)
        with np.errstate(divide="ignore"):
            chosen = np.log(np.take_along_axis(choices, actions[:, None], -1)[:, 0])
        return msgspec.structs.replace(batch, actions=actions.astype(np.int64), log_probs=chosen)
    assert batch.values is not None
    assert batch.stds is not None
    mean, std = batch.values.astype(np.float64), batch.stds.astype(np.float64)
    noise = random.standard_normal(mean.shape) if options.mode == "sample" else np.zeros(mean.shape)
    log_probs = -(0.5 * np.square(noise) + np.log(std) + 0.5 * math.log(2 * math.pi)).sum(-1)
    return msgspec.structs.replace(batch, actions=mean + std * noise, log_probs=log_probs)
