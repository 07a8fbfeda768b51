"""A regression learner in units of each task's own support set. Knows the learner by its protocol; no algorithm."""

import torch
from torch import Generator, Tensor

from models.algorithms.learner import MetaLearner
from models.episode import Episode, SupportSet
from models.functional import Params, answer_loss
from models.spec import Task

_PREFIX = "normal."
# Below this share of a column's size a spread is rounding: the column is constant, and keeps its unit.
_ROUNDING = 1e-5


class Normalised:
    """Inputs and targets are shifted and scaled, column by column, to the support's mean 0 and deviation 1.

    So a learner that takes steps of a fixed size meets tasks of any scale and offset, wherever they were measured:
    all lines become two, one up and one down. The shift and scale are part of the adapted parameters. An adaptation
    that goes on from another keeps that one's. What `meta_loss` reports is in the support's deviations.
    """

    task: Task = "regression"
    max_ways = None

    def __init__(self, learner: MetaLearner) -> None:
        self.learner = learner

    def init(self, generator: Generator) -> dict[str, Tensor]:
        return self.learner.init(generator)

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The learner's adapted parameters, and `normal.*`: shifts and scales of inputs [D] and targets [T]."""
        if start is None:
            normal, before = _normal(support), None
        else:
            normal = {name: value for name, value in start.items() if name.startswith(_PREFIX)}
            before = {name: value for name, value in start.items() if name not in normal}
        return {**self.learner.adapt(meta_params, _normalised(support, normal), before), **normal}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        inputs = (query_inputs - adapted_params["normal.x_mean"]) / adapted_params["normal.x_scale"]
        answer = self.learner.predict(meta_params, adapted_params, inputs)
        scale = adapted_params["normal.y_scale"]
        answer["mean"] = answer["mean"] * scale + adapted_params["normal.y_mean"]
        if "std" in answer:
            answer["std"] = answer["std"] * scale
        return answer

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        """In the targets' own units."""
        answer = self.predict(meta_params, adapted_params, support.inputs)
        return answer_loss(answer, support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        return self.learner.meta_loss(meta_params, self.encode(episode))

    def encode(self, episode: Episode) -> Episode:
        """The episode in units of its support."""
        normal, query = _normal(episode.support), episode.query
        inputs = (query.inputs - normal["normal.x_mean"]) / normal["normal.x_scale"]
        targets = (query.targets - normal["normal.y_mean"]) / normal["normal.y_scale"]
        return Episode(_normalised(episode.support, normal), query._replace(inputs=inputs, targets=targets))


def _normalised(support: SupportSet, normal: Params) -> SupportSet:
    inputs = (support.inputs - normal["normal.x_mean"]) / normal["normal.x_scale"]
    targets = (support.targets - normal["normal.y_mean"]) / normal["normal.y_scale"]
    real_S1 = support.mask.unsqueeze(-1)
    return support._replace(inputs=inputs * real_S1, targets=targets * real_S1)


def _normal(support: SupportSet) -> dict[str, Tensor]:
    x_mean, x_scale = _mean_and_scale(support.inputs, support.mask)
    y_mean, y_scale = _mean_and_scale(support.targets, support.mask)
    return {
        "normal.x_mean": x_mean,
        "normal.x_scale": x_scale,
        "normal.y_mean": y_mean,
        "normal.y_scale": y_scale,
    }


def _mean_and_scale(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Of values [S, D], each [D]; scale 1 for columns that do not vary."""
    real_S1 = mask.unsqueeze(-1)
    count = mask.sum().clamp(min=1.0)
    mean = (values * real_S1).sum(0) / count
    variance = ((values - mean).square() * real_S1).sum(0) / count
    varies = variance > (_ROUNDING * mean).square()
    # The square root's own argument is kept from 0, where its gradient is none.
    return mean, torch.where(varies, torch.sqrt(torch.where(varies, variance, 1.0)), 1.0)
